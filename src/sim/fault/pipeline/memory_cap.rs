//! A cap on the pipeline's memory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::{Action, FormFault};
use crate::config::quantity::{DurationText, SizeText};
use crate::sim::scenario::{NetworkSpec, PIPELINE_HOST};

/// A cap on the pipeline's memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryCap {
    /// Bytes that the events in its memory may take.
    #[schemars(extend("x-range" = "1B or more"))]
    pub bytes: SizeText,
    /// How long it stays down after a kill, at most until the fault's end.
    #[serde(default = "down_default")]
    pub down: DurationText,
}

fn down_default() -> DurationText {
    DurationText::from_secs(5)
}

impl Body for MemoryCap {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn form(&self) -> Vec<FormFault> {
        if self.bytes.0 > 0 {
            return Vec::new();
        }
        let message = "a pipeline without memory cannot run";
        let help = "for example bytes = \"64KiB\"; `crash` takes it down for certain";
        vec![FormFault::new("memory_cap", &["bytes"], message, help)]
    }

    fn target(&self) -> String {
        format!("host {PIPELINE_HOST}")
    }

    fn label(&self) -> String {
        format!("memory cap of {} on {PIPELINE_HOST}", self.bytes)
    }

    fn prose(&self) -> String {
        let Self { bytes, down } = self;
        format!("the pipeline is killed for {down} whenever its events take more than {bytes}")
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        (vec![Action::MemoryCap(self.clone())], vec![Action::MemoryCapOver])
    }
}

impl Kind for MemoryCap {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str = "A cgroup's limit: the pipeline is killed when its events take more memory, and starts \
         again.";
    const PROSE: &'static str =
        "the pipeline is killed for <time> whenever its events take more than <size>";
    const EXAMPLE: &'static str = r#"memory_cap = { bytes = "64KiB", down = "10s" }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "conservation", "loss", "recovery", "cycles"];

    fn draw(lot: &mut Lot, _stage: &Stage) -> Option<Self> {
        let bytes = SizeText(lot.between(1, 8) << (10 + lot.between(0, 8)));
        Some(Self { bytes, down: lot.seconds(1, 20) })
    }

    fn simpler(&self) -> Vec<Self> {
        let usual = Self { down: down_default(), ..self.clone() };
        let usual = (usual != *self).then_some(usual);
        let rarer = [1 << 20, self.bytes.0.saturating_mul(2)].into_iter();
        let rarer = rarer.filter(|bytes| *bytes > self.bytes.0 && *bytes <= 1 << 20);
        let rarer = rarer.map(|bytes| Self { bytes: SizeText(bytes), ..self.clone() });
        usual.into_iter().chain(rarer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts_on, refused};

    #[test]
    fn what_needs_more_is_killed() {
        let outage = "unavailable = {}\nat = \"15s\"\nlasts = \"30s\"";
        acts_on(&[outage], "memory_cap = { bytes = \"1KiB\", down = \"2s\" }", |run| {
            run.record.pipelines.len() > 1
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused("memory_cap = { bytes = \"1KiB\" }", &["memory_cap = { bytes = \"0B\" }"]);
    }
}
