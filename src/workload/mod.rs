//! How busy producers are over day and week, the seeded noise around it, and what a broker's gauges
//! say of its load. Pure; the fleets of the simulation and the stand-ins of the hybrid mode follow
//! the same formulas.
//!
//! Invariants:
//! - Everything is a pure function of its arguments; loads are whole parts per million, so two
//!   machines and any number of calls give the same counts.
//!
//! Not modelled: the seasonal pattern (months), holidays (a surge stands for them), daylight saving
//! (a fixed UTC offset stands for the time zone).

pub mod gauge;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::units::UnixMillis;

/// One, in parts per million.
pub const ONE_PPM: u64 = 1_000_000;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How the load changes over day and week; 1 is the base rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Business hours times weekday: what an office's systems see.
    #[default]
    BusinessWeek,
    /// Hours 9 to 17 (both included) 1.5 at 13 falling to 1.0, before 6 and after 22 0.1, else 0.7;
    /// on weekends 0.3 of that.
    BusinessHours,
    /// By weekday alone: Monday 1.3, Tuesday to Thursday 1.1, Friday 0.9, Saturday and Sunday 0.5.
    Weekly,
    /// Batch work: before 6 and after 22 1.5, hours 9 to 17 0.1, else 0.7.
    Night,
    /// Always 1.
    Flat,
}

impl Pattern {
    /// Load relative to the base rate at `wall`, in parts per million; local time is UTC plus
    /// `utc_offset_minutes`.
    pub fn at_ppm(self, wall: UnixMillis, utc_offset_minutes: i32) -> u64 {
        let local_ms = wall.0.saturating_add(i64::from(utc_offset_minutes) * 60_000);
        let hour = local_ms.rem_euclid(DAY_MS) / HOUR_MS;
        // 1970-01-01 was a Thursday; 0 is Monday.
        let weekday = (local_ms.div_euclid(DAY_MS) + 3).rem_euclid(7);
        let (day, week) = (business_ppm(hour, weekday), weekday_ppm(weekday));
        match self {
            Self::BusinessWeek => times_ppm(day, week),
            Self::BusinessHours => day,
            Self::Weekly => week,
            Self::Night => night_ppm(hour),
            Self::Flat => ONE_PPM,
        }
    }
}

/// A load times a factor, both in parts per million.
pub fn times_ppm(load: u64, factor: u64) -> u64 {
    let product = u128::from(load) * u128::from(factor) / u128::from(ONE_PPM);
    u64::try_from(product).unwrap_or(u64::MAX)
}

fn business_ppm(hour: i64, weekday: i64) -> u64 {
    let day = match hour {
        9..=17 => 1_500_000 - 125_000 * hour.abs_diff(13),
        0..6 | 23 => 100_000,
        _ => 700_000,
    };
    if weekday < 5 { day } else { times_ppm(day, 300_000) }
}

fn weekday_ppm(weekday: i64) -> u64 {
    match weekday {
        0 => 1_300_000,
        1..=3 => 1_100_000,
        4 => 900_000,
        _ => 500_000,
    }
}

fn night_ppm(hour: i64) -> u64 {
    match hour {
        0..6 | 23 => 1_500_000,
        9..=17 => 100_000,
        _ => 700_000,
    }
}

/// A well-mixed 64-bit hash of a seed and two coordinates (SplitMix64's finaliser).
pub fn mix(seed: u64, a: u64, b: u64) -> u64 {
    let mut x = seed
        .wrapping_add(a.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(b.wrapping_mul(0xD1B5_4A32_D192_ED03));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Uniform noise of ±`amplitude_ppm` around one, in parts per million.
pub fn noise_ppm(hash: u64, amplitude_ppm: u64) -> u64 {
    let span = 2 * amplitude_ppm.min(ONE_PPM) + 1;
    let draw = (u128::from(hash) * u128::from(span)) >> 64;
    ONE_PPM - amplitude_ppm.min(ONE_PPM) + u64::try_from(draw).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-05 is a Monday.
    const MONDAY: i64 = 1_767_571_200_000;

    #[test]
    fn patterns_follow_the_specification() {
        let check = |pattern: Pattern, day: i64, hour: i64, offset: i32, expected: u64| {
            let wall = UnixMillis(MONDAY + day * DAY_MS + hour * HOUR_MS + 1);
            let load = pattern.at_ppm(wall, offset);
            assert_eq!(load, expected, "{pattern:?} day {day} hour {hour} offset {offset}");
        };
        let usual = Pattern::BusinessWeek;
        check(usual, 0, 13, 0, 1_950_000);
        check(usual, 0, 9, 0, 1_300_000);
        check(usual, 0, 17, 0, 1_300_000);
        check(usual, 1, 18, 0, 770_000);
        check(usual, 2, 5, 0, 110_000);
        check(usual, 2, 6, 0, 770_000);
        check(usual, 3, 23, 0, 110_000);
        check(usual, 4, 13, 0, 1_350_000);
        check(usual, 5, 13, 0, 225_000);
        check(usual, 6, 3, 0, 15_000);
        check(usual, 0, 12, 60, 1_950_000);
        check(usual, 0, 0, -60, 15_000);
        check(Pattern::BusinessHours, 0, 13, 0, 1_500_000);
        check(Pattern::BusinessHours, 4, 10, 0, 1_125_000);
        check(Pattern::BusinessHours, 6, 13, 0, 450_000);
        check(Pattern::Weekly, 0, 3, 0, 1_300_000);
        check(Pattern::Weekly, 6, 23, 60, 1_300_000);
        check(Pattern::Night, 2, 3, 0, 1_500_000);
        check(Pattern::Night, 2, 13, 0, 100_000);
        check(Pattern::Night, 5, 22, 0, 700_000);
        check(Pattern::Flat, 5, 3, 0, ONE_PPM);
    }

    #[test]
    fn noise_stays_within_its_amplitude() {
        for i in 0..10_000 {
            let value = noise_ppm(mix(7, i, 1), 50_000);
            assert!((950_000..=1_050_000).contains(&value), "{value}");
        }
        assert_ne!(mix(1, 2, 3), mix(1, 3, 2));
    }
}
