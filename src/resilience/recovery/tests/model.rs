//! The account against a naive model, which keeps every fact ever and reads states off the list.

use proptest::prelude::*;

use super::*;
use crate::resilience::breaker::{Outcome, StateKind};
use crate::resilience::recovery::{
    ComponentState, Failure, OutcomeCounts, Source, SystemState, no_fallback,
};
use crate::rt::take_panics;

const FAILURES: u32 = 3;
const SUCCESSES: u32 = 2;
const DELAY: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(1);
const TRIES: usize = 3;
const CAP: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
enum Action {
    /// An execution whose tries do this, then succeed; and what its fallback does.
    Execute(Vec<Do>, Option<Do>),
    Observe(Outcome),
    GiveUp,
    Trip,
    Reset,
    Wait(Duration),
}

fn step() -> impl Strategy<Value = Do> {
    prop_oneof![
        3 => Just(Do::Succeed),
        6 => Just(Do::Fail(ErrorClass::Network)),
        1 => Just(Do::Fail(ErrorClass::Fatal)),
        1 => Just(Do::Fail(ErrorClass::Auth)),
        1 => Just(Do::Fail(ErrorClass::Validation)),
        1 => Just(Do::Panic),
        1 => prop::sample::select(vec![LIMIT - NS, LIMIT, LIMIT + NS]).prop_map(Do::After),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let fallback =
        prop::option::of(prop_oneof![Just(Do::Succeed), Just(Do::Fail(ErrorClass::Network)),]);
    let outcome = prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Ignored),
        Just(Outcome::Timeout),
        Just(Outcome::Failure("HTTP 500".into())),
    ];
    let wait = prop::sample::select(vec![NS, DELAY - NS, DELAY, DELAY + NS, CAP, CAP + NS]);
    prop_oneof![
        12 => (prop::collection::vec(step(), TRIES), fallback)
            .prop_map(|(steps, fallback)| Action::Execute(steps, fallback)),
        3 => outcome.prop_map(Action::Observe),
        1 => Just(Action::GiveUp),
        1 => Just(Action::Trip),
        1 => Just(Action::Reset),
        6 => wait.prop_map(Action::Wait),
    ]
}

/// One line of the model's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Good,
    Bad,
    Exhausted,
    /// A fallback or the last good result answered.
    Answered,
    BreakerTo(StateKind),
    /// The breaker closed because probes succeeded or by command while it probed.
    Relieved,
}

struct Model {
    now: Duration,
    lines: Vec<Line>,
    /// Every state it ever had, and since when.
    states: Vec<(Duration, ComponentState)>,
    breaker: StateKind,
    consecutive: u32,
    probes: u32,
    open_until: Duration,
    kept_at: Option<Duration>,
    counts: OutcomeCounts,
    retries: u64,
    rejected: u64,
    panics: u64,
    fallback_works: bool,
}

/// What an execution is expected to give: the source, or an error; and the tries it makes.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    source: Option<Source>,
    tries: usize,
}

impl Model {
    fn new() -> Self {
        Self {
            now: Duration::ZERO,
            lines: Vec::new(),
            states: vec![(Duration::ZERO, ComponentState::Unknown)],
            breaker: StateKind::Closed,
            consecutive: 0,
            probes: 0,
            open_until: Duration::ZERO,
            kept_at: None,
            counts: OutcomeCounts::default(),
            retries: 0,
            rejected: 0,
            panics: 0,
            fallback_works: true,
        }
    }

    /// The domain's table, read off the list.
    fn state(&self) -> ComponentState {
        let breaker = self.lines.iter().rev().find_map(|line| match line {
            Line::BreakerTo(kind) => Some(*kind),
            _ => None,
        });
        match breaker {
            Some(StateKind::Open) => return ComponentState::CircuitOpen,
            Some(StateKind::HalfOpen) => return ComponentState::Degraded,
            _ => {}
        }
        let last_good = self.lines.iter().rposition(|line| *line == Line::Good);
        let since = &self.lines[last_good.map_or(0, |at| at + 1)..];
        let relieved = since
            .iter()
            .rposition(|line| matches!(line, Line::Relieved | Line::Answered))
            .map_or(0, |at| at + 1);
        if since[relieved..].contains(&Line::Exhausted) {
            ComponentState::Unhealthy
        } else if since.contains(&Line::Bad) || since.contains(&Line::Answered) {
            ComponentState::Degraded
        } else if last_good.is_some() {
            ComponentState::Healthy
        } else {
            ComponentState::Unknown
        }
    }

    fn add(&mut self, line: Line) {
        self.lines.push(line);
        let state = self.state();
        if self.states.last().map(|last| last.1) != Some(state) {
            self.states.push((self.now, state));
        }
    }

    fn breaker_to(&mut self, to: StateKind) {
        if self.breaker == to {
            return;
        }
        if (self.breaker, to) == (StateKind::HalfOpen, StateKind::Closed) {
            // Seen together with the next line: the state between them is nobody's.
            self.lines.push(Line::Relieved);
        }
        (self.breaker, self.consecutive, self.probes) = (to, 0, 0);
        if to == StateKind::Open {
            self.open_until = self.now + DELAY;
        }
        self.add(Line::BreakerTo(to));
    }

    fn admit(&mut self) -> bool {
        if self.breaker == StateKind::Open && self.now >= self.open_until {
            self.breaker_to(StateKind::HalfOpen);
        }
        self.breaker != StateKind::Open
    }

    fn good(&mut self) {
        self.consecutive = 0;
        self.probes += 1;
        if self.breaker == StateKind::HalfOpen && self.probes == SUCCESSES {
            self.breaker_to(StateKind::Closed);
        }
        self.fallback_works = true;
        self.add(Line::Good);
    }

    fn bad(&mut self, is_counted: bool) {
        self.add(Line::Bad);
        if is_counted {
            self.consecutive += 1;
            if self.breaker == StateKind::HalfOpen || self.consecutive == FAILURES {
                self.breaker_to(StateKind::Open);
            }
        }
    }

    /// One try: `Ok`, or whether another one may follow; `Err(None)` when the item is at fault.
    fn attempt(&mut self, what: Do) -> Result<(), Option<bool>> {
        match what {
            Do::Succeed => self.good(),
            Do::After(time) if time <= LIMIT => {
                self.now += time;
                self.good();
            }
            Do::After(_) => {
                self.now += LIMIT;
                self.bad(true);
                return Err(Some(true));
            }
            Do::Fail(ErrorClass::Validation) => return Err(None),
            Do::Fail(ErrorClass::Auth) => {
                self.bad(false);
                return Err(Some(false));
            }
            Do::Fail(class) => {
                self.bad(true);
                return Err(Some(class == ErrorClass::Network));
            }
            Do::Panic => {
                self.panics += 1;
                self.bad(true);
                return Err(Some(false));
            }
        }
        Ok(())
    }

    fn execute(&mut self, steps: &[Do], fallback: Option<Do>) -> Expected {
        let mut rejected = false;
        let mut tries = 0;
        for what in steps {
            if !self.admit() {
                rejected = true;
                break;
            }
            tries += 1;
            self.retries += u64::from(tries > 1);
            match self.attempt(*what) {
                Ok(()) => {
                    self.counts.succeeded += u64::from(tries == 1);
                    self.counts.recovered += u64::from(tries > 1);
                    self.kept_at = Some(self.now);
                    return Expected { source: Some(Source::Fresh), tries };
                }
                Err(None) => {
                    self.counts.skipped += 1;
                    return Expected { source: None, tries };
                }
                Err(Some(true)) => {}
                Err(Some(false)) => break,
            }
        }
        // Out of tries, the breaker need not be asked; before that it would have rejected.
        self.rejected += u64::from(rejected);
        let age = self.kept_at.map(|at| self.now - at).filter(|age| *age <= CAP);
        let source = if let Some(age) = age {
            self.counts.cached += 1;
            self.add(Line::Answered);
            Some(Source::Cached { age })
        } else if fallback == Some(Do::Succeed) {
            self.counts.fallback_success += 1;
            self.fallback_works = true;
            self.add(Line::Answered);
            Some(Source::Fallback)
        } else {
            self.counts.failed += u64::from(fallback.is_none());
            self.counts.fallback_failed += u64::from(fallback.is_some());
            self.fallback_works &= fallback.is_none();
            if !rejected {
                self.add(Line::Exhausted);
            }
            None
        };
        Expected { source, tries }
    }

    fn observe(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Success => {
                self.counts.succeeded += 1;
                self.fallback_works = true;
                self.add(Line::Good);
            }
            Outcome::Ignored => self.counts.skipped += 1,
            _ => {
                self.counts.failed += 1;
                self.add(Line::Bad);
            }
        }
    }

    fn give_up(&mut self) {
        self.counts.failed += 1;
        self.add(Line::Bad);
        self.add(Line::Exhausted);
    }

    /// Absences from `Healthy`, read off the states: begun, ended, time of the ended ones.
    fn absences(&self) -> (u64, u64, Duration) {
        let (mut begun, mut ended, mut total) = (0, 0, Duration::ZERO);
        let mut away_since = None;
        for pair in self.states.windows(2) {
            if pair[0].1 == ComponentState::Healthy {
                begun += 1;
                away_since = Some(pair[1].0);
            } else if let (ComponentState::Healthy, Some(since)) = (pair[1].1, away_since) {
                ended += 1;
                total += pair[1].0 - since;
                away_since = None;
            }
        }
        (begun, ended, total)
    }

    fn system(&self, critical: bool, has_fallback: bool) -> SystemState {
        match self.state() {
            ComponentState::Healthy => SystemState::Healthy,
            ComponentState::Unhealthy | ComponentState::CircuitOpen
                if critical && !(has_fallback && self.fallback_works) =>
            {
                SystemState::Unhealthy
            }
            _ => SystemState::Degraded,
        }
    }
}

/// The thing itself, as the model sees it.
struct Real {
    clock: TestClock,
    manager: Manager,
    component: Component<TestClock>,
}

impl Real {
    fn new(critical: bool, has_fallback: bool) -> Self {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let config = ComponentConfig {
            critical,
            has_fallback,
            breaker: breaker(FAILURES, SUCCESSES, DELAY),
            timeout: Some(LIMIT),
            cache_age_max: CAP,
            ..config("one", TRIES as u32)
        };
        let component = register(&manager, config);
        Self { clock, manager, component }
    }

    fn execute(&self, steps: &[Do], fallback: Option<Do>) -> Expected {
        let script = Script::new(&self.clock, steps);
        let op = || script.clone().step();
        let cached = self.component.cached::<u32>().expect("one type");
        let answer = match fallback {
            None => self.clock.run(cached.execute(op, class_of, no_fallback())),
            Some(what) => {
                let fallback = |_: &Failure<Oops>| perform(&self.clock, what);
                self.clock.run(cached.execute(op, class_of, Some(fallback)))
            }
        };
        Expected { source: answer.ok().map(|one| one.source), tries: script.calls() }
    }

    fn act(&self, action: &Action) -> Option<Expected> {
        let now = self.clock.monotonic();
        match action {
            Action::Execute(steps, fallback) => return Some(self.execute(steps, *fallback)),
            Action::Observe(outcome) => self.component.observe(outcome),
            Action::GiveUp => self.component.give_up("test"),
            Action::Trip => self.component.breaker().trip(now, "test"),
            Action::Reset => self.component.breaker().reset(now),
            Action::Wait(time) => self.clock.advance(*time),
        }
        None
    }
}

fn act(model: &mut Model, action: &Action) -> Option<Expected> {
    match action {
        Action::Execute(steps, fallback) => return Some(model.execute(steps, *fallback)),
        Action::Observe(outcome) => model.observe(outcome),
        Action::GiveUp => model.give_up(),
        Action::Trip => {
            model.open_until = model.now + DELAY;
            model.breaker_to(StateKind::Open);
        }
        Action::Reset => {
            model.consecutive = 0;
            model.breaker_to(StateKind::Closed);
        }
        Action::Wait(time) => model.now += *time,
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn account_is_the_models(
        critical: bool,
        has_fallback: bool,
        actions in prop::collection::vec(action(), 1..50),
    ) {
        let real = Real::new(critical, has_fallback);
        let mut model = Model::new();
        for action in &actions {
            let expected = act(&mut model, action);
            prop_assert_eq!(real.act(action), expected, "{:?}", action);
            let now = real.clock.monotonic();
            prop_assert_eq!(now, model.now);
            let stats = real.manager.stats(now);
            let one = &stats.components[0];
            prop_assert_eq!(real.component.breaker().state(), model.breaker, "{:?}", action);
            prop_assert_eq!(one.breaker_state, model.breaker);
            prop_assert_eq!(one.state, model.state(), "{:?} {:?}", action, model.lines);
            let since = model.states.last().expect("never empty");
            prop_assert_eq!(one.last_change_at.unwrap_or_default(), since.0);
            prop_assert_eq!(stats.system, model.system(critical, has_fallback));
            prop_assert_eq!(one.outcomes, model.counts);
            prop_assert_eq!(
                (one.retries, one.rejected, one.panics),
                (model.retries, model.rejected, model.panics)
            );
            let (begun, ended, total) = model.absences();
            prop_assert_eq!(
                (one.incidents, one.recovered, one.recovery_time_total),
                (begun, ended, total)
            );
            let mean = (ended > 0).then(|| total / u32::try_from(ended).expect("few"));
            prop_assert_eq!(stats.mttr, mean);
            let rate = (begun > 0).then(|| ended as f64 / begun as f64);
            prop_assert_eq!(stats.recovery_rate, rate);
        }
        prop_assert_eq!(take_panics().len() as u64, model.panics);
    }
}
