//! The laws of circuit breakers, from everything that each breaker told and from what the
//! pipeline's ports saw.
//!
//! A breaker opens only after as many failures in a row as its threshold, half-opens only after its
//! delay, closes only after as many successes as its threshold, opens again at a failure while
//! half-open; its own counts are those of its events. While it is open no request begins, and while
//! it is half-open no more at once than its permits. What somebody did by hand excuses what comes
//! next.

use std::time::Duration;

use super::record::{BreakerEventRecord, BreakerNews, BreakerRecord, PipelineRecord, Record};
use super::{Check, Class, Finding};
use crate::resilience::breaker::StateKind;
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "breaker",
    promise: "breakers open, half-open and close by their thresholds, and let nothing through open",
    class: Class::Safety,
    examine,
};

/// The breaker that every request to New Relic's ingest passes.
pub const INGEST: &str = "event-api";

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let mut opens = 0;
    for life in &record.pipelines {
        for breaker in &life.resilience.breakers {
            let spans = obey(&mut finding, breaker, life.ended);
            if breaker.name == INGEST {
                opens += breaker.opens;
                guard(&mut finding, breaker, &spans, life);
            }
        }
    }
    let least = record.scenario.expect.breaker_opens_min;
    if opens < least {
        finding.violate(None, format!("{INGEST} opened {opens} times, at least {least} expected"));
    }
    finding
}

/// A time in one state.
struct Span {
    state: StateKind,
    from: SimTime,
    to: SimTime,
}

/// What a breaker has told since its last change.
struct Reading<'a> {
    breaker: &'a BreakerRecord,
    state: StateKind,
    since: SimTime,
    failures: u32,
    successes: u32,
    /// Failures in a row that are no doubt results of the present state.
    row: u32,
    changes: u64,
}

/// A result that comes later than this after a change belongs to a call of the present state.
const STALE_MAX: Duration = Duration::from_secs(60);

/// Holds the breaker's events to its thresholds; the times in its states.
fn obey(finding: &mut Finding, breaker: &BreakerRecord, end: SimTime) -> Vec<Span> {
    let mut reading = Reading {
        breaker,
        state: StateKind::Closed,
        since: SimTime::ZERO,
        failures: 0,
        successes: 0,
        row: 0,
        changes: 0,
    };
    let mut spans = Vec::new();
    let mut opens = 0;
    // The breaker itself is one object: it may have had nothing to tell.
    finding.examine();
    for (index, event) in breaker.events.iter().enumerate() {
        finding.examine();
        let BreakerNews::Change { from, to } = event.what else {
            reading.hear(finding, event);
            continue;
        };
        opens += u64::from(to == StateKind::Open);
        // A command is told after the change that it made.
        let by_hand = breaker.events.get(index + 1).is_some_and(|e| e.what == BreakerNews::ByHand);
        reading.change(finding, event.at, (from, to), by_hand);
        spans.push(Span { state: reading.state, from: reading.since, to: event.at });
        (reading.state, reading.since) = (to, event.at);
        (reading.failures, reading.successes, reading.row) = (0, 0, 0);
        reading.changes += 1;
    }
    spans.push(Span { state: reading.state, from: reading.since, to: end });
    let name = &breaker.name;
    let told = [
        ("transitions", breaker.generation, reading.changes),
        ("openings", breaker.opens, opens),
        ("present state", breaker.state.numeric().into(), reading.state.numeric().into()),
    ];
    for (what, counted, seen) in told {
        if counted != seen {
            finding.violate(Some(end), format!("{name} counts {counted} as {what}, told {seen}"));
        }
    }
    spans
}

impl Reading<'_> {
    /// Whether every result at `at` is one of the present state: none can be left of an earlier
    /// one, which would count for nothing.
    fn is_fresh(&self, at: SimTime) -> bool {
        self.changes == 0 || at > self.since + STALE_MAX
    }

    fn hear(&mut self, finding: &mut Finding, event: &BreakerEventRecord) {
        let fresh = self.is_fresh(event.at);
        match event.what {
            BreakerNews::Failure => {
                self.failures += 1;
                self.row += u32::from(fresh);
            }
            BreakerNews::Success => {
                self.successes += 1;
                self.row = 0;
                if fresh {
                    self.failures = 0;
                }
            }
            BreakerNews::Rejected | BreakerNews::ByHand | BreakerNews::Change { .. } => {}
        }
        if self.state == StateKind::Closed && self.row > self.breaker.failure_threshold {
            let (name, row) = (&self.breaker.name, self.row);
            let text = format!("{name} stays closed after {row} failures in a row");
            finding.violate(Some(event.at), text);
        }
    }

    /// Whether this change was due.
    fn change(
        &self,
        finding: &mut Finding,
        at: SimTime,
        (from, to): (StateKind, StateKind),
        by_hand: bool,
    ) {
        let Self { breaker, failures, successes, .. } = self;
        let name = &breaker.name;
        if from != self.state {
            let (from, state) = (from.as_str(), self.state.as_str());
            finding.violate(Some(at), format!("{name} left {from}, but was {state}"));
        }
        if by_hand {
            return;
        }
        let waited = at - self.since;
        let (wrong, what) = match (from, to) {
            (StateKind::Closed, StateKind::Open) => {
                let least = breaker.failure_threshold;
                (
                    *failures < least,
                    format!("opened after {failures} failures in a row, not {least}"),
                )
            }
            (StateKind::Open, StateKind::HalfOpen) => {
                let (waited_ms, delay) = (waited.as_millis(), breaker.retry_delay.as_millis());
                let what = format!("half-opened after {waited_ms} ms, not {delay} ms");
                (waited < breaker.retry_delay, what)
            }
            (StateKind::HalfOpen, StateKind::Closed) => {
                let least = breaker.success_threshold;
                (*successes < least, format!("closed after {successes} successes, not {least}"))
            }
            (StateKind::HalfOpen, StateKind::Open) => {
                (*failures == 0, "opened again without a failure".to_owned())
            }
            _ => (true, format!("went from {} to {}", from.as_str(), to.as_str())),
        };
        if wrong {
            finding.violate(Some(at), format!("{name} {what}"));
        }
    }
}

/// Holds the requests that the pipeline's ports saw to the breaker's states.
fn guard(finding: &mut Finding, breaker: &BreakerRecord, spans: &[Span], life: &PipelineRecord) {
    for span in spans {
        let begun = life.posts.iter().filter(|post| span.from < post.began && post.began < span.to);
        match span.state {
            StateKind::Closed => {}
            StateKind::Open => {
                for post in begun {
                    let since = span.from;
                    finding.violate(
                        Some(post.began),
                        format!("a request began although {} is open since {since}", breaker.name),
                    );
                }
            }
            StateKind::HalfOpen => {
                let posts: Vec<_> = begun.collect();
                for post in &posts {
                    let under_way = posts.iter().filter(|other| {
                        other.began <= post.began && other.ended.is_none_or(|at| at > post.began)
                    });
                    let count = under_way.count();
                    if count > breaker.half_open_max as usize {
                        let most = breaker.half_open_max;
                        finding.violate(
                            Some(post.began),
                            format!("{count} requests at once while half-open, at most {most}"),
                        );
                    }
                }
            }
        }
    }
}
