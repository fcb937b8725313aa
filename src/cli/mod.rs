//! The command line, one file per verb.
//!
//! Invariants: reports go to standard output, everything else to standard error; the exit code
//! names the class of the outcome ([`Exit`]); secrets are never printed.

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::sim::check::Class;

mod account;
mod alerts;
mod card;
mod catalogue;
mod crash_sweep;
mod dashboards;
mod definitions;
mod diff;
mod estate;
mod faults;
mod features;
mod fleet;
mod gaps;
mod input;
mod instant;
mod interrupt;
mod json_lines;
mod meta;
mod minimize;
mod newrelic;
mod nrql;
mod output;
mod pipeline;
mod progress;
mod promote;
mod reference;
mod replay;
mod run;
mod scenario;
mod slo;
mod spool;
mod steps;
mod sweep;
mod topology;
mod trace;

/// How a process of ours ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok,
    /// Something failed that has no code of its own.
    Failed,
    /// The command line asks for something impossible.
    Usage,
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
    /// Somebody ended it before it could say.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Exit {
    /// The outcome when a check of `class` fails.
    const fn of(class: Class) -> Self {
        match class {
            Class::Safety => Self::Safety,
            Class::Liveness => Self::Liveness,
            Class::Oracle => Self::Oracle,
        }
    }

    /// The code that the process ends with.
    const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::InvalidFile => 3,
            Self::Unreachable => 4,
            Self::Safety => 10,
            Self::Liveness => 11,
            Self::Determinism => 12,
            Self::Oracle => 13,
            // As shells say it of SIGINT.
            Self::Interrupted => 130,
        }
    }

    /// This outcome, or `next` when nothing was wrong so far.
    #[must_use]
    fn or(self, next: Self) -> Self {
        if self == Self::Ok { next } else { self }
    }
}

/// How the verdict of a run is printed.
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

/// How other reports are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Finds what breaks in message-queue monitoring before its first real voyage.
#[derive(Debug, Parser)]
#[command(
    name = "shakedown",
    version,
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, \
    3 invalid file, 4 unreachable, 10 safety, 11 liveness, 12 determinism, 13 oracle, \
    130 interrupted."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Simulates fleet, pipeline and New Relic under faults, and judges the result.
    Run(run::RunArgs),
    /// Runs many seeds side by side in search of one that fails.
    Sweep(sweep::SweepArgs),
    /// Runs a run again, compares its digest, and prints what everybody did at an instant of it.
    Replay(replay::ReplayArgs),
    /// Shows where two runs part, and what followed on either side.
    Diff(diff::DiffArgs),
    /// Works with trace files.
    Trace(trace::TraceArgs),
    /// Makes the card of a run that has been: one page that tells how it went.
    Card(card::CardArgs),
    /// Proves that a seed gives the same trace bytes in two fresh processes.
    Meta(meta::MetaArgs),
    /// Runs a scenario once for every so many events of a host, which goes down after that event.
    CrashSweep(crash_sweep::CrashSweepArgs),
    /// Makes a failing run as small as it gets: fewer faults, a smaller fleet, less time.
    Minimize(minimize::MinimizeArgs),
    /// Makes a run a scenario file and a feature that stay.
    Promote(promote::PromoteArgs),
    /// Lists the checks that every run is held to.
    Checks(catalogue::ListArgs),
    /// Lists the faults that a scenario can name, or explains one.
    Faults(faults::FaultsArgs),
    /// Lists the situations that a scenario can ask a sweep to meet.
    Marks(catalogue::ListArgs),
    /// Looks feature files over, and runs them.
    Features(features::FeaturesArgs),
    /// Lists and searches the steps that feature files are written in.
    Steps(steps::StepsArgs),
    /// Works with scenario files.
    Scenario(scenario::ScenarioArgs),
    /// Runs the pipeline on real sockets.
    Pipeline(pipeline::PipelineArgs),
    /// Shows what waits on a pipeline's disk; replays and deletes what New Relic refused.
    Spool(spool::SpoolArgs),
    /// Works with a checkout of New Relic's entity-definitions repository, or a folder like it.
    Definitions(definitions::DefinitionsArgs),
    /// Makes alert conditions of the thresholds of clusters, brokers, topics, queues and groups.
    Alerts(alerts::AlertsArgs),
    /// Makes service levels of clusters, and counts their error budgets.
    Slo(slo::SloArgs),
    /// Makes New Relic dashboards, proves that every widget shows something, and applies them.
    Dashboards(dashboards::DashboardsArgs),
    /// Works with queries in New Relic's query language.
    Nrql(nrql::NrqlArgs),
    /// Compares an estate with the topology that it should have.
    Gaps(Box<gaps::GapsArgs>),
    /// Works with files that say what an estate should have.
    Topology(Box<topology::TopologyArgs>),
    /// Serves a simulated fleet on real ports.
    Fleet(FleetArgs),
    /// Serves a simulated New Relic on real ports.
    Newrelic(newrelic::NewRelicArgs),
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
        Verb::Sweep(args) => args.run().into(),
        Verb::Replay(args) => args.run().into(),
        Verb::Diff(args) => args.run().into(),
        Verb::Trace(args) => args.run().into(),
        Verb::Card(args) => args.run().into(),
        Verb::Meta(args) => args.run().into(),
        Verb::CrashSweep(args) => args.run().into(),
        Verb::Minimize(args) => args.run().into(),
        Verb::Promote(args) => args.run().into(),
        Verb::Checks(args) => catalogue::checks(&args).into(),
        Verb::Faults(args) => faults::faults(&args).into(),
        Verb::Marks(args) => catalogue::marks(&args).into(),
        Verb::Features(args) => args.run().into(),
        Verb::Steps(args) => args.run().into(),
        Verb::Scenario(args) => args.run().into(),
        Verb::Pipeline(args) => args.run(),
        Verb::Spool(args) => args.run().into(),
        Verb::Newrelic(args) => args.run().into(),
        Verb::Definitions(args) => args.run().into(),
        Verb::Alerts(args) => args.run().into(),
        Verb::Slo(args) => args.run().into(),
        Verb::Dashboards(args) => args.run().into(),
        Verb::Nrql(args) => args.run().into(),
        Verb::Gaps(args) => args.run().into(),
        Verb::Topology(args) => args.run().into(),
        Verb::Fleet(FleetArgs { verb: FleetVerb::Serve(args) }) => args.run().into(),
    }
}

/// Prints a report. A reader that closed its pipe has what it wanted; every other failure is told,
/// and is one of the process.
#[must_use]
fn print(text: &str) -> Exit {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            Exit::Failed
        }
        _ => Exit::Ok,
    }
}

/// Prints a value as JSON.
#[must_use]
fn print_json(value: &impl serde::Serialize) -> Exit {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&format!("{text}\n")),
        Err(error) => {
            complain(&format!("the report has no JSON form: {error}"));
            Exit::Failed
        }
    }
}

/// Prints a message for people.
fn complain(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().lock().write_all(format!("{}\n", text.trim_end()).as_bytes());
}
