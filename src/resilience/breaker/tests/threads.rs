//! The shell between threads, under shuttle's schedules.
//!
//! shuttle chooses at every access to an atomic or a lock which thread goes on, randomly or with
//! few preemptions, over many schedules. Its atomics are sequentially consistent only: orders
//! that weaker memory models allow are not tried, and the shell argues for them in its comments.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

use super::super::{BreakerConfig, BreakerEvent, EventKind, Measured, Outcome, StateKind, Window};
use super::checked::{Breaker, Permit};
use super::small;

const SCHEDULES: usize = 400;

/// Runs `scenario` under many schedules; gives how many were run.
fn check(scenario: impl Fn() + Send + Sync + Clone + 'static) {
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    let scenario = move || {
        count.fetch_add(1, Ordering::Relaxed);
        scenario();
    };
    let mut config = Config::new();
    config.silence_warnings = true;
    let random = RandomScheduler::new_from_seed(7, SCHEDULES);
    Runner::new(random, config.clone()).run(scenario.clone());
    Runner::new(PctScheduler::new_from_seed(7, 3, SCHEDULES), config).run(scenario);
    assert_eq!(ran.load(Ordering::Relaxed), 2 * SCHEDULES, "every schedule ran");
}

fn at(now: Duration) -> Measured {
    Measured { now, took: Some(Duration::from_nanos(1)) }
}

fn breaker(config: BreakerConfig) -> Breaker {
    Breaker::new("b", config).expect("valid settings")
}

fn listen(breaker: &Breaker) -> Arc<Mutex<Vec<BreakerEvent>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    breaker.subscribe(Arc::new(move |event: &BreakerEvent| {
        log.lock().expect("no panic").push(event.clone());
    }));
    heard
}

/// Each generation from 1 on once, in order, with its named event right behind.
fn one_transition_per_generation(heard: &[BreakerEvent], generation: u64) {
    let mut expected = 1;
    let mut state = StateKind::Closed;
    for (index, event) in heard.iter().enumerate() {
        if let EventKind::StateChange { from, to, generation, .. } = event.kind {
            assert_eq!((from, generation), (state, expected));
            let named = heard.get(index + 1).map(|event| event.kind.as_str());
            let name = match to {
                StateKind::Closed => "circuitClosed",
                StateKind::HalfOpen => "circuitHalfOpen",
                StateKind::Open => "circuitOpened",
            };
            assert_eq!(named, Some(name));
            state = to;
            expected += 1;
        }
    }
    assert_eq!(expected - 1, generation);
}

/// Successes and failures of several threads: every call is in the totals, once.
fn totals(window: Window, listened: bool) {
    const CALLS: u64 = 3;
    check(move || {
        let breaker = breaker(BreakerConfig { window, ..small() });
        let heard = listened.then(|| listen(&breaker));
        let threads: Vec<_> = (0..3_u64)
            .map(|number| {
                let breaker = breaker.clone();
                thread::spawn(move || {
                    let mut counted = [0_u64; 4];
                    for call in 0..CALLS {
                        let now = Duration::from_secs(10 * call);
                        let Ok(permit) = breaker.admit(|| now) else {
                            counted[3] += 1;
                            continue;
                        };
                        let fate = ((number + call) % 3) as usize;
                        counted[fate] += 1;
                        match fate {
                            0 => permit.record(Outcome::Success, || at(now)),
                            1 => permit.record(Outcome::Timeout, || at(now)),
                            _ => drop(permit),
                        }
                    }
                    counted
                })
            })
            .collect();
        // Whoever looks while they call sees no result without its call.
        let looked = breaker.clone();
        let reader = thread::spawn(move || {
            let stats = looked.stats(Duration::ZERO);
            let results = stats.total_successes + stats.total_failures + stats.total_ignored;
            assert!(results <= stats.total_calls, "{results} of {}", stats.total_calls);
        });
        reader.join().expect("no panic");
        let mut sums = [0; 4];
        for thread in threads {
            let counted = thread.join().expect("no panic");
            sums.iter_mut().zip(counted).for_each(|(sum, one)| *sum += one);
        }
        let stats = breaker.stats(Duration::from_secs(100));
        let [successes, failures, ignored, rejected] = sums;
        assert_eq!(stats.total_calls + stats.total_rejected, 3 * CALLS);
        assert_eq!(stats.total_calls, successes + failures + ignored);
        assert_eq!(stats.total_successes, successes);
        assert_eq!((stats.total_failures, stats.total_timeouts), (failures, failures));
        assert_eq!((stats.total_ignored, stats.total_rejected), (ignored, rejected));
        if let Some(heard) = heard {
            let heard = heard.lock().expect("no panic");
            one_transition_per_generation(&heard, stats.generation);
            let count = |name| heard.iter().filter(|e| e.kind.as_str() == name).count() as u64;
            let counted = (count("success"), count("failure"), count("callRejected"));
            assert_eq!(counted, (successes, failures, rejected));
        }
    });
}

#[test]
fn every_call_is_counted_once() {
    totals(Window::None, false);
    totals(Window::Count(3), false);
    totals(Window::Time(Duration::from_secs(15)), true);
    totals(Window::None, true);
}

/// However many ask, no more than `half_open_max` probes are under way, and at least one is.
#[test]
fn probes_are_limited() {
    for most in [1_u32, 2] {
        let met = Arc::new(AtomicU64::new(0));
        let peak = Arc::clone(&met);
        check(move || {
            let config = BreakerConfig { half_open_max: most, success_threshold: 9, ..small() };
            let breaker = breaker(config);
            breaker.trip(Duration::ZERO, "to begin with");
            let (now, under_way) = (Duration::from_secs(10), Arc::new(AtomicU64::new(0)));
            let threads: Vec<_> = (0..3)
                .map(|number| {
                    let (breaker, under_way) = (breaker.clone(), Arc::clone(&under_way));
                    let peak = Arc::clone(&peak);
                    thread::spawn(move || {
                        for _ in 0..2 {
                            let Ok(permit) = breaker.admit(|| now) else { continue };
                            let probes = under_way.fetch_add(1, Ordering::Relaxed) + 1;
                            assert!(probes <= u64::from(most), "{probes} probes at once");
                            peak.fetch_max(probes, Ordering::Relaxed);
                            thread::yield_now();
                            under_way.fetch_sub(1, Ordering::Relaxed);
                            if number == 0 {
                                drop(permit);
                            } else {
                                permit.record(Outcome::Success, || at(now));
                            }
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("no panic");
            }
            let stats = breaker.stats(now);
            assert!(stats.total_calls >= 1);
            assert_eq!(stats.successes, stats.total_successes);
            let last: Vec<_> = (0..most).map(|_| breaker.admit(|| now)).collect();
            assert!(last.iter().all(Result::is_ok), "every place was given back");
        });
        assert_eq!(met.load(Ordering::Relaxed), u64::from(most), "the limit was reached");
    }
}

/// A success that races with a trip and a failure drives no state that is not its own.
#[test]
fn late_results_drive_nothing() {
    check(|| {
        let breaker = breaker(BreakerConfig { success_threshold: 1, ..small() });
        let heard = listen(&breaker);
        let late: Permit = breaker.admit_owned(|| Duration::ZERO).expect("closed");
        let tripper = breaker.clone();
        let tripping = thread::spawn(move || tripper.trip(Duration::from_secs(1), "by hand"));
        let finisher = thread::spawn(move || {
            late.record(Outcome::Success, || at(Duration::from_secs(1)));
        });
        tripping.join().expect("no panic");
        finisher.join().expect("no panic");
        let stats = breaker.stats(Duration::from_secs(2));
        assert_eq!((stats.state, stats.generation), (StateKind::Open, 1));
        assert_eq!((stats.total_calls, stats.total_successes), (1, 1));
        one_transition_per_generation(&heard.lock().expect("no panic"), 1);
    });
}

/// Failures of several threads at once open a breaker once, with no failure too few.
#[test]
fn simultaneous_failures_open_once() {
    check(|| {
        let breaker = breaker(BreakerConfig { failure_threshold: 3, ..small() });
        let heard = listen(&breaker);
        let permits: Vec<Permit> =
            (0..4).map(|_| breaker.admit_owned(|| Duration::ZERO).expect("closed")).collect();
        let threads: Vec<_> = permits
            .into_iter()
            .map(|permit| {
                thread::spawn(move || permit.record(Outcome::Panic, || at(Duration::ZERO)))
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        let stats = breaker.stats(Duration::ZERO);
        assert_eq!((stats.opens, stats.total_failures, stats.generation), (1, 4, 1));
        let heard = heard.lock().expect("no panic");
        let names: Vec<_> = heard.iter().map(|event| event.kind.as_str()).collect();
        let order = ["failure", "failure", "failure", "stateChange", "circuitOpened", "failure"];
        assert_eq!(names, order);
    });
}
