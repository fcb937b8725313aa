//! Consumers that stand still.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind, Object};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::{of_group, on_cluster};
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

    fn objects(&self) -> Vec<(&'static str, Object)> {
        of_group(&self.cluster, &self.group)
    }

    fn target(&self) -> String {
        format!("members of group {} in {}", self.group, self.cluster)
    }

    fn label(&self) -> String {
        format!("{} stops consuming", self.group)
    }

    fn prose(&self) -> String {
        format!("consumer group \"{}\" of \"{}\" stops consuming", self.group, self.cluster)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let group = self.group.clone();
        on_cluster(&self.cluster, FleetFault::ConsumerStall { group })
    }
}

impl Kind for ConsumerStall {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A group's members stay in it and neither read nor commit: its lag grows until they go on \
         after the end.";
    const PROSE: &'static str = "consumer group <group> of <cluster> stops consuming";
    const EXAMPLE: &'static str =
        r#"consumer_stall = { cluster = "orders", group = "orders-consumers-0" }"#;
    const AFFECTS: &'static [&'static str] = &["ground truth", "health score"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let (cluster, group) = lot.group(stage)?;
        Some(Self { cluster, group })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use std::collections::BTreeSet;

    use crate::sim::fleet::Observed;

    #[test]
    fn nothing_is_committed() {
        acts("consumer_stall = { cluster = \"orders\", group = \"orders-consumers-0\" }", |run| {
            let told = run.told().into_iter().filter_map(|seen| match &seen.what {
                Observed::Committed { group, partitions } if &**group == "orders-consumers-0" => {
                    Some(partitions.iter().map(|place| place.committed).collect::<Vec<_>>())
                }
                _ => None,
            });
            told.collect::<BTreeSet<_>>().len() == 1
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "consumer_stall = { cluster = \"orders\", group = \"orders-consumers-0\" }",
            &[
                "consumer_stall = { cluster = \"order\", group = \"orders-consumers-0\" }",
                "consumer_stall = { cluster = \"orders\", group = \"orders-consumer-0\" }",
            ],
        );
    }
}
