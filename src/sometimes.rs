//! Situations that a search for failures must have met at least once: marks in the code that say
//! "this happened", and the set of marks that a run reached.
//!
//! A test that never met a full spool says nothing about full spools. [`sometimes!`] stands where
//! such a situation is handled; a sweep fails when a listed mark was reached by none of its runs.
//!
//! Invariants:
//! - A mark changes nothing: it sets one bit of the thread's own set, armed or not.
//! - Every mark is listed in [`MARKS`], once; names are unique and never change their meaning.

use std::cell::Cell;
use std::collections::BTreeSet;

/// One situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Its name in scenario files and reports: `spool-replayed`.
    pub name: &'static str,
    /// What happened, as a sentence: "A restart found batches in the spool."
    pub meaning: &'static str,
    /// Its place in [`MARKS`] and its bit in a set.
    place: u32,
}

/// Declares every mark once, as a constant and in [`MARKS`].
macro_rules! marks {
    ($($constant:ident = $name:literal: $meaning:literal;)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "named as the marks")]
        #[derive(Clone, Copy)]
        enum Place { $($constant),* }
        $(
            #[doc = $meaning]
            pub const $constant: Mark =
                Mark { name: $name, meaning: $meaning, place: Place::$constant as u32 };
        )*
        /// Every mark there is.
        pub const MARKS: &[Mark] = &[$($constant),*];
    };
}

marks! {
    BREAKER_OPENED = "breaker-opened":
        "A breaker opened and kept calls away from what fails.";
    HALF_OPEN_PROBE_FAILED = "half-open-probe-failed":
        "The probe that a half-open breaker let through failed, so it opened again.";
    BREAKER_CLOSED_AGAIN = "breaker-closed-again":
        "A breaker that had opened closed after enough good probes.";
    RETRY_AFTER_HONOURED = "retry-after-honoured":
        "A sender waited as long as New Relic's Retry-After asked.";
    ANSWER_LOST = "answer-lost":
        "A request was sent whole and its answer never came, so nobody knows whether it counted.";
    BATCH_SPLIT = "batch-split":
        "New Relic found a batch too large and it was split.";
    DEAD_LETTER_WRITTEN = "dead-letter-written":
        "A batch that New Relic refuses for good was put aside as a dead letter.";
    SPOOL_REPLAYED = "spool-replayed":
        "A restart found batches in the spool and sent them.";
    SPOOL_FULL = "spool-full":
        "The spool was full and its oldest batches were dropped.";
    SPOOL_DISK_ERROR = "spool-disk-error":
        "The disk under the spool returned an error.";
    SPOOL_RESUMED = "spool-resumed":
        "The spool went back to the disk after it had gone on in memory.";
}

const _: () = assert!(MARKS.len() <= u128::BITS as usize, "a set of marks is one u128");

thread_local! {
    static REACHED: Cell<u128> = const { Cell::new(0) };
}

/// From now on this thread remembers the marks that it reaches; those reached before are forgotten.
pub fn arm() {
    REACHED.set(0);
}

/// The marks that this thread has reached since [`arm`].
pub fn take() -> BTreeSet<Mark> {
    let reached = REACHED.take();
    MARKS.iter().filter(|mark| reached & (1 << mark.place) != 0).copied().collect()
}

/// Notes that `mark` was reached.
pub fn reach(mark: Mark) {
    REACHED.set(REACHED.get() | 1 << mark.place);
}

/// The mark called `name`.
pub fn mark(name: &str) -> Option<Mark> {
    MARKS.iter().find(|mark| mark.name == name).copied()
}

/// `sometimes!(MARK)` or `sometimes!(MARK, condition)`: the situation has been met (if so).
#[macro_export]
macro_rules! sometimes {
    ($mark:ident) => {
        $crate::sometimes::reach($crate::sometimes::$mark)
    };
    ($mark:ident, $condition:expr) => {
        if $condition {
            $crate::sometimes::reach($crate::sometimes::$mark)
        }
    };
}
