//! `shakedown topology graph`: the graph as a tree for people, or as a file for other programs.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::{Exit, complain, output, print};
use super::source::SourceArgs;
use crate::domain::relationship::Direction;
use crate::graph::{Graph, Reach, RelatedQuery, Standing, drawing, export};

/// Arguments of `shakedown topology graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// The form of the graph.
    #[arg(long, value_enum, default_value_t)]
    format: GraphFormat,
    /// Writes to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Forms of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum GraphFormat {
    /// A tree, for people.
    #[default]
    Text,
    /// Nodes, edges and figures.
    Json,
    /// Graphviz.
    Dot,
    /// A flowchart for Markdown.
    Mermaid,
    /// For yEd, Gephi, NetworkX, Cytoscape.
    Graphml,
    /// A drawing for browsers.
    Svg,
}

impl GraphArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        let loaded = match self.source.load() {
            Ok(loaded) => loaded,
            Err(exit) => return exit,
        };
        let graph = &loaded.graph;
        let text = match self.format {
            GraphFormat::Text => tree(graph),
            GraphFormat::Json => match serde_json::to_string_pretty(&export::json(graph)) {
                Ok(text) => format!("{text}\n"),
                Err(error) => {
                    complain(&format!("the graph has no JSON form: {error}"));
                    return Exit::Failed;
                }
            },
            GraphFormat::Dot => export::dot(graph),
            GraphFormat::Mermaid => export::mermaid(graph),
            GraphFormat::Graphml => export::graphml(graph),
            GraphFormat::Svg => drawing::svg(graph, &loaded.title),
        };
        let Some(path) = &self.out else { return print(&text) };
        match output::write(path, &text) {
            Ok(()) => Exit::Ok,
            Err(error) => {
                complain(&format!("{} cannot be written: {error}", path.display()));
                Exit::Failed
            }
        }
    }
}

/// The hierarchy, each entity with what else it is related to, and the figures.
fn tree(graph: &Graph) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for entry in graph.hierarchy().tree() {
        let indent = "  ".repeat(entry.level.saturating_sub(1).min(20) as usize);
        let _ = write!(out, "{indent}{}", graph.words(&entry.entity));
        let facts = graph.facts(&entry.entity);
        if let Some(health) = facts.and_then(|facts| facts.health_percent) {
            let _ = write!(out, "  health {health:.0}");
        }
        let standing = graph.standing(&entry.entity);
        // Of a desired topology everything is desired: its title says so once.
        if !matches!(standing, Standing::Live | Standing::Desired) {
            let _ = write!(out, "  {}", standing.as_str().to_uppercase());
        }
        let query = RelatedQuery { reach: Reach::Forward, ..RelatedQuery::default() };
        let mut others: Vec<(&str, String)> = graph
            .related(&entry.entity, &query)
            .into_iter()
            .filter(|one| one.step.kind.down() != Some(Direction::Forward))
            .map(|one| (one.step.name(), graph.name(&one.entity)))
            .collect();
        others.sort();
        for same in others.chunk_by(|one, other| one.0 == other.0) {
            let names: Vec<_> = same.iter().map(|(_, name)| name.as_str()).collect();
            let _ = write!(out, "  {} {}", same[0].0, listed(&names));
        }
        out.push('\n');
    }
    let stats = graph.stats();
    let kinds = stats.relationship_counts.iter();
    let kinds: Vec<_> = kinds.map(|(kind, count)| format!("{count} {kind}")).collect();
    let _ = writeln!(
        out,
        "\n{} entities, {} relationships ({}), {} levels, {} connected parts",
        stats.total_entities,
        stats.total_relationships,
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") },
        stats.hierarchy_depth,
        stats.components
    );
    out
}

/// The first names, and how many more there are.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}
