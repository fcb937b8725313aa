//! `shakedown crash-sweep`: one host goes down after another of its own events, run by run.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Exit, ReportFormat, complain, input, print, print_json, scenario};
use crate::config::quantity::DurationText;
use crate::domain::words::counted;
use crate::sim::fault::broker::crash::CrashModeSpec;
use crate::sim::run::crash_sweep::{CrashSweep, SweepError, SweepReport, crash_sweep};
use crate::sim::scenario::PIPELINE_HOST;
use crate::sim::seed::Seed;

/// Broken points that a text report shows.
const SHOWN_MAX: usize = 10;

/// Arguments of `shakedown crash-sweep`.
#[derive(Debug, Args)]
pub struct CrashSweepArgs {
    /// Scenario file; without one the built-in scenario runs.
    scenario: Option<PathBuf>,
    /// Seed of every random choice; without one the scenario's own.
    #[arg(long, value_parser = input::number::<u64>)]
    seed: Option<u64>,
    /// The host that goes down.
    #[arg(long, default_value = PIPELINE_HOST)]
    host: String,
    /// A crash after every so many of its events: packets sent or received, changes of its disk.
    #[arg(long, value_name = "EVENTS", default_value_t = 100, value_parser = input::count)]
    every: u64,
    /// Only one crash, after this event.
    #[arg(long, value_name = "NUMBER", conflicts_with = "every", value_parser = input::count)]
    event: Option<u64>,
    /// How it goes down.
    #[arg(long, value_enum, default_value_t = ModeArg::Process)]
    mode: ModeArg,
    /// How long it stays down.
    #[arg(long, default_value = "5s")]
    down: DurationText,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// How a host goes down.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    /// The process dies, the operating system answers for it.
    Process,
    /// The machine is gone without a word, and its disk loses what was not synced.
    Power,
}

impl CrashSweepArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let (name, scenario) = match scenario::load(self.scenario.as_deref()) {
            Ok(loaded) => loaded,
            Err(exit) => return exit,
        };
        let sweep = CrashSweep {
            host: self.host.clone(),
            first: self.event.unwrap_or(1),
            every: self.every,
            points_max: if self.event.is_some() { 1 } else { u64::MAX },
            mode: match self.mode {
                ModeArg::Process => CrashModeSpec::Process,
                ModeArg::Power => CrashModeSpec::Power,
            },
            down: self.down.0,
        };
        let seed = Seed(self.seed.unwrap_or(scenario.seed));
        match crash_sweep(&scenario, seed, &sweep, |_, _| {}) {
            Ok(report) => exit(&report).or(self.print(&name, seed, &report)),
            Err(error) => {
                complain(&error.to_string());
                match error {
                    SweepError::Broken(_) => Exit::Failed,
                    _ => Exit::Usage,
                }
            }
        }
    }

    fn print(&self, name: &str, seed: Seed, report: &SweepReport) -> Exit {
        match self.format {
            ReportFormat::Json => print_json(report),
            ReportFormat::Text => print(&self.text(name, seed, report)),
        }
    }

    fn text(&self, name: &str, seed: Seed, report: &SweepReport) -> String {
        let SweepReport { host, events, until, points, crashes, broken } = report;
        let mut text = format!("{name}: {host} has {} until {until}\n", counted(*events, "event"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}, in {crashes} of which it went down", counted(*points, "run"));
        for point in broken.iter().take(SHOWN_MAX) {
            let at = point.crashed_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            let (event, check, what) = (point.event, point.check, &point.violation);
            let _ = writeln!(text, "  ✗ event {event} ({at}): {check}: {what}");
        }
        if broken.len() > SHOWN_MAX {
            let _ = writeln!(text, "  … and {} more", broken.len() - SHOWN_MAX);
        }
        if let Some(first) = broken.first() {
            let file = self.scenario.as_ref().map(|path| path.display().to_string());
            let file = file.unwrap_or_default();
            let event = first.event;
            let _ = writeln!(
                text,
                "again: shakedown crash-sweep {file} --seed {seed} --host {host} --event {event}"
            );
        } else if report.passed() {
            text.push_str("every promise was kept at every point\n");
        } else {
            text.push_str("it never went down: nothing is proven\n");
        }
        text
    }
}

/// The worst class among the broken checks.
fn exit(report: &SweepReport) -> Exit {
    match report.broken.iter().map(|point| point.class).min() {
        Some(class) => Exit::of(class),
        None if report.passed() => Exit::Ok,
        None => Exit::Failed,
    }
}
