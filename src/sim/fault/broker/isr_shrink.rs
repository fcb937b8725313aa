//! Replicas that fall behind.

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

/// Replicas that fall behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IsrShrink {
    /// The host of the broker whose replicas fall behind.
    #[schemars(extend("x-range" = BROKER))]
    pub host: String,
}

impl Body for IsrShrink {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        not_a_broker(&self.host)
    }

    fn target(&self) -> String {
        format!("replicas on {}", self.host)
    }

    fn label(&self) -> String {
        format!("replicas behind on {}", self.host)
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
    const SUMMARY: &'static str = "A broker's replicas fall behind: it leaves every ISR that it does not lead, and the \
         partitions count as under-replicated until it has caught up after the end.";
    const PROSE: &'static str = "the replicas on <host> fall behind";
    const EXAMPLE: &'static str = r#"isr_shrink = { host = "orders-broker-2" }"#;
    const AFFECTS: &'static [&'static str] = &["ground truth", "health score"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        Some(Self { host: lot.broker(stage)? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn it_is_out_of_sync() {
        acts("isr_shrink = { host = \"orders-broker-2\" }", |run| {
            let topics = run.described().into_iter().flat_map(|meta| &meta.topics);
            let mut parts = topics.flat_map(|topic| &topic.partitions);
            parts.any(|part| part.isr.len() < part.replicas.len())
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "isr_shrink = { host = \"orders-broker-2\" }",
            &["isr_shrink = { host = \"orders-brokr-2\" }", "isr_shrink = { host = \"pipeline\" }"],
        );
    }
}
