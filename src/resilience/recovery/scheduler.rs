//! Brings back components that nobody calls.
//!
//! A component with a health check gets a recovery attempt: behind an open breaker when its next
//! attempt is due; behind a half-open one as soon as another's probe has ended; behind a closed one
//! `recovery_delay` after its last bad result. The attempt repeats the health check through the
//! breaker until that closes, a check fails, or the breaker admits none.
//!
//! Invariants:
//! - At most [`RecoveryConfig::concurrent_recoveries_max`] attempts in flight, at most one per
//!   component; those beyond wait first come, first served. Ordinary calls do not count.
//! - An attempt ends as recovered only when the component is `HEALTHY`.
//! - While every component is well, and while nothing is due, no timer runs but the next one's.
//! - Components that share a breaker share its attempts: one at a time.
//! - Attempts of one component never follow each other at one instant, whatever the delays.
//!
//! [`RecoveryConfig::concurrent_recoveries_max`]: super::RecoveryConfig

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use super::component::{Component, HealthCheck};
use super::entry::Fact;
use super::ledger::{Attempt, AttemptResult};
use super::view::{RecoveryEvent, RecoveryView};
use super::{ComponentState, RecoveryManager};
use crate::ports::Clock;
use crate::resilience::breaker::{Measured, Outcome, StateKind};
use crate::rt::cause::strand;
use crate::rt::{Race, Shutdown, race};

/// What the scheduler knows of one component.
#[derive(Default, Clone, Copy)]
struct Slot {
    is_busy: bool,
    is_queued: bool,
    /// When its last attempt ended.
    ended_at: Option<Duration>,
    /// Transitions of its breaker, and results since, that its last attempt knew of.
    seen: (u64, u64),
}

/// One run of the scheduler.
pub(super) struct Scheduler<'a, C: Clock> {
    manager: &'a RecoveryManager<C>,
    slots: Vec<Slot>,
    /// Due and waiting, first come first.
    queue: VecDeque<usize>,
    in_flight: FuturesUnordered<LocalBoxFuture<'static, usize>>,
}

impl<'a, C: Clock> Scheduler<'a, C> {
    pub(super) fn new(manager: &'a RecoveryManager<C>) -> Self {
        let in_flight = FuturesUnordered::new();
        Self { manager, slots: Vec::new(), queue: VecDeque::new(), in_flight }
    }

    /// Runs until `shutdown`; attempts under way are then cancelled.
    pub(super) async fn run(mut self, shutdown: Shutdown) {
        let clock = self.manager.clock().clone();
        let view = self.manager.view();
        loop {
            let now = clock.monotonic();
            let next = self.enqueue_due(now);
            self.start(now);
            view.ledger().set_queued(self.queue.len() as u64);
            let timer = async {
                match next {
                    Some(at) => clock.sleep(at.saturating_sub(now)).await,
                    None => pending().await,
                }
            };
            let ended = async {
                match self.in_flight.next().await {
                    Some(index) => index,
                    None => pending().await,
                }
            };
            let woken = race(view.woken(), timer);
            match race(shutdown.requested(), race(ended, woken)).await {
                Race::First(()) => break,
                Race::Second(Race::First(index)) => self.end(index, clock.monotonic()),
                Race::Second(Race::Second(_)) => {}
            }
        }
        self.in_flight.clear();
        view.ledger().set_queued(0);
    }

    /// Puts in line what is due, in the order in which it became due; when the next one will be.
    fn enqueue_due(&mut self, now: Duration) -> Option<Duration> {
        let components = self.manager.components();
        self.slots.resize_with(components.len(), Slot::default);
        let mut due = Vec::new();
        let mut next: Option<Duration> = None;
        for (index, component) in components.iter().enumerate() {
            let slot = &self.slots[index];
            if slot.is_busy || slot.is_queued || self.is_shared_attempt(&components, component) {
                continue;
            }
            match self.due_at(component, slot, now) {
                Some(at) if at <= now => due.push((at, index)),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        due.sort_unstable();
        for (_, index) in due {
            // One that was put in line just now may share this one's breaker.
            if !self.is_shared_attempt(&components, &components[index]) {
                self.slots[index].is_queued = true;
                self.queue.push_back(index);
            }
        }
        next
    }

    /// Whether an attempt through the same breaker is under way or in line: a second one would
    /// only be rejected. What it leaves to do is looked at when it has ended.
    fn is_shared_attempt(&self, components: &[Component<C>], one: &Component<C>) -> bool {
        let is_same = |other: &Component<C>| other.breaker().name() == one.breaker().name();
        let mut others = components.iter().zip(&self.slots);
        others.any(|(other, slot)| (slot.is_busy || slot.is_queued) && is_same(other))
    }

    /// When the component is to be attempted, as far as things stand.
    fn due_at(&self, component: &Component<C>, slot: &Slot, now: Duration) -> Option<Duration> {
        let part = &*component.0;
        part.health_check.as_ref()?;
        let later = |at: Option<Duration>| {
            let at = at.max(slot.ended_at)?;
            Some(at.saturating_add(part.recovery_delay))
        };
        let pulse = part.view.ledger().pulse(part.index)?;
        match pulse.breaker {
            StateKind::Open => {
                let at = part.breaker.stats(now).next_retry_at?;
                // A breaker without delay times nothing: two attempts would share an instant.
                let is_timed = slot.ended_at.is_none_or(|ended_at| at > ended_at);
                if is_timed { Some(at) } else { later(None) }
            }
            // Somebody's probe is under way, or was dropped; its result, if any, comes first.
            StateKind::HalfOpen if pulse.results == slot.seen || pulse.results.1 == 0 => {
                later(pulse.breaker_changed_at)
            }
            StateKind::HalfOpen => Some(now),
            StateKind::Closed => match pulse.state {
                ComponentState::Degraded | ComponentState::Unhealthy => later(pulse.last_result_at),
                _ => None,
            },
        }
    }

    /// Starts attempts while there is room; what is no longer due leaves the line.
    fn start(&mut self, now: Duration) {
        while self.in_flight.len() < self.manager.concurrent_recoveries_max() {
            let Some(index) = self.queue.pop_front() else { return };
            self.slots[index].is_queued = false;
            let Some(component) = self.manager.component_at(index) else { continue };
            let is_due =
                self.due_at(&component, &self.slots[index], now).is_some_and(|at| at <= now);
            let Some(check) = component.0.health_check.clone().filter(|_| is_due) else { continue };
            self.slots[index].is_busy = true;
            let running = Running::begin(&component.0.view, index);
            self.in_flight.push(Box::pin(strand(attempt(component, check, running))));
        }
    }

    fn end(&mut self, index: usize, now: Duration) {
        let seen = self.manager.view().ledger().pulse(index).map_or((0, 0), |pulse| pulse.results);
        self.slots[index] = Slot { is_busy: false, is_queued: false, ended_at: Some(now), seen };
    }
}

/// Marks a component as being recovered, until it is dropped.
struct Running {
    view: RecoveryView,
    index: usize,
}

impl Running {
    fn begin(view: &RecoveryView, index: usize) -> Self {
        view.ledger().begin_recovery(index);
        Self { view: view.clone(), index }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.view.ledger().end_recovery(self.index);
    }
}

/// One recovery attempt; gives its component's index back.
async fn attempt<C: Clock>(component: Component<C>, check: HealthCheck, running: Running) -> usize {
    let part = &*component.0;
    let began_at = part.clock.monotonic();
    let name = || Arc::clone(&part.name);
    part.view.deliver([RecoveryEvent::RecoveryStarted { component: name(), at: began_at }]);
    let (probes, result) = probes(&component, &check).await;
    let index = running.index;
    drop(running);
    let ended_at = part.clock.monotonic();
    let attempt = Attempt { component: name(), began_at, ended_at, probes, result };
    part.view.ledger().keep_attempt(index, attempt.clone());
    part.view.deliver([RecoveryEvent::RecoveryEnded(attempt)]);
    index
}

/// Probes through the breaker until it is clear how the component is.
async fn probes<C: Clock>(component: &Component<C>, check: &HealthCheck) -> (u32, AttemptResult) {
    let part = &*component.0;
    // More successes than close the breaker are of no use: it is held, or changed under us.
    let most = part.breaker.config().success_threshold;
    for probes in 0..most {
        let started = part.clock.monotonic();
        let Ok(permit) = part.breaker.admit(|| started) else {
            return (probes, AttemptResult::Inconclusive);
        };
        let result = part.probe(check).await;
        let now = part.clock.monotonic();
        let measured = Measured { now, took: Some(now.saturating_sub(started)) };
        if let Err((outcome, text)) = result {
            let panicked = outcome == Outcome::Panic;
            part.book(now, Fact::TryFailed { error: text.clone(), panicked });
            permit.record(outcome, || measured);
            return (probes + 1, AttemptResult::Failed(text));
        }
        permit.record(Outcome::Success, || measured);
        part.book(now, Fact::ProbeSucceeded);
        if component.state() == ComponentState::Healthy {
            return (probes + 1, AttemptResult::Recovered);
        }
        if part.breaker.state() != StateKind::HalfOpen {
            return (probes + 1, AttemptResult::Inconclusive);
        }
    }
    (most, AttemptResult::Inconclusive)
}
