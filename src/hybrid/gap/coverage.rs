//! How much of a topology is there.
//!
//! Coverage is |desired ∩ present and fresh| ÷ |desired|, per kind of entity and over all kinds.

use std::ops::{Index, IndexMut};

use crate::domain::entity::EntityKind;

/// A value for each kind of entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByKind<T>([T; EntityKind::ALL.len()]);

impl<T> ByKind<T> {
    /// Kinds and values, in the order of the kinds.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (EntityKind, &T)> {
        EntityKind::ALL.into_iter().zip(&self.0)
    }

    /// The values, in the order of the kinds.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> Index<EntityKind> for ByKind<T> {
    type Output = T;

    fn index(&self, kind: EntityKind) -> &T {
        &self.0[kind as usize]
    }
}

impl<T> IndexMut<EntityKind> for ByKind<T> {
    fn index_mut(&mut self, kind: EntityKind) -> &mut T {
        &mut self.0[kind as usize]
    }
}

/// What has become of the desired entities of one kind, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KindCoverage {
    /// Present and fresh, mismatched ones included.
    pub fresh: u64,
    /// Present and stale.
    pub stale: u64,
    /// Absent.
    pub missing: u64,
    /// Not seen yet by a watcher that has just begun.
    pub pending: u64,
}

impl KindCoverage {
    /// How many are desired.
    pub fn desired(&self) -> u64 {
        self.fresh + self.stale + self.missing + self.pending
    }

    /// Share that is present and fresh, 0 to 100; 100 when none is desired.
    pub fn percent(&self) -> f64 {
        percent(self.fresh, self.desired())
    }

    /// The same, if all that are pending will be seen.
    pub fn percent_with_pending(&self) -> f64 {
        percent(self.fresh + self.pending, self.desired())
    }

    fn plus(self, other: Self) -> Self {
        Self {
            fresh: self.fresh + other.fresh,
            stale: self.stale + other.stale,
            missing: self.missing + other.missing,
            pending: self.pending + other.pending,
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    // Exactly 100 when they are equal: both products are the same number.
    if whole == 0 { 100.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Coverage of a topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// By kind.
    pub by_kind: ByKind<KindCoverage>,
}

impl Coverage {
    /// Over all kinds, each entity counting the same.
    pub fn overall(&self) -> KindCoverage {
        self.by_kind.values().fold(KindCoverage::default(), |sum, kind| sum.plus(*kind))
    }
}
