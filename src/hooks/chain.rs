//! The chain: steps in order, their failures contained, their doings counted.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde::Serialize;

use super::{Context, Hook, OnError, Point, StepSpec, Verdict};
use crate::aggregate::EntityState;
use crate::domain::sample::RawSample;
use crate::ports::Clock;
use crate::transform::CanonicalSample;

/// What one step did since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HookStats {
    /// Its name.
    pub name: String,
    /// Items that went on as they were.
    pub passed: u64,
    /// Items that it changed.
    pub changed: u64,
    /// Items that it dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Times it failed or panicked.
    pub failed: u64,
    /// What it said last when it failed.
    pub last_failure: Option<String>,
    /// Time that it took in all, in nanoseconds.
    pub took_ns: u64,
}

/// Items that were dropped, by `hook/NAME/REASON`.
pub type Dropped = BTreeMap<String, u64>;

/// A step failed that is configured to fail its cycle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hook `{hook}` failed the cycle: {message}")]
pub struct CycleFailure {
    /// Which step.
    pub hook: String,
    /// In words.
    pub message: String,
}

struct Step {
    hook: Box<dyn Hook>,
    on_error: OnError,
    stats: HookStats,
}

/// Steps in order.
#[derive(Default)]
pub struct Chain {
    steps: Vec<Step>,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| &step.stats.name)).finish()
    }
}

/// What became of an item at one step.
enum Outcome {
    Passed,
    Changed,
    Dropped(String),
    Failed(String),
}

impl Chain {
    /// The steps that `specs` describe.
    pub fn new(specs: &[StepSpec]) -> Self {
        let mut chain = Self::default();
        for spec in specs {
            chain.push(&spec.name, spec.on_error, spec.build());
        }
        chain
    }

    /// Adds a step behind the others.
    pub fn push(&mut self, name: &str, on_error: OnError, hook: Box<dyn Hook>) {
        let stats = HookStats { name: name.to_owned(), ..HookStats::default() };
        self.steps.push(Step { hook, on_error, stats });
    }

    /// Whether some step stands at `point`.
    pub fn stands_at(&self, point: Point) -> bool {
        self.steps.iter().any(|step| step.hook.points().contains(&point))
    }

    /// What each step did, in order.
    pub fn stats(&self) -> Vec<HookStats> {
        self.steps.iter().map(|step| step.stats.clone()).collect()
    }

    /// Shows raw samples to the steps; those that are dropped are taken out and counted.
    ///
    /// # Errors
    /// A step failed that fails its cycle.
    pub fn before_transform(
        &mut self,
        samples: &mut Vec<RawSample<'_>>,
        clock: &impl Clock,
    ) -> Result<Dropped, CycleFailure> {
        self.run(Point::BeforeTransform, samples, clock, |hook, item, context| {
            hook.before_transform(item, context)
        })
    }

    /// Shows canonical samples to the steps; those that are dropped are taken out and counted.
    ///
    /// # Errors
    /// A step failed that fails its cycle.
    pub fn after_transform(
        &mut self,
        samples: &mut Vec<CanonicalSample<'_>>,
        clock: &impl Clock,
    ) -> Result<Dropped, CycleFailure> {
        self.run(Point::AfterTransform, samples, clock, |hook, item, context| {
            hook.after_transform(item, context)
        })
    }

    /// Shows entities to the steps; those that are dropped are taken out and counted.
    ///
    /// # Errors
    /// A step failed that fails its cycle.
    pub fn before_stream(
        &mut self,
        entities: &mut Vec<EntityState>,
        clock: &impl Clock,
    ) -> Result<Dropped, CycleFailure> {
        self.run(Point::BeforeStream, entities, clock, |hook, item, context| {
            hook.before_stream(item, context)
        })
    }

    fn run<T: Clone>(
        &mut self,
        point: Point,
        items: &mut Vec<T>,
        clock: &impl Clock,
        act: impl Fn(&mut dyn Hook, &mut T, &Context) -> Verdict,
    ) -> Result<Dropped, CycleFailure> {
        let mut dropped = Dropped::new();
        if !self.stands_at(point) {
            return Ok(dropped);
        }
        let context = Context { now: clock.monotonic() };
        for step in &mut self.steps {
            if !step.hook.points().contains(&point) {
                continue;
            }
            let began = clock.monotonic();
            let done = step.run(items, &context, &act, &mut dropped);
            step.stats.took_ns += nanos(clock.monotonic().saturating_sub(began));
            done?;
        }
        Ok(dropped)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Step {
    /// Shows all `items` to this step.
    fn run<T: Clone>(
        &mut self,
        items: &mut Vec<T>,
        context: &Context,
        act: &impl Fn(&mut dyn Hook, &mut T, &Context) -> Verdict,
        dropped: &mut Dropped,
    ) -> Result<(), CycleFailure> {
        let mut failure = None;
        items.retain_mut(|item| {
            if failure.is_some() {
                return true;
            }
            match self.show(item, context, act) {
                Outcome::Passed => self.stats.passed += 1,
                Outcome::Changed => self.stats.changed += 1,
                Outcome::Dropped(reason) => {
                    self.drop_for(&reason, dropped);
                    return false;
                }
                Outcome::Failed(message) => {
                    self.stats.failed += 1;
                    self.stats.last_failure = Some(message.clone());
                    match self.on_error {
                        OnError::Pass => {}
                        OnError::Drop => {
                            self.drop_for("failed", dropped);
                            return false;
                        }
                        OnError::FailCycle => {
                            let hook = self.stats.name.clone();
                            failure = Some(CycleFailure { hook, message });
                        }
                    }
                }
            }
            true
        });
        failure.map_or(Ok(()), Err)
    }

    fn drop_for(&mut self, reason: &str, dropped: &mut Dropped) {
        *self.stats.dropped.entry(reason.to_owned()).or_default() += 1;
        let label = format!("hook/{}/{reason}", self.stats.name);
        *dropped.entry(label).or_default() += 1;
    }

    /// Shows one item; if the step fails, the item is as it was.
    fn show<T: Clone>(
        &mut self,
        item: &mut T,
        context: &Context,
        act: &impl Fn(&mut dyn Hook, &mut T, &Context) -> Verdict,
    ) -> Outcome {
        let before = self.hook.needs_copy().then(|| item.clone());
        let hook = self.hook.as_mut();
        // A hook that panicked may be in any state of its own; the item is put back below.
        let verdict = catch_unwind(AssertUnwindSafe(|| act(hook, item, context)));
        let message = match verdict {
            Ok(Verdict::Pass) => return Outcome::Passed,
            Ok(Verdict::Changed) => return Outcome::Changed,
            Ok(Verdict::Drop(reason)) => return Outcome::Dropped(reason.into_owned()),
            Ok(Verdict::Fail(message)) => message,
            Err(_) => "the hook panicked".to_owned(),
        };
        if let Some(before) = before {
            *item = before;
        }
        Outcome::Failed(message)
    }
}
