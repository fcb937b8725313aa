//! What the windows remember, at their edges.

use std::time::Duration;

use super::super::window::{Counts, INSTANTS_MAX, Remembered};
use super::super::{BreakerConfig, Outcome, Window};
use super::{at, breaker, small};

const NANO: Duration = Duration::from_nanos(1);
const MINUTE: Duration = Duration::from_mins(1);

fn remembered(window: Window, instants: &[u64]) -> Remembered {
    let mut remembered = Remembered::new(window);
    for nanos in instants {
        remembered.add(Counts::of(true, false), Duration::from_nanos(*nanos));
    }
    remembered
}

#[test]
fn a_time_window_forgets_at_its_age() {
    let window = Window::Time(Duration::from_nanos(10));
    for (instants, now, expected) in [
        (&[5_u64][..], 5, 1),
        (&[5], 14, 1),
        (&[5], 15, 0),
        (&[5], 16, 0),
        (&[5, 5, 6], 15, 1),
        (&[0, 9, 10], 10, 2),
        (&[0, 9, 10], 18, 2),
        (&[0, 9, 10], 19, 1),
        // The clock went back: the outcome counts at the newest instant known.
        (&[10, 3], 19, 2),
        (&[10, 3], 20, 0),
        (&[10, 3], 2, 2),
        (&[], u64::MAX, 0),
        (&[5], u64::MAX, 0),
    ] {
        let counts = remembered(window, instants).counts_at(Duration::from_nanos(now));
        assert_eq!(counts.calls, expected, "{instants:?} at {now}");
    }
}

#[test]
fn a_count_window_holds_so_many() {
    for (count, added) in [(1, 0), (1, 1), (1, 2), (3, 2), (3, 3), (3, 4), (100, 1_000)] {
        let mut remembered = Remembered::new(Window::Count(count));
        for index in 0..added {
            // Of a run of failures only the last `count` can be remembered.
            remembered.add(Counts::of(index + u64::from(count) >= added, false), Duration::ZERO);
        }
        let expected = added.min(u64::from(count));
        let counts = remembered.counts();
        assert_eq!((counts.calls, counts.failures), (expected, expected), "{count}, {added}");
        assert_eq!(remembered.entries() as u64, expected);
    }
}

/// Beyond the instants it keeps apart, a window forgets late by a small fraction, never early.
#[test]
fn a_full_time_window_stays_bounded() {
    let window = Duration::from_millis(100);
    let mut remembered = Remembered::new(Window::Time(window));
    let step = Duration::from_micros(1);
    // The outcomes of the last 100 ms are 100 000, and of 100 ms ÷ 4096 less than 25.
    let (mut late, mut entries) = (0, 0);
    for index in 1..=400_000_u32 {
        let now = step * index;
        remembered.add(Counts::of(index % 2 == 0, false), now);
        let exact = u64::from(index.min(100_000));
        let kept = remembered.counts().calls;
        assert!(kept >= exact, "forgotten early: {kept} of {exact}");
        assert!(kept <= exact + 25, "{kept} kept where {exact} are young");
        late = late.max(kept - exact);
        entries = entries.max(remembered.entries());
    }
    assert!(late > 0, "the bound was met");
    assert!((INSTANTS_MAX..=2 * INSTANTS_MAX + 1).contains(&entries), "{entries} entries");
    let later = step * 500_025;
    assert_eq!(remembered.counts_at(later), Counts::default());
}

/// The window decides together with the volume: failures that it forgot do not open.
#[test]
fn volume_is_counted_in_the_window() {
    for (gap, opens) in [(MINUTE - NANO, 1), (MINUTE, 0), (MINUTE + NANO, 0)] {
        let config = BreakerConfig {
            failure_threshold: 1,
            volume_threshold: 2,
            window: Window::Time(MINUTE),
            ..small()
        };
        let breaker = breaker(config);
        for now in [MINUTE, MINUTE + gap] {
            let permit = breaker.admit(|| now).expect("closed");
            permit.record(Outcome::Timeout, || at(now));
        }
        assert_eq!(breaker.stats(MINUTE + gap).opens, opens, "{gap:?} apart");
    }
}
