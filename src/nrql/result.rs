//! What a query answers.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::legacy::Content;
use super::value::{MetricKind, MetricValue, Value};
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
    /// With FACET: rows without a facet.
    pub unknown_group: Option<Outcome>,
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
    /// What the values of results are; empty for events.
    pub contents: Vec<Content>,
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

impl QueryResult {
    /// The fields of `NrdbResultContainer` that hold data, as NerdGraph prints them.
    ///
    /// Absent parts are `null`, as there. Source: NerdGraph tutorial "Query your data with NRQL".
    pub fn to_json(&self) -> Json {
        json!({
            "results": rows_json(&self.results),
            "currentResults": self.current_results.as_deref().map(rows_json),
            "previousResults": self.previous_results.as_deref().map(rows_json),
            "otherResult": self.other_result.as_ref().map(Outcome::to_json),
            "totalResult": self.total_result.as_ref().map(Outcome::to_json),
            "metadata": self.metadata.to_json(),
        })
    }
}

impl Outcome {
    /// An object, or with TIMESERIES a list of them.
    pub fn to_json(&self) -> Json {
        match self {
            Self::One(row) => row_json(row),
            Self::Many(rows) => rows_json(rows),
        }
    }
}

impl Metadata {
    /// As NerdGraph prints it.
    pub fn to_json(&self) -> Json {
        let window = &self.time_window;
        json!({
            "eventTypes": self.event_types,
            "facets": self.facets,
            "messages": self.messages,
            "timeWindow": {
                "begin": window.begin.0,
                "end": window.end.0,
                "since": window.since,
                "until": window.until,
                "compareWith": window.compare_with,
            },
        })
    }
}

/// A list of rows.
pub(super) fn rows_json(rows: &[Row]) -> Json {
    Json::Array(rows.iter().map(row_json).collect())
}

/// A row; its keys in their order.
pub(super) fn row_json(row: &Row) -> Json {
    Json::Object(row.iter().map(|(key, value)| (key.to_string(), value_json(value))).collect())
}

/// A value. Whole numbers have no decimals, whatever they were computed from.
pub(super) fn value_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(value) => number_json(*value),
        Value::Integer(value) => json!(value),
        Value::Text(text) => Json::String(text.to_string()),
        Value::List(members) => Json::Array(members.iter().map(value_json).collect()),
        Value::Map(members) => Json::Object(
            members.iter().map(|(key, value)| (key.to_string(), value_json(value))).collect(),
        ),
        Value::Metric(metric) => metric_json(metric),
    }
}

/// Whole numbers beyond this are not exact in a double.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

fn number_json(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        let whole = value as i64;
        return json!(whole);
    }
    // Infinite and undefined numbers have no JSON form.
    serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number)
}

/// A metric's value with the members that its kind has (newrelic.md 2.3).
fn metric_json(metric: &MetricValue) -> Json {
    let number = number_json;
    match metric.kind {
        MetricKind::Gauge => json!({
            "type": "gauge", "count": number(metric.count), "sum": number(metric.sum),
            "min": number(metric.min), "max": number(metric.max),
            "latest": number(metric.latest),
        }),
        MetricKind::Count => json!({ "type": "count", "count": number(metric.count) }),
        MetricKind::Summary => json!({
            "type": "summary", "count": number(metric.count), "sum": number(metric.sum),
            "min": number(metric.min), "max": number(metric.max),
        }),
        MetricKind::CumulativeCount => json!({
            "type": "cumulativeCount", "count": number(metric.count),
            "cumulative": number(metric.latest),
        }),
        MetricKind::Distribution => json!({
            "type": "distribution", "count": number(metric.count), "sum": number(metric.sum),
            "min": number(metric.min), "max": number(metric.max),
        }),
        MetricKind::UniqueCount => {
            json!({ "type": "uniqueCount", "count": number(metric.count) })
        }
    }
}
