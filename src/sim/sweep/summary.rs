//! What a sweep found: the form that is written, merged and read again.
//!
//! Invariant: equal plans give equal summaries, [`Performance`] apart.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::tally::{Tally, hex};
use super::{Plan, Shard};
use crate::sim::check::Class;
use crate::sim::check::Fingerprint;
use crate::sim::run::Network;
use crate::sim::run::passport::{Build, Passport};
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;
use crate::sim::trace::TraceDigest;

/// Version of this form; raised when a reader of the old form would misread the new one.
pub const SUMMARY_SCHEMA: u32 = 3;

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Version of this form.
    pub schema: u32,
    /// XXH3-128 of everything else but `performance`, in hex: a damaged file does not have it.
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
    /// Situations that were met, by name and scenario.
    pub marks: Vec<MarkCount>,
    /// Situations that a scenario lists and no run of it met, by name and scenario.
    pub unreached: Vec<Situation>,
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
    /// What these failures have in common: ten base32 letters.
    pub fingerprint: Fingerprint,
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
    /// The first of these runs, so that it can be run again; none when drawing it is what failed.
    pub passport: Option<Passport>,
    /// Digest of that run's trace, which a replay must have too; none when the simulator broke.
    pub trace: Option<TraceDigest>,
}

/// A situation that one scenario lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Situation {
    /// The mark's name.
    pub name: String,
    /// The scenario: its place among the sweep's scenarios, from 0.
    pub scenario: u64,
}

/// How often one situation was met in the runs of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkCount {
    /// The mark's name.
    pub name: String,
    /// Runs of the scenario that reached it.
    pub runs: u64,
    /// The first one, which also names the scenario.
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

impl Summary {
    /// The summary of `tally`, in which the runs of `plan` were counted until it `ended`.
    pub fn of(plan: &Plan, tally: &Tally, ended: End) -> Self {
        let summary = Self {
            schema: SUMMARY_SCHEMA,
            seal: String::new(),
            build: Build::current(),
            network: plan.network,
            scenarios: plan.scenarios.iter().map(ScenarioRef::of).collect(),
            seeds: plan.seeds,
            shard: plan.shard,
            ended,
            runs: 0,
            passed: 0,
            digest: String::new(),
            failures: Vec::new(),
            marks: Vec::new(),
            unreached: Vec::new(),
            faults: BTreeMap::new(),
            checks: Vec::new(),
            performance: Performance::default(),
        };
        summary.with(tally)
    }

    /// The same sweep with `tally` as what was counted.
    pub(super) fn with(self, tally: &Tally) -> Self {
        let unreached = self.listed().into_iter().filter(|listed| !tally.has_met(listed)).collect();
        let mut summary = Self {
            runs: tally.runs,
            passed: tally.passed,
            digest: hex(tally.digest),
            failures: tally.failures(),
            marks: tally.marks(),
            unreached,
            faults: tally.faults(),
            checks: tally.checks(),
            ..self
        };
        summary.seal = summary.sealed();
        summary
    }

    /// The seal that fits the rest.
    pub(super) fn sealed(&self) -> String {
        let open =
            Self { seal: String::new(), performance: Performance::default(), ..self.clone() };
        hex(xxh3_128(&serde_json::to_vec(&open).unwrap_or_default()))
    }

    /// Situations that scenarios list, each once, by name and scenario.
    pub fn listed(&self) -> BTreeSet<Situation> {
        let of = |(scenario, of): (u64, &ScenarioRef)| {
            let situation = move |name: &String| Situation { name: name.clone(), scenario };
            of.sometimes.iter().map(situation).collect::<Vec<_>>()
        };
        (0..).zip(&self.scenarios).flat_map(of).collect()
    }

    /// The worst class among what failed.
    pub fn worst(&self) -> Option<Class> {
        self.failures.iter().map(|kind| kind.class).min()
    }

    /// Whether it proves what a sweep is to prove: something ran, nothing failed, nobody cut it
    /// short, and every listed situation was met. Of a shard alone the last is not asked, since
    /// another shard may meet it.
    pub fn passed(&self) -> bool {
        self.runs > 0
            && self.failures.is_empty()
            && self.ended != End::Interrupted
            && (self.unreached.is_empty() || !self.shard.is_whole())
    }

    /// As it is written to a file: indented JSON and a line's end.
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_else(|error| error.to_string());
        format!("{text}\n")
    }
}

impl ScenarioRef {
    fn of((origin, scenario): &(String, Scenario)) -> Self {
        Self {
            origin: origin.clone(),
            title: scenario.title.clone(),
            hash: hex(scenario_hash(scenario)),
            sometimes: scenario.sometimes.clone(),
        }
    }
}

/// XXH3-128 of a scenario's canonical form.
pub(super) fn scenario_hash(scenario: &Scenario) -> u128 {
    xxh3_128(scenario.canonical().as_bytes())
}

/// The JSON Schema of summaries, as docs/schema/summary.schema.json holds it.
pub fn schema_text() -> String {
    let schema = schemars::schema_for!(Summary);
    let text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    format!("{text}\n")
}
