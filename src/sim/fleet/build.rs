//! Builds a fleet's first state from its specification and seed.
//!
//! Invariant: the same specification, seed and epoch give the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;
use rand_core::Rng;
use smallvec::SmallVec;

use super::group::Group;
use super::history::Change;
use super::in_force::InForce;
use super::journal::MetadataTruth;
use super::spec::{FleetSpec, SpecError, broker_host};
use super::state::{
    Broker, BrokerCounters, BrokerIds, Derived, Event, Journal, Partition, State, Topic,
    TopicCounters,
};
use crate::domain::units::UnixMillis;
use crate::sim::seed::{Seed, below};
use crate::sim::time::SimTime;
use crate::workload::mix;

const SUBJECTS: [&str; 12] = [
    "orders",
    "payments",
    "shipments",
    "customers",
    "inventory",
    "returns",
    "invoices",
    "carts",
    "prices",
    "reviews",
    "sessions",
    "alerts",
];
const FACTS: [&str; 6] = ["created", "updated", "cancelled", "audited", "enriched", "failed"];

/// `retention.ms` of Kafka, and others that some topics have.
const RETENTIONS_MS: [i64; 4] = [604_800_000, 86_400_000, 3_600_000, 604_800_000];

impl State {
    /// The state of a fleet at the start.
    ///
    /// # Errors
    /// [`SpecError`] when `spec` is impossible.
    pub fn build(spec: FleetSpec, seed: Seed, epoch: UnixMillis) -> Result<Self, SpecError> {
        spec.validate()?;
        let seed = seed.child(&format!("fleet/{}", spec.cluster));
        let brokers = (1..=i32::try_from(spec.brokers_in_all()).unwrap_or(i32::MAX))
            .map(|id| new_broker(&spec, id))
            .collect();
        let mut state = Self {
            cluster: Arc::from(spec.cluster.as_str()),
            noise: seed.stream("noise").next_u64(),
            seed,
            epoch,
            now: SimTime::ZERO,
            ticks: 0,
            brokers,
            topics: Vec::new(),
            topic_index: BTreeMap::new(),
            topic_ids: BTreeMap::new(),
            parts: Vec::new(),
            groups: BTreeMap::new(),
            controller: Some(1),
            controller_epoch: 1,
            events: BTreeMap::new(),
            event_count: 0,
            topology_version: 1,
            derived: Derived::default(),
            metadata: None,
            metadata_body: None,
            journal: Journal { on: true, entries: Vec::new() },
            start: Arc::new(MetadataTruth::default()),
            history: Vec::new(),
            trace: None,
            in_force: InForce::default(),
            spread: BTreeSet::new(),
            producer_ids: 0,
            member_ids: 0,
            spec,
        };
        let offsets = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        let replication = state.spec.brokers.min(3) as i16;
        state.add_topic(super::OFFSETS_TOPIC, 50, replication, offsets);
        state.build_topics();
        state.build_groups();
        let rebalance = Duration::from_millis(state.spec.timing.leader_rebalance_ms);
        state.schedule(SimTime::ZERO + rebalance, Event::RebalanceLeaders);
        state.plan_turns();
        state.set_rates();
        state.history.clear();
        state.start = state.metadata_truth();
        Ok(state)
    }

    fn build_topics(&mut self) {
        let mut rng = self.seed.stream("topics");
        for index in 0..self.spec.topics as usize {
            self.build_topic(index, &mut rng, true);
        }
    }

    /// Adds the topic number `index`, with a log that is there already if it is `old`.
    pub(super) fn build_topic(&mut self, index: usize, rng: &mut impl Rng, old: bool) {
        let name = topic_name(index);
        let mut configs = BTreeMap::new();
        let retention = RETENTIONS_MS[below(rng, 4) as usize];
        if retention != RETENTIONS_MS[0] {
            configs.insert("retention.ms".to_owned(), retention.to_string());
        }
        let min_insync = self.spec.min_insync_replicas;
        if min_insync != 1 {
            configs.insert("min.insync.replicas".to_owned(), min_insync.to_string());
        }
        // 20 % to 180 % of the mean rate.
        let rate = self.spec.messages_per_second * (20 + below(rng, 161)) / 100;
        let partitions = self.spec.partitions as i32;
        let replication = self.spec.replication.cast_signed();
        let topic = self.add_topic(&name, partitions, replication, configs);
        let bytes = u64::from(self.spec.message_bytes) * (50 + below(rng, 101)) / 100;
        self.seed_log(topic, bytes.max(80), rate, rng, old);
    }

    /// Gives the partitions of `topic` their share of the rate, and an old one's a log.
    fn seed_log(&mut self, topic: usize, bytes: u64, rate: u64, rng: &mut impl Rng, old: bool) {
        self.topics[topic].message_bytes = bytes;
        let retention_ms = self.topics[topic].retention_ms;
        let share = rate * 1_000_000 / self.topics[topic].partitions as u64;
        // Disks are shared, so the log reaches back a tenth of the retention, a day at most.
        let age_ms = (retention_ms / 10).clamp(600_000, 86_400_000);
        for index in self.topics[topic].parts() {
            let skew = 90 + below(rng, 21);
            let base_micro = share * skew / 100;
            let messages = i64::try_from(base_micro / 1_000 * age_ms.unsigned_abs() / 1_000_000)
                .unwrap_or(i64::MAX / 4);
            let start = i64::try_from(below(rng, 1_000_000)).unwrap_or(0);
            let part = &mut self.parts[index];
            part.message_bytes = bytes;
            part.base_micro = base_micro;
            if !old {
                continue;
            }
            part.log_start = start;
            part.log_end = start + messages;
            part.origin_end = part.log_end;
            part.origin_age_ms = age_ms;
            part.size_bytes = messages.unsigned_abs() * bytes;
        }
    }

    /// Adds a topic with its partitions, placed as Kafka places them, and returns its index.
    ///
    /// Names, counts and replication must have been checked.
    pub fn add_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replication: i16,
        configs: BTreeMap<String, String>,
    ) -> usize {
        let index = self.topics.len();
        let name: Arc<str> = Arc::from(name);
        let hash = mix(self.noise ^ 0x70, index as u64, 1);
        let id = uuid::Builder::from_random_bytes(
            (u128::from(hash) << 64 | u128::from(mix(hash, 1, 2))).to_be_bytes(),
        )
        .into_uuid();
        let number = |key: &str, default: i64| {
            configs.get(key).and_then(|value| value.parse().ok()).unwrap_or(default)
        };
        let topic = Topic {
            name_bytes: StrBytes::from_string(name.to_string()),
            id,
            internal: &*name == super::OFFSETS_TOPIC,
            first: self.parts.len(),
            partitions: usize::try_from(partitions).unwrap_or(0),
            min_insync: usize::try_from(number("min.insync.replicas", 1)).unwrap_or(1),
            retention_ms: number("retention.ms", RETENTIONS_MS[0]),
            message_bytes: 120,
            configs,
            name: Arc::clone(&name),
        };
        self.topic_index.insert(name, index);
        self.topic_ids.insert(id, index);
        self.topics.push(topic);
        let start = usize::try_from(hash >> 33).unwrap_or(0);
        let alive: Vec<i32> =
            self.brokers.iter().filter(|broker| !broker.fenced).map(|broker| broker.id).collect();
        for partition in 0..partitions {
            let replicas = place(&alive, start, partition, replication);
            self.add_partition(index, partition, replicas);
        }
        self.topology_version += 1;
        self.record(Change::TopicCreated(Arc::new(self.topic_truth(index))));
        index
    }

    fn add_partition(&mut self, topic: usize, index: i32, replicas: BrokerIds) {
        let part = Partition {
            topic,
            index,
            leader: replicas.first().copied().unwrap_or(-1),
            isr: replicas.clone(),
            replicas,
            adding: BrokerIds::new(),
            target: BrokerIds::new(),
            leader_epoch: 0,
            readable: false,
            writable: false,
            slot: 0,
            log_start: 0,
            log_end: 0,
            origin_end: 0,
            origin_age_ms: 1,
            size_bytes: 0,
            message_bytes: 120,
            base_micro: 0,
            rate_micro: 0,
            carry_micro: 0,
            backlog: 0,
            marks: Vec::new(),
            batches: BTreeMap::new(),
            stored_bytes: 0,
        };
        // Marks count retention checks, so a topic made later starts with those it missed.
        let checks = self.ticks / self.check_ticks();
        self.parts.push(Partition { marks: vec![0; usize::try_from(checks).unwrap_or(0)], ..part });
        self.refresh_part(self.parts.len() - 1);
    }

    fn build_groups(&mut self) {
        let mut rng = self.seed.stream("groups");
        // Topic 0 is `__consumer_offsets`.
        let topics = self.topics.len() - 1;
        for index in 0..self.spec.groups as usize {
            let count = (1 + below(&mut rng, 3) as usize).min(topics);
            let mut chosen: Vec<usize> =
                (0..count).map(|nth| 1 + (index * 2 + nth) % topics.max(1)).collect();
            chosen.sort_unstable();
            chosen.dedup();
            let name: Arc<str> = Arc::from(group_name(index, topics));
            let Some(coordinator) = self.coordinator_part(&name) else { continue };
            let mut group = Group::new(Arc::clone(&name), coordinator);
            group.synthetic = true;
            group.protocol_type = Arc::from("consumer");
            group.protocol = Arc::from("range");
            group.topics = chosen;
            group.phase = index as u64;
            // Enough for 100 % to 230 % of the base rate: some groups fall behind at peak.
            let capacity_percent = 100 + below(&mut rng, 131);
            self.seed_offsets(&mut group, capacity_percent, &mut rng);
            self.groups.insert(Arc::clone(&name), group);
            if index % 10 != 9 {
                (0..self.spec.members).for_each(|_| self.add_synthetic_member(&name));
                self.plan_member_change(&name);
            }
            self.settle_synthetic(&name);
        }
    }

    fn seed_offsets(&self, group: &mut Group, capacity_percent: u64, rng: &mut impl Rng) {
        for topic in group.topics.clone() {
            for index in self.topics[topic].parts() {
                let part = &self.parts[index];
                let behind = i64::try_from(below(rng, 200)).unwrap_or(0);
                let committed = (part.log_end - behind).max(part.log_start);
                let place = group.offset_mut(index);
                place.committed = committed;
                place.committed_epoch = 0;
                place.position = committed;
                place.capacity_micro =
                    part.base_micro * capacity_percent / 100 * self.spec.timing.tick_ms / 1_000;
            }
        }
    }
}

fn new_broker(spec: &FleetSpec, id: i32) -> Broker {
    let host: Arc<str> = Arc::from(broker_host(&spec.cluster, id));
    let of_start = id.unsigned_abs() <= spec.brokers;
    let rack = (spec.racks > 0).then(|| {
        let rack = (id.unsigned_abs() - 1) % spec.racks;
        StrBytes::from_string(format!("rack-{}", rack + 1))
    });
    Broker {
        id,
        host_bytes: StrBytes::from_string(host.to_string()),
        host,
        port: super::WIRE_PORT,
        rack,
        registered: of_start,
        up: of_start,
        served: false,
        fenced: !of_start,
        incarnation: 0,
        started_at: SimTime::ZERO,
        counters: BrokerCounters::default(),
        topics: Vec::new(),
        slots: BTreeMap::new(),
        minute: [TopicCounters::default(); 2],
        closed: BTreeMap::new(),
    }
}

/// `orders-consumers-0`: name of consumer group `index` in a cluster of so many topics, after the
/// first topic that it reads. Every tenth group, from 9 on, has no members.
pub fn group_name(index: usize, topics: usize) -> String {
    let topic = topic_name(index * 2 % topics.max(1));
    let subject = topic.split('.').next().filter(|_| topics > 0).unwrap_or("idle");
    format!("{subject}-consumers-{index}")
}

/// Name of topic `index`: `orders.created`, `payments.created`, …, then with a number.
pub fn topic_name(index: usize) -> String {
    let subject = SUBJECTS[index % SUBJECTS.len()];
    let fact = FACTS[index / SUBJECTS.len() % FACTS.len()];
    match index / (SUBJECTS.len() * FACTS.len()) {
        0 => format!("{subject}.{fact}"),
        round => format!("{subject}.{fact}.{}", round + 1),
    }
}

/// Kafka's `AdminUtils.assignReplicasToBrokersRackUnaware` for one partition.
pub(super) fn place(alive: &[i32], start: usize, partition: i32, replication: i16) -> BrokerIds {
    let n = alive.len();
    let partition = usize::try_from(partition).unwrap_or(0);
    let mut replicas = SmallVec::new();
    if n == 0 {
        return replicas;
    }
    let first = (start + partition) % n;
    replicas.push(alive[first]);
    let shift = start + partition / n;
    for follower in 0..usize::try_from(replication).unwrap_or(1).saturating_sub(1).min(n - 1) {
        let step = 1 + (shift + follower) % (n - 1);
        replicas.push(alive[(first + step) % n]);
    }
    replicas
}
