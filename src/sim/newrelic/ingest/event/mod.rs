//! The Event API: custom events, one flat object each.

mod parse;
mod validate;

use std::collections::BTreeMap;

pub(super) use parse::{EventSeed, SentEvents};
pub use validate::EventFault;
pub(super) use validate::{ValidEvent, validate};

use super::Pending;
use super::body::{Unreadable, unpack};
use super::census::Room;
use super::synthesis::NewPoint;
use crate::domain::units::UnixMillis;
use crate::newrelic::limits::{EVENT_TYPE_ATTRIBUTES_MAX, EVENT_TYPES_PER_ACCOUNT};
use crate::sim::newrelic::state::State;

/// Parses a body that has waited until `at`.
pub(super) fn parse(state: &mut State, pending: &Pending, at: UnixMillis) {
    let json = unpack(&pending.body, pending.encoding, state.config.decoded_bytes_max);
    let events = match json.as_deref().map_err(Unreadable::clone).and_then(SentEvents::parse) {
        Ok(events) => events,
        Err(unreadable) => return state.lose(pending, at, &unreadable),
    };
    let mut faults = Faults::default();
    let mut stored = 0;
    for event in events.iter() {
        match validate(event, pending.received_at)
            .and_then(|event| admit(state, pending, at, event))
        {
            Ok(event) => {
                store(state, pending, at, event);
                stored += 1;
            }
            Err((fault, event_type)) => faults.note(fault, event_type),
        }
    }
    faults.report(state, pending, at, stored);
}

/// Whether the account has room for an event of this type and these attributes.
pub(super) fn admit<'a>(
    state: &mut State,
    pending: &Pending,
    at: UnixMillis,
    event: ValidEvent<'a>,
) -> Result<ValidEvent<'a>, (EventFault, Option<&'a str>)> {
    let limits = (EVENT_TYPES_PER_ACCOUNT, EVENT_TYPE_ATTRIBUTES_MAX);
    let names = event.cells.iter().map(|(name, _)| *name);
    let kind = event.event_type;
    match state.ingest.census.event(pending.account, kind, names, limits, at) {
        Room::Yes => Ok(event),
        Room::NoType => Err((EventFault::TooManyEventTypes, Some(kind))),
        Room::NoAttribute => Err((EventFault::TooManyTypeAttributes, Some(kind))),
    }
}

/// Stores an event of `pending`.
pub(super) fn store(state: &mut State, pending: &Pending, at: UnixMillis, event: ValidEvent<'_>) {
    state.store_point(NewPoint {
        account: pending.account,
        event_type: event.event_type,
        timestamp: event.timestamp,
        at,
        request: pending.request,
        cells: event.cells,
        metric: None,
    });
}

/// What was wrong with single events of one request.
#[derive(Debug, Default)]
pub(super) struct Faults(BTreeMap<EventFault, (u32, Option<String>)>);

impl Faults {
    /// Counts one event; the first event type that is known becomes the sample.
    pub(super) fn note(&mut self, fault: EventFault, event_type: Option<&str>) {
        let entry = self.0.entry(fault).or_insert((0, None));
        entry.0 += 1;
        entry.1 = entry.1.take().or_else(|| event_type.map(str::to_owned));
    }

    /// Writes a row per fault, and what became of the request into the log.
    pub(super) fn report(self, state: &mut State, pending: &Pending, at: UnixMillis, stored: u32) {
        state.counters.events_stored += u64::from(stored);
        let rejected = self.0.values().map(|(count, _)| count).sum();
        if let Some(record) = state.requests.get_mut(pending.request) {
            (record.events_stored, record.events_rejected) = (stored, rejected);
        }
        for (fault, (count, sample)) in self.0 {
            *state.counters.events_rejected.entry(fault).or_default() += u64::from(count);
            state.report(pending, at, &fault.message(count as usize), sample.as_deref());
        }
    }
}
