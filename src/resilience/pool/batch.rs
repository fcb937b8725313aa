//! Many tasks at once, with their results in the order of input.
//!
//! Invariants:
//! - A batch costs the same per task whatever its length: it is woken once at its end (or at its
//!   first failure), not by every task.
//! - A batch that is dropped takes its unfinished tasks with it.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::core::{Effects, Listener};
use super::{CancelReason, Handle, Pool, TaskError, TaskOptions};
use crate::rt;

/// What a failure does to the rest of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchMode {
    /// The rest is cancelled ([`CancelReason::BatchFailed`]) or not even submitted. Every end but
    /// a good one counts as failure, a refusal and a cancellation included.
    FailFast,
    /// Nothing: all tasks run to their end.
    SettleAll,
}

/// What a batch knows of its tasks.
pub(super) struct BatchCell {
    mode: BatchMode,
    running: Cell<usize>,
    has_failed: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl BatchCell {
    /// One of its tasks ended.
    pub(super) fn ended(&self, is_good: bool, effects: &mut Effects) {
        self.running.set(self.running.get() - 1);
        if !is_good {
            self.has_failed.set(true);
        }
        if self.is_broken() || self.running.get() == 0 {
            effects.wake.extend(self.waker.take());
        }
    }

    /// Whether the rest is to be cancelled.
    fn is_broken(&self) -> bool {
        self.mode == BatchMode::FailFast && self.has_failed.get()
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        poll_fn(|cx| {
            if holds(self) {
                return Poll::Ready(());
            }
            self.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// A batch's tasks in order of input.
struct Members<T: 'static, E: 'static>(Vec<Result<Handle<T, E>, TaskError<E>>>);

impl<T, E> Members<T, E> {
    fn cancel(&self, reason: CancelReason) {
        for handle in self.0.iter().flatten() {
            handle.cancel_because(reason);
        }
    }
}

impl<T, E> Drop for Members<T, E> {
    fn drop(&mut self) {
        self.cancel(CancelReason::BatchDropped);
    }
}

impl Pool {
    /// Runs `tasks` and gives their results in order of input. Whether a task that finds no place
    /// is refused or waits is the pool's policy: with [`super::QueuePolicy::Wait`] a batch may be
    /// longer than the queue. When the batch is dropped, its unfinished tasks are cancelled.
    ///
    /// # Panics
    /// Outside a `LocalSet`, as [`crate::rt::spawn`] does.
    pub async fn submit_batch<F, Fut, T, E>(
        &self,
        tasks: impl IntoIterator<Item = (TaskOptions, F)>,
        mode: BatchMode,
    ) -> Vec<Result<T, TaskError<E>>>
    where
        F: FnMut() -> Fut + 'static,
        Fut: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: 'static,
    {
        let cell = Rc::new(BatchCell {
            mode,
            running: Cell::new(0),
            has_failed: Cell::new(false),
            waker: Cell::new(None),
        });
        let mut members = Members(Vec::new());
        for (options, operation) in tasks {
            members.0.push(self.submit_member(&cell, options, operation).await);
        }
        cell.until(|cell| cell.is_broken() || cell.running.get() == 0).await;
        members.cancel(CancelReason::BatchFailed);
        let ended = std::mem::take(&mut members.0).into_iter();
        ended
            .map(|member| {
                member.and_then(|mut handle| handle.take().unwrap_or(Err(TaskError::Taken)))
            })
            .collect()
    }

    async fn submit_member<F, Fut, T, E>(
        &self,
        cell: &Rc<BatchCell>,
        options: TaskOptions,
        operation: F,
    ) -> Result<Handle<T, E>, TaskError<E>>
    where
        F: FnMut() -> Fut + 'static,
        Fut: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: 'static,
    {
        let broken = TaskError::Cancelled(CancelReason::BatchFailed);
        let ticket = match rt::race(cell.until(BatchCell::is_broken), self.ticket()).await {
            rt::Race::First(()) => return Err(broken),
            rt::Race::Second(ticket) => ticket,
        };
        // Counted first: nothing that runs on submission may find the batch without its task.
        cell.running.set(cell.running.get() + 1);
        let listener = Listener::Batch(Rc::clone(cell));
        let submitted =
            ticket.and_then(|ticket| self.submit_with(ticket, options, listener, operation));
        submitted.map_err(|refusal| {
            cell.running.set(cell.running.get() - 1);
            cell.has_failed.set(true);
            TaskError::Refused(refusal)
        })
    }
}
