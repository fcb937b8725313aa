//! Situations that a search for failures must have met at least once: marks in the code that say
//! "this happened", and the set of marks that a run reached.
//!
//! A test that never met a full spool says nothing about full spools. [`sometimes!`] stands where
//! such a situation is handled; a sweep fails when a listed mark was reached by none of its runs.
//!
//! Invariants:
//! - A mark changes nothing: outside an armed thread it costs one thread-local read.
//! - Every mark is listed in [`MARKS`], once; names are unique and never change their meaning.

use std::cell::RefCell;
use std::collections::BTreeSet;

/// One situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Its name in scenario files and reports: `spool-replayed`.
    pub name: &'static str,
    /// What happened, as a sentence: "A restart found batches in the spool."
    pub meaning: &'static str,
}

/// Every mark there is, by name.
pub const MARKS: &[Mark] = &[];

thread_local! {
    static REACHED: RefCell<Option<BTreeSet<Mark>>> = const { RefCell::new(None) };
}

/// From now on this thread remembers the marks that it reaches.
pub fn arm() {
    REACHED.set(Some(BTreeSet::new()));
}

/// The marks that this thread has reached since [`arm`]; it remembers no more from now on.
pub fn take() -> BTreeSet<Mark> {
    REACHED.take().unwrap_or_default()
}

/// Notes that `mark` was reached.
pub fn reach(mark: Mark) {
    REACHED.with_borrow_mut(|reached| {
        if let Some(reached) = reached {
            reached.insert(mark);
        }
    });
}

/// `sometimes!(MARK)` or `sometimes!(MARK, condition)`: the situation has been met (if so).
#[macro_export]
macro_rules! sometimes {
    ($mark:expr) => {
        $crate::sometimes::reach($mark)
    };
    ($mark:expr, $condition:expr) => {
        if $condition {
            $crate::sometimes::reach($mark)
        }
    };
}
