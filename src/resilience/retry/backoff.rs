//! The waits of one operation, as a pure sequence.
//!
//! Invariant: equal configurations, generators and calls give equal waits; each wait costs exactly
//! one draw, whatever the configuration, so that runs that differ in a setting stay comparable.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::{RetryConfig, UNLIMITED, nanos};

/// The waits of one operation that is tried again and again; the first try is under way when it
/// is made.
#[derive(Debug, Clone)]
pub struct Backoff {
    config: RetryConfig,
    rng: ChaCha8Rng,
    attempts: u32,
    slept: Duration,
}

impl Backoff {
    /// A sequence at its first try.
    pub fn new(config: RetryConfig, rng: ChaCha8Rng) -> Self {
        Self { config, rng, attempts: 1, slept: Duration::ZERO }
    }

    /// How long to wait before the next try, after the present one failed; `None` when there is
    /// none: the tries are spent, or the waits would sum up to more than the deadline.
    ///
    /// `asked` is the other side's `Retry-After`. A wait that is given counts as waited.
    pub fn next_delay(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let left = self.config.deadline.map(|deadline| deadline.saturating_sub(self.slept));
        self.next_delay_within(asked, left.unwrap_or(Duration::MAX))
    }

    /// The same for a caller that knows how much time is `left` until the deadline: tries take
    /// time, too. A wait of exactly `left` is given.
    pub fn next_delay_within(
        &mut self,
        asked: Option<Duration>,
        left: Duration,
    ) -> Option<Duration> {
        if self.is_spent() {
            return None;
        }
        let jitter = self.up_to(self.config.ceiling(self.attempts));
        let delay = asked.map_or(jitter, |asked| self.config.believed(asked).max(jitter));
        let slept = self.slept.checked_add(delay)?;
        if delay > left || self.config.deadline.is_some_and(|deadline| slept > deadline) {
            return None;
        }
        self.slept = slept;
        self.attempts = self.attempts.saturating_add(1);
        Some(delay)
    }

    /// Back to the first try of a new operation; the generator goes on.
    pub fn reset(&mut self) {
        self.attempts = 1;
        self.slept = Duration::ZERO;
    }

    /// Tries so far, the present one included.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Sum of the waits given.
    pub fn slept(&self) -> Duration {
        self.slept
    }

    /// Whether no try is left.
    pub fn is_spent(&self) -> bool {
        self.attempts >= self.config.attempts_max && self.config.attempts_max != UNLIMITED
    }

    /// Its configuration.
    pub fn config(&self) -> &RetryConfig {
        &self.config
    }

    /// Uniform in `0 ..= ceiling`, to the nanosecond.
    fn up_to(&mut self, ceiling: Duration) -> Duration {
        // The product's upper half; its bias is below 2^-64 per possible wait.
        let wide = u128::from(self.rng.next_u64()) * (u128::from(nanos(ceiling)) + 1);
        Duration::from_nanos(u64::try_from(wide >> 64).expect("below 2^64 · 2^64 >> 64"))
    }
}
