//! Graphviz DOT: `dot -Tsvg`. Clusters are boxes; relationships within the hierarchy are thin.

use std::fmt::Write as _;

use super::super::{Graph, noun};
use super::sections;
use crate::domain::entity::EntityKind;

/// The graph in Graphviz's language.
pub fn dot(graph: &Graph) -> String {
    let mut out = String::from(
        "digraph topology {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=10];\n  \
         edge [fontname=\"sans-serif\", fontsize=8];\n",
    );
    // Writing to a string cannot fail.
    for (place, section) in sections(graph, &graph.hierarchy()).iter().enumerate() {
        let indent = if section.cluster.is_some() { "    " } else { "  " };
        if let Some(cluster) = section.cluster {
            let label = quoted(&graph.words(&cluster));
            let _ = writeln!(out, "  subgraph cluster_{place} {{\n    label={label};");
        }
        for guid in &section.members {
            let _ = writeln!(
                out,
                "{indent}{} [label={}, tooltip={}, shape={}, class={}{}];",
                quoted(&guid.wire()),
                quoted(&graph.name(guid)),
                quoted(&guid.readable()),
                shape(guid.kind()),
                quoted(&format!("{} {}", noun(guid.kind()), graph.standing(guid).as_str())),
                if graph.facts(guid).is_some() { "" } else { ", style=dashed" },
            );
        }
        if section.cluster.is_some() {
            out.push_str("  }\n");
        }
    }
    for held in graph.relationships() {
        let style = if held.kind.down().is_some() { ", color=gray, arrowhead=none" } else { "" };
        let _ = writeln!(
            out,
            "  {} -> {} [label={}{style}];",
            quoted(&held.source.wire()),
            quoted(&held.target.wire()),
            quoted(held.kind.as_str())
        );
    }
    out.push_str("}\n");
    out
}

const fn shape(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Cluster => "folder",
        EntityKind::Broker => "box3d",
        EntityKind::Topic => "cylinder",
        EntityKind::Queue => "cds",
        EntityKind::ConsumerGroup => "ellipse",
    }
}

/// A quoted string. Labels take `\n`, `\l` and the like for layout, so a backslash is doubled.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // Labels read references of HTML, too.
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
