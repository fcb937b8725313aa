//! A link whose delay varies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::{link, link_target, pair, shorter};
use super::super::{Action, FormFault, form};
use super::ends;
use crate::config::quantity::DurationText;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::NetworkFault;

/// A link whose delay varies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// The two hosts.
    pub between: [String; 2],
    /// Largest extra delay per delivery, on top of the usual latency.
    pub up_to: DurationText,
}

impl Body for Jitter {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        self.between.iter().map(|host| ("between", host.clone())).collect()
    }

    fn form(&self) -> Vec<FormFault> {
        [form::between(&self.between), form::some_time("up_to", self.up_to)].concat()
    }

    fn target(&self) -> String {
        // Both set the same two figures of the link.
        link_target(&self.between, "latency")
    }

    fn label(&self) -> String {
        format!("jitter of {}", link(&self.between))
    }

    fn prose(&self) -> String {
        format!("the delay between {} varies by up to {}", pair(&self.between), self.up_to)
    }

    fn actions(&self, normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let set = |jitter: DurationText| {
            let ((from, to), latency) = (ends(&self.between), normal.latency.0);
            vec![Action::Network(NetworkFault::Latency { from, to, latency, jitter: jitter.0 })]
        };
        (set(self.up_to), set(normal.jitter))
    }
}

impl Kind for Jitter {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str =
        "Each delivery over a link takes longer by a time of its own; streams stay in order.";
    const PROSE: &'static str = "the delay between <host> and <host> varies by up to <time>";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { between: lot.link(stage)?, up_to: lot.millis(5, 4_000) })
    }

    fn simpler(&self) -> Vec<Self> {
        let milder = shorter(self.up_to, DurationText::from_millis(5)).into_iter();
        milder.map(|up_to| Self { up_to, ..self.clone() }).collect()
    }
}
