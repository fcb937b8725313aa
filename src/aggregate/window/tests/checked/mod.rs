//! The windows once more, over shuttle's primitives in place of the operating system's.
//!
//! It is the same file, so what is checked is what runs.

use super::super::{ClosedWindow, Reading, Taken, WindowConfig, WindowStats, rollup, shard};

mod sync {
    pub(super) use shuttle::sync::{Mutex, MutexGuard};
}

#[path = "../../shared.rs"]
#[expect(clippy::duplicate_mod, reason = "the same file over other primitives is the point")]
#[expect(dead_code, reason = "the threads' tests do not call all of it")]
mod shared;

pub(super) use shared::Windows;
