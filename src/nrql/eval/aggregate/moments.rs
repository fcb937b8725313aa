//! Counts, sums, means, extremes, variances.
//!
//! Invariants: nulls and texts change nothing; without any value count and sum are 0 and the rest
//! is null.

use super::super::super::value::Value;
use super::super::column::Validity;
use super::input::{Input, Part, Target, numbers};
use super::{Accumulator, merge_with};

/// `count(*)` and `datapointCount()`: rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    counts: Vec<u64>,
}

impl Accumulator for Rows {
    fn grow(&mut self, slots: usize) {
        self.counts.resize(slots.max(self.counts.len()), 0);
    }

    fn update(&mut self, target: &Target<'_>, _: &Input<'_>) {
        match target {
            Target::One { slot, rows } => self.counts[*slot] += rows.count() as u64,
            Target::Many { slots, .. } => {
                for slot in *slots {
                    self.counts[*slot as usize] += 1;
                }
            }
        }
    }

    fn merge(&mut self, into: usize, from: usize) {
        self.counts[into] += self.counts[from];
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        whole(self.counts[slot])
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}

/// A count as a value.
pub(super) fn whole(count: u64) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `count(a)`: rows with a value; of metrics the values that each point stands for. Over the whole
/// event `Metric` the weights come as a column.
#[derive(Debug)]
pub(super) struct Weights {
    part: Part,
    counts: Vec<f64>,
}

impl Weights {
    /// Of values, each as many as it stands for.
    pub(super) const fn of_values() -> Self {
        Self { part: Part::Weight, counts: Vec::new() }
    }

    /// Of weights that are known.
    pub(super) const fn given() -> Self {
        Self { part: Part::Sum, counts: Vec::new() }
    }
}

impl Accumulator for Weights {
    fn grow(&mut self, slots: usize) {
        self.counts.resize(slots.max(self.counts.len()), 0.0);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let (values, valid) = numbers(column, self.part);
        target.each(&valid, |row, slot| self.counts[slot] += values[row]);
    }

    fn merge(&mut self, into: usize, from: usize) {
        self.counts[into] += self.counts[from];
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let count = self.counts[slot];
        if count.fract() == 0.0 && count.abs() < 9e15 {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            return Value::Integer(count as i64);
        }
        Value::Number(count)
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}

/// `sum(a)`.
#[derive(Debug, Default)]
pub(super) struct Sum {
    sums: Vec<f64>,
}

impl Accumulator for Sum {
    fn grow(&mut self, slots: usize) {
        self.sums.resize(slots.max(self.sums.len()), 0.0);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let (values, valid) = numbers(column, Part::Sum);
        if let Target::One { slot, .. } = target {
            let mut sum = 0.0;
            target.each(&valid, |row, _| sum += values[row]);
            self.sums[*slot] += sum;
        } else {
            target.each(&valid, |row, slot| self.sums[slot] += values[row]);
        }
    }

    fn merge(&mut self, into: usize, from: usize) {
        self.sums[into] += self.sums[from];
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        finite(self.sums[slot])
    }

    fn bytes(&self) -> usize {
        self.sums.capacity() * 8
    }
}

/// A number as a value; what is too great for one is null.
pub(super) fn finite(number: f64) -> Value {
    if number.is_finite() { Value::Number(number) } else { Value::Null }
}

/// `average(a)`; of metrics the sum of sums over the sum of counts.
#[derive(Debug, Default)]
pub(super) struct Average {
    slots: Vec<(f64, f64)>,
}

impl Accumulator for Average {
    fn grow(&mut self, slots: usize) {
        self.slots.resize(slots.max(self.slots.len()), (0.0, 0.0));
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        if super::input::has_metrics(column) {
            // Only what has a mean: a count's point has none.
            let (_, valid) = numbers(column, Part::Mean);
            let (sums, _) = numbers(column, Part::Sum);
            let (weights, _) = numbers(column, Part::Weight);
            target.each(&valid, |row, slot| {
                self.slots[slot].0 += sums[row];
                self.slots[slot].1 += weights[row];
            });
            return;
        }
        let (values, valid) = numbers(column, Part::Mean);
        if let Target::One { slot, .. } = target {
            let (mut sum, mut count) = (0.0, 0.0);
            target.each(&valid, |row, _| {
                sum += values[row];
                count += 1.0;
            });
            self.slots[*slot].0 += sum;
            self.slots[*slot].1 += count;
            return;
        }
        target.each(&valid, |row, slot| {
            let (sum, count) = &mut self.slots[slot];
            *sum += values[row];
            *count += 1.0;
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        let (sum, count) = self.slots[from];
        self.slots[into].0 += sum;
        self.slots[into].1 += count;
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let (sum, count) = self.slots[slot];
        if count > 0.0 { finite(sum / count) } else { Value::Null }
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * 16
    }
}

/// `min(a)` and `max(a)`.
#[derive(Debug)]
pub(super) struct Extreme {
    greatest: bool,
    slots: Vec<f64>,
}

impl Extreme {
    pub(super) const fn new(greatest: bool) -> Self {
        Self { greatest, slots: Vec::new() }
    }

    const fn none(&self) -> f64 {
        if self.greatest { f64::NEG_INFINITY } else { f64::INFINITY }
    }

    fn take(&mut self, target: &Target<'_>, values: &[f64], valid: &Validity<'_>) {
        if self.greatest {
            target.each(valid, |row, slot| self.slots[slot] = self.slots[slot].max(values[row]));
        } else {
            target.each(valid, |row, slot| self.slots[slot] = self.slots[slot].min(values[row]));
        }
    }
}

impl Accumulator for Extreme {
    fn grow(&mut self, slots: usize) {
        self.slots.resize(slots.max(self.slots.len()), self.none());
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let part = if self.greatest { Part::Max } else { Part::Min };
        let (values, valid) = numbers(column, part);
        self.take(target, &values, &valid);
    }

    fn merge(&mut self, into: usize, from: usize) {
        let (a, b) = (self.slots[into], self.slots[from]);
        self.slots[into] = if self.greatest { a.max(b) } else { a.min(b) };
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        finite(self.slots[slot])
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * 8
    }
}

/// Count, mean and sum of squared distances from it, updated so that large means cancel nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        self.squares += other.squares + distance * distance * self.count * other.count / count;
        self.mean += distance * other.count / count;
        self.count = count;
    }
}

/// `stddev(a)` and `stdvar(a)`, of the whole population (assumed). Where there are values and none
/// is a number they are 0 (source: "stddev(attribute)"), where there is nothing null (assumed).
#[derive(Debug)]
pub(super) struct Deviation {
    root: bool,
    slots: Vec<Spread>,
    /// Whether there was a value of any type.
    seen: Vec<bool>,
}

impl Deviation {
    pub(super) const fn new(root: bool) -> Self {
        Self { root, slots: Vec::new(), seen: Vec::new() }
    }
}

impl Accumulator for Deviation {
    fn grow(&mut self, slots: usize) {
        let slots = slots.max(self.slots.len());
        self.slots.resize(slots, Spread::default());
        self.seen.resize(slots, false);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let (values, valid) = numbers(column, Part::Mean);
        target.each(&valid, |row, slot| self.slots[slot].add(values[row]));
        target.each(&column.validity(), |_, slot| self.seen[slot] = true);
    }

    fn merge(&mut self, into: usize, from: usize) {
        self.seen[into] |= self.seen[from];
        merge_with(&mut self.slots, into, from, |into, from| into.merge(from));
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let spread = self.slots[slot];
        if spread.count == 0.0 {
            return if self.seen[slot] { Value::Number(0.0) } else { Value::Null };
        }
        let variance = (spread.squares / spread.count).max(0.0);
        finite(if self.root { variance.sqrt() } else { variance })
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * (size_of::<Spread>() + 1)
    }
}
