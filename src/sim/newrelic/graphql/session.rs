//! What a request may see: the service, the time and the user behind its key.

use std::collections::BTreeSet;

use async_graphql::Value;

use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::NewRelic;
use crate::sim::newrelic::state::State;

/// Somebody with a user key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim::newrelic) struct User {
    /// Made from the key, so that it is the same in every run.
    pub(in crate::sim::newrelic) id: u32,
    /// Accounts that list the key.
    pub(in crate::sim::newrelic) accounts: BTreeSet<AccountId>,
}

impl User {
    /// Whoever holds `key`; `None` for a key that opens nothing here.
    pub(in crate::sim::newrelic) fn of_key(state: &State, key: &str) -> Option<Self> {
        let accounts: BTreeSet<_> = state.accounts_of_user(key).into_iter().collect();
        let hash = xxhash_rust::xxh3::xxh3_64(key.as_bytes());
        let id = u32::try_from(1_000_000 + hash % 9_000_000).unwrap_or(1_000_000);
        (!accounts.is_empty()).then_some(Self { id, accounts })
    }

    /// An address that leads nowhere.
    pub(in crate::sim::newrelic) fn email(&self) -> String {
        format!("user-{}@example.com", self.id)
    }

    /// As `User`, `UserReference` or the owner of a dashboard.
    pub(in crate::sim::newrelic) fn value(&self) -> Value {
        async_graphql::value!({
            "id": self.id,
            "userId": self.id,
            "name": format!("User {}", self.id),
            "email": self.email(),
            "timeZoneName": "Etc/UTC",
            "createdAt": 1_577_836_800,
        })
    }
}

/// One request.
#[derive(Clone)]
pub(in crate::sim::newrelic) struct Session {
    pub(in crate::sim::newrelic) newrelic: NewRelic,
    pub(in crate::sim::newrelic) now: UnixMillis,
    pub(in crate::sim::newrelic) user: User,
}
