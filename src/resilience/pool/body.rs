//! A task whose types are forgotten: one allocation holds its operation, its future and its result.
//!
//! Invariant: whatever a task's own code does when it is made, polled or dropped, no panic leaves
//! this module.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::rt;

/// How a try ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Ok,
    Err,
    Panicked,
}

pub(super) trait Body {
    /// Goes on with the try, beginning it if there is none; at its end the result is kept.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended>;
    /// Drops the try.
    fn stop(self: Pin<&mut Self>);
    /// The `Option<Result<T, E>>` of the last try that ended.
    fn result(self: Pin<&mut Self>) -> &mut dyn Any;
}

pub(super) type Boxed = Pin<Box<dyn Body>>;

pin_project! {
    struct Typed<F, Fut, T, E> {
        operation: F,
        #[pin]
        attempt: Option<Fut>,
        result: Option<Result<T, E>>,
    }
}

impl<F, Fut, T, E> Body for Typed<F, Fut, T, E>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
    T: 'static,
    E: 'static,
{
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut this = self.project();
        if this.attempt.is_none() {
            this.attempt.set(Some((this.operation)()));
        }
        let Some(attempt) = this.attempt.as_mut().as_pin_mut() else { return Poll::Pending };
        let Poll::Ready(result) = attempt.poll(cx) else { return Poll::Pending };
        this.attempt.set(None);
        let ended = if result.is_ok() { Ended::Ok } else { Ended::Err };
        *this.result = Some(result);
        Poll::Ready(ended)
    }

    fn stop(self: Pin<&mut Self>) {
        self.project().attempt.set(None);
    }

    fn result(self: Pin<&mut Self>) -> &mut dyn Any {
        self.project().result
    }
}

/// Forgets the types of `operation`.
pub(super) fn boxed<F, Fut, T, E>(operation: F) -> Boxed
where
    F: FnMut() -> Fut + 'static,
    Fut: Future<Output = Result<T, E>> + 'static,
    T: 'static,
    E: 'static,
{
    Box::pin(Typed { operation, attempt: None, result: None })
}

/// Polls `body`; a panic ends the try.
pub(super) fn poll(
    name: impl Fn() -> String,
    body: &mut Boxed,
    cx: &mut Context<'_>,
) -> Poll<Ended> {
    match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(payload) => {
            rt::record_panic(&name(), payload.as_ref());
            Poll::Ready(Ended::Panicked)
        }
    }
}

/// Drops `body`'s try; a panic in its destructor is recorded and goes no further.
pub(super) fn stop(name: impl Fn() -> String, body: &mut Boxed) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| body.as_mut().stop())) {
        rt::record_panic(&name(), payload.as_ref());
    }
}

/// Drops `body`; a panic in its destructor is recorded and goes no further.
pub(super) fn discard(body: Boxed) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(body))) {
        rt::record_panic("a task's destructor", payload.as_ref());
    }
}
