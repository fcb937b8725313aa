//! Evaluation of queries: expressions over columns, aggregates, groups, windows.
//!
//! Invariants:
//! - Values are evaluated column by column; boxed [`Value`]s stay off the hot path.
//! - Whatever the data, an expression has a value for each row: what cannot be computed is null.
//! - Work and memory are bounded by [`QueryLimits`]; time is an argument.

mod aggregate;
mod answer;
pub mod batch;
pub mod bitmap;
pub mod column;
mod engine;
pub mod expr;
mod group;
mod join;
mod key;
mod limits;
mod pass;
mod plan;
mod raw;
mod rewrite;
pub mod scalar;
mod shape;
pub mod sketch;
mod table;
mod wildcard;
mod window;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use aggregate::{aggregate_names, is_aggregate};
pub use limits::QueryLimits;

use engine::{Engine, Place, Table};

use super::ast::{Query, Statement};
use super::error::NrqlError;
use super::result::{Metadata, QueryResult, TimeWindow};
use super::store::EventStore;
use super::time::{self, Zone};
use super::value::Value;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

use super::result::value_json as result_json;

/// What a query runs against.
#[derive(Debug, Clone, Copy)]
pub struct QueryContext<'a> {
    /// The events.
    pub store: &'a EventStore,
    /// Whose events may be read.
    pub accounts: &'a [AccountId],
    /// When the query runs.
    pub now: UnixMillis,
    /// What it may do and hold.
    pub limits: QueryLimits,
}

/// Runs `statement`, parsed from `text`.
///
/// # Errors
/// NRQL that means nothing, and limits that are exceeded.
pub fn run(
    text: &str,
    statement: &Statement,
    context: &QueryContext<'_>,
) -> Result<QueryResult, NrqlError> {
    match statement {
        Statement::Select(query) => select(text, query, context),
        Statement::ShowEventTypes { since, until, timezone } => {
            let zone = timezone.as_deref().map_or(Ok(Zone::utc()), Zone::named)?;
            let window = time::window_of(since.as_ref(), until.as_ref(), &zone, context.now)?;
            let types = context.store.event_types(context.accounts, window.begin, window.end);
            let row = |name: String| engine::row([("eventType", Value::text(&name))]);
            Ok(QueryResult {
                results: types.into_iter().map(row).collect(),
                metadata: Metadata { time_window: window, ..Metadata::default() },
                ..QueryResult::default()
            })
        }
    }
}

fn select(text: &str, query: &Query, context: &QueryContext<'_>) -> Result<QueryResult, NrqlError> {
    let expanded = wildcard::expand(text, query, context)?;
    let query = expanded.as_ref().unwrap_or(query);
    let window = time::window(query, context.now)?;
    let mut engine = Engine::new(text, context);
    let table = engine.select(query, &window, Place::Top)?;
    if query.explain {
        engine.remark("EXPLAIN: the query reads events as they are stored, without roll-ups");
    }
    let mut result = answer_of(table, query, window);
    result.metadata.event_types = engine.event_types;
    result.metadata.messages = engine.messages;
    result.inspected_count = engine.budget.inspected();
    Ok(result)
}

/// The results of a table, as the outermost query shows them.
fn answer_of(table: Table, query: &Query, time_window: TimeWindow) -> QueryResult {
    let metadata = Metadata { time_window, ..Metadata::default() };
    match table {
        Table::Rows(results) => QueryResult { results, metadata, ..QueryResult::default() },
        Table::Aggregated(table) => {
            let metadata = Metadata { time_window: table.window.clone(), ..metadata };
            shape::aggregated(*table, query, metadata)
        }
    }
}
