//! New Relic's documented limits, as ready-made buckets.
//!
//! A documented limit counts per minute; a bucket lets a burst pass on top of its inflow, so the
//! burst is taken off the inflow ([`LimiterConfig::at_most`]): no minute, wherever it begins,
//! exceeds the limit.

use std::time::Duration;

use super::LimiterConfig;

const MINUTE: Duration = Duration::from_secs(60);

/// A documented limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Its name in configurations.
    pub name: &'static str,
    /// Calls per minute.
    pub per_minute: u32,
    /// Calls at once.
    pub burst: u32,
    /// What it counts and where that is documented.
    pub source: &'static str,
}

/// All of them, by name.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "event_api",
        per_minute: 100_000,
        burst: 1_000,
        source: "Event API limits: 100,000 HTTP requests per minute per account; beyond it 429 \
                 for the rest of the minute (docs.newrelic.com, Event API)",
    },
    Profile {
        name: "metric_api",
        per_minute: 100_000,
        burst: 1_000,
        source: "Metric API limits: 100,000 payloads per minute per account (docs.newrelic.com, \
                 Metric API limits)",
    },
    Profile {
        name: "nerdgraph_nrql",
        per_minute: 3_000,
        burst: 25,
        source: "NRQL rate limits: 3,000 API queries per minute per account, and NerdGraph: 25 \
                 concurrent requests per user (docs.newrelic.com, NRQL rate limits; NerdGraph)",
    },
    Profile {
        name: "nerdgraph_identical_nrql",
        per_minute: 120,
        burst: 10,
        source: "NRQL rate limits: 120 identical queries per minute (docs.newrelic.com)",
    },
];

impl Profile {
    /// The profile called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }

    /// Its bucket.
    pub fn config(&self) -> LimiterConfig {
        LimiterConfig::at_most(self.per_minute, MINUTE, self.burst)
    }
}
