//! What two failures have in common: the check and its words, without what differs from run to
//! run.
//!
//! The shape of a violation is its text with numbers, times, ids, and names of clusters, brokers,
//! topics, groups and hosts replaced by their class; names of metrics, breakers, states and reasons
//! stay. A fingerprint is the hash of check and shape.
//!
//! Invariants:
//! - A shape is a pure function of check and text, so that a fingerprint may be made anew from any
//!   stored report; the shape of a shape is itself.
//! - Seed, size of the fleet, names and duration of a run do not change the shape of a violation;
//!   violations that different lines of a check tell have different shapes.
//!
//! Not modelled: what a panic's text quotes beyond numbers and names is taken for part of it.

use std::any::Any;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{CheckResult, Class};
use crate::sim::letters;

/// Ten base32 letters that name a kind of failure.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String")]
pub struct Fingerprint(String);

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a fingerprint: give the ten letters and digits that a report shows")]
pub struct InvalidFingerprint(String);

impl Fingerprint {
    /// Of a failure of `check` whose words have this shape.
    fn of_shape(check: &str, shape: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [check, shape] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(letters::ten(&hash.finalize()))
    }

    /// Of a failure that `check` tells in the words `what`.
    pub fn of(check: &str, what: &str) -> Self {
        Self::of_shape(check, &shape(what))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        let valid = text.len() == 10 && text.bytes().all(|byte| letters::ALPHABET.contains(&byte));
        if valid { Ok(Self(text)) } else { Err(InvalidFingerprint(text)) }
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = InvalidFingerprint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// One way in which a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What it has in common with the same failure of other runs.
    pub fingerprint: Fingerprint,
    /// The check's name.
    pub check: &'static str,
    /// The check's class.
    pub class: Class,
    /// The words without what differs from run to run.
    pub shape: String,
    /// The first violation of this shape, in words.
    pub example: String,
}

/// The name under which a panic of the simulator stands among the checks.
pub const SIMULATOR: &str = "simulator";

impl Failure {
    /// The simulator itself panicked, with this payload.
    pub fn of_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let owned = payload.downcast_ref::<String>().map(String::as_str);
        let words = text.or(owned).unwrap_or("panic without a text");
        let shape = shape(words).into_owned();
        Self {
            fingerprint: Fingerprint::of_shape(SIMULATOR, &shape),
            check: SIMULATOR,
            class: Class::Safety,
            shape,
            example: words.to_owned(),
        }
    }

    /// Every way in which `check` failed, by shape.
    pub(super) fn of(check: &CheckResult) -> Vec<Self> {
        let mut examples: BTreeMap<String, String> = BTreeMap::new();
        for violation in &check.finding.violations {
            let shape = shape(&violation.what).into_owned();
            examples.entry(shape).or_insert_with(|| violation.to_string());
        }
        if examples.is_empty() {
            // Vacuity has words, but no violation.
            examples.extend(check.first_violation().map(|what| (what.clone(), what)));
        }
        let failure = |(shape, example): (String, String)| Self {
            fingerprint: Fingerprint::of_shape(check.name, &shape),
            check: check.name,
            class: check.class,
            shape,
            example,
        };
        examples.into_iter().map(failure).collect()
    }
}

/// What is replaced, in this order, and by what.
const RULES: &[(&str, &str)] = &[
    // The worst copy and what a store gave up stand in the text, but say nothing of the cause.
    (r"; .+ of -?\d+ is stored \d+ times too often", ""),
    (r", having given up \d+", ""),
    // What excuses a loss, but not all of it: any of many faults.
    (r", but .+ explains only", ", but <fault> explains only"),
    // Objects that have a name of their own.
    (r"\b([a-z0-9-]+-)?broker-\d+(-[a-z]+)?\b", "<broker host>"),
    (r"\b(broker|topic|group) [a-z0-9-]+/[\w.-]+", "<$1>"),
    // GUIDs, readable and on the wire; ids of requests.
    (r"\d+\|INFRA\|[A-Z_]+\|[0-9a-f]{32}", "<guid>"),
    (r"(^|[^\w-])[\w-]{40,}", "$1<guid>"),
    (r"\brequest [^ ]+ was taken", "request <id> was taken"),
    // Objects in a sentence.
    (r"\b(broker|group|partition) .+ of [a-z0-9-]+ gave no", "<$1> of <cluster> gave no"),
    (r"\bno cluster called `[^`]*`", "no <cluster>"),
    (r"\bcluster [a-z0-9-]+", "<cluster>"),
    (r"\bno broker of [a-z0-9-]+ answered", "no broker of <cluster> answered"),
    (r"\b(kafka)/[a-z0-9-]+", "$1/<cluster>"),
    (r"(entity search): .+ lacks the tag clusterName = .+", "$1: <name> lacks the tag clusterName"),
    (r"(entity search): .+ \(<guid>\) cannot", "$1: <name> (<guid>) cannot"),
    // Values.
    (r"(\b[A-Z_]{4,}|is|be|is called|data source) `[^`]*`", "$1 <text>"),
    (r#""(?:[^"\\]|\\.)*""#, "<text>"),
    (r"'[^']*'", "<text>"),
    (r"\{[^{}]*\}", "<map>"),
    (r"\[[^\[\]]*\]", "<list>"),
    (r"-?\b(?:\d+(?:[.:]\d+)*(?:e[+-]?\d+)?|inf|NaN)\b", "<n>"),
    (r"(<n>(?: with confidence <n>)?)(?: or <n>(?: with confidence <n>)?)+", "$1"),
];

static COMPILED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let compile = |(pattern, by): &(&str, &'static str)| Some((Regex::new(pattern).ok()?, *by));
    RULES.iter().filter_map(compile).collect()
});

/// Parts of a list that may repeat, and what stands between them.
static LISTS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let lists = [(r"\(<n> \w+(?:, <n> \w+)+\)", ", "), (r"^panic in .+; .+$", "; ")];
    lists.into_iter().filter_map(|(list, gap)| Some((Regex::new(list).ok()?, gap))).collect()
});

/// `what` without what differs from run to run.
fn shape(what: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(what);
    for (pattern, by) in COMPILED.iter() {
        // Brackets stand within brackets: from the inside out, as long as there are some.
        while let Cow::Owned(next) = pattern.replace_all(&text, *by) {
            if next == text {
                break;
            }
            text = Cow::Owned(next);
        }
    }
    for (pattern, gap) in LISTS.iter() {
        if let Cow::Owned(next) = pattern.replace_all(&text, |list: &Captures<'_>| once(list, gap))
        {
            text = Cow::Owned(next);
        }
    }
    text
}

/// The parts of a list, each once, in order.
fn once(list: &Captures<'_>, gap: &str) -> String {
    let list = list.get(0).map_or("", |list| list.as_str());
    let opening = ["(", "panic in "].into_iter().find(|opening| list.starts_with(opening));
    let opening = opening.unwrap_or("");
    let closing = if opening == "(" { ")" } else { "" };
    let inner = &list[opening.len()..list.len() - closing.len()];
    let parts: BTreeSet<&str> = inner.split(gap).collect();
    format!("{opening}{}{closing}", parts.into_iter().collect::<Vec<_>>().join(gap))
}

#[cfg(test)]
mod tests;
