//! A host that is stopped and goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::who;
use crate::sim::scenario::{NetworkSpec, PIPELINE_HOST};
use crate::sim::world::NetworkFault;

/// A host that is stopped and goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Which host; without it, the pipeline.
    #[serde(default = "pipeline")]
    pub host: String,
}

fn pipeline() -> String {
    PIPELINE_HOST.to_owned()
}

impl Body for Pause {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn target(&self) -> String {
        format!("host {}", self.host)
    }

    fn label(&self) -> String {
        format!("pause of {}", self.host)
    }

    fn prose(&self) -> String {
        format!("{} stands still", who(&self.host))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let pause = NetworkFault::Pause { host: self.host.clone() };
        let resume = NetworkFault::Resume { host: self.host.clone() };
        (vec![Action::Network(pause)], vec![Action::Network(resume)])
    }
}

impl Kind for Pause {
    const GROUP: Group = Group::Pipeline;
    const SUMMARY: &'static str = "Nothing on a host runs (SIGSTOP, a frozen machine) while its clocks go on; its system still \
         takes connections and data until its buffers are full.";
    const PROSE: &'static str = "<host> stands still";
    const AFFECTS: &'static [&'static str] = &[
        "coverage",
        "freshness",
        "honesty",
        "conservation",
        "recovery",
        "breaker",
        "cycles",
        "politeness",
    ];
    const KERNEL_ONLY: bool = true;

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let host = if lot.chance(0.5) { pipeline() } else { lot.host(stage)? };
        Some(Self { host })
    }
}
