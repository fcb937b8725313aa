//! A crash of one host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::who;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::{CrashMode, NetworkFault};

/// A crash of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Which host.
    pub host: String,
    /// `process`: peers see it at once; `power`: silence.
    #[serde(default)]
    pub mode: CrashModeSpec,
}

/// How a host goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrashModeSpec {
    /// The process dies, the operating system answers for it.
    #[default]
    Process,
    /// The machine is gone without a word.
    Power,
}

impl CrashModeSpec {
    /// As the world has it.
    pub const fn mode(self) -> CrashMode {
        match self {
            Self::Process => CrashMode::Process,
            Self::Power => CrashMode::Power,
        }
    }
}

impl Body for Crash {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn target(&self) -> String {
        format!("host {}", self.host)
    }

    fn label(&self) -> String {
        let what = if self.mode == CrashModeSpec::Power { "power loss" } else { "crash" };
        format!("{what} of {}", self.host)
    }

    fn prose(&self) -> String {
        let does = if self.mode == CrashModeSpec::Power { "loses power" } else { "crashes" };
        format!("{} {does}", who(&self.host))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let begin = NetworkFault::Crash { host: self.host.clone(), mode: self.mode.mode() };
        let end = NetworkFault::Restart { host: self.host.clone() };
        (vec![Action::Network(begin)], vec![Action::Network(end)])
    }
}

impl Kind for Crash {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "Takes a host down and starts it again at the end.";
    const PROSE: &'static str = "<host> crashes | <host> loses power";
    const EXAMPLE: &'static str = r#"crash = { host = "orders-broker-2", mode = "power" }"#;
    const AFFECTS: &'static [&'static str] = &[
        "coverage",
        "honesty",
        "freshness",
        "ground truth",
        "health score",
        "conservation",
        "loss",
        "recovery",
        "cycles",
        "breaker",
        "as a user sees it",
    ];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let host = lot.host(stage)?;
        let mode = if lot.chance(0.5) { CrashModeSpec::Process } else { CrashModeSpec::Power };
        Some(Self { host, mode })
    }

    fn simpler(&self) -> Vec<Self> {
        let plain = Self { host: self.host.clone(), mode: CrashModeSpec::Process };
        if plain == *self { Vec::new() } else { vec![plain] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn its_figures_are_missing() {
        acts("crash = { host = \"orders-broker-2\" }", |run| {
            run.broker_down(2) && run.missing("scrape") > 0
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "crash = { host = \"orders-broker-2\" }",
            &[
                "crash = { host = \"orders-brokr-2\" }",
                "crash = { host = \"orders-broker-2\", mode = \"slowly\" }",
            ],
        );
    }
}
