//! A broker without room for its log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::who;
use super::super::{Action, FormFault};
use super::{is_broker, on_broker};
use crate::config::quantity::SizeText;
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::NetworkFault;

/// A broker without room for its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogDiskFull {
    /// The broker's host.
    pub host: String,
    /// Bytes by which its log may still grow; without it, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<SizeText>,
}

impl Body for LogDiskFull {
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
        format!("full log volume of {}", self.host)
    }

    fn prose(&self) -> String {
        let prose = format!("the log volume of {} is full", who(&self.host));
        match self.free {
            Some(size) => format!("{prose} but for {size}"),
            None => prose,
        }
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let free_bytes = self.free.map_or(0, |size| size.0);
        let (begin, mut end) =
            on_broker(&self.host, |broker| FleetFault::LogDiskFull { broker, free_bytes });
        // Its process may have ended meanwhile.
        end.push(Action::Network(NetworkFault::Restart { host: self.host.clone() }));
        (begin, end)
    }
}

impl Kind for LogDiskFull {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A broker's log volume is full, or nearly; with nothing left its process ends, and starts again at the end.";
    const PROSE: &'static str = "the log volume of <broker> is full[ but for <size>]";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "ground truth", "health score", "relationships"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let free = lot.chance(0.5).then(|| SizeText(lot.between(1, 64) << 20));
        Some(Self { host: lot.broker(stage)?, free })
    }

    fn simpler(&self) -> Vec<Self> {
        let none = Self { free: None, ..self.clone() };
        if none == *self { Vec::new() } else { vec![none] }
    }
}
