//! A broker that shuts down in order.

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
use crate::sim::world::{CrashMode, NetworkFault};

/// A broker that shuts down in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The broker's host.
    pub host: String,
}

impl Body for Restart {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        is_broker(&self.host)
    }

    fn target(&self) -> String {
        format!("host {}", self.host)
    }

    fn label(&self) -> String {
        format!("restart of {}", self.host)
    }

    fn prose(&self) -> String {
        format!("{} shuts down in order", who(&self.host))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let (mut begin, mut end) = on_broker(&self.host, |broker| FleetFault::Restart { broker });
        let (host, mode) = (self.host.clone(), CrashMode::Process);
        begin.push(Action::Network(NetworkFault::Crash { host: host.clone(), mode }));
        end.push(Action::Network(NetworkFault::Restart { host }));
        (begin, end)
    }
}

impl Kind for Restart {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str =
        "A broker hands over what it leads, shuts down, and starts again at the end.";
    const PROSE: &'static str = "<broker> shuts down in order";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "ground truth", "health score", "relationships"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { host: lot.broker(stage)? })
    }
}
