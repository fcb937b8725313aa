//! A slow link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::{link, link_target, pair, shorter};
use super::super::{Action, FormFault, form};
use super::ends;
use crate::config::quantity::DurationText;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::NetworkFault;

/// A slow link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The two hosts.
    #[schemars(extend("examples" = [["pipeline", "newrelic"]]))]
    pub between: [String; 2],
    /// One-way delay.
    pub latency: DurationText,
    /// Largest extra delay per delivery.
    #[serde(default)]
    pub jitter: DurationText,
}

impl Body for Latency {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        self.between.iter().map(|host| ("between", host.clone())).collect()
    }

    fn form(&self) -> Vec<FormFault> {
        form::between(&self.between)
    }

    fn target(&self) -> String {
        link_target(&self.between, "latency")
    }

    fn label(&self) -> String {
        format!("latency of {}", link(&self.between))
    }

    fn prose(&self) -> String {
        let prose =
            format!("the link between {} takes {} each way", pair(&self.between), self.latency);
        if self.jitter.0.is_zero() { prose } else { format!("{prose}, up to {} more", self.jitter) }
    }

    fn actions(&self, normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let set = |latency: DurationText, jitter: DurationText| {
            let (from, to) = ends(&self.between);
            vec![Action::Network(NetworkFault::Latency {
                from,
                to,
                latency: latency.0,
                jitter: jitter.0,
            })]
        };
        (set(self.latency, self.jitter), set(normal.latency, normal.jitter))
    }
}

impl Kind for Latency {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str = "Slows a link down; with jitter, by more for some deliveries.";
    const PROSE: &'static str =
        "the link between <host> and <host> takes <time> each way[, up to <time> more]";
    const EXAMPLE: &'static str =
        r#"latency = { between = ["pipeline", "newrelic"], latency = "200ms", jitter = "50ms" }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let between = lot.link(stage)?;
        let jitter = if lot.chance(0.5) { lot.millis(5, 1_000) } else { DurationText::default() };
        Some(Self { between, latency: lot.millis(20, 3_000), jitter })
    }

    fn simpler(&self) -> Vec<Self> {
        let steady = Self { jitter: DurationText::default(), ..self.clone() };
        let steady = (steady != *self).then_some(steady);
        let milder = shorter(self.latency, DurationText::from_millis(10));
        let milder = milder.into_iter().map(|latency| Self { latency, ..self.clone() });
        steady.into_iter().chain(milder).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use std::time::Duration;

    #[test]
    fn cycles_take_longer() {
        acts(
            "latency = { between = [\"pipeline\", \"orders-broker-2\"], latency = \"300ms\" }",
            |run| run.slowest() > Duration::from_millis(600),
        );
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "latency = { between = [\"pipeline\", \"orders-broker-2\"], latency = \"300ms\" }",
            &[
                "latency = { between = [\"pipelin\", \"orders-broker-9\"], latency = \"1s\" }",
                "latency = { between = [\"pipeline\", \"orders-broker-2\"], latency = \"1\" }",
            ],
        );
    }
}
