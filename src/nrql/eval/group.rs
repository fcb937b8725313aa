//! Which facet a row belongs to.
//!
//! Invariants: facets get consecutive numbers from 1 in the order in which they first come, and
//! keep them for all passes of a query; number 0 is that of rows without a facet (a null in one of
//! the attributes, or no case that holds). Texts are compared as codes: a text is looked up once
//! per batch and dictionary, not once per row.

use indexmap::IndexSet;

use super::super::hashing::FixedState;
use super::super::value::Value;
use super::batch::Batch;
use super::bitmap::Bitmap;
use super::column::{Column, Validity};
use super::expr::CompiledExpr;
use super::key::{Key, ordered};
use super::table::Table;

/// What rows are grouped by.
pub(super) enum Facets {
    /// The values of expressions.
    Items(Vec<CompiledExpr>),
    /// The first case that holds.
    Cases {
        /// Condition and label.
        branches: Vec<(CompiledExpr, Value)>,
        /// Label of all other rows.
        other: Option<CompiledExpr>,
    },
}

/// Number of a value within its dimension when there is none.
const NONE: u32 = u32::MAX;

/// The distinct values of one facet attribute.
#[derive(Debug, Default)]
struct Dimension {
    keys: IndexSet<Key, FixedState>,
    /// Numbers by bits, so that they need no key per row.
    numbers: Table,
    /// Key of each of `numbers`.
    number_keys: Vec<u32>,
    bytes: usize,
}

impl Dimension {
    fn intern(&mut self, key: Key) -> u32 {
        if key == Key::Null {
            return NONE;
        }
        let bytes = key.bytes();
        let (at, new) = self.keys.insert_full(key);
        if new {
            self.bytes += 2 * bytes;
        }
        u32::try_from(at).unwrap_or(NONE - 1)
    }

    fn number(&mut self, number: f64) -> u32 {
        let at = self.numbers.number(ordered(number)) as usize;
        if at == self.number_keys.len() {
            let key = self.intern(Key::of(&Value::Number(number)));
            self.number_keys.push(key);
        }
        self.number_keys[at]
    }

    /// The number of the value in each of `rows`.
    fn codes(&mut self, column: &Column<'_>, rows: &[u32]) -> Vec<u32> {
        match column {
            Column::Constant(value, _) => {
                let code = self.intern(Key::of(value));
                vec![code; rows.len()]
            }
            Column::Texts { codes, valid, dictionary } => {
                let mut known = vec![NONE; dictionary.len()];
                let codes = codes.to_wide();
                let code = |row: &u32| {
                    let row = *row as usize;
                    if !valid.get(row) {
                        return NONE;
                    }
                    let code = codes[row] as usize;
                    if known[code] == NONE {
                        known[code] = self.intern(Key::Text(dictionary[code].clone()));
                    }
                    known[code]
                };
                rows.iter().map(code).collect()
            }
            Column::Numbers(values, valid) => self.by_number(rows, valid, |row| values[row]),
            other => {
                rows.iter().map(|row| self.intern(Key::of(&other.value(*row as usize)))).collect()
            }
        }
    }

    fn by_number(
        &mut self,
        rows: &[u32],
        valid: &Validity<'_>,
        value: impl Fn(usize) -> f64,
    ) -> Vec<u32> {
        let code = |row: &u32| {
            let row = *row as usize;
            if valid.get(row) { self.number(value(row)) } else { NONE }
        };
        rows.iter().map(code).collect()
    }
}

/// Numbers facets.
pub(super) struct Grouper {
    facets: Facets,
    dimensions: Vec<Dimension>,
    /// One fewer than there are dimensions: pairs of (facet so far, value of the next).
    pairs: Vec<Table>,
}

impl Grouper {
    /// For `facets`, none seen.
    pub(super) fn new(facets: Facets) -> Self {
        let count = match &facets {
            Facets::Items(items) => items.len(),
            Facets::Cases { .. } => 1,
        };
        Self {
            facets,
            dimensions: (0..count).map(|_| Dimension::default()).collect(),
            pairs: vec![Table::default(); count.saturating_sub(1)],
        }
    }

    /// The facet of each of `rows`, ascending rows of `batch`.
    pub(super) fn groups(&mut self, batch: &Batch<'_>, rows: &[u32]) -> Vec<u32> {
        let columns: Vec<Vec<u32>> = match &self.facets {
            Facets::Items(items) => items
                .iter()
                .zip(&mut self.dimensions)
                .map(|(item, dimension)| dimension.codes(&item.eval(batch), rows))
                .collect(),
            Facets::Cases { branches, other } => {
                let dimension = &mut self.dimensions[0];
                vec![cases(dimension, branches, other.as_ref(), batch, rows)]
            }
        };
        let mut columns = columns.into_iter();
        let mut groups = columns.next().unwrap_or_default();
        for (codes, pairs) in columns.zip(&mut self.pairs) {
            for (group, code) in groups.iter_mut().zip(codes) {
                *group = if *group == NONE || code == NONE {
                    NONE
                } else {
                    pairs.number(u64::from(*group) << 32 | u64::from(code))
                };
            }
        }
        // 0 is the place of rows without a facet.
        groups.iter_mut().for_each(|group| *group = group.wrapping_add(1));
        groups
    }

    /// Facets seen, the one of rows without a facet among them.
    pub(super) fn len(&self) -> usize {
        1 + match self.pairs.last() {
            Some(pairs) => pairs.keys().len(),
            None => self.dimensions.first().map_or(0, |dimension| dimension.keys.len()),
        }
    }

    /// The values of facet `group`, in the order of the attributes; of 0 there are none.
    pub(super) fn values(&self, group: usize) -> Vec<Key> {
        let Some(mut at) = group.checked_sub(1) else { return Vec::new() };
        let mut values = Vec::with_capacity(self.dimensions.len());
        for (depth, dimension) in self.dimensions.iter().enumerate().rev() {
            let code = if depth == 0 {
                at
            } else {
                let Some(pair) = self.pairs[depth - 1].keys().get(at) else { break };
                #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
                let code = *pair as u32 as usize;
                at = usize::try_from(pair >> 32).unwrap_or(0);
                code
            };
            values.push(dimension.keys.get_index(code).cloned().unwrap_or(Key::Null));
        }
        values.reverse();
        values
    }

    /// Memory in use, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let tables: usize = self.pairs.iter().map(Table::bytes).sum();
        let dimensions = self.dimensions.iter();
        tables + dimensions.map(|one| one.bytes + one.numbers.bytes()).sum::<usize>()
    }
}

fn cases(
    dimension: &mut Dimension,
    branches: &[(CompiledExpr, Value)],
    other: Option<&CompiledExpr>,
    batch: &Batch<'_>,
    rows: &[u32],
) -> Vec<u32> {
    let mut groups = vec![NONE; rows.len()];
    for (condition, label) in branches {
        let holds: Bitmap = condition.select(batch);
        if holds.none() {
            continue;
        }
        let code = dimension.intern(Key::of(label));
        for (group, row) in groups.iter_mut().zip(rows) {
            if *group == NONE && holds.get(*row as usize) {
                *group = code;
            }
        }
    }
    if let Some(other) = other {
        let codes = dimension.codes(&other.eval(batch), rows);
        for (group, code) in groups.iter_mut().zip(codes) {
            if *group == NONE {
                *group = code;
            }
        }
    }
    groups
}
