//! Refusals with 500.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::SHARE;
use super::super::stage::{Lot, Stage};
use super::super::words::{share_of, simpler_shares, to_share};
use super::super::{Action, FormFault, form};
use super::{NewRelicFault, begin_and_end};
use crate::sim::newrelic::IngestFault;
use crate::sim::scenario::NetworkSpec;

/// Refusals with 500.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerError {
    /// Share of the requests that it hits, above 0 and at most 1; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0), extend("x-range" = SHARE, "x-absent" = "1"))]
    pub share: Option<f64>,
}

impl Body for ServerError {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn form(&self) -> Vec<FormFault> {
        form::share(self.share)
    }

    fn target(&self) -> String {
        "newrelic".to_owned()
    }

    fn label(&self) -> String {
        format!("New Relic: 500 error{}", to_share(self.share))
    }

    fn prose(&self) -> String {
        format!("New Relic answers {} with 500", share_of(self.share, "request"))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let fault = IngestFault::Status { code: 500, retry_after_seconds: None };
        begin_and_end(NewRelicFault::ingest(fault, self.share))
    }
}

impl Kind for ServerError {
    const GROUP: Group = Group::NewRelic;
    const SUMMARY: &'static str = "New Relic refuses with 500 before it looks at anything.";
    const PROSE: &'static str = "New Relic answers <requests> with 500";
    const EXAMPLE: &'static str = "server_error = { share = 0.5 }";
    const AFFECTS: &'static [&'static str] =
        &["recovery", "breaker", "conservation", "loss", "freshness", "politeness"];

    fn draw(lot: &mut Lot, _stage: &Stage) -> Option<Self> {
        Some(Self { share: lot.share() })
    }

    fn simpler(&self) -> Vec<Self> {
        simpler_shares(self.share).into_iter().map(|share| Self { share }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use crate::sim::check::record::PostAnswer;

    #[test]
    fn requests_are_answered_with_500() {
        acts("server_error = { share = 0.5 }", |run| run.answered(PostAnswer::Refused(500)));
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("server_error = { share = 0.5 }", &["server_error = { share = 0.0 }"]);
    }
}
