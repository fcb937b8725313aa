//! Mermaid flowcharts, which Markdown viewers draw.
//!
//! Mermaid reads no GUIDs as names of nodes, so nodes are numbered in the order of their GUIDs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::{Graph, Standing, noun};
use super::sections;
use crate::domain::entity::EntityKind;
use crate::domain::guid::EntityGuid;

/// The graph as a flowchart. Relationships of a cluster with what is in its box are not drawn:
/// the box says them.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    let numbers: BTreeMap<EntityGuid, usize> =
        graph.entities().into_iter().enumerate().map(|(place, guid)| (guid, place)).collect();
    let hierarchy = graph.hierarchy();
    // Writing to a string cannot fail.
    for section in &sections(graph, &hierarchy) {
        let indent = if section.cluster.is_some() { "    " } else { "  " };
        if let Some(cluster) = section.cluster {
            let label = quoted(&graph.words(&cluster));
            let _ = writeln!(out, "  subgraph c{}[{label}]", numbers[&cluster]);
        }
        for guid in section.members.iter().filter(|guid| Some(**guid) != section.cluster) {
            let (open, close) = brackets(guid.kind());
            let label = quoted(&graph.name(guid));
            let class = if graph.standing(guid) == Standing::Live {
                noun(guid.kind())
            } else {
                graph.standing(guid).as_str()
            };
            let _ = writeln!(out, "{indent}n{}{open}{label}{close}:::{class}", numbers[guid]);
        }
        if section.cluster.is_some() {
            out.push_str("  end\n");
        }
    }
    let node = |guid: &EntityGuid| {
        let letter = if hierarchy.parent(guid).is_none() && guid.kind() == EntityKind::Cluster {
            'c'
        } else {
            'n'
        };
        format!("{letter}{}", numbers[guid])
    };
    for held in graph.relationships() {
        if held.kind.down().is_some() && said_by_box(graph, &hierarchy, &held) {
            continue;
        }
        let (source, target) = (node(&held.source), node(&held.target));
        let _ = writeln!(out, "  {source} -->|{}| {target}", held.kind.as_str());
    }
    out.push_str(
        "  classDef missing stroke-dasharray: 4 3\n  classDef stale opacity:0.55\n  \
         classDef simulated stroke-dasharray: 1 3\n  classDef desired stroke-dasharray: 8 3\n",
    );
    out
}

/// Whether the box of a cluster shows `held`.
fn said_by_box(graph: &Graph, hierarchy: &super::Hierarchy<'_>, held: &super::super::Held) -> bool {
    let shows = |top: &EntityGuid, below: &EntityGuid| {
        top.kind() == EntityKind::Cluster
            && hierarchy.parent(top).is_none()
            && hierarchy.parent(below) == Some(*top)
            && graph.contains(top)
    };
    shows(&held.source, &held.target) || shows(&held.target, &held.source)
}

const fn brackets(kind: EntityKind) -> (&'static str, &'static str) {
    match kind {
        EntityKind::Cluster => ("[[", "]]"),
        EntityKind::Broker => ("[", "]"),
        EntityKind::Topic => ("[(", ")]"),
        EntityKind::Queue => ("[/", "/]"),
        EntityKind::ConsumerGroup => ("([", "])"),
    }
}

/// A quoted label. Mermaid's own references are `#name;` and `#number;`.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            // What ends a label, begins a reference or is read as HTML or Markdown.
            '"' | '#' | '<' | '>' | '&' | '`' | '*' | '_' | '\\' | ';' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
