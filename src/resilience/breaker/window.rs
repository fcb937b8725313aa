//! The outcomes that a closed breaker remembers.
//!
//! Invariants:
//! - A count window holds exactly the last N outcomes.
//! - A time window forgets an outcome exactly when it is T old, as long as at most
//!   [`INSTANTS_MAX`] distinct instants lie within T. Beyond that neighbouring instants are taken
//!   together at the later of them, so memory stays bounded and nothing is forgotten early.
//! - Instants that go back count as the newest one known.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::Window;

/// Distinct instants that a time window keeps apart.
pub(super) const INSTANTS_MAX: usize = 8_192;

/// How many calls, and what of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

impl Counts {
    pub(super) fn of(failed: bool, slow: bool) -> Self {
        Self { calls: 1, failures: u64::from(failed), slow: u64::from(slow) }
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.slow += other.slow;
    }

    fn remove(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failures -= other.failures;
        self.slow -= other.slow;
    }

    /// Share of failures in percent; 0 without calls.
    pub(super) fn failure_percent(self) -> f64 {
        percent(self.failures, self.calls)
    }

    /// Share of slow calls in percent; 0 without calls.
    pub(super) fn slow_percent(self) -> f64 {
        percent(self.slow, self.calls)
    }
}

/// `part` of `whole` in percent; 0 of nothing.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[derive(Debug)]
enum Kept {
    Nothing,
    /// Oldest first, at most so many.
    Last(u32, VecDeque<Counts>),
    /// Oldest first, younger than so much.
    Since(Duration, VecDeque<(Duration, Counts)>),
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Remembered {
    counts: Counts,
    kept: Kept,
}

impl Remembered {
    pub(super) fn new(window: Window) -> Self {
        let kept = match window {
            Window::None => Kept::Nothing,
            Window::Count(count) => Kept::Last(count, VecDeque::new()),
            Window::Time(time) => Kept::Since(time, VecDeque::new()),
        };
        Self { counts: Counts::default(), kept }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.counts = Counts::default();
        match &mut self.kept {
            Kept::Nothing => {}
            Kept::Last(_, outcomes) => outcomes.clear(),
            Kept::Since(_, outcomes) => outcomes.clear(),
        }
    }

    /// Adds one outcome; `now` matters to a time window only.
    pub(super) fn add(&mut self, outcome: Counts, now: Duration) {
        self.counts.add(outcome);
        match &mut self.kept {
            Kept::Nothing => {}
            Kept::Last(count, outcomes) => {
                outcomes.push_back(outcome);
                if outcomes.len() > *count as usize
                    && let Some(oldest) = outcomes.pop_front()
                {
                    self.counts.remove(oldest);
                }
            }
            Kept::Since(_, outcomes) => {
                match outcomes.back_mut() {
                    Some((at, counts)) if *at >= now => counts.add(outcome),
                    _ => outcomes.push_back((now, outcome)),
                }
                if outcomes.len() > INSTANTS_MAX {
                    coarsen(outcomes);
                }
            }
        }
        self.forget(now);
    }

    /// Lets go of what is too old at `now`.
    pub(super) fn forget(&mut self, now: Duration) {
        if let Kept::Since(time, outcomes) = &mut self.kept {
            let now = outcomes.back().map_or(now, |(newest, _)| now.max(*newest));
            while let Some((at, counts)) = outcomes.front()
                && now.saturating_sub(*at) >= *time
            {
                self.counts.remove(*counts);
                outcomes.pop_front();
            }
        }
    }

    /// What is remembered since the last [`Remembered::forget`].
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}

/// Takes each two neighbours together, at the later one's instant.
fn coarsen(outcomes: &mut VecDeque<(Duration, Counts)>) {
    let halved = outcomes.len() / 2;
    for pair in 0..halved {
        let (_, mut counts) = outcomes[2 * pair];
        let (at, later) = outcomes[2 * pair + 1];
        counts.add(later);
        outcomes[pair] = (at, counts);
    }
    if outcomes.len() % 2 == 1 {
        outcomes.swap(halved, 2 * halved);
        outcomes.truncate(halved + 1);
    } else {
        outcomes.truncate(halved);
    }
}
