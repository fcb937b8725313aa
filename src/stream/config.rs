//! How events are batched, sent and kept.

use std::time::Duration;

use crate::newrelic::limits::EVENT_API_BODY_BYTES_MAX;
use crate::resilience::InvalidSetting;
use crate::resilience::breaker::BreakerConfig;
use crate::resilience::limiter::{LimiterConfig, Profile};
use crate::resilience::retry::{RetryConfig, UNLIMITED};

/// Settings of a [`super::Streamer`]; checked by [`StreamConfig::validate`].
#[derive(Debug, Clone, PartialEq)]
pub struct StreamConfig {
    /// Most events of one POST, 1 to 2,000.
    pub batch_events_max: usize,
    /// Most bytes of one body before compression.
    pub batch_bytes_max: usize,
    /// Most bytes of one body as sent, exclusive; New Relic's limit is 10⁶.
    pub body_bytes_limit: usize,
    /// Bodies of more bytes than this are gzipped.
    pub gzip_above_bytes: usize,
    /// 0 to 9. Level 1 costs 2.2 µs an event, level 6 8.1 µs for half the bytes.
    pub gzip_level: u32,
    /// Most POSTs under way at once.
    pub concurrency: usize,
    /// Deadline of one POST; the breaker's call timeout where that is shorter.
    pub request_timeout: Duration,
    /// Most events in memory alone; beyond it the oldest is dropped.
    pub buffer_events_max: usize,
    /// Most bytes of events in memory alone; beyond it the oldest is dropped.
    pub buffer_bytes_max: usize,
    /// Bytes of events that stay in memory beside those in the spool, so that they need not be
    /// read back; beyond it they are on disk alone.
    pub resident_bytes_max: usize,
    /// Most bytes of events in the spool; beyond it the oldest is dropped.
    pub spool_bytes_max: usize,
    /// Longest time that an event waits; then it is dropped. New Relic refuses events that are
    /// older than about 48 h.
    pub spool_age_max: Duration,
    /// When a POST that failed is repeated, and how often at most: a chunk whose last try failed
    /// is rejected as `attempts_spent` and becomes a dead letter.
    pub retry: RetryConfig,
    /// The breaker in front of New Relic's ingest.
    pub breaker: BreakerConfig,
    /// How many POSTs per second, and in one burst.
    pub limiter: LimiterConfig,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            batch_events_max: 100,
            batch_bytes_max: 4_000_000,
            body_bytes_limit: EVENT_API_BODY_BYTES_MAX,
            gzip_above_bytes: 1_024,
            gzip_level: 1,
            concurrency: 10,
            request_timeout: Duration::from_secs(30),
            buffer_events_max: 10_000,
            buffer_bytes_max: 64 * 1024 * 1024,
            resident_bytes_max: 16 * 1024 * 1024,
            spool_bytes_max: 1024 * 1024 * 1024,
            spool_age_max: Duration::from_secs(24 * 3_600),
            retry: RetryConfig {
                attempts_max: UNLIMITED,
                // A POST that hangs until its deadline and a wait together must leave New Relic
                // used again within 30 s of its return.
                delay_max: Duration::from_secs(15),
                retry_after_max: Duration::from_secs(300),
                ..RetryConfig::default()
            },
            breaker: BreakerConfig::named("event-api").unwrap_or_default(),
            limiter: limiter_of("event_api"),
        }
    }
}

/// New Relic's own limit; one that is not in the table would be no limit.
fn limiter_of(name: &str) -> LimiterConfig {
    Profile::named(name)
        .map_or(LimiterConfig { rate_per_second: 1e9, burst: u32::MAX }, Profile::config)
}

/// A setting out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}.{setting} = {value}: must be {allowed}")]
pub struct StreamConfigError {
    /// Of which part: `stream`, `retry`, `breaker`, `limiter`.
    pub part: &'static str,
    /// Which.
    pub setting: &'static str,
    /// What was given.
    pub value: String,
    /// What may be given.
    pub allowed: &'static str,
}

impl StreamConfig {
    /// Every setting that is out of range; empty when the configuration is usable.
    pub fn validate(&self) -> Vec<StreamConfigError> {
        let mut errors = Vec::new();
        let mut require = |ok: bool, setting, value: String, allowed| {
            if !ok {
                errors.push(StreamConfigError { part: "stream", setting, value, allowed });
            }
        };
        let number = |value: usize| value.to_string();
        let millis = |value: Duration| format!("{} ms", value.as_millis());
        let Self { batch_events_max, batch_bytes_max, body_bytes_limit, concurrency, .. } = *self;
        require(
            (1..=2_000).contains(&batch_events_max),
            "batch_events_max",
            number(batch_events_max),
            "1 to 2000",
        );
        require(
            (1_000..=16_000_000).contains(&batch_bytes_max),
            "batch_bytes_max",
            number(batch_bytes_max),
            "1000 to 16000000",
        );
        require(
            (1_000..=EVENT_API_BODY_BYTES_MAX).contains(&body_bytes_limit),
            "body_bytes_limit",
            number(body_bytes_limit),
            "1000 to 1000000",
        );
        require(self.gzip_level <= 9, "gzip_level", self.gzip_level.to_string(), "0 to 9");
        require((1..=256).contains(&concurrency), "concurrency", number(concurrency), "1 to 256");
        require(
            !self.request_timeout.is_zero(),
            "request_timeout",
            millis(self.request_timeout),
            "more than 0 ms",
        );
        require(
            self.buffer_events_max >= batch_events_max,
            "buffer_events_max",
            number(self.buffer_events_max),
            "at least batch_events_max",
        );
        require(
            self.buffer_bytes_max >= batch_bytes_max,
            "buffer_bytes_max",
            number(self.buffer_bytes_max),
            "at least batch_bytes_max",
        );
        for (part, invalid) in [
            ("retry", self.retry.validate()),
            ("breaker", self.breaker.validate()),
            ("limiter", self.limiter.validate()),
        ] {
            errors.extend(invalid.into_iter().map(|InvalidSetting { setting, value, allowed }| {
                StreamConfigError { part, setting, value, allowed }
            }));
        }
        errors
    }
}
