//! A name that nobody knows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::who;
use crate::config::quantity::DurationText;
use crate::sim::scenario::{NEWRELIC_HOST, NetworkSpec};
use crate::sim::world::NetworkFault;

/// A name that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsFailure {
    /// The host whose name is not found.
    pub host: String,
    /// How long a look-up takes to fail.
    #[serde(default)]
    pub fails_after: DurationText,
}

impl Body for DnsFailure {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn target(&self) -> String {
        format!("name of {}", self.host)
    }

    fn label(&self) -> String {
        format!("name of {} is not found", self.host)
    }

    fn prose(&self) -> String {
        let prose = format!("the name of {} is not found", who(&self.host));
        if self.fails_after.0.is_zero() {
            prose
        } else {
            format!("{prose}, after {}", self.fails_after)
        }
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let set = |fails_after| {
            let name = self.host.clone();
            vec![Action::Network(NetworkFault::DnsFailure { host: None, name, fails_after })]
        };
        (set(Some(self.fails_after.0)), set(None))
    }
}

impl Kind for DnsFailure {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str =
        "Look-ups of a name fail, at once or after a time; open connections stay.";
    const PROSE: &'static str = "the name of <host> is not found[, after <time>]";
    const EXAMPLE: &'static str = r#"dns_failure = { host = "newrelic", fails_after = "2s" }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];
    const KERNEL_ONLY: bool = true;

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let host = if lot.chance(0.5) { NEWRELIC_HOST.to_owned() } else { lot.broker(stage)? };
        let slow = lot.chance(0.3);
        let fails_after = if slow { lot.millis(100, 10_000) } else { DurationText::default() };
        Some(Self { host, fails_after })
    }

    fn simpler(&self) -> Vec<Self> {
        let at_once = Self { fails_after: DurationText::default(), ..self.clone() };
        if at_once == *self { Vec::new() } else { vec![at_once] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts_on, refused};
    use crate::sim::check::record::PostAnswer;

    #[test]
    fn nobody_connects_any_more() {
        acts_on(
            &["reset = { between = [\"pipeline\", \"newrelic\"] }\nat = \"21s\""],
            "dns_failure = { host = \"newrelic\" }",
            |run| run.answered(PostAnswer::None { sent: false }),
        );
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "dns_failure = { host = \"newrelic\" }",
            &["dns_failure = { host = \"newrelik\" }"],
        );
    }
}
