//! The run as rows of time: faults, hosts, the pipeline, its breakers, what New Relic took, and the
//! promises that were broken.
//!
//! Invariants:
//! - A row has at most [`MARKS_MAX`] marks: neighbours that read alike become one.
//! - A group has at most [`LANES_MAX`] rows; the rest is counted.

use std::cmp::Reverse;
use std::time::Duration;

use super::LaneGroup;
use crate::resilience::breaker::StateKind;
use crate::sim::check::record::{BreakerNews, PipelineRecord, PostAnswer, PostRecord, Record};
use crate::sim::check::{CheckResult, Violation};
use crate::sim::fleet::broker_host;
use crate::sim::report::timeline::{Lane, Mark, Tone};
use crate::sim::run::picture::{cycles_lane, mark, stored_lane};
use crate::sim::scenario::PIPELINE_HOST;
use crate::sim::time::SimTime;

/// Most rows of a group.
const LANES_MAX: usize = 12;
/// Most marks of a row.
const MARKS_MAX: usize = 160;

/// All groups, top to bottom; empty ones are left out.
pub(super) fn groups(record: &Record, checks: &[CheckResult]) -> Vec<LaneGroup> {
    let pipeline = || {
        let mut lanes = vec![cycles_lane(&record.pipelines)];
        if record.pipelines.iter().any(|life| life.crashed) {
            lanes.insert(0, lives(record));
        }
        lanes
    };
    let newrelic = vec![requests(record), stored_lane(record)];
    let groups = [
        group("Faults", record, faults(record), 0),
        group("Hosts", record, hosts(record), quiet_hosts(record)),
        group("Pipeline", record, pipeline(), 0),
        group("Breakers", record, breakers(record), 0),
        group("New Relic", record, newrelic, 0),
        group("Broken promises", record, broken(record, checks), 0),
    ];
    groups.into_iter().filter(|group| !group.lanes.is_empty()).collect()
}

fn group(name: &'static str, record: &Record, lanes: Vec<Lane>, quiet: usize) -> LaneGroup {
    let left_out = quiet + lanes.len().saturating_sub(LANES_MAX);
    let short = |lane: Lane| Lane { marks: joined(lane.marks, record.end), ..lane };
    LaneGroup { name, lanes: lanes.into_iter().take(LANES_MAX).map(short).collect(), left_out }
}

/// One row for each fault; one for each kind when there are more than fit.
fn faults(record: &Record) -> Vec<Lane> {
    let fits = record.faults.len() <= LANES_MAX;
    let mut lanes: Vec<Lane> = Vec::new();
    for fault in &record.faults {
        let label = if fits { &fault.label } else { fault.kind };
        let mark = mark(fault.from, fault.to.min(record.end), Tone::Fault, &fault.label);
        match lanes.iter_mut().find(|lane| lane.label == *label) {
            Some(lane) => lane.marks.push(mark),
            None => lanes.push(Lane { label: label.to_owned(), marks: vec![mark] }),
        }
    }
    lanes
}

/// Brokers that were down, the longest first.
fn hosts(record: &Record) -> Vec<Lane> {
    let mut lanes: Vec<(Duration, Lane)> = Vec::new();
    for (cluster, fleet) in &record.fleets {
        for (broker, down) in fleet.down.iter().filter(|(_, down)| !down.is_empty()) {
            let label = broker_host(cluster, broker);
            let whole: Duration = down.iter().map(|(from, to)| *to - *from).sum();
            lanes.push((whole, up_and_down(label, SimTime::ZERO, record.end, down)));
        }
    }
    lanes.sort_by_key(|(whole, _)| Reverse(*whole));
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

fn quiet_hosts(record: &Record) -> usize {
    let quiet = |fleet: &crate::sim::check::record::FleetRecord| {
        let down = fleet.down.values().filter(|down| !down.is_empty()).count();
        fleet.brokers.len().saturating_sub(down)
    };
    record.fleets.values().map(quiet).sum()
}

fn up_and_down(label: String, from: SimTime, to: SimTime, down: &[(SimTime, SimTime)]) -> Lane {
    let mut marks = Vec::new();
    let mut since = from;
    for (begin, end) in down {
        if since < *begin {
            marks.push(mark(since, *begin, Tone::Good, "up"));
        }
        marks.push(mark(*begin, *end, Tone::Bad, "down"));
        since = *end;
    }
    if since < to {
        marks.push(mark(since, to, Tone::Good, "up"));
    }
    Lane { label, marks }
}

/// When the pipeline's process was alive.
fn lives(record: &Record) -> Lane {
    let ends = record.pipelines.iter().map(|life| life.ended);
    let starts = record.pipelines.iter().skip(1).map(|life| life.started);
    let down: Vec<_> = ends.zip(starts).filter(|(from, to)| from < to).collect();
    up_and_down(PIPELINE_HOST.to_owned(), SimTime::ZERO, record.end, &down)
}

fn tone(state: StateKind) -> Tone {
    match state {
        StateKind::Closed => Tone::Good,
        StateKind::HalfOpen => Tone::Warning,
        StateKind::Open => Tone::Bad,
    }
}

fn words(state: StateKind) -> &'static str {
    match state {
        StateKind::Closed => "closed",
        StateKind::HalfOpen => "half-open",
        StateKind::Open => "open",
    }
}

/// The states of every breaker that ever left `closed`, all lives of the pipeline in one row.
fn breakers(record: &Record) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for life in &record.pipelines {
        for breaker in &life.resilience.breakers {
            let mut marks = Vec::new();
            let (mut state, mut since) = (StateKind::Closed, life.started);
            for event in &breaker.events {
                let BreakerNews::Change { to, .. } = event.what else { continue };
                marks.push(mark(since, event.at, tone(state), words(state)));
                (state, since) = (to, event.at);
            }
            marks.push(mark(since, life.ended, tone(state), words(state)));
            match lanes.iter_mut().find(|lane| lane.label == breaker.name) {
                Some(lane) => lane.marks.extend(marks),
                None => lanes.push(Lane { label: breaker.name.clone(), marks }),
            }
        }
    }
    lanes.retain(|lane| lane.marks.iter().any(|mark| mark.tone != Tone::Good));
    lanes
}

/// The POSTs, as the pipeline's ports saw them.
fn requests(record: &Record) -> Lane {
    let posts = record.pipelines.iter().flat_map(|life: &PipelineRecord| {
        life.posts.iter().map(|post| post_mark(post, life.ended))
    });
    Lane { label: "requests".to_owned(), marks: posts.collect() }
}

fn post_mark(post: &PostRecord, ended: SimTime) -> Mark {
    let (tone, words) = match post.answer {
        _ if post.ended.is_none() => (Tone::Bad, "POST given up".to_owned()),
        PostAnswer::Accepted => (Tone::Good, "POST accepted".to_owned()),
        PostAnswer::Unreadable => (Tone::Warning, "POST with an unreadable answer".to_owned()),
        PostAnswer::Refused(status) => (Tone::Bad, format!("POST refused with {status}")),
        PostAnswer::None { sent: true } => (Tone::Bad, "POST without an answer".to_owned()),
        PostAnswer::None { sent: false } => (Tone::Bad, "POST that never left".to_owned()),
    };
    mark(post.began, post.ended.unwrap_or(ended), tone, &words)
}

fn broken(record: &Record, checks: &[CheckResult]) -> Vec<Lane> {
    let lane = |check: &CheckResult| {
        let at = |violation: &Violation| violation.at.unwrap_or(record.end);
        let violations = check.finding.violations.iter();
        let marks = violations.map(|v| mark(at(v), at(v), Tone::Bad, &v.what)).collect();
        Lane { label: check.name.to_owned(), marks }
    };
    checks.iter().filter(|check| !check.passed()).map(lane).collect()
}

/// Joins neighbours that read alike until at most [`MARKS_MAX`] are left, or a mark for each
/// distinguishable instant.
fn joined(marks: Vec<Mark>, end: SimTime) -> Vec<Mark> {
    let mut gap = end.0 / 2_000;
    let mut joined = marks;
    while joined.len() > MARKS_MAX && gap <= end.0 {
        joined = join(joined, gap);
        gap = (gap * 2).max(1);
    }
    joined
}

fn join(marks: Vec<Mark>, gap: u64) -> Vec<Mark> {
    let mut joined: Vec<(Mark, u64)> = Vec::new();
    for mark in marks {
        match joined.last_mut() {
            Some((last, count))
                if last.tone == mark.tone && mark.from.0 <= last.to.0.saturating_add(gap) =>
            {
                last.to = last.to.max(mark.to);
                *count += 1;
            }
            _ => joined.push((mark, 1)),
        }
    }
    let worded = |(mark, count): (Mark, u64)| match count {
        1 => mark,
        _ => Mark { label: format!("{} and more like it", mark.label), ..mark },
    };
    joined.into_iter().map(worded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_rows_are_joined_and_keep_what_differs() {
        let every = |seconds: u64| {
            let tone = if seconds == 5_000 { Tone::Bad } else { Tone::Good };
            mark(SimTime::from_secs(seconds), SimTime::from_secs(seconds + 1), tone, "x")
        };
        let marks: Vec<Mark> = (0..10_000).step_by(10).map(every).collect();
        let joined = joined(marks.clone(), SimTime::from_secs(10_000));
        assert!(joined.len() <= MARKS_MAX, "{}", joined.len());
        assert_eq!(joined.iter().filter(|mark| mark.tone == Tone::Bad).count(), 1);
        assert_eq!(joined.last().map(|mark| mark.to), marks.last().map(|mark| mark.to));
        assert_eq!(super::joined(marks[..50].to_vec(), SimTime::from_secs(500)), marks[..50]);
    }
}
