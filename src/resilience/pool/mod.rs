//! A worker pool: bounded queue, priorities, retries that free their worker, batches, a shutdown
//! that accounts for every task (domain.md 7.2).
//!
//! ```ignore
//! let pool = Pool::new(ports.clock().clone(), ports.entropy(), PoolConfig {
//!     name: "collect".into(), workers: 5, policy: QueuePolicy::Wait, ..PoolConfig::default()
//! })?;
//! let tasks = sources.iter().cloned().map(|source| {
//!     let options = TaskOptions::new(source.name()).timeout(Duration::from_secs(30));
//!     (options, move || { let source = source.clone(); async move { source.collect().await } })
//! });
//! for result in pool.submit_batch(tasks, BatchMode::SettleAll).await {
//!     match result { Ok(samples) => book(samples), Err(error) => count(error) }
//! }
//! for left in pool.shutdown(Duration::from_secs(60)).await {
//!     tracing::warn!(task = %left.name, state = left.state.as_str(), "Task did not finish.");
//! }
//! ```
//!
//! A task is an operation that makes a future (a new one for every try); the future need not be
//! `Send`. It is queued, runs, may fail and wait for its next try, and ends as done, failed,
//! cancelled or timed out.
//!
//! Invariants:
//! - At most `workers` tasks run at once; at most `workers + queue_max` tasks are unfinished,
//!   those that wait for a retry included, so a task that comes back always finds its place.
//! - Higher priority first, then first come first served; a retry joins the end of its priority.
//!   See [`PoolConfig::ageing`] for the guard against starvation.
//! - Every accepted task ends in exactly one of done, failed, cancelled and timed out.
//! - Submitters that wait for a place get it first come first served, whatever their priority;
//!   one that stops waiting gives its turn on.
//! - A task that panics fails (the panic is recorded, [`crate::rt::take_panics`]); its worker
//!   goes on.
//! - The same calls at the same times with the same seed give the same order, always.
//! - A cancelled task's future is dropped at once; the last clone of the pool, when it is dropped,
//!   cancels all that is left.
//! - Nothing costs more with a longer queue: a task costs one allocation, one reading of the clock
//!   when it is submitted and one when it ends, and O(log of the priorities in use).
//!
//! Not modelled: stopping a future that never comes back from a poll (it holds its thread, as
//! everywhere in this crate); more threads than one; growing and shrinking the number of workers.

mod batch;
mod body;
mod core;
mod handle;
mod queue;
mod settle;
mod stats;
mod submit;
mod worker;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use super::InvalidSetting;
use super::retry::RetryConfig;
use crate::ports::{Clock, Entropy};

pub use batch::BatchMode;
pub use handle::Handle;
pub use stats::{Percentiles, PoolProblem, PoolStats};

/// What becomes of a submission that finds no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueuePolicy {
    /// It is refused with [`Refusal::QueueFull`].
    Reject,
    /// It waits, first come first served; so the pool slows its submitters down.
    Wait,
}

/// A pool's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolConfig {
    /// Its name in statistics; pools of one host should differ in it, as each draws its jitter
    /// from a stream of this name.
    pub name: Cow<'static, str>,
    /// How many tasks may run at once, at least 1.
    pub workers: u32,
    /// How many tasks may wait beyond those that run; 0 accepts only what a worker is free for.
    pub queue_max: u32,
    /// What becomes of a submission that finds no place.
    pub policy: QueuePolicy,
    /// What a task must wait for its priority to count 1 more; `None` never. With zero the
    /// priorities count for nothing: first come first served. A retry begins to wait anew.
    pub ageing: Option<Duration>,
    /// How long a try may take unless its task says otherwise; `None` for ever.
    pub task_timeout: Option<Duration>,
}

/// Five workers, 1 000 places, refusal, no ageing, 30 s per try.
impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            name: Cow::Borrowed("pool"),
            workers: 5,
            queue_max: 1_000,
            policy: QueuePolicy::Reject,
            ageing: None,
            task_timeout: Some(Duration::from_secs(30)),
        }
    }
}

impl PoolConfig {
    /// Every setting that is out of range; empty when the configuration is usable.
    pub fn validate(&self) -> Vec<InvalidSetting> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, setting, value: u32, allowed| {
            if !holds {
                faults.push(InvalidSetting { setting, value: value.to_string(), allowed });
            }
        };
        check((1..=1_000_000).contains(&self.workers), "workers", self.workers, "1 to 1000000");
        check(self.queue_max <= 1_000_000_000, "queue_max", self.queue_max, "at most 1000000000");
        faults
    }
}

/// What a task wants of its pool.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskOptions {
    /// Name in reports and logs.
    pub name: Cow<'static, str>,
    /// Larger is earlier; 0 is usual.
    pub priority: i32,
    /// How it is tried again after an error or a timeout; `None` never. Tries that panic are not
    /// repeated. Every error is retried: an operation that knows better gives its verdict as an
    /// `Ok`.
    pub retry: Option<Box<RetryConfig>>,
    /// How long one try may take; `None` for the pool's limit, [`Duration::MAX`] for no limit. A
    /// try that is ready at the limit has made it.
    pub timeout: Option<Duration>,
}

impl TaskOptions {
    /// Priority 0, no retry, the pool's limit.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// With this priority.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// With these retries.
    #[must_use]
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.retry = Some(Box::new(retry));
        self
    }

    /// With this limit on each try.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// It waits for a worker.
    Queued,
    /// It runs.
    Running,
    /// It failed and waits for its next try, without a worker.
    RetryWait,
    /// It ended well.
    Done,
    /// Its last try gave an error, or panicked.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// Its last try took too long.
    TimedOut,
}

impl TaskState {
    /// `queued`, `running`, `retry-wait`, `done`, `failed`, `cancelled`, `timed-out`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::RetryWait => "retry-wait",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed-out",
        }
    }

    /// Whether the task has ended.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::RetryWait)
    }
}

/// Who ended a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CancelReason {
    /// Its handle.
    #[error("by its handle")]
    Handle,
    /// Another task of its batch failed.
    #[error("another task of its batch failed")]
    BatchFailed,
    /// Nobody waits for its batch any more.
    #[error("its batch was dropped")]
    BatchDropped,
    /// It was unfinished when the pool's shutdown had to end.
    #[error("the pool's shutdown reached its deadline")]
    ShutdownDeadline,
    /// The last clone of the pool was dropped.
    #[error("its pool was dropped")]
    PoolDropped,
    /// The host that ran the pool went down.
    #[error("its host went down")]
    HostEnded,
}

/// Why a submission was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No place.
    #[error("the pool's queue is full ({unfinished_max} unfinished tasks)")]
    QueueFull {
        /// Workers and places in the queue.
        unfinished_max: u64,
    },
    /// The pool was shut down.
    #[error("the pool is shut down")]
    ShutDown,
}

/// Why a task gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError<E> {
    /// Its last try gave an error.
    #[error("failed at try {attempts}: {error}")]
    Failed {
        /// The last try's.
        error: E,
        /// Tries made.
        attempts: u32,
    },
    /// Its last try took too long.
    #[error("try {attempts} took longer than {} ms", .limit.as_millis())]
    TimedOut {
        /// How long it had.
        limit: Duration,
        /// Tries made.
        attempts: u32,
    },
    /// It panicked; [`crate::rt::take_panics`] has the text.
    #[error("panicked at try {attempts}")]
    Panicked {
        /// Tries made.
        attempts: u32,
    },
    /// Somebody ended it.
    #[error("cancelled: {0}")]
    Cancelled(CancelReason),
    /// It was never accepted.
    #[error("not accepted: {0}")]
    Refused(Refusal),
    /// The result was given before.
    #[error("the result was taken before")]
    Taken,
}

/// A task that a shutdown had to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The task's name.
    pub name: String,
    /// Where it stood: queued, running or retry-wait.
    pub state: TaskState,
    /// Tries begun.
    pub attempts: u32,
    /// Who ended it.
    pub reason: CancelReason,
}

/// Cancels everything when the last clone of the pool goes.
struct Owner(Rc<core::Core>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.abandon(CancelReason::PoolDropped);
    }
}

/// A worker pool; clones are the same pool.
#[derive(Clone)]
pub struct Pool {
    owner: Rc<Owner>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("stats", &self.stats()).finish()
    }
}

impl Pool {
    /// A pool whose time begins now. Workers are spawned on the current host when first needed.
    ///
    /// # Errors
    /// Every setting out of range.
    pub fn new<C: Clock>(
        clock: C,
        entropy: &impl Entropy,
        config: PoolConfig,
    ) -> Result<Self, Vec<InvalidSetting>> {
        let faults = config.validate();
        if !faults.is_empty() {
            return Err(faults);
        }
        let rng = entropy.stream(&format!("pool.{}", config.name));
        let owner = Rc::new(Owner(Rc::new(core::Core::new(clock, rng, config))));
        Ok(Self { owner })
    }

    fn core(&self) -> &Rc<core::Core> {
        &self.owner.0
    }

    /// The account up to now.
    pub fn stats(&self) -> PoolStats {
        self.core().stats()
    }

    /// The configuration.
    pub fn config(&self) -> &PoolConfig {
        self.core().config()
    }
}
