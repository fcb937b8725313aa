//! The laws of retrying, against reference models that do the same reckoning in another way.

use std::cell::RefCell;
use std::time::Duration;

use http::StatusCode;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::ports::testing::{LateClock, TestClock};
use crate::ports::{Clock, HttpError};

const NS: Duration = Duration::from_nanos(1);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// What one scripted try does: it takes time, then its result is judged.
#[derive(Debug, Clone, Copy)]
struct Step {
    took: Duration,
    verdict: Verdict,
}

fn again(took: Duration, asked: Option<Duration>) -> Step {
    Step { took, verdict: Verdict::RetryAfter(asked) }
}

/// Begin and end of each try, and how it ended.
struct Account {
    tries: Vec<(Duration, Duration)>,
    attempts: u32,
    slept: Duration,
    ended: Ended,
}

/// Runs `script` (its last step repeats) from virtual time zero.
fn run<C: Clock>(
    clock: &C,
    drive: &TestClock,
    seed: u64,
    config: &RetryConfig,
    budget: Option<&Budget>,
    script: &[Step],
) -> Account {
    let tries = RefCell::new(Vec::new());
    let step = |attempt: u32| script[(attempt as usize - 1).min(script.len() - 1)];
    let retried = drive.run(retry(
        clock,
        rng(seed),
        config,
        budget,
        |attempt| {
            let tries = &tries;
            async move {
                let begun = clock.monotonic();
                drive.advance(step(attempt).took);
                tries.borrow_mut().push((begun, clock.monotonic()));
                match step(attempt).verdict {
                    Verdict::Done => Ok(attempt),
                    _ => Err(attempt),
                }
            }
        },
        |result| match result {
            Ok(attempt) | Err(attempt) => step(*attempt).verdict,
        },
    ));
    let last = match retried.result {
        Ok(attempt) | Err(attempt) => attempt,
    };
    assert_eq!(last, retried.attempts, "the last try's result is handed on");
    let Retried { attempts, slept, ended, .. } = retried;
    Account { tries: tries.into_inner(), attempts, slept, ended }
}

fn play(seed: u64, config: &RetryConfig, script: &[Step]) -> Account {
    let clock = TestClock::default();
    run(&clock, &clock, seed, config, None, script)
}

/// `base · factor^(retry − 1)` by repeated multiplication of integers, cut at `most`.
fn ceiling_by_multiplication(base: u64, factor: u64, most: u64, retry: u32) -> Duration {
    let grown = (1..retry).fold(base, |ceiling, _| ceiling.saturating_mul(factor).min(most));
    Duration::from_nanos(grown.min(most))
}

fn arb_wait() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 0..10_u64, 0..5_000_000_000_u64].prop_map(Duration::from_nanos)
}

fn arb_step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        1 => Just(Verdict::Done),
        1 => Just(Verdict::GiveUp),
        5 => Just(Verdict::RetryAfter(None)),
        3 => arb_wait().prop_map(|asked| Verdict::RetryAfter(Some(asked))),
    ];
    (arb_wait(), verdict).prop_map(|(took, verdict)| Step { took, verdict })
}

prop_compose! {
    fn arb_config()(
        attempts_max in prop_oneof![1..8_u32, Just(UNLIMITED)],
        base in arb_wait(),
        factor in 1..5_u32,
        spread in arb_wait(),
        deadline in proptest::option::of(arb_wait()),
        retry_after_min in arb_wait(),
        longer in arb_wait(),
    ) -> RetryConfig {
        RetryConfig {
            attempts_max,
            base,
            factor: factor.into(),
            delay_max: base + spread,
            deadline,
            retry_after_min,
            retry_after_max: retry_after_min + longer,
            budget: None,
        }
    }
}

proptest! {
    #[test]
    fn tries_keep_the_laws(
        config in arb_config(),
        seed: u64,
        mut script in proptest::collection::vec(arb_step(), 1..12),
    ) {
        // Unlimited tries of a script that never ends would never end.
        script.push(Step { took: Duration::ZERO, verdict: Verdict::GiveUp });
        prop_assert_eq!(config.validate(), []);
        let account = play(seed, &config, &script);
        let count = account.tries.len();
        prop_assert_eq!(account.attempts as usize, count);
        prop_assert!(account.attempts <= config.attempts_max);

        let mut slept = Duration::ZERO;
        for (index, pair) in account.tries.windows(2).enumerate() {
            let gap = pair[1].0 - pair[0].1;
            slept += gap;
            let Verdict::RetryAfter(asked) = script[index].verdict else {
                return Err(TestCaseError::fail("tried again though it should not"));
            };
            let ceiling = ceiling_by_multiplication(
                config.base.as_nanos() as u64,
                config.factor as u64,
                config.delay_max.as_nanos() as u64,
                index as u32 + 1,
            );
            let least = asked.map_or(Duration::ZERO, |asked| {
                asked.clamp(config.retry_after_min, config.retry_after_max)
            });
            prop_assert!(gap >= least && gap <= ceiling.max(least), "{gap:?} {least:?} {ceiling:?}");
        }
        prop_assert_eq!(account.slept, slept);

        let last_end = account.tries[count - 1].1;
        let verdict = script[count - 1].verdict;
        if let Some(deadline) = config.deadline {
            prop_assert!(slept <= deadline);
            prop_assert!(count == 1 || account.tries[count - 1].0 <= deadline);
        }
        match account.ended {
            Ended::Done => prop_assert_eq!(verdict, Verdict::Done),
            Ended::GaveUp => prop_assert_eq!(verdict, Verdict::GiveUp),
            Ended::AttemptsSpent => prop_assert_eq!(account.attempts, config.attempts_max),
            Ended::DeadlinePassed => {
                // It stopped for the deadline's sake only if the longest possible wait passes it.
                let asked = match verdict { Verdict::RetryAfter(asked) => asked, _ => None };
                let longest = asked.map_or(Duration::ZERO, |asked| config.believed(asked))
                    .max(config.ceiling(account.attempts));
                prop_assert!(last_end + longest > config.deadline.expect("there is one"));
            }
            Ended::BudgetSpent => return Err(TestCaseError::fail("there is no budget")),
        }
    }

    #[test]
    fn jitter_stays_within_bounds_for_every_seed(seed: u64, ceiling in 0..u64::MAX) {
        let ceiling = Duration::from_nanos(ceiling);
        let config = RetryConfig {
            attempts_max: UNLIMITED, base: ceiling, factor: 1.0, delay_max: ceiling,
            ..RetryConfig::default()
        };
        let mut backoff = Backoff::new(config.clone(), rng(seed));
        let mut same = Backoff::new(config, rng(seed));
        for _ in 0..20 {
            let delay = backoff.next_delay(None);
            prop_assert!(delay.expect("unlimited") <= ceiling);
            prop_assert_eq!(delay, same.next_delay(None), "equal seeds, equal waits");
        }
    }

    /// The budget against a log that forgets nothing and is counted anew each time.
    #[test]
    fn budget_is_the_share_of_the_window(
        percent in prop_oneof![Just(0_u32), Just(20), Just(100), 0..300_u32],
        floor in prop_oneof![Just(0_u32), 0..4_u32],
        slot_ns in 1..1_000_u64,
        steps in proptest::collection::vec((0..3_u8, 0..4_000_u64), 1..200),
    ) {
        let window = Duration::from_nanos(slot_ns * 10);
        let budget = Budget::new(&BudgetConfig {
            percent: percent.into(),
            // So that whole retries come out of so short a window.
            floor_per_second: f64::from(floor) * 1e6,
            window,
        }).expect("valid");
        let (mut now, mut calls, mut retries) = (0_u64, Vec::new(), Vec::new());
        for (kind, wait) in steps {
            now += if kind == 2 { wait } else { 0 };
            let within = |at: &&u64| **at / slot_ns + 10 > now / slot_ns;
            let count = |log: &Vec<u64>| log.iter().filter(within).count() as u128;
            match kind {
                0 => {
                    budget.record_call(Duration::from_nanos(now));
                    calls.push(now);
                }
                1 => {
                    // In ten-thousandths: retries ≤ calls · percent + floor · window.
                    let allowed = count(&calls) * u128::from(percent) * 100
                        + u128::from(floor) * window.as_nanos() * 10;
                    let expected = (count(&retries) + 1) * 10_000 <= allowed;
                    let admitted = budget.try_retry(Duration::from_nanos(now));
                    prop_assert_eq!(admitted, expected, "{} calls", count(&calls));
                    if admitted {
                        retries.push(now);
                    }
                }
                _ => {}
            }
            let stats = budget.stats(Duration::from_nanos(now));
            prop_assert_eq!(u128::from(stats.calls), count(&calls));
            prop_assert_eq!(u128::from(stats.retries), count(&retries));
            prop_assert_eq!(stats.admitted_total, retries.len() as u64);
        }
    }
}

fn waits_as_asked(deadline: Duration) -> RetryConfig {
    RetryConfig { base: Duration::ZERO, deadline: Some(deadline), ..RetryConfig::default() }
}

#[test]
fn deadline_is_exact_to_the_nanosecond() {
    // The first try takes 4 s and is asked to wait 6 s: the second would begin at 10 s.
    let script = [again(s(4), Some(s(6))), Step { took: s(60), verdict: Verdict::Done }];
    let check = |deadline, attempts, ended| {
        let account = play(1, &waits_as_asked(deadline), &script);
        assert_eq!((account.attempts, account.ended), (attempts, ended), "{deadline:?}");
        account
    };
    check(s(10) - NS, 1, Ended::DeadlinePassed);
    let at = check(s(10), 2, Ended::Done);
    assert_eq!(at.tries, [(s(0), s(4)), (s(10), s(70))], "a try under way is not cut");
    check(s(10) + NS, 2, Ended::Done);
    // A try that outlasts the deadline is the last, even if no wait was needed.
    let late = [again(s(4) + NS, None)];
    let account = play(1, &waits_as_asked(s(4)), &late);
    assert_eq!((account.attempts, account.ended), (1, Ended::DeadlinePassed));
    // Zero is no time at all: only tries at the very beginning.
    let account = play(1, &waits_as_asked(Duration::ZERO), &[again(Duration::ZERO, None)]);
    assert_eq!((account.attempts, account.ended), (3, Ended::AttemptsSpent));
    let account = play(1, &waits_as_asked(Duration::ZERO), &[again(NS, None)]);
    assert_eq!((account.attempts, account.ended), (1, Ended::DeadlinePassed));
}

#[test]
fn waits_alone_never_exceed_the_deadline() {
    let check = |deadline, expected: &[Option<Duration>]| {
        let mut backoff = Backoff::new(waits_as_asked(deadline), rng(1));
        let delays: Vec<_> = expected.iter().map(|_| backoff.next_delay(Some(s(5)))).collect();
        assert_eq!(delays, expected, "{deadline:?}");
        // Nor do they for a caller who believes to have all the time of the world.
        let mut backoff = Backoff::new(waits_as_asked(deadline), rng(1));
        let mut next = || backoff.next_delay_within(Some(s(5)), Duration::MAX);
        let delays: Vec<_> = expected.iter().map(|_| next()).collect();
        assert_eq!(delays, expected, "{deadline:?}");
    };
    check(s(10) - NS, &[Some(s(5)), None, None]);
    check(s(10), &[Some(s(5)), Some(s(5)), None]);
    check(s(10) + NS, &[Some(s(5)), Some(s(5)), None]);
}

#[test]
fn retry_after_is_clamped() {
    let config = RetryConfig {
        base: Duration::ZERO,
        retry_after_min: s(2),
        retry_after_max: s(9),
        ..RetryConfig::default()
    };
    let check = |asked, expected| {
        let delay = Backoff::new(config.clone(), rng(1)).next_delay(Some(asked));
        assert_eq!(delay, Some(expected), "{asked:?}");
    };
    check(Duration::ZERO, s(2));
    check(s(2) - NS, s(2));
    check(s(2), s(2));
    check(s(2) + NS, s(2) + NS);
    check(s(9) - NS, s(9) - NS);
    check(s(9), s(9));
    check(s(9) + NS, s(9));
    check(Duration::MAX, s(9));
}

#[test]
fn retry_after_is_a_lower_bound_of_the_jitter() {
    let config = RetryConfig { base: s(10), ..RetryConfig::default() };
    let delay = |asked, seed| Backoff::new(config.clone(), rng(seed)).next_delay(asked);
    let mut raised = 0;
    for seed in 0..100 {
        let jitter = delay(None, seed).expect("the first retry");
        assert_eq!(delay(Some(s(5)), seed), Some(jitter.max(s(5))));
        raised += u32::from(jitter < s(5));
    }
    // Half of them, with a standard deviation of 5.
    assert!((25..=75).contains(&raised), "{raised}");
}

#[test]
fn jitter_is_full_and_even() {
    let config = |ceiling| RetryConfig {
        attempts_max: UNLIMITED,
        base: ceiling,
        factor: 1.0,
        delay_max: ceiling,
        ..RetryConfig::default()
    };
    let mut backoff = Backoff::new(config(s(100)), rng(7));
    let mut tenths = [0_u32; 10];
    for _ in 0..10_000 {
        let delay = backoff.next_delay(None).expect("unlimited");
        tenths[(delay.as_millis() / 10_000).min(9) as usize] += 1;
    }
    // 1000 each with a standard deviation of 30: five of them.
    assert!(tenths.iter().all(|&count| (850..=1_150).contains(&count)), "{tenths:?}");
    // Both ends belong to it.
    let mut backoff = Backoff::new(config(NS), rng(7));
    let waits: Vec<_> = (0..64).filter_map(|_| backoff.next_delay(None)).collect();
    assert!(waits.contains(&NS) && waits.contains(&Duration::ZERO));
}

#[test]
fn ceiling_grows_up_to_the_maximum() {
    let check = |config: RetryConfig, expected: &[(u32, Duration)]| {
        for &(retry, ceiling) in expected {
            assert_eq!(config.ceiling(retry), ceiling, "retry {retry} of {config:?}");
        }
    };
    let default = RetryConfig::default();
    check(
        default.clone(),
        &[(1, s(1)), (2, s(2)), (5, s(16)), (6, s(30)), (7, s(30)), (u32::MAX, s(30))],
    );
    check(RetryConfig { base: Duration::ZERO, ..default.clone() }, &[(1, s(0)), (u32::MAX, s(0))]);
    check(RetryConfig { factor: 1.0, ..default.clone() }, &[(1, s(1)), (u32::MAX, s(1))]);
    let longest = Duration::from_nanos(u64::MAX);
    let huge = RetryConfig { delay_max: Duration::MAX, base: Duration::MAX, ..default.clone() };
    check(huge, &[(1, longest), (2, longest), (u32::MAX, longest)]);
    let steep = RetryConfig { factor: f64::MAX, ..default };
    check(steep, &[(1, s(1)), (2, s(30)), (u32::MAX, s(30))]);
}

#[test]
fn extreme_settings_neither_panic_nor_overflow() {
    let config = RetryConfig {
        attempts_max: UNLIMITED,
        base: Duration::MAX,
        factor: f64::MAX,
        delay_max: Duration::MAX,
        deadline: None,
        retry_after_min: Duration::MAX,
        retry_after_max: Duration::MAX,
        budget: None,
    };
    let mut backoff = Backoff::new(config.clone(), rng(3));
    for _ in 0..1_000 {
        assert!(backoff.next_delay(Some(Duration::MAX)).is_some());
    }
    let script = [again(s(1), Some(Duration::MAX)), Step { took: s(1), verdict: Verdict::GiveUp }];
    let account = play(3, &config, &script);
    assert_eq!((account.attempts, account.slept), (2, Duration::from_nanos(u64::MAX)));
}

#[test]
fn a_new_operation_begins_from_the_start() {
    let mut backoff = Backoff::new(RetryConfig::default(), rng(1));
    let count = |backoff: &mut Backoff| std::iter::from_fn(|| backoff.next_delay(None)).count();
    assert_eq!((count(&mut backoff), backoff.attempts(), backoff.is_spent()), (2, 3, true));
    backoff.reset();
    assert_eq!((backoff.attempts(), backoff.slept()), (1, Duration::ZERO));
    assert_eq!(count(&mut backoff), 2);
}

#[test]
fn a_late_timer_begins_no_try_after_the_deadline() {
    let check = |late, attempts| {
        let drive = TestClock::default();
        let clock = LateClock(drive.clone(), late);
        let script = [again(s(4), Some(s(5))), Step { took: s(1), verdict: Verdict::Done }];
        let account = run(&clock, &drive, 1, &waits_as_asked(s(10)), None, &script);
        assert_eq!(account.attempts, attempts, "{late:?}");
    };
    check(s(1) - NS, 2);
    check(s(1), 2);
    check(s(1) + NS, 1);
}

#[test]
fn budget_forgets_at_the_edge_of_its_window() {
    let config = BudgetConfig { percent: 100.0, floor_per_second: 0.0, window: s(10) };
    let check = |at, admitted| {
        let budget = Budget::new(&config).expect("valid");
        budget.record_call(Duration::ZERO);
        assert_eq!(budget.try_retry(at), admitted, "{at:?}");
    };
    check(s(10) - NS, true);
    check(s(10), false);
    check(s(10) + NS, false);
    check(Duration::MAX, false);
    // Instants that go back are taken for the latest.
    let budget = Budget::new(&config).expect("valid");
    budget.record_call(s(100));
    budget.record_call(Duration::ZERO);
    let clone = budget.clone();
    assert!(clone.try_retry(s(50)) && budget.try_retry(s(109)) && !budget.try_retry(s(109)));
    assert_eq!(budget.stats(s(109)).refused_total, 1);
}

#[test]
fn operations_share_the_budget() {
    let config = RetryConfig { attempts_max: 4, base: Duration::ZERO, ..RetryConfig::default() };
    let check = |percent, floor_per_second, tries: u32| {
        let window = s(10);
        let budget = Budget::new(&BudgetConfig { percent, floor_per_second, window }).unwrap();
        let clock = TestClock::default();
        let account = |seed| {
            run(&clock, &clock, seed, &config, Some(&budget), &[again(Duration::ZERO, None)])
        };
        let accounts: Vec<_> = (0..100).map(account).collect();
        assert_eq!(accounts.iter().map(|account| account.attempts).sum::<u32>(), tries);
        assert_eq!(budget.stats(clock.monotonic()).calls, 100);
        let spent = accounts.iter().filter(|account| account.ended == Ended::BudgetSpent).count();
        assert_eq!(spent > 0, tries < 400);
    };
    check(0.0, 0.0, 100);
    check(20.0, 0.0, 120);
    check(20.0, 1.0, 130);
    check(0.0, 2.5, 125);
    check(1_000.0, 0.0, 400);
}

#[test]
fn settings_out_of_range_are_all_named() {
    let check = |config: RetryConfig, expected: &[&str]| {
        let faults: Vec<_> = config.validate().iter().map(|fault| fault.setting).collect();
        assert_eq!(faults, expected, "{config:?}");
    };
    let default = RetryConfig::default();
    check(default.clone(), &[]);
    let zero = Duration::ZERO;
    check(RetryConfig { base: zero, delay_max: zero, ..default.clone() }, &[]);
    check(RetryConfig { deadline: Some(zero), retry_after_max: zero, ..default.clone() }, &[]);
    check(RetryConfig { factor: 1.0 - f64::EPSILON, ..default.clone() }, &["factor"]);
    check(RetryConfig { factor: f64::INFINITY, ..default.clone() }, &["factor"]);
    check(RetryConfig { delay_max: s(1) - NS, ..default.clone() }, &["delay_max"]);
    let budget = BudgetConfig { percent: -0.1, floor_per_second: f64::NAN, window: 9 * NS };
    let wrong = RetryConfig {
        attempts_max: 0,
        factor: f64::NAN,
        retry_after_min: s(301),
        budget: Some(budget),
        ..default
    };
    check(
        wrong,
        &[
            "attempts_max",
            "factor",
            "retry_after_max",
            "budget.percent",
            "budget.floor_per_second",
            "budget.window",
        ],
    );
    assert!(Budget::new(&BudgetConfig { percent: 1_000.1, ..BudgetConfig::default() }).is_err());
}

#[test]
fn only_what_may_succeed_is_tried_again() {
    for code in 100..=599 {
        let status = StatusCode::from_u16(code).unwrap();
        let expected = matches!(code, 408 | 425 | 429 | 500 | 502..=504 | 506..=599);
        assert_eq!(may_succeed_later(status), expected, "{code}");
        let answer = http::Response::builder().status(status).body(bytes::Bytes::new()).unwrap();
        let verdict = HttpJudge { idempotent: true }.verdict(&Ok(answer), Some(s(3)));
        let expected = match code {
            200..=299 => Verdict::Done,
            _ if expected => Verdict::RetryAfter(Some(s(3))),
            _ => Verdict::GiveUp,
        };
        assert_eq!(verdict, expected, "{code}");
    }
}

#[test]
fn an_unknown_outcome_is_repeated_only_if_that_does_no_harm() {
    let authority = || "collector:443".to_owned();
    let refused = std::io::ErrorKind::ConnectionRefused;
    let again = Verdict::RetryAfter(None);
    let cases = [
        (HttpError::Request("relative".to_owned()), Verdict::GiveUp, Verdict::GiveUp),
        (HttpError::Connect { authority: authority(), source: refused.into() }, again, again),
        (HttpError::Timeout { authority: authority(), timeout: s(1), sent: false }, again, again),
        (
            HttpError::Timeout { authority: authority(), timeout: s(1), sent: true },
            Verdict::GiveUp,
            again,
        ),
        (
            HttpError::Broken { authority: authority(), reason: "reset".to_owned() },
            Verdict::GiveUp,
            again,
        ),
        (HttpError::BodyTooLong { authority: authority(), limit: 1 }, Verdict::GiveUp, again),
    ];
    for (error, once, idempotent) in cases {
        let text = error.to_string();
        assert_eq!(error.verdict(), once, "{text}");
        let result = Err(error);
        assert_eq!(Verdict::of(&result), once, "{text}");
        assert_eq!(HttpJudge { idempotent: true }.verdict(&result, None), idempotent, "{text}");
        assert_eq!(HttpJudge { idempotent: false }.verdict(&result, None), once, "{text}");
    }
}
