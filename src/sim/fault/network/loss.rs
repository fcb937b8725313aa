//! A lossy link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::{link, link_target, pair};
use super::super::{Action, FormFault, form};
use super::ends;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::NetworkFault;

/// A lossy link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// The two hosts.
    #[schemars(extend("examples" = [["pipeline", "newrelic"]]))]
    pub between: [String; 2],
    /// Share of segments lost, 0 to 0.9.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub ratio: f64,
}

impl Body for Loss {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        self.between.iter().map(|host| ("between", host.clone())).collect()
    }

    fn form(&self) -> Vec<FormFault> {
        form::between(&self.between)
    }

    fn target(&self) -> String {
        link_target(&self.between, "loss")
    }

    fn label(&self) -> String {
        format!("loss of {}", link(&self.between))
    }

    fn prose(&self) -> String {
        let percent = (self.ratio * 1e6).round() / 1e4;
        format!("the link between {} loses {percent} % of its segments", pair(&self.between))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let lose = |ratio| {
            let (from, to) = ends(&self.between);
            vec![Action::Network(NetworkFault::Loss { from, to, ratio })]
        };
        (lose(self.ratio), lose(0.0))
    }
}

impl Kind for Loss {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str =
        "Loses a share of segments, seen as delay; a connection that loses too many in a row dies.";
    const PROSE: &'static str =
        "the link between <host> and <host> loses <percent> % of its segments";
    const EXAMPLE: &'static str =
        r#"loss = { between = ["pipeline", "orders-broker-2"], ratio = 0.3 }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let between = lot.link(stage)?;
        let twentieths = u32::try_from(lot.between(1, 10)).ok()?;
        Some(Self { between, ratio: f64::from(twentieths) / 20.0 })
    }

    fn simpler(&self) -> Vec<Self> {
        let milder = [0.1, 0.3].into_iter().filter(|ratio| *ratio < self.ratio);
        milder.map(|ratio| Self { ratio, ..self.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use std::time::Duration;

    #[test]
    fn cycles_wait_for_what_is_sent_again() {
        acts("loss = { between = [\"pipeline\", \"orders-broker-2\"], ratio = 0.4 }", |run| {
            run.slowest() > Duration::from_millis(150)
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "loss = { between = [\"pipeline\", \"orders-broker-2\"], ratio = 0.4 }",
            &[
                "loss = { between = [\"pipelin\", \"orders-broker-9\"], ratio = 0.1 }",
                "loss = { between = [\"pipeline\", \"orders-broker-2\"], ratio = 1.5 }",
            ],
        );
    }
}
