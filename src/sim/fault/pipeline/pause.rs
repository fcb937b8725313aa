//! A pipeline that stands still.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use crate::sim::scenario::{NetworkSpec, PIPELINE_HOST};
use crate::sim::world::NetworkFault;

/// A pipeline that stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {}

impl Body for Pause {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn target(&self) -> String {
        format!("host {PIPELINE_HOST}")
    }

    fn label(&self) -> String {
        "pause of pipeline".to_owned()
    }

    fn prose(&self) -> String {
        "the pipeline stands still".to_owned()
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let host = PIPELINE_HOST.to_owned();
        let end = NetworkFault::Resume { host: host.clone() };
        (vec![Action::Network(NetworkFault::Pause { host })], vec![Action::Network(end)])
    }
}

impl Kind for Pause {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str = "The pipeline's process stops and runs on later, as with SIGSTOP and SIGCONT; its clocks go on.";
    const PROSE: &'static str = "the pipeline stands still";
    const EXAMPLE: &'static str = "pause = {}";
    const AFFECTS: &'static [&'static str] =
        &["cycles", "freshness", "conservation", "recovery", "breaker", "politeness"];
    const KERNEL_ONLY: bool = true;

    fn draw(_lot: &mut Lot, _stage: &Stage) -> Option<Self> {
        Some(Self {})
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn no_cycle_begins_meanwhile() {
        acts("pause = {}", |run| run.cycles().len() < 2);
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("pause = {}", &["pause = { host = \"newrelic\" }"]);
    }
}
