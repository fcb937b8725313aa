//! Leaders that move.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::{share_of, simpler_shares};
use super::super::{Action, FormFault, Name, form};
use super::on_cluster;
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::NetworkSpec;

/// Leaders that move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaderMove {
    /// The cluster.
    pub cluster: String,
    /// Of this topic only; without it, of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Share of the partitions, above 0 and at most 1; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: Option<f64>,
}

impl Body for LeaderMove {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn names(&self) -> Vec<(&'static str, Name)> {
        let cluster = self.cluster.clone();
        match self.topic.clone() {
            Some(topic) => vec![("topic", Name::Topic { cluster, topic })],
            None => vec![("cluster", Name::Cluster(cluster))],
        }
    }

    fn form(&self) -> Vec<FormFault> {
        form::share(self.share)
    }

    fn target(&self) -> String {
        format!("leaders of {}", self.cluster)
    }

    fn label(&self) -> String {
        match &self.topic {
            Some(topic) => format!("leaders of {topic} in {} move", self.cluster),
            None => format!("leaders of {} move", self.cluster),
        }
    }

    fn prose(&self) -> String {
        let share = share_of(self.share, "partition");
        let topic =
            self.topic.as_ref().map(|topic| format!(" of topic \"{topic}\"")).unwrap_or_default();
        format!("the leader of {share}{topic} in cluster \"{}\" moves", self.cluster)
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        on_cluster(
            &self.cluster,
            FleetFault::LeaderMove { topic: self.topic.clone(), share: self.share.unwrap_or(1.0) },
        )
    }
}

impl Kind for LeaderMove {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "Partitions get the next in-sync replica as their leader; at the end preferred leaders take over again.";
    const PROSE: &'static str =
        "the leader of <partitions>[ of topic <topic>] in cluster <cluster> moves";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "honesty", "freshness", "ground truth", "health score", "relationships"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let cluster = lot.cluster(stage)?;
        let one = lot.chance(0.3);
        let topic = if one { Some(lot.pick(&cluster.topics)?.clone()) } else { None };
        Some(Self { cluster: cluster.name.clone(), topic, share: lot.share() })
    }

    fn simpler(&self) -> Vec<Self> {
        let shares = simpler_shares(self.share).into_iter();
        let shares = shares.map(|share| Self { share, ..self.clone() });
        let all = Self { topic: None, ..self.clone() };
        shares.chain((all != *self).then_some(all)).collect()
    }
}
