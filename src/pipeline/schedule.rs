//! When cycles start: at multiples of the interval on the wall clock, one at a time. Pure.
//!
//! Invariants:
//! - A start is never early, and never twice for the same multiple.
//! - A cycle that is still running at a start makes that start skipped; one that ends exactly at a
//!   start does not.
//! - The wall clock decides where the starts are, the monotonic clock how many passed: a corrected
//!   wall clock moves the starts and skips none.

use crate::domain::units::UnixMillis;

/// The starts of one pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    interval_ms: i64,
}

impl Schedule {
    /// Starts every `interval_ms` (at least 1).
    pub fn new(interval_ms: u64) -> Self {
        Self { interval_ms: i64::try_from(interval_ms).unwrap_or(i64::MAX).max(1) }
    }

    /// Number of the interval that `wall` lies in; its start is `slot × interval`.
    fn slot(self, wall: UnixMillis) -> i64 {
        wall.0.div_euclid(self.interval_ms)
    }

    /// How far `wall` is past the start of its interval, in milliseconds.
    fn late_ms(self, wall: UnixMillis) -> i64 {
        wall.0.rem_euclid(self.interval_ms)
    }

    /// The next start at or after `wall`, after a cycle that started at `last` (if any).
    pub fn next(self, wall: UnixMillis, last: Option<UnixMillis>) -> UnixMillis {
        let used = last.is_some_and(|last| self.slot(last) == self.slot(wall));
        if self.late_ms(wall) == 0 && !used {
            return wall;
        }
        wall.plus_millis(self.interval_ms - self.late_ms(wall))
    }

    /// How long to sleep at `wall` before starting at `start`; `None` when it is time. A clock
    /// that was set back by more than an interval makes the old `start` void: it is time, too, to
    /// ask for a new one.
    pub fn wait_ms(self, wall: UnixMillis, start: UnixMillis) -> Wait {
        match start.millis_since(wall) {
            wait if wait > self.interval_ms => Wait::Replan,
            wait if wait > 0 => Wait::Sleep(wait.unsigned_abs()),
            _ => Wait::Start,
        }
    }

    /// Starts that passed while a cycle ran for `elapsed_ms` that began at `began`.
    pub fn skipped(self, began: UnixMillis, elapsed_ms: u64) -> u64 {
        let since_slot = self.late_ms(began).unsigned_abs().saturating_add(elapsed_ms);
        since_slot.div_ceil(self.interval_ms.unsigned_abs()).saturating_sub(1)
    }
}

/// What to do before a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It is time.
    Start,
    /// Sleep for these milliseconds, then ask again.
    Sleep(u64),
    /// The clock was set back: plan anew.
    Replan,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_multiples_of_the_interval() {
        let schedule = Schedule::new(15_000);
        let cases = [
            (0, None, 0),
            (1, None, 15_000),
            (14_999, None, 15_000),
            (15_000, None, 15_000),
            // A cycle that took no time does not run twice.
            (15_000, Some(15_000), 30_000),
            (15_400, Some(15_000), 30_000),
            // One that ended exactly at the next start goes on at once.
            (30_000, Some(15_000), 30_000),
            // A late start belongs to its interval.
            (15_000, Some(15_003), 30_000),
            // The clock was set back.
            (2_000, Some(45_000), 15_000),
            (-1, None, 0),
        ];
        for (wall, last, expected) in cases {
            let next = schedule.next(UnixMillis(wall), last.map(UnixMillis));
            assert_eq!(next, UnixMillis(expected), "{wall} after {last:?}");
        }
    }

    #[test]
    fn waiting_survives_early_and_late_timers_and_set_clocks() {
        let schedule = Schedule::new(15_000);
        let cases = [
            (0, Wait::Sleep(15_000)),
            (14_999, Wait::Sleep(1)),
            (15_000, Wait::Start),
            (15_003, Wait::Start),
            (-1, Wait::Replan),
        ];
        for (wall, expected) in cases {
            assert_eq!(schedule.wait_ms(UnixMillis(wall), UnixMillis(15_000)), expected, "{wall}");
        }
    }

    #[test]
    fn skipped_starts_are_those_within_the_cycle() {
        let schedule = Schedule::new(15_000);
        let cases = [
            (0, 0, 0),
            (0, 14_999, 0),
            (0, 15_000, 0),
            (0, 15_001, 1),
            (0, 30_000, 1),
            (0, 30_001, 2),
            (3, 14_998, 1),
            (3, 14_997, 0),
        ];
        for (began, elapsed, expected) in cases {
            assert_eq!(schedule.skipped(UnixMillis(began), elapsed), expected, "{began} {elapsed}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_multiple_is_started_or_skipped(
            interval in 1_u64..10_000, began in 0_i64..1_000_000, elapsed in 0_u64..100_000,
        ) {
            let schedule = Schedule::new(interval);
            let began = UnixMillis(began);
            let ended = began.plus_millis(i64::try_from(elapsed).expect("small"));
            let next = schedule.next(ended, Some(began));
            let slots = schedule.slot(next) - schedule.slot(began);
            let skipped = i64::try_from(schedule.skipped(began, elapsed)).expect("small");
            proptest::prop_assert!(next >= ended && schedule.late_ms(next) == 0);
            proptest::prop_assert_eq!(slots, skipped + 1);
        }
    }
}
