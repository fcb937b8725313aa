//! A simulated Kafka cluster (KRaft): its state evolves in virtual time, its brokers answer on
//! Kafka's wire protocol and on their JMX exporter's HTTP port.
//!
//! [`Fleet`] is a handle on the state of ONE cluster. [`Fleet::advance`] brings it to an instant;
//! every request does so first, so nothing runs in the background. [`serve_broker`] puts one
//! broker on its host (simulated networks), [`serve_fleet`] all of them on one (real loopback).
//!
//! Invariants:
//! - Same specification, seed, epoch and calls: same bytes on the wire.
//! - The state at an instant does not depend on how often it was looked at before.
//! - Counters grow from a broker's start and are zero after its restart, as a JVM's are.
//! - No input makes a broker panic or allocate more than the input's own size demands.
//!
//! Not modelled: SASL, TLS, ACLs, quotas, transactions, fetch sessions (answered as a broker whose
//! session cache is full), KIP-848 groups, topic deletion, tiered storage, unclean leader election,
//! voters that differ from the first three brokers; Metadata names the active controller (KRaft
//! brokers name any live broker); a restarted broker's registration ends its old session at once,
//! and it answers before it is unfenced; replicas of a partition all have the leader's size. See
//! the sub-modules for their own lists.

mod build;
mod coordinator;
mod evolve;
mod exposition;
mod failover;
mod fault;
mod gauges;
mod group;
mod history;
mod in_force;
mod join;
mod journal;
mod log;
mod members;
mod past;
mod server;
mod spec;
mod state;
mod truth;
mod view;
pub mod wire;

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod join_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world_tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub use build::{group_name, topic_name};
pub use fault::FleetFault;
pub use group::{GroupState, coordinator_partition, java_string_hash};
pub use history::{Change, HistoryEntry};
pub use join::Join;
pub use journal::*;
pub use server::{BrokerPort, ServeError, ServeOptions, serve_broker, serve_fleet};
pub use spec::{FleetSpec, SpecError, Timing, broker_host, broker_of};
pub use state::{BrokerCounters, BrokerIds, TopicCounters};
pub use view::{BrokerView, FleetLook, GroupView};

use crate::domain::units::UnixMillis;
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::Trace;
use state::State;

/// Kafka's port on a broker's host.
pub const WIRE_PORT: u16 = 9092;
/// The JMX exporter's port on a broker's host.
pub const JMX_PORT: u16 = 7071;
/// Kafka's internal topic for committed offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

struct Shared {
    state: Mutex<State>,
    /// Wakes requests that wait for a rebalance or for data.
    changed: Notify,
}

/// A handle on one cluster; cheap to clone.
#[derive(Clone)]
pub struct Fleet(Arc<Shared>);

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_struct("Fleet").field("cluster", &state.cluster).finish_non_exhaustive()
    }
}

impl Fleet {
    /// A cluster at the start of the run; `epoch` is the wall clock then. All brokers are up.
    ///
    /// # Errors
    /// [`SpecError`] when `spec` is impossible.
    pub fn new(spec: FleetSpec, seed: Seed, epoch: UnixMillis) -> Result<Self, SpecError> {
        let state = Mutex::new(State::build(spec, seed, epoch)?);
        Ok(Self(Arc::new(Shared { state, changed: Notify::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the cluster to `at`; an earlier instant changes nothing.
    pub fn advance(&self, at: SimTime) {
        self.lock().advance(at);
    }

    /// The process of broker `id` ends at `at`; nothing when it is down already.
    pub fn broker_down(&self, id: i32, at: SimTime) {
        let mut state = self.lock();
        state.advance(at);
        state.broker_down(id);
    }

    /// The process of broker `id` starts at `at`; nothing when it is up already.
    pub fn broker_up(&self, id: i32, at: SimTime) {
        let mut state = self.lock();
        state.advance(at);
        state.broker_up(id);
    }

    /// Broker `id` begins to serve at `at`: up if it was down, restarted if it served already.
    fn broker_serves(&self, id: i32, at: SimTime) {
        let mut state = self.lock();
        state.advance(at);
        state.broker_serves(id);
    }

    /// Writes every later change into `trace` too.
    pub fn attach_trace(&self, trace: Trace) {
        self.lock().trace = Some(trace);
    }

    /// What the fleet was made from.
    pub fn spec(&self) -> FleetSpec {
        self.lock().spec.clone()
    }

    /// Cluster name, which is the Kafka cluster id too.
    pub fn cluster(&self) -> Arc<str> {
        Arc::clone(&self.lock().cluster)
    }

    /// Ids of all brokers, ascending; those that join later are among them.
    pub fn broker_ids(&self) -> Vec<i32> {
        self.lock().brokers.iter().map(|broker| broker.id).collect()
    }

    /// Ids of the brokers that have started at least once, ascending.
    pub fn joined_ids(&self) -> Vec<i32> {
        let state = self.lock();
        state.brokers.iter().filter(|broker| broker.registered).map(|broker| broker.id).collect()
    }

    /// Host name of broker `id` as it is advertised.
    pub fn host(&self, id: i32) -> Option<Arc<str>> {
        self.lock().broker(id).map(|broker| Arc::clone(&broker.host))
    }

    /// Names of all topics, internal ones included.
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.lock().topic_index.keys().cloned().collect()
    }

    /// Names of all groups.
    pub fn groups(&self) -> Vec<Arc<str>> {
        self.lock().groups.keys().cloned().collect()
    }

    /// Advertises broker `id` at `host` and `port` from now on.
    pub fn advertise(&self, id: i32, host: &str, port: u16) {
        let mut state = self.lock();
        if let Some(broker) = state.broker_mut(id) {
            broker.host = Arc::from(host);
            broker.host_bytes = kafka_protocol::protocol::StrBytes::from_string(host.to_owned());
            broker.port = port;
        }
        state.topology_version += 1;
    }

    /// Switches the journal; it is on at first.
    pub fn set_journal(&self, on: bool) {
        self.lock().journal.on = on;
    }

    /// Takes the observations made since the last call, oldest first.
    pub fn take_journal(&self) -> Vec<Observation> {
        std::mem::take(&mut self.lock().journal.entries)
    }

    /// Every change since the start, oldest first.
    pub fn history(&self) -> Vec<HistoryEntry> {
        self.lock().history.clone()
    }

    /// Reasons for which broker `id` closed connections since its start, with counts.
    pub fn closed_connections(&self, id: i32) -> Vec<(&'static str, u64)> {
        let state = self.lock();
        let closed = state.broker(id).map(|broker| &broker.closed);
        closed.map_or_else(Vec::new, |closed| closed.iter().map(|(k, v)| (*k, *v)).collect())
    }

    /// The topology now.
    pub fn metadata(&self) -> Arc<MetadataTruth> {
        self.lock().metadata_truth()
    }

    /// The topology at `at`, changes at that instant included; its `version` counts changes.
    pub fn metadata_at(&self, at: SimTime) -> MetadataTruth {
        self.lock().metadata_at(at)
    }

    /// Whether broker `id`'s process ran at `at`, by the history.
    pub fn was_up(&self, id: i32, at: SimTime) -> bool {
        let state = self.lock();
        let last = state.history.iter().rev().find_map(|entry| match entry.change {
            Change::BrokerDown(broker) if broker == id && entry.at <= at => Some(false),
            Change::BrokerUp(broker) if broker == id && entry.at <= at => Some(true),
            _ => None,
        });
        last.unwrap_or(id.unsigned_abs() <= state.spec.brokers)
    }

    /// What broker `id`'s exporter would say now.
    pub fn broker_truth(&self, id: i32) -> Option<BrokerTruth> {
        let mut state = self.lock();
        state.broker(id)?;
        Some(state.broker_truth(id))
    }

    /// Log start, log end and bytes of one partition now.
    pub fn partition_log(&self, topic: &str, partition: i32) -> Option<(i64, i64, u64)> {
        let state = self.lock();
        let part = &state.parts[state.part(state.topic(topic)?, partition)?];
        Some((part.log_start, part.log_end, part.size_bytes))
    }

    /// Committed offsets of a group now.
    pub fn committed(&self, group: &str) -> Vec<CommittedTruth> {
        self.lock().committed_truth(group, None)
    }

    /// One broker's `/metrics` at `at`, `None` when its process does not run; journalled as a
    /// scrape by `user_agent`.
    pub fn scrape(&self, id: i32, at: SimTime, user_agent: &str) -> Option<String> {
        let mut state = self.lock();
        state.advance(at);
        state.is_up(id).then(|| state.scrape(id, user_agent))
    }
}
