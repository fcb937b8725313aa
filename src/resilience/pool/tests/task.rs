//! Single tasks: order, limits, cancelling, panics, places.

use std::panic::panic_any;

use super::*;
use crate::rt;

/// Tasks (name, priority, submitted at) run by one busy worker: the order they begin in.
#[test]
fn order_of_beginning() {
    let check = |ageing_ms: Option<u64>, tasks: &[(&'static str, i32, u64)], expected: &[&str]| {
        let host = Host::new();
        let ageing = ageing_ms.map(Duration::from_millis);
        let pool = host.pool(PoolConfig { ageing, ..config(1, 10) });
        host.run(async {
            let first = pool.try_submit(named("first"), host.work("first", 100 * MS));
            drop(first.expect("a place"));
            let mut handles = Vec::new();
            for (name, priority, at) in tasks {
                host.clock.sleep(Duration::from_millis(*at).saturating_sub(host.now())).await;
                let work = host.work(name, MS);
                let options = named(name).priority(*priority);
                handles.push(pool.try_submit(options, work).expect("a place"));
            }
            for handle in handles {
                handle.await.expect("it succeeds");
            }
        });
        assert_eq!(host.logged()[1..], *expected, "ageing {ageing_ms:?}: {tasks:?}");
    };
    let mixed = [("a", 0, 1), ("b", 5, 2), ("c", 0, 3), ("d", -7, 4), ("e", 5, 5)];
    check(None, &mixed, &["b", "e", "a", "c", "d"]);
    check(Some(1_000), &mixed, &["b", "e", "a", "c", "d"]);
    check(Some(0), &mixed, &["a", "b", "c", "d", "e"]);
    check(Some(1), &[("low", 0, 1), ("high", 5, 5)], &["high", "low"]);
    check(Some(1), &[("low", 0, 1), ("high", 5, 6)], &["low", "high"]);
    check(Some(1), &[("low", 0, 1), ("high", 5, 7)], &["low", "high"]);
    check(None, &[("x", i32::MIN, 1), ("y", i32::MAX, 2)], &["y", "x"]);
}

#[test]
fn limit_at_its_edge() {
    let check = |time: Duration, limit: Option<Duration>, is_in_time: bool| {
        let host = Host::new();
        let pool = host.pool(PoolConfig { task_timeout: Some(10 * MS), ..config(1, 1) });
        let options = TaskOptions { timeout: limit, ..named("task") };
        let result = host.run(async {
            pool.try_submit(options, host.work("task", time)).expect("a place").await
        });
        let limit = limit.unwrap_or(10 * MS);
        let expected = if is_in_time {
            Ok("task".to_owned())
        } else {
            Err(TaskError::TimedOut { limit, attempts: 1 })
        };
        assert_eq!(result, expected, "{time:?} of {limit:?}");
        assert_eq!(host.now(), time.min(limit));
        let stats = pool.stats();
        assert_eq!(
            (stats.completed, stats.timed_out),
            (u64::from(is_in_time), u64::from(!is_in_time))
        );
        assert_eq!((stats.active, host.alive.get()), (0, 0));
    };
    check(10 * MS - NS, None, true);
    check(10 * MS, None, true);
    check(10 * MS + NS, None, false);
    check(3 * MS - NS, Some(3 * MS), true);
    check(3 * MS, Some(3 * MS), true);
    check(3 * MS + NS, Some(3 * MS), false);
    check(Duration::ZERO, Some(Duration::ZERO), true);
    check(NS, Some(Duration::ZERO), false);
    check(1_000 * MS, Some(Duration::MAX), true);
}

/// The limit counts from the beginning of the try, also when its first poll takes long.
#[test]
fn limit_counts_from_the_beginning() {
    let check = |rest: Duration, is_in_time: bool| {
        let host = Host::new();
        let pool = host.pool(config(1, 1));
        let clock = host.clock.clone();
        let task = move || {
            let clock = clock.clone();
            async move {
                clock.advance(3 * MS);
                clock.sleep(rest).await;
                Ok::<(), ()>(())
            }
        };
        let limited = named("task").timeout(10 * MS);
        let result = host.run(async { pool.try_submit(limited, task).expect("a place").await });
        assert_eq!(result.is_ok(), is_in_time, "{rest:?}");
        assert_eq!(host.now(), 3 * MS + rest.min(7 * MS));
    };
    check(7 * MS - NS, true);
    check(7 * MS, true);
    check(7 * MS + NS, false);
}

/// A task that is cancelled while it is queued, runs or waits for a retry leaves at once.
#[test]
fn cancelling_at_every_stage() {
    let host = Host::new();
    let pool = host.pool(config(1, 5));
    host.run(async {
        let retry = RetryConfig {
            base: Duration::from_secs(3_600),
            delay_max: Duration::from_secs(3_600),
            ..RetryConfig::default()
        };
        let failing = named("failing").retry(retry);
        let failing = pool.try_submit(failing, host.flaky("failing", MS, 9)).expect("a place");
        let running = pool.try_submit(named("running"), host.work("running", 60_000 * MS));
        let running = running.expect("a place");
        let queued = pool.try_submit(named("queued"), host.work("queued", MS)).expect("a place");
        let last = pool.try_submit(named("last"), host.work("last", MS)).expect("a place");
        host.clock.sleep(2 * MS).await;
        let states = [&failing, &running, &queued, &last].map(Handle::state);
        assert_eq!(
            states,
            [TaskState::RetryWait, TaskState::Running, TaskState::Queued, TaskState::Queued]
        );
        assert!(queued.cancel() && failing.cancel());
        assert_eq!(host.alive.get(), 1);
        assert!(running.cancel());
        // Dropped before `cancel` returned.
        assert_eq!(host.alive.get(), 0);
        assert!(!running.cancel() && !queued.cancel() && !failing.cancel());
        assert_eq!(last.await.as_deref(), Ok("last"));
        for cancelled in [queued, failing, running] {
            assert_eq!(cancelled.state(), TaskState::Cancelled);
            assert_eq!(cancelled.await, Err(TaskError::Cancelled(CancelReason::Handle)));
        }
    });
    assert_eq!(host.logged(), ["failing#1", "running", "last"]);
    let stats = pool.stats();
    assert_eq!((stats.cancelled, stats.completed, stats.unfinished()), (3, 1, 0));
    assert_eq!(stats.retry_waiting, 0);
}

#[test]
fn a_result_is_given_once() {
    let host = Host::new();
    let pool = host.pool(config(1, 1));
    host.run(async {
        let mut handle = pool.try_submit(named("task"), host.work("task", MS)).expect("a place");
        assert_eq!((&mut handle).await.as_deref(), Ok("task"));
        assert_eq!((&mut handle).await, Err(TaskError::Taken));
        assert_eq!(handle.state(), TaskState::Done);
        assert!(!handle.cancel());
    });
}

/// A panic when a task is made, polled or dropped is recorded, and the worker lives on.
#[test]
fn panics_are_contained() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic_any("in the destructor");
        }
    }
    let host = Host::new();
    let pool = host.pool(config(1, 5));
    drop(rt::take_panics());
    host.run(async {
        let made = pool.try_submit(named("made"), || -> std::future::Ready<Result<(), ()>> {
            panic_any("when it was made")
        });
        assert_eq!(made.expect("a place").await, Err(TaskError::Panicked { attempts: 1 }));
        let clock = host.clock.clone();
        let polled = pool.try_submit(named("polled").retry(RetryConfig::default()), move || {
            let clock = clock.clone();
            async move {
                clock.sleep(MS).await;
                if true {
                    panic_any("when it was polled");
                }
                Ok::<(), ()>(())
            }
        });
        assert_eq!(polled.expect("a place").await, Err(TaskError::Panicked { attempts: 1 }));
        let dropped = |limit: Duration| {
            let bomb = move || async {
                let _grenade = Grenade;
                std::future::pending::<Result<(), ()>>().await
            };
            pool.try_submit(named("dropped").timeout(limit), bomb).expect("a place")
        };
        let cancelled = dropped(Duration::MAX);
        host.settle().await;
        assert!(cancelled.cancel());
        assert_eq!(cancelled.await, Err(TaskError::Cancelled(CancelReason::Handle)));
        let timed_out = dropped(MS).await;
        assert_eq!(timed_out, Err(TaskError::TimedOut { limit: MS, attempts: 1 }));
        let after = pool.try_submit(named("after"), host.work("after", MS)).expect("a place");
        assert_eq!(after.await.as_deref(), Ok("after"));
    });
    let panics: Vec<_> = rt::take_panics().into_iter().map(|p| (p.task, p.message)).collect();
    let text = |task: &str, message: &str| (task.to_owned(), message.to_owned());
    assert_eq!(
        panics,
        [
            text("made", "when it was made"),
            text("polled", "when it was polled"),
            text("a task's destructor", "in the destructor"),
            text("dropped", "in the destructor"),
        ]
    );
    let stats = pool.stats();
    assert_eq!((stats.failed, stats.panicked, stats.cancelled, stats.timed_out), (2, 2, 1, 1));
    assert_eq!((stats.completed, stats.active), (1, 0));
}

/// Tasks that meddle with their own pool while they are polled.
#[test]
fn tasks_may_use_their_pool() {
    let host = Host::new();
    let pool = host.pool(config(1, 5));
    let own: Rc<RefCell<Option<Handle<(), ()>>>> = Rc::default();
    host.run(async {
        let (inner, work) = (pool.clone(), RefCell::new(Some(host.work("child", MS))));
        let parent = pool.try_submit(named("parent"), move || {
            let child = inner.try_submit(named("child"), work.take().expect("it runs once"));
            std::future::ready(child)
        });
        let child = parent.expect("a place").await.expect("it succeeds");
        assert_eq!(child.await.as_deref(), Ok("child"));

        let mine = Rc::clone(&own);
        let suicide = pool.try_submit(named("suicide"), move || {
            let mine = Rc::clone(&mine);
            async move {
                let handle = mine.take().expect("it was put there");
                assert!(handle.cancel());
                assert_eq!(handle.state(), TaskState::Cancelled);
                std::future::pending().await
            }
        });
        *own.borrow_mut() = Some(suicide.expect("a place"));
        host.settle().await;
        let after = pool.try_submit(named("after"), host.work("after", MS)).expect("a place");
        assert_eq!(after.await.as_deref(), Ok("after"));
    });
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.cancelled, stats.unfinished()), (3, 1, 0));
}

/// `workers + queue_max` submissions find a place, and no more.
#[test]
fn places_are_counted() {
    let check = |workers: u32, queue_max: u32| {
        let host = Host::new();
        let pool = host.pool(config(workers, queue_max));
        let places = u64::from(workers + queue_max);
        host.run(async {
            let submit = || pool.try_submit(named("task"), host.work("task", MS));
            let mut handles: Vec<_> = (0..places).map(|_| submit().expect("a place")).collect();
            let full = Err(Refusal::QueueFull { unfinished_max: places });
            assert_eq!(submit().map(drop), full);
            host.settle().await;
            assert_eq!(submit().map(drop), full);
            handles.pop().expect("one at least").cancel();
            handles.push(submit().expect("the cancelled one's place"));
            assert_eq!(submit().map(drop), full);
            host.clock.sleep(MS).await;
            host.settle().await;
            let ended = u64::from(workers).min(places);
            assert_eq!(pool.stats().completed, ended);
            handles.extend((0..ended).map(|_| submit().expect("an ended one's place")));
            assert_eq!(submit().map(drop), full);
        });
        assert_eq!(pool.stats().refused, 4);
        assert_eq!(host.alive_max.get(), workers as usize);
    };
    check(1, 0);
    check(1, 1);
    check(3, 0);
    check(3, 4);
}

/// A submitter that goes away with a place that it was given gives it to the next.
#[test]
fn a_place_that_is_not_used_is_given_on() {
    let host = Host::new();
    let pool = host.pool(PoolConfig { policy: QueuePolicy::Wait, ..config(1, 0) });
    host.run(async {
        let running = pool.submit(named("running"), host.work("running", 60_000 * MS)).await;
        let running = running.expect("a place");
        let mut first = Box::pin(pool.submit(named("first"), host.work("first", MS)));
        let mut second = Box::pin(pool.submit(named("second"), host.work("second", MS)));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        assert!(running.cancel());
        // It is the first one's now: nobody overtakes.
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        let late = pool.try_submit(named("late"), host.work("late", MS)).map(drop);
        assert_eq!(late, Err(Refusal::QueueFull { unfinished_max: 1 }));
        drop(first);
        let second = second.await.expect("a place");
        assert_eq!(second.await.as_deref(), Ok("second"));
        let after = pool.submit(named("after"), host.work("after", MS)).await.expect("a place");
        assert_eq!(after.await.as_deref(), Ok("after"));
    });
    let stats = pool.stats();
    assert_eq!((stats.submitted, stats.submitters_waiting, stats.refused), (3, 0, 1));
}

/// A task that is ready at once gives others their turn all the same.
#[test]
fn others_get_their_turn() {
    let host = Host::new();
    let pool = host.pool(config(1, 10_000));
    host.run(async {
        let submit = |name: &'static str| {
            let host = host.clone();
            pool.try_submit(named(name), move || {
                host.note(name);
                std::future::ready(Ok::<(), ()>(()))
            })
        };
        let handles: Vec<_> = (0..1_000).map(|_| submit("task").expect("a place")).collect();
        let other = host.clone();
        let other = rt::spawn("other", async move { other.note("other") });
        other.await.expect("no panic");
        for handle in handles {
            handle.await.expect("it succeeds");
        }
    });
    let place = host.logged().iter().position(|name| name == "other").expect("it ran");
    assert!(place <= 64, "after {place} tasks");
}

/// A pool and its handles leave nothing behind, however they go.
#[test]
fn nothing_leaks() {
    let host = Host::new();
    let pool = host.pool(config(2, 5));
    let core = Rc::downgrade(pool.core());
    host.run(async {
        let done = pool.try_submit(named("done"), host.work("done", MS)).expect("a place");
        let detached = pool.try_submit(named("detached"), host.work("detached", 2 * MS));
        drop(detached.expect("a place"));
        host.clock.sleep(3 * MS).await;
        assert_eq!(pool.stats().completed, 2);
        assert_eq!(done.state(), TaskState::Done);
        drop(done);
        assert_eq!(core.upgrade().map(|core| core.state.borrow().free.len()), Some(2));
        let running = pool.try_submit(named("running"), host.work("running", MS)).expect("a place");
        host.settle().await;
        drop(pool);
        assert_eq!(host.alive.get(), 0);
        assert_eq!(running.await, Err(TaskError::Cancelled(CancelReason::PoolDropped)));
        host.settle().await;
        assert!(core.upgrade().is_none());
    });
}
