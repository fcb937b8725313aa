//! Circuit breakers: one per dependency, shared by all who call it.

use std::time::Duration;

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKind {
    /// Calls pass.
    Closed,
    /// Some calls pass, to find out.
    HalfOpen,
    /// No call passes.
    Open,
}

impl StateKind {
    /// `CLOSED`, `HALF_OPEN`, `OPEN`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::HalfOpen => "HALF_OPEN",
            Self::Open => "OPEN",
        }
    }

    /// 0 closed, 1 half-open, 2 open.
    pub const fn numeric(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

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
