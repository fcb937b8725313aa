//! Entities that come late.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::SOME_TIME;
use super::super::stage::{Lot, Stage};
use super::super::words::shorter;
use super::super::{Action, FormFault, form};
use super::{NewRelicFault, begin_and_end};
use crate::config::quantity::DurationText;
use crate::sim::scenario::NetworkSpec;

/// Entities that come late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LateSynthesis {
    /// How much later than usual entities become visible.
    #[schemars(extend("x-range" = SOME_TIME))]
    pub lag: DurationText,
}

impl Body for LateSynthesis {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn form(&self) -> Vec<FormFault> {
        form::some_time("lag", self.lag)
    }

    fn target(&self) -> String {
        "synthesis of newrelic".to_owned()
    }

    fn label(&self) -> String {
        "New Relic: late synthesis".to_owned()
    }

    fn prose(&self) -> String {
        format!("New Relic makes entities visible {} late", self.lag)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        begin_and_end(NewRelicFault::LateSynthesis { lag: self.lag.0 })
    }
}

impl Kind for LateSynthesis {
    const GROUP: Group = Group::NewRelic;
    const SUMMARY: &'static str =
        "New Relic takes and answers as ever, but entities become visible late.";
    const PROSE: &'static str = "New Relic makes entities visible <time> late";
    const EXAMPLE: &'static str = r#"late_synthesis = { lag = "10s" }"#;
    const AFFECTS: &'static [&'static str] =
        &["synthesis lag", "relationships", "as a user sees it"];

    fn draw(lot: &mut Lot, _stage: &Stage) -> Option<Self> {
        Some(Self { lag: lot.seconds(1, 60) })
    }

    fn simpler(&self) -> Vec<Self> {
        let sooner = shorter(self.lag, DurationText::from_secs(1)).into_iter();
        sooner.map(|lag| Self { lag }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use std::time::Duration;

    #[test]
    fn entities_come_late() {
        acts("late_synthesis = { lag = \"10s\" }\nat = \"0s\"\nlasts = \"20s\"", |run| {
            let mut entities = run.record.newrelic.entities.iter();
            entities.any(|one| one.visible_at - one.first_event_at > Duration::from_secs(9))
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "late_synthesis = { lag = \"10s\" }",
            &[
                "late_synthesis = { lag = \"0s\" }",
                "late_synthesis = { lag = \"1s\", share = 0.5 }",
            ],
        );
    }
}
