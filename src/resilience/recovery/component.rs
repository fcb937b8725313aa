//! One component's way through the stack: breaker, time limit, operation, retries, what answers in
//! its place.
//!
//! Invariants:
//! - Per try: the breaker's admission, then the time limit around the operation. A rejection ends
//!   the loop at once, and no wait is begun at whose end the breaker still is open.
//! - A success is booked after the breaker knows it, a failure before: so no state is announced
//!   that the breaker contradicts at the same instant.
//! - Dropping the future of an execution drops the try under way; its permit then counts as
//!   cancelled and the account is as if the try had not been made.
//! - A panic of the operation, of a fallback or of a health check ends there; it is not repeated,
//!   since nobody knows in what state it left things.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::cache::LastGood;
use super::entry::{Ended, Fact};
use super::failure::{Failure, Recovered, Source, Stopped, TryError};
use super::view::{RecoveryEvent, RecoveryView};
use super::{ComponentState, ErrorClass};
use crate::ports::{Clock, Elapsed};
use crate::resilience::breaker::{
    Admitted, Breaker, Measured, Outcome, Permit, Rejected, StateKind,
};
use crate::resilience::retry::{Backoff, Budget, RetryConfig};
use crate::rt::{Race, race, record_panic};

/// Finds out whether a component works; the words of its error are for people.
pub type HealthCheck = Rc<dyn Fn() -> LocalBoxFuture<'static, Result<(), String>>>;

/// The type of a fallback that is not there; see [`no_fallback`].
pub type NoFallback<T, E> = fn(&Failure<E>) -> std::future::Ready<Result<T, E>>;

/// No fallback, where the type of one is asked for.
pub const fn no_fallback<T, E>() -> Option<NoFallback<T, E>> {
    None
}

pub(super) struct Part<C> {
    pub index: usize,
    pub name: Arc<str>,
    pub clock: C,
    pub breaker: Breaker,
    pub retry: RetryConfig,
    pub budget: Option<Budget>,
    pub timeout: Duration,
    pub idempotent: bool,
    pub recovery_delay: Duration,
    pub cache_age_max: Duration,
    pub health_check: Option<HealthCheck>,
    pub view: RecoveryView,
    /// Seeds the jitter of each execution that needs one.
    pub rng: RefCell<ChaCha8Rng>,
    /// An `Rc<LastGood<T>>`, once somebody has asked for it.
    pub cache: RefCell<Option<Rc<dyn Any>>>,
}

/// A handle of a registered component; clones are handles of the same one.
pub struct Component<C>(pub(super) Rc<Part<C>>);

impl<C> Clone for Component<C> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<C> std::fmt::Debug for Component<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Component({}, {:?})", self.0.name, self.0.breaker)
    }
}

/// The component keeps results of another type already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("component `{0}` keeps last good results of another type")]
pub struct OtherCacheType(pub String);

/// A component that keeps its last good result; see [`Component::cached`].
pub struct CachedComponent<C, T> {
    component: Component<C>,
    last_good: Rc<LastGood<T>>,
}

impl<C, T> Clone for CachedComponent<C, T> {
    fn clone(&self) -> Self {
        Self { component: self.component.clone(), last_good: Rc::clone(&self.last_good) }
    }
}

impl<C, T> std::fmt::Debug for CachedComponent<C, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cached{:?}", self.component)
    }
}

/// A result, and the tries it took.
type Tried<T, E> = Result<(T, u32), Failure<E>>;

impl<C: Clock> Component<C> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its breaker.
    pub fn breaker(&self) -> &Breaker {
        &self.0.breaker
    }

    /// How it is.
    pub fn state(&self) -> ComponentState {
        self.0.view.ledger().state(self.0.index).unwrap_or(ComponentState::Unknown)
    }

    /// The same component, keeping its last good result, which answers when all tries failed or
    /// were rejected and it is not older than `cache_age_max`. Handles of one component share it.
    ///
    /// # Errors
    /// When results of another type are kept.
    pub fn cached<T: Clone + 'static>(&self) -> Result<CachedComponent<C, T>, OtherCacheType> {
        let mut slot = self.0.cache.borrow_mut();
        let kept = slot.get_or_insert_with(|| Rc::new(LastGood::<T>::new(self.0.cache_age_max)));
        let last_good = Rc::clone(kept)
            .downcast::<LastGood<T>>()
            .map_err(|_| OtherCacheType(self.0.name.to_string()))?;
        Ok(CachedComponent { component: self.clone(), last_good })
    }

    /// Runs `op` under breaker, time limit and retries; `classify` says what an error means;
    /// `fallback` answers when all tries failed or were rejected.
    ///
    /// # Errors
    /// When nothing answered, and when the item was at fault ([`ErrorClass::skips_item`]).
    pub async fn execute<T, E, Op, Fut, Fb, FbFut>(
        &self,
        mut op: Op,
        classify: impl Fn(&E) -> ErrorClass,
        fallback: Option<Fb>,
    ) -> Result<Recovered<T>, Failure<E>>
    where
        E: Display,
        Op: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        Fb: FnOnce(&Failure<E>) -> FbFut,
        FbFut: Future<Output = Result<T, E>>,
    {
        self.execute_admitted(move |_| op(), classify, fallback).await
    }

    /// The same for an operation that must prove that a breaker admitted it.
    ///
    /// # Errors
    /// As [`Component::execute`].
    pub async fn execute_admitted<T, E, Op, Fut, Fb, FbFut>(
        &self,
        op: Op,
        classify: impl Fn(&E) -> ErrorClass,
        fallback: Option<Fb>,
    ) -> Result<Recovered<T>, Failure<E>>
    where
        E: Display,
        Op: FnMut(Admitted) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        Fb: FnOnce(&Failure<E>) -> FbFut,
        FbFut: Future<Output = Result<T, E>>,
    {
        match self.tries(op, &classify).await {
            Ok((value, tries)) => Ok(Recovered { value, source: Source::Fresh, tries }),
            Err(failure) => self.0.substitute(failure, &classify, fallback).await,
        }
    }

    /// Books what became of a call that the component made by itself, through its breaker.
    pub fn observe(&self, outcome: &Outcome) {
        let now = self.0.clock.monotonic();
        let (error, panicked) = match outcome {
            Outcome::Success => {
                return self.0.book(now, Fact::Ended(Ended::Succeeded { tries: 1 }));
            }
            Outcome::Ignored => return self.0.book(now, Fact::Ended(Ended::Skipped)),
            Outcome::Failure(error) | Outcome::Unknown(error) => (error.to_string(), false),
            Outcome::Timeout => ("timed out".to_owned(), false),
            Outcome::Panic => ("panicked".to_owned(), true),
        };
        self.0.book(now, Fact::TryFailed { error, panicked });
        self.0.book(now, Fact::Ended(Ended::ObservedFailure));
    }

    /// Books that a component which makes its calls by itself has given up: it is unhealthy until
    /// its next success.
    pub fn give_up(&self, reason: impl Into<String>) {
        let now = self.0.clock.monotonic();
        self.0.book(now, Fact::TryFailed { error: reason.into(), panicked: false });
        self.0.book(now, Fact::Ended(Ended::Failed { rejected: false }));
    }

    async fn tries<T, E, Op, Fut>(
        &self,
        mut op: Op,
        classify: &impl Fn(&E) -> ErrorClass,
    ) -> Tried<T, E>
    where
        E: Display,
        Op: FnMut(Admitted) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let part = &*self.0;
        let first_at = part.clock.monotonic();
        let mut started = first_at;
        if let Some(budget) = &part.budget {
            budget.record_call(started);
        }
        // Both are made by the first failure only: a success allocates nothing.
        let mut tries = Vec::new();
        let mut backoff = None;
        let mut count: u32 = 1;
        let stopped = loop {
            let permit = match part.breaker.admit(|| started) {
                Ok(permit) => permit,
                Err(rejected) => break Stopped::Rejected(rejected),
            };
            if count > 1 {
                crate::sometimes!(CALL_RETRIED);
                part.book(started, Fact::Retried);
            }
            let admitted = permit.admitted();
            // The first try is always made; the deadline cuts those after it.
            let left = match count {
                1 => Duration::MAX,
                _ => part.left(first_at, started).unwrap_or_default(),
            };
            let result = part.limited(left, || op(admitted)).await;
            let now = part.clock.monotonic();
            let measured = Measured { now, took: Some(now.saturating_sub(started)) };
            let error = match result {
                Ok(value) => {
                    permit.record(Outcome::Success, || measured);
                    part.book(now, Fact::Ended(Ended::Succeeded { tries: count }));
                    return Ok((value, count));
                }
                Err(error) => error.classified(classify),
            };
            let class = part.book_failure(&error, permit, measured);
            tries.push(error);
            let Some(class) = class.filter(|class| class.is_retryable(part.idempotent)) else {
                break Stopped::NotRetryable;
            };
            let backoff = backoff.get_or_insert_with(|| part.backoff());
            let delay = match part.wait(backoff, class, first_at, now) {
                Ok(delay) => delay,
                Err(stopped) => break stopped,
            };
            part.clock.sleep(delay).await;
            started = part.clock.monotonic();
            // A real timer may be late.
            if part.left(first_at, started).is_none_or(|left| left.is_zero()) {
                break Stopped::DeadlinePassed;
            }
            count = count.saturating_add(1);
        };
        Err(Failure { component: Arc::clone(&part.name), tries, stopped, fallback: None })
    }
}

impl<C: Clock, T: Clone> CachedComponent<C, T> {
    /// The component itself.
    pub fn component(&self) -> &Component<C> {
        &self.component
    }

    /// As [`Component::execute`]; before the fallback the last good result is asked, for it is the
    /// component's own.
    ///
    /// # Errors
    /// As [`Component::execute`].
    pub async fn execute<E, Op, Fut, Fb, FbFut>(
        &self,
        mut op: Op,
        classify: impl Fn(&E) -> ErrorClass,
        fallback: Option<Fb>,
    ) -> Result<Recovered<T>, Failure<E>>
    where
        E: Display,
        Op: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        Fb: FnOnce(&Failure<E>) -> FbFut,
        FbFut: Future<Output = Result<T, E>>,
    {
        let part = &*self.component.0;
        let failure = match self.component.tries(move |_| op(), &classify).await {
            Ok((value, tries)) => {
                self.last_good.keep(value.clone(), part.clock.monotonic());
                return Ok(Recovered { value, source: Source::Fresh, tries });
            }
            Err(failure) => failure,
        };
        let now = part.clock.monotonic();
        match self.last_good.serve(now).filter(|_| !failure.skips_item()) {
            Some((value, age)) => {
                let rejected = failure.is_rejected();
                part.book(now, Fact::Ended(Ended::Cached { rejected }));
                let source = Source::Cached { age };
                Ok(Recovered { value, source, tries: failure.count() })
            }
            None => part.substitute(failure, &classify, fallback).await,
        }
    }

    /// Forgets the last good result.
    pub fn clear(&self) {
        self.last_good.clear();
    }
}

impl<E> Failure<E> {
    fn count(&self) -> u32 {
        u32::try_from(self.tries.len()).unwrap_or(u32::MAX)
    }

    /// Whether the last try's item was at fault.
    fn skips_item(&self) -> bool {
        let last = self.tries.last();
        matches!(last, Some(TryError::Failed { class, .. }) if class.skips_item())
    }
}

/// What a guarded future came to, before its error is classified.
enum Broken<E> {
    TimedOut(Elapsed),
    Panicked(String),
    Failed(E),
}

impl<E> Broken<E> {
    fn classified(self, classify: impl Fn(&E) -> ErrorClass) -> TryError<E> {
        match self {
            Self::TimedOut(elapsed) => TryError::TimedOut(elapsed),
            Self::Panicked(words) => TryError::Panicked(words),
            Self::Failed(error) => {
                let class = classify(&error);
                TryError::Failed { error, class }
            }
        }
    }
}

impl<C: Clock> Part<C> {
    pub(super) fn book(&self, now: Duration, fact: Fact) {
        self.view.book(self.index, now, fact);
    }

    /// Runs what `make` makes, for the time limit at most, and catches its panics.
    /// One try, of at most the component's limit and of what is `left`.
    async fn limited<T, E, Fut>(
        &self,
        left: Duration,
        make: impl FnOnce() -> Fut,
    ) -> Result<T, Broken<E>>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        // The timer is only made when the operation does not end at its first poll.
        let limit = self.timeout.min(left);
        let timer = async { self.clock.sleep(limit).await };
        let caught = AssertUnwindSafe(async { make().await }).catch_unwind();
        match race(caught, timer).await {
            Race::First(Ok(result)) => result.map_err(Broken::Failed),
            Race::First(Err(payload)) => {
                record_panic(&self.name, payload.as_ref());
                Err(Broken::Panicked(words(payload.as_ref())))
            }
            Race::Second(()) => Err(Broken::TimedOut(Elapsed(limit))),
        }
    }

    /// Books a failed try and gives its permit back; the class that decides on another try,
    /// `None` after a panic.
    fn book_failure<E: Display>(
        &self,
        error: &TryError<E>,
        permit: Permit<&Breaker>,
        measured: Measured,
    ) -> Option<ErrorClass> {
        let text = error.to_string();
        let now = measured.now;
        let (class, outcome) = match error {
            TryError::TimedOut(_) => (Some(ErrorClass::Timeout), Outcome::Timeout),
            TryError::Panicked(_) => (None, Outcome::Panic),
            TryError::Failed { class, .. } => (Some(*class), class.outcome(&text)),
        };
        if !class.is_some_and(ErrorClass::skips_item) {
            self.book(now, Fact::TryFailed { error: text, panicked: class.is_none() });
        }
        permit.record(outcome, || measured);
        let component = || Arc::clone(&self.name);
        match class {
            Some(ErrorClass::RateLimit { retry_after }) => {
                self.view.deliver([RecoveryEvent::RateLimited {
                    component: component(),
                    retry_after,
                    at: now,
                }])
            }
            Some(ErrorClass::Memory) => self
                .view
                .deliver([RecoveryEvent::MemoryPressure { component: component(), at: now }]),
            _ => {}
        }
        class
    }

    fn backoff(&self) -> Backoff {
        let mut seed = [0; 32];
        self.rng.borrow_mut().fill_bytes(&mut seed);
        Backoff::new(self.retry.clone(), ChaCha8Rng::from_seed(seed))
    }

    /// Time left until the deadline; `None` when it has passed.
    fn left(&self, first_at: Duration, now: Duration) -> Option<Duration> {
        let Some(deadline) = self.retry.deadline else { return Some(Duration::MAX) };
        deadline.checked_sub(now.saturating_sub(first_at))
    }

    /// How long to wait before the next try, or why there is none.
    fn wait(
        &self,
        backoff: &mut Backoff,
        class: ErrorClass,
        first_at: Duration,
        now: Duration,
    ) -> Result<Duration, Stopped> {
        if backoff.is_spent() {
            return Err(Stopped::AttemptsSpent);
        }
        let left = self.left(first_at, now).ok_or(Stopped::DeadlinePassed)?;
        let delay =
            backoff.next_delay_within(class.asked_delay(), left).ok_or(Stopped::DeadlinePassed)?;
        if self.breaker.state() == StateKind::Open {
            // Waiting only to be rejected helps nobody.
            let retry_at = self.breaker.stats(now).next_retry_at;
            if retry_at.is_none_or(|at| at > now.saturating_add(delay)) {
                let breaker = Arc::from(self.breaker.name());
                return Err(Stopped::Rejected(Rejected { breaker, retry_at }));
            }
        }
        // Asked for last, so that no retry is taken from the others without being made.
        if self.budget.as_ref().is_some_and(|budget| !budget.try_retry(now)) {
            return Err(Stopped::BudgetSpent);
        }
        Ok(delay)
    }

    /// After the tries: the fallback, for rejection and failure alike.
    async fn substitute<T, E, Fb, FbFut>(
        &self,
        mut failure: Failure<E>,
        classify: &impl Fn(&E) -> ErrorClass,
        fallback: Option<Fb>,
    ) -> Result<Recovered<T>, Failure<E>>
    where
        E: Display,
        Fb: FnOnce(&Failure<E>) -> FbFut,
        FbFut: Future<Output = Result<T, E>>,
    {
        let rejected = failure.is_rejected();
        if failure.skips_item() {
            self.book(self.clock.monotonic(), Fact::Ended(Ended::Skipped));
            return Err(failure);
        }
        let Some(fallback) = fallback else {
            self.book(self.clock.monotonic(), Fact::Ended(Ended::Failed { rejected }));
            return Err(failure);
        };
        let result = self.limited(Duration::MAX, || fallback(&failure)).await;
        let now = self.clock.monotonic();
        match result {
            Ok(value) => {
                self.book(now, Fact::Ended(Ended::FallbackSuccess { rejected }));
                let source = Source::Fallback;
                Ok(Recovered { value, source, tries: failure.count() })
            }
            Err(error) => {
                self.book(now, Fact::Ended(Ended::FallbackFailed { rejected }));
                failure.fallback = Some(error.classified(classify));
                Err(failure)
            }
        }
    }

    /// Makes one probe with the health check: the outcome for the breaker, and its words.
    pub(super) async fn probe(&self, check: &HealthCheck) -> Result<(), (Outcome, String)> {
        let check = Rc::clone(check);
        self.limited(Duration::MAX, move || check()).await.map_err(|error| match error {
            Broken::TimedOut(elapsed) => (Outcome::Timeout, elapsed.to_string()),
            Broken::Panicked(words) => (Outcome::Panic, format!("panicked: {words}")),
            Broken::Failed(text) => (Outcome::Failure(text.clone().into()), text),
        })
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    text.or(owned).unwrap_or("panic without a text").to_owned()
}
