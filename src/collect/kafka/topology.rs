//! The cluster as one Metadata answer describes it, internal topics left out.
//!
//! Invariants:
//! - Brokers, topics and partitions are sorted and unique; what the answer says twice or in
//!   impossible numbers is left out and reported.
//! - Broker id 0 is a broker like any other; a controller is known only if it is one of them.

use std::collections::BTreeMap;

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::protocol::StrBytes;

use super::error::{ClientError, ErrorCode};
use super::{Missing, Part, Reason, Stamp, is_internal};
use crate::ports::Endpoint;

/// A broker as the metadata names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broker {
    pub(super) endpoint: Endpoint,
    pub(super) rack: Option<StrBytes>,
    /// Replicas on it.
    pub(super) partitions: usize,
    /// Partitions it leads.
    pub(super) leaders: usize,
    /// Partitions it leads whose ISR is smaller than their replica set.
    pub(super) under_replicated: usize,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) index: i32,
    /// Its leader, if it has one.
    pub(super) leader: Option<i32>,
    pub(super) replicas: usize,
    pub(super) in_sync: usize,
}

impl Partition {
    pub(super) fn is_under_replicated(&self) -> bool {
        self.in_sync < self.replicas
    }
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) name: StrBytes,
    pub(super) partitions: Vec<Partition>,
}

impl Topic {
    /// Where partition `index` stands in [`Topic::partitions`].
    pub(super) fn position(&self, index: i32) -> Option<usize> {
        // Almost always partitions are numbered without gaps.
        let direct = usize::try_from(index).ok()?;
        if self.partitions.get(direct).is_some_and(|p| p.index == index) {
            return Some(direct);
        }
        self.partitions.binary_search_by_key(&index, |p| p.index).ok()
    }
}

/// The partitions of one topic that one broker leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Led {
    /// Index into [`Topology::topics`].
    pub(super) topic: usize,
    /// Partition indexes.
    pub(super) partitions: Vec<i32>,
}

/// A cluster at one instant.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Topology {
    /// When the answer arrived.
    pub(super) at: Stamp,
    pub(super) cluster_id: Option<StrBytes>,
    pub(super) controller: Option<i32>,
    pub(super) brokers: BTreeMap<i32, Broker>,
    /// By name.
    pub(super) topics: Vec<Topic>,
}

impl Topology {
    /// Reads `answer`, which arrived `at`; what it says wrongly goes to `missing`.
    pub(super) fn new(answer: MetadataResponse, at: Stamp, missing: &mut Vec<Missing>) -> Self {
        let mut topology = Self { at, cluster_id: answer.cluster_id, ..Self::default() };
        for broker in answer.brokers {
            let id = broker.node_id.0;
            let port = u16::try_from(broker.port).ok().filter(|port| *port > 0);
            let Some(port) = port.filter(|_| id >= 0 && !broker.host.is_empty()) else {
                let what = format!("broker {id} at `{}:{}`", broker.host, broker.port);
                missing.push(Missing::new(Part::Broker, Some(id), Reason::Invalid(what)));
                continue;
            };
            topology.brokers.entry(id).or_insert_with(|| Broker {
                endpoint: Endpoint::new(broker.host.as_str(), port),
                rack: broker.rack.filter(|rack| !rack.is_empty()),
                partitions: 0,
                leaders: 0,
                under_replicated: 0,
            });
        }
        topology.set_controller(answer.controller_id.0);
        for topic in answer.topics {
            topology.add_topic(topic, missing);
        }
        topology.topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        topology.topics.dedup_by(|later, first| later.name == first.name);
        topology
    }

    /// Takes `id` as controller if nobody else is and it is a known broker.
    pub(super) fn set_controller(&mut self, id: i32) {
        if self.controller.is_none() && self.brokers.contains_key(&id) {
            self.controller = Some(id);
        }
    }

    fn add_topic(&mut self, topic: MetadataResponseTopic, missing: &mut Vec<Missing>) {
        let Some(name) = topic.name.map(|name| name.0).filter(|name| !name.is_empty()) else {
            let what = format!("topic {} without a name", topic.topic_id);
            missing.push(Missing::new(Part::Topic, None, Reason::Invalid(what)));
            return;
        };
        if topic.is_internal || is_internal(&name) {
            return;
        }
        if let Err(error) = ErrorCode(topic.error_code).check("Metadata") {
            missing.push(Missing::new(Part::Topic, None, error).about(&name));
            return;
        }
        let mut partitions: Vec<_> =
            topic.partitions.iter().filter_map(|p| self.partition(p)).collect();
        partitions.sort_unstable_by_key(|p| p.index);
        partitions.dedup_by_key(|p| p.index);
        let rejected = topic.partitions.len() - partitions.len();
        if rejected > 0 {
            let what = format!("{rejected} partitions with a negative or repeated index");
            missing.push(Missing::new(Part::Topic, None, Reason::Invalid(what)).about(&name));
        }
        self.topics.push(Topic { name: name.clone(), partitions });
    }

    fn partition(&mut self, partition: &MetadataResponsePartition) -> Option<Partition> {
        if partition.partition_index < 0 {
            return None;
        }
        let read = Partition {
            index: partition.partition_index,
            leader: Some(partition.leader_id.0).filter(|id| *id >= 0),
            replicas: partition.replica_nodes.len(),
            in_sync: partition.isr_nodes.len(),
        };
        for node in &partition.replica_nodes {
            if let Some(broker) = self.brokers.get_mut(&node.0) {
                broker.partitions += 1;
            }
        }
        if let Some(broker) = read.leader.and_then(|id| self.brokers.get_mut(&id)) {
            broker.leaders += 1;
            broker.under_replicated += usize::from(read.is_under_replicated());
        }
        Some(read)
    }

    /// The index of the topic called `name`.
    pub(super) fn topic_index(&self, name: &str) -> Option<usize> {
        self.topics.binary_search_by(|topic| topic.name.as_str().cmp(name)).ok()
    }

    /// What each broker leads; partitions without a leader, or with one the metadata does not
    /// name, go to `missing`.
    pub(super) fn led(&self, missing: &mut Vec<Missing>) -> BTreeMap<i32, Vec<Led>> {
        let mut led: BTreeMap<i32, Vec<Led>> = BTreeMap::new();
        for (index, topic) in self.topics.iter().enumerate() {
            let mut leaderless = 0;
            for partition in &topic.partitions {
                let Some(leader) = partition.leader.filter(|id| self.brokers.contains_key(id))
                else {
                    leaderless += 1;
                    continue;
                };
                push_led(led.entry(leader).or_default(), index, partition.index);
            }
            if leaderless > 0 {
                crate::sometimes!(PARTITION_WITHOUT_LEADER);
                let lost = Missing::new(Part::LogEndOffsets, None, Reason::NoLeader);
                missing.push(lost.about(&topic.name).losing(leaderless));
            }
        }
        led
    }
}

/// Adds a partition to a broker's list, which is kept by topic.
pub(super) fn push_led(led: &mut Vec<Led>, topic: usize, partition: i32) {
    match led.last_mut() {
        Some(last) if last.topic == topic => last.partitions.push(partition),
        _ => led.push(Led { topic, partitions: vec![partition] }),
    }
}

/// Whether an answer to Metadata is an error as a whole (v13).
pub(super) fn check(answer: &MetadataResponse) -> Result<(), ClientError> {
    ErrorCode(answer.error_code).check("Metadata")?;
    if answer.brokers.is_empty() {
        return Err(ClientError::Malformed {
            api: "Metadata",
            version: -1,
            reason: "it names no broker".to_owned(),
        });
    }
    Ok(())
}
