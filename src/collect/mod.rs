//! Sources of raw samples: what a cycle collected, what it could not get, and why.
//!
//! Invariants:
//! - A source that answers in part gives what it has; every part that is missing is named in
//!   [`Collection::missing`] with a typed reason, so that silence never looks like health.
//! - No collector keeps more than its configuration allows, whatever a peer sends.

use std::collections::BTreeMap;

use crate::domain::sample::{RawSample, Subject};

pub mod kafka;
pub mod nri;
pub mod prometheus;

/// What one cycle collected from one source.
#[derive(Debug, Default)]
pub struct Collection {
    /// Samples in a fixed order: cluster, brokers, topics on brokers, topics, groups, partitions
    /// of groups, each by name or id.
    pub samples: Vec<RawSample<'static>>,
    /// What could not be had, sorted.
    pub missing: Vec<kafka::Missing>,
    /// What the cycle cost.
    pub stats: CollectionStats,
}

/// What one cycle cost, and how it went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectionStats {
    /// From the start of the cycle to its last sample, monotonic.
    pub duration_ms: i64,
    /// Requests sent, by Kafka API name, and `scrape` for HTTP.
    pub requests: BTreeMap<&'static str, u64>,
    /// Bytes received: Kafka frames and scrape bodies.
    pub bytes_in: u64,
    /// Bytes of Kafka frames sent.
    pub bytes_out: u64,
    /// Connections opened in this cycle.
    pub connections_opened: u64,
    /// Samples by kind of subject.
    pub samples: BTreeMap<&'static str, u64>,
    /// Failures by reason: parts that are missing, and values that were rejected.
    pub failures: BTreeMap<&'static str, u64>,
    /// Brokers the metadata named.
    pub brokers_known: u64,
    /// Brokers asked for their own part.
    pub brokers_asked: u64,
    /// Brokers of which at least one part arrived.
    pub brokers_answered: u64,
    /// Counters that went down, or came back after the broker's restart.
    pub counter_resets: u64,
    /// Counters seen for the first time: no rate yet.
    pub counters_first_seen: u64,
    /// Counters that got no place in the book because it is full.
    pub counters_refused: u64,
}

impl CollectionStats {
    /// Counts `times` failures under `reason`.
    pub(crate) fn failed(&mut self, reason: &'static str, times: u64) {
        if times > 0 {
            *self.failures.entry(reason).or_default() += times;
        }
    }

    /// Counts one sample under the kind of its subject.
    pub(crate) fn sampled(&mut self, subject: &Subject<'_>) {
        *self.samples.entry(subject.kind().label()).or_default() += 1;
    }
}
