//! The name of a run: what two people call the same failure.
//!
//! Invariant: equal scenario, seed, network, crate version and lock file give equal names, in any
//! process; any difference gives another name.

use sha2::{Digest, Sha256};

use crate::sim::letters;
use crate::sim::run::Network;
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;

/// Ten base32 letters (Crockford's alphabet, lower case): 50 bits.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct RunId(String);

const LOCK_FILE: &str = include_str!("../../../Cargo.lock");

impl RunId {
    /// The identity of one run.
    pub fn of(scenario: &Scenario, seed: Seed, network: Network) -> Self {
        let mut hash = Sha256::new();
        for part in [
            scenario.canonical().as_str(),
            &seed.to_string(),
            network.name(),
            env!("CARGO_PKG_VERSION"),
            LOCK_FILE,
        ] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(letters::ten(&hash.finalize()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Ten letters of the lock file's hash.
pub(super) fn lock_letters() -> String {
    letters::ten(&Sha256::digest(LOCK_FILE))
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
