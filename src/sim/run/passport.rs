//! What it takes to run a run again: written into traces, cards and summaries, read by every verb
//! that takes a run.
//!
//! Invariant: a passport of a newer schema is refused; one of another build is accepted with a
//! warning, since the run may then take another course.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Network, RunId};
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;

/// Version of this form; raised when a reader of the old form would misread the new one.
pub const PASSPORT_SCHEMA: u32 = 1;

/// Which build made something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The crate's version.
    pub version: String,
    /// Ten base32 letters of the lock file's hash.
    pub lock: String,
}

/// One run, so that it can be run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passport {
    /// [`PASSPORT_SCHEMA`] of its writer.
    pub schema: u32,
    /// Who made it.
    pub build: Build,
    /// The run's name.
    pub id: RunId,
    /// Where the scenario came from, for people: a path, or `… (built in)`.
    pub origin: String,
    /// The scenario with everything decided.
    pub scenario: Scenario,
    /// The seed.
    pub seed: Seed,
    /// The network.
    pub network: Network,
}
