//! The load curve of one simulated cluster: the pattern over day and week that all its producers
//! follow, and surges on top of it.
//!
//! Invariants:
//! - Everything is a pure function of its arguments in whole parts per million.

use std::time::Duration;

use crate::domain::units::UnixMillis;
use crate::sim::time::SimTime;
use crate::workload::{Pattern, times_ppm};

/// A while in which the load is a multiple of what the pattern says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surge {
    /// When it begins, from the start of the run.
    pub from: SimTime,
    /// How long it lasts.
    pub lasts: Duration,
    /// What the load is multiplied by, in parts per million.
    pub factor_ppm: u64,
}

/// The load curve of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadCurve {
    /// Local time is UTC plus this many minutes.
    pub utc_offset_minutes: i32,
    /// Over day and week.
    pub pattern: Pattern,
    /// On top of it; those in force at once multiply each other.
    pub surges: Vec<Surge>,
}

impl LoadCurve {
    /// Always exactly 1, for experiments that need a constant load.
    pub fn flat() -> Self {
        Self { pattern: Pattern::Flat, ..Self::default() }
    }

    /// Load relative to the base rate at `wall`, which is `at` in the run, in parts per million.
    pub fn at_ppm(&self, wall: UnixMillis, at: SimTime) -> u64 {
        let usual = self.pattern.at_ppm(wall, self.utc_offset_minutes);
        let in_force = |surge: &&Surge| surge.from <= at && at < surge.from + surge.lasts;
        let surges = self.surges.iter().filter(in_force);
        surges.fold(usual, |load, surge| times_ppm(load, surge.factor_ppm))
    }

    /// Instants at which the load changes besides full hours: begins and ends of surges.
    pub fn turns(&self) -> impl Iterator<Item = SimTime> {
        self.surges.iter().flat_map(|surge| [surge.from, surge.from + surge.lasts])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-05 is a Monday.
    const MONDAY: i64 = 1_767_571_200_000;

    #[test]
    fn surges_multiply_from_begin_to_end() {
        let surge = |from: u64, secs: u64, factor_ppm: u64| Surge {
            from: SimTime::from_secs(from),
            lasts: Duration::from_secs(secs),
            factor_ppm,
        };
        let surges = vec![surge(60, 120, 3_000_000), surge(120, 10, 500_000)];
        let curve = LoadCurve { surges, ..LoadCurve::flat() };
        let check = |at: u64, expected: u64| {
            let load = curve.at_ppm(UnixMillis(MONDAY), SimTime::from_secs(at));
            assert_eq!(load, expected, "at {at} s");
        };
        check(59, 1_000_000);
        check(60, 3_000_000);
        check(120, 1_500_000);
        check(130, 3_000_000);
        check(180, 1_000_000);
        let turns: Vec<SimTime> = curve.turns().collect();
        assert_eq!(turns, [60, 180, 120, 130].map(SimTime::from_secs));
    }
}
