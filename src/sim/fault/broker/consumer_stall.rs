//! Consumers that stand still.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::{Action, Name};
use super::{group_name, on_cluster};
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;

/// Consumers that stand still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerStall {
    /// The cluster.
    pub cluster: String,
    /// The consumer group.
    pub group: String,
}

impl Body for ConsumerStall {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn names(&self) -> Vec<(&'static str, Name)> {
        vec![("group", group_name(&self.cluster, &self.group))]
    }

    fn target(&self) -> String {
        format!("group {} of {}", self.group, self.cluster)
    }

    fn label(&self) -> String {
        format!("stalled consumers of {} in {}", self.group, self.cluster)
    }

    fn prose(&self) -> String {
        format!(
            "the members of group \"{}\" in cluster \"{}\" stand still",
            self.group, self.cluster
        )
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        on_cluster(&self.cluster, FleetFault::ConsumerStall { group: self.group.clone() })
    }
}

impl Kind for ConsumerStall {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str =
        "The members of a consumer group stay, and neither read nor commit: its lag grows.";
    const PROSE: &'static str = "the members of group <group> in cluster <cluster> stand still";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "ground truth", "health score", "relationships"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let (cluster, group) = lot.group(stage)?;
        Some(Self { cluster, group })
    }
}
