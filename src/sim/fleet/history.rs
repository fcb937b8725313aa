//! What happened to a cluster: every change of brokers, leaders, replica sets and topics, with
//! its instant; from it the topology at any earlier time follows.
//!
//! Invariant: entries are in order of time, and replaying them onto the start gives the present.

use std::sync::Arc;

use super::journal::{MetadataBroker, MetadataPartition, MetadataTopic, MetadataTruth};
use super::state::BrokerIds;
use crate::sim::time::SimTime;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A broker's process ended.
    BrokerDown(i32),
    /// A broker's process started.
    BrokerUp(i32),
    /// The controller holds it for dead: it is no longer in Metadata.
    BrokerFenced(i32),
    /// It takes part again.
    BrokerUnfenced(i32),
    /// The active controller changed.
    Controller(Option<i32>),
    /// A partition's leader or in-sync replicas changed.
    Partition {
        /// Topic.
        topic: Arc<str>,
        /// Partition index.
        partition: i32,
        /// −1: none.
        leader: i32,
        /// Its epoch.
        leader_epoch: i32,
        /// In-sync replicas.
        isr: BrokerIds,
    },
    /// A reassignment began or ended: a partition has other replicas.
    Replicas {
        /// Topic.
        topic: Arc<str>,
        /// Partition index.
        partition: i32,
        /// All of them, preferred leader first.
        replicas: BrokerIds,
    },
    /// A topic came into being.
    TopicCreated(Arc<MetadataTopic>),
    /// A group changed its state.
    GroupState {
        /// Group id.
        group: Arc<str>,
        /// `Stable`, `Empty`, ….
        state: &'static str,
        /// Its generation.
        generation: i32,
        /// How many members it has.
        members: usize,
    },
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BrokerDown(id) => write!(f, "broker-down id={id}"),
            Self::BrokerUp(id) => write!(f, "broker-up id={id}"),
            Self::BrokerFenced(id) => write!(f, "broker-fenced id={id}"),
            Self::BrokerUnfenced(id) => write!(f, "broker-unfenced id={id}"),
            Self::Controller(id) => write!(f, "controller id={}", id.unwrap_or(-1)),
            Self::Partition { topic, partition, leader, leader_epoch, isr } => {
                write!(
                    f,
                    "partition {topic}-{partition} leader={leader} epoch={leader_epoch} isr="
                )?;
                list(f, isr)
            }
            Self::Replicas { topic, partition, replicas } => {
                write!(f, "replicas {topic}-{partition} ids=")?;
                list(f, replicas)
            }
            Self::TopicCreated(topic) => {
                write!(f, "topic-created {} partitions={}", topic.name, topic.partitions.len())
            }
            Self::GroupState { group, state, generation, members } => {
                write!(f, "group {group} state={state} generation={generation} members={members}")
            }
        }
    }
}

fn list(f: &mut std::fmt::Formatter<'_>, ids: &[i32]) -> std::fmt::Result {
    for (position, id) in ids.iter().enumerate() {
        write!(f, "{}{id}", if position == 0 { "" } else { "," })?;
    }
    Ok(())
}

/// A change and its instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: SimTime,
    /// What.
    pub change: Change,
}

/// The topology at `at`: the changes until then (those at that very instant included) onto the
/// topology at the start. `brokers` knows every broker, fenced or not.
pub(super) fn replay(
    start: &MetadataTruth,
    history: &[HistoryEntry],
    brokers: &[MetadataBroker],
    at: SimTime,
) -> MetadataTruth {
    let mut truth = start.clone();
    for entry in history.iter().take_while(|entry| entry.at <= at) {
        truth.version += 1;
        match &entry.change {
            Change::BrokerFenced(id) => truth.brokers.retain(|broker| broker.id != *id),
            Change::BrokerUnfenced(id) => {
                let gap = truth.brokers.partition_point(|broker| broker.id < *id);
                let absent = truth.brokers.get(gap).is_none_or(|broker| broker.id != *id);
                if let Some(known) = brokers.iter().find(|known| known.id == *id && absent) {
                    truth.brokers.insert(gap, known.clone());
                }
            }
            Change::Controller(id) => truth.controller = *id,
            Change::Partition { topic, partition, leader, leader_epoch, isr } => {
                if let Some(found) = find_partition(&mut truth, topic, *partition) {
                    found.leader = *leader;
                    found.leader_epoch = *leader_epoch;
                    found.isr.clone_from(isr);
                }
            }
            Change::Replicas { topic, partition, replicas } => {
                if let Some(found) = find_partition(&mut truth, topic, *partition) {
                    found.replicas.clone_from(replicas);
                }
            }
            Change::TopicCreated(topic) => {
                let gap = truth.topics.partition_point(|known| known.name < topic.name);
                truth.topics.insert(gap, MetadataTopic::clone(topic));
            }
            Change::BrokerDown(_) | Change::BrokerUp(_) | Change::GroupState { .. } => {}
        }
    }
    truth
}

fn find_partition<'a>(
    truth: &'a mut MetadataTruth,
    topic: &str,
    partition: i32,
) -> Option<&'a mut MetadataPartition> {
    let found = truth.topics.binary_search_by(|known| (*known.name).cmp(topic)).ok()?;
    truth.topics[found].partitions.get_mut(usize::try_from(partition).ok()?)
}
