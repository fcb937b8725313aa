//! Refusals with 413.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::SHARE;
use super::super::stage::{Lot, Stage};
use super::super::words::{share_of, simpler_shares, to_share};
use super::super::{Action, FormFault, form};
use super::{NewRelicFault, begin_and_end};
use crate::config::quantity::SizeText;
use crate::sim::newrelic::IngestFault;
use crate::sim::scenario::NetworkSpec;

/// Refusals with 413.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PayloadTooLarge {
    /// Share of the requests that it hits, above 0 and at most 1; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0), extend("x-range" = SHARE, "x-absent" = "1"))]
    pub share: Option<f64>,
    /// Longest body, as sent, that passes; without it, none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-absent" = "0B"))]
    pub body_max: Option<SizeText>,
}

impl Body for PayloadTooLarge {
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
        format!("New Relic: 413 payload too large{}", to_share(self.share))
    }

    fn prose(&self) -> String {
        let prose = format!("New Relic answers {} with 413", share_of(self.share, "request"));
        match self.body_max {
            Some(size) => format!("{prose} if longer than {size}"),
            None => prose,
        }
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let fault =
            IngestFault::BodyTooLarge { body_bytes_max: self.body_max.map_or(0, |size| size.0) };
        begin_and_end(NewRelicFault::ingest(fault, self.share))
    }
}

impl Kind for PayloadTooLarge {
    const GROUP: Group = Group::NewRelic;
    const SUMMARY: &'static str = "New Relic refuses with 413 what is longer than a limit.";
    const PROSE: &'static str = "New Relic answers <requests> with 413[ if longer than <size>]";
    const EXAMPLE: &'static str = r#"payload_too_large = { share = 0.5, body_max = "64KiB" }"#;
    const AFFECTS: &'static [&'static str] =
        &["conservation", "loss", "recovery", "breaker", "freshness", "politeness"];

    fn draw(lot: &mut Lot, _stage: &Stage) -> Option<Self> {
        let body_max = lot.chance(0.7).then(|| SizeText(lot.between(1, 16) << 10));
        Some(Self { share: lot.share(), body_max })
    }

    fn simpler(&self) -> Vec<Self> {
        let shares = simpler_shares(self.share).into_iter();
        let shares = shares.map(|share| Self { share, ..self.clone() });
        let all = Self { body_max: None, ..self.clone() };
        shares.chain((all != *self).then_some(all)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use crate::sim::check::record::PostAnswer;

    #[test]
    fn requests_are_answered_with_413() {
        acts("payload_too_large = { share = 0.5 }", |run| run.answered(PostAnswer::Refused(413)));
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "payload_too_large = { share = 0.5 }",
            &["payload_too_large = { share = 0.0 }", "payload_too_large = { body_max = \"big\" }"],
        );
    }
}
