//! The catalogue of steps, one file per subject.

use super::pattern::Args;
use super::story::{StepError, StepResult, Story};

mod alerts;
mod dashboards;
mod expectations;
mod faults;
mod fleet;
mod gaps;
mod pipeline;
mod relationships;

/// When a step may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What there is.
    Given,
    /// What happens.
    When,
    /// What must hold.
    Then,
}

impl Phase {
    /// The keyword of its steps.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Given => "Given",
            Self::When => "When",
            Self::Then => "Then",
        }
    }
}

/// What a step has to do with the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Says what shall be simulated: stands before the run.
    Situation,
    /// The run.
    Run,
    /// Looks at what came of it: stands after the run.
    Outcome,
    /// The same, by a limit that the run is judged by: it is told to the run before it begins.
    Limit,
    /// Looks at what needs no run.
    Paper,
}

/// One step.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// When it may come.
    pub phase: Phase,
    /// What it has to do with the run.
    pub stage: Stage,
    /// Its words, with typed holes.
    pub pattern: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
    /// Does it.
    pub act: fn(&mut Story, &Args) -> StepResult,
}

const fn given(
    pattern: &'static str,
    meaning: &'static str,
    act: fn(&mut Story, &Args) -> StepResult,
) -> Step {
    Step { phase: Phase::Given, stage: Stage::Situation, pattern, meaning, act }
}

const fn when(
    pattern: &'static str,
    meaning: &'static str,
    act: fn(&mut Story, &Args) -> StepResult,
) -> Step {
    Step { phase: Phase::When, stage: Stage::Situation, pattern, meaning, act }
}

const fn then(
    pattern: &'static str,
    meaning: &'static str,
    act: fn(&mut Story, &Args) -> StepResult,
) -> Step {
    Step { phase: Phase::Then, stage: Stage::Outcome, pattern, meaning, act }
}

/// Why a step cannot be done.
fn impossible(why: impl std::fmt::Display) -> StepError {
    StepError::Impossible(why.to_string())
}

impl Step {
    /// The same at another stage.
    const fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }
}

/// Steps by subject.
pub const SUBJECTS: [(&str, &[Step]); 8] = [
    ("Fleet and traffic", fleet::STEPS),
    ("Pipeline, network and New Relic", pipeline::STEPS),
    ("Faults and the run", faults::STEPS),
    ("Expectations", expectations::STEPS),
    ("Gaps and stand-ins", gaps::STEPS),
    ("Relationships", relationships::STEPS),
    ("Dashboards", dashboards::STEPS),
    ("Alerts", alerts::STEPS),
];

/// All steps, by subject.
pub fn catalogue() -> impl Iterator<Item = &'static Step> {
    SUBJECTS.into_iter().flat_map(|(_, steps)| steps)
}
