//! The laws of circuit breakers, from everything that each breaker told and from what the
//! pipeline's ports saw.
//!
//! A breaker opens only after as many failures in a row as its threshold, half-opens only after its
//! delay, closes only after as many successes as its threshold, opens again at a failure while
//! half-open; its own counts are those of its events. While it is open no request begins, and while
//! it is half-open no more at once than its permits. What somebody did by hand excuses what comes
//! next.

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
    failures_in_a_row: u32,
    successes_in_a_row: u32,
    by_hand: bool,
}

/// Holds the breaker's events to its thresholds; the times in its states.
fn obey(finding: &mut Finding, breaker: &BreakerRecord, end: SimTime) -> Vec<Span> {
    let mut reading = Reading {
        breaker,
        state: StateKind::Closed,
        since: SimTime::ZERO,
        failures_in_a_row: 0,
        successes_in_a_row: 0,
        by_hand: false,
    };
    let mut spans = Vec::new();
    let (mut changes, mut opens) = (0, 0);
    // The breaker itself is one object: it may have had nothing to tell.
    finding.examine();
    for event in &breaker.events {
        finding.examine();
        if let BreakerNews::Change { from, to } = event.what {
            changes += 1;
            opens += u64::from(to == StateKind::Open);
            reading.change(finding, event, from, to);
            spans.push(Span { state: reading.state, from: reading.since, to: event.at });
            (reading.state, reading.since, reading.by_hand) = (to, event.at, false);
            (reading.failures_in_a_row, reading.successes_in_a_row) = (0, 0);
        } else {
            reading.hear(event.what);
        }
    }
    spans.push(Span { state: reading.state, from: reading.since, to: end });
    let name = &breaker.name;
    let told = [
        ("transitions", breaker.generation, changes),
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
    fn hear(&mut self, news: BreakerNews) {
        match news {
            BreakerNews::Failure => {
                self.failures_in_a_row += 1;
                self.successes_in_a_row = 0;
            }
            BreakerNews::Success => {
                self.successes_in_a_row += 1;
                self.failures_in_a_row = 0;
            }
            BreakerNews::ByHand => self.by_hand = true,
            BreakerNews::Rejected | BreakerNews::Change { .. } => {}
        }
    }

    /// Whether this change was due.
    fn change(
        &self,
        finding: &mut Finding,
        event: &BreakerEventRecord,
        from: StateKind,
        to: StateKind,
    ) {
        let Self { breaker, state, failures_in_a_row, successes_in_a_row, .. } = self;
        let name = &breaker.name;
        if from != *state {
            let (from, state) = (from.as_str(), state.as_str());
            finding.violate(Some(event.at), format!("{name} left {from}, but was {state}"));
        }
        if self.by_hand {
            return;
        }
        let waited = event.at - self.since;
        let wrong = match (from, to) {
            (StateKind::Closed, StateKind::Open) => {
                (*failures_in_a_row < breaker.failure_threshold).then(|| {
                    let least = breaker.failure_threshold;
                    format!("opened after {failures_in_a_row} failures in a row, not {least}")
                })
            }
            (StateKind::Open, StateKind::HalfOpen) => (waited < breaker.retry_delay).then(|| {
                let delay = breaker.retry_delay.as_millis();
                format!("half-opened after {} ms, not {delay} ms", waited.as_millis())
            }),
            (StateKind::HalfOpen, StateKind::Closed) => {
                (*successes_in_a_row < breaker.success_threshold).then(|| {
                    let least = breaker.success_threshold;
                    format!("closed after {successes_in_a_row} successes, not {least}")
                })
            }
            (StateKind::HalfOpen, StateKind::Open) => {
                (*failures_in_a_row == 0).then(|| "opened again without a failure".to_owned())
            }
            _ => Some(format!("went from {} to {}", from.as_str(), to.as_str())),
        };
        if let Some(wrong) = wrong {
            finding.violate(Some(event.at), format!("{name} {wrong}"));
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
