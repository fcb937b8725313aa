//! The pipeline keeps its rhythm: cycles start where the interval says, one at a time, and starts
//! that pass while a cycle runs are counted as skipped.
//!
//! Around a change of the pipeline's clock the rhythm may break once; such pairs are only held to
//! order. A process that stood still starts what was due at the instant of its return.

use std::time::Duration;

use super::record::{CycleRecord, PipelineRecord, Record};
use super::{Check, Class, Finding};
use crate::sim::atlas::Atlas;
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "cycles",
    promise: "cycles start at multiples of the interval, never overlap, and skipped ones count",
    class: Class::Safety,
    examine,
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Timers may be late by this on a network whose time moves in steps; on an exact one by nothing.
fn lateness_max(record: &Record) -> Duration {
    record.tick
}

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let atlas = Atlas::with(&record.scenario, &record.faults);
    for life in &record.pipelines {
        for cycle in &life.cycles {
            finding.examine();
            start(&mut finding, record, &atlas, cycle);
        }
        for pair in life.cycles.windows(2) {
            follow(&mut finding, record, &atlas, &pair[0], &pair[1]);
        }
        pauses(&mut finding, record, &atlas, life);
    }
    finding
}

fn interval_ms(record: &Record) -> i64 {
    i64::try_from(record.scenario.pipeline.interval.as_millis()).unwrap_or(i64::MAX).max(1)
}

fn start(finding: &mut Finding, record: &Record, atlas: &Atlas, cycle: &CycleRecord) {
    let interval = record.scenario.pipeline.interval.0;
    let begun = SimTime::from(cycle.started.since_start().saturating_sub(interval));
    let late_ms = cycle.wall.0.rem_euclid(interval_ms(record));
    let late = Duration::from_millis(late_ms.unsigned_abs());
    let due = SimTime::from(cycle.started.since_start().saturating_sub(late));
    // Starts are whole milliseconds, cut off.
    let held = atlas.timer_held(due, cycle.started, lateness_max(record) + MILLISECOND);
    if late > lateness_max(record) && !held && !atlas.clock_set(begun, cycle.started) {
        finding.violate(
            Some(cycle.started),
            format!(
                "cycle {} started {late_ms} ms after a multiple of the interval, must be at one",
                cycle.number
            ),
        );
    }
}

/// Starts between the two cycles that passed while the pipeline stood still and no cycle ran: they
/// are nobody's to count.
fn held_starts(
    record: &Record,
    atlas: &Atlas,
    one: &CycleRecord,
    next: &CycleRecord,
    passed: i64,
) -> i64 {
    let interval = record.scenario.pipeline.interval.0;
    let late = Duration::from_millis(next.wall.0.rem_euclid(interval_ms(record)).unsigned_abs());
    let mut start = next.started.since_start().saturating_sub(late);
    let mut held = 0;
    for _ in 0..passed {
        start = start.saturating_sub(interval);
        let at = SimTime::from(start);
        held += i64::from(one.ended < at && atlas.pauses.touching(at, at).is_some());
    }
    held
}

fn follow(
    finding: &mut Finding,
    record: &Record,
    atlas: &Atlas,
    one: &CycleRecord,
    next: &CycleRecord,
) {
    let at = Some(next.started);
    if next.number != one.number + 1 {
        let (a, b) = (one.number, next.number);
        finding.violate(at, format!("cycle {b} follows cycle {a}: the report of one is lost"));
    }
    // Reports count whole milliseconds, rounded up.
    if next.started + Duration::from_millis(1) < one.ended {
        finding.violate(
            at,
            format!(
                "cycle {} began before cycle {} ended at {}",
                next.number, one.number, one.ended
            ),
        );
    }
    if atlas.clock_set(one.started, next.started) {
        return;
    }
    let slot = |cycle: &CycleRecord| cycle.wall.0.div_euclid(interval_ms(record));
    let passed = slot(next) - slot(one) - 1;
    let passed = passed - held_starts(record, atlas, one, next, passed);
    if i64::try_from(one.skipped) != Ok(passed) {
        finding.violate(
            at,
            format!(
                "{passed} starts passed between cycles {} and {}, and {} were counted as skipped",
                one.number, next.number, one.skipped
            ),
        );
    }
}

/// When the pipeline's disk is well again, if it misbehaves at `at`: a life waits with its first
/// cycle until it knows what its spool holds.
fn disk_well_from(atlas: &Atlas, at: SimTime) -> SimTime {
    let hindered = atlas.disk.iter().filter(|span| span.from <= at && at < span.to);
    hindered.map(|span| span.to).max().unwrap_or(at)
}

/// Longest look whether something can be reached, with which every life begins.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// How long a life may look around before it is ready for its first cycle: New Relic and each
/// source are tried one after the other, each for a round trip if nothing is in the way.
fn looking_around(record: &Record, from: SimTime) -> Duration {
    let links = &record.scenario.network;
    let looks = 1 + u32::try_from(record.scenario.kafka.len()).unwrap_or(u32::MAX - 1);
    let hindered = record.faults.iter().any(|f| f.from <= from + LOOK_MAX * looks && from <= f.to);
    let round_trip = (links.latency.0 + links.jitter.0 + record.tick * 2) * 2;
    looks * if hindered { LOOK_MAX } else { round_trip.min(LOOK_MAX) }
}

/// From a life's begin to its first cycle, and from its last one to its end, no start may pass.
fn pauses(finding: &mut Finding, record: &Record, atlas: &Atlas, life: &PipelineRecord) {
    let longest = record.scenario.pipeline.interval.0 + lateness_max(record);
    let first = life.cycles.first().map_or(life.ended, |cycle| cycle.started);
    let begun = disk_well_from(atlas, life.started);
    let begun = (begun + looking_around(record, begun)).min(first);
    let last = life.cycles.last().map_or(begun, |cycle| cycle.ended);
    for (from, to) in [(begun, first), (last, life.ended.max(last))] {
        let longest = longest + atlas.paused(from, to);
        if to - from > longest && !atlas.clock_set(from, to) {
            finding.violate(
                Some(from),
                format!(
                    "no cycle for {} ms from {from} on, limit {} ms",
                    (to - from).as_millis(),
                    longest.as_millis()
                ),
            );
        }
    }
}
