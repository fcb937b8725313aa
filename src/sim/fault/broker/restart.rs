//! A controlled shutdown of a broker, and its start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::key::BROKER;
use super::super::stage::{Lot, Stage};
use super::super::words::who;
use super::super::{Action, FormFault};
use super::{not_a_broker, on_broker};
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;
use crate::sim::world::{CrashMode, NetworkFault};

/// A controlled shutdown of a broker, and its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The broker's host.
    #[schemars(extend("x-range" = BROKER))]
    pub host: String,
}

impl Body for Restart {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        not_a_broker(&self.host)
    }

    fn target(&self) -> String {
        format!("host {}", self.host)
    }

    fn label(&self) -> String {
        format!("restart of {}", self.host)
    }

    fn prose(&self) -> String {
        format!("{} is shut down in order and started again", who(&self.host))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let host = || self.host.clone();
        let (mut begin, mut end) = on_broker(&self.host, |broker| FleetFault::Restart { broker });
        let crash = NetworkFault::Crash { host: host(), mode: CrashMode::Process };
        begin.push(Action::Network(crash));
        end.push(Action::Network(NetworkFault::Restart { host: host() }));
        (begin, end)
    }
}

impl Kind for Restart {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A broker shuts down in order: its leaderships and coordinators \
                                   move away first, so nobody waits for a time-out. At the end it \
                                   starts again, with counters at zero.";
    const PROSE: &'static str = "<host> is shut down in order and started again";
    const EXAMPLE: &'static str = r#"restart = { host = "orders-broker-2" }"#;
    const AFFECTS: &'static [&'static str] =
        &["ground truth", "health score", "honesty", "coverage", "freshness", "recovery"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { host: lot.broker(stage)? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn it_leads_nothing_when_it_goes() {
        acts("restart = { host = \"orders-broker-2\" }", |run| {
            let leads = |leader: i32| leader == 2;
            let parts = run.described().into_iter().flat_map(|meta| &meta.topics);
            let parts: Vec<_> = parts.flat_map(|topic| &topic.partitions).collect();
            run.broker_down(2) && !parts.iter().any(|part| leads(part.leader) || part.leader < 0)
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "restart = { host = \"orders-broker-2\" }",
            &["restart = { host = \"orders-brokr-2\" }", "restart = { host = \"pipeline\" }"],
        );
    }
}
