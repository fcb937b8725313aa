//! Connections that go dead without a word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::{link, link_target, pair};
use super::super::{Action, FormFault, form};
use super::ends;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::NetworkFault;

/// Connections that go dead without a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HalfOpen {
    /// The two hosts.
    pub between: [String; 2],
}

impl Body for HalfOpen {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        self.between.iter().map(|host| ("between", host.clone())).collect()
    }

    fn form(&self) -> Vec<FormFault> {
        form::between(&self.between)
    }

    fn target(&self) -> String {
        link_target(&self.between, "half_open")
    }

    fn label(&self) -> String {
        format!("half-open connections of {}", link(&self.between))
    }

    fn prose(&self) -> String {
        format!("every connection between {} goes dead without a word", pair(&self.between))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let (from, to) = ends(&self.between);
        (vec![Action::Network(NetworkFault::HalfOpen { from, to })], Vec::new())
    }
}

impl Kind for HalfOpen {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str = "Nothing of the connections open between two hosts passes any more, either way, for good; \
         nobody is told, and new connections work.";
    const PROSE: &'static str =
        "every connection between <host> and <host> goes dead without a word";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];
    const INSTANT: bool = true;
    const KERNEL_ONLY: bool = true;

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { between: lot.link(stage)? })
    }
}
