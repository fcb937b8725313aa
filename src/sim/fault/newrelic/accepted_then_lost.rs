//! Answers that never come.

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

/// Answers that never come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptedThenLost {
    /// Share of the requests that it hits, above 0 and at most 1; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0), extend("x-range" = SHARE, "x-absent" = "1"))]
    pub share: Option<f64>,
}

impl Body for AcceptedThenLost {
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
        format!("New Relic: accepted, then lost{}", to_share(self.share))
    }

    fn prose(&self) -> String {
        format!("New Relic takes {} and drops the connection", share_of(self.share, "request"))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        begin_and_end(NewRelicFault::ingest(IngestFault::LostAnswer, self.share))
    }
}

impl Kind for AcceptedThenLost {
    const GROUP: Group = Group::NewRelic;
    const SUMMARY: &'static str =
        "New Relic takes the data, then drops the connection without an answer.";
    const PROSE: &'static str = "New Relic takes <requests> and drops the connection";
    const EXAMPLE: &'static str = "accepted_then_lost = { share = 0.5 }";
    const AFFECTS: &'static [&'static str] =
        &["conservation", "recovery", "breaker", "freshness", "politeness", "as a user sees it"];

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
    fn what_was_taken_has_no_answer() {
        acts("accepted_then_lost = { share = 0.5 }", |run| {
            run.answered(PostAnswer::None { sent: true })
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("accepted_then_lost = { share = 0.5 }", &["accepted_then_lost = { share = 0.0 }"]);
    }
}
