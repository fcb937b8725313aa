//! A broker that lives in the past.

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

/// A broker that lives in the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaleMetadata {
    /// The broker's host.
    #[schemars(extend("x-range" = BROKER))]
    pub host: String,
}

impl Body for StaleMetadata {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        not_a_broker(&self.host)
    }

    fn target(&self) -> String {
        format!("metadata of {}", self.host)
    }

    fn label(&self) -> String {
        format!("stale metadata from {}", self.host)
    }

    fn prose(&self) -> String {
        format!("{} describes the cluster as it was", who(&self.host))
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        on_broker(&self.host, |broker| FleetFault::StaleMetadata { broker })
    }
}

impl Kind for StaleMetadata {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "A broker describes the cluster as it was when the fault began; topics made since are told as they are.";
    const PROSE: &'static str = "<broker> describes the cluster as it was";
    const EXAMPLE: &'static str = r#"stale_metadata = { host = "orders-broker-2" }"#;
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "ground truth", "health score", "relationships"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { host: lot.broker(stage)? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts_on, refused};
    use std::collections::BTreeSet;

    #[test]
    fn it_tells_what_was() {
        acts_on(
            &["leader_move = { cluster = \"orders\" }\nat = \"22s\"\nlasts = \"18s\""],
            "stale_metadata = { host = \"orders-broker-1\" }",
            |run| {
                let versions = run.described().into_iter().map(|meta| meta.version);
                versions.collect::<BTreeSet<_>>().len() == 1
            },
        );
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "stale_metadata = { host = \"orders-broker-1\" }",
            &[
                "stale_metadata = { host = \"orders-brokr-2\" }",
                "stale_metadata = { host = \"pipeline\" }",
            ],
        );
    }
}
