//! Relationships between entities.

use super::{Step, then};
use crate::bdd::pattern::{Args, Named};
use crate::bdd::story::{StepError, StepResult, Story};

pub(super) const STEPS: &[Step] = &[
    then("{entity} {word} {entity}", "The relationship was told, in this direction.", related),
    then("{entity} does not {word} {entity}", "It was never told.", unrelated),
];

/// How often a relationship was told.
fn times(story: &Story, args: &Args) -> Result<f64, StepError> {
    let (from, kind, to) = (args.entity(0)?, args.text(1)?, args.entity(2)?);
    story.ran()?.count(&format!(
        "SELECT count(*) FROM MessageQueueRelationship WHERE sourceEntityGuid = '{}' \
         AND relationshipType = '{kind}' AND targetEntityGuid = '{}' SINCE 1 day ago",
        story.guid(&from)?,
        story.guid(&to)?
    ))
}

fn related(story: &mut Story, args: &Args) -> StepResult {
    if times(story, args)? > 0.0 {
        return Ok(());
    }
    let (from, kind, to) = (args.entity(0)?, args.text(1)?, args.entity(2)?);
    Err(StepError::Broken(format!("{} {kind} {} was never told", Named(&from), Named(&to))))
}

fn unrelated(story: &mut Story, args: &Args) -> StepResult {
    let told = times(story, args)?;
    if told == 0.0 {
        return Ok(());
    }
    let (from, kind, to) = (args.entity(0)?, args.text(1)?, args.entity(2)?);
    let words = format!("{} {kind} {} was told {told} times", Named(&from), Named(&to));
    Err(StepError::Broken(words))
}
