//! How values are spread: percentiles, histograms, apdex, shares below thresholds.
//!
//! Invariant: what is kept per slot is bounded, whatever the number of rows.
//!
//! Assumed: the shapes of `apdex` and `cdfPercentage`; `histogram` as a map from the begin of each
//! bucket (the list form stands in the old answers).

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::super::super::value::Value;
use super::super::key::ordered;
use super::super::sketch::Percentiles;
use super::input::{Input, Part, Target, numbers};
use super::moments::{finite, whole};
use super::{Accumulator, merge_with};

/// A number as the key of a map: `95`, `99.9`.
fn number_key(number: f64) -> Arc<str> {
    Arc::from(format!("{number}"))
}

/// `percentile(a, p, …)`: a map from each percentile, as written, to its value.
#[derive(Debug)]
pub(super) struct Percentile {
    points: Vec<f64>,
    slots: Vec<Percentiles>,
}

impl Percentile {
    pub(super) const fn new(points: Vec<f64>) -> Self {
        Self { points, slots: Vec::new() }
    }
}

impl Accumulator for Percentile {
    fn grow(&mut self, slots: usize) {
        self.slots.resize_with(slots.max(self.slots.len()), Percentiles::default);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let (values, valid) = numbers(column, Part::Mean);
        target.each(&valid, |row, slot| self.slots[slot].insert(values[row]));
    }

    fn merge(&mut self, into: usize, from: usize) {
        merge_with(&mut self.slots, into, from, |into, from| into.merge(from));
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let held = &self.slots[slot];
        let of = |point: &f64| {
            let value = held.percentile(*point).map_or(Value::Null, finite);
            (number_key(*point), value)
        };
        Value::Map(self.points.iter().map(of).collect())
    }

    fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| size_of::<Percentiles>() + slot.bytes()).sum()
    }
}

/// `histogram(a, width, buckets, start)`: `width` is that of all buckets together; what lies
/// outside goes to the first or the last. Source: "histogram(attribute…)".
#[derive(Debug)]
pub(super) struct Histogram {
    width: f64,
    buckets: usize,
    start: f64,
    counts: Vec<u64>,
}

impl Histogram {
    pub(super) const fn new(width: f64, buckets: usize, start: f64) -> Self {
        Self { width, buckets, start, counts: Vec::new() }
    }

    fn bucket(&self, value: f64) -> usize {
        #[expect(clippy::cast_precision_loss, reason = "at most 500")]
        let place = ((value - self.start) / self.width * self.buckets as f64).floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, which is meant"
        )]
        let place = place as usize;
        place.min(self.buckets - 1)
    }
}

impl Accumulator for Histogram {
    fn grow(&mut self, slots: usize) {
        let size = slots.saturating_mul(self.buckets);
        self.counts.resize(size.max(self.counts.len()), 0);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let (values, valid) = numbers(column, Part::Mean);
        target.each(&valid, |row, slot| {
            let at = slot * self.buckets + self.bucket(values[row]);
            self.counts[at] += 1;
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        for bucket in 0..self.buckets {
            let more = self.counts[from * self.buckets + bucket];
            self.counts[into * self.buckets + bucket] += more;
        }
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let counts = &self.counts[slot * self.buckets..(slot + 1) * self.buckets];
        #[expect(clippy::cast_precision_loss, reason = "at most 500")]
        let begin = |at: usize| self.start + self.width * at as f64 / self.buckets as f64;
        Value::Map(
            counts
                .iter()
                .enumerate()
                .map(|(at, count)| (number_key(begin(at)), whole(*count)))
                .collect(),
        )
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}

/// `apdex(a, t)`: values up to `t` satisfy, up to four times `t` are tolerated, others frustrate.
#[derive(Debug)]
pub(super) struct Apdex {
    threshold: f64,
    slots: Vec<[u64; 3]>,
}

impl Apdex {
    pub(super) const fn new(threshold: f64) -> Self {
        Self { threshold, slots: Vec::new() }
    }
}

impl Accumulator for Apdex {
    fn grow(&mut self, slots: usize) {
        self.slots.resize(slots.max(self.slots.len()), [0; 3]);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let (values, valid) = numbers(column, Part::Mean);
        let (satisfied, tolerated) = (self.threshold, 4.0 * self.threshold);
        target.each(&valid, |row, slot| {
            let value = values[row];
            let class = if value <= satisfied { 0 } else { 1 + usize::from(value > tolerated) };
            self.slots[slot][class] += 1;
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        merge_with(&mut self.slots, into, from, |into, from| {
            into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
        });
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let [satisfied, tolerated, frustrated] = self.slots[slot];
        let count = satisfied + tolerated + frustrated;
        #[expect(clippy::cast_precision_loss, reason = "numbers of events")]
        let share = |part: f64| if count == 0 { Value::Null } else { finite(part / count as f64) };
        #[expect(clippy::cast_precision_loss, reason = "numbers of events")]
        let score = share(satisfied as f64 + tolerated as f64 / 2.0);
        let members = [
            ("score", score),
            ("s", whole(satisfied)),
            ("t", whole(tolerated)),
            ("f", whole(frustrated)),
            ("count", whole(count)),
        ];
        Value::Map(members.into_iter().map(|(key, value)| (Arc::from(key), value)).collect())
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * 24
    }
}

/// `cdfPercentage(a, threshold, …)`: the share of values up to each threshold, in percent.
#[derive(Debug)]
pub(super) struct CdfPercentage {
    thresholds: Vec<f64>,
    /// For each slot the count of all values, then of those up to each threshold.
    counts: Vec<u64>,
}

impl CdfPercentage {
    pub(super) const fn new(thresholds: Vec<f64>) -> Self {
        Self { thresholds, counts: Vec::new() }
    }

    const fn stride(&self) -> usize {
        self.thresholds.len() + 1
    }
}

impl Accumulator for CdfPercentage {
    fn grow(&mut self, slots: usize) {
        let size = slots.saturating_mul(self.stride());
        self.counts.resize(size.max(self.counts.len()), 0);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let (values, valid) = numbers(column, Part::Mean);
        let stride = self.stride();
        target.each(&valid, |row, slot| {
            self.counts[slot * stride] += 1;
            for (at, threshold) in self.thresholds.iter().enumerate() {
                self.counts[slot * stride + 1 + at] += u64::from(values[row] <= *threshold);
            }
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        let stride = self.stride();
        for at in 0..stride {
            let more = self.counts[from * stride + at];
            self.counts[into * stride + at] += more;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of events")]
    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let counts = &self.counts[slot * self.stride()..(slot + 1) * self.stride()];
        let all = counts[0] as f64;
        let of = |(threshold, count): (&f64, &u64)| {
            let share = if all > 0.0 { finite(100.0 * *count as f64 / all) } else { Value::Null };
            (number_key(*threshold), share)
        };
        Value::Map(self.thresholds.iter().zip(&counts[1..]).map(of).collect())
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}

/// Bounds of buckets kept per slot.
const BOUNDS_MAX: usize = 1_000;

/// `bucketPercentile(a_bucket, p, …)` over Prometheus' cumulative buckets: each point carries the
/// upper bound `le` of its bucket; within a bucket values are taken to lie evenly.
#[derive(Debug)]
pub(super) struct BucketPercentile {
    points: Vec<f64>,
    /// Cumulative counts by bound.
    slots: Vec<BTreeMap<u64, (f64, f64)>>,
    held: usize,
}

impl BucketPercentile {
    pub(super) const fn new(points: Vec<f64>) -> Self {
        Self { points, slots: Vec::new(), held: 0 }
    }
}

/// A bound as it is written: a number or `+Inf`.
fn bound(value: &Value) -> Option<f64> {
    match value {
        Value::Text(text) if text.eq_ignore_ascii_case("+inf") => Some(f64::INFINITY),
        Value::Text(text) => text.parse().ok().filter(|bound: &f64| !bound.is_nan()),
        other => other.as_f64(),
    }
}

impl Accumulator for BucketPercentile {
    fn grow(&mut self, slots: usize) {
        self.slots.resize_with(slots.max(self.slots.len()), BTreeMap::new);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let [values, bounds] = input.columns else { return };
        let (counts, valid) = numbers(values, Part::Sum);
        target.each(&valid, |row, slot| {
            let Some(bound) = bound(&bounds.value(row)) else { return };
            let slot = &mut self.slots[slot];
            if slot.len() < BOUNDS_MAX || slot.contains_key(&ordered(bound)) {
                let before = slot.len();
                slot.entry(ordered(bound)).or_insert((bound, 0.0)).1 += counts[row];
                self.held += 64 * (slot.len() - before);
            }
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        merge_with(&mut self.slots, into, from, |into, from| {
            for (key, (bound, count)) in from {
                into.entry(*key).or_insert((*bound, 0.0)).1 += count;
            }
        });
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let buckets: Vec<(f64, f64)> = self.slots[slot].values().copied().collect();
        let of = |point: &f64| {
            let value = interpolate(&buckets, point / 100.0).map_or(Value::Null, finite);
            (number_key(*point), value)
        };
        Value::Map(self.points.iter().map(of).collect::<IndexMap<_, _>>())
    }

    fn bytes(&self) -> usize {
        self.held + self.slots.capacity() * size_of::<BTreeMap<u64, (f64, f64)>>()
    }
}

/// The value below which a share `quantile` lies, of cumulative counts by ascending bound.
fn interpolate(buckets: &[(f64, f64)], quantile: f64) -> Option<f64> {
    let total = buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
    let rank = quantile * total;
    let at = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (upper, count) = buckets[at];
    let (lower, below) = if at == 0 { (0.0_f64.min(upper), 0.0) } else { buckets[at - 1] };
    if upper.is_infinite() {
        // Nothing is known of how far the last bucket reaches: its begin is the best answer.
        return (at > 0).then_some(lower);
    }
    if count <= below {
        return Some(upper);
    }
    Some(lower + (upper - lower) * (rank - below) / (count - below))
}
