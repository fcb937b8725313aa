//! A slow broker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::{BROKER, SOME_TIME};
use super::super::stage::{Lot, Stage};
use super::super::words::{shorter, who};
use super::super::{Action, FormFault, form};
use super::{not_a_broker, on_broker};
use crate::config::quantity::DurationText;
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;

/// A slow broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// The broker's host.
    #[schemars(extend("x-range" = BROKER))]
    pub host: String,
    /// What every answer takes longer, give or take a quarter drawn per answer.
    #[schemars(extend("x-range" = SOME_TIME))]
    pub delay: DurationText,
}

impl Body for Slow {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        [not_a_broker(&self.host), form::some_time("delay", self.delay)].concat()
    }

    fn target(&self) -> String {
        format!("pace of {}", self.host)
    }

    fn label(&self) -> String {
        format!("slow answers from {}", self.host)
    }

    fn prose(&self) -> String {
        format!("every answer of {} takes {} longer", who(&self.host), self.delay)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        on_broker(&self.host, |broker| FleetFault::Slow { broker, delay: self.delay.0 })
    }
}

impl Kind for Slow {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str =
        "Every answer of a broker, its exporter's too, comes later by a given time.";
    const PROSE: &'static str = "every answer of <broker> takes <time> longer";
    const EXAMPLE: &'static str = r#"slow = { host = "orders-broker-2", delay = "300ms" }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "cycles", "ground truth"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { host: lot.broker(stage)?, delay: lot.millis(50, 10_000) })
    }

    fn simpler(&self) -> Vec<Self> {
        let milder = shorter(self.delay, DurationText::from_millis(20)).into_iter();
        milder.map(|delay| Self { delay, ..self.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use std::time::Duration;

    #[test]
    fn cycles_take_longer() {
        acts("slow = { host = \"orders-broker-2\", delay = \"300ms\" }", |run| {
            run.slowest() > Duration::from_millis(600)
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "slow = { host = \"orders-broker-2\", delay = \"300ms\" }",
            &[
                "slow = { host = \"orders-brokr-2\", delay = \"1s\" }",
                "slow = { host = \"pipeline\", delay = \"1s\" }",
                "slow = { host = \"orders-broker-2\", delay = \"0s\" }",
            ],
        );
    }
}
