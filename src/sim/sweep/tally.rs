//! Counting: outcomes into a tally, tallies of shards into the tally of the whole.
//!
//! Invariant: counting is the same in any order and any grouping, so the tallies of all shards add
//! up to the tally of the whole sweep.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::Xxh3;

use super::summary::{CheckTotal, FailureKind, MarkCount, RunRef, Situation, WorstMargin};
use super::{CheckOutcome, Outcome, Plan, SEEDS_KEPT, Summary};
use crate::sim::check::CATALOGUE;
use crate::sim::check::{Failure, Fingerprint};

/// What has been counted so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// Runs.
    pub runs: u64,
    /// Runs of which every check passed.
    pub passed: u64,
    /// Sum of the runs' digests.
    pub digest: u128,
    failures: BTreeMap<Fingerprint, (FailureKind, u128)>,
    marks: BTreeMap<Situation, MarkCount>,
    faults: BTreeMap<String, u64>,
    checks: BTreeMap<String, CheckTotal>,
}

impl Tally {
    /// Counts one run of `plan`; `hashes` are those of the plan's scenarios.
    pub fn count(&mut self, plan: &Plan, hashes: &[u128], outcome: &Outcome) {
        let scenario = hashes.get(outcome.scenario).copied().unwrap_or_default();
        let run = RunRef { seed: outcome.seed, scenario: outcome.scenario as u64 };
        self.runs += 1;
        self.passed += u64::from(outcome.passed());
        self.digest = self.digest.wrapping_add(outcome.digest(scenario));
        for failure in &outcome.failures {
            self.fail(plan, failure, run, digest_of(scenario, run), outcome);
        }
        for name in &outcome.marks {
            let count = MarkCount { name: (*name).to_owned(), runs: 1, first: run };
            self.add_mark(count);
        }
        for (kind, count) in &outcome.faults {
            *self.faults.entry((*kind).to_owned()).or_default() += count;
        }
        for check in &outcome.checks {
            self.add_check(total(check, run));
        }
    }

    fn fail(
        &mut self,
        plan: &Plan,
        failure: &Failure,
        run: RunRef,
        digest: u128,
        outcome: &Outcome,
    ) {
        if let Some((kind, sum)) = self.failures.get_mut(&failure.fingerprint)
            && kind.runs.first().is_some_and(|first| *first < run)
        {
            kind.count += 1;
            *sum = sum.wrapping_add(digest);
            if kind.runs.len() < SEEDS_KEPT || kind.runs.last().is_some_and(|last| run < *last) {
                keep(&mut kind.runs, &[run]);
            }
            return;
        }
        let kind = FailureKind {
            fingerprint: failure.fingerprint.clone(),
            check: failure.check.to_owned(),
            class: failure.class,
            words: failure.example.clone(),
            count: 1,
            runs: vec![run],
            digest: String::new(),
            passport: outcome.passport(plan),
            trace: outcome.trace,
        };
        self.add_failure(kind, digest);
    }

    fn add_failure(&mut self, kind: FailureKind, digest: u128) {
        let Some((known, sum)) = self.failures.get_mut(&kind.fingerprint) else {
            self.failures.insert(kind.fingerprint.clone(), (kind, digest));
            return;
        };
        let count = known.count + kind.count;
        let mut runs = std::mem::take(&mut known.runs);
        let is_earlier = kind.runs.first() < runs.first();
        keep(&mut runs, &kind.runs);
        if is_earlier {
            *known = kind;
        }
        known.count = count;
        known.runs = runs;
        *sum = sum.wrapping_add(digest);
    }

    fn add_mark(&mut self, mark: MarkCount) {
        let situation = Situation { name: mark.name.clone(), scenario: mark.first.scenario };
        match self.marks.get_mut(&situation) {
            Some(known) => {
                known.runs += mark.runs;
                known.first = known.first.min(mark.first);
            }
            None => {
                self.marks.insert(situation, mark);
            }
        }
    }

    fn add_check(&mut self, check: CheckTotal) {
        let Some(known) = self.checks.get_mut(&check.name) else {
            self.checks.insert(check.name.clone(), check);
            return;
        };
        known.examined += check.examined;
        known.excused += check.excused;
        known.broken += check.broken;
        if let Some(worst) = check.worst
            && known.worst.as_ref().is_none_or(|known| worst.is_worse_than(known))
        {
            known.worst = Some(worst);
        }
    }

    /// Counts what `summary` has counted; none when a number in it is none.
    pub fn add(&mut self, summary: Summary) -> Option<()> {
        self.runs += summary.runs;
        self.passed += summary.passed;
        self.digest = self.digest.wrapping_add(from_hex(&summary.digest)?);
        for kind in summary.failures {
            let digest = from_hex(&kind.digest)?;
            self.add_failure(kind, digest);
        }
        summary.marks.into_iter().for_each(|mark| self.add_mark(mark));
        for (kind, count) in summary.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        summary.checks.into_iter().for_each(|check| self.add_check(check));
        Some(())
    }

    /// How often each kind of failure was met, the earliest kind first.
    pub fn kinds(&self) -> Vec<(&Fingerprint, u64)> {
        let mut kinds: Vec<_> = self.failures.iter().collect();
        kinds.sort_by_key(|(_, (kind, _))| kind.runs.first().copied());
        kinds.into_iter().map(|(fingerprint, (kind, _))| (fingerprint, kind.count)).collect()
    }

    /// What failed, the earliest first.
    pub fn failures(&self) -> Vec<FailureKind> {
        let with_digest =
            |(kind, sum): &(FailureKind, u128)| FailureKind { digest: hex(*sum), ..kind.clone() };
        let mut failures: Vec<FailureKind> = self.failures.values().map(with_digest).collect();
        // Of one run, in the order of its verdict.
        failures.sort_by_key(|kind| (kind.runs.first().copied(), place(&kind.check)));
        failures
    }

    /// Situations that were met, by name and scenario.
    pub fn marks(&self) -> Vec<MarkCount> {
        self.marks.values().cloned().collect()
    }

    /// Whether a run of its scenario met `situation`.
    pub fn has_met(&self, situation: &Situation) -> bool {
        self.marks.contains_key(situation)
    }

    /// Faults by kind.
    pub fn faults(&self) -> BTreeMap<String, u64> {
        self.faults.clone()
    }

    /// What each check saw, in the order of a verdict.
    pub fn checks(&self) -> Vec<CheckTotal> {
        let mut checks: Vec<CheckTotal> = self.checks.values().cloned().collect();
        checks.sort_by_key(|check| place(&check.name));
        checks
    }
}

/// The place of a check in a verdict; what is no check comes last.
fn place(check: &str) -> usize {
    CATALOGUE.iter().position(|known| known.name == check).unwrap_or(usize::MAX)
}

/// Adds `more` to the first runs in `runs` and keeps the first of both.
fn keep(runs: &mut Vec<RunRef>, more: &[RunRef]) {
    runs.extend_from_slice(more);
    runs.sort_unstable();
    runs.truncate(SEEDS_KEPT);
}

fn digest_of(scenario: u128, run: RunRef) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&scenario.to_le_bytes());
    hash.update(&run.seed.0.to_le_bytes());
    hash.digest128()
}

fn total(check: &CheckOutcome, run: RunRef) -> CheckTotal {
    let worst = check.margin.as_ref().map(|margin| WorstMargin {
        // JSON has no infinity.
        worst: margin.worst.clamp(f64::MIN, f64::MAX),
        limit: margin.limit.clamp(f64::MIN, f64::MAX),
        unit: margin.unit.to_owned(),
        run,
    });
    CheckTotal {
        name: check.name.to_owned(),
        class: check.class,
        examined: check.examined,
        excused: u64::from(check.is_excused),
        broken: u64::from(check.is_broken),
        worst,
    }
}

impl WorstMargin {
    /// What part of the limit was used up; beyond 1 it was passed.
    fn share(&self) -> f64 {
        if self.limit == 0.0 { self.worst } else { self.worst / self.limit }
    }

    /// The worse of two is closer to its limit; of two equal ones, the earlier run.
    fn is_worse_than(&self, other: &Self) -> bool {
        let order = self.share().total_cmp(&other.share());
        order.then_with(|| other.run.cmp(&self.run)).is_gt()
    }
}

/// Thirty-two hexadecimal digits.
pub fn hex(number: u128) -> String {
    format!("{number:032x}")
}

/// The number of thirty-two hexadecimal digits.
pub fn from_hex(text: &str) -> Option<u128> {
    if text.len() == 32 { u128::from_str_radix(text, 16).ok() } else { None }
}
