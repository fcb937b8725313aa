//! Which promise broke first.
//!
//! Invariant: the earliest instant decides. Checks are listed by what they promise, and a check
//! finds its violations in an order of its own, so neither order says what came first; among equal
//! instants the first in these orders counts. Of very many violations a check keeps some only, so
//! the instant is the earliest that is known.

use super::RunReport;
use crate::sim::check::{CheckResult, Violation};
use crate::sim::time::SimTime;

/// The first broken promise.
#[derive(Debug, Clone, Copy)]
pub struct FirstBroken<'a> {
    /// The check that found it.
    pub check: &'a CheckResult,
    /// What broke it; nothing when the check had nothing to examine.
    pub violation: Option<&'a Violation>,
    /// When: the end of the run where no instant is known.
    pub at: SimTime,
}

impl FirstBroken<'_> {
    /// What is wrong, and when, in words.
    pub fn words(&self) -> String {
        let violation = self.violation.map(ToString::to_string);
        violation.or_else(|| self.check.first_violation()).unwrap_or_default()
    }
}

/// The first broken promise among `checks` of a run that lasted until `end`, if one broke.
pub(super) fn first_broken(checks: &[CheckResult], end: SimTime) -> Option<FirstBroken<'_>> {
    let broken = checks.iter().filter(|check| !check.passed());
    let earliest = broken.map(|check| {
        let at = |violation: &Violation| violation.at.unwrap_or(end);
        let violation = check.finding.violations.iter().min_by_key(|violation| at(violation));
        FirstBroken { check, violation, at: violation.map_or(end, at) }
    });
    earliest.min_by_key(|first| first.at)
}

impl RunReport {
    /// The first broken promise, if one broke.
    pub fn first_broken(&self) -> Option<FirstBroken<'_>> {
        first_broken(&self.checks, self.timeline.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::{CATALOGUE, Check, Finding};

    const END: u64 = 100;

    /// Results with violations at these seconds; `None` is a violation at no known instant.
    fn results(of_checks: &[&[Option<u64>]]) -> Vec<CheckResult> {
        let result = |(index, seconds): (usize, &&[Option<u64>])| {
            let Check { name, promise, class, .. } = CATALOGUE[index];
            let mut finding = Finding::new();
            finding.examine();
            for at in *seconds {
                finding.violate(at.map(SimTime::from_secs), format!("{at:?}"));
            }
            CheckResult { name, promise, class, finding }
        };
        of_checks.iter().enumerate().map(result).collect()
    }

    #[test]
    fn the_earliest_instant_is_the_first() {
        type Case<'a> = (&'a [&'a [Option<u64>]], Option<(usize, u64)>);
        let cases: [Case<'_>; 6] = [
            (&[&[], &[]], None),
            (&[&[], &[Some(7)]], Some((1, 7))),
            // Neither the first check of the list nor the first violation of its check.
            (&[&[Some(50)], &[Some(60), Some(20), Some(30)]], Some((1, 20))),
            (&[&[None], &[Some(60)]], Some((1, 60))),
            (&[&[], &[None]], Some((1, END))),
            (&[&[Some(20)], &[Some(20)]], Some((0, 20))),
        ];
        for (of_checks, expected) in cases {
            let results = results(of_checks);
            let found = first_broken(&results, SimTime::from_secs(END));
            let told = found.map(|first| (first.check.name, first.at));
            let named = |(check, at): (usize, u64)| (CATALOGUE[check].name, SimTime::from_secs(at));
            let expected = expected.map(named);
            assert_eq!(told, expected, "{of_checks:?}");
        }
    }
}
