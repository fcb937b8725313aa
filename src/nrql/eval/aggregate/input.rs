//! What accumulators read: rows with their slots, and arguments as numbers.
//!
//! Invariants: [`Target`] names each row at most once; rows without a value are skipped before an
//! accumulator sees them.
//!
//! Metric values give each aggregate the part that it is about, and nothing to one that their kind
//! has no part for (newrelic.md 4.3; assumed: percentiles and the like read a point's mean).

use std::borrow::Cow;

use super::super::super::value::{MetricKind, MetricValue, Value};
use super::super::batch::Batch;
use super::super::bitmap::Bitmap;
use super::super::column::{Column, Validity};

/// Rows and the slots that they count in.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Target<'a> {
    /// All in one slot.
    One {
        /// Which.
        slot: usize,
        /// Of the batch.
        rows: &'a Bitmap,
    },
    /// Row by row.
    Many {
        /// Of the batch, ascending.
        rows: &'a [u32],
        /// One for each of `rows`.
        slots: &'a [u32],
    },
}

impl Target<'_> {
    /// Calls `f` with row and slot of each row that has a value.
    #[inline]
    pub(in super::super) fn each(&self, valid: &Validity<'_>, mut f: impl FnMut(usize, usize)) {
        match (self, valid) {
            (Self::One { slot, rows }, Validity::All) => rows.for_each(|row| f(row, *slot)),
            (Self::One { slot, rows }, Validity::Rows(valid)) => {
                let mut both = (*rows).clone();
                both.and(valid);
                both.for_each(|row| f(row, *slot));
            }
            (Self::Many { rows, slots }, Validity::All) => {
                for (row, slot) in rows.iter().zip(*slots) {
                    f(*row as usize, *slot as usize);
                }
            }
            (Self::Many { rows, slots }, Validity::Rows(valid)) => {
                for (row, slot) in rows.iter().zip(*slots) {
                    if valid.get(*row as usize) {
                        f(*row as usize, *slot as usize);
                    }
                }
            }
        }
    }
}

/// A batch and the arguments of one aggregate over it.
pub(in super::super) struct Input<'a> {
    /// Where the rows are.
    pub batch: &'a Batch<'a>,
    /// As many as the aggregate has.
    pub columns: &'a [Column<'a>],
}

/// The part of a metric's value that an aggregate is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Part {
    /// What adds up.
    Sum,
    /// The mean of the point's values.
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The newest.
    Latest,
    /// How many values the point stands for.
    Weight,
}

impl Part {
    /// This part of `metric`, when its kind has it.
    pub(in super::super) fn of(self, metric: &MetricValue) -> Option<f64> {
        let spread = matches!(
            metric.kind,
            MetricKind::Gauge | MetricKind::Summary | MetricKind::Distribution
        );
        match self {
            Self::Weight => Some(if spread { metric.count } else { 1.0 }),
            Self::Sum if metric.kind == MetricKind::UniqueCount => None,
            Self::Sum => Some(if spread { metric.sum } else { metric.count }),
            Self::Mean => (spread && metric.count > 0.0).then(|| metric.sum / metric.count),
            Self::Min => spread.then_some(metric.min),
            Self::Max => spread.then_some(metric.max),
            Self::Latest => matches!(metric.kind, MetricKind::Gauge | MetricKind::CumulativeCount)
                .then_some(metric.latest),
        }
    }

    /// The number that a value is to an aggregate about this part.
    fn of_value(self, value: &Value) -> Option<f64> {
        match value {
            Value::Metric(metric) => self.of(metric),
            _ if self == Self::Weight => (*value != Value::Null).then_some(1.0),
            other => number(other),
        }
    }
}

/// The number that a value is; an inner query's single percentile is one too.
pub(in super::super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Map(members) if members.len() == 1 => {
            members.first().and_then(|(_, value)| number(value))
        }
        other => other.as_f64(),
    }
}

/// The numbers of a column to an aggregate about `part`.
pub(in super::super) fn numbers<'c>(
    column: &'c Column<'_>,
    part: Part,
) -> (Cow<'c, [f64]>, Validity<'c>) {
    match column {
        Column::Metrics(parts, valid) => {
            let of = |row: usize| valid.get(row).then(|| part.of(&parts.get(row))).flatten();
            collect((0..parts.kinds.len()).map(of))
        }
        Column::Values(values) => collect(values.iter().map(|value| part.of_value(value))),
        Column::Constant(value, len) => {
            let one = part.of_value(value);
            collect(std::iter::repeat_n(one, *len))
        }
        Column::Mixed(parts) => {
            let len = column.len();
            let mut values = vec![0.0; len];
            let mut rows = Bitmap::zeros(len);
            for inner in parts {
                let (numbers, valid) = numbers(inner, part);
                let valid = valid.to_bitmap(len);
                valid.for_each(|row| values[row] = numbers[row]);
                rows.or(&valid);
            }
            (values.into(), Validity::of(rows))
        }
        other if part == Part::Weight => (vec![1.0; other.len()].into(), other.validity()),
        other => other.numbers(),
    }
}

fn collect<'c>(values: impl Iterator<Item = Option<f64>>) -> (Cow<'c, [f64]>, Validity<'c>) {
    let values: Vec<Option<f64>> = values.collect();
    let valid = Bitmap::from_fn(values.len(), |row| values[row].is_some());
    (values.into_iter().map(Option::unwrap_or_default).collect(), Validity::of(valid))
}

/// Whether a column may hold metric values.
pub(in super::super) fn has_metrics(column: &Column<'_>) -> bool {
    match column {
        Column::Metrics(..) => true,
        Column::Mixed(parts) => parts.iter().any(has_metrics),
        Column::Values(values) => values.iter().any(|value| matches!(value, Value::Metric(_))),
        Column::Constant(value, _) => matches!(value, Value::Metric(_)),
        _ => false,
    }
}
