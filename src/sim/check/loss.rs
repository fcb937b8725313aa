//! Nothing is given up beyond what the plan makes impossible to keep, or the scenario allows:
//! refused, dropped, turned into dead letters, or gone with a disk that lied.
//!
//! A scenario may give a number. Without one each reason is judged by itself: the atlas must know
//! of a fault that makes it possible, and the pipeline's own figures and New Relic's answers must
//! bear it out: as many requests refused, memory or spool full to the brim.

use super::conservation::missing;
use super::record::{PipelineRecord, PostAnswer, Record};
use super::{Check, Class, Finding};
use crate::sim::atlas::{Atlas, Loss};

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
    finding
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
    for life in &record.pipelines {
        for (reason, count) in given_up(life) {
            let what = match atlas.loss(reason) {
                Loss::Impossible => format!("{count} events were given up ({reason}) without need"),
                Loss::Possible(why) => match evidence(record, life, reason) {
                    Some(most) if count <= most => continue,
                    Some(most) => format!(
                        "{count} events were given up ({reason}), but {why} explains only {most}"
                    ),
                    None => continue,
                },
            };
            finding.violate(Some(life.ended), what);
        }
    }
    let gone = missing(record);
    if gone > 0 && atlas.spool_may_forget().is_none() {
        finding.violate(None, format!("{gone} events are missing without need"));
    }
}

/// The most events that may be gone for this reason by what else was seen of the life; `None` if
/// nothing bounds them.
fn evidence(record: &Record, life: &PipelineRecord, reason: &str) -> Option<u64> {
    let pipeline = &record.scenario.pipeline;
    let refused = |statuses: &[u16]| {
        let is =
            |answer| matches!(answer, PostAnswer::Refused(status) if statuses.contains(&status));
        life.posts.iter().filter(|post| is(post.answer)).count() as u64
    };
    let full = |what: &str, slack: u64| {
        let bounded = life.resilience.memory.iter().find(|memory| memory.what == what);
        bounded.is_some_and(|bounded| bounded.peak + slack >= bounded.cap)
    };
    match reason {
        "forbidden" => Some(refused(&[401, 403]) * u64::from(pipeline.batch_events)),
        "bad_request" => Some(refused(&[400]) * u64::from(pipeline.batch_events)),
        // Only what is alone in its body is given up for its size.
        "event_too_large" => Some(refused(&[413])),
        "buffer_full" => {
            let events = full("events in memory alone", 0);
            let bytes = life.resilience.memory.iter().any(|memory| {
                memory.what == "bytes of events in memory"
                    && memory.peak + EVENT_BYTES >= pipeline.memory_max.0
            });
            (!events && !bytes).then_some(0)
        }
        "spool_full" => {
            (!full("bytes of events in the spool", pipeline.batch_bytes.0)).then_some(0)
        }
        _ => None,
    }
}

/// More bytes than any event of ours has.
const EVENT_BYTES: u64 = 3_000;
