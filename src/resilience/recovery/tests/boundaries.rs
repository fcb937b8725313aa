//! What happens at T − 1 ns, T and T + 1 ns.

use std::time::Duration;

use super::*;
use crate::ports::testing::LateClock;
use crate::resilience::breaker::StateKind;
use crate::resilience::recovery::{ErrorClass, Source, Stopped, no_fallback};
use crate::resilience::retry::RetryConfig;

#[test]
fn last_good_is_served_up_to_its_cap() {
    let check = |cap: Duration, age: Duration, expected: Option<Source>| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let config = ComponentConfig { cache_age_max: cap, ..config("cached", 1) };
        let cached = register(&manager, config).cached::<u32>().expect("the first type");
        let script = Script::new(&clock, &[Do::Succeed, Do::Fail(ErrorClass::Network)]);
        clock.run(async {
            let fresh = cached.execute(|| script.clone().step(), class_of, no_fallback()).await;
            assert_eq!(fresh.map(|one| one.source).ok(), Some(Source::Fresh));
            clock.advance(age);
            let second = cached.execute(|| script.clone().step(), class_of, no_fallback()).await;
            assert_eq!(second.ok().map(|one| one.source), expected, "cap {cap:?}, age {age:?}");
        });
    };
    for cap in [secs(300), secs(1), NS] {
        for age in [Duration::ZERO, cap - NS, cap] {
            check(cap, age, Some(Source::Cached { age }));
        }
        check(cap, cap + NS, None);
        check(cap, cap * 1_000, None);
    }
    // Zero means zero.
    check(Duration::ZERO, Duration::ZERO, Some(Source::Cached { age: Duration::ZERO }));
    check(Duration::ZERO, NS, None);
}

#[test]
fn a_stale_result_never_comes_back() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let cached = register(&manager, config("cached", 1)).cached::<u32>().expect("the first type");
    let steps = [Do::Succeed, Do::Fail(ErrorClass::Network), Do::Fail(ErrorClass::Network)];
    let script = Script::new(&clock, &steps);
    clock.run(async {
        let _ = cached.execute(|| script.clone().step(), class_of, no_fallback()).await;
        clock.advance(secs(300) + NS);
        for _ in 0..2 {
            let answer = cached.execute(|| script.clone().step(), class_of, no_fallback()).await;
            assert!(answer.is_err());
        }
    });
}

#[test]
fn a_try_has_until_its_limit() {
    let check = |limit: Duration, takes: Duration, is_in_time: bool| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let config = ComponentConfig { timeout: Some(limit), ..config("slow", 1) };
        let component = register(&manager, config);
        let script = Script::new(&clock, &[Do::After(takes)]);
        let answer =
            clock.run(component.execute(|| script.clone().step(), class_of, no_fallback()));
        assert_eq!(answer.is_ok(), is_in_time, "limit {limit:?}, takes {takes:?}");
        assert_eq!(clock.monotonic(), limit.min(takes), "ends no later than its limit");
        let stats = component.breaker().stats(clock.monotonic());
        assert_eq!(stats.total_timeouts, u64::from(!is_in_time));
        if let Err(failure) = answer {
            assert_eq!(failure.code(), "TIMEOUT");
        }
    };
    for limit in [secs(1), ms(20), NS] {
        check(limit, limit - NS, true);
        check(limit, limit, true);
        check(limit, limit + NS, false);
    }
    check(Duration::ZERO, Duration::ZERO, true);
    check(Duration::ZERO, NS, false);
}

#[test]
fn without_a_limit_of_its_own_the_breakers_call_timeout_stands() {
    let clock = TestClock::default();
    let manager = manager(&clock);
    let config = ComponentConfig { timeout: None, ..config("slow", 1) };
    let component = register(&manager, config);
    let script = Script::new(&clock, &[Do::After(secs(31))]);
    let answer = clock.run(component.execute(|| script.clone().step(), class_of, no_fallback()));
    assert!(answer.is_err());
    assert_eq!(clock.monotonic(), component.breaker().config().call_timeout);
}

#[test]
fn a_rejected_component_is_called_again_at_its_breakers_instant() {
    let check = |wait: Duration, expected: StateKind| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let component = register(&manager, config("broken", 1));
        component.breaker().trip(clock.monotonic(), "test");
        clock.advance(wait);
        let script = Script::new(&clock, &[]);
        let answer =
            clock.run(component.execute(|| script.clone().step(), class_of, no_fallback()));
        assert_eq!(answer.is_ok(), expected != StateKind::Open, "{wait:?}");
        assert_eq!(script.calls(), usize::from(expected != StateKind::Open), "{wait:?}");
        assert_eq!(component.breaker().state(), expected, "{wait:?}");
    };
    check(secs(10) - NS, StateKind::Open);
    check(secs(10), StateKind::HalfOpen);
    check(secs(10) + NS, StateKind::HalfOpen);
}

#[test]
fn a_wait_is_begun_only_if_the_breaker_may_be_open_for_calls_at_its_end() {
    // The service asks for a wait; its breaker opens for `delay` at the first failure.
    let check = |asked: Duration, delay: Duration, tries: usize| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let config = ComponentConfig { breaker: breaker(1, 1, delay), ..config("limited", 2) };
        let component = register(&manager, config);
        let class = ErrorClass::RateLimit { retry_after: Some(asked) };
        let script = Script::new(&clock, &[Do::Fail(class), Do::Fail(class)]);
        let answer =
            clock.run(component.execute(|| script.clone().step(), class_of, no_fallback()));
        let failure = answer.expect_err("both tries fail");
        assert_eq!(failure.tries.len(), tries, "asked {asked:?}, delay {delay:?}");
        assert_eq!(failure.is_rejected(), tries == 1, "asked {asked:?}, delay {delay:?}");
        let waited = if tries == 1 { Duration::ZERO } else { asked };
        assert_eq!(clock.monotonic(), waited, "asked {asked:?}, delay {delay:?}");
    };
    check(secs(10) - NS, secs(10), 1);
    check(secs(10), secs(10), 2);
    check(secs(10) + NS, secs(10), 2);
    check(Duration::ZERO, Duration::ZERO, 2);
}

#[test]
fn no_try_begins_at_the_deadline_and_none_but_the_first_passes_it() {
    // Each try takes 300 ms and the service asks for 200 ms: tries begin at 0, 500, 1 000 ms.
    let check = |deadline: Duration, tries: usize, last: &Stopped| {
        let clock = TestClock::default();
        let manager = manager(&clock);
        let retry = RetryConfig { deadline: Some(deadline), ..retry(3) };
        let config = ComponentConfig {
            breaker: breaker(100, 1, secs(10)),
            timeout: Some(ms(300)),
            retry,
            ..config("slow", 3)
        };
        let component = register(&manager, config);
        let class = ErrorClass::RateLimit { retry_after: Some(ms(200)) };
        let op = || async {
            clock.sleep(ms(300)).await;
            Err::<u32, _>(Oops(class))
        };
        let failure = clock.run(component.execute(op, class_of, no_fallback()));
        let failure = failure.expect_err("all tries fail");
        assert_eq!((failure.tries.len(), &failure.stopped), (tries, last), "{deadline:?}");
    };
    check(Duration::ZERO, 1, &Stopped::DeadlinePassed);
    check(ms(500) - NS, 1, &Stopped::DeadlinePassed);
    check(ms(500), 1, &Stopped::DeadlinePassed);
    // The second try is cut to what is left.
    check(ms(500) + NS, 2, &Stopped::DeadlinePassed);
    check(ms(1_000), 2, &Stopped::DeadlinePassed);
    check(ms(1_000) + NS, 3, &Stopped::AttemptsSpent);
    check(ms(1_000) + NS, 3, &Stopped::AttemptsSpent);
}

#[test]
fn a_late_timer_does_not_begin_a_try_at_the_deadline() {
    let check = |lateness: Duration, tries: usize| {
        let clock = LateClock(TestClock::default(), lateness);
        let (settings, registry) = (RecoveryConfig::default(), BreakerRegistry::default());
        let manager = RecoveryManager::new(clock.clone(), TestEntropy, settings, registry)
            .expect("valid settings");
        let retry = RetryConfig { deadline: Some(secs(2)), ..retry(2) };
        let config = ComponentConfig { retry, ..config("late", 2) };
        let component = manager.register(config, None).expect("valid");
        let class = ErrorClass::RateLimit { retry_after: Some(secs(1)) };
        let op = || async { Err::<u32, _>(Oops(class)) };
        let failure = clock.0.run(component.execute(op, class_of, no_fallback()));
        assert_eq!(failure.expect_err("all fail").tries.len(), tries, "{lateness:?}");
        let retries = manager.stats(clock.monotonic()).components[0].retries;
        assert_eq!(retries, tries as u64 - 1);
    };
    check(secs(1) - NS, 2);
    check(secs(1), 1);
    check(secs(1) + NS, 1);
}
