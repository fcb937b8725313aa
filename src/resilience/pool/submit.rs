//! Getting into the pool: places, and submitters that wait for one.
//!
//! Invariants:
//! - Unfinished tasks and places that are given but not used yet never exceed the pool's places.
//! - Submitters get places in the order in which they began to wait; one that goes away, before or
//!   after it was given a place, costs nobody else theirs.
//! - While somebody waits, no place is free, so nobody can overtake.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::body::{self, Boxed};
use super::core::{Closing, Core, Effects, Entry, Key, LONGEST, Listener, Retrying, Stage, State};
use super::{Handle, Pool, QueuePolicy, Refusal, TaskOptions};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TurnStage {
    Waiting,
    Granted,
    Refused,
}

/// A submitter's place in the line.
pub(super) struct Turn {
    stage: Cell<TurnStage>,
    waker: Cell<Option<Waker>>,
}

impl Turn {
    fn end(&self, stage: TurnStage, effects: &mut Effects) {
        self.stage.set(stage);
        effects.wake.extend(self.waker.take());
    }
}

impl State {
    /// Gives free places to those who wait.
    pub(super) fn grant(&mut self, effects: &mut Effects) {
        while self.unfinished + self.reserved < self.places {
            let Some((_, turn)) = self.submitters.pop_first() else { return };
            self.reserved += 1;
            turn.end(TurnStage::Granted, effects);
        }
    }

    /// Sends away all who wait.
    pub(super) fn refuse_submitters(&mut self, effects: &mut Effects) {
        for turn in std::mem::take(&mut self.submitters).into_values() {
            self.counters.refused += 1;
            turn.end(TurnStage::Refused, effects);
        }
    }
}

/// How a submission comes by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ticket {
    /// It needs a free one now.
    New,
    /// [`Place`] gave it one.
    Reserved,
}

impl Core {
    /// Takes a task in.
    pub(super) fn accept(
        self: &Rc<Self>,
        ticket: Ticket,
        options: TaskOptions,
        listener: Listener,
        body: impl FnOnce() -> Boxed,
    ) -> Result<Key, Refusal> {
        let now = self.now();
        let limit = options.timeout.or(self.config().task_timeout);
        let (accepted, service) = self.change(|state, effects| {
            if ticket == Ticket::Reserved {
                state.reserved -= 1;
            }
            if let Err(refusal) = state.admit() {
                return (Err(refusal), None);
            }
            let under_way = None;
            let retry =
                options.retry.map(|config| Box::new(Retrying { config: *config, under_way }));
            let key = state.insert(Entry {
                generation: 0,
                stage: Stage::Queued,
                priority: options.priority,
                attempts: 0,
                number: state.counters.submitted,
                name: options.name,
                queued_at: now,
                limit: limit.filter(|limit| *limit < LONGEST),
                retry,
                body: Some(body()),
                listener,
                has_handle: true,
            });
            state.counters.submitted += 1;
            state.unfinished += 1;
            let service = state.enqueue(key.slot, now, effects);
            (Ok(key), service)
        });
        if let Some(service) = service {
            self.spawn(service);
        }
        accepted
    }

    /// A place, at once or when it is this submitter's turn.
    pub(super) fn place(self: &Rc<Self>) -> Place<'_> {
        Place { core: self, turn: None }
    }
}

impl State {
    fn admit(&mut self) -> Result<(), Refusal> {
        let refusal = if self.closing != Closing::Open {
            Refusal::ShutDown
        } else if self.unfinished + self.reserved >= self.places {
            Refusal::QueueFull { unfinished_max: self.places as u64 }
        } else {
            return Ok(());
        };
        self.counters.refused += 1;
        Err(refusal)
    }
}

/// The future of [`Core::place`]; its place must be used at once ([`Ticket::Reserved`]).
pub(super) struct Place<'a> {
    core: &'a Rc<Core>,
    turn: Option<(u64, Rc<Turn>)>,
}

impl Place<'_> {
    fn join(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        let mut state = self.core.state.borrow_mut();
        if state.closing != Closing::Open {
            state.counters.refused += 1;
            return Poll::Ready(Err(Refusal::ShutDown));
        }
        if state.unfinished + state.reserved < state.places {
            state.reserved += 1;
            return Poll::Ready(Ok(()));
        }
        let number = state.submitter_sequence;
        state.submitter_sequence += 1;
        let waker = Cell::new(Some(cx.waker().clone()));
        let turn = Rc::new(Turn { stage: Cell::new(TurnStage::Waiting), waker });
        state.submitters.insert(number, Rc::clone(&turn));
        drop(state);
        self.turn = Some((number, turn));
        Poll::Pending
    }
}

impl Future for Place<'_> {
    type Output = Result<(), Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((_, turn)) = &self.turn else { return self.join(cx) };
        let result = match turn.stage.get() {
            TurnStage::Waiting => {
                turn.waker.set(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            TurnStage::Granted => Ok(()),
            TurnStage::Refused => Err(Refusal::ShutDown),
        };
        self.turn = None;
        Poll::Ready(result)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some((number, turn)) = self.turn.take() else { return };
        self.core.change(|state, effects| {
            if turn.stage.get() == TurnStage::Granted {
                state.reserved -= 1;
                state.grant(effects);
            } else {
                state.submitters.remove(&number);
            }
        });
    }
}

impl Pool {
    /// Submits a task, at once or not at all, whatever the policy.
    ///
    /// # Errors
    /// No place is free, or the pool is shut down.
    ///
    /// # Panics
    /// Outside a `LocalSet`, as [`crate::rt::spawn`] does.
    pub fn try_submit<F, Fut, T, E>(
        &self,
        options: TaskOptions,
        operation: F,
    ) -> Result<Handle<T, E>, Refusal>
    where
        F: FnMut() -> Fut + 'static,
        Fut: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: 'static,
    {
        self.submit_with(Ticket::New, options, Listener::Nobody, operation)
    }

    /// Submits a task by the pool's policy: refused when there is no place, or as soon as it is
    /// this submitter's turn. May be dropped while it waits: nothing was submitted then.
    ///
    /// # Errors
    /// No place is free (policy [`QueuePolicy::Reject`]), or the pool is shut down.
    ///
    /// # Panics
    /// Outside a `LocalSet`, as [`crate::rt::spawn`] does.
    pub async fn submit<F, Fut, T, E>(
        &self,
        options: TaskOptions,
        operation: F,
    ) -> Result<Handle<T, E>, Refusal>
    where
        F: FnMut() -> Fut + 'static,
        Fut: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: 'static,
    {
        let ticket = self.ticket().await?;
        self.submit_with(ticket, options, Listener::Nobody, operation)
    }

    /// A place by the pool's policy.
    pub(super) async fn ticket(&self) -> Result<Ticket, Refusal> {
        match self.config().policy {
            QueuePolicy::Reject => Ok(Ticket::New),
            QueuePolicy::Wait => self.core().place().await.map(|()| Ticket::Reserved),
        }
    }

    pub(super) fn submit_with<F, Fut, T, E>(
        &self,
        ticket: Ticket,
        options: TaskOptions,
        listener: Listener,
        operation: F,
    ) -> Result<Handle<T, E>, Refusal>
    where
        F: FnMut() -> Fut + 'static,
        Fut: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: 'static,
    {
        let core = self.core();
        let key = core.accept(ticket, options, listener, || body::boxed(operation))?;
        Ok(Handle::new(Rc::clone(core), key))
    }
}
