//! The smallest scenario that still fails in the same way: fewer faults, a smaller fleet, fewer
//! settings, less time.
//!
//! A search knows one scenario that fails with the wanted fingerprint, the best so far. Passes
//! offer smaller ones, boldest first; the first that fails with the same fingerprint, and breaks no
//! check that the first scenario kept, is the new best. Passes repeat until none finds anything.
//!
//! Invariants:
//! - The [`Weight`] of the best falls strictly with every step, so a search ends.
//! - Its result is a function of scenario, oracle and fingerprint: candidates are tried side by
//!   side, but the first in order wins, whatever the number of jobs. Only a stop from outside
//!   (time, Ctrl-C) depends on the clock.
//! - A search that ended by itself is 1-minimal over faults: without any one of them, the failure
//!   is gone.
//! - Every candidate is possible by the rules of scenario files; others are passed over unrun.
//! - No expectation becomes stricter: a failure is not made by asking for more.
//!
//! Not modelled: other seeds. The seed stays, and with it whatever is drawn from it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use serde::Serialize;

use crate::sim::check::{Class, Failure, Fingerprint};
use crate::sim::run::reference::Letters;
use crate::sim::scenario::Scenario;

mod ddmin;
mod memory;
mod oracle;
mod pass;
mod rename;
mod search;
mod size;
#[cfg(test)]
mod tests;

pub use memory::{Memory, MemoryError, Owner, Told};
pub use oracle::{Oracle, Runs};
pub use pass::settings::differing;
pub use size::{Size, Weight};

use search::Search;

/// What is looked for, and how.
pub struct Hunt<'a> {
    /// The failing scenario, with everything decided.
    pub scenario: &'a Scenario,
    /// What tells how a scenario fails.
    pub oracle: &'a dyn Oracle,
    /// The letters of the failure to keep; without them, the first failure that the scenario shows.
    pub fingerprint: Option<Letters>,
    /// Candidates that are tried side by side.
    pub jobs: NonZeroUsize,
    /// Asked before every run: whether to end with the best so far.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// What earlier searches of the same run have tried.
    pub memory: Memory,
}

/// What a search tells on its way.
pub struct News<'a> {
    /// The failure that is kept.
    pub fingerprint: &'a Fingerprint,
    /// Scenarios run so far, those that the memory knew included.
    pub tried: u64,
    /// The name of the pass that is at work.
    pub pass: &'static str,
    /// The best so far.
    pub best: &'a Scenario,
    /// Whether it has just become smaller.
    pub is_smaller: bool,
    /// All that has been tried, for whoever wants to keep it.
    pub memory: &'a Memory,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// No pass makes it smaller.
    Minimal,
    /// It was told to stop.
    Stopped,
}

/// What a search found.
#[derive(Debug, Clone, Serialize)]
pub struct Minimized {
    /// The failure that was kept.
    pub fingerprint: Fingerprint,
    /// The check that fails.
    pub check: String,
    /// Its class.
    pub class: Class,
    /// The failure in the words of the smallest run.
    pub example: String,
    /// Size of the scenario at the start.
    pub from: Size,
    /// Size of the smallest scenario.
    pub to: Size,
    /// Scenarios run, the first one included, as far as their verdicts were needed.
    pub tried: u64,
    /// Times that a smaller one was found.
    pub steps: u64,
    /// Why the search ended.
    pub ended: Ended,
    /// Failures that the first scenario did not show and others on the way did, by fingerprint;
    /// nobody looked into them.
    pub others: BTreeMap<Fingerprint, Told>,
    /// The smallest scenario.
    pub scenario: Scenario,
    /// All that has been tried.
    #[serde(skip)]
    pub memory: Memory,
}

/// Why nothing can be minimised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MinimizeError {
    /// Nothing fails.
    #[error("the run passes, so there is nothing to minimise")]
    Passes,
    /// It fails otherwise, or in several ways that begin with these letters.
    #[error("{} of the run's failures begins with `{wanted}`; they are\n{}",
        if *.is_ambiguous { "more than one" } else { "none" }, list(.found))]
    OtherFailure {
        /// What was asked for.
        wanted: Letters,
        /// Whether several begin with it.
        is_ambiguous: bool,
        /// What the run shows.
        found: Vec<(Fingerprint, String)>,
    },
    /// It was told to stop before the first run.
    #[error("it was stopped before the first run")]
    TooSoon,
    /// The memory says that a scenario fails which does not.
    #[error("what was tried before does not hold any more: begin anew")]
    Stale,
}

fn list(found: &[(Fingerprint, String)]) -> String {
    let line = |(fingerprint, shape): &(Fingerprint, String)| format!("  {fingerprint}  {shape}");
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Looks for the smallest scenario that fails like the one of `hunt`; `heard` is told of every
/// candidate that was tried.
///
/// # Errors
/// [`MinimizeError`]
pub fn minimize(
    hunt: Hunt<'_>,
    heard: &mut dyn FnMut(&News<'_>),
) -> Result<Minimized, MinimizeError> {
    if (hunt.stop)() {
        return Err(MinimizeError::TooSoon);
    }
    let failures = hunt.oracle.failures(hunt.scenario);
    let wanted = choose(&failures, hunt.fingerprint.as_ref())?;
    let (oracle, is_resumed) = (hunt.oracle, !hunt.memory.is_empty());
    let checks: BTreeSet<&str> = failures.iter().map(|failure| failure.check).collect();
    let known: BTreeSet<Fingerprint> = failures.iter().map(|f| f.fingerprint.clone()).collect();
    let from = Size::of(hunt.scenario);
    let mut search = Search::new(hunt, wanted, checks, known, heard);
    let ended = match pass::all(&mut search) {
        Ok(()) => Ended::Minimal,
        Err(search::Stopped) => Ended::Stopped,
    };
    let (scenario, example) = (search.best().clone(), search.example().to_owned());
    let fails = |failure: &Failure| failure.fingerprint == wanted.fingerprint;
    if is_resumed && !oracle.failures(&scenario).iter().any(fails) {
        return Err(MinimizeError::Stale);
    }
    let (to, steps) = (Size::of(&scenario), search.steps());
    let scenario = cut_down(scenario, from, steps);
    Ok(Minimized {
        fingerprint: wanted.fingerprint.clone(),
        check: wanted.check.to_owned(),
        class: wanted.class,
        example,
        from,
        to,
        tried: search.tried(),
        steps,
        ended,
        others: search.others(),
        scenario,
        memory: search.into_memory(),
    })
}

/// The scenario, saying what it was cut down from if it was; by several searches, what the first
/// one began with.
fn cut_down(scenario: Scenario, from: Size, steps: u64) -> Scenario {
    let first = scenario.minimized_from.clone();
    let minimized_from = first.or_else(|| (steps > 0).then(|| from.to_string()));
    Scenario { minimized_from, ..scenario }
}

/// The failure to keep: the only one whose fingerprint begins with `letters`.
fn choose<'a>(
    failures: &'a [Failure],
    letters: Option<&Letters>,
) -> Result<&'a Failure, MinimizeError> {
    let first = failures.first().ok_or(MinimizeError::Passes)?;
    let Some(letters) = letters else { return Ok(first) };
    let begins = |failure: &&Failure| letters.begin(&failure.fingerprint);
    let found: Vec<&Failure> = failures.iter().filter(begins).collect();
    if let [only] = found[..] {
        return Ok(only);
    }
    let all = failures.iter().map(|f| (f.fingerprint.clone(), f.shape.clone())).collect();
    let is_ambiguous = !found.is_empty();
    Err(MinimizeError::OtherFailure { wanted: letters.clone(), is_ambiguous, found: all })
}
