//! Units and instants, as types.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

/// Numbers below this are seconds: as milliseconds they would lie before March 1973.
const SECONDS_BELOW: i64 = 100_000_000_000;

impl UnixMillis {
    /// Signed distance `self − earlier`, in milliseconds.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant moved by `millis` (negative: into the past).
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This instant moved by the whole milliseconds of `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_millis(whole_millis(duration).try_into().unwrap_or(i64::MAX))
    }

    /// An instant that a source gave in seconds or milliseconds: below 10¹¹ it is seconds.
    #[must_use]
    pub fn from_seconds_or_millis(number: i64) -> Self {
        if (-SECONDS_BELOW + 1..SECONDS_BELOW).contains(&number) {
            Self(number * 1_000)
        } else {
            Self(number)
        }
    }
}

/// `duration` in whole milliseconds, rounded down.
pub fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Shortest and longest window that a set of rates was measured over, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Shortest.
    pub min_ms: i64,
    /// Longest.
    pub max_ms: i64,
}

impl Window {
    /// The window of one rate.
    pub fn of(window_ms: i64) -> Self {
        Self { min_ms: window_ms, max_ms: window_ms }
    }

    /// The window of rates from both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { min_ms: self.min_ms.min(other.min_ms), max_ms: self.max_ms.max(other.max_ms) }
    }

    /// The window of rates from both sets, either of which may have none.
    pub fn union(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        }
    }

    /// The window when all rates share one.
    pub fn exact_ms(self) -> Option<i64> {
        (self.min_ms == self.max_ms).then_some(self.min_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_milliseconds() {
        let cases = [
            (1_700_000_000, 1_700_000_000_000),
            (1_700_000_000_000, 1_700_000_000_000),
            (99_999_999_999, 99_999_999_999_000),
            (100_000_000_000, 100_000_000_000),
            (0, 0),
            (-99_999_999_999, -99_999_999_999_000),
            (-100_000_000_000, -100_000_000_000),
            (i64::MIN, i64::MIN),
            (i64::MAX, i64::MAX),
        ];
        for (number, expected) in cases {
            assert_eq!(UnixMillis::from_seconds_or_millis(number), UnixMillis(expected));
        }
    }

    #[test]
    fn durations_count_in_whole_milliseconds() {
        let check = |duration, expected| {
            assert_eq!(whole_millis(duration), expected);
            let moved = UnixMillis(5).plus(duration);
            assert_eq!(
                moved.0,
                i64::try_from(expected).map_or(i64::MAX, |ms| ms.saturating_add(5))
            );
        };
        check(Duration::ZERO, 0);
        check(Duration::from_micros(1_999), 1);
        check(Duration::MAX, u64::MAX);
    }

    #[test]
    fn windows_unite() {
        let (short, long) = (Window::of(15_000), Window::of(15_010));
        assert_eq!(short.exact_ms(), Some(15_000));
        assert_eq!(short.and(long).exact_ms(), None);
        assert_eq!(Window::union(Some(long), Some(short)), Some(short.and(long)));
        assert_eq!(Window::union(None, Some(short)), Some(short));
        assert_eq!(Window::union(None, None), None);
    }
}
