//! A graph as one SVG document that a person can read: a box for each cluster, in it topics, groups
//! and brokers side by side, and between them who reads what and who coordinates whom.
//!
//! Invariants:
//! - Equal graphs give equal bytes. The document loads nothing and runs nothing.
//! - Every entity is drawn once, whatever its name; names that are cut have the whole one as a
//!   tooltip. GUID, kind, health and standing are attributes of its element (`data-…`).
//! - Every relationship is drawn, or counted by a ribbon, a heading or the last line. What the
//!   boxes say (CONTAINS, MANAGES, BELONGS_TO) is not drawn once more.
//!
//! Not modelled: the fewest crossings. Groups are sorted by the middle of what they read, and where
//! there are many relationships a ribbon with their number replaces them.

mod layout;
mod legend;
mod place;

use std::fmt::Write as _;

use super::{Graph, Standing};
use crate::domain::guid::EntityGuid;
use crate::domain::relationship::RelationshipKind;
use crate::domain::words::{counted, escape};

use layout::{Block, Chip, ClusterBox, Joint};

/// Space around everything, pixels.
const MARGIN: f64 = 28.0;
/// Space for the title and its line of figures, pixels.
const TITLE: f64 = 62.0;
/// Height of an entity's chip, pixels.
const CHIP: f64 = 24.0;
const STYLE: &str = include_str!("style.css");

/// Draws the graph under a title.
pub fn svg(graph: &Graph, title: &str) -> String {
    let picture = place::picture(graph);
    let (width, height) = (picture.width + 2.0 * MARGIN, TITLE + picture.height + legend::HEIGHT);
    let title = escape(title);
    let stats = graph.stats();
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" \
         refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 1L7 4L0 7z\"/></marker></defs>\n\
         <rect class=\"back\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"32\">{title}</text>\n\
         <text class=\"sub\" x=\"{MARGIN}\" y=\"50\">{}</text>\n",
        figures(&stats)
    );
    for placed in &picture.boxes {
        let _ = writeln!(
            out,
            "<g transform=\"translate({:.0} {:.0})\">",
            MARGIN + placed.x,
            TITLE + placed.y
        );
        cluster(&mut out, graph, &placed.content);
        out.push_str("</g>\n");
    }
    legend::draw(&mut out, graph, &picture, TITLE + picture.height);
    out.push_str("</svg>\n");
    out
}

fn figures(stats: &super::Stats) -> String {
    let entities = match stats.total_entities {
        1 => "1 entity".to_owned(),
        count => format!("{count} entities"),
    };
    let mut words = format!("{entities}, {}", counted(stats.total_relationships, "relationship"));
    let all = [Standing::Stale, Standing::Simulated, Standing::Desired, Standing::Missing];
    for standing in all {
        if let Some(count) = stats.standing_counts.get(standing.as_str()) {
            let _ = write!(words, ", {count} {}", standing.as_str());
        }
    }
    words
}

fn cluster(out: &mut String, graph: &Graph, content: &ClusterBox) {
    let standing = match content.cluster {
        Some(cluster) => graph.standing(&cluster).as_str(),
        None => "loose",
    };
    let attributes = content.cluster.map(|cluster| data(graph, &cluster)).unwrap_or_default();
    let (name, tooltip) = match content.cluster {
        Some(cluster) => (graph.name(&cluster), tooltip(graph, &cluster)),
        None => ("No cluster".to_owned(), "entities that no cluster has".to_owned()),
    };
    let _ = write!(
        out,
        "<g class=\"cluster {standing}\"{attributes}><rect class=\"box {standing}\" \
         width=\"{:.0}\" height=\"{:.0}\" rx=\"10\"/><title>{}</title>",
        content.width,
        content.height,
        escape(&tooltip)
    );
    let mut x = 18.0;
    if let Some(cluster) = content.cluster {
        let _ = write!(
            out,
            "<circle class=\"health {}\" cx=\"23\" cy=\"23\" r=\"5\"/>",
            health_class(graph, &cluster)
        );
        x = 36.0;
    }
    let _ = writeln!(out, "<text class=\"name\" x=\"{x}\" y=\"28\">{}</text></g>", escape(&name));
    for joint in &content.joints {
        draw_joint(out, graph, content, joint);
    }
    for block in &content.blocks {
        draw_block(out, graph, block);
    }
    for joint in &content.joints {
        joint_words(out, content, joint);
    }
}

fn draw_block(out: &mut String, graph: &Graph, block: &Block) {
    let _ = writeln!(
        out,
        "<text class=\"head\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
        block.x,
        block.y - 8.0,
        escape(&block.heading)
    );
    for chip in &block.chips {
        draw_chip(out, graph, block, chip);
    }
}

fn draw_chip(out: &mut String, graph: &Graph, block: &Block, chip: &Chip) {
    let (x, y, width) = (block.x + chip.x, block.y + chip.y, block.chip_width);
    let health = health_class(graph, &chip.guid);
    let _ = write!(
        out,
        "<g class=\"chip {health} {}\"{}><rect class=\"plate\" x=\"{x:.0}\" y=\"{y:.0}\" \
         width=\"{width:.0}\" height=\"{CHIP}\" rx=\"4\"/><rect class=\"bar\" x=\"{x:.0}\" \
         y=\"{y:.0}\" width=\"4\" height=\"{CHIP}\" rx=\"2\"/><text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
        graph.standing(&chip.guid).as_str(),
        data(graph, &chip.guid),
        x + 10.0,
        y + 16.0,
        escape(&chip.label)
    );
    if let Some(score) = chip.score {
        let _ = write!(
            out,
            "<text class=\"score\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{score:.0}</text>",
            x + width - 5.0,
            y + 16.0
        );
    }
    let _ = writeln!(out, "<title>{}</title></g>", escape(&tooltip(graph, &chip.guid)));
}

/// Lines or a ribbon between two neighbouring blocks, an arc below all blocks between others.
fn draw_joint(out: &mut String, graph: &Graph, content: &ClusterBox, joint: &Joint) {
    let (from, to) = (&content.blocks[joint.from], &content.blocks[joint.to]);
    let class = class(joint.kind);
    let words = joint.words();
    if joint.is_arc() {
        let (x1, x2) = (from.x + from.width / 2.0, to.x + to.width / 2.0);
        let _ = writeln!(
            out,
            "<path class=\"arc {class}\" d=\"M{x1:.0} {:.0}C{x1:.0} {y:.0} {x2:.0} {y:.0} {x2:.0} \
             {:.0}\" data-kind=\"{}\" data-count=\"{}\"><title>{}</title></path>",
            from.y + from.height + 4.0,
            to.y + to.height + 4.0,
            joint.kind.as_str(),
            joint.edges.len(),
            escape(&words),
            y = joint.arc_y + 14.0,
        );
        return;
    }
    if joint.is_ribbon {
        let (left, right) = if from.x < to.x { (from, to) } else { (to, from) };
        let (x1, x2) = (left.x + left.width + 4.0, right.x - 4.0);
        let (y1, y2) = (left.y + 2.0, left.y + left.height - 2.0);
        let (y3, y4) = (right.y + right.height - 2.0, right.y + 2.0);
        let middle = f64::midpoint(x1, x2);
        let _ = writeln!(
            out,
            "<path class=\"ribbon {class}\" d=\"M{x1:.0} {y1:.0}C{middle:.0} {y1:.0} {middle:.0} \
             {y4:.0} {x2:.0} {y4:.0}L{x2:.0} {y3:.0}C{middle:.0} {y3:.0} {middle:.0} {y2:.0} \
             {x1:.0} {y2:.0}z\" data-kind=\"{}\" data-count=\"{}\"><title>{}</title></path>",
            joint.kind.as_str(),
            joint.edges.len(),
            escape(&words)
        );
        return;
    }
    for (source, target) in &joint.edges {
        draw_edge(out, graph, (from, *source), (to, *target), joint.kind);
    }
}

fn draw_edge(
    out: &mut String,
    graph: &Graph,
    (from, source): (&Block, usize),
    (to, target): (&Block, usize),
    kind: RelationshipKind,
) {
    let (one, other) = (&from.chips[source], &to.chips[target]);
    let goes_left = to.x < from.x;
    let x1 = from.x + one.x + if goes_left { 0.0 } else { from.chip_width };
    let x2 = to.x + other.x + if goes_left { to.chip_width + 2.0 } else { -2.0 };
    let (y1, y2) = (from.y + one.y + CHIP / 2.0, to.y + other.y + CHIP / 2.0);
    let bend = (x2 - x1) / 2.0;
    let _ = writeln!(
        out,
        "<path class=\"edge {}\" marker-end=\"url(#arrow)\" d=\"M{x1:.0} {y1:.0}C{:.0} {y1:.0} \
         {:.0} {y2:.0} {x2:.0} {y2:.0}\" data-kind=\"{}\" data-source=\"{}\" data-target=\"{}\">\
         <title>{}</title></path>",
        class(kind),
        x1 + bend,
        x2 - bend,
        kind.as_str(),
        one.guid.wire(),
        other.guid.wire(),
        escape(&format!(
            "{} {} {}",
            graph.words(&one.guid),
            kind.as_str(),
            graph.words(&other.guid)
        ))
    );
}

/// The number that a ribbon or an arc stands for, above everything else.
fn joint_words(out: &mut String, content: &ClusterBox, joint: &Joint) {
    if !joint.is_arc() && !joint.is_ribbon {
        return;
    }
    let (from, to) = (&content.blocks[joint.from], &content.blocks[joint.to]);
    let (x, y) = if joint.is_arc() {
        (f64::midpoint(from.x + from.width / 2.0, to.x + to.width / 2.0), joint.arc_y + 4.0)
    } else {
        let (left, right) = if from.x < to.x { (from, to) } else { (to, from) };
        let y = f64::midpoint(left.y + left.height / 2.0, right.y + right.height / 2.0);
        (f64::midpoint(left.x + left.width, right.x), y)
    };
    let _ = writeln!(
        out,
        "<text class=\"count halo\" x=\"{x:.0}\" y=\"{y:.0}\">{}</text>",
        escape(&joint.words())
    );
}

/// What an element says of its entity to programs.
fn data(graph: &Graph, guid: &EntityGuid) -> String {
    let mut out = format!(
        " data-guid=\"{}\" data-type=\"{}\" data-standing=\"{}\"",
        guid.wire(),
        guid.kind().type_name(),
        graph.standing(guid).as_str()
    );
    if let Some(health) = graph.facts(guid).and_then(|facts| facts.health_percent) {
        let _ = write!(out, " data-health=\"{health}\"");
    }
    out
}

/// Words that appear when the pointer rests on an entity.
fn tooltip(graph: &Graph, guid: &EntityGuid) -> String {
    let mut out = graph.words(guid);
    if let Some(health) = graph.facts(guid).and_then(|facts| facts.health_percent) {
        let _ = write!(out, "\nhealth {health:.0} of 100");
    }
    match graph.standing(guid) {
        Standing::Live => {}
        Standing::Stale => out.push_str("\nstale: not observed lately"),
        Standing::Simulated => out.push_str("\nsimulated: invented to fill a gap"),
        Standing::Desired => out.push_str("\ndesired: a topology asks for it"),
        Standing::Missing => out.push_str("\nmissing: no event describes it"),
    }
    for line in layout::neighbours(graph, guid) {
        let _ = write!(out, "\n{line}");
    }
    let _ = write!(out, "\n{guid}");
    out
}

/// Below 80 a score is a warning, below 60 critical: the limits of the platform's business rules.
fn health_class(graph: &Graph, guid: &EntityGuid) -> &'static str {
    match graph.facts(guid).and_then(|facts| facts.health_percent) {
        None => "unknown",
        Some(health) if health < 60.0 => "bad",
        Some(health) if health < 80.0 => "warn",
        Some(_) => "good",
    }
}

const fn class(kind: RelationshipKind) -> &'static str {
    match kind {
        RelationshipKind::ConsumesFrom => "reads",
        RelationshipKind::CoordinatedBy => "coordinates",
        RelationshipKind::Serves => "serves",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
