//! Which of a broker's answers reached the pipeline, where it gave several within one cycle, or
//! gave one too late.
//!
//! A request that a link held back may be answered after the pipeline has given up on it: the
//! journal has the answer, and nobody heard it. The broker's own stored event tells which it was:
//! an answer is what arrived if a plain figure of it stands there. All else that rests on the same
//! answer (rates, sums, the cluster's figures) is held to it.

use std::collections::BTreeMap;

use super::cycle::{CycleEvents, CycleView, LogDirs};
use crate::sim::check::record::StoredEvent;
use crate::sim::fleet::BrokerTruth;

/// The brokers' answers of one cycle, as far as they arrived.
pub struct Arrivals<'a> {
    view: CycleView<'a>,
    /// Whether the cycle says that it got everything. If not, what a broker's own event lacks did
    /// not arrive.
    complete: bool,
    events: BTreeMap<&'a str, &'a StoredEvent>,
}

impl<'a> Arrivals<'a> {
    /// What arrived in the cycle of `events`, which `view` shows.
    pub fn new(view: CycleView<'a>, events: &CycleEvents<'a>) -> Self {
        let complete = events.cycle.claims_all(events.cluster);
        let brokers =
            events.events.iter().filter(|e| e.text("entityType") == "MESSAGE_QUEUE_BROKER");
        let events = brokers.map(|event| (event.text("brokerId"), *event)).collect();
        Self { view, complete, events }
    }

    /// The broker's stored event.
    pub fn event(&self, broker: i32) -> Option<&'a StoredEvent> {
        self.events.get(broker.to_string().as_str()).copied()
    }

    /// Whether nobody can tell if an answer of the broker arrived: the cycle missed something, and
    /// the broker's event is not stored.
    pub fn is_unknown(&self, broker: i32) -> bool {
        !self.complete && self.event(broker).is_none()
    }

    /// Of `answers`, newest first, the one whose figure called `name` is stored; the newest if the
    /// event gives no hint.
    fn choose<T: Copy>(
        &self,
        broker: i32,
        name: &str,
        mut answers: impl Iterator<Item = T>,
        figure: impl Fn(T) -> f64,
    ) -> Option<T> {
        let newest = answers.next()?;
        let Some(event) = self.event(broker) else { return Some(newest) };
        let Some(stored) = event.number(name) else { return self.complete.then_some(newest) };
        let mut all = std::iter::once(newest).chain(answers);
        let same = |answer: &T| close(figure(*answer), stored);
        Some(all.find(same).unwrap_or(newest))
    }

    /// The broker's figures.
    pub fn scrape(&self, broker: i32) -> Option<&'a BrokerTruth> {
        let free = |truth: &BrokerTruth| truth.gauges.memory_free_bytes as f64;
        self.choose(broker, "memory.free.bytes", self.view.scrapes(broker), free)
    }

    /// The broker's account of its disk.
    pub fn log_dirs(&self, broker: i32) -> Option<LogDirs<'a>> {
        let used = |(total, free, _): LogDirs<'_>| total as f64 - free as f64;
        self.choose(broker, "disk.used.bytes", self.view.all_log_dirs(broker), used)
    }
}

/// Equal but for what a detour over text costs.
fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= left.abs().max(right.abs()) * 1e-12
}
