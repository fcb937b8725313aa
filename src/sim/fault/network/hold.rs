//! A link that keeps what is sent over it.

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

/// A link that keeps what is sent over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The two hosts.
    #[schemars(extend("examples" = [["pipeline", "newrelic"]]))]
    pub between: [String; 2],
    /// Only what the first sends to the second is affected.
    #[serde(default)]
    pub one_way: bool,
}

impl Body for Hold {
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
        super::arrow_label("hold", &self.between, self.one_way)
    }

    fn prose(&self) -> String {
        if self.one_way {
            let (from, to) = (who(&self.between[0]), who(&self.between[1]));
            return format!("everything that {from} sends to {to} is held");
        }
        format!("everything between {} is held", pair(&self.between))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let (from, to) = ends(&self.between);
        let end = NetworkFault::Release { from: from.clone(), to: to.clone() };
        let begin = NetworkFault::Hold { from, to, direction: super::direction(self.one_way) };
        (vec![Action::Network(begin)], vec![Action::Network(end)])
    }
}

impl Kind for Hold {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str =
        "Keeps everything between two hosts in the air until the end; nothing is lost.";
    const PROSE: &'static str = "everything between <host> and <host> is held | everything that <host> sends to <host> is held";
    const EXAMPLE: &'static str =
        r#"hold = { between = ["pipeline", "orders-broker-2"], one_way = true }"#;
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
    fn what_is_held_comes_too_late() {
        acts("hold = { between = [\"pipeline\", \"orders-broker-2\"] }", |run| {
            run.missing("log_dirs") > 0
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "hold = { between = [\"pipeline\", \"orders-broker-2\"] }",
            &[
                "hold = { between = [\"pipelin\", \"orders-broker-9\"] }",
                "hold = { between = [\"pipeline\", \"pipeline\"] }",
            ],
        );
    }
}
