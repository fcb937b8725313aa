//! Nothing appears or disappears unaccounted for between the collector and New Relic's store.
//!
//! Per life of the pipeline: collected = transformed + rejected; enqueued + recovered =
//! acknowledged + given up + in flight, and what is in flight is in the spool or only staged.
//! Over the run: every acknowledged event is stored, and so is everything that was enqueued but
//! for what was given up and what was only staged when a crash came: what the spool took survives
//! every crash, but for power losses after the disk had lied. What New Relic's own store had to
//! give up is no loss. Once healed, nothing is left in flight.
//!
//! Copies: neither API of New Relic has an idempotency key, so a request may be stored twice, but
//! only when it was sent again in doubt: its answer was lost or unreadable, or a crash came
//! between the answer and the spool's note of it.

use std::collections::BTreeMap;

use super::record::{LedgerRecord, PipelineRecord, PostRecord, Record};
use super::{Check, Class, Finding, spool};
use crate::domain::units::UnixMillis;
use crate::sim::atlas::Atlas;
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "conservation",
    promise: "every sample and event is stored, dropped with a reason, or in flight",
    class: Class::Safety,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let atlas = Atlas::with(&record.scenario, &record.faults);
    for pipeline in &record.pipelines {
        balance(&mut finding, pipeline);
    }
    let doubtful = doubtful(record, &atlas);
    let kept = kept(record);
    stored(&mut finding, record, &kept);
    let missing = missing_of(record, &kept);
    if missing > spool::forgotten(record, &atlas) {
        finding.violate(
            None,
            format!("{missing} events that the spool had taken, or that no crash met, are missing"),
        );
    }
    copies(&mut finding, record, kept, &doubtful);
    repetitions(&mut finding, record, &doubtful, &atlas);
    validation(&mut finding, record);
    leftovers(&mut finding, record);
    finding
}

fn balance(finding: &mut Finding, pipeline: &PipelineRecord) {
    let ledger = &pipeline.ledger;
    finding.examined += ledger.collected + ledger.enqueued + ledger.recovered;
    let rejected: u64 = ledger.samples_rejected.values().sum();
    if ledger.collected != ledger.transformed + rejected {
        finding.violate(
            Some(pipeline.ended),
            format!(
                "{} samples collected, but {} transformed and {rejected} rejected",
                ledger.collected, ledger.transformed
            ),
        );
    }
    let lost: u64 = ledger.events_lost.values().sum();
    if ledger.enqueued + ledger.recovered != ledger.acknowledged + lost + ledger.in_flight {
        finding.violate(
            Some(pipeline.ended),
            format!(
                "{} events enqueued and {} recovered, but {} acknowledged, {lost} given up, {} in \
                 flight",
                ledger.enqueued, ledger.recovered, ledger.acknowledged, ledger.in_flight
            ),
        );
    }
    if ledger.in_flight != ledger.spooled + ledger.staged {
        finding.violate(
            Some(pipeline.ended),
            format!(
                "{} events in flight, but {} in the spool and {} staged",
                ledger.in_flight, ledger.spooled, ledger.staged
            ),
        );
    }
}

fn total(record: &Record, of: impl Fn(&LedgerRecord) -> u64) -> u64 {
    record.pipelines.iter().map(|pipeline| of(&pipeline.ledger)).sum()
}

/// Events that New Relic holds, and how many of them are copies of others.
struct Kept {
    events: u64,
    /// Copies for certain: after the clock was set back two cycles may have shown the same time,
    /// and their samples are no copies.
    copies: u64,
    /// Copies at most: all that look alike.
    alike: u64,
    worst: Option<(String, UnixMillis, u64)>,
}

fn kept(record: &Record) -> Kept {
    let store = &record.newrelic;
    let fleet = || {
        let entities = store.samples.iter().chain(&store.stand_ins);
        entities.chain(&store.relationship_events).chain(&store.stand_in_relationships)
    };
    let own = || store.monitor_events.iter().chain(&store.window_events).chain(&store.gap_events);
    let mut seen: BTreeMap<(String, UnixMillis), u64> = BTreeMap::new();
    for event in fleet() {
        let identity = ["entityGuid", "sourceEntityGuid", "relationshipType", "targetEntityGuid"];
        let identity = identity.map(|name| event.text(name)).join(" ");
        *seen.entry((identity, event.timestamp)).or_default() += 1;
    }
    for event in own() {
        // All that they say: a breaker may change its state twice within one millisecond.
        let texts = event.names.texts.iter().zip(&event.texts);
        let texts = texts.map(|(name, text)| format!("{name}={text}"));
        let numbers = event.numbers().map(|(name, number)| format!("{name}={number}"));
        let identity: Vec<String> = texts.chain(numbers).collect();
        *seen.entry((identity.join(" "), event.timestamp)).or_default() += 1;
    }
    let alike = seen.values().map(|count| count - 1).sum();
    for ((_, at), count) in &mut seen {
        let cycles = record.times_of(*at).into_iter().filter(|at| record.cycle_at(*at).is_some());
        *count = count.saturating_sub(cycles.count().max(1) as u64);
    }
    let worst = seen.iter().max_by_key(|(_, count)| **count).filter(|(_, count)| **count > 0);
    Kept {
        events: (fleet().count() + own().count()) as u64,
        copies: seen.values().sum(),
        alike,
        worst: worst.map(|((identity, at), count)| (identity.trim().to_owned(), *at, *count)),
    }
}

/// Events that the pipeline answers for and that New Relic does not hold: enqueued, not given up,
/// neither in flight at the end nor only staged at a crash.
pub fn missing(record: &Record) -> u64 {
    missing_of(record, &kept(record))
}

/// Whether New Relic holds everything that the run told: nothing was given up, lost with a crash,
/// missing, or evicted, and the world ran to its end.
pub fn is_whole(record: &Record) -> bool {
    let lost =
        |life: &PipelineRecord| life.lost_events() || (life.crashed && life.ledger.staged > 0);
    !record.pipelines.iter().any(lost)
        && missing(record) == 0
        && record.newrelic.evicted == 0
        && record.broken.is_none()
}

fn missing_of(record: &Record, kept: &Kept) -> u64 {
    let answered_for = |pipeline: &PipelineRecord| {
        let ledger = &pipeline.ledger;
        let lost: u64 = ledger.events_lost.values().sum();
        (ledger.enqueued, lost + if pipeline.crashed { ledger.staged } else { ledger.in_flight })
    };
    let (enqueued, excused) =
        record.pipelines.iter().map(answered_for).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let answered = enqueued.saturating_sub(excused);
    let elsewhere = record.newrelic.evicted + record.newrelic.unstored;
    answered.saturating_sub(kept.events - kept.copies).saturating_sub(elsewhere)
}

fn stored(finding: &mut Finding, record: &Record, kept: &Kept) {
    let acknowledged = total(record, |ledger| ledger.acknowledged);
    let evicted = record.newrelic.evicted;
    if kept.events + evicted + record.newrelic.unstored < acknowledged {
        let gave_up = match evicted {
            0 => String::new(),
            count => format!(", having given up {count}"),
        };
        finding.violate(
            None,
            format!(
                "New Relic acknowledged {acknowledged} events and holds only {}{gave_up}",
                kept.events
            ),
        );
    }
    let enqueued = total(record, |ledger| ledger.enqueued);
    if kept.events - kept.alike > enqueued {
        finding.violate(
            None,
            format!(
                "New Relic holds {} different events, but only {enqueued} were enqueued",
                kept.events - kept.alike
            ),
        );
    }
}

/// Copies come from requests that were sent again in doubt.
fn copies(finding: &mut Finding, record: &Record, kept: Kept, doubtful: &Doubtful<'_>) {
    let doubtful = doubtful_events(record, doubtful);
    if kept.copies > doubtful {
        let (identity, at, count) = kept.worst.unwrap_or_default();
        finding.violate(
            None,
            format!(
                "{} events are stored twice and only {doubtful} were sent again in doubt; \
                 {identity} of {} is stored {count} times too often",
                kept.copies, at.0
            ),
        );
    }
}

/// Whether the pipeline could not know that New Relic took this POST, or forgot it with a crash:
/// one that came before its disk had noted it, or that took the note.
fn is_doubtful(atlas: &Atlas, life: &PipelineRecord, post: &PostRecord) -> bool {
    let Some(ended) = post.ended.filter(|_| post.accepted()) else { return true };
    let unnoted = || atlas.noted_by(ended) >= life.ended;
    life.crashed && (unnoted() || atlas.forgets(ended, life.ended).is_some())
}

/// POSTs in doubt by their request id.
type Doubtful<'a> = BTreeMap<&'a str, u64>;

fn doubtful<'a>(record: &'a Record, atlas: &Atlas) -> Doubtful<'a> {
    let mut doubtful = Doubtful::new();
    for life in &record.pipelines {
        for post in life.posts.iter().filter(|post| is_doubtful(atlas, life, post)) {
            *doubtful.entry(&post.request_id).or_default() += 1;
        }
    }
    doubtful
}

/// Events that New Relic took in requests that the pipeline may have sent again.
fn doubtful_events(record: &Record, doubtful: &Doubtful<'_>) -> u64 {
    let taken = record.newrelic.requests.iter().filter(|request| request.accepted);
    let taken = taken.filter(|request| doubtful.contains_key(request.request_id.as_str()));
    taken.map(|request| request.events_stored).sum()
}

/// New Relic takes a request once, and once more for each time that it was in doubt.
fn repetitions(finding: &mut Finding, record: &Record, doubtful: &Doubtful<'_>, atlas: &Atlas) {
    let mut taken: BTreeMap<&str, (u64, SimTime, SimTime)> = BTreeMap::new();
    for request in record.newrelic.requests.iter().filter(|request| request.accepted) {
        let entry = taken.entry(&request.request_id).or_insert((0, request.at, request.at));
        (entry.0, entry.2) = (entry.0 + 1, request.at);
    }
    finding.examined += taken.len() as u64;
    for (id, (count, first, last)) in taken {
        // The id is made of the content: a clock that was set back may show the time of the very
        // same events once more.
        let alike = u64::from(atlas.clock_set(first, last));
        let most = 1 + doubtful.get(id).copied().unwrap_or(0) + alike;
        if count > most && !id.is_empty() {
            finding.violate(
                Some(last),
                format!(
                    "request {id} was taken {count} times, and in doubt only {} times",
                    most - 1
                ),
            );
        }
    }
}

fn validation(finding: &mut Finding, record: &Record) {
    for message in &record.newrelic.integration_errors {
        finding.violate(None, format!("New Relic refused events: {message}"));
    }
}

fn leftovers(finding: &mut Finding, record: &Record) {
    let Some(last) = record.pipelines.last() else { return };
    if record.broken.is_none() && last.ledger.in_flight > 0 {
        finding.violate(
            Some(record.end),
            format!("{} events are still in flight after healing", last.ledger.in_flight),
        );
    }
}
