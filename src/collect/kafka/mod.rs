//! Collector for Kafka clusters: the wire protocol, and each broker's Prometheus JMX exporter.
//!
//! A cycle: verify the connection and discover (Metadata, DescribeCluster) → every broker at
//! once, bounded (`broker`) → one more round for partitions and groups that moved meanwhile →
//! samples. Field names are listed in `assemble`.
//!
//! Invariants:
//! - One dead, slow or lying broker costs its own part only; what was lost is in
//!   [`Collection::missing`] with its reason.
//! - What a broker does not offer is left out and named; nothing is made up for it.
//! - Two cycles of one collector never overlap (`&mut self`), and each ends by its deadline.
//! - Samples come out in one order, whatever order the answers came in.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;

use super::{Collection, CollectionStats};
use crate::domain::units::UnixMillis;
use crate::ports::{Clock, Endpoint, Ports};
use crate::resilience::breaker::Admitted;

mod assemble;
mod broker;
mod configs;
pub mod counters;
mod cycle;
mod error;
mod groups;
mod missing;
mod peer;
mod scrape;
mod topology;
mod wire;

#[cfg(test)]
mod tests;

pub use error::{ClientError, ErrorCode, IoFailure};
pub use scrape::{Rejected, ScrapeError};
pub use wire::decode_answer;

/// Where the JMX exporters listen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Jmx {
    /// Nowhere: only the wire protocol is used.
    #[default]
    None,
    /// On this port of every broker's advertised host.
    Port(u16),
    /// Broker id → exporter; brokers without an entry are not scraped.
    Endpoints(BTreeMap<i32, Endpoint>),
}

/// One Kafka cluster to collect from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSourceConfig {
    /// The cluster's name in samples; not empty.
    pub cluster: String,
    /// Brokers to ask first, in this order.
    pub bootstrap: Vec<Endpoint>,
    /// Where the exporters listen.
    pub jmx: Jmx,
    /// How this client names itself to brokers.
    pub client_id: String,
    /// Groups to read even if no broker lists them (brokers without ListGroups).
    pub groups: Vec<String>,
    /// The most one broker may take to describe the cluster.
    pub discovery_timeout: Duration,
    /// The most one broker's part may take.
    pub broker_timeout: Duration,
    /// The most a whole cycle may take.
    pub cycle_timeout: Duration,
    /// Brokers asked at the same time.
    pub concurrency: usize,
    /// How long topic configurations are good for.
    pub configs_keep: Duration,
    /// Longest Kafka frame accepted.
    pub frame_bytes_max: usize,
    /// Longest exposition accepted.
    pub scrape_bytes_max: usize,
    /// Most identities of each kind whose counters are remembered.
    pub counter_rows_max: usize,
}

impl KafkaSourceConfig {
    /// Defaults for a cluster that is collected every 15 s.
    pub fn new(cluster: impl Into<String>, bootstrap: Vec<Endpoint>) -> Self {
        Self {
            cluster: cluster.into(),
            bootstrap,
            jmx: Jmx::None,
            client_id: "shakedown".to_owned(),
            groups: Vec::new(),
            discovery_timeout: Duration::from_secs(4),
            broker_timeout: Duration::from_secs(6),
            cycle_timeout: Duration::from_secs(12),
            concurrency: 64,
            configs_keep: Duration::from_secs(600),
            frame_bytes_max: 64 << 20,
            scrape_bytes_max: 64 << 20,
            counter_rows_max: 1_000_000,
        }
    }
}

/// Why a cycle collected nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// There is nobody to ask.
    #[error("no bootstrap broker is configured for cluster `{cluster}`")]
    NoBootstrap {
        /// The cluster's name.
        cluster: String,
    },
    /// Nobody answered.
    #[error("no broker of cluster `{cluster}` answers: {}", list(.attempts))]
    NoBroker {
        /// The cluster's name.
        cluster: String,
        /// Who was asked, in order, and what came of it.
        attempts: Vec<(Endpoint, ClientError)>,
    },
}

impl CollectError {
    /// The reason's name in counters.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoBootstrap { .. } => "no_bootstrap",
            Self::NoBroker { .. } => "no_broker_answers",
        }
    }
}

fn list(attempts: &[(Endpoint, ClientError)]) -> String {
    let each = attempts.iter().map(|(endpoint, error)| format!("{endpoint}: {error}"));
    each.collect::<Vec<_>>().join("; ")
}

/// A part of the cluster's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A bootstrap broker.
    Bootstrap,
    /// The cluster's description beyond Metadata (DescribeCluster).
    Cluster,
    /// A broker as the metadata names it.
    Broker,
    /// A topic as the metadata names it.
    Topic,
    /// A broker's exporter.
    Scrape,
    /// Log ends of the partitions a broker leads.
    LogEndOffsets,
    /// A broker's log directories.
    LogDirs,
    /// Which groups a broker coordinates.
    GroupList,
    /// A group's state and members.
    GroupState,
    /// A group's committed offsets.
    CommittedOffsets,
    /// Configurations of topics.
    TopicConfigs,
}

impl Part {
    /// Its name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Cluster => "cluster",
            Self::Broker => "broker",
            Self::Topic => "topic",
            Self::Scrape => "scrape",
            Self::LogEndOffsets => "log_end_offsets",
            Self::LogDirs => "log_dirs",
            Self::GroupList => "group_list",
            Self::GroupState => "group_state",
            Self::CommittedOffsets => "committed_offsets",
            Self::TopicConfigs => "topic_configs",
        }
    }
}

/// Why a part is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The exchange with the broker failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The scrape failed.
    #[error(transparent)]
    Scrape(#[from] ScrapeError),
    /// Partitions have no leader that could answer.
    #[error("no leader")]
    NoLeader,
    /// A broker answered with figures that cannot be.
    #[error("answer makes no sense: {0}")]
    Invalid(String),
}

impl Reason {
    /// The reason's name in counters.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Client(error) => error.as_str(),
            Self::Scrape(error) => error.as_str(),
            Self::NoLeader => "no_leader",
            Self::Invalid(_) => "invalid_answer",
        }
    }
}

/// Something a cycle could not collect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: Part,
    /// Of which broker, if of one.
    pub broker: Option<i32>,
    /// Of which topic, group or address, if of one.
    pub subject: Option<String>,
    /// Why.
    pub reason: Reason,
    /// How many partitions, groups or the like are lost with it; at least 1.
    pub lost: u64,
}

impl Missing {
    fn new(what: Part, broker: Option<i32>, reason: impl Into<Reason>) -> Self {
        Self { what, broker, subject: None, reason: reason.into(), lost: 1 }
    }

    fn about(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    fn losing(mut self, lost: u64) -> Self {
        self.lost = lost.max(1);
        self
    }

    /// What tells one missing part from another between cycles: a change of it is news.
    pub fn key(&self) -> (Part, Option<i32>, Option<&str>, &'static str) {
        (self.what, self.broker, self.subject.as_deref(), self.reason.as_str())
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.what.as_str())?;
        if let Some(broker) = self.broker {
            write!(f, " of broker {broker}")?;
        }
        if let Some(subject) = &self.subject {
            write!(f, " `{subject}`")?;
        }
        write!(f, ": {}", self.reason)?;
        if self.lost > 1 { write!(f, " ({} lost)", self.lost) } else { Ok(()) }
    }
}

/// When something arrived: the host's wall clock for samples, its monotonic clock for windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stamp {
    wall: UnixMillis,
    mono_ms: i64,
}

impl Stamp {
    fn now(clock: &impl Clock) -> Self {
        Self { wall: clock.wall(), mono_ms: clock.monotonic().as_millis() as i64 }
    }

    /// The later of two.
    fn max(self, other: Self) -> Self {
        if other.mono_ms > self.mono_ms { other } else { self }
    }
}

/// Kafka's own topics, which no one monitors as theirs.
fn is_internal(topic: &str) -> bool {
    topic.starts_with("__")
}

/// Collects from one Kafka cluster, cycle by cycle.
pub struct KafkaCollector<P: Ports> {
    ports: P,
    config: KafkaSourceConfig,
    client_id: StrBytes,
    peers: BTreeMap<Endpoint, peer::Peer<peer::Stream<P>>>,
    configs: configs::TopicConfigs,
    books: assemble::Books,
}

impl<P: Ports> KafkaCollector<P> {
    /// A collector that has not connected to anything yet.
    pub fn new(ports: P, config: KafkaSourceConfig) -> Self {
        Self {
            ports,
            client_id: StrBytes::from_string(config.client_id.clone()),
            peers: BTreeMap::new(),
            configs: configs::TopicConfigs::default(),
            books: assemble::Books::new(config.counter_rows_max),
            config,
        }
    }

    /// Runs one cycle.
    ///
    /// # Errors
    /// [`CollectError`] when no broker answers; everything less is in [`Collection::missing`].
    pub async fn collect(&mut self, _admitted: Admitted) -> Result<Collection, CollectError> {
        let started = self.ports.clock().monotonic();
        let deadline = started + self.config.cycle_timeout;
        let mut cycle = self.discover(deadline).await?;
        self.refresh_configs(&mut cycle).await;
        self.ask_brokers(&mut cycle).await;
        self.follow_moves(&mut cycle).await;
        let mut collection = self.assemble(cycle);
        let took = self.ports.clock().monotonic().saturating_sub(started);
        collection.stats.duration_ms = took.as_millis() as i64;
        Ok(collection)
    }
}
