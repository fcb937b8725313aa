//! Summaries as files: read, distrusted, merged.
//!
//! Invariants:
//! - What [`read`] gives is as written: a changed byte outside `performance` breaks the seal.
//! - [`merge`] takes every shard of one sweep by one build once, and nothing else.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::tally::Tally;
use super::{Performance, SUMMARY_SCHEMA, Shard, Summary};

/// Why a text is no summary to work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SummaryError {
    /// The text ends in the middle.
    #[error("{name}:{line}: the summary ends in the middle: it was not written or copied whole")]
    Truncated {
        /// The file.
        name: String,
        /// Its last line.
        line: usize,
    },
    /// No JSON, or not of a summary's form.
    #[error("{name}:{line}: this is not the summary of a sweep: {what}")]
    Form {
        /// The file.
        name: String,
        /// Where.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// Written by a later version.
    #[error(
        "{name}: a summary of schema {schema}, and this version of shakedown reads {SUMMARY_SCHEMA}"
    )]
    Schema {
        /// The file.
        name: String,
        /// Its schema.
        schema: u32,
    },
    /// Its content is not what was written.
    #[error("{name}: the seal does not fit: the summary was changed after it was written")]
    Seal {
        /// The file.
        name: String,
    },
}

/// Why summaries do not make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing to merge.
    #[error("no summary was given")]
    Nothing,
    /// Two summaries tell of different sweeps.
    #[error("{one} and {other} are of different sweeps: {what}")]
    Different {
        /// A file.
        one: String,
        /// Another one.
        other: String,
        /// What differs, with both values.
        what: String,
    },
    /// One shard twice.
    #[error("{one} and {other} are both shard {shard}: its runs would count twice")]
    Twice {
        /// A file.
        one: String,
        /// Another one.
        other: String,
        /// The shard.
        shard: Shard,
    },
    /// Not every shard is there.
    #[error("of {count} shards, these are missing: {missing}")]
    Missing {
        /// How many there must be.
        count: u64,
        /// Which are not there.
        missing: String,
    },
}

/// Most missing shards that a message names.
const MISSING_NAMED_MAX: u64 = 20;

#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Reads the summary in `text`; `name` stands in messages.
///
/// # Errors
/// [`SummaryError`] unless it is whole, unchanged, and of a schema that this version knows.
pub fn read(name: &str, text: &str) -> Result<Summary, SummaryError> {
    let form = |error: serde_json::Error| {
        let (name, line) = (name.to_owned(), error.line());
        if error.is_eof() {
            return SummaryError::Truncated { name, line };
        }
        SummaryError::Form { name, line, what: error.to_string() }
    };
    let Head { schema } = serde_json::from_str(text).map_err(form)?;
    if schema != SUMMARY_SCHEMA {
        return Err(SummaryError::Schema { name: name.to_owned(), schema });
    }
    let summary: Summary = serde_json::from_str(text).map_err(form)?;
    if summary.seal != summary.sealed() || summary.shard.index > summary.shard.count {
        return Err(SummaryError::Seal { name: name.to_owned() });
    }
    Ok(summary)
}

/// The summary of a whole sweep from those of its shards, each with its file's name, in any order.
///
/// # Errors
/// [`MergeError`] unless they are all shards of one sweep, each once.
pub fn merge(parts: Vec<(String, Summary)>) -> Result<Summary, MergeError> {
    let mut parts = parts.into_iter();
    let (first_name, first) = parts.next().ok_or(MergeError::Nothing)?;
    let mut by_shard = BTreeMap::from([(first.shard.index, (first_name.clone(), first.clone()))]);
    for (name, part) in parts {
        if let Some(what) = difference(&first, &part) {
            return Err(MergeError::Different { one: first_name, other: name, what });
        }
        let shard = part.shard;
        if let Some((one, _)) = by_shard.insert(shard.index, (name.clone(), part)) {
            return Err(MergeError::Twice { one, other: name, shard });
        }
    }
    require_all(first.shard.count, &by_shard)?;
    let (mut tally, mut ended, mut performance) =
        (Tally::default(), first.ended, Performance::default());
    for (name, part) in by_shard.into_values() {
        ended = ended.max(part.ended);
        performance.add(&part.performance);
        // Numbers that are none cannot carry a seal of ours; say so rather than lose them.
        tally.add(part).ok_or(MergeError::Different {
            one: first_name.clone(),
            other: name,
            what: "a digest is no number".to_owned(),
        })?;
    }
    let whole = Summary { shard: Shard::WHOLE, ended, performance, ..first };
    Ok(whole.with(&tally))
}

fn require_all<T>(count: u64, by_shard: &BTreeMap<u64, T>) -> Result<(), MergeError> {
    if by_shard.len() as u64 == count {
        return Ok(());
    }
    let missing = (1..=count).filter(|index| !by_shard.contains_key(index));
    let named = usize::try_from(MISSING_NAMED_MAX).unwrap_or_default();
    let mut names: Vec<String> =
        missing.take(named).map(|index| Shard { index, count }.to_string()).collect();
    let rest = count - by_shard.len() as u64 - names.len() as u64;
    if rest > 0 {
        names.push(format!("and {rest} more"));
    }
    Err(MergeError::Missing { count, missing: names.join(", ") })
}

/// What two summaries must have in common and have not, in words.
fn difference(one: &Summary, other: &Summary) -> Option<String> {
    let build = |s: &Summary| s.build.to_string();
    let scenarios = |s: &Summary| {
        let each = s.scenarios.iter().map(|of| format!("{} ({})", of.origin, of.hash));
        each.collect::<Vec<_>>().join(", ")
    };
    let seeds = |s: &Summary| match s.seeds.count {
        Some(count) => format!("{count} seeds from {}", s.seeds.first),
        None => format!("seeds from {} on", s.seeds.first),
    };
    let parts: [(&str, String, String); 5] = [
        ("builds", build(one), build(other)),
        ("networks", one.network.name().to_owned(), other.network.name().to_owned()),
        ("scenarios", scenarios(one), scenarios(other)),
        ("seeds", seeds(one), seeds(other)),
        ("numbers of shards", one.shard.count.to_string(), other.shard.count.to_string()),
    ];
    let different = parts.into_iter().find(|(_, one, other)| one != other);
    different.map(|(what, one, other)| format!("{what} are {one}, and {other}"))
}

impl Performance {
    fn add(&mut self, other: &Self) {
        self.jobs += other.jobs;
        self.wall_seconds += other.wall_seconds;
        self.cpu_seconds += other.cpu_seconds;
    }
}
