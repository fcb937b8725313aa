//! Values of attributes and of results.

use std::sync::Arc;

use indexmap::IndexMap;

/// A value. Texts and numbers are never converted into each other unasked.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number; never NaN and never infinite once it is stored.
    Number(f64),
    /// A whole number; results of counts, and stored integers beyond 2⁵³.
    Integer(i64),
    /// Text.
    Text(Arc<str>),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name, in order.
    Map(IndexMap<Arc<str>, Value>),
    /// A metric data point's value.
    Metric(Arc<MetricValue>),
}

/// Kinds of metric values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricKind {
    /// `{type, count, sum, min, max, latest}`.
    Gauge,
    /// `{type, count}`: the count is the value.
    Count,
    /// `{type, count, sum, min, max}`.
    Summary,
    /// `{count, cumulative}`.
    CumulativeCount,
    /// Buckets.
    Distribution,
    /// A set of values, counted.
    UniqueCount,
}

/// The value of a metric data point; what a kind does not have is zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricValue {
    /// Its kind.
    pub kind: MetricKind,
    /// Values that it sums up; for [`MetricKind::Count`] the value itself.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The newest, or the cumulative value.
    pub latest: f64,
}
