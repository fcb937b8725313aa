//! The `[swarm]` table: what the seed may decide, and between what.
//!
//! A pair `[least, most]` is a range with both ends in it. What a table does not name stays as the
//! scenario has it.
//!
//! ```toml
//! [swarm]
//! except = ["memory_cap"]          # never drawn; `faults = […]` names the only ones that are
//! count = [2, 8]                   # faults of one run
//! storm = ["15s", "90s"]           # no fault begins before, all have ended after
//!
//! [swarm.topology]
//! clusters = [1, 2]
//! brokers = [1, 5]
//!
//! [swarm.pipeline]
//! interval = ["5s", "15s"]
//! spool = 0.8                      # share of the runs that have one
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::{DurationText, SizeText};

/// Both ends of a range, both in it.
pub type Pair<T> = [T; 2];

/// What the seed may decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SwarmSpec {
    /// Names of the faults that may be drawn; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Names of the faults that are never drawn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Share of the kinds that a run may draw from: each is in or out by its own coin.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub enabled: f64,
    /// Faults of one run; fewer where they would stand in each other's way.
    pub count: Pair<u32>,
    /// From when on faults begin, and until when all have ended; without it, from the first tenth
    /// of the run until there is just time enough to converge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<Pair<DurationText>>,
    /// Length of one fault.
    pub lasts: Pair<DurationText>,
    /// Sizes of the clusters.
    pub topology: TopologySwarm,
    /// What producers do.
    pub workload: WorkloadSwarm,
    /// Links before any fault.
    pub network: NetworkSwarm,
    /// New Relic's own times.
    pub newrelic: NewRelicSwarm,
    /// The pipeline's settings.
    pub pipeline: PipelineSwarm,
}

impl Default for SwarmSpec {
    fn default() -> Self {
        Self {
            faults: Vec::new(),
            except: Vec::new(),
            enabled: 0.4,
            count: [2, 8],
            storm: None,
            lasts: [DurationText::from_secs(1), DurationText::from_secs(30)],
            topology: TopologySwarm::default(),
            workload: WorkloadSwarm::default(),
            network: NetworkSwarm::default(),
            newrelic: NewRelicSwarm::default(),
            pipeline: PipelineSwarm::default(),
        }
    }
}

/// How large the clusters are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TopologySwarm {
    /// Clusters: those of the scenario first, then others with the settings of its first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Pair<u32>>,
    /// Brokers of a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brokers: Option<Pair<u32>>,
    /// Topics of a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topics: Option<Pair<u32>>,
    /// Partitions of a topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Pair<u32>>,
    /// Replicas of a partition; never more than brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<Pair<u32>>,
    /// Consumer groups of a cluster; none without topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Pair<u32>>,
    /// Share of the clusters whose brokers expose their JMX figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub jmx: Option<f64>,
}

/// What producers do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadSwarm {
    /// Mean messages per second and topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_second: Option<Pair<u32>>,
    /// Whether the run begins at any second of the day, and so anywhere on the load's curve.
    pub any_hour: bool,
}

/// Links before any fault.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSwarm {
    /// One-way delay of every link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Pair<DurationText>>,
    /// Largest extra delay per delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Pair<DurationText>>,
}

/// New Relic's own times.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewRelicSwarm {
    /// Both ends of the time from acceptance to a visible entity lie in this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthesis_lag: Option<Pair<DurationText>>,
}

/// The pipeline's settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineSwarm {
    /// Time between the starts of two cycles; whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Pair<DurationText>>,
    /// Events per request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_events: Option<Pair<u32>>,
    /// Largest body sent, before compression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_bytes: Option<Pair<SizeText>>,
    /// Most events in memory alone; at least one batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_events: Option<Pair<u32>>,
    /// Longest wait for any one answer of a broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_timeout: Option<Pair<DurationText>>,
    /// Share of the runs that have a durable spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub spool: Option<f64>,
    /// Most bytes of events in the spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool_size_max: Option<Pair<SizeText>>,
    /// Oldest that an event in the spool may become.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool_age_max: Option<Pair<DurationText>>,
    /// Most bytes of events in memory; at least one batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<Pair<SizeText>>,
    /// Share of the runs that tell which brokers serve each topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub serves: Option<f64>,
    /// Failures in a row that open the breaker of ingest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<Pair<u32>>,
    /// Successes in a row that close it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_threshold: Option<Pair<u32>>,
    /// How long it stays open before it lets a probe through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_delay: Option<Pair<DurationText>>,
}
