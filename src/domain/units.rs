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

/// Nanoseconds since 1970-01-01 UTC: for instants whose distance is compared with a limit exactly.
/// Wide enough that no distance of two of them that come from [`UnixMillis`] overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNanos(pub i128);

impl UnixNanos {
    /// Signed distance `self − earlier`, in nanoseconds.
    pub fn nanos_since(self, earlier: Self) -> i128 {
        self.0.saturating_sub(earlier.0)
    }

    /// Distance `self − earlier`; zero when `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = u128::try_from(self.nanos_since(earlier)).unwrap_or(0);
        let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        // The rest of a division by 10⁹ is below 2³².
        Duration::new(seconds, (nanos % 1_000_000_000) as u32)
    }

    /// The millisecond it lies in.
    pub fn whole_millis(self) -> UnixMillis {
        let millis = self.0.div_euclid(1_000_000);
        let end = if millis < 0 { i64::MIN } else { i64::MAX };
        UnixMillis(i64::try_from(millis).unwrap_or(end))
    }
}

impl From<UnixMillis> for UnixNanos {
    fn from(instant: UnixMillis) -> Self {
        Self(i128::from(instant.0) * 1_000_000)
    }
}

/// Something that is due once in each span of the wall clock: with whatever first asks in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OncePerSpan {
    every_ms: i64,
    /// The span that was last served.
    served: Option<i64>,
}

impl OncePerSpan {
    /// Due at once, then in each span between two multiples of `every`; of zero, every millisecond
    /// is a span.
    pub fn new(every: Duration) -> Self {
        let every_ms = i64::try_from(whole_millis(every)).unwrap_or(i64::MAX).max(1);
        Self { every_ms, served: None }
    }

    /// Whether it is due at `now`, whose span is then served.
    pub fn is_due(&mut self, now: UnixMillis) -> bool {
        let span = Some(now.0.div_euclid(self.every_ms));
        std::mem::replace(&mut self.served, span) != span
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
    fn each_span_is_served_once() {
        let check = |every_ms: u64, asked: &[i64], expected: &[bool]| {
            let mut spans = OncePerSpan::new(Duration::from_millis(every_ms));
            let due: Vec<bool> = asked.iter().map(|at| spans.is_due(UnixMillis(*at))).collect();
            assert_eq!(due, expected, "{every_ms} {asked:?}");
        };
        check(60, &[59, 60, 61, 119, 120, 300], &[true, true, false, false, true, true]);
        // A clock that was set back is in another span.
        check(60, &[130, 70, 70, -1], &[true, true, false, true]);
        check(0, &[5, 5, 6], &[true, false, true]);
    }

    #[test]
    fn nanoseconds_are_exact() {
        let check = |later: i128, earlier: i128, nanos: i128, distance: Duration| {
            let (later, earlier) = (UnixNanos(later), UnixNanos(earlier));
            assert_eq!(later.nanos_since(earlier), nanos);
            assert_eq!(later.since(earlier), distance);
        };
        check(2_000_000_001, 1, 2_000_000_000, Duration::from_secs(2));
        check(1, 2, -1, Duration::ZERO);
        let far = |millis| UnixNanos::from(UnixMillis(millis));
        let widest = far(i64::MAX).since(far(i64::MIN));
        assert_eq!(widest, Duration::from_millis(u64::MAX));
        for millis in [i64::MIN, -1, 0, 1, i64::MAX] {
            assert_eq!(far(millis).whole_millis(), UnixMillis(millis));
        }
        assert_eq!(UnixNanos(-1).whole_millis(), UnixMillis(-1));
        assert_eq!(UnixNanos(i128::MAX).whole_millis(), UnixMillis(i64::MAX));
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
