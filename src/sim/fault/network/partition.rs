//! A cut between two hosts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::{link_target, pair, who};
use super::super::{Action, FormFault, form};
use super::ends;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::NetworkFault;

/// A cut between two hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The two hosts.
    #[schemars(extend("examples" = [["pipeline", "newrelic"]]))]
    pub between: [String; 2],
    /// Only what the first sends to the second is affected.
    #[serde(default)]
    pub one_way: bool,
}

impl Body for Partition {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        self.between.iter().map(|host| ("between", host.clone())).collect()
    }

    fn form(&self) -> Vec<FormFault> {
        form::between(&self.between)
    }

    fn target(&self) -> String {
        link_target(&self.between, "partition")
    }

    fn label(&self) -> String {
        super::arrow_label("partition", &self.between, self.one_way)
    }

    fn prose(&self) -> String {
        if self.one_way {
            return format!(
                "nothing that {} sends reaches {}",
                who(&self.between[0]),
                who(&self.between[1])
            );
        }
        format!("the link between {} is cut", pair(&self.between))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let (from, to) = ends(&self.between);
        let end = NetworkFault::Repair { from: from.clone(), to: to.clone() };
        let begin = NetworkFault::Partition { from, to, direction: super::direction(self.one_way) };
        (vec![Action::Network(begin)], vec![Action::Network(end)])
    }
}

impl Kind for Partition {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str =
        "Nothing passes between two hosts, or nothing one way; connections survive if it is short.";
    const PROSE: &'static str =
        "the link between <host> and <host> is cut | nothing that <host> sends reaches <host>";
    const EXAMPLE: &'static str =
        r#"partition = { between = ["pipeline", "newrelic"], one_way = true }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let mut between = lot.link(stage)?;
        if lot.chance(0.5) {
            between.reverse();
        }
        Some(Self { between, one_way: lot.chance(0.3) })
    }

    fn simpler(&self) -> Vec<Self> {
        let both_ways = Self { between: self.between.clone(), one_way: false };
        if self.one_way { vec![both_ways] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn a_cut_off_broker_is_missing() {
        acts("partition = { between = [\"pipeline\", \"orders-broker-2\"] }", |run| {
            run.missing("scrape") > 0
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "partition = { between = [\"pipeline\", \"orders-broker-2\"] }",
            &[
                "partition = { between = [\"pipelin\", \"orders-broker-9\"] }",
                "partition = { between = [\"pipeline\", \"pipeline\"] }",
            ],
        );
    }
}
