//! The whole state of one cluster: brokers, topics, partitions, groups, pending events.
//!
//! Invariants:
//! - `isr ⊆ replicas`; `leader` is −1 or in `isr`; `log_start ≤ log_end`; no committed offset of a
//!   synthetic consumer exceeds its partition's `log_end`.
//! - `topology_version` grows whenever brokers, leaders, replica sets or topics change; everything
//!   derived from them is rebuilt when it did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use smallvec::SmallVec;
use uuid::Uuid;

use super::group::Group;
use super::history::{Change, HistoryEntry};
use super::in_force::InForce;
use super::journal::{MetadataTruth, Observation};
use super::spec::FleetSpec;
use crate::domain::units::UnixMillis;
use crate::rt::cause::{self, Cause};
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::Trace;

/// Broker ids of one partition.
pub type BrokerIds = SmallVec<[i32; 4]>;

/// What a broker counts per topic since it started (`kafka.server:type=BrokerTopicMetrics`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicCounters {
    /// Messages appended.
    pub messages_in: u64,
    /// Bytes appended.
    pub bytes_in: u64,
    /// Bytes handed to consumers.
    pub bytes_out: u64,
    /// Appends asked for, one per partition and request.
    pub produce_requests: u64,
    /// Partition reads asked for.
    pub fetch_requests: u64,
    /// Appends refused.
    pub failed_produce_requests: u64,
    /// Reads refused.
    pub failed_fetch_requests: u64,
}

/// What a broker counts since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrokerCounters {
    /// Sums over all topics.
    pub all: TopicCounters,
    /// Bytes of batches refused for their size.
    pub bytes_rejected: u64,
    /// Produce requests on the network.
    pub requests_produce: u64,
    /// Fetch requests of consumers.
    pub requests_fetch_consumer: u64,
    /// Fetch requests of followers.
    pub requests_fetch_follower: u64,
    /// Metadata requests.
    pub requests_metadata: u64,
    /// All other requests.
    pub requests_other: u64,
    /// Followers that left the ISR of a partition this broker leads.
    pub isr_shrinks: u64,
    /// Followers that came back to it.
    pub isr_expands: u64,
    /// Elections of a leader outside the ISR (never happens: unclean election is off).
    pub unclean_elections: u64,
    /// Log flushes.
    pub log_flushes: u64,
    /// Connections closed because of what they sent, see `wire::CloseReason`.
    pub connections_closed: u64,
}

/// One broker.
#[derive(Debug, Clone)]
pub(super) struct Broker {
    pub id: i32,
    pub host: Arc<str>,
    pub host_bytes: StrBytes,
    pub port: u16,
    pub rack: Option<StrBytes>,
    /// Whether it has ever started; before that nobody knows of it.
    pub registered: bool,
    /// Whether its process runs.
    pub up: bool,
    /// Whether `serve_broker` has been called in this life.
    pub served: bool,
    /// Whether the controller holds it for dead.
    pub fenced: bool,
    /// Grows at each start, so that events of an earlier life are recognised.
    pub incarnation: u32,
    pub started_at: SimTime,
    pub counters: BrokerCounters,
    /// Per topic since start: `(topic, counters)`, in order of first use.
    pub topics: Vec<(usize, TopicCounters)>,
    /// Position in `topics` per topic.
    pub slots: BTreeMap<usize, u32>,
    /// `counters.all` at the last whole minute and one before it: their difference is the load.
    pub minute: [TopicCounters; 2],
    /// Reasons of closed connections.
    pub closed: BTreeMap<&'static str, u64>,
}

impl Broker {
    /// The slot of `topic` in this broker's per-topic counters.
    pub fn slot(&mut self, topic: usize) -> u32 {
        let topics = &mut self.topics;
        *self.slots.entry(topic).or_insert_with(|| {
            topics.push((topic, TopicCounters::default()));
            u32::try_from(topics.len() - 1).expect("fewer than 2^32 topics")
        })
    }

    /// Applies `change` to the counters of `topic` and to the broker's sums.
    pub fn count(&mut self, topic: usize, change: impl Fn(&mut TopicCounters)) {
        let slot = self.slot(topic);
        change(&mut self.topics[slot as usize].1);
        change(&mut self.counters.all);
    }
}

/// One topic.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub name: Arc<str>,
    pub name_bytes: StrBytes,
    pub id: Uuid,
    pub internal: bool,
    /// Index of its first partition in `State::parts`, and how many it has.
    pub first: usize,
    pub partitions: usize,
    pub min_insync: usize,
    pub retention_ms: i64,
    /// Bytes per synthetic message on disk.
    pub message_bytes: u64,
    /// Settings that differ from the broker's defaults.
    pub configs: BTreeMap<String, String>,
}

impl Topic {
    /// Indices of its partitions in `State::parts`.
    pub fn parts(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.partitions
    }
}

/// A record batch that a client sent, as it is stored.
#[derive(Debug, Clone)]
pub(super) struct StoredBatch {
    pub last_offset: i64,
    pub max_timestamp: i64,
    pub bytes: Bytes,
}

/// One partition; its log is that of the leader.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub topic: usize,
    pub index: i32,
    pub replicas: BrokerIds,
    pub isr: BrokerIds,
    /// Replicas that a reassignment under way adds, and those that it will leave; else empty.
    pub adding: BrokerIds,
    pub target: BrokerIds,
    /// −1: none.
    pub leader: i32,
    pub leader_epoch: i32,
    /// The leader exists and its process runs.
    pub readable: bool,
    /// Readable, and the ISR has `min.insync.replicas` members.
    pub writable: bool,
    /// Slot of the topic in the leader's per-topic counters; fresh whenever `readable`.
    pub slot: u32,
    pub log_start: i64,
    pub log_end: i64,
    /// `log_end` at the start of the run, and the age of the log then (for times before it).
    pub origin_end: i64,
    pub origin_age_ms: i64,
    pub size_bytes: u64,
    pub message_bytes: u64,
    /// Messages per second at load 1, in millionths.
    pub base_micro: u64,
    /// Messages per tick now, in millionths.
    pub rate_micro: u64,
    pub carry_micro: u64,
    /// Messages that producers hold back because nobody takes them.
    pub backlog: u64,
    /// `log_end` at each retention check since the start of the run.
    pub marks: Vec<i64>,
    /// What clients wrote, by first offset; every other offset is synthetic.
    pub batches: BTreeMap<i64, StoredBatch>,
    pub stored_bytes: usize,
}

impl Partition {
    /// Replicas being added that are not in sync yet.
    fn adding_out_of_sync(&self) -> usize {
        self.adding.iter().filter(|id| !self.isr.contains(id)).count()
    }
}

/// Something that happens at an instant of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The controller has not heard of a broker for the session time-out.
    SessionExpired { broker: i32, incarnation: u32 },
    /// Leaders have not been asked by a follower for the replica lag time.
    LagExpired { broker: i32, incarnation: u32 },
    /// The voters choose a controller.
    Elect,
    /// A started broker takes part again.
    Unfence { broker: i32, incarnation: u32 },
    /// A follower has caught up.
    CaughtUp { part: usize, broker: i32, incarnation: u32 },
    /// Preferred leaders take over again.
    RebalanceLeaders,
    /// A surge begins or ends.
    Rates,
    /// A synthetic member comes or goes.
    MemberChange { group: Arc<str> },
    /// A synthetic rebalance goes one step on.
    SyntheticRebalance { group: Arc<str> },
    /// A group in a storm rebalances once more.
    Storm { group: Arc<str> },
    /// A real member may have been silent too long.
    MemberSession { group: Arc<str>, member: Arc<str> },
    /// A real rebalance must end.
    RebalanceDeadline { group: Arc<str>, round: u64 },
}

/// Figures derived from the topology, per version of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Derived {
    pub version: u64,
    pub brokers: Vec<BrokerView>,
    pub offline_partitions: u64,
}

/// What one broker hosts.
#[derive(Debug, Clone, Default)]
pub(super) struct BrokerView {
    pub hosted: Vec<usize>,
    pub leaders: u64,
    pub under_replicated: u64,
    /// Brokers that follow partitions this one leads.
    pub followers: u64,
}

/// The journal: what brokers answered.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub on: bool,
    pub entries: Vec<Observation>,
}

/// The state; see the module's invariants.
pub(super) struct State {
    pub spec: FleetSpec,
    pub cluster: Arc<str>,
    pub seed: Seed,
    /// `seed` as the key of hash noise.
    pub noise: u64,
    pub epoch: UnixMillis,
    pub now: SimTime,
    /// Ticks done.
    pub ticks: u64,
    pub brokers: Vec<Broker>,
    pub topics: Vec<Topic>,
    pub topic_index: BTreeMap<Arc<str>, usize>,
    pub topic_ids: BTreeMap<Uuid, usize>,
    pub parts: Vec<Partition>,
    pub groups: BTreeMap<Arc<str>, Group>,
    pub controller: Option<i32>,
    pub controller_epoch: i32,
    /// What is planned, each with what led to its being planned.
    pub events: BTreeMap<(SimTime, u64), (Event, Option<Cause>)>,
    pub event_count: u64,
    pub topology_version: u64,
    pub derived: Derived,
    pub metadata: Option<(u64, Arc<MetadataTruth>)>,
    /// Encoded answer to "all topics": topology version, API version, body.
    pub metadata_body: Option<(u64, i16, Bytes)>,
    pub journal: Journal,
    /// The topology at the start of the run; `history` goes on from it.
    pub start: Arc<MetadataTruth>,
    pub history: Vec<HistoryEntry>,
    pub trace: Option<Trace>,
    /// Faults in force.
    pub in_force: InForce,
    /// Joins whose brokers have all registered.
    pub spread: BTreeSet<usize>,
    /// Producer ids handed out, member ids made.
    pub producer_ids: i64,
    pub member_ids: u64,
}

impl State {
    /// The broker with `id`.
    pub fn broker(&self, id: i32) -> Option<&Broker> {
        self.brokers.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    /// The broker with `id`, to change it.
    pub fn broker_mut(&mut self, id: i32) -> Option<&mut Broker> {
        self.brokers.get_mut(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    /// Whether the process of `id` runs.
    pub fn is_up(&self, id: i32) -> bool {
        self.broker(id).is_some_and(|broker| broker.up)
    }

    /// Unix time of `at`.
    pub fn wall(&self, at: SimTime) -> UnixMillis {
        self.epoch.plus(at.since_start())
    }

    /// The topic called `name`.
    pub fn topic(&self, name: &str) -> Option<usize> {
        self.topic_index.get(name).copied()
    }

    /// The partition `index` of `topic`, as an index into `parts`.
    pub fn part(&self, topic: usize, index: i32) -> Option<usize> {
        let topic = self.topics.get(topic)?;
        let index = usize::try_from(index).ok()?;
        (index < topic.partitions).then_some(topic.first + index)
    }

    /// Plans `event` for `at`; never before the present instant.
    pub fn schedule(&mut self, at: SimTime, event: Event) {
        self.event_count += 1;
        self.events.insert((at.max(self.now), self.event_count), (event, cause::present()));
    }

    /// Writes `change` into the history and the trace.
    pub fn record(&mut self, change: Change) {
        if let Some(trace) = &self.trace {
            trace.event(self.now, "fleet", format_args!("{change} cluster={}", self.cluster));
        }
        self.history.push(HistoryEntry { at: self.now, change });
    }

    /// Brings everything derived from the topology up to date.
    pub fn refresh_derived(&mut self) {
        if self.derived.version == self.topology_version {
            return;
        }
        let mut views = vec![BrokerView::default(); self.brokers.len()];
        let mut peers = BTreeSet::new();
        let mut offline = 0;
        for (part_index, part) in self.parts.iter().enumerate() {
            for &replica in &part.replicas {
                views[slot_of(replica)].hosted.push(part_index);
                if part.leader > 0 && replica != part.leader && self.is_up(replica) {
                    peers.insert((part.leader, replica));
                }
            }
            if part.leader < 0 {
                offline += 1;
                continue;
            }
            let leader = &mut views[slot_of(part.leader)];
            leader.leaders += 1;
            // Kafka's gauge leaves out replicas that are only being added.
            let behind = part.isr.len() + part.adding_out_of_sync() < part.replicas.len();
            leader.under_replicated += u64::from(behind);
        }
        for (leader, _) in peers {
            views[slot_of(leader)].followers += 1;
        }
        self.derived =
            Derived { version: self.topology_version, brokers: views, offline_partitions: offline };
    }

    /// What broker `id` hosts.
    pub fn view(&mut self, id: i32) -> &BrokerView {
        self.refresh_derived();
        &self.derived.brokers[slot_of(id)]
    }

    /// Brings the cached flags of one partition up to date.
    pub fn refresh_part(&mut self, part: usize) {
        let (topic, leader) = (self.parts[part].topic, self.parts[part].leader);
        let readable = self.is_up(leader);
        let min_insync = self.topics[topic].min_insync;
        let slot = match self.broker_mut(leader) {
            Some(broker) if readable => broker.slot(topic),
            _ => 0,
        };
        let part = &mut self.parts[part];
        part.readable = readable;
        part.writable = readable && part.isr.len() >= min_insync;
        part.slot = slot;
    }
}

/// Position of broker `id` (ids begin at 1) in vectors over brokers.
pub(super) fn slot_of(id: i32) -> usize {
    usize::try_from(id - 1).expect("replica lists hold ids of existing brokers only")
}
