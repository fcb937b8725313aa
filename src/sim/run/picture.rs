//! A run's record as lanes of time, and as lines for its head.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::words::{counted, counted_as};
use crate::sim::check::CheckResult;
use crate::sim::check::record::{BreakerNews, BreakerRecord, PipelineRecord, Record};
use crate::sim::check::recovery::{self, Return};
use crate::sim::fleet::broker_host;
use crate::sim::report::timeline::{Lane, Mark, Timeline, Tone};
use crate::sim::scenario::{JoinSpec, KafkaSpec, Scenario, SurgeSpec};
use crate::sim::time::SimTime;

/// What was in force when, one line per fact.
pub fn drawn(record: &Record) -> Vec<String> {
    let scenario = &record.scenario;
    let mut lines: Vec<String> = Vec::new();
    for (cluster, spec) in &scenario.kafka {
        lines.push(format!(
            "cluster {cluster}: {}, {} of {} × {}, {}",
            counted(spec.brokers, "broker"),
            counted(spec.topics, "topic"),
            counted(spec.partitions, "partition"),
            spec.replication,
            counted(spec.groups, "group")
        ));
        lines.extend(changes(cluster, spec));
    }
    lines.push(format!(
        "{} simulated, a cycle every {}, links {} ± {}",
        scenario.duration,
        scenario.pipeline.interval,
        scenario.network.latency,
        scenario.network.jitter
    ));
    lines.extend(settings(scenario));
    for fault in &record.faults {
        lines.push(format!("{} to {} {}", fault.from, fault.to, fault.label));
    }
    lines
}

/// What the scenario itself makes of a cluster on the way: surges of load, and growth.
fn changes(cluster: &str, spec: &KafkaSpec) -> Vec<String> {
    let surge = |surge: &SurgeSpec| {
        let (from, to) = (SimTime::from(surge.at.0), SimTime::from(surge.at.0 + surge.lasts.0));
        format!("{from} to {to} load of {cluster} times {}", surge.factor)
    };
    let join = |join: &JoinSpec| {
        let (at, topics) = (SimTime::from(join.at.0), join.topics);
        let topics = counted(topics, "topic");
        let topics = if join.topics > 0 { format!(", with {topics}") } else { String::new() };
        let spread = if join.reassign { "; partitions are spread over all" } else { "" };
        let brokers = counted_as(join.brokers, "broker joins", "brokers join");
        format!("{at} {brokers} {cluster}{topics}{spread}")
    };
    spec.load.surge.iter().map(surge).chain(spec.join.iter().map(join)).collect()
}

/// How the pipeline is set, and how late New Relic is.
fn settings(scenario: &Scenario) -> [String; 2] {
    let (pipeline, newrelic) = (&scenario.pipeline, &scenario.newrelic);
    let breaker = &pipeline.event_api;
    let spool = if pipeline.spool {
        format!("a spool of {} for {}", pipeline.spool_size_max, pipeline.spool_age_max)
    } else {
        "no spool".to_owned()
    };
    [
        format!(
            "requests of {} or {}, memory for {} or {}, {spool}",
            counted(pipeline.batch_events, "event"),
            pipeline.batch_bytes,
            counted(pipeline.buffer_events, "event"),
            pipeline.memory_max
        ),
        format!(
            "answers within {}; ingest's breaker opens after {}, probes after {}, closes after {}; \
             entities visible after {} to {}",
            pipeline.request_timeout,
            counted(breaker.failure_threshold, "failure"),
            breaker.retry_delay,
            counted_as(breaker.success_threshold, "success", "successes"),
            newrelic.synthesis_lag_min,
            newrelic.synthesis_lag_max
        ),
    ]
}

/// Facts a reader should know that are no check.
pub fn notes(record: &Record) -> Vec<String> {
    let mut notes = Vec::new();
    let sent: u64 = record.pipelines.iter().map(|life| life.ledger.unknown_sends).sum();
    if sent > 0 {
        notes.push(format!(
            "{} sent with an unknown fate; New Relic may hold them twice",
            counted_as(sent, "event was", "events were")
        ));
    }
    let returns = recovery::returns(record);
    if !returns.is_empty() {
        let times: Vec<Duration> = returns.iter().filter_map(Return::took).collect();
        let limit = record.scenario.expect.recovery_max.0;
        let in_time = times.iter().filter(|took| **took <= limit).count();
        let mean = times.iter().sum::<Duration>() / u32::try_from(times.len().max(1)).unwrap_or(1);
        notes.push(format!(
            "New Relic came back {} and was used again after {} ms on average, {} within {} ms",
            counted(returns.len(), "time"),
            mean.as_millis(),
            counted(in_time, "time"),
            limit.as_millis()
        ));
    }
    notes.extend(guards(record));
    let lost: u64 =
        record.pipelines.iter().filter(|life| life.crashed).map(|life| life.ledger.staged).sum();
    if lost > 0 {
        notes.push(format!(
            "{} lost with the pipeline's crash",
            counted_as(lost, "event in memory was", "events in memory were")
        ));
    }
    notes
}

/// How often breakers opened, and how many incidents ended, when there were any.
fn guards(record: &Record) -> Option<String> {
    let resilience = || record.pipelines.iter().map(|life| &life.resilience);
    let breakers = || resilience().flat_map(|guards| &guards.breakers);
    let opens: u64 = breakers().map(|breaker| breaker.opens).sum();
    let results = |breaker: &BreakerRecord| {
        let ended =
            |what: &BreakerNews| matches!(what, BreakerNews::Success | BreakerNews::Failure);
        breaker.events.iter().filter(|event| ended(&event.what)).count() as u64
    };
    let calls: u64 = breakers().map(results).sum();
    // A crash ends a life's incidents with it.
    let lasting = || record.pipelines.iter().filter(|life| !life.crashed);
    let recovery = || lasting().filter_map(|life| life.resilience.recovery.as_ref());
    let components = || recovery().flat_map(|recovery| &recovery.components);
    let incidents: u64 = components().map(|component| component.incidents).sum();
    let recovered: u64 = components().map(|component| component.recovered).sum();
    (opens + incidents > 0).then(|| {
        format!(
            "breakers opened {} in {}; {recovered} of {} ended in recovery",
            counted(opens, "time"),
            counted(calls, "admitted call"),
            counted_as(incidents, "incident of components", "incidents of components")
        )
    })
}

/// The picture.
pub fn timeline(record: &Record, checks: &[CheckResult]) -> Timeline {
    let mut lanes: Vec<Lane> = record.faults.iter().map(fault_lane).collect();
    for (cluster, fleet) in &record.fleets {
        for (broker, down) in fleet.down.iter().filter(|(_, down)| !down.is_empty()) {
            let bad = down.iter().map(|(from, to)| mark(*from, *to, Tone::Bad, "down"));
            let up = mark(SimTime::ZERO, record.end, Tone::Good, "up");
            lanes.push(Lane {
                label: broker_host(cluster, broker),
                marks: std::iter::once(up).chain(bad).collect(),
            });
        }
    }
    lanes.push(cycles_lane(&record.pipelines));
    lanes.push(stored_lane(record));
    let broken = checks.iter().filter(|check| !check.passed());
    for check in broken {
        let at = |v: &crate::sim::check::Violation| v.at.unwrap_or(record.end);
        let marks = check.finding.violations.iter();
        let marks = marks.map(|v| mark(at(v), at(v), Tone::Bad, &v.what)).collect();
        lanes.push(Lane { label: format!("✗ {}", check.name), marks });
    }
    Timeline {
        title: format!("{} · seed {}", record.scenario.title, record.seed),
        end: record.end,
        heal: record.heal.min(record.end),
        lanes,
    }
}

/// A mark whose end is not before its begin.
pub(super) fn mark(from: SimTime, to: SimTime, tone: Tone, label: &str) -> Mark {
    Mark { from, to: to.max(from), tone, label: label.to_owned() }
}

fn fault_lane(fault: &crate::sim::fault::Fault) -> Lane {
    let marks = vec![mark(fault.from, fault.to, Tone::Fault, &fault.label)];
    Lane { label: fault.label.clone(), marks }
}

/// The cycles of all lives.
pub(super) fn cycles_lane(pipelines: &[PipelineRecord]) -> Lane {
    let cycles = pipelines.iter().flat_map(|life| &life.cycles);
    let marks = cycles.map(|cycle| {
        let missing: u64 = cycle.missing.values().flat_map(BTreeMap::values).sum();
        let (tone, label) = match (cycle.failed.is_empty(), missing) {
            _ if cycle.cut_off => (Tone::Bad, "cut off".to_owned()),
            (false, _) => (Tone::Bad, format!("no answer from {}", cycle.failed.join(", "))),
            (true, 0) => (Tone::Good, "complete".to_owned()),
            (true, parts) => (Tone::Warning, format!("{parts} parts missing")),
        };
        mark(cycle.started, cycle.ended, tone, &label)
    });
    Lane { label: "cycles".to_owned(), marks: marks.collect() }
}

/// When New Relic took data, in pieces no longer than a few seconds each.
pub(super) fn stored_lane(record: &Record) -> Lane {
    let mut marks: Vec<Mark> = Vec::new();
    for event in &record.newrelic.samples {
        match marks.last_mut() {
            Some(last) if event.stored_at < last.to + Duration::from_secs(1) => {
                last.to = last.to.max(event.stored_at);
            }
            _ => marks.push(mark(event.stored_at, event.stored_at, Tone::Good, "stored")),
        }
    }
    Lane { label: "New Relic stores".to_owned(), marks }
}
