//! What a cluster shows of a broker to people.
//!
//! Invariant: looking changes nothing, not even the instant that the cluster has reached.

use serde::Serialize;

use super::Fleet;
use crate::sim::time::SimTime;

/// One broker as the cluster has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BrokerView {
    /// Its id.
    pub id: i32,
    /// The instant that this tells of: clusters move on when somebody asks them.
    pub as_of: SimTime,
    /// Whether its process runs.
    pub up: bool,
    /// Whether the controller holds it for dead.
    pub fenced: bool,
    /// Whether it is the controller.
    pub controller: bool,
    /// Partitions that it has a replica of.
    pub replicas: u64,
    /// Partitions that it leads.
    pub leads: u64,
    /// Partitions of these whose in-sync replicas are fewer than all.
    pub under_replicated: u64,
    /// Partitions of the cluster that nobody leads.
    pub cluster_offline: u64,
    /// Groups that it coordinates.
    pub groups: Vec<GroupView>,
}

/// One consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Kafka's word for where it stands.
    pub state: &'static str,
    /// Its generation.
    pub generation: i32,
    /// Its members.
    pub members: usize,
    /// Messages that it has not committed yet, all partitions together.
    pub lag: i64,
}

impl Fleet {
    /// Broker `id`, if there is one.
    pub fn view(&self, id: i32) -> Option<BrokerView> {
        let state = self.lock();
        let broker = state.broker(id)?;
        let count = |keep: &dyn Fn(&super::state::Partition) -> bool| {
            state.parts.iter().filter(|part| keep(part)).count() as u64
        };
        let coordinator = |group: &super::group::Group| {
            state.parts.get(group.coordinator).map(|part| part.leader)
        };
        let groups = state.groups.values().filter(|group| coordinator(group) == Some(id));
        let lag = |group: &super::group::Group| {
            let places = group.offsets.iter().filter(|place| place.committed >= 0);
            let lags = places.filter_map(|place| {
                Some(state.parts.get(place.part)?.log_end.saturating_sub(place.committed))
            });
            lags.sum()
        };
        Some(BrokerView {
            id,
            as_of: state.now,
            up: broker.up,
            fenced: broker.fenced,
            controller: state.controller == Some(id),
            replicas: count(&|part| part.replicas.contains(&id)),
            leads: count(&|part| part.leader == id),
            under_replicated: count(&|part| {
                part.leader == id && part.isr.len() < part.replicas.len()
            }),
            cluster_offline: count(&|part| part.leader < 0),
            groups: groups
                .map(|group| GroupView {
                    name: group.name.to_string(),
                    state: group.state.as_str(),
                    generation: group.generation,
                    members: group.members.len(),
                    lag: lag(group),
                })
                .collect(),
        })
    }
}
