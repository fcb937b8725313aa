//! Who is related to an entity, directly or over several steps.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Graph, NodeId};
use crate::domain::guid::EntityGuid;
use crate::domain::relationship::{Direction, RelationshipKind};

/// Which directions are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// From source to target only.
    Forward,
    /// From target to source only.
    Inverse,
    /// Either way.
    #[default]
    Both,
}

impl Reach {
    /// Whether a step in `direction` is taken.
    pub const fn takes(self, direction: Direction) -> bool {
        matches!(
            (self, direction),
            (Self::Both, _)
                | (Self::Forward, Direction::Forward)
                | (Self::Inverse, Direction::Inverse)
        )
    }

    /// The reach of the way back.
    pub(super) const fn reversed(self) -> Self {
        match self {
            Self::Forward => Self::Inverse,
            Self::Inverse => Self::Forward,
            Self::Both => Self::Both,
        }
    }
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelatedQuery {
    /// Kinds that are followed; all if empty.
    pub kinds: Vec<RelationshipKind>,
    /// Directions that are followed.
    pub reach: Reach,
    /// Most steps.
    pub depth_max: u32,
}

impl Default for RelatedQuery {
    /// Neighbours, whatever the kind and the direction.
    fn default() -> Self {
        Self { kinds: Vec::new(), reach: Reach::Both, depth_max: 1 }
    }
}

impl RelatedQuery {
    fn follows(&self, kind: RelationshipKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

/// A relationship as it is gone along: from the entity before to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// What.
    pub kind: RelationshipKind,
    /// Along it, or against it.
    pub direction: Direction,
    /// Where it leads.
    pub to: EntityGuid,
}

impl Step {
    /// The relationship's name from where the step begins.
    pub const fn name(&self) -> &'static str {
        self.kind.name(self.direction)
    }
}

impl Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut step = serializer.serialize_struct("Step", 2)?;
        step.serialize_field("relationship", self.name())?;
        step.serialize_field("to", &self.to.wire())?;
        step.end()
    }
}

/// An entity that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Related {
    /// Fewest steps to it.
    pub depth: u32,
    /// It.
    pub entity: EntityGuid,
    /// Where the last step begins: the first by GUID, of those that are as near.
    pub from: EntityGuid,
    /// The last step.
    pub step: Step,
}

impl Graph {
    /// Entities that `query` leads to from `start`, each once, nearest first, then by GUID;
    /// `start` itself is not among them. Nothing if `start` is unknown.
    pub fn related(&self, start: &EntityGuid, query: &RelatedQuery) -> Vec<Related> {
        let Some(start) = self.node(start) else { return Vec::new() };
        let mut seen = vec![false; self.nodes.len()];
        seen[start.index()] = true;
        let mut found = Vec::new();
        let mut front = vec![start];
        let mut depth = 0;
        while depth < query.depth_max && !front.is_empty() {
            depth += 1;
            let mut next: BTreeMap<EntityGuid, (NodeId, EntityGuid, Step)> = BTreeMap::new();
            for node in front {
                let from = self.guid(node);
                for (kind, direction, other) in self.steps(node, query.reach) {
                    if seen[other.index()] || !query.follows(kind) {
                        continue;
                    }
                    let to = self.guid(other);
                    let step = Step { kind, direction, to };
                    let best = next.entry(to).or_insert((other, from, step));
                    if (from, step) < (best.1, best.2) {
                        *best = (other, from, step);
                    }
                }
            }
            front = Vec::with_capacity(next.len());
            for (entity, (node, from, step)) in next {
                seen[node.index()] = true;
                front.push(node);
                found.push(Related { depth, entity, from, step });
            }
        }
        found
    }
}
