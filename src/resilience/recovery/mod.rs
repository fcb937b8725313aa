//! Error recovery: components, their states, and what is done when they fail.
//!
//! Purpose: every call to the outside goes through its component's breaker, time limit, retries and
//! fallback in one fixed order; what happens is booked in one account, from which states, events,
//! incidents and figures follow; a scheduler brings components back that nobody calls.
//!
//! Invariants:
//! - A component is `HEALTHY` only when its last result was a success and its breaker is closed:
//!   nothing is announced as recovered because a retry or a probe was merely scheduled.
//! - Recovery goes through the breaker: a health check is a probe, admitted and recorded like any
//!   call. At most [`RecoveryConfig::concurrent_recoveries_max`] are in flight, one per component,
//!   and ordinary calls are not among them.
//! - While all is well no timer runs.
//! - No lock is held across an await, and none while a breaker or a listener is called.
//!
//! Not modelled: recovery by restarting a component (the supervisor's business), and dead letters
//! that survive the process (the spool's).

use std::time::Duration;

mod cache;
mod class;
mod component;
mod config;
mod dead_letter;
mod entry;
mod failure;
mod ledger;
mod manager;
mod scheduler;
mod view;

pub use class::{ErrorClass, MEMORY_DELAY, RATE_LIMIT_DELAY};
pub use component::{
    CachedComponent, Component, HealthCheck, NoFallback, OtherCacheType, no_fallback,
};
pub use config::{CACHE_AGE_MAX, ComponentConfig, RECOVERY_DELAY, RecoveryConfig, RegisterError};
pub use dead_letter::{DEAD_LETTERS_MAX, DeadLetter, DeadLetterQueue, DeadLetterStats, Selection};
pub use failure::{Failure, Recovered, RecoveryError, Source, Stopped, TryError, UnknownComponent};
pub use ledger::{Attempt, AttemptResult, Incident};
pub use manager::RecoveryManager;
pub use view::{Listener, RecoveryEvent, RecoveryView};

use super::breaker::StateKind;

/// What a component does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComponentKind {
    /// Reads from brokers.
    Collector,
    /// Makes entities of samples.
    Transformer,
    /// Makes entities and relationships of states.
    Synthesizer,
    /// Sends to New Relic.
    Streamer,
    /// Any other service that is called.
    ExternalApi,
}

impl ComponentKind {
    /// `COLLECTOR`, `TRANSFORMER`, `SYNTHESIZER`, `STREAMER`, `EXTERNAL_API`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collector => "COLLECTOR",
            Self::Transformer => "TRANSFORMER",
            Self::Synthesizer => "SYNTHESIZER",
            Self::Streamer => "STREAMER",
            Self::ExternalApi => "EXTERNAL_API",
        }
    }
}

/// How a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComponentState {
    /// It works.
    Healthy,
    /// Nothing is known yet.
    Unknown,
    /// It works in part: a fallback was used, its breaker is half-open, or it failed since its
    /// last success.
    Degraded,
    /// Its breaker is open.
    CircuitOpen,
    /// Its retries are exhausted and no fallback answered.
    Unhealthy,
}

impl ComponentState {
    /// `HEALTHY`, `UNKNOWN`, `DEGRADED`, `CIRCUIT_OPEN`, `UNHEALTHY`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unknown => "UNKNOWN",
            Self::Degraded => "DEGRADED",
            Self::CircuitOpen => "CIRCUIT_OPEN",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// How all components together are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SystemState {
    /// All are healthy.
    Healthy,
    /// Some component is not.
    Degraded,
    /// A critical component without a fallback is unhealthy or behind an open breaker.
    Unhealthy,
}

impl SystemState {
    /// `HEALTHY`, `DEGRADED`, `UNHEALTHY`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Degraded => "DEGRADED",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// How executions ended. `failed + fallback_failed` reached the caller as errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutcomeCounts {
    /// Succeeded at the first try.
    pub succeeded: u64,
    /// Succeeded at a later try.
    pub recovered: u64,
    /// Ended in an error; no fallback was there.
    pub failed: u64,
    /// A fallback answered.
    pub fallback_success: u64,
    /// A fallback failed as well.
    pub fallback_failed: u64,
    /// Answered with the last good result.
    pub cached: u64,
    /// The item was at fault, not the component (validation, cancellation); an error.
    pub skipped: u64,
}

impl OutcomeCounts {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            succeeded: self.succeeded + other.succeeded,
            recovered: self.recovered + other.recovered,
            failed: self.failed + other.failed,
            fallback_success: self.fallback_success + other.fallback_success,
            fallback_failed: self.fallback_failed + other.fallback_failed,
            cached: self.cached + other.cached,
            skipped: self.skipped + other.skipped,
        }
    }

    /// All executions.
    pub const fn total(self) -> u64 {
        self.succeeded
            + self.recovered
            + self.failed
            + self.fallback_success
            + self.fallback_failed
            + self.cached
            + self.skipped
    }
}

/// One component's account at one instant. Instants are monotonic.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentStats {
    /// Its name, e.g. `streamer`.
    pub name: String,
    /// What it does.
    pub kind: ComponentKind,
    /// How it is.
    pub state: ComponentState,
    /// Whether the system is down without it.
    pub critical: bool,
    /// Whether something answers in its place, as far as its last use tells.
    pub has_fallback: bool,
    /// The breaker in front of it.
    pub breaker: String,
    /// Where that breaker stands.
    pub breaker_state: StateKind,
    /// Executions that ended in success at first or later try.
    pub successes: u64,
    /// Executions whose tries all failed or were rejected, whatever answered in their place.
    pub failures: u64,
    /// Tries beyond the first.
    pub retries: u64,
    /// Executions that a fallback or the last good result answered.
    pub fallbacks: u64,
    /// Executions by their end.
    pub outcomes: OutcomeCounts,
    /// Of the failures: ended by a breaker that admitted no call.
    pub rejected: u64,
    /// Tries that panicked.
    pub panics: u64,
    /// Failed tries since the last success.
    pub consecutive_failures: u64,
    /// Last failure in words.
    pub last_error: Option<String>,
    /// When it last gave a result, good or bad.
    pub last_result_at: Option<Duration>,
    /// When its state last changed.
    pub last_change_at: Option<Duration>,
    /// Times it left `Healthy`.
    pub incidents: u64,
    /// Of which it came back.
    pub recovered: u64,
    /// Sum of the times from leaving `Healthy` to coming back.
    pub recovery_time_total: Duration,
    /// How long it has been away from `Healthy`; `None` when it is not or never was.
    pub incident_age: Option<Duration>,
    /// Recovery attempts under way: 0 or 1.
    pub active_recoveries: u64,
    /// Recovery attempts that brought it back.
    pub recoveries_succeeded: u64,
    /// Recovery attempts that did not.
    pub recoveries_failed: u64,
}

/// The whole account.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveryStats {
    /// Worst wins.
    pub system: SystemState,
    /// By name.
    pub components: Vec<ComponentStats>,
    /// Mean time to recovery; `None` before the first.
    pub mttr: Option<Duration>,
    /// Recovered incidents by incidents that ended or not, 0.0 to 1.0; `None` without incident.
    pub recovery_rate: Option<f64>,
    /// Executions of all components by their end.
    pub outcomes: OutcomeCounts,
    /// Recovery attempts under way.
    pub active_recoveries: u64,
    /// Components that wait for one of the bounded recovery attempts.
    pub queued_recoveries: u64,
}

#[cfg(test)]
mod tests;
