//! An ordered chain of steps around the pure stages: middleware, enrichers, and what users of the
//! library write themselves.
//!
//! Each step sees every item at the points that it names: raw samples before the transformation,
//! canonical samples after it, entities before they are streamed. It lets an item pass, changes it,
//! drops it for a reason, or fails.
//!
//! Invariants:
//! - Steps run in the order in which they were added; what one drops, no later one sees.
//! - Every item is passed or dropped for a counted reason; none is dropped silently.
//! - A step that fails or panics is isolated: its item goes on as it was before the step, or is
//!   dropped, or the cycle fails, as configured. A step never fails another step.
//! - Without steps at a point nothing is copied, allocated or asked of the clock.
//!
//! Not modelled: steps that wait (a step has no future to wait in) and steps that add items.

mod chain;
mod enrich;
mod item;
mod limit;
mod matcher;
mod relabel;
mod validate;

use std::borrow::Cow;
use std::time::Duration;

use crate::aggregate::EntityState;
use crate::domain::sample::RawSample;
use crate::transform::CanonicalSample;

pub use chain::{Chain, CycleFailure, Dropped, HookStats};
pub use enrich::{Lookup, StaticTags, Values};
pub use item::{Item, Refusal};
pub use limit::{Per, RateLimit};
pub use matcher::{BadPattern, Condition, Pattern};
pub use relabel::{Action, Relabel, RelabelRule};
pub use validate::Validation;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Raw samples, before they are transformed.
    BeforeTransform,
    /// Canonical samples, after they were transformed.
    AfterTransform,
    /// Entities, before they become events.
    BeforeStream,
}

impl Point {
    /// All points, in the order in which items pass them.
    pub const ALL: [Self; 3] = [Self::BeforeTransform, Self::AfterTransform, Self::BeforeStream];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeTransform => "before-transform",
            Self::AfterTransform => "after-transform",
            Self::BeforeStream => "before-stream",
        }
    }
}

/// What a step says of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it is.
    Pass,
    /// It goes on, and the step has changed it.
    Changed,
    /// It ends here, for this reason: a label of letters, digits and `_`.
    Drop(Cow<'static, str>),
    /// The step could not do its work, in words.
    Fail(String),
}

/// What becomes of an item whose step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It goes on as it was before the step.
    #[default]
    Pass,
    /// It is dropped, for the reason `failed`.
    Drop,
    /// The whole cycle fails: nothing of it is streamed.
    FailCycle,
}

/// What a step knows beside the item.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The clock's monotonic time when the chain began with this cycle's items.
    pub now: Duration,
}

/// One step of the chain. A step overrides the methods of the points that it stands at and names
/// these in [`Hook::points`]; the others are never called.
pub trait Hook: Send {
    /// The points at which it wants to see items.
    fn points(&self) -> &[Point];

    /// Whether it may fail or panic after it has begun to change an item. Such a step is given a
    /// copy, so that the item can go on unchanged; one that says `false` costs no copy.
    fn needs_copy(&self) -> bool {
        true
    }

    /// Looks at a raw sample.
    fn before_transform(&mut self, sample: &mut RawSample<'_>, context: &Context) -> Verdict {
        let _ = (sample, context);
        Verdict::Pass
    }

    /// Looks at a canonical sample.
    fn after_transform(&mut self, sample: &mut CanonicalSample<'_>, context: &Context) -> Verdict {
        let _ = (sample, context);
        Verdict::Pass
    }

    /// Looks at an entity.
    fn before_stream(&mut self, entity: &mut EntityState, context: &Context) -> Verdict {
        let _ = (entity, context);
        Verdict::Pass
    }
}

/// A step that treats all items alike, through what they have in common.
trait Uniform: Send {
    fn look(&mut self, item: &mut dyn Item, context: &Context) -> Verdict;

    /// Whether it may fail after it has begun to change an item.
    fn writes(&self) -> bool {
        false
    }
}

/// A uniform step at one point, for the items that a condition picks.
struct At<S> {
    point: [Point; 1],
    when: Condition,
    step: S,
}

impl<S: Uniform> At<S> {
    fn look(&mut self, item: &mut dyn Item, context: &Context) -> Verdict {
        if self.when.holds(item) { self.step.look(item, context) } else { Verdict::Pass }
    }
}

impl<S: Uniform> Hook for At<S> {
    fn points(&self) -> &[Point] {
        &self.point
    }

    fn needs_copy(&self) -> bool {
        self.step.writes()
    }

    fn before_transform(&mut self, sample: &mut RawSample<'_>, context: &Context) -> Verdict {
        self.look(sample, context)
    }

    fn after_transform(&mut self, sample: &mut CanonicalSample<'_>, context: &Context) -> Verdict {
        self.look(sample, context)
    }

    fn before_stream(&mut self, entity: &mut EntityState, context: &Context) -> Verdict {
        self.look(entity, context)
    }
}

/// A step of the chain as it is configured.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// Its name, unique within the chain.
    pub name: String,
    /// Where it stands.
    pub point: Point,
    /// Which items it looks at; the others pass.
    pub when: Condition,
    /// What becomes of an item when it fails.
    pub on_error: OnError,
    /// What it does.
    pub action: StepAction,
}

/// What a configured step does.
#[derive(Debug, Clone)]
pub enum StepAction {
    /// Drops items that lack something or lie outside a range.
    Validate(Validation),
    /// Drops items beyond a rate.
    Limit(RateLimit),
    /// Adds fixed attributes.
    Set(StaticTags),
    /// Adds attributes from a table.
    Lookup(Lookup),
    /// Rewrites attributes.
    Relabel(Relabel),
}

impl StepSpec {
    /// The step itself.
    pub fn build(&self) -> Box<dyn Hook> {
        let (point, when) = ([self.point], self.when.clone());
        match self.action.clone() {
            StepAction::Validate(step) => Box::new(At { point, when, step }),
            StepAction::Limit(step) => {
                let step = step.fresh();
                Box::new(At { point, when, step })
            }
            StepAction::Set(step) => Box::new(At { point, when, step }),
            StepAction::Lookup(step) => Box::new(At { point, when, step }),
            StepAction::Relabel(step) => Box::new(At { point, when, step }),
        }
    }
}

#[cfg(test)]
mod tests;
