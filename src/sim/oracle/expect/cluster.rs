//! A cluster's figures: sums and means over its brokers, counts from its metadata.

use super::broker::{Plain, outcome, percent};
use super::{Figures, merge};
use crate::sim::fleet::MetadataTruth;

/// Figures that are made of the brokers' own.
pub const OF_BROKERS: &[&str] = &[
    "cluster.throughput.total",
    "cluster.throughput.in.bytesPerSecond",
    "cluster.throughput.out.bytesPerSecond",
    "cluster.request.rate",
    "cluster.error.rate",
];

/// Figures that count the groups.
pub const OF_GROUPS: &[&str] = &["consumerGroupCount"];

/// Sum of a figure over the brokers that have it.
fn sum(brokers: &[&Plain], name: &str) -> Option<f64> {
    brokers.iter().filter_map(|plain| plain.get(name)).copied().reduce(|a, b| a + b)
}

fn mean(brokers: &[&Plain], name: &str) -> Option<f64> {
    let values: Vec<f64> = brokers.iter().filter_map(|plain| plain.get(name)).copied().collect();
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
}

fn max(brokers: &[&Plain], name: &str) -> Option<f64> {
    brokers.iter().filter_map(|plain| plain.get(name)).copied().reduce(f64::max)
}

/// What the metadata and the brokers together say.
pub struct Census<'a> {
    /// Descriptions of the cluster, newest first.
    pub truths: Vec<&'a MetadataTruth>,
    /// Brokers that are expected: wanted, or seen within the last ten minutes.
    pub known: usize,
    /// Groups that this cycle saw.
    pub groups: usize,
}

/// Admissible figures of the cluster; `brokers` holds each broker's admissible sets.
pub fn figures(brokers: &[Vec<Plain>], census: &Census<'_>) -> Figures {
    let mut figures = Figures::new();
    let depth = brokers.iter().map(Vec::len).max().unwrap_or(1).min(8);
    for level in 0..depth {
        let chosen: Vec<&Plain> =
            brokers.iter().filter_map(|sets| sets.get(level.min(sets.len() - 1))).collect();
        let mut plain = Plain::new();
        over_brokers(&mut plain, &chosen);
        merge(&mut figures, &plain);
    }
    for truth in &census.truths {
        let mut plain = Plain::new();
        from_metadata(&mut plain, truth, census);
        merge(&mut figures, &plain);
    }
    figures
}

fn over_brokers(plain: &mut Plain, brokers: &[&Plain]) {
    let figures = [
        ("cluster.throughput.total", sum(brokers, "broker.messages.in.rate")),
        ("cluster.throughput.in.bytesPerSecond", sum(brokers, "broker.network.in.bytesPerSecond")),
        (
            "cluster.throughput.out.bytesPerSecond",
            sum(brokers, "broker.network.out.bytesPerSecond"),
        ),
        ("cluster.request.rate", sum(brokers, "request.rate")),
        ("cluster.controllers.active", sum(brokers, "controller.isActive")),
        ("cluster.cpu.usage.average", mean(brokers, "broker.cpu.usage")),
        ("cluster.memory.usage.average", mean(brokers, "broker.memory.usage")),
        ("cluster.disk.usage.average", mean(brokers, "broker.disk.usage")),
        ("cluster.disk.usage.max", max(brokers, "broker.disk.usage")),
        ("cluster.request.handlerIdle.percent", mean(brokers, "request.handlerIdle.percent")),
    ];
    plain.extend(figures.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let outcomes: Vec<(f64, f64)> = brokers.iter().filter_map(|plain| outcome(plain)).collect();
    if !outcomes.is_empty() {
        let failed = outcomes.iter().map(|(failed, _)| failed).sum();
        let handled = outcomes.iter().map(|(_, handled)| handled).sum();
        plain.insert("cluster.error.rate", percent(failed, handled));
    }
}

fn from_metadata(plain: &mut Plain, truth: &MetadataTruth, census: &Census<'_>) {
    let topics = || truth.topics.iter().filter(|topic| !topic.name.starts_with("__"));
    let partitions: Vec<_> = topics().flat_map(|topic| &topic.partitions).collect();
    let total = partitions.len() as f64;
    let under = partitions.iter().filter(|p| p.isr.len() < p.replicas.len()).count() as f64;
    let offline = partitions.iter().filter(|p| p.leader < 0).count() as f64;
    let online = truth.brokers.len() as f64;
    let expected = (census.known as f64).max(online);
    let mut availability = online / expected * 100.0;
    if total > 0.0 {
        availability = availability.min((total - offline) / total * 100.0);
    }
    let figures = [
        ("cluster.partitions.total", total),
        ("cluster.partitions.underReplicated", under),
        ("cluster.partitions.offline", offline),
        ("topicCount", topics().count() as f64),
        ("cluster.brokers.online", online),
        ("brokerCount", expected),
        ("cluster.brokers.offline", expected - online),
        ("cluster.availability.percentage", availability),
    ];
    plain.extend(figures);
    if census.groups > 0 {
        plain.insert("consumerGroupCount", census.groups as f64);
    }
}
