//! A slow disk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::SOME_TIME;
use super::super::stage::{Lot, Stage};
use super::super::words::shorter;
use super::super::{Action, FormFault, form};
use super::disk_fault;
use crate::config::quantity::DurationText;
use crate::sim::disk::DiskFault;
use crate::sim::scenario::NetworkSpec;

/// A slow disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskSlow {
    /// What each operation takes.
    #[schemars(extend("x-range" = SOME_TIME))]
    pub latency: DurationText,
}

impl Body for DiskSlow {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn form(&self) -> Vec<FormFault> {
        form::some_time("latency", self.latency)
    }

    fn target(&self) -> String {
        super::DISK.to_owned()
    }

    fn label(&self) -> String {
        "disk of pipeline: slow".to_owned()
    }

    fn prose(&self) -> String {
        format!("every operation of the pipeline's disk takes {}", self.latency)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        disk_fault(DiskFault::Slow { per_operation: self.latency.0 })
    }
}

impl Kind for DiskSlow {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str = "Every operation of the pipeline's disk takes long.";
    const PROSE: &'static str = "every operation of the pipeline's disk takes <time>";
    const EXAMPLE: &'static str = r#"disk_slow = { latency = "200ms" }"#;
    const AFFECTS: &'static [&'static str] =
        &["conservation", "loss", "recovery", "cycles", "bounded memory", "no panic"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let latency = lot.millis(1, 200);
        stage.spool.then_some(Self { latency })
    }

    fn simpler(&self) -> Vec<Self> {
        let milder = shorter(self.latency, DurationText::from_millis(1)).into_iter();
        milder.map(|latency| Self { latency }).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::testing::{acts, refused};

    #[test]
    fn posts_wait_for_the_spool() {
        acts("disk_slow = { latency = \"100ms\" }", |run| {
            let waited = run.cycles().into_iter().map(|cycle| {
                let mut later = run.posts().into_iter().filter(|post| post.began >= cycle.started);
                later.next().map(|post| post.began - cycle.collected)
            });
            waited.flatten().any(|waited| waited >= Duration::from_millis(100))
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("disk_slow = { latency = \"1ms\" }", &["disk_slow = { latency = \"0s\" }"]);
    }
}
