//! The breaker that threads share.
//!
//! Invariants:
//! - A closed breaker admits without a lock. A success that changes nothing is booked without
//!   one, without reading a clock and without allocating.
//! - What the rules say is published in one word (generation and flags) under the rules' lock, so
//!   whoever reads it sees a state that was.
//! - Listeners are called in the order of the events and never under the lock; a listener may use
//!   the breaker it hears of.
//! - A permit that is dropped unrecorded counts as ignored and gives its probe's place back.
//!
//! Not modelled: fairness between threads; the clock, which callers bring.

use std::borrow::Borrow;
use std::time::Duration;

use super::config::BreakerConfig;
use super::event::{BreakerEvent, Listener};
use super::machine::{Machine, State};
use super::outcome::{Measured, Outcome};
use super::sink::Sink;
use super::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, thread_number};
use super::window::percent;
use super::{BreakerStats, Forced, Name, Rejected, StateKind};
use crate::resilience::InvalidSetting;

/// Flags of the published word: the state's number, then these; the generation above.
const STATE_MASK: u64 = 0b11;
/// Successes need a time: a window, a rate or a listener asks for it.
const TIMED: u64 = 0b100;
/// Successes need the lock: they change something, or are kept.
const KEPT: u64 = 0b1000;
const FLAG_BITS: u32 = 8;

const SHARDS: usize = 8;

/// Counters of one or few threads, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    calls: AtomicU64,
    successes: AtomicU64,
}

struct Core {
    machine: Machine,
    sink: Sink,
    listeners: std::sync::Arc<[Listener]>,
    /// Somebody is calling listeners; whoever has more events leaves them to him.
    delivering: bool,
}

struct Shared {
    name: Name,
    config: BreakerConfig,
    word: AtomicU64,
    shards: [Shard; SHARDS],
    core: Mutex<Core>,
}

/// A circuit breaker; clones are handles of the same one.
#[derive(Clone)]
pub struct Breaker(Arc<Shared>);

impl std::fmt::Debug for Breaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Breaker({}, {})", self.0.name, self.state().as_str())
    }
}

/// Proof that a breaker admitted a call. Clients of external services demand it, and only a
/// [`Permit`] gives it: none of them can be reached around a breaker.
#[derive(Debug, Clone, Copy)]
pub struct Admitted(());

#[cfg(test)]
impl Admitted {
    /// For tests of a client alone.
    pub(crate) const fn for_tests() -> Self {
        Self(())
    }
}

/// The right to one call: [`Permit::record`] what became of it, or drop it when it was cancelled.
///
/// [`Breaker::admit`] lends the breaker to its permit; a `Permit` without parameter, from
/// [`Breaker::admit_owned`], holds a handle of its own and may be kept anywhere.
#[must_use = "a permit dropped at once is a cancelled call"]
pub struct Permit<B: Borrow<Breaker> = Breaker> {
    breaker: B,
    generation: u64,
    recorded: bool,
}

impl<B: Borrow<Breaker>> std::fmt::Debug for Permit<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let breaker: &Breaker = self.breaker.borrow();
        write!(f, "Permit({}, generation {})", breaker.name(), self.generation)
    }
}

impl Breaker {
    /// A closed breaker.
    ///
    /// # Errors
    /// All settings out of range.
    pub fn new(name: &str, config: BreakerConfig) -> Result<Self, Vec<InvalidSetting>> {
        let faults = config.validate();
        if !faults.is_empty() {
            return Err(faults);
        }
        let core = Core {
            machine: Machine::new(config.clone()),
            sink: Sink::default(),
            listeners: Vec::new().into(),
            delivering: false,
        };
        Ok(Self(Arc::new(Shared {
            name: name.into(),
            word: AtomicU64::new(word_of(&core, &config)),
            config,
            shards: Default::default(),
            core: Mutex::new(core),
        })))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its settings.
    pub fn config(&self) -> &BreakerConfig {
        &self.0.config
    }

    /// Asks for one call. `now` is read only when the breaker is not closed.
    ///
    /// # Errors
    /// When the call must not be made.
    #[inline]
    pub fn admit(&self, now: impl FnOnce() -> Duration) -> Result<Permit<&Self>, Rejected> {
        let generation = self.pass(now)?;
        Ok(Permit { breaker: self, generation, recorded: false })
    }

    /// As [`Breaker::admit`], with a permit that borrows nothing.
    ///
    /// # Errors
    /// When the call must not be made.
    pub fn admit_owned(&self, now: impl FnOnce() -> Duration) -> Result<Permit, Rejected> {
        let generation = self.pass(now)?;
        Ok(Permit { breaker: self.clone(), generation, recorded: false })
    }

    /// Opens it, whatever its state, until the retry delay has passed. Ends a forced state.
    pub fn trip(&self, now: Duration, reason: &str) {
        self.command(|core| core.machine.trip(now, reason, &mut core.sink));
    }

    /// Closes it, whatever its state; totals are kept. Ends a forced state.
    pub fn reset(&self, now: Duration) {
        self.command(|core| core.machine.reset(now, &mut core.sink));
    }

    /// Holds it open or closed whatever the outcomes; `None` gives it back to them: open, the next
    /// call is a probe; closed, it starts with nothing counted.
    pub fn force(&self, kind: Option<Forced>, now: Duration) {
        self.command(|core| core.machine.force(kind, now, &mut core.sink));
    }

    /// Whether it is held in its state.
    pub fn forced(&self) -> Option<Forced> {
        self.lock().machine.forced()
    }

    /// Where it stands. An open breaker stays open until a probe asks.
    pub fn state(&self) -> StateKind {
        kind_of(self.0.word.load(Ordering::Acquire))
    }

    /// Why it is open, in words.
    pub fn open_reason(&self) -> Option<std::sync::Arc<str>> {
        match self.lock().machine.state() {
            State::Open { reason, .. } => Some(reason.clone()),
            _ => None,
        }
    }

    /// Events of single calls that were dropped because listeners were too slow.
    pub fn events_dropped(&self) -> u64 {
        self.lock().sink.dropped()
    }

    /// Its account at `now`.
    pub fn stats(&self, now: Duration) -> BreakerStats {
        let core = self.lock();
        let machine = &core.machine;
        let window = machine.window(now);
        // Successes before calls: each success's call is then among the calls.
        let total_successes = self.sum(|shard| &shard.successes);
        let total_calls = self.sum(|shard| &shard.calls);
        let tallies = machine.tallies().clone();
        let last = machine.last().clone();
        let has_window = self.0.config.window != super::Window::None;
        let lifetime = percent(tallies.failures, tallies.failures + total_successes);
        BreakerStats {
            name: self.0.name.to_string(),
            state: machine.kind(),
            generation: machine.generation(),
            failures: machine.consecutive_failures(),
            successes: match machine.state() {
                State::HalfOpen { successes, .. } => u64::from(*successes),
                _ => 0,
            },
            total_calls,
            total_failures: tallies.failures,
            total_successes,
            total_timeouts: tallies.timeouts,
            total_rejected: tallies.rejected,
            total_ignored: tallies.ignored,
            total_unknown: tallies.unknown,
            opens: tallies.opens,
            closes: tallies.closes,
            response_time_total: tallies.response_time,
            measured_calls: tallies.measured,
            failure_rate_percent: if has_window { window.failure_percent() } else { lifetime },
            last_error: last.error,
            last_failure_at: last.failure_at,
            last_success_at: last.success_at,
            next_retry_at: match machine.state() {
                State::Open { next_attempt, .. } if machine.forced().is_none() => {
                    Some(*next_attempt)
                }
                _ => None,
            },
            last_change_at: last.change_at,
            open_time: machine.open_time(now),
        }
    }

    /// Calls `listener` with every event from now on.
    pub fn subscribe(&self, listener: Listener) {
        self.command(|core| {
            let mut listeners = core.listeners.to_vec();
            listeners.push(listener);
            core.listeners = listeners.into();
            core.sink.want();
        });
    }

    #[inline]
    fn pass(&self, now: impl FnOnce() -> Duration) -> Result<u64, Rejected> {
        let word = self.0.word.load(Ordering::Acquire);
        let generation = if word & STATE_MASK == StateKind::Closed as u64 {
            word >> FLAG_BITS
        } else {
            self.ask(now)?
        };
        self.shard().calls.fetch_add(1, Ordering::Relaxed);
        Ok(generation)
    }

    #[cold]
    fn ask(&self, now: impl FnOnce() -> Duration) -> Result<u64, Rejected> {
        // Before the lock: the caller's clock is foreign code.
        let now = now();
        let mut core = self.lock();
        let inner = &mut *core;
        let admission = inner.machine.admit(now, &mut inner.sink);
        self.finish(core);
        admission.map_err(|retry_at| Rejected { breaker: self.0.name.clone(), retry_at })
    }

    #[inline]
    fn book(&self, generation: u64, outcome: Outcome, measured: impl FnOnce() -> Measured) {
        if matches!(outcome, Outcome::Success) {
            let word = self.0.word.load(Ordering::Acquire);
            if word == generation << FLAG_BITS {
                // Released, so that whoever counts it counts its call, too.
                self.shard().successes.fetch_add(1, Ordering::Release);
                return;
            }
        }
        self.book_kept(generation, outcome, measured);
    }

    #[cold]
    fn book_kept(&self, generation: u64, outcome: Outcome, measured: impl FnOnce() -> Measured) {
        let succeeded = matches!(outcome, Outcome::Success);
        let word = self.0.word.load(Ordering::Acquire);
        let untimed = succeeded
            && word & (STATE_MASK | TIMED) == StateKind::Closed as u64
            && word >> FLAG_BITS == generation;
        let measured = (!untimed).then(measured);
        self.settle(generation, outcome, measured);
    }

    fn settle(&self, generation: u64, outcome: Outcome, measured: Option<Measured>) {
        let succeeded = matches!(outcome, Outcome::Success);
        let mut core = self.lock();
        let inner = &mut *core;
        inner.machine.record(generation, outcome, measured, &mut inner.sink);
        if succeeded {
            self.shard().successes.fetch_add(1, Ordering::Release);
        }
        self.finish(core);
    }

    fn command(&self, change: impl FnOnce(&mut Core)) {
        let mut core = self.lock();
        change(&mut core);
        self.finish(core);
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        // Whatever panicked was foreign code; the rules themselves leave nothing half done.
        self.0.core.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Publishes the state, then delivers events unless somebody already does.
    fn finish<'a>(&'a self, mut core: MutexGuard<'a, Core>) {
        let word = word_of(&core, &self.0.config);
        if word != self.0.word.load(Ordering::Relaxed) {
            self.0.word.store(word, Ordering::Release);
        }
        if core.sink.is_empty() || core.delivering {
            return;
        }
        core.delivering = true;
        let mut on_panic = Delivering { breaker: self, armed: true };
        while let Some((at, kind)) = core.sink.pop() {
            let listeners = core.listeners.clone();
            drop(core);
            let event = BreakerEvent { breaker: self.0.name.clone(), at, kind };
            for listener in listeners.iter() {
                listener(&event);
            }
            core = self.lock();
        }
        core.delivering = false;
        on_panic.armed = false;
    }

    fn shard(&self) -> &Shard {
        &self.0.shards[thread_number() % SHARDS]
    }

    fn sum(&self, counter: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        self.0.shards.iter().map(|shard| counter(shard).load(Ordering::Acquire)).sum()
    }
}

/// Frees the delivery when a listener panics.
struct Delivering<'a> {
    breaker: &'a Breaker,
    armed: bool,
}

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.breaker.lock().delivering = false;
        }
    }
}

fn word_of(core: &Core, config: &BreakerConfig) -> u64 {
    let mut word = core.machine.generation() << FLAG_BITS | core.machine.kind() as u64;
    if core.sink.is_wanted() || config.times_successes() {
        word |= TIMED;
    }
    if !core.machine.shrugs_at_success() {
        word |= KEPT;
    }
    word
}

fn kind_of(word: u64) -> StateKind {
    match word & STATE_MASK {
        0 => StateKind::Closed,
        1 => StateKind::HalfOpen,
        _ => StateKind::Open,
    }
}

impl<B: Borrow<Breaker>> Permit<B> {
    /// Tells what became of the call. `measured` is read unless it is a success that needs no
    /// time: closed, without time window, rate trigger or listener.
    #[inline]
    pub fn record(mut self, outcome: Outcome, measured: impl FnOnce() -> Measured) {
        self.recorded = true;
        let breaker: &Breaker = self.breaker.borrow();
        breaker.book(self.generation, outcome, measured);
    }

    /// The proof that this call was admitted, for those who demand one.
    pub fn admitted(&self) -> Admitted {
        Admitted(())
    }

    /// The breaker's generation at admission.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

impl<B: Borrow<Breaker>> Drop for Permit<B> {
    #[inline]
    fn drop(&mut self) {
        if !self.recorded {
            let breaker: &Breaker = self.breaker.borrow();
            breaker.settle(self.generation, Outcome::Ignored, None);
        }
    }
}
