//! Connections that are dead, and nobody told.

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

/// Connections that are dead, and nobody told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HalfOpen {
    /// The two hosts.
    #[schemars(extend("examples" = [["pipeline", "newrelic"]]))]
    pub between: [String; 2],
}

impl Body for HalfOpen {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        self.between.iter().map(|host| ("between", host.clone())).collect()
    }

    fn form(&self) -> Vec<FormFault> {
        form::between(&self.between)
    }

    fn target(&self) -> String {
        link_target(&self.between, "half-open")
    }

    fn label(&self) -> String {
        format!("half-open connections of {}", link(&self.between))
    }

    fn prose(&self) -> String {
        format!("every open connection between {} goes dead without a word", pair(&self.between))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let (from, to) = ends(&self.between);
        (vec![Action::Network(NetworkFault::HalfOpen { from, to })], Vec::new())
    }
}

impl Kind for HalfOpen {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str = "Every open connection between two hosts goes dead without a word, for good; new ones work.";
    const PROSE: &'static str =
        "every open connection between <host> and <host> goes dead without a word";
    const EXAMPLE: &'static str = r#"half_open = { between = ["pipeline", "newrelic"] }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];
    const INSTANT: bool = true;
    const KERNEL_ONLY: bool = true;

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { between: lot.link(stage)? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts_on, refused};
    use crate::sim::check::record::PostAnswer;

    #[test]
    fn a_post_under_way_gets_no_answer() {
        acts_on(
            &["slow_answers = { after = \"1s\" }\nat = \"10s\"\nlasts = \"30s\""],
            "half_open = { between = [\"pipeline\", \"newrelic\"] }\nat = \"25500ms\"",
            |run| run.answered(PostAnswer::None { sent: true }),
        );
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "half_open = { between = [\"pipeline\", \"newrelic\"] }",
            &[
                "half_open = { between = [\"pipelin\", \"orders-broker-9\"] }",
                "half_open = { between = [\"pipeline\", \"pipeline\"] }",
            ],
        );
    }
}
