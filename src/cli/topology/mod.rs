//! `shakedown topology`: what an estate should have, and what it has and how that is related.

mod check;
mod desired;
mod graph;
mod import;
mod path;
mod source;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::{Exit, ReportFormat, complain, input, print, print_json};
use crate::config::toml_file::FileProblems;
use crate::config::topology::{TOPOLOGY_BYTES_MAX, schema_text};
use crate::domain::entity::EntityKind;
use crate::domain::words::counted_as;
use crate::hybrid::topology::Topology;

/// Arguments of `shakedown topology`.
#[derive(Debug, clap::Args)]
pub struct TopologyArgs {
    #[command(subcommand)]
    verb: TopologyVerb,
}

#[derive(Debug, Subcommand)]
enum TopologyVerb {
    /// Checks topology files and names every problem with its place and fix.
    Lint {
        /// The files, TOML or JSON; `-` is standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How the result is printed.
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
    },
    /// Prints the JSON Schema of topology files, for editors.
    Schema,
    /// Writes the topology that an estate has at this moment, as a file to begin with.
    Import(import::ImportArgs),
    /// Writes entities and relationships as a tree, a picture, or a file for other programs.
    Graph(graph::GraphArgs),
    /// Shows how one entity is related to another, over whatever lies between.
    Path(path::PathArgs),
    /// Finds relationships that cannot be: dangling, circular, doubled, between the wrong kinds.
    Check(check::CheckArgs),
}

impl TopologyArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            TopologyVerb::Lint { files, format: ReportFormat::Text } => lint(&files),
            TopologyVerb::Lint { files, format: ReportFormat::Json } => lint_json(&files),
            TopologyVerb::Schema => print(&schema_text()),
            TopologyVerb::Import(args) => args.run(),
            TopologyVerb::Graph(args) => args.run(),
            TopologyVerb::Path(args) => args.run(),
            TopologyVerb::Check(args) => args.run(),
        }
    }
}

/// Why a topology cannot be loaded.
enum Refusal {
    Input(input::InputError),
    Problems(FileProblems),
}

fn read(path: &Path) -> Result<(String, Topology), Refusal> {
    let (name, text) = input::long_text(path, TOPOLOGY_BYTES_MAX as u64).map_err(Refusal::Input)?;
    let topology = Topology::load(&name, &text).map_err(Refusal::Problems)?;
    Ok((name, topology))
}

/// Loads the topology in `path`; says what is wrong with it.
///
/// # Errors
/// The exit code, after a complaint.
pub fn load(path: &Path) -> Result<Topology, Exit> {
    read(path).map(|(_, topology)| topology).map_err(|refusal| refuse(&refusal))
}

fn refuse(refusal: &Refusal) -> Exit {
    complain(&match refusal {
        Refusal::Input(error) => error.to_string(),
        Refusal::Problems(problems) => {
            problems.render(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        }
    });
    Exit::InvalidFile
}

/// `2 clusters, 1 broker`; kinds that it has none of are left out.
fn contents(topology: &Topology) -> String {
    let count = |kind| topology.entities().filter(|entity| entity.key.kind() == kind).count();
    let kinds = EntityKind::ALL.into_iter().map(|kind| (kind, count(kind)));
    let words = kinds.filter(|(_, count)| *count > 0).map(|(kind, count)| {
        let (one, many) = match kind {
            EntityKind::Cluster => ("cluster", "clusters"),
            EntityKind::Broker => ("broker", "brokers"),
            EntityKind::Topic => ("topic", "topics"),
            EntityKind::Queue => ("queue", "queues"),
            EntityKind::ConsumerGroup => ("consumer group", "consumer groups"),
        };
        counted_as(count, one, many)
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn lint(files: &[PathBuf]) -> Exit {
    let mut exit = Exit::Ok;
    for file in files {
        exit = exit.or(match read(file) {
            Ok((name, topology)) => print(&format!("{name}: ok, {}\n", contents(&topology))),
            Err(refusal) => refuse(&refusal),
        });
    }
    exit
}

fn lint_json(files: &[PathBuf]) -> Exit {
    let mut exit = Exit::Ok;
    let mut results = Vec::new();
    for file in files {
        let (problems, entities) = match read(file) {
            Ok((_, topology)) => (Vec::new(), Some(topology.len())),
            Err(Refusal::Input(error)) => (vec![json!({ "message": error.to_string() })], None),
            Err(Refusal::Problems(problems)) => {
                (problems.problems().iter().map(super::scenario::problem_json).collect(), None)
            }
        };
        if !problems.is_empty() {
            exit = Exit::InvalidFile;
        }
        let (file, ok) = (file.display().to_string(), problems.is_empty());
        results.push(json!({ "file": file, "ok": ok, "entities": entities, "problems": problems }));
    }
    exit.or(print_json(&results))
}
