//! Clusters, what happens to them, and the run as a whole.

use std::time::Duration;

use super::{Stage, Step, given, then, when};
use crate::bdd::pattern::Args;
use crate::bdd::story::{StepError, StepResult, Story};
use crate::config::quantity::DurationText;
use crate::sim::fault::FaultSpec;
use crate::sim::scenario::{JoinSpec, KafkaSpec};

pub(super) const STEPS: &[Step] = &[
    given(
        "a Kafka cluster {string} with {count} brokers, {count} topics and {count} consumer groups",
        "There is such a cluster; its brokers are called 1, 2 and so on.",
        cluster,
    ),
    given(
        "{count} broker with {count} topics joins {string} after {duration}",
        "A running cluster grows; the topics are new ones.",
        join,
    ),
    given("the pipeline collects every {duration}", "Time between two cycles.", interval),
    when(
        "broker {count} of {string} is down from {duration} for {duration}",
        "It crashes and returns.",
        down,
    ),
    when(
        "the pipeline cannot reach broker {count} of {string} from {duration} for {duration}",
        "The network between the two is cut.",
        cut,
    ),
    when("the simulation runs for {duration}", "Everything described so far happens.", run)
        .at(Stage::Run),
    then("every check passes", "None of the simulator's own checks is broken.", checks),
];

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn cluster(story: &mut Story, args: &Args) -> StepResult {
    let spec = KafkaSpec {
        brokers: small(args.count(1)?),
        topics: small(args.count(2)?),
        groups: small(args.count(3)?),
        replication: small(args.count(1)?).min(3),
        ..KafkaSpec::default()
    };
    story.scenario.kafka.insert(args.text(0)?, spec);
    Ok(())
}

fn join(story: &mut Story, args: &Args) -> StepResult {
    let join = JoinSpec {
        at: DurationText(args.duration(3)?),
        brokers: small(args.count(0)?),
        topics: small(args.count(1)?),
        reassign: false,
    };
    story.cluster(&args.text(2)?)?.join.push(join);
    Ok(())
}

fn interval(story: &mut Story, args: &Args) -> StepResult {
    story.scenario.pipeline.interval = DurationText(args.duration(0)?);
    Ok(())
}

/// A fault as scenario files write it.
fn fault(at: Duration, lasts: Duration, what: &str) -> Result<FaultSpec, StepError> {
    let (at, lasts) = (DurationText(at), DurationText(lasts));
    let text = format!("at = \"{at}\"\nlasts = \"{lasts}\"\n{what}\n");
    toml::from_str(&text).map_err(|error| StepError::Impossible(error.to_string()))
}

fn down(story: &mut Story, args: &Args) -> StepResult {
    let host = format!("{}-broker-{}", args.text(1)?, args.count(0)?);
    let what = format!("crash = {{ host = \"{host}\" }}");
    let fault = fault(args.duration(2)?, args.duration(3)?, &what)?;
    story.scenario.fault.push(fault);
    Ok(())
}

fn cut(story: &mut Story, args: &Args) -> StepResult {
    let host = format!("{}-broker-{}", args.text(1)?, args.count(0)?);
    let what = format!("partition = {{ between = [\"pipeline\", \"{host}\"] }}");
    let fault = fault(args.duration(2)?, args.duration(3)?, &what)?;
    story.scenario.fault.push(fault);
    Ok(())
}

fn run(story: &mut Story, args: &Args) -> StepResult {
    story.run(args.duration(0)?)
}

fn checks(story: &mut Story, _: &Args) -> StepResult {
    let broken = story.ran()?.report.checks.iter();
    let broken: Vec<String> = broken
        .filter_map(|check| Some(format!("{}: {}", check.name, check.first_violation()?)))
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(StepError::Broken(broken.join("\n"))) }
}
