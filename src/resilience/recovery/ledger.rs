//! The account: facts in, states, incidents and events out. Pure: no clock, no breaker, no lock.
//!
//! Invariants:
//! - A state is a function of the facts since the last success and of the breaker's state; nothing
//!   else sets it.
//! - An incident begins when a component leaves `HEALTHY` and ends when it is `HEALTHY` again;
//!   nothing in between ends it. Times of incidents survive the bounded history.
//! - Histories are bounded, newest first.
//!
//! Sources: the states, the worst-wins rule and the mean time to recovery are the domain's REC.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::entry::{Entry, Fact, Fixed, Pulse};
use super::view::RecoveryEvent;
use super::{ComponentState, ComponentStats, OutcomeCounts, RecoveryStats, SystemState};
use crate::resilience::breaker::StateKind;

/// A time away from `HEALTHY`. Instants are monotonic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Order of beginning, over all components.
    pub id: u64,
    /// Whose.
    pub component: Arc<str>,
    /// When it left `HEALTHY`.
    pub began_at: Duration,
    /// When it was back; `None` while it is not.
    pub ended_at: Option<Duration>,
    /// The worst state in between.
    pub worst: ComponentState,
    /// The failure that began it, in words.
    pub cause: Option<String>,
}

/// How a recovery attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptResult {
    /// The component is healthy.
    Recovered,
    /// The health check failed, in words.
    Failed(String),
    /// It did not fail, and the component is not back either: the breaker admitted no probe, or
    /// it changed under the attempt.
    Inconclusive,
}

/// A recovery attempt that ended. Instants are monotonic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Of which component.
    pub component: Arc<str>,
    /// When it began.
    pub began_at: Duration,
    /// When it ended.
    pub ended_at: Duration,
    /// Probes it made.
    pub probes: u32,
    /// What came of it.
    pub result: AttemptResult,
}

/// Events that one fact causes; one state change and one of the system at most.
pub(super) type Changes = SmallVec<[RecoveryEvent; 2]>;

/// The account of all components.
pub(super) struct Ledger {
    entries: Vec<Entry>,
    names: BTreeMap<Arc<str>, usize>,
    system: SystemState,
    incidents: VecDeque<Incident>,
    attempts: VecDeque<Attempt>,
    history_max: usize,
    next_incident: u64,
    queued: u64,
}

impl Ledger {
    pub(super) fn new(history_max: usize) -> Self {
        Self {
            entries: Vec::new(),
            names: BTreeMap::new(),
            system: SystemState::Healthy,
            incidents: VecDeque::new(),
            attempts: VecDeque::new(),
            history_max,
            next_incident: 0,
            queued: 0,
        }
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// Adds a component; its name must be new. Its index, and what it does to the system.
    pub(super) fn add(
        &mut self,
        fixed: Fixed,
        breaker: StateKind,
        now: Duration,
    ) -> (usize, Changes) {
        let index = self.entries.len();
        self.names.insert(Arc::clone(&fixed.name), index);
        self.entries.push(Entry::new(fixed, breaker));
        let mut changes = Changes::new();
        self.judge_system(now, &mut changes);
        (index, changes)
    }

    /// Books `fact`; what it changed.
    pub(super) fn book(&mut self, index: usize, now: Duration, fact: Fact) -> Changes {
        let mut changes = Changes::new();
        let Some(entry) = self.entries.get_mut(index) else { return changes };
        let covered = entry.is_covered();
        entry.take(now, fact);
        let (from, to) = (entry.state, entry.derived());
        if from != to {
            entry.state = to;
            entry.last_change_at = Some(now);
            changes.push(RecoveryEvent::StateChanged {
                component: Arc::clone(&entry.fixed.name),
                from,
                to,
                failure_count: entry.failures,
                at: now,
            });
            self.keep_incident(index, now, from, to);
        }
        let covers_otherwise = self.entries[index].is_covered() != covered;
        if from != to || covers_otherwise {
            self.judge_system(now, &mut changes);
        }
        changes
    }

    fn keep_incident(
        &mut self,
        index: usize,
        now: Duration,
        from: ComponentState,
        to: ComponentState,
    ) {
        let entry = &mut self.entries[index];
        if from == ComponentState::Healthy {
            let id = self.next_incident;
            self.next_incident += 1;
            entry.incident = Some((now, id));
            entry.tally.incidents += 1;
            let incident = Incident {
                id,
                component: Arc::clone(&entry.fixed.name),
                began_at: now,
                ended_at: None,
                worst: to,
                cause: entry.last_error.clone(),
            };
            self.incidents.push_front(incident);
            self.incidents.truncate(self.history_max);
            return;
        }
        let Some((began_at, id)) = entry.incident else { return };
        let is_over = to == ComponentState::Healthy;
        if is_over {
            entry.incident = None;
            entry.tally.recovered += 1;
            entry.tally.recovery_time += now.saturating_sub(began_at);
        }
        if let Some(incident) = self.incidents.iter_mut().find(|incident| incident.id == id) {
            incident.worst = incident.worst.max(to);
            incident.ended_at = is_over.then_some(now);
        }
    }

    /// Worst wins.
    fn judge_system(&mut self, now: Duration, changes: &mut Changes) {
        let is_down = |entry: &Entry| {
            let down =
                matches!(entry.state, ComponentState::Unhealthy | ComponentState::CircuitOpen);
            entry.fixed.critical && down && !entry.is_covered()
        };
        let to = if self.entries.iter().any(is_down) {
            SystemState::Unhealthy
        } else if self.entries.iter().any(|entry| entry.state != ComponentState::Healthy) {
            SystemState::Degraded
        } else {
            SystemState::Healthy
        };
        if to != self.system {
            changes.push(RecoveryEvent::SystemChanged { from: self.system, to, at: now });
            self.system = to;
        }
    }

    pub(super) fn state(&self, index: usize) -> Option<ComponentState> {
        self.entries.get(index).map(|entry| entry.state)
    }

    pub(super) fn pulse(&self, index: usize) -> Option<Pulse> {
        self.entries.get(index).map(|entry| Pulse {
            state: entry.state,
            breaker: entry.breaker,
            breaker_changed_at: entry.breaker_changed_at,
            results: entry.breaker_results,
            last_result_at: entry.last_result_at,
        })
    }

    /// A call ended at its breaker while that was not closed.
    pub(super) fn note_result(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.breaker_results.1 += 1;
        }
    }

    pub(super) fn begin_recovery(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.is_recovering = true;
        }
    }

    pub(super) fn end_recovery(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.is_recovering = false;
        }
    }

    pub(super) fn keep_attempt(&mut self, index: usize, attempt: Attempt) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        match &attempt.result {
            AttemptResult::Recovered => entry.tally.recoveries_succeeded += 1,
            AttemptResult::Failed(_) => entry.tally.recoveries_failed += 1,
            AttemptResult::Inconclusive => {}
        }
        self.attempts.push_front(attempt);
        self.attempts.truncate(self.history_max);
    }

    pub(super) fn set_queued(&mut self, queued: u64) {
        self.queued = queued;
    }

    pub(super) fn system(&self) -> SystemState {
        self.system
    }

    pub(super) fn incidents(&self, limit: usize) -> Vec<Incident> {
        self.incidents.iter().take(limit).cloned().collect()
    }

    pub(super) fn attempts(&self, limit: usize) -> Vec<Attempt> {
        self.attempts.iter().take(limit).cloned().collect()
    }

    pub(super) fn stats(&self, now: Duration) -> RecoveryStats {
        let in_order = self.names.values().map(|index| &self.entries[*index]);
        let components: Vec<_> = in_order.map(|entry| entry.stats(now)).collect();
        let sum = |of: fn(&ComponentStats) -> u64| components.iter().map(of).sum::<u64>();
        let (incidents, recovered) = (sum(|c| c.incidents), sum(|c| c.recovered));
        let time: Duration = components.iter().map(|c| c.recovery_time_total).sum();
        RecoveryStats {
            system: self.system,
            mttr: mean(time, recovered),
            recovery_rate: (incidents > 0).then(|| recovered as f64 / incidents as f64),
            outcomes: components
                .iter()
                .fold(OutcomeCounts::default(), |all, c| all.plus(c.outcomes)),
            active_recoveries: sum(|c| c.active_recoveries),
            queued_recoveries: self.queued,
            components,
        }
    }
}

/// `total / count` to the nanosecond below, without the limits of `Duration`'s division.
fn mean(total: Duration, count: u64) -> Option<Duration> {
    let nanos = total.as_nanos().checked_div(u128::from(count))?;
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
    Some(Duration::new(seconds, rest))
}
