//! A cluster without a controller.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind, Object};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::on_cluster;
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;

/// A cluster without a controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ControllerLoss {
    /// The cluster.
    pub cluster: String,
}

impl Body for ControllerLoss {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn objects(&self) -> Vec<(&'static str, Object)> {
        vec![("cluster", Object::Cluster(self.cluster.clone()))]
    }

    fn target(&self) -> String {
        format!("controller of {}", self.cluster)
    }

    fn label(&self) -> String {
        format!("no controller in {}", self.cluster)
    }

    fn prose(&self) -> String {
        format!("cluster \"{}\" has no controller", self.cluster)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        on_cluster(&self.cluster, FleetFault::ControllerLoss)
    }
}

impl Kind for ControllerLoss {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "The controller resigns and none is elected before the end: no broker is fenced or \
         unfenced meanwhile, no leader is elected, and Metadata names no controller.";
    const PROSE: &'static str = "cluster <cluster> has no controller";
    const EXAMPLE: &'static str = r#"controller_loss = { cluster = "orders" }"#;
    const AFFECTS: &'static [&'static str] = &["ground truth", "health score", "honesty"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { cluster: lot.pick(&stage.clusters)?.name.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn nobody_is_controller() {
        acts("controller_loss = { cluster = \"orders\" }", |run| {
            run.described().iter().any(|meta| meta.controller.is_none())
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "controller_loss = { cluster = \"orders\" }",
            &["controller_loss = { cluster = \"order\" }"],
        );
    }
}
