//! The last good result of a component.
//!
//! Invariant: a result is served up to the age cap, that age included, and never beyond it.

use std::cell::RefCell;
use std::time::Duration;

/// One result and when it was had.
pub(super) struct LastGood<T> {
    age_max: Duration,
    kept: RefCell<Option<(T, Duration)>>,
}

impl<T: Clone> LastGood<T> {
    pub(super) fn new(age_max: Duration) -> Self {
        Self { age_max, kept: RefCell::new(None) }
    }

    pub(super) fn keep(&self, value: T, now: Duration) {
        *self.kept.borrow_mut() = Some((value, now));
    }

    /// The result and its age at `now`, unless it is stale; a stale one is let go.
    pub(super) fn serve(&self, now: Duration) -> Option<(T, Duration)> {
        let mut kept = self.kept.borrow_mut();
        let age = now.saturating_sub(kept.as_ref()?.1);
        if age > self.age_max {
            *kept = None;
            return None;
        }
        kept.as_ref().map(|(value, _)| (value.clone(), age))
    }

    /// Forgets it.
    pub(super) fn clear(&self) {
        *self.kept.borrow_mut() = None;
    }
}
