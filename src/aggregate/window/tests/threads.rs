//! Windows between threads: under shuttle's schedules, and on real threads.
//!
//! The result of threads that share windows is that of one thread that does everything.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

use super::*;

const SCHEDULES: usize = 300;
const NOW: i64 = SIZE + 20_000;

/// What thread `number` of several says: the same entities as the others, with copies.
fn sayings(number: u64, count: u64) -> Vec<Said> {
    let one = |index: u64| {
        let at_ms = (index * 7_919 % 120) as i64 * 1_000;
        let name = ((index + number) % 3).to_string();
        let value = (index * 31 + number) as f64 / 7.0;
        let said = Said::new(EntityKind::Broker, &name, at_ms, &[(M::BROKER_CPU_USAGE, value)]);
        // One in five is said by every thread alike.
        let common = index.is_multiple_of(5);
        let said = Said { source: if common { 99 } else { number }, ..said };
        if !common {
            return said;
        }
        let name = (index % 3).to_string();
        let metrics = [(M::BROKER_CPU_USAGE, index as f64)];
        Said { source: 99, ..Said::new(EntityKind::Broker, &name, at_ms, &metrics) }
    };
    (0..count).map(one).collect()
}

fn serially(threads: u64, count: u64, groups_max: usize) -> (Vec<ClosedWindow>, WindowStats) {
    let windows = Windows::new(config(groups_max), NonZeroUsize::MIN);
    for said in (0..threads).flat_map(|number| sayings(number, count)) {
        observe(&windows, &said, NOW);
    }
    let mut closed = windows.advance(at(NOW));
    closed.extend(windows.shut_down());
    (closed, windows.stats())
}

#[test]
fn concurrent_windows_equal_serial_ones_on_every_schedule() {
    for groups_max in [1, 10] {
        let expected = serially(3, 6, groups_max);
        assert!(expected.1.duplicate > 0 && expected.1.counted > 10, "{:?}", expected.1);
        let ran = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ran);
        let scenario = move || {
            count.fetch_add(1, Ordering::Relaxed);
            let shards = NonZeroUsize::new(2).expect("not zero");
            let windows = checked::Windows::new(config(groups_max), shards);
            let windows = shuttle::sync::Arc::new(windows);
            let threads: Vec<_> = (0..3)
                .map(|number| {
                    let windows = shuttle::sync::Arc::clone(&windows);
                    shuttle::thread::spawn(move || {
                        for said in sayings(number, 6) {
                            windows.observe(&said.reading(), at(NOW));
                        }
                    })
                })
                .collect();
            // Somebody who looks on must neither block the others for ever nor see halves.
            let seen = windows.stats();
            assert!(seen.offered() <= 18);
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            let mut closed = windows.advance(at(NOW));
            closed.extend(windows.shut_down());
            assert_eq!((closed, windows.stats()), expected);
        };
        let mut config = Config::new();
        config.silence_warnings = true;
        let random = RandomScheduler::new_from_seed(7, SCHEDULES);
        Runner::new(random, config.clone()).run(scenario.clone());
        Runner::new(PctScheduler::new_from_seed(7, 3, SCHEDULES), config).run(scenario);
        assert_eq!(ran.load(Ordering::Relaxed), 2 * SCHEDULES, "every schedule ran");
    }
}

#[test]
fn nothing_is_lost_while_windows_close_beside_readers() {
    let scenario = || {
        let windows = checked::Windows::new(config(1), NonZeroUsize::new(2).expect("not zero"));
        let windows = shuttle::sync::Arc::new(windows);
        let writers: Vec<_> = (0..2)
            .map(|number| {
                let windows = shuttle::sync::Arc::clone(&windows);
                shuttle::thread::spawn(move || {
                    for said in sayings(number, 5) {
                        windows.observe(&said.reading(), at(NOW));
                    }
                })
            })
            .collect();
        let mut told: u64 = windows.advance(at(NOW)).iter().map(|window| window.readings).sum();
        writers.into_iter().for_each(|thread| thread.join().expect("no panic"));
        told += windows.advance(at(NOW)).iter().map(|window| window.readings).sum::<u64>();
        told += windows.shut_down().iter().map(|window| window.readings).sum::<u64>();
        assert_eq!(told, windows.stats().counted);
        assert_eq!(windows.stats().offered(), 10);
    };
    let mut config = Config::new();
    config.silence_warnings = true;
    Runner::new(RandomScheduler::new_from_seed(11, SCHEDULES), config).run(scenario);
}

#[test]
fn real_threads_give_what_one_thread_gives() {
    let expected = serially(4, 500, 2);
    let windows = Windows::new(config(2), NonZeroUsize::new(8).expect("not zero"));
    std::thread::scope(|scope| {
        for number in 0..4 {
            let windows = &windows;
            scope.spawn(move || {
                for said in sayings(number, 500) {
                    observe(windows, &said, NOW);
                }
            });
        }
    });
    let mut closed = windows.advance(at(NOW));
    closed.extend(windows.shut_down());
    assert_eq!((closed, windows.stats()), expected);
}
