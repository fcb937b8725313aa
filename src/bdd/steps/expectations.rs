//! What must hold of the run as a whole, and of what New Relic tells.

use super::{Stage, Step, then};
use crate::bdd::pattern::{Args, Named};
use crate::bdd::story::{StepError, StepResult, Story, words};

pub(super) const STEPS: &[Step] = &[
    then("every check passes", "None of the simulator's own checks is broken.", every),
    then("{promise}", "The check with this promise is not broken.", |story, args| {
        story.keeps(args.promise(0)?)
    }),
    then(
        "the check {string} passes",
        "The same by the check's name, as `shakedown checks` has it.",
        |story, args| story.keeps(&args.text(0)?),
    ),
    then(
        "the check {string} fails",
        "The promise of that check is broken: for scenarios that show a weakness.",
        fails,
    ),
    then(
        "entities are visible within {duration}",
        "Of the first event that New Relic took of them.",
        |story, args| story.limit("expect.synthesis_lag_max", args.time(0)?, "synthesis lag"),
    )
    .at(Stage::Limit),
    then(
        "no sample is older than {duration} in the end",
        "The newest of every live object.",
        |story, args| story.limit("expect.freshness_max", args.time(0)?, "freshness"),
    )
    .at(Stage::Limit),
    then(
        "figures are off by a share of {value} at most",
        "Relative error against what the fleet did.",
        |story, args| story.limit("expect.relative_error_max", args.json(0)?, "ground truth"),
    )
    .at(Stage::Limit),
    then(
        "sending resumes within {duration}",
        "After New Relic can be reached again.",
        |story, args| story.limit("expect.recovery_max", args.time(0)?, "recovery"),
    )
    .at(Stage::Limit),
    then("at most {count} event(s) are given up", "For want of room or time.", |story, args| {
        story.limit("expect.loss", args.count(0)?, "loss")
    })
    .at(Stage::Limit),
    then(
        "the breaker opens at least {count} time(s)",
        "The one in front of New Relic.",
        |story, args| story.limit("expect.breaker_opens_min", args.count(0)?, "breaker"),
    )
    .at(Stage::Limit),
    then("New Relic holds {entity}", "An entity with its computed GUID.", |story, args| {
        held(story, args, true)
    }),
    then("New Relic does not hold {entity}", "No entity has its GUID.", |story, args| {
        held(story, args, false)
    }),
    then(
        "New Relic holds {count} entity/entities of {string}",
        "Of the cluster, itself included.",
        holds_count,
    ),
    then(
        "the GUID of {entity} is {string}",
        "In the readable form ACCOUNT|INFRA|TYPE|IDENTIFIER; the stored one is its base64.",
        guid,
    ),
    then("the query {string} gives {value}", "Its only value, as NRQL computes it.", gives),
    then("the query {string} gives at least {value}", "Its only value, a number.", gives_at_least),
    then("the query {string} gives nothing", "No row, or no value.", gives_nothing),
    then("the latest {string} of {entity} is {value}", "In its newest event that has it.", latest),
    then(
        "the latest {string} of {entity} is between {value} and {value}",
        "In its newest event that has it, ends included.",
        between,
    ),
    then(
        "{entity} has the attribute {string}",
        "One of its events has, and not an empty one.",
        attribute,
    ),
];

fn broken(what: String) -> StepResult {
    Err(StepError::Broken(what))
}

fn every(story: &mut Story, _: &Args) -> StepResult {
    let checks = story.ran()?.report.checks.iter();
    let failed: Vec<String> = checks
        .filter_map(|check| Some(format!("{}: {}", check.name, check.first_violation()?)))
        .collect();
    if failed.is_empty() { Ok(()) } else { broken(failed.join("\n")) }
}

fn fails(story: &mut Story, args: &Args) -> StepResult {
    let name = args.text(0)?;
    match story.keeps(&name) {
        Err(StepError::Broken(_)) => Ok(()),
        Ok(()) => broken(format!("the check {name} passes")),
        other => other,
    }
}

fn held(story: &mut Story, args: &Args, wanted: bool) -> StepResult {
    let key = args.entity(0)?;
    let guid = story.guid(&key)?;
    if story.ran()?.report.entities.contains(&guid) == wanted {
        return Ok(());
    }
    let does = if wanted { "holds no" } else { "holds an" };
    broken(format!("New Relic {does} entity {guid} of {}", Named(&key)))
}

fn holds_count(story: &mut Story, args: &Args) -> StepResult {
    let (wanted, cluster) = (args.count(0)?, args.text(1)?);
    let query = format!(
        "SELECT uniqueCount(entityGuid) FROM MessageQueue WHERE clusterName = '{cluster}' \
         SINCE 1 day ago"
    );
    let found = story.ran()?.count(&query)?;
    if found == wanted as f64 { Ok(()) } else { broken(format!("it holds {found}")) }
}

fn guid(story: &mut Story, args: &Args) -> StepResult {
    let (key, wanted) = (args.entity(0)?, args.text(1)?);
    let found = story.readable_guid(&key)?;
    if found == wanted { held(story, args, true) } else { broken(format!("it is {found}")) }
}

fn gives(story: &mut Story, args: &Args) -> StepResult {
    let found = story.ran()?.value(&args.text(0)?)?;
    same(found.as_ref(), &args.json(1)?)
}

/// Whether a value is the wanted one; numbers may differ in their last digits.
fn same(found: Option<&crate::nrql::Value>, wanted: &serde_json::Value) -> StepResult {
    let is_same = match (found.and_then(|found| found.as_f64()), wanted.as_f64()) {
        (Some(found), Some(wanted)) => (found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
        _ => found.and_then(|found| found.as_str()) == wanted.as_str(),
    };
    let shown = found.map_or("nothing".to_owned(), words);
    if is_same { Ok(()) } else { broken(format!("it is {shown}")) }
}

fn number(wanted: &serde_json::Value) -> Result<f64, StepError> {
    wanted.as_f64().ok_or_else(|| StepError::Broken(format!("{wanted} is no number")))
}

fn gives_at_least(story: &mut Story, args: &Args) -> StepResult {
    let least = number(&args.json(1)?)?;
    match story.ran()?.value(&args.text(0)?)?.and_then(|value| value.as_f64()) {
        Some(found) if found >= least => Ok(()),
        found => broken(format!("it is {}", found.map_or("nothing".into(), |it| it.to_string()))),
    }
}

fn gives_nothing(story: &mut Story, args: &Args) -> StepResult {
    let found = story.ran()?.value(&args.text(0)?)?;
    let shown = found.as_ref().map_or("nothing".to_owned(), words);
    if shown == "nothing" { Ok(()) } else { broken(format!("it is {shown}")) }
}

/// The newest value of an attribute of an entity.
fn newest(story: &Story, args: &Args) -> Result<Option<crate::nrql::Value>, StepError> {
    let (attribute, key) = (args.text(0)?, args.entity(1)?);
    story.ran()?.value(&format!(
        "SELECT latest(`{attribute}`) FROM MessageQueue WHERE entityGuid = '{}' SINCE 1 day ago",
        story.guid(&key)?
    ))
}

fn latest(story: &mut Story, args: &Args) -> StepResult {
    let found = newest(story, args)?;
    same(found.as_ref(), &args.json(2)?)
}

fn between(story: &mut Story, args: &Args) -> StepResult {
    let (least, most) = (number(&args.json(2)?)?, number(&args.json(3)?)?);
    match newest(story, args)?.and_then(|value| value.as_f64()) {
        Some(found) if (least..=most).contains(&found) => Ok(()),
        found => broken(format!("it is {}", found.map_or("nothing".into(), |it| it.to_string()))),
    }
}

fn attribute(story: &mut Story, args: &Args) -> StepResult {
    let (key, attribute) = (args.entity(0)?, args.text(1)?);
    let query = format!(
        "SELECT count(`{attribute}`) FROM MessageQueue WHERE entityGuid = '{}' SINCE 1 day ago",
        story.guid(&key)?
    );
    let found = story.ran()?.count(&query)?;
    if found > 0.0 { Ok(()) } else { broken(format!("no event of {} has it", Named(&key))) }
}
