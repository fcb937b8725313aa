//! How it came to the broken promise: from the fault by way of what it did to messages, requests
//! and breakers to the instant at which a check found the promise broken.
//!
//! Invariants:
//! - A step follows from the one before by the trace's parents, or says that it does not.
//! - At most [`STEPS_MAX`] steps; walks along parents are bounded.

use std::collections::BTreeSet;

use super::log::{Log, concerns, message};
use super::{Chain, EventTold, Link, Outcome, Step, words};
use crate::resilience::breaker::StateKind;
use crate::sim::check::CheckResult;
use crate::sim::check::record::{BreakerNews, CycleRecord, PostAnswer, Record};
use crate::sim::fault::Fault;
use crate::sim::scenario::{NEWRELIC_HOST, PIPELINE_HOST};
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, TraceEvent};

/// Most steps.
const STEPS_MAX: usize = 14;
/// Most parents that are followed.
const WALK_MAX: u64 = 100_000;
/// Events shown before the end of a chain.
const LAST_EVENTS: usize = 50;
/// Events looked through for them.
const LOOK_BACK_MAX: usize = 200_000;

/// What the card is about.
pub(super) struct Focus<'a> {
    /// When.
    pub(super) at: SimTime,
    /// The first broken check; `None` when none was.
    pub(super) check: Option<&'a CheckResult>,
    /// What it is, in words.
    pub(super) words: String,
    /// The fault that matters most to it.
    fault: Option<&'a Fault>,
}

impl<'a> Focus<'a> {
    /// The earliest violation of the first broken check; else the first fault; else a cycle.
    pub(super) fn of(record: &'a Record, checks: &'a [CheckResult]) -> Self {
        if let Some(check) = checks.iter().find(|check| !check.passed()) {
            let first = check.finding.violations.first();
            let at = first.and_then(|violation| violation.at).unwrap_or(record.end);
            let words = format!("the broken promise ({})", check.name);
            return Self { at, check: Some(check), words, fault: responsible(record, at) };
        }
        if let Some(fault) = record.faults.first() {
            let words = format!("the begin of {}", fault.label);
            return Self { at: fault.from, check: None, words, fault: Some(fault) };
        }
        let cycles = || record.pipelines.iter().flat_map(|life| &life.cycles);
        let cycle = cycles().nth(1).or(cycles().next());
        let at = cycle.map_or(SimTime::ZERO, |cycle| cycle.started);
        Self { at, check: None, words: "a cycle".to_owned(), fault: None }
    }
}

/// The fault in force at `at` that began last; else the one that ended last before.
fn responsible(record: &Record, at: SimTime) -> Option<&Fault> {
    let begun = || record.faults.iter().filter(|fault| fault.from <= at);
    let in_force = begun().filter(|fault| at <= fault.to).max_by_key(|fault| fault.from);
    in_force.or_else(|| begun().max_by_key(|fault| fault.to))
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
        let named = hosts_of(record, fault);
        steps.extend(fault_steps(log, fault, &named, focus));
        hosts.extend(named);
        steps.extend(milestones(record, log, fault, focus));
    }
    steps.extend(anchor_steps(log, focus));
    steps.sort_by_key(|step| (step.at, step.event));
    steps.dedup_by(|a, b| a.event.is_some() && a.event == b.event);
    shorten(&mut steps);
    link(log, &mut steps);
    if let Some(check) = focus.check {
        let words = check.first_violation().unwrap_or_default();
        steps.push(Step {
            at: focus.at.max(steps.last().map_or(SimTime::ZERO, |step| step.at)),
            event: None,
            source: check.name.to_owned(),
            words,
            link: Link::Found,
        });
    }
    let honesty = honesty(record, &steps, focus);
    (Chain { steps, honesty }, hosts)
}

fn step(event: &TraceEvent) -> Step {
    Step {
        at: event.at,
        event: Some(event.id),
        source: event.source.clone(),
        words: words::event(event),
        link: Link::First,
    }
}

/// The fault's begin, the first harm that it did to a message, and its end.
fn fault_steps(
    log: &Log<'_>,
    fault: &Fault,
    hosts: &BTreeSet<String>,
    focus: &Focus<'_>,
) -> Vec<Step> {
    let of_fault = |at: SimTime, kind: &str| {
        let told = |event: &TraceEvent| {
            let named = event.field("label").is_some_and(|label| label == fault.label);
            event.source == "fault" && event.kind == kind && (named || event.words() == fault.label)
        };
        log.between(at, at).find(told).map_or_else(
            || Step {
                at,
                event: None,
                source: "fault".to_owned(),
                words: format!("{kind}s: {}", fault.label),
                link: Link::First,
            },
            |event| step(&event),
        )
    };
    let mut steps = vec![of_fault(fault.from, "begin")];
    let until = if focus.check.is_some() { focus.at.max(fault.from) } else { fault.to };
    let touched = |event: &TraceEvent| hosts.iter().any(|host| concerns(event, host));
    let harm = |event: &TraceEvent| {
        let hurt = message(event).is_some_and(|message| message.outcome != Outcome::Arrived);
        (hurt || (event.source == "net" && event.kind == "timeout")) && touched(event)
    };
    steps.extend(log.between(fault.from, until).find(harm).map(|event| step(&event)));
    if fault.to <= until && fault.to > fault.from {
        steps.push(of_fault(fault.to, "end"));
    }
    steps
}

/// The first failed request, the first incomplete cycle and the first open breaker after the
/// fault's begin; after the end of a fault that was survived, the first success.
fn milestones(record: &Record, log: &Log<'_>, fault: &Fault, focus: &Focus<'_>) -> Vec<Step> {
    let until = if focus.check.is_some() { focus.at } else { record.end };
    let within = |at: SimTime| fault.from <= at && at <= until;
    let mut steps = Vec::new();
    let posts = || record.pipelines.iter().flat_map(|life| &life.posts);
    let failed =
        posts().find(|post| post.ended.is_some_and(within) && post.answer != PostAnswer::Accepted);
    steps.extend(failed.and_then(|post| {
        let what = match post.answer {
            PostAnswer::Refused(status) => format!("is refused with {status}"),
            PostAnswer::Unreadable => "gets an answer that cannot be read".to_owned(),
            _ => "gets no answer".to_owned(),
        };
        let words = format!("a POST begun at {} {what}", post.began);
        Some(told(log, post.ended?, "post-end", PIPELINE_HOST, words))
    }));
    let cycles = || record.pipelines.iter().flat_map(|life| &life.cycles);
    let lacks = |cycle: &&CycleRecord| {
        within(cycle.ended) && (!cycle.failed.is_empty() || parts(cycle) > 0 || cycle.cut_off)
    };
    steps.extend(cycles().find(lacks).map(|cycle| {
        let what = match (cycle.cut_off, cycle.failed.is_empty()) {
            (true, _) => "is cut off".to_owned(),
            (false, false) => format!("gets nothing from {}", cycle.failed.join(", ")),
            (false, true) => format!("reports {} missing parts", parts(cycle)),
        };
        let words = format!("cycle {} {what}", cycle.number);
        told(log, cycle.ended, "cycle-end", PIPELINE_HOST, words)
    }));
    steps.extend(breaker_step(record, log, within, StateKind::Open, "opens"));
    if focus.check.is_none() && fault.to > fault.from {
        let after = |at: SimTime| fault.to <= at;
        steps.extend(breaker_step(record, log, after, StateKind::Closed, "closes again"));
        let taken = posts().find(|post| post.accepted() && post.began >= fault.to);
        steps.extend(taken.and_then(|post| {
            let words = "the first POST after the fault is accepted".to_owned();
            Some(told(log, post.ended?, "post-end", PIPELINE_HOST, words))
        }));
    }
    steps
}

fn parts(cycle: &CycleRecord) -> u64 {
    cycle.missing.values().flat_map(|parts| parts.values()).sum()
}

fn breaker_step(
    record: &Record,
    log: &Log<'_>,
    within: impl Fn(SimTime) -> bool,
    state: StateKind,
    verb: &str,
) -> Option<Step> {
    let breakers = record.pipelines.iter().flat_map(|life| &life.resilience.breakers);
    let changes = breakers.flat_map(|breaker| {
        breaker.events.iter().filter_map(move |event| match event.what {
            BreakerNews::Change { to, .. } => Some((event.at, &breaker.name, to)),
            _ => None,
        })
    });
    let first = changes.filter(|(at, _, to)| within(*at) && *to == state);
    let (at, name, _) = first.min_by_key(|(at, ..)| *at)?;
    Some(told(log, at, "breaker", PIPELINE_HOST, format!("the breaker {name} {verb}")))
}

/// A step that the record tells, with its event of the trace if there is one at that instant.
fn told(log: &Log<'_>, at: SimTime, kind: &str, source: &str, words: String) -> Step {
    // Reports count whole milliseconds, rounded up.
    let from = SimTime(at.0.saturating_sub(1_500_000));
    let event = log.between(from, at).filter(|event| event.kind == kind).last();
    let (at, event) = event.map_or((at, None), |event| (event.at, Some(event.id)));
    Step { at, event, source: source.to_owned(), words, link: Link::First }
}

/// What the pipeline did at the focus, and how the trace says it came to that.
fn anchor_steps(log: &Log<'_>, focus: &Focus<'_>) -> Vec<Step> {
    if focus.check.is_none() {
        return Vec::new();
    }
    let own =
        |event: &TraceEvent| event.source == PIPELINE_HOST && words::application(event).is_some();
    let before = log.before(focus.at).take(LOOK_BACK_MAX).find(own);
    let Some(anchor) = before else { return Vec::new() };
    let mut steps = vec![step(&anchor)];
    let mut at = anchor;
    for _ in 0..WALK_MAX {
        let Some(parent) = at.parent.and_then(|parent| log.by_id(parent)) else { break };
        let notable = parent.source == "fault"
            || words::application(&parent).is_some()
            || message(&parent).is_some_and(|message| message.outcome != Outcome::Arrived);
        if notable {
            steps.push(step(&parent));
        }
        at = parent;
    }
    // The nearest matter most; the one it began with says whether a fault did.
    if steps.len() > STEPS_MAX / 2 {
        let root = steps.pop();
        steps.truncate(STEPS_MAX / 2 - 1);
        steps.extend(root);
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

fn link(log: &Log<'_>, steps: &mut [Step]) {
    let ids: Vec<Option<EventId>> = steps.iter().map(|step| step.event).collect();
    for (index, step) in steps.iter_mut().enumerate().skip(1) {
        let before = ids.get(index - 1).copied().flatten();
        let distance =
            before.zip(step.event).and_then(|(before, own)| log.distance(before, own, WALK_MAX));
        step.link = match distance {
            Some(0 | 1) => Link::Recorded,
            Some(steps) => Link::Via(steps - 1),
            None => Link::Inferred,
        };
    }
}

fn honesty(record: &Record, steps: &[Step], focus: &Focus<'_>) -> String {
    if focus.check.is_some() && focus.fault.is_none() {
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
    let recorded = |step: &&Step| matches!(step.link, Link::Recorded | Link::Via(_));
    let known = steps.iter().filter(recorded).count();
    let found = steps.iter().filter(|step| step.link == Link::Found).count();
    match steps.len() - 1 - found {
        all if known == all => "Every step follows from the one before by the trace.".to_owned(),
        _ if known == 0 => {
            "The trace records no cause for any of these steps (dotted): they stand \
                            here for their time."
                .to_owned()
        }
        all => format!(
            "{known} of {all} steps follow from the one before by the causes that the trace \
             records; the others (dotted) stand here for their time alone."
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
    let matters = |event: &TraceEvent| {
        event.source == "fault" || hosts.iter().any(|host| concerns(event, host))
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
