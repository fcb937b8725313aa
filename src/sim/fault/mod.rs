//! The faults a scenario can name: what each does, to what, for how long.
//!
//! One file per fault. A fault's file holds its keys, what it does to the world, the words for it,
//! how a swarm draws it and how it is made simpler; its name stands once, in the list of
//! [`FaultSpec`]. Scenario files, features, the command line and the generated documents read all
//! of it from [`CATALOGUE`].
//!
//! Invariants:
//! - A fault is data with a begin and an end; beginning and ending it are each a list of actions on
//!   the world, a fleet or New Relic, computed before the run.
//! - A fault undoes at its end what it did at its begin; only instant ones leave something behind.

use crate::sim::fleet::FleetFault;
use crate::sim::time::SimTime;
use crate::sim::world::NetworkFault;

mod body;
pub mod broker;
mod catalogue;
mod form;
mod key;
pub mod network;
pub mod newrelic;
pub mod pipeline;
mod spec;
pub mod speech;
mod stage;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod words;

pub use body::{Body, Kind, Object};
pub use broker::crash_point::CrashPoint;
pub use catalogue::{Entry, Group, find};
pub use form::FormFault;
pub use key::{Form, Key};
pub use newrelic::NewRelicFault;
pub use pipeline::memory_cap::MemoryCap;
pub use spec::{CATALOGUE, FaultSpec};
pub use stage::{ClusterStage, Lot, Stage};

/// What a fault does, resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// To the network or a host.
    Network(NetworkFault),
    /// To New Relic.
    NewRelic(NewRelicFault),
    /// Ends what this one began.
    NewRelicWell(NewRelicFault),
    /// To a cluster's state, or to what one of its brokers sends.
    Fleet {
        /// Name of the cluster.
        cluster: String,
        /// What befalls it.
        fault: FleetFault,
    },
    /// Ends what this one began.
    FleetWell {
        /// Name of the cluster.
        cluster: String,
        /// What befell it.
        fault: FleetFault,
    },
    /// The host goes down after the given event.
    CrashPoint(CrashPoint),
    /// From now on the host's events are not counted; it starts again if it is down.
    CrashPointOver(CrashPoint),
    /// The pipeline is killed whenever its events take more memory than this.
    MemoryCap(MemoryCap),
    /// No cap is in force any more; the pipeline starts again if it is down.
    MemoryCapOver,
}

/// One fault with its times and actions.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Begin.
    pub from: SimTime,
    /// End; equals the begin for an instant fault.
    pub to: SimTime,
    /// Its kind, as in the file.
    pub kind: &'static str,
    /// For people: `crash of orders-broker-2`, `partition of pipeline–newrelic`.
    pub label: String,
    /// Applied at the begin, in this order.
    pub begin: Vec<Action>,
    /// Applied at the end, in this order.
    pub end: Vec<Action>,
}

impl Fault {
    /// What it does to the network and to hosts when it begins.
    pub fn network(&self) -> impl Iterator<Item = &NetworkFault> {
        self.begin.iter().filter_map(|action| match action {
            Action::Network(fault) => Some(fault),
            _ => None,
        })
    }

    /// What it does to clusters when it begins, each with the cluster's name.
    pub fn fleets(&self) -> impl Iterator<Item = (&str, &FleetFault)> {
        self.begin.iter().filter_map(|action| match action {
            Action::Fleet { cluster, fault } => Some((cluster.as_str(), fault)),
            _ => None,
        })
    }

    /// What it does to New Relic when it begins.
    pub fn newrelic(&self) -> impl Iterator<Item = &NewRelicFault> {
        self.begin.iter().filter_map(|action| match action {
            Action::NewRelic(fault) => Some(fault),
            _ => None,
        })
    }
}
