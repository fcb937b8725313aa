//! How busy producers are: the daily and weekly curve that every producer of a fleet follows
//! ("business hours" and "weekly"), and seeded noise around it.
//!
//! Invariants:
//! - Everything is a pure function of its arguments in whole parts per million, so two machines
//!   and any number of calls give the same counts.
//!
//! Not modelled: the seasonal pattern (months), holidays, daylight saving (a fixed UTC offset
//! stands for the time zone).

use crate::domain::units::UnixMillis;

/// One, in parts per million.
pub const ONE_PPM: u64 = 1_000_000;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The load curve of one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadCurve {
    /// Local time is UTC plus this many minutes.
    pub utc_offset_minutes: i32,
    /// `true`: always exactly 1, for experiments that need a constant load.
    pub flat: bool,
}

impl LoadCurve {
    /// Load at `at` relative to the base rate, in parts per million.
    ///
    /// Business hours (hours 9 to 17, both included) give `1.5 − 0.5·|h − 13|/4`, the night
    /// (before 6, after 22) 0.1, the rest 0.7, weekends 0.3 of that; times the weekday's factor
    /// (Mon 1.3, Tue–Thu 1.1, Fri 0.9, Sat and Sun 0.5).
    pub fn at_ppm(self, at: UnixMillis) -> u64 {
        if self.flat {
            return ONE_PPM;
        }
        let local_ms = at.0.saturating_add(i64::from(self.utc_offset_minutes) * 60_000);
        let hour = local_ms.rem_euclid(DAY_MS) / HOUR_MS;
        // 1970-01-01 was a Thursday; 0 is Monday.
        let weekday = (local_ms.div_euclid(DAY_MS) + 3).rem_euclid(7);
        let business = match hour {
            9..=17 => 1_500_000 - 125_000 * hour.abs_diff(13),
            0..6 | 23 => 100_000,
            _ => 700_000,
        };
        let (weekend, weekly) = match weekday {
            0 => (1_000_000, 1_300_000),
            1..=3 => (1_000_000, 1_100_000),
            4 => (1_000_000, 900_000),
            _ => (300_000, 500_000),
        };
        business * weekend / ONE_PPM * weekly / ONE_PPM
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
    fn curve_follows_the_specification() {
        let check = |day: i64, hour: i64, offset: i32, expected: u64| {
            let curve = LoadCurve { utc_offset_minutes: offset, flat: false };
            let at = UnixMillis(MONDAY + day * DAY_MS + hour * HOUR_MS + 1);
            assert_eq!(curve.at_ppm(at), expected, "day {day} hour {hour} offset {offset}");
        };
        check(0, 13, 0, 1_950_000);
        check(0, 9, 0, 1_300_000);
        check(0, 17, 0, 1_300_000);
        check(1, 18, 0, 770_000);
        check(2, 5, 0, 110_000);
        check(2, 6, 0, 770_000);
        check(3, 23, 0, 110_000);
        check(4, 13, 0, 1_350_000);
        check(5, 13, 0, 225_000);
        check(6, 3, 0, 15_000);
        check(0, 12, 60, 1_950_000);
        check(0, 0, -60, 15_000);
        let flat = LoadCurve { utc_offset_minutes: 0, flat: true };
        assert_eq!(flat.at_ppm(UnixMillis(MONDAY)), ONE_PPM);
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
