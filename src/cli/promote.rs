//! `shakedown promote`: a run becomes a scenario file and a feature that stay.
//!
//! Invariant: neither file is written over another one, and no one is left without the other.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::minimize::{RunChoice, SearchArgs, network_option, scratch, search};
use super::reference::RunArg;
use super::{Exit, ReportFormat, complain, print, print_json};
use crate::sim::check::Failure;
use crate::sim::fault::FaultSpec;
use crate::sim::minimize::{Ended, Oracle as _, Runs};
use crate::sim::prose::{self, Story};
use crate::sim::run::passport::Passport;
use crate::sim::run::reference::Letters;
use crate::sim::scenario::{self, Scenario};

/// Longest name.
const NAME_MAX: usize = 60;
/// Where both kinds of files go, below the root.
const FOLDER: &str = "regressions";

/// Arguments of `shakedown promote`.
#[derive(Debug, Args)]
#[command(
    after_help = "Writes scenarios/regressions/NAME.toml, which `cargo test` runs from then on, \
    and features/regressions/NAME.feature, which says the same in prose."
)]
pub struct PromoteArgs {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    which: RunChoice,
    /// Name of both files: lower-case words joined by hyphens.
    #[arg(long)]
    name: String,
    /// Makes the run as small as it gets first.
    #[arg(long)]
    minimize: bool,
    #[command(flatten)]
    search: SearchArgs,
    /// Folder with `scenarios` and `features`.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    root: PathBuf,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// What was written.
#[derive(Serialize)]
struct PromoteReport {
    scenario: String,
    feature: String,
    /// The failure, when the run fails.
    failure: Option<Failure>,
    /// How making it smaller ended, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    minimized: Option<Ended>,
}

/// Whether `name` can be the name of both files.
fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    name.len() <= NAME_MAX && name.split('-').all(word)
}

impl PromoteArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.carry_out() {
            Ok(exit) | Err(exit) => exit,
        }
    }

    fn carry_out(&self) -> Result<Exit, Exit> {
        if !is_name(&self.name) {
            complain(&format!(
                "`{}` cannot be the name of a scenario\nhelp: use up to {NAME_MAX} lower-case \
                 letters and digits in words joined by hyphens, such as lost-answer-twice",
                self.name
            ));
            return Err(Exit::Usage);
        }
        let [toml, feature] = self.files();
        for file in [&toml, &feature] {
            if file.exists() {
                complain(&format!(
                    "{} exists\nhelp: give another --name, or remove it",
                    file.display()
                ));
                return Err(Exit::Usage);
            }
        }
        let (mut passport, mut letters) = self.which.load(&self.run.run)?;
        let mut minimized = None;
        if self.minimize {
            let state = scratch(&passport).with_extension("state");
            let found = search(&passport, letters.as_ref(), &self.search, &state, false)?;
            // The smaller run may fail in other ways too, and those may come first.
            letters = Some(Letters::from(&found.fingerprint));
            minimized = Some(found.ended);
            passport.scenario = found.scenario;
        }
        let runs = Runs { seed: passport.seed, network: passport.network, defect: None };
        let failures = runs.failures(&passport.scenario);
        let is_meant =
            |failure: &&Failure| letters.as_ref().is_none_or(|l| l.begin(&failure.fingerprint));
        let failure = failures.iter().find(is_meant).cloned();
        if let (None, Some(letters)) = (&failure, &letters) {
            complain(&format!(
                "no failure of the run has a fingerprint that begins with `{letters}`"
            ));
            return Err(Exit::Usage);
        }
        let texts = Texts::of(self, &passport, failure.as_ref());
        write_both([(&toml, &texts.toml), (&feature, &texts.feature)])?;
        self.report(&PromoteReport {
            scenario: toml.display().to_string(),
            feature: feature.display().to_string(),
            failure,
            minimized,
        })
    }

    fn files(&self) -> [PathBuf; 2] {
        [("scenarios", "toml"), ("features", "feature")].map(|(folder, ending)| {
            let file = format!("{}.{ending}", self.name);
            // Without a root, paths read as they are meant.
            let root = if self.root == Path::new(".") { Path::new("") } else { &self.root };
            root.join(folder).join(FOLDER).join(file)
        })
    }

    fn report(&self, report: &PromoteReport) -> Result<Exit, Exit> {
        if self.format == ReportFormat::Json {
            return Ok(print_json(report));
        }
        let mut text = format!("wrote {}\nwrote {}\n", report.scenario, report.feature);
        match &report.failure {
            Some(failure) => {
                let Failure { fingerprint, check, example, .. } = failure;
                text.push_str(&format!("it fails as {fingerprint} ({check}): {example}\n"));
            }
            None => text.push_str("it passes: the feature promises what the scenario does\n"),
        }
        if report.minimized == Some(Ended::Stopped) {
            text.push_str("it is not minimal: the search was stopped, and more may go\n");
        }
        Ok(print(&text))
    }
}

/// The texts of both files.
struct Texts {
    toml: String,
    feature: String,
}

impl Texts {
    fn of(args: &PromoteArgs, passport: &Passport, failure: Option<&Failure>) -> Self {
        let own = passport.scenario.promise.trim().trim_end_matches('.');
        let of_check = failure.and_then(|failure| prose::promise(failure.check));
        let promise = match of_check {
            Some(promise) => promise,
            None if own.is_empty() => "every promise is kept",
            None => own,
        };
        let promise_text = format!("{}.", prose::sentence(promise));
        let scenario = Scenario {
            seed: passport.seed.0,
            promise: promise_text,
            swarm: None,
            sometimes: Vec::new(),
            ..passport.scenario.clone()
        };
        let (name, network) = (&args.name, network_option(passport.network));
        let mut comments = vec![format!("From {}, seed {}.", passport.origin, passport.seed)];
        if let Some(Failure { fingerprint, check, example, .. }) = failure {
            comments.push(format!("It failed as {fingerprint} (check {check}):"));
            comments.extend(example.lines().map(|line| format!("  {line}")));
        }
        let again = format!("Again: shakedown run scenarios/{FOLDER}/{name}.toml{network}");
        let schema = "#:schema ../../docs/schema/scenario.schema.json\n";
        let toml_comments =
            [comments.clone(), vec![again.clone()], kernel_only(&scenario)].concat();
        let same = format!("The same as scenarios/{FOLDER}/{name}.toml, in words; both run.");
        let comments = [vec![same], comments, vec![again]].concat();
        let story = Story { name, scenario: &scenario, promise, comments: &comments };
        Self {
            toml: format!("{schema}{}", scenario::write(&scenario, &toml_comments)),
            feature: story.feature(),
        }
    }
}

/// What keeps the tests of scenario files from running it on turmoil, if anything does.
fn kernel_only(scenario: &Scenario) -> Vec<String> {
    let entries = scenario.fault.iter().filter_map(FaultSpec::entry);
    let only: BTreeSet<&str> =
        entries.filter(|entry| entry.kernel_only).map(|entry| entry.name).collect();
    if only.is_empty() {
        return Vec::new();
    }
    let only = only.into_iter().collect::<Vec<_>>().join(", ");
    vec![format!("not on turmoil: it cannot do {only}")]
}

/// Writes both files, or none.
fn write_both(files: [(&PathBuf, &String); 2]) -> Result<(), Exit> {
    let mut written: Vec<&PathBuf> = Vec::new();
    for (path, text) in files {
        if let Err(error) = write_new(path, text) {
            complain(&format!("cannot write {}: {error}", path.display()));
            for path in written {
                // It was new, so nobody misses it.
                let _ = fs::remove_file(path);
            }
            return Err(Exit::Failed);
        }
        written.push(path);
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_joined_by_hyphens() {
        let check = |name: &str, expected: bool| assert_eq!(is_name(name), expected, "{name}");
        check("lost-answer-twice", true);
        check("a1", true);
        check("", false);
        check("-a", false);
        check("a--b", false);
        check("../a", false);
        check("A", false);
        check("a.b", false);
        check("ä", false);
        check(&"a".repeat(61), false);
    }
}
