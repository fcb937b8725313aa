//! A group that rebalances again and again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind, Object};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::{Action, FormFault};
use super::{of_group, on_cluster};
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
    /// From the begin of one rebalance to the begin of the next, at least a second.
    #[serde(default = "often")]
    #[schemars(extend("x-range" = "1s or more"))]
    pub every: DurationText,
}

fn often() -> DurationText {
    DurationText::from_secs(10)
}

impl Body for RebalanceStorm {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn objects(&self) -> Vec<(&'static str, Object)> {
        of_group(&self.cluster, &self.group)
    }

    fn form(&self) -> Vec<FormFault> {
        if self.every.as_millis() >= 1_000 {
            return Vec::new();
        }
        let message = "members cannot join faster than once a second";
        let help = "for example every = \"10s\"";
        vec![FormFault::new("every", &["every"], message, help)]
    }

    fn target(&self) -> String {
        format!("members of group {} in {}", self.group, self.cluster)
    }

    fn label(&self) -> String {
        format!("rebalances of {}", self.group)
    }

    fn prose(&self) -> String {
        format!(
            "consumer group \"{}\" of \"{}\" rebalances every {}",
            self.group, self.cluster, self.every
        )
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let group = self.group.clone();
        on_cluster(&self.cluster, FleetFault::RebalanceStorm { group, every: self.every.0 })
    }
}

impl Kind for RebalanceStorm {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A consumer group rebalances again and again: for about half of the time it is not stable, \
         and nothing is consumed.";
    const PROSE: &'static str = "consumer group <group> of <cluster> rebalances every <time>";
    const EXAMPLE: &'static str =
        r#"rebalance_storm = { cluster = "orders", group = "orders-consumers-0", every = "5s" }"#;
    const AFFECTS: &'static [&'static str] = &["ground truth", "honesty"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let (cluster, group) = lot.group(stage)?;
        Some(Self { cluster, group, every: lot.seconds(2, 60) })
    }

    fn simpler(&self) -> Vec<Self> {
        let usual = Self { every: often(), ..self.clone() };
        if usual == *self { Vec::new() } else { vec![usual] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use crate::sim::fleet::Observed;

    #[test]
    fn the_group_is_seen_rebalancing() {
        acts(
            "rebalance_storm = { cluster = \"orders\", group = \"orders-consumers-0\", every = \"3s\" }",
            |run| {
                let mut told = run.told().into_iter();
                told.any(|seen| match &seen.what {
                    Observed::Groups { groups, .. } => groups.iter().any(|group| {
                        &*group.group == "orders-consumers-0" && group.state == "PreparingRebalance"
                    }),
                    _ => false,
                })
            },
        );
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "rebalance_storm = { cluster = \"orders\", group = \"orders-consumers-0\", every = \"3s\" }",
            &[
                "rebalance_storm = { cluster = \"order\", group = \"orders-consumers-0\", every = \"3s\" }",
                "rebalance_storm = { cluster = \"orders\", group = \"orders-consumer-0\", every = \"3s\" }",
            ],
        );
    }
}
