//! A disk whose syncs do nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::disk_fault;
use crate::sim::disk::DiskFault;
use crate::sim::scenario::NetworkSpec;

/// A disk whose syncs do nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskLies {}

impl Body for DiskLies {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn target(&self) -> String {
        super::DISK.to_owned()
    }

    fn label(&self) -> String {
        "disk of pipeline: lying syncs".to_owned()
    }

    fn prose(&self) -> String {
        "the pipeline's disk syncs nothing and says that it did".to_owned()
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        disk_fault(DiskFault::LyingSync)
    }
}

impl Kind for DiskLies {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str = "Syncs of the pipeline's disk do nothing and say that they did; seen only when the power is lost.";
    const PROSE: &'static str = "the pipeline's disk syncs nothing and says that it did";
    const EXAMPLE: &'static str = "disk_lies = {}";
    const AFFECTS: &'static [&'static str] =
        &["conservation", "loss", "recovery", "cycles", "bounded memory", "no panic"];

    fn draw(_lot: &mut Lot, stage: &Stage) -> Option<Self> {
        stage.spool.then_some(Self {})
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts_on, refused};

    #[test]
    fn what_was_synced_is_gone_with_the_power() {
        let outage = "unavailable = {}\nat = \"21s\"\nlasts = \"30s\"";
        let power =
            "crash = { host = \"pipeline\", mode = \"power\" }\nat = \"38s\"\nlasts = \"5s\"";
        acts_on(&[outage, power], "disk_lies = {}", |run| {
            run.record.pipelines.last().is_some_and(|life| life.ledger.recovered == 0)
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("disk_lies = {}", &[]);
    }
}
