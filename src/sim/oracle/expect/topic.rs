//! A topic's figures.

use std::collections::BTreeMap;

use super::broker::{BrokerSight, Plain, outcome, percent};
use super::group::GroupSight;
use crate::sim::fleet::{BrokerTruth, MetadataTruth, TopicCounters};
use crate::sim::oracle::cycle::{LogDirs, LogEnds};

type Counter = (&'static str, fn(&TopicCounters) -> u64);

const RATES: &[Counter] = &[
    ("topic.throughput.in.messagesPerSecond", |c| c.messages_in),
    ("topic.throughput.in.bytesPerSecond", |c| c.bytes_in),
    ("topic.throughput.out.bytesPerSecond", |c| c.bytes_out),
    ("request.produce.handled.perSecond", |c| c.produce_requests),
    ("request.fetch.handled.perSecond", |c| c.fetch_requests),
    ("request.produce.failed.perSecond", |c| c.failed_produce_requests),
    ("request.fetch.failed.perSecond", |c| c.failed_fetch_requests),
];

/// Figures that are made of what brokers count of the topic.
pub const OF_BROKERS: &[&str] = &[
    "topic.throughput.in.messagesPerSecond",
    "topic.throughput.in.bytesPerSecond",
    "topic.throughput.out.bytesPerSecond",
    "topic.brokers.reporting",
    "topic.error.rate",
    "topic.message.size.bytes",
    "request.produce.handled.perSecond",
    "request.fetch.handled.perSecond",
    "request.produce.failed.perSecond",
    "request.fetch.failed.perSecond",
    "efficiencyScore",
];

/// Figures that are made of what groups read of the topic.
pub const OF_GROUPS: &[&str] = &["topic.throughput.out.messagesPerSecond", "efficiencyScore"];

fn counters<'a>(truth: &'a BrokerTruth, topic: &str) -> Option<&'a TopicCounters> {
    truth.topics.iter().find(|(name, _)| name.as_ref() == topic).map(|(_, counters)| counters)
}

/// Sums over the brokers that have counters of the topic at both ends of their windows; one set
/// per admissible choice of earlier sights.
pub fn traffic(topic: &str, sights: &BTreeMap<i32, BrokerSight<'_>>) -> Vec<Plain> {
    let depth = sights.values().map(|sight| sight.before.len()).max().unwrap_or(0).clamp(1, 8);
    (0..depth).map(|level| traffic_at(topic, sights, level)).collect()
}

fn traffic_at(topic: &str, sights: &BTreeMap<i32, BrokerSight<'_>>, level: usize) -> Plain {
    let mut plain = Plain::new();
    let mut reporting = 0_u32;
    for sight in sights.values() {
        let last = sight.before.len().saturating_sub(1);
        let before = sight.before.get(level.min(last));
        let rates = before.zip(sight.window_s).and_then(|(before, seconds)| {
            let same_life = before.started_at == sight.now.started_at;
            let (now, then) = (counters(sight.now, topic)?, counters(before, topic)?);
            same_life.then_some((now, then, seconds))
        });
        let Some((now, then, seconds)) = rates else { continue };
        reporting += 1;
        for (name, counter) in RATES {
            let grown = counter(now).saturating_sub(counter(then));
            *plain.entry(name).or_insert(0.0) += grown as f64 / seconds;
        }
    }
    if reporting > 0 {
        plain.insert("topic.brokers.reporting", f64::from(reporting));
    }
    plain
}

/// The replicas of the leaders that `truth` names, if every one of them is known.
pub fn leader_bytes<'a>(
    topic: &str,
    truth: &MetadataTruth,
    disk: impl Fn(i32) -> Option<LogDirs<'a>>,
) -> Option<f64> {
    let known = truth.topics.iter().find(|known| known.name.as_ref() == topic)?;
    let mut bytes = 0.0;
    for (index, partition) in known.partitions.iter().enumerate() {
        let (_, _, replicas) = disk(partition.leader)?;
        let replica = replicas.iter().find(|replica| {
            replica.topic.as_ref() == topic && usize::try_from(replica.partition) == Ok(index)
        })?;
        bytes += replica.size_bytes as f64;
    }
    Some(bytes)
}

/// Lag and consumption over all groups.
pub fn lag(topic: &str, groups: &BTreeMap<&str, GroupSight<'_>>, ends: &LogEnds<'_>) -> Plain {
    let mut plain = Plain::new();
    let lags: Vec<i64> = groups
        .values()
        .filter_map(|sight| sight.lags(Some(topic), ends))
        .map(|lags| lags.iter().sum())
        .collect();
    if let Some(worst) = lags.iter().copied().max() {
        plain.insert("topic.lag", worst as f64);
        plain.insert("topic.consumer.lag.sum", lags.iter().sum::<i64>() as f64);
    }
    let rates = groups.values().filter_map(|sight| {
        let rates = sight.consumption(Some(topic));
        // Asked again within one cycle, a group's last answer is the one that arrived.
        rates.last().copied()
    });
    if let Some(rate) = rates.reduce(|a, b| a + b) {
        plain.insert("topic.throughput.out.messagesPerSecond", rate);
    }
    plain
}

/// What follows from the other figures of the topic.
pub fn derive(plain: &mut Plain) {
    let get = |plain: &Plain, name| plain.get(name).copied();
    if let Some((failed, handled)) = outcome(plain) {
        plain.insert("topic.error.rate", percent(failed, handled));
    }
    let messages = get(plain, "topic.throughput.in.messagesPerSecond").filter(|rate| *rate > 0.0);
    let bytes = get(plain, "topic.throughput.in.bytesPerSecond");
    if let (Some(messages), Some(bytes)) = (messages, bytes) {
        plain.insert("topic.message.size.bytes", bytes / messages);
    }
    let out = get(plain, "topic.throughput.out.messagesPerSecond");
    let errors = get(plain, "topic.error.rate");
    if let (Some(messages), Some(out), Some(errors)) = (messages, out, errors) {
        let kept_up = (out / messages * 100.0).min(100.0);
        plain.insert("efficiencyScore", 0.7 * kept_up + 0.3 * (100.0 - 10.0 * errors).max(0.0));
    }
}

/// What the metadata says of a topic.
pub fn from_metadata(topic: &str, truth: &MetadataTruth) -> Plain {
    let mut plain = Plain::new();
    let Some(known) = truth.topics.iter().find(|known| known.name.as_ref() == topic) else {
        return plain;
    };
    let partitions = &known.partitions;
    plain.insert("kafka.partition.count", partitions.len() as f64);
    if let Some(least) = partitions.iter().map(|p| p.replicas.len()).min() {
        plain.insert("kafka.replication.factor", least as f64);
    }
    let behind = partitions.iter().filter(|p| p.isr.len() < p.replicas.len()).count();
    plain.insert("partitions.underReplicated", behind as f64);
    plain.insert("partitions.offline", partitions.iter().filter(|p| p.leader < 0).count() as f64);
    plain
}
