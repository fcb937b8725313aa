//! Feature files to trials: read, matched with the catalogue, run.

use std::path::{Path, PathBuf};

use gherkin::{Feature, GherkinEnv, StepType};

use super::pattern::{Args, Pattern, UnknownHole};
use super::steps::{Phase, Step, catalogue};
use super::story::{StepError, Story};

/// The seed of scenarios in feature files.
const SEED: u64 = 1;

/// A file that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// It cannot be read or is no Gherkin.
    #[error("{file}: {what}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        what: String,
    },
    /// A step that the catalogue does not have.
    #[error("{place}: no step is called `{step}`{near}\nhelp: the nearest known steps are listed")]
    Unknown {
        /// File, line and column.
        place: String,
        /// Its words.
        step: String,
        /// Patterns that come near, one a line.
        near: String,
    },
    /// A step that several patterns match.
    #[error("{place}: `{step}` is `{one}` and `{other}`\nhelp: say it in other words")]
    Ambiguous {
        /// File, line and column.
        place: String,
        /// Its words.
        step: String,
        /// One pattern.
        one: &'static str,
        /// Another.
        other: &'static str,
    },
    /// A scenario that promises nothing.
    #[error("{place}: scenario `{name}` has no Then, so it cannot fail\nhelp: say what must hold")]
    Promiseless {
        /// File, line and column.
        place: String,
        /// Its name.
        name: String,
    },
    /// A step whose words fit no value.
    #[error("{place}: {error}")]
    Value {
        /// File, line and column.
        place: String,
        /// What is wrong.
        error: super::pattern::ArgError,
    },
    /// The catalogue itself is wrong.
    #[error(transparent)]
    Catalogue(#[from] UnknownHole),
}

/// One step of a scenario, matched.
struct Matched {
    place: String,
    text: String,
    step: &'static Step,
    args: Args,
}

/// One scenario of a feature file, ready to run.
pub struct Trial {
    /// `gaps: a broker that stays away :: …`: file, rule and scenario.
    pub name: String,
    steps: Vec<Matched>,
}

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

    fn find(&self, place: &str, phase: Phase, text: &str) -> Result<Matched, FeatureError> {
        let of_phase = self.0.iter().filter(|(step, _)| step.phase == phase);
        let mut found = of_phase.filter_map(|(step, pattern)| Some((*step, pattern.take(text)?)));
        let Some((step, args)) = found.next() else {
            let (place, step) = (place.to_owned(), text.to_owned());
            return Err(FeatureError::Unknown { place, step, near: self.near(phase, text) });
        };
        if let Some((other, _)) = found.next() {
            let (place, words) = (place.to_owned(), text.to_owned());
            let (one, other) = (step.pattern, other.pattern);
            return Err(FeatureError::Ambiguous { place, step: words, one, other });
        }
        let place = place.to_owned();
        match args {
            Ok(args) => Ok(Matched { place, text: text.to_owned(), step, args }),
            Err(error) => Err(FeatureError::Value { place, error }),
        }
    }

    /// The three patterns whose words come nearest, one a line.
    fn near(&self, phase: Phase, text: &str) -> String {
        let of_phase = self.0.iter().filter(|(step, _)| step.phase == phase);
        let mut ranked: Vec<(f64, &str)> = of_phase
            .map(|(step, _)| (strsim::sorensen_dice(step.pattern, text), step.pattern))
            .collect();
        ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
        let keyword = phase.keyword();
        ranked.iter().take(3).map(|(_, pattern)| format!("\n  {keyword} {pattern}")).collect()
    }
}

/// Feature files below `folder`, sorted.
///
/// # Errors
/// The folder cannot be read.
pub fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "feature") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The scenarios of `text`, of the file called `name`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn trials(
    catalogue: &Catalogue,
    name: &str,
    text: &str,
) -> Result<Vec<Trial>, Vec<FeatureError>> {
    let feature = Feature::parse(text, GherkinEnv::default()).map_err(|error| {
        vec![FeatureError::Unreadable { file: name.to_owned(), what: error.to_string() }]
    })?;
    let mut reader = Reader { catalogue, name, trials: Vec::new(), errors: Vec::new() };
    let background = feature.background.as_ref().map_or(&[][..], |all| &all.steps);
    for scenario in &feature.scenarios {
        reader.scenario(&feature.name, &[background], scenario);
    }
    for rule in &feature.rules {
        let own = rule.background.as_ref().map_or(&[][..], |all| &all.steps);
        let title = format!("{}: {}", feature.name, rule.name);
        for scenario in &rule.scenarios {
            reader.scenario(&title, &[background, own], scenario);
        }
    }
    if reader.errors.is_empty() { Ok(reader.trials) } else { Err(reader.errors) }
}

struct Reader<'a> {
    catalogue: &'a Catalogue,
    name: &'a str,
    trials: Vec<Trial>,
    errors: Vec<FeatureError>,
}

impl Reader<'_> {
    fn scenario(
        &mut self,
        title: &str,
        backgrounds: &[&[gherkin::Step]],
        scenario: &gherkin::Scenario,
    ) {
        let before = self.errors.len();
        let mut steps = Vec::new();
        let all = backgrounds.iter().copied().flatten().chain(&scenario.steps);
        for step in all {
            let place = format!("{}:{}:{}", self.name, step.position.line, step.position.col);
            let phase = match step.ty {
                StepType::Given => Phase::Given,
                StepType::When => Phase::When,
                StepType::Then => Phase::Then,
            };
            match self.catalogue.find(&place, phase, &step.value) {
                Ok(matched) => steps.push(matched),
                Err(error) => self.errors.push(error),
            }
        }
        let position = scenario.position;
        if !scenario.steps.iter().any(|step| step.ty == StepType::Then) {
            let place = format!("{}:{}:{}", self.name, position.line, position.col);
            self.errors.push(FeatureError::Promiseless { place, name: scenario.name.clone() });
        }
        if self.errors.len() == before {
            let name = format!("{title} :: {}", scenario.name);
            self.trials.push(Trial { name, steps });
        }
    }
}

/// A step that did not hold.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {step}\n{error}")]
pub struct Failure {
    /// File, line and column.
    pub place: String,
    /// Its words.
    pub step: String,
    /// Why.
    pub error: StepError,
}

impl Trial {
    /// Goes through the steps; ends at the first that does not hold.
    ///
    /// # Errors
    /// That step.
    pub fn run(&self) -> Result<(), Failure> {
        let mut story = Story::new(&self.name, SEED);
        for Matched { place, text, step, args } in &self.steps {
            (step.act)(&mut story, args).map_err(|error| Failure {
                place: place.clone(),
                step: format!("{} {text}", step.phase.keyword()),
                error,
            })?;
        }
        Ok(())
    }
}
