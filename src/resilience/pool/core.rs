//! The pool's memory: tasks, queue, timers, workers, counters, and the rules that move a task on.
//!
//! Invariants:
//! - No code of a task and no waker runs while the state is borrowed: what there is to wake and to
//!   drop is gathered in [`Effects`] and done afterwards, in that order.
//! - An entry is freed once its task has ended and nobody holds its handle; a [`Key`] outlives it
//!   harmlessly, as its generation tells.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use smallvec::SmallVec;

use super::batch::BatchCell;
use super::body::{Boxed, discard};
use super::queue::Queue;
use super::stats::{PoolStats, Times};
use super::submit::Turn;
use super::worker::{self, Service};
use super::{CancelReason, PoolConfig, TaskState, Unfinished};
use crate::ports::Clock;
use crate::resilience::retry::{Backoff, RetryConfig};

/// One task, for as long as its entry lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Free,
    Queued,
    /// With this worker.
    Running(u32),
    /// Until the timer of this key.
    RetryWait(Duration, u64),
    Done,
    Failed,
    Panicked,
    TimedOut(Duration),
    Cancelled(CancelReason),
}

impl Stage {
    pub(super) fn state(self) -> TaskState {
        match self {
            Self::Queued => TaskState::Queued,
            Self::Running(_) => TaskState::Running,
            Self::RetryWait(..) => TaskState::RetryWait,
            Self::Done => TaskState::Done,
            Self::Failed | Self::Panicked => TaskState::Failed,
            Self::TimedOut(_) => TaskState::TimedOut,
            Self::Cancelled(_) | Self::Free => TaskState::Cancelled,
        }
    }
}

/// Who is told when a task ends.
pub(super) enum Listener {
    Nobody,
    Waker(Waker),
    Batch(Rc<BatchCell>),
}

/// A task's retries; the sequence and the beginning of the first try are known once it failed.
pub(super) struct Retrying {
    pub(super) config: RetryConfig,
    pub(super) under_way: Option<(Duration, Backoff)>,
}

pub(super) struct Entry {
    pub(super) generation: u32,
    pub(super) stage: Stage,
    pub(super) priority: i32,
    pub(super) attempts: u32,
    /// Order of acceptance.
    pub(super) number: u64,
    pub(super) name: Cow<'static, str>,
    pub(super) queued_at: Duration,
    pub(super) limit: Option<Duration>,
    pub(super) retry: Option<Box<Retrying>>,
    /// Absent while the task runs, and after it ended without a result.
    pub(super) body: Option<Boxed>,
    pub(super) listener: Listener,
    /// Whether a handle may still ask for the result.
    pub(super) has_handle: bool,
}

/// What a worker is at.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) task: Option<Key>,
    pub(super) started: Duration,
    /// The task between two polls.
    pub(super) body: Option<Boxed>,
    pub(super) waker: Option<Waker>,
    pub(super) is_parked: bool,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) submitted: u64,
    pub(super) refused: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) panicked: u64,
    pub(super) cancelled: u64,
    pub(super) timed_out: u64,
    pub(super) retried: u64,
    pub(super) queue_high_water: usize,
    pub(super) active_high_water: usize,
    pub(super) busy_time: Duration,
}

/// How far the pool's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closing {
    Open,
    /// Nothing new is accepted.
    Draining,
    /// Nothing new begins; each running task is polled once more.
    LastCall,
    /// Nothing is left; workers and timer end.
    Over,
}

pub(super) struct State {
    pub(super) workers_max: u32,
    /// How many tasks may be unfinished.
    pub(super) places: usize,
    pub(super) entries: Vec<Entry>,
    pub(super) free: Vec<u32>,
    pub(super) queue: Queue,
    /// Tasks that wait for a retry, by instant and order.
    pub(super) timers: BTreeMap<(Duration, u64), u32>,
    pub(super) timer_sequence: u64,
    pub(super) timer_waker: Option<Waker>,
    pub(super) has_timer: bool,
    pub(super) workers: Vec<Worker>,
    /// Parked ones; the last is woken first.
    pub(super) idle: Vec<u32>,
    pub(super) active: usize,
    pub(super) unfinished: usize,
    /// Places given to submitters that have not used them yet.
    pub(super) reserved: usize,
    pub(super) submitters: BTreeMap<u64, Rc<Turn>>,
    pub(super) submitter_sequence: u64,
    pub(super) closing: Closing,
    /// Who waits for the last task to end.
    pub(super) drained: Vec<Waker>,
    /// What the shutdown had to end, with its number.
    pub(super) left: Vec<(u64, Unfinished)>,
    pub(super) rng: ChaCha8Rng,
    pub(super) counters: Counters,
    pub(super) wait: Times,
    pub(super) run: Times,
}

/// What to do once the state is free again.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) wake: SmallVec<[Waker; 2]>,
    pub(super) drop: SmallVec<[Boxed; 1]>,
    /// A waker's destructor is code of others, too.
    pub(super) gone: SmallVec<[Listener; 1]>,
}

/// Nothing sleeps longer: a hundred years on top of any instant fit every clock.
pub(super) const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

type Sleep = Pin<Box<dyn Future<Output = ()>>>;

pub(super) struct Core {
    config: PoolConfig,
    began: Duration,
    sleep: Box<dyn Fn(Duration) -> Sleep>,
    now: Box<dyn Fn() -> Duration>,
    spawn: Box<dyn Fn(Rc<Core>, Service)>,
    pub(super) state: RefCell<State>,
}

impl Core {
    pub(super) fn new<C: Clock>(clock: C, rng: ChaCha8Rng, config: PoolConfig) -> Self {
        let began = clock.monotonic();
        let state = State {
            workers_max: config.workers,
            places: config.workers as usize + config.queue_max as usize,
            entries: Vec::new(),
            free: Vec::new(),
            queue: Queue::new(config.ageing),
            timers: BTreeMap::new(),
            timer_sequence: 0,
            timer_waker: None,
            has_timer: false,
            workers: Vec::new(),
            idle: Vec::new(),
            active: 0,
            unfinished: 0,
            reserved: 0,
            submitters: BTreeMap::new(),
            submitter_sequence: 0,
            closing: Closing::Open,
            drained: Vec::new(),
            left: Vec::new(),
            rng,
            counters: Counters::default(),
            wait: Times::new(),
            run: Times::new(),
        };
        let (time, timer) = (clock.clone(), clock.clone());
        Self {
            config,
            began,
            sleep: Box::new(move |time| {
                let clock = timer.clone();
                Box::pin(async move { clock.sleep(time).await })
            }),
            now: Box::new(move || time.monotonic()),
            spawn: Box::new(move |core, service| worker::spawn(core, clock.clone(), service)),
            state: RefCell::new(state),
        }
    }

    pub(super) fn config(&self) -> &PoolConfig {
        &self.config
    }

    pub(super) fn now(&self) -> Duration {
        (self.now)()
    }

    pub(super) fn sleep(&self, time: Duration) -> Sleep {
        (self.sleep)(time.min(LONGEST))
    }

    pub(super) fn spawn(self: &Rc<Self>, service: Service) {
        (self.spawn)(Rc::clone(self), service);
    }

    /// Changes the state, then does what follows from it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State, &mut Effects) -> R) -> R {
        let mut effects = Effects::default();
        let result = change(&mut self.state.borrow_mut(), &mut effects);
        effects.carry_out();
        result
    }

    /// What `key`'s task is called, as far as it is known still.
    pub(super) fn name_of(&self, key: Key) -> String {
        let state = self.state.borrow();
        state.entry(key).map_or_else(|| "cancelled task".to_owned(), |entry| entry.name.to_string())
    }

    pub(super) fn stats(&self) -> PoolStats {
        let now = self.now();
        let state = self.state.borrow();
        let counters = &state.counters;
        let running = state.workers.iter().filter(|worker| worker.task.is_some());
        let under_way: Duration = running.map(|w| now.saturating_sub(w.started)).sum();
        let busy_time = counters.busy_time + under_way;
        let capacity =
            now.saturating_sub(self.began).as_secs_f64() * f64::from(self.config.workers);
        let utilisation = if capacity > 0.0 { busy_time.as_secs_f64() / capacity } else { 0.0 };
        PoolStats {
            name: self.config.name.to_string(),
            workers: u64::from(self.config.workers),
            active: state.active as u64,
            idle: u64::from(self.config.workers) - state.active as u64,
            queued: state.queue.len() as u64,
            retry_waiting: state.timers.len() as u64,
            submitters_waiting: state.submitters.len() as u64,
            submitted: counters.submitted,
            refused: counters.refused,
            completed: counters.completed,
            failed: counters.failed,
            panicked: counters.panicked,
            cancelled: counters.cancelled,
            timed_out: counters.timed_out,
            retried: counters.retried,
            queue_high_water: counters.queue_high_water as u64,
            active_high_water: counters.active_high_water as u64,
            busy_time,
            utilisation,
            wait: state.wait.percentiles(),
            run: state.run.percentiles(),
        }
    }
}

impl State {
    pub(super) fn entry(&self, key: Key) -> Option<&Entry> {
        self.entries.get(key.slot as usize).filter(|entry| entry.generation == key.generation)
    }

    pub(super) fn entry_mut(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.get_mut(key.slot as usize).filter(|entry| entry.generation == key.generation)
    }

    /// Keeps `entry` and gives its key.
    pub(super) fn insert(&mut self, mut entry: Entry) -> Key {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.entries[slot as usize];
            entry.generation = place.generation;
            *place = entry;
            return Key { slot, generation: place.generation };
        }
        // Unfinished tasks are at most 2^31; only ended ones whose handles are kept come on top.
        let slot = u32::try_from(self.entries.len()).expect("fewer than 2^32 tasks fit in memory");
        self.entries.push(entry);
        Key { slot, generation: 0 }
    }

    /// Frees the entry of a task that has ended.
    pub(super) fn release(&mut self, slot: u32, effects: &mut Effects) {
        let entry = &mut self.entries[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.stage = Stage::Free;
        entry.name = Cow::Borrowed("");
        if !matches!(entry.listener, Listener::Nobody) {
            effects.gone.push(std::mem::replace(&mut entry.listener, Listener::Nobody));
        }
        entry.retry = None;
        effects.drop.extend(entry.body.take());
        self.free.push(slot);
    }

    /// Puts a task into the queue and finds it a worker; `Some` if that one is to be spawned.
    pub(super) fn enqueue(
        &mut self,
        slot: u32,
        now: Duration,
        effects: &mut Effects,
    ) -> Option<Service> {
        let entry = &mut self.entries[slot as usize];
        entry.stage = Stage::Queued;
        entry.queued_at = now;
        self.queue.push(slot, entry.priority, now);
        let high = &mut self.counters.queue_high_water;
        *high = (*high).max(self.queue.len());
        if let Some(idle) = self.idle.pop() {
            let worker = &mut self.workers[idle as usize];
            worker.is_parked = false;
            effects.wake.extend(worker.waker.take());
            return None;
        }
        let number =
            u32::try_from(self.workers.len()).ok().filter(|number| *number < self.workers_max)?;
        self.workers.push(Worker::default());
        Some(Service::Worker(number))
    }
}

impl Effects {
    fn carry_out(self) {
        for waker in self.wake {
            waker.wake();
        }
        for body in self.drop {
            discard(body);
        }
    }
}
