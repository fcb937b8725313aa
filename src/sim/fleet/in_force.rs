//! The faults in force in a cluster, and what the rest of its state asks of them.
//!
//! Invariant: what is asked here changes nothing but the count of spoilt answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fault::FleetFault;
use super::past::Past;
use crate::rt::cause::Cause;
use crate::sim::time::SimTime;
use crate::sim::trace::EventId;

/// A fault in force.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) begun: SimTime,
    pub(super) fault: FleetFault,
    /// What led to it.
    pub(super) led_by: Option<Cause>,
    /// Partitions whose leaders it moved.
    pub(super) moved: BTreeSet<usize>,
    /// Bytes that something else takes of the broker's log volume.
    pub(super) taken_bytes: u64,
    /// The cluster when it began, for a broker that goes on telling that.
    pub(super) past: Option<Box<Past>>,
}

/// Faults in force, and what they left to be noticed.
#[derive(Debug, Default)]
pub(super) struct InForce {
    /// Oldest first.
    pub(super) entries: Vec<Entry>,
    /// Partitions of `__consumer_offsets` whose groups are being loaded, and until when.
    pub(super) loading: BTreeMap<usize, SimTime>,
    /// Brokers whose processes ended for want of room, until somebody asks.
    pub(super) died: Vec<i32>,
    /// Answers given under wire-level faults: what draws count by.
    pub(super) answers: u64,
}

impl InForce {
    /// Wire-level faults of `broker`, oldest first.
    pub(super) fn spoilers(&self, broker: i32) -> Vec<FleetFault> {
        let faults = self.entries.iter().map(|entry| &entry.fault);
        faults.filter(|fault| fault.wire_broker() == Some(broker)).cloned().collect()
    }

    /// What led to the fault in force that `is` picks, the newest of several.
    pub(super) fn led_by(&self, is: impl Fn(&FleetFault) -> bool) -> Option<EventId> {
        let entry = self.entries.iter().rev().find(|entry| is(&entry.fault))?;
        entry.led_by.map(|id| EventId(id.get()))
    }

    /// The number of the next answer under wire-level faults.
    pub(super) fn count_answer(&mut self) -> u64 {
        self.answers += 1;
        self.answers
    }

    /// Time by which the answers of `broker` come late.
    pub(super) fn delay(&self, broker: i32) -> Option<Duration> {
        let delays = self.entries.iter().filter_map(|entry| match entry.fault {
            FleetFault::Slow { broker: of, delay } if of == broker => Some(delay),
            _ => None,
        });
        delays.reduce(|sum, delay| sum + delay)
    }

    fn stale(&mut self, broker: i32) -> Option<&mut Entry> {
        let stale = FleetFault::StaleMetadata { broker };
        self.entries.iter_mut().find(|entry| entry.fault == stale)
    }

    /// The cluster as `broker` takes it to be, if not as it is; to be put back.
    pub(super) fn take_past(&mut self, broker: i32) -> Option<Box<Past>> {
        self.stale(broker)?.past.take()
    }

    /// Puts back what was taken.
    pub(super) fn put_past(&mut self, broker: i32, past: Box<Past>) {
        if let Some(entry) = self.stale(broker) {
            entry.past = Some(past);
        }
    }

    pub(super) fn any(&self, is: impl Fn(&FleetFault) -> bool) -> bool {
        self.entries.iter().any(|entry| is(&entry.fault))
    }

    /// Whether a fault keeps the leader of `part` away from the preferred one.
    pub(super) fn moved(&self, part: usize) -> bool {
        self.entries.iter().any(|entry| entry.moved.contains(&part))
    }

    /// Whether the replicas on `broker` are kept out of sync.
    pub(super) fn lags(&self, broker: i32) -> bool {
        self.any(|fault| *fault == FleetFault::IsrShrink { broker })
    }

    /// Whether nobody may become controller.
    pub(super) fn no_controller(&self) -> bool {
        self.any(|fault| *fault == FleetFault::ControllerLoss)
    }

    /// Whether the members of `group` do nothing.
    pub(super) fn stalls(&self, name: &str) -> bool {
        self.any(|fault| matches!(fault, FleetFault::ConsumerStall { group } if group == name))
    }

    /// Time from one rebalance of `group` to the next, in a storm.
    pub(super) fn storm(&self, name: &str) -> Option<Duration> {
        self.entries.iter().find_map(|entry| match &entry.fault {
            FleetFault::RebalanceStorm { group, every } if group == name => Some(*every),
            _ => None,
        })
    }

    /// Bytes of the log volume of `broker` that something else takes.
    pub(super) fn taken_bytes(&self, broker: i32) -> u64 {
        let taken = self.entries.iter().filter_map(|entry| match entry.fault {
            FleetFault::LogDiskFull { broker: of, .. } if of == broker => Some(entry.taken_bytes),
            _ => None,
        });
        taken.max().unwrap_or(0)
    }

    /// Milliseconds by which the wall clock of `broker` is ahead.
    pub(super) fn skew_ms(&self, broker: i32) -> i64 {
        let skew = self.entries.iter().rev().find_map(|entry| match entry.fault {
            FleetFault::ClockSkew { broker: of, offset_ms } if of == broker => Some(offset_ms),
            _ => None,
        });
        skew.unwrap_or(0)
    }

    /// Whether the groups of a partition of `__consumer_offsets` are being loaded at `now`.
    pub(super) fn loads(&self, part: usize, now: SimTime) -> bool {
        self.loading.get(&part).is_some_and(|until| now < *until)
    }
}
