//! How pools end: shutdown, drop, host.

use super::*;
use crate::rt;

fn left(name: &str, state: TaskState, attempts: u32) -> Unfinished {
    let reason = CancelReason::ShutdownDeadline;
    Unfinished { name: name.to_owned(), state, attempts, reason }
}

#[test]
fn shutdown_reports_every_unfinished_task() {
    let host = Host::new();
    let pool = host.pool(config(2, 10));
    host.run(async {
        let retry =
            RetryConfig { base: 60_000 * MS, delay_max: 60_000 * MS, ..RetryConfig::default() };
        let retry = named("retrying").retry(retry);
        let retrying = pool.try_submit(retry, host.flaky("retrying", Duration::ZERO, 9));
        let long = pool.try_submit(named("long"), host.work("long", 50 * MS));
        let short = pool.try_submit(named("short"), host.work("short", 5 * MS));
        let next = pool.try_submit(named("next"), host.work("next", 90 * MS));
        let queued = pool.try_submit(named("queued").priority(-1), host.work("queued", MS));
        host.settle().await;
        let report = pool.shutdown(10 * MS).await;
        assert_eq!(
            report,
            [
                left("retrying", TaskState::RetryWait, 1),
                left("long", TaskState::Running, 1),
                left("next", TaskState::Running, 1),
                left("queued", TaskState::Queued, 0),
            ]
        );
        assert_eq!((host.now(), host.alive.get()), (10 * MS + NS, 0));
        assert_eq!(short.expect("a place").await.as_deref(), Ok("short"));
        for ended in [retrying, long, next, queued] {
            let reason = CancelReason::ShutdownDeadline;
            assert_eq!(ended.expect("a place").await, Err(TaskError::Cancelled(reason)));
        }
        let refused = pool.try_submit(named("late"), host.work("late", MS)).map(drop);
        assert_eq!(refused, Err(Refusal::ShutDown));
        assert_eq!(pool.submit(named("late"), host.work("late", MS)).await.map(drop), refused);
        assert_eq!(pool.shutdown(MS).await, []);
    });
    let stats = pool.stats();
    assert_eq!((stats.cancelled, stats.completed, stats.refused), (4, 1, 2));
    assert_eq!(stats.unfinished(), 0);
}

#[test]
fn shutdown_deadline_at_its_edge() {
    let check = |time: Duration, is_late_timer: bool, is_in_time: bool| {
        let host = Host::new();
        let pool = host.pool(config(1, 1));
        let report = host.run(async {
            let timer = host.clone();
            let task = pool.try_submit(named("task"), move || {
                let host = timer.clone();
                async move {
                    // The task's last timer is younger than the shutdown's, or older.
                    let first = if is_late_timer { MS } else { Duration::ZERO };
                    host.clock.sleep(first).await;
                    host.clock.sleep(time - first).await;
                    Ok::<(), ()>(())
                }
            });
            drop(task.expect("a place"));
            pool.shutdown(10 * MS).await
        });
        let expected = if is_in_time { vec![] } else { vec![left("task", TaskState::Running, 1)] };
        assert_eq!(report, expected, "{time:?}, late timer: {is_late_timer}");
        assert_eq!(host.now(), time.min(10 * MS));
    };
    for is_late_timer in [false, true] {
        check(10 * MS - NS, is_late_timer, true);
        check(10 * MS, is_late_timer, true);
        check(10 * MS + NS, is_late_timer, false);
    }
}

/// A task that fails at the deadline with tries left has failed: there is no time for another.
#[test]
fn no_retry_after_the_deadline() {
    let host = Host::new();
    let pool = host.pool(config(1, 1));
    host.run(async {
        let minute = 60_000 * MS;
        let retry = RetryConfig { base: minute, delay_max: minute, ..RetryConfig::default() };
        let clock = host.clock.clone();
        let task = pool.try_submit(named("task").retry(retry), move || {
            let clock = clock.clone();
            async move {
                // Its second timer is younger than the shutdown's, which is due at the same time.
                clock.sleep(MS).await;
                clock.sleep(9 * MS).await;
                Err::<(), &str>("too bad")
            }
        });
        assert_eq!(pool.shutdown(10 * MS).await, []);
        let failed = TaskError::Failed { error: "too bad", attempts: 1 };
        assert_eq!(task.expect("a place").await, Err(failed));
    });
    assert_eq!(host.now(), 10 * MS);
    assert_eq!((pool.stats().failed, pool.stats().retried), (1, 0));
}

#[test]
fn shutdown_of_an_idle_pool_is_immediate() {
    let host = Host::new();
    let pool = host.pool(config(2, 2));
    let core = Rc::downgrade(pool.core());
    host.run(async {
        let task = pool.try_submit(named("task"), host.work("task", MS)).expect("a place");
        task.await.expect("it succeeds");
        assert_eq!(pool.shutdown(10 * MS).await, []);
        assert_eq!(host.now(), MS);
        drop(pool);
        host.settle().await;
        assert!(core.upgrade().is_none());
    });
}

/// Who waits for a place at shutdown is told; who was given one and did not use it yet, too.
#[test]
fn shutdown_refuses_those_who_wait() {
    let host = Host::new();
    let pool = host.pool(PoolConfig { policy: QueuePolicy::Wait, ..config(1, 0) });
    host.run(async {
        let running = pool.submit(named("running"), host.work("running", 5 * MS)).await;
        let waiting = [1, 2].map(|_| {
            let (pool, work) = (pool.clone(), host.work("waiting", MS));
            rt::spawn("submitter", async move { pool.submit(named("w"), work).await.map(drop) })
        });
        host.settle().await;
        assert_eq!(pool.stats().submitters_waiting, 2);
        assert_eq!(pool.shutdown(60 * MS).await, []);
        for waiting in waiting {
            assert_eq!(waiting.await, Ok(Err(Refusal::ShutDown)));
        }
        assert_eq!(running.expect("a place").await.as_deref(), Ok("running"));
    });
}

/// A shutdown that is dropped half way leaves the pool shut; the next one ends it. Two at once
/// end together, and one of them has the report.
#[test]
fn several_shutdowns() {
    let host = Host::new();
    let pool = host.pool(config(1, 2));
    host.run(async {
        let task = pool.try_submit(named("task"), host.work("task", 100 * MS)).expect("a place");
        let first = rt::race(pool.shutdown(50 * MS), host.clock.sleep(MS)).await;
        assert_eq!(first, rt::Race::Second(()));
        assert_eq!(task.state(), TaskState::Running);
        let (long, short) = futures_util::join!(pool.shutdown(50 * MS), pool.shutdown(20 * MS));
        assert_eq!((long, short), (vec![], vec![left("task", TaskState::Running, 1)]));
        assert_eq!(host.now(), 21 * MS);
    });
}

/// Times without end are no errors: limit, retry and deadline.
#[test]
fn longest_times() {
    let host = Host::new();
    let pool = host.pool(config(2, 5));
    host.run(async {
        host.clock.sleep(MS).await;
        let (max, long) = (Duration::MAX, Duration::MAX - NS);
        let limited = named("limited").timeout(long);
        let limited = pool.try_submit(limited, host.work("limited", MS)).expect("a place");
        let retry = RetryConfig { base: max, delay_max: max, ..RetryConfig::default() };
        let failing = named("failing").retry(retry);
        let failing = pool.try_submit(failing, host.flaky("failing", MS, 9)).expect("a place");
        host.clock.sleep(2 * MS).await;
        assert_eq!(limited.await.as_deref(), Ok("limited"));
        assert_eq!(failing.state(), TaskState::RetryWait);
        let (report, ()) = futures_util::join!(pool.shutdown(max), async {
            host.clock.sleep(MS).await;
            assert!(failing.cancel());
        });
        assert_eq!((report, host.now()), (vec![], 4 * MS));
    });
}

/// A task that shuts its own pool down does not wait for itself for ever.
#[test]
fn shutdown_from_within() {
    let host = Host::new();
    let pool = host.pool(config(1, 2));
    host.run(async {
        let inner = pool.clone();
        let task = pool.try_submit(named("task"), move || {
            let pool = inner.clone();
            async move { Ok::<_, ()>(pool.shutdown(MS).await) }
        });
        let reason = CancelReason::ShutdownDeadline;
        assert_eq!(task.expect("a place").await, Err(TaskError::Cancelled(reason)));
    });
}

/// The last clone of a pool may go while a task of the pool is polled: within that very task.
#[test]
fn pool_dropped_by_its_own_task() {
    let host = Host::new();
    let pool = host.pool(config(1, 2));
    let core = Rc::downgrade(pool.core());
    host.run(async {
        let last = Rc::new(RefCell::new(None));
        let taken = Rc::clone(&last);
        let task = pool.try_submit(named("task"), move || {
            drop(taken.take());
            std::future::pending::<Result<(), ()>>()
        });
        *last.borrow_mut() = Some(pool);
        let reason = CancelReason::PoolDropped;
        assert_eq!(task.expect("a place").await, Err(TaskError::Cancelled(reason)));
        host.settle().await;
        assert!(core.upgrade().is_none());
    });
}

/// Whatever slots they have, tasks of a dropped pool go in the order of their submission.
#[test]
fn a_dropped_pool_drops_in_order() {
    struct Last(Host, &'static str);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.note(self.1);
        }
    }
    let host = Host::new();
    let pool = host.pool(config(2, 5));
    host.run(async {
        let submit = |name: &'static str| {
            let last = Last(host.clone(), name);
            let forever = move || {
                let _held = &last;
                std::future::pending::<Result<(), ()>>()
            };
            pool.try_submit(named(name), forever).expect("a place")
        };
        let (first, second) = (submit("first"), submit("second"));
        let handles = (submit("third"), submit("fourth"));
        host.settle().await;
        assert!(second.cancel() && first.cancel());
        drop((first, second));
        let more = (submit("fifth"), submit("sixth"));
        host.settle().await;
        drop(pool);
        drop((handles, more));
    });
    assert_eq!(host.logged(), ["second", "first", "third", "fourth", "fifth", "sixth"]);
}

/// A crash drops the host; who holds a handle elsewhere is told.
#[test]
fn host_goes_down() {
    let host = Host::new();
    let pool = host.pool(config(1, 5));
    let core = Rc::downgrade(pool.core());
    let handles = host.run(async {
        let handles = ["running", "queued"]
            .map(|name| pool.try_submit(named(name), host.work(name, MS)).expect("a place"));
        host.settle().await;
        handles
    });
    assert_eq!(host.alive.get(), 0);
    for handle in handles {
        let ended = Err(TaskError::Cancelled(CancelReason::HostEnded));
        assert_eq!(host.clock.run(handle), ended);
    }
    let refused = pool.try_submit(named("late"), host.work("late", MS)).map(drop);
    assert_eq!(refused, Err(Refusal::ShutDown));
    drop(pool);
    assert!(core.upgrade().is_none());
}
