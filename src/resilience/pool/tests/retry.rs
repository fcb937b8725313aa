//! Tries after the first.

use super::*;

fn retries(attempts_max: u32, base: Duration, deadline: Option<Duration>) -> RetryConfig {
    RetryConfig { attempts_max, base, delay_max: 60_000 * MS, deadline, ..RetryConfig::default() }
}

#[test]
fn tries_until_success_or_spent() {
    let check = |attempts_max: u32, failures: u32, expected_tries: u32, is_good: bool| {
        let host = Host::new();
        let pool = host.pool(config(1, 1));
        let result = host.run(async {
            let options = named("t").retry(retries(attempts_max, MS, None));
            pool.try_submit(options, host.flaky("t", MS, failures)).expect("a place").await
        });
        let error = format!("t#{expected_tries}");
        let failed = TaskError::Failed { error, attempts: expected_tries };
        assert_eq!(result, if is_good { Ok("t".to_owned()) } else { Err(failed) });
        assert_eq!(host.logged().len(), expected_tries as usize);
        let stats = pool.stats();
        assert_eq!(stats.retried, u64::from(expected_tries - 1));
        assert_eq!((stats.completed, stats.failed), (u64::from(is_good), u64::from(!is_good)));
    };
    check(1, 0, 1, true);
    check(1, 1, 1, false);
    check(3, 0, 1, true);
    check(3, 2, 3, true);
    check(3, 3, 3, false);
    // Zero is no license to try for ever.
    check(0, 5, 1, false);
}

/// While a task waits for its retry, its worker runs another.
#[test]
fn waiting_frees_the_worker() {
    let host = Host::new();
    let pool = host.pool(config(1, 3));
    host.run(async {
        let options = named("flaky").retry(retries(2, 60_000 * MS, None));
        let flaky = pool.try_submit(options, host.flaky("flaky", MS, 1)).expect("a place");
        host.clock.sleep(MS + NS).await;
        assert_eq!(flaky.state(), TaskState::RetryWait);
        let stats = pool.stats();
        assert_eq!((stats.retry_waiting, stats.idle, stats.queued), (1, 1, 0));
        let other = pool.try_submit(named("other"), host.work("other", MS)).expect("a place");
        assert_eq!(other.await.as_deref(), Ok("other"));
        assert_eq!(flaky.state(), TaskState::RetryWait);
        assert_eq!(flaky.await.as_deref(), Ok("flaky"));
    });
    assert_eq!(host.logged(), ["flaky#1", "other", "flaky#2"]);
}

/// A retry that is due joins the end of its priority, and its place was kept.
#[test]
fn a_retry_joins_the_end_of_its_priority() {
    let host = Host::new();
    let pool = host.pool(config(1, 3));
    host.run(async {
        let options = named("flaky").priority(1).retry(retries(2, Duration::ZERO, None));
        let flaky = pool.try_submit(options, host.flaky("flaky", MS, 1)).expect("a place");
        let submit = |name: &'static str, priority: i32| {
            pool.try_submit(named(name).priority(priority), host.work(name, MS)).expect("a place")
        };
        let others = [submit("low", 0), submit("first", 1), submit("second", 1)];
        flaky.await.expect("it succeeds");
        for other in others {
            other.await.expect("it succeeds");
        }
    });
    assert_eq!(host.logged(), ["flaky#1", "first", "second", "flaky#2", "low"]);
}

/// Waits lie within the ceiling, are not all the same, and depend on the seed alone.
#[test]
fn waits_have_full_jitter() {
    let run = || {
        let host = Host::new();
        let pool = host.pool(config(1, 100));
        host.run(async {
            let mut waits = Vec::new();
            for _ in 0..50 {
                let began = host.now();
                let options = named("t").retry(retries(2, 100 * MS, None));
                let task = pool.try_submit(options, host.flaky("t", Duration::ZERO, 1));
                task.expect("a place").await.expect("the second try succeeds");
                waits.push(host.now() - began);
            }
            waits
        })
    };
    let waits = run();
    assert!(waits.iter().all(|wait| *wait <= 100 * MS), "{waits:?}");
    let halves = waits.iter().filter(|wait| **wait > 50 * MS).count();
    assert!((10..=40).contains(&halves), "{halves} of 50 above the middle");
    assert_eq!(waits, run());
}

/// A retry runs at its instant, not a nanosecond earlier or later; a shorter wait that comes later
/// is not held up by a longer one.
#[test]
fn a_retry_runs_when_it_is_due() {
    let host = Host::new();
    let pool = host.pool(config(4, 100));
    let due = Rc::new(RefCell::new(Vec::new()));
    host.run(async {
        let mut handles = Vec::new();
        for number in 0..40u32 {
            // Long ones first.
            let base = (400 - 10 * number) * MS;
            let options = named("t").retry(retries(2, base, None));
            let mut work = host.flaky("t", Duration::ZERO, 1);
            let (clock, began) = (host.clock.clone(), Rc::clone(&due));
            let operation = move || {
                began.borrow_mut().push((number, clock.monotonic()));
                work()
            };
            handles.push(pool.try_submit(options, operation).expect("a place"));
        }
        host.settle().await;
        let planned: Vec<_> = {
            let state = pool.core().state.borrow();
            assert_eq!(state.timers.len(), 40);
            state.timers.iter().map(|((at, _), slot)| (*slot, *at)).collect()
        };
        due.borrow_mut().clear();
        for handle in handles {
            handle.await.expect("it succeeds");
        }
        assert_eq!(*due.borrow(), planned);
    });
}

#[test]
fn deadline_of_all_tries_at_its_edge() {
    // Without jitter (base 0) each try takes 10 ms; a try may begin up to the deadline.
    let check = |deadline: Duration, expected_tries: usize| {
        let host = Host::new();
        let pool = host.pool(config(1, 1));
        let result = host.run(async {
            let options = named("t").retry(retries(10, Duration::ZERO, Some(deadline)));
            pool.try_submit(options, host.flaky("t", 10 * MS, 99)).expect("a place").await
        });
        assert!(result.is_err());
        assert_eq!(host.logged().len(), expected_tries, "{deadline:?}");
    };
    check(Duration::ZERO, 1);
    check(20 * MS - NS, 2);
    check(20 * MS, 3);
    check(20 * MS + NS, 3);
}

/// A try that takes too long is tried again, in a future of its own.
#[test]
fn timeouts_are_retried() {
    let host = Host::new();
    let pool = host.pool(config(1, 1));
    host.run(async {
        let options = named("t").timeout(MS).retry(retries(3, Duration::ZERO, None));
        let slow = pool.try_submit(options, host.work("t", 2 * MS)).expect("a place");
        assert_eq!(slow.await, Err(TaskError::TimedOut { limit: MS, attempts: 3 }));
    });
    assert_eq!(host.logged().len(), 3);
    assert_eq!((host.alive.get(), host.alive_max.get()), (0, 1));
    assert_eq!((pool.stats().timed_out, pool.stats().retried), (1, 2));
}
