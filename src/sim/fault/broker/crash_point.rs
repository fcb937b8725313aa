//! A crash at a point of the host's own doing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::{lower, who};
use super::super::{Action, FormFault};
use super::crash::CrashModeSpec;
use crate::config::quantity::DurationText;
use crate::sim::scenario::NetworkSpec;

/// A crash at a point of the host's own doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrashPoint {
    /// Which host.
    pub host: String,
    /// After which of its disk and network events, counted from 1 at the fault's begin: a packet
    /// that it sends, a packet that reaches it, an operation of its disk. Nothing that it does
    /// afterwards takes effect.
    #[schemars(range(min = 1), extend("x-unit" = "events"))]
    pub event: u64,
    /// `process`: peers see it at once; `power`: silence.
    #[serde(default)]
    pub mode: CrashModeSpec,
    /// How long it stays down, at most until the fault's end.
    #[serde(default = "down_default")]
    pub down: DurationText,
}

fn down_default() -> DurationText {
    DurationText::from_secs(5)
}

impl Body for CrashPoint {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        if self.event > 0 {
            return Vec::new();
        }
        let message = "events are counted from 1";
        vec![FormFault::new("crash_point", &["event"], message, "use `crash` for a crash at once")]
    }

    fn target(&self) -> String {
        format!("host {}", self.host)
    }

    fn label(&self) -> String {
        let what = if self.mode == CrashModeSpec::Power { "power loss" } else { "crash" };
        format!("{what} of {} after its event {}", self.host, self.event)
    }

    fn prose(&self) -> String {
        let does = if self.mode == CrashModeSpec::Power { "loses power" } else { "crashes" };
        let Self { host, event, down, .. } = self;
        format!("{} {does} for {down} after its event {event}", who(host))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        (vec![Action::CrashPoint(self.clone())], vec![Action::CrashPointOver(self.clone())])
    }
}

impl Kind for CrashPoint {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str =
        "Takes a host down after the n-th event of its disk and its network.";
    const PROSE: &'static str = "<host> crashes for <time> after its event <number> | \
                                 <host> loses power for <time> after its event <number>";
    const EXAMPLE: &'static str =
        r#"crash_point = { host = "pipeline", event = 40, mode = "power", down = "10s" }"#;
    const AFFECTS: &'static [&'static str] = super::crash::Crash::AFFECTS;
    const KERNEL_ONLY: bool = true;

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let host = lot.host(stage)?;
        let event = 1 << lot.between(0, 9);
        let event = lot.between(event, event * 2);
        let mode = if lot.chance(0.5) { CrashModeSpec::Process } else { CrashModeSpec::Power };
        Some(Self { host, event, mode, down: lot.seconds(1, 20) })
    }

    fn simpler(&self) -> Vec<Self> {
        let plain = Self { mode: CrashModeSpec::Process, ..self.clone() };
        let plain = (plain != *self).then_some(plain);
        let usual = Self { down: down_default(), ..self.clone() };
        let usual = (usual != *self).then_some(usual);
        let sooner = lower(self.event, 1).into_iter();
        let sooner = sooner.map(|event| Self { event, ..self.clone() });
        plain.into_iter().chain(usual).chain(sooner).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn it_goes_down_at_the_event() {
        acts("crash_point = { host = \"orders-broker-2\", event = 20 }", |run| {
            run.record.crash_points.iter().any(|point| point.crashed_at.is_some())
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "crash_point = { host = \"orders-broker-2\", event = 20 }",
            &[
                "crash_point = { host = \"orders-brokr-2\", event = 1 }",
                "crash_point = { host = \"orders-broker-2\", event = 0 }",
            ],
        );
    }
}
