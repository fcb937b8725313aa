//! JSON: `{nodes, edges, stats}`.

use serde::Serialize;

use super::super::{EntityFacts, Graph, Stats};
use crate::domain::units::UnixMillis;

/// Version of the form.
const SCHEMA: u32 = 1;

/// A graph in its JSON form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JsonGraph {
    schema: u32,
    nodes: Vec<JsonNode>,
    edges: Vec<JsonEdge>,
    stats: Stats,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonNode {
    id: String,
    entity_type: &'static str,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    provider: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    cluster: String,
    level: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    has_children: bool,
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct JsonEdge {
    source: String,
    r#type: &'static str,
    inverse: &'static str,
    target: String,
}

/// The JSON form: nodes sorted by GUID, edges by source, kind and target.
pub fn json(graph: &Graph) -> JsonGraph {
    let hierarchy = graph.hierarchy();
    let mut entries = hierarchy.tree();
    entries.sort_by_key(|entry| entry.entity);
    let unknown = EntityFacts::default();
    let nodes = entries.into_iter().map(|entry| {
        let facts = graph.facts(&entry.entity).unwrap_or(&unknown);
        JsonNode {
            id: entry.entity.wire(),
            entity_type: entry.entity.kind().type_name(),
            name: graph.name(&entry.entity),
            provider: facts.provider.clone(),
            cluster: facts.cluster.clone(),
            level: entry.level,
            parent: hierarchy.parent(&entry.entity).map(|parent| parent.wire()),
            has_children: entry.children > 0,
            standing: graph.standing(&entry.entity).as_str(),
            health_percent: facts.health_percent,
            observed_at_ms: facts.observed_at.map(|UnixMillis(at)| at),
        }
    });
    let edges = graph.relationships().into_iter().map(|held| JsonEdge {
        source: held.source.wire(),
        r#type: held.kind.as_str(),
        inverse: held.kind.inverse(),
        target: held.target.wire(),
    });
    JsonGraph {
        schema: SCHEMA,
        nodes: nodes.collect(),
        edges: edges.collect(),
        stats: graph.stats(),
    }
}
