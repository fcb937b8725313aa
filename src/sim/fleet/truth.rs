//! Copies of the state for the journal and for checks.
//!
//! Invariant: a truth is made under the same lock and at the same instant as the answer it backs.

use std::sync::Arc;

use super::group::Group;
use super::journal::{
    BrokerTruth, CommittedTruth, GroupTruth, MetadataBroker, MetadataPartition, MetadataTopic,
    MetadataTruth, Observation, Observed,
};
use super::state::State;
use crate::sim::time::SimTime;
use crate::sometimes;

impl State {
    /// Writes an observation when the journal is on; `what` is only called then.
    pub fn observe(
        &mut self,
        broker: i32,
        client_id: &str,
        what: impl FnOnce(&mut Self) -> Observed,
    ) {
        if self.journal.on {
            let what = what(self);
            let at = self.now;
            // Clients are few: the last observation's name is often the same one.
            let client_id = match self.journal.entries.last() {
                Some(last) if &*last.client_id == client_id => Arc::clone(&last.client_id),
                _ => Arc::from(client_id),
            };
            self.journal.entries.push(Observation { at, broker, client_id, what });
        }
    }

    /// The topology; one `Arc` per version of it.
    pub fn metadata_truth(&mut self) -> Arc<MetadataTruth> {
        match &self.metadata {
            Some((version, truth)) if *version == self.topology_version => Arc::clone(truth),
            _ => {
                let truth = Arc::new(self.copy_metadata());
                self.metadata = Some((self.topology_version, Arc::clone(&truth)));
                truth
            }
        }
    }

    fn copy_metadata(&self) -> MetadataTruth {
        let fenced = |broker: &MetadataBroker| self.broker(broker.id).is_some_and(|b| b.fenced);
        let mut brokers = self.known_brokers();
        brokers.retain(|broker| !fenced(broker));
        let topics = self.topic_index.values().map(|&index| self.topic_truth(index)).collect();
        let (version, controller) = (self.topology_version, self.controller);
        sometimes!(CONTROLLER_ABSENT, controller.is_none());
        sometimes!(REPLICAS_BEHIND, self.parts.iter().any(|p| p.isr.len() < p.replicas.len()));
        MetadataTruth { version, controller, brokers, topics }
    }

    /// Every broker, fenced or not.
    fn known_brokers(&self) -> Vec<MetadataBroker> {
        self.brokers
            .iter()
            .map(|broker| MetadataBroker {
                id: broker.id,
                host: Arc::clone(&broker.host),
                port: broker.port,
                rack: broker.rack.as_deref().map(Arc::from),
            })
            .collect()
    }

    /// A topic as Metadata tells it.
    pub fn topic_truth(&self, index: usize) -> MetadataTopic {
        let topic = &self.topics[index];
        let partitions = self.parts[topic.parts()]
            .iter()
            .map(|part| MetadataPartition {
                leader: part.leader,
                leader_epoch: part.leader_epoch,
                replicas: part.replicas.clone(),
                isr: part.isr.clone(),
            })
            .collect();
        MetadataTopic { name: Arc::clone(&topic.name), internal: topic.internal, partitions }
    }

    /// The topology at an earlier instant.
    pub fn metadata_at(&self, at: SimTime) -> MetadataTruth {
        let mut start = MetadataTruth::clone(&self.start);
        let known = self.known_brokers();
        let of_start = |broker: &&MetadataBroker| broker.id.unsigned_abs() <= self.spec.brokers;
        start.brokers = known.iter().filter(of_start).cloned().collect();
        super::history::replay(&start, &self.history, &known, at)
    }

    /// What the exporter of `id` says now.
    pub fn broker_truth(&mut self, id: i32) -> BrokerTruth {
        let gauges = self.gauges(id);
        let broker = &self.brokers[super::state::slot_of(id)];
        let topics = broker
            .slots
            .iter()
            .map(|(&topic, &slot)| {
                (Arc::clone(&self.topics[topic].name), broker.topics[slot as usize].1)
            })
            .collect();
        BrokerTruth { started_at: broker.started_at, counters: broker.counters, topics, gauges }
    }

    /// Committed offsets of `group`, of `only` these partitions when given.
    pub fn committed_truth(&self, group: &str, only: Option<&[usize]>) -> Vec<CommittedTruth> {
        let Some(group) = self.groups.get(group) else { return Vec::new() };
        group
            .offsets
            .iter()
            .filter(|place| place.committed >= 0)
            .filter(|place| only.is_none_or(|only| only.contains(&place.part)))
            .map(|place| {
                let part = &self.parts[place.part];
                CommittedTruth {
                    topic: Arc::clone(&self.topics[part.topic].name),
                    partition: part.index,
                    committed: place.committed,
                    log_end: part.log_end,
                }
            })
            .collect()
    }

    /// Whether `broker` is loading groups that it now coordinates.
    pub fn loads_groups(&self, broker: i32) -> bool {
        let of_broker = |group: &&Group| self.parts[group.coordinator].leader == broker;
        let mut groups = self.groups.values().filter(of_broker);
        groups.any(|group| self.in_force.loads(group.coordinator, self.now))
    }

    /// Groups that `broker` coordinates, among `only` these when given.
    pub fn group_truths(&self, broker: i32, only: Option<&[Arc<str>]>) -> Vec<GroupTruth> {
        self.groups
            .values()
            .filter(|group| self.parts[group.coordinator].leader == broker)
            .filter(|group| !self.in_force.loads(group.coordinator, self.now))
            .filter(|group| only.is_none_or(|only| only.contains(&group.name)))
            .map(|group| GroupTruth {
                group: Arc::clone(&group.name),
                state: group.state.as_str(),
                members: group.members.len(),
                protocol: group.protocol_in_force(),
                coordinator: broker,
            })
            .collect()
    }
}
