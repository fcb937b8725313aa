//! What a cycle learnt becomes samples: the place where field names and identities are decided.
//!
//! Fields, beside the exporter's own ([`super::scrape`]):
//! - cluster: `metadata.{broker_count,topic_count,partition_count,under_replicated,offline}`,
//!   `metadata.controller_id`, text `cluster_id`
//! - broker: `metadata.{partition_count,leader_count,under_replicated,is_controller}`, `port`,
//!   text `host`, `rack`, `logdirs.{size_bytes,total_bytes,usable_bytes}`
//! - topic: `metadata.{partition_count,replication_factor,under_replicated,offline}`,
//!   `logdirs.size_bytes` (the *leaders'* replicas: what the topic holds, once), rate
//!   `offsets.log_end_total` (Σ log ends), texts `config.*`
//! - group: `group.members`, `group.coordinator`, texts `group.state`, `group.protocol`
//! - group and partition: `consumer.offset`, `consumer.hwm`, `consumer.lag` (may be negative),
//!   rate `consumer.offset_total`
//!
//! Invariants:
//! - A sum over partitions is given only if every partition is in it.
//! - `at` is when the newest answer arrived that a sample is made of, except that all samples of
//!   one scrape carry the scrape's.

use std::collections::BTreeMap;

use kafka_protocol::protocol::StrBytes;

use super::broker::{Harvest, Slot};
use super::configs;
use super::counters::{
    Book, GroupPartition, GroupPartitionRef, Reading, Readings, TopicOnBroker, TopicOnBrokerRef,
};
use super::cycle::Cycle;
use super::error::{ClientError, ErrorCode};
use super::groups::{Answer, GroupFound};
use super::peer::Stream;
use super::scrape::{BROKER_GAUGES, BROKER_RATES, Scrape, TOPIC_RATES};
use super::topology::Topology;
use super::{Collection, CollectionStats, KafkaCollector, Reason, Stamp, missing};
use crate::domain::sample::{Origin, RawSample, Subject};
use crate::ports::Ports;

/// How long a counter is remembered that nobody sees any more.
const KEEP_MS: i64 = 600_000;

/// Groups with the broker that answered for them.
pub(super) type Groups<'a> = BTreeMap<&'a StrBytes, (i32, &'a GroupFound)>;

/// Every counter's last reading.
#[derive(Debug)]
pub(super) struct Books {
    brokers: Book<i32, { BROKER_RATES.len() }>,
    topics_on_brokers: Book<TopicOnBroker, { TOPIC_RATES.len() }>,
    topics: Book<Box<str>, 1>,
    group_partitions: Book<GroupPartition, 1>,
    /// When each broker's process started, as its exporter said last.
    starts: BTreeMap<i32, f64>,
}

impl Books {
    pub(super) fn new(rows_max: usize) -> Self {
        Self {
            brokers: Book::new(rows_max, KEEP_MS),
            topics_on_brokers: Book::new(rows_max, KEEP_MS),
            topics: Book::new(rows_max, KEEP_MS),
            group_partitions: Book::new(rows_max, KEEP_MS),
            starts: BTreeMap::new(),
        }
    }

    /// Forgets a broker's counters if its process has restarted since they were read: all of them
    /// began again, also those whose value does not show it.
    fn notice_restart(&mut self, broker: i32, scrape: &Scrape, stats: &mut CollectionStats) {
        let before = scrape.started.and_then(|start| self.starts.insert(broker, start));
        let restarted = match scrape.started.zip(before) {
            Some((start, before)) => start != before,
            None => self.brokers.fell(&broker, &scrape.rates),
        };
        if restarted {
            crate::sometimes!(COUNTER_RESET);
            self.brokers.forget(|id| *id == broker);
            self.topics_on_brokers.forget(|key| key.broker == broker);
            stats.counter_resets += 1;
        }
    }

    fn close_cycle(&mut self, now_ms: i64, stats: &mut CollectionStats) {
        self.brokers.expire(now_ms);
        self.topics_on_brokers.expire(now_ms);
        self.topics.expire(now_ms);
        self.group_partitions.expire(now_ms);
        let tallies = [
            self.brokers.take_tally(),
            self.topics_on_brokers.take_tally(),
            self.topics.take_tally(),
            self.group_partitions.take_tally(),
        ];
        for tally in tallies {
            stats.counter_resets += tally.resets;
            stats.counters_first_seen += tally.first_seen;
            stats.counters_refused += tally.refused;
        }
    }
}

/// Log ends, by topic and position of the partition; and when the last one of a topic arrived.
struct LogEnds {
    ends: Vec<Vec<Option<i64>>>,
    arrived: Vec<Stamp>,
}

impl LogEnds {
    fn new<S>(topology: &Topology, cycle: &Cycle<S>) -> Self {
        let rows = topology.topics.iter().map(|topic| vec![None; topic.partitions.len()]);
        let mut read =
            Self { ends: rows.collect(), arrived: vec![topology.at; topology.topics.len()] };
        for harvest in cycle.harvests.iter().chain(&cycle.followed) {
            let Slot::Done(at, ends) = &harvest.log_ends else { continue };
            for end in ends {
                let Ok(offset) = end.offset else { continue };
                let position = topology.topics[end.topic].position(end.partition);
                if let Some(position) = position {
                    read.ends[end.topic][position] = Some(offset);
                    read.arrived[end.topic] = read.arrived[end.topic].max(*at);
                }
            }
        }
        read
    }

    fn get(&self, topology: &Topology, topic: &str, partition: i32) -> Option<i64> {
        let index = topology.topic_index(topic)?;
        let position = topology.topics[index].position(partition)?;
        self.ends[index][position]
    }

    /// Σ log ends of the topic at `index`, if all are known.
    fn total(&self, index: usize) -> Option<f64> {
        let ends = &self.ends[index];
        if ends.is_empty() {
            return None;
        }
        ends.iter().try_fold(0i64, |sum, end| sum.checked_add((*end)?)).map(|sum| sum as f64)
    }
}

/// Sizes of the leaders' replicas, by topic: the sum, how many partitions are in it, and when the
/// last one arrived.
fn leader_sizes<S>(topology: &Topology, harvests: &[Harvest<S>]) -> Vec<(f64, usize, Stamp)> {
    let mut sizes = vec![(0.0, 0, topology.at); topology.topics.len()];
    for harvest in harvests {
        let Slot::Done(at, dirs) = &harvest.log_dirs else { continue };
        for (topic, partition, bytes) in &dirs.replicas {
            let partitions = &topology.topics[*topic];
            let Some(position) = partitions.position(*partition) else { continue };
            if partitions.partitions[position].leader == Some(harvest.broker) {
                let (sum, count, newest) = &mut sizes[*topic];
                *sum += *bytes as f64;
                *count += 1;
                *newest = newest.max(*at);
            }
        }
    }
    sizes
}

/// Samples in the making.
struct Samples<'a> {
    cluster: &'a str,
    all: Vec<RawSample<'static>>,
    stats: CollectionStats,
}

impl Samples<'_> {
    fn new_sample(&self, subject: Subject<'static>, at: Stamp) -> RawSample<'static> {
        RawSample::new(Origin::Kafka, self.cluster.to_owned(), subject, at.wall)
    }

    fn push(&mut self, sample: RawSample<'static>) {
        self.stats.sampled(&sample.subject);
        self.all.push(sample);
    }
}

/// Adds the rates of `values` to `sample`, each under its name.
fn add_rates<const N: usize>(
    sample: &mut RawSample<'static>,
    readings: &mut Readings<'_, N>,
    names: &[&'static str; N],
    values: &[Option<f64>; N],
) {
    for (index, (name, value)) in names.iter().zip(values).enumerate() {
        let Some(value) = value else { continue };
        if let Reading::Rate { per_second, window_ms } = readings.rate(index, *value) {
            sample.rate(*name, per_second, window_ms);
        }
    }
}

impl<P: Ports> KafkaCollector<P> {
    /// Makes samples of everything the cycle learnt, and takes its figures down.
    pub(super) fn assemble(&mut self, cycle: Cycle<Stream<P>>) -> Collection {
        let topology = &cycle.topology;
        let ends = LogEnds::new(topology, &cycle);
        let groups = merge_groups(&cycle);
        let mut samples = Samples {
            cluster: &self.config.cluster,
            all: Vec::new(),
            stats: CollectionStats::default(),
        };
        cluster(&mut samples, topology);
        for harvest in &cycle.harvests {
            broker(&mut samples, &mut self.books, topology, harvest);
        }
        for harvest in &cycle.harvests {
            topics_on_broker(&mut samples, &mut self.books, harvest);
        }
        let sizes = leader_sizes(topology, &cycle.harvests);
        for (index, size) in sizes.iter().enumerate() {
            topic(&mut samples, &mut self.books, topology, index, &ends, *size, &self.configs);
        }
        for (coordinator, found) in groups.values() {
            group(&mut samples, *coordinator, found);
        }
        for (_, found) in groups.values() {
            group_partitions(&mut samples, &mut self.books, topology, &ends, found);
        }
        let Samples { all, mut stats, .. } = samples;
        let missing = missing::all(&cycle, &groups);
        drop(groups);
        self.close(cycle, &mut stats);
        for part in &missing {
            stats.failed(part.reason.as_str(), 1);
        }
        Collection { samples: all, missing, stats }
    }

    /// Counts traffic, lets go of brokers that are no longer part of the cluster.
    fn close(&mut self, cycle: Cycle<Stream<P>>, stats: &mut CollectionStats) {
        for peer in self.peers.values_mut() {
            let traffic = peer.take_traffic();
            for (api, count) in traffic.requests() {
                *stats.requests.entry(api).or_default() += count;
            }
            stats.connections_opened += traffic.opened;
            stats.bytes_in += traffic.bytes_in;
            stats.bytes_out += traffic.bytes_out;
        }
        stats.brokers_known = cycle.topology.brokers.len() as u64;
        stats.brokers_asked = cycle.harvests.len() as u64;
        for harvest in &cycle.harvests {
            stats.brokers_answered += u64::from(harvest.answered());
            if let Some(bytes) = harvest.scraped {
                *stats.requests.entry("scrape").or_default() += 1;
                stats.bytes_in += bytes;
            }
            if let Slot::Done(_, scrape) = &harvest.scrape {
                let rejected = &scrape.rejected;
                stats.failed("scrape_line_malformed", rejected.malformed_lines);
                stats.failed("value_not_finite", rejected.not_finite);
                stats.failed("counter_negative", rejected.negative_counters);
                stats.failed("series_repeated", rejected.duplicates);
            }
        }
        let known: std::collections::BTreeSet<_> =
            cycle.topology.brokers.values().map(|broker| &broker.endpoint).collect();
        self.peers.retain(|endpoint, _| known.contains(endpoint));
        let now_ms = self.now().mono_ms;
        self.books.close_cycle(now_ms, stats);
    }
}

fn cluster(samples: &mut Samples<'_>, topology: &Topology) {
    let partitions = || topology.topics.iter().flat_map(|topic| &topic.partitions);
    let mut sample = samples.new_sample(Subject::Cluster, topology.at);
    sample
        .number("metadata.broker_count", topology.brokers.len() as f64)
        .number("metadata.topic_count", topology.topics.len() as f64)
        .number("metadata.partition_count", partitions().count() as f64)
        .number(
            "metadata.under_replicated",
            partitions().filter(|p| p.is_under_replicated()).count() as f64,
        )
        .number("metadata.offline", partitions().filter(|p| p.leader.is_none()).count() as f64);
    if let Some(controller) = topology.controller {
        sample.number("metadata.controller_id", f64::from(controller));
    }
    if let Some(id) = &topology.cluster_id {
        sample.text("cluster_id", id.to_string());
    }
    samples.push(sample);
}

fn broker<S>(
    samples: &mut Samples<'_>,
    books: &mut Books,
    topology: &Topology,
    harvest: &Harvest<S>,
) {
    let id = harvest.broker;
    let Some(described) = topology.brokers.get(&id) else { return };
    let at = match (&harvest.scrape, &harvest.log_dirs) {
        (Slot::Done(at, _), _) | (_, Slot::Done(at, _)) => *at,
        _ => topology.at,
    };
    let mut sample = samples.new_sample(Subject::Broker { broker_id: id }, at);
    if let Slot::Done(at, scrape @ Scrape { rates, gauges, .. }) = &harvest.scrape {
        books.notice_restart(id, scrape, &mut samples.stats);
        let mut readings = books.brokers.read(&id, at.mono_ms);
        add_rates(&mut sample, &mut readings, &BROKER_RATES, rates);
        for (name, value) in BROKER_GAUGES.iter().zip(gauges) {
            if let Some(value) = value {
                sample.number(*name, *value);
            }
        }
    }
    if let Slot::Done(_, dirs) = &harvest.log_dirs {
        // With a directory failed, the rest is not what the broker holds.
        if dirs.failed.is_none() {
            sample.number("logdirs.size_bytes", dirs.size_bytes);
        }
        if let Some(bytes) = dirs.total_bytes {
            sample.number("logdirs.total_bytes", bytes);
        }
        if let Some(bytes) = dirs.usable_bytes {
            sample.number("logdirs.usable_bytes", bytes);
        }
    }
    sample
        .number("metadata.partition_count", described.partitions as f64)
        .number("metadata.leader_count", described.leaders as f64)
        .number("metadata.under_replicated", described.under_replicated as f64)
        .number("port", f64::from(described.endpoint.port))
        .text("host", described.endpoint.host.clone());
    if let Some(controller) = topology.controller {
        sample.number("metadata.is_controller", f64::from(u8::from(controller == id)));
    }
    if let Some(rack) = &described.rack {
        sample.text("rack", rack.to_string());
    }
    samples.push(sample);
}

fn topics_on_broker<S>(samples: &mut Samples<'_>, books: &mut Books, harvest: &Harvest<S>) {
    let Slot::Done(at, scrape) = &harvest.scrape else { return };
    for (topic, counters) in &scrape.topics {
        let key = TopicOnBrokerRef { broker: harvest.broker, topic };
        let mut readings = books.topics_on_brokers.read(&key, at.mono_ms);
        let subject =
            Subject::TopicOnBroker { topic: topic.clone().into(), broker_id: harvest.broker };
        let mut sample = samples.new_sample(subject, *at);
        add_rates(&mut sample, &mut readings, &TOPIC_RATES, counters);
        if !sample.fields.is_empty() {
            samples.push(sample);
        }
    }
}

fn topic(
    samples: &mut Samples<'_>,
    books: &mut Books,
    topology: &Topology,
    index: usize,
    ends: &LogEnds,
    (size, sized, sized_at): (f64, usize, Stamp),
    configs: &configs::TopicConfigs,
) {
    let topic = &topology.topics[index];
    let partitions = &topic.partitions;
    let total = ends.total(index);
    let all_sized = sized == partitions.len() && sized > 0;
    let mut at = topology.at;
    if total.is_some() {
        at = at.max(ends.arrived[index]);
    }
    if all_sized {
        at = at.max(sized_at);
    }
    let mut sample =
        samples.new_sample(Subject::Topic { topic: topic.name.to_string().into() }, at);
    sample
        .number("metadata.partition_count", partitions.len() as f64)
        .number(
            "metadata.under_replicated",
            partitions.iter().filter(|p| p.is_under_replicated()).count() as f64,
        )
        .number(
            "metadata.offline",
            partitions.iter().filter(|p| p.leader.is_none()).count() as f64,
        );
    // Partitions of one topic may differ while a reassignment runs; the smallest is what is safe.
    if let Some(replicas) = partitions.iter().map(|p| p.replicas).min() {
        sample.number("metadata.replication_factor", replicas as f64);
    }
    if all_sized {
        sample.number("logdirs.size_bytes", size);
    }
    if let Some(total) = total {
        let mut readings = books.topics.read(topic.name.as_str(), ends.arrived[index].mono_ms);
        add_rates(&mut sample, &mut readings, &["offsets.log_end_total"], &[Some(total)]);
    }
    for ((_, field), value) in
        configs::KEYS.iter().zip(configs.get(&topic.name).into_iter().flatten())
    {
        if let Some(value) = value {
            sample.text(*field, value.to_string());
        }
    }
    samples.push(sample);
}

/// Whether anything shows that the group exists: the configuration may name one that does not,
/// and one that was listed may be gone when it is described.
fn exists(found: &GroupFound) -> bool {
    let gone = Reason::Client(ClientError::Broker {
        api: "DescribeGroups",
        code: ErrorCode::GROUP_ID_NOT_FOUND,
    });
    match (&found.description, &found.committed) {
        (Answer::Done(..), _) => true,
        (_, Answer::Done(_, rows)) if rows.iter().any(|row| row.offset >= 0) => true,
        (Answer::Failed(reason), _) if *reason == gone => false,
        _ => !found.named,
    }
}

fn group(samples: &mut Samples<'_>, coordinator: i32, found: &GroupFound) {
    if !exists(found) {
        return;
    }
    let (at, description) = match &found.description {
        Answer::Done(at, description) => (*at, Some(description)),
        _ => (found.at, None),
    };
    let mut sample =
        samples.new_sample(Subject::Group { group: found.group.to_string().into() }, at);
    sample.number("group.coordinator", f64::from(coordinator));
    if let Some(description) = description {
        sample.number("group.members", description.members as f64);
        if !description.protocol.is_empty() {
            sample.text("group.protocol", description.protocol.to_string());
        }
    }
    let state = description.map(|d| &d.state).or(found.listed_state.as_ref());
    if let Some(state) = state.filter(|state| !state.is_empty()) {
        sample.text("group.state", state.to_string());
    }
    samples.push(sample);
}

fn group_partitions(
    samples: &mut Samples<'_>,
    books: &mut Books,
    topology: &Topology,
    ends: &LogEnds,
    found: &GroupFound,
) {
    let Answer::Done(at, rows) = &found.committed else { return };
    for row in rows {
        let end = ends.get(topology, &row.topic, row.partition);
        // Kafka says −1 for "nothing committed".
        let offset = Some(row.offset).filter(|offset| *offset >= 0);
        if end.is_none() && offset.is_none() {
            continue;
        }
        let mut sample = samples.new_sample(
            Subject::GroupPartition {
                group: found.group.to_string().into(),
                topic: row.topic.to_string().into(),
                partition: row.partition,
            },
            *at,
        );
        if let Some(end) = end {
            sample.number("consumer.hwm", end as f64);
        }
        if let Some(offset) = offset {
            sample.number("consumer.offset", offset as f64);
            let key = GroupPartitionRef {
                group: &found.group,
                topic: &row.topic,
                partition: row.partition,
            };
            let mut readings = books.group_partitions.read(&key, at.mono_ms);
            let value = [Some(offset as f64)];
            add_rates(&mut sample, &mut readings, &["consumer.offset_total"], &value);
        }
        if let (Some(end), Some(offset)) = (end, offset) {
            sample.number("consumer.lag", (end - offset) as f64);
        }
        samples.push(sample);
    }
}

/// Every group once, with its coordinator: the answer that came furthest wins.
fn merge_groups<S>(cycle: &Cycle<S>) -> Groups<'_> {
    let mut merged = Groups::new();
    for harvest in cycle.harvests.iter().chain(&cycle.followed) {
        for found in &harvest.groups {
            let rank = |found: &GroupFound| {
                let described = matches!(found.description, Answer::Done(..));
                (matches!(found.committed, Answer::Done(..)), described, !found.moved)
            };
            let before = merged.get(&found.group);
            if before.is_none_or(|(_, before)| rank(found) > rank(before)) {
                merged.insert(&found.group, (harvest.broker, found));
            }
        }
    }
    merged
}
