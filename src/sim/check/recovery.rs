//! What was cut off comes back: after a dependency's return the pipeline soon sends again, and in
//! the end all its guards are at rest.
//!
//! A return is an instant at which nothing hinders New Relic's ingest any more while the pipeline
//! has requests that failed and were not accepted since; a wait that New Relic asked for is part
//! of the hindrance. A pipeline that starts with events in its spool is one too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::record::{PipelineRecord, Record};
use super::{Check, Class, Finding};
use crate::resilience::breaker::StateKind;
use crate::resilience::recovery::ComponentState;
use crate::sim::atlas::Atlas;
use crate::sim::time::SimTime;

/// The check.
pub const CHECK: Check = Check {
    name: "recovery",
    promise: "after a dependency's return the pipeline soon sends again, and its guards come to rest",
    class: Class::Liveness,
    examine,
};

/// A return of ingest for which the pipeline had something waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Return {
    /// When New Relic would have taken it.
    pub at: SimTime,
    /// When it first did; `None` if the run, or the life, ended before.
    pub sent: Option<SimTime>,
}

impl Return {
    /// How long the pipeline took.
    pub fn took(&self) -> Option<Duration> {
        Some(self.sent? - self.at)
    }
}

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let limit = record.scenario.expect.recovery_max.0;
    for back in returns(record) {
        finding.examine();
        let took = back.took();
        let waited = took.unwrap_or(record.end - back.at);
        finding.measure(waited.as_secs_f64(), limit.as_secs_f64(), "s");
        if waited > limit {
            let what = if took.is_some() { "took" } else { "has taken nothing for" };
            let (waited, limit) = (waited.as_millis(), limit.as_millis());
            let text = format!("New Relic was back and {what} {waited} ms, limit {limit} ms");
            finding.violate(Some(back.at), text);
        }
    }
    if let Some(last) = record.pipelines.last().filter(|_| record.broken.is_none()) {
        at_rest(&mut finding, record, last);
    }
    finding
}

/// Breakers closed, components healthy.
fn at_rest(finding: &mut Finding, record: &Record, last: &PipelineRecord) {
    for breaker in &last.resilience.breakers {
        finding.examine();
        if breaker.state != StateKind::Closed {
            let (name, state) = (&breaker.name, breaker.state.as_str());
            finding.violate(Some(record.end), format!("{name} is {state} in the end"));
        }
    }
    for component in last.resilience.recovery.iter().flat_map(|all| &all.components) {
        finding.examine();
        let well = matches!(component.state, ComponentState::Healthy | ComponentState::Unknown);
        if !well {
            let (name, state) = (&component.name, component.state);
            finding.violate(Some(record.end), format!("{name} is {state:?} in the end"));
        }
    }
}

/// Every return, in order of time.
pub fn returns(record: &Record) -> Vec<Return> {
    let hindered = hindrances(record);
    let mut returns: Vec<Return> = Vec::new();
    for life in &record.pipelines {
        for (_, end) in hindered.iter().filter(|(_, end)| life.started < *end) {
            if *end < life.ended && waits(life, *end) {
                returns.extend(first_sent(record, life, *end));
            }
        }
        let calm = !hindered.iter().any(|(from, to)| *from <= life.started && life.started < *to);
        if life.ledger.recovered > 0 && calm {
            returns.extend(first_sent(record, life, life.started));
        }
    }
    returns.sort_by_key(|back| back.at);
    returns
}

/// The first batch that was taken after `end`; `None` when there was no time to tell.
fn first_sent(record: &Record, life: &PipelineRecord, end: SimTime) -> Option<Return> {
    let before = life.posts.iter().filter(|post| post.began <= end);
    let asked = before.filter_map(|post| post.asks_to_wait_until()).max();
    let at = asked.map_or(end, |asked| asked.max(end));
    let taken = life.posts.iter().filter(|post| post.accepted());
    let sent = taken.filter_map(|post| post.ended.filter(|sent| *sent > end)).min();
    let sent = sent.map(|sent| sent.max(at));
    // What hinders it next, or ends the life, came before the time was over: nobody can tell.
    let due = at + record.scenario.expect.recovery_max.0;
    let mut hindered = hindrances(record).into_iter().map(|(from, _)| from);
    let next = hindered.find(|from| *from > end).unwrap_or(record.end);
    let over = if life.crashed { next.min(life.ended) } else { next };
    let in_time = sent.is_some_and(|sent| sent <= due);
    (in_time || over > due).then_some(Return { at, sent })
}

/// Whether, at `at`, some request had failed and was not accepted since.
fn waits(life: &PipelineRecord, at: SimTime) -> bool {
    let mut waiting: BTreeMap<&str, bool> = BTreeMap::new();
    for post in life.posts.iter().filter(|post| post.began <= at) {
        let accepted = post.accepted() && post.ended.is_some_and(|ended| ended <= at);
        let known = waiting.entry(&post.request_id).or_insert(true);
        *known = *known && !accepted;
    }
    waiting.into_values().any(|waits| waits)
}

/// When ingest was out of the pipeline's reach or refused something, overlaps joined.
fn hindrances(record: &Record) -> Vec<(SimTime, SimTime)> {
    Atlas::with(&record.scenario, &record.faults).ingest.joined(Duration::ZERO)
}
