//! A one-way "stop now" flag that any number of tasks can wait on.
//!
//! Invariants: a raised flag stays raised, and whoever begins to wait later does not wait at all;
//! waiters wake in the order in which they began to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
struct State {
    requested: AtomicBool,
    notify: Notify,
}

/// The side that asks for the stop.
#[derive(Debug, Clone, Default)]
pub struct ShutdownHandle(Arc<State>);

/// The side that waits for it.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<State>);

impl ShutdownHandle {
    /// A flag nobody has raised yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag; waiters wake in the order in which they began to wait.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
    }

    /// A waiter's side.
    pub fn signal(&self) -> Shutdown {
        Shutdown(Arc::clone(&self.0))
    }
}

impl Shutdown {
    /// Whether the stop was asked for.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Acquire)
    }

    /// Completes once the stop is asked for; at once if it already was.
    pub async fn requested(&self) {
        loop {
            let notified = self.0.notify.notified();
            if self.is_requested() {
                return;
            }
            notified.await;
        }
    }
}
