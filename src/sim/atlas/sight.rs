//! When something of a cluster may be hidden from a collector.
//!
//! A fault may hide what it hits while it is in force and for a while after: connections must fail
//! and be made anew, a broker that starts is fenced at first, and a guard that opened waits before
//! it lets the next call through. Where no fault reaches, a collector that misses something, or
//! says that it does, is at fault itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Span, Spans, span};
use crate::sim::fault::{Action, Fault};
use crate::sim::fleet::{FleetFault, broker_of};
use crate::sim::scenario::{PIPELINE_HOST, Scenario};
use crate::sim::time::SimTime;
use crate::sim::world::NetworkFault;

/// How long after its end, or after the next use of what it left behind, a fault may still hide
/// something.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// Cycles until everything that a fault left behind was used once: a connection that died without
/// a word is found out by the cycle that uses it, and the next one may still find its guard open.
const CYCLES: u32 = 2;

/// When something of one cluster may be hidden.
#[derive(Debug, Clone)]
pub struct Sight {
    anything: Spans,
    /// By broker: when it may not answer at all.
    brokers: BTreeMap<i32, Spans>,
}

impl Sight {
    /// Of `cluster` in the world of `scenario`, under `faults`.
    pub fn of(scenario: &Scenario, cluster: &str, faults: &[Fault]) -> Self {
        let settle = SETTLE_MAX + scenario.pipeline.interval.0 * CYCLES;
        let during = |hides: &dyn Fn(&Action) -> bool| -> Vec<Span> {
            let hiding = faults.iter().filter(|fault| fault.begin.iter().any(hides));
            hiding.map(|fault| Span { to: fault.to + settle, ..span(fault) }).collect()
        };
        let in_cluster = |host: &str| broker_of(host).is_some_and(|(of, _)| of == cluster);
        let of_faults = during(&|action| {
            hides(action, &in_cluster, &|hit, fault| hit == cluster && hides_something(fault))
        });
        let joins = scenario.later_starts().into_iter().filter(|(host, _)| in_cluster(host));
        let of_joins = joins.map(|(host, at)| Span {
            from: at,
            to: at + settle,
            why: format!("{host} joins"),
        });
        let anything = Spans::new(of_faults.into_iter().chain(of_joins).collect());
        let first = scenario.kafka.get(cluster).map_or(0, |spec| spec.brokers);
        let silent = |id| {
            let is = |host: &str| broker_of(host) == Some((cluster, id));
            Spans::new(during(&|action| {
                hides(action, &is, &|hit, fault| hit == cluster && silenced(fault) == Some(id))
            }))
        };
        let brokers = (1..=first.cast_signed()).map(|id| (id, silent(id))).collect();
        Self { anything, brokers }
    }

    /// What may hide something between the two instants.
    pub fn hidden(&self, from: SimTime, to: SimTime) -> Option<&Span> {
        self.anything.touching(from, to)
    }

    /// A broker of the cluster's first ones that nothing keeps from answering between the two.
    pub fn answering(&self, from: SimTime, to: SimTime) -> Option<i32> {
        let mut brokers = self.brokers.iter();
        brokers.find(|(_, silent)| silent.touching(from, to).is_none()).map(|(id, _)| *id)
    }
}

/// Whether an action may keep the pipeline from observing hosts that `is_broker` names, or is one
/// of those against a fleet that `of_fleet` names.
fn hides(
    action: &Action,
    is_broker: &dyn Fn(&str) -> bool,
    of_fleet: &dyn Fn(&str, &FleetFault) -> bool,
) -> bool {
    let is = |host: &str| host == PIPELINE_HOST || is_broker(host);
    match action {
        Action::Network(fault) => match fault {
            NetworkFault::Partition { from, to, .. }
            | NetworkFault::Hold { from, to, .. }
            | NetworkFault::Latency { from, to, .. }
            | NetworkFault::Bandwidth { from, to, .. }
            | NetworkFault::Loss { from, to, .. }
            | NetworkFault::Reset { from, to }
            | NetworkFault::HalfOpen { from, to } => is(from) && is(to),
            NetworkFault::Pause { host }
            | NetworkFault::Crash { host, .. }
            | NetworkFault::Skew { host, .. }
            | NetworkFault::CrashPoint { host, .. } => is(host),
            NetworkFault::DnsFailure { host, name, .. } => {
                host.as_deref().is_none_or(is) && is(name)
            }
            // The collector waits for no disk.
            NetworkFault::Disk { .. }
            | NetworkFault::Repair { .. }
            | NetworkFault::Release { .. }
            | NetworkFault::Resume { .. }
            | NetworkFault::Restart { .. } => false,
        },
        Action::CrashPoint(point) => is(&point.host),
        Action::Fleet { cluster, fault } => of_fleet(cluster, fault),
        Action::MemoryCap(_) => true,
        Action::NewRelic(_)
        | Action::NewRelicWell(_)
        | Action::FleetWell { .. }
        | Action::CrashPointOver(_)
        | Action::MemoryCapOver => false,
    }
}

/// The broker that a fault may keep from answering sensibly, or at all.
fn silenced(fault: &FleetFault) -> Option<i32> {
    match fault {
        FleetFault::LogDiskFull { broker, .. }
        | FleetFault::Restart { broker }
        | FleetFault::Slow { broker, .. }
        | FleetFault::TruncatedFrames { broker, .. }
        | FleetFault::CorruptFrames { broker, .. }
        | FleetFault::WrongCorrelationId { broker, .. } => Some(*broker),
        _ => None,
    }
}

/// Whether a fault may keep something of a cluster from being told.
fn hides_something(fault: &FleetFault) -> bool {
    match fault {
        FleetFault::IsrShrink { .. }
        | FleetFault::ConsumerStall { .. }
        | FleetFault::ClockSkew { .. } => false,
        FleetFault::LeaderMove { .. }
        | FleetFault::CoordinatorMove { .. }
        | FleetFault::RebalanceStorm { .. }
        | FleetFault::ControllerLoss
        | FleetFault::LogDiskFull { .. }
        | FleetFault::Restart { .. }
        | FleetFault::Slow { .. }
        | FleetFault::TruncatedFrames { .. }
        | FleetFault::CorruptFrames { .. }
        | FleetFault::WrongCorrelationId { .. }
        | FleetFault::StaleMetadata { .. } => true,
    }
}
