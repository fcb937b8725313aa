//! Feature files to trials: read, looked over, matched with the catalogue, one trial for each
//! scenario and each row of an outline's examples.
//!
//! Invariants:
//! - A trial exists only when nothing is wrong with its file: every step is known, has values that
//!   can be, and stands where it has an effect; there is a `Then`, and nothing follows the run that
//!   would have to precede it.
//! - Two trials of a suite never have one name.
//! - A trial's outcome is a function of its text and the seed.
//!
//! Not modelled: other spoken languages than English, hooks, steps of one's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::document::{self, Feature, Rule, Scenario};
use super::pattern::{Args, Pattern, UnknownHole};
use super::steps::{Step, catalogue};
use crate::config::toml_file::{FileProblems, Problem, line_and_column};
use crate::sim::seed::Seed;

mod files;
mod lint;
mod matching;
mod outline;
mod tags;
#[cfg(test)]
mod tests;
mod trial;

pub use files::files;
pub use tags::Tags;
pub use trial::{Outcome, StepOutcome, StepStatus};

/// The seed of scenarios unless another one is asked for.
pub const SEED: Seed = Seed(1);

/// A compiled catalogue.
pub struct Catalogue(Vec<(&'static Step, Pattern)>);

impl Catalogue {
    /// All steps.
    ///
    /// # Errors
    /// A pattern with a hole of an unknown type.
    pub fn new() -> Result<Self, UnknownHole> {
        let compiled = catalogue().map(|step| Ok((step, Pattern::new(step.pattern)?)));
        compiled.collect::<Result<_, _>>().map(Self)
    }
}

/// One step of a trial, matched.
#[derive(Debug, Clone)]
pub struct Matched {
    /// Its line in the file.
    pub line: usize,
    /// Its column, in characters.
    pub column: usize,
    /// Keyword and words as written, holes of an outline filled.
    pub text: String,
    /// What it does.
    pub step: &'static Step,
    /// With what.
    pub args: Args,
}

/// One scenario, ready to run.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Its file, as it was named.
    pub file: String,
    /// The line of the scenario, or of the row of examples.
    pub line: usize,
    /// The feature's name.
    pub feature: String,
    /// The rule's name.
    pub rule: Option<String>,
    /// Its own name.
    pub scenario: String,
    /// Its tags and those of everything around it.
    pub tags: Vec<String>,
    /// Its steps, those of the backgrounds first.
    pub steps: Vec<Matched>,
}

impl Trial {
    /// `Gap detection: Limits hold :: More gaps than stand-ins`.
    pub fn name(&self) -> String {
        match &self.rule {
            Some(rule) => format!("{}: {rule} :: {}", self.feature, self.scenario),
            None => format!("{} :: {}", self.feature, self.scenario),
        }
    }

    /// `features/gaps.feature:12`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// A feature file that was read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Its tree.
    pub feature: Feature,
}

impl Source {
    /// Line and column of a byte, from 1.
    pub fn position(&self, at: usize) -> (usize, usize) {
        line_and_column(&self.text, at)
    }
}

/// What several feature files give.
#[derive(Debug, Default)]
pub struct Suite {
    /// The files without mistakes.
    pub sources: Vec<Source>,
    /// Their scenarios, in their order.
    pub trials: Vec<Trial>,
    /// What is wrong with the others.
    pub problems: Vec<FileProblems>,
    names: BTreeMap<String, String>,
}

impl Suite {
    /// Reads `text` of the file called `file`, whose tags must be among `tags`.
    pub fn add(&mut self, catalogue: &Catalogue, tags: &Tags, file: &str, text: &str) {
        let (feature, mut problems) = document::read(text, &|words| catalogue.resembles(words));
        let mut trials = Vec::new();
        if let Some(feature) = &feature {
            problems.extend(lint::lint(feature, tags));
            let reading = Reading { catalogue, file, text, feature };
            for (rule, scenario) in feature.scenarios() {
                reading.scenario(rule, scenario, &mut trials, &mut problems);
            }
            self.claim(file, feature, &mut problems);
        }
        match feature {
            Some(feature) if problems.is_empty() => {
                self.trials.extend(trials);
                let (file, text) = (file.to_owned(), text.to_owned());
                self.sources.push(Source { file, text, feature });
            }
            _ => self.problems.push(FileProblems::new("feature", file, text, problems)),
        }
    }

    /// A feature's name is that of one file.
    fn claim(&mut self, file: &str, feature: &Feature, problems: &mut Vec<Problem>) {
        let name = feature.name.value.clone();
        if let Some(other) = self.names.get(&name) {
            let message = format!("{other} has a feature of this name");
            let help = "give it another name: reports tell scenarios apart by it";
            problems.push(document::problem("same_name", feature.name.span.clone(), message, help));
        } else {
            self.names.insert(name, file.to_owned());
        }
    }

    /// Reads the files below `paths`.
    ///
    /// # Errors
    /// The first path that cannot be read, and why.
    pub fn read(
        catalogue: &Catalogue,
        paths: &[PathBuf],
        name: impl Fn(&Path) -> String,
    ) -> Result<Self, Unreadable> {
        let mut suite = Self::default();
        for path in paths {
            let found = files(path)
                .map_err(|error| Unreadable { path: path.clone(), error: error.to_string() })?;
            for file in found {
                let text = files::text(&file)?;
                let tags = Tags::of(&file)?;
                suite.add(catalogue, &tags, &name(&file), &text);
            }
        }
        Ok(suite)
    }
}

/// A file or folder that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot be read: {error}", path.display())]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub error: String,
}

/// What the trials of one file are made from.
struct Reading<'a> {
    catalogue: &'a Catalogue,
    file: &'a str,
    text: &'a str,
    feature: &'a Feature,
}

impl Reading<'_> {
    fn scenario(
        &self,
        rule: Option<&Rule>,
        scenario: &Scenario,
        trials: &mut Vec<Trial>,
        problems: &mut Vec<Problem>,
    ) {
        let own = rule.map_or(&[][..], |rule| &rule.background);
        let cases = match outline::cases(scenario) {
            Ok(cases) => cases,
            Err(found) => return problems.extend(found),
        };
        for case in cases {
            let backgrounds = self.feature.background.iter().chain(own);
            let steps = backgrounds.cloned().chain(case.steps);
            let (mut matched, mut found) = (Vec::new(), Vec::new());
            for step in steps {
                match self.catalogue.find(&step) {
                    Ok((known, args)) => {
                        matched.push((self.matched(&step, known, args), step.span.clone()));
                    }
                    Err(problem) => found.push(problem),
                }
            }
            if found.is_empty() {
                let misplaced = trial::misplaced(&matched);
                found.extend(misplaced.or_else(|| trial::impossible(&case.name, &matched)));
            }
            // A background's, and those of every row of examples, are told once.
            found.retain(|problem| !problems.contains(problem));
            problems.extend(found);
            let tags = self.feature.tags.iter().chain(rule.into_iter().flat_map(|rule| &rule.tags));
            let tags = tags.chain(&scenario.tags).chain(case.tags);
            trials.push(Trial {
                file: self.file.to_owned(),
                line: line_and_column(self.text, case.at).0,
                feature: self.feature.name.value.clone(),
                rule: rule.map(|rule| rule.name.value.clone()),
                scenario: case.name,
                tags: tags.map(|tag| tag.value.clone()).collect(),
                steps: matched.into_iter().map(|(step, _)| step).collect(),
            });
        }
    }

    fn matched(&self, step: &document::Step, known: &'static Step, args: Args) -> Matched {
        let (line, column) = line_and_column(self.text, step.span.start);
        let text = format!("{} {}", step.keyword.written(), step.text.value);
        Matched { line, column, text, step: known, args }
    }
}
