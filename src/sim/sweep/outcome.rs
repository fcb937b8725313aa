//! What a sweep keeps of one run.
//!
//! Invariant: a run that the simulator itself did not survive has an outcome too, with one failure
//! of the check [`SIMULATOR`](super::SIMULATOR).

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use xxhash_rust::xxh3::Xxh3;

use super::Plan;
use crate::sim::check::{CheckResult, Class, Failure, Margin};
use crate::sim::run::passport::Passport;
use crate::sim::run::{self, Options, RunReport};
use crate::sim::seed::Seed;
use crate::sim::trace::{Sink, TraceDigest};

/// One run as a sweep counts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Which of the plan's scenarios.
    pub scenario: usize,
    /// Its seed.
    pub seed: Seed,
    /// Digest of its trace; none when the simulator panicked.
    pub trace: Option<TraceDigest>,
    /// What each check found.
    pub checks: Vec<CheckOutcome>,
    /// Every way in which it failed.
    pub failures: Vec<Failure>,
    /// Names of the marks that it reached.
    pub marks: BTreeSet<&'static str>,
    /// Its faults: how many of each kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// What one check found in one run.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckOutcome {
    /// The check's name.
    pub name: &'static str,
    /// Its class.
    pub class: Class,
    /// Objects that it looked at.
    pub examined: u64,
    /// Whether the plan made its object impossible.
    pub is_excused: bool,
    /// Whether its promise was broken.
    pub is_broken: bool,
    /// How far it was from failing.
    pub margin: Option<Margin>,
}

impl CheckOutcome {
    fn of(check: &CheckResult) -> Self {
        Self {
            name: check.name,
            class: check.class,
            examined: check.finding.examined,
            is_excused: check.finding.excused.is_some(),
            is_broken: !check.passed(),
            margin: check.finding.margin.clone(),
        }
    }
}

impl Outcome {
    /// Runs `plan`'s scenario number `scenario` with `seed`.
    pub fn of_run(plan: &Plan, scenario: usize, seed: Seed) -> Self {
        let Some((_, text)) = plan.scenarios.get(scenario) else {
            return Self::of_panic(scenario, seed, &"the plan has no such scenario");
        };
        let options = Options { seed, network: plan.network, sink: Sink::None };
        Self::guarded(scenario, seed, || Self::of_report(scenario, &run::run(text, options)))
    }

    /// What `work` makes of a run. A panic of judging counts as much as one of running: the thread
    /// must go on, since the sweep waits for an outcome of each run.
    fn guarded(scenario: usize, seed: Seed, work: impl FnOnce() -> Self) -> Self {
        catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|payload| Self::of_panic(scenario, seed, payload.as_ref()))
    }

    fn of_report(scenario: usize, report: &RunReport) -> Self {
        let mut faults = BTreeMap::new();
        for fault in report.scenario.faults() {
            *faults.entry(fault.kind).or_default() += 1;
        }
        Self {
            scenario,
            seed: report.seed,
            trace: Some(report.trace),
            checks: report.checks.iter().map(CheckOutcome::of).collect(),
            failures: report.failures(),
            marks: report.sometimes.clone(),
            faults,
        }
    }

    fn of_panic(scenario: usize, seed: Seed, payload: &(dyn Any + Send)) -> Self {
        Self {
            scenario,
            seed,
            trace: None,
            checks: Vec::new(),
            failures: vec![Failure::of_panic(payload)],
            marks: BTreeSet::new(),
            faults: BTreeMap::new(),
        }
    }

    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// A hash of the course that the run took and of its verdict; `scenario` is its scenario's.
    pub fn digest(&self, scenario: u128) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(&scenario.to_le_bytes());
        hash.update(&self.seed.0.to_le_bytes());
        hash.update(&self.trace.map_or(0, |trace| trace.hash).to_le_bytes());
        for check in &self.checks {
            hash.update(check.name.as_bytes());
            hash.update(&check.examined.to_le_bytes());
            hash.update(&[u8::from(check.is_excused), u8::from(check.is_broken)]);
            let margin = check.margin.as_ref().map_or(0, |margin| margin.worst.to_bits());
            hash.update(&margin.to_le_bytes());
        }
        for failure in &self.failures {
            hash.update(failure.fingerprint.as_str().as_bytes());
            hash.update(failure.example.as_bytes());
        }
        hash.digest128()
    }

    /// What it takes to run it again.
    pub fn passport(&self, plan: &Plan) -> Option<Passport> {
        let (origin, scenario) = plan.scenarios.get(self.scenario)?;
        let drawn = || Passport::of(origin.as_str(), scenario, self.seed, plan.network);
        // If it is the draw that panics, nothing else can be run again.
        catch_unwind(AssertUnwindSafe(drawn)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_anywhere_is_an_outcome() {
        let outcome = Outcome::guarded(1, Seed(7), || panic!("no words for it"));
        assert_eq!((outcome.scenario, outcome.seed, outcome.trace), (1, Seed(7), None));
        let [failure] = outcome.failures.as_slice() else { panic!("{outcome:?}") };
        assert_eq!(
            (failure.check, failure.example.as_str()),
            (super::super::SIMULATOR, "no words for it")
        );
    }
}
