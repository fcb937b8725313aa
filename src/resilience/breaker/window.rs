//! The outcomes that a closed breaker remembers.
//!
//! Invariants:
//! - A count window holds exactly the last N outcomes.
//! - A time window forgets an outcome exactly when it is T old, as long as at most
//!   [`INSTANTS_MAX`] distinct instants lie within T. Of more, those less than
//!   T ÷ [`INSTANTS_MAX`] apart are taken together at the latest of them: memory stays bounded,
//!   nothing is forgotten early, and nothing later than by that fraction.
//! - The window's time is that of the newest outcome so far: it never goes back.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::Window;

/// Distinct instants that a time window keeps apart; it never keeps more than twice as many.
pub(super) const INSTANTS_MAX: usize = 4_096;

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
    Since(Timed),
}

/// A time window.
#[derive(Debug)]
struct Timed {
    time: Duration,
    /// When the newest outcome came.
    newest: Duration,
    /// When the first outcome of the last entry came.
    last_began: Duration,
    /// Oldest first, younger than `time` at `newest`.
    outcomes: VecDeque<(Duration, Counts)>,
}

impl Timed {
    fn new(time: Duration) -> Self {
        let (newest, last_began) = (Duration::ZERO, Duration::ZERO);
        Self { time, newest, last_began, outcomes: VecDeque::new() }
    }

    /// Adds an outcome; gives those that are now too old.
    fn add(&mut self, outcome: Counts, now: Duration) -> Counts {
        self.newest = now.max(self.newest);
        let is_full = self.outcomes.len() >= INSTANTS_MAX;
        let apart = if is_full { self.time / INSTANTS_MAX as u32 } else { Duration::ZERO };
        match self.outcomes.back_mut() {
            Some((at, counts)) if *at == self.newest || self.newest - self.last_began < apart => {
                *at = self.newest;
                counts.add(outcome);
            }
            _ => {
                self.last_began = self.newest;
                self.outcomes.push_back((self.newest, outcome));
            }
        }
        let mut forgotten = Counts::default();
        while let Some((at, counts)) = self.outcomes.front()
            && self.newest - *at >= self.time
        {
            forgotten.add(*counts);
            self.outcomes.pop_front();
        }
        forgotten
    }
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
            Window::Time(time) => Kept::Since(Timed::new(time)),
        };
        Self { counts: Counts::default(), kept }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.counts = Counts::default();
        match &mut self.kept {
            Kept::Nothing => {}
            Kept::Last(_, outcomes) => outcomes.clear(),
            Kept::Since(timed) => timed.outcomes.clear(),
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
            Kept::Since(timed) => self.counts.remove(timed.add(outcome, now)),
        }
    }

    /// What is remembered at the newest outcome.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// What is remembered at `now`; nothing is forgotten by asking.
    pub(super) fn counts_at(&self, now: Duration) -> Counts {
        let mut counts = self.counts;
        if let Kept::Since(timed) = &self.kept {
            let is_old = |at: Duration| now.saturating_sub(at) >= timed.time;
            let old = timed.outcomes.iter().take_while(|(at, _)| is_old(*at));
            old.for_each(|(_, old)| counts.remove(*old));
        }
        counts
    }

    /// Instants and outcomes kept.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        match &self.kept {
            Kept::Nothing => 0,
            Kept::Last(_, outcomes) => outcomes.len(),
            Kept::Since(timed) => timed.outcomes.len(),
        }
    }
}
