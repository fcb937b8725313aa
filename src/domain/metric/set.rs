//! Known metric values of one entity.
//!
//! Invariants:
//! - Bit `i` of the mask is set exactly when metric `i` of the kind has a value, and values stand
//!   in the order of their bits.
//! - All metrics belong to the set's kind; others are neither stored nor found.

use std::fmt;

use smallvec::SmallVec;

use super::{CATALOGUE, MetricDef, MetricId};
use crate::domain::entity::EntityKind;

/// Values by metric: a bit mask and the values in its order, without allocation up to 24.
#[derive(Clone, PartialEq)]
pub struct MetricSet {
    kind: EntityKind,
    mask: u64,
    values: SmallVec<[f64; 24]>,
}

impl MetricSet {
    /// An empty set for entities of `kind`.
    pub fn new(kind: EntityKind) -> Self {
        Self { kind, mask: 0, values: SmallVec::new() }
    }

    /// The kind of entity described.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// Number of known metrics.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.mask == 0
    }

    fn rank(&self, id: MetricId) -> usize {
        (self.mask & (id.bit() - 1)).count_ones() as usize
    }

    /// Whether `id` has a value.
    pub fn contains(&self, id: MetricId) -> bool {
        id.entity() == self.kind && self.mask & id.bit() != 0
    }

    /// The value of `id`.
    pub fn get(&self, id: MetricId) -> Option<f64> {
        if self.contains(id) { self.values.get(self.rank(id)).copied() } else { None }
    }

    /// Sets `id` to `value`; a metric of another kind is not stored.
    pub fn set(&mut self, id: MetricId, value: f64) {
        debug_assert_eq!(id.entity(), self.kind, "{id:?}");
        if id.entity() != self.kind {
            return;
        }
        let rank = self.rank(id);
        if self.mask & id.bit() == 0 {
            self.mask |= id.bit();
            self.values.insert(rank, value);
        } else {
            self.values[rank] = value;
        }
    }

    /// Sets `id` when `value` is known.
    pub fn set_known(&mut self, id: MetricId, value: Option<f64>) {
        if let Some(value) = value {
            self.set(id, value);
        }
    }

    /// Forgets `id`.
    pub fn remove(&mut self, id: MetricId) {
        if self.contains(id) {
            let rank = self.rank(id);
            self.values.remove(rank);
            self.mask &= !id.bit();
        }
    }

    /// Adds `other`'s values to those here, metric by metric; unknown counts as nothing.
    pub fn add(&mut self, other: &Self) {
        for (id, value) in other.iter() {
            self.set(id, self.get(id).unwrap_or(0.0) + value);
        }
    }

    /// Metrics and values in table order.
    pub fn iter(&self) -> impl Iterator<Item = (MetricId, f64)> {
        let (kind, mut left) = (self.kind, self.mask);
        self.values.iter().map(move |value| {
            let index = left.trailing_zeros() as u8;
            left &= left - 1;
            (MetricId { kind, index }, *value)
        })
    }

    /// Definitions and values in table order.
    pub fn defs(&self) -> impl Iterator<Item = (&'static MetricDef, f64)> {
        let (table, mut left) = (CATALOGUE[self.kind as usize], self.mask);
        self.values.iter().map(move |value| {
            let def = &table[left.trailing_zeros() as usize];
            left &= left - 1;
            (def, *value)
        })
    }
}

/// Values by metric while they are gathered: a place for every metric of the kind, so that setting
/// one moves no other.
#[derive(Clone)]
pub struct MetricBoard {
    kind: EntityKind,
    mask: u64,
    values: [f64; 64],
}

impl MetricBoard {
    /// An empty board for entities of `kind`.
    pub fn new(kind: EntityKind) -> Self {
        Self { kind, mask: 0, values: [0.0; 64] }
    }

    /// The kind of entity described.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.mask == 0
    }

    /// Whether `id` has a value.
    #[inline]
    pub fn contains(&self, id: MetricId) -> bool {
        id.entity() == self.kind && self.mask & id.bit() != 0
    }

    /// The value of `id`.
    #[inline]
    pub fn get(&self, id: MetricId) -> Option<f64> {
        self.contains(id).then(|| self.values[id.index() & 63])
    }

    /// Sets `id` to `value`; a metric of another kind is not stored.
    #[inline]
    pub fn set(&mut self, id: MetricId, value: f64) {
        debug_assert_eq!(id.entity(), self.kind, "{id:?}");
        if id.entity() == self.kind {
            self.mask |= id.bit();
            self.values[id.index() & 63] = value;
        }
    }

    /// The known values.
    pub fn to_set(&self) -> MetricSet {
        let mut values = SmallVec::with_capacity(self.mask.count_ones() as usize);
        let mut left = self.mask;
        while left != 0 {
            values.push(self.values[left.trailing_zeros() as usize]);
            left &= left - 1;
        }
        MetricSet { kind: self.kind, mask: self.mask, values }
    }
}

impl From<&MetricSet> for MetricBoard {
    fn from(set: &MetricSet) -> Self {
        let mut board = Self::new(set.kind);
        for (id, value) in set.iter() {
            board.set(id, value);
        }
        board
    }
}

impl fmt::Debug for MetricSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(id, value)| (id.name(), value))).finish()
    }
}
