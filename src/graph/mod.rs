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
//! - Whether a relationship is held is asked of its source alone: of its list while that is short,
//!   of a table of its own from then on. So what is told of one entity stays within few lines of
//!   memory, where one table of all relationships would be waited for each time.
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

use hashbrown::HashTable;
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

/// Relationships of one source that are found by walking along its list.
const LIST_MAX: u32 = 8;

/// One entity's place: what is known of it, and where its lists of relationships begin.
#[derive(Debug, Clone)]
struct Node {
    guid: EntityGuid,
    facts: Option<Box<EntityFacts>>,
    /// Newest relationship of which it is the source, and the target: by [`Side`].
    first: [Link; 2],
    /// How many there are.
    degree: [u32; 2],
    /// The relationships of which it is the source, if there ever were more than [`LIST_MAX`].
    table: Option<Box<HashTable<Link>>>,
}

impl Node {
    fn new(guid: EntityGuid) -> Self {
        Self { guid, facts: None, first: [Link::NONE; 2], degree: [0; 2], table: None }
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

impl EdgeKey {
    const fn end(&self, side: Side) -> NodeId {
        self.ends[side as usize]
    }

    const fn other(&self, side: Side) -> NodeId {
        self.ends[1 - side as usize]
    }
}

/// A relationship, its places in the lists of its two ends, and how it was told.
#[derive(Debug, Clone)]
struct Edge {
    key: EdgeKey,
    next: [Link; 2],
    previous: [Link; 2],
    /// Told from its source, from its target.
    told: [bool; 2],
}

/// Entities and their relationships.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    /// Of each of `nodes` its place, by GUID.
    places: HashTable<NodeId>,
    edges: Vec<Edge>,
}

impl Graph {
    /// A graph of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A graph of nothing with room for so many.
    pub fn with_capacity(entities: usize, relationships: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(entities),
            places: HashTable::with_capacity(entities),
            edges: Vec::with_capacity(relationships),
        }
    }

    /// Describes an entity, anew if it was described before.
    pub fn describe(&mut self, guid: EntityGuid, facts: EntityFacts) -> Option<Change> {
        let id = self.node_or_new(guid);
        let node = &mut self.nodes[id.index()];
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
        if let Some(index) = self.find(&key) {
            self.edges[index].told[direction as usize] = true;
            return None;
        }
        let index = self.edges.len();
        let first = [self.nodes[ends[0].index()].first[0], self.nodes[ends[1].index()].first[1]];
        let mut told = [false; 2];
        told[direction as usize] = true;
        self.edges.push(Edge { key, next: first, previous: [Link::NONE; 2], told });
        for side in Side::BOTH {
            let place = side as usize;
            if let Some(next) = first[place].get() {
                self.edges[next].previous[place] = Link::to(index);
            }
            let node = &mut self.nodes[ends[place].index()];
            node.first[place] = Link::to(index);
            node.degree[place] += 1;
        }
        self.enter(index);
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
        let index = self.find(&EdgeKey { ends, kind })?;
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
        *self = Self::new();
        Change::Cleared { entities, relationships }
    }

    /// What is known of an entity; `None` if nobody described it.
    pub fn facts(&self, guid: &EntityGuid) -> Option<&EntityFacts> {
        self.nodes[self.node(guid)?.index()].facts.as_deref()
    }

    /// Whether an entity is described or an end of a relationship.
    pub fn contains(&self, guid: &EntityGuid) -> bool {
        self.node(guid).is_some_and(|node| is_there(&self.nodes[node.index()]))
    }

    /// Whether a relationship is held, told in either direction.
    pub fn holds(&self, told: impl Into<Told>) -> bool {
        let Told { source, kind, target, .. } = told.into();
        let ends = self.node(&source).zip(self.node(&target));
        ends.is_some_and(|(one, other)| self.find(&EdgeKey { ends: [one, other], kind }).is_some())
    }

    /// All entities, described or not, sorted.
    pub fn entities(&self) -> Vec<EntityGuid> {
        let there = self.nodes.iter().filter(|node| is_there(node));
        let mut guids: Vec<_> = there.map(|node| node.guid).collect();
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
        let described = self.nodes.iter().filter(|node| node.facts.is_some());
        described.map(|node| node.guid)
    }

    fn node(&self, guid: &EntityGuid) -> Option<NodeId> {
        let is_it = |id: &NodeId| self.nodes[id.index()].guid == *guid;
        self.places.find(hash::of_guid(guid), is_it).copied()
    }

    fn node_or_new(&mut self, guid: EntityGuid) -> NodeId {
        let Self { nodes, places, .. } = self;
        let hash = hash::of_guid(&guid);
        let is_it = |id: &NodeId| nodes[id.index()].guid == guid;
        if let Some(id) = places.find(hash, is_it) {
            return *id;
        }
        let id = node_id(nodes.len());
        places.insert_unique(hash, id, |id| hash::of_guid(&nodes[id.index()].guid));
        nodes.push(Node::new(guid));
        id
    }

    fn guid(&self, node: NodeId) -> EntityGuid {
        self.nodes[node.index()].guid
    }

    fn kind(&self, node: NodeId) -> EntityKind {
        self.guid(node).kind()
    }

    fn key(&self, index: usize) -> EdgeKey {
        self.edges[index].key
    }

    /// All relationships' keys, in no order that may be shown.
    fn keys(&self) -> impl Iterator<Item = &EdgeKey> {
        self.edges.iter().map(|edge| &edge.key)
    }

    /// Place of the relationship with this key, if it is held.
    fn find(&self, key: &EdgeKey) -> Option<usize> {
        let source = &self.nodes[key.end(Side::Source).index()];
        let is_it = |link: &Link| link.get().is_some_and(|index| self.edges[index].key == *key);
        if let Some(table) = &source.table {
            return table.find(hash::of_edge(key), is_it).and_then(|link| link.get());
        }
        let mut link = source.first[Side::Source as usize];
        while let Some(index) = link.get() {
            if self.edges[index].key == *key {
                return Some(index);
            }
            link = self.edges[index].next[Side::Source as usize];
        }
        None
    }

    /// Enters a relationship, which is in its source's list already, into the source's table; makes
    /// one when the list has become too long to walk along.
    fn enter(&mut self, index: usize) {
        let Self { nodes, edges, .. } = self;
        let hash = |link: &Link| link.get().map_or(0, |index| hash::of_edge(&edges[index].key));
        let source = &mut nodes[edges[index].key.end(Side::Source).index()];
        if let Some(table) = &mut source.table {
            let link = Link::to(index);
            table.insert_unique(hash(&link), link, hash);
        } else if source.degree[Side::Source as usize] > LIST_MAX {
            let mut table = HashTable::with_capacity(2 * LIST_MAX as usize);
            let mut link = source.first[Side::Source as usize];
            while let Some(index) = link.get() {
                table.insert_unique(hash(&link), link, hash);
                link = edges[index].next[Side::Source as usize];
            }
            source.table = Some(Box::new(table));
        }
    }

    /// Makes the table of a relationship's source, if it has one, say `to` instead of `from`.
    fn reenter(&mut self, key: &EdgeKey, from: Link, to: Option<Link>) {
        let Some(table) = &mut self.nodes[key.end(Side::Source).index()].table else { return };
        let Ok(mut entry) = table.find_entry(hash::of_edge(key), |link| *link == from) else {
            return;
        };
        match to {
            Some(to) => *entry.get_mut() = to,
            None => drop(entry.remove()),
        }
    }

    fn held(&self, index: usize) -> Held {
        let EdgeKey { ends: [source, target], kind } = self.key(index);
        Held { source: self.guid(source), kind, target: self.guid(target) }
    }

    /// Nodes that are there, in no order that may be shown.
    fn ids(&self) -> impl Iterator<Item = NodeId> {
        let there = self.nodes.iter().enumerate().filter(|(_, node)| is_there(node));
        there.map(|(index, _)| node_id(index))
    }

    /// Relationships of which `node` is the end `side`, in no order that may be shown.
    fn edges_at(&self, node: NodeId, side: Side) -> impl Iterator<Item = EdgeKey> {
        let mut link = self.nodes[node.index()].first[side as usize];
        std::iter::from_fn(move || {
            let edge = &self.edges[link.get()?];
            link = edge.next[side as usize];
            Some(edge.key)
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
        self.reenter(&key, Link::to(index), None);
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
        self.edges.swap_remove(index);
        if index == self.edges.len() {
            return;
        }
        let moved = self.key(index);
        self.reenter(&moved, Link::to(self.edges.len()), Some(Link::to(index)));
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
