//! Approximate figures that can be merged: distinct counts and percentiles.
//!
//! Sources: "Use percentile() to understand relative error" (buckets, errors by spread) and New
//! Relic's pages on `uniqueCount`; the estimator is Ertl's (2017), which needs no tables.
//!
//! Invariants:
//! - Merging in any order gives the same figures as one sketch that has seen everything.
//! - Memory is bounded whatever the data: 2ᵖ registers, 2 × 320 buckets.

use indexmap::IndexSet;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::bitmap::Bitmap;
use crate::nrql::hashing::FixedState;
use crate::nrql::value::Value;

/// Up to here distinct values are counted exactly.
const EXACT_MAX: usize = 256;

/// Registers are two to this power unless a query says otherwise: an error of 0.8 %.
pub const PRECISION: u8 = 14;

/// The 64-bit hash of a text, as [`HyperLogLog::insert_hash`] wants it.
#[inline]
pub fn hash_text(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// The 64-bit hash of a number; numbers that are equal have the same, however they are held.
#[inline]
pub fn hash_number(number: f64) -> u64 {
    // Adding zero makes -0 and 0 one.
    xxh3_64_with_seed(&(number + 0.0).to_bits().to_le_bytes(), 1)
}

/// The 64-bit hash of an integer.
pub fn hash_integer(number: i64) -> u64 {
    let float = super::column::as_f64(number);
    if float as i128 == i128::from(number) {
        return hash_number(float);
    }
    xxh3_64_with_seed(&number.to_le_bytes(), 2)
}

/// The hash of several values together.
#[inline]
pub fn hash_pair(first: u64, second: u64) -> u64 {
    xxh3_64_with_seed(&second.to_le_bytes(), first)
}

/// The 64-bit hash of any value; `None` for null.
pub fn hash_value(value: &Value) -> Option<u64> {
    Some(match value {
        Value::Null => return None,
        Value::Text(text) => hash_text(text),
        Value::Number(number) => hash_number(*number),
        Value::Integer(number) => hash_integer(*number),
        Value::Metric(metric) => hash_number(metric.scalar()),
        Value::Bool(truth) => xxh3_64_with_seed(&[u8::from(*truth)], 3),
        Value::List(values) => {
            let hashes = values.iter().map(|value| hash_value(value).unwrap_or(0));
            hashes.fold(4, hash_pair)
        }
        Value::Map(values) => values.iter().fold(5, |hash, (name, value)| {
            hash_pair(hash_pair(hash, hash_text(name)), hash_value(value).unwrap_or(0))
        }),
    })
}

/// Counts distinct values: exactly up to 256, then by HyperLogLog.
#[derive(Debug, Clone, PartialEq)]
pub struct HyperLogLog {
    precision: u8,
    state: Distinct,
}

#[derive(Debug, Clone, PartialEq)]
enum Distinct {
    Exact(IndexSet<u64, FixedState>),
    Registers(Vec<u8>),
}

impl Default for HyperLogLog {
    fn default() -> Self {
        Self::new(PRECISION)
    }
}

impl HyperLogLog {
    /// With two to the power of `precision` registers, from 4 to 18.
    pub fn new(precision: u8) -> Self {
        Self { precision: precision.clamp(4, 18), state: Distinct::Exact(IndexSet::default()) }
    }

    /// Counts a value by its hash.
    #[inline]
    pub fn insert_hash(&mut self, hash: u64) {
        match &mut self.state {
            Distinct::Registers(registers) => register(registers, self.precision, hash),
            Distinct::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT_MAX {
                    self.estimate();
                }
            }
        }
    }

    /// Counts a value; null does not count.
    pub fn insert(&mut self, value: &Value) {
        if let Some(hash) = hash_value(value) {
            self.insert_hash(hash);
        }
    }

    fn estimate(&mut self) {
        if let Distinct::Exact(hashes) = &self.state {
            let mut registers = vec![0; 1 << self.precision];
            hashes.iter().for_each(|hash| register(&mut registers, self.precision, *hash));
            self.state = Distinct::Registers(registers);
        }
    }

    /// Adds what `other` has seen; it must have the same precision.
    pub fn merge(&mut self, other: &Self) {
        match &other.state {
            Distinct::Exact(hashes) => hashes.iter().for_each(|hash| self.insert_hash(*hash)),
            Distinct::Registers(others) => {
                self.estimate();
                if let Distinct::Registers(own) = &mut self.state {
                    for (own, other) in own.iter_mut().zip(others) {
                        *own = (*own).max(*other);
                    }
                }
            }
        }
    }

    /// How many distinct values there were, about.
    pub fn count(&self) -> u64 {
        match &self.state {
            Distinct::Exact(hashes) => hashes.len() as u64,
            Distinct::Registers(registers) => estimate(registers, self.precision).round() as u64,
        }
    }

    /// Memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        match &self.state {
            Distinct::Exact(hashes) => hashes.capacity() * 24,
            Distinct::Registers(registers) => registers.len(),
        }
    }
}

#[inline]
fn register(registers: &mut [u8], precision: u8, hash: u64) {
    let place = (hash >> (64 - precision)) as usize;
    // The marker bounds the run of zeros by the bits that are left.
    let rest = hash << precision | 1 << (precision - 1);
    let run = rest.leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut(place) {
        *register = (*register).max(run);
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 2¹⁸ registers")]
fn estimate(registers: &[u8], precision: u8) -> f64 {
    let longest = usize::from(64 - precision) + 1;
    let mut counts = vec![0usize; longest + 1];
    registers.iter().for_each(|run| counts[usize::from(*run).min(longest)] += 1);
    let all = registers.len() as f64;
    let mut sum = all * tau((all - counts[longest] as f64) / all);
    for count in counts[1..longest].iter().rev() {
        sum = 0.5 * (sum + *count as f64);
    }
    sum += all * sigma(counts[0] as f64 / all);
    all * all / (2.0 * std::f64::consts::LN_2 * sum)
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum <= before {
            return sum;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x).powi(2) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

/// Buckets per sign.
const BUCKETS_MAX: u64 = 320;

/// Mantissa bits that do not tell buckets apart at first: 2⁵ sub-buckets an octave.
const SHIFT_MIN: u32 = 52 - 5;

/// Percentiles from a histogram with as many equal sub-buckets in each octave.
///
/// Of 320 buckets per sign: 32 sub-buckets an octave up to a spread of 2¹⁰ (relative error
/// 1.5625 %), 16 up to 2²⁰, 8 up to 2⁴⁰, and so on. The answer is the middle of a bucket, so data
/// that differ within the error give the same figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Percentiles {
    shift: u32,
    positive: Buckets,
    negative: Buckets,
    zeros: u64,
}

/// Counts of neighbouring buckets; a bucket's number is the value's upper bits.
#[derive(Debug, Clone, PartialEq, Default)]
struct Buckets {
    first: u64,
    counts: Vec<u64>,
}

impl Default for Percentiles {
    fn default() -> Self {
        let (positive, negative) = (Buckets::default(), Buckets::default());
        Self { shift: SHIFT_MIN, positive, negative, zeros: 0 }
    }
}

impl Buckets {
    fn span_with(&self, bucket: u64) -> u64 {
        match self.counts.len() as u64 {
            0 => 1,
            len => (self.first + len - 1).max(bucket) - self.first.min(bucket) + 1,
        }
    }

    fn add(&mut self, bucket: u64, count: u64) {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let missing = (self.first - bucket) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bucket;
        }
        let at = (bucket - self.first) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += count;
    }

    fn halve(&mut self) {
        let before = std::mem::take(self);
        for (at, count) in before.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.add((before.first + at as u64) >> 1, *count);
        }
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Percentiles {
    /// Counts a value; what is not finite does not count.
    #[inline]
    pub fn insert(&mut self, value: f64) {
        self.insert_many(value, 1);
    }

    /// Counts a value several times.
    #[inline]
    pub fn insert_many(&mut self, value: f64, count: u64) {
        if value == 0.0 || !value.is_finite() {
            self.zeros += if value == 0.0 { count } else { 0 };
            return;
        }
        let bits = value.abs().to_bits();
        let side = if value > 0.0 { &mut self.positive } else { &mut self.negative };
        let at = (bits >> self.shift).wrapping_sub(side.first) as usize;
        match side.counts.get_mut(at) {
            Some(own) => *own += count,
            None => self.insert_new(bits, value > 0.0, count),
        }
    }

    #[cold]
    fn insert_new(&mut self, bits: u64, positive: bool, count: u64) {
        loop {
            let side = if positive { &mut self.positive } else { &mut self.negative };
            let bucket = bits >> self.shift;
            if side.span_with(bucket) <= BUCKETS_MAX {
                side.add(bucket, count);
                return;
            }
            self.coarsen();
        }
    }

    /// Counts the values of the rows set.
    pub fn insert_rows(&mut self, values: &[f64], rows: &Bitmap) {
        rows.for_each(|row| self.insert(values[row]));
    }

    fn coarsen(&mut self) {
        self.shift += 1;
        self.positive.halve();
        self.negative.halve();
    }

    /// Adds what `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        while self.shift < other.shift {
            self.coarsen();
        }
        self.zeros += other.zeros;
        for (buckets, positive) in [(&other.positive, true), (&other.negative, false)] {
            let counted = buckets.counts.iter().enumerate().filter(|(_, count)| **count > 0);
            for (at, count) in counted {
                let lowest = (buckets.first + at as u64) << other.shift;
                self.insert_new(lowest, positive, *count);
            }
        }
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.zeros + self.positive.total() + self.negative.total()
    }

    /// How far from the true value an answer may be, relative to it.
    pub fn relative_error(&self) -> f64 {
        0.5 * 2f64.powi(self.shift.cast_signed() - 52)
    }

    /// The value below which `percent` of the values lie, about; `None` when there are none.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let all = self.count();
        if all == 0 || percent.is_nan() {
            return None;
        }
        let rank = (percent.clamp(0.0, 100.0) / 100.0 * all as f64).ceil() as u64;
        let rank = rank.clamp(1, all);
        let mut seen = 0;
        let numbered = |buckets: &Buckets| {
            let first = buckets.first;
            let counts = buckets.counts.clone().into_iter().enumerate();
            counts.map(move |(at, count)| (first + at as u64, count))
        };
        for (bucket, count) in numbered(&self.negative).collect::<Vec<_>>().into_iter().rev() {
            seen += count;
            if seen >= rank {
                return Some(-self.middle(bucket));
            }
        }
        seen += self.zeros;
        if seen >= rank {
            return Some(0.0);
        }
        for (bucket, count) in numbered(&self.positive) {
            seen += count;
            if seen >= rank {
                return Some(self.middle(bucket));
            }
        }
        None
    }

    fn middle(&self, bucket: u64) -> f64 {
        let low = f64::from_bits(bucket << self.shift);
        let high = f64::from_bits((bucket + 1) << self.shift);
        let high = if high.is_finite() { high } else { f64::MAX };
        low + (high - low) / 2.0
    }

    /// Memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + (self.positive.counts.capacity() + self.negative.counts.capacity()) * 8
    }
}

#[cfg(test)]
mod tests;
