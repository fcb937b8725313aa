//! A broker whose replicas fall behind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::who;
use super::super::{Action, FormFault};
use super::{is_broker, on_broker};
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;

/// A broker whose replicas fall behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IsrShrink {
    /// The broker's host.
    pub host: String,
}

impl Body for IsrShrink {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        is_broker(&self.host)
    }

    fn target(&self) -> String {
        format!("replicas of {}", self.host)
    }

    fn label(&self) -> String {
        format!("replicas on {} fall behind", self.host)
    }

    fn prose(&self) -> String {
        format!("the replicas on {} fall behind", who(&self.host))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        on_broker(&self.host, |broker| FleetFault::IsrShrink { broker })
    }
}

impl Kind for IsrShrink {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A broker's replicas leave the in-sync sets that it does not lead, until they have caught up after the end.";
    const PROSE: &'static str = "the replicas on <broker> fall behind";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "ground truth", "health score", "relationships"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { host: lot.broker(stage)? })
    }
}
