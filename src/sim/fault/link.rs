//! Faults of the links between two hosts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::{DurationText, SizeText};

/// A cut between two hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartitionSpec {
    /// The two hosts.
    pub between: [String; 2],
    /// Only what the first sends to the second is affected.
    #[serde(default)]
    pub one_way: bool,
}

/// A slow link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencySpec {
    /// The two hosts.
    pub between: [String; 2],
    /// One-way delay.
    pub latency: DurationText,
    /// Largest extra delay per delivery.
    #[serde(default)]
    pub jitter: DurationText,
}

/// A narrow link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BandwidthSpec {
    /// The two hosts.
    pub between: [String; 2],
    /// Bytes per second and direction.
    pub per_second: SizeText,
}

/// A lossy link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LossSpec {
    /// The two hosts.
    pub between: [String; 2],
    /// Share of segments lost.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub ratio: f64,
}

/// A reset of connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetSpec {
    /// The two hosts.
    pub between: [String; 2],
}
