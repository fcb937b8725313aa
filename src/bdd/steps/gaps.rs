//! The desired topology, the gaps that are told, and stand-ins.

use super::{Step, given, then, when};
use crate::bdd::pattern::{Args, Named};
use crate::bdd::story::{StepError, StepResult, Story, words};
use crate::config::quantity::DurationText;
use crate::domain::entity::EntityKey;
use crate::hybrid::topology::{BrokerForm, GroupForm, TopicForm};
use crate::nrql::Value;
use crate::sim::scenario::SwitchSpec;

pub(super) const STEPS: &[Step] = &[
    given(
        "the topology asks for everything that the clusters have",
        "What the clusters have at the start is desired.",
        everything,
    ),
    given("the topology also asks for {entity}", "It is desired beside the rest.", also),
    given(
        "the topology asks for {count} partitions of {entity}",
        "The topic is desired with that many partitions.",
        partitions,
    ),
    given("a silence of {duration} is no gap yet", "The tolerance.", tolerance),
    given("the pipeline begins in {mode} mode", "The mode of the first cycle.", mode),
    given("at most {count} stand-ins are allowed", "What is beyond stays unfilled.", limit),
    when("the mode becomes {mode} after {duration}", "The mode is switched while it runs.", switch),
    then("{entity} is told as {string}", "The newest telling says so of it.", told),
    then("no gap is told of {entity}", "The newest telling says nothing of it.", untold),
    then("no gap was ever told of {entity}", "No telling of the run said anything of it.", never),
    then("coverage is {percent}", "Of all desired entities, in the newest telling.", coverage),
    then("{entity} has a stand-in", "Its newest event is one.", has_stand_in),
    then("{entity} has no stand-in", "Its newest event is its own.", has_no_stand_in),
    then("{entity} never had a stand-in", "All its events are its own.", never_filled),
    then("{entity} had a stand-in", "At some time.", was_filled),
    then(
        "{entity} and its stand-in are one entity",
        "Both told under one GUID, and New Relic holds one entity of that name.",
        one_entity,
    ),
    then(
        "no cycle tells of {entity} twice",
        "Each timestamp has one event of it, its own or a stand-in's.",
        once,
    ),
    then(
        "the {string} of {entity} makes no step of more than {percent} where a stand-in begins or ends",
        "Between neighbouring events, one of which is a stand-in's.",
        no_step,
    ),
];

fn broken(what: String) -> StepResult {
    Err(StepError::Broken(what))
}

fn everything(story: &mut Story, _: &Args) -> StepResult {
    story.hybrid().fleet = true;
    Ok(())
}

fn also(story: &mut Story, args: &Args) -> StepResult {
    let key = args.entity(0)?;
    let (cluster_name, name) = (key.cluster().to_owned(), key.name().to_owned());
    let form = &mut story.hybrid().also;
    match key {
        EntityKey::Broker { .. } => {
            form.brokers.push(BrokerForm { provider: None, cluster_name, id: name });
        }
        EntityKey::Topic { .. } => form.topics.push(TopicForm {
            provider: None,
            cluster_name,
            name,
            partitions: None,
            replication_factor: None,
        }),
        EntityKey::Group { .. } => form.consumer_groups.push(GroupForm {
            provider: None,
            cluster_name,
            id: name,
            topics: Vec::new(),
        }),
        EntityKey::Cluster { .. } | EntityKey::Queue { .. } => {
            return Err(StepError::Premature("only brokers, topics and groups can be added"));
        }
    }
    Ok(())
}

fn partitions(story: &mut Story, args: &Args) -> StepResult {
    let (count, key) = (args.count(0)?, args.entity(1)?);
    let form = TopicForm {
        provider: None,
        cluster_name: key.cluster().to_owned(),
        name: key.name().to_owned(),
        partitions: u32::try_from(count).ok(),
        replication_factor: None,
    };
    story.hybrid().also.topics.push(form);
    Ok(())
}

fn tolerance(story: &mut Story, args: &Args) -> StepResult {
    story.hybrid().tolerance = DurationText(args.duration(0)?);
    Ok(())
}

fn mode(story: &mut Story, args: &Args) -> StepResult {
    story.hybrid().mode = args.mode(0)?;
    Ok(())
}

fn limit(story: &mut Story, args: &Args) -> StepResult {
    story.hybrid().filled_entities_max = u32::try_from(args.count(0)?).unwrap_or(u32::MAX);
    Ok(())
}

fn switch(story: &mut Story, args: &Args) -> StepResult {
    let (to, at) = (args.mode(0)?, DurationText(args.duration(1)?));
    story.hybrid().switch.push(SwitchSpec { at, to });
    Ok(())
}

/// Kinds of gap that the newest telling has of an entity.
fn gaps(story: &Story, key: &EntityKey) -> Result<Vec<String>, StepError> {
    let ran = story.ran()?;
    let newest = "SELECT latest(timestamp) FROM MessageQueueCoverage SINCE 1 day ago";
    let at = ran.count(newest)?;
    let query = format!(
        "SELECT uniques(gap) FROM MessageQueueGap WHERE entityGuid = '{}' AND timestamp = {at} \
         SINCE 1 day ago",
        story.guid(key)?
    );
    let found = ran.value(&query)?;
    Ok(match found {
        Some(Value::List(gaps)) => gaps.iter().map(words).collect(),
        _ => Vec::new(),
    })
}

fn told(story: &mut Story, args: &Args) -> StepResult {
    let (key, gap) = (args.entity(0)?, args.text(1)?);
    let told = gaps(story, &key)?;
    if told.contains(&gap) {
        return Ok(());
    }
    broken(format!("{} is told as {told:?}, not as {gap}", Named(&key)))
}

fn untold(story: &mut Story, args: &Args) -> StepResult {
    let key = args.entity(0)?;
    let told = gaps(story, &key)?;
    if told.is_empty() { Ok(()) } else { broken(format!("{} is told as {told:?}", Named(&key))) }
}

fn never(story: &mut Story, args: &Args) -> StepResult {
    let key = args.entity(0)?;
    let tellings = "SELECT count(*) FROM MessageQueueCoverage SINCE 1 day ago";
    let query = format!(
        "SELECT count(*) FROM MessageQueueGap WHERE entityGuid = '{}' SINCE 1 day ago",
        story.guid(&key)?
    );
    let ran = story.ran()?;
    match (ran.count(tellings)?, ran.count(&query)?) {
        (0.0, _) => broken("nothing was ever told".to_owned()),
        (_, 0.0) => Ok(()),
        (_, gaps) => broken(format!("{} was told {gaps} times", Named(&key))),
    }
}

fn coverage(story: &mut Story, args: &Args) -> StepResult {
    let query = "SELECT latest(coverage.percentage) FROM MessageQueueCoverage \
                 WHERE entityType = 'ALL' SINCE 1 day ago";
    let wanted = args.percent(0)?;
    match story.ran()?.value(query)?.and_then(|value| value.as_f64()) {
        Some(found) if (found - wanted).abs() < 0.05 => Ok(()),
        found => broken(format!("coverage is {found:?} %, not {wanted} %")),
    }
}

/// Where the newest event of an entity comes from.
fn source(story: &Story, key: &EntityKey) -> Result<String, StepError> {
    let query = format!(
        "SELECT latest(dataSource) FROM MessageQueue WHERE entityGuid = '{}' SINCE 1 day ago",
        story.guid(key)?
    );
    let found = story.ran()?.value(&query)?.filter(|value| !value.is_null());
    let found = found.ok_or_else(|| StepError::Broken(format!("nothing tells of {}", Named(key))));
    found.map(|value| words(&value))
}

fn has_stand_in(story: &mut Story, args: &Args) -> StepResult {
    let key = args.entity(0)?;
    match source(story, &key)?.as_str() {
        "gapFilled" | "simulated" => Ok(()),
        other => broken(format!("the newest event of {} is of {other}", Named(&key))),
    }
}

fn has_no_stand_in(story: &mut Story, args: &Args) -> StepResult {
    let key = args.entity(0)?;
    match source(story, &key)?.as_str() {
        "infrastructure" => Ok(()),
        other => broken(format!("the newest event of {} is {other}", Named(&key))),
    }
}

/// Events of an entity, those of stand-ins alone or all.
fn events(story: &Story, key: &EntityKey, stand_ins: bool) -> Result<f64, StepError> {
    let only = if stand_ins { "AND dataSource != 'infrastructure'" } else { "" };
    story.ran()?.count(&format!(
        "SELECT count(*) FROM MessageQueue WHERE entityGuid = '{}' {only} SINCE 1 day ago",
        story.guid(key)?
    ))
}

fn never_filled(story: &mut Story, args: &Args) -> StepResult {
    let key = args.entity(0)?;
    match (events(story, &key, false)?, events(story, &key, true)?) {
        (0.0, _) => broken(format!("nothing tells of {}", Named(&key))),
        (_, 0.0) => Ok(()),
        (all, stand_ins) => {
            broken(format!("{stand_ins} of {all} events of {} are stand-ins'", Named(&key)))
        }
    }
}

fn was_filled(story: &mut Story, args: &Args) -> StepResult {
    let key = args.entity(0)?;
    if events(story, &key, true)? > 0.0 {
        return Ok(());
    }
    broken(format!("{} never had a stand-in", Named(&key)))
}

fn one_entity(story: &mut Story, args: &Args) -> StepResult {
    let key = args.entity(0)?;
    let (all, stand_ins) = (events(story, &key, false)?, events(story, &key, true)?);
    let guid = story.guid(&key)?;
    let held = story.ran()?.report.entities.contains(&guid);
    if stand_ins > 0.0 && stand_ins < all && held {
        return Ok(());
    }
    broken(format!(
        "{} has {stand_ins} events of stand-ins and {} of its own under {guid}, and New Relic {} \
         it",
        Named(&key),
        all - stand_ins,
        if held { "holds" } else { "does not hold" }
    ))
}

fn once(story: &mut Story, args: &Args) -> StepResult {
    let key = args.entity(0)?;
    let guid = story.guid(&key)?;
    let query = |what: &str| {
        format!("SELECT {what} FROM MessageQueue WHERE entityGuid = '{guid}' SINCE 1 day ago")
    };
    let ran = story.ran()?;
    let events = ran.count(&query("count(*)"))?;
    let times = ran.count(&query("uniqueCount(timestamp)"))?;
    if events > 0.0 && events == times {
        return Ok(());
    }
    broken(format!("{} has {events} events at {times} times", Named(&key)))
}

fn no_step(story: &mut Story, args: &Args) -> StepResult {
    let (metric, key, most) = (args.text(0)?, args.entity(1)?, args.percent(2)?);
    let query = format!(
        "SELECT `{metric}`, dataSource FROM MessageQueue WHERE entityGuid = '{}' \
         AND `{metric}` IS NOT NULL SINCE 1 day ago LIMIT MAX",
        story.guid(&key)?
    );
    let result = story.ran()?.ask(&query)?;
    let mut points: Vec<(i64, f64, String)> = Vec::new();
    for row in &result.results {
        let number = |name: &str| row.get(name).and_then(|value| value.as_f64());
        if let (Some(at), Some(value), Some(source)) =
            (number("timestamp"), number(&metric), row.get("dataSource"))
        {
            points.push((at as i64, value, words(source)));
        }
    }
    points.sort_by_key(|point| point.0);
    let mut seams = 0;
    for pair in points.windows(2).filter(|pair| pair[0].2 != pair[1].2) {
        seams += 1;
        let (before, after) = (pair[0].1, pair[1].1);
        let step = (after - before).abs() / before.abs().max(f64::MIN_POSITIVE) * 100.0;
        if step > most {
            return broken(format!(
                "{metric} of {} steps by {step:.1} %, from {before} to {after}",
                Named(&key)
            ));
        }
    }
    if seams > 0 { Ok(()) } else { broken(format!("{} never changed its source", Named(&key))) }
}
