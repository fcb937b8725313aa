//! The breaker's rules, as a pure state machine: instants and outcomes in, verdicts and events out.
//!
//! Invariants:
//! - Each state carries its own data and nothing of another state.
//! - Every transition has its own generation; a result of an older generation is booked in the
//!   totals and drives nothing.
//! - At most `half_open_max` probes are under way in one half-open generation.
//! - While forced, outcomes are booked and drive nothing; the last command wins.
//! - No clock, no lock, no panic: instants that go back are taken as they come.
//!
//! Not modelled: the numbers of admitted and of successful calls, which the shell counts without
//! a lock; fallbacks, which are the caller's business.

use std::sync::Arc;
use std::time::Duration;

use super::config::BreakerConfig;
use super::event::EventKind;
use super::outcome::{Measured, Outcome};
use super::sink::Sink;
use super::window::{Counts, Remembered};
use super::{Forced, StateKind};

/// Where the breaker stands, with what belongs to standing there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Closed { consecutive_failures: u64 },
    Open { next_attempt: Duration, reason: Arc<str> },
    HalfOpen { successes: u32, permits_in_use: u32 },
}

/// What the machine counts of its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tallies {
    pub(super) failures: u64,
    pub(super) timeouts: u64,
    pub(super) rejected: u64,
    pub(super) ignored: u64,
    pub(super) unknown: u64,
    pub(super) opens: u64,
    pub(super) closes: u64,
    pub(super) response_time: Duration,
    pub(super) measured: u64,
}

/// The last things that happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Last {
    pub(super) error: Option<String>,
    pub(super) failure_at: Option<Duration>,
    pub(super) success_at: Option<Duration>,
    pub(super) change_at: Option<Duration>,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Machine {
    config: BreakerConfig,
    state: State,
    generation: u64,
    forced: Option<Forced>,
    remembered: Remembered,
    /// Openings since it was last closed.
    openings: u32,
    opened_at: Duration,
    open_time: Duration,
    tallies: Tallies,
    last: Last,
}

impl Machine {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self {
            state: State::Closed { consecutive_failures: 0 },
            generation: 0,
            forced: None,
            remembered: Remembered::new(config.window),
            openings: 0,
            opened_at: Duration::ZERO,
            open_time: Duration::ZERO,
            tallies: Tallies::default(),
            last: Last::default(),
            config,
        }
    }

    pub(super) fn kind(&self) -> StateKind {
        match self.state {
            State::Closed { .. } => StateKind::Closed,
            State::Open { .. } => StateKind::Open,
            State::HalfOpen { .. } => StateKind::HalfOpen,
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn forced(&self) -> Option<Forced> {
        self.forced
    }

    pub(super) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    pub(super) fn last(&self) -> &Last {
        &self.last
    }

    /// What the window holds at `now`; everything since closing without a window.
    pub(super) fn window(&self, now: Duration) -> Counts {
        self.remembered.counts_at(now)
    }

    /// Time spent open up to `now`.
    pub(super) fn open_time(&self, now: Duration) -> Duration {
        match self.state {
            State::Open { .. } => self.open_time.saturating_add(now.saturating_sub(self.opened_at)),
            _ => self.open_time,
        }
    }

    /// Consecutive failures while closed, 0 otherwise.
    pub(super) fn consecutive_failures(&self) -> u64 {
        match self.state {
            State::Closed { consecutive_failures } => consecutive_failures,
            _ => 0,
        }
    }

    /// Whether one more success, in a closed state, would change nothing here.
    pub(super) fn shrugs_at_success(&self) -> bool {
        self.forced.is_none()
            && matches!(self.state, State::Closed { consecutive_failures: 0 })
            && !self.config.keeps_outcomes()
    }

    /// One call asks to pass: the generation it belongs to.
    ///
    /// # Errors
    /// It may not; with the instant of the next probe, where that is known.
    pub(super) fn admit(
        &mut self,
        now: Duration,
        sink: &mut Sink,
    ) -> Result<u64, Option<Duration>> {
        let retry_at = match &mut self.state {
            State::Closed { .. } => return Ok(self.generation),
            State::Open { .. } if self.forced.is_some() => None,
            State::Open { next_attempt, .. } if now < *next_attempt => Some(*next_attempt),
            State::Open { .. } => {
                self.enter(State::HalfOpen { successes: 0, permits_in_use: 1 }, now, 0, sink);
                sink.push(now, || EventKind::CircuitHalfOpen);
                return Ok(self.generation);
            }
            State::HalfOpen { permits_in_use, .. }
                if *permits_in_use < self.config.half_open_max =>
            {
                *permits_in_use += 1;
                return Ok(self.generation);
            }
            State::HalfOpen { .. } => None,
        };
        self.tallies.rejected += 1;
        let state = self.kind();
        sink.push(now, || EventKind::CallRejected { state, retry_at });
        Err(retry_at)
    }

    /// The result of a call that was admitted in `generation`. `measured` may be missing for a
    /// success that needs no time and for an ignored call.
    pub(super) fn record(
        &mut self,
        generation: u64,
        outcome: Outcome,
        measured: Option<Measured>,
        sink: &mut Sink,
    ) {
        let now = measured.map_or(Duration::ZERO, |measured| measured.now);
        let took = measured.and_then(|measured| measured.took);
        let timed = sink.is_wanted() || self.config.times_successes();
        let state = self.kind();
        let error = match outcome {
            Outcome::Ignored => {
                self.tallies.ignored += 1;
                return self.release(generation);
            }
            Outcome::Success => None,
            Outcome::Failure(error) => Some(error),
            Outcome::Timeout => {
                self.tallies.timeouts += 1;
                Some("timeout".into())
            }
            Outcome::Panic => Some("panic".into()),
            Outcome::Unknown(error) => {
                self.tallies.unknown += 1;
                Some(error)
            }
        };
        // A mean over failures alone would mislead: durations are booked when all are known.
        if let Some(took) = took.filter(|_| timed) {
            self.tallies.measured += 1;
            self.tallies.response_time = self.tallies.response_time.saturating_add(took);
        }
        let failed = error.is_some();
        match error {
            None => {
                self.last.success_at = measured.map(|_| now).or(self.last.success_at);
                if measured.is_some() {
                    sink.push(now, || EventKind::Success { response_time: took, state });
                }
            }
            Some(error) => {
                self.tallies.failures += 1;
                self.last.failure_at = Some(now);
                let error = error.into_owned();
                sink.push(now, || {
                    let error = error.clone();
                    EventKind::Failure { error, response_time: took, state }
                });
                self.last.error = Some(error);
            }
        }
        if self.forced.is_none() && generation == self.generation {
            self.drive(failed, took, now, sink);
        }
    }

    /// A result of this generation, while nothing is forced.
    fn drive(&mut self, failed: bool, took: Option<Duration>, now: Duration, sink: &mut Sink) {
        match &mut self.state {
            // An open state admits nothing, so none of its generation can come back.
            State::Open { .. } => {}
            State::Closed { consecutive_failures } => {
                *consecutive_failures = if failed { *consecutive_failures + 1 } else { 0 };
                let failures = *consecutive_failures;
                if self.config.keeps_outcomes() {
                    let limit = self.config.slow_call.map(|slow| slow.after);
                    let slow = limit.zip(took).is_some_and(|(limit, took)| took > limit);
                    self.remembered.add(Counts::of(failed, slow), now);
                }
                if let Some(reason) = self.reason_to_open(failures) {
                    self.open(now, reason, failures, sink);
                }
            }
            State::HalfOpen { permits_in_use, successes } => {
                *permits_in_use = permits_in_use.saturating_sub(1);
                if failed {
                    crate::sometimes!(HALF_OPEN_PROBE_FAILED);
                    self.open(now, "a probe failed".into(), 1, sink);
                } else {
                    *successes += 1;
                    let successes = *successes;
                    if successes >= self.config.success_threshold {
                        crate::sometimes!(BREAKER_CLOSED_AGAIN);
                        self.close(now, u64::from(successes), sink);
                    }
                }
            }
        }
    }

    fn reason_to_open(&self, consecutive_failures: u64) -> Option<Arc<str>> {
        let counts = self.remembered.counts();
        if counts.calls < u64::from(self.config.volume_threshold) {
            return None;
        }
        if consecutive_failures >= u64::from(self.config.failure_threshold) {
            return Some(format!("{consecutive_failures} consecutive failures").into());
        }
        let failing = counts.failure_percent();
        if counts.calls > 0 && self.config.failure_rate_percent.is_some_and(|x| failing >= x) {
            return Some(format!("{failing:.1} % of {} calls failed", counts.calls).into());
        }
        let slow = counts.slow_percent();
        if counts.calls > 0 && self.config.slow_call.is_some_and(|x| slow >= x.rate_percent) {
            return Some(format!("{slow:.1} % of {} calls were slow", counts.calls).into());
        }
        None
    }

    /// A call of `generation` ended without an outcome that counts.
    fn release(&mut self, generation: u64) {
        if generation == self.generation
            && let State::HalfOpen { permits_in_use, .. } = &mut self.state
        {
            *permits_in_use = permits_in_use.saturating_sub(1);
        }
    }

    /// Opens, whatever the state. On an open breaker the delay starts anew, which is no event.
    pub(super) fn trip(&mut self, now: Duration, reason: &str, sink: &mut Sink) {
        self.forced = None;
        let reason: Arc<str> = reason.into();
        let failures = self.consecutive_failures();
        if let State::Open { next_attempt, reason: why } = &mut self.state {
            *next_attempt = (*next_attempt).max(now.saturating_add(self.config.retry_delay));
            *why = reason;
        } else {
            self.open(now, Arc::clone(&reason), failures, sink);
            sink.push(now, || EventKind::Trip { reason });
        }
    }

    /// Closes, whatever the state, and forgets all but the totals. On a closed breaker no event.
    pub(super) fn reset(&mut self, now: Duration, sink: &mut Sink) {
        self.forced = None;
        self.last.error = None;
        self.last.failure_at = None;
        self.last.success_at = None;
        if self.kind() == StateKind::Closed {
            self.state = State::Closed { consecutive_failures: 0 };
            self.remembered.clear();
        } else {
            self.close(now, 0, sink);
            sink.push(now, || EventKind::Reset);
        }
    }

    /// Holds a state whatever the outcomes, or lets go: an open breaker then probes at once.
    pub(super) fn force(&mut self, forced: Option<Forced>, now: Duration, sink: &mut Sink) {
        let before = std::mem::replace(&mut self.forced, forced);
        match (before, forced) {
            (_, Some(Forced::Open)) => {
                let failures = self.consecutive_failures();
                if self.kind() != StateKind::Open {
                    self.open(now, "forced open".into(), failures, sink);
                }
            }
            (_, Some(Forced::Closed)) | (Some(Forced::Closed), None) => {
                if self.kind() == StateKind::Closed {
                    self.state = State::Closed { consecutive_failures: 0 };
                    self.remembered.clear();
                } else {
                    self.close(now, 0, sink);
                }
            }
            (Some(Forced::Open), None) => {
                if let State::Open { next_attempt, .. } = &mut self.state {
                    *next_attempt = now;
                }
            }
            (None, None) => {}
        }
    }

    fn open(&mut self, now: Duration, reason: Arc<str>, failure_count: u64, sink: &mut Sink) {
        let delay = self.delay();
        crate::sometimes!(BREAKER_OPENED);
        self.openings = self.openings.saturating_add(1);
        self.tallies.opens += 1;
        let next_attempt = now.saturating_add(delay);
        let state = State::Open { next_attempt, reason: Arc::clone(&reason) };
        self.enter(state, now, failure_count, sink);
        self.opened_at = now;
        sink.push(now, || EventKind::CircuitOpened { failure_count, reason });
    }

    fn close(&mut self, now: Duration, success_count: u64, sink: &mut Sink) {
        self.openings = 0;
        self.tallies.closes += 1;
        self.remembered.clear();
        self.enter(State::Closed { consecutive_failures: 0 }, now, 0, sink);
        sink.push(now, || EventKind::CircuitClosed { success_count });
    }

    fn enter(&mut self, state: State, now: Duration, failure_count: u64, sink: &mut Sink) {
        let from = self.kind();
        self.open_time = self.open_time(now);
        self.state = state;
        self.generation += 1;
        self.last.change_at = Some(now);
        let (to, generation) = (self.kind(), self.generation);
        sink.push(now, || EventKind::StateChange { from, to, failure_count, generation });
    }

    /// From this opening to its first probe.
    fn delay(&self) -> Duration {
        let exponent = i32::try_from(self.openings).unwrap_or(i32::MAX);
        if exponent == 0 || self.config.retry_factor <= 1.0 {
            return self.config.retry_delay;
        }
        let seconds =
            self.config.retry_delay.as_secs_f64() * self.config.retry_factor.powi(exponent);
        let delay = Duration::try_from_secs_f64(seconds).unwrap_or(self.config.retry_delay_max);
        delay.min(self.config.retry_delay_max)
    }
}
