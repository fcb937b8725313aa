//! The futures that run a pool: one for each worker, one for the retries' timer.
//!
//! Invariants:
//! - A worker holds a task only while it polls it; in between the task lies with the pool's state,
//!   so whoever cancels it can drop it at once.
//! - A worker goes on with the next task without waiting its turn on the thread, but not for more
//!   than [`TASKS_PER_TURN`] tasks, so others on the thread get theirs.
//! - Workers that are dropped with their host take all tasks with them: nobody waits for ever.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::CancelReason;
use super::body::{self, Boxed, Ended, discard};
use super::core::{Closing, Core, Key, LONGEST};
use crate::ports::Clock;
use crate::rt;

/// How many tasks a worker may take up within one poll.
const TASKS_PER_TURN: u32 = 16;

/// A future that the pool needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Worker(u32),
    Timer,
}

/// A task at the beginning of a try.
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) body: Option<Boxed>,
    pub(super) limit: Option<Duration>,
    pub(super) started: Duration,
}

/// How a try ended for its worker.
pub(super) enum Outcome {
    Ended(Ended, Boxed),
    TimedOut(Duration),
    /// It was not ready when the shutdown's deadline had passed.
    LastCall,
    /// It was cancelled.
    Withdrawn,
}

pub(super) fn spawn<C: Clock>(core: Rc<Core>, clock: C, service: Service) {
    // Not awaited: a service ends when its pool is over, or with its host.
    match service {
        Service::Worker(number) => drop(rt::spawn("pool worker", work(core, clock, number))),
        Service::Timer => drop(rt::spawn("pool timer", release_retries(core, clock))),
    }
}

/// Takes everything down when a service ends before its pool does.
struct Guard(Rc<Core>);

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.state.borrow().closing != Closing::Over {
            self.0.abandon(CancelReason::HostEnded);
        }
    }
}

async fn work<C: Clock>(core: Rc<Core>, clock: C, worker: u32) {
    let core = Guard(core);
    let core = &core.0;
    let mut in_a_row = 0;
    // The end of one task is the beginning of the next: reading the clock is what costs most.
    let mut now = None;
    while let Some(job) = poll_fn(|cx| core.poll_next(worker, &mut in_a_row, now.take(), cx)).await
    {
        let key = job.key;
        let in_a_row = &mut in_a_row;
        let sleep = |time| clock.sleep(time);
        let outcome = Run { core, worker, job, in_a_row, sleep, limit: None }.await;
        if let Outcome::TimedOut(_) = outcome {
            core.stop(worker, key);
        }
        now = Some(core.settle(worker, key, outcome));
    }
}

async fn release_retries<C: Clock>(core: Rc<Core>, clock: C) {
    let core = Guard(core);
    let core = &core.0;
    while let Some(due) = poll_fn(|cx| core.poll_timer(None, cx)).await {
        let wait = due.saturating_sub(core.now());
        let is_changed = poll_fn(|cx| core.poll_timer(Some(due), cx));
        if let rt::Race::Second(()) = rt::race(is_changed, clock.sleep(wait.min(LONGEST))).await {
            core.release_due();
        }
    }
}

impl Core {
    /// The next task; `now`, if it is known already.
    fn poll_next(
        &self,
        worker: u32,
        in_a_row: &mut u32,
        now: Option<Duration>,
        cx: &Context<'_>,
    ) -> Poll<Option<Job>> {
        let mut state = self.state.borrow_mut();
        if state.queue.len() > 0 {
            if *in_a_row >= TASKS_PER_TURN {
                *in_a_row = 0;
                drop(state);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            *in_a_row += 1;
            // One that was polled without being called is still in the list of those to call.
            if std::mem::take(&mut state.workers[worker as usize].is_parked) {
                state.idle.retain(|idle| *idle != worker);
            }
            let now = now.unwrap_or_else(|| self.now());
            return Poll::Ready(state.begin(worker, now));
        }
        *in_a_row = 0;
        if state.closing == Closing::Over {
            return Poll::Ready(None);
        }
        let place = &mut state.workers[worker as usize];
        let old = place.waker.replace(cx.waker().clone());
        if !std::mem::replace(&mut place.is_parked, true) {
            state.idle.push(worker);
        }
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// The first retry's instant once it differs from `known`; `None` when the pool is over.
    fn poll_timer(&self, known: Option<Duration>, cx: &Context<'_>) -> Poll<Option<Duration>> {
        let mut state = self.state.borrow_mut();
        if state.closing == Closing::Over {
            return Poll::Ready(None);
        }
        let first = state.timers.first_key_value().map(|((due, _), _)| *due);
        if first != known {
            return Poll::Ready(Some(first.unwrap_or(Duration::MAX)));
        }
        let old = state.timer_waker.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// The task that lies between two polls.
    fn pick_up(&self, worker: u32, key: Key) -> Option<Boxed> {
        let mut state = self.state.borrow_mut();
        let place = &mut state.workers[worker as usize];
        if place.task == Some(key) { place.body.take() } else { None }
    }

    /// Puts a task down after a poll; why it does not go on, if it does not.
    fn put_down(&self, worker: u32, key: Key, body: Boxed, cx: &Context<'_>) -> Option<Outcome> {
        let mut state = self.state.borrow_mut();
        let is_last_call = state.closing >= Closing::LastCall;
        let place = &mut state.workers[worker as usize];
        if place.task != Some(key) {
            drop(state);
            discard(body);
            return Some(Outcome::Withdrawn);
        }
        place.body = Some(body);
        if place.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            let old = place.waker.replace(cx.waker().clone());
            drop(state);
            drop(old);
        }
        is_last_call.then_some(Outcome::LastCall)
    }

    /// Ends a try that took too long; the task may begin another.
    fn stop(&self, worker: u32, key: Key) {
        let Some(mut body) = self.pick_up(worker, key) else { return };
        body::stop(|| self.name_of(key), &mut body);
        let mut state = self.state.borrow_mut();
        let place = &mut state.workers[worker as usize];
        if place.task == Some(key) {
            place.body = Some(body);
        } else {
            drop(state);
            discard(body);
        }
    }
}

pin_project! {
    /// One try, within its time; the timer is made once the try turns out to need time.
    struct Run<'a, S, M> {
        core: &'a Rc<Core>,
        worker: u32,
        job: Job,
        in_a_row: &'a mut u32,
        sleep: M,
        #[pin]
        limit: Option<S>,
    }
}

impl<S: Future<Output = ()>, M: Fn(Duration) -> S> Future for Run<'_, S, M> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut this = self.project();
        let (core, worker, key) = (*this.core, *this.worker, this.job.key);
        let Some(mut body) = this.job.body.take().or_else(|| core.pick_up(worker, key)) else {
            return Poll::Ready(Outcome::Withdrawn);
        };
        if let Poll::Ready(ended) = body::poll(|| core.name_of(key), &mut body, cx) {
            return Poll::Ready(Outcome::Ended(ended, body));
        }
        **this.in_a_row = 0;
        if let Some(outcome) = core.put_down(worker, key, body, cx) {
            return Poll::Ready(outcome);
        }
        let Some(limit) = this.job.limit else { return Poll::Pending };
        if this.limit.is_none() {
            let spent = core.now().saturating_sub(this.job.started);
            this.limit.set(Some((this.sleep)(limit.saturating_sub(spent))));
        }
        match this.limit.as_mut().as_pin_mut() {
            Some(sleep) => sleep.poll(cx).map(|()| Outcome::TimedOut(limit)),
            None => Poll::Pending,
        }
    }
}
