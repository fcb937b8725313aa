//! A coordinator that moves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::shorter;
use super::super::{Action, Name};
use super::{group_name, on_cluster};
use crate::config::quantity::DurationText;
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;

/// A coordinator that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CoordinatorMove {
    /// The cluster.
    pub cluster: String,
    /// The consumer group.
    pub group: String,
    /// How long the new coordinator loads the group and answers nothing else.
    #[serde(default = "loading_default")]
    pub loading: DurationText,
}

fn loading_default() -> DurationText {
    DurationText::from_secs(2)
}

impl Body for CoordinatorMove {
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
        format!("coordinator of {} in {} moves", self.group, self.cluster)
    }

    fn prose(&self) -> String {
        let Self { cluster, group, loading } = self;
        format!(
            "the coordinator of group \"{group}\" in cluster \"{cluster}\" moves and loads for {loading}"
        )
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        on_cluster(
            &self.cluster,
            FleetFault::CoordinatorMove { group: self.group.clone(), loading: self.loading.0 },
        )
    }
}

impl Kind for CoordinatorMove {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A group's coordinator moves to another broker, which loads the group first; back again at the end.";
    const PROSE: &'static str =
        "the coordinator of group <group> in cluster <cluster> moves and loads for <time>";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "ground truth", "health score", "relationships"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let (cluster, group) = lot.group(stage)?;
        Some(Self { cluster, group, loading: lot.millis(500, 10_000) })
    }

    fn simpler(&self) -> Vec<Self> {
        let milder = shorter(self.loading, DurationText::from_millis(100)).into_iter();
        milder.map(|loading| Self { loading, ..self.clone() }).collect()
    }
}
