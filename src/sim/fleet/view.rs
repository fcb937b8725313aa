//! What a cluster shows of its brokers to people.
//!
//! Invariant: looking changes nothing, not even the instant that the cluster has reached.
//!
//! A cluster moves on when somebody asks it, so what happens between two questions is known later.
//! Whoever looks keeps what only the state knows ([`Fleet::look`]) and asks for the rest when the
//! history has been written ([`Fleet::views`]).

use serde::Serialize;

use super::history::Change;
use super::{Fleet, MetadataPartition, MetadataTruth, OFFSETS_TOPIC};
use crate::sim::time::SimTime;

/// What a cluster's state knows of its groups.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetLook {
    as_of: SimTime,
    /// Each with the partition of [`OFFSETS_TOPIC`] whose leader coordinates it.
    groups: Vec<(usize, GroupView)>,
}

/// One broker as the cluster has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BrokerView {
    /// Its id.
    pub id: i32,
    /// Whether its process runs.
    pub up: bool,
    /// Whether the controller holds it for dead.
    pub fenced: bool,
    /// Whether it is the controller.
    pub controller: bool,
    /// Partitions that it has a replica of.
    pub replicas: usize,
    /// Partitions that it leads.
    pub leads: usize,
    /// Partitions of these whose in-sync replicas are fewer than all.
    pub under_replicated: usize,
    /// Partitions of the cluster that nobody leads.
    pub cluster_offline: usize,
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
    /// The instant that the lag is of.
    pub lag_as_of: SimTime,
}

impl Fleet {
    /// What only the state knows, and only now.
    pub fn look(&self) -> FleetLook {
        let state = self.lock();
        let groups = state.groups.values().map(|group| {
            let places = group.offsets.iter().filter(|place| place.committed >= 0);
            let lag = places.filter_map(|place| {
                Some(state.parts.get(place.part)?.log_end.saturating_sub(place.committed))
            });
            let coordinator = state.parts.get(group.coordinator).map_or(-1, |part| part.index);
            let view = GroupView {
                name: group.name.to_string(),
                state: group.state.as_str(),
                generation: group.generation,
                members: group.members.len(),
                lag: lag.sum(),
                lag_as_of: state.now,
            };
            (usize::try_from(coordinator).unwrap_or(usize::MAX), view)
        });
        FleetLook { as_of: state.now, groups: groups.collect() }
    }

    /// The brokers at `at`, by a look taken then and by the history, which must have been written
    /// beyond that instant.
    pub fn views(&self, look: &FleetLook, at: SimTime) -> Vec<BrokerView> {
        let topology = self.metadata_at(at);
        let groups = self.groups_at(look, at);
        let ids = self.broker_ids().into_iter();
        ids.map(|id| {
            let up = self.was_up(id, at);
            broker_view(id, up, &topology, &groups)
        })
        .collect()
    }

    /// The groups of a look, brought on to `at`.
    fn groups_at(&self, look: &FleetLook, at: SimTime) -> Vec<(usize, GroupView)> {
        let mut groups = look.groups.clone();
        for entry in &self.lock().history {
            let Change::GroupState { group: name, state, generation, members } = &entry.change
            else {
                continue;
            };
            if look.as_of < entry.at
                && entry.at <= at
                && let Some((_, group)) = groups.iter_mut().find(|(_, group)| *group.name == **name)
            {
                (group.state, group.generation, group.members) = (state, *generation, *members);
            }
        }
        groups
    }
}

fn broker_view(
    id: i32,
    up: bool,
    topology: &MetadataTruth,
    groups: &[(usize, GroupView)],
) -> BrokerView {
    let count = |keep: &dyn Fn(&MetadataPartition) -> bool| {
        let partitions = topology.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.filter(|partition| keep(partition)).count()
    };
    let offsets = topology.topics.iter().find(|topic| &*topic.name == OFFSETS_TOPIC);
    let coordinates = |partition: usize| {
        offsets.and_then(|topic| topic.partitions.get(partition)).is_some_and(|p| p.leader == id)
    };
    BrokerView {
        id,
        up,
        fenced: topology.brokers.iter().all(|broker| broker.id != id),
        controller: topology.controller == Some(id),
        replicas: count(&|partition| partition.replicas.contains(&id)),
        leads: count(&|partition| partition.leader == id),
        under_replicated: count(&|partition| {
            partition.leader == id && partition.isr.len() < partition.replicas.len()
        }),
        cluster_offline: count(&|partition| partition.leader < 0),
        groups: groups
            .iter()
            .filter(|(partition, _)| coordinates(*partition))
            .map(|(_, group)| group.clone())
            .collect(),
    }
}
