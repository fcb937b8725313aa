//! Runs one operation until it is done, given up, or out of tries, time or budget.

use std::future::Future;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::{Backoff, Budget, RetryConfig, Verdict};
use crate::ports::Clock;

/// Why no further try was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The last try was what was wanted.
    Done,
    /// The judge gave up.
    GaveUp,
    /// `attempts_max` tries were made.
    AttemptsSpent,
    /// The next try would have begun after the deadline.
    DeadlinePassed,
    /// The shared budget had no retry left.
    BudgetSpent,
}

/// How an operation ended, and what that took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried<T, E> {
    /// The last try's result.
    pub result: Result<T, E>,
    /// Tries made, at least 1.
    pub attempts: u32,
    /// Sum of the waits between them, as asked of the clock.
    pub slept: Duration,
    /// Why it ended.
    pub ended: Ended,
}

/// Tries `op` (with the number of the try, from 1) until `judge` is content or gives up, or
/// `config` or `budget` forbid another try. The first try is always made.
///
/// Cancel-safe as far as `op` is: dropping the future drops the try under way and makes no other.
pub async fn retry<C, T, E, Fut>(
    clock: &C,
    rng: ChaCha8Rng,
    config: &RetryConfig,
    budget: Option<&Budget>,
    mut op: impl FnMut(u32) -> Fut,
    judge: impl Fn(&Result<T, E>) -> Verdict,
) -> Retried<T, E>
where
    C: Clock,
    Fut: Future<Output = Result<T, E>>,
{
    let mut backoff = Backoff::new(config.clone(), rng);
    let started = clock.monotonic();
    // Without a deadline everything fits: the sum of a monotonic instant and `left` is not taken.
    let left = |now: Duration| {
        config.deadline.map_or(Some(Duration::MAX), |deadline| {
            deadline.checked_sub(now.saturating_sub(started))
        })
    };
    if let Some(budget) = budget {
        budget.record_call(started);
    }
    loop {
        let attempt = backoff.attempts();
        let slept = backoff.slept();
        let result = op(attempt).await;
        let end = |result, ended, slept| Retried { result, attempts: attempt, slept, ended };
        let asked = match judge(&result) {
            Verdict::Done => return end(result, Ended::Done, slept),
            Verdict::GiveUp => return end(result, Ended::GaveUp, slept),
            Verdict::RetryAfter(asked) => asked,
        };
        if backoff.is_spent() {
            return end(result, Ended::AttemptsSpent, slept);
        }
        let now = clock.monotonic();
        let delay = left(now).and_then(|left| backoff.next_delay_within(asked, left));
        let Some(delay) = delay else { return end(result, Ended::DeadlinePassed, slept) };
        // Asked for last, so that no retry is taken from the others without being made.
        if budget.is_some_and(|budget| !budget.try_retry(now)) {
            return end(result, Ended::BudgetSpent, slept);
        }
        clock.sleep(delay).await;
        // A real timer may be late.
        if left(clock.monotonic()).is_none() {
            return end(result, Ended::DeadlinePassed, backoff.slept());
        }
    }
}
