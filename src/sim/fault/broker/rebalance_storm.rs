//! A group that rebalances again and again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::{Action, FormFault, Name, form};
use super::{group_name, on_cluster};
use crate::config::quantity::DurationText;
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;

/// A group that rebalances again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RebalanceStorm {
    /// The cluster.
    pub cluster: String,
    /// The consumer group.
    pub group: String,
    /// From the begin of one rebalance to the begin of the next.
    pub every: DurationText,
}

impl Body for RebalanceStorm {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn names(&self) -> Vec<(&'static str, Name)> {
        vec![("group", group_name(&self.cluster, &self.group))]
    }

    fn form(&self) -> Vec<FormFault> {
        form::some_time("every", self.every)
    }

    fn target(&self) -> String {
        format!("group {} of {}", self.group, self.cluster)
    }

    fn label(&self) -> String {
        format!("rebalance storm of {} in {}", self.group, self.cluster)
    }

    fn prose(&self) -> String {
        let Self { cluster, group, every } = self;
        format!("group \"{group}\" in cluster \"{cluster}\" rebalances every {every}")
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        on_cluster(
            &self.cluster,
            FleetFault::RebalanceStorm { group: self.group.clone(), every: self.every.0 },
        )
    }
}

impl Kind for RebalanceStorm {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A consumer group rebalances again and again.";
    const PROSE: &'static str = "group <group> in cluster <cluster> rebalances every <time>";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "ground truth", "health score", "relationships"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let (cluster, group) = lot.group(stage)?;
        Some(Self { cluster, group, every: lot.seconds(2, 20) })
    }

    fn simpler(&self) -> Vec<Self> {
        let calmer = DurationText::from_millis(self.every.as_millis() * 2);
        let calmer = Self { every: calmer, ..self.clone() };
        if calmer.every <= DurationText::from_secs(60) { vec![calmer] } else { Vec::new() }
    }
}
