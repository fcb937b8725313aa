//! What it takes to run a run again: written into traces, cards and summaries, read by every verb
//! that takes a run.
//!
//! Invariants:
//! - A passport of a newer schema is refused; one of another build is accepted with a warning,
//!   since the run may then take another course.
//! - The scenario of a passport that was read is possible by the rules of scenario files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Network, RunId, identity};
use crate::config::toml_file::FileProblems;
use crate::sim::scenario::{self, Scenario};
use crate::sim::seed::Seed;
use crate::sim::swarm;

/// Version of this form; raised when a reader of the old form would misread the new one.
pub const PASSPORT_SCHEMA: u32 = 1;

/// Which build made something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The crate's version.
    pub version: String,
    /// Ten base32 letters of the lock file's hash.
    pub lock: String,
    /// Hash of the sources, in hex; empty when a build wrote it that did not tell.
    #[serde(default)]
    pub source: String,
}

impl Build {
    /// This one.
    pub fn current() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lock: identity::lock_letters(),
            source: env!("SHAKEDOWN_SOURCE").to_owned(),
        }
    }

    /// Whether `self` and `other` give runs the same names: [`RunId`] says nothing of the sources.
    fn names_runs_like(&self, other: &Self) -> bool {
        (&self.version, &self.lock) == (&other.version, &other.lock)
    }
}

impl std::fmt::Display for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { version, lock, source } = self;
        match source.as_str() {
            "" => write!(f, "shakedown {version} (lock file {lock})"),
            _ => write!(f, "shakedown {version} (lock file {lock}, source {source})"),
        }
    }
}

/// One run, so that it can be run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passport {
    /// [`PASSPORT_SCHEMA`] of its writer.
    pub schema: u32,
    /// Who made it.
    pub build: Build,
    /// The run's name.
    pub id: RunId,
    /// Where the scenario came from, for people: a path, or `… (built in)`.
    pub origin: String,
    /// The scenario with everything decided.
    pub scenario: Scenario,
    /// The seed.
    pub seed: Seed,
    /// The network.
    pub network: Network,
}

/// Why something is no passport.
#[derive(Debug, thiserror::Error)]
pub enum PassportError {
    /// A newer program wrote it.
    #[error("its schema is {schema}, this build reads up to {PASSPORT_SCHEMA}")]
    Newer {
        /// Of its writer.
        schema: u32,
    },
    /// It does not have the form of one.
    #[error("it is none: {0}")]
    Form(#[from] serde_json::Error),
    /// The scenario in it is not possible.
    #[error("its scenario is not possible: {0}")]
    Scenario(FileProblems),
    /// Its scenario cannot be written as a file, or is another one when it is.
    #[error("its scenario has no form as a file: {0}")]
    NoFile(String),
    /// This build made it, but for another run.
    #[error("it was changed: the run in it is called {is}, not {said}")]
    Changed {
        /// What it says.
        said: RunId,
        /// What its scenario and seed say.
        is: RunId,
    },
}

impl Passport {
    /// The passport of the run of `scenario`, which came from `origin`, by this build.
    pub fn of(
        origin: impl Into<String>,
        scenario: &Scenario,
        seed: Seed,
        network: Network,
    ) -> Self {
        let scenario = swarm::draw(scenario, seed);
        Self {
            schema: PASSPORT_SCHEMA,
            build: Build::current(),
            id: RunId::of(&scenario, seed, network),
            origin: origin.into(),
            scenario,
            seed,
            network,
        }
    }

    /// The passport in `json`, whose length the caller has bounded.
    ///
    /// # Errors
    /// [`PassportError`]
    pub fn parse(json: &[u8]) -> Result<Self, PassportError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let Version { schema } = serde_json::from_slice(json)?;
        if schema > PASSPORT_SCHEMA {
            return Err(PassportError::Newer { schema });
        }
        let passport: Self = serde_json::from_slice(json)?;
        passport.examine()?;
        Ok(passport)
    }

    /// Holds it to the rules of scenario files, and to its own name.
    ///
    /// # Errors
    /// [`PassportError`], [`PassportError::Newer`] too.
    pub fn examine(&self) -> Result<(), PassportError> {
        if self.schema > PASSPORT_SCHEMA {
            return Err(PassportError::Newer { schema: self.schema });
        }
        let text = toml::to_string(&self.scenario);
        let text = text.map_err(|error| PassportError::NoFile(error.to_string()))?;
        let again = scenario::load("passport", &text).map_err(PassportError::Scenario)?;
        if again != self.scenario {
            return Err(PassportError::NoFile("it reads back as another one".to_owned()));
        }
        let is = RunId::of(&self.scenario, self.seed, self.network);
        if self.build.names_runs_like(&Build::current()) && is != self.id {
            return Err(PassportError::Changed { said: self.id.clone(), is });
        }
        Ok(())
    }

    /// Whether the run takes the same course when this build runs it.
    pub fn is_of_this_build(&self) -> bool {
        self.build == Build::current()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passport() -> Passport {
        let scenario = scenario::load(scenario::BUILT_IN_NAME, scenario::BUILT_IN).expect("loads");
        Passport::of(scenario::BUILT_IN_NAME, &scenario, Seed(7), Network::Kernel)
    }

    #[test]
    fn every_scenario_survives_its_passport() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let name = path.display().to_string();
            let text = std::fs::read_to_string(&path).expect("readable");
            let scenario = scenario::load(&name, &text).expect("loads");
            let passport = Passport::of(name, &scenario, Seed(3), Network::Kernel);
            let json = serde_json::to_vec(&passport).expect("JSON");
            let again = Passport::parse(&json).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            assert_eq!(again, passport);
            assert!(again.is_of_this_build());
            seen += 1;
        }
        assert!(seen > 20, "{seen}");
    }

    #[test]
    fn what_is_no_passport_is_refused() {
        let whole = serde_json::to_value(passport()).expect("JSON");
        let with = |pointer: &str, value: serde_json::Value| {
            let mut changed = whole.clone();
            *changed.pointer_mut(pointer).expect("a place") = value;
            changed
        };
        let cases = [
            (json!({}), "missing field `schema`"),
            (json!({"schema": 2, "new": true}), "its schema is 2, this build reads up to 1"),
            (json!({"schema": 1}), "missing field"),
            (with("/seed", json!(-1)), "it is none"),
            (with("/seed", json!(8)), "it was changed: the run in it is called"),
            (with("/scenario/kafka/orders/brokers", json!(4_000_000)), "is not possible"),
            (with("/scenario/fault/0/crash/host", json!("nobody")), "no host is called `nobody`"),
        ];
        for (value, expected) in cases {
            let error = Passport::parse(value.to_string().as_bytes()).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error} lacks {expected}");
        }
        let other = json!({"version": "9.9.9", "lock": "zzzzzzzzzz"});
        let other = Passport::parse(with("/build", other).to_string().as_bytes()).expect("reads");
        assert!(!other.is_of_this_build());
        assert_eq!(other.build.to_string(), "shakedown 9.9.9 (lock file zzzzzzzzzz)");
    }

    #[test]
    fn other_sources_are_another_build_with_the_same_names() {
        let this = passport();
        let source = &this.build.source;
        assert!(source.len() == 16 && source.chars().all(|c| c.is_ascii_hexdigit()), "{source}");
        let build = Build { source: "0123456789abcdef".to_owned(), ..this.build.clone() };
        let said = build.to_string();
        assert!(said.ends_with(", source 0123456789abcdef)"), "{said}");
        let other = Passport { build, ..this };
        let json = serde_json::to_vec(&other).expect("JSON");
        let read = Passport::parse(&json).expect("a warning is all that follows");
        assert!(!read.is_of_this_build());
        let changed = Passport { seed: Seed(8), ..other }.examine();
        assert!(matches!(changed, Err(PassportError::Changed { .. })), "{changed:?}");
    }
}
