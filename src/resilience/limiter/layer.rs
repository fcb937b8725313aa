//! The limiter as a `tower` layer: one token per call, waited for.

use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tower::{Layer, Service};

use super::{Limiter, TooMany};
use crate::ports::Clock;

/// Puts a [`Limiter`] in front of a service.
#[derive(Debug, Clone)]
pub struct LimiterLayer<C> {
    limiter: Limiter,
    clock: C,
}

impl<C> LimiterLayer<C> {
    /// A layer on `limiter`, which others may share.
    pub fn new(limiter: Limiter, clock: C) -> Self {
        Self { limiter, clock }
    }
}

impl<S, C: Clone> Layer<S> for LimiterLayer<C> {
    type Service = LimiterService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        LimiterService { inner, limiter: self.limiter.clone(), clock: self.clock.clone() }
    }
}

/// A service whose calls wait for a token each, in the order of their first polls.
#[derive(Debug, Clone)]
pub struct LimiterService<S, C> {
    inner: S,
    limiter: Limiter,
    clock: C,
}

/// Why a limited call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitedError<E> {
    /// The bucket holds not even one token; validated configurations exclude it.
    #[error(transparent)]
    TooMany(TooMany),
    /// The service's own error.
    #[error(transparent)]
    Inner(E),
}

impl<R, S, C> Service<R> for LimiterService<S, C>
where
    R: 'static,
    S: Service<R> + Clone + 'static,
    C: Clock,
{
    type Response = S::Response;
    type Error = LimitedError<S::Error>;
    type Future = LocalBoxFuture<'static, Result<S::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(LimitedError::Inner)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The service that was polled ready is the one to call; its clone waits for the next call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (limiter, clock) = (self.limiter.clone(), self.clock.clone());
        async move {
            limiter.acquire(&clock, 1).await.map_err(LimitedError::TooMany)?;
            inner.call(request).await.map_err(LimitedError::Inner)
        }
        .boxed_local()
    }
}
