//! Entities and how they are related: one graph to ask, to check and to draw. Pure.
//!
//! The graph holds what it was told, wrong or not: an end that nobody described, two parents, a
//! cycle. [`Graph::validate`] finds what is wrong; everything else gives an answer all the same.
//!
//! Invariants:
//! - A relationship is stored once, in its canonical direction, whichever way it was told; the
//!   inverse is derived.
//! - No answer depends on the order in which entities and relationships were told.
//! - Adding, removing and looking up take constant time per relationship, whatever the graph's
//!   size. Nothing recurses, so depth costs memory and never the stack.
//! - Every change is returned as a [`Change`]; what changes nothing returns none.
//!
//! Not modelled: history (a graph is one instant), and ends that are no entities of ours (services,
//! partitions, exchanges).

#[cfg(test)]
mod document;
pub mod drawing;
pub mod events;
pub mod export;
mod hash;
mod hierarchy;
mod paths;
mod related;
mod stats;
mod validate;

use indexmap::IndexMap;
use indexmap::map::Entry;
use serde::Serialize;

use crate::domain::entity::EntityKind;
use crate::domain::guid::EntityGuid;
use crate::domain::relationship::{Direction, Relationship, RelationshipKind};
use crate::domain::units::UnixMillis;

pub use hierarchy::{Hierarchy, TreeEntry};
pub use paths::{PathLimits, Paths};
pub use related::{Reach, Related, RelatedQuery, Step};
pub use stats::Stats;
pub use validate::{Issue, IssueKind, Severity};

/// What is known of an entity beside its GUID.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityFacts {
    /// The name that people see; empty if nobody gave one.
    pub name: String,
    /// Whose product it is, such as `kafka`.
    pub provider: String,
    /// Its cluster's name.
    pub cluster: String,
    /// Health score, 0 to 100.
    pub health_percent: Option<f64>,
    /// When it was last observed.
    pub observed_at: Option<UnixMillis>,
    /// Where its figures come from.
    pub standing: Standing,
}

/// How an entity's figures came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Observed, and lately.
    #[default]
    Live,
    /// Observed, but long before the newest observation of the graph.
    Stale,
    /// Invented to fill a gap.
    Simulated,
    /// Wanted by a topology, whether or not it is there.
    Desired,
    /// Named by a relationship alone: nobody described it.
    Missing,
}

impl Standing {
    /// The word in exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Simulated => "simulated",
            Self::Desired => "desired",
            Self::Missing => "missing",
        }
    }
}

/// A relationship as somebody told it; nothing says that it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// Source of the canonical direction.
    pub source: EntityGuid,
    /// What.
    pub kind: RelationshipKind,
    /// Target of the canonical direction.
    pub target: EntityGuid,
    /// From which end it was told.
    pub direction: Direction,
}

impl Told {
    /// `subject` has the relationship called `name` to `object`; `None` if no kind is called so.
    pub fn named(subject: EntityGuid, name: &str, object: EntityGuid) -> Option<Self> {
        let (kind, direction) = RelationshipKind::from_name(name)?;
        let (source, target) = match direction {
            Direction::Forward => (subject, object),
            Direction::Inverse => (object, subject),
        };
        Some(Self { source, kind, target, direction })
    }
}

impl From<Relationship> for Told {
    fn from(proven: Relationship) -> Self {
        let Relationship { source, kind, target } = proven;
        Self { source, kind, target, direction: Direction::Forward }
    }
}

/// A relationship that the graph holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// From.
    pub source: EntityGuid,
    /// What.
    pub kind: RelationshipKind,
    /// To.
    pub target: EntityGuid,
}

/// What a call changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An entity was described for the first time.
    EntityAdded(EntityGuid),
    /// An entity's facts are others than before.
    EntityChanged(EntityGuid),
    /// An entity is described no more.
    EntityRemoved(EntityGuid),
    /// A relationship was told for the first time.
    RelationshipAdded(Held),
    /// A relationship is held no more.
    RelationshipRemoved(Held),
    /// Everything is gone.
    Cleared {
        /// Entities that were described.
        entities: usize,
        /// Relationships that were held.
        relationships: usize,
    },
}

/// Place of an entity in the graph's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct NodeId(u32);

impl NodeId {
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Place of a relationship in the graph's table, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link(u32);

impl Link {
    const NONE: Self = Self(u32::MAX);

    fn get(self) -> Option<usize> {
        (self != Self::NONE).then_some(self.0 as usize)
    }

    fn to(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// One entity's place: what is known of it, and where its lists of relationships begin.
#[derive(Debug, Clone)]
struct Node {
    facts: Option<Box<EntityFacts>>,
    /// Newest relationship of which it is the source, and the target: by [`Side`].
    first: [Link; 2],
    /// How many there are.
    degree: [u32; 2],
}

impl Default for Node {
    fn default() -> Self {
        Self { facts: None, first: [Link::NONE; 2], degree: [0; 2] }
    }
}

/// Which end of a relationship an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Source, Self::Target];

    /// The direction in which a step from this end goes.
    const fn direction(self) -> Direction {
        match self {
            Self::Source => Direction::Forward,
            Self::Target => Direction::Inverse,
        }
    }
}

/// What makes a relationship the same as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EdgeKey {
    ends: [NodeId; 2],
    kind: RelationshipKind,
}

impl std::hash::Hash for EdgeKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.ends[0].0) << 32 | u64::from(self.ends[1].0));
        state.write_u8(self.kind as u8);
    }
}

impl EdgeKey {
    const fn end(&self, side: Side) -> NodeId {
        self.ends[side as usize]
    }

    const fn other(&self, side: Side) -> NodeId {
        self.ends[1 - side as usize]
    }
}

/// A relationship's places in the lists of its two ends, and how it was told.
#[derive(Debug, Clone)]
struct Edge {
    next: [Link; 2],
    previous: [Link; 2],
    /// Told from its source, from its target.
    told: [bool; 2],
}

/// Entities and their relationships.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: IndexMap<EntityGuid, Node, hash::WordState>,
    edges: IndexMap<EdgeKey, Edge, hash::WordState>,
}

impl Graph {
    /// A graph of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A graph of nothing with room for so many.
    pub fn with_capacity(entities: usize, relationships: usize) -> Self {
        Self {
            nodes: IndexMap::with_capacity_and_hasher(entities, hash::WordState::default()),
            edges: IndexMap::with_capacity_and_hasher(relationships, hash::WordState::default()),
        }
    }

    /// Describes an entity, anew if it was described before.
    pub fn describe(&mut self, guid: EntityGuid, facts: EntityFacts) -> Option<Change> {
        let node = self.nodes.entry(guid).or_default();
        match &mut node.facts {
            Some(known) if **known == facts => None,
            Some(known) => {
                **known = facts;
                Some(Change::EntityChanged(guid))
            }
            None => {
                node.facts = Some(Box::new(facts));
                Some(Change::EntityAdded(guid))
            }
        }
    }

    /// Adds a relationship. Its ends need not be described, before or ever.
    pub fn add(&mut self, told: impl Into<Told>) -> Option<Change> {
        let Told { source, kind, target, direction } = told.into();
        let ends = [self.node_or_new(source), self.node_or_new(target)];
        let key = EdgeKey { ends, kind };
        let index = self.edges.len();
        let first = [self.nodes[ends[0].index()].first[0], self.nodes[ends[1].index()].first[1]];
        match self.edges.entry(key) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().told[direction as usize] = true;
                return None;
            }
            Entry::Vacant(entry) => {
                let mut told = [false; 2];
                told[direction as usize] = true;
                entry.insert(Edge { next: first, previous: [Link::NONE; 2], told });
            }
        }
        for side in Side::BOTH {
            let place = side as usize;
            if let Some(next) = first[place].get() {
                self.edges[next].previous[place] = Link::to(index);
            }
            let node = &mut self.nodes[ends[place].index()];
            node.first[place] = Link::to(index);
            node.degree[place] += 1;
        }
        Some(Change::RelationshipAdded(Held { source, kind, target }))
    }

    /// Adds relationships one by one.
    pub fn extend<T: Into<Told>>(&mut self, told: impl IntoIterator<Item = T>) -> Vec<Change> {
        told.into_iter().filter_map(|told| self.add(told)).collect()
    }

    /// Removes a relationship, told in either direction.
    pub fn remove(&mut self, told: impl Into<Told>) -> Option<Change> {
        let Told { source, kind, target, .. } = told.into();
        let ends = [self.node(&source)?, self.node(&target)?];
        let index = self.edges.get_index_of(&EdgeKey { ends, kind })?;
        self.remove_edge(index);
        Some(Change::RelationshipRemoved(Held { source, kind, target }))
    }

    /// Removes an entity with all its relationships; the changes are sorted.
    pub fn remove_entity(&mut self, guid: &EntityGuid) -> Vec<Change> {
        let Some(node) = self.node(guid) else { return Vec::new() };
        let mut gone = Vec::new();
        for side in Side::BOTH {
            while let Some(index) = self.nodes[node.index()].first[side as usize].get() {
                gone.push(self.held(index));
                self.remove_edge(index);
            }
        }
        gone.sort_unstable();
        let mut changes: Vec<_> = gone.into_iter().map(Change::RelationshipRemoved).collect();
        if self.nodes[node.index()].facts.take().is_some() {
            changes.push(Change::EntityRemoved(*guid));
        }
        changes
    }

    /// Removes everything.
    pub fn clear(&mut self) -> Change {
        let (entities, relationships) = (self.described().count(), self.edges.len());
        self.nodes.clear();
        self.edges.clear();
        Change::Cleared { entities, relationships }
    }

    /// What is known of an entity; `None` if nobody described it.
    pub fn facts(&self, guid: &EntityGuid) -> Option<&EntityFacts> {
        self.nodes.get(guid)?.facts.as_deref()
    }

    /// Whether an entity is described or an end of a relationship.
    pub fn contains(&self, guid: &EntityGuid) -> bool {
        self.nodes.get(guid).is_some_and(is_there)
    }

    /// Whether a relationship is held, told in either direction.
    pub fn holds(&self, told: impl Into<Told>) -> bool {
        let Told { source, kind, target, .. } = told.into();
        let ends = self.node(&source).zip(self.node(&target));
        ends.is_some_and(|(one, other)| {
            self.edges.contains_key(&EdgeKey { ends: [one, other], kind })
        })
    }

    /// All entities, described or not, sorted.
    pub fn entities(&self) -> Vec<EntityGuid> {
        let there = self.nodes.iter().filter(|(_, node)| is_there(node));
        let mut guids: Vec<_> = there.map(|(guid, _)| *guid).collect();
        guids.sort_unstable();
        guids
    }

    /// All relationships, sorted.
    pub fn relationships(&self) -> Vec<Held> {
        let mut held: Vec<_> = (0..self.edges.len()).map(|index| self.held(index)).collect();
        held.sort_unstable();
        held
    }

    /// The name that people see of an entity, or `kind` and the first digits of its identifier.
    pub fn name(&self, guid: &EntityGuid) -> String {
        match self.facts(guid) {
            Some(facts) if !facts.name.is_empty() => facts.name.clone(),
            _ => {
                let identifier = guid.identifier();
                format!("{} {}…", noun(guid.kind()), identifier.get(..8).unwrap_or(&identifier))
            }
        }
    }

    /// What an entity is and how it is called, such as `broker orders-broker-1`.
    pub fn words(&self, guid: &EntityGuid) -> String {
        match self.facts(guid) {
            Some(facts) if !facts.name.is_empty() => {
                format!("{} {}", noun(guid.kind()), facts.name)
            }
            _ => self.name(guid),
        }
    }

    /// Where an entity's figures come from.
    pub fn standing(&self, guid: &EntityGuid) -> Standing {
        self.facts(guid).map_or(Standing::Missing, |facts| facts.standing)
    }

    fn described(&self) -> impl Iterator<Item = EntityGuid> {
        let described = self.nodes.iter().filter(|(_, node)| node.facts.is_some());
        described.map(|(guid, _)| *guid)
    }

    fn node(&self, guid: &EntityGuid) -> Option<NodeId> {
        self.nodes.get_index_of(guid).map(node_id)
    }

    fn node_or_new(&mut self, guid: EntityGuid) -> NodeId {
        let entry = self.nodes.entry(guid);
        let id = node_id(entry.index());
        entry.or_default();
        id
    }

    fn guid(&self, node: NodeId) -> EntityGuid {
        *self.nodes.get_index(node.index()).expect("ids are places of the table").0
    }

    fn kind(&self, node: NodeId) -> EntityKind {
        self.guid(node).kind()
    }

    fn key(&self, index: usize) -> EdgeKey {
        *self.edges.get_index(index).expect("links are places of the table").0
    }

    fn held(&self, index: usize) -> Held {
        let EdgeKey { ends: [source, target], kind } = self.key(index);
        Held { source: self.guid(source), kind, target: self.guid(target) }
    }

    /// Nodes that are there, in no order that may be shown.
    fn ids(&self) -> impl Iterator<Item = NodeId> {
        let there = self.nodes.values().enumerate().filter(|(_, node)| is_there(node));
        there.map(|(index, _)| node_id(index))
    }

    /// Relationships of which `node` is the end `side`, in no order that may be shown.
    fn edges_at(&self, node: NodeId, side: Side) -> impl Iterator<Item = EdgeKey> {
        let mut link = self.nodes[node.index()].first[side as usize];
        std::iter::from_fn(move || {
            let (key, edge) = self.edges.get_index(link.get()?)?;
            link = edge.next[side as usize];
            Some(*key)
        })
    }

    /// All steps from `node` in the directions that `reach` allows, in no order that may be shown.
    fn steps(
        &self,
        node: NodeId,
        reach: Reach,
    ) -> impl Iterator<Item = (RelationshipKind, Direction, NodeId)> {
        let sides = Side::BOTH.into_iter().filter(move |side| reach.takes(side.direction()));
        sides.flat_map(move |side| {
            let edges = self.edges_at(node, side);
            edges.map(move |key| (key.kind, side.direction(), key.other(side)))
        })
    }

    /// Takes an edge out of both lists and out of the table, where the last one takes its place.
    fn remove_edge(&mut self, index: usize) {
        let key = self.key(index);
        for side in Side::BOTH {
            let place = side as usize;
            let Edge { next, previous, .. } = &self.edges[index];
            let (next, previous) = (next[place], previous[place]);
            self.relink(key.end(side), side, previous, next);
            if let Some(next) = next.get() {
                self.edges[next].previous[place] = previous;
            }
            self.nodes[key.end(side).index()].degree[place] -= 1;
        }
        self.edges.swap_remove_index(index);
        if index == self.edges.len() {
            return;
        }
        let moved = self.key(index);
        for side in Side::BOTH {
            let place = side as usize;
            let Edge { next, previous, .. } = &self.edges[index];
            let (next, previous) = (next[place], previous[place]);
            self.relink(moved.end(side), side, previous, Link::to(index));
            if let Some(next) = next.get() {
                self.edges[next].previous[place] = Link::to(index);
            }
        }
    }

    /// Makes `to` follow `previous` in the list of `node`, or begin it.
    fn relink(&mut self, node: NodeId, side: Side, previous: Link, to: Link) {
        match previous.get() {
            Some(previous) => self.edges[previous].next[side as usize] = to,
            None => self.nodes[node.index()].first[side as usize] = to,
        }
    }
}

const fn noun(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::ConsumerGroup => "group",
        other => other.prefix(),
    }
}

/// Places above are those of a table that would take 400 GB.
fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).expect("fewer than 2³² entities"))
}

/// A place stays when its entity is removed, so that other places do not move.
fn is_there(node: &Node) -> bool {
    node.facts.is_some() || node.degree != [0; 2]
}

#[cfg(test)]
mod tests;
