//! What came of a fault: by the causes that the trace records, or, where it records none, by time.
//!
//! Invariant: of each kind of consequence only the first is told.

use super::chain::begin_of;
use super::log::{Log, message};
use super::{Link, Outcome, Step, words};
use crate::resilience::breaker::StateKind;
use crate::sim::check::record::{BreakerNews, CycleRecord, PostAnswer, Record};
use crate::sim::fault::Fault;
use crate::sim::scenario::PIPELINE_HOST;
use crate::sim::time::SimTime;
use crate::sim::trace::TraceEvent;

/// Events looked through.
const LOOK_MAX: usize = 60_000;

/// Kinds of consequences, in the order in which they tend to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Something happened to a message, or New Relic answered by the fault.
    Harm,
    /// A POST failed.
    Post,
    /// A cycle lacks something.
    Cycle,
    /// A breaker opened.
    Opened,
}

/// The first consequence of each kind.
#[derive(Debug, Default)]
pub(super) struct Consequences(Vec<(Kind, TraceEvent)>);

impl Consequences {
    /// What the trace says that `fault` led to, until `until`.
    pub(super) fn of(log: &Log<'_>, fault: &Fault, until: SimTime) -> Self {
        let Some(begin) = begin_of(log, fault) else { return Self::default() };
        let first = begin.id.0;
        let mut led = vec![true];
        let mut found = Self::default();
        // Not by time: what led to an event must have been looked at before it.
        for event in log.after(begin.id, LOOK_MAX) {
            let Some(place) = event.id.0.checked_sub(first) else { continue };
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            let by_parent = event
                .parent
                .and_then(|parent| parent.0.checked_sub(first))
                .and_then(|parent| led.get(usize::try_from(parent).unwrap_or(usize::MAX)))
                .is_some_and(|led| *led);
            let is_led = by_parent || words::fault_named(&event) == Some(fault.kind);
            // Ids count lines, so places come one after the other.
            led.resize(place.min(LOOK_MAX), false);
            led.push(is_led);
            if let Some(kind) = kind(&event).filter(|_| is_led && event.at <= until) {
                found.note(kind, event);
            }
        }
        found.0.sort_by_key(|(_, event)| (event.at, event.id));
        found
    }

    /// Keeps the earliest of each kind.
    fn note(&mut self, kind: Kind, event: TraceEvent) {
        match self.0.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, known)) if event.at < known.at => *known = event,
            Some(_) => {}
            None => self.0.push((kind, event)),
        }
    }

    /// How many kinds there were.
    pub(super) fn kinds(&self) -> usize {
        self.0.len()
    }

    /// Whether a breaker opened.
    pub(super) fn opened(&self) -> bool {
        self.0.iter().any(|(kind, _)| *kind == Kind::Opened)
    }

    /// The events, in order of time.
    pub(super) fn events(&self) -> impl Iterator<Item = &TraceEvent> {
        self.0.iter().map(|(_, event)| event)
    }
}

fn kind(event: &TraceEvent) -> Option<Kind> {
    let hurt = message(event).is_some_and(|message| message.outcome != Outcome::Arrived);
    if hurt || (event.source == "net" && event.kind == "timeout") {
        return Some(Kind::Harm);
    }
    let (_, outcome) = words::application(event)?;
    match event.kind.as_str() {
        "request" if words::fault_named(event).is_some() => Some(Kind::Harm),
        _ if outcome == Outcome::Arrived => None,
        "post-end" => Some(Kind::Post),
        "cycle-end" => Some(Kind::Cycle),
        "breaker" => Some(Kind::Opened),
        _ => None,
    }
}

/// The first failed request, the first incomplete cycle and the first open breaker after the
/// fault's begin, as the record has them.
pub(super) fn milestones(
    record: &Record,
    log: &Log<'_>,
    fault: &Fault,
    until: SimTime,
) -> Vec<Step> {
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
        Some(told(log, post.ended?, "post-end", words))
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
        told(log, cycle.ended, "cycle-end", format!("cycle {} {what}", cycle.number))
    }));
    let breakers = record.pipelines.iter().flat_map(|life| &life.resilience.breakers);
    let opened = breakers.flat_map(|breaker| {
        breaker.events.iter().filter_map(move |event| match event.what {
            BreakerNews::Change { to: StateKind::Open, .. } => Some((event.at, &breaker.name)),
            _ => None,
        })
    });
    let first = opened.filter(|(at, _)| within(*at)).min_by_key(|(at, _)| *at);
    let opens = |(at, name): (SimTime, &String)| {
        told(log, at, "breaker", format!("the breaker {name} opens"))
    };
    steps.extend(first.map(opens));
    steps
}

fn parts(cycle: &CycleRecord) -> u64 {
    cycle.missing.values().flat_map(|parts| parts.values()).sum()
}

/// A step that the record tells, with its event of the trace if there is one at that instant.
fn told(log: &Log<'_>, at: SimTime, kind: &str, words: String) -> Step {
    // Reports count whole milliseconds, rounded up.
    let from = SimTime(at.0.saturating_sub(1_500_000));
    let event = log.between(from, at).filter(|event| event.kind == kind).last();
    let (at, event) = event.map_or((at, None), |event| (event.at, Some(event.id)));
    Step { at, event, source: PIPELINE_HOST.to_owned(), words, link: Link::First }
}
