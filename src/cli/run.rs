//! `shakedown run`: one simulated run, its verdict and its picture.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Exit, Format, complain, print, scenario};
use crate::sim::check::Class;
use crate::sim::report;
use crate::sim::run::{self, Network, Options, RunReport};
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;
use crate::sim::trace::Sink;

/// Arguments of `shakedown run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Scenario file; without one the built-in scenario runs.
    scenario: Option<PathBuf>,
    #[command(flatten)]
    simulation: SimulationArgs,
    /// How the verdict is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Folder for the picture.
    #[arg(long, default_value = "target/shakedown")]
    out: PathBuf,
    /// Writes every event of the run to this file; `-` is standard output, in place of the verdict.
    #[arg(long)]
    trace: Option<PathBuf>,
}

/// What every verb that simulates takes.
#[derive(Debug, Clone, Args)]
pub struct SimulationArgs {
    /// Seed of every random choice; without one the scenario's own.
    #[arg(long)]
    pub seed: Option<u64>,
    /// The simulated network.
    #[arg(long, value_enum, default_value_t = NetworkArg::Kernel)]
    pub network: NetworkArg,
}

/// The networks by the names that the command line uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NetworkArg {
    /// The event-driven kernel: exact times, idle time free.
    Kernel,
    /// turmoil, at ticks of 10 ms: slower, a second opinion.
    Turmoil,
}

impl From<NetworkArg> for Network {
    fn from(network: NetworkArg) -> Self {
        match network {
            NetworkArg::Kernel => Self::Kernel,
            NetworkArg::Turmoil => Self::Turmoil,
        }
    }
}

impl SimulationArgs {
    /// The seed for `scenario`.
    pub fn seed(&self, scenario: &Scenario) -> Seed {
        Seed(self.seed.unwrap_or(scenario.seed))
    }
}

impl RunArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let (name, scenario) = match scenario::load(self.scenario.as_deref()) {
            Ok(loaded) => loaded,
            Err(exit) => return exit,
        };
        let sink = match self.sink() {
            Ok(sink) => sink,
            Err(error) => {
                complain(&format!("cannot write the trace: {error}"));
                return Exit::Failed;
            }
        };
        let seed = self.simulation.seed(&scenario);
        let network = self.simulation.network.into();
        let report = run::run(&scenario, Options { seed, network, sink });
        if self.trace.as_deref() != Some(Path::new("-")) {
            self.print(&name, &report);
        }
        exit(&report)
    }

    fn sink(&self) -> std::io::Result<Sink> {
        Ok(match self.trace.as_deref() {
            None => Sink::None,
            Some(path) if path == Path::new("-") => {
                Sink::Writer(Box::new(BufWriter::new(std::io::stdout())), None)
            }
            Some(path) => Sink::Writer(Box::new(BufWriter::new(File::create(path)?)), None),
        })
    }

    fn print(&self, name: &str, report: &RunReport) {
        let picture = self.picture(report);
        print(&match self.format {
            Format::Text => report::text(name, report, picture.as_deref()),
            Format::Json => report::json(report),
            Format::Markdown => report::markdown(name, report),
            Format::Junit => report::junit(name, report),
        });
    }

    /// Writes the picture and says where; a folder that cannot be written is not fatal.
    fn picture(&self, report: &RunReport) -> Option<String> {
        let path = self.out.join(format!("{}.svg", report.id));
        let written = std::fs::create_dir_all(&self.out)
            .and_then(|()| std::fs::write(&path, report::timeline::svg(&report.timeline)));
        match written {
            Ok(()) => Some(path.display().to_string()),
            Err(error) => {
                complain(&format!("cannot write the picture {}: {error}", path.display()));
                None
            }
        }
    }
}

/// The exit code of a run: the worst class among its broken checks.
fn exit(report: &RunReport) -> Exit {
    let broken = report.checks.iter().filter(|check| !check.passed());
    match broken.map(|check| check.class).min() {
        None => Exit::Ok,
        Some(Class::Safety) => Exit::Safety,
        Some(Class::Liveness) => Exit::Liveness,
        Some(Class::Oracle) => Exit::Oracle,
    }
}
