//! Many runs of the same scenarios, each with a seed of its own: what fails, how often, and what
//! was met on the way.
//!
//! Invariants:
//! - A sweep is a function of its [`Plan`] alone, whatever the number of jobs: outcomes are counted
//!   in the order of their seeds, and the [`Summary`] holds no wall clock outside `performance`.
//! - Memory does not grow with the number of seeds: each kind of failure keeps its first seeds, a
//!   count, and a digest of all of them.
//! - A panic of the simulator is a failure of its own kind; it never ends the sweep.
//! - The summaries of all shards of a sweep merge into the summary of the whole.

use crate::sim::run::Network;
use crate::sim::scenario::Scenario;

mod drive;
mod file;
mod outcome;
mod report;
mod shard;
mod summary;
mod tally;
#[cfg(test)]
mod tests;

pub use crate::sim::check::SIMULATOR;
pub use drive::{Control, Sweep};
pub use file::{MergeError, SummaryError, merge, read};
pub use outcome::{CheckOutcome, Outcome};
pub use report::{junit, text};
pub use shard::{Shard, ShardError};
pub use summary::{
    CheckTotal, End, FailureKind, MarkCount, Performance, RunRef, SUMMARY_SCHEMA, ScenarioRef,
    SeedRange, Situation, Summary, WorstMargin, schema_text,
};
pub use tally::Tally;

/// What a sweep runs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenarios, each with where it came from; every seed runs all of them in this order.
    pub scenarios: Vec<(String, Scenario)>,
    /// The seeds of the whole sweep, all shards together.
    pub seeds: SeedRange,
    /// Which part of them.
    pub shard: Shard,
    /// The network.
    pub network: Network,
    /// Whether the first failing run is the last one.
    pub until_fail: bool,
}

/// Runs that each kind of failure remembers by seed.
pub const SEEDS_KEPT: usize = 10;
