//! What a search has tried: with it, another search of the same run goes the same way without
//! running anything again, so that an interrupted one can be resumed.
//!
//! Form: a line `shakedown-minimize <version> <XXH3-128 of the rest, hex>`, then one JSON object.
//!
//! Invariants:
//! - A search that starts with the memory of a part of itself ends like one that starts with none.
//! - What was cut, changed, or written by another program or for another run is refused: what a
//!   program tried says nothing of another one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::sim::check::Fingerprint;
use crate::sim::run::RunId;
use crate::sim::run::reference::Letters;
use crate::sim::scenario::Scenario;

/// Version of the form; raised when a reader of the old form would misread the new one.
const MEMORY_SCHEMA: u32 = 1;
const MAGIC: &str = "shakedown-minimize";

/// A failure as a search retells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The check's name.
    pub check: String,
    /// What it said, in the first run that showed it.
    pub example: String,
}

/// What became of one candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Whether the rules of scenario files allow it; if not, it was not run.
    pub(super) is_possible: bool,
    /// The wanted failure in its words, when it failed in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) example: Option<String>,
    /// Failures that the first scenario did not show.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) others: BTreeMap<Fingerprint, Told>,
}

impl Trial {
    /// Of a candidate that is not possible.
    pub(super) fn refused() -> Self {
        Self { is_possible: false, example: None, others: BTreeMap::new() }
    }
}

/// Everything that was tried, by a hash of the candidate's canonical form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    trials: BTreeMap<u128, Trial>,
}

/// Whose memory it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The run that is made smaller.
    pub run: RunId,
    /// Digest of the program that runs it.
    pub program: u128,
}

/// The body of the form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    run: RunId,
    /// Digest of the program that tried, hex: another one may behave otherwise in the same run.
    program: String,
    fingerprint: Fingerprint,
    trials: BTreeMap<String, Trial>,
}

/// Why a text is not the memory that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// Something else altogether.
    #[error("it is not the state of a search")]
    Foreign,
    /// Of a newer program.
    #[error("its version is {0}, this build reads up to {MEMORY_SCHEMA}")]
    Newer(u32),
    /// Cut or changed.
    #[error("it is damaged: it was cut off or changed after it was written")]
    Damaged,
    /// Whole, but not of this form.
    #[error("it cannot be read: {0}")]
    Form(String),
    /// Of another run, or of another build.
    #[error("it is of run {found}, not of {wanted}: scenario, seed, network or build differ")]
    OtherRun {
        /// Whose it is.
        found: RunId,
        /// Whose it should be.
        wanted: RunId,
    },
    /// Of another program: a run's name does not change with every change of the code.
    #[error("it is of another build of shakedown, whose runs may have ended otherwise")]
    OtherProgram,
    /// Of another failure.
    #[error("it is of the failure {found}, not of `{wanted}`")]
    OtherFailure {
        /// Which it is of.
        found: Fingerprint,
        /// The letters with which its fingerprint should begin.
        wanted: Letters,
    },
}

/// What a candidate is remembered by.
pub(super) fn key(scenario: &Scenario) -> u128 {
    xxh3_128(scenario.canonical().as_bytes())
}

impl Memory {
    /// Number of candidates.
    pub fn len(&self) -> usize {
        self.trials.len()
    }

    /// Whether nothing was tried.
    pub fn is_empty(&self) -> bool {
        self.trials.is_empty()
    }

    pub(super) fn get(&self, key: u128) -> Option<&Trial> {
        self.trials.get(&key)
    }

    pub(super) fn keep(&mut self, key: u128, trial: Trial) {
        self.trials.insert(key, trial);
    }

    /// The memory of the search for `fingerprint` by `owner`, to be kept.
    pub fn encode(&self, owner: &Owner, fingerprint: &Fingerprint) -> String {
        let trials = self.trials.iter().map(|(key, trial)| (hex(*key), trial.clone()));
        let body = Body {
            run: owner.run.clone(),
            program: hex(owner.program),
            fingerprint: fingerprint.clone(),
            trials: trials.collect(),
        };
        // Texts by text keys always have a JSON form.
        let body = serde_json::to_string(&body).unwrap_or_default();
        format!("{MAGIC} {MEMORY_SCHEMA} {}\n{body}\n", hex(xxh3_128(body.as_bytes())))
    }

    /// The memory in `text`, which must be of `owner` and, where that is known, of the failure
    /// whose fingerprint begins with these letters; and which failure it is of.
    ///
    /// # Errors
    /// [`MemoryError`]
    pub fn decode(
        text: &str,
        owner: &Owner,
        letters: Option<&Letters>,
    ) -> Result<(Self, Fingerprint), MemoryError> {
        let body = body(text)?;
        if body.run != owner.run {
            return Err(MemoryError::OtherRun { found: body.run, wanted: owner.run.clone() });
        }
        if body.program != hex(owner.program) {
            return Err(MemoryError::OtherProgram);
        }
        if let Some(wanted) = letters.filter(|letters| !letters.begin(&body.fingerprint)) {
            let (found, wanted) = (body.fingerprint, wanted.clone());
            return Err(MemoryError::OtherFailure { found, wanted });
        }
        let mut trials = BTreeMap::new();
        for (key, trial) in body.trials {
            let key = u128::from_str_radix(&key, 16);
            trials.insert(key.map_err(|error| MemoryError::Form(error.to_string()))?, trial);
        }
        Ok((Self { trials }, body.fingerprint))
    }
}

fn hex(number: u128) -> String {
    format!("{number:032x}")
}

/// The body of a whole text of this version.
fn body(text: &str) -> Result<Body, MemoryError> {
    let (head, body) = text.split_once('\n').unwrap_or((text, ""));
    let mut words = head.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(MemoryError::Foreign);
    }
    let version = words.next().and_then(|word| word.parse::<u32>().ok());
    let version = version.ok_or(MemoryError::Damaged)?;
    if version > MEMORY_SCHEMA {
        return Err(MemoryError::Newer(version));
    }
    let digest = words.next().and_then(|word| u128::from_str_radix(word, 16).ok());
    let body = body.strip_suffix('\n').ok_or(MemoryError::Damaged)?;
    if digest != Some(xxh3_128(body.as_bytes())) {
        return Err(MemoryError::Damaged);
    }
    serde_json::from_str(body).map_err(|error| MemoryError::Form(error.to_string()))
}
