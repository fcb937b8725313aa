//! Aggregates: one accumulator per aggregate of a query, with a slot per facet and bucket.
//!
//! Invariants:
//! - Accumulators are structures of arrays, updated per batch; no value is boxed per row.
//! - Merging slots gives what the rows of both would have given in one slot, so that totals and
//!   "other" need no second reading.
//! - Rows without a value change nothing.

mod ends;
mod input;
mod kind;
mod moments;
mod sets;
mod spread;
mod trend;

use std::fmt::Debug;

use super::super::value::Value;

pub(super) use input::{Input, Part, Target, numbers};
pub(super) use kind::{Call, Kind, canonical, interval_ms, read};
pub use kind::{aggregate_names, is_aggregate};

/// The values of one aggregate, by slot.
pub(super) trait Accumulator: Debug {
    /// Makes room for `slots` slots.
    fn grow(&mut self, slots: usize);
    /// Adds rows. Every slot they name has room.
    fn update(&mut self, target: &Target<'_>, input: &Input<'_>);
    /// Adds what `from` holds to `into`; they differ.
    fn merge(&mut self, into: usize, from: usize);
    /// The value of `slot`, whose time is from `bounds.0` to before `bounds.1`, in milliseconds.
    fn finish(&self, slot: usize, bounds: (i64, i64)) -> Value;
    /// Memory in use, in bytes, about.
    fn bytes(&self) -> usize;
}

/// Calls `f` on two slots; nothing happens when they are one.
fn merge_with<T>(slots: &mut [T], into: usize, from: usize, f: impl FnOnce(&mut T, &T)) {
    if into < from {
        let (left, right) = slots.split_at_mut(from);
        if let (Some(into), Some(from)) = (left.get_mut(into), right.first()) {
            f(into, from);
        }
    } else if from < into {
        let (left, right) = slots.split_at_mut(into);
        if let (Some(into), Some(from)) = (right.first_mut(), left.get(from)) {
            f(into, from);
        }
    }
}

/// An accumulator without slots.
pub(super) fn accumulator(kind: &Kind) -> Box<dyn Accumulator> {
    match kind {
        Kind::CountAll | Kind::DatapointCount => Box::new(moments::Rows::default()),
        Kind::Count => Box::new(moments::Weights::of_values()),
        Kind::CountPoints => Box::new(moments::Weights::given()),
        Kind::Sum => Box::new(moments::Sum::default()),
        Kind::Average => Box::new(moments::Average::default()),
        Kind::Min => Box::new(moments::Extreme::new(false)),
        Kind::Max => Box::new(moments::Extreme::new(true)),
        Kind::Latest => Box::new(ends::End::new(true)),
        Kind::Earliest => Box::new(ends::End::new(false)),
        Kind::Stddev => Box::new(moments::Deviation::new(true)),
        Kind::Stdvar => Box::new(moments::Deviation::new(false)),
        Kind::UniqueCount { precision } => Box::new(sets::UniqueCount::new(*precision)),
        Kind::Cardinality { include, exclude } => {
            Box::new(sets::UniqueCount::cardinality(include.clone(), exclude.clone()))
        }
        Kind::Uniques { limit } => Box::new(sets::Uniques::new(*limit)),
        Kind::Percentile { points } => Box::new(spread::Percentile::new(points.clone())),
        Kind::Histogram { width, buckets, start } => {
            Box::new(spread::Histogram::new(*width, *buckets, *start))
        }
        Kind::Derivative { interval_ms } => Box::new(trend::Trend::slope(*interval_ms)),
        Kind::PredictLinear { ahead_ms } => Box::new(trend::Trend::ahead(*ahead_ms)),
        Kind::LatestRate { interval_ms } => Box::new(ends::LatestRate::new(*interval_ms)),
        Kind::Apdex { threshold } => Box::new(spread::Apdex::new(*threshold)),
        Kind::Funnel { labels } => Box::new(sets::Funnel::new(labels.clone())),
        Kind::CdfPercentage { thresholds } => {
            Box::new(spread::CdfPercentage::new(thresholds.clone()))
        }
        Kind::BucketPercentile { points } => {
            Box::new(spread::BucketPercentile::new(points.clone()))
        }
        Kind::AggregationEndTime => Box::new(EndTime),
        Kind::ByteCountEstimate => Box::new(Bytes::default()),
    }
}

/// `aggregationendtime()`: the end of the window or bucket.
#[derive(Debug)]
struct EndTime;

impl Accumulator for EndTime {
    fn grow(&mut self, _: usize) {}

    fn update(&mut self, _: &Target<'_>, _: &Input<'_>) {}

    fn merge(&mut self, _: usize, _: usize) {}

    fn finish(&self, _: usize, (_, end): (i64, i64)) -> Value {
        Value::Integer(end)
    }

    fn bytes(&self) -> usize {
        0
    }
}

/// What an event costs beside its attributes, and a number. Assumed.
const EVENT_BYTES: f64 = 20.0;
const NUMBER_BYTES: f64 = 8.0;

/// `bytecountestimate()`: names and values of all attributes, added up. Assumed.
#[derive(Debug, Default)]
struct Bytes {
    slots: Vec<f64>,
}

impl Accumulator for Bytes {
    fn grow(&mut self, slots: usize) {
        self.slots.resize(slots.max(self.slots.len()), 0.0);
    }

    #[expect(clippy::cast_precision_loss, reason = "lengths of texts")]
    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        target.each(&super::column::Validity::All, |_, slot| self.slots[slot] += EVENT_BYTES);
        for name in input.batch.names() {
            let Some(column) = input.batch.column(&name) else { continue };
            target.each(&column.validity(), |row, slot| {
                let value = match column.value(row) {
                    Value::Text(text) => text.len() as f64,
                    _ => NUMBER_BYTES,
                };
                self.slots[slot] += name.len() as f64 + value;
            });
        }
    }

    fn merge(&mut self, into: usize, from: usize) {
        self.slots[into] += self.slots[from];
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        moments::finite(self.slots[slot])
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * 8
    }
}
