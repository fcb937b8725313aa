//! What a breaker tells those who listen.
//!
//! Invariants:
//! - Order: the outcome, then `stateChange`, then the named event of the new state, then `trip`
//!   or `reset` where a command caused it.
//! - One `stateChange` and one named event per generation.

use std::sync::Arc;
use std::time::Duration;

use super::StateKind;

/// Something that happened at a breaker.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerEvent {
    /// The breaker's name.
    pub breaker: Arc<str>,
    /// When, monotonic.
    pub at: Duration,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// A call succeeded.
    Success {
        /// How long it took, where that was measured.
        response_time: Option<Duration>,
        /// Where the breaker stood when the result came.
        state: StateKind,
    },
    /// A call failed, ran out of time, panicked, or nobody knows what became of it.
    Failure {
        /// In words.
        error: String,
        /// How long it took, where that was measured.
        response_time: Option<Duration>,
        /// Where the breaker stood when the result came.
        state: StateKind,
    },
    /// A call was not admitted.
    CallRejected {
        /// Where the breaker stood.
        state: StateKind,
        /// When the next probe may pass, as far as that is known.
        retry_at: Option<Duration>,
    },
    /// The breaker changed its state.
    StateChange {
        /// Before.
        from: StateKind,
        /// After.
        to: StateKind,
        /// Consecutive failures at that instant.
        failure_count: u64,
        /// Its number: transitions so far, this one included.
        generation: u64,
    },
    /// It opened.
    CircuitOpened {
        /// Consecutive failures at that instant.
        failure_count: u64,
        /// Why, in words.
        reason: Arc<str>,
    },
    /// It lets probes pass.
    CircuitHalfOpen,
    /// It closed.
    CircuitClosed {
        /// Successful probes that closed it; 0 after a command.
        success_count: u64,
    },
    /// It was closed by command.
    Reset,
    /// It was opened by command.
    Trip {
        /// The commander's words.
        reason: Arc<str>,
    },
}

impl EventKind {
    /// The event's name, e.g. `circuitOpened`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Success { .. } => "success",
            Self::Failure { .. } => "failure",
            Self::CallRejected { .. } => "callRejected",
            Self::StateChange { .. } => "stateChange",
            Self::CircuitOpened { .. } => "circuitOpened",
            Self::CircuitHalfOpen => "circuitHalfOpen",
            Self::CircuitClosed { .. } => "circuitClosed",
            Self::Reset => "reset",
            Self::Trip { .. } => "trip",
        }
    }

    /// Its name on the pipeline's bus: `circuit.opened`, `circuit.half_open`, `circuit.closed`;
    /// the others are not mirrored there.
    pub const fn bus_name(&self) -> Option<&'static str> {
        match self {
            Self::CircuitOpened { .. } => Some("circuit.opened"),
            Self::CircuitHalfOpen => Some("circuit.half_open"),
            Self::CircuitClosed { .. } => Some("circuit.closed"),
            _ => None,
        }
    }

    /// Whether it tells of one call only.
    pub(super) const fn is_of_one_call(&self) -> bool {
        matches!(self, Self::Success { .. } | Self::Failure { .. } | Self::CallRejected { .. })
    }
}

/// Whoever wants to know; called in the order of the events, never while a lock is held, on
/// whichever thread finds the event queue unattended.
pub type Listener = Arc<dyn Fn(&BreakerEvent) + Send + Sync>;
