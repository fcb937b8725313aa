//! Values of attributes and of results.

use std::sync::Arc;

use indexmap::IndexMap;

/// A value. Texts and numbers are never converted into each other unasked.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum MetricKind {
    /// `{type, count, sum, min, max, latest}`.
    #[default]
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

impl MetricValue {
    /// A gauge of one value.
    pub fn gauge(value: f64) -> Self {
        let kind = MetricKind::Gauge;
        Self { kind, count: 1.0, sum: value, min: value, max: value, latest: value }
    }

    /// A count.
    pub fn count(count: f64) -> Self {
        Self { kind: MetricKind::Count, count, sum: 0.0, min: 0.0, max: 0.0, latest: 0.0 }
    }

    /// A summary.
    pub fn summary(count: f64, sum: f64, min: f64, max: f64) -> Self {
        Self { kind: MetricKind::Summary, count, sum, min, max, latest: 0.0 }
    }

    /// The one number that stands for it where a number is asked for: a count's count, what a
    /// cumulative count has reached, a gauge's newest value, of the rest the mean. Assumed.
    pub fn scalar(&self) -> f64 {
        match self.kind {
            MetricKind::Count | MetricKind::UniqueCount => self.count,
            MetricKind::CumulativeCount | MetricKind::Gauge => self.latest,
            MetricKind::Summary | MetricKind::Distribution if self.count != 0.0 => {
                self.sum / self.count
            }
            MetricKind::Summary | MetricKind::Distribution => 0.0,
        }
    }

    /// A member by its name in queries, `metric[sum]`; `None` for what its kind does not have.
    pub fn field(&self, name: &str) -> Option<f64> {
        use MetricKind::{Count, CumulativeCount, Distribution, Gauge, Summary, UniqueCount};
        match (name, self.kind) {
            ("count", _) => Some(self.count),
            ("sum" | "total", Gauge | Summary | Distribution) => Some(self.sum),
            ("min", Gauge | Summary | Distribution) => Some(self.min),
            ("max", Gauge | Summary | Distribution) => Some(self.max),
            ("latest", Gauge) => Some(self.latest),
            ("cumulative", CumulativeCount) => Some(self.latest),
            ("cardinality", UniqueCount) => Some(self.count),
            (_, Count | CumulativeCount | UniqueCount | Gauge | Summary | Distribution) => None,
        }
    }
}

impl MetricKind {
    /// Its name in `metric[type]`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Count => "count",
            Self::Summary => "summary",
            Self::CumulativeCount => "cumulativeCount",
            Self::Distribution => "distribution",
            Self::UniqueCount => "uniqueCount",
        }
    }
}

impl Value {
    /// Of a text.
    pub fn text(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }

    /// The number, however it is held.
    #[expect(clippy::cast_precision_loss, reason = "callers that need every digit match Integer")]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Integer(number) => Some(*number as f64),
            Self::Metric(metric) => Some(metric.scalar()),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether there is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}
