//! Answers to what nobody asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::{BROKER, SHARE};
use super::super::stage::{Lot, Stage};
use super::super::words::{share_of, simpler_shares, who};
use super::super::{Action, FormFault, form};
use super::{not_a_broker, on_broker};
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;

/// Answers to what nobody asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrongCorrelationId {
    /// The broker's host.
    #[schemars(extend("x-range" = BROKER))]
    pub host: String,
    /// Share of the answers that it hits, above 0 and at most 1; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0), extend("x-range" = SHARE, "x-absent" = "1"))]
    pub share: Option<f64>,
}

impl Body for WrongCorrelationId {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        [not_a_broker(&self.host), form::share(self.share)].concat()
    }

    fn target(&self) -> String {
        format!("frames of {}", self.host)
    }

    fn label(&self) -> String {
        format!("wrong correlation ids from {}", self.host)
    }

    fn prose(&self) -> String {
        format!(
            "{} of {} has a wrong correlation id",
            share_of(self.share, "answer"),
            who(&self.host)
        )
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        on_broker(&self.host, |broker| FleetFault::WrongCorrelationId {
            broker,
            share: self.share.unwrap_or(1.0),
        })
    }
}

impl Kind for WrongCorrelationId {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "Answers of a broker carry a correlation id that no request had.";
    const PROSE: &'static str = "<answers> of <broker> has a wrong correlation id";
    const EXAMPLE: &'static str =
        r#"wrong_correlation_id = { host = "orders-broker-2", share = 0.3 }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "ground truth", "health score", "relationships"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { host: lot.broker(stage)?, share: lot.share() })
    }

    fn simpler(&self) -> Vec<Self> {
        let shares = simpler_shares(self.share).into_iter();
        shares.map(|share| Self { share, ..self.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn what_it_should_have_told_is_missing() {
        acts("wrong_correlation_id = { host = \"orders-broker-2\" }", |run| {
            run.missing("log_dirs") > 0
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "wrong_correlation_id = { host = \"orders-broker-2\" }",
            &[
                "wrong_correlation_id = { host = \"orders-brokr-2\" }",
                "wrong_correlation_id = { host = \"pipeline\" }",
                "wrong_correlation_id = { host = \"orders-broker-2\", share = 0.0 }",
            ],
        );
    }
}
