//! What the model needs to know of a topology: who shares what with whom in each cluster.

use std::collections::BTreeMap;

use super::wave::{Wave, key_hash};
use crate::domain::entity::EntityKey;
use crate::domain::provider::Provider;
use crate::domain::units::UnixMillis;
use crate::hybrid::topology::{Plan, Topology};

/// Partitions of a topic whose plan names none.
const PARTITIONS: u32 = 6;
/// Replicas of a topic whose plan names none, as far as there are brokers.
const REPLICAS: u32 = 3;

/// What a topic's base draws are for.
const MESSAGES: u64 = 1;
const SIZE: u64 = 2;
/// And a broker's.
const SKEW: u64 = 3;

/// What one topic takes in at load one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flow {
    pub(super) messages_per_second: f64,
    pub(super) bytes_per_second: f64,
    pub(super) partitions: u32,
    pub(super) replicas: u32,
    /// Place among the cluster's brokers of the leader of its first partition; the others' leaders
    /// follow in turn.
    first_leader: u32,
    /// Groups that read it.
    pub(super) readers: Vec<EntityKey>,
}

/// One cluster's part.
#[derive(Debug, Clone, Default)]
struct Part {
    required_brokers: Option<u32>,
    /// Ids that the topology lists, in order.
    broker_ids: Vec<String>,
    topics: BTreeMap<String, Flow>,
    whole: Whole,
}

/// Sums over a cluster's topics.
#[derive(Debug, Clone, Copy, Default)]
struct Whole {
    messages_per_second: f64,
    bytes_in_per_second: f64,
    bytes_out_per_second: f64,
    partitions: u32,
    replicas: u32,
}

/// A broker's share of its cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    pub(super) messages_per_second: f64,
    pub(super) bytes_in_per_second: f64,
    pub(super) bytes_out_per_second: f64,
    pub(super) partitions: u32,
    pub(super) leaders: u32,
    pub(super) is_controller: bool,
}

/// All clusters of a topology.
#[derive(Debug, Clone, Default)]
pub(super) struct Estate {
    seed: u64,
    parts: BTreeMap<(Provider, String), Part>,
}

fn place(key: &EntityKey) -> (Provider, String) {
    (key.provider().clone(), key.cluster().to_owned())
}

impl Estate {
    pub(super) fn of(seed: u64, topology: &Topology) -> Self {
        let mut estate = Self { seed, parts: BTreeMap::new() };
        for desired in topology.entities() {
            let part = estate.parts.entry(place(desired.key)).or_default();
            match (desired.key, desired.plan) {
                (_, Plan::Cluster { required_brokers, .. }) => {
                    part.required_brokers = *required_brokers;
                }
                (EntityKey::Broker { broker_id, .. }, _) => part.broker_ids.push(broker_id.clone()),
                (
                    EntityKey::Topic { topic, .. },
                    Plan::Topic { partitions, replication_factor },
                ) => {
                    let flow = Flow::of(seed, desired.key, *partitions, *replication_factor);
                    part.topics.insert(topic.clone(), flow);
                }
                (group, Plan::Group { topics }) => {
                    for topic in topics {
                        if let Some(flow) = part.topics.get_mut(topic) {
                            flow.readers.push(group.clone());
                        }
                    }
                }
                _ => {}
            }
        }
        estate.parts.values_mut().for_each(Part::add_up);
        estate
    }

    /// What `topic` of the cluster of `key` takes in; `None` unless the topology has it.
    pub(super) fn flow(&self, key: &EntityKey, topic: &str) -> Option<&Flow> {
        self.parts.get(&place(key))?.topics.get(topic)
    }

    /// Brokers that the cluster of `key` should have.
    pub(super) fn brokers_of(&self, key: &EntityKey) -> usize {
        self.parts.get(&place(key)).map_or(0, |part| part.brokers() as usize)
    }

    /// The share of the broker with `key`: an equal one, give or take a tenth.
    pub(super) fn share(&self, key: &EntityKey) -> Share {
        let default = Part::default();
        let part = self.parts.get(&place(key)).unwrap_or(&default);
        let brokers = part.brokers().max(1);
        // The topology gives brokers in the order of their keys.
        let index = part.broker_ids.binary_search_by(|id| id.as_str().cmp(key.name()));
        let index = u32::try_from(index.unwrap_or_else(|place| place)).unwrap_or(u32::MAX);
        let dealt = |total: u32| total / brokers + u32::from(index < total % brokers);
        let wave = Wave::of(self.seed, key, UnixMillis(0));
        let each = (0.9 + 0.2 * wave.base(SKEW)) / f64::from(brokers);
        Share {
            messages_per_second: part.whole.messages_per_second * each,
            bytes_in_per_second: part.whole.bytes_in_per_second * each,
            bytes_out_per_second: part.whole.bytes_out_per_second * each,
            partitions: dealt(part.whole.replicas),
            leaders: dealt(part.whole.partitions),
            is_controller: index == 0,
        }
    }

    /// Ids of the brokers that lead a partition of `topic` of the cluster of `key`, sorted. Those
    /// that the topology does not list have no id, and an id that is no number is no Kafka broker.
    pub(super) fn servers(&self, key: &EntityKey, topic: &str) -> Vec<i32> {
        let Some(part) = self.parts.get(&place(key)) else { return Vec::new() };
        let Some(flow) = part.topics.get(topic) else { return Vec::new() };
        let brokers = part.brokers().max(1);
        let leaders = (0..flow.partitions.min(brokers)).map(|turn| {
            // Both are below the number of brokers, which is a count of a file's lines.
            (flow.first_leader + turn) % brokers
        });
        let mut ids: Vec<i32> = leaders.filter_map(|index| part.number_of(index)).collect();
        ids.sort_unstable();
        ids
    }

    /// Id of the broker that coordinates `group`, if the topology lists it.
    pub(super) fn coordinator(&self, group: &EntityKey) -> Option<i32> {
        let part = self.parts.get(&place(group))?;
        let brokers = u64::from(part.brokers().max(1));
        u32::try_from(key_hash(self.seed, group) % brokers)
            .ok()
            .and_then(|index| part.number_of(index))
    }

    /// The number that decides the noise of `group` on `topic`.
    pub(super) fn reader_wave(&self, group: &EntityKey, topic: &str, at: UnixMillis) -> Wave {
        let reading = EntityKey::Topic {
            provider: group.provider().clone(),
            cluster: group.cluster().to_owned(),
            topic: topic.to_owned(),
        };
        Wave::of(key_hash(self.seed, group), &reading, at)
    }
}

impl Flow {
    fn of(seed: u64, key: &EntityKey, partitions: Option<u32>, replicas: Option<u16>) -> Self {
        let wave = Wave::of(seed, key, UnixMillis(0));
        let messages_per_second = wave.between(MESSAGES, 100.0, 1_000.0);
        Self {
            messages_per_second,
            bytes_per_second: messages_per_second * wave.between(SIZE, 128.0, 1_024.0),
            partitions: partitions.unwrap_or(PARTITIONS),
            replicas: replicas.map_or(REPLICAS, u32::from),
            first_leader: 0,
            readers: Vec::new(),
        }
    }
}

impl Part {
    /// Completes the part once all its entities are in it.
    fn add_up(&mut self) {
        let brokers = self.brokers().max(1);
        for flow in self.topics.values_mut() {
            flow.replicas = flow.replicas.min(brokers);
            let (whole, readers) = (&mut self.whole, flow.readers.len() as f64);
            // Partitions are dealt to the brokers one by one, topic after topic, so that each leads
            // as many as its share says.
            flow.first_leader = whole.partitions % brokers;
            whole.messages_per_second += flow.messages_per_second;
            whole.bytes_in_per_second += flow.bytes_per_second;
            whole.bytes_out_per_second += flow.bytes_per_second * readers;
            whole.partitions = whole.partitions.saturating_add(flow.partitions);
            let replicas = flow.partitions.saturating_mul(flow.replicas);
            whole.replicas = whole.replicas.saturating_add(replicas);
        }
    }

    /// Id of the broker at a place among the listed ones.
    fn number_of(&self, index: u32) -> Option<i32> {
        self.broker_ids.get(index as usize)?.parse().ok()
    }

    fn brokers(&self) -> u32 {
        let listed = u32::try_from(self.broker_ids.len()).unwrap_or(u32::MAX);
        self.required_brokers.unwrap_or(0).max(listed)
    }
}
