//! Laws of the pool, on virtual time.
//!
//! Harness: a host is a `LocalSet` on the test clock. Tasks do what a [`Script`] says and write
//! what happens to them into a log.

mod batch;
mod end;
mod model;
mod queue;
mod retry;
mod stats;
mod task;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::task::LocalSet;

use super::*;
use crate::ports::Clock;
use crate::ports::testing::{TestClock, TestEntropy};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const NS: Duration = Duration::from_nanos(1);

/// What a task of these tests does.
pub(super) type Doing = LocalBoxFuture<'static, Result<String, String>>;

pub(super) type Log = Rc<RefCell<Vec<String>>>;

/// One host with one pool.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) clock: TestClock,
    pub(super) log: Log,
    /// Futures of tasks that exist.
    pub(super) alive: Rc<Cell<usize>>,
    pub(super) alive_max: Rc<Cell<usize>>,
}

impl Host {
    pub(super) fn new() -> Self {
        Self {
            clock: TestClock::default(),
            log: Log::default(),
            alive: Rc::default(),
            alive_max: Rc::default(),
        }
    }

    pub(super) fn pool(&self, config: PoolConfig) -> Pool {
        Pool::new(self.clock.clone(), &TestEntropy, config).expect("a valid configuration")
    }

    /// Runs `main` on the host, until it ends.
    pub(super) fn run<F: Future>(&self, main: F) -> F::Output {
        let local = LocalSet::new();
        self.clock.run(local.run_until(main))
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Lets everything run that can without time passing (but one nanosecond).
    pub(super) async fn settle(&self) {
        self.clock.sleep(NS).await;
    }

    pub(super) fn note(&self, text: impl Into<String>) {
        self.log.borrow_mut().push(text.into());
    }

    pub(super) fn logged(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.borrow_mut())
    }

    pub(super) fn presence(&self) -> Presence {
        self.alive.set(self.alive.get() + 1);
        self.alive_max.set(self.alive_max.get().max(self.alive.get()));
        Presence(Rc::clone(&self.alive))
    }

    /// An operation that notes its name when it begins, takes `time` and succeeds.
    pub(super) fn work(
        &self,
        name: &str,
        time: Duration,
    ) -> impl FnMut() -> Doing + 'static + use<> {
        let (host, name) = (self.clone(), name.to_owned());
        move || {
            let (host, name) = (host.clone(), name.clone());
            Box::pin(async move {
                let _presence = host.presence();
                host.note(&name);
                if !time.is_zero() {
                    host.clock.sleep(time).await;
                }
                Ok(name)
            })
        }
    }

    /// An operation that fails `failures` times after `time`, then succeeds.
    pub(super) fn flaky(
        &self,
        name: &str,
        time: Duration,
        failures: u32,
    ) -> impl FnMut() -> Doing + 'static + use<> {
        let (host, name) = (self.clone(), name.to_owned());
        let mut tries = 0;
        move || {
            tries += 1;
            let (host, name, number) = (host.clone(), name.clone(), tries);
            Box::pin(async move {
                let _presence = host.presence();
                host.note(format!("{name}#{number}"));
                if !time.is_zero() {
                    host.clock.sleep(time).await;
                }
                if number <= failures { Err(format!("{name}#{number}")) } else { Ok(name) }
            })
        }
    }
}

/// Counts a future while it exists.
pub(super) struct Presence(Rc<Cell<usize>>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

pub(super) fn config(workers: u32, queue_max: u32) -> PoolConfig {
    PoolConfig { workers, queue_max, task_timeout: None, ..PoolConfig::default() }
}

pub(super) fn named(name: &str) -> TaskOptions {
    TaskOptions::new(name.to_owned())
}

#[test]
fn settings_out_of_range_are_refused() {
    let check = |config: PoolConfig, expected: &[&str]| {
        let faults = config.validate();
        let names: Vec<_> = faults.iter().map(|fault| fault.setting).collect();
        assert_eq!(names, expected, "{config:?}");
        let made = Pool::new(TestClock::default(), &TestEntropy, config);
        assert_eq!(made.is_err(), !expected.is_empty());
    };
    check(PoolConfig::default(), &[]);
    check(config(1, 0), &[]);
    check(config(1_000_000, 1_000_000_000), &[]);
    check(config(0, 1), &["workers"]);
    check(config(1_000_001, 1_000_000_001), &["workers", "queue_max"]);
    check(PoolConfig { ageing: Some(Duration::ZERO), ..config(1, 1) }, &[]);
}

#[test]
fn names_of_states() {
    let check = |state: TaskState, name: &str, is_final: bool| {
        assert_eq!((state.as_str(), state.is_final()), (name, is_final));
    };
    check(TaskState::Queued, "queued", false);
    check(TaskState::Running, "running", false);
    check(TaskState::RetryWait, "retry-wait", false);
    check(TaskState::Done, "done", true);
    check(TaskState::Failed, "failed", true);
    check(TaskState::Cancelled, "cancelled", true);
    check(TaskState::TimedOut, "timed-out", true);
}
