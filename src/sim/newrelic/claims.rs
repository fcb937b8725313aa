//! How well founded each simulated behaviour is.
//!
//! *Conformant*: checked against public files or published live answers. *Documented*: New Relic's
//! documentation says so. *Assumed*: nobody says; chosen here.

use std::fmt::Write as _;

use serde::Serialize;

/// How well founded a behaviour is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimLevel {
    /// Checked against public files or published live answers.
    Conformant,
    /// The documentation says so.
    Documented,
    /// Chosen here.
    Assumed,
}

impl ClaimLevel {
    /// The word for reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conformant => "conformant",
            Self::Documented => "documented",
            Self::Assumed => "assumed",
        }
    }
}

/// One behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Part of the service.
    pub area: &'static str,
    /// What it does.
    pub behaviour: &'static str,
    /// How well founded that is.
    pub level: ClaimLevel,
    /// On what.
    pub source: &'static str,
}

/// One row.
pub(super) const fn claim(
    area: &'static str,
    behaviour: &'static str,
    level: ClaimLevel,
    source: &'static str,
) -> Claim {
    Claim { area, behaviour, level, source }
}

/// Every behaviour of the simulated New Relic, area by area.
pub const CLAIMS: &[&[Claim]] = &[
    super::ingest::claims::CLAIMS,
    super::definition_claims::CLAIMS,
    super::query_claims::CLAIMS,
    super::graphql::claims::CLAIMS,
    super::serve::CLAIMS,
];

/// Every behaviour of the simulated New Relic.
pub fn claims() -> impl Iterator<Item = &'static Claim> {
    CLAIMS.iter().copied().flatten()
}

/// The table as Markdown.
pub fn to_markdown() -> String {
    let mut table =
        String::from("| area | behaviour | level | source |\n| --- | --- | --- | --- |\n");
    for Claim { area, behaviour, level, source } in claims() {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {area} | {behaviour} | {} | {source} |", level.as_str());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_is_one_row_and_stands_once() {
        let table = to_markdown();
        assert_eq!(table.lines().count(), claims().count() + 2);
        assert!(table.lines().all(|line| line.matches(" | ").count() == 3), "{table}");
        for level in [ClaimLevel::Conformant, ClaimLevel::Documented, ClaimLevel::Assumed] {
            assert!(claims().any(|claim| claim.level == level));
        }
        let mut behaviours: Vec<_> = claims().map(|claim| claim.behaviour).collect();
        behaviours.sort_unstable();
        behaviours.dedup();
        assert_eq!(behaviours.len(), claims().count());
    }
}
