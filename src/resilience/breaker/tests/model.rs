//! The breaker against a naive model that remembers everything and derives each answer anew.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::super::{
    Breaker, BreakerConfig, BreakerEvent, BreakerStats, Forced, Measured, Outcome, Permit,
    SlowCall, StateKind, Window,
};
use super::{line, listen};

/// How a call ends, as far as the model tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Success,
    Failure,
    Timeout,
    Panic,
    Unknown,
    Ignored,
    Dropped,
}

impl End {
    fn error(self) -> Option<&'static str> {
        match self {
            Self::Failure => Some("broken"),
            Self::Timeout => Some("timeout"),
            Self::Panic => Some("panic"),
            Self::Unknown => Some("lost"),
            Self::Success | Self::Ignored | Self::Dropped => None,
        }
    }

    fn is_ignored(self) -> bool {
        matches!(self, Self::Ignored | Self::Dropped)
    }

    fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Success => Some(Outcome::Success),
            Self::Failure => Some(Outcome::Failure("broken".into())),
            Self::Timeout => Some(Outcome::Timeout),
            Self::Panic => Some(Outcome::Panic),
            Self::Unknown => Some(Outcome::Unknown("lost".into())),
            Self::Ignored => Some(Outcome::Ignored),
            Self::Dropped => None,
        }
    }
}

/// A call that ended.
#[derive(Debug, Clone)]
struct Ended {
    end: End,
    at: Duration,
    took: Option<Duration>,
    /// Whether the clock was read for it.
    measured: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Admit,
    End {
        pick: usize,
        end: End,
        took: Option<Duration>,
    },
    Advance(Duration),
    /// The clock goes back.
    Back(Duration),
    Trip,
    Reset,
    Force(Option<Forced>),
}

#[derive(Debug, Clone)]
struct Model {
    config: BreakerConfig,
    listened: bool,
    now: Duration,
    state: StateKind,
    forced: Option<Forced>,
    /// Every transition: when, from, to.
    changes: Vec<(Duration, StateKind, StateKind)>,
    next_attempt: Duration,
    /// Generations of the calls under way, in order of admission.
    under_way: Vec<u64>,
    calls: u64,
    rejected: u64,
    ended: Vec<Ended>,
    /// Ended calls before the last reset.
    before_reset: usize,
    /// Outcomes that drove the closed state since it was entered: when, failed, slow.
    driving: Vec<(Duration, bool, bool)>,
    /// Newest instant of an outcome that drove.
    newest: Duration,
    /// Successes of this half-open state.
    probes_passed: u64,
    events: Vec<String>,
}

impl Model {
    fn generation(&self) -> u64 {
        self.changes.len() as u64
    }

    fn timed(&self) -> bool {
        self.listened
            || matches!(self.config.window, Window::Time(_))
            || self.config.failure_rate_percent.is_some()
            || self.config.slow_call.is_some()
    }

    fn tell(&mut self, name: &str, detail: &str) {
        if self.listened {
            self.events.push(format!("{name} {} {detail}", self.now.as_nanos()));
        }
    }

    fn change(&mut self, to: StateKind, failure_count: u64) {
        let from = std::mem::replace(&mut self.state, to);
        self.changes.push((self.now, from, to));
        let (from, to, number) = (from.as_str(), to.as_str(), self.generation());
        self.tell("stateChange", &format!("{from} {to} {failure_count} {number}"));
        self.probes_passed = 0;
    }

    fn open(&mut self, failure_count: u64) {
        let closed_before = self.changes.iter().rposition(|change| change.2 == StateKind::Closed);
        let since = &self.changes[closed_before.map_or(0, |at| at + 1)..];
        let mut delay = self.config.retry_delay;
        for _ in since.iter().filter(|change| change.2 == StateKind::Open) {
            delay = (delay * self.config.retry_factor as u32).min(self.config.retry_delay_max);
        }
        self.next_attempt = self.now + delay;
        self.change(StateKind::Open, failure_count);
        self.tell("circuitOpened", &failure_count.to_string());
    }

    fn close(&mut self, success_count: u64) {
        self.driving.clear();
        self.change(StateKind::Closed, 0);
        self.tell("circuitClosed", &success_count.to_string());
    }

    fn remembered(&self, now: Duration) -> Vec<(Duration, bool, bool)> {
        match self.config.window {
            Window::None => self.driving.clone(),
            Window::Count(count) => {
                let from = self.driving.len().saturating_sub(count as usize);
                self.driving[from..].to_vec()
            }
            Window::Time(time) => {
                let young = |at: Duration| now.saturating_sub(at) < time;
                self.driving.iter().filter(|outcome| young(outcome.0)).copied().collect()
            }
        }
    }

    fn consecutive(&self) -> u64 {
        self.driving.iter().rev().take_while(|outcome| outcome.1).count() as u64
    }

    fn has_to_open(&self) -> bool {
        let remembered = self.remembered(self.newest);
        let calls = remembered.len();
        if calls < self.config.volume_threshold as usize {
            return false;
        }
        let share = |some: fn(&(Duration, bool, bool)) -> bool, percent: f64| {
            let some = remembered.iter().filter(|outcome| some(outcome)).count();
            calls > 0 && some as f64 * 100.0 >= percent * calls as f64
        };
        self.consecutive() >= u64::from(self.config.failure_threshold)
            || self.config.failure_rate_percent.is_some_and(|percent| share(|o| o.1, percent))
            || self.config.slow_call.is_some_and(|slow| share(|o| o.2, slow.rate_percent))
    }

    fn admit(&mut self) {
        let retry_at = match self.state {
            StateKind::Closed => None,
            StateKind::Open if self.forced.is_some() => Some(None),
            StateKind::Open if self.now < self.next_attempt => Some(Some(self.next_attempt)),
            StateKind::Open => {
                self.change(StateKind::HalfOpen, 0);
                self.tell("circuitHalfOpen", "");
                None
            }
            StateKind::HalfOpen => {
                let generation = self.generation();
                let probes = self.under_way.iter().filter(|call| **call == generation).count();
                (probes >= self.config.half_open_max as usize).then_some(None)
            }
        };
        match retry_at {
            None => {
                self.calls += 1;
                self.under_way.push(self.generation());
            }
            Some(retry_at) => {
                self.rejected += 1;
                let state = self.state.as_str();
                self.tell("callRejected", &format!("{state} {retry_at:?}"));
            }
        }
    }

    fn end(&mut self, pick: usize, end: End, took: Option<Duration>) {
        let generation = self.under_way.remove(pick % self.under_way.len());
        let current = generation == self.generation();
        let success = end == End::Success;
        let unmeasured = success && self.state == StateKind::Closed && current && !self.timed();
        self.ended.push(Ended { end, at: self.now, took, measured: !unmeasured });
        if end.is_ignored() {
            return;
        }
        let state = self.state.as_str();
        match end.error() {
            None => self.tell("success", &format!("{took:?} {state}")),
            Some(error) => self.tell("failure", &format!("{error} {took:?} {state}")),
        }
        if !current || self.forced.is_some() {
            return;
        }
        match self.state {
            StateKind::Open => panic!("an open state admits nothing"),
            StateKind::Closed => {
                let slow = self.config.slow_call.zip(took);
                let slow = slow.is_some_and(|(slow, took)| took > slow.after);
                self.newest = self.newest.max(self.now);
                self.driving.push((self.newest, !success, slow));
                if self.has_to_open() {
                    self.open(self.consecutive());
                }
            }
            StateKind::HalfOpen if !success => self.open(1),
            StateKind::HalfOpen => {
                self.probes_passed += 1;
                if self.probes_passed >= u64::from(self.config.success_threshold) {
                    self.close(self.probes_passed);
                }
            }
        }
    }

    fn consecutive_while_closed(&self) -> u64 {
        if self.state == StateKind::Closed { self.consecutive() } else { 0 }
    }

    fn command(&mut self, step: &Step) {
        let failures = self.consecutive_while_closed();
        let before = self.forced.take();
        match step {
            Step::Trip if self.state == StateKind::Open => {
                self.next_attempt = self.next_attempt.max(self.now + self.config.retry_delay);
            }
            Step::Trip => {
                self.open(failures);
                self.tell("trip", "");
            }
            Step::Reset => {
                self.before_reset = self.ended.len();
                self.driving.clear();
                if self.state != StateKind::Closed {
                    self.close(0);
                    self.tell("reset", "");
                }
            }
            Step::Force(forced) => {
                self.forced = *forced;
                match (before, forced) {
                    (_, Some(Forced::Open)) if self.state != StateKind::Open => {
                        self.open(failures);
                    }
                    (_, Some(Forced::Closed)) | (Some(Forced::Closed), None) => {
                        self.driving.clear();
                        if self.state != StateKind::Closed {
                            self.close(0);
                        }
                    }
                    (Some(Forced::Open), None) => self.next_attempt = self.now,
                    _ => {}
                }
            }
            other => panic!("{other:?} is no command"),
        }
    }

    fn count(&self, some: impl Fn(&Ended) -> bool) -> u64 {
        self.ended.iter().filter(|ended| some(ended)).count() as u64
    }

    fn open_time(&self) -> Duration {
        let mut total = Duration::ZERO;
        for (index, (at, _, to)) in self.changes.iter().enumerate() {
            if *to == StateKind::Open {
                let end = self.changes.get(index + 1).map_or(self.now, |next| next.0);
                total += end.saturating_sub(*at);
            }
        }
        total
    }

    fn failure_percent(&self) -> f64 {
        let (failures, calls) = if self.config.window == Window::None {
            (self.count(|e| e.end.error().is_some()), self.count(|e| !e.end.is_ignored()))
        } else {
            let remembered = self.remembered(self.now.max(self.newest));
            let failures = remembered.iter().filter(|outcome| outcome.1).count();
            (failures as u64, remembered.len() as u64)
        };
        if calls == 0 { 0.0 } else { failures as f64 * 100.0 / calls as f64 }
    }

    fn stats(&self) -> BreakerStats {
        let since_reset = &self.ended[self.before_reset..];
        let last_failed = since_reset.iter().rev().find(|ended| ended.end.error().is_some());
        let last_success =
            since_reset.iter().rev().find(|ended| ended.end == End::Success && ended.measured);
        let waits = self.state == StateKind::Open && self.forced.is_none();
        let timed = self.timed();
        let durations =
            self.ended.iter().filter(|ended| timed && !ended.end.is_ignored()).flat_map(|e| e.took);
        BreakerStats {
            name: "b".to_owned(),
            state: self.state,
            generation: self.generation(),
            failures: self.consecutive_while_closed(),
            successes: self.probes_passed,
            total_calls: self.calls,
            total_failures: self.count(|ended| ended.end.error().is_some()),
            total_successes: self.count(|ended| ended.end == End::Success),
            total_timeouts: self.count(|ended| ended.end == End::Timeout),
            total_rejected: self.rejected,
            total_ignored: self.count(|ended| ended.end.is_ignored()),
            total_unknown: self.count(|ended| ended.end == End::Unknown),
            opens: self.changes.iter().filter(|change| change.2 == StateKind::Open).count() as u64,
            closes: self.changes.iter().filter(|c| c.2 == StateKind::Closed).count() as u64,
            response_time_total: durations.clone().sum(),
            measured_calls: durations.count() as u64,
            failure_rate_percent: self.failure_percent(),
            last_error: last_failed.and_then(|ended| ended.end.error()).map(str::to_owned),
            last_failure_at: last_failed.map(|ended| ended.at),
            last_success_at: last_success.map(|ended| ended.at),
            next_retry_at: waits.then_some(self.next_attempt),
            last_change_at: self.changes.last().map(|change| change.0),
            open_time: self.open_time(),
        }
    }
}

fn nanos(range: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_nanos)
}

fn percents() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        2 => Just(None),
        1 => prop::sample::select(vec![1.0, 100.0 / 3.0, 50.0, 60.0, 100.0]).prop_map(Some),
    ]
}

/// Times of few nanoseconds, so that steps of as few meet every boundary and both its sides.
fn configs() -> impl Strategy<Value = BreakerConfig> {
    let window = prop_oneof![
        1 => Just(Window::None),
        2 => (1_u32..=6).prop_map(Window::Count),
        3 => nanos(1..=12).prop_map(Window::Time),
    ];
    let counts = (1_u32..=4, 1_u32..=3, 0_u32..=5, 1_u32..=3);
    let delays = (nanos(0..=6), 1_u32..=3, 1_u32..=5);
    (counts, delays, window, percents(), (nanos(0..=4), percents())).prop_map(
        |((failures, successes, volume, probes), (delay, factor, most), window, rate, slow)| {
            BreakerConfig {
                failure_threshold: failures,
                success_threshold: successes,
                retry_delay: delay,
                retry_factor: f64::from(factor),
                retry_delay_max: delay * most,
                window,
                volume_threshold: match window {
                    Window::Count(count) => volume.min(count),
                    _ => volume,
                },
                failure_rate_percent: rate,
                slow_call: slow.1.map(|rate_percent| SlowCall { after: slow.0, rate_percent }),
                half_open_max: probes,
                ..BreakerConfig::default()
            }
        },
    )
}

struct Laws;

impl ReferenceStateMachine for Laws {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        (configs(), any::<bool>())
            .prop_map(|(config, listened)| Model {
                config,
                listened,
                now: Duration::from_micros(1),
                state: StateKind::Closed,
                forced: None,
                changes: Vec::new(),
                next_attempt: Duration::ZERO,
                under_way: Vec::new(),
                calls: 0,
                rejected: 0,
                ended: Vec::new(),
                before_reset: 0,
                driving: Vec::new(),
                newest: Duration::ZERO,
                probes_passed: 0,
                events: Vec::new(),
            })
            .boxed()
    }

    fn transitions(_state: &Model) -> BoxedStrategy<Step> {
        let end = prop_oneof![
            8 => Just(End::Success),
            8 => Just(End::Failure),
            1 => Just(End::Timeout),
            1 => Just(End::Panic),
            1 => Just(End::Unknown),
            1 => Just(End::Ignored),
            1 => Just(End::Dropped),
        ];
        let took = proptest::option::weighted(0.8, nanos(0..=6));
        let forced = prop::sample::select(vec![None, Some(Forced::Open), Some(Forced::Closed)]);
        prop_oneof![
            40 => Just(Step::Admit),
            40 => (any::<usize>(), end, took)
                .prop_map(|(pick, end, took)| Step::End { pick: pick % 8, end, took }),
            20 => nanos(1..=7).prop_map(Step::Advance),
            2 => nanos(8..=40).prop_map(Step::Advance),
            1 => nanos(1..=20).prop_map(Step::Back),
            1 => Just(Step::Trip),
            1 => Just(Step::Reset),
            2 => forced.prop_map(Step::Force),
        ]
        .boxed()
    }

    fn preconditions(state: &Model, step: &Step) -> bool {
        !matches!(step, Step::End { .. }) || !state.under_way.is_empty()
    }

    fn apply(mut state: Model, step: &Step) -> Model {
        match step {
            Step::Admit => state.admit(),
            Step::End { pick, end, took } => state.end(*pick, *end, *took),
            Step::Advance(by) => state.now += *by,
            Step::Back(by) => state.now = state.now.saturating_sub(*by),
            command => state.command(command),
        }
        state
    }
}

struct Real {
    breaker: Breaker,
    permits: Vec<Permit>,
    heard: Option<Arc<Mutex<Vec<BreakerEvent>>>>,
}

impl StateMachineTest for Laws {
    type SystemUnderTest = Real;
    type Reference = Self;

    fn init_test(model: &Model) -> Real {
        let breaker = Breaker::new("b", model.config.clone()).expect("valid settings");
        let heard = model.listened.then(|| listen(&breaker));
        Real { breaker, permits: Vec::new(), heard }
    }

    fn apply(mut real: Real, model: &Model, step: Step) -> Real {
        // The model has taken the step already; only the clock's own steps change its time.
        let now = model.now;
        match step {
            Step::Admit => real.permits.extend(real.breaker.admit_owned(|| now).ok()),
            Step::End { pick, end, took } => {
                let permit = real.permits.remove(pick % real.permits.len());
                let mut read = end.is_ignored();
                if let Some(outcome) = end.outcome() {
                    permit.record(outcome, || {
                        read = true;
                        Measured { now, took }
                    });
                }
                assert_eq!(Some(read), model.ended.last().map(|ended| ended.measured));
            }
            Step::Advance(_) | Step::Back(_) => {}
            Step::Trip => real.breaker.trip(now, "by hand"),
            Step::Reset => real.breaker.reset(now),
            Step::Force(forced) => real.breaker.force(forced, now),
        }
        real
    }

    fn check_invariants(real: &Real, model: &Model) {
        let generations: Vec<u64> = real.permits.iter().map(Permit::generation).collect();
        assert_eq!(generations, model.under_way);
        assert_eq!(real.breaker.stats(model.now), model.stats());
        assert_eq!(real.breaker.state(), model.state);
        if let Some(heard) = &real.heard {
            let heard = heard.lock().expect("no panic");
            let lines: Vec<String> = heard.iter().map(line).collect();
            assert_eq!(lines, model.events);
        }
    }

    fn teardown(real: Real, model: Model) {
        COVERAGE.note(&real, &model);
    }
}

/// What the runs met: a law that was never tried is not kept.
struct Coverage {
    by_failures: AtomicUsize,
    by_rate: AtomicUsize,
    by_slowness: AtomicUsize,
    closed_again: AtomicUsize,
    late: AtomicUsize,
    rejected_half_open: AtomicUsize,
    forgotten: AtomicUsize,
}

static COVERAGE: Coverage = Coverage {
    by_failures: AtomicUsize::new(0),
    by_rate: AtomicUsize::new(0),
    by_slowness: AtomicUsize::new(0),
    closed_again: AtomicUsize::new(0),
    late: AtomicUsize::new(0),
    rejected_half_open: AtomicUsize::new(0),
    forgotten: AtomicUsize::new(0),
};

impl Coverage {
    fn note(&self, real: &Real, model: &Model) {
        let add = |counter: &AtomicUsize, met: bool| {
            counter.fetch_add(usize::from(met), Ordering::Relaxed);
        };
        let reason = real.breaker.open_reason().unwrap_or_default();
        add(&self.by_failures, reason.contains("consecutive"));
        add(&self.by_rate, reason.contains("failed") && reason.contains('%'));
        add(&self.by_slowness, reason.contains("slow"));
        add(&self.closed_again, model.events.iter().any(|e| e.starts_with("circuitClosed")));
        add(&self.late, model.under_way.iter().any(|call| *call < model.generation()));
        let rejected = |e: &String| e.starts_with("callRejected") && e.contains("HALF_OPEN");
        add(&self.rejected_half_open, model.events.iter().any(rejected));
        let remembered = model.remembered(model.now.max(model.newest));
        add(&self.forgotten, remembered.len() < model.driving.len());
    }
}

const CASES: u32 = 1_000;

prop_state_machine! {
    #![proptest_config(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    fn runs(sequential 1..60 => Laws);
}

#[test]
fn the_breaker_is_its_model() {
    runs();
    for (what, met) in [
        ("opened by consecutive failures", &COVERAGE.by_failures),
        ("opened by a failure rate", &COVERAGE.by_rate),
        ("opened by slow calls", &COVERAGE.by_slowness),
        ("closed again", &COVERAGE.closed_again),
        ("late calls under way", &COVERAGE.late),
        ("rejected while half-open", &COVERAGE.rejected_half_open),
        ("outcomes forgotten by the window", &COVERAGE.forgotten),
    ] {
        let met = met.load(Ordering::Relaxed);
        assert!(met * 200 >= CASES as usize, "{what}: only {met} of {CASES} runs");
    }
}
