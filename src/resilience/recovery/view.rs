//! What others see of the account: figures, history, events.
//!
//! Invariants:
//! - Listeners are called after the account is unlocked, so they may read it; they are called in
//!   the order of the events, also when a listener causes new ones.
//! - Every change of a state is a structured log line as well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::entry::Fact;
use super::ledger::{Attempt, AttemptResult, Changes, Incident, Ledger};
use super::{ComponentState, RecoveryStats, SystemState};

/// Something happened. Instants are monotonic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryEvent {
    /// A component changed its state.
    StateChanged {
        /// Which.
        component: Arc<str>,
        /// Before.
        from: ComponentState,
        /// After.
        to: ComponentState,
        /// Failed tries since its last success.
        failure_count: u64,
        /// When.
        at: Duration,
    },
    /// The system changed its state.
    SystemChanged {
        /// Before.
        from: SystemState,
        /// After.
        to: SystemState,
        /// When.
        at: Duration,
    },
    /// A service wants fewer calls.
    RateLimited {
        /// Of which component.
        component: Arc<str>,
        /// What it asked for, if it did.
        retry_after: Option<Duration>,
        /// When.
        at: Duration,
    },
    /// This host is short of memory.
    MemoryPressure {
        /// Who noticed.
        component: Arc<str>,
        /// When.
        at: Duration,
    },
    /// A recovery attempt begins.
    RecoveryStarted {
        /// Of which component.
        component: Arc<str>,
        /// When.
        at: Duration,
    },
    /// A recovery attempt ended.
    RecoveryEnded(Attempt),
}

impl RecoveryEvent {
    /// The event's name on the pipeline's bus, e.g. `circuit.opened`, `api.rate_limited`.
    pub fn bus_name(&self) -> &'static str {
        match self {
            Self::StateChanged { to: ComponentState::CircuitOpen, .. } => "circuit.opened",
            Self::StateChanged { to: ComponentState::Healthy, .. } => "component.healthy",
            Self::StateChanged { .. } => "component.state_changed",
            Self::SystemChanged { .. } => "system.state_changed",
            Self::RateLimited { .. } => "api.rate_limited",
            Self::MemoryPressure { .. } => "system.memory_pressure",
            Self::RecoveryStarted { .. } => "recovery.started",
            Self::RecoveryEnded(attempt) => match attempt.result {
                AttemptResult::Recovered => "recovery.success",
                AttemptResult::Failed(_) => "recovery.failed",
                AttemptResult::Inconclusive => "recovery.inconclusive",
            },
        }
    }
}

/// Whoever wants to know. It may read the account; it must not wait.
pub type Listener = Arc<dyn Fn(&RecoveryEvent) + Send + Sync>;

#[derive(Default)]
struct Outbox {
    waiting: VecDeque<RecoveryEvent>,
    is_delivering: bool,
    listeners: Vec<Listener>,
}

struct Shared {
    ledger: Mutex<Ledger>,
    outbox: Mutex<Outbox>,
    /// Wakes the scheduler; one waiter, so that one stored permit is enough.
    wake: Notify,
}

/// The account as others see it; clones are handles of the same one.
#[derive(Clone)]
pub struct RecoveryView(Arc<Shared>);

impl std::fmt::Debug for RecoveryView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecoveryView({})", self.system().as_str())
    }
}

/// A handle that keeps nothing alive, for listeners of longer-lived breakers.
#[derive(Clone)]
pub(super) struct WeakView(std::sync::Weak<Shared>);

impl WeakView {
    pub(super) fn upgrade(&self) -> Option<RecoveryView> {
        self.0.upgrade().map(RecoveryView)
    }
}

impl RecoveryView {
    pub(super) fn new(history_max: usize) -> Self {
        Self(Arc::new(Shared {
            ledger: Mutex::new(Ledger::new(history_max)),
            outbox: Mutex::default(),
            wake: Notify::new(),
        }))
    }

    /// The whole account at `now` (monotonic).
    pub fn stats(&self, now: Duration) -> RecoveryStats {
        self.ledger().stats(now)
    }

    /// Worst wins.
    pub fn system(&self) -> SystemState {
        self.ledger().system()
    }

    /// How a component is; `None` when there is none of that name.
    pub fn state(&self, name: &str) -> Option<ComponentState> {
        let ledger = self.ledger();
        ledger.state(ledger.index(name)?)
    }

    /// Incidents, newest first, at most `limit`.
    pub fn history(&self, limit: usize) -> Vec<Incident> {
        self.ledger().incidents(limit)
    }

    /// Recovery attempts that ended, newest first, at most `limit`.
    pub fn attempts(&self, limit: usize) -> Vec<Attempt> {
        self.ledger().attempts(limit)
    }

    /// Calls `listener` with every event from now on.
    pub fn subscribe(&self, listener: Listener) {
        self.outbox().listeners.push(listener);
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Each change of the account is complete by itself: a panic elsewhere does not spoil it.
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.0.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn downgrade(&self) -> WeakView {
        WeakView(Arc::downgrade(&self.0))
    }

    /// Books a fact and tells what it changed.
    pub(super) fn book(&self, index: usize, now: Duration, fact: Fact) {
        let changes = self.ledger().book(index, now, fact);
        self.announce(changes);
    }

    pub(super) fn announce(&self, changes: Changes) {
        if !changes.is_empty() {
            self.wake();
            self.deliver(changes);
        }
    }

    /// Tells the scheduler to look again.
    pub(super) fn wake(&self) {
        self.0.wake.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// Logs and hands out events in their order; a listener's own events wait for their turn.
    pub(super) fn deliver(&self, events: impl IntoIterator<Item = RecoveryEvent>) {
        let events: Changes = events.into_iter().inspect(log).collect();
        let mut outbox = self.outbox();
        if !outbox.listeners.is_empty() {
            outbox.waiting.extend(events);
        }
        if outbox.is_delivering {
            return;
        }
        outbox.is_delivering = true;
        let mut on_panic = Delivering { view: self, armed: true };
        while let Some(event) = outbox.waiting.pop_front() {
            let listeners = outbox.listeners.clone();
            drop(outbox);
            for listener in &listeners {
                listener(&event);
            }
            outbox = self.outbox();
        }
        outbox.is_delivering = false;
        on_panic.armed = false;
    }
}

/// Frees the delivery when a listener panics.
struct Delivering<'a> {
    view: &'a RecoveryView,
    armed: bool,
}

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.view.outbox().is_delivering = false;
        }
    }
}

/// Log lines of domain 6.1: event, component, previousState, newState, failureCount.
fn log(event: &RecoveryEvent) {
    let name = event.bus_name();
    match event {
        RecoveryEvent::StateChanged { component, from, to, failure_count, .. } => {
            let (previous, new) = (from.as_str(), to.as_str());
            if matches!(to, ComponentState::CircuitOpen | ComponentState::Unhealthy) {
                tracing::warn!(
                    event = name, %component, previousState = previous, newState = new,
                    failureCount = failure_count, "Component changed its state.",
                );
            } else {
                tracing::info!(
                    event = name, %component, previousState = previous, newState = new,
                    failureCount = failure_count, "Component changed its state.",
                );
            }
        }
        RecoveryEvent::SystemChanged { from, to, .. } => tracing::info!(
            event = name,
            previousState = from.as_str(),
            newState = to.as_str(),
            "System changed its state.",
        ),
        RecoveryEvent::RateLimited { component, retry_after, .. } => tracing::warn!(
            event = name, %component, retry_after_ms = retry_after.map(|d| d.as_millis() as u64),
            "Service limits the rate.",
        ),
        RecoveryEvent::MemoryPressure { component, .. } => {
            tracing::warn!(event = name, %component, "Short of memory.");
        }
        RecoveryEvent::RecoveryStarted { component, .. } => {
            tracing::info!(event = name, %component, "Recovery attempt begins.");
        }
        RecoveryEvent::RecoveryEnded(attempt) => {
            let reason = match &attempt.result {
                AttemptResult::Failed(reason) => Some(reason.as_str()),
                _ => None,
            };
            tracing::info!(
                event = name, component = %attempt.component, probes = attempt.probes, reason,
                "Recovery attempt ended.",
            );
        }
    }
}
