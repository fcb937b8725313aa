//! A pool's account: counters, the queue's high-water mark, utilisation, percentiles, health.
//!
//! Invariants:
//! - [`PoolStats`] is plain data; every task is counted in exactly one of queued, active,
//!   retry-waiting, completed, failed, cancelled and timed out.
//! - Memory does not grow with the number of tasks: the percentiles come from two histograms of
//!   fixed size.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest time that the percentiles tell apart: one day.
const LONGEST_US: u64 = 86_400_000_000;
/// Two decimal digits: a percentile is off by at most 1 %.
const DIGITS: u8 = 2;

/// Times of many tries, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// Half took at most this long.
    pub p50: Duration,
    /// 95 of 100 took at most this long.
    pub p95: Duration,
    /// 99 of 100 took at most this long.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// A pool's account at one instant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PoolStats {
    /// The pool's name.
    pub name: String,
    /// How many tasks may run at once.
    pub workers: u64,
    /// Tasks that run.
    pub active: u64,
    /// Workers without a task.
    pub idle: u64,
    /// Tasks that wait for a worker.
    pub queued: u64,
    /// Tasks that wait for their next try; no worker is bound.
    pub retry_waiting: u64,
    /// Submitters that wait for a place.
    pub submitters_waiting: u64,
    /// Tasks accepted.
    pub submitted: u64,
    /// Submissions refused: no place, or the pool was shut down.
    pub refused: u64,
    /// Tasks that ended well.
    pub completed: u64,
    /// Tasks that ended with an error or a panic at their last try.
    pub failed: u64,
    /// Of which panicked.
    pub panicked: u64,
    /// Tasks that were cancelled, at whatever stage.
    pub cancelled: u64,
    /// Tasks whose last try took too long.
    pub timed_out: u64,
    /// Tries beyond a task's first.
    pub retried: u64,
    /// The longest the queue has been.
    pub queue_high_water: u64,
    /// The most tasks that ran at once.
    pub active_high_water: u64,
    /// Sum of the times that tasks ran.
    pub busy_time: Duration,
    /// `busy_time` by workers and time since the pool began, 0.0 to 1.0.
    pub utilisation: f64,
    /// From entering the queue to the beginning of a try.
    pub wait: Percentiles,
    /// From the beginning of a try to its end.
    pub run: Percentiles,
}

/// What is wrong with a pool (rules of domain.md 7.2, health).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolProblem {
    /// More than ten tasks wait for each worker.
    QueueTooLong,
    /// Of at least 100 tasks that ended, more than one in ten failed or timed out.
    TooManyFailures,
    /// All workers are busy and tasks wait.
    Saturated,
}

impl PoolProblem {
    /// In words, for a health report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueTooLong => "more than 10 tasks wait per worker",
            Self::TooManyFailures => "more than 10 % of the tasks failed",
            Self::Saturated => "all workers are busy and tasks wait",
        }
    }
}

impl PoolStats {
    /// Everything that is wrong; empty for a healthy pool. Cancelled tasks are no failures.
    pub fn problems(&self) -> Vec<PoolProblem> {
        let failed = self.failed + self.timed_out;
        let ended = self.completed + failed;
        let rules = [
            (self.queued > 10 * self.workers, PoolProblem::QueueTooLong),
            (ended >= 100 && failed * 10 > ended, PoolProblem::TooManyFailures),
            (self.idle == 0 && self.queued > 0, PoolProblem::Saturated),
        ];
        rules.into_iter().filter_map(|(broken, problem)| broken.then_some(problem)).collect()
    }

    /// Whether nothing is wrong.
    pub fn is_healthy(&self) -> bool {
        self.problems().is_empty()
    }

    /// Tasks that have not ended.
    pub fn unfinished(&self) -> u64 {
        self.active + self.queued + self.retry_waiting
    }

    /// Tasks that have ended, however.
    pub fn ended(&self) -> u64 {
        self.completed + self.failed + self.cancelled + self.timed_out
    }
}

/// Times of tries, in microseconds.
pub(super) struct Times(Histogram<u64>);

impl Times {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, DIGITS);
        Self(histogram.expect("1 · 2 <= LONGEST_US and DIGITS <= 5"))
    }

    pub(super) fn record(&mut self, time: Duration) {
        let micros = time.as_nanos() / 1_000;
        self.0.saturating_record(u64::try_from(micros).unwrap_or(LONGEST_US));
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        // A bucket answers with its upper edge, which may lie beyond the longest time recorded.
        let max = self.0.max();
        let at = |quantile| Duration::from_micros(self.0.value_at_quantile(quantile).min(max));
        Percentiles {
            count: self.0.len(),
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: Duration::from_micros(max),
        }
    }
}
