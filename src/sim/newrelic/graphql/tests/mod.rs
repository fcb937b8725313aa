//! NerdGraph asked in-process, without a network.

mod clients;
mod dashboards;
mod edits;
mod entities;
mod errors;
mod incidents;
mod introspection;
mod nrql;
mod route;
mod search;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::definitions::{Point, Scalar, builtin, entity_guid};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::newrelic::ApiKey;
use crate::ports::testing::EPOCH;
use crate::sim::newrelic::entities::NewEntity;
use crate::sim::newrelic::{
    Account, FaultWindow, GraphAnswer, IngestFault, NewRelic, NewRelicConfig, Target,
};
use crate::sim::seed::Seed;

/// Opens the accounts 1 and 2.
pub(super) const KEY: &str = "NRAK-ABCDEFGHIJKLMNOPQRSTUVWXYZ0";
/// Opens account 3.
pub(super) const OTHER_KEY: &str = "NRAK-0ZYXWVUTSRQPONMLKJIHGFEDCBA";
pub(super) const INGEST_KEY: &str = "0123456789abcdef0123456789abcdef0123NRAL";

pub(super) fn account(number: u64) -> AccountId {
    AccountId::try_from(number).expect("valid")
}

/// A service with three accounts, and the time at which it is asked.
pub(super) struct Service {
    pub(super) newrelic: NewRelic,
    pub(super) now: UnixMillis,
}

impl Service {
    pub(super) fn new() -> Self {
        let key = |text| ApiKey::new(text).expect("valid");
        let account = |number: u64, keys| Account {
            id: account(number),
            name: format!("Shop {number}"),
            keys,
        };
        let accounts = vec![
            account(1, vec![key(INGEST_KEY), key(KEY)]),
            account(2, vec![key(KEY)]),
            account(3, vec![key(OTHER_KEY)]),
        ];
        let config = NewRelicConfig::new(accounts);
        let newrelic = NewRelic::new(config, Seed(7), Arc::new(builtin()));
        newrelic.advance(EPOCH);
        Self { newrelic, now: EPOCH }
    }

    pub(super) fn wait(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
    }

    /// Makes an entity that no data report.
    pub(super) fn register(&self, number: u64, domain: &str, kind: &str, name: &str) -> String {
        let guid = entity_guid(account(number), domain, kind, name, false).expect("fits");
        let new = NewEntity {
            account: account(number),
            guid: &guid,
            domain,
            entity_type: kind,
            name,
            lifetime: None,
        };
        let mut state = self.newrelic.state();
        assert!(state.entities.register(new, self.now, || Duration::ZERO));
        guid
    }

    /// Makes the entity that an event of account 1 makes; its GUID.
    pub(super) fn observe(&self, event_type: &str, attributes: &[(&str, &str)]) -> String {
        let attributes: Vec<_> = attributes.iter().map(|(k, v)| (*k, Scalar::Text(v))).collect();
        let definitions = builtin();
        let found = definitions.match_point(Point { event_type, attributes: &attributes });
        let found = found.first().expect("a rule matches");
        let guid = found.guid(account(1)).expect("fits");
        let mut state = self.newrelic.state();
        assert!(state.entities.observe(account(1), &guid, found, self.now, || Duration::ZERO));
        guid
    }

    /// Asks with variables.
    pub(super) fn ask_with(&self, query: &str, variables: Json) -> GraphAnswer {
        let body = json!({"query": query, "variables": variables}).to_string();
        self.newrelic.graphql(self.now, Some(KEY), body.as_bytes())
    }

    pub(super) fn ask(&self, query: &str) -> GraphAnswer {
        self.ask_with(query, json!({}))
    }

    /// `data` of an answer without errors.
    pub(super) fn data(&self, query: &str) -> Json {
        self.data_with(query, json!({}))
    }

    pub(super) fn data_with(&self, query: &str, variables: Json) -> Json {
        let answer = self.ask_with(query, variables);
        assert_eq!(answer.body.get("errors"), None, "{query}");
        answer.body["data"].clone()
    }
}
