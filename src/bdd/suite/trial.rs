//! What comes of a trial.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Matched, Trial};
use crate::bdd::document::problem;
use crate::bdd::steps::Stage;
use crate::bdd::story::{StepError, StepResult, Story};
use crate::config::toml_file::Problem;
use crate::sim::check::Failure;
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepStatus {
    /// It was done, or it holds.
    Passed,
    /// It could not be done, or it does not hold.
    Failed,
    /// A step before it failed.
    Skipped,
}

/// One step of an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOutcome {
    /// Keyword and words.
    pub text: String,
    /// Line in the file.
    pub line: usize,
    /// Column in the file.
    pub column: usize,
    /// What came of it.
    pub status: StepStatus,
}

/// What came of a trial with one seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed.
    pub seed: Seed,
    /// Its steps, in their order.
    pub steps: Vec<StepOutcome>,
    /// Why the failed step failed.
    pub failure: Option<String>,
    /// What was simulated, if it came to that.
    pub scenario: Option<Scenario>,
}

impl Outcome {
    /// Whether every step passed.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }

    /// The step that failed.
    pub fn failed_step(&self) -> Option<&StepOutcome> {
        self.steps.iter().find(|step| step.status == StepStatus::Failed)
    }
}

impl Trial {
    /// Whether a person who points at `line` means it: the scenario's own line or one of its steps.
    pub fn is_at(&self, line: usize) -> bool {
        self.line == line || self.steps.iter().any(|step| step.line == line)
    }

    /// Goes through the steps with `seed`; those after one that fails are skipped.
    pub fn run(&self, seed: Seed) -> Outcome {
        let mut story = Story::new(&self.scenario, seed.0);
        let (mut steps, mut failure) = (Vec::new(), None);
        for Matched { line, column, text, step, args } in &self.steps {
            let status = if failure.is_some() {
                StepStatus::Skipped
            } else {
                let done = catch_unwind(AssertUnwindSafe(|| {
                    if step.stage == Stage::Run {
                        self.tell_limits(&mut story)?;
                    }
                    (step.act)(&mut story, args)
                }));
                failure = match done {
                    Ok(done) => done.err().map(|error| error.to_string()),
                    Err(payload) => Some(broken(payload.as_ref())),
                };
                if failure.is_some() { StepStatus::Failed } else { StepStatus::Passed }
            };
            steps.push(StepOutcome { text: text.clone(), line: *line, column: *column, status });
        }
        let scenario = story.ran.is_some().then_some(story.scenario);
        Outcome { seed, steps, failure, scenario }
    }
}

impl Trial {
    /// What its steps describe, without a run.
    ///
    /// # Errors
    /// The step that cannot be done.
    pub fn describe(&self) -> Result<Scenario, StepError> {
        let mut story = Story::rehearsal(&self.scenario);
        for step in in_order(self.steps.iter()) {
            (step.step.act)(&mut story, &step.args)?;
        }
        Ok(story.scenario)
    }

    /// The run is judged by limits that stand below it.
    fn tell_limits(&self, story: &mut Story) -> StepResult {
        let mut limits = self.steps.iter().filter(|step| step.step.stage == Stage::Limit);
        limits.try_for_each(|limit| (limit.step.act)(story, &limit.args))
    }
}

/// The words of a step that broke the simulator itself.
fn broken(payload: &(dyn std::any::Any + Send)) -> String {
    let Failure { check, example, .. } = Failure::of_panic(payload);
    format!("the {check} itself broke: {example}; this is a defect of shakedown")
}

/// Steps that describe, limits included, and then the run.
fn in_order<'s>(
    steps: impl Iterator<Item = &'s Matched> + Clone,
) -> impl Iterator<Item = &'s Matched> {
    let at = |stage| move |step: &&Matched| step.step.stage == stage;
    let situations = steps.clone().filter(at(Stage::Situation));
    let limits = steps.clone().filter(at(Stage::Limit));
    situations.chain(limits).chain(steps.filter(at(Stage::Run)))
}

/// What cannot be simulated of what the steps describe: the step that says so, and why.
pub(super) fn impossible(title: &str, steps: &[(Matched, Range<usize>)]) -> Option<Problem> {
    let mut story = Story::rehearsal(title);
    let mut all = in_order(steps.iter().map(|(step, _)| step));
    all.find_map(|step| {
        let error = (step.step.act)(&mut story, &step.args).err()?;
        let (_, span) = steps.iter().find(|(other, _)| std::ptr::eq(other, step))?;
        let help = "change what the steps above it describe";
        Some(problem("impossible", span.clone(), error.to_string(), help))
    })
}

/// A step that stands where it has no effect.
pub(super) fn misplaced(steps: &[(Matched, Range<usize>)]) -> Option<Problem> {
    let run = steps.iter().position(|(step, _)| step.step.stage == Stage::Run);
    for (position, (step, span)) in steps.iter().enumerate() {
        let is_after = run.is_some_and(|run| run < position);
        let found = match step.step.stage {
            Stage::Situation if is_after => Some((
                "too_late",
                "the simulation has run before this step, so it changes nothing",
                "move it above `When the simulation runs for …`",
            )),
            Stage::Run if is_after => Some((
                "second_run",
                "the simulation has run before this step",
                "let it run once; make two scenarios of two runs",
            )),
            Stage::Outcome | Stage::Limit if !is_after => Some((
                "too_early",
                "nothing has run yet that this step could look at",
                "put `When the simulation runs for 5min` above it",
            )),
            _ => None,
        };
        if let Some((rule, message, help)) = found {
            return Some(problem(rule, span.clone(), message, help));
        }
    }
    None
}
