//! Leaders that move.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind, Object};
use super::super::catalogue::Group;
use super::super::key::SHARE;
use super::super::stage::{Lot, Stage};
use super::super::words::{share_of, simpler_shares};
use super::super::{Action, FormFault, form};
use super::on_cluster;
use crate::sim::fleet::{FleetFault, topic_name};
use crate::sim::scenario::NetworkSpec;

/// Leaders that move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaderMove {
    /// The cluster.
    pub cluster: String,
    /// Only partitions of this topic; without it, of all topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-absent" = "all topics"))]
    pub topic: Option<String>,
    /// Share of these partitions, above 0 to 1, drawn from the seed; without it, all. At least one
    /// moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0), extend("x-range" = SHARE, "x-absent" = "1"))]
    pub share: Option<f64>,
}

impl Body for LeaderMove {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn objects(&self) -> Vec<(&'static str, Object)> {
        let cluster = || self.cluster.clone();
        let topic = self
            .topic
            .iter()
            .map(|topic| ("topic", Object::Topic { cluster: cluster(), topic: topic.clone() }));
        [("cluster", Object::Cluster(cluster()))].into_iter().chain(topic).collect()
    }

    fn form(&self) -> Vec<FormFault> {
        form::share(self.share)
    }

    fn target(&self) -> String {
        format!("leaders in {}", self.cluster)
    }

    fn label(&self) -> String {
        format!("leaders of {} move", self.topic.as_ref().unwrap_or(&self.cluster))
    }

    fn prose(&self) -> String {
        let of = match &self.topic {
            Some(topic) => format!(" of topic \"{topic}\""),
            None => String::new(),
        };
        let whose = share_of(self.share, "partition");
        format!("{whose}{of} in cluster \"{}\" gets another leader", self.cluster)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let topic = self.topic.clone();
        on_cluster(
            &self.cluster,
            FleetFault::LeaderMove { topic, share: self.share.unwrap_or(1.0) },
        )
    }
}

impl Kind for LeaderMove {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "Partitions get the next in-sync replica as their leader; at the end preferred leaders \
         take over again. Brokers go on, and answer NOT_LEADER_OR_FOLLOWER to whoever asks the old \
         leader.";
    const PROSE: &'static str =
        "<share>[ of topic <topic>] in cluster <cluster> gets another leader";
    const EXAMPLE: &'static str =
        r#"leader_move = { cluster = "orders", topic = "orders.created", share = 0.5 }"#;
    const AFFECTS: &'static [&'static str] = &["ground truth", "honesty"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let cluster = lot.pick(&stage.clusters)?.clone();
        let topic =
            (cluster.topics > 0 && lot.chance(0.5)).then(|| topic_name(lot.index(cluster.topics)));
        Some(Self { cluster: cluster.name, topic, share: lot.share() })
    }

    fn simpler(&self) -> Vec<Self> {
        let everywhere = Self { topic: None, ..self.clone() };
        let everywhere = (everywhere != *self).then_some(everywhere);
        let shares = simpler_shares(self.share).into_iter();
        let shares = shares.map(|share| Self { share, ..self.clone() });
        everywhere.into_iter().chain(shares).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{acts, refused};

    #[test]
    fn others_lead() {
        acts("leader_move = { cluster = \"orders\" }", |run| {
            let topics = run.described().into_iter().flat_map(|meta| &meta.topics);
            let mut parts = topics.flat_map(|topic| &topic.partitions);
            parts.any(|part| part.replicas.first() != Some(&part.leader))
        });
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "leader_move = { cluster = \"orders\" }",
            &[
                "leader_move = { cluster = \"order\" }",
                "leader_move = { cluster = \"orders\", topic = \"orders.creatd\" }",
                "leader_move = { cluster = \"orders\", share = 2.0 }",
            ],
        );
    }
}
