//! Brokers that join a running cluster, new topics, and partitions that move to other replicas.
//!
//! Rules (`kafka-reassign-partitions`): a partition under way has its old and its new replicas;
//! the new ones copy the log, one partition after the other per broker; when all of them are in
//! sync the old ones are gone, and the first of the new replicas leads.
//!
//! Invariants:
//! - Before it joins, a broker is nobody's replica, and no answer names it.
//! - A partition keeps `leader ∈ isr ⊆ replicas` at every step.
//!
//! Not modelled: throttles, cancelled reassignments, brokers that leave for good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::build::place;
use super::history::Change;
use super::state::{BrokerIds, Event, State};
use crate::sim::time::SimTime;
use crate::sometimes;

/// Brokers that start for the first time during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Join {
    /// When their hosts start, from the start of the run.
    pub at: SimTime,
    /// How many; their ids follow those of all earlier brokers.
    pub brokers: u32,
    /// New topics, created when the brokers have registered.
    pub topics: u32,
    /// Whether all partitions are spread over all brokers then.
    pub reassign: bool,
}

impl State {
    /// The join that brings broker `id`, by its place in the specification.
    fn join_of(&self, id: i32) -> Option<usize> {
        let mut last = self.spec.brokers;
        let id = id.unsigned_abs();
        self.spec.joins.iter().position(|join| {
            let first = last + 1;
            last += join.brokers;
            (first..=last).contains(&id)
        })
    }

    /// Broker `id` takes part for the first time; the last one of a join lets the cluster spread.
    pub(super) fn registered(&mut self, id: i32) {
        let Some(join) = self.join_of(id) else { return };
        let ids = |broker: &i32| self.join_of(*broker) == Some(join);
        let all = self.brokers.iter().map(|broker| broker.id).filter(ids);
        let here = all.clone().all(|id| self.broker(id).is_some_and(|broker| !broker.fenced));
        sometimes!(BROKER_JOINED);
        if !here || !self.spread.insert(join) {
            return;
        }
        self.create_joined_topics(join);
        if self.spec.joins[join].reassign {
            self.reassign();
        }
    }

    fn create_joined_topics(&mut self, join: usize) {
        let mut rng = self.seed.stream(&format!("topics/join/{join}"));
        for _ in 0..self.spec.joins[join].topics {
            // Topic 0 is `__consumer_offsets`.
            self.build_topic(self.topics.len() - 1, &mut rng, false);
        }
        self.set_rates();
    }

    /// Places every partition anew over all live brokers.
    fn reassign(&mut self) {
        let alive: Vec<i32> =
            self.brokers.iter().filter(|broker| !broker.fenced).map(|broker| broker.id).collect();
        for part in 0..self.parts.len() {
            let state = &self.parts[part];
            let replication = i16::try_from(state.replicas.len()).unwrap_or(1);
            let start = usize::try_from(self.topics[state.topic].id.as_u128() % 9_973).unwrap_or(0);
            let target = place(&alive, start, state.index, replication);
            if target != state.replicas {
                self.move_partition(part, target);
            }
        }
        alive.into_iter().for_each(|id| self.plan_catch_up(id));
    }

    fn move_partition(&mut self, part: usize, target: BrokerIds) {
        let state = &mut self.parts[part];
        let fresh = target.iter().copied().filter(|id| !state.replicas.contains(id));
        state.adding = fresh.collect();
        state.replicas.extend(state.adding.clone());
        state.target = target;
        self.replicas_changed(part);
        self.finish_move(part);
    }

    /// Ends a reassignment whose new replicas are all in sync.
    pub(super) fn finish_move(&mut self, part: usize) {
        let state = &mut self.parts[part];
        let complete = state.target.iter().all(|id| state.isr.contains(id));
        if state.target.is_empty() || !complete {
            return;
        }
        sometimes!(PARTITION_REASSIGNED);
        state.replicas = std::mem::take(&mut state.target);
        state.isr = state.replicas.clone();
        state.adding.clear();
        self.replicas_changed(part);
        let (leader, first) = (self.parts[part].leader, self.parts[part].replicas[0]);
        let able = self.broker(first).is_some_and(|broker| broker.up && !broker.fenced);
        if leader != first && able {
            self.lead(part, first);
        } else if leader >= 0 && !self.parts[part].replicas.contains(&leader) {
            self.elect_leader(part);
            self.partition_changed(part);
        } else {
            self.partition_changed(part);
        }
    }

    fn replicas_changed(&mut self, part: usize) {
        self.topology_version += 1;
        let state = &self.parts[part];
        self.record(Change::Replicas {
            topic: Arc::clone(&self.topics[state.topic].name),
            partition: state.index,
            replicas: state.replicas.clone(),
        });
    }

    /// How long broker `id` needs to be in step with `part`: a new replica copies the whole log, an
    /// old one what it missed, estimated from a minute of the load.
    pub(super) fn catch_up_time(&self, part: usize, id: i32) -> Duration {
        let part = &self.parts[part];
        let missed = match part.adding.contains(&id) {
            true => part.size_bytes,
            false => part.rate_micro / 1_000_000 * 60 * part.message_bytes,
        };
        let per_second = self.spec.timing.catch_up_bytes_per_second;
        Duration::from_micros(1_000 + missed.saturating_mul(1_000_000) / per_second)
    }

    /// Plans what changes at instants that the specification names.
    pub(super) fn plan_turns(&mut self) {
        let turns: Vec<SimTime> = self.spec.curve.turns().collect();
        // The tick at that instant still stands for the time before it.
        turns.into_iter().for_each(|at| self.schedule(SimTime(at.0 + 1), Event::Rates));
    }
}

/// When each broker's host starts, by id; those of the start are left out.
pub(super) fn starts(first: u32, joins: &[Join]) -> BTreeMap<i32, SimTime> {
    let mut last = first;
    let mut starts = BTreeMap::new();
    for join in joins {
        for id in last + 1..=last + join.brokers {
            starts.insert(i32::try_from(id).unwrap_or(i32::MAX), join.at);
        }
        last += join.brokers;
    }
    starts
}
