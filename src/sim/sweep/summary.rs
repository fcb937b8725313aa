//! What a sweep found: the form that is written, merged and read again.
//!
//! Invariant: equal plans give equal summaries, [`Performance`] apart.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shard;
use crate::sim::check::Class;
use crate::sim::run::Network;
use crate::sim::run::passport::{Build, Passport};
use crate::sim::seed::Seed;

/// Version of this form; raised when a reader of the old form would misread the new one.
pub const SUMMARY_SCHEMA: u32 = 1;

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Version of this form.
    pub schema: u32,
    /// XXH3-128 of everything else but `performance`, in hex: tells a damaged file from a whole one.
    pub seal: String,
    /// Which build ran it.
    pub build: Build,
    /// The network.
    pub network: Network,
    /// What was run, in order.
    pub scenarios: Vec<ScenarioRef>,
    /// The seeds of the whole sweep, all shards together.
    pub seeds: SeedRange,
    /// Which part of them this is.
    pub shard: Shard,
    /// Why it ended.
    pub ended: End,
    /// Runs that were judged.
    pub runs: u64,
    /// Runs of which every check passed.
    pub passed: u64,
    /// Sum of one hash per run over scenario, seed, trace and verdict, in hex: two sweeps with
    /// equal digests took the same course in every run.
    pub digest: String,
    /// What failed, by fingerprint; the earliest first.
    pub failures: Vec<FailureKind>,
    /// Situations that were met, by name.
    pub marks: Vec<MarkCount>,
    /// Situations that a scenario lists and no run met, by name.
    pub unreached: Vec<String>,
    /// Faults of all runs, by kind.
    pub faults: BTreeMap<String, u64>,
    /// What each check saw in all runs, in the order of a verdict.
    pub checks: Vec<CheckTotal>,
    /// What it cost; no two sweeps have it in common.
    pub performance: Performance,
}

/// One scenario of a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioRef {
    /// Where it came from, for people: a path, or `… (built in)`.
    pub origin: String,
    /// Its title.
    pub title: String,
    /// XXH3-128 of its canonical form, in hex.
    pub hash: String,
    /// Situations that it lists.
    pub sometimes: Vec<String>,
}

/// A range of seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeedRange {
    /// The first one.
    pub first: u64,
    /// How many; none when time alone ends the sweep.
    pub count: Option<u64>,
}

/// Why a sweep ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Every seed has run.
    Complete,
    /// Its time was up.
    Time,
    /// A run failed and it was to end there.
    Failure,
    /// Somebody interrupted it.
    Interrupted,
}

/// One run of a sweep.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct RunRef {
    /// Its seed.
    pub seed: Seed,
    /// Its scenario: the place among the sweep's scenarios, from 0.
    pub scenario: u64,
}

/// Everything that failed in the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureKind {
    /// What it has in common: ten base32 letters.
    pub fingerprint: String,
    /// The check that failed; `simulator` when the simulator itself panicked.
    pub check: String,
    /// The check's class.
    pub class: Class,
    /// The broken promise of the first run, in its words.
    pub words: String,
    /// Runs that failed so.
    pub count: u64,
    /// The first of these runs, at most [`SEEDS_KEPT`](super::SEEDS_KEPT).
    pub runs: Vec<RunRef>,
    /// Sum of one hash per run over scenario and seed, in hex.
    pub digest: String,
    /// The first of these runs, so that it can be run again.
    pub passport: Passport,
}

/// How often one situation was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkCount {
    /// The mark's name.
    pub name: String,
    /// Runs that reached it.
    pub runs: u64,
    /// The first one.
    pub first: RunRef,
}

/// What one check saw in all runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckTotal {
    /// The check's name.
    pub name: String,
    /// Its class.
    pub class: Class,
    /// Objects that it looked at.
    pub examined: u64,
    /// Runs whose plan made its object impossible.
    pub excused: u64,
    /// Runs in which its promise was broken.
    pub broken: u64,
    /// The run that came closest to its limit, or went farthest beyond.
    pub worst: Option<WorstMargin>,
}

/// How close the closest run came to a check's limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorstMargin {
    /// Its worst value.
    pub worst: f64,
    /// Its limit.
    pub limit: f64,
    /// Unit of both.
    pub unit: String,
    /// The run.
    pub run: RunRef,
}

/// What a sweep cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Performance {
    /// Runs side by side; of merged shards the sum.
    pub jobs: u64,
    /// From its begin to its end, s; of merged shards the sum.
    pub wall_seconds: f64,
    /// Processor time of the process, s; of merged shards the sum.
    pub cpu_seconds: f64,
}
