//! A consumer group's figures.

use std::collections::BTreeMap;

use super::broker::Plain;
use super::{Figures, merge, topics_of};
use crate::sim::fleet::{CommittedTruth, GroupTruth};
use crate::sim::oracle::cycle::LogEnds;

/// A group's committed offsets now and before, with the window between.
pub struct GroupSight<'a> {
    /// Now.
    pub now: &'a [CommittedTruth],
    /// Each admissible earlier sight.
    pub before: Vec<&'a [CommittedTruth]>,
    /// Seconds between the two; `None` when the pipeline claims no rates.
    pub window_s: Option<f64>,
}

impl GroupSight<'_> {
    /// Growth of committed offsets per second over the partitions of `topic` (all without one)
    /// that both ends know: one admissible value per earlier sight.
    pub fn consumption(&self, topic: Option<&str>) -> Vec<f64> {
        let Some(seconds) = self.window_s else { return Vec::new() };
        let rate = |before: &&[CommittedTruth]| {
            let then: BTreeMap<_, _> =
                before.iter().map(|c| ((c.topic.as_ref(), c.partition), c.committed)).collect();
            let of_topic = self.now.iter().filter(|c| topic.is_none_or(|t| t == c.topic.as_ref()));
            let grown = of_topic.filter_map(|c| {
                let before = then.get(&(c.topic.as_ref(), c.partition))?;
                Some(c.committed - before).filter(|grown| *grown >= 0)
            });
            let grown: Vec<i64> = grown.collect();
            (!grown.is_empty()).then(|| grown.iter().map(|g| *g as f64 / seconds).sum())
        };
        self.before.iter().filter_map(rate).collect()
    }

    /// Lag per partition of `topic` (all without one), floored at 0; `None` without a partition,
    /// or when one partition's log end is not known: part of the partitions is no total.
    pub fn lags(&self, topic: Option<&str>, ends: &LogEnds<'_>) -> Option<Vec<i64>> {
        let of_topic = self.now.iter().filter(|c| topic.is_none_or(|t| t == c.topic.as_ref()));
        let lag = |c: &CommittedTruth| {
            let end = ends.get(&(c.topic.as_ref(), c.partition))?;
            Some((end - c.committed).max(0))
        };
        let lags: Option<Vec<i64>> = of_topic.map(lag).collect();
        lags.filter(|lags| !lags.is_empty())
    }
}

/// Admissible figures of a group, whichever of `ends` the pipeline got.
pub fn figures(
    truth: Option<&GroupTruth>,
    sight: Option<&GroupSight<'_>>,
    ends: &[LogEnds<'_>],
) -> Figures {
    let mut figures = Figures::new();
    let rates = sight.map(|sight| sight.consumption(None)).unwrap_or_default();
    for ends in ends {
        let base = base(truth, sight, ends);
        for rate in rates.iter().map(|rate| Some(*rate)).chain(rates.is_empty().then_some(None)) {
            let mut plain = base.clone();
            if let Some(rate) = rate {
                plain.insert("consumerGroup.throughput.messagesPerSecond", rate);
            }
            derive(&mut plain, truth);
            merge(&mut figures, &plain);
        }
    }
    figures
}

fn base(truth: Option<&GroupTruth>, sight: Option<&GroupSight<'_>>, ends: &LogEnds<'_>) -> Plain {
    let mut base = Plain::new();
    if let Some(truth) = truth {
        base.insert("consumerGroup.members.total", truth.members as f64);
        base.insert("consumerGroup.members.active", truth.members as f64);
    }
    let Some(sight) = sight else { return base };
    if let Some(lags) = sight.lags(None, ends) {
        base.insert("consumerGroup.lag.total", lags.iter().sum::<i64>() as f64);
        base.insert("consumerGroup.lag.max", lags.iter().copied().max().unwrap_or(0) as f64);
    }
    let topics = topics_of(sight);
    if !topics.is_empty() {
        base.insert("consumerGroup.topics.count", topics.len() as f64);
    }
    base
}

fn derive(plain: &mut Plain, truth: Option<&GroupTruth>) {
    let lag = plain.get("consumerGroup.lag.total").copied();
    let rate = plain.get("consumerGroup.throughput.messagesPerSecond").copied();
    if let (Some(lag), Some(rate)) = (lag, rate)
        && rate > 0.0
    {
        plain.insert("consumerGroup.lag.timeToCatchUp.seconds", (lag / rate).round());
    }
    let behind = lag.map(|lag| match lag {
        lag if lag > 10_000.0 => 40.0,
        lag if lag > 1_000.0 => 20.0,
        lag if lag > 100.0 => 10.0,
        _ => 0.0,
    });
    let idle = rate.map(|rate| if rate <= 0.0 { 30.0 } else { 0.0 });
    let unstable = truth.map(|truth| if truth.state == "Stable" { 0.0 } else { 15.0 });
    let terms = [behind, idle, unstable];
    if terms.iter().any(Option::is_some) {
        let deducted: f64 = terms.iter().flatten().sum();
        plain.insert("consumerGroup.health.score", 100.0 - deducted);
    }
}
