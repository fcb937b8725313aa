//! Boxes on the page: beside each other as long as they fit, then in another row.

use std::collections::BTreeMap;

use super::super::export::sections;
use super::super::{Graph, Held};
use super::layout::ClusterBox;
use crate::domain::guid::EntityGuid;

/// Width of a page that is not exceeded for a second box in a row, pixels.
const PAGE: f64 = 1_500.0;
const GAP: f64 = 24.0;

/// A box and where it stands.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) content: ClusterBox,
}

/// Everything, placed.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) boxes: Vec<Placed>,
    /// Relationships from box to box, which no line shows.
    pub(super) across: Vec<Held>,
    pub(super) width: f64,
    pub(super) height: f64,
}

pub(super) fn picture(graph: &Graph) -> Picture {
    let sections = sections(graph, &graph.hierarchy());
    let mut home: BTreeMap<EntityGuid, usize> = BTreeMap::new();
    for (number, section) in sections.iter().enumerate() {
        home.extend(section.members.iter().map(|guid| (*guid, number)));
    }
    let mut inner: Vec<Vec<Held>> = vec![Vec::new(); sections.len()];
    let mut across = Vec::new();
    for held in graph.relationships() {
        match (home.get(&held.source), home.get(&held.target)) {
            (Some(one), Some(other)) if one == other => {
                let is_box = [held.source, held.target].map(Some);
                // What the box itself says: the cluster has what stands in it.
                if held.kind.down().is_none() || !is_box.contains(&sections[*one].cluster) {
                    inner[*one].push(held);
                }
            }
            _ => across.push(held),
        }
    }
    let mut picture = Picture { boxes: Vec::new(), across, width: 560.0, height: 0.0 };
    let (mut x, mut y) = (0.0, 0.0);
    for (section, inner) in sections.iter().zip(&inner) {
        let members: Vec<_> =
            section.members.iter().copied().filter(|guid| Some(*guid) != section.cluster).collect();
        let content = ClusterBox::new(graph, section.cluster, &members, inner);
        if x > 0.0 && x + content.width > PAGE {
            (x, y) = (0.0, picture.height + GAP);
        }
        picture.width = picture.width.max(x + content.width);
        picture.height = picture.height.max(y + content.height);
        let next = x + content.width + GAP;
        picture.boxes.push(Placed { x, y, content });
        x = next;
    }
    picture
}
