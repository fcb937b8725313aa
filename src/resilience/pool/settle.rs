//! How tasks move on: to a worker, to their end or next try, and all of them to the pool's end.
//!
//! Invariants:
//! - A task ends once; whoever comes later (a worker whose task was cancelled under it) finds it
//!   gone and changes nothing.
//! - A worker is free from the moment its task ended, was cancelled or began to wait for a retry.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::body::{Boxed, Ended};
use super::core::{Closing, Core, Effects, Key, Listener, Stage, State};
use super::worker::{Job, Outcome, Service};
use super::{CancelReason, Pool, Unfinished};
use crate::resilience::retry::Backoff;
use crate::rt;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

impl State {
    /// The next task for `worker`.
    pub(super) fn begin(&mut self, worker: u32, now: Duration) -> Option<Job> {
        let slot = self.queue.pop()?;
        let entry = &mut self.entries[slot as usize];
        entry.stage = Stage::Running(worker);
        entry.attempts += 1;
        let key = Key { slot, generation: entry.generation };
        let job = Job { key, body: entry.body.take(), limit: entry.limit, started: now };
        self.wait.record(now.saturating_sub(entry.queued_at));
        self.active += 1;
        let high = &mut self.counters.active_high_water;
        *high = (*high).max(self.active);
        let worker = &mut self.workers[worker as usize];
        worker.task = Some(key);
        worker.started = now;
        Some(job)
    }

    /// Frees `worker` of its task.
    fn free_worker(&mut self, worker: u32, now: Duration) -> Option<Boxed> {
        let worker = &mut self.workers[worker as usize];
        let took = now.saturating_sub(worker.started);
        worker.task = None;
        self.active -= 1;
        self.counters.busy_time += took;
        self.run.record(took);
        worker.body.take()
    }

    /// Ends the task in `slot`, which is no longer queued, running or waiting.
    fn finish(&mut self, slot: u32, stage: Stage, body: Option<Boxed>, effects: &mut Effects) {
        let counters = &mut self.counters;
        match stage {
            Stage::Done => counters.completed += 1,
            Stage::TimedOut(_) => counters.timed_out += 1,
            Stage::Cancelled(_) => counters.cancelled += 1,
            _ => {
                counters.failed += 1;
                counters.panicked += u64::from(stage == Stage::Panicked);
            }
        }
        let entry = &mut self.entries[slot as usize];
        entry.stage = stage;
        let has_result = matches!(stage, Stage::Done | Stage::Failed);
        match body {
            Some(body) if has_result && entry.has_handle => entry.body = Some(body),
            body => effects.drop.extend(body.or(entry.body.take())),
        }
        match std::mem::replace(&mut entry.listener, Listener::Nobody) {
            Listener::Nobody => {}
            Listener::Waker(waker) => effects.wake.push(waker),
            Listener::Batch(cell) => cell.ended(stage == Stage::Done, effects),
        }
        if !entry.has_handle {
            self.release(slot, effects);
        }
        self.unfinished -= 1;
        self.grant(effects);
        if self.unfinished == 0 && self.closing > Closing::Open {
            self.closing = Closing::Over;
            effects.wake.extend(self.drained.drain(..));
            self.wake_services(effects);
        }
    }

    /// Wakes the timer and every worker, for them to see how the pool stands.
    fn wake_services(&mut self, effects: &mut Effects) {
        effects.wake.extend(self.timer_waker.take());
        self.idle.clear();
        for worker in &mut self.workers {
            worker.is_parked = false;
            effects.wake.extend(worker.waker.take());
        }
    }

    /// How long the failed task in `slot` waits for its next try, if it has one.
    fn retry_delay(&mut self, slot: u32, started: Duration, now: Duration) -> Option<Duration> {
        let retry = self.entries[slot as usize].retry.as_mut()?;
        if self.closing >= Closing::LastCall {
            return None;
        }
        let rng = &mut self.rng;
        let (first, backoff) = retry.under_way.get_or_insert_with(|| {
            (started, Backoff::new(retry.config.clone(), ChaCha8Rng::from_rng(rng)))
        });
        let spent = now.saturating_sub(*first);
        let left = match backoff.config().deadline {
            Some(deadline) => deadline.checked_sub(spent)?,
            None => Duration::MAX,
        };
        backoff.next_delay_within(None, left)
    }

    /// Lets the task in `slot` wait for its next try.
    fn wait_for_retry(
        &mut self,
        slot: u32,
        due: Duration,
        body: Option<Boxed>,
        effects: &mut Effects,
    ) {
        let sequence = self.timer_sequence;
        self.timer_sequence += 1;
        let entry = &mut self.entries[slot as usize];
        entry.stage = Stage::RetryWait(due, sequence);
        entry.body = body;
        self.counters.retried += 1;
        self.timers.insert((due, sequence), slot);
        // A later one does not change what the timer waits for.
        if self.timers.first_key_value().is_some_and(|(first, _)| *first == (due, sequence)) {
            effects.wake.extend(self.timer_waker.take());
        }
    }
}

impl Core {
    /// Books how `key`'s try at `worker` ended, and when (which it gives); the worker is free.
    pub(super) fn settle(self: &Rc<Self>, worker: u32, key: Key, outcome: Outcome) -> Duration {
        let now = self.now();
        let service = self.change(|state, effects| {
            if state.workers[worker as usize].task != Some(key) {
                if let Outcome::Ended(_, body) = outcome {
                    effects.drop.push(body);
                }
                return None;
            }
            let started = state.workers[worker as usize].started;
            let kept = state.free_worker(worker, now);
            let (stage, body) = match outcome {
                Outcome::Ended(Ended::Ok, body) => (Stage::Done, Some(body)),
                Outcome::Ended(Ended::Panicked, body) => (Stage::Panicked, Some(body)),
                Outcome::Ended(Ended::Err, body) => (Stage::Failed, Some(body)),
                Outcome::TimedOut(limit) => (Stage::TimedOut(limit), kept),
                Outcome::LastCall | Outcome::Withdrawn => {
                    let reason = CancelReason::ShutdownDeadline;
                    state.leave(key.slot, Stage::Running(worker), reason);
                    (Stage::Cancelled(reason), kept)
                }
            };
            if matches!(stage, Stage::Failed | Stage::TimedOut(_))
                && let Some(delay) = state.retry_delay(key.slot, started, now)
            {
                state.wait_for_retry(key.slot, now.saturating_add(delay), body, effects);
                let is_first = !std::mem::replace(&mut state.has_timer, true);
                return is_first.then_some(Service::Timer);
            }
            state.finish(key.slot, stage, body, effects);
            None
        });
        if let Some(service) = service {
            self.spawn(service);
        }
        now
    }

    /// Queues every task whose wait for a retry is over.
    pub(super) fn release_due(self: &Rc<Self>) {
        let now = self.now();
        loop {
            let (more, service) = self.change(|state, effects| {
                match state.timers.first_entry().filter(|first| first.key().0 <= now) {
                    Some(first) => {
                        let slot = first.remove();
                        (true, state.enqueue(slot, now, effects))
                    }
                    None => (false, None),
                }
            });
            if let Some(service) = service {
                self.spawn(service);
            }
            if !more {
                return;
            }
        }
    }

    /// Ends `key`'s task wherever it stands; whether it had not ended yet.
    pub(super) fn cancel(&self, key: Key, reason: CancelReason) -> bool {
        let now = self.now();
        self.change(|state, effects| {
            let Some(stage) = state.entry(key).map(|entry| entry.stage) else { return false };
            state.cancel(key.slot, stage, reason, now, effects)
        })
    }

    /// Ends every task at once and the pool with them.
    pub(super) fn abandon(&self, reason: CancelReason) {
        for (key, _) in self.close(Closing::Draining) {
            self.cancel(key, reason);
        }
        self.change(|state, effects| {
            state.closing = Closing::Over;
            effects.wake.extend(state.drained.drain(..));
            state.wake_services(effects);
        });
    }

    /// Takes no more tasks; gives the unfinished ones in their order of acceptance.
    fn close(&self, closing: Closing) -> Vec<(Key, Stage)> {
        self.change(|state, effects| {
            state.closing = state.closing.max(closing);
            state.refuse_submitters(effects);
            let mut unfinished = Vec::with_capacity(state.unfinished);
            for (slot, entry) in (0u32..).zip(&state.entries) {
                if entry.stage != Stage::Free && !entry.stage.state().is_final() {
                    let key = Key { slot, generation: entry.generation };
                    unfinished.push((entry.number, key, entry.stage));
                }
            }
            unfinished.sort_unstable_by_key(|(number, ..)| *number);
            unfinished.into_iter().map(|(_, key, stage)| (key, stage)).collect()
        })
    }

    /// Ends all that is left at a shutdown's deadline: a running task that is ready has made it.
    fn last_call(&self) {
        let now = self.now();
        for (key, stage) in self.close(Closing::LastCall) {
            if matches!(stage, Stage::Running(_)) {
                continue;
            }
            let reason = CancelReason::ShutdownDeadline;
            self.change(|state, effects| {
                if state.entry(key).is_some_and(|entry| entry.stage == stage) {
                    state.leave(key.slot, stage, reason);
                    state.cancel(key.slot, stage, reason, now, effects);
                }
            });
        }
        self.change(|state, effects| state.wake_services(effects));
    }
}

impl State {
    fn cancel(
        &mut self,
        slot: u32,
        stage: Stage,
        reason: CancelReason,
        now: Duration,
        effects: &mut Effects,
    ) -> bool {
        let body = match stage {
            Stage::Queued => {
                self.queue.remove(slot);
                None
            }
            Stage::RetryWait(due, sequence) => {
                self.timers.remove(&(due, sequence));
                None
            }
            Stage::Running(worker) => {
                let body = self.free_worker(worker, now);
                effects.wake.extend(self.workers[worker as usize].waker.take());
                body
            }
            _ => return false,
        };
        self.finish(slot, Stage::Cancelled(reason), body, effects);
        true
    }

    /// Puts a task on the shutdown's list.
    fn leave(&mut self, slot: u32, stage: Stage, reason: CancelReason) {
        let entry = &self.entries[slot as usize];
        let (name, attempts) = (entry.name.to_string(), entry.attempts);
        let state = stage.state();
        self.left.push((entry.number, Unfinished { name, state, attempts, reason }));
    }
}

impl Pool {
    /// Ends the pool: from now on nothing is accepted; what was accepted goes on, retries
    /// included, for at most `deadline`; then the rest is cancelled and reported in order of
    /// submission. A running task that is ready at the deadline has made it.
    ///
    /// May be dropped: the pool stays shut and goes on with what it has. When several calls wait,
    /// the first to reach its deadline ends the pool and gets the report.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<Unfinished> {
        let core = self.core();
        core.change(|state, effects| {
            state.closing = state.closing.max(Closing::Draining);
            state.refuse_submitters(effects);
            if state.unfinished == 0 {
                state.closing = Closing::Over;
                state.wake_services(effects);
            }
        });
        let drained = || {
            poll_fn(|cx| {
                let mut state = core.state.borrow_mut();
                if state.closing == Closing::Over {
                    return Poll::Ready(());
                }
                if !state.drained.iter().any(|waker| waker.will_wake(cx.waker())) {
                    state.drained.push(cx.waker().clone());
                }
                Poll::Pending
            })
        };
        if let rt::Race::First(()) = rt::race(drained(), core.sleep(deadline)).await {
            return Vec::new();
        }
        core.last_call();
        drained().await;
        let mut left = core.change(|state, _| std::mem::take(&mut state.left));
        left.sort_by_key(|(number, _)| *number);
        left.into_iter().map(|(_, unfinished)| unfinished).collect()
    }
}
