//! The catalogue of steps, one file per subject.

use super::pattern::Args;
use super::story::{StepResult, Story};

mod alerts;
mod dashboards;
mod fleet;
mod gaps;
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

/// One step.
#[derive(Clone, Copy)]
pub struct Step {
    /// When it may come.
    pub phase: Phase,
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
    Step { phase: Phase::Given, pattern, meaning, act }
}

const fn when(
    pattern: &'static str,
    meaning: &'static str,
    act: fn(&mut Story, &Args) -> StepResult,
) -> Step {
    Step { phase: Phase::When, pattern, meaning, act }
}

const fn then(
    pattern: &'static str,
    meaning: &'static str,
    act: fn(&mut Story, &Args) -> StepResult,
) -> Step {
    Step { phase: Phase::Then, pattern, meaning, act }
}

/// All steps, by subject.
pub fn catalogue() -> impl Iterator<Item = &'static Step> {
    [fleet::STEPS, gaps::STEPS, relationships::STEPS, dashboards::STEPS, alerts::STEPS]
        .into_iter()
        .flatten()
}
