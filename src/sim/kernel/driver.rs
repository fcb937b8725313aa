//! Runs hosts until nothing is runnable, then moves time to the next event.
//!
//! Invariants:
//! - Time moves only when the runtime is about to park, so everything that can run at an instant
//!   has run before the next one begins.
//! - tokio's own paused clock follows in whole milliseconds (`floor`), so third-party code with
//!   tokio timers works, to the millisecond; our own timers and packets are exact.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::host::{Host, ReadyQueue};
use super::net::{Core, Net};
use crate::rt::TaskPanic;
use crate::sim::time::SimTime;
use crate::sim::world::WorldError;

/// What the park hook tells the driver.
#[derive(Default)]
pub(super) struct Signals {
    pub(super) ready: Arc<ReadyQueue>,
    /// Nothing was runnable when the runtime went to park.
    quiescent: AtomicBool,
    /// The driver waits for tokio's clock; the runtime shall park.
    armed: AtomicBool,
}

impl Signals {
    /// Called by the runtime when it has nothing to run.
    pub(super) fn on_park(&self) {
        if !self.armed.load(Ordering::Relaxed) {
            self.quiescent.store(true, Ordering::Relaxed);
            self.ready.wake_driver();
        }
    }
}

/// The root future of one `run_until`.
pub(super) struct Driver<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) signals: &'a Arc<Signals>,
    pub(super) hosts: &'a mut Vec<Host>,
    pub(super) until: SimTime,
    /// tokio's clock at the start of the run.
    pub(super) origin: Instant,
    pub(super) wait: Pin<Box<tokio::time::Sleep>>,
    /// tokio's clock, in milliseconds since the origin.
    pub(super) tokio_ms: &'a mut u64,
    /// Polls and events since time last moved, and the most there may be.
    pub(super) busy: u64,
    pub(super) busy_max: u64,
}

/// Why a driver is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Time has come.
    Reached,
    /// A host has passed its crash point.
    Alarmed,
}

impl Future for Driver<'_> {
    type Output = Result<Stop, WorldError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let signals = Arc::clone(self.signals);
        signals.ready.enter_driver(cx.waker());
        if signals.armed.swap(false, Ordering::Relaxed) {
            self.follow_tokio();
        }
        let outcome = self.step(cx);
        signals.ready.leave_driver();
        outcome
    }
}

impl Driver<'_> {
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stop, WorldError>> {
        loop {
            match self.run_ready() {
                Ok(None) => {}
                Ok(Some(stop)) => return Poll::Ready(Ok(stop)),
                Err(error) => return Poll::Ready(Err(error)),
            }
            if !self.signals.quiescent.swap(false, Ordering::Relaxed) {
                return Poll::Pending;
            }
            let next = self.core.with(|net| net.queue.next_at());
            let target = next.map_or(self.until, |at| SimTime(at).min(self.until));
            if target.as_millis() > *self.tokio_ms {
                return self.arm(target, cx);
            }
            self.move_to(target);
            if next.is_none_or(|at| at > self.until.0) {
                return Poll::Ready(Ok(Stop::Reached));
            }
            self.busy += self.core.with(Net::handle_due);
        }
    }

    /// Polls hosts until none is ready, or until one has passed its crash point.
    fn run_ready(&mut self) -> Result<Option<Stop>, WorldError> {
        loop {
            if self.core.is_alarmed() {
                return Ok(Some(Stop::Alarmed));
            }
            let Some(id) = self.signals.ready.pop() else { return Ok(None) };
            self.busy += 1;
            if self.busy > self.busy_max {
                // The host keeps its place, in case somebody runs the world again.
                self.signals.ready.push(id);
                return Err(WorldError::Stuck { at: self.core.now(), events: self.busy });
            }
            let panics: Vec<TaskPanic> =
                self.hosts.get_mut(id.index()).map(Host::poll).unwrap_or_default();
            // What a host does after its last event never happened, its panics included.
            if !panics.is_empty() && !self.core.with(|net| net.host(id).fuse.is_blown()) {
                return Err(WorldError::Panic(panics));
            }
        }
    }

    /// Lets tokio's clock run to the millisecond of `target`, unless a tokio timer is earlier.
    fn arm(&mut self, target: SimTime, cx: &mut Context<'_>) -> Poll<Result<Stop, WorldError>> {
        let edge = self.origin + Duration::from_millis(target.as_millis());
        self.wait.as_mut().reset(edge);
        if self.wait.as_mut().poll(cx).is_ready() {
            // It cannot be ready before tokio's clock has moved; look again rather than hang.
            cx.waker().wake_by_ref();
        }
        self.signals.armed.store(true, Ordering::Relaxed);
        Poll::Pending
    }

    /// Takes over the time that tokio's clock has reached.
    fn follow_tokio(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "the kernel is the clock")]
        let elapsed = Instant::now() - self.origin;
        let reached_ms = SimTime::from(elapsed).as_millis();
        if reached_ms <= *self.tokio_ms {
            return;
        }
        *self.tokio_ms = reached_ms;
        self.move_to(SimTime::from_millis(reached_ms));
        // Nobody woke at this millisecond but the driver: go on without another round.
        if self.signals.ready.is_empty() {
            self.signals.quiescent.store(true, Ordering::Relaxed);
        }
    }

    fn move_to(&mut self, at: SimTime) {
        if at > self.core.now() {
            self.busy = 0;
            self.core.advance_to(at);
        }
    }
}
