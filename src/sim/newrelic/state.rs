//! Everything a simulated New Relic knows, and how it changes as time passes.
//!
//! Invariants:
//! - Time never goes back; what was accepted is parsed when its drawn delay has passed, in the
//!   order of those instants.
//! - Windows of conditions are judged in between, at their instants: none sees what came later.
//! - Every accepted event is stored, or becomes a row of `NrIntegrationError`, or is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::config::{Account, NewRelicConfig};
use super::entities::Entities;
use super::fault::Faults;
use super::graphql::GraphState;
use super::ingest::{EventFault, Ingest, MetricFault};
use super::news::Listener;
use super::requests::RequestLog;
use crate::definitions::Definitions;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::newrelic::KeyKind;
use crate::nrql::store::{EventStore, StoreConfig};
use crate::sim::seed::Seed;

/// Rows about what went wrong.
pub(super) const ERROR_EVENT: &str = "NrIntegrationError";
/// Request number of rows that no request caused.
pub(super) const NO_REQUEST: u32 = u32::MAX;
/// How often retention is looked after.
const MINUTE_MS: i64 = 60_000;

/// Totals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests by the status that was answered.
    pub requests: BTreeMap<u16, u64>,
    /// Requests that a fault hit, by its name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Events stored.
    pub events_stored: u64,
    /// Events dropped by a rule.
    pub events_rejected: BTreeMap<EventFault, u64>,
    /// Data points of metrics stored.
    pub points_stored: u64,
    /// Data points dropped by a rule.
    pub points_rejected: BTreeMap<MetricFault, u64>,
    /// Data points of time series beyond the account's limit of a day; they are stored.
    pub series_over_account: u64,
    /// Data points of time series beyond their metric's limit of a day; they are stored.
    pub series_over_name: u64,
    /// Inventories that agents sent; nothing of them is kept.
    pub inventories: u64,
    /// Requests lost whole because their body could not be parsed.
    pub bodies_unreadable: u64,
    /// Points that matched a rule but whose identifier fits no GUID.
    pub guids_refused: u64,
    /// Sightings of entities and relationships for which there was no room.
    pub entities_refused: u64,
}

pub(super) struct State {
    pub(super) config: NewRelicConfig,
    pub(super) definitions: Arc<Definitions>,
    /// The latest time it was told; never goes back.
    pub(super) now: UnixMillis,
    pub(super) ingest: Ingest,
    next_expiry: UnixMillis,
    pub(super) store: EventStore,
    pub(super) entities: Entities,
    pub(super) requests: RequestLog,
    pub(super) faults: Faults,
    /// How much later than drawn what is observed now becomes visible.
    pub(super) extra_lag: Duration,
    pub(super) graph: GraphState,
    pub(super) counters: Counters,
    /// Who is told as things happen.
    pub(super) listener: Option<Listener>,
}

impl State {
    pub(super) fn new(config: NewRelicConfig, seed: Seed, definitions: Arc<Definitions>) -> Self {
        let names: BTreeMap<_, _> =
            config.accounts.iter().map(|a| (a.id, a.name.clone())).collect();
        Self {
            now: UnixMillis(i64::MIN),
            ingest: Ingest::new(seed),
            next_expiry: UnixMillis(i64::MIN),
            store: EventStore::new(StoreConfig { bytes_max: config.store_bytes_max }),
            entities: Entities::new(
                config.entities_max,
                config.reporting_silence,
                names,
                definitions.relationships(),
            ),
            requests: RequestLog::new(config.request_log_max),
            faults: Faults::new(seed.stream("newrelic/fault")),
            extra_lag: Duration::ZERO,
            graph: GraphState::new(seed),
            counters: Counters::default(),
            listener: None,
            config,
            definitions,
        }
    }

    /// Accounts that the user key `presented` opens to NerdGraph, in the configuration's order.
    pub(super) fn accounts_of_user(&self, presented: &str) -> Vec<AccountId> {
        let opens = |account: &&Account| {
            account.key(presented).is_some_and(|key| key.kind() == KeyKind::User)
        };
        self.config.accounts.iter().filter(opens).map(|account| account.id).collect()
    }

    /// The entity definitions in force.
    pub(super) fn definitions(&self) -> Arc<Definitions> {
        Arc::clone(&self.definitions)
    }

    /// Does what is due up to `now`.
    pub(super) fn advance(&mut self, now: UnixMillis) {
        self.now = self.now.max(now);
        // A condition's window sees what was stored by its judgement and nothing that came later.
        while let Some(due) = self.graph.next_judgement().filter(|due| *due <= self.now) {
            self.parse_due(due);
            self.judge_due(due);
        }
        self.parse_due(self.now);
        if self.now >= self.next_expiry {
            self.next_expiry = self.now.plus_millis(MINUTE_MS);
            let retention = i64::try_from(self.config.retention.as_millis()).unwrap_or(i64::MAX);
            self.store.expire(self.now.plus_millis(retention.saturating_neg()));
        }
    }

    /// Bodies that were accepted and are not parsed yet.
    pub(super) fn queued(&self) -> usize {
        self.ingest.queued()
    }
}
