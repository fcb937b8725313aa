//! Single rules, case by case.

use std::future::Future as _;
use std::io::Write;
use std::pin::pin;
use std::task::{Context, Waker};

use proptest::prelude::*;

use super::*;
use crate::resilience::breaker::{Forced, Outcome, RegistryError, SlowCall, StateKind};
use crate::resilience::recovery::{
    ComponentState, Failure, RegisterError, Source, Stopped, SystemState, TryError, no_fallback,
};
use crate::resilience::retry::BudgetConfig;
use crate::rt::take_panics;

const NETWORK: Do = Do::Fail(ErrorClass::Network);

/// The state that each class of error leaves after one execution of up to three tries, the number
/// of tries, and whether the breaker counts it.
#[test]
fn classes_are_treated_as_their_table_says() {
    let check = |class: ErrorClass, idempotent: bool, tries: usize, state, counted: u64| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let retry = RetryConfig { retry_after_max: secs(3_600), ..retry(3) };
        let breaker = breaker(100, 1, secs(10));
        let config = ComponentConfig { idempotent, breaker, retry, ..config("one", 3) };
        let component = register(&manager, config);
        let script = Script::new(&clock, &[Do::Fail(class); 3]);
        let answer =
            clock.run(component.execute(|| script.clone().step(), class_of, no_fallback()));
        let failure = answer.expect_err("every try fails");
        assert_eq!(failure.tries.len(), tries, "{class:?}");
        assert_eq!(script.calls(), tries, "{class:?}");
        assert_eq!(component.state(), state, "{class:?}");
        let stats = component.breaker().stats(clock.monotonic());
        assert_eq!(stats.total_failures, counted, "{class:?}");
        assert_eq!(stats.total_ignored, tries as u64 - counted, "{class:?}");
        let stopped = if tries == 3 { Stopped::AttemptsSpent } else { Stopped::NotRetryable };
        assert_eq!(failure.stopped, stopped, "{class:?}");
        clock.monotonic()
    };
    use ComponentState::{Unhealthy, Unknown};
    use ErrorClass as Class;
    for idempotent in [true, false] {
        assert_eq!(check(Class::Network, idempotent, 3, Unhealthy, 3), secs(0));
        assert_eq!(check(Class::Server, idempotent, 3, Unhealthy, 3), secs(0));
        let unsaid = Class::RateLimit { retry_after: None };
        assert_eq!(check(unsaid, idempotent, 3, Unhealthy, 3), secs(120));
        let said = Class::RateLimit { retry_after: Some(secs(7)) };
        assert_eq!(check(said, idempotent, 3, Unhealthy, 3), secs(14));
        assert_eq!(check(Class::Memory, idempotent, 3, Unhealthy, 0), secs(10));
        assert_eq!(check(Class::Auth, idempotent, 1, Unhealthy, 0), secs(0));
        assert_eq!(check(Class::Fatal, idempotent, 1, Unhealthy, 1), secs(0));
        // The item is at fault: nothing is known of the component.
        assert_eq!(check(Class::Validation, idempotent, 1, Unknown, 0), secs(0));
        assert_eq!(check(Class::Cancelled, idempotent, 1, Unknown, 0), secs(0));
    }
    check(Class::Timeout, true, 3, Unhealthy, 3);
    check(Class::Timeout, false, 1, Unhealthy, 1);
    check(Class::UnknownOutcome, true, 3, Unhealthy, 3);
    check(Class::UnknownOutcome, false, 1, Unhealthy, 1);
}

#[test]
fn an_invalid_item_is_skipped_whatever_could_answer() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let cached = register(&manager, config("one", 3)).cached::<u32>().expect("the first type");
    let script = Script::new(&clock, &[Do::Succeed, Do::Fail(ErrorClass::Validation)]);
    clock.run(async {
        let _ = cached.execute(|| script.clone().step(), class_of, no_fallback()).await;
        let fallback = |_: &Failure<Oops>| async { Ok(1) };
        let second = cached.execute(|| script.clone().step(), class_of, Some(fallback)).await;
        let failure = second.expect_err("skipped");
        assert_eq!(failure.into_error(), Some(Oops(ErrorClass::Validation)));
    });
    assert_eq!(cached.component().state(), ComponentState::Healthy);
    let stats = manager.stats(clock.monotonic());
    assert_eq!((stats.outcomes.skipped, stats.outcomes.total()), (1, 2));
}

#[test]
fn a_rejection_ends_the_loop_at_once_and_wastes_nothing() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    // Opens at the third failure; ten tries were allowed.
    let component = register(&manager, config("one", 10));
    let script = Script::new(&clock, &[NETWORK; 10]);
    clock.run(async {
        let first = component.execute(|| script.clone().step(), class_of, no_fallback()).await;
        let failure = first.expect_err("all fail");
        assert_eq!((failure.tries.len(), script.calls()), (3, 3));
        assert_eq!(failure.code(), "CIRCUIT_OPEN");
        assert!(failure.to_string().contains("try 3: oops"), "{failure}");
        let second = component.execute(|| script.clone().step(), class_of, no_fallback()).await;
        let failure = second.expect_err("rejected");
        assert_eq!((failure.tries.len(), script.calls()), (0, 3));
        let Stopped::Rejected(rejected) = &failure.stopped else { panic!("{failure:?}") };
        assert_eq!(rejected.retry_at, Some(secs(10)));
    });
    assert_eq!(clock.monotonic(), Duration::ZERO, "nobody waited");
    assert_eq!(manager.stats(Duration::ZERO).components[0].rejected, 2);
}

#[test]
fn a_fallback_answers_for_failure_and_rejection_alike() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let component = register(&manager, ComponentConfig { has_fallback: true, ..config("one", 3) });
    let script = Script::new(&clock, &[NETWORK; 3]);
    for tries in [3, 0] {
        let fallback = |failure: &Failure<Oops>| {
            assert_eq!(failure.tries.len(), tries);
            async { Ok(1) }
        };
        let answer =
            clock.run(component.execute(|| script.clone().step(), class_of, Some(fallback)));
        let answer = answer.expect("the fallback answers");
        assert_eq!((answer.value, answer.source), (1, Source::Fallback));
    }
    let stats = manager.stats(clock.monotonic());
    assert_eq!((stats.outcomes.fallback_success, stats.components[0].fallbacks), (2, 2));
    assert_eq!(stats.components[0].state, ComponentState::CircuitOpen);
    assert_eq!(stats.system, SystemState::Degraded, "its fallback works");
}

#[test]
fn a_fallback_that_fails_panics_or_hangs_is_contained() {
    let check = |what: Do, code: &str| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let config = ComponentConfig { has_fallback: true, ..config("one", 1) };
        let component = register(&manager, config);
        let script = Script::new(&clock, &[NETWORK]);
        let fallback = |_: &Failure<Oops>| perform(&clock, what);
        let answer =
            clock.run(component.execute(|| script.clone().step(), class_of, Some(fallback)));
        let failure = answer.expect_err("nothing answers");
        assert_eq!(failure.fallback.as_ref().map(TryError::code), Some(code));
        let stats = manager.stats(clock.monotonic());
        assert_eq!(stats.outcomes.fallback_failed, 1);
        assert_eq!(stats.components[0].state, ComponentState::Unhealthy);
        assert_eq!(stats.system, SystemState::Unhealthy, "what answered no longer does");
        assert!(!stats.components[0].has_fallback);
    };
    check(Do::Fail(ErrorClass::Server), "server");
    check(Do::Panic, "PANIC");
    check(Do::After(secs(2)), "TIMEOUT");
    assert_eq!(take_panics().len(), 1);
}

#[test]
fn a_panic_is_a_failure_that_is_not_repeated_and_never_disappears() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let component = register(&manager, config("one", 3));
    let script = Script::new(&clock, &[Do::Panic]);
    let answer = clock.run(component.execute(|| script.clone().step(), class_of, no_fallback()));
    let failure = answer.expect_err("it panicked");
    assert!(matches!(failure.tries.as_slice(), [TryError::Panicked(words)] if words == "boom"));
    // Also before there is a future.
    let op = || -> std::future::Ready<Result<u32, Oops>> {
        std::panic::resume_unwind(Box::new("early".to_owned()))
    };
    assert!(clock.run(component.execute(op, class_of, no_fallback())).is_err());
    let panics = take_panics();
    let words: Vec<_> = panics.iter().map(|one| (&*one.task, &*one.message)).collect();
    assert_eq!(words, [("one", "boom"), ("one", "early")]);
    let stats = manager.stats(clock.monotonic());
    assert_eq!((stats.components[0].panics, stats.outcomes.failed), (2, 2));
    assert_eq!(component.breaker().stats(clock.monotonic()).total_failures, 2);
}

#[test]
fn a_dropped_execution_leaves_no_trace() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let component = register(&manager, config("one", 3));
    component.breaker().trip(Duration::ZERO, "test");
    clock.advance(secs(10));
    let before = manager.stats(clock.monotonic()).components[0].clone();
    {
        let script = Script::new(&clock, &[Do::After(ms(500))]);
        let mut call = pin!(component.execute(|| script.clone().step(), class_of, no_fallback()));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(component.breaker().state(), StateKind::HalfOpen);
    }
    let after = manager.stats(clock.monotonic()).components[0].clone();
    assert_eq!(after.outcomes, before.outcomes);
    assert_eq!(after.consecutive_failures, before.consecutive_failures);
    // The only place half-open is free again.
    let script = Script::new(&clock, &[]);
    let next = clock.run(component.execute(|| script.clone().step(), class_of, no_fallback()));
    assert!(next.is_ok());
}

#[test]
fn registration_names_all_faults_at_once() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let mut bad = config(" ", 0);
    bad.breaker_name = Some(String::new());
    bad.recovery_delay = Duration::ZERO;
    bad.breaker.failure_threshold = 0;
    bad.breaker.success_threshold = 0;
    bad.retry.factor = 0.5;
    let Err(RegisterError::Invalid { faults, .. }) = manager.register(bad, None) else {
        panic!("six settings are out of range");
    };
    let named: Vec<_> = faults.iter().map(|fault| fault.setting).collect();
    let expected = [
        "name",
        "breaker_name",
        "recovery_delay",
        "failure_threshold",
        "success_threshold",
        "attempts_max",
        "factor",
    ];
    assert_eq!(named, expected);
    assert!(manager.stats(Duration::ZERO).components.is_empty());
    assert!(manager.registry().all().is_empty(), "no breaker was made");
}

#[test]
fn names_are_taken_once_and_breakers_are_shared_on_equal_terms() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let first = register(&manager, config("one", 1));
    let again = manager.register(config("one", 2), None);
    assert_eq!(again.err(), Some(RegisterError::Duplicate("one".to_owned())));
    let mut shared = config("two", 1);
    shared.breaker_name = Some("one".to_owned());
    let second = register(&manager, shared.clone());
    first.breaker().trip(Duration::ZERO, "test");
    assert_eq!(second.state(), ComponentState::CircuitOpen);
    // Whoever comes later learns how it stands.
    let late = register(&manager, ComponentConfig { name: "late".to_owned(), ..shared.clone() });
    assert_eq!(late.state(), ComponentState::CircuitOpen);
    let mut other = ComponentConfig { name: "three".to_owned(), ..shared };
    other.breaker.failure_threshold = 9;
    let Err(RegisterError::Breaker { source: RegistryError::Conflict { .. }, .. }) =
        manager.register(other, None)
    else {
        panic!("other settings for one breaker");
    };
    assert_eq!(manager.stats(Duration::ZERO).components.len(), 3);
    assert!(manager.component("three").is_err());
}

#[test]
fn unknown_names_are_errors() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    assert!(manager.observe("nobody", &Outcome::Success).is_err());
    let script = Script::new(&clock, &[]);
    let answer =
        clock.run(manager.execute("nobody", || script.clone().step(), class_of, no_fallback()));
    let error = answer.expect_err("nobody is registered");
    assert_eq!(error.to_string(), "no component is registered as `nobody`");
    assert_eq!(script.calls(), 0);
}

#[test]
fn a_component_keeps_results_of_one_type() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let component = register(&manager, config("one", 1));
    let script = Script::new(&clock, &[Do::Succeed, NETWORK]);
    let (one, two) = (component.cached::<u32>(), component.cached::<u32>());
    let (one, two) = (one.expect("the first type"), two.expect("the same type"));
    clock.run(async {
        let _ = one.execute(|| script.clone().step(), class_of, no_fallback()).await;
        let answer = two.execute(|| script.clone().step(), class_of, no_fallback()).await;
        let answer = answer.expect("handles share the result");
        assert_eq!((answer.value, answer.tries), (7, 1));
    });
    assert!(component.cached::<String>().is_err());
    // It is of use to nobody when it is not the component's last good one.
    two.clear();
    let script = Script::new(&clock, &[NETWORK]);
    let answer = clock.run(one.execute(|| script.clone().step(), class_of, no_fallback()));
    assert!(answer.is_err());
}

/// Each component as (critical, has a fallback, state), and the system's state.
#[test]
fn system_state_is_the_worst() {
    use ComponentState::{CircuitOpen, Degraded, Healthy, Unhealthy, Unknown};
    let check = |components: &[(bool, bool, ComponentState)], expected: SystemState| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        for (number, (critical, has_fallback, state)) in components.iter().enumerate() {
            let (critical, has_fallback) = (*critical, *has_fallback);
            let name = format!("component-{number}");
            let component =
                register(&manager, ComponentConfig { critical, has_fallback, ..config(&name, 1) });
            match state {
                Healthy => component.observe(&Outcome::Success),
                Unknown => {}
                Degraded => component.observe(&Outcome::Timeout),
                CircuitOpen => component.breaker().trip(Duration::ZERO, "test"),
                Unhealthy => component.give_up("test"),
            }
            assert_eq!(component.state(), *state);
        }
        assert_eq!(manager.view().system(), expected, "{components:?}");
    };
    check(&[], SystemState::Healthy);
    check(&[(true, false, Healthy); 3], SystemState::Healthy);
    for not_well in [Unknown, Degraded] {
        check(&[(true, false, Healthy), (true, false, not_well)], SystemState::Degraded);
        check(&[(false, false, not_well)], SystemState::Degraded);
    }
    for down in [Unhealthy, CircuitOpen] {
        check(&[(true, false, Healthy), (true, false, down)], SystemState::Unhealthy);
        check(&[(true, false, down), (true, false, Healthy)], SystemState::Unhealthy);
        check(&[(true, false, Unknown), (true, false, down)], SystemState::Unhealthy);
        check(&[(true, false, Healthy), (false, false, down)], SystemState::Degraded);
        check(&[(true, false, Healthy), (true, true, down)], SystemState::Degraded);
        check(&[(false, true, down)], SystemState::Degraded);
    }
}

#[test]
fn half_open_and_one_success_are_not_yet_healthy() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let component = register(&manager, config("one", 1));
    let log = events(&manager);
    let script = Script::new(&clock, &[Do::Succeed, NETWORK, NETWORK, NETWORK]);
    clock.run(async {
        for _ in 0..4 {
            let _ = component.execute(|| script.clone().step(), class_of, no_fallback()).await;
        }
        clock.advance(secs(10));
        for _ in 0..2 {
            let _ = component.execute(|| script.clone().step(), class_of, no_fallback()).await;
        }
    });
    let log = log.lock().expect("no test panics here");
    let states: Vec<_> = log
        .iter()
        .filter_map(|event| match event {
            RecoveryEvent::StateChanged { from, to, failure_count, at, .. } => {
                Some((from.as_str(), to.as_str(), *failure_count, at.as_secs()))
            }
            _ => None,
        })
        .collect();
    let expected = [
        ("UNKNOWN", "HEALTHY", 0, 0),
        ("HEALTHY", "DEGRADED", 1, 0),
        ("DEGRADED", "UNHEALTHY", 1, 0),
        ("UNHEALTHY", "CIRCUIT_OPEN", 3, 0),
        ("CIRCUIT_OPEN", "DEGRADED", 3, 10),
        ("DEGRADED", "HEALTHY", 0, 10),
    ];
    assert_eq!(states, expected);
}

#[test]
fn a_breaker_held_open_or_reset_by_hand_does_not_make_healthy() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let component = register(&manager, config("one", 1));
    component.observe(&Outcome::Success);
    component.give_up("credentials");
    component.breaker().force(Some(Forced::Open), Duration::ZERO);
    assert_eq!(component.state(), ComponentState::CircuitOpen);
    component.breaker().reset(Duration::ZERO);
    assert_eq!(component.state(), ComponentState::Unhealthy, "nothing succeeded");
    component.observe(&Outcome::Success);
    assert_eq!(component.state(), ComponentState::Healthy);
}

#[test]
fn a_success_that_opens_the_breaker_is_not_announced_as_health() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let slow = SlowCall { after: ms(500), rate_percent: 100.0 };
    let breaker = BreakerConfig {
        slow_call: Some(slow),
        volume_threshold: 1,
        window: Window::Time(secs(60)),
        ..breaker(3, 2, secs(10))
    };
    let component = register(&manager, ComponentConfig { breaker, ..config("one", 1) });
    let log = events(&manager);
    let script = Script::new(&clock, &[Do::After(ms(900))]);
    let answer = clock.run(component.execute(|| script.clone().step(), class_of, no_fallback()));
    assert!(answer.is_ok());
    assert_eq!(component.state(), ComponentState::CircuitOpen);
    let log = log.lock().expect("no test panics here");
    let names: Vec<_> = log.iter().map(RecoveryEvent::bus_name).collect();
    assert_eq!(names, ["circuit.opened", "system.state_changed"]);
}

#[test]
fn observed_results_move_the_state_as_executions_do() {
    let check = |outcomes: &[Outcome], expected: ComponentState, failures: u64| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        register(&manager, config("courier", 1));
        for outcome in outcomes {
            manager.observe("courier", outcome).expect("registered");
        }
        let stats = &manager.stats(Duration::ZERO).components[0];
        assert_eq!((stats.state, stats.failures), (expected, failures), "{outcomes:?}");
    };
    use ComponentState::{Degraded, Healthy, Unknown};
    let failure = Outcome::Failure("HTTP 503".into());
    let unknown = Outcome::Unknown("lost".into());
    check(&[], Unknown, 0);
    check(&[Outcome::Ignored], Unknown, 0);
    check(&[Outcome::Success], Healthy, 0);
    for bad in [failure, unknown, Outcome::Timeout, Outcome::Panic] {
        check(std::slice::from_ref(&bad), Degraded, 1);
        check(&[Outcome::Success, bad.clone(), Outcome::Ignored], Degraded, 1);
        check(&[bad.clone(), bad, Outcome::Success], Healthy, 2);
    }
}

#[test]
fn mean_time_to_recovery_is_the_mean_of_whole_absences() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let (one, two) = (register(&manager, config("one", 1)), register(&manager, config("two", 1)));
    let stats = || manager.stats(clock.monotonic());
    assert_eq!((stats().mttr, stats().recovery_rate), (None, None));
    // Never healthy before: not an absence.
    two.observe(&Outcome::Timeout);
    one.observe(&Outcome::Success);
    assert_eq!((stats().mttr, stats().recovery_rate), (None, None));
    one.observe(&Outcome::Timeout);
    clock.advance(secs(10));
    one.give_up("worse");
    assert_eq!((stats().mttr, stats().recovery_rate), (None, Some(0.0)));
    assert_eq!(stats().components[0].incident_age, Some(secs(10)));
    clock.advance(secs(20) + NS);
    one.observe(&Outcome::Success);
    two.observe(&Outcome::Success);
    assert_eq!((stats().mttr, stats().recovery_rate), (Some(secs(30) + NS), Some(1.0)));
    two.observe(&Outcome::Timeout);
    clock.advance(secs(1));
    two.observe(&Outcome::Success);
    two.observe(&Outcome::Timeout);
    assert_eq!(stats().mttr, Some((secs(31) + NS) / 2));
    assert_eq!(stats().recovery_rate, Some(2.0 / 3.0));
    let history = manager.history();
    let seen: Vec<_> =
        history.iter().map(|one| (&*one.component, one.worst, one.ended_at.is_some())).collect();
    let expected = [
        ("two", ComponentState::Degraded, false),
        ("two", ComponentState::Degraded, true),
        ("one", ComponentState::Unhealthy, true),
    ];
    assert_eq!(seen, expected, "newest first");
    assert_eq!(history[2].cause.as_deref(), Some("timed out"));
    assert_eq!(manager.view().history(1).len(), 1);
}

#[test]
fn history_is_bounded_and_figures_are_not() {
    let clock = TestClock::default();
    for (history_max, kept) in [(0, 0), (1, 1), (100, 100)] {
        let config_of = RecoveryConfig { history_max, ..RecoveryConfig::default() };
        let registry = BreakerRegistry::default();
        let manager = RecoveryManager::new(clock.clone(), TestEntropy, config_of, registry)
            .expect("valid settings");
        let component = register(&manager, config("one", 1));
        for _ in 0..150 {
            component.observe(&Outcome::Success);
            component.observe(&Outcome::Timeout);
        }
        assert_eq!(manager.history().len(), kept);
        let ids: Vec<_> = manager.history().iter().map(|one| one.id).collect();
        assert!(ids.iter().copied().eq((0..150).rev().take(kept)), "{ids:?}");
        let stats = manager.stats(clock.monotonic());
        assert_eq!((stats.components[0].incidents, stats.components[0].recovered), (150, 149));
    }
    let none = RecoveryConfig { concurrent_recoveries_max: 0, ..RecoveryConfig::default() };
    let refused = RecoveryManager::new(clock, TestEntropy, none, BreakerRegistry::default());
    let faults = refused.expect_err("no recovery at all is out of range");
    assert_eq!(faults[0].setting, "concurrent_recoveries_max");
}

#[test]
fn a_spent_budget_ends_the_loop() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let budget = BudgetConfig { percent: 100.0, floor_per_second: 0.0, window: secs(10) };
    let retry = RetryConfig { budget: Some(budget), ..retry(9) };
    let breaker = breaker(100, 1, secs(10));
    let component = register(&manager, ComponentConfig { breaker, retry, ..config("one", 9) });
    let script = Script::new(&clock, &[NETWORK; 9]);
    let answer = clock.run(component.execute(|| script.clone().step(), class_of, no_fallback()));
    let failure = answer.expect_err("all fail");
    assert_eq!((failure.tries.len(), failure.stopped), (2, Stopped::BudgetSpent));
}

#[test]
fn a_listener_may_read_the_account_and_cause_events() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let one = register(&manager, config("one", 1));
    let two = register(&manager, config("two", 1));
    let order = Arc::new(Mutex::new(Vec::new()));
    let (sink, view) = (Arc::clone(&order), manager.view());
    let breaker = two.breaker().clone();
    manager.subscribe(Arc::new(move |event| {
        let RecoveryEvent::StateChanged { component, to, .. } = event else { return };
        if &**component == "one" && *to == ComponentState::CircuitOpen {
            breaker.trip(Duration::ZERO, "cascade");
        }
        let stats = view.stats(Duration::ZERO);
        sink.lock().expect("no test panics here").push((component.to_string(), *to, stats.system));
    }));
    one.breaker().trip(Duration::ZERO, "test");
    let expected = [
        ("one".to_owned(), ComponentState::CircuitOpen, SystemState::Unhealthy),
        ("two".to_owned(), ComponentState::CircuitOpen, SystemState::Unhealthy),
    ];
    assert_eq!(*order.lock().expect("no test panics here"), expected);
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn state_changes_are_structured_log_lines() {
    let buffer = Buffer::default();
    let sink = buffer.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || sink.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let component = register(&manager, config("streamer", 1));
        component.observe(&Outcome::Success);
        component.observe(&Outcome::Timeout);
        component.breaker().trip(Duration::ZERO, "test");
    });
    let text = String::from_utf8(buffer.0.lock().expect("no test panics here").clone());
    let text = text.expect("logs are UTF-8");
    let opened = text.lines().find(|line| line.contains("circuit.opened")).expect("logged");
    let line: serde_json::Value = serde_json::from_str(opened).expect("JSON");
    let fields = &line["fields"];
    assert_eq!(line["level"], "WARN");
    assert_eq!(fields["event"], "circuit.opened");
    assert_eq!(fields["component"], "streamer");
    assert_eq!(fields["previousState"], "DEGRADED");
    assert_eq!(fields["newState"], "CIRCUIT_OPEN");
    assert_eq!(fields["failureCount"], 1);
}

proptest! {
    /// Waits are drawn from the component's own seeded stream and stay below the back-off's
    /// ceiling; equal seeds give equal runs.
    #[test]
    fn waits_are_seeded_and_bounded(
        attempts in 1u32..7,
        base_ms in 0u64..5_000,
        name in "[a-z]{1,8}",
    ) {
        let run = || {
            let clock = TestClock::default();
            let manager = manager(&clock);
            let retry = RetryConfig {
                attempts_max: attempts,
                base: ms(base_ms),
                delay_max: secs(30),
                ..RetryConfig::default()
            };
            let breaker = breaker(100, 1, secs(10));
            let config = ComponentConfig { breaker, retry, ..config(&name, attempts) };
            let component = register(&manager, config);
            let starts = RefCell::new(Vec::new());
            let op = || {
                starts.borrow_mut().push(clock.monotonic());
                async { Err::<u32, _>(Oops(ErrorClass::Network)) }
            };
            let answer = clock.run(component.execute(op, class_of, no_fallback()));
            assert!(answer.is_err());
            starts.into_inner()
        };
        let starts = run();
        prop_assert_eq!(starts.len(), attempts as usize);
        for (number, pair) in starts.windows(2).enumerate() {
            let ceiling = ms(base_ms * (1 << number)).min(secs(30));
            prop_assert!(pair[1] - pair[0] <= ceiling);
        }
        prop_assert_eq!(starts, run());
    }
}
