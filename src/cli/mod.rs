//! The command line, one file per verb.
//!
//! Invariants: reports go to standard output, everything else to standard error; the exit code
//! names the class of the outcome ([`Exit`]); secrets are never printed.

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

mod fleet;
mod meta;
mod pipeline;
mod run;
mod scenario;

/// How a process of ours ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok,
    /// Checks failed in a way that has no code of its own.
    Failed,
    /// An input file is not valid.
    InvalidFile,
    /// Something outside (broker, New Relic, a port) cannot be reached.
    Unreachable,
    /// A safety check failed.
    Safety,
    /// A liveness check failed.
    Liveness,
    /// Two runs of one seed differ.
    Determinism,
    /// Pipeline and oracle disagree.
    Oracle,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::InvalidFile => 3,
            Exit::Unreachable => 4,
            Exit::Safety => 10,
            Exit::Liveness => 11,
            Exit::Determinism => 12,
            Exit::Oracle => 13,
        })
    }
}

/// How reports are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For pull requests.
    Markdown,
    /// For CI systems.
    Junit,
}

/// Finds what breaks in message-queue monitoring before its first real voyage.
#[derive(Debug, Parser)]
#[command(
    name = "shakedown",
    version,
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, \
    3 invalid file, 4 unreachable, 10 safety, 11 liveness, 12 determinism, 13 oracle."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Simulates fleet, pipeline and New Relic under faults, and judges the result.
    Run(run::RunArgs),
    /// Proves that a seed gives the same trace bytes in two fresh processes.
    Meta(meta::MetaArgs),
    /// Works with scenario files.
    Scenario(scenario::ScenarioArgs),
    /// Runs the pipeline on real sockets.
    Pipeline(pipeline::PipelineArgs),
    /// Serves a simulated fleet on real ports.
    Fleet(FleetArgs),
}

/// Arguments of `shakedown fleet`.
#[derive(Debug, clap::Args)]
struct FleetArgs {
    #[command(subcommand)]
    verb: FleetVerb,
}

#[derive(Debug, Subcommand)]
enum FleetVerb {
    /// Serves a simulated Kafka cluster on this machine until interrupted.
    Serve(fleet::FleetServe),
}

/// Parses the process's arguments and carries them out.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.verb {
        Verb::Run(args) => args.run().into(),
        Verb::Meta(args) => args.run().into(),
        Verb::Scenario(args) => args.run().into(),
        Verb::Pipeline(args) => args.run(),
        Verb::Fleet(FleetArgs { verb: FleetVerb::Serve(args) }) => args.run().unwrap_or_else(|e| {
            complain(&format!("{e:?}"));
            Exit::Unreachable.into()
        }),
    }
}

/// Prints a report; a closed pipe on the other side is not an error of ours.
fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a message for people.
fn complain(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().lock().write_all(format!("{}\n", text.trim_end()).as_bytes());
}
