//! A breaker's account, and its JSON form.
//!
//! Invariants:
//! - Accounts are plain data with monotonic instants; wall-clock times are made from them only
//!   for readers, by [`BreakerStats::json`].
//! - A share of nothing is 0 in an account; a mean of nothing is `null` in JSON.

use std::time::Duration;

use serde::Serialize;

use super::StateKind;
use super::window::percent;
use crate::domain::units::UnixMillis;

/// A breaker's account at one instant. Instants are monotonic.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerStats {
    /// Its name in the registry.
    pub name: String,
    /// Where it stands.
    pub state: StateKind,
    /// Transitions so far.
    pub generation: u64,
    /// Consecutive failures while closed.
    pub failures: u64,
    /// Successes while half-open.
    pub successes: u64,
    /// Calls admitted.
    pub total_calls: u64,
    /// Calls that failed, timeouts and panics included.
    pub total_failures: u64,
    /// Calls that succeeded.
    pub total_successes: u64,
    /// Of the failures: timeouts.
    pub total_timeouts: u64,
    /// Calls rejected; not admitted.
    pub total_rejected: u64,
    /// Calls whose error says nothing about the dependency, cancelled ones included.
    pub total_ignored: u64,
    /// Calls of which nobody knows whether they were carried out; each is a failure as well.
    pub total_unknown: u64,
    /// Transitions to open.
    pub opens: u64,
    /// Transitions to closed.
    pub closes: u64,
    /// Sum of the durations of measured calls.
    pub response_time_total: Duration,
    /// Calls that were measured.
    pub measured_calls: u64,
    /// Failures in the window by calls in the window, in percent; lifetime without a window.
    pub failure_rate_percent: f64,
    /// The last failure in words.
    pub last_error: Option<String>,
    /// When it last failed.
    pub last_failure_at: Option<Duration>,
    /// When it last succeeded, as far as that was measured.
    pub last_success_at: Option<Duration>,
    /// When the next probe may pass; while open.
    pub next_retry_at: Option<Duration>,
    /// When it last changed its state.
    pub last_change_at: Option<Duration>,
    /// Time spent open, up to now.
    pub open_time: Duration,
}

impl BreakerStats {
    /// Mean duration of the measured calls.
    pub fn average_response_time(&self) -> Option<Duration> {
        let calls = u32::try_from(self.measured_calls).unwrap_or(u32::MAX);
        self.response_time_total.checked_div(calls)
    }

    /// Successes by outcomes that count, in percent, over the lifetime; 0 before the first.
    pub fn success_rate_percent(&self) -> f64 {
        percent(self.total_successes, self.total_successes + self.total_failures)
    }

    /// Openings by admitted calls, 0.0 to 1.0, over the lifetime.
    pub fn trip_rate(&self) -> f64 {
        percent(self.opens, self.total_calls) / 100.0
    }

    /// Time spent open by `period`, 0.0 to 1.0.
    pub fn open_share(&self, period: Duration) -> f64 {
        if period.is_zero() { 0.0 } else { self.open_time.as_secs_f64() / period.as_secs_f64() }
    }

    /// For readers: instants as Unix milliseconds, given that `now` is `wall`.
    pub fn json(&self, now: Duration, wall: UnixMillis) -> BreakerStatsJson<'_> {
        let unix = |at: Duration| {
            let ahead = at.saturating_sub(now).as_millis();
            let ago = now.saturating_sub(at).as_millis();
            let millis = |span: u128| i64::try_from(span).unwrap_or(i64::MAX);
            wall.plus_millis(millis(ahead)).plus_millis(-millis(ago))
        };
        let average = self.average_response_time();
        BreakerStatsJson {
            name: &self.name,
            state: self.state.as_str(),
            state_numeric: self.state.numeric(),
            is_healthy: self.state != StateKind::Open,
            failures: self.failures,
            successes: self.successes,
            total_calls: self.total_calls,
            total_failures: self.total_failures,
            total_successes: self.total_successes,
            total_timeouts: self.total_timeouts,
            total_rejected: self.total_rejected,
            total_ignored: self.total_ignored,
            total_unknown: self.total_unknown,
            opens: self.opens,
            closes: self.closes,
            average_response_time: average.map(|mean| mean.as_secs_f64() * 1_000.0),
            failure_rate: self.failure_rate_percent,
            success_rate: self.success_rate_percent(),
            trip_rate: self.trip_rate(),
            open_time_ms: self.open_time.as_millis().try_into().unwrap_or(u64::MAX),
            last_error: self.last_error.as_deref(),
            last_failure_time: self.last_failure_at.map(unix),
            last_success_time: self.last_success_at.map(unix),
            next_retry_time: self.next_retry_at.map(unix),
            last_state_change: self.last_change_at.map(unix),
            generation: self.generation,
        }
    }
}

/// A breaker's account as JSON; times are Unix milliseconds, rates percent, durations
/// milliseconds. `tripRate` is a share, 0.0 to 1.0.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerStatsJson<'a> {
    name: &'a str,
    state: &'static str,
    state_numeric: u8,
    is_healthy: bool,
    failures: u64,
    successes: u64,
    total_calls: u64,
    total_failures: u64,
    total_successes: u64,
    total_timeouts: u64,
    total_rejected: u64,
    total_ignored: u64,
    total_unknown: u64,
    opens: u64,
    closes: u64,
    average_response_time: Option<f64>,
    failure_rate: f64,
    success_rate: f64,
    trip_rate: f64,
    open_time_ms: u64,
    last_error: Option<&'a str>,
    last_failure_time: Option<UnixMillis>,
    last_success_time: Option<UnixMillis>,
    next_retry_time: Option<UnixMillis>,
    last_state_change: Option<UnixMillis>,
    generation: u64,
}
