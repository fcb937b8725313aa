//! Refusals with 429, with a wait.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::{RETRY_AFTER, SHARE};
use super::super::stage::{Lot, Stage};
use super::super::words::{share_of, simpler_shares, to_share};
use super::super::{Action, FormFault, form};
use super::{NewRelicFault, begin_and_end};
use crate::config::quantity::DurationText;
use crate::sim::newrelic::IngestFault;
use crate::sim::scenario::NetworkSpec;

/// The wait of a 429 that says nothing else.
const RETRY_AFTER_DEFAULT: DurationText = DurationText::from_secs(30);

/// Refusals with 429, with a wait.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TooManyRequests {
    /// Share of the requests that it hits, above 0 and at most 1; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0), extend("x-range" = SHARE, "x-absent" = "1"))]
    pub share: Option<f64>,
    /// `Retry-After` in whole seconds, up to a day; 30s when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-range" = RETRY_AFTER, "x-absent" = "30s"))]
    pub retry_after: Option<DurationText>,
}

impl Body for TooManyRequests {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn form(&self) -> Vec<FormFault> {
        [form::share(self.share), form::retry_after(self.retry_after)].concat()
    }

    fn target(&self) -> String {
        "newrelic".to_owned()
    }

    fn label(&self) -> String {
        format!("New Relic: 429 too many requests{}", to_share(self.share))
    }

    fn prose(&self) -> String {
        let prose = format!("New Relic answers {} with 429", share_of(self.share, "request"));
        match self.retry_after {
            Some(wait) => format!("{prose} and asks for {wait}"),
            None => prose,
        }
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let retry_after_seconds =
            Some(super::whole_seconds(self.retry_after.unwrap_or(RETRY_AFTER_DEFAULT)));
        let fault = IngestFault::Status { code: 429, retry_after_seconds };
        begin_and_end(NewRelicFault::ingest(fault, self.share))
    }
}

impl Kind for TooManyRequests {
    const GROUP: Group = Group::NewRelic;
    const SUMMARY: &'static str = "New Relic refuses with 429 and says when to come again.";
    const PROSE: &'static str = "New Relic answers <requests> with 429[ and asks for <time>]";
    const EXAMPLE: &'static str = r#"too_many_requests = { share = 0.5, retry_after = "10s" }"#;
    const AFFECTS: &'static [&'static str] =
        &["recovery", "breaker", "conservation", "loss", "freshness", "politeness"];

    fn draw(lot: &mut Lot, _stage: &Stage) -> Option<Self> {
        let retry_after = lot.chance(0.5).then(|| lot.seconds(1, 60));
        Some(Self { share: lot.share(), retry_after })
    }

    fn simpler(&self) -> Vec<Self> {
        let shares = simpler_shares(self.share).into_iter();
        let shares = shares.map(|share| Self { share, ..self.clone() });
        let usual = Self { retry_after: None, ..self.clone() };
        shares.chain((usual != *self).then_some(usual)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use crate::sim::check::record::PostAnswer;

    #[test]
    fn requests_are_answered_with_429() {
        acts("too_many_requests = { share = 0.5 }", |run| run.answered(PostAnswer::Refused(429)));
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "too_many_requests = { share = 0.5 }",
            &[
                "too_many_requests = { share = 0.0 }",
                "too_many_requests = { retry_after = \"1500ms\" }",
            ],
        );
    }
}
