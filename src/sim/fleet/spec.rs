//! What a fleet looks like at the start, and its time-outs.
//!
//! Invariant: a [`FleetSpec`] that [`FleetSpec::validate`] accepts gives a fleet; one that it
//! refuses is refused with the field and the fix.

use std::collections::BTreeMap;

use super::join::{self, Join};
use crate::sim::time::SimTime;
use crate::sim::workload::LoadCurve;

/// Shape, load and time-outs of one Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetSpec {
    /// Cluster name; also its Kafka cluster id and the prefix of its hosts.
    pub cluster: String,
    /// Number of brokers at the start; their ids are 1, 2, ….
    pub brokers: u32,
    /// Brokers that join later, in the order of their ids.
    pub joins: Vec<Join>,
    /// Number of topics besides `__consumer_offsets`.
    pub topics: u32,
    /// Partitions per topic.
    pub partitions: u32,
    /// Replicas per partition.
    pub replication: u16,
    /// `min.insync.replicas` of the topics.
    pub min_insync_replicas: u16,
    /// Number of consumer groups; every tenth has no members.
    pub groups: u32,
    /// Members of a group at the start.
    pub members: u32,
    /// Racks that brokers are spread over; 0 gives brokers no rack.
    pub racks: u32,
    /// Mean messages per second and topic at load 1.
    pub messages_per_second: u64,
    /// Mean bytes of a message on disk.
    pub message_bytes: u32,
    /// Size of each broker's log volume in bytes.
    pub disk_bytes: u64,
    /// Load over the day.
    pub curve: LoadCurve,
    /// Whether asking for an absent topic creates it (`auto.create.topics.enable`).
    pub auto_create_topics: bool,
    /// Whether synthetic group members come and go.
    pub member_churn: bool,
    /// Time-outs.
    pub timing: Timing,
}

/// Time-outs and intervals, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Producers and consumers move in steps of this length.
    pub tick_ms: u64,
    /// `broker.session.timeout.ms`: a silent broker is fenced after it.
    pub session_timeout_ms: u64,
    /// `replica.lag.time.max.ms`: a follower that stopped fetching leaves the ISR after it.
    pub replica_lag_ms: u64,
    /// From the controller's loss to the next one's election.
    pub election_ms: u64,
    /// From a broker's return to its unfencing.
    pub startup_ms: u64,
    /// Bytes per second at which a returned broker catches up.
    pub catch_up_bytes_per_second: u64,
    /// `leader.imbalance.check.interval.seconds`, in milliseconds.
    pub leader_rebalance_ms: u64,
    /// `log.retention.check.interval.ms`.
    pub retention_check_ms: u64,
    /// `auto.commit.interval.ms` of the synthetic consumers.
    pub commit_interval_ms: u64,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            tick_ms: 1_000,
            session_timeout_ms: 9_000,
            replica_lag_ms: 30_000,
            election_ms: 2_000,
            startup_ms: 2_000,
            catch_up_bytes_per_second: 50_000_000,
            leader_rebalance_ms: 300_000,
            retention_check_ms: 300_000,
            commit_interval_ms: 5_000,
            initial_rebalance_delay_ms: 3_000,
        }
    }
}

impl Default for FleetSpec {
    fn default() -> Self {
        Self {
            cluster: "orders".to_owned(),
            brokers: 3,
            joins: Vec::new(),
            topics: 10,
            partitions: 6,
            replication: 3,
            min_insync_replicas: 2,
            groups: 5,
            members: 3,
            racks: 3,
            messages_per_second: 500,
            message_bytes: 600,
            disk_bytes: 2 << 40,
            curve: LoadCurve::default(),
            auto_create_topics: false,
            member_churn: true,
            timing: Timing::default(),
        }
    }
}

/// A fleet that cannot exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A number is out of range.
    #[error("{field} is {value}: give a value from {min} to {max}")]
    OutOfRange {
        /// Field of [`FleetSpec`].
        field: &'static str,
        /// What was given.
        value: u64,
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// A replica per broker is the most there can be.
    #[error(
        "replication {replication} needs as many brokers, there are {brokers}: lower it or add \
         brokers"
    )]
    Replication {
        /// Replicas per partition.
        replication: u16,
        /// Brokers.
        brokers: u32,
    },
    /// Nobody could ever write.
    #[error("min_insync_replicas {min} exceeds replication {replication}: nobody could ever write")]
    MinInsync {
        /// `min.insync.replicas`.
        min: u16,
        /// Replicas per partition.
        replication: u16,
    },
    /// The name is no host name part.
    #[error(
        "cluster name `{0}` must be 1 to 40 characters of a-z, 0-9 and `-`, beginning with a letter"
    )]
    Name(String),
}

/// Host of broker `id` of `cluster`: `orders-broker-1`.
pub fn broker_host(cluster: &str, id: impl std::fmt::Display) -> String {
    format!("{cluster}-broker-{id}")
}

/// Cluster and id of the broker on a host of this name, if it is the name of one.
pub fn broker_of(host: &str) -> Option<(&str, i32)> {
    let (cluster, id) = host.rsplit_once("-broker-")?;
    id.parse().ok().filter(|id| *id > 0).map(|id| (cluster, id))
}

impl FleetSpec {
    /// Number of brokers at the end: those of the start and all that join.
    pub fn brokers_in_all(&self) -> u32 {
        self.joins.iter().fold(self.brokers, |sum, join| sum.saturating_add(join.brokers))
    }

    /// When the hosts of brokers that join later start, by broker id.
    pub fn later_starts(&self) -> BTreeMap<i32, SimTime> {
        join::starts(self.brokers, &self.joins)
    }

    /// Checks the specification.
    ///
    /// # Errors
    /// [`SpecError`] with the first field that is wrong.
    pub fn validate(&self) -> Result<(), SpecError> {
        let range = |field, value, min, max| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                Err(SpecError::OutOfRange { field, value, min, max })
            }
        };
        let name = &self.cluster;
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || name.len() > 40 || !name.chars().all(letters) {
            return Err(SpecError::Name(name.clone()));
        }
        let joining: u64 = self.joins.iter().map(|join| u64::from(join.brokers)).sum();
        range("brokers", u64::from(self.brokers), 1, 5_000)?;
        range("brokers at the start and later", u64::from(self.brokers) + joining, 1, 5_000)?;
        range("topics", u64::from(self.topics), 0, 100_000)?;
        range("partitions", u64::from(self.partitions), 1, 10_000)?;
        range(
            "topics × partitions",
            u64::from(self.topics) * u64::from(self.partitions),
            0,
            2_000_000,
        )?;
        range("replication", u64::from(self.replication), 1, 9)?;
        range("min_insync_replicas", u64::from(self.min_insync_replicas), 1, 9)?;
        range("groups", u64::from(self.groups), 0, 100_000)?;
        range("members", u64::from(self.members), 1, 1_000)?;
        range("messages_per_second", self.messages_per_second, 0, 10_000_000)?;
        range("message_bytes", u64::from(self.message_bytes), 1, 1_000_000)?;
        range("disk_bytes", self.disk_bytes, 1 << 20, 1 << 60)?;
        range("tick_ms", self.timing.tick_ms, 1, 60_000)?;
        range(
            "commit_interval_ms",
            self.timing.commit_interval_ms,
            self.timing.tick_ms,
            3_600_000,
        )?;
        range("leader_rebalance_ms", self.timing.leader_rebalance_ms, 1_000, 86_400_000)?;
        range(
            "retention_check_ms",
            self.timing.retention_check_ms,
            self.timing.tick_ms,
            86_400_000,
        )?;
        range("catch_up_bytes_per_second", self.timing.catch_up_bytes_per_second, 1, 1 << 50)?;
        if u32::from(self.replication) > self.brokers {
            let (replication, brokers) = (self.replication, self.brokers);
            return Err(SpecError::Replication { replication, brokers });
        }
        if self.min_insync_replicas > self.replication {
            let (min, replication) = (self.min_insync_replicas, self.replication);
            return Err(SpecError::MinInsync { min, replication });
        }
        Ok(())
    }
}
