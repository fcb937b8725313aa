//! Where cards go; `shakedown card`: the card of a run that has been.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::reference::{RunArg, WhichArgs};
use super::{Exit, complain, output, print, run};
use crate::sim::report;
use crate::sim::run::passport::Passport;
use crate::sim::run::{Options, RunReport, run_with_evidence};
use crate::sim::trace::Sink;

/// Where cards go unless somebody names a folder.
const FOLDER: &str = "target/shakedown";

/// Arguments of `shakedown card`.
#[derive(Debug, Args)]
#[command(after_help = "The run is simulated once more; exit code 12 if it takes another course \
    than the recorded one, otherwise that of the verdict.")]
pub struct CardArgs {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    which: WhichArgs,
    /// What is made.
    #[arg(long, value_enum, default_value_t)]
    format: CardFormat,
    /// Folder for the card [default: target/shakedown].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// What `shakedown card` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum CardFormat {
    /// A card; its path is printed.
    #[default]
    Html,
    /// Its pictures alone, on standard output.
    Svg,
}

impl CardArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let reference = match self.which.load(&self.run.run) {
            Ok(reference) => reference,
            Err(exit) => return exit,
        };
        // Who asks for a card and gets none was refused, whatever the folder.
        let folder = self.out.as_deref().unwrap_or(Path::new(FOLDER));
        if self.format == CardFormat::Html
            && let Err(exit) = output::require_folder(folder)
        {
            return exit;
        }
        let passport = &reference.passport;
        let (seed, network) = (passport.seed, passport.network);
        let options = Options { seed, network, sink: Sink::None };
        let run = run::guarded(|| run_with_evidence(&passport.scenario, options));
        let (report, evidence) = match run {
            Ok(done) => done,
            Err(exit) => return exit,
        };
        let made = match self.format {
            CardFormat::Svg => print(&report::svg::svg(&report, &evidence)),
            CardFormat::Html => {
                let html = report::card::html(passport, &report, &evidence);
                let kept = keep(Some(folder), &report, &html);
                kept.map_or_else(|exit| exit, |path| print(&format!("{path}\n")))
            }
        };
        made.or(course(passport, &reference.digest, &report)).or(run::exit(&report))
    }
}

/// Whether the run took the course that was recorded, as far as that is known.
fn course(
    passport: &Passport,
    recorded: &Option<crate::sim::trace::TraceDigest>,
    report: &RunReport,
) -> Exit {
    match recorded {
        Some(recorded) if *recorded != report.trace => {
            complain(&format!(
                "the run {} took another course than the recorded one\nrecorded {recorded}\n\
                 now      {}",
                passport.id, report.trace
            ));
            Exit::Determinism
        }
        _ => Exit::Ok,
    }
}

/// Writes the card `html` of a run to `folder`; where to. Failure counts when somebody named the
/// folder.
pub fn keep(folder: Option<&Path>, report: &RunReport, html: &str) -> Result<String, Exit> {
    let named = folder.is_some();
    let folder = folder.unwrap_or(Path::new(FOLDER));
    let path = folder.join(format!("{}.html", report.id));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, html));
    written.map(|()| path.display().to_string()).map_err(|error| {
        complain(&format!("cannot write the card {}: {error}", path.display()));
        if named { Exit::Failed } else { Exit::Ok }
    })
}
