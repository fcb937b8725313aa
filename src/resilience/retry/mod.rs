//! When to try again, how long to wait before it, and when to give up.
//!
//! [`Backoff`] is the pure sequence of waits of one operation, [`Budget`] the share of retries that
//! all operations together may make, [`retry`] the driver that runs an operation under both.
//!
//! Invariants:
//! - An operation is tried at most `attempts_max` times; no try begins after the deadline, and the
//!   waits of one operation sum up to at most the deadline.
//! - A wait lies between zero and `min(delay_max, base · factor^(retry − 1))` ("full jitter"); what
//!   the other side asked for with `Retry-After`, clamped, is a lower bound that beats the jitter.
//! - What the judge gives up on is never tried again.
//! - Zero means zero: no wait, no budget, no time.
//!
//! Not modelled: the deadline cuts no try that is under way (its caller knows what a try may cost
//! and what an interrupted one means); a sequence of tries does not survive a restart.
//!
//! Sources: AWS Architecture Blog, "Exponential Backoff And Jitter" (2015) for full jitter;
//! Finagle's `RetryBudget` for the budget and its figures (window 10 s, 20 %, 10 per second).

mod backoff;
mod budget;
mod drive;
mod judge;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::InvalidSetting;

pub use backoff::Backoff;
pub use budget::{Budget, BudgetConfig, BudgetStats};
pub use drive::{Ended, Retried, retry};
pub use judge::{HttpJudge, Retryable, Verdict, may_succeed_later};

/// As many tries as it takes; see [`RetryConfig::attempts_max`].
pub const UNLIMITED: u32 = u32::MAX;

/// How one operation is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryConfig {
    /// Tries in all, the first included; at least 1, [`UNLIMITED`] for no limit.
    pub attempts_max: u32,
    /// Longest wait before the first retry; zero never waits (but for `Retry-After`).
    pub base: Duration,
    /// What the longest wait grows by from retry to retry; at least 1.
    pub factor: f64,
    /// What it never grows beyond.
    pub delay_max: Duration,
    /// Longest time from the beginning of the first try to the beginning of the last, and so of
    /// all waits together; `None` for no limit.
    pub deadline: Option<Duration>,
    /// What a shorter `Retry-After` is taken for.
    pub retry_after_min: Duration,
    /// What a longer `Retry-After` is taken for; may exceed `delay_max`.
    pub retry_after_max: Duration,
    /// Budget that operations of this configuration share; whoever builds the operations makes
    /// the [`Budget`] from it.
    pub budget: Option<BudgetConfig>,
}

/// Three tries, waits of up to 1 s and 2 s; `Retry-After` is believed up to 5 minutes.
impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            base: Duration::from_secs(1),
            factor: 2.0,
            delay_max: Duration::from_secs(30),
            deadline: None,
            retry_after_min: Duration::ZERO,
            retry_after_max: Duration::from_secs(300),
            budget: None,
        }
    }
}

impl RetryConfig {
    /// Every setting that is out of range; empty when the configuration is usable.
    pub fn validate(&self) -> Vec<InvalidSetting> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, setting, value: String, allowed| {
            if !holds {
                faults.push(InvalidSetting { setting, value, allowed });
            }
        };
        check(self.attempts_max >= 1, "attempts_max", self.attempts_max.to_string(), "at least 1");
        check(
            self.factor.is_finite() && self.factor >= 1.0,
            "factor",
            self.factor.to_string(),
            "a number of at least 1",
        );
        check(
            self.delay_max >= self.base,
            "delay_max",
            format!("{:?}", self.delay_max),
            "at least `base`",
        );
        check(
            self.retry_after_max >= self.retry_after_min,
            "retry_after_max",
            format!("{:?}", self.retry_after_max),
            "at least `retry_after_min`",
        );
        faults.extend(self.budget.iter().flat_map(BudgetConfig::validate));
        faults
    }

    /// The longest wait, jitter apart, before retry number `retry` (1 is the first).
    pub fn ceiling(&self, retry: u32) -> Duration {
        // Powers of small factors are exact in a double up to 2^53 ns (104 days); whatever does
        // not fit, is infinite or not a number is the maximum.
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = nanos(self.base) as f64 * self.factor.powi(exponent);
        let most = nanos(self.delay_max);
        if self.base.is_zero() {
            Duration::ZERO
        } else if grown < most as f64 {
            Duration::from_nanos(grown as u64)
        } else {
            Duration::from_nanos(most)
        }
    }

    /// A `Retry-After` as far as it is believed.
    pub fn believed(&self, asked: Duration) -> Duration {
        let believed = asked.min(self.retry_after_max).max(self.retry_after_min);
        Duration::from_nanos(nanos(believed))
    }
}

/// Nanoseconds, at most 584 years: sums of waits and instants then never overflow a `Duration`.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
