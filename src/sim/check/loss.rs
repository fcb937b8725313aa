//! Nothing is given up beyond what the plan makes impossible to keep, or the scenario allows:
//! refused, dropped, turned into dead letters, or gone with a disk that lied.
//!
//! A scenario may give a number. Without one each reason is judged by itself, life by life: the
//! atlas must know of a fault that made it possible while that life's events waited, and for so
//! many, and the pipeline's own figures and New Relic's answers must bear it out: as many events in
//! requests that were refused, memory or spool full to the brim. What was refused for good must be
//! among the dead letters.

use super::conservation::missing;
use super::record::{PipelineRecord, PostAnswer, PostRecord, Record};
use super::{Check, Class, Finding, spool};
use crate::sim::atlas::{Atlas, EVENT_BYTES};
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "loss",
    promise: "no event is given up that could be kept, and no more than the scenario allows",
    class: Class::Safety,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    for life in &record.pipelines {
        finding.examined += life.ledger.enqueued + life.ledger.recovered;
    }
    match record.scenario.expect.loss {
        Some(limit) => total(&mut finding, record, limit),
        None => by_reason(&mut finding, record),
    }
    dead_letters(&mut finding, record);
    finding
}

/// Why New Relic refuses events for good.
const REFUSALS: &[&str] =
    &["forbidden", "bad_request", "unsupported_media_type", "event_too_large"];

/// What New Relic refused for good is given up only for now: where there is a spool and its disk
/// was sound, all of it is kept as dead letters.
fn dead_letters(finding: &mut Finding, record: &Record) {
    let atlas = Atlas::with(&record.scenario, &record.faults);
    let sound = |life: &&PipelineRecord| {
        !life.crashed && atlas.disk.touching(SimTime::ZERO, life.ended).is_none()
    };
    let spool = record.scenario.pipeline.spool;
    for life in record.pipelines.iter().filter(sound).filter(|_| spool) {
        let refused = given_up(life).filter(|(reason, _)| REFUSALS.contains(reason));
        let refused: u64 = refused.map(|(_, count)| count).sum();
        let kept = life.ledger.dead_lettered;
        finding.examined += refused;
        if kept < refused {
            let what = format!("{refused} events were refused for good, and {kept} kept");
            finding.violate(Some(life.ended), what);
        }
    }
}

/// What was given up, life by life: reason and events.
fn given_up(life: &PipelineRecord) -> impl Iterator<Item = (&str, u64)> {
    let lost = life.ledger.events_lost.iter().filter(|(_, count)| **count > 0);
    lost.map(|(reason, count)| (reason.as_str(), *count))
}

fn total(finding: &mut Finding, record: &Record, limit: u64) {
    let lost = record.pipelines.iter().flat_map(given_up).map(|(reason, count)| (count, reason));
    let gone = Some((missing(record), "missing")).filter(|(count, _)| *count > 0);
    let lost: Vec<(u64, &str)> = lost.chain(gone).collect();
    let reasons: Vec<String> =
        lost.iter().map(|(count, reason)| format!("{count} {reason}")).collect();
    let lost: u64 = lost.iter().map(|(count, _)| count).sum();
    #[expect(clippy::cast_precision_loss, reason = "counts for people")]
    finding.measure(lost as f64, limit as f64, "events");
    if lost > limit {
        let reasons = reasons.join(", ");
        finding.violate(None, format!("{lost} events were given up ({reasons}), at most {limit}"));
    }
}

fn by_reason(finding: &mut Finding, record: &Record) {
    let atlas = Atlas::with(&record.scenario, &record.faults);
    for (index, life) in record.pipelines.iter().enumerate() {
        let lifetime = spool::lifetime(record, &atlas, index);
        for (reason, count) in given_up(life) {
            let what = match atlas.loss(reason, &lifetime) {
                None => format!("{count} events were given up ({reason}) without need"),
                Some(excuse) => {
                    let most = excuse.events_max.min(evidence(record, &atlas, life, reason));
                    if count <= most {
                        continue;
                    }
                    let why = excuse.why;
                    format!(
                        "{count} events were given up ({reason}), but {why} explains only {most}"
                    )
                }
            };
            finding.violate(Some(life.ended), what);
        }
    }
    let gone = missing(record);
    let forgotten = spool::forgotten(record, &atlas);
    if gone > forgotten {
        let what = match forgotten {
            0 => format!("{gone} events are missing without need"),
            most => format!("{gone} events are missing, but the power loss explains only {most}"),
        };
        finding.violate(None, what);
    }
}

/// The most events that may be gone for this reason by what else was seen of the life.
fn evidence(record: &Record, atlas: &Atlas, life: &PipelineRecord, reason: &str) -> u64 {
    let pipeline = &record.scenario.pipeline;
    let refused = |statuses: &[u16]| refused_events(record, atlas, life, statuses).into_iter();
    let all_if = |possible: bool| if possible { u64::MAX } else { 0 };
    match reason {
        "forbidden" => refused(&[401, 403]).sum(),
        "bad_request" => refused(&[400]).sum(),
        "unsupported_media_type" => refused(&[415]).sum(),
        // Only what is alone in its body is given up for its size.
        "event_too_large" => refused(&[413]).filter(|events| *events == 1).sum(),
        "buffer_full" => {
            let bytes = life.resilience.memory.iter().any(|memory| {
                memory.what == "bytes of events in memory"
                    && memory.peak + EVENT_BYTES >= pipeline.memory_max.0
            });
            all_if(bytes || was_full(life, "events in memory alone", 0))
        }
        "spool_full" => {
            all_if(was_full(life, "bytes of events in the spool", pipeline.batch_bytes.0))
        }
        // A power loss damages nothing that comes after it.
        "unreadable" => life.ledger.recovered,
        _ => u64::MAX,
    }
}

/// Whether something that is bounded was full but for `slack`.
fn was_full(life: &PipelineRecord, what: &str, slack: u64) -> bool {
    let bounded = life.resilience.memory.iter().find(|memory| memory.what == what);
    bounded.is_some_and(|bounded| bounded.peak + slack >= bounded.cap)
}

/// Events of each request that was refused with one of these statuses while a fault let New Relic
/// refuse it.
fn refused_events(
    record: &Record,
    atlas: &Atlas,
    life: &PipelineRecord,
    statuses: &[u16],
) -> Vec<u64> {
    let is_excused = |post: &&PostRecord| {
        let PostAnswer::Refused(status) = post.answer else { return false };
        // A network whose time moves in steps tells times up to one step wrong.
        let from = SimTime::from(post.began.since_start().saturating_sub(record.tick));
        let to = post.ended.unwrap_or(life.ended) + record.tick;
        statuses.contains(&status) && atlas.refusal(&[status], from, to).is_some()
    };
    life.posts.iter().filter(is_excused).map(|post| post.refused_events).collect()
}
