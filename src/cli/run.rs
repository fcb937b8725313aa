//! `shakedown run`: one simulated run, its verdict and its card.

use std::fs::File;
use std::io::BufWriter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Exit, card, complain, input, output, print, scenario};
use crate::sim::check::Failure;
use crate::sim::report;
use crate::sim::run::evidence::Evidence;
use crate::sim::run::passport::Passport;
use crate::sim::run::{self, Network, Options, RunReport};
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;
use crate::sim::trace::Sink;

/// Arguments of `shakedown run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Scenario file, `-` for standard input; without one the built-in scenario runs.
    scenario: Option<PathBuf>,
    #[command(flatten)]
    simulation: SimulationArgs,
    /// How the verdict is printed.
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    format: RunFormat,
    /// Folder for the card [default: target/shakedown, if it can be written].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Writes every event of the run to this trace file, for `shakedown trace`, `replay` and
    /// `diff`; `-` is text lines on standard output, in place of the verdict.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// How the verdict of a run is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For pull requests.
    Markdown,
    /// For CI systems.
    Junit,
    /// The card's pictures alone.
    Svg,
}

/// What every verb that simulates takes.
#[derive(Debug, Clone, Args)]
pub struct SimulationArgs {
    /// Seed of every random choice; without one the scenario's own.
    #[arg(long, value_parser = input::number::<u64>)]
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

impl NetworkArg {
    /// As the command line has it.
    pub fn name(self) -> &'static str {
        Network::from(self).name()
    }
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
        if let Some(exit) = self.out.as_deref().and_then(|out| output::require_folder(out).err()) {
            return exit;
        }
        let seed = self.simulation.seed(&scenario);
        let network = self.simulation.network.into();
        let passport = Passport::of(&name, &scenario, seed, network);
        let sink = match self.sink(&passport) {
            Ok(sink) => sink,
            Err(error) => {
                self.complain_of_trace(&error);
                return Exit::Failed;
            }
        };
        let options = Options { seed, network, sink };
        let run = guarded(|| run::run_with_evidence(&scenario, options));
        let (report, evidence) = match run {
            Ok(done) => done,
            Err(exit) => return exit,
        };
        let verdict = exit(&report);
        let printed = if self.traces_to_output() {
            Exit::Ok
        } else {
            self.print(&passport, &report, &evidence)
        };
        verdict.or(printed).or(self.traced(&report))
    }

    fn traces_to_output(&self) -> bool {
        self.trace.as_deref() == Some(Path::new("-"))
    }

    fn sink(&self, passport: &Passport) -> std::io::Result<Sink> {
        Ok(match self.trace.as_deref() {
            None => Sink::None,
            Some(_) if self.traces_to_output() => {
                Sink::Writer(Box::new(BufWriter::new(std::io::stdout())), None)
            }
            Some(path) => Sink::file(Box::new(BufWriter::new(File::create(path)?)), passport)?,
        })
    }

    /// Whether the trace reached its file.
    fn traced(&self, report: &RunReport) -> Exit {
        match report.trace_error.as_deref() {
            // A reader that closed its pipe has what it wanted.
            Some(error)
                if error.kind() == std::io::ErrorKind::BrokenPipe && self.traces_to_output() =>
            {
                Exit::Ok
            }
            Some(error) => {
                self.complain_of_trace(error);
                Exit::Failed
            }
            None => Exit::Ok,
        }
    }

    fn complain_of_trace(&self, error: &std::io::Error) {
        let file = self.trace.as_deref().unwrap_or(Path::new("-")).display();
        complain(&format!("cannot write the trace to {file}: {error}"));
    }

    fn print(&self, passport: &Passport, report: &RunReport, evidence: &Evidence) -> Exit {
        let name = &passport.origin;
        let html = report::card::html(passport, report, evidence);
        let card = card::keep(self.out.as_deref(), report, &html);
        let path = card.as_ref().ok().map(String::as_str);
        let printed = print(&match self.format {
            RunFormat::Text => report::text(name, report, path),
            RunFormat::Json => report::json(report),
            RunFormat::Markdown => report::markdown(name, report),
            RunFormat::Junit => report::junit(name, report),
            RunFormat::Svg => report::svg::svg(report, evidence),
        });
        printed.or(card.err().unwrap_or(Exit::Ok))
    }
}

/// What `work` gives; complains when the simulator itself breaks, as a sweep has told of it.
///
/// # Errors
/// The exit code.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Exit> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let Failure { fingerprint, check, class, example, .. } =
            Failure::of_panic(payload.as_ref());
        complain(&format!(
            "the run has no verdict, for the {check} itself broke: {example} ({fingerprint})\n\
             help: this is a defect of shakedown; `shakedown minimize` finds the smallest scenario \
             that shows it"
        ));
        Exit::of(class)
    })
}

/// The exit code of a run: the worst class among its broken checks.
pub fn exit(report: &RunReport) -> Exit {
    let broken = report.checks.iter().filter(|check| !check.passed());
    match broken.map(|check| check.class).min() {
        None => Exit::Ok,
        Some(class) => Exit::of(class),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulator_that_breaks_is_an_outcome() {
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(guarded(|| -> u8 { panic!("planted") }), Err(Exit::Safety));
    }
}
