//! The threads' primitives that the breaker's shell stands on.
//!
//! Of their own module so that a test can put a checker's primitives in their place.

use std::cell::Cell;
use std::sync::atomic::AtomicUsize;

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
pub(super) use std::sync::{Arc, Mutex, MutexGuard};

thread_local! {
    static THREAD: Cell<usize> = const { Cell::new(usize::MAX) };
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// A small number of this thread's own; it chooses a counter and nothing else.
pub(super) fn thread_number() -> usize {
    THREAD.with(|number| {
        if number.get() == usize::MAX {
            number.set(THREADS.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}
