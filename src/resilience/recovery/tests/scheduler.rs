//! The recovery scheduler: when, how many, how honestly, and what it costs while all is well.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;

use proptest::prelude::*;

use super::*;
use crate::domain::units::UnixMillis;
use crate::resilience::breaker::{Forced, Outcome, StateKind};
use crate::resilience::recovery::{AttemptResult, ComponentState, SystemState, no_fallback};
use crate::rt::{Race, ShutdownHandle, race, take_panics};

/// Runs `driver` beside the scheduler; time is only passed by what they wait for.
fn beside<C: Clock, T>(
    clock: &TestClock,
    manager: &RecoveryManager<C>,
    driver: impl Future<Output = T>,
) -> T {
    let handle = ShutdownHandle::new();
    match clock.run(race(driver, manager.run_scheduler(handle.signal()))) {
        Race::First(output) => output,
        Race::Second(()) => panic!("the scheduler ended by itself"),
    }
}

fn with_check(
    manager: &Manager,
    config: ComponentConfig,
    check: HealthCheck,
) -> Component<TestClock> {
    manager.register(config, Some(check)).expect("a valid, new component")
}

#[test]
fn the_first_attempt_is_at_the_breakers_instant_and_repeats_until_it_closes() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let (check, _, probes) = service(&clock, ms(100));
    let component = with_check(&manager, config("one", 1), check);
    let log = events(&manager);
    component.observe(&Outcome::Success);
    component.breaker().trip(Duration::ZERO, "test");
    beside(&clock, &manager, clock.sleep(secs(60)));
    // Two successes close it: the second probe follows the first at once.
    assert_eq!(probes.at(), [secs(10), secs(10) + ms(100)]);
    assert_eq!(component.state(), ComponentState::Healthy);
    let stats = manager.stats(clock.monotonic());
    assert_eq!(stats.mttr, Some(secs(10) + ms(200)));
    assert_eq!(stats.components[0].recoveries_succeeded, 1);
    assert_eq!(stats.outcomes.total(), 1, "probes are no executions");
    let attempts = manager.attempts();
    assert_eq!((attempts.len(), attempts[0].probes), (1, 2));
    let log = log.lock().expect("no test panics here");
    let names: Vec<_> = log.iter().map(RecoveryEvent::bus_name).collect();
    let expected = [
        "component.healthy",
        "system.state_changed",
        "circuit.opened",
        "system.state_changed",
        "recovery.started",
        "component.state_changed",
        "system.state_changed",
        "component.healthy",
        "system.state_changed",
        "recovery.success",
    ];
    assert_eq!(names, expected);
}

#[test]
fn nothing_is_announced_as_recovered_before_it_is() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let (check, up, probes) = service(&clock, Duration::ZERO);
    let component = with_check(&manager, config("one", 1), check);
    component.observe(&Outcome::Success);
    up.set(false);
    component.breaker().trip(Duration::ZERO, "test");
    let log = events(&manager);
    beside(&clock, &manager, async {
        clock.sleep(secs(35)).await;
        assert_eq!(component.state(), ComponentState::CircuitOpen);
        up.set(true);
        clock.sleep(secs(5) - NS).await;
        assert_eq!(component.state(), ComponentState::CircuitOpen);
        clock.sleep(NS * 2).await;
        assert_eq!(component.state(), ComponentState::Healthy);
    });
    let at = [secs(10), secs(20), secs(30), secs(40), secs(40)];
    assert_eq!(probes.at(), at);
    let log = log.lock().expect("no test panics here");
    for event in log.iter() {
        match event {
            RecoveryEvent::StateChanged { to: ComponentState::Healthy, at, .. } => {
                assert_eq!(*at, secs(40));
            }
            RecoveryEvent::RecoveryEnded(attempt) => {
                let has_recovered = attempt.result == AttemptResult::Recovered;
                assert_eq!(has_recovered, attempt.ended_at == secs(40), "{attempt:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn components_without_health_check_are_left_to_their_calls() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let component = register(&manager, config("one", 1));
    component.breaker().trip(Duration::ZERO, "test");
    beside(&clock, &manager, clock.sleep(secs(3_600)));
    assert_eq!(component.state(), ComponentState::CircuitOpen);
    assert_eq!(component.breaker().stats(clock.monotonic()).total_calls, 0);
    assert!(manager.attempts().is_empty());
}

/// Counts the timers that are made.
#[derive(Clone)]
struct Counted(TestClock, Arc<Mutex<u64>>);

impl Clock for Counted {
    fn wall(&self) -> UnixMillis {
        self.0.wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        *self.1.lock().expect("no test panics here") += 1;
        self.0.sleep(duration)
    }
}

#[test]
fn no_timer_runs_while_all_is_well_and_one_while_one_is_awaited() {
    let clock = TestClock::default();
    let counted = Counted(clock.clone(), Arc::default());
    let timers = || *counted.1.lock().expect("no test panics here");
    let registry = BreakerRegistry::default();
    let settings = RecoveryConfig::default();
    let manager = RecoveryManager::new(counted.clone(), TestEntropy, settings, registry)
        .expect("valid settings");
    let (check, _, probes) = service(&clock, Duration::ZERO);
    let component = manager.register(config("one", 1), Some(check)).expect("valid");
    beside(&clock, &manager, async {
        for _ in 0..1_000 {
            component.observe(&Outcome::Success);
            clock.sleep(secs(1)).await;
        }
        assert_eq!(timers(), 0);
        component.breaker().trip(clock.monotonic(), "test");
        clock.sleep(secs(5)).await;
        assert_eq!((timers(), probes.at().len()), (1, 0));
        clock.sleep(secs(3_600)).await;
        assert_eq!((timers(), probes.at().len()), (1, 2));
    });
}

#[test]
fn delays_of_zero_never_share_an_instant() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let (check, up, probes) = service(&clock, Duration::ZERO);
    let config = ComponentConfig {
        breaker: breaker(1, 2, Duration::ZERO),
        recovery_delay: secs(7),
        ..config("one", 1)
    };
    let component = with_check(&manager, config, check);
    up.set(false);
    component.breaker().trip(Duration::ZERO, "test");
    beside(&clock, &manager, clock.sleep(secs(15)));
    assert_eq!(probes.at(), [secs(0), secs(7), secs(14)]);
}

#[test]
fn a_component_that_is_unwell_behind_a_closed_breaker_is_checked_after_its_delay() {
    let check = |ail: fn(&Component<TestClock>)| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let (check, _, probes) = service(&clock, Duration::ZERO);
        let component = with_check(&manager, config("one", 1), check);
        ail(&component);
        beside(&clock, &manager, async {
            clock.sleep(secs(60) - NS).await;
            assert!(probes.at().is_empty());
            clock.sleep(secs(3_600)).await;
        });
        assert_eq!(probes.at(), [secs(60)]);
        assert_eq!(component.state(), ComponentState::Healthy);
    };
    check(|component| component.give_up("test"));
    check(|component| component.observe(&Outcome::Timeout));
}

#[test]
fn a_breaker_that_is_held_is_left_alone() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let (check, _, probes) = service(&clock, Duration::ZERO);
    let component = with_check(&manager, config("one", 1), check);
    component.breaker().force(Some(Forced::Open), Duration::ZERO);
    beside(&clock, &manager, clock.sleep(secs(3_600)));
    assert_eq!(probes.at(), []);
    component.breaker().force(None, clock.monotonic());
    beside(&clock, &manager, clock.sleep(secs(60)));
    assert_eq!(component.state(), ComponentState::Healthy);
}

#[test]
fn an_ordinary_probe_comes_first_and_is_not_disturbed() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let (check, _, probes) = service(&clock, Duration::ZERO);
    let mut config = config("one", 1);
    config.timeout = Some(secs(30));
    let component = with_check(&manager, config, check);
    component.breaker().trip(Duration::ZERO, "test");
    clock.advance(secs(10));
    let rejected = || component.breaker().stats(clock.monotonic()).total_rejected;
    let script = Script::new(&clock, &[Do::After(secs(3))]);
    let call = async {
        // Its admission turns the breaker half-open before the scheduler looks at it.
        let answer = component.execute(|| script.clone().step(), class_of, no_fallback()).await;
        assert!(answer.is_ok());
        assert_eq!((probes.at().len(), rejected()), (0, 0));
        assert_eq!(component.state(), ComponentState::Degraded, "one success of two");
        clock.sleep(NS).await;
        assert_eq!(component.state(), ComponentState::Healthy, "the check was the second");
    };
    beside(&clock, &manager, call);
    assert_eq!(probes.at(), [secs(13)]);
}

#[test]
fn a_cancelled_ordinary_probe_does_not_leave_it_half_open() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let (check, _, probes) = service(&clock, Duration::ZERO);
    let component = with_check(&manager, config("one", 1), check);
    component.breaker().trip(Duration::ZERO, "test");
    clock.advance(secs(10));
    drop(component.breaker().admit(|| clock.monotonic()));
    assert_eq!(component.breaker().state(), StateKind::HalfOpen);
    beside(&clock, &manager, clock.sleep(secs(600)));
    assert_eq!(probes.at(), [secs(70), secs(70)]);
    assert_eq!(component.state(), ComponentState::Healthy);
}

#[test]
fn components_that_share_a_breaker_share_its_attempts() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let mut all = Vec::new();
    for name in ["one", "two", "three"] {
        let (check, _, probes) = service(&clock, ms(100));
        let config = ComponentConfig { breaker_name: Some("api".to_owned()), ..config(name, 1) };
        all.push((with_check(&manager, config, check), probes));
    }
    // One was well, one had failed, one has never been called.
    all[0].0.observe(&Outcome::Success);
    all[1].0.observe(&Outcome::Timeout);
    all[0].0.breaker().trip(Duration::ZERO, "test");
    let state_at = |at: Duration| {
        beside(&clock, &manager, clock.sleep(at - clock.monotonic()));
        [all[0].0.state(), all[1].0.state(), all[2].0.state()]
    };
    use ComponentState::{CircuitOpen, Degraded, Healthy, Unknown};
    assert_eq!(state_at(secs(10) - NS), [CircuitOpen; 3]);
    // The shared breaker is closed; what failed by itself has a check of its own.
    assert_eq!(state_at(secs(11)), [Healthy, Degraded, Unknown]);
    assert_eq!(state_at(secs(61)), [Healthy, Healthy, Unknown]);
    let made: Vec<_> = all.iter().map(|one| one.1.at().len()).collect();
    assert_eq!(made, [2, 1, 0]);
    assert_eq!(all[0].0.breaker().stats(clock.monotonic()).total_rejected, 0);
}

#[test]
fn shutdown_ends_it_at_once_and_frees_what_was_under_way() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let (check, _, probes) = service(&clock, ms(900));
    let component = with_check(&manager, config("one", 1), check);
    component.breaker().trip(Duration::ZERO, "test");
    let handle = ShutdownHandle::new();
    let active = || manager.stats(clock.monotonic()).active_recoveries;
    let driver = async {
        clock.sleep(secs(10) + ms(400)).await;
        assert_eq!(active(), 1);
        handle.request();
    };
    let scheduler = manager.run_scheduler(handle.signal());
    clock.run(futures_util::future::join(driver, scheduler));
    assert_eq!(clock.monotonic(), secs(10) + ms(400));
    assert_eq!((active(), probes.at().len()), (0, 1));
    assert!(manager.attempts().is_empty(), "a cancelled attempt has no result");
    // A shutdown that was asked for before it began, and a new run after that.
    clock.run(manager.run_scheduler(handle.signal()));
    beside(&clock, &manager, clock.sleep(secs(120)));
    assert_eq!(component.state(), ComponentState::Healthy);
}

#[test]
fn a_second_scheduler_does_nothing() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let handle = ShutdownHandle::new();
    let second = manager.run_scheduler(ShutdownHandle::new().signal());
    let both = async {
        let first = manager.run_scheduler(handle.signal());
        let driver = async {
            second.await;
            handle.request();
        };
        futures_util::future::join(first, driver).await;
    };
    clock.run(both);
}

#[test]
fn checks_that_panic_or_hang_are_failures() {
    let run = |check: HealthCheck, clock: &TestClock| {
        let manager = manager(clock);
        let component = with_check(&manager, config("one", 1), check);
        component.breaker().trip(Duration::ZERO, "test");
        beside(clock, &manager, clock.sleep(secs(12)));
        let attempts = manager.attempts();
        assert_eq!(attempts.len(), 1);
        assert!(matches!(attempts[0].result, AttemptResult::Failed(_)), "{attempts:?}");
        assert_eq!(component.breaker().state(), StateKind::Open);
        (attempts[0].ended_at, component.breaker().stats(clock.monotonic()).total_timeouts)
    };
    let clock = TestClock::default();
    let hang: HealthCheck = Rc::new(|| Box::pin(std::future::pending()));
    assert_eq!(run(hang, &clock), (secs(11), 1));
    let clock = TestClock::default();
    let doomed: HealthCheck =
        Rc::new(|| Box::pin(async { std::panic::resume_unwind(Box::new("boom")) }));
    assert_eq!(run(doomed, &clock), (secs(10), 0));
    assert_eq!(take_panics().len(), 1);
}

#[test]
fn ordinary_calls_are_not_counted_among_recoveries() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let busy = ComponentConfig { timeout: Some(secs(600)), ..config("busy", 1) };
    let busy = register(&manager, busy);
    let mut recovering = Vec::new();
    for number in 0..5 {
        let (check, _, _) = service(&clock, secs(1) - NS);
        let config = config(&format!("component-{number}"), 1);
        let component = with_check(&manager, config, check);
        component.breaker().trip(Duration::ZERO, "test");
        recovering.push(component);
    }
    let call = || {
        let script = Script::new(&clock, &[Do::After(secs(500))]);
        let busy = busy.clone();
        async move { busy.execute(|| script.clone().step(), class_of, no_fallback()).await.is_ok() }
    };
    let calls = futures_util::future::join_all((0..20).map(|_| call()));
    let driver = async {
        clock.sleep(secs(10) + ms(1)).await;
        let stats = manager.stats(clock.monotonic());
        assert_eq!((stats.active_recoveries, stats.queued_recoveries), (5, 0));
        clock.sleep(secs(2)).await;
        assert!(recovering.iter().all(|one| one.state() == ComponentState::Healthy));
        assert_eq!(manager.view().system(), SystemState::Degraded, "`busy` has no result yet");
    };
    let (results, ()) = beside(&clock, &manager, futures_util::future::join(calls, driver));
    assert_eq!(results, [true; 20]);
}

/// One component of the queue's model.
#[derive(Debug, Clone)]
struct Outage {
    /// When its breaker is tripped.
    trip_at_ms: u64,
    /// When its service is up again.
    up_at_ms: u64,
    /// What a check takes.
    check_ms: u64,
}

fn outage() -> impl Strategy<Value = Outage> {
    (0u64..20_000, 0u64..60_000, 0u64..900).prop_map(|(trip_at_ms, up_at_ms, check_ms)| Outage {
        trip_at_ms,
        up_at_ms,
        check_ms,
    })
}

/// First come, first served, by `places` places: attempts (begin, end, component) in order of
/// their beginnings. The naive form: one event at a time.
fn queue_model(outages: &[Outage], places: usize) -> Vec<(Duration, Duration, usize)> {
    let delay = secs(10);
    let mut due: BinaryHeap<_> = outages
        .iter()
        .enumerate()
        .map(|(index, one)| Reverse((ms(one.trip_at_ms) + delay, index)))
        .collect();
    let mut free_at = vec![Duration::ZERO; places];
    let mut attempts = Vec::new();
    while let Some(Reverse((due_at, index))) = due.pop() {
        let place = (0..places).min_by_key(|place| free_at[*place]).expect("a place");
        let began_at = due_at.max(free_at[place]);
        let (check, up_at) = (ms(outages[index].check_ms), ms(outages[index].up_at_ms));
        // Two good checks close the breaker; the first bad one opens it again.
        let mut ended_at = began_at;
        let mut good = 0;
        let has_recovered = loop {
            let is_up = ended_at >= up_at;
            ended_at += check;
            good += u32::from(is_up);
            if !is_up || good == 2 {
                break is_up;
            }
        };
        if !has_recovered {
            due.push(Reverse((ended_at + delay, index)));
        }
        free_at[place] = ended_at;
        attempts.push((began_at, ended_at, index));
    }
    attempts
}

/// What the manager does with `outages`, and the most attempts in flight at once.
fn attempts_made(outages: &[Outage], places: usize) -> (Vec<(Duration, Duration, usize)>, usize) {
    let clock = TestClock::default();
    let settings = RecoveryConfig { concurrent_recoveries_max: places, history_max: usize::MAX };
    let manager =
        RecoveryManager::new(clock.clone(), TestEntropy, settings, BreakerRegistry::default())
            .expect("valid settings");
    let in_flight = Rc::new(Cell::new((0usize, 0usize)));
    let mut trips = Vec::new();
    for (index, one) in outages.iter().enumerate() {
        let (own, one_copy, count) = (clock.clone(), one.clone(), Rc::clone(&in_flight));
        let check: HealthCheck = Rc::new(move || {
            let (clock, one, count) = (own.clone(), one_copy.clone(), Rc::clone(&count));
            Box::pin(async move {
                let (now, most) = count.get();
                count.set((now + 1, most.max(now + 1)));
                let is_up = clock.monotonic() >= ms(one.up_at_ms);
                clock.sleep(ms(one.check_ms)).await;
                let (now, most) = count.get();
                count.set((now - 1, most));
                if is_up { Ok(()) } else { Err("down".to_owned()) }
            })
        });
        let component = with_check(&manager, config(&format!("{index:03}"), 1), check);
        let (clock, at) = (clock.clone(), ms(one.trip_at_ms));
        trips.push(async move {
            clock.sleep(at).await;
            component.breaker().trip(at, "test");
        });
    }
    let driver = async {
        futures_util::future::join_all(trips).await;
        clock.sleep(secs(3_600)).await;
    };
    beside(&clock, &manager, driver);
    let mut attempts: Vec<_> = manager
        .attempts()
        .iter()
        .map(|one| (one.began_at, one.ended_at, one.component.parse().expect("a number")))
        .collect();
    attempts.sort_unstable();
    let stats = manager.stats(clock.monotonic());
    let is_back = |state| state == ComponentState::Healthy;
    assert!(stats.components.iter().all(|one| is_back(one.state)), "{stats:#?}");
    (attempts, in_flight.get().1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn attempts_are_those_of_a_first_come_first_served_queue(
        outages in prop::collection::vec(outage(), 1..24),
        places in 1usize..7,
    ) {
        let (made, most) = attempts_made(&outages, places);
        prop_assert!(most <= places, "{most} in flight, {places} allowed");
        let mut expected = queue_model(&outages, places);
        expected.sort_unstable();
        prop_assert_eq!(&made, &expected);
        // One per component.
        for index in 0..outages.len() {
            let own: Vec<_> = made.iter().filter(|one| one.2 == index).collect();
            prop_assert!(!own.is_empty(), "component {index} was never attempted");
            prop_assert!(own.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
