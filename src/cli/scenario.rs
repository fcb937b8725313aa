//! `shakedown scenario`: lint, schema, explain; and how every verb loads a scenario.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, complain, print};
use crate::sim::scenario::{self, Scenario};

/// Arguments of `shakedown scenario`.
#[derive(Debug, Args)]
pub struct ScenarioArgs {
    #[command(subcommand)]
    verb: ScenarioVerb,
}

#[derive(Debug, Subcommand)]
enum ScenarioVerb {
    /// Checks scenario files and names every problem with its place and fix.
    Lint {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Prints the JSON Schema of scenario files, for editors.
    Schema,
    /// Prints a scenario with every default written out, and its faults in order.
    Explain {
        /// Scenario file; without one the built-in scenario.
        file: Option<PathBuf>,
    },
}

impl ScenarioArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            ScenarioVerb::Lint { files } => lint(&files),
            ScenarioVerb::Schema => {
                print(&scenario::schema_text());
                Exit::Ok
            }
            ScenarioVerb::Explain { file } => match load(file.as_deref()) {
                Ok((name, scenario)) => {
                    print(&explain(&name, &scenario));
                    Exit::Ok
                }
                Err(exit) => exit,
            },
        }
    }
}

/// Loads the scenario in `path`, or the built-in one; says what is wrong with it.
pub fn load(path: Option<&Path>) -> Result<(String, Scenario), Exit> {
    let (name, text) = match path {
        None => (scenario::BUILT_IN_NAME.to_owned(), scenario::BUILT_IN.to_owned()),
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| {
                complain(&format!("cannot read {name}: {error}"));
                Exit::InvalidFile
            })?;
            (name, text)
        }
    };
    let scenario = scenario::load(&name, &text).map_err(|problems| {
        complain(&problems.render(std::io::IsTerminal::is_terminal(&std::io::stderr())));
        Exit::InvalidFile
    })?;
    Ok((name, scenario))
}

fn lint(files: &[PathBuf]) -> Exit {
    let mut exit = Exit::Ok;
    for file in files {
        match load(Some(file)) {
            Ok((name, _)) => print(&format!("{name}: ok\n")),
            Err(failure) => exit = failure,
        }
    }
    exit
}

fn explain(name: &str, scenario: &Scenario) -> String {
    let mut text = format!("# {name}\n");
    text.push_str(&toml::to_string_pretty(scenario).unwrap_or_else(|error| error.to_string()));
    text.push_str("\n# Faults in order\n");
    for fault in scenario.faults() {
        text.push_str(&format!("# {} to {}: {}\n", fault.from, fault.to, fault.label));
    }
    text.push_str(&format!("# all healed at {}, end at {}\n", scenario.heal(), scenario.end()));
    text
}
