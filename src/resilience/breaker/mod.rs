//! Circuit breakers: one per dependency, shared by all who call it.
//!
//! [`Breaker`] is the handle: ask with [`Breaker::admit`], call, tell with [`Permit::record`].
//! [`guard`] does so around a future and [`BreakerLayer`] around a `tower` service, both with the
//! call timeout. [`BreakerRegistry`] keeps the breakers of a process by name.
//!
//! Invariants:
//! - The rules are a pure state machine (`machine`); threads meet in `shell` only.
//! - Time comes in with each call, monotonic; nothing here reads a clock of its own.
//! - Of several breakers each is on its own: no trigger reaches from one to another.
//!
//! Not modelled: retries and fallbacks, which stand around a breaker; a metrics-only state.

use std::sync::Arc;
use std::time::Duration;

mod config;
mod event;
mod machine;
mod outcome;
mod registry;
mod service;
mod shell;
mod sink;
mod stats;
mod sync;
mod window;

#[cfg(test)]
mod tests;

pub use config::{BreakerConfig, COUNT_WINDOW_MAX, Difference, SlowCall, Window};
pub use event::{BreakerEvent, EventKind, Listener};
pub use outcome::{AnyError, Classify, HttpOutcome, Measured, Outcome, of_http_error, of_status};
pub use registry::{BreakerRegistry, RegistryDetail, RegistryError, RegistrySummary};
pub use service::{BreakerError, BreakerFuture, BreakerLayer, BreakerService, Guarded, guard};
pub use shell::{Admitted, Breaker, Permit};
pub use stats::{BreakerStats, BreakerStatsJson};

type Name = Arc<str>;

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

/// A state that a breaker is held in, whatever the outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forced {
    /// No call passes.
    Open,
    /// Every call passes: the breaker is disabled.
    Closed,
}

/// A call that a breaker did not let pass; the dependency was not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("circuit breaker `{breaker}` is open")]
pub struct Rejected {
    /// The breaker's name.
    pub breaker: Arc<str>,
    /// When the next probe may pass, monotonic; `None` when that is not known: a probe is under
    /// way, or the breaker is held open.
    pub retry_at: Option<Duration>,
}

impl Rejected {
    /// The code under which callers and logs know a rejection.
    pub const CODE: &str = "CIRCUIT_OPEN";
}
