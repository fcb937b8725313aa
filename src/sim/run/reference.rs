//! How a run is named after it has happened: by what was written of it.
//!
//! A trace file, a failure card, a sweep's summary (with the failure meant) and a scenario file
//! with a seed all hold a [`Passport`], or give one.

use std::convert::Infallible;
use std::io::Read;
use std::str::FromStr;

use super::Network;
use super::passport::{Passport, PassportError};
use crate::sim::check::Fingerprint;
use crate::sim::report::card::GENERATOR;
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;
use crate::sim::sweep::{FailureKind, Summary};
use crate::sim::trace::TraceDigest;
use crate::sim::trace::file::{FileError, Reader};

/// A run that happened, or that can.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// What it takes to run it again.
    pub passport: Passport,
    /// What named it.
    pub origin: Origin,
    /// The digest of its trace, when it is known.
    pub digest: Option<TraceDigest>,
    /// Which of its failures is meant, when what named it says so.
    pub failure: Option<Fingerprint>,
}

/// What named a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A trace file.
    Trace,
    /// A failure card.
    Card,
    /// A sweep's summary.
    Summary,
    /// A scenario file.
    Scenario,
}

/// The first letters of a fingerprint, or all ten, as people give them: case says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letters(String);

impl Letters {
    /// Whether `fingerprint` begins with them.
    pub fn begin(&self, fingerprint: &Fingerprint) -> bool {
        fingerprint.as_str().starts_with(&self.0)
    }
}

impl FromStr for Letters {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl From<&Fingerprint> for Letters {
    fn from(fingerprint: &Fingerprint) -> Self {
        Self(fingerprint.to_string())
    }
}

impl std::fmt::Display for Letters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which failure of a summary is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The one with this fingerprint, or the only one whose fingerprint begins so.
    Fingerprint(Letters),
    /// The one at this place, from 1.
    Number(usize),
    /// The only one there is.
    Only,
}

/// Why something names no run.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// It is no whole trace file.
    #[error(transparent)]
    Trace(#[from] FileError),
    /// Its passport is not one.
    #[error("its passport: {0}")]
    Passport(#[from] PassportError),
    /// It is a part of a card.
    #[error("it is a failure card that is cut off")]
    CutCard,
    /// It is a page without a passport.
    #[error("it is no failure card: {0}")]
    Card(&'static str),
    /// Nothing failed in this sweep.
    #[error("no run of this sweep failed")]
    NoFailures,
    /// The failure is that of drawing the scenario.
    #[error("the scenario of this failure could not be drawn, so there is no run of it")]
    NotDrawn,
    /// Which failure is meant is not clear.
    #[error("{what}; the failures are\n{known}")]
    Choice {
        /// What is not clear.
        what: String,
        /// All of them, one line each.
        known: String,
    },
}

impl Reference {
    /// The run of a scenario file.
    pub fn of_scenario(origin: &str, scenario: &Scenario, seed: Seed, network: Network) -> Self {
        let passport = Passport::of(origin, scenario, seed, network);
        Self { passport, origin: Origin::Scenario, digest: None, failure: None }
    }

    /// The run of the trace file `from`, which is read to its end; and what is wrong after its
    /// passport, which is enough to run it again.
    ///
    /// # Errors
    /// [`ReferenceError::Trace`]
    pub fn of_trace(from: impl Read) -> Result<(Self, Option<FileError>), ReferenceError> {
        let mut reader = Reader::open(from)?;
        let wrong = loop {
            match reader.next_line() {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error @ FileError::Read { .. }) => return Err(error.into()),
                Err(error) => break Some(error),
            }
        };
        let (passport, digest) = (reader.passport().clone(), reader.digest());
        Ok((Self { passport, origin: Origin::Trace, digest, failure: None }, wrong))
    }

    /// The first run of a failure of `summary`.
    ///
    /// # Errors
    /// [`ReferenceError::NoFailures`], [`ReferenceError::Choice`], [`ReferenceError::Passport`]
    pub fn of_summary(summary: &Summary, choice: &Choice) -> Result<Self, ReferenceError> {
        let failures = &summary.failures;
        if failures.is_empty() {
            return Err(ReferenceError::NoFailures);
        }
        let found: Vec<&FailureKind> = match choice {
            Choice::Fingerprint(letters) => {
                failures.iter().filter(|kind| letters.begin(&kind.fingerprint)).collect()
            }
            Choice::Number(number) => {
                number.checked_sub(1).and_then(|at| failures.get(at)).into_iter().collect()
            }
            Choice::Only => failures.iter().collect(),
        };
        let [kind] = found.as_slice() else {
            let what = match (choice, found.len()) {
                (Choice::Fingerprint(text), 0) => format!("no fingerprint begins with `{text}`"),
                (Choice::Fingerprint(text), _) => format!("several begin with `{text}`"),
                (Choice::Number(number), _) => format!("there is no failure {number}"),
                (Choice::Only, count) => format!("{count} failures are in this summary"),
            };
            return Err(ReferenceError::Choice { what, known: known(failures) });
        };
        let passport = kind.passport.clone().ok_or(ReferenceError::NotDrawn)?;
        passport.examine()?;
        let failure = Some(kind.fingerprint.clone());
        Ok(Self { passport, origin: Origin::Summary, digest: kind.trace, failure })
    }

    /// The run of the failure card `html`.
    ///
    /// # Errors
    /// [`ReferenceError::Card`], [`ReferenceError::CutCard`], [`ReferenceError::Passport`]
    pub fn of_card(html: &str) -> Result<Self, ReferenceError> {
        /// What of the verdict a replay is compared with.
        #[derive(serde::Deserialize)]
        struct Verdict {
            trace: TraceDigest,
        }
        if html.contains(GENERATOR) && !html.contains("</html>") {
            return Err(ReferenceError::CutCard);
        }
        let passport = block(html, r#"id="passport""#);
        let passport = passport.ok_or(ReferenceError::Card("it holds no whole passport"))?;
        let passport = Passport::parse(passport.as_bytes())?;
        let verdict = block(html, r#"id="verdict""#);
        let verdict = verdict.ok_or(ReferenceError::Card("it holds no whole verdict"))?;
        let Ok(Verdict { trace }) = serde_json::from_str(verdict) else {
            return Err(ReferenceError::Card("its verdict has no digest of the trace"));
        };
        Ok(Self { passport, origin: Origin::Card, digest: Some(trace), failure: None })
    }
}

/// The JSON in the script of `html` that has the attribute `mark`.
fn block<'a>(html: &'a str, mark: &str) -> Option<&'a str> {
    let (_, after) = html.split_once(mark)?;
    let (_, body) = after.split_once('>')?;
    body.split_once("</script>").map(|(json, _)| json)
}

/// Failures of a summary, one line each.
fn known(failures: &[FailureKind]) -> String {
    let line = |(number, kind): (usize, &FailureKind)| {
        format!("  {number:>3}  {}  {}: {}", kind.fingerprint, kind.check, kind.words)
    };
    (1..).zip(failures).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::{Class, Fingerprint};
    use crate::sim::scenario;
    use crate::sim::sweep::{End, Plan, SeedRange, Shard, Tally};
    use crate::sim::time::SimTime;
    use crate::sim::trace::file::Writer;

    fn passport(seed: u64) -> Passport {
        let scenario = scenario::load(scenario::BUILT_IN_NAME, scenario::BUILT_IN).expect("loads");
        Passport::of(scenario::BUILT_IN_NAME, &scenario, Seed(seed), Network::Kernel)
    }

    fn summary(failures: Vec<FailureKind>) -> Summary {
        let plan = Plan {
            scenarios: Vec::new(),
            seeds: SeedRange { first: 1, count: Some(9) },
            shard: Shard { index: 1, count: 1 },
            network: Network::Kernel,
            until_fail: false,
        };
        Summary { failures, ..Summary::of(&plan, &Tally::default(), End::Complete) }
    }

    fn failure(what: &str, passport: Option<Passport>) -> FailureKind {
        FailureKind {
            fingerprint: Fingerprint::of("loss", what),
            check: "loss".to_owned(),
            class: Class::Safety,
            words: what.to_owned(),
            count: 1,
            runs: Vec::new(),
            digest: String::new(),
            passport,
            trace: Some(TraceDigest { hash: 7, events: 2, bytes: 9 }),
        }
    }

    #[test]
    fn a_cut_trace_names_its_run_by_its_passport() {
        let mut writer = Writer::new(Vec::new(), &passport(5)).expect("memory");
        let lines = 3_000_u64;
        for line in 0..lines {
            writer.event(SimTime(line), None, b"net recv").expect("memory");
        }
        let digest = TraceDigest { hash: 0, events: lines, bytes: 0 };
        let start = Writer::new(Vec::new(), &passport(5)).expect("memory").into_inner().len();
        writer.finish(digest).expect("memory");
        let file = writer.into_inner();
        for cut in [start, start + 9, file.len() - 1] {
            let (found, wrong) = Reference::of_trace(&file[..cut]).expect("a passport");
            assert_eq!((found.passport, found.digest), (passport(5), None), "{cut}");
            assert!(matches!(wrong, Some(FileError::Truncated { .. })), "{cut}: {wrong:?}");
        }
        assert!(Reference::of_trace(&file[..start - 1]).is_err());
        // Whole, but the digest at its end is that of other lines.
        let (_, wrong) = Reference::of_trace(file.as_slice()).expect("a passport");
        assert!(matches!(wrong, Some(FileError::Damaged { .. })), "{wrong:?}");
    }

    #[test]
    fn a_summary_names_a_run_when_the_failure_is_clear() {
        let (one, two) = (failure("a", Some(passport(3))), failure("b", Some(passport(4))));
        let letters = two.fingerprint.as_str().to_owned();
        let both = summary(vec![one.clone(), two]);
        let by = |text: &str| Choice::Fingerprint(text.parse().expect("letters"));
        let seed = |choice: Choice| {
            let reference = Reference::of_summary(&both, &choice);
            reference.map(|found| found.passport.seed.0).map_err(|error| error.to_string())
        };
        assert_eq!(seed(Choice::Number(1)), Ok(3));
        assert_eq!(seed(by(&letters)), Ok(4));
        assert_eq!(seed(by(&letters[..9])), Ok(4));
        assert_eq!(seed(by(&letters[..9].to_ascii_uppercase())), Ok(4));
        let wrong = [
            (Choice::Only, "2 failures are in this summary"),
            (Choice::Number(0), "there is no failure 0"),
            (Choice::Number(3), "there is no failure 3"),
            (by("uuuu"), "no fingerprint begins with `uuuu`"),
            (by(""), "several begin with ``"),
        ];
        for (choice, expected) in wrong {
            let error = seed(choice).expect_err(expected);
            assert!(error.contains(expected) && error.contains(&letters), "{error}");
        }
        let only = Reference::of_summary(&summary(vec![one.clone()]), &Choice::Only);
        assert_eq!(only.expect("clear").digest, one.trace);
        let none = Reference::of_summary(&summary(Vec::new()), &Choice::Only);
        assert!(matches!(none, Err(ReferenceError::NoFailures)));
        let undrawn = summary(vec![failure("c", None)]);
        let undrawn = Reference::of_summary(&undrawn, &Choice::Only);
        assert!(matches!(undrawn, Err(ReferenceError::NotDrawn)));
        let newer = Passport { schema: 9, ..passport(3) };
        let newer = Reference::of_summary(&summary(vec![failure("d", Some(newer))]), &Choice::Only);
        let refused = matches!(&newer, Err(ReferenceError::Passport(PassportError::Newer { .. })));
        assert!(refused, "{newer:?}");
    }
}
