//! A narrow link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::{link, link_target, pair};
use super::super::{Action, FormFault, form};
use super::ends;
use crate::config::quantity::SizeText;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::NetworkFault;

/// A narrow link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// The two hosts.
    #[schemars(extend("examples" = [["pipeline", "newrelic"]]))]
    pub between: [String; 2],
    /// Bytes per second and direction.
    #[schemars(extend("x-range" = "1B or more", "x-unit" = "B, KiB, MiB and so on, per second"))]
    pub per_second: SizeText,
}

impl Body for Bandwidth {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        self.between.iter().map(|host| ("between", host.clone())).collect()
    }

    fn form(&self) -> Vec<FormFault> {
        let mut wrong = form::between(&self.between);
        if self.per_second == SizeText(0) {
            let message = "a link that carries nothing is cut";
            let help = "write partition = { between = … }, or for example per_second = \"16KiB\"";
            wrong.push(FormFault::new("no_effect", &["per_second"], message, help));
        }
        wrong
    }

    fn target(&self) -> String {
        link_target(&self.between, "bandwidth")
    }

    fn label(&self) -> String {
        format!("bandwidth of {}", link(&self.between))
    }

    fn prose(&self) -> String {
        format!("the link between {} carries {} per second", pair(&self.between), self.per_second)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let cap = |bytes_per_second| {
            let (from, to) = ends(&self.between);
            vec![Action::Network(NetworkFault::Bandwidth { from, to, bytes_per_second })]
        };
        (cap(Some(self.per_second.0)), cap(None))
    }
}

impl Kind for Bandwidth {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str = "Caps what a link carries per second.";
    const PROSE: &'static str = "the link between <host> and <host> carries <size> per second";
    const EXAMPLE: &'static str =
        r#"bandwidth = { between = ["pipeline", "newrelic"], per_second = "16KiB" }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let between = lot.link(stage)?;
        Some(Self { between, per_second: SizeText(lot.between(1, 64) << 10) })
    }

    fn simpler(&self) -> Vec<Self> {
        let wide = SizeText(self.per_second.0.next_power_of_two().max(1 << 10) * 2);
        let milder = Self { per_second: wide, ..self.clone() };
        if wide <= SizeText(1 << 20) { vec![milder] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};
    use std::time::Duration;

    #[test]
    fn posts_take_longer() {
        acts(
            "bandwidth = { between = [\"pipeline\", \"newrelic\"], per_second = \"1KiB\" }",
            |run| run.longest_post() > Duration::from_millis(500),
        );
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "bandwidth = { between = [\"pipeline\", \"newrelic\"], per_second = \"1KiB\" }",
            &[
                "bandwidth = { between = [\"pipelin\", \"orders-broker-9\"], per_second = \"1KiB\" }",
                "bandwidth = { between = [\"pipeline\", \"newrelic\"], per_second = \"fast\" }",
                "bandwidth = { between = [\"pipeline\", \"newrelic\"], per_second = \"0B\" }",
            ],
        );
    }
}
