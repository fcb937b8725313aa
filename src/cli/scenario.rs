//! `shakedown scenario`: lint, schema, explain; and how every verb loads a scenario.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Exit, ReportFormat, complain, input, print, print_json};
use crate::config::toml_file::{FileProblem, FileProblems};
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
        /// The files; `-` is standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How the result is printed.
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
    },
    /// Prints the JSON Schema of scenario files, for editors.
    Schema,
    /// Prints a scenario with every default written out, and its faults in order.
    Explain {
        /// Scenario file, `-` for standard input; without one the built-in scenario.
        file: Option<PathBuf>,
    },
}

impl ScenarioArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            ScenarioVerb::Lint { files, format: ReportFormat::Text } => lint(&files),
            ScenarioVerb::Lint { files, format: ReportFormat::Json } => lint_json(&files),
            ScenarioVerb::Schema => print(&scenario::schema_text()),
            ScenarioVerb::Explain { file } => match load(file.as_deref()) {
                Ok((name, scenario)) => print(&explain(&name, &scenario)),
                Err(exit) => exit,
            },
        }
    }
}

/// Why a scenario cannot be loaded.
enum Refusal {
    Input(input::InputError),
    Problems(FileProblems),
}

fn read(path: Option<&Path>) -> Result<(String, Scenario), Refusal> {
    let (name, text) = match path {
        None => (scenario::BUILT_IN_NAME.to_owned(), scenario::BUILT_IN.to_owned()),
        Some(path) => input::scenario_text(path).map_err(Refusal::Input)?,
    };
    parse(name, &text)
}

fn parse(name: String, text: &str) -> Result<(String, Scenario), Refusal> {
    let scenario = scenario::load(&name, text).map_err(Refusal::Problems)?;
    Ok((name, scenario))
}

/// Loads the scenario in `path`, or the built-in one; says what is wrong with it.
pub fn load(path: Option<&Path>) -> Result<(String, Scenario), Exit> {
    read(path).map_err(refuse)
}

/// Loads the built-in scenario of sweeps, which leaves everything to the seed.
pub fn load_swarm() -> Result<(String, Scenario), Exit> {
    let name = scenario::BUILT_IN_SWARM_NAME.to_owned();
    parse(name, scenario::BUILT_IN_SWARM).map_err(refuse)
}

fn refuse(refusal: Refusal) -> Exit {
    complain(&match refusal {
        Refusal::Input(error) => error.to_string(),
        Refusal::Problems(problems) => {
            problems.render(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        }
    });
    Exit::InvalidFile
}

fn lint(files: &[PathBuf]) -> Exit {
    let mut exit = Exit::Ok;
    for file in files {
        exit = exit.or(match load(Some(file)) {
            Ok((name, _)) => print(&format!("{name}: ok\n")),
            Err(failure) => failure,
        });
    }
    exit
}

fn lint_json(files: &[PathBuf]) -> Exit {
    let mut exit = Exit::Ok;
    let mut results = Vec::new();
    for file in files {
        let problems = match read(Some(file)) {
            Ok(_) => Vec::new(),
            Err(Refusal::Input(error)) => vec![json!({ "message": error.to_string() })],
            Err(Refusal::Problems(problems)) => {
                problems.problems().iter().map(problem_json).collect()
            }
        };
        if !problems.is_empty() {
            exit = Exit::InvalidFile;
        }
        let file = file.display().to_string();
        results.push(json!({ "file": file, "ok": problems.is_empty(), "problems": problems }));
    }
    exit.or(print_json(&results))
}

/// A problem of a file, for programs.
pub(super) fn problem_json(problem: &FileProblem) -> serde_json::Value {
    let (line, column) = problem.line_and_column();
    json!({
        "code": problem.code(),
        "line": line,
        "column": column,
        "message": problem.to_string(),
        "help": problem.help(),
    })
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
