//! Queries that are asked now and answered later.
//!
//! Invariants:
//! - A query answers as of the instant at which it was asked, after a delay drawn from the seed.
//! - At most [`ASKED_MAX`] are remembered, each for ten minutes; the oldest goes first.

use std::time::Duration;

use async_graphql::{Value, value};
use indexmap::IndexMap;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::NrqlError;
use crate::sim::newrelic::NewRelic;
use crate::sim::newrelic::query::NrqlOptions;
use crate::sim::seed::{Seed, below};

const ASKED_MAX: usize = 1_000;
/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(600);
const DELAY_MS: (u64, u64) = (1_000, 10_000);

/// A query to be answered later.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) id: String,
    user: u32,
    pub(super) accounts: Vec<AccountId>,
    pub(super) text: String,
    pub(super) at: UnixMillis,
    due: UnixMillis,
}

impl Asked {
    pub(super) fn is_complete(&self, now: UnixMillis) -> bool {
        self.due <= now
    }

    fn expires(&self) -> UnixMillis {
        self.due.plus(KEPT)
    }

    /// As `NrdbQueryProgress`; times in whole seconds from now on, rounded up.
    pub(super) fn progress(&self, now: UnixMillis) -> Value {
        let until = |at: UnixMillis| at.0.saturating_sub(now.0).max(0).saturating_add(999) / 1_000;
        let completed = self.is_complete(now);
        value!({
            "queryId": self.id.as_str(),
            "completed": completed,
            "retryAfter": if completed { Value::Null } else { Value::from(until(self.due).clamp(1, 5)) },
            "retryDeadline": if completed { Value::Null } else { Value::from(until(self.expires())) },
            "resultExpiration": until(self.expires()),
        })
    }
}

/// All of them.
#[derive(Debug)]
pub(in crate::sim::newrelic) struct AskedQueries {
    draws: ChaCha8Rng,
    by_id: IndexMap<String, Asked>,
}

impl AskedQueries {
    pub(super) fn new(seed: Seed) -> Self {
        Self { draws: seed.stream("newrelic/nrql-async"), by_id: IndexMap::new() }
    }

    fn ask(&mut self, at: UnixMillis, user: u32, accounts: Vec<AccountId>, text: &str) -> Asked {
        self.by_id.retain(|_, asked| at < asked.expires());
        if self.by_id.len() >= ASKED_MAX {
            self.by_id.shift_remove_index(0);
        }
        let mut random = [0; 16];
        self.draws.fill_bytes(&mut random);
        let id = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
        let (least, most) = DELAY_MS;
        let delay = Duration::from_millis(least + below(&mut self.draws, most - least + 1));
        let (text, due) = (text.to_owned(), at.plus(delay));
        let asked = Asked { id: id.clone(), user, accounts, text, at, due };
        self.by_id.insert(id, asked.clone());
        asked
    }
}

impl NewRelic {
    /// Takes a query that will be answered later; a text that is no query is refused at once.
    pub(super) fn nrql_async(
        &self,
        now: UnixMillis,
        user: u32,
        accounts: Vec<AccountId>,
        text: &str,
        options: NrqlOptions,
    ) -> Result<Asked, NrqlError> {
        self.nrql_admit(now, &accounts, text, options)?;
        let mut state = self.state();
        let at = state.now;
        Ok(state.graph.asked.ask(at, user, accounts, text))
    }

    /// A query that `user` asked, while its answer is kept.
    pub(super) fn nrql_asked(&self, now: UnixMillis, user: u32, id: &str) -> Option<Asked> {
        let mut state = self.state();
        state.advance(now);
        let asked = state.graph.asked.by_id.get(id)?;
        (asked.user == user && now < asked.expires()).then(|| asked.clone())
    }
}
