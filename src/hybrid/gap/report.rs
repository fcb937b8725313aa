//! What a comparison found.

use std::time::Duration;

use super::coverage::{ByKind, Coverage};
use super::detector::Observed;
use crate::domain::account::AccountId;
use crate::domain::entity::EntityKey;
use crate::domain::guid::EntityGuid;
use crate::domain::units::UnixNanos;
use crate::hybrid::topology::Topology;

/// The gaps of an estate at one instant; keys are borrowed from topology and observations.
#[derive(Debug, Clone)]
pub struct GapReport<'a> {
    /// The topology that was asked for.
    pub topology: &'a Topology,
    /// When the comparison was made.
    pub now: UnixNanos,
    /// How long an entity may be silent.
    pub tolerance: Duration,
    /// Desired entities that are not there.
    pub missing: ByKind<Vec<&'a EntityKey>>,
    /// Clusters with some fresh brokers, but fewer than they require.
    pub partial_clusters: Vec<PartialCluster<'a>>,
    /// Desired entities that have been silent for longer than the tolerance.
    pub stale: Vec<Stale<'a>>,
    /// Configuration of fresh entities that is not as desired.
    pub mismatches: Vec<Mismatch<'a>>,
    /// What is there, fresh, and not desired; never to be filled or removed.
    pub unexpected: Vec<&'a Observed>,
    /// Desired entities that were not seen yet by a watcher that has watched no longer than the
    /// tolerance.
    pub pending: Vec<&'a EntityKey>,
    /// How much is there.
    pub coverage: Coverage,
}

/// A cluster with too few brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialCluster<'a> {
    /// The cluster.
    pub key: &'a EntityKey,
    /// Brokers that it requires.
    pub expected: u32,
    /// Brokers that are present and fresh, desired or not; at least 1.
    pub actual: u32,
}

/// An entity that has been silent for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale<'a> {
    /// The entity.
    pub key: &'a EntityKey,
    /// When it was seen last.
    pub last_seen: UnixNanos,
    /// How long ago that was.
    pub age: Duration,
}

/// A setting of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// A topic's number of partitions.
    Partitions,
    /// A topic's number of replicas of each partition.
    ReplicationFactor,
}

impl Field {
    /// Its key in files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partitions => "partitions",
            Self::ReplicationFactor => "replicationFactor",
        }
    }
}

/// A setting that is not as desired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch<'a> {
    /// The entity.
    pub key: &'a EntityKey,
    /// The setting.
    pub field: Field,
    /// What is desired.
    pub expected: u32,
    /// What is there.
    pub actual: u32,
}

impl<'a> GapReport<'a> {
    /// Missing entities of all kinds, in the order of their keys.
    pub fn all_missing(&self) -> impl Iterator<Item = &'a EntityKey> {
        self.missing.values().flatten().copied()
    }

    /// Missing entities with their GUIDs in `account`: those under which they will report.
    pub fn missing_guids(
        &self,
        account: AccountId,
    ) -> impl Iterator<Item = (&'a EntityKey, EntityGuid)> {
        self.all_missing().map(move |key| (key, EntityGuid::new(account, key)))
    }

    /// Whether nothing is wrong: no entity is missing, stale or mismatched, no cluster partial.
    /// What is pending or unexpected is not wrong.
    pub fn is_clean(&self) -> bool {
        self.all_missing().next().is_none()
            && self.partial_clusters.is_empty()
            && self.stale.is_empty()
            && self.mismatches.is_empty()
    }
}
