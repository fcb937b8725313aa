//! Verdicts of a suite: for people, for CI systems.
//!
//! Invariants:
//! - A pure function of the suite's outcomes: equal outcomes give equal bytes, so no report tells
//!   wall time.
//! - A scenario that was run with several seeds passed when it passed with all of them.

use super::suite::{Outcome, Trial};
use crate::domain::words::counted;

mod junit;
mod living;
mod messages;
mod text;

pub use junit::junit;
pub use living::living;
pub use messages::messages;
pub use text::{failure, summary};

/// A trial and what came of it.
pub struct Verdict<'s> {
    /// The trial.
    pub trial: &'s Trial,
    /// One for each seed.
    pub outcomes: Vec<Outcome>,
    /// The card of its first failure, if one was made.
    pub card: Option<String>,
}

impl Verdict<'_> {
    /// Whether it passed with every seed.
    pub fn passed(&self) -> bool {
        self.outcomes.iter().all(Outcome::passed)
    }

    /// The first outcome that failed.
    pub fn failed(&self) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| !outcome.passed())
    }
}

/// The command that runs a trial again with the seed of an outcome.
pub fn replay(trial: &Trial, outcome: &Outcome) -> String {
    let place = crate::sim::report::shell_word(&trial.place());
    format!("shakedown features {place} --seed {}", outcome.seed)
}

/// `3 scenarios passed, 1 failed`.
pub fn tally(verdicts: &[Verdict<'_>]) -> String {
    let failed = verdicts.iter().filter(|verdict| !verdict.passed()).count();
    let passed = counted((verdicts.len() - failed) as u64, "scenario");
    match failed {
        0 => format!("{passed} passed"),
        _ => format!("{passed} passed, {failed} failed"),
    }
}
