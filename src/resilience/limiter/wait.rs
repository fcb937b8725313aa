//! The line of waiters.
//!
//! Only the first in line reckons and sleeps; the others sleep until they are the first. A place
//! that is left, by its turn or by a drop, alerts whoever is first afterwards.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::Limiter;
use super::bucket::nap;
use crate::ports::Clock;
use crate::rt::race;

#[derive(Debug)]
struct Ticket {
    id: u64,
    tokens: u32,
    /// Set when the owner has to look again; together with the waker, so that no alert is lost.
    alerted: bool,
    waker: Option<Waker>,
}

/// Waiters, first come first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next: u64,
    tickets: VecDeque<Ticket>,
    tokens: u64,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.tickets.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Sum of what all waiters want.
    pub(super) fn tokens(&self) -> u64 {
        self.tokens
    }

    /// A new place at the end.
    pub(super) fn join(&mut self, tokens: u32) -> u64 {
        let id = self.next;
        self.next += 1;
        self.tokens += u64::from(tokens);
        self.tickets.push_back(Ticket { id, tokens, alerted: false, waker: None });
        id
    }

    /// Removes `id`; the waker of the one who is first because of that.
    fn leave(&mut self, id: u64) -> Option<Waker> {
        let at = self.tickets.binary_search_by_key(&id, |ticket| ticket.id).ok()?;
        let left = self.tickets.remove(at)?;
        self.tokens -= u64::from(left.tokens);
        if at == 0 { self.alert_first() } else { None }
    }

    /// Marks the first as alerted; its waker, to be woken once the lock is released.
    pub(super) fn alert_first(&mut self) -> Option<Waker> {
        let first = self.tickets.front_mut()?;
        first.alerted = true;
        first.waker.take()
    }

    fn get_mut(&mut self, id: u64) -> Option<&mut Ticket> {
        let at = self.tickets.binary_search_by_key(&id, |ticket| ticket.id).ok()?;
        self.tickets.get_mut(at)
    }
}

/// One waiter's place; left when dropped.
pub(super) struct Place {
    limiter: Limiter,
    id: u64,
    served: bool,
}

impl Place {
    pub(super) fn join(limiter: &Limiter, id: u64) -> Self {
        Self { limiter: limiter.clone(), id, served: false }
    }

    /// Waits for its turn and its tokens; gives the time since `started`.
    pub(super) async fn turn<C: Clock>(&mut self, clock: &C, started: Duration) -> Duration {
        loop {
            let now = clock.monotonic();
            match self.step(now, started) {
                Step::Served(waited) => return waited,
                Step::First(Some(wait)) => {
                    race(self.alerted(), clock.sleep(nap(wait))).await;
                }
                // Not the first, or no inflow: only an alert changes that.
                Step::First(None) | Step::Behind => self.alerted().await,
            }
        }
    }

    fn step(&mut self, now: Duration, started: Duration) -> Step {
        let mut guard = self.limiter.inner();
        let inner = &mut *guard;
        let Some(first) = inner.queue.tickets.front() else { return Step::Behind };
        if first.id != self.id {
            return Step::Behind;
        }
        let tokens = first.tokens;
        if let Err(wait) = inner.bucket.take(tokens, now) {
            return Step::First(wait);
        }
        inner.admit(tokens);
        let waited = now.saturating_sub(started);
        inner.waited_total += 1;
        inner.wait_time_total = inner.wait_time_total.saturating_add(waited);
        self.served = true;
        let next = inner.queue.leave(self.id);
        drop(guard);
        next.into_iter().for_each(Waker::wake);
        Step::Served(waited)
    }

    /// Completes at the next alert, or at once if one came since the last.
    fn alerted(&self) -> impl Future<Output = ()> + Send {
        poll_fn(|context| {
            let mut inner = self.limiter.inner();
            let Some(ticket) = inner.queue.get_mut(self.id) else { return Poll::Ready(()) };
            if std::mem::take(&mut ticket.alerted) {
                return Poll::Ready(());
            }
            ticket.waker = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.served {
            return;
        }
        let mut inner = self.limiter.inner();
        inner.cancelled_total += 1;
        let next = inner.queue.leave(self.id);
        drop(inner);
        next.into_iter().for_each(Waker::wake);
    }
}

enum Step {
    Served(Duration),
    /// Its turn, but the tokens take so long (`None`: forever).
    First(Option<Duration>),
    Behind,
}
