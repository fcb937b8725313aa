//! Rows of one event type that are evaluated together.
//!
//! Invariants:
//! - Every column of a batch has `len` rows.
//! - Rows stand by timestamp, then arrival, unless they were made from the rows of another query.

use std::borrow::Cow;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::column::{Column, Validity, as_f64};
use crate::domain::account::AccountId;
use crate::nrql::hashing::FixedState;
use crate::nrql::store::Segment;
use crate::nrql::value::Value;

/// Which rows of a segment.
#[derive(Debug, Clone)]
enum Rows {
    /// `start..end`.
    Range(usize, usize),
    /// In this order.
    List(Arc<[u32]>),
}

#[derive(Debug, Clone)]
enum Source<'a> {
    Segment { segment: &'a Segment, rows: Rows },
    Columns(Arc<IndexMap<Arc<str>, Column<'a>, FixedState>>),
}

/// Rows that are evaluated together.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    len: usize,
    timestamps: Cow<'a, [i64]>,
    event_type: &'a str,
    account: Option<AccountId>,
    source: Source<'a>,
}

impl<'a> Batch<'a> {
    /// Rows `start..end` of a segment in order.
    pub(crate) fn of_range(
        segment: &'a Segment,
        (account, event_type): (AccountId, &'a str),
        (start, end): (usize, usize),
    ) -> Self {
        Self {
            len: end - start,
            timestamps: Cow::Borrowed(&segment.timestamps()[start..end]),
            event_type,
            account: Some(account),
            source: Source::Segment { segment, rows: Rows::Range(start, end) },
        }
    }

    /// The given rows of a segment.
    pub(crate) fn of_list(
        segment: &'a Segment,
        (account, event_type): (AccountId, &'a str),
        rows: Vec<u32>,
    ) -> Self {
        let timestamps = rows.iter().map(|row| segment.timestamps()[*row as usize]).collect();
        Self {
            len: rows.len(),
            timestamps: Cow::Owned(timestamps),
            event_type,
            account: Some(account),
            source: Source::Segment { segment, rows: Rows::List(rows.into()) },
        }
    }

    /// Of columns by name, all of `len` rows; without timestamps of their own they stand at 0.
    pub fn from_columns(
        event_type: &'a str,
        len: usize,
        timestamps: Option<Vec<i64>>,
        columns: impl IntoIterator<Item = (Arc<str>, Column<'a>)>,
    ) -> Self {
        let columns: IndexMap<_, _, FixedState> = columns.into_iter().collect();
        debug_assert!(columns.values().all(|column| column.len() == len));
        Self {
            len,
            timestamps: timestamps.unwrap_or_else(|| vec![0; len]).into(),
            event_type,
            account: None,
            source: Source::Columns(Arc::new(columns)),
        }
    }

    /// Of the rows of an inner query or a join; `timestamp`, when the rows have it, is their time.
    pub fn from_rows(event_type: &'a str, rows: &[IndexMap<Arc<str>, Value>]) -> Self {
        let names: IndexSet<&Arc<str>, FixedState> = rows.iter().flat_map(IndexMap::keys).collect();
        let of = |name: &str, row: &IndexMap<Arc<str>, Value>| {
            row.get(name).cloned().unwrap_or(Value::Null)
        };
        let columns = names.into_iter().map(|name| {
            let values = rows.iter().map(|row| of(name, row)).collect();
            (Arc::clone(name), Column::from_values(values))
        });
        let columns: Vec<_> = columns.collect();
        let time = |row| match of("timestamp", row) {
            Value::Integer(number) => number,
            value => value.as_f64().unwrap_or_default() as i64,
        };
        let timestamps = rows.iter().map(time).collect();
        Self::from_columns(event_type, rows.len(), Some(timestamps), columns)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Milliseconds since 1970, row by row.
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// The event type of all rows.
    pub fn event_type(&self) -> &'a str {
        self.event_type
    }

    /// The account of all rows; `None` for rows of another query.
    pub fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// Order of arrival of a row among all rows of the store.
    pub fn arrival(&self, row: usize) -> u64 {
        match &self.source {
            Source::Segment { segment, rows: Rows::Range(start, _) } => {
                segment.arrival(start + row)
            }
            Source::Segment { segment, rows: Rows::List(rows) } => {
                segment.arrival(rows[row] as usize)
            }
            Source::Columns(_) => row as u64,
        }
    }

    /// Names of attributes that any row may have, `timestamp` not among them unless a row of
    /// another query has it.
    pub fn names(&self) -> Vec<Arc<str>> {
        match &self.source {
            Source::Segment { segment, .. } => segment.names().cloned().collect(),
            Source::Columns(columns) => columns.keys().cloned().collect(),
        }
    }

    /// The attribute `name`; `None` when no row has it. `timestamp` is there always.
    pub fn column(&self, name: &str) -> Option<Column<'a>> {
        let column = match &self.source {
            Source::Segment { segment, rows: Rows::Range(start, end) } => {
                segment.column(name).map(|column| column.slice(*start, *end))
            }
            Source::Segment { segment, rows: Rows::List(rows) } => {
                segment.column(name).map(|column| column.take(rows))
            }
            Source::Columns(columns) => columns.get(name).cloned(),
        };
        column.or_else(|| (name == "timestamp").then(|| self.timestamp_column()))
    }

    fn timestamp_column(&self) -> Column<'a> {
        let values = self.timestamps.iter().map(|time| as_f64(*time)).collect();
        Column::Numbers(values, Validity::All)
    }

    /// The given rows, in the given order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let source = match &self.source {
            Source::Segment { segment, rows: own } => {
                let chosen = rows.iter().map(|row| match own {
                    Rows::Range(start, _) => *start as u32 + row,
                    Rows::List(list) => list[*row as usize],
                });
                Source::Segment { segment, rows: Rows::List(chosen.collect()) }
            }
            Source::Columns(columns) => {
                let chosen =
                    columns.iter().map(|(name, column)| (Arc::clone(name), column.take(rows)));
                Source::Columns(Arc::new(chosen.collect()))
            }
        };
        let timestamps = rows.iter().map(|row| self.timestamps[*row as usize]).collect();
        Self { len: rows.len(), timestamps, source, ..*self }
    }
}
