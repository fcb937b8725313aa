//! The promises that a run is held to, one per file.
//!
//! Invariants:
//! - A check is a pure function of the run's [`Record`]; it never changes the run.
//! - A check that examined nothing has failed, unless the plan made its object impossible and it
//!   says so.

pub use fingerprint::{Failure, Fingerprint, InvalidFingerprint, SIMULATOR};
use record::Record;
pub use verdict::{CheckResult, Class, Finding, Margin, Violation};

pub mod answers;
mod breaker;
mod conservation;
mod coverage;
mod cycles;
pub mod fingerprint;
mod freshness;
mod gaps;
pub mod ground_truth;
mod guid;
mod health_score;
mod honesty;
mod incidents;
mod loss;
mod memory;
mod no_panic;
mod politeness;
pub mod record;
pub mod recovery;
mod relationships;
mod spool;
mod stand_ins;
mod synthesis_lag;
#[cfg(test)]
mod tests;
pub mod user;
mod verdict;

/// One promise and how it is examined.
pub struct Check {
    /// Its name, the same in every report.
    pub name: &'static str,
    /// The promise in one sentence.
    pub promise: &'static str,
    /// What kind of promise it is.
    pub class: Class,
    /// Examines a run.
    pub examine: fn(&Record) -> Finding,
}

/// All checks, in the order of a verdict.
pub const CATALOGUE: &[Check] = &[
    no_panic::CHECK,
    conservation::CHECK,
    loss::CHECK,
    politeness::CHECK,
    breaker::CHECK,
    memory::CHECK,
    guid::CHECK,
    ground_truth::CHECK,
    health_score::CHECK,
    cycles::CHECK,
    honesty::CHECK,
    coverage::CHECK,
    relationships::CHECK,
    synthesis_lag::CHECK,
    freshness::CHECK,
    recovery::CHECK,
    gaps::CHECK,
    stand_ins::CHECK,
    incidents::CHECK,
    user::CHECK,
];

/// Examines a run with every check.
pub fn examine(record: &Record) -> Vec<CheckResult> {
    let result = |check: &Check| CheckResult {
        name: check.name,
        promise: check.promise,
        class: check.class,
        finding: (check.examine)(record),
    };
    CATALOGUE.iter().map(result).collect()
}

/// Every way in which the checks failed: in their order, then by shape, each once.
pub fn failures(results: &[CheckResult]) -> Vec<Failure> {
    results.iter().filter(|result| !result.passed()).flat_map(Failure::of).collect()
}
