//! A full log volume.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::BROKER;
use super::super::stage::{Lot, Stage};
use super::super::words::{lower, who};
use super::super::{Action, FormFault};
use super::{not_a_broker, on_broker};
use crate::config::quantity::SizeText;
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::NetworkFault;

/// A full log volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogDiskFull {
    /// The broker's host.
    #[schemars(extend("x-range" = BROKER))]
    pub host: String,
    /// Bytes left to the broker when the fault begins; its logs go on growing into them.
    #[serde(default = "nothing")]
    pub free: SizeText,
}

fn nothing() -> SizeText {
    SizeText(0)
}

impl Body for LogDiskFull {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        not_a_broker(&self.host)
    }

    fn target(&self) -> String {
        // It may take the host down.
        format!("host {}", self.host)
    }

    fn label(&self) -> String {
        format!("full log volume of {}", self.host)
    }

    fn prose(&self) -> String {
        format!("the log volume of {} has {} left", who(&self.host), self.free)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let free_bytes = self.free.0;
        let (begin, mut end) =
            on_broker(&self.host, |broker| FleetFault::LogDiskFull { broker, free_bytes });
        // Nothing to a host that is up.
        end.push(Action::Network(NetworkFault::Restart { host: self.host.clone() }));
        (begin, end)
    }
}

impl Kind for LogDiskFull {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A broker's log volume fills up; when nothing is left its process ends, as Kafka's does \
         when its only log directory fails. At the end there is room again and it starts.";
    const PROSE: &'static str = "the log volume of <host> has <size> left";
    const EXAMPLE: &'static str = r#"log_disk_full = { host = "orders-broker-2", free = "1MiB" }"#;
    const AFFECTS: &'static [&'static str] =
        &["ground truth", "health score", "honesty", "coverage", "freshness", "recovery"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let host = lot.broker(stage)?;
        let free = if lot.chance(0.5) { 0 } else { lot.between(1, 1_000) << 20 };
        Some(Self { host, free: SizeText(free) })
    }

    fn simpler(&self) -> Vec<Self> {
        let less = lower(self.free.0, 0).into_iter();
        // Far below a second of anybody's load, less is none.
        let less = less.filter(|free| *free == 0 || *free >= 1 << 16);
        less.map(|free| Self { free: SizeText(free), ..self.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn its_process_ends() {
        acts("log_disk_full = { host = \"orders-broker-2\" }", |run| run.broker_down(2));
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "log_disk_full = { host = \"orders-broker-2\" }",
            &[
                "log_disk_full = { host = \"orders-brokr-2\" }",
                "log_disk_full = { host = \"pipeline\" }",
            ],
        );
    }
}
