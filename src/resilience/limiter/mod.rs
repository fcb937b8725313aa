//! A token bucket on the clock port: at most `rate · t + burst` tokens in every span of `t`.
//!
//! Invariants:
//! - The law above holds for every span whatsoever, to the token: credit is an integer and no
//!   rounding adds to it. Nor is anything lost: a bucket that is asked again and again gains
//!   exactly what one that is asked once gains.
//! - Waiters are served in the order in which they began to wait; nobody overtakes them, not even
//!   a caller who would not wait.
//! - A waiter that is dropped takes nothing with it: its place goes to the next, who is woken.
//! - More tokens than the bucket holds are an error, never an endless wait.
//!
//! Not modelled: limits on calls under way at the same time (New Relic's 25 concurrent NerdGraph
//! requests per user); a bucket's level does not survive a restart, so a restart may spend one
//! burst more.

mod bucket;
mod layer;
mod profiles;
mod wait;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::InvalidSetting;
use crate::ports::Clock;
use bucket::Bucket;
use wait::{Place, Queue};

pub use layer::{LimitedError, LimiterLayer, LimiterService};
pub use profiles::{PROFILES, Profile};

/// Highest rate: one token a nanosecond.
const RATE_MAX: f64 = 1e9;
/// Lowest rate that is not zero: rates are counted in billionths.
const RATE_MIN: f64 = 1e-9;

/// A token bucket's size and inflow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimiterConfig {
    /// Tokens per second, to nine decimals; 0 refills nothing, else 1e-9 to 1e9.
    pub rate_per_second: f64,
    /// Tokens the bucket holds, and begins with; at least 1.
    pub burst: u32,
}

impl LimiterConfig {
    /// Every setting that is out of range.
    pub fn validate(&self) -> Vec<InvalidSetting> {
        let mut faults: Vec<_> = rate_fault(self.rate_per_second).into_iter().collect();
        if self.burst == 0 {
            let value = self.burst.to_string();
            faults.push(InvalidSetting { setting: "burst", value, allowed: "at least 1" });
        }
        faults
    }

    /// A bucket that lets at most `limit` (at least 1) tokens pass in *every* span
    /// `[t, t + window)`, wherever it begins: the burst is taken off the inflow, but for the one
    /// token that flows in as the span ends. `burst` is cut to `limit`.
    pub fn at_most(limit: u32, window: Duration, burst: u32) -> Self {
        let limit = limit.max(1);
        let burst = burst.clamp(1, limit);
        let flow = f64::from(limit - burst + 1) / window.as_secs_f64().max(RATE_MIN);
        // Down to a whole billionth, so that rounding never exceeds the limit.
        Self { rate_per_second: (flow.min(RATE_MAX) / RATE_MIN).floor() * RATE_MIN, burst }
    }
}

fn rate_fault(rate_per_second: f64) -> Option<InvalidSetting> {
    let usable = rate_per_second == 0.0 || (RATE_MIN..=RATE_MAX).contains(&rate_per_second);
    let fault = InvalidSetting {
        setting: "rate_per_second",
        value: rate_per_second.to_string(),
        allowed: "0, or 0.000000001 to 1000000000",
    };
    (!usable).then_some(fault)
}

/// Why tokens were not given at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not yet: so long, if everyone in line before takes their turn. `None`: never at this rate.
    #[error("rate limit reached")]
    NotYet(Option<Duration>),
    /// More than the bucket ever holds.
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

impl Refused {
    /// How long to wait before asking again; `None` when waiting does not help.
    pub fn wait(self) -> Option<Duration> {
        match self {
            Self::NotYet(wait) => wait,
            Self::TooMany(_) => None,
        }
    }
}

/// More tokens were asked for than the bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{asked} tokens asked of a bucket that holds {burst}")]
pub struct TooMany {
    /// How many were asked for.
    pub asked: u32,
    /// How many the bucket holds.
    pub burst: u32,
}

/// A limiter's account.
#[derive(Debug, Clone, PartialEq)]
pub struct LimiterStats {
    /// Its inflow.
    pub rate_per_second: f64,
    /// Its size.
    pub burst: u32,
    /// Whole tokens in it.
    pub available: u32,
    /// Callers waiting.
    pub waiting: usize,
    /// Tokens given, ever.
    pub tokens_total: u64,
    /// Calls admitted, ever.
    pub admitted_total: u64,
    /// Of these: after a wait.
    pub waited_total: u64,
    /// Sum of their waits.
    pub wait_time_total: Duration,
    /// Calls refused because they would not wait, or asked for too much.
    pub refused_total: u64,
    /// Waiters that were dropped before their turn.
    pub cancelled_total: u64,
}

#[derive(Debug)]
struct Inner {
    bucket: Bucket,
    queue: Queue,
    tokens_total: u64,
    admitted_total: u64,
    waited_total: u64,
    wait_time_total: Duration,
    refused_total: u64,
    cancelled_total: u64,
}

/// A shared token bucket; clones are the same bucket.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Mutex<Inner>>);

impl Limiter {
    /// A full bucket at the clock's origin.
    ///
    /// # Errors
    /// All settings that are out of range.
    pub fn new(config: LimiterConfig) -> Result<Self, Vec<InvalidSetting>> {
        let faults = config.validate();
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self(Arc::new(Mutex::new(Inner {
            bucket: Bucket::new(config),
            queue: Queue::default(),
            tokens_total: 0,
            admitted_total: 0,
            waited_total: 0,
            wait_time_total: Duration::ZERO,
            refused_total: 0,
            cancelled_total: 0,
        }))))
    }

    /// Takes `n` tokens at `now` (monotonic), without waiting. 0 tokens are always there.
    ///
    /// # Errors
    /// Too few tokens, or others wait for them; more than the bucket holds.
    pub fn try_acquire(&self, n: u32, now: Duration) -> Result<(), Refused> {
        let mut inner = self.inner();
        let taken = inner.try_take(n, now);
        inner.refused_total += u64::from(taken.is_err());
        taken
    }

    /// Takes `n` tokens, after those who began to wait before; gives the time waited. The place in
    /// line is taken at the future's first poll and given up when it is dropped.
    ///
    /// At a rate of 0 it waits until [`Limiter::set_rate`] changes that.
    ///
    /// # Errors
    /// More than the bucket holds.
    pub async fn acquire<C: Clock>(&self, clock: &C, n: u32) -> Result<Duration, TooMany> {
        let started = clock.monotonic();
        let mut place = {
            let mut inner = self.inner();
            match inner.try_take(n, started) {
                Ok(()) => return Ok(Duration::ZERO),
                Err(Refused::TooMany(error)) => {
                    inner.refused_total += 1;
                    return Err(error);
                }
                Err(Refused::NotYet(_)) => Place::join(self, inner.queue.join(n)),
            }
        };
        Ok(place.turn(clock, started).await)
    }

    /// Changes the inflow from `now` on; what flowed in before stays. Waiters are woken to reckon
    /// anew.
    ///
    /// # Errors
    /// A rate out of range.
    pub fn set_rate(&self, rate_per_second: f64, now: Duration) -> Result<(), InvalidSetting> {
        if let Some(fault) = rate_fault(rate_per_second) {
            return Err(fault);
        }
        let mut inner = self.inner();
        inner.bucket.set_rate(rate_per_second, now);
        let first = inner.queue.alert_first();
        drop(inner);
        first.into_iter().for_each(std::task::Waker::wake);
        Ok(())
    }

    /// The account at `now`.
    pub fn stats(&self, now: Duration) -> LimiterStats {
        let mut inner = self.inner();
        LimiterStats {
            rate_per_second: inner.bucket.rate_per_second(),
            burst: inner.bucket.burst(),
            available: inner.bucket.available(now),
            waiting: inner.queue.len(),
            tokens_total: inner.tokens_total,
            admitted_total: inner.admitted_total,
            waited_total: inner.waited_total,
            wait_time_total: inner.wait_time_total,
            refused_total: inner.refused_total,
            cancelled_total: inner.cancelled_total,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every step leaves a valid bucket and queue, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn try_take(&mut self, n: u32, now: Duration) -> Result<(), Refused> {
        let burst = self.bucket.burst();
        if n > burst {
            return Err(TooMany { asked: n, burst }.into());
        }
        // Nobody waits for nothing, and taking nothing overtakes nobody.
        if n > 0 && !self.queue.is_empty() {
            let ahead = self.queue.tokens();
            return Err(Refused::NotYet(self.bucket.wait_for(ahead + u64::from(n), now)));
        }
        self.bucket.take(n, now).map_err(Refused::NotYet)?;
        self.admit(n);
        Ok(())
    }

    fn admit(&mut self, n: u32) {
        self.tokens_total = self.tokens_total.saturating_add(u64::from(n));
        self.admitted_total += 1;
    }
}
