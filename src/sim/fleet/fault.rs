//! What can go wrong inside a cluster while its hosts and links are well.
//!
//! State-level faults change what is true of the cluster, and every broker tells the truth about
//! it. Wire-level faults leave the cluster as it is and spoil what one broker sends; the server
//! asks [`Fleet::wire_faults`] for them.
//!
//! Invariants:
//! - Every change that a fault makes is in the history, so the topology at any instant follows from
//!   it; a broker's answers are journalled as it gave them.
//! - What a fault began, its end undoes: preferred leaders, in-sync replicas and a controller are
//!   back within the cluster's own time-outs.
//!
//! Not modelled: log append times, the time that a controlled shutdown takes, a replica that lags
//! without leaving the ISR, followers that are far behind and truncate, snapshots of the
//! controller's log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Fleet;
use super::group::GroupState;
use super::history::Change;
use super::in_force::Entry;
use super::past::Past;
use super::state::{Event, State};
use crate::rt::cause;
use crate::sim::time::SimTime;
use crate::workload::mix;

/// A fault of a cluster; what it begins, [`Fleet::end_fault`] ends.
#[derive(Debug, Clone, PartialEq)]
pub enum FleetFault {
    /// Partitions get the next in-sync replica as their leader; at the end preferred leaders take
    /// over again.
    LeaderMove {
        /// Of this topic only; of all topics without one.
        topic: Option<String>,
        /// Share of the partitions, 0 to 1; at least one moves.
        share: f64,
    },
    /// A broker's replicas fall behind: every ISR that it does not lead loses it, until it has
    /// caught up after the end.
    IsrShrink {
        /// The broker that falls behind.
        broker: i32,
    },
    /// A group's coordinator moves to another broker, which loads the group first.
    CoordinatorMove {
        /// Group id.
        group: String,
        /// How long the new coordinator answers COORDINATOR_LOAD_IN_PROGRESS.
        loading: Duration,
    },
    /// A group rebalances again and again.
    RebalanceStorm {
        /// Group id.
        group: String,
        /// From the begin of one rebalance to the begin of the next.
        every: Duration,
    },
    /// The controller resigns and none is elected before the end.
    ControllerLoss,
    /// A broker's log volume is full but for so many bytes; with none left its process ends.
    LogDiskFull {
        /// The broker.
        broker: i32,
        /// Bytes left to it.
        free_bytes: u64,
    },
    /// A group's members stay, and neither read nor commit.
    ConsumerStall {
        /// Group id.
        group: String,
    },
    /// A broker shuts down in order: its leaderships and coordinators move away before its process
    /// ends. Whoever injects this takes the host down next, and starts it at the end.
    Restart {
        /// The broker.
        broker: i32,
    },
    /// A broker's wall clock is wrong: it deletes by retention time too early or too late. Nothing
    /// else that brokers tell here depends on their clocks (producers stamp the records).
    ClockSkew {
        /// The broker.
        broker: i32,
        /// Milliseconds ahead of true time; negative is behind.
        offset_ms: i64,
    },
    /// Wire: a broker answers late.
    Slow {
        /// The broker.
        broker: i32,
        /// Extra time per answer.
        delay: Duration,
    },
    /// Wire: a broker's answers end in their middle, and the connection with them.
    TruncatedFrames {
        /// The broker.
        broker: i32,
        /// Share of the answers, 0 to 1.
        share: f64,
    },
    /// Wire: bytes of a broker's answers are wrong.
    CorruptFrames {
        /// The broker.
        broker: i32,
        /// Share of the answers, 0 to 1.
        share: f64,
    },
    /// Wire: a broker's answers carry a correlation id that nobody asked for.
    WrongCorrelationId {
        /// The broker.
        broker: i32,
        /// Share of the answers, 0 to 1.
        share: f64,
    },
    /// Wire: a broker describes the cluster as it was when the fault began.
    StaleMetadata {
        /// The broker.
        broker: i32,
    },
}

impl FleetFault {
    /// The broker that it spoils the answers of, for wire-level faults.
    pub(super) fn wire_broker(&self) -> Option<i32> {
        match self {
            Self::Slow { broker, .. }
            | Self::TruncatedFrames { broker, .. }
            | Self::CorruptFrames { broker, .. }
            | Self::WrongCorrelationId { broker, .. }
            | Self::StaleMetadata { broker } => Some(*broker),
            _ => None,
        }
    }
}

impl Fleet {
    /// `fault` begins at `at`. Brokers, topics and groups that do not exist are left alone.
    pub fn begin_fault(&self, at: SimTime, fault: &FleetFault) {
        let mut state = self.lock();
        state.advance(at);
        state.begin_fault(fault);
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// `fault` ends at `at`; nothing when it is not in force.
    pub fn end_fault(&self, at: SimTime, fault: &FleetFault) {
        let mut state = self.lock();
        state.advance(at);
        state.end_fault(fault);
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Wire-level faults in force on `broker`, each with its begin, oldest first.
    pub fn wire_faults(&self, broker: i32) -> Vec<(SimTime, FleetFault)> {
        let state = self.lock();
        let of_broker = |entry: &&Entry| entry.fault.wire_broker() == Some(broker);
        let entries = state.in_force.entries.iter().filter(of_broker);
        entries.map(|entry| (entry.begun, entry.fault.clone())).collect()
    }

    /// When a broker may next find its log volume full: the next tick while such a fault is in
    /// force. Whoever holds the hosts looks then, and takes down those of [`Fleet::take_died`].
    pub fn next_look(&self) -> Option<SimTime> {
        let state = self.lock();
        let full = state.in_force.any(|fault| matches!(fault, FleetFault::LogDiskFull { .. }));
        full.then(|| state.next_tick())
    }

    /// Brokers whose processes have ended by themselves by `at`, since the last call.
    pub fn take_died(&self, at: SimTime) -> Vec<i32> {
        let mut state = self.lock();
        state.advance(at);
        std::mem::take(&mut state.in_force.died)
    }
}

impl State {
    fn begin_fault(&mut self, fault: &FleetFault) {
        let stale = matches!(fault, FleetFault::StaleMetadata { .. });
        let past = stale.then(|| Box::new(Past::of(self)));
        let entry = Entry {
            begun: self.now,
            fault: fault.clone(),
            led_by: cause::present(),
            moved: BTreeSet::new(),
            taken_bytes: 0,
            past,
        };
        self.in_force.entries.push(entry);
        match fault {
            FleetFault::LeaderMove { topic, share } => {
                let chosen = self.chosen_partitions(topic.as_deref(), *share);
                self.move_leaders(chosen);
            }
            FleetFault::CoordinatorMove { group, loading } => {
                if let Some(part) = self.coordinator_part(group) {
                    self.in_force.loading.insert(part, self.now + *loading);
                    self.move_leaders(vec![part]);
                }
            }
            FleetFault::IsrShrink { broker } => self.fall_behind(*broker),
            FleetFault::RebalanceStorm { group, .. } => {
                let group = Arc::from(group.as_str());
                self.schedule(self.now, Event::Storm { group });
            }
            FleetFault::ControllerLoss => self.resign(),
            FleetFault::LogDiskFull { broker, free_bytes } => self.fill(*broker, *free_bytes),
            FleetFault::Restart { broker } => self.shut_down(*broker),
            FleetFault::ConsumerStall { .. }
            | FleetFault::ClockSkew { .. }
            | FleetFault::Slow { .. }
            | FleetFault::TruncatedFrames { .. }
            | FleetFault::CorruptFrames { .. }
            | FleetFault::WrongCorrelationId { .. }
            | FleetFault::StaleMetadata { .. } => {}
        }
    }

    fn end_fault(&mut self, fault: &FleetFault) {
        let entries = &mut self.in_force.entries;
        let Some(found) = entries.iter().position(|entry| entry.fault == *fault) else { return };
        let entry = entries.remove(found);
        match entry.fault {
            FleetFault::IsrShrink { broker }
                if self.broker(broker).is_some_and(|broker| broker.up && !broker.fenced) =>
            {
                self.plan_catch_up(broker);
            }
            FleetFault::ControllerLoss => self.elect_controller(),
            FleetFault::CoordinatorMove { loading, .. } => {
                for &part in &entry.moved {
                    self.in_force.loading.insert(part, self.now + loading);
                }
            }
            _ => {}
        }
        entry.moved.into_iter().for_each(|part| self.prefer(part));
    }

    /// A share of the partitions of `topic`, or of all topics, at least one; by seeded hash.
    fn chosen_partitions(&self, topic: Option<&str>, share: f64) -> Vec<usize> {
        let mut parts: Vec<usize> = match topic {
            Some(name) => self.topic(name).map(|t| self.topics[t].parts().collect()),
            None => Some((0..self.parts.len()).collect()),
        }
        .unwrap_or_default();
        let draw = |part: &usize| mix(self.noise ^ 0x4c4d, *part as u64, self.now.0);
        parts.sort_by_key(draw);
        #[expect(clippy::cast_precision_loss, reason = "partitions are few")]
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
        let count = (parts.len() as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
        parts.truncate(count.max(1));
        parts.sort_unstable();
        parts
    }

    /// Gives each partition the next in-sync replica as its leader, on behalf of the newest fault.
    fn move_leaders(&mut self, parts: Vec<usize>) {
        let moved: BTreeSet<usize> =
            parts.into_iter().filter(|part| self.pass_leadership(*part)).collect();
        if let Some(entry) = self.in_force.entries.last_mut() {
            entry.moved = moved;
        }
    }

    /// The next in-sync replica of `part` leads; `false` when there is none but the leader.
    fn pass_leadership(&mut self, part: usize) -> bool {
        let state = &self.parts[part];
        let Some(at) = state.replicas.iter().position(|id| *id == state.leader) else {
            return false;
        };
        let count = state.replicas.len();
        let next = (1..count).map(|step| state.replicas[(at + step) % count]);
        let able = |id: &i32| {
            state.isr.contains(id) && self.broker(*id).is_some_and(|b| b.up && !b.fenced)
        };
        let next = next.into_iter().find(able);
        next.inspect(|id| self.lead(part, *id)).is_some()
    }

    /// The preferred replica of `part` leads again, if it can.
    fn prefer(&mut self, part: usize) {
        let state = &self.parts[part];
        let Some(&first) = state.replicas.first() else { return };
        let able = self.broker(first).is_some_and(|b| b.up && !b.fenced);
        if state.leader != first && able && state.isr.contains(&first) {
            self.lead(part, first);
        }
    }

    fn fall_behind(&mut self, broker: i32) {
        for part in 0..self.parts.len() {
            let state = &self.parts[part];
            let leads = state.leader < 0 || state.leader == broker;
            if !leads && state.isr.contains(&broker) {
                self.leave_isr(part, broker);
                self.topology_version += 1;
            }
        }
    }

    /// The controller gives up its office, and nobody takes it.
    fn resign(&mut self) {
        if self.controller.take().is_some() {
            self.controller_epoch += 1;
            self.topology_version += 1;
            self.record(Change::Controller(None));
        }
    }

    fn fill(&mut self, broker: i32, free_bytes: u64) {
        if self.broker(broker).is_none() {
            return;
        }
        let room = self.spec.disk_bytes.saturating_sub(self.disk_used(broker));
        if let Some(entry) = self.in_force.entries.last_mut() {
            entry.taken_bytes = room.saturating_sub(free_bytes);
        }
        self.end_full_brokers();
    }

    /// Bytes left on the log volume of broker `id`.
    pub(super) fn disk_free(&mut self, id: i32) -> u64 {
        let used = self.disk_used(id) + self.in_force.taken_bytes(id);
        self.spec.disk_bytes.saturating_sub(used)
    }

    /// A broker that cannot write to its only log directory ends its process (KIP-112).
    pub(super) fn end_full_brokers(&mut self) {
        let entries = self.in_force.entries.iter();
        let full: Vec<i32> = entries
            .filter_map(|entry| match entry.fault {
                FleetFault::LogDiskFull { broker, .. } => Some(broker),
                _ => None,
            })
            .collect();
        for broker in full {
            if self.is_up(broker) && self.disk_free(broker) == 0 {
                self.broker_down(broker);
                self.in_force.died.push(broker);
            }
        }
    }

    /// A controlled shutdown: with a controller, nothing is led from `id` any more when it ends.
    fn shut_down(&mut self, id: i32) {
        if !self.is_up(id) {
            return;
        }
        let was_controller = self.controller == Some(id);
        let fenced = self.broker(id).is_some_and(|broker| broker.fenced);
        if !fenced && self.controller.is_some_and(|controller| self.is_up(controller)) {
            self.fence(id);
        }
        self.broker_down(id);
        if was_controller {
            self.elect_controller();
        }
    }

    /// The next rebalance of a storm begins, and one more is planned.
    pub(super) fn storm(&mut self, name: &Arc<str>) {
        let Some(every) = self.in_force.storm(name) else { return };
        let again = self.now + every.max(Duration::from_millis(100));
        self.schedule(again, Event::Storm { group: Arc::clone(name) });
        let Some(group) = self.groups.get_mut(name) else { return };
        if group.state != GroupState::Stable {
            return;
        }
        if !group.synthetic {
            self.prepare_rebalance(name);
            return;
        }
        group.state = GroupState::PreparingRebalance;
        self.record_group(name);
        // Members need a second or more to notice, but are done before the next one begins.
        let pause = Duration::from_secs(1).max(every / 2).min(Duration::from_secs(5));
        let event = Event::SyntheticRebalance { group: Arc::clone(name) };
        self.schedule(self.now + pause, event);
    }
}
