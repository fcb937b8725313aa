//! How every verb takes a run: a trace file, a failure card, a sweep's summary, or a scenario file.
//!
//! Invariant: a file is told by its name's ending, and by its first bytes where that says nothing;
//! options that do not fit what it is are refused, not ignored.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::run::NetworkArg;
use super::{Exit, complain, input, scenario};
use crate::sim::run::passport::{Build, Passport, PassportError};
use crate::sim::run::reference::{Choice, Letters, Reference, ReferenceError};
use crate::sim::seed::Seed;
use crate::sim::sweep;
use crate::sim::trace::file::{FileError, MAGIC};

/// Largest card or summary.
const PAGE_BYTES_MAX: u64 = 256 << 20;

/// What says which run of a file is meant, where the file alone does not.
#[derive(Debug, Clone, Default, Args)]
pub struct WhichArgs {
    /// Seed, for a scenario file; without one the scenario's own.
    #[arg(long, value_parser = input::number::<u64>)]
    pub seed: Option<u64>,
    /// The simulated network, for a scenario file [default: kernel].
    #[arg(long, value_enum)]
    pub network: Option<NetworkArg>,
    /// The failure with this fingerprint (its first letters do), for a sweep's summary.
    #[arg(long, value_name = "LETTERS", conflicts_with = "failure")]
    pub fingerprint: Option<Letters>,
    /// The failure at this place, from 1, for a sweep's summary.
    #[arg(long, value_name = "NUMBER", value_parser = input::number::<usize>)]
    pub failure: Option<usize>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A trace file.
    Trace,
    /// A failure card.
    Card,
    /// A sweep's summary.
    Summary,
    /// A scenario file.
    Scenario,
}

impl Kind {
    /// What `path` is, by its ending or its first bytes.
    ///
    /// # Errors
    /// The exit code, after a complaint, when it cannot be read.
    pub fn of(path: &Path) -> Result<Self, Exit> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "trace" => return Ok(Self::Trace),
            "html" | "htm" => return Ok(Self::Card),
            "json" => return Ok(Self::Summary),
            "toml" => return Ok(Self::Scenario),
            _ => {}
        }
        if input::is_stdin(path) {
            return Ok(Self::Scenario);
        }
        let mut begun = Vec::new();
        let read = open(path)?.take(64).read_to_end(&mut begun);
        read.map_err(|source| refuse(&input::unreadable(path, source).to_string()))?;
        let first = begun.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        Ok(match first {
            _ if begun.starts_with(&MAGIC) => Self::Trace,
            Some(b'<') => Self::Card,
            Some(b'{') => Self::Summary,
            // What is no text can only be a trace that is damaged or foreign.
            _ if begun.iter().any(|byte| *byte == 0 || *byte >= 0xf8) => Self::Trace,
            _ => Self::Scenario,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Trace => "a trace file",
            Self::Card => "a failure card",
            Self::Summary => "a sweep's summary",
            Self::Scenario => "a scenario file",
        }
    }
}

impl WhichArgs {
    /// Refuses options that say nothing about any of `files`.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    pub fn require_fit(&self, files: &[(&Path, Kind)]) -> Result<(), Exit> {
        let (scenario, summary) = (Kind::Scenario, Kind::Summary);
        let given = [
            ("--seed", self.seed.is_some(), scenario),
            ("--network", self.network.is_some(), scenario),
            ("--fingerprint", self.fingerprint.is_some(), summary),
            ("--failure", self.failure.is_some(), summary),
        ];
        let fits_none = |fits: Kind| files.iter().all(|(_, kind)| *kind != fits);
        let wrong = given.into_iter().find(|(_, is_given, fits)| *is_given && fits_none(*fits));
        let Some((option, _, fits)) = wrong else { return Ok(()) };
        let is = |(path, kind): &(&Path, Kind)| format!("{} is {}", path.display(), kind.name());
        let are = files.iter().map(is).collect::<Vec<_>>().join(" and ");
        complain(&format!("{option} is for {}, and {are}\nhelp: leave {option} out", fits.name()));
        Err(Exit::Usage)
    }

    /// Only what says something about a file of `kind`.
    #[must_use]
    pub fn fitting(self, kind: Kind) -> Self {
        match kind {
            Kind::Scenario => Self { fingerprint: None, failure: None, ..self },
            Kind::Summary => Self { seed: None, network: None, ..self },
            Kind::Trace | Kind::Card => Self::default(),
        }
    }

    /// Whether anything was said.
    pub fn is_given(&self) -> bool {
        let choice = self.fingerprint.is_some() || self.failure.is_some();
        choice || self.seed.is_some() || self.network.is_some()
    }

    fn choice(&self) -> Choice {
        match (&self.fingerprint, self.failure) {
            (Some(letters), _) => Choice::Fingerprint(letters.clone()),
            (None, Some(number)) => Choice::Number(number),
            (None, None) => Choice::Only,
        }
    }

    /// The run that `path` names; complains about what is wrong, and warns of another build.
    ///
    /// # Errors
    /// The exit code.
    pub fn load(&self, path: &Path) -> Result<Reference, Exit> {
        let kind = Kind::of(path)?;
        self.require_fit(&[(path, kind)])?;
        let name = path.display().to_string();
        let reference = match kind {
            Kind::Scenario => {
                let (name, scenario) = scenario::load(Some(path))?;
                let seed = Seed(self.seed.unwrap_or(scenario.seed));
                let network = self.network.unwrap_or(NetworkArg::Kernel).into();
                return Ok(Reference::of_scenario(&name, &scenario, seed, network));
            }
            Kind::Trace => Reference::of_trace(BufReader::new(open(path)?)).map(|(run, wrong)| {
                warn_of_rest(&name, wrong.as_ref());
                run
            }),
            Kind::Card => Reference::of_card(&text(path)?),
            Kind::Summary => {
                let summary = sweep::read(&name, &text(path)?);
                let summary = summary.map_err(|error| refuse(&error.to_string()))?;
                Reference::of_summary(&summary, &self.choice())
            }
        };
        let reference = reference.map_err(|error| refuse_reference(&name, &error))?;
        warn_of_build(&name, &reference.passport);
        Ok(reference)
    }
}

/// The file at `path`.
///
/// # Errors
/// The exit code, after a complaint.
pub fn open(path: &Path) -> Result<File, Exit> {
    File::open(path).map_err(|source| refuse(&input::unreadable(path, source).to_string()))
}

fn text(path: &Path) -> Result<String, Exit> {
    input::own_text(path, PAGE_BYTES_MAX).map_err(|error| refuse(&error.to_string()))
}

fn refuse(message: &str) -> Exit {
    complain(message);
    Exit::InvalidFile
}

fn refuse_reference(name: &str, error: &ReferenceError) -> Exit {
    let (help, exit) = match error {
        ReferenceError::Trace(error) => return refuse_trace(name, error),
        ReferenceError::Passport(PassportError::Newer { .. }) => {
            ("read it with the build that wrote it, or a newer one", Exit::InvalidFile)
        }
        ReferenceError::Passport(_) => {
            ("it was damaged or changed: copy it again, or make it anew", Exit::InvalidFile)
        }
        ReferenceError::CutCard => ("copy it again, or make it anew", Exit::InvalidFile),
        ReferenceError::Card(_) => {
            ("cards are the .html files that `shakedown run` writes", Exit::InvalidFile)
        }
        ReferenceError::NotDrawn => ("give the sweep's scenario file and the seed", Exit::Usage),
        ReferenceError::NoFailures => ("give a summary of a sweep that failed", Exit::Usage),
        ReferenceError::Choice { .. } => {
            ("name one with --fingerprint LETTERS or --failure NUMBER", Exit::Usage)
        }
    };
    complain(&format!("{name}: {error}\nhelp: {help}"));
    exit
}

/// Says why a trace file is not read.
pub fn refuse_trace(name: &str, error: &FileError) -> Exit {
    let help = error.help();
    refuse(&format!("{name}: {error}\nhelp: {help}"))
}

/// Says that only the passport of a trace is of use.
fn warn_of_rest(name: &str, wrong: Option<&FileError>) {
    if let Some(error) = wrong {
        complain(&format!(
            "warning: {name}: {error}\nhelp: its passport is whole, so the run can be taken from \
             it; there is nothing to compare it with"
        ));
    }
}

/// Says that another build made `passport`.
pub fn warn_of_build(name: &str, passport: &Passport) {
    if !passport.is_of_this_build() {
        let (made_by, this) = (&passport.build, Build::current());
        complain(&format!(
            "warning: {name} was made by {made_by}, this is {this}: \
             the run may take another course"
        ));
    }
}

/// A file that names a run, for `--help`.
#[derive(Debug, Clone, Args)]
pub struct RunArg {
    /// The run: a trace file, a failure card, a sweep's summary, or a scenario file.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_input_is_a_scenario() {
        assert_eq!(Kind::of(Path::new("-")), Ok(Kind::Scenario));
    }
}
