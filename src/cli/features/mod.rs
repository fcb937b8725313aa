//! `shakedown features`: feature files, looked over and run.
//!
//! Invariants:
//! - Nothing runs unless every file is right; all mistakes of all files are told at once.
//! - What is printed stands in the order of the files, whatever ran first.
//! - A filter that leaves nothing is an error: a suite that ran nothing has proven nothing.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Exit, ReportFormat, card, complain, input, output, print, print_json, run};
use crate::bdd::report::{self, Verdict, replay};
use crate::bdd::suite::{Catalogue, Outcome, SEED, Suite, Trial};
use crate::sim::run::passport::Passport;
use crate::sim::run::{Network, Options, run_with_evidence};
use crate::sim::seed::Seed;
use crate::sim::trace::Sink;
use selection::Selection;

mod crew;
mod selection;

/// Arguments of `shakedown features`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all passed, 1 a scenario failed, 2 usage or nothing to run, 3 a \
    file is not\nvalid.\n\
    Example: shakedown features features/gap_detection.feature:24 --seed 7\n\
    `shakedown steps` lists the steps."
)]
pub struct FeaturesArgs {
    /// Feature files, folders with some, or one scenario as FILE:LINE.
    #[arg(default_value = "features")]
    paths: Vec<String>,
    /// Scenarios with these tags alone: `@slow`, `not @slow`, `@a and (@b or @c)`.
    #[arg(long, value_name = "EXPRESSION")]
    tags: Option<String>,
    /// Scenarios whose whole name (feature, rule, scenario) has this in it alone.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Runs each scenario with this seed.
    #[arg(long, value_parser = input::number::<u64>, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Runs each scenario with seeds 1 to N; it passes if it does with all.
    #[arg(long, value_name = "N", value_parser = input::count)]
    seeds: Option<u64>,
    /// Scenarios that run side by side [default: one for each core].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Lists the scenarios, and runs none.
    #[arg(long, conflicts_with = "check")]
    list: bool,
    /// Looks the files over, and runs nothing.
    #[arg(long)]
    check: bool,
    /// How the verdict is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Writes a JUnit report to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Writes Cucumber messages (NDJSON) to this file, for tools of the Cucumber family.
    #[arg(long, value_name = "FILE")]
    messages: Option<PathBuf>,
    /// Writes living documentation to this file: one page with every feature and its verdict.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Folder for cards of failures [default: target/shakedown, if it can be written].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// A scenario in JSON.
#[derive(Serialize)]
struct ScenarioReport<'v> {
    name: String,
    place: String,
    tags: &'v [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    passed: Option<bool>,
    /// Seeds that it was run with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seeds: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureReport<'v>>,
}

/// The first failure of a scenario in JSON.
#[derive(Serialize)]
struct FailureReport<'v> {
    seed: u64,
    step: &'v str,
    line: usize,
    column: usize,
    why: &'v str,
    again: String,
    card: Option<&'v str>,
}

impl FeaturesArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.carry_out() {
            Ok(exit) | Err(exit) => exit,
        }
    }

    fn carry_out(&self) -> Result<Exit, Exit> {
        let selection = Selection::new(&self.paths, self.tags.as_deref(), self.name.as_deref())
            .map_err(usage)?;
        if let Some(out) = self.out.as_deref() {
            output::require_folder(out)?;
        }
        let suite = read(&selection)?;
        let trials: Vec<&Trial> =
            suite.trials.iter().filter(|trial| selection.takes(trial)).collect();
        if trials.is_empty() {
            let all = suite.trials.len();
            return Err(usage(format!(
                "no scenario is left to run, of {all}\nhelp: see `shakedown features --list`"
            )));
        }
        if self.check {
            return Ok(self.checked(&suite, trials.len()));
        }
        if self.list {
            return Ok(self.listed(&trials));
        }
        let seeds: Vec<Seed> = match (self.seed, self.seeds) {
            (Some(seed), _) => vec![Seed(seed)],
            (None, Some(count)) => (1..=count).map(Seed).collect(),
            (None, None) => vec![SEED],
        };
        let outcomes = crew::run(&trials, &seeds, self.jobs);
        let verdicts: Vec<Verdict<'_>> =
            trials.iter().zip(outcomes).map(|(trial, all)| self.verdict(trial, all)).collect();
        self.tell(&suite, &verdicts)
    }

    fn checked(&self, suite: &Suite, scenarios: usize) -> Exit {
        let files = suite.sources.len();
        match self.format {
            ReportFormat::Text => {
                print(&format!("{files} files, {scenarios} scenarios: all right\n"))
            }
            ReportFormat::Json => {
                print_json(&serde_json::json!({ "files": files, "scenarios": scenarios }))
            }
        }
    }

    fn listed(&self, trials: &[&Trial]) -> Exit {
        match self.format {
            ReportFormat::Json => {
                let all: Vec<_> = trials.iter().map(|trial| scenario(trial)).collect();
                print_json(&all)
            }
            ReportFormat::Text => {
                let line = |trial: &&Trial| format!("{}  {}\n", trial.place(), trial.name());
                print(&trials.iter().map(line).collect::<String>())
            }
        }
    }

    /// What came of a trial; of a failure that was simulated with its card.
    fn verdict<'s>(&self, trial: &'s Trial, outcomes: Vec<Outcome>) -> Verdict<'s> {
        let mut verdict = Verdict { trial, outcomes, card: None };
        let failed = verdict.failed();
        verdict.card = failed.and_then(|failed| card_of(self.out.as_deref(), trial, failed));
        verdict
    }

    /// Writes the files that were asked for.
    fn write(&self, suite: &Suite, verdicts: &[Verdict<'_>]) -> Result<(), Exit> {
        let junit = self.junit.as_ref().map(|path| (path, report::junit(verdicts)));
        let messages =
            self.messages.as_ref().map(|path| (path, report::messages(&suite.sources, verdicts)));
        let html = self.html.as_ref().map(|path| {
            let address = |card: &str| relative(Path::new(card), path);
            (path, report::living(&suite.sources, verdicts, &address))
        });
        for (path, text) in junit.into_iter().chain(messages).chain(html) {
            output::write(path, &text).map_err(|error| {
                complain(&format!("cannot write {}: {error}", path.display()));
                Exit::Failed
            })?;
        }
        Ok(())
    }

    fn tell(&self, suite: &Suite, verdicts: &[Verdict<'_>]) -> Result<Exit, Exit> {
        let all_passed = verdicts.iter().all(Verdict::passed);
        let verdict = if all_passed { Exit::Ok } else { Exit::Failed };
        self.write(suite, verdicts)?;
        let printed = match self.format {
            ReportFormat::Text => print(&report::summary(verdicts)),
            ReportFormat::Json => {
                let all: Vec<_> = verdicts.iter().map(told).collect();
                print_json(&all)
            }
        };
        Ok(verdict.or(printed))
    }
}

fn usage(problem: String) -> Exit {
    complain(&problem);
    Exit::Usage
}

/// The files of the selection; complains of every mistake.
fn read(selection: &Selection) -> Result<Suite, Exit> {
    let catalogue = Catalogue::new().map_err(|error| {
        complain(&error.to_string());
        Exit::Failed
    })?;
    let name = |path: &Path| path.display().to_string();
    let suite = Suite::read(&catalogue, &selection.files(), name).map_err(|error| {
        complain(&format!("{error}\nhelp: name a feature file, or a folder with some"));
        Exit::InvalidFile
    })?;
    if suite.problems.is_empty() {
        return Ok(suite);
    }
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    for file in &suite.problems {
        complain(&file.render(is_terminal));
    }
    let problems: usize = suite.problems.iter().map(|file| file.problems().len()).sum();
    complain(&format!("{problems} problems; nothing was run"));
    Err(Exit::InvalidFile)
}

/// Runs a failure once more, with evidence, and keeps its card; its path.
fn card_of(out: Option<&Path>, trial: &Trial, failed: &Outcome) -> Option<String> {
    let scenario = failed.scenario.as_ref()?;
    let network = Network::Kernel;
    let passport = Passport::of(trial.place(), scenario, failed.seed, network);
    let options = Options { seed: failed.seed, network, sink: Sink::None };
    let (report, evidence) = run::guarded(|| run_with_evidence(scenario, options)).ok()?;
    let html = crate::sim::report::card::html(&passport, &report, &evidence);
    card::keep(out, &report, &html).ok()
}

/// `target` as the page at `page` links to it.
fn relative(target: &Path, page: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (target, page) = (absolute(target), absolute(page));
    let shared =
        target.components().zip(page.components()).take_while(|(one, other)| one == other).count();
    let up = page.components().skip(shared + 1).map(|_| "..".into());
    let down = target.components().skip(shared);
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<String>>().join("/")
}

fn scenario(trial: &Trial) -> ScenarioReport<'_> {
    let (name, place) = (trial.name(), trial.place());
    ScenarioReport {
        name,
        place,
        tags: &trial.tags,
        passed: None,
        seeds: Vec::new(),
        failure: None,
    }
}

fn told<'v>(verdict: &'v Verdict<'_>) -> ScenarioReport<'v> {
    let failure = verdict.failed().and_then(|outcome| {
        let step = outcome.failed_step()?;
        Some(FailureReport {
            seed: outcome.seed.0,
            step: &step.text,
            line: step.line,
            column: step.column,
            why: outcome.failure.as_deref()?,
            again: replay(verdict.trial, outcome),
            card: verdict.card.as_deref(),
        })
    });
    ScenarioReport {
        passed: Some(verdict.passed()),
        seeds: verdict.outcomes.iter().map(|outcome| outcome.seed.0).collect(),
        failure,
        ..scenario(verdict.trial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_links_to_cards_from_where_it_stands() {
        let check = |card: &str, page: &str, expected: &str| {
            assert_eq!(relative(Path::new(card), Path::new(page)), expected);
        };
        check("target/shakedown/a.html", "features.html", "target/shakedown/a.html");
        check("target/shakedown/a.html", "target/site/index.html", "../shakedown/a.html");
        check("/x/a.html", "/x/b.html", "a.html");
        check("/x/a.html", "/y/z/b.html", "../../x/a.html");
    }
}
