//! A coordinator that moves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind, Object};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::{of_group, on_cluster};
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
    /// How long the new coordinator needs to load the group.
    #[serde(default = "quick")]
    pub loading: DurationText,
}

fn quick() -> DurationText {
    DurationText::from_secs(2)
}

impl Body for CoordinatorMove {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn objects(&self) -> Vec<(&'static str, Object)> {
        of_group(&self.cluster, &self.group)
    }

    fn target(&self) -> String {
        format!("coordinator of group {} in {}", self.group, self.cluster)
    }

    fn label(&self) -> String {
        format!("coordinator of {} moves", self.group)
    }

    fn prose(&self) -> String {
        let Self { group, cluster, loading } = self;
        format!(
            "the coordinator of consumer group \"{group}\" of \"{cluster}\" moves and needs {loading} to load it"
        )
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let group = self.group.clone();
        on_cluster(&self.cluster, FleetFault::CoordinatorMove { group, loading: self.loading.0 })
    }
}

impl Kind for CoordinatorMove {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A group's coordinator moves to another broker and back at the end: the old one answers \
         NOT_COORDINATOR, the new one COORDINATOR_LOAD_IN_PROGRESS until it has loaded the group.";
    const PROSE: &'static str =
        "the coordinator of consumer group <group> of <cluster> moves and needs <time> to load it";
    const EXAMPLE: &'static str = r#"coordinator_move = { cluster = "orders", group = "orders-consumers-0", loading = "5s" }"#;
    const AFFECTS: &'static [&'static str] = &["ground truth", "honesty"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let (cluster, group) = lot.group(stage)?;
        Some(Self { cluster, group, loading: lot.millis(100, 20_000) })
    }

    fn simpler(&self) -> Vec<Self> {
        let usual = Self { loading: quick(), ..self.clone() };
        if usual == *self { Vec::new() } else { vec![usual] }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::super::testing::{acts, refused};
    use crate::sim::fleet::{GroupTruth, Observed};

    #[test]
    fn another_broker_coordinates() {
        acts(
            "coordinator_move = { cluster = \"orders\", group = \"orders-consumers-0\", loading = \"15s\" }",
            |run| {
                let journal = run.record.fleets["orders"].journal.all();
                let told = journal.iter().filter_map(|seen| match &seen.what {
                    Observed::Groups { groups, .. } => Some(groups),
                    _ => None,
                });
                let group = |one: &&GroupTruth| &*one.group == "orders-consumers-0";
                let coordinators = told.flatten().filter(group).map(|one| one.coordinator);
                coordinators.collect::<BTreeSet<_>>().len() == 2
            },
        );
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "coordinator_move = { cluster = \"orders\", group = \"orders-consumers-0\", loading = \"15s\" }",
            &[
                "coordinator_move = { cluster = \"order\", group = \"orders-consumers-0\" }",
                "coordinator_move = { cluster = \"orders\", group = \"orders-consumer-0\" }",
            ],
        );
    }
}
