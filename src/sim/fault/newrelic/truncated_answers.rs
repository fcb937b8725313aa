//! Answers that break off.

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

/// Answers that break off.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TruncatedAnswers {
    /// Share of the requests that it hits, above 0 and at most 1; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0), extend("x-range" = SHARE, "x-absent" = "1"))]
    pub share: Option<f64>,
}

impl Body for TruncatedAnswers {
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
        format!("New Relic: half an answer{}", to_share(self.share))
    }

    fn prose(&self) -> String {
        format!("New Relic answers {} with half a body", share_of(self.share, "request"))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        begin_and_end(NewRelicFault::ingest(IngestFault::TruncatedBody, self.share))
    }
}

impl Kind for TruncatedAnswers {
    const GROUP: Group = Group::NewRelic;
    const SUMMARY: &'static str = "New Relic takes the data and answers 200 with half a body.";
    const PROSE: &'static str = "New Relic answers <requests> with half a body";
    const EXAMPLE: &'static str = "truncated_answers = { share = 0.5 }";
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
    fn what_was_taken_is_answered_in_vain() {
        acts("truncated_answers = { share = 0.5 }", |run| run.answered(PostAnswer::Unreadable));
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("truncated_answers = { share = 0.5 }", &["truncated_answers = { share = nan }"]);
    }
}
