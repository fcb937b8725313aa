//! The account and the health rules.

use super::*;

#[test]
fn health_rules_at_their_edges() {
    let check = |stats: PoolStats, expected: &[PoolProblem]| {
        assert_eq!(stats.problems(), expected, "{stats:?}");
        assert_eq!(stats.is_healthy(), expected.is_empty());
    };
    let base = PoolStats { workers: 3, active: 2, idle: 1, ..PoolStats::default() };
    check(base.clone(), &[]);
    check(PoolStats { queued: 30, ..base.clone() }, &[]);
    check(PoolStats { queued: 31, ..base.clone() }, &[PoolProblem::QueueTooLong]);
    check(PoolStats { active: 3, idle: 0, ..base.clone() }, &[]);
    check(PoolStats { active: 3, idle: 0, queued: 1, ..base.clone() }, &[PoolProblem::Saturated]);
    let ended = |completed, failed, timed_out| PoolStats {
        completed,
        failed,
        timed_out,
        cancelled: 1_000,
        ..base.clone()
    };
    check(ended(0, 99, 0), &[]);
    check(ended(0, 99, 1), &[PoolProblem::TooManyFailures]);
    check(ended(90, 5, 5), &[]);
    check(ended(90, 6, 5), &[PoolProblem::TooManyFailures]);
    check(ended(89, 6, 5), &[PoolProblem::TooManyFailures]);
}

#[test]
fn utilisation_and_times() {
    let host = Host::new();
    let pool = host.pool(config(2, 10));
    host.run(async {
        assert_eq!(pool.stats().utilisation, 0.0);
        let tasks = [("a", 40), ("b", 10), ("c", 20)];
        let handles = tasks.map(|(name, ms)| {
            pool.try_submit(named(name), host.work(name, ms * MS)).expect("a place")
        });
        host.clock.sleep(20 * MS).await;
        // Running tasks count up to now: 20 + 10 + 10 ms of 2 · 20 ms.
        let stats = pool.stats();
        assert_eq!((stats.busy_time, stats.utilisation), (40 * MS, 1.0));
        assert_eq!((stats.active, stats.idle, stats.queued, stats.completed), (2, 0, 0, 1));
        for handle in handles {
            handle.await.expect("it succeeds");
        }
        host.clock.sleep(60 * MS).await;
    });
    let stats = pool.stats();
    assert_eq!(stats.busy_time, 70 * MS);
    assert!((stats.utilisation - 0.35).abs() < 1e-9, "{}", stats.utilisation);
    assert_eq!((stats.queue_high_water, stats.active_high_water), (3, 2));
    assert_eq!((stats.submitted, stats.completed, stats.ended()), (3, 3, 3));
    let close = |time: Duration, expected: Duration| {
        let error = time.abs_diff(expected).as_secs_f64();
        assert!(error <= 0.01 * expected.as_secs_f64(), "{time:?} is not {expected:?}");
    };
    assert_eq!((stats.run.count, stats.wait.count), (3, 3));
    close(stats.run.p50, 20 * MS);
    close(stats.run.p95, 40 * MS);
    close(stats.run.p99, 40 * MS);
    close(stats.run.max, 40 * MS);
    close(stats.wait.p50, Duration::ZERO);
    close(stats.wait.max, 10 * MS);
}

/// Longer than the histogram's range is the longest, not an error.
#[test]
fn times_beyond_the_range() {
    let host = Host::new();
    let pool = host.pool(config(1, 1));
    let day = Duration::from_secs(86_400);
    host.run(async {
        let task = pool.try_submit(named("t"), host.work("t", 400 * day)).expect("a place");
        task.await.expect("it succeeds");
    });
    let run = pool.stats().run;
    assert!(run.count == 1 && run.max >= day && run.max < 2 * day, "{run:?}");
}
