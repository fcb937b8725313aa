//! The bucket's arithmetic, in integers.
//!
//! Credit is counted in 1e-18 tokens and the rate in 1e-9 tokens per second, which is 1e-18 tokens
//! per nanosecond: credit gained is exactly nanoseconds times rate, with no remainder to lose.

use std::time::Duration;

use super::LimiterConfig;

/// Credit of one token.
const TOKEN: u128 = 1_000_000_000_000_000_000;
/// Units of the rate in one token per second.
const PER_SECOND: f64 = 1e9;
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug)]
pub(super) struct Bucket {
    /// Credit per nanosecond.
    rate: u64,
    burst: u32,
    credit: u128,
    /// When `credit` was true; never goes back.
    at: Duration,
}

impl Bucket {
    pub(super) fn new(config: LimiterConfig) -> Self {
        let LimiterConfig { rate_per_second, burst } = config;
        let credit = u128::from(burst) * TOKEN;
        Self { rate: whole(rate_per_second), burst, credit, at: Duration::ZERO }
    }

    pub(super) fn burst(&self) -> u32 {
        self.burst
    }

    pub(super) fn rate_per_second(&self) -> f64 {
        self.rate as f64 / PER_SECOND
    }

    pub(super) fn set_rate(&mut self, rate_per_second: f64, now: Duration) {
        self.fill(now);
        self.rate = whole(rate_per_second);
    }

    /// Whole tokens at `now`.
    pub(super) fn available(&mut self, now: Duration) -> u32 {
        self.fill(now);
        u32::try_from(self.credit / TOKEN).unwrap_or(self.burst)
    }

    /// Takes `n` tokens, or says how long that takes (see [`Bucket::wait_for`]).
    pub(super) fn take(&mut self, n: u32, now: Duration) -> Result<(), Option<Duration>> {
        self.fill(now);
        let cost = u128::from(n) * TOKEN;
        match self.credit.checked_sub(cost) {
            Some(credit) => {
                self.credit = credit;
                Ok(())
            }
            None => Err(self.wait_for(n.into(), now)),
        }
    }

    /// Time from `now` until `tokens` have flowed in, counting what is there; `None`: never.
    /// `tokens` may exceed the bucket: they are taken out one caller after the other.
    pub(super) fn wait_for(&mut self, tokens: u64, now: Duration) -> Option<Duration> {
        self.fill(now);
        let missing = (u128::from(tokens) * TOKEN).saturating_sub(self.credit);
        if missing == 0 {
            return Some(Duration::ZERO);
        }
        let nanos =
            missing.checked_add(u128::from(self.rate).checked_sub(1)?)? / u128::from(self.rate);
        Some(from_nanos(nanos))
    }

    fn fill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at).as_nanos();
        self.at = self.at.max(now);
        let full = u128::from(self.burst) * TOKEN;
        let gained = elapsed.saturating_mul(u128::from(self.rate));
        self.credit = self.credit.saturating_add(gained).min(full);
    }
}

/// The longest sleep at a time: far instants overflow some timers.
pub(super) fn nap(wait: Duration) -> Duration {
    wait.min(DAY)
}

/// A validated rate in units of 1e-9 per second, rounded down so that no limit is exceeded; a
/// product that is a whole number but for the double's last bit is that number.
fn whole(rate_per_second: f64) -> u64 {
    let units = rate_per_second * PER_SECOND;
    let nearest = units.round();
    let off = (units - nearest).abs();
    (if off <= nearest * f64::EPSILON { nearest } else { units.floor() }) as u64
}

fn from_nanos(nanos: u128) -> Duration {
    let seconds = nanos / 1_000_000_000;
    let below = (nanos % 1_000_000_000) as u32;
    u64::try_from(seconds).map_or(Duration::MAX, |seconds| Duration::new(seconds, below))
}
