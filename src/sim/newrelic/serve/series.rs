//! Events per second over the last minutes, for the page.
//!
//! Invariant: a bounded number of samples is kept, the newest ones; time between two samples may be
//! of any length, so a rate is what came divided by the time in which it came.

use std::collections::VecDeque;

use serde::Serialize;

use crate::domain::units::UnixMillis;

/// Samples kept.
const SAMPLES_MAX: usize = 121;

/// A total at some instants.
#[derive(Debug, Default)]
pub struct Series {
    samples: VecDeque<(UnixMillis, u64)>,
}

/// What came between two samples, per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// End of the span, in Unix milliseconds.
    pub at_ms: i64,
    /// Per second.
    pub per_second: f64,
}

impl Series {
    /// Notes that `total` was reached at `now`.
    pub fn sample(&mut self, now: UnixMillis, total: u64) {
        match self.samples.back_mut() {
            // No time passed: no span to divide by.
            Some(last) if last.0 >= now => last.1 = total,
            _ => self.samples.push_back((now, total)),
        }
        while self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// Rates between neighbours, oldest first.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn rates(&self) -> Vec<Rate> {
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1));
        let rate = |((from, before), (to, after)): (&(UnixMillis, u64), &(UnixMillis, u64))| {
            let seconds = to.millis_since(*from) as f64 / 1_000.0;
            Rate { at_ms: to.0, per_second: after.saturating_sub(*before) as f64 / seconds }
        };
        pairs.map(rate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_what_came_by_the_time_in_which_it_came() {
        let mut series = Series::default();
        assert_eq!(series.rates(), []);
        for (at, total) in [(0, 10), (1_000, 30), (1_000, 40), (61_000, 640), (60_000, 700)] {
            series.sample(UnixMillis(at), total);
        }
        let rates: Vec<(i64, f64)> =
            series.rates().iter().map(|rate| (rate.at_ms, rate.per_second)).collect();
        assert_eq!(rates, [(1_000, 30.0), (61_000, 11.0)]);
        for at in 0..1_000 {
            series.sample(UnixMillis(100_000 + at), 0);
        }
        assert_eq!(series.rates().len(), SAMPLES_MAX - 1);
        assert!(series.rates().iter().all(|rate| rate.per_second == 0.0), "never negative");
    }
}
