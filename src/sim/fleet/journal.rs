//! The oracle's journal: each answer that a broker gave, with the true state it was made from.
//!
//! Invariants:
//! - Truths are copied from the state, never from encoded bytes.
//! - With the journal off nothing is kept and nothing is copied.

use std::sync::Arc;

use super::state::{BrokerCounters, BrokerIds, TopicCounters};
use crate::sim::time::SimTime;

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// When the answer was made.
    pub at: SimTime,
    /// Which broker answered.
    pub broker: i32,
    /// `client_id` of the request header; for a scrape the `User-Agent`.
    pub client_id: Arc<str>,
    /// The truth behind the answer.
    pub what: Observed,
}

/// The truth behind one answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// JMX exporter, `/metrics`.
    Scrape(Box<BrokerTruth>),
    /// Metadata or DescribeCluster; the same `Arc` as long as nothing changed.
    Metadata(Arc<MetadataTruth>),
    /// ListOffsets.
    Offsets(Vec<OffsetTruth>),
    /// OffsetFetch of one group: only partitions with a committed offset.
    Committed {
        /// Group id.
        group: Arc<str>,
        /// Per partition.
        partitions: Vec<CommittedTruth>,
    },
    /// ListGroups or DescribeGroups.
    Groups {
        /// Whether states and members were asked for (DescribeGroups).
        described: bool,
        /// Per group.
        groups: Vec<GroupTruth>,
    },
    /// DescribeLogDirs.
    LogDirs {
        /// Size of the volume.
        total_bytes: u64,
        /// Free bytes on it.
        usable_bytes: u64,
        /// Per replica on this broker.
        replicas: Vec<ReplicaTruth>,
    },
    /// DescribeConfigs of one topic: the values in force.
    Configs {
        /// Topic.
        topic: Arc<str>,
        /// Name and value.
        values: Vec<(&'static str, Arc<str>)>,
    },
}

/// Counters and gauges of one broker as its exporter gave them.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerTruth {
    /// When its process started: counters count from then.
    pub started_at: SimTime,
    /// Counters.
    pub counters: BrokerCounters,
    /// Counters per topic.
    pub topics: Vec<(Arc<str>, TopicCounters)>,
    /// Gauges.
    pub gauges: BrokerGauges,
}

/// Gauges of one broker.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BrokerGauges {
    /// `java_lang_operatingsystem_cpuload`, 0 to 1.
    pub cpu_load: f64,
    /// `java_lang_operatingsystem_totalmemorysize`, bytes.
    pub memory_total_bytes: u64,
    /// `java_lang_operatingsystem_freememorysize`, bytes.
    pub memory_free_bytes: u64,
    /// `jvm_memory_used_bytes{area="heap"}`.
    pub heap_used_bytes: u64,
    /// `jvm_memory_max_bytes{area="heap"}`.
    pub heap_max_bytes: u64,
    /// Request handler idle share, 0 to 1.
    pub handler_idle: f64,
    /// Network processor idle share, 0 to 1.
    pub network_idle: f64,
    /// 99th percentile of Produce, ms.
    pub produce_p99_ms: f64,
    /// 99th percentile of FetchConsumer, ms.
    pub fetch_consumer_p99_ms: f64,
    /// 99th percentile of FetchFollower, ms.
    pub fetch_follower_p99_ms: f64,
    /// Replicas on this broker.
    pub partition_count: u64,
    /// Partitions it leads.
    pub leader_count: u64,
    /// Of these, those with a replica out of sync.
    pub under_replicated: u64,
    /// Partitions without a leader, on the active controller only; else 0.
    pub offline_partitions: u64,
    /// 1 on the active controller.
    pub active_controller: u64,
}

/// The cluster as Metadata tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetadataTruth {
    /// Version of the topology; grows with every change.
    pub version: u64,
    /// Active controller.
    pub controller: Option<i32>,
    /// Brokers that are not fenced, by id.
    pub brokers: Vec<MetadataBroker>,
    /// Topics by name, internal ones included.
    pub topics: Vec<MetadataTopic>,
}

impl MetadataTruth {
    /// The active controller, if it is one of the brokers that are named: a controller that is
    /// still fenced has a number and no address.
    pub fn known_controller(&self) -> Option<i32> {
        self.controller.filter(|id| self.brokers.iter().any(|broker| broker.id == *id))
    }
}

/// A broker in Metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataBroker {
    /// Its id.
    pub id: i32,
    /// Advertised host.
    pub host: Arc<str>,
    /// Advertised port.
    pub port: u16,
    /// Rack.
    pub rack: Option<Arc<str>>,
}

/// A topic in Metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Whether Kafka keeps it for itself.
    pub internal: bool,
    /// Partitions by index.
    pub partitions: Vec<MetadataPartition>,
}

/// A partition in Metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataPartition {
    /// −1: none.
    pub leader: i32,
    /// Its epoch.
    pub leader_epoch: i32,
    /// All replicas, preferred leader first.
    pub replicas: BrokerIds,
    /// Those in sync.
    pub isr: BrokerIds,
}

/// An offset as ListOffsets gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetTruth {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition index.
    pub partition: i32,
    /// −1: the end was asked for; −2: the start; else what was asked.
    pub timestamp: i64,
    /// The answer; `None` when it was an error.
    pub offset: Option<i64>,
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedTruth {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition index.
    pub partition: i32,
    /// What is committed.
    pub committed: i64,
    /// The partition's log end at the same instant.
    pub log_end: i64,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupTruth {
    /// Group id.
    pub group: Arc<str>,
    /// `Stable`, `Empty`, ….
    pub state: &'static str,
    /// Members.
    pub members: usize,
    /// Assignment strategy.
    pub protocol: Arc<str>,
    /// Broker that coordinates it.
    pub coordinator: i32,
}

/// A replica's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaTruth {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition index.
    pub partition: i32,
    /// Bytes.
    pub size_bytes: u64,
}
