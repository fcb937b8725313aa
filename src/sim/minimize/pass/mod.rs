//! What a search tries: one kind of smaller scenario per file, boldest first.
//!
//! Invariant: a pass ends when none of its candidates is taken; since every candidate that is taken
//! weighs less, it does.

use super::search::{Search, Stopped};
use crate::config::quantity::DurationText;
use crate::sim::scenario::Scenario;

mod duration;
mod faults;
pub mod parameters;
pub mod settings;
mod times;
mod topology;

/// One kind of smaller scenario.
type Pass = fn(&mut Search<'_>) -> Result<(), Stopped>;

/// All passes by name, in the order in which they save the most time.
const PASSES: &[(&str, Pass)] = &[
    ("faults", faults::drop_faults),
    ("topology", topology::shrink),
    ("settings", settings::reset),
    ("duration", duration::shorten),
    ("parameters", parameters::simplify),
    ("times", times::tighten),
];

/// Every pass, again and again, until none finds anything.
///
/// # Errors
/// [`Stopped`]
pub fn all(search: &mut Search<'_>) -> Result<(), Stopped> {
    loop {
        let before = search.weight().clone();
        for (name, pass) in PASSES {
            search.enter(name);
            pass(search)?;
        }
        if *search.weight() == before {
            return Ok(());
        }
    }
}

/// Whole times that people use, in seconds.
const ROUND: &[u64] =
    &[1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1_800, 3_600];

/// Rounder times below `time`, the shortest first; none below a second.
fn rounder(time: DurationText) -> Vec<DurationText> {
    let millis = time.as_millis();
    let below = |limit: u64| ROUND.iter().rev().map(|s| s * 1_000).find(|round| *round <= limit);
    let parts = [1_000, millis / 4, millis / 2, millis / 4 * 3, millis / 8 * 7];
    let down = |unit: u64| millis / unit * unit;
    let units = [60_000, 30_000, 10_000, 5_000, 1_000].map(down);
    let mut times: Vec<u64> = parts.into_iter().filter_map(below).chain(units).collect();
    times.retain(|round| (1_000..millis).contains(round));
    times.sort_unstable();
    times.dedup();
    times.into_iter().map(DurationText::from_millis).collect()
}

/// The least duration, in whole tens of seconds, at which `scenario` can converge.
fn least_duration(scenario: &Scenario) -> DurationText {
    let least = scenario.heal() + scenario.settle_time();
    DurationText::from_secs(least.as_millis().div_ceil(10_000) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_times_are_below_and_whole() {
        let check = |millis: u64, expected: &[u64]| {
            let times = rounder(DurationText::from_millis(millis));
            let seconds: Vec<u64> = times.iter().map(|time| time.as_millis() / 1_000).collect();
            assert_eq!(seconds, expected, "{millis}");
            assert!(times.iter().all(|time| time.as_millis() % 1_000 == 0));
        };
        check(0, &[]);
        check(1_000, &[]);
        check(1_001, &[1]);
        check(2_000, &[1]);
        check(10_000, &[1, 2, 5]);
        check(300_000, &[1, 60, 120, 180, 240]);
        check(137_412, &[1, 30, 60, 90, 120, 130, 135, 137]);
        check(600_000, &[1, 120, 300, 420]);
    }
}
