//! What a submitter holds of its task: await it, ask where it stands, end it.
//!
//! Invariant: dropping a handle lets the task run on and its result go to nobody; nothing of the
//! task stays behind.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::body::{Boxed, discard};
use super::core::{Core, Effects, Key, Listener, Stage, State};
use super::{CancelReason, TaskError, TaskState};

/// A submitted task; dropping it lets the task run on, [`Handle::cancel`] ends it.
///
/// The value it is awaited to can be had once; a second time gives [`TaskError::Taken`].
pub struct Handle<T, E> {
    core: Rc<Core>,
    key: Key,
    /// Once the result was taken.
    last: Option<TaskState>,
    result: PhantomData<fn() -> Result<T, E>>,
}

impl<T, E> std::fmt::Debug for Handle<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("state", &self.state()).finish()
    }
}

impl<T, E> Handle<T, E> {
    pub(super) fn new(core: Rc<Core>, key: Key) -> Self {
        Self { core, key, last: None, result: PhantomData }
    }

    /// Where the task stands.
    pub fn state(&self) -> TaskState {
        let state = self.core.state.borrow();
        let known = state.entry(self.key).map(|entry| entry.stage.state());
        self.last.or(known).unwrap_or(TaskState::Cancelled)
    }

    /// Ends the task wherever it stands; its future is dropped before this returns, unless it is
    /// this very future that calls. Gives whether the task had not ended yet.
    pub fn cancel(&self) -> bool {
        self.cancel_because(CancelReason::Handle)
    }

    pub(super) fn cancel_because(&self, reason: CancelReason) -> bool {
        self.last.is_none() && self.core.cancel(self.key, reason)
    }
}

/// What an ended task left.
struct Left {
    stage: Stage,
    attempts: u32,
    body: Option<Boxed>,
}

impl State {
    /// What the task left, if it has ended; its entry is free then.
    fn take(&mut self, key: Key, effects: &mut Effects) -> Option<Left> {
        let entry = self.entry_mut(key).filter(|entry| entry.stage.state().is_final())?;
        let left = Left { stage: entry.stage, attempts: entry.attempts, body: entry.body.take() };
        self.release(key.slot, effects);
        Some(left)
    }
}

impl<T: 'static, E: 'static> Handle<T, E> {
    /// The task's result, if it has ended.
    pub(super) fn take(&mut self) -> Option<Result<T, TaskError<E>>> {
        if self.last.is_some() {
            return Some(Err(TaskError::Taken));
        }
        let left = self.core.change(|state, effects| state.take(self.key, effects))?;
        self.last = Some(left.stage.state());
        let attempts = left.attempts;
        let given = left.body.and_then(|mut body| {
            let result = body.as_mut().result().downcast_mut::<Option<Result<T, E>>>()?.take();
            discard(body);
            result
        });
        Some(match (left.stage, given) {
            (Stage::Done | Stage::Failed, Some(given)) => {
                given.map_err(|error| TaskError::Failed { error, attempts })
            }
            (Stage::TimedOut(limit), _) => Err(TaskError::TimedOut { limit, attempts }),
            (Stage::Panicked, _) => Err(TaskError::Panicked { attempts }),
            (Stage::Cancelled(reason), _) => Err(TaskError::Cancelled(reason)),
            _ => Err(TaskError::Taken),
        })
    }
}

impl<T: 'static, E: 'static> Future for Handle<T, E> {
    type Output = Result<T, TaskError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(result) = self.take() {
            return Poll::Ready(result);
        }
        self.core.change(|state, effects| {
            let Some(entry) = state.entry_mut(self.key) else { return };
            match &entry.listener {
                Listener::Waker(waker) if waker.will_wake(cx.waker()) => {}
                _ => {
                    let listener = Listener::Waker(cx.waker().clone());
                    effects.gone.push(std::mem::replace(&mut entry.listener, listener));
                }
            }
        });
        Poll::Pending
    }
}

impl<T, E> Drop for Handle<T, E> {
    fn drop(&mut self) {
        if self.last.is_some() {
            return;
        }
        self.core.change(|state, effects| {
            let Some(entry) = state.entry_mut(self.key) else { return };
            entry.has_handle = false;
            let listener = std::mem::replace(&mut entry.listener, Listener::Nobody);
            effects.gone.push(listener);
            if entry.stage.state().is_final() {
                state.release(self.key.slot, effects);
            }
        });
    }
}
