//! Distinct values: `uniqueCount`, `uniques`, `cardinality`, `funnel`.
//!
//! Invariants: a value counts once however often it comes and however it is held; a text is hashed
//! once per batch, not once per row; rows with a null among the attributes count nowhere.

use indexmap::{IndexMap, IndexSet};

use super::super::super::hashing::FixedState;
use super::super::super::value::Value;
use super::super::bitmap::Bitmap;
use super::super::column::{Column, Validity};
use super::super::key::Key;
use super::super::sketch::{HyperLogLog, PRECISION, hash_number, hash_pair, hash_text, hash_value};
use super::super::table::Table;
use super::input::{Input, Target};
use super::moments::whole;
use super::{Accumulator, merge_with};

fn key_hash(value: &Value) -> u64 {
    hash_value(value).unwrap_or(0)
}

/// A hash of each row's value; what it says of a row without one means nothing.
fn hashes(column: &Column<'_>) -> Vec<u64> {
    match column {
        Column::Numbers(values, _) => values.iter().map(|value| hash_number(*value)).collect(),
        Column::Texts { codes, valid, dictionary } => {
            // 0 stands for not hashed yet; a text whose hash is 0 is hashed again each time.
            let mut known = vec![0_u64; dictionary.len()];
            let codes = codes.to_wide();
            let hash = |(row, code): (usize, &u32)| {
                if !valid.get(row) {
                    return 0;
                }
                let known = &mut known[*code as usize];
                if *known == 0 {
                    *known = hash_text(&dictionary[*code as usize]);
                }
                *known
            };
            codes.iter().enumerate().map(hash).collect()
        }
        Column::Constant(value, len) => vec![key_hash(value); *len],
        other => (0..other.len()).map(|row| key_hash(&other.value(row))).collect(),
    }
}

/// Hashes of whole rows and where every column has a value.
fn row_hashes<'c>(columns: &'c [Column<'_>]) -> (Vec<u64>, Validity<'c>) {
    let mut columns = columns.iter();
    let Some(first) = columns.next() else { return (Vec::new(), Validity::All) };
    let mut all = hashes(first);
    let mut valid = first.validity();
    for column in columns {
        for (hash, more) in all.iter_mut().zip(hashes(column)) {
            *hash = hash_pair(*hash, more);
        }
        valid = valid.and(&column.validity());
    }
    (all, valid)
}

/// Which attributes tell time series apart.
#[derive(Debug)]
struct Dimensions {
    include: Option<Vec<String>>,
    exclude: Vec<String>,
}

impl Dimensions {
    fn counts(&self, name: &str) -> bool {
        let is = |known: &String| known == name;
        self.include.as_ref().is_none_or(|include| include.iter().any(is))
            && !self.exclude.iter().any(is)
    }
}

/// `uniqueCount(a, …)`, and `cardinality(a)` whose columns are all attributes of the rows.
#[derive(Debug)]
pub(super) struct UniqueCount {
    slots: Vec<HyperLogLog>,
    precision: u8,
    /// `cardinality()`: a null is a value like any other, except in the first column.
    whole_rows: Option<Dimensions>,
}

impl UniqueCount {
    pub(super) const fn new(precision: u8) -> Self {
        Self { slots: Vec::new(), precision, whole_rows: None }
    }

    pub(super) const fn cardinality(include: Option<Vec<String>>, exclude: Vec<String>) -> Self {
        let dimensions = Dimensions { include, exclude };
        Self { slots: Vec::new(), precision: PRECISION, whole_rows: Some(dimensions) }
    }
}

impl Accumulator for UniqueCount {
    fn grow(&mut self, slots: usize) {
        let precision = self.precision;
        self.slots.resize_with(slots.max(self.slots.len()), || HyperLogLog::new(precision));
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        if let Some(dimensions) = &self.whole_rows {
            let (hashes, valid) = dimension_hashes(input, dimensions);
            target.each(&valid, |row, slot| self.slots[slot].insert_hash(hashes[row]));
            return;
        }
        let (hashes, valid) = row_hashes(input.columns);
        target.each(&valid, |row, slot| self.slots[slot].insert_hash(hashes[row]));
    }

    fn merge(&mut self, into: usize, from: usize) {
        merge_with(&mut self.slots, into, from, |into, from| into.merge(from));
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        whole(self.slots[slot].count())
    }

    fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| size_of::<HyperLogLog>() + slot.bytes()).sum()
    }
}

/// What makes a time series of a metric's points: all texts and truth values that they carry.
fn dimension_hashes<'c>(input: &'c Input<'_>, dimensions: &Dimensions) -> (Vec<u64>, Validity<'c>) {
    let mut all = vec![0_u64; input.batch.len()];
    for name in input.batch.names().into_iter().filter(|name| dimensions.counts(name)) {
        let Some(column) = input.batch.column(&name) else { continue };
        let name = hash_text(&name);
        let texts = match &column {
            Column::Texts { .. } | Column::Bools(..) | Column::Mixed(_) => hashes(&column),
            _ => continue,
        };
        let valid = column.validity();
        for (row, (hash, more)) in all.iter_mut().zip(texts).enumerate() {
            if valid.get(row) {
                // Addition: the order of attributes differs from batch to batch.
                *hash = hash.wrapping_add(hash_pair(name, more));
            }
        }
    }
    let valid = input.columns.first().map_or(Validity::All, Column::validity);
    (all, valid)
}

/// `uniques(a, limit)`: the first that come, sorted.
#[derive(Debug)]
pub(super) struct Uniques {
    limit: usize,
    slots: Vec<IndexSet<Key, FixedState>>,
    held: usize,
    /// (slot, code) pairs of the batch at hand that are in already.
    seen: Table,
}

impl Uniques {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, slots: Vec::new(), held: 0, seen: Table::default() }
    }

    fn insert(&mut self, slot: usize, value: &Value) {
        let set = &mut self.slots[slot];
        if set.len() < self.limit {
            let key = Key::of(value);
            let bytes = key.bytes();
            if set.insert(key) {
                self.held += 2 * bytes;
            }
        }
    }
}

impl Accumulator for Uniques {
    fn grow(&mut self, slots: usize) {
        self.slots.resize_with(slots.max(self.slots.len()), IndexSet::default);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let Some(column) = input.columns.first() else { return };
        let valid = column.validity();
        let codes = match column {
            Column::Texts { codes, .. } => Some(codes),
            _ => None,
        };
        self.seen.clear();
        let mut known = 0;
        target.each(&valid, |row, slot| {
            if let Some(codes) = codes {
                let pair = (slot as u64) << 32 | codes.get(row) as u64;
                if self.seen.number(pair) != known {
                    return;
                }
                known += 1;
            }
            self.insert(slot, &column.value(row));
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        let limit = self.limit;
        merge_with(&mut self.slots, into, from, |into, from| {
            for key in from {
                if into.len() >= limit {
                    break;
                }
                into.insert(key.clone());
            }
        });
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let mut keys: Vec<&Key> = self.slots[slot].iter().collect();
        keys.sort_unstable();
        Value::List(keys.into_iter().map(Key::value).collect())
    }

    fn bytes(&self) -> usize {
        self.held + self.slots.capacity() * size_of::<IndexSet<Key, FixedState>>()
    }
}

/// `funnel(a, WHERE …, …)`: of how many values of `a` there are rows for each step and all steps
/// before it, in any order of time. Source: "Use funnels to evaluate related event data"; exact
/// here at any size.
#[derive(Debug)]
pub(super) struct Funnel {
    labels: Vec<String>,
    slots: Vec<IndexMap<u64, u16, FixedState>>,
    held: usize,
}

impl Funnel {
    pub(super) const fn new(labels: Vec<String>) -> Self {
        Self { labels, slots: Vec::new(), held: 0 }
    }
}

impl Accumulator for Funnel {
    fn grow(&mut self, slots: usize) {
        self.slots.resize_with(slots.max(self.slots.len()), IndexMap::default);
    }

    fn update(&mut self, target: &Target<'_>, input: &Input<'_>) {
        let [attribute, steps @ ..] = input.columns else { return };
        let keys = hashes(attribute);
        let steps: Vec<Bitmap> = steps.iter().map(truth).collect();
        target.each(&attribute.validity(), |row, slot| {
            let mut done = 0;
            for (at, step) in steps.iter().enumerate() {
                done |= u16::from(step.get(row)) << at;
            }
            if done != 0 {
                let before = self.slots[slot].len();
                *self.slots[slot].entry(keys[row]).or_default() |= done;
                self.held += 32 * (self.slots[slot].len() - before);
            }
        });
    }

    fn merge(&mut self, into: usize, from: usize) {
        merge_with(&mut self.slots, into, from, |into, from| {
            for (key, done) in from {
                *into.entry(*key).or_default() |= done;
            }
        });
    }

    fn finish(&self, slot: usize, _: (i64, i64)) -> Value {
        let steps = self.labels.iter().enumerate().map(|(at, label)| {
            let needed: u16 = (1 << (at + 1)) - 1;
            let done = self.slots[slot].values().filter(|done| **done & needed == needed);
            (std::sync::Arc::from(label.as_str()), whole(done.count() as u64))
        });
        Value::Map(steps.collect())
    }

    fn bytes(&self) -> usize {
        self.held + self.slots.capacity() * size_of::<IndexMap<u64, u16, FixedState>>()
    }
}

/// The rows of a condition's column where it is true.
pub(super) fn truth(column: &Column<'_>) -> Bitmap {
    match column {
        Column::Bools(values, valid) => {
            let mut rows = values.clone().into_owned();
            valid.restrict(&mut rows);
            rows
        }
        other => Bitmap::from_fn(other.len(), |row| other.value(row) == Value::Bool(true)),
    }
}
