//! Brokers go and come: session time-out, fencing, leader election, ISR, catch-up, controller.
//!
//! Rules (KRaft): a broker that stops is held for alive until its session ends; until then its
//! partitions are served by nobody. The controller then fences it: it leaves every ISR that has
//! another member, and its partitions get the first live replica of the ISR as leader. A broker
//! that comes back is unfenced after its start-up time, leads partitions that nobody else can,
//! and joins the ISR of the others as it catches up. Every `leader_rebalance_ms` preferred
//! leaders take over again where more than 10 % of a broker's are elsewhere.
//!
//! Invariant: `leader ∈ isr ∪ {−1}`, `isr ⊆ replicas`, and no ISR is ever empty.

use std::time::Duration;

use super::history::Change;
use super::state::{BrokerCounters, Event, State, TopicCounters};
use crate::sim::time::SimTime;

/// `leader.imbalance.per.broker.percentage`.
const IMBALANCE_PERCENT: usize = 10;
/// A follower's first fetches after its return.
const CATCH_UP_BASE: Duration = Duration::from_millis(500);

impl State {
    /// The process of broker `id` ends now.
    pub fn broker_down(&mut self, id: i32) {
        let now = self.now;
        let timing = self.spec.timing;
        let Some(broker) = self.broker_mut(id).filter(|broker| broker.up) else { return };
        broker.up = false;
        let incarnation = broker.incarnation;
        self.record(Change::BrokerDown(id));
        self.refresh_led_by(id);
        // The set of live followers is part of what is derived.
        self.topology_version += 1;
        let session = now + Duration::from_millis(timing.session_timeout_ms);
        self.schedule(session, Event::SessionExpired { broker: id, incarnation });
        let lag = now + Duration::from_millis(timing.replica_lag_ms);
        self.schedule(lag, Event::LagExpired { broker: id, incarnation });
        if self.controller == Some(id) || self.controller.is_none() {
            self.schedule(now + Duration::from_millis(timing.election_ms), Event::Elect);
        }
    }

    /// The process of broker `id` starts now: its counters begin at zero.
    pub fn broker_up(&mut self, id: i32) {
        let now = self.now;
        let Some(broker) = self.broker_mut(id).filter(|broker| !broker.up) else { return };
        broker.up = true;
        broker.registered = true;
        broker.incarnation += 1;
        broker.served = false;
        broker.started_at = now;
        broker.counters = BrokerCounters::default();
        broker.minute = [TopicCounters::default(); 2];
        broker.topics.clear();
        broker.slots.clear();
        let (incarnation, fenced) = (broker.incarnation, broker.fenced);
        self.record(Change::BrokerUp(id));
        self.topology_version += 1;
        if !fenced && self.controller.is_some_and(|controller| self.is_up(controller)) {
            // Its new registration ends the old session.
            self.fence(id);
        }
        self.refresh_led_by(id);
        let startup = Duration::from_millis(self.spec.timing.startup_ms);
        self.schedule(now + startup, Event::Unfence { broker: id, incarnation });
        if self.controller.is_none() {
            let election = Duration::from_millis(self.spec.timing.election_ms);
            self.schedule(now + election, Event::Elect);
        }
    }

    /// The process of broker `id` begins to serve now; a second time in one life means that its
    /// host was restarted without anybody saying so.
    pub fn broker_serves(&mut self, id: i32) {
        if self.broker(id).is_some_and(|broker| broker.up && broker.served) {
            self.broker_down(id);
        }
        self.broker_up(id);
        if let Some(broker) = self.broker_mut(id) {
            broker.served = true;
        }
    }

    /// Brokers with a vote: the first three of the start.
    fn voters(&self) -> usize {
        self.spec.brokers.min(3) as usize
    }

    /// The live voter with the lowest id becomes controller, when a majority lives.
    pub(super) fn elect_controller(&mut self) {
        if self.controller.is_some_and(|id| self.is_up(id)) || self.in_force.no_controller() {
            return;
        }
        let voters = &self.brokers[..self.voters()];
        let alive = voters.iter().filter(|broker| broker.up).count();
        let chosen = voters.iter().find(|broker| broker.up).map(|broker| broker.id);
        let elected = if 2 * alive > voters.len() { chosen } else { None };
        if elected != self.controller {
            self.controller = elected;
            self.controller_epoch += 1;
            self.topology_version += 1;
            self.record(Change::Controller(elected));
        }
        if elected.is_none() {
            return;
        }
        // A new controller gives every broker a fresh session.
        let session = self.now + Duration::from_millis(self.spec.timing.session_timeout_ms);
        let silent: Vec<_> = self
            .brokers
            .iter()
            .filter(|broker| !broker.up && !broker.fenced)
            .map(|broker| Event::SessionExpired {
                broker: broker.id,
                incarnation: broker.incarnation,
            })
            .collect();
        silent.into_iter().for_each(|event| self.schedule(session, event));
    }

    /// The session of `id` has ended.
    pub(super) fn session_expired(&mut self, id: i32, incarnation: u32) {
        let silent =
            self.broker(id).is_some_and(|b| b.incarnation == incarnation && !b.up && !b.fenced);
        // Without a controller nobody notices; the next one starts a fresh session.
        if silent && self.controller.is_some_and(|controller| self.is_up(controller)) {
            self.fence(id);
        }
    }

    pub(super) fn fence(&mut self, id: i32) {
        let Some(broker) = self.broker_mut(id) else { return };
        broker.fenced = true;
        self.topology_version += 1;
        self.record(Change::BrokerFenced(id));
        for part in 0..self.parts.len() {
            if self.parts[part].isr.contains(&id) {
                self.leave_isr(part, id);
            }
        }
    }

    /// `id` leaves the ISR of `part` unless it is the last; a leader passes its office on.
    pub(super) fn leave_isr(&mut self, part: usize, id: i32) {
        if self.parts[part].isr.len() > 1 {
            self.parts[part].isr.retain(|member| *member != id);
        }
        if self.parts[part].leader == id {
            self.elect_leader(part);
        }
        let leader = self.parts[part].leader;
        if let Some(broker) = self.broker_mut(leader) {
            broker.counters.isr_shrinks += 1;
        }
        self.partition_changed(part);
    }

    /// The first replica that is in the ISR and not fenced leads; else nobody.
    pub(super) fn elect_leader(&mut self, part: usize) {
        let state = &self.parts[part];
        let leader = state
            .replicas
            .iter()
            .copied()
            .find(|id| state.isr.contains(id) && self.broker(*id).is_some_and(|b| !b.fenced))
            .unwrap_or(-1);
        let part = &mut self.parts[part];
        part.leader = leader;
        part.leader_epoch += 1;
    }

    /// A follower that died did not ask its leaders for too long: they drop it from the ISR.
    pub(super) fn lag_expired(&mut self, id: i32, incarnation: u32) {
        let silent = self.broker(id).is_some_and(|b| b.incarnation == incarnation && !b.up);
        if !silent {
            return;
        }
        for part in 0..self.parts.len() {
            let state = &self.parts[part];
            if state.readable && state.leader != id && state.isr.contains(&id) {
                self.leave_isr(part, id);
                self.topology_version += 1;
            }
        }
    }

    /// A started broker takes part again.
    pub(super) fn unfence(&mut self, id: i32, incarnation: u32) {
        let started = self.broker(id).is_some_and(|b| b.incarnation == incarnation && b.up);
        if !started {
            return;
        }
        if !self.controller.is_some_and(|controller| self.is_up(controller)) {
            let again = self.now + Duration::from_millis(1_000);
            self.schedule(again, Event::Unfence { broker: id, incarnation });
            return;
        }
        if let Some(broker) = self.broker_mut(id) {
            broker.fenced = false;
        }
        self.topology_version += 1;
        self.record(Change::BrokerUnfenced(id));
        for part in 0..self.parts.len() {
            if self.parts[part].isr.contains(&id) && self.parts[part].leader < 0 {
                self.elect_leader(part);
                self.partition_changed(part);
            }
        }
        self.plan_catch_up(id);
        self.registered(id);
    }

    /// The replicas on `id` that are out of sync come back, one after the other.
    pub(super) fn plan_catch_up(&mut self, id: i32) {
        let Some(incarnation) = self.broker(id).map(|broker| broker.incarnation) else { return };
        let mut ready = self.now + CATCH_UP_BASE;
        for part in 0..self.parts.len() {
            let state = &self.parts[part];
            if !state.replicas.contains(&id) || state.isr.contains(&id) {
                continue;
            }
            ready = ready + self.catch_up_time(part, id);
            self.schedule(ready, Event::CaughtUp { part, broker: id, incarnation });
        }
    }

    /// A follower is back in step.
    pub(super) fn caught_up(&mut self, part: usize, id: i32, incarnation: u32) {
        let alive =
            self.broker(id).is_some_and(|b| b.incarnation == incarnation && b.up && !b.fenced);
        if !alive || self.parts[part].isr.contains(&id) || self.in_force.lags(id) {
            return;
        }
        if !self.parts[part].readable {
            let again = self.now + Duration::from_millis(1_000);
            self.schedule(again, Event::CaughtUp { part, broker: id, incarnation });
            return;
        }
        // Kafka keeps the ISR in the order of the replica list.
        let state = &mut self.parts[part];
        let isr = &state.isr;
        state.isr = state
            .replicas
            .iter()
            .copied()
            .filter(|replica| *replica == id || isr.contains(replica))
            .collect();
        let leader = state.leader;
        if let Some(broker) = self.broker_mut(leader) {
            broker.counters.isr_expands += 1;
        }
        self.topology_version += 1;
        self.partition_changed(part);
        self.finish_move(part);
    }

    /// Preferred leaders take over again; then the next check is planned.
    pub(super) fn rebalance_leaders(&mut self) {
        let pause = Duration::from_millis(self.spec.timing.leader_rebalance_ms);
        self.schedule(self.now + pause, Event::RebalanceLeaders);
        if !self.controller.is_some_and(|controller| self.is_up(controller)) {
            return;
        }
        let mut preferred = vec![(0usize, 0usize); self.brokers.len()];
        for part in &self.parts {
            if let Some(&first) = part.replicas.first() {
                let count = &mut preferred[super::state::slot_of(first)];
                count.0 += 1;
                count.1 += usize::from(part.leader != first);
            }
        }
        for part in 0..self.parts.len() {
            let state = &self.parts[part];
            let Some(&first) = state.replicas.first() else { continue };
            let (all, elsewhere) = preferred[super::state::slot_of(first)];
            let able = self.broker(first).is_some_and(|b| b.up && !b.fenced);
            let imbalanced = elsewhere * 100 > all * IMBALANCE_PERCENT;
            let free = !self.in_force.moved(part);
            if state.leader != first && able && imbalanced && free && state.isr.contains(&first) {
                self.lead(part, first);
            }
        }
    }

    /// `id`, which must be in sync and alive, leads `part` from now on.
    pub(super) fn lead(&mut self, part: usize, id: i32) {
        self.parts[part].leader = id;
        self.parts[part].leader_epoch += 1;
        self.topology_version += 1;
        self.partition_changed(part);
    }

    pub(super) fn partition_changed(&mut self, part: usize) {
        self.refresh_part(part);
        let state = &self.parts[part];
        let change = Change::Partition {
            topic: std::sync::Arc::clone(&self.topics[state.topic].name),
            partition: state.index,
            leader: state.leader,
            leader_epoch: state.leader_epoch,
            isr: state.isr.clone(),
        };
        self.record(change);
    }

    fn refresh_led_by(&mut self, id: i32) {
        for part in 0..self.parts.len() {
            if self.parts[part].leader == id {
                self.refresh_part(part);
            }
        }
    }

    /// Instant of the next planned event.
    pub fn next_event(&self) -> Option<SimTime> {
        self.events.keys().next().map(|(at, _)| *at)
    }
}
