//! How it came to the broken promise: from the fault by way of what it did to messages, requests
//! and breakers to the instant at which a check found the promise broken.
//!
//! Invariants:
//! - A step follows from an earlier one by the trace's parents, or says that it does not.
//! - A fault is said to have led to the broken promise only where parents lead from the one to what
//!   the pipeline did when the other was found; what only came earlier is said to be just that.
//! - At most [`STEPS_MAX`] steps; walks along parents are bounded.

use std::collections::BTreeSet;

use super::log::{Log, concerns, message};
use super::milestones::{Consequences, milestones};
use super::{Chain, EventTold, Link, Outcome, Step, words};
use crate::sim::check::CheckResult;
use crate::sim::check::record::Record;
use crate::sim::fault::Fault;
use crate::sim::run::broken::{FirstBroken, first_broken};
use crate::sim::scenario::{NEWRELIC_HOST, PIPELINE_HOST};
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, TraceEvent};

/// Most steps.
const STEPS_MAX: usize = 14;
/// Most parents that are followed.
const WALK_MAX: u64 = 100_000;
/// Most notable ancestors of what the pipeline did when the promise broke.
const ANCESTORS_MAX: usize = 5;
/// Events shown before the end of a chain.
const LAST_EVENTS: usize = 50;
/// Events looked through for them.
const LOOK_BACK_MAX: usize = 200_000;
/// Faults that are compared for the most notable one.
const FAULTS_MAX: usize = 8;
/// Times of checks are whole milliseconds, those of events are exact.
const NEAR_NS: u64 = 2_000_000;

/// What the card is about.
pub(super) struct Focus<'a> {
    /// When.
    pub(super) at: SimTime,
    /// The first broken promise; `None` when none broke.
    pub(super) broken: Option<FirstBroken<'a>>,
    /// What it is, in words.
    pub(super) words: String,
    /// The fault that matters most to it.
    fault: Option<&'a Fault>,
    /// Whether the trace says that the fault led to what the pipeline did then.
    is_led: bool,
    /// What the pipeline did then.
    anchor: Option<TraceEvent>,
}

impl<'a> Focus<'a> {
    /// The first broken promise; else the fault with most consequences; else a cycle.
    pub(super) fn of(record: &'a Record, checks: &'a [CheckResult], log: &Log<'_>) -> Self {
        if let Some(broken) = first_broken(checks, record.end) {
            let at = broken.at;
            let words = format!("the broken promise ({})", broken.check.name);
            let anchor = anchor(log, at);
            let blamed = blamed(record, log, anchor.as_ref());
            // What happened last says little about what was missed all along.
            let is_led = blamed.is_some() && at < record.end;
            let fault = blamed.or_else(|| responsible(record, at));
            return Self { at, broken: Some(broken), words, fault, is_led, anchor };
        }
        if let Some(fault) = notable(record, log) {
            let words = format!("the begin of {}", fault.label);
            let (at, fault) = (fault.from, Some(fault));
            return Self { at, broken: None, words, fault, is_led: false, anchor: None };
        }
        let cycles = || record.pipelines.iter().flat_map(|life| &life.cycles);
        let cycle = cycles().nth(1).or(cycles().next());
        let at = cycle.map_or(SimTime::ZERO, |cycle| cycle.started);
        let words = "a cycle".to_owned();
        Self { at, broken: None, words, fault: None, is_led: false, anchor: None }
    }
}

/// What the pipeline did at `at`: the end of the cycle that began then, or whatever is nearest
/// before.
fn anchor(log: &Log<'_>, at: SimTime) -> Option<TraceEvent> {
    let own =
        |event: &TraceEvent| event.source == PIPELINE_HOST && words::application(event).is_some();
    let near = SimTime(at.0.saturating_add(NEAR_NS));
    let then = log.between(at, near).find(own);
    let then = then.or_else(|| log.before(at).take(LOOK_BACK_MAX).find(own))?;
    if then.kind != "cycle-begin" {
        return Some(then);
    }
    let number = then.field("number").map(str::to_owned);
    let ends = |event: &TraceEvent| {
        event.kind == "cycle-end" && event.field("number").map(str::to_owned) == number
    };
    let after = log.between(then.at, SimTime(u64::MAX)).take(LOOK_BACK_MAX);
    Some(after.into_iter().find(ends).unwrap_or(then))
}

/// The event of a fault's begin.
pub(super) fn begin_of(log: &Log<'_>, fault: &Fault) -> Option<TraceEvent> {
    let named = |event: &TraceEvent| {
        let label = event.field("label").map_or_else(|| event.words(), str::to_owned);
        event.source == "fault" && event.kind == "begin" && label == fault.label
    };
    log.between(fault.from, fault.from).find(named)
}

/// The fault that the trace says led to `anchor`.
fn blamed<'a>(record: &'a Record, log: &Log<'_>, anchor: Option<&TraceEvent>) -> Option<&'a Fault> {
    let mut at = anchor?.clone();
    for _ in 0..WALK_MAX {
        if at.source == "fault" && at.kind == "begin" {
            let label = at.field("label").map_or_else(|| at.words(), str::to_owned);
            return record.faults.iter().find(|f| f.label == label && f.from == at.at);
        }
        at = log.by_id(at.parent?)?;
    }
    None
}

/// The fault in force at `at` that began last; else the one that ended last before.
fn responsible(record: &Record, at: SimTime) -> Option<&Fault> {
    let begun = || record.faults.iter().filter(|fault| fault.from <= at);
    let in_force = begun().filter(|fault| at <= fault.to).max_by_key(|fault| fault.from);
    in_force.or_else(|| begun().max_by_key(|fault| fault.to))
}

/// The fault that had most kinds of consequences; of several the first.
fn notable<'a>(record: &'a Record, log: &Log<'_>) -> Option<&'a Fault> {
    let weight = |fault: &Fault| Consequences::of(log, fault, record.end).kinds();
    let faults = record.faults.iter().take(FAULTS_MAX).rev();
    faults.max_by_key(|fault| weight(fault))
}

/// The hosts that a fault names; New Relic's own faults name none.
fn hosts_of(record: &Record, fault: &Fault) -> BTreeSet<String> {
    let hosts: BTreeSet<String> = words::spec_of(record, fault)
        .into_iter()
        .flat_map(|spec| spec.hosts())
        .map(|(_, host)| host)
        .collect();
    if hosts.is_empty() { BTreeSet::from([NEWRELIC_HOST.to_owned()]) } else { hosts }
}

/// The chain, and the hosts on it.
pub(super) fn chain(
    record: &Record,
    log: &Log<'_>,
    focus: &Focus<'_>,
) -> (Chain, BTreeSet<String>) {
    let mut steps: Vec<Step> = Vec::new();
    let mut hosts = BTreeSet::from([PIPELINE_HOST.to_owned()]);
    if let Some(fault) = focus.fault {
        steps.extend(fault_steps(record, log, fault, focus));
        hosts.extend(hosts_of(record, fault));
    }
    steps.extend(anchor_steps(record, log, focus));
    steps.sort_by_key(|step| (step.at, step.event));
    steps.dedup_by(|a, b| a.event.is_some() && a.event == b.event);
    shorten(&mut steps);
    link(log, &mut steps);
    if let Some(broken) = focus.broken {
        let words = broken.words();
        let last = steps.last().map_or(SimTime::ZERO, |step| step.at);
        let (at, source, link) = (focus.at.max(last), broken.check.name.to_owned(), Link::Found);
        steps.push(Step { at, event: None, source, words, link });
    }
    let honesty = honesty(record, &steps, focus);
    (Chain { steps, honesty }, hosts)
}

/// A step that is this event.
pub(super) fn step(event: &TraceEvent) -> Step {
    Step {
        at: event.at,
        event: Some(event.id),
        source: event.source.clone(),
        words: words::event(event),
        link: Link::First,
    }
}

/// The fault's begin, what came of it, its end, and what came after it if it was survived.
fn fault_steps(record: &Record, log: &Log<'_>, fault: &Fault, focus: &Focus<'_>) -> Vec<Step> {
    let bare = |verb: &str, at: SimTime| Step {
        at,
        event: None,
        source: "fault".to_owned(),
        words: format!("{verb}: {}", fault.label),
        link: Link::First,
    };
    let begin = begin_of(log, fault);
    let mut steps = vec![begin.as_ref().map_or_else(|| bare("begins", fault.from), step)];
    let until = match &focus.anchor {
        Some(anchor) => anchor.at.max(focus.at),
        None if focus.broken.is_some() => focus.at,
        None => record.end,
    };
    let consequences = Consequences::of(log, fault, until);
    if consequences.kinds() > 0 {
        steps.extend(consequences.events().map(step));
    } else {
        steps.extend(milestones(record, log, fault, until));
    }
    if fault.to <= until && fault.to > fault.from {
        let end = |event: &TraceEvent| {
            let led = begin.as_ref().is_some_and(|begin| event.parent == Some(begin.id));
            event.source == "fault" && event.kind == "end" && led
        };
        let end = log.between(fault.to, fault.to).find(end);
        steps.push(end.as_ref().map_or_else(|| bare("ends", fault.to), step));
        if focus.broken.is_none() {
            steps.extend(recovery(log, fault, record.end, consequences.opened()));
        }
    }
    steps
}

/// The first accepted POST after a fault, and the breaker's closing if it had opened.
fn recovery(log: &Log<'_>, fault: &Fault, end: SimTime, opened: bool) -> Vec<Step> {
    let mut events = log.between(fault.to, end).take(LOOK_BACK_MAX);
    let accepted =
        |event: &TraceEvent| event.kind == "post-end" && event.field("answer") == Some("accepted");
    let closed = |event: &TraceEvent| {
        event.kind == "breaker" && event.field("to").is_some_and(|to| to == "CLOSED")
    };
    let first = events.find(accepted);
    let then = if opened { events.find(closed) } else { None };
    first.iter().chain(&then).map(step).collect()
}

/// What the pipeline did at the focus, and what the trace says led to it.
fn anchor_steps(record: &Record, log: &Log<'_>, focus: &Focus<'_>) -> Vec<Step> {
    // What happened last says little about what was missed all along.
    let anchor = focus.anchor.as_ref().filter(|_| focus.at < record.end);
    let Some(anchor) = anchor else { return Vec::new() };
    let mut steps = vec![step(anchor)];
    let mut at = anchor.clone();
    for _ in 0..WALK_MAX {
        let Some(parent) = at.parent.and_then(|parent| log.by_id(parent)) else { break };
        let is_news = parent.source == "fault"
            || (words::application(&parent).is_some() && parent.kind != "component")
            || message(&parent).is_some_and(|message| message.outcome != Outcome::Arrived);
        let is_begin = parent.source == "fault" && parent.kind == "begin";
        if (is_news && steps.len() <= ANCESTORS_MAX) || is_begin {
            steps.push(step(&parent));
        }
        at = parent;
    }
    steps
}

/// Keeps the first steps and the last ones.
fn shorten(steps: &mut Vec<Step>) {
    if steps.len() > STEPS_MAX {
        let excess = steps.len() - STEPS_MAX;
        steps.drain(STEPS_MAX / 2..STEPS_MAX / 2 + excess);
    }
}

/// Says for every step which earlier one led to it, the nearest first.
fn link(log: &Log<'_>, steps: &mut [Step]) {
    let known: Vec<(SimTime, Option<EventId>)> =
        steps.iter().map(|step| (step.at, step.event)).collect();
    for (index, step) in steps.iter_mut().enumerate().skip(1) {
        let Some(own) = step.event else {
            step.link = Link::Inferred;
            continue;
        };
        let led = |(place, (at, event)): (usize, &(SimTime, Option<EventId>))| {
            let steps = log.distance((*event)?, own, WALK_MAX)?;
            let from = (place + 1 < index).then_some(*at);
            Some(Link::Recorded { from, via: steps.saturating_sub(1) })
        };
        let earlier = known.iter().enumerate().take(index).rev();
        let event = log.by_id(own);
        let is_begin = |event: &TraceEvent| event.source == "fault" && event.kind == "begin";
        if event.as_ref().is_some_and(is_begin) {
            // The scenario gives its time: nothing leads to it.
            step.link = Link::First;
            continue;
        }
        let named = || event.is_some_and(|event| words::fault_named(&event).is_some());
        step.link = match earlier.filter_map(led).next() {
            Some(link) => link,
            None if named() => Link::Named,
            None => Link::Inferred,
        };
    }
}

/// What is proven of the chain, and what is not.
fn honesty(record: &Record, steps: &[Step], focus: &Focus<'_>) -> String {
    if focus.broken.is_some() && focus.fault.is_none() {
        let none = if record.faults.is_empty() {
            "The scenario has no fault"
        } else {
            "No fault had begun when the promise broke"
        };
        return format!("{none}: what is wrong is not in the world but in the pipeline.");
    }
    if steps.is_empty() {
        return "No fault, and nothing to explain.".to_owned();
    }
    let inferred = steps.iter().filter(|step| step.link == Link::Inferred).count();
    let is_led = |step: &&Step| matches!(step.link, Link::Recorded { .. } | Link::Named);
    let links = links(inferred + steps.iter().filter(is_led).count(), inferred);
    match (&focus.broken, focus.is_led) {
        (None, _) => links,
        (Some(_), true) => format!(
            "The trace records a chain from the fault to what the pipeline did when the promise \
             broke; that this broke it is what the check found. {links}"
        ),
        (Some(_), false) => {
            format!("No chain from a fault to the broken promise was found. {links}")
        }
    }
}

/// How many of the steps that follow another are proven to.
fn links(following: usize, inferred: usize) -> String {
    match following {
        0 => "The trace records nothing in between.".to_owned(),
        _ if inferred == 0 => "Every event was led to by an earlier one, as the trace records \
            (solid lines)."
            .to_owned(),
        all if inferred == all => "The trace records no cause for any of these events (dotted \
            lines): they stand here for their time alone."
            .to_owned(),
        all => format!(
            "{} of {all} events were led to by an earlier one, as the trace records (solid \
             lines); the others (dotted lines) stand here for their time alone.",
            all - inferred
        ),
    }
}

/// The last events on `hosts` up to the end of the chain.
pub(super) fn last_events(
    log: &Log<'_>,
    chain: &Chain,
    hosts: &BTreeSet<String>,
    focus: SimTime,
) -> Vec<EventTold> {
    let at = chain.steps.last().map_or(focus, |step| step.at.max(focus));
    // What only keeps a connection's books says nothing.
    let is_book = |event: &TraceEvent| {
        event.field("kind").is_some_and(|kind| ["credit", "ack"].contains(&kind))
    };
    let matters = |event: &TraceEvent| {
        !is_book(event)
            && (event.source == "fault" || hosts.iter().any(|host| concerns(event, host)))
    };
    let in_chain = |id: EventId| chain.steps.iter().any(|step| step.event == Some(id));
    let told = |event: TraceEvent| EventTold {
        at: event.at,
        id: event.id,
        parent: event.parent,
        in_chain: in_chain(event.id),
        words: words::event(&event),
        source: event.source,
    };
    let found = log.before(at).take(LOOK_BACK_MAX).filter(matters);
    let mut events: Vec<EventTold> = found.take(LAST_EVENTS).map(told).collect();
    events.reverse();
    events
}
