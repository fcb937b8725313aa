//! A link whose delay varies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::SOME_TIME;
use super::super::stage::{Lot, Stage};
use super::super::words::{link, link_target, pair, shorter};
use super::super::{Action, FormFault, form};
use super::ends;
use crate::config::quantity::DurationText;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::NetworkFault;

/// A link whose delay varies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// The two hosts.
    #[schemars(extend("examples" = [["pipeline", "newrelic"]]))]
    pub between: [String; 2],
    /// Largest extra delay per delivery.
    #[schemars(extend("x-range" = SOME_TIME))]
    pub jitter: DurationText,
}

impl Body for Jitter {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        self.between.iter().map(|host| ("between", host.clone())).collect()
    }

    fn form(&self) -> Vec<FormFault> {
        [form::between(&self.between), form::some_time("jitter", self.jitter)].concat()
    }

    fn target(&self) -> String {
        link_target(&self.between, "latency")
    }

    fn label(&self) -> String {
        format!("jitter of {}", link(&self.between))
    }

    fn prose(&self) -> String {
        format!(
            "the link between {} takes up to {} more, at random",
            pair(&self.between),
            self.jitter
        )
    }

    fn actions(&self, normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let set = |jitter: DurationText| {
            let ((from, to), latency) = (ends(&self.between), normal.latency.0);
            vec![Action::Network(NetworkFault::Latency { from, to, latency, jitter: jitter.0 })]
        };
        (set(self.jitter), set(normal.jitter))
    }
}

impl Kind for Jitter {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str = "Delays each delivery over a link by a time of its own, drawn up to a limit; order is kept.";
    const PROSE: &'static str =
        "the link between <host> and <host> takes up to <time> more, at random";
    const EXAMPLE: &'static str =
        r#"jitter = { between = ["pipeline", "orders-broker-2"], jitter = "1s" }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { between: lot.link(stage)?, jitter: lot.millis(20, 3_000) })
    }

    fn simpler(&self) -> Vec<Self> {
        let milder = shorter(self.jitter, DurationText::from_millis(10)).into_iter();
        milder.map(|jitter| Self { jitter, ..self.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use std::time::Duration;

    #[test]
    fn cycles_take_longer() {
        acts(
            "jitter = { between = [\"pipeline\", \"orders-broker-2\"], jitter = \"1s\" }",
            |run| run.slowest() > Duration::from_millis(600),
        );
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "jitter = { between = [\"pipeline\", \"orders-broker-2\"], jitter = \"1s\" }",
            &[
                "jitter = { between = [\"pipelin\", \"orders-broker-9\"], jitter = \"1s\" }",
                "jitter = { between = [\"pipeline\", \"orders-broker-2\"], jitter = \"0s\" }",
            ],
        );
    }
}
