//! Nothing appears or disappears unaccounted for between the collector and New Relic's store.
//!
//! Per life of the pipeline: collected = transformed + rejected; enqueued = acknowledged + given
//! up + in flight. Over the run: every acknowledged event is stored; what is stored beyond that
//! was sent with an unknown fate (neither API of New Relic has an idempotency key). Once healed,
//! nothing is left in flight.

use std::collections::BTreeMap;

use super::record::{LedgerRecord, PipelineRecord, Record};
use super::{Check, Class, Finding};
use crate::domain::units::UnixMillis;

pub const CHECK: Check = Check {
    name: "conservation",
    promise: "every sample and event is stored, dropped with a reason, or in flight",
    class: Class::Safety,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    for pipeline in &record.pipelines {
        balance(&mut finding, pipeline);
    }
    stored(&mut finding, record);
    validation(&mut finding, record);
    leftovers(&mut finding, record);
    finding
}

fn balance(finding: &mut Finding, pipeline: &PipelineRecord) {
    let ledger = &pipeline.ledger;
    finding.examined += ledger.collected + ledger.enqueued;
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
    if ledger.enqueued != ledger.acknowledged + lost + ledger.in_flight {
        finding.violate(
            Some(pipeline.ended),
            format!(
                "{} events enqueued, but {} acknowledged, {lost} given up, {} in flight",
                ledger.enqueued, ledger.acknowledged, ledger.in_flight
            ),
        );
    }
}

fn total(record: &Record, of: impl Fn(&LedgerRecord) -> u64) -> u64 {
    record.pipelines.iter().map(|pipeline| of(&pipeline.ledger)).sum()
}

fn stored(finding: &mut Finding, record: &Record) {
    let acknowledged = total(record, |ledger| ledger.acknowledged);
    let unknown = total(record, |ledger| ledger.unknown_sends);
    let store = &record.newrelic;
    let events = || store.samples.iter().chain(&store.relationship_events);
    let kept = events().count() as u64;
    // Events in flight at a crash may have arrived although nobody was told.
    let in_flight = total(record, |ledger| ledger.in_flight);
    if kept < acknowledged {
        finding.violate(
            None,
            format!("New Relic acknowledged {acknowledged} events and holds only {kept}"),
        );
    }
    if kept > acknowledged + unknown + in_flight {
        finding.violate(
            None,
            format!(
                "New Relic holds {kept} events, but only {acknowledged} were acknowledged and \
                 {unknown} sent with an unknown fate"
            ),
        );
    }
    duplicates(finding, record, unknown);
}

/// One sample of one object may be stored twice only where a send had an unknown fate. After the
/// clock was set back two cycles may have shown the same time: their samples are no copies.
fn duplicates(finding: &mut Finding, record: &Record, unknown: u64) {
    let mut seen: BTreeMap<(String, UnixMillis), u64> = BTreeMap::new();
    for event in record.newrelic.samples.iter().chain(&record.newrelic.relationship_events) {
        let identity = ["entityGuid", "sourceEntityGuid", "relationshipType", "targetEntityGuid"];
        let identity = identity.map(|name| event.text(name)).join(" ");
        *seen.entry((identity, event.timestamp)).or_default() += 1;
    }
    for ((_, at), count) in &mut seen {
        let cycles = record.times_of(*at).into_iter().filter(|at| record.cycle_at(*at).is_some());
        *count = count.saturating_sub(cycles.count().max(1) as u64);
    }
    let copies: u64 = seen.values().sum();
    if copies > unknown {
        let worst = seen.iter().max_by_key(|(_, count)| **count);
        let worst = worst.map(|((identity, at), count)| (identity.trim().to_owned(), at.0, *count));
        let (identity, at, count) = worst.unwrap_or_default();
        finding.violate(
            None,
            format!(
                "{copies} events are stored twice and only {unknown} were sent with an unknown \
                 fate; {identity} of {at} is stored {count} times too often"
            ),
        );
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
