//! NerdGraph: a schema of the live service's names, over this service's state.
//!
//! Invariants:
//! - The same request at the same time over the same state gives the same answer, errors and
//!   their order included.
//! - Whatever the request, its work is bounded before it begins: bytes, depth, fields.
//! - Answering never waits; the state is locked briefly, field by field.
//!
//! Not modelled: alerts other than policies and NRQL conditions, issues, change tracking, errors
//! inbox, and the fields of agents' entities that no data here feed: those are in the schema and
//! null.

pub(super) mod claims;
mod cost;
mod failure;
mod golden;
mod http;
mod progress;
mod request;
mod resolve;
mod sdl;
mod session;
#[cfg(test)]
mod tests;
mod view;
mod words;

pub(super) use http::route;
pub use request::GraphAnswer;

use std::collections::BTreeMap;

use super::alerts::Alerts;
use super::dashboards::Dashboards;
use super::query::QueryCounts;
use super::service_levels::ServiceLevels;
use crate::domain::units::UnixMillis;
use crate::sim::seed::Seed;

/// What NerdGraph remembers between requests.
#[derive(Debug)]
pub(super) struct GraphState {
    /// Queries of the present minute.
    pub(super) counts: QueryCounts,
    asked: progress::AskedQueries,
    /// Requests of each user that are not answered yet.
    in_flight: BTreeMap<u32, u32>,
    pub(super) alerts: Alerts,
    pub(super) service_levels: ServiceLevels,
    dashboards: Dashboards,
    overrides: golden::Overrides,
}

impl GraphState {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            counts: QueryCounts::default(),
            asked: progress::AskedQueries::new(seed),
            in_flight: BTreeMap::new(),
            alerts: Alerts::default(),
            service_levels: ServiceLevels::default(),
            dashboards: Dashboards::default(),
            overrides: golden::Overrides::default(),
        }
    }

    /// When the next window of an alert condition is to be judged.
    pub(super) fn next_judgement(&self) -> Option<UnixMillis> {
        self.alerts.next_due()
    }
}
