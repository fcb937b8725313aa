//! What a sweep keeps of one run.

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::check::{Class, Margin};
use crate::sim::seed::Seed;

/// One run as a sweep counts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Which of the plan's scenarios.
    pub scenario: usize,
    /// Its seed.
    pub seed: Seed,
    /// XXH3-128 of its trace; 0 when the simulator panicked.
    pub trace: u128,
    /// What each check found.
    pub checks: Vec<CheckOutcome>,
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
