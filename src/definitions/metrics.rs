//! `golden_metrics.yml` and `summary_metrics.yml`.

use indexmap::IndexMap;

use super::error::Place;

/// Golden metrics by name, in the order of the file.
pub type GoldenMetrics = IndexMap<String, GoldenMetric>;
/// Summary metrics by name, in the order of the file.
pub type SummaryMetrics = IndexMap<String, SummaryMetric>;

/// Units that the schema knows, and NUMBER, which stands in public files.
pub(super) const UNITS: [&str; 19] = [
    "REQUESTS_PER_SECOND",
    "REQUESTS_PER_MINUTE",
    "PAGES_PER_SECOND",
    "MESSAGES_PER_SECOND",
    "OPERATIONS_PER_SECOND",
    "COUNT",
    "NUMBER",
    "SECONDS",
    "MS",
    "PERCENTAGE",
    "BITS",
    "BYTES",
    "BITS_PER_SECOND",
    "BYTES_PER_SECOND",
    "HERTZ",
    "APDEX",
    "TIMESTAMP",
    "STRING",
    "CELSIUS",
];

/// A golden metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoldenMetric {
    /// What users see.
    pub title: String,
    /// Whether a single value is shown instead of a chart.
    pub display_as_value: bool,
    /// One of the schema's units.
    pub unit: Option<String>,
    /// Query by provider; the first one serves when no provider matches.
    pub queries: IndexMap<String, MetricQuery>,
    /// Where each begins, in the order of `queries`.
    pub places: Vec<Place>,
}

/// The parts of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricQuery {
    /// After SELECT.
    pub select: String,
    /// After FROM; `Metric` when not given.
    pub from: String,
    /// After WHERE.
    pub filter: Option<String>,
    /// The attribute that holds the entity's GUID; `entity.guid` when not given.
    pub event_id: String,
    /// The attribute that holds the entity's name; `entity.name` when not given.
    pub event_name: String,
    /// After FACET.
    pub facet: Option<String>,
}

impl MetricQuery {
    /// The NRQL that New Relic runs for one entity.
    pub fn nrql(&self, guid: &str) -> String {
        let Self { select, from, event_id, .. } = self;
        let id = if event_id.contains('.') { format!("`{event_id}`") } else { event_id.clone() };
        let filter =
            self.filter.as_ref().map(|filter| format!(" AND ({filter})")).unwrap_or_default();
        format!("SELECT {select} FROM {from} WHERE {id} IN ('{guid}'){filter} TIMESERIES")
    }
}

/// A summary metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryMetric {
    /// What users see.
    pub title: String,
    /// One of the schema's units.
    pub unit: String,
    /// Kept out of user interfaces.
    pub hidden: bool,
    /// Where its value comes from.
    pub kind: SummaryKind,
}

/// Where a summary metric's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SummaryKind {
    /// A golden metric of the same type, by name.
    GoldenMetric(String),
    /// A tag, by key.
    Tag(String),
}
