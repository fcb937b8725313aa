//! How right reports are about an estate whose truth is known.
//!
//! For every kind of gap a report sorts the desired entities that could have it into two classes.
//! accuracy = (TP + TN) ÷ all, precision = TP ÷ (TP + FP), recall = TP ÷ (TP + FN), F1 is the
//! harmonic mean of the last two; a ratio over nothing is 1, because nothing was got wrong.
//!
//! Invariant: what a report names that no topology asked for counts as a false positive.

use std::collections::BTreeSet;

use super::report::GapReport;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::hybrid::topology::Topology;

/// What is true of a desired entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It is there, reports, and is as desired.
    Present,
    /// It is not there.
    Missing,
    /// It has stopped reporting.
    Stale,
    /// It reports, and is not configured as desired.
    Misconfigured,
}

/// A kind of gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapKind {
    /// An entity of a kind is not there.
    Missing(EntityKind),
    /// A cluster has some brokers, but too few.
    PartialCluster,
    /// An entity has stopped reporting.
    Stale,
    /// An entity is not configured as desired.
    Mismatch,
}

impl GapKind {
    /// All kinds, in the order of reports.
    pub fn all() -> impl Iterator<Item = Self> {
        let missing = EntityKind::ALL.into_iter().map(Self::Missing);
        missing.chain([Self::PartialCluster, Self::Stale, Self::Mismatch])
    }
}

/// What is true of an estate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroundTruth {
    /// Of each desired entity, in the order of [`Topology::entities`].
    pub entities: Vec<Truth>,
    /// The clusters with some fresh brokers, but too few.
    pub partial_clusters: BTreeSet<EntityKey>,
}

/// How often reports were right and wrong about one kind of gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confusion {
    /// Gaps that were reported.
    pub true_positives: u64,
    /// What is in order and was not reported.
    pub true_negatives: u64,
    /// What is in order, or was not asked for, and was reported.
    pub false_positives: u64,
    /// Gaps that were not reported.
    pub false_negatives: u64,
}

impl Confusion {
    /// How many were judged.
    pub fn total(&self) -> u64 {
        self.true_positives + self.true_negatives + self.false_positives + self.false_negatives
    }

    /// Share that was judged right.
    pub fn accuracy(&self) -> f64 {
        ratio(self.true_positives + self.true_negatives, self.total())
    }

    /// Share of what was reported that is a gap.
    pub fn precision(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of the gaps that was reported.
    pub fn recall(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        let wrong = self.false_positives + self.false_negatives;
        ratio(2 * self.true_positives, 2 * self.true_positives + wrong)
    }

    fn add(&mut self, is_gap: bool, is_reported: bool) {
        let count = match (is_gap, is_reported) {
            (true, true) => &mut self.true_positives,
            (false, false) => &mut self.true_negatives,
            (false, true) => &mut self.false_positives,
            (true, false) => &mut self.false_negatives,
        };
        *count += 1;
    }

    fn merge(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.true_negatives += other.true_negatives;
        self.false_positives += other.false_positives;
        self.false_negatives += other.false_negatives;
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// How right reports were, by kind of gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accuracy {
    kinds: Vec<(GapKind, Confusion)>,
}

impl Default for Accuracy {
    fn default() -> Self {
        Self { kinds: GapKind::all().map(|kind| (kind, Confusion::default())).collect() }
    }
}

impl Accuracy {
    /// Holds a report against what is true of its topology.
    pub fn of(report: &GapReport<'_>, truth: &GroundTruth) -> Self {
        let mut accuracy = Self::default();
        for (kind, confusion) in &mut accuracy.kinds {
            let mut reported = reported(report, *kind);
            for (place, entity) in report.topology.entities().enumerate() {
                if let Some(is_gap) = truth.has(*kind, report.topology, place) {
                    confusion.add(is_gap, reported.remove(entity.key));
                }
            }
            // What is left was reported of nothing that could have such a gap.
            confusion.false_positives += reported.len() as u64;
        }
        accuracy
    }

    /// Adds what another report was judged to be.
    pub fn merge(&mut self, other: &Self) {
        for ((_, mine), (_, theirs)) in self.kinds.iter_mut().zip(&other.kinds) {
            mine.merge(*theirs);
        }
    }

    /// By kind of gap, in the order of [`GapKind::all`].
    pub fn by_kind(&self) -> &[(GapKind, Confusion)] {
        &self.kinds
    }

    /// Over all kinds of gap.
    pub fn overall(&self) -> Confusion {
        let mut sum = Confusion::default();
        for (_, confusion) in &self.kinds {
            sum.merge(*confusion);
        }
        sum
    }
}

impl GroundTruth {
    /// Whether the entity at `place` has a gap of `kind`; `None` when its kind of entity cannot.
    fn has(&self, kind: GapKind, topology: &Topology, place: usize) -> Option<bool> {
        let (key, truth) = (topology.at(place)?.key, *self.entities.get(place)?);
        match kind {
            GapKind::Missing(of) => (key.kind() == of).then_some(truth == Truth::Missing),
            GapKind::PartialCluster => {
                (key.kind() == EntityKind::Cluster).then(|| self.partial_clusters.contains(key))
            }
            GapKind::Stale => Some(truth == Truth::Stale),
            GapKind::Mismatch => {
                (key.kind() == EntityKind::Topic).then_some(truth == Truth::Misconfigured)
            }
        }
    }
}

fn reported<'a>(report: &GapReport<'a>, kind: GapKind) -> BTreeSet<&'a EntityKey> {
    match kind {
        GapKind::Missing(kind) => report.missing[kind].iter().copied().collect(),
        GapKind::PartialCluster => report.partial_clusters.iter().map(|gap| gap.key).collect(),
        GapKind::Stale => report.stale.iter().map(|gap| gap.key).collect(),
        GapKind::Mismatch => report.mismatches.iter().map(|gap| gap.key).collect(),
    }
}
