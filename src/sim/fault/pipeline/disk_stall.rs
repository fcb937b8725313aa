//! A disk that stands still.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::disk_fault;
use crate::sim::disk::DiskFault;
use crate::sim::scenario::NetworkSpec;

/// A disk that stands still.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskStall {}

impl Body for DiskStall {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn target(&self) -> String {
        super::DISK.to_owned()
    }

    fn label(&self) -> String {
        "disk of pipeline: stalled".to_owned()
    }

    fn prose(&self) -> String {
        "the pipeline's disk stalls".to_owned()
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        disk_fault(DiskFault::Stalled)
    }
}

impl Kind for DiskStall {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str = "No operation of the pipeline's disk ends before the fault does.";
    const PROSE: &'static str = "the pipeline's disk stalls";
    const AFFECTS: &'static [&'static str] =
        &["conservation", "loss", "recovery", "cycles", "bounded memory", "no panic"];

    fn draw(_lot: &mut Lot, stage: &Stage) -> Option<Self> {
        stage.spool.then_some(Self {})
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn nothing_is_sent_that_is_not_kept() {
        acts("disk_stall = {}", |run| run.posts().len() < 2);
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("disk_stall = {}", &[]);
    }
}
