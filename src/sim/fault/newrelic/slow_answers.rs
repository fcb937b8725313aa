//! Answers that come late.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::{SHARE, SOME_TIME};
use super::super::stage::{Lot, Stage};
use super::super::words::{share_of, shorter, simpler_shares, to_share};
use super::super::{Action, FormFault, form};
use super::{NewRelicFault, begin_and_end};
use crate::config::quantity::DurationText;
use crate::sim::newrelic::IngestFault;
use crate::sim::scenario::NetworkSpec;

/// Answers that come late.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowAnswers {
    /// Share of the requests that it hits, above 0 and at most 1; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0), extend("x-range" = SHARE, "x-absent" = "1"))]
    pub share: Option<f64>,
    /// How long after taking a request it answers.
    #[schemars(extend("x-range" = SOME_TIME))]
    pub after: DurationText,
}

impl Body for SlowAnswers {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn form(&self) -> Vec<FormFault> {
        [form::share(self.share), form::some_time("after", self.after)].concat()
    }

    fn target(&self) -> String {
        "newrelic".to_owned()
    }

    fn label(&self) -> String {
        format!("New Relic: slow answers{}", to_share(self.share))
    }

    fn prose(&self) -> String {
        format!("New Relic answers {} after {}", share_of(self.share, "request"), self.after)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        begin_and_end(NewRelicFault::ingest(IngestFault::Slow(self.after.0), self.share))
    }
}

impl Kind for SlowAnswers {
    const GROUP: Group = Group::NewRelic;
    const SUMMARY: &'static str = "New Relic takes the data at once and answers late.";
    const PROSE: &'static str = "New Relic answers <requests> after <time>";
    const EXAMPLE: &'static str = r#"slow_answers = { share = 0.5, after = "3s" }"#;
    const AFFECTS: &'static [&'static str] =
        &["conservation", "recovery", "breaker", "freshness", "politeness", "as a user sees it"];

    fn draw(lot: &mut Lot, _stage: &Stage) -> Option<Self> {
        Some(Self { share: lot.share(), after: lot.millis(200, 60_000) })
    }

    fn simpler(&self) -> Vec<Self> {
        let shares = simpler_shares(self.share).into_iter();
        let shares = shares.map(|share| Self { share, ..self.clone() });
        let sooner = shorter(self.after, DurationText::from_millis(100)).into_iter();
        shares.chain(sooner.map(|after| Self { after, ..self.clone() })).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use std::time::Duration;

    #[test]
    fn posts_take_longer() {
        acts("slow_answers = { after = \"1s\" }", |run| {
            run.longest_post() > Duration::from_millis(900)
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "slow_answers = { after = \"3s\" }",
            &[
                "slow_answers = { after = \"0s\" }",
                "slow_answers = { after = \"1s\", share = 1.1 }",
            ],
        );
    }
}
