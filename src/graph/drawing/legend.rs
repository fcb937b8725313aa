//! What colours, lines and outlines mean; only what the picture has.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::{Graph, Standing};
use super::place::Picture;
use super::{CHIP, MARGIN, class, health_class};
use crate::domain::relationship::RelationshipKind;
use crate::domain::words::{counted, escape};

/// Height of the legend with the space around it, pixels.
pub(super) const HEIGHT: f64 = 92.0;
/// Relationships from box to box whose words the tooltip lists.
const ACROSS_MAX: usize = 20;

pub(super) fn draw(out: &mut String, graph: &Graph, picture: &Picture, top: f64) {
    let mut row = Row { out, x: MARGIN, y: top + 22.0 };
    let entities = graph.entities();
    let health: BTreeSet<_> = entities.iter().map(|guid| health_class(graph, guid)).collect();
    let classes = [
        ("good", "health 80 to 100"),
        ("warn", "60 to 80"),
        ("bad", "below 60"),
        ("unknown", "health unknown"),
    ];
    for (name, words) in classes.into_iter().filter(|(name, _)| health.contains(name)) {
        row.chip(name, "live", words);
    }
    let standings: BTreeSet<_> = entities.iter().map(|guid| graph.standing(guid)).collect();
    let all = [Standing::Stale, Standing::Simulated, Standing::Desired, Standing::Missing];
    for standing in all {
        if standings.contains(&standing) {
            row.chip("unknown", standing.as_str(), standing.as_str());
        }
    }
    row.x = MARGIN;
    row.y += 30.0;
    let joints = picture.boxes.iter().flat_map(|placed| &placed.content.joints);
    let kinds: BTreeSet<RelationshipKind> = joints.map(|joint| joint.kind).collect();
    for kind in kinds {
        row.line(kind);
    }
    across(row.out, graph, picture, row.x, row.y);
}

struct Row<'o> {
    out: &'o mut String,
    x: f64,
    y: f64,
}

impl Row<'_> {
    fn chip(&mut self, health: &str, standing: &str, words: &str) {
        let (x, y) = (self.x, self.y);
        let _ = writeln!(
            self.out,
            "<g class=\"chip {health} {standing}\"><rect class=\"plate\" x=\"{x:.0}\" \
             y=\"{y:.0}\" width=\"26\" height=\"{CHIP}\" rx=\"4\"/><rect class=\"bar\" \
             x=\"{x:.0}\" y=\"{y:.0}\" width=\"4\" height=\"{CHIP}\" rx=\"2\"/></g>\
             <text class=\"sub\" x=\"{:.0}\" y=\"{:.0}\">{words}</text>",
            x + 33.0,
            y + 16.0
        );
        self.x += 33.0 + 7.0 * words.len() as f64 + 18.0;
    }

    fn line(&mut self, kind: RelationshipKind) {
        let (x, y) = (self.x, self.y + 12.0);
        let _ = writeln!(
            self.out,
            "<path class=\"edge {}\" marker-end=\"url(#arrow)\" d=\"M{x:.0} {y:.0}H{:.0}\"/>\
             <text class=\"sub\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            class(kind),
            x + 32.0,
            x + 39.0,
            y + 4.0,
            kind.as_str()
        );
        self.x += 39.0 + 8.0 * kind.as_str().len() as f64 + 18.0;
    }
}

/// Relationships that leave a box: hardly ever right, so they are words and no lines.
fn across(out: &mut String, graph: &Graph, picture: &Picture, x: f64, y: f64) {
    if picture.across.is_empty() {
        return;
    }
    let words = picture.across.iter().take(ACROSS_MAX).map(|held| {
        let (source, target) = (graph.words(&held.source), graph.words(&held.target));
        format!("{source} {} {target}", held.kind.as_str())
    });
    let mut words: Vec<_> = words.collect();
    if picture.across.len() > ACROSS_MAX {
        words.push(format!("and {} more", picture.across.len() - ACROSS_MAX));
    }
    let _ = writeln!(
        out,
        "<text class=\"sub\" x=\"{x:.0}\" y=\"{:.0}\" data-across=\"{}\">{} between boxes\
         <title>{}</title></text>",
        y + 16.0,
        picture.across.len(),
        counted(picture.across.len(), "relationship"),
        escape(&words.join("\n"))
    );
}
