//! Events on their way from the rules to the listeners.
//!
//! Invariants:
//! - Nothing is built while nobody listens.
//! - At most [`EVENTS_MAX`] wait; beyond that events of single calls are dropped and counted,
//!   transitions never (a transition needs a call, so their number is small).

use std::collections::VecDeque;
use std::time::Duration;

use super::event::EventKind;

/// Events that may wait for a slow listener.
pub(super) const EVENTS_MAX: usize = 4_096;

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Sink {
    wanted: bool,
    waiting: VecDeque<(Duration, EventKind)>,
    dropped: u64,
}

impl Sink {
    /// From now on somebody listens.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    pub(super) fn push(&mut self, at: Duration, make: impl FnOnce() -> EventKind) {
        if !self.wanted {
            return;
        }
        let kind = make();
        if self.waiting.len() >= EVENTS_MAX && kind.is_of_one_call() {
            self.dropped += 1;
        } else {
            self.waiting.push_back((at, kind));
        }
    }

    pub(super) fn pop(&mut self) -> Option<(Duration, EventKind)> {
        self.waiting.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}
