//! The rules that blocks and data points must meet once their request was accepted.
//!
//! Source: New Relic's "Metric API limits and restricted attributes" and "Report metrics via the
//! Metric API". The documentation gives no texts of messages; those here are our own.

use super::parse::{ODD_NUMBER, SentMetrics, SentPoint, SentValue};
use crate::definitions::Scalar;
use crate::domain::units::UnixMillis;
use crate::newrelic::limits::{
    ATTRIBUTE_NAME_CHARS_MAX, ATTRIBUTE_VALUE_CHARS_MAX, METRIC_ATTRIBUTES_MAX,
    METRIC_NAME_CHARS_MAX, METRIC_TIMESTAMP_AHEAD_MS, METRIC_TIMESTAMP_PAST_MS,
};
use crate::nrql::{MetricKind, MetricValue};
use crate::sim::newrelic::ingest::body::{Sent, last_counts};

/// Why a data point, or a block of them, was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricFault {
    /// A block without a list `metrics`.
    MetricsMissing,
    /// A block whose `common` is no object or breaks a rule; all its points are dropped.
    Common,
    /// A data point that is no object, or whose attributes are none.
    Malformed,
    /// No name, or none that is text.
    NameMissing,
    /// A name of more than 255 characters.
    NameLength,
    /// A type that there is not.
    TypeUnknown,
    /// No value, or none of its type's form.
    Value,
    /// NaN, an infinity, or beyond what Java's long and double hold.
    NumberRange,
    /// A count or summary without `interval.ms`.
    IntervalMissing,
    /// An `interval.ms` that is no positive integer.
    IntervalInvalid,
    /// A timestamp that is no number.
    TimestampInvalid,
    /// A timestamp more than 48 hours old or more than 24 hours ahead.
    TimestampRange,
    /// More than 100 attributes.
    TooManyAttributes,
    /// An attribute without a name.
    AttributeNameMissing,
    /// An attribute's name of more than 255 characters.
    AttributeNameLength,
    /// A text of more than 4,096 characters.
    AttributeValueLength,
    /// An array or object.
    AttributeNested,
    /// An attribute named like a key of the API's own.
    AttributeReserved,
    /// An attribute named like the metric.
    AttributeIsMetric,
}

impl MetricFault {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::MetricsMissing,
        Self::Common,
        Self::Malformed,
        Self::NameMissing,
        Self::NameLength,
        Self::TypeUnknown,
        Self::Value,
        Self::NumberRange,
        Self::IntervalMissing,
        Self::IntervalInvalid,
        Self::TimestampInvalid,
        Self::TimestampRange,
        Self::TooManyAttributes,
        Self::AttributeNameMissing,
        Self::AttributeNameLength,
        Self::AttributeValueLength,
        Self::AttributeNested,
        Self::AttributeReserved,
        Self::AttributeIsMetric,
    ];

    /// The row's message for `count` data points.
    pub fn message(self, count: u32) -> String {
        let reason = match self {
            Self::MetricsMissing => "their block has no list `metrics`",
            Self::Common => "the `common` block is invalid",
            Self::Malformed => "the data point or its attributes are not an object",
            Self::NameMissing => "`name` is missing or not a string",
            Self::NameLength => "`name` exceeded maximum length",
            Self::TypeUnknown => "`type` is not a supported metric type",
            Self::Value => "`value` is missing or does not fit the metric type",
            Self::NumberRange => "a number is NaN, infinite or out of range",
            Self::IntervalMissing => "`interval.ms` is required for the metric type",
            Self::IntervalInvalid => "`interval.ms` is not a positive integer",
            Self::TimestampInvalid => "`timestamp` is not a number",
            Self::TimestampRange => "`timestamp` is out of range",
            Self::TooManyAttributes => "the number of attributes exceeded the maximum",
            Self::AttributeNameMissing => "an attribute has no name",
            Self::AttributeNameLength => "attribute name exceeded maximum length",
            Self::AttributeValueLength => "attribute value exceeded maximum length",
            Self::AttributeNested => "an attribute value is not a string, number or boolean",
            Self::AttributeReserved => "an attribute name is reserved",
            Self::AttributeIsMetric => "an attribute has the name of the metric",
        };
        format!("{count} metric data point(s) dropped because {reason}")
    }
}

/// A data point fit to be stored.
#[derive(Debug)]
pub(super) struct ValidPoint<'a> {
    pub(super) name: &'a str,
    pub(super) value: MetricValue,
    pub(super) timestamp: UnixMillis,
    pub(super) interval_ms: Option<i64>,
    /// Its own attributes and those of its block that it does not override.
    pub(super) cells: Vec<(&'a str, Scalar<'a>)>,
}

/// The common part of a block, fit to be used.
#[derive(Debug, Default)]
pub(super) struct Common<'a> {
    timestamp: Option<UnixMillis>,
    interval_ms: Option<i64>,
    cells: Vec<(&'a str, Scalar<'a>)>,
}

/// Checks a block's common part.
pub(super) fn common<'a>(
    metrics: &'a SentMetrics<'_>,
    sent: &'a SentPoint<'_>,
    now: UnixMillis,
) -> Result<Common<'a>, MetricFault> {
    if sent.malformed {
        return Err(MetricFault::Common);
    }
    let mut cells = attributes(metrics, sent)?;
    last_counts(&mut cells);
    let timestamp = sent.timestamp.as_ref().map(|sent| timestamp(sent, now)).transpose()?;
    let interval_ms = sent.interval_ms.as_ref().map(interval).transpose()?;
    Ok(Common { timestamp, interval_ms, cells })
}

/// Checks a data point that arrived at `now`.
pub(super) fn point<'a>(
    metrics: &'a SentMetrics<'_>,
    sent: &'a SentPoint<'_>,
    common: &Common<'a>,
    now: UnixMillis,
) -> Result<ValidPoint<'a>, MetricFault> {
    if sent.malformed {
        return Err(MetricFault::Malformed);
    }
    let name = match &sent.name {
        Some(Sent::Text(text)) if !text.is_empty() => &**text,
        _ => return Err(MetricFault::NameMissing),
    };
    if longer_than(name, METRIC_NAME_CHARS_MAX) {
        return Err(MetricFault::NameLength);
    }
    let kind = kind(sent.kind.as_ref())?;
    let value = value(kind, sent.value.as_ref())?;
    let own = sent.interval_ms.as_ref().map(interval).transpose()?;
    let interval_ms = own.or(common.interval_ms);
    if interval_ms.is_none() && kind != MetricKind::Gauge {
        return Err(MetricFault::IntervalMissing);
    }
    let own = sent.timestamp.as_ref().map(|sent| timestamp(sent, now)).transpose()?;
    let timestamp = own.or(common.timestamp).unwrap_or(now);
    let mut cells = attributes(metrics, sent)?;
    last_counts(&mut cells);
    let own = cells.len();
    for cell in &common.cells {
        if !cells[..own].iter().any(|(name, _)| *name == cell.0) {
            cells.push(*cell);
        }
    }
    if cells.len() > METRIC_ATTRIBUTES_MAX {
        return Err(MetricFault::TooManyAttributes);
    }
    if cells.iter().any(|(key, _)| *key == name) {
        return Err(MetricFault::AttributeIsMetric);
    }
    Ok(ValidPoint { name, value, timestamp, interval_ms, cells })
}

fn longer_than(text: &str, chars: usize) -> bool {
    text.len() > chars && text.chars().count() > chars
}

fn kind(sent: Option<&Sent<'_>>) -> Result<MetricKind, MetricFault> {
    let Some(Sent::Text(text)) = sent else {
        return if sent.is_none() { Ok(MetricKind::Gauge) } else { Err(MetricFault::TypeUnknown) };
    };
    match &**text {
        "gauge" => Ok(MetricKind::Gauge),
        "count" => Ok(MetricKind::Count),
        "summary" => Ok(MetricKind::Summary),
        "cumulativeCount" => Ok(MetricKind::CumulativeCount),
        "distribution" => Ok(MetricKind::Distribution),
        "uniqueCount" => Ok(MetricKind::UniqueCount),
        _ => Err(MetricFault::TypeUnknown),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric's value is a double in the end")]
fn number(sent: &Sent<'_>) -> Result<f64, MetricFault> {
    match sent {
        Sent::Number(number) if number.is_finite() => Ok(*number),
        Sent::Integer(number) => Ok(*number as f64),
        Sent::Number(_) | Sent::Huge(_) => Err(MetricFault::NumberRange),
        Sent::Text(text) if text.starts_with(ODD_NUMBER) => Err(MetricFault::NumberRange),
        Sent::Text(_) | Sent::Bool(_) | Sent::Null | Sent::Nested => Err(MetricFault::Value),
    }
}

fn value(kind: MetricKind, sent: Option<&SentValue<'_>>) -> Result<MetricValue, MetricFault> {
    let sent = sent.ok_or(MetricFault::Value)?;
    let blank = MetricValue { kind, count: 0.0, sum: 0.0, min: 0.0, max: 0.0, latest: 0.0 };
    let field = |name: &str| match sent {
        SentValue::Fields(fields) => {
            let sent = fields.iter().rev().find(|(key, _)| key == name).map(|(_, sent)| sent);
            number(sent.ok_or(MetricFault::Value)?)
        }
        SentValue::Plain(_) => Err(MetricFault::Value),
    };
    let plain = || match sent {
        SentValue::Plain(sent) => number(sent),
        SentValue::Fields(_) => Err(MetricFault::Value),
    };
    match kind {
        MetricKind::Gauge => {
            let v = plain()?;
            Ok(MetricValue { count: 1.0, sum: v, min: v, max: v, latest: v, ..blank })
        }
        MetricKind::Count | MetricKind::UniqueCount => Ok(MetricValue { count: plain()?, ..blank }),
        MetricKind::Summary | MetricKind::Distribution => Ok(MetricValue {
            count: field("count")?,
            sum: field("sum")?,
            min: field("min")?,
            max: field("max")?,
            ..blank
        }),
        MetricKind::CumulativeCount => {
            Ok(MetricValue { count: field("count")?, latest: field("cumulative")?, ..blank })
        }
    }
}

fn interval(sent: &Sent<'_>) -> Result<i64, MetricFault> {
    let number = match sent {
        Sent::Number(number) if number.fract() == 0.0 => *number,
        Sent::Huge(_) | Sent::Integer(_) => return Err(MetricFault::NumberRange),
        _ => return Err(MetricFault::IntervalInvalid),
    };
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers up to 2⁵³ are kept")]
    let millis = number as i64;
    if millis > 0 { Ok(millis) } else { Err(MetricFault::IntervalInvalid) }
}

/// Milliseconds from 10¹¹ on (1973), microseconds from 10¹⁴ on, nanoseconds from 10¹⁷ on.
const UNITS: [(f64, f64); 3] = [(1e11, 1_000.0), (1e14, 1.0), (1e17, 0.001)];

fn timestamp(sent: &Sent<'_>, now: UnixMillis) -> Result<UnixMillis, MetricFault> {
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds need no more than milliseconds")]
    let number = match sent {
        Sent::Number(number) => number.trunc(),
        Sent::Integer(number) => *number as f64,
        Sent::Huge(_) => return Err(MetricFault::NumberRange),
        _ => return Err(MetricFault::TimestampInvalid),
    };
    let unit = UNITS.iter().find(|(below, _)| number.abs() < *below);
    let factor = unit.map_or(0.000_001, |(_, factor)| *factor);
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is then out of range")]
    let time = UnixMillis((number * factor) as i64);
    let distance = time.millis_since(now);
    if (-METRIC_TIMESTAMP_PAST_MS..=METRIC_TIMESTAMP_AHEAD_MS).contains(&distance) {
        Ok(time)
    } else {
        Err(MetricFault::TimestampRange)
    }
}

/// Keys of the API's own, which no attribute may have.
const RESERVED: [&str; 10] = [
    "interval.ms",
    "timestamp",
    "value",
    "common",
    "min",
    "max",
    "count",
    "sum",
    "metrics",
    "type",
];

/// Attributes that New Relic sets itself; what the sender gives is overwritten.
const OVERWRITTEN: [&str; 3] = ["metricName", "endTimestamp", "newrelic.source"];

fn attributes<'a>(
    metrics: &'a SentMetrics<'_>,
    sent: &SentPoint<'_>,
) -> Result<Vec<(&'a str, Scalar<'a>)>, MetricFault> {
    let attributes = &metrics.attributes[sent.attributes.clone()];
    let mut cells = Vec::with_capacity(attributes.len() + 8);
    for (name, value) in attributes {
        if name.is_empty() {
            return Err(MetricFault::AttributeNameMissing);
        }
        if longer_than(name, ATTRIBUTE_NAME_CHARS_MAX) {
            return Err(MetricFault::AttributeNameLength);
        }
        if RESERVED.contains(&&**name) {
            return Err(MetricFault::AttributeReserved);
        }
        let cell = match value {
            Sent::Text(text) if text.starts_with(ODD_NUMBER) => {
                return Err(MetricFault::NumberRange);
            }
            Sent::Text(text) if longer_than(text, ATTRIBUTE_VALUE_CHARS_MAX) => {
                return Err(MetricFault::AttributeValueLength);
            }
            Sent::Text(text) => Scalar::Text(text),
            Sent::Number(number) => Scalar::Number(*number),
            Sent::Integer(number) => Scalar::Integer(*number),
            Sent::Huge(_) => return Err(MetricFault::NumberRange),
            Sent::Bool(value) => Scalar::Bool(*value),
            Sent::Nested => return Err(MetricFault::AttributeNested),
            Sent::Null => continue,
        };
        if !OVERWRITTEN.contains(&&**name) && name != "accountId" {
            cells.push((&**name, cell));
        }
    }
    Ok(cells)
}
