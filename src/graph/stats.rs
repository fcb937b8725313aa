//! Figures of a graph.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Graph, Side, Standing};

/// How much there is of what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Entities, described or not.
    pub total_entities: usize,
    /// Relationships.
    pub total_relationships: usize,
    /// Entities by type.
    pub entity_counts: BTreeMap<&'static str, usize>,
    /// Entities by where their figures come from.
    pub standing_counts: BTreeMap<&'static str, usize>,
    /// Relationships by kind.
    pub relationship_counts: BTreeMap<&'static str, usize>,
    /// The deepest level, where the account's is 0.
    pub hierarchy_depth: u32,
    /// Sets of entities of which each is related to every other, over any number of steps.
    pub components: usize,
    /// Entities without any relationship.
    pub isolated: usize,
}

impl Graph {
    /// Figures of the whole graph.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            total_relationships: self.edges.len(),
            hierarchy_depth: self.hierarchy().depth(),
            ..Stats::default()
        };
        for node in self.ids() {
            stats.total_entities += 1;
            *stats.entity_counts.entry(self.kind(node).type_name()).or_default() += 1;
            let node = &self.nodes[node.index()];
            let standing = node.facts.as_ref().map_or(Standing::Missing, |facts| facts.standing);
            *stats.standing_counts.entry(standing.as_str()).or_default() += 1;
            stats.isolated += usize::from(node.degree == [0; 2]);
        }
        for key in self.keys() {
            *stats.relationship_counts.entry(key.kind.as_str()).or_default() += 1;
        }
        stats.components = stats.total_entities - self.joins();
        stats
    }

    /// How many relationships join two sets of entities that no relationship before them joined.
    fn joins(&self) -> usize {
        let mut leaders: Vec<usize> = (0..self.nodes.len()).collect();
        let mut joins = 0;
        for key in self.keys() {
            let [one, other] = [Side::Source, Side::Target]
                .map(|side| leader(&mut leaders, key.end(side).index()));
            joins += usize::from(one != other);
            leaders[one.max(other)] = one.min(other);
        }
        joins
    }
}

/// The leader of the set of `member`; on the way, each entity comes to follow its grandparent.
fn leader(leaders: &mut [usize], mut member: usize) -> usize {
    while leaders[member] != member {
        leaders[member] = leaders[leaders[member]];
        member = leaders[member];
    }
    member
}
