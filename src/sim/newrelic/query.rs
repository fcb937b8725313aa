//! NRQL over the stored events, as NerdGraph and the ground-truth checks ask it.
//!
//! Invariants:
//! - A query sees what was stored by its instant, and the events of its accounts alone.
//! - Limits count in whole minutes of the clock that callers name.

use std::collections::BTreeMap;

use super::NewRelic;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::ast::Statement;
use crate::nrql::{self, ErrorKind, NrqlError, QueryContext, QueryLimits, QueryResult};

/// Queries per account and minute.
pub(super) const QUERIES_PER_MINUTE: u32 = 3_000;
/// Equal queries per account and minute.
pub(super) const SAME_QUERY_PER_MINUTE: u32 = 120;
/// Accounts of one query.
pub(super) const ACCOUNTS_MAX: usize = 30;
/// Shortest and longest time-out, and the one without a wish.
const TIMEOUT_SECONDS: (i64, i64, i64) = (5, 120, 5);
const MINUTE_MS: i64 = 60_000;

/// How a query is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NrqlOptions {
    /// Seconds it may take, 5 to 120; without it 5.
    pub timeout_seconds: Option<i64>,
    /// Whether it counts towards the limits of its accounts: what NerdGraph asks does, what a
    /// check asks in-process does not.
    pub counted: bool,
}

/// Queries of each account in its present minute.
#[derive(Debug, Default)]
pub(super) struct QueryCounts {
    minute: i64,
    all: BTreeMap<AccountId, u32>,
    same: BTreeMap<(AccountId, u64), u32>,
}

impl QueryCounts {
    /// Counts a query; the message of the limit it breaks.
    fn count(&mut self, now: UnixMillis, accounts: &[AccountId], text: &str) -> Result<(), String> {
        let minute = now.0.div_euclid(MINUTE_MS);
        if self.minute != minute {
            *self = Self { minute, ..Self::default() };
        }
        let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes());
        for account in accounts {
            let all = self.all.entry(*account).or_default();
            *all = all.saturating_add(1);
            if *all > QUERIES_PER_MINUTE {
                return Err(format!(
                    "NRQL query limit exceeded: account {account} may run {QUERIES_PER_MINUTE} \
                     queries per minute"
                ));
            }
            let same = self.same.entry((*account, hash)).or_default();
            *same = same.saturating_add(1);
            if *same > SAME_QUERY_PER_MINUTE {
                return Err(format!(
                    "NRQL query limit exceeded: account {account} may run the same query \
                     {SAME_QUERY_PER_MINUTE} times per minute"
                ));
            }
        }
        Ok(())
    }
}

fn error(kind: ErrorKind, message: impl Into<String>) -> NrqlError {
    NrqlError { kind, message: message.into(), span: None, help: None }
}

impl NewRelic {
    /// Runs `text` at `now` over the events of `accounts`.
    ///
    /// # Errors
    /// What is wrong with the query, its options or its accounts, or the limit that it breaks.
    pub fn nrql(
        &self,
        now: UnixMillis,
        accounts: &[AccountId],
        text: &str,
        options: NrqlOptions,
    ) -> Result<QueryResult, NrqlError> {
        let statement = self.nrql_admit(now, accounts, text, options)?;
        let timeout = options.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let limits = timeout.map_or_else(QueryLimits::default, |seconds| {
            QueryLimits::default().with_timeout_seconds(seconds)
        });
        let state = self.state();
        // What an earlier instant sees is asked again for an answer that was promised then.
        let context = QueryContext { store: &state.store, accounts, now, limits };
        nrql::run(text, &statement, &context)
    }

    /// Whether a query may run: its options, its accounts, its text, its limits.
    pub(super) fn nrql_admit(
        &self,
        now: UnixMillis,
        accounts: &[AccountId],
        text: &str,
        options: NrqlOptions,
    ) -> Result<Statement, NrqlError> {
        let (least, most, default) = TIMEOUT_SECONDS;
        let timeout = options.timeout_seconds.unwrap_or(default);
        if !(least..=most).contains(&timeout) {
            let message = format!("timeout must be between {least} and {most} seconds");
            return Err(error(ErrorKind::Semantic, message));
        }
        if accounts.is_empty() || accounts.len() > ACCOUNTS_MAX {
            let message = format!("a query reads 1 to {ACCOUNTS_MAX} accounts");
            return Err(error(ErrorKind::Semantic, message));
        }
        let mut state = self.state();
        state.advance(now);
        if options.counted {
            let at = state.now;
            let counted = state.graph.counts.count(at, accounts, text);
            counted.map_err(|message| error(ErrorKind::Limit, message))?;
        }
        drop(state);
        nrql::parse(text)
    }
}
