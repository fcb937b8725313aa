//! Which brokers clusters should have.
//!
//! Invariants:
//! - A cluster with a roster is measured by it alone: a broker that left, and that nobody wants, is
//!   not missed, and one that was never seen is.
//! - What reports is never more than what is expected.
//!
//! Not modelled: that another broker stands in for a listed one. A broker under a new id counts
//! beside the one whose id is on the roster, until the roster is changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::provider::Provider;

/// The brokers that one cluster should have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    /// Ids of those that are known by name.
    pub ids: BTreeSet<String>,
    /// How many there must be at least, named or not.
    pub required: u32,
}

impl Roster {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.required == 0
    }

    /// How many brokers are expected while those with ids `reporting` report: the named ones and
    /// whoever is there beside them, and never fewer than required.
    pub(super) fn expected(&self, reporting: impl Iterator<Item = i32>) -> usize {
        let beside = reporting.filter(|id| !self.ids.contains(&id.to_string())).count();
        (self.ids.len() + beside).max(self.required as usize)
    }
}

/// Rosters by provider and cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rosters(BTreeMap<Provider, BTreeMap<String, Roster>>);

impl Rosters {
    /// The roster of a cluster, to be written; an empty one where there was none.
    pub fn entry(&mut self, provider: &Provider, cluster: &str) -> &mut Roster {
        let of_provider = self.0.entry(provider.clone()).or_default();
        of_provider.entry(cluster.to_owned()).or_default()
    }

    /// The roster of a cluster, if it asks for anything.
    pub fn get(&self, provider: &Provider, cluster: &str) -> Option<&Roster> {
        self.0.get(provider)?.get(cluster).filter(|roster| !roster.is_empty())
    }
}
