//! One component's part of the account: facts in, state out. Pure.
//!
//! Invariant: the state is a function of the breaker's state and of the facts since the last
//! success; nothing else sets it.

use std::sync::Arc;
use std::time::Duration;

use super::{ComponentKind, ComponentState, ComponentStats, OutcomeCounts};
use crate::resilience::breaker::StateKind;

/// What a component is, for good.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    pub name: Arc<str>,
    pub kind: ComponentKind,
    pub critical: bool,
    pub has_fallback: bool,
    pub breaker: Arc<str>,
}

/// How an execution ended; see [`OutcomeCounts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Succeeded {
        tries: u32,
    },
    Failed {
        rejected: bool,
    },
    FallbackSuccess {
        rejected: bool,
    },
    FallbackFailed {
        rejected: bool,
    },
    Cached {
        rejected: bool,
    },
    Skipped,
    /// A call of a component that runs its own loop; the loop goes on.
    ObservedFailure,
}

/// What the scheduler asks of a component.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pulse {
    pub state: ComponentState,
    pub breaker: StateKind,
    pub breaker_changed_at: Option<Duration>,
    /// Transitions of its breaker, and results there since the last one while it was not closed.
    pub results: (u64, u64),
    pub last_result_at: Option<Duration>,
}

/// What happened to a component.
#[derive(Debug)]
pub(super) enum Fact {
    /// A try, an observed call or a probe failed.
    TryFailed { error: String, panicked: bool },
    /// A try follows another one.
    Retried,
    /// An execution, or an observed call that stands for one, ended.
    Ended(Ended),
    /// A health check succeeded.
    ProbeSucceeded,
    /// Its breaker changed its state.
    Breaker { from: StateKind, to: StateKind },
}

pub(super) struct Entry {
    pub(super) fixed: Fixed,
    pub(super) state: ComponentState,
    pub(super) breaker: StateKind,
    pub(super) breaker_changed_at: Option<Duration>,
    /// As [`Pulse::results`].
    pub(super) breaker_results: (u64, u64),
    /// Whether it ever gave a result.
    is_known: bool,
    /// Failed tries since the last success.
    pub(super) failures: u64,
    /// Something answered in its place since the last success.
    is_substituted: bool,
    /// Its tries were exhausted and nothing answered, since the last success.
    is_exhausted: bool,
    /// Its fallback failed when last used.
    fallback_failed: bool,
    /// Beginning and identifier of its present incident.
    pub(super) incident: Option<(Duration, u64)>,
    pub(super) is_recovering: bool,
    pub(super) last_result_at: Option<Duration>,
    pub(super) last_change_at: Option<Duration>,
    pub(super) last_error: Option<String>,
    pub(super) tally: Tally,
}

#[derive(Default)]
pub(super) struct Tally {
    outcomes: OutcomeCounts,
    retries: u64,
    rejected: u64,
    panics: u64,
    pub(super) incidents: u64,
    pub(super) recovered: u64,
    pub(super) recovery_time: Duration,
    pub(super) recoveries_succeeded: u64,
    pub(super) recoveries_failed: u64,
}

impl Entry {
    pub(super) fn new(fixed: Fixed, breaker: StateKind) -> Self {
        let mut entry = Self {
            fixed,
            state: ComponentState::Unknown,
            breaker,
            breaker_changed_at: None,
            breaker_results: (0, 0),
            is_known: false,
            failures: 0,
            is_substituted: false,
            is_exhausted: false,
            fallback_failed: false,
            incident: None,
            is_recovering: false,
            last_result_at: None,
            last_change_at: None,
            last_error: None,
            tally: Tally::default(),
        };
        entry.state = entry.derived();
        entry
    }

    /// The state that the facts amount to.
    pub(super) fn derived(&self) -> ComponentState {
        match self.breaker {
            StateKind::Open => ComponentState::CircuitOpen,
            StateKind::HalfOpen => ComponentState::Degraded,
            StateKind::Closed if self.is_exhausted => ComponentState::Unhealthy,
            StateKind::Closed if self.failures > 0 || self.is_substituted => {
                ComponentState::Degraded
            }
            StateKind::Closed if self.is_known => ComponentState::Healthy,
            StateKind::Closed => ComponentState::Unknown,
        }
    }

    /// Whether something answers in its place.
    pub(super) fn is_covered(&self) -> bool {
        self.fixed.has_fallback && !self.fallback_failed
    }

    pub(super) fn take(&mut self, now: Duration, fact: Fact) {
        match fact {
            Fact::TryFailed { error, panicked } => {
                self.is_known = true;
                self.failures += 1;
                self.tally.panics += u64::from(panicked);
                self.last_error = Some(error);
                self.last_result_at = Some(now);
            }
            Fact::Retried => self.tally.retries += 1,
            Fact::Ended(ended) => self.end(now, ended),
            Fact::ProbeSucceeded => self.succeed(now),
            Fact::Breaker { from, to } => {
                self.breaker = to;
                self.breaker_changed_at = Some(now);
                self.breaker_results = (self.breaker_results.0 + 1, 0);
                if from == StateKind::HalfOpen && to == StateKind::Closed {
                    // Probes found that it works again; "healthy" needs a result of its own.
                    self.is_exhausted = false;
                }
            }
        }
    }

    fn succeed(&mut self, now: Duration) {
        self.is_known = true;
        self.failures = 0;
        self.is_substituted = false;
        self.is_exhausted = false;
        self.fallback_failed = false;
        self.last_result_at = Some(now);
    }

    fn end(&mut self, now: Duration, ended: Ended) {
        let outcomes = &mut self.tally.outcomes;
        let is_rejected = match ended {
            Ended::Succeeded { tries } => {
                outcomes.succeeded += u64::from(tries == 1);
                outcomes.recovered += u64::from(tries > 1);
                self.succeed(now);
                false
            }
            Ended::ObservedFailure => {
                outcomes.failed += 1;
                false
            }
            Ended::Failed { rejected } => {
                outcomes.failed += 1;
                // A rejection says nothing new of the component; its breaker's state says it all.
                self.is_exhausted |= !rejected;
                rejected
            }
            Ended::FallbackSuccess { rejected } => {
                outcomes.fallback_success += 1;
                self.is_substituted = true;
                self.is_exhausted = false;
                self.fallback_failed = false;
                rejected
            }
            Ended::FallbackFailed { rejected } => {
                outcomes.fallback_failed += 1;
                self.fallback_failed = true;
                self.is_exhausted |= !rejected;
                rejected
            }
            Ended::Cached { rejected } => {
                outcomes.cached += 1;
                self.is_substituted = true;
                self.is_exhausted = false;
                rejected
            }
            Ended::Skipped => {
                outcomes.skipped += 1;
                false
            }
        };
        self.tally.rejected += u64::from(is_rejected);
    }

    pub(super) fn stats(&self, now: Duration) -> ComponentStats {
        let Tally { outcomes, .. } = self.tally;
        ComponentStats {
            name: self.fixed.name.to_string(),
            kind: self.fixed.kind,
            state: self.state,
            critical: self.fixed.critical,
            has_fallback: self.is_covered(),
            breaker: self.fixed.breaker.to_string(),
            breaker_state: self.breaker,
            successes: outcomes.succeeded + outcomes.recovered,
            failures: outcomes.failed
                + outcomes.fallback_success
                + outcomes.fallback_failed
                + outcomes.cached,
            retries: self.tally.retries,
            fallbacks: outcomes.fallback_success + outcomes.cached,
            outcomes,
            rejected: self.tally.rejected,
            panics: self.tally.panics,
            consecutive_failures: self.failures,
            last_error: self.last_error.clone(),
            last_result_at: self.last_result_at,
            last_change_at: self.last_change_at,
            incidents: self.tally.incidents,
            recovered: self.tally.recovered,
            recovery_time_total: self.tally.recovery_time,
            incident_age: self.incident.map(|(began_at, _)| now.saturating_sub(began_at)),
            active_recoveries: u64::from(self.is_recovering),
            recoveries_succeeded: self.tally.recoveries_succeeded,
            recoveries_failed: self.tally.recoveries_failed,
        }
    }
}
