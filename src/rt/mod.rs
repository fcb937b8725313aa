//! Tasks, races and shutdown: the only way this crate spawns, selects and cancels.
//!
//! Invariants:
//! - Every task belongs to the host that spawned it: tasks are spawned on the current `LocalSet`,
//!   which a simulated host owns and a crash drops.
//! - Races are biased to their first branch, so the order of polls is written in the code.
//! - A panic in a task is recorded ([`take_panics`]) and reported to whoever awaits the task; it
//!   never disappears.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use pin_project_lite::pin_project;

pub mod cause;
mod causes;
pub mod http;
mod shutdown;

pub use causes::with_causes;
pub use shutdown::{Shutdown, ShutdownHandle};

/// A panic that a spawned task ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPanic {
    /// The task's name.
    pub task: String,
    /// The panic's message.
    pub message: String,
}

thread_local! {
    static PANICS: RefCell<Vec<TaskPanic>> = const { RefCell::new(Vec::new()) };
}

/// Takes the panics of tasks on this thread since the last call, oldest first.
pub fn take_panics() -> Vec<TaskPanic> {
    PANICS.with_borrow_mut(std::mem::take)
}

/// Records a panic caught elsewhere on this thread (a host's main future, say).
pub fn record_panic(task: &str, payload: &(dyn Any + Send)) {
    let panic = TaskPanic { task: task.to_owned(), message: panic_message(payload) };
    tracing::error!(task = %panic.task, message = %panic.message, "Task panicked.");
    PANICS.with_borrow_mut(|panics| panics.push(panic));
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    text.or(owned).unwrap_or("panic without a text").to_owned()
}

/// Why a task gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// It panicked; [`take_panics`] has the text.
    #[error("task panicked")]
    Panicked,
    /// It was aborted, or its host went down.
    #[error("task was cancelled")]
    Cancelled,
}

/// A spawned task; dropping it lets the task run on, [`Task::abort`] ends it.
#[derive(Debug)]
pub struct Task<T>(tokio::task::JoinHandle<Option<T>>);

impl<T> Task<T> {
    /// Ends the task at its next await point.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Whether the task has ended, for whatever reason.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|joined| match joined {
            Ok(Some(output)) => Ok(output),
            Ok(None) => Err(TaskError::Panicked),
            Err(_) => Err(TaskError::Cancelled),
        })
    }
}

/// Spawns `future` on the current host under `name`.
///
/// # Panics
/// Outside a `LocalSet` (a programming error: every host runs in one).
pub fn spawn<F>(name: impl Into<String>, future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let name = name.into();
    // Combinators rather than an async block, which would keep room for the future twice.
    let caught = AssertUnwindSafe(future).catch_unwind().map(move |outcome| match outcome {
        Ok(output) => Some(output),
        Err(payload) => {
            record_panic(&name, payload.as_ref());
            None
        }
    });
    #[expect(clippy::disallowed_methods, reason = "the one sanctioned caller")]
    let handle = tokio::task::spawn_local(cause::strand(caught));
    Task(handle)
}

/// Which of two futures finished first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Race<A, B> {
    /// The first one, or both at once.
    First(A),
    /// The second one.
    Second(B),
}

/// Runs both futures until one finishes, polling `first` first each time; drops the other.
///
/// Not an `async fn`, which would keep room for each future twice: as its argument and pinned.
pub fn race<A: Future, B: Future>(first: A, second: B) -> Racing<A, B> {
    Racing { first, second }
}

pin_project! {
    /// The future of [`race`].
    #[derive(Debug)]
    pub struct Racing<A, B> {
        #[pin]
        first: A,
        #[pin]
        second: B,
    }
}

impl<A: Future, B: Future> Future for Racing<A, B> {
    type Output = Race<A::Output, B::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let both = self.project();
        if let Poll::Ready(output) = both.first.poll(cx) {
            return Poll::Ready(Race::First(output));
        }
        both.second.poll(cx).map(Race::Second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn panic_is_reported_and_recorded() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let task = spawn("doomed", async { panic!("boom {}", 1) });
                assert_eq!(task.await, Err(TaskError::Panicked));
            })
            .await;
        let panics = take_panics();
        assert_eq!(panics, [TaskPanic { task: "doomed".into(), message: "boom 1".into() }]);
        assert!(take_panics().is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn race_prefers_the_first() {
        assert_eq!(race(async { 1 }, async { 2 }).await, Race::First(1));
        assert_eq!(race(std::future::pending::<()>(), async { 2 }).await, Race::Second(2));
    }
}
