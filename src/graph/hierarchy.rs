//! Who belongs to whom: account, cluster, and what a cluster has.
//!
//! Invariants:
//! - An entity has one parent at most: the first by GUID, if it was told several.
//! - A level is the parent's plus one. Accounts have level 0, whatever has no parent level 1.
//! - A cycle is cut where it leads to its first entity by GUID, which then has no parent; so every
//!   entity is in the tree, once.

use serde::Serialize;

use super::{Graph, NodeId, Side, node_id};
use crate::domain::entity::EntityKind;
use crate::domain::guid::EntityGuid;
use crate::domain::relationship::Direction;

/// The tree of a graph's entities.
#[derive(Debug, Clone)]
pub struct Hierarchy<'g> {
    graph: &'g Graph,
    parents: Vec<Option<NodeId>>,
    /// Children by parent, sorted by kind and GUID.
    children: Vec<Vec<NodeId>>,
    /// Entities without a parent, sorted by account, kind and GUID.
    roots: Vec<NodeId>,
    levels: Vec<u32>,
    cycles: Vec<Vec<EntityGuid>>,
}

/// An entity in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TreeEntry {
    /// It.
    #[serde(serialize_with = "wire")]
    pub entity: EntityGuid,
    /// How deep: 1 for entities without a parent.
    pub level: u32,
    /// How many entities have it as their parent.
    pub children: usize,
}

fn wire<S: serde::Serializer>(guid: &EntityGuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&guid.wire())
}

impl Graph {
    /// The tree of all entities.
    pub fn hierarchy(&self) -> Hierarchy<'_> {
        let mut parents: Vec<Option<NodeId>> = vec![None; self.nodes.len()];
        for key in self.keys() {
            let Some((parent, child)) = down(key) else { continue };
            let best = &mut parents[child.index()];
            if best.is_none_or(|best| self.guid(parent) < self.guid(best)) {
                *best = Some(parent);
            }
        }
        let cycles = cut_cycles(self, &mut parents);
        let mut children: Vec<Vec<NodeId>> = vec![Vec::new(); parents.len()];
        let mut roots = Vec::new();
        for node in self.ids() {
            match parents[node.index()] {
                Some(parent) => children[parent.index()].push(node),
                None => roots.push(node),
            }
        }
        let order = |node: &NodeId| self.guid(*node);
        children.iter_mut().for_each(|list| list.sort_by_key(order));
        roots.sort_by_key(order);
        let levels = levels(&roots, &children);
        Hierarchy { graph: self, parents, children, roots, levels, cycles }
    }
}

/// Parent and child of a relationship that has them; no entity is its own parent.
pub(super) fn down(key: &super::EdgeKey) -> Option<(NodeId, NodeId)> {
    let (parent, child) = match key.kind.down()? {
        Direction::Forward => (key.end(Side::Source), key.end(Side::Target)),
        Direction::Inverse => (key.end(Side::Target), key.end(Side::Source)),
    };
    (parent != child).then_some((parent, child))
}

/// Cuts every cycle of `parents` before its first entity by GUID. Returns the cycles, each from
/// that entity downwards.
fn cut_cycles(graph: &Graph, parents: &mut [Option<NodeId>]) -> Vec<Vec<EntityGuid>> {
    const UNSEEN: usize = usize::MAX;
    let mut seen_from = vec![UNSEEN; parents.len()];
    let mut cycles = Vec::new();
    for start in 0..parents.len() {
        let mut at = start;
        while seen_from[at] == UNSEEN {
            seen_from[at] = start;
            match parents[at] {
                Some(parent) => at = parent.index(),
                None => break,
            }
        }
        if parents[at].is_none() || seen_from[at] != start {
            continue;
        }
        // Met again on its own walk: `at` is on a cycle.
        let mut members = vec![node_id(at)];
        while let Some(up) = parents[members[members.len() - 1].index()] {
            if up.index() == at {
                break;
            }
            members.push(up);
        }
        members.reverse();
        let first = (0..members.len()).min_by_key(|place| graph.guid(members[*place]));
        members.rotate_left(first.unwrap_or(0));
        parents[members[0].index()] = None;
        cycles.push(members.into_iter().map(|member| graph.guid(member)).collect());
    }
    cycles.sort();
    cycles
}

fn levels(roots: &[NodeId], children: &[Vec<NodeId>]) -> Vec<u32> {
    let mut levels = vec![0; children.len()];
    let mut open: Vec<(NodeId, u32)> = roots.iter().map(|root| (*root, 1)).collect();
    while let Some((node, level)) = open.pop() {
        levels[node.index()] = level;
        open.extend(children[node.index()].iter().map(|child| (*child, level + 1)));
    }
    levels
}

impl Hierarchy<'_> {
    /// All entities, each after its parent and before its next sibling: a tree as it is printed.
    pub fn tree(&self) -> Vec<TreeEntry> {
        self.below(self.roots.iter().rev().copied().collect())
    }

    /// `top` and all below it; nothing if it is unknown.
    pub fn subtree(&self, top: &EntityGuid) -> Vec<TreeEntry> {
        self.below(self.place(top).into_iter().collect())
    }

    fn below(&self, mut open: Vec<NodeId>) -> Vec<TreeEntry> {
        let mut entries = Vec::new();
        while let Some(node) = open.pop() {
            let children = &self.children[node.index()];
            entries.push(TreeEntry {
                entity: self.graph.guid(node),
                level: self.levels[node.index()],
                children: children.len(),
            });
            open.extend(children.iter().rev());
        }
        entries
    }

    fn place(&self, guid: &EntityGuid) -> Option<NodeId> {
        self.graph.node(guid).filter(|node| self.levels[node.index()] > 0)
    }

    /// The parent of an entity, if it has one.
    pub fn parent(&self, guid: &EntityGuid) -> Option<EntityGuid> {
        let parent = self.parents[self.place(guid)?.index()]?;
        Some(self.graph.guid(parent))
    }

    /// The level of an entity; `None` if it is unknown.
    pub fn level(&self, guid: &EntityGuid) -> Option<u32> {
        self.place(guid).map(|node| self.levels[node.index()])
    }

    /// The deepest level: 0 without entities.
    pub fn depth(&self) -> u32 {
        self.levels.iter().copied().max().unwrap_or(0)
    }

    /// Cycles among the chosen parents, each from its first entity by GUID downwards.
    pub fn cycles(&self) -> &[Vec<EntityGuid>] {
        &self.cycles
    }

    /// Entities that should have a parent and have none, sorted: all but clusters.
    pub fn orphans(&self) -> Vec<EntityGuid> {
        let roots = self.roots.iter().map(|root| self.graph.guid(*root));
        roots.filter(|guid| guid.kind() != EntityKind::Cluster).collect()
    }
}
