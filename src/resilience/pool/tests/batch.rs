//! Batches.

use super::*;
use crate::rt;

type Outcome = Result<String, TaskError<String>>;

fn fails_at(
    host: &Host,
    name: &'static str,
    time: Duration,
    is_good: bool,
) -> (TaskOptions, impl FnMut() -> Doing + 'static + use<>) {
    (named(name), host.flaky(name, time, if is_good { 0 } else { 9 }))
}

/// Results come in order of input, whatever the order of ending.
#[test]
fn settle_all_gives_every_result_in_order() {
    let check = |workers: u32| {
        let host = Host::new();
        let pool = host.pool(config(workers, 10));
        let results = host.run(async {
            let tasks = [("a", 5, true), ("b", 1, false), ("c", 3, true), ("d", 0, true)];
            let tasks = tasks.map(|(name, ms, good)| fails_at(&host, name, ms * MS, good));
            pool.submit_batch(tasks, BatchMode::SettleAll).await
        });
        let failed = TaskError::Failed { error: "b#1".to_owned(), attempts: 1 };
        let good = |name: &str| Ok(name.to_owned());
        assert_eq!(results, [good("a"), Err(failed), good("c"), good("d")]);
        assert_eq!(host.alive_max.get(), workers.min(3) as usize);
        assert_eq!(pool.core().state.borrow().free.len(), 4);
    };
    check(1);
    check(2);
    check(3);
}

#[test]
fn fail_fast_cancels_the_rest() {
    let host = Host::new();
    let pool = host.pool(config(2, 10));
    let results = host.run(async {
        let tasks = [("a", 1, true), ("b", 4, false), ("c", 50, true), ("d", 60, true)];
        let tasks = tasks.map(|(name, ms, good)| fails_at(&host, name, ms * MS, good));
        pool.submit_batch(tasks, BatchMode::FailFast).await
    });
    let cancelled = || -> Outcome { Err(TaskError::Cancelled(CancelReason::BatchFailed)) };
    let failed = TaskError::Failed { error: "b#1".to_owned(), attempts: 1 };
    assert_eq!(results, [Ok("a".to_owned()), Err(failed), cancelled(), cancelled()]);
    assert_eq!(host.now(), 4 * MS);
    assert_eq!(host.alive.get(), 0);
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.failed, stats.cancelled), (1, 1, 2));
}

#[test]
fn fail_fast_without_failure_is_settle_all() {
    let host = Host::new();
    let pool = host.pool(config(2, 10));
    let none = Vec::from(["a"].map(|name| fails_at(&host, name, MS, true))).split_off(1);
    assert_eq!(host.run(pool.submit_batch(none, BatchMode::FailFast)), []);
    let tasks = ["a", "b", "c"].map(|name| fails_at(&host, name, MS, true));
    let results = host.run(pool.submit_batch(tasks, BatchMode::FailFast));
    assert_eq!(results, ["a", "b", "c"].map(|name| Ok(name.to_owned())));
}

/// A batch longer than the pool: waits for places, or is refused what finds none.
#[test]
fn longer_than_the_queue() {
    let check = |policy: QueuePolicy, mode: BatchMode, good: usize, refused: usize, rest: usize| {
        let host = Host::new();
        let pool = host.pool(PoolConfig { policy, ..config(2, 3) });
        let results = host.run(async {
            let tasks: Vec<_> = (0..20).map(|_| fails_at(&host, "t", MS, true)).collect();
            pool.submit_batch(tasks, mode).await
        });
        let count = |wanted: fn(&Outcome) -> bool| results.iter().filter(|r| wanted(r)).count();
        assert_eq!(count(Result::is_ok), good, "{policy:?} {mode:?}");
        assert_eq!(count(|r| matches!(r, Err(TaskError::Refused(_)))), refused);
        assert_eq!(count(|r| matches!(r, Err(TaskError::Cancelled(_)))), rest);
        assert!(pool.stats().queue_high_water <= 5);
    };
    check(QueuePolicy::Wait, BatchMode::SettleAll, 20, 0, 0);
    check(QueuePolicy::Wait, BatchMode::FailFast, 20, 0, 0);
    check(QueuePolicy::Reject, BatchMode::SettleAll, 5, 15, 0);
    // The sixth is refused, which is a failure: nothing had run yet.
    check(QueuePolicy::Reject, BatchMode::FailFast, 0, 1, 19);
}

/// A failure ends the wait for places, too.
#[test]
fn fail_fast_while_waiting_for_a_place() {
    let host = Host::new();
    let pool = host.pool(PoolConfig { policy: QueuePolicy::Wait, ..config(2, 0) });
    let results = host.run(async {
        let tasks = [("long", 100, true), ("bad", 2, false), ("c", 1, true), ("d", 1, true)];
        let tasks = tasks.map(|(name, ms, good)| fails_at(&host, name, ms * MS, good));
        pool.submit_batch(tasks, BatchMode::FailFast).await
    });
    let failed = results.iter().filter(|r| matches!(r, Err(TaskError::Failed { .. }))).count();
    let rest = results.iter().filter(|r| matches!(r, Err(TaskError::Cancelled(_)))).count();
    assert_eq!((failed, rest, results.len()), (1, 3, 4));
    assert_eq!(host.now(), 2 * MS);
    assert_eq!((pool.stats().unfinished(), pool.stats().submitters_waiting), (0, 0));
}

#[test]
fn a_dropped_batch_takes_its_tasks_along() {
    let host = Host::new();
    let pool = host.pool(config(1, 10));
    host.run(async {
        let tasks = ["a", "b", "c"].map(|name| fails_at(&host, name, 10 * MS, true));
        let batch = pool.submit_batch(tasks, BatchMode::SettleAll);
        assert_eq!(rt::race(batch, host.clock.sleep(15 * MS)).await, rt::Race::Second(()));
        assert_eq!(host.alive.get(), 0);
    });
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.cancelled, stats.unfinished()), (1, 2, 0));
    assert_eq!(pool.core().state.borrow().free.len(), 3);
}
