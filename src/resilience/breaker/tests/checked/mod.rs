//! The shell once more, over shuttle's primitives in place of the operating system's.
//!
//! It is the same file, so what is checked is what runs. Not modelled: weaker orders than
//! sequential consistency, which shuttle does not know.

use super::super::{
    BreakerStats, Forced, Name, Rejected, StateKind, Window, config, event, machine, outcome, sink,
    window,
};

/// shuttle's, with one counter shard per two threads, so that shards are shared and not.
mod sync {
    pub(super) use shuttle::sync::atomic::{AtomicU64, Ordering};
    pub(super) use shuttle::sync::{Arc, Mutex, MutexGuard};

    pub(super) fn thread_number() -> usize {
        usize::from(shuttle::current::me()) / 2
    }
}

#[path = "../../shell.rs"]
#[expect(clippy::duplicate_mod, reason = "the same file over other primitives is the point")]
#[expect(dead_code, reason = "the threads' tests do not call all of it")]
mod shell;

pub(super) use shell::{Breaker, Permit};
