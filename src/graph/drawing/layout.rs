//! One cluster's box: blocks of chips side by side, and what joins the blocks.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::super::{Graph, Held, RelatedQuery};
use super::CHIP;
use crate::domain::entity::EntityKind;
use crate::domain::guid::EntityGuid;
use crate::domain::relationship::RelationshipKind;

/// Blocks from left to right: what groups read, groups, what coordinates them.
const ORDER: [EntityKind; 5] = [
    EntityKind::Cluster,
    EntityKind::Queue,
    EntityKind::Topic,
    EntityKind::ConsumerGroup,
    EntityKind::Broker,
];
/// Chips that stand below each other before any block gets a second column.
const ROWS_MIN: usize = 14;
/// Relationships between two blocks that are drawn as lines of their own.
const LINES_MAX: usize = 48;
/// Letters of a name; longer ones are cut in the middle.
const LETTERS_MAX: usize = 26;
/// Width of a letter, pixels, rounded up.
const LETTER: f64 = 6.9;
/// From chip to chip, pixels.
const ROW: f64 = CHIP + 6.0;
const COLUMN_GAP: f64 = 8.0;
/// Between blocks: with lines or a ribbon, and without.
const WIDE_GAP: f64 = 170.0;
const GAP: f64 = 48.0;
/// Space of the box around its blocks: left and right, above with both headings, below.
const SIDE: f64 = 20.0;
const ABOVE: f64 = 70.0;
const BELOW: f64 = 22.0;
/// Height of an arc below the blocks.
const ARC: f64 = 44.0;

/// One entity, placed within its block.
#[derive(Debug)]
pub(super) struct Chip {
    pub(super) guid: EntityGuid,
    pub(super) label: String,
    /// The health score, where it is low enough to be shown in figures.
    pub(super) score: Option<f64>,
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Entities of one kind, placed within their box.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) heading: String,
    pub(super) chips: Vec<Chip>,
    pub(super) chip_width: f64,
    columns: usize,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The relationships of one kind between two blocks.
#[derive(Debug)]
pub(super) struct Joint {
    pub(super) kind: RelationshipKind,
    /// Numbers of the blocks.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Numbers of the chips in them.
    pub(super) edges: Vec<(usize, usize)>,
    /// Whether one shape stands for all lines.
    pub(super) is_ribbon: bool,
    /// The lowest place of the arc below the blocks.
    pub(super) arc_y: f64,
}

impl Joint {
    /// Whether other blocks stand between the two.
    pub(super) fn is_arc(&self) -> bool {
        self.from.abs_diff(self.to) > 1
    }

    pub(super) fn words(&self) -> String {
        format!("{} × {}", self.kind.as_str(), self.edges.len())
    }
}

/// A cluster with all that it has.
#[derive(Debug)]
pub(super) struct ClusterBox {
    pub(super) cluster: Option<EntityGuid>,
    pub(super) blocks: Vec<Block>,
    pub(super) joints: Vec<Joint>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Where an entity is drawn: block and chip.
type Seat = (usize, usize);

impl ClusterBox {
    /// The box of `members`; `inner` are the relationships between them that lines can show.
    pub(super) fn new(
        graph: &Graph,
        cluster: Option<EntityGuid>,
        members: &[EntityGuid],
        inner: &[Held],
    ) -> Self {
        let mut blocks = Vec::new();
        let mut seats: BTreeMap<EntityGuid, Seat> = BTreeMap::new();
        for kind in ORDER {
            let mut of_kind: Vec<_> =
                members.iter().copied().filter(|guid| guid.kind() == kind).collect();
            if of_kind.is_empty() {
                continue;
            }
            sort(graph, &mut of_kind, inner, &seats);
            for (chip, guid) in of_kind.iter().enumerate() {
                seats.insert(*guid, (blocks.len(), chip));
            }
            blocks.push(block(graph, kind, &of_kind));
        }
        // Columns of all blocks are as long as the largest block needs, so that others need fewer.
        let lengths = blocks.iter().map(|block| rows(block.chips.len(), block.chip_width));
        let length = lengths.max().unwrap_or(ROWS_MIN);
        blocks.iter_mut().for_each(|block| block.fill(length));
        let mut joints = joints(inner, &seats, &mut blocks);
        let (width, height) = arrange(cluster, graph, &mut blocks, &mut joints);
        Self { cluster, blocks, joints, width, height }
    }
}

/// By name, numbers by their value; groups by the middle of what they read, to cross less.
fn sort(
    graph: &Graph,
    guids: &mut [EntityGuid],
    inner: &[Held],
    seats: &BTreeMap<EntityGuid, Seat>,
) {
    let mut sums: BTreeMap<EntityGuid, (usize, usize)> = BTreeMap::new();
    for held in inner {
        let ends = [(held.source, held.target), (held.target, held.source)];
        for (one, other) in ends {
            if let Some((_, chip)) = seats.get(&other) {
                let sum = sums.entry(one).or_default();
                *sum = (sum.0 + chip, sum.1 + 1);
            }
        }
    }
    let middle = |guid: &EntityGuid| {
        let (sum, count) = sums.get(guid).copied().unwrap_or((0, 1));
        sum as f64 / count as f64
    };
    // Where a ribbon stands for all lines, names are found sooner in their own order.
    let is_broker = guids.first().is_some_and(|guid| guid.kind() == EntityKind::Broker);
    let is_sorted_by_name = is_broker || guids.len() > ROWS_MIN;
    guids.sort_by(|one, other| {
        let by_middle = middle(one).total_cmp(&middle(other));
        let by_name = natural(&graph.name(one), &graph.name(other)).then(one.cmp(other));
        if is_sorted_by_name { by_name } else { by_middle.then(by_name) }
    });
}

/// Compares texts, runs of digits in them by value: `b2` before `b10`.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (digits, letters) = (digits(one), digits(other));
        if digits > 0 && letters > 0 {
            let (left, right) = (&one[..digits], &other[..letters]);
            let trim = |text: &str| text.trim_start_matches('0').to_owned();
            let (a, b) = (trim(left), trim(right));
            let order = a.len().cmp(&b.len()).then(a.cmp(&b)).then(left.cmp(right));
            if order != Ordering::Equal {
                return order;
            }
            (one, other) = (&one[digits..], &other[letters..]);
            continue;
        }
        match (one.chars().next(), other.chars().next()) {
            (None, None) => return Ordering::Equal,
            (a, b) if a != b => return a.cmp(&b),
            (a, _) => {
                let bytes = a.map_or(0, char::len_utf8);
                (one, other) = (&one[bytes..], &other[bytes..]);
            }
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn block(graph: &Graph, kind: EntityKind, guids: &[EntityGuid]) -> Block {
    let chips: Vec<_> = guids
        .iter()
        .map(|guid| {
            let health = graph.facts(guid).and_then(|facts| facts.health_percent);
            let score = health.filter(|health| *health < 80.0);
            Chip { guid: *guid, label: label(graph, guid), score, x: 0.0, y: 0.0 }
        })
        .collect();
    let letters = chips.iter().map(|chip| width_in_letters(&chip.label)).max().unwrap_or(0);
    let score = if chips.iter().any(|chip| chip.score.is_some()) { 24.0 } else { 0.0 };
    let chip_width = (LETTER * letters as f64 + 20.0 + score).max(52.0);
    let heading = format!("{} ({})", heading(kind), chips.len());
    Block { heading, chips, chip_width, columns: 1, x: 0.0, y: 0.0, width: 0.0, height: 0.0 }
}

impl Block {
    /// Places the chips in equal columns of `rows_max` at most.
    fn fill(&mut self, rows_max: usize) {
        self.columns = self.chips.len().div_ceil(rows_max).max(1);
        let rows = self.chips.len().div_ceil(self.columns).max(1);
        let step = self.chip_width + COLUMN_GAP;
        for (place, chip) in self.chips.iter_mut().enumerate() {
            (chip.x, chip.y) = ((place / rows) as f64 * step, (place % rows) as f64 * ROW);
        }
        self.width = (self.columns as f64 * step - COLUMN_GAP).max(self.heading_width());
        self.height = rows as f64 * ROW - (ROW - CHIP);
    }

    fn heading_width(&self) -> f64 {
        LETTER * self.heading.chars().count() as f64
    }
}

/// Chips below each other, so that a block of many is about as wide as high.
fn rows(chips: usize, chip_width: f64) -> usize {
    let square = (chips as f64 * (chip_width + COLUMN_GAP) / ROW).sqrt().ceil();
    ROWS_MIN.max(square as usize)
}

const fn heading(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Cluster => "Clusters",
        EntityKind::Broker => "Brokers",
        EntityKind::Topic => "Topics",
        EntityKind::Queue => "Queues",
        EntityKind::ConsumerGroup => "Consumer groups",
    }
}

/// A name without what the box says already, and not too long.
fn label(graph: &Graph, guid: &EntityGuid) -> String {
    let name = graph.name(guid);
    let cluster = graph.facts(guid).map(|facts| facts.cluster.as_str()).unwrap_or_default();
    let own = name.strip_prefix(cluster).and_then(|rest| rest.strip_prefix("-broker-"));
    let is_broker = guid.kind() == EntityKind::Broker;
    let short = own.filter(|own| is_broker && !own.is_empty()).unwrap_or(&name);
    let letters: Vec<char> = short.chars().filter(|c| !c.is_control()).collect();
    if letters.len() <= LETTERS_MAX {
        return letters.into_iter().collect();
    }
    let (begin, end) = (LETTERS_MAX / 2, LETTERS_MAX - LETTERS_MAX / 2 - 1);
    let begin: String = letters[..begin].iter().collect();
    let end: String = letters[letters.len() - end..].iter().collect();
    format!("{begin}…{end}")
}

/// Letters of the usual width; those of East Asia count twice.
fn width_in_letters(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum()
}

/// What joins blocks; relationships within one go into its heading.
fn joints(inner: &[Held], seats: &BTreeMap<EntityGuid, Seat>, blocks: &mut [Block]) -> Vec<Joint> {
    let mut by_blocks: BTreeMap<(usize, usize, RelationshipKind), Vec<(usize, usize)>> =
        BTreeMap::new();
    for held in inner {
        let ends = seats.get(&held.source).zip(seats.get(&held.target));
        if let Some(((from, source), (to, target))) = ends {
            by_blocks.entry((*from, *to, held.kind)).or_default().push((*source, *target));
        }
    }
    let mut joints = Vec::new();
    for ((from, to, kind), mut edges) in by_blocks {
        if from == to {
            let told = format!(", {} × {}", kind.as_str(), edges.len());
            blocks[from].heading.push_str(&told);
            blocks[from].width = blocks[from].width.max(blocks[from].heading_width());
            continue;
        }
        edges.sort_unstable();
        // Lines to a second column would run over the chips of the first.
        let is_one_column = blocks[from].columns == 1 && blocks[to].columns == 1;
        let is_ribbon = edges.len() > LINES_MAX || !is_one_column;
        joints.push(Joint { kind, from, to, edges, is_ribbon, arc_y: 0.0 });
    }
    joints
}

/// Places the blocks; the size of the box.
fn arrange(
    cluster: Option<EntityGuid>,
    graph: &Graph,
    blocks: &mut [Block],
    joints: &mut [Joint],
) -> (f64, f64) {
    let tallest = blocks.iter().map(|block| block.height).fold(0.0, f64::max);
    let mut x = SIDE;
    for (place, block) in blocks.iter_mut().enumerate() {
        (block.x, block.y) = (x, ABOVE + (tallest - block.height) / 2.0);
        let joined =
            joints.iter().any(|joint| !joint.is_arc() && joint.from.min(joint.to) == place);
        x += block.width + if joined { WIDE_GAP } else { GAP };
    }
    let end = blocks.last().map_or(SIDE, |block| block.x + block.width);
    let mut height = if blocks.is_empty() { 48.0 } else { ABOVE + tallest + BELOW };
    for joint in joints.iter_mut().filter(|joint| joint.is_arc()) {
        joint.arc_y = height - BELOW + ARC - 10.0;
        height += ARC;
    }
    let letters = cluster.map_or(10, |cluster| graph.name(&cluster).chars().count());
    ((end + SIDE).max(60.0 + 8.5 * letters as f64), height)
}

/// Names that a tooltip lists of one kind of relationship.
const NAMES_MAX: usize = 8;

/// The relationships of an entity in words, one line for each name that they have from there.
pub(super) fn neighbours(graph: &Graph, guid: &EntityGuid) -> Vec<String> {
    let mut names: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for related in graph.related(guid, &RelatedQuery::default()) {
        names.entry(related.step.name()).or_default().push(graph.name(&related.entity));
    }
    let lines = names.into_iter().map(|(kind, mut names)| {
        names.sort_by(|one, other| natural(one, other));
        let more = names.len().saturating_sub(NAMES_MAX);
        names.truncate(NAMES_MAX);
        let names = names.join(", ");
        if more > 0 { format!("{kind} {names} and {more} more") } else { format!("{kind} {names}") }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_by_value() {
        let mut names = ["b10", "b2", "a", "b2x", "b02", "", "10", "9", "b", "ä1"];
        names.sort_by(|one, other| natural(one, other));
        assert_eq!(names, ["", "9", "10", "a", "b", "b02", "b2", "b2x", "b10", "ä1"]);
    }

    #[test]
    fn blocks_of_many_are_about_square() {
        for chips in [0, 1, 14] {
            assert_eq!(rows(chips, 60.0), ROWS_MIN);
        }
        for chips in [100, 1_000] {
            let rows = rows(chips, 60.0);
            let (width, height) = (chips.div_ceil(rows) as f64 * 68.0, rows as f64 * ROW);
            assert!((0.6..1.7).contains(&(width / height)), "{chips}: {width} × {height}");
        }
    }
}
