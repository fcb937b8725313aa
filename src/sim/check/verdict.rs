//! What a check says, and what all checks together say.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::Xxh3;

use crate::sim::time::SimTime;

/// What kind of promise a check guards; decides the exit code of a failing run.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Something that must never happen did.
    Safety,
    /// Something that must happen after healing did not.
    Liveness,
    /// The pipeline and the oracle disagree.
    Oracle,
}

/// One broken instance of a check's promise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// When it became visible, where that is known.
    pub at: Option<SimTime>,
    /// What is wrong, in words: object, expected, found.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(at) = self.at {
            write!(f, "at {at}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// How far a check was from failing.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Margin {
    /// Worst value met.
    pub worst: f64,
    /// The limit.
    pub limit: f64,
    /// Unit of both.
    pub unit: &'static str,
}

impl std::fmt::Display for Margin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "worst {} of {} {}", short(self.worst), short(self.limit), self.unit)
    }
}

fn short(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.01 {
        format!("{value:.1e}")
    } else {
        format!("{}", (value * 100.0).round() / 100.0)
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Finding {
    /// Objects looked at; a check that looked at none has failed.
    pub examined: u64,
    /// Broken instances, in order of discovery; only the first hundred are kept, and later ones
    /// that are of another kind.
    pub violations: Vec<Violation>,
    /// All broken instances, kept or not.
    pub violation_count: u64,
    /// Distance to the limit.
    pub margin: Option<Margin>,
    /// Why success was impossible under this plan: the check is then not held against the run.
    pub excused: Option<String>,
    /// Hashes of the kinds of violations met so far.
    #[serde(skip)]
    kinds: BTreeSet<u64>,
}

/// Broken instances that are kept whatever they are.
const VIOLATIONS_KEPT: usize = 100;
/// Kinds of which, beyond that, the first instance is kept.
const KINDS_MAX: usize = 200;

/// A hash of the words of a violation that are neither numbers nor names of objects: quick, for a
/// broken run may have a hundred thousand of them.
fn kind(what: &str) -> u64 {
    const LONGEST_WORD: usize = 39;
    let mut hash = Xxh3::new();
    for word in what.split(' ') {
        let is_name = word.contains('/') || word.len() > LONGEST_WORD;
        if !is_name && !word.contains(|c: char| c.is_ascii_digit()) {
            hash.update(word.as_bytes());
            hash.update(b" ");
        }
    }
    hash.digest()
}

impl Finding {
    /// Nothing examined yet.
    pub fn new() -> Self {
        Self {
            examined: 0,
            violations: Vec::new(),
            violation_count: 0,
            margin: None,
            excused: None,
            kinds: BTreeSet::new(),
        }
    }

    /// Counts one object as examined.
    pub fn examine(&mut self) {
        self.examined += 1;
    }

    /// Records a broken instance.
    pub fn violate(&mut self, at: Option<SimTime>, what: impl Into<String>) {
        self.violation_count += 1;
        let what = what.into();
        let is_new = self.kinds.len() < KINDS_MAX && self.kinds.insert(kind(&what));
        if is_new || self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(Violation { at, what });
        }
    }

    /// Keeps the worst of `value` against `limit`.
    pub fn measure(&mut self, value: f64, limit: f64, unit: &'static str) {
        let worst = self.margin.as_ref().map_or(value, |margin| margin.worst.max(value));
        self.margin = Some(Margin { worst, limit, unit });
    }
}

impl Default for Finding {
    fn default() -> Self {
        Self::new()
    }
}

/// One line of the verdict.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CheckResult {
    /// The check's name.
    pub name: &'static str,
    /// What it promises, in one sentence.
    pub promise: &'static str,
    /// Its class.
    pub class: Class,
    /// What it found.
    pub finding: Finding,
}

impl CheckResult {
    /// Whether the promise was kept on at least one object.
    pub fn passed(&self) -> bool {
        self.finding.violation_count == 0
            && (self.finding.examined > 0 || self.finding.excused.is_some())
    }

    /// The first broken instance in words; vacuity is one.
    pub fn first_violation(&self) -> Option<String> {
        if self.passed() {
            return None;
        }
        let Some(first) = self.finding.violations.first() else {
            return Some("examined nothing, so it proves nothing".to_owned());
        };
        Some(first.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_examined_nothing_fails() {
        let result =
            |finding| CheckResult { name: "x", promise: "y", class: Class::Safety, finding };
        assert!(!result(Finding::new()).passed());
        let mut good = Finding::new();
        good.examine();
        assert!(result(good.clone()).passed());
        good.violate(None, "broken");
        assert_eq!(result(good).first_violation().as_deref(), Some("broken"));
        let excused = Finding { excused: Some("all brokers down".into()), ..Finding::new() };
        assert!(result(excused).passed());
    }
}
