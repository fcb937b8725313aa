//! Futures and `tower` services behind a breaker.
//!
//! Invariants:
//! - The guarded future runs only under a permit; nothing gives access to the service inside.
//! - When the call timeout passes, the future is dropped first and booked then, so that no more
//!   calls are under way than permits are out. A future that is ready at the deadline wins.
//! - A panic is booked as a failure and goes on.
//! - Readiness of the service inside is part of the call: waiting for it falls under the timeout,
//!   and its failure is a failure of the call.
//!
//! Not modelled: back-pressure by `poll_ready`: a breaker is always ready to reject.

use std::borrow::Borrow;
use std::future::{Future, Ready, ready};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::Either;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower::{Layer, Service};

use super::Rejected;
use super::outcome::{Classify, Measured, Outcome};
use super::shell::{Breaker, Permit};
use crate::ports::{Clock, Elapsed};

/// Why a guarded call gave no result of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BreakerError<E> {
    /// The breaker did not let it pass.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// It took too long and was cancelled; whether it was carried out is not known.
    #[error(transparent)]
    TimedOut(Elapsed),
    /// Its own error.
    #[error("{0}")]
    Inner(#[source] E),
}

impl<E> BreakerError<E> {
    /// `CIRCUIT_OPEN` or `TIMEOUT`; an error of the call has a code of its own, if any.
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Rejected(_) => Some(Rejected::CODE),
            Self::TimedOut(_) => Some("TIMEOUT"),
            Self::Inner(_) => None,
        }
    }

    /// The call's own error.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Inner(error) => Some(error),
            _ => None,
        }
    }
}

/// Runs `future` behind `breaker`, at most for its call timeout.
///
/// # Errors
/// Rejection (then `future` was never polled), timeout, or the future's own error.
pub async fn guard<C, K, F, T, E>(
    breaker: &Breaker,
    clock: &C,
    classify: &K,
    future: F,
) -> Result<T, BreakerError<E>>
where
    C: Clock,
    K: Classify<T, E>,
    F: Future<Output = Result<T, E>>,
{
    let permit = breaker.admit(|| clock.monotonic())?;
    let limit = breaker.config().call_timeout;
    let started = clock.monotonic();
    let sleep = clock.sleep(limit);
    let clock = clock.clone();
    Guarded { future: Some(future), sleep, limit, started, clock, classify, permit: Some(permit) }
        .await
}

pin_project! {
    /// A future under a permit.
    #[project = GuardedProjection]
    pub struct Guarded<F, S, C, K, B = Breaker>
    where
        B: Borrow<Breaker>,
    {
        // Before the permit, so that dropping all ends the call before its place is free.
        #[pin]
        future: Option<F>,
        #[pin]
        sleep: S,
        limit: Duration,
        started: Duration,
        clock: C,
        classify: K,
        permit: Option<Permit<B>>,
    }
}

impl<F, S, C, K, B: Borrow<Breaker>> std::fmt::Debug for Guarded<F, S, C, K, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded").field("permit", &self.permit).finish_non_exhaustive()
    }
}

impl<F, S, C, K, B> Guarded<F, S, C, K, B>
where
    C: Clock,
    B: Borrow<Breaker>,
{
    fn finish(self: Pin<&mut Self>, outcome: Outcome) {
        let mut this = self.project();
        this.future.set(None);
        if let Some(permit) = this.permit.take() {
            let (clock, started) = (&*this.clock, *this.started);
            permit.record(outcome, || {
                let now = clock.monotonic();
                Measured { now, took: Some(now.saturating_sub(started)) }
            });
        }
    }
}

impl<F, S, C, K, B, T, E> Future for Guarded<F, S, C, K, B>
where
    F: Future<Output = Result<T, E>>,
    S: Future<Output = ()>,
    C: Clock,
    K: Deref<Target: Classify<T, E>>,
    B: Borrow<Breaker>,
{
    type Output = Result<T, BreakerError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_mut().project();
        let Some(future) = this.future.as_pin_mut() else {
            // Polled again after its end, which a future need not answer.
            return Poll::Pending;
        };
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Err(payload) => {
                self.finish(Outcome::Panic);
                resume_unwind(payload)
            }
            Ok(Poll::Ready(result)) => {
                let outcome = this.classify.classify(&result);
                self.finish(outcome);
                Poll::Ready(result.map_err(BreakerError::Inner))
            }
            Ok(Poll::Pending) => {
                if this.sleep.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let limit = *this.limit;
                self.finish(Outcome::Timeout);
                Poll::Ready(Err(BreakerError::TimedOut(Elapsed(limit))))
            }
        }
    }
}

/// Puts services behind a breaker.
#[derive(Debug, Clone)]
pub struct BreakerLayer<C, K> {
    breaker: Breaker,
    clock: C,
    classify: Arc<K>,
}

impl<C: Clock, K> BreakerLayer<C, K> {
    /// A layer of `breaker`, which may stand before several services.
    pub fn new(breaker: Breaker, clock: C, classifier: K) -> Self {
        Self { breaker, clock, classify: Arc::new(classifier) }
    }
}

impl<S, C: Clock, K> Layer<S> for BreakerLayer<C, K> {
    type Service = BreakerService<S, C, K>;

    fn layer(&self, inner: S) -> Self::Service {
        let classify = Arc::clone(&self.classify);
        BreakerService { inner, breaker: self.breaker.clone(), clock: self.clock.clone(), classify }
    }
}

/// A service behind a breaker; the service inside cannot be reached around it.
pub struct BreakerService<S, C, K> {
    inner: S,
    breaker: Breaker,
    clock: C,
    classify: Arc<K>,
}

impl<S: Clone, C: Clone, K> Clone for BreakerService<S, C, K> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            breaker: self.breaker.clone(),
            clock: self.clock.clone(),
            classify: Arc::clone(&self.classify),
        }
    }
}

impl<S, C, K> BreakerService<S, C, K> {
    /// The breaker it stands behind.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }
}

impl<S, C, K> std::fmt::Debug for BreakerService<S, C, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BreakerService").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What [`BreakerService`] answers with: a rejection at once, or the guarded call.
pub type BreakerFuture<S, R, C, K> = Either<
    Ready<Result<<S as Service<R>>::Response, BreakerError<<S as Service<R>>::Error>>>,
    Guarded<Oneshot<S, R>, Sleep, C, Arc<K>>,
>;

impl<S, R, C, K> Service<R> for BreakerService<S, C, K>
where
    S: Service<R> + Clone,
    C: Clock,
    K: Classify<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = BreakerError<S::Error>;
    type Future = BreakerFuture<S, R, C, K>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let permit = match self.breaker.admit_owned(|| self.clock.monotonic()) {
            Ok(permit) => permit,
            Err(rejected) => return Either::Left(ready(Err(rejected.into()))),
        };
        let limit = self.breaker.config().call_timeout;
        let clock = self.clock.clone();
        Either::Right(Guarded {
            future: Some(Oneshot::new(self.inner.clone(), request)),
            sleep: Box::pin(async move { clock.sleep(limit).await }),
            limit,
            started: self.clock.monotonic(),
            clock: self.clock.clone(),
            classify: Arc::clone(&self.classify),
            permit: Some(permit),
        })
    }
}
