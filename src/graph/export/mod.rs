//! A graph as a file for other programs: JSON, Graphviz DOT, Mermaid, GraphML.
//!
//! Invariants:
//! - Equal graphs give equal bytes: entities are sorted by GUID, relationships by source, kind and
//!   target.
//! - Whatever an entity is called, the file is well formed, and says exactly that name; characters
//!   that a format cannot hold become U+FFFD.

mod dot;
mod graphml;
mod json;
mod mermaid;

use std::collections::BTreeMap;

pub use dot::dot;
pub use graphml::graphml;
pub use json::{JsonGraph, json};
pub use mermaid::mermaid;

use super::{Graph, Hierarchy};
use crate::domain::entity::EntityKind;
use crate::domain::guid::EntityGuid;

/// The entities of a cluster, beside those that no cluster of the graph has.
pub(super) struct Section {
    /// The cluster.
    pub(super) cluster: Option<EntityGuid>,
    /// What is below it, sorted; the cluster itself is the first.
    pub(super) members: Vec<EntityGuid>,
}

/// Entities by the cluster that they are below, sorted by its GUID; the ones without come last.
pub(super) fn sections(graph: &Graph, hierarchy: &Hierarchy<'_>) -> Vec<Section> {
    let mut of: BTreeMap<(bool, Option<EntityGuid>), Vec<EntityGuid>> = BTreeMap::new();
    let mut cluster = None;
    for entry in hierarchy.tree() {
        if entry.level == 1 {
            cluster = (entry.entity.kind() == EntityKind::Cluster).then_some(entry.entity);
        }
        of.entry((cluster.is_none(), cluster)).or_default().push(entry.entity);
    }
    let sections = of.into_iter().map(|((_, cluster), mut members)| {
        members.sort_unstable();
        if let Some(place) = members.iter().position(|member| Some(*member) == cluster) {
            members[..=place].rotate_right(1);
        }
        Section { cluster, members }
    });
    let sections: Vec<_> = sections.collect();
    debug_assert_eq!(
        sections.iter().map(|section| section.members.len()).sum::<usize>(),
        graph.entities().len()
    );
    sections
}

#[cfg(test)]
mod tests;
