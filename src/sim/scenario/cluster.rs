//! One Kafka cluster as a scenario file describes it: its shape, its load, and how it grows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::{DurationText, SizeText};
use crate::sim::fleet::{FleetSpec, Join, group_name, topic_name};
use crate::sim::time::SimTime;
use crate::sim::workload::{LoadCurve, Surge};
use crate::workload::Pattern;

/// One Kafka cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSpec {
    /// Number of brokers at the start; their hosts are `<cluster>-broker-1` and so on.
    #[schemars(range(min = 1, max = 1000))]
    pub brokers: u32,
    /// Number of topics.
    #[schemars(range(min = 0, max = 10_000))]
    pub topics: u32,
    /// Partitions per topic.
    #[schemars(range(min = 1, max = 1000))]
    pub partitions: u32,
    /// Replicas per partition; at most the number of brokers.
    #[schemars(range(min = 1, max = 15))]
    pub replication: u32,
    /// Number of consumer groups.
    #[schemars(range(min = 0, max = 10_000))]
    pub groups: u32,
    /// Whether brokers expose their JMX figures to the pipeline.
    pub jmx: bool,
    /// Mean messages per second and topic at the load pattern's 1.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub messages_per_second: u64,
    /// Size of each broker's log volume.
    pub disk: SizeText,
    /// How busy producers are, over the day and beyond.
    pub load: LoadSpec,
    /// Brokers that join during the run, in the order of their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<JoinSpec>,
}

/// How busy producers are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoadSpec {
    /// Over day and week.
    pub pattern: Pattern,
    /// Local time of the producers is UTC plus this many minutes.
    #[schemars(range(min = -840, max = 840))]
    pub utc_offset_minutes: i32,
    /// On top of the pattern; surges in force at once multiply each other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub surge: Vec<SurgeSpec>,
}

/// A while of much more load, or of less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SurgeSpec {
    /// When it begins, from the start of the run.
    pub at: DurationText,
    /// How long it lasts.
    pub lasts: DurationText,
    /// What the load is multiplied by.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub factor: f64,
}

/// Brokers that join a running cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinSpec {
    /// When their hosts start, from the start of the run.
    pub at: DurationText,
    /// How many join; their ids follow those of all earlier brokers.
    #[schemars(range(min = 1, max = 1000))]
    pub brokers: u32,
    /// New topics, created once these brokers have registered.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_000))]
    pub topics: u32,
    /// Whether the partitions are spread over all brokers then, as `kafka-reassign-partitions`
    /// does: new replicas copy the logs, then the old ones go and leaders move.
    #[serde(default = "spreads")]
    pub reassign: bool,
}

fn spreads() -> bool {
    true
}

impl Default for KafkaSpec {
    fn default() -> Self {
        Self {
            brokers: 3,
            topics: 10,
            partitions: 6,
            replication: 3,
            groups: 5,
            jmx: true,
            messages_per_second: 500,
            disk: SizeText(2 << 40),
            load: LoadSpec::default(),
            join: Vec::new(),
        }
    }
}

impl LoadSpec {
    fn curve(&self) -> LoadCurve {
        let surge = |spec: &SurgeSpec| Surge {
            from: SimTime::from(spec.at.0),
            lasts: spec.lasts.0,
            factor_ppm: factor_ppm(spec.factor),
        };
        LoadCurve {
            utc_offset_minutes: self.utc_offset_minutes,
            pattern: self.pattern,
            surges: self.surge.iter().map(surge).collect(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
fn factor_ppm(factor: f64) -> u64 {
    (factor.clamp(0.0, 1_000.0) * 1e6).round() as u64
}

impl KafkaSpec {
    /// Names of the topics that it has from the start.
    pub fn topic_names(&self) -> Vec<String> {
        (0..self.topics as usize).map(topic_name).collect()
    }

    /// Names of its consumer groups.
    pub fn group_names(&self) -> Vec<String> {
        (0..self.groups as usize).map(|index| group_name(index, self.topics as usize)).collect()
    }

    /// The fleet of the cluster called `name`.
    pub fn fleet(&self, name: &str) -> FleetSpec {
        let join = |spec: &JoinSpec| Join {
            at: SimTime::from(spec.at.0),
            brokers: spec.brokers,
            topics: spec.topics,
            reassign: spec.reassign,
        };
        FleetSpec {
            cluster: name.to_owned(),
            brokers: self.brokers,
            joins: self.join.iter().map(join).collect(),
            topics: self.topics,
            partitions: self.partitions,
            replication: u16::try_from(self.replication).unwrap_or(u16::MAX),
            min_insync_replicas: u16::try_from(self.replication.min(2)).unwrap_or(1),
            groups: self.groups,
            messages_per_second: self.messages_per_second,
            disk_bytes: self.disk.0,
            curve: self.load.curve(),
            ..FleetSpec::default()
        }
    }
}
