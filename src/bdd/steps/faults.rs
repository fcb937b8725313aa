//! What goes wrong, and the run.

use std::time::Duration;

use super::{Stage, Step, when};
use crate::bdd::story::{StepResult, Story};
use crate::config::quantity::DurationText;
use crate::sim::fault::{FaultSpec, speech};

pub(super) const STEPS: &[Step] = &[
    when(
        "{fault}, from {duration} to {duration}",
        "Any fault of the catalogue, from one time of the run to another.",
        |story, args| add(story, args.fault(0)?, args.duration(1)?, Some(args.duration(2)?)),
    ),
    when(
        "{fault}, from the start to {duration}",
        "The same, from the very begin.",
        |story, args| add(story, args.fault(0)?, Duration::ZERO, Some(args.duration(1)?)),
    ),
    when("{fault} after {duration}", "A fault that happens at one instant.", |story, args| {
        add(story, args.fault(0)?, args.duration(1)?, None)
    }),
    when("{fault} at the start", "The same, at the very begin.", |story, args| {
        add(story, args.fault(0)?, Duration::ZERO, None)
    }),
    when(
        "broker {count} of {string} is down from {duration} for {duration}",
        "It crashes and returns.",
        |story, args| {
            let broker = format!("broker {} of \"{}\" crashes", args.count(0)?, args.text(1)?);
            said(story, &broker, args.duration(2)?, args.duration(3)?)
        },
    ),
    when(
        "the pipeline cannot reach broker {count} of {string} from {duration} for {duration}",
        "The network between the two is cut.",
        |story, args| {
            let broker = format!("broker {} of \"{}\"", args.count(0)?, args.text(1)?);
            let cut = format!("the link between the pipeline and {broker} is cut");
            said(story, &cut, args.duration(2)?, args.duration(3)?)
        },
    ),
    when(
        "New Relic is unreachable from {duration} for {duration}",
        "The network between it and the pipeline is cut.",
        |story, args| {
            let cut = "the link between the pipeline and New Relic is cut";
            said(story, cut, args.duration(0)?, args.duration(1)?)
        },
    ),
    when(
        "the pipeline is down from {duration} for {duration}",
        "Its process dies and starts again.",
        |story, args| said(story, "the pipeline crashes", args.duration(0)?, args.duration(1)?),
    ),
    when(
        "the simulation runs for {duration}",
        "Everything described so far happens.",
        |story, args| story.run(args.duration(0)?),
    )
    .at(Stage::Run),
];

fn add(story: &mut Story, fault: FaultSpec, from: Duration, to: Option<Duration>) -> StepResult {
    let lasts = to.map(|to| DurationText(to.saturating_sub(from)));
    story.scenario.fault.push(FaultSpec { at: DurationText(from), lasts, ..fault });
    Ok(())
}

fn said(story: &mut Story, words: &str, from: Duration, lasts: Duration) -> StepResult {
    let fault = speech::read(words).ok_or_else(|| super::impossible(words))?;
    add(story, fault, from, Some(from + lasts))
}
