//! A jump of the pipeline's clock, there and back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use crate::sim::scenario::{NetworkSpec, PIPELINE_HOST};
use crate::sim::world::NetworkFault;

/// A jump of the pipeline's clock, there and back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockJump {
    /// Milliseconds ahead of true time; negative is behind.
    #[schemars(range(min = -3_600_000, max = 3_600_000), extend("x-unit" = "ms"))]
    pub offset_ms: i64,
}

impl Body for ClockJump {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn target(&self) -> String {
        format!("clock of {PIPELINE_HOST}")
    }

    fn label(&self) -> String {
        format!("clock of {PIPELINE_HOST} {:+} ms", self.offset_ms)
    }

    fn prose(&self) -> String {
        let way = if self.offset_ms < 0 { "back" } else { "ahead" };
        format!("the pipeline's clock jumps {way} by {} ms", self.offset_ms.unsigned_abs())
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let set = |offset_ms| {
            let host = PIPELINE_HOST.to_owned();
            vec![Action::Network(NetworkFault::Skew { host, offset_ms })]
        };
        (set(self.offset_ms), set(0))
    }
}

impl Kind for ClockJump {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str =
        "The pipeline's wall clock jumps, and jumps back to true time at the end.";
    const PROSE: &'static str = "the pipeline's clock jumps ahead by <number> ms | \
                                 the pipeline's clock jumps back by <number> ms";
    const EXAMPLE: &'static str = "clock_jump = { offset_ms = 60000 }";
    const AFFECTS: &'static [&'static str] =
        &["cycles", "ground truth", "freshness", "conservation", "politeness", "recovery"];

    fn draw(lot: &mut Lot, _stage: &Stage) -> Option<Self> {
        let offset_ms = i64::try_from(lot.millis(50, 120_000).as_millis()).ok()?;
        Some(Self { offset_ms: if lot.chance(0.5) { offset_ms } else { -offset_ms } })
    }

    fn simpler(&self) -> Vec<Self> {
        let nearer = [self.offset_ms.signum() * 1_000, self.offset_ms / 2];
        let nearer = nearer.into_iter().filter(|ms| ms.abs() < self.offset_ms.abs() && *ms != 0);
        nearer.map(|offset_ms| Self { offset_ms }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use crate::sim::check::record::CycleRecord;

    #[test]
    fn cycles_are_dated_wrongly() {
        acts("clock_jump = { offset_ms = 60_000 }", |run| {
            let off = |cycle: &&CycleRecord| run.record.sim_time(cycle.wall, 0) != cycle.started;
            run.cycles().iter().any(off)
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "clock_jump = { offset_ms = 60_000 }",
            &["clock_jump = { offset_ms = \"1s\" }", "clock_jump = { offset_ms = 3_600_001 }"],
        );
    }
}
