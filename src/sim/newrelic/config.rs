//! What a simulated New Relic knows about its customers and how slow it is.

use std::time::Duration;

use crate::domain::account::AccountId;
use crate::newrelic::limits::{
    EVENT_API_POSTS_PER_MINUTE, METRIC_API_POSTS_PER_MINUTE, METRIC_POINTS_PER_MINUTE,
    METRIC_SERIES_PER_DAY,
};
use crate::newrelic::{ApiKey, KeyKind};

/// One customer account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its name, which entities carry as the tag `account`.
    pub name: String,
    /// Keys of both kinds; only ingest keys open the Event API.
    pub keys: Vec<ApiKey>,
}

impl Account {
    /// The key of this account that a request presents, if it is one.
    pub(super) fn key(&self, presented: &str) -> Option<&ApiKey> {
        self.keys.iter().find(|key| key.expose() == presented)
    }

    /// Whether `presented` opens ingest.
    pub(super) fn admits(&self, presented: &str) -> bool {
        self.key(presented).is_some_and(|key| key.kind() == KeyKind::Ingest)
    }
}

/// A range from which delays are drawn, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelayRange {
    /// Shortest.
    pub min: Duration,
    /// Longest.
    pub max: Duration,
}

impl DelayRange {
    /// From `min` to `max` milliseconds.
    pub const fn millis(min: u64, max: u64) -> Self {
        Self { min: Duration::from_millis(min), max: Duration::from_millis(max) }
    }
}

/// Settings of a simulated New Relic.
#[derive(Debug, Clone)]
pub struct NewRelicConfig {
    /// Its customers.
    pub accounts: Vec<Account>,
    /// From the answer 200 to the events being stored ("within a few seconds"; assumed).
    pub parse_delay: DelayRange,
    /// From an event being stored to its entity being visible. Nothing documents it; third
    /// parties report minutes, the pipeline's own promise is 60 s; assumed.
    pub synthesis_lag: DelayRange,
    /// POSTs per account and minute before 429.
    pub posts_per_minute: u32,
    /// POSTs to the Metric API per account and minute before 429.
    pub metric_posts_per_minute: u32,
    /// Data points per account and minute before 429.
    pub metric_points_per_minute: u64,
    /// Time series per account and day before roll-ups would stop.
    pub metric_series_per_day: usize,
    /// Longest body after decompression: a guard of our own against zip bombs.
    pub decoded_bytes_max: usize,
    /// Bytes of bodies waiting to be parsed before 503.
    pub queue_bytes_max: usize,
    /// How long events stay, by their timestamp.
    pub retention: Duration,
    /// Memory for events; beyond it the oldest segment is dropped.
    pub store_bytes_max: usize,
    /// After so long without data an entity no longer reports. Nothing documents it; assumed.
    pub reporting_silence: Duration,
    /// Most entities, and most relationships; further ones are not made, but counted. Our own
    /// guard.
    pub entities_max: usize,
    /// Requests that the log remembers.
    pub request_log_max: usize,
}

impl NewRelicConfig {
    /// The default service for `accounts`.
    pub fn new(accounts: Vec<Account>) -> Self {
        Self {
            accounts,
            parse_delay: DelayRange::millis(200, 1_500),
            synthesis_lag: DelayRange::millis(2_000, 15_000),
            posts_per_minute: EVENT_API_POSTS_PER_MINUTE,
            metric_posts_per_minute: METRIC_API_POSTS_PER_MINUTE,
            metric_points_per_minute: METRIC_POINTS_PER_MINUTE,
            metric_series_per_day: METRIC_SERIES_PER_DAY,
            decoded_bytes_max: 32 * 1024 * 1024,
            queue_bytes_max: 256 * 1024 * 1024,
            retention: Duration::from_secs(8 * 24 * 3_600),
            store_bytes_max: 512 * 1024 * 1024,
            reporting_silence: Duration::from_secs(10 * 60),
            entities_max: 1_000_000,
            request_log_max: 200_000,
        }
    }
}
