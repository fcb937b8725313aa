//! Hosts as sets of tasks: start, poll, crash; and which host runs right now.
//!
//! Invariants:
//! - The host is named ([`current_host`]) whenever one of its tasks is polled or dropped.
//! - A crash drops every task of the host, spawned ones included; none survives.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::FutureExt;
use tokio::task::LocalSet;

use super::net::HostId;
use super::ports::KernelPorts;
use crate::rt::{self, TaskPanic, cause};
use crate::sim::world::HostFactory;

thread_local! {
    static CURRENT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// The simulated host whose task runs on this thread, for logs.
pub fn current_host() -> Option<Arc<str>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs `act` as a part of host `name`.
fn within<R>(name: &Arc<str>, act: impl FnOnce() -> R) -> R {
    struct Leave(Option<Arc<str>>);
    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let leave = Leave(CURRENT.replace(Some(Arc::clone(name))));
    let output = act();
    drop(leave);
    output
}

/// Hosts with something to run, and the waker of whoever runs them.
#[derive(Default)]
pub(super) struct ReadyQueue {
    hosts: Mutex<VecDeque<HostId>>,
    driver: Mutex<Option<Waker>>,
    /// The driver looks at the queue itself while it runs.
    driver_runs: AtomicBool,
}

impl ReadyQueue {
    pub(super) fn pop(&self) -> Option<HostId> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(super) fn push(&self, host: HostId) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).push_back(host);
        if !self.driver_runs.load(Ordering::Relaxed) {
            self.wake_driver();
        }
    }

    pub(super) fn wake_driver(&self) {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = driver.as_ref() {
            waker.wake_by_ref();
        }
    }

    /// The driver begins to run and will be found by `waker` afterwards.
    pub(super) fn enter_driver(&self, waker: &Waker) {
        self.driver_runs.store(true, Ordering::Relaxed);
        let mut driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if driver.as_ref().is_none_or(|old| !old.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    /// The driver has ended; its waker would keep the runtime alive for ever.
    pub(super) fn forget_driver(&self) {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(driver);
    }

    pub(super) fn leave_driver(&self) {
        self.driver_runs.store(false, Ordering::Relaxed);
    }
}

/// Puts its host into the ready queue, once until the host is polled.
struct HostWaker {
    host: HostId,
    queued: AtomicBool,
    ready: Arc<ReadyQueue>,
}

impl Wake for HostWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.ready.push(self.host);
        }
    }
}

/// One host's tasks.
pub(super) struct Host {
    pub(super) name: Arc<str>,
    factory: Rc<HostFactory<KernelPorts>>,
    tasks: Option<LocalSet>,
    /// Stopped, not ended: it is not polled.
    paused: bool,
    flag: Arc<HostWaker>,
    waker: Waker,
}

impl Host {
    pub(super) fn new(
        id: HostId,
        name: &str,
        factory: HostFactory<KernelPorts>,
        ready: &Arc<ReadyQueue>,
    ) -> Self {
        let flag =
            Arc::new(HostWaker { host: id, queued: AtomicBool::new(false), ready: ready.clone() });
        let waker = Waker::from(Arc::clone(&flag));
        Self {
            name: Arc::from(name),
            factory: Rc::new(factory),
            tasks: None,
            paused: false,
            flag,
            waker,
        }
    }

    /// Starts the host's main future; it is first polled when the world runs.
    pub(super) fn start(&mut self, ports: KernelPorts) {
        let tasks = LocalSet::new();
        let factory = Rc::clone(&self.factory);
        // The factory runs inside the host, so a panic in it is the host's too.
        let main = async move { factory(ports).await };
        let main: Pin<Box<dyn Future<Output = ()>>> = Box::pin(main);
        tasks.spawn_local(cause::strand(async move {
            if let Err(payload) = AssertUnwindSafe(main).catch_unwind().await {
                rt::record_panic("main", payload.as_ref());
            }
        }));
        self.tasks = Some(tasks);
        self.set_paused(false);
        self.waker.wake_by_ref();
    }

    /// Stops the host where it stands, or lets it go on with whatever it missed.
    pub(super) fn set_paused(&mut self, paused: bool) {
        let was_paused = std::mem::replace(&mut self.paused, paused);
        if was_paused && !paused && self.flag.queued.load(Ordering::Acquire) {
            self.flag.ready.push(self.flag.host);
        }
    }

    /// Polls the host's tasks once; the panics among them, named after the host.
    pub(super) fn poll(&mut self) -> Vec<TaskPanic> {
        if self.paused {
            // It stays marked as queued, so that nobody puts it into the queue again.
            return Vec::new();
        }
        self.flag.queued.store(false, Ordering::Release);
        let Some(tasks) = self.tasks.as_mut() else { return Vec::new() };
        let mut cx = Context::from_waker(&self.waker);
        let _: Poll<()> = within(&self.name, || Pin::new(tasks).poll(&mut cx));
        // Nobody outside the host goes on from what it did last.
        cause::set(None);
        self.take_panics()
    }

    /// Drops all tasks of the host; panics of their destructors are named after the host.
    pub(super) fn stop(&mut self) -> Vec<TaskPanic> {
        let tasks = self.tasks.take();
        within(&self.name, || drop(tasks));
        self.take_panics()
    }

    fn take_panics(&self) -> Vec<TaskPanic> {
        let mut panics = rt::take_panics();
        for panic in &mut panics {
            panic.task = format!("{}/{}", self.name, panic.task);
        }
        panics
    }
}
