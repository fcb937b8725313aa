//! Simulated New Relic: what it takes in, its event store, entities with lag.
//!
//! Nothing runs in the background: whatever is due by the time of a request or a query happens
//! then, in the order of its due times ([`NewRelic::advance`]), so the same requests at the same
//! times give the same store.
//!
//! Invariants:
//! - Time is the serving host's wall clock; ids and delays come from the seed.
//! - 200 is answered before a body is parsed; what is wrong with single events becomes rows of
//!   `NrIntegrationError`.
//! - Nothing is idempotent: a request sent twice is stored twice.
//! - Every behaviour has its line in [`claims`].
//!
//! Not modelled: permissions beyond the kinds of keys, roll-ups of metrics.

mod alerts;
mod api;
pub mod claims;
mod config;
mod dashboards;
mod definition_claims;
mod entities;
mod fault;
mod fields;
mod graphql;
mod ingest;
pub mod journal;
pub mod news;
mod page;
mod query;
mod query_claims;
mod reply;
mod requests;
mod search;
pub mod serve;
mod service_levels;
mod state;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use crate::nrql::Value;
pub use crate::nrql::store::{EventRow, Eviction};
pub use api::{router, serve};
pub use config::{Account, DelayRange, NewRelicConfig};
pub use entities::{
    AlertSeverity, NewEntity, RelationshipOrigin, StoredEntity, StoredRelationship, TagEdits,
    TagFault, entity_kind,
};
pub use fault::{FaultId, FaultWindow, IngestFault, Target};
pub use graphql::GraphAnswer;
pub use ingest::{
    AgentHost, DirectPost, EventFault, ForwardError, Forwarded, Forwarder, MetricFault,
};
pub use query::NrqlOptions;
pub use requests::RequestRecord;
pub use state::Counters;

use crate::definitions::Definitions;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::sim::seed::Seed;
use state::State;

/// A shared handle on one simulated New Relic.
#[derive(Clone)]
pub struct NewRelic(Arc<Mutex<State>>);

/// A stored event, copied out.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its account.
    pub account: AccountId,
    /// Its own time.
    pub timestamp: UnixMillis,
    /// When it could be queried first.
    pub stored_at: UnixMillis,
    /// Number of the request that brought it ([`RequestRecord::number`]).
    pub request: u32,
    /// Id of that request, as long as the log remembers it.
    pub uuid: Option<Arc<str>>,
    /// GUID of the entity it made, which queries see as `entity.guid`.
    pub entity_guid: Option<Arc<str>>,
    /// Names and values as sent, without `eventType` and `timestamp`.
    pub attributes: Vec<(Arc<str>, Value)>,
}

impl StoredEvent {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.attributes.iter().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }
}

/// One row of `NrIntegrationError`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationError {
    /// When it was written.
    pub timestamp: UnixMillis,
    /// What went wrong.
    pub message: String,
    /// First six characters of the key.
    pub api_key_prefix: String,
    /// The uuid that the request was answered with.
    pub request_id: String,
    /// Type of an event that was dropped, when it had one.
    pub event_type_sample: Option<String>,
}

/// The GUID that a stored event was stamped with.
fn guid(row: &EventRow<'_>) -> Option<Arc<str>> {
    let stamped = row.get("entity.guid").or_else(|| row.get("entityGuid"));
    stamped.and_then(|value| value.as_str().map(Arc::from))
}

impl NewRelic {
    /// A service that has seen nothing yet.
    pub fn new(config: NewRelicConfig, seed: Seed, definitions: Arc<Definitions>) -> Self {
        Self(Arc::new(Mutex::new(State::new(config, seed, definitions))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is due up to `now`; call it before a query.
    pub fn advance(&self, now: UnixMillis) {
        self.state().advance(now);
    }

    /// Bodies that were accepted and are not parsed yet.
    pub fn queued(&self) -> usize {
        self.state().queued()
    }

    /// Events in bodies of the Event API that were accepted and are not parsed yet.
    pub fn queued_events(&self) -> u64 {
        let state = self.state();
        state.ingest.queued_events(state.config.decoded_bytes_max)
    }

    /// Copies of all events of a type, by time.
    pub fn events(&self, event_type: &str) -> Vec<StoredEvent> {
        let state = self.state();
        let rows = state.store.rows(None, event_type);
        rows.iter()
            .map(|row| StoredEvent {
                account: row.account(),
                timestamp: row.timestamp(),
                stored_at: row.stored_at(),
                request: row.request(),
                uuid: state.requests.get(row.request()).and_then(|record| record.uuid.clone()),
                entity_guid: guid(row),
                attributes: row.attributes().map(|(n, v)| (Arc::clone(n), v)).collect(),
            })
            .collect()
    }

    /// Shows all events of a type, by time, without copying them. `visit` must not call back.
    pub fn visit_events(&self, event_type: &str, mut visit: impl FnMut(&EventRow<'_>)) {
        let state = self.state();
        for row in state.store.rows(None, event_type) {
            visit(&row);
        }
    }

    /// Number of stored events by account and type.
    pub fn event_counts(&self) -> BTreeMap<(AccountId, String), u64> {
        self.state().store.counts()
    }

    /// Every entity ever made, in the order of their making; [`StoredEntity::is_visible`] tells
    /// which of them a query finds.
    pub fn entities(&self) -> Vec<StoredEntity> {
        let state = self.state();
        state.entities.all(state.now).map(|found| found.copied()).collect()
    }

    /// Every relationship ever made, in the order of their making.
    pub fn relationships(&self) -> Vec<StoredRelationship> {
        self.state().entities.relationships().cloned().collect()
    }

    /// Rows of `NrIntegrationError`, by time.
    pub fn integration_errors(&self) -> Vec<IntegrationError> {
        let mut errors = Vec::new();
        self.visit_events(state::ERROR_EVENT, |row| {
            let text = |name| row.get(name).and_then(|v| v.as_str().map(str::to_owned));
            errors.push(IntegrationError {
                timestamp: row.timestamp(),
                message: text("message").unwrap_or_default(),
                api_key_prefix: text("apiKeyPrefix").unwrap_or_default(),
                request_id: text("requestId").unwrap_or_default(),
                event_type_sample: text("eventTypeSample"),
            });
        });
        errors
    }

    /// The newest requests, by arrival.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.state().requests.records().cloned().collect()
    }

    /// Totals.
    pub fn counters(&self) -> Counters {
        self.state().counters.clone()
    }

    /// Memory of the event store, in bytes, and events it had to give up.
    pub fn store_usage(&self) -> (usize, BTreeMap<Eviction, u64>) {
        let state = self.state();
        (state.store.bytes(), state.store.evicted().clone())
    }

    /// Tells `listener` as things happen from now on; `None` ends that.
    pub fn listen(&self, listener: Option<news::Listener>) {
        self.state().listener = listener;
    }

    /// Lets something go wrong.
    pub fn inject(&self, window: FaultWindow) -> FaultId {
        self.state().faults.inject(window)
    }

    /// Ends a fault; `false` when it had ended already.
    pub fn clear(&self, fault: FaultId) -> bool {
        self.state().faults.clear(fault)
    }

    /// What is observed first from `now` on becomes visible later by `extra`.
    pub fn delay_synthesis(&self, now: UnixMillis, extra: Duration) {
        let mut state = self.state();
        state.advance(now);
        state.extra_lag = extra;
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear_all();
    }
}
