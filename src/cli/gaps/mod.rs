//! `shakedown gaps`: how an estate differs from its topology.
//!
//! Invariant: the report says where the estate was looked at and when; a source that cannot be
//! asked ends the verb before there is a report.

mod report;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::estate::{NewRelicArgs, SourceArgs, Wanted};
use super::topology::load;
use super::{Exit, complain, input, print, print_json};
use crate::config::quantity::DurationText;
use crate::hybrid::gap::{Detector, Tolerance, Watching};
use report::Context;

/// How the report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum GapFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For pull requests and tickets.
    Markdown,
}

/// Compares an estate with the topology that it should have: what is missing, partial, silent, or
/// not configured as desired, how much is covered, and what to do about it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 reported, 1 coverage is below --fail-under, 2 usage, 3 a file is \
    not valid,\n4 the source cannot be asked.\n\
    Example: shakedown gaps --topology estate.toml --kafka orders=localhost:9092 --fail-under 95"
)]
pub struct GapsArgs {
    /// Topology file, TOML or JSON; docs/GAPS.md describes it.
    #[arg(long, short, value_name = "FILE")]
    topology: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    newrelic: NewRelicArgs,
    /// Silence up to this long is no gap.
    #[arg(long, value_name = "DURATION", default_value = "300s")]
    tolerance: DurationText,
    /// Exit with 1 when overall coverage is below this, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_under: Option<f64>,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: GapFormat,
    /// Entities and recommendations shown of each sort, in text and Markdown.
    #[arg(long, value_name = "N", default_value = "20", value_parser = input::count)]
    show: u64,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim().parse::<f64>().ok();
    number
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or_else(|| "write a number from 0 to 100".to_owned())
}

impl GapsArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let topology = match load(&self.topology) {
            Ok(topology) => topology,
            Err(exit) => return exit,
        };
        if topology.is_empty() {
            let name = self.topology.display();
            complain(&format!(
                "{name} asks for nothing\nhelp: `shakedown topology import` begins one"
            ));
            return Exit::InvalidFile;
        }
        let account = match self.newrelic.account() {
            Ok(account) => account,
            Err(exit) => return exit,
        };
        let estate = match self.source.read(&self.newrelic, Wanted::Entities) {
            Ok(estate) => estate,
            Err(error) => return error.tell(),
        };
        let tolerance = Tolerance { silence: self.tolerance.0, watching: Watching::Always };
        let detector = Detector::new(topology, tolerance);
        let report = detector.examine(&estate.observed, estate.now);
        let context = Context {
            topology: file_name(&self.topology),
            estate: &estate,
            account,
            fail_under: self.fail_under,
            show: usize::try_from(self.show).unwrap_or(usize::MAX),
        };
        let printed = match self.format {
            GapFormat::Text => print(&report::text(&report, &context)),
            GapFormat::Markdown => print(&report::markdown(&report, &context)),
            GapFormat::Json => print_json(&report::json(&report, &context)),
        };
        let covered = report.coverage.overall().percent();
        let is_below = self.fail_under.is_some_and(|limit| covered < limit);
        (if is_below { Exit::Failed } else { Exit::Ok }).or(printed)
    }
}

fn file_name(path: &Path) -> String {
    if input::is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}
