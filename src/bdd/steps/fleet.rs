//! Clusters, and what flows through them.

use serde_json::json;

use super::{Step, given};
use crate::bdd::pattern::Args;
use crate::bdd::story::{StepResult, Story};
use crate::config::quantity::DurationText;
use crate::sim::scenario::{JoinSpec, KafkaSpec};

pub(super) const STEPS: &[Step] = &[
    given(
        "a Kafka cluster {string} with {count} broker(s), {count} topic(s) and {count} consumer group(s)",
        "There is such a cluster; its brokers are called 1, 2 and so on.",
        |story, args| add(story, args.text(0)?, [args.count(1)?, args.count(2)?, args.count(3)?]),
    ),
    given(
        "a Kafka cluster {string} of {count} broker(s) with {count} topic(s) of {count} partition(s) in {count} copy/copies and {count} consumer group(s)",
        "The same, with what each topic has.",
        whole,
    ),
    given(
        "a Kafka cluster {string} of {count} broker(s) with {count} topic(s) of {count} partition(s) each in {count} copy/copies and {count} consumer group(s)",
        "The same, of several topics.",
        whole,
    ),
    given(
        "a Kafka cluster {string} of {count} broker(s) with {count} topic(s) and {count} consumer group(s)",
        "The same, with topics as they usually are.",
        |story, args| add(story, args.text(0)?, [args.count(1)?, args.count(2)?, args.count(3)?]),
    ),
    given(
        "{count} broker(s) with {count} topic(s) join(s) {string} after {duration}",
        "A running cluster grows; the topics are new ones.",
        |story, args| join(story, args, false),
    ),
    given(
        "{count} broker(s) with {count} topic(s) join(s) {string} after {duration} and take(s) over partitions",
        "The same, and partitions move to the new brokers.",
        |story, args| join(story, args, true),
    ),
    given(
        "each topic of {string} gets {count} messages per second",
        "Records that producers send to each topic, on average.",
        |story, args| story.set_of_cluster(args.text(0)?, "messages_per_second", args.count(1)?),
    ),
    given(
        "producers of {string} follow the pattern {string}",
        "How traffic changes over the day: steady, business_hours and so on.",
        |story, args| story.set_of_cluster(args.text(0)?, "load.pattern", args.text(1)?),
    ),
    given(
        "producers of {string} send {count} times as much from {duration} for {duration}",
        "A surge of traffic.",
        surge,
    ),
    given(
        "each broker of {string} has a log volume of {size}",
        "Room for records.",
        |story, args| story.set_of_cluster(args.text(0)?, "disk", args.text(1)?),
    ),
    given(
        "the brokers of {string} expose no JMX figures",
        "Nothing is known of them but what Kafka's own protocol tells.",
        |story, args| story.set_of_cluster(args.text(0)?, "jmx", false),
    ),
];

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn add(story: &mut Story, name: String, [brokers, topics, groups]: [u64; 3]) -> StepResult {
    let spec = KafkaSpec {
        brokers: small(brokers),
        topics: small(topics),
        groups: small(groups),
        replication: small(brokers).min(3),
        ..KafkaSpec::default()
    };
    story.scenario.kafka.insert(name, spec);
    Ok(())
}

fn whole(story: &mut Story, args: &Args) -> StepResult {
    let spec = KafkaSpec {
        brokers: small(args.count(1)?),
        topics: small(args.count(2)?),
        partitions: small(args.count(3)?),
        replication: small(args.count(4)?),
        groups: small(args.count(5)?),
        ..KafkaSpec::default()
    };
    story.scenario.kafka.insert(args.text(0)?, spec);
    Ok(())
}

fn join(story: &mut Story, args: &Args, reassign: bool) -> StepResult {
    let join = JoinSpec {
        at: DurationText(args.duration(3)?),
        brokers: small(args.count(0)?),
        topics: small(args.count(1)?),
        reassign,
    };
    story.cluster(&args.text(2)?)?.join.push(join);
    Ok(())
}

fn surge(story: &mut Story, args: &Args) -> StepResult {
    let (at, lasts) = (DurationText(args.duration(2)?), DurationText(args.duration(3)?));
    let mut all = story.cluster(&args.text(0)?)?.load.surge.clone();
    let surge = json!({ "at": at, "lasts": lasts, "factor": args.count(1)? });
    all.push(serde_json::from_value(surge).map_err(super::impossible)?);
    story.cluster(&args.text(0)?)?.load.surge = all;
    Ok(())
}
