//! What a query answers.

use std::sync::Arc;

use indexmap::IndexMap;

use super::value::Value;
use crate::domain::units::UnixMillis;

/// One element of `results`: values by key, in the order of New Relic's answers.
pub type Row = IndexMap<Arc<str>, Value>;

/// The answer to a query, as NerdGraph's `NrdbResultContainer` shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryResult {
    /// Always a list; with COMPARE WITH both sets, marked by `comparison`.
    pub results: Vec<Row>,
    /// With COMPARE WITH: the present window's.
    pub current_results: Option<Vec<Row>>,
    /// With COMPARE WITH: the earlier window's.
    pub previous_results: Option<Vec<Row>>,
    /// With FACET: what the shown facets leave out.
    pub other_result: Option<Outcome>,
    /// With FACET: all rows together.
    pub total_result: Option<Outcome>,
    /// About the answer.
    pub metadata: Metadata,
    /// Events that were looked at.
    pub inspected_count: u64,
}

/// One row, or with TIMESERIES one per bucket.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Without TIMESERIES.
    One(Row),
    /// With TIMESERIES.
    Many(Vec<Row>),
}

/// About an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// Event types read.
    pub event_types: Vec<String>,
    /// Names of the facets; `None` without FACET.
    pub facets: Option<Vec<String>>,
    /// Remarks.
    pub messages: Vec<String>,
    /// The window.
    pub time_window: TimeWindow,
}

/// The window of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeWindow {
    /// Inclusive.
    pub begin: UnixMillis,
    /// Exclusive.
    pub end: UnixMillis,
    /// `60 MINUTES AGO`.
    pub since: String,
    /// `NOW`.
    pub until: String,
    /// `1 WEEK AGO`.
    pub compare_with: Option<String>,
}
