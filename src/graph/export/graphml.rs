//! GraphML: for yEd, Gephi, NetworkX, Cytoscape.

use std::fmt::Write as _;

use super::super::Graph;
use crate::domain::words::escape;

/// Attributes of nodes: name and type.
const NODE_KEYS: [(&str, &str); 8] = [
    ("entityType", "string"),
    ("name", "string"),
    ("provider", "string"),
    ("cluster", "string"),
    ("level", "int"),
    ("standing", "string"),
    ("healthPercent", "double"),
    ("observedAtMs", "long"),
];

/// The graph as GraphML; every node's id is its GUID.
pub fn graphml(graph: &Graph) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    );
    // Writing to a string cannot fail.
    for (name, form) in NODE_KEYS {
        let _ = writeln!(
            out,
            "  <key id=\"{name}\" for=\"node\" attr.name=\"{name}\" attr.type=\"{form}\"/>"
        );
    }
    out.push_str(
        "  <key id=\"type\" for=\"edge\" attr.name=\"type\" attr.type=\"string\"/>\n  \
         <graph id=\"topology\" edgedefault=\"directed\">\n",
    );
    let mut entries = graph.hierarchy().tree();
    entries.sort_by_key(|entry| entry.entity);
    for entry in entries {
        let guid = entry.entity;
        let facts = graph.facts(&guid);
        let values = [
            Some(guid.kind().type_name().to_owned()),
            Some(graph.name(&guid)),
            facts.map(|facts| facts.provider.clone()),
            facts.map(|facts| facts.cluster.clone()),
            Some(entry.level.to_string()),
            Some(graph.standing(&guid).as_str().to_owned()),
            facts.and_then(|facts| facts.health_percent).map(|health| health.to_string()),
            facts.and_then(|facts| facts.observed_at).map(|at| at.0.to_string()),
        ];
        let _ = writeln!(out, "    <node id=\"{}\">", guid.wire());
        for ((name, _), value) in NODE_KEYS.into_iter().zip(values) {
            if let Some(value) = value {
                let _ = writeln!(out, "      <data key=\"{name}\">{}</data>", escape(&value));
            }
        }
        out.push_str("    </node>\n");
    }
    for held in graph.relationships() {
        let _ = writeln!(
            out,
            "    <edge source=\"{}\" target=\"{}\"><data key=\"type\">{}</data></edge>",
            held.source.wire(),
            held.target.wire(),
            held.kind.as_str()
        );
    }
    out.push_str("  </graph>\n</graphml>\n");
    out
}
