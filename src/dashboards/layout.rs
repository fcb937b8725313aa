//! Where widgets go.
//!
//! Widgets of a section stand in shelves: rows of equal height that are filled from left to right
//! and stretched to the whole width, so that pages have straight edges. Important ones come first.
//!
//! Invariants:
//! - Widgets share no cell, none leaves the grid, none is smaller than its kind can be read at.
//! - A page holds no more than [`WIDGETS_ADVISED_MAX`] widgets; what is beyond goes to further
//!   pages.
//! - The result depends on the widgets and their order alone.

use super::model::{Layout, Visualization};
use super::{COLUMNS, WIDGETS_ADVISED_MAX};

/// Columns of a grid for small screens.
pub const NARROW_COLUMNS: u32 = 4;

/// How much room widgets get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Mode {
    /// As little as they can be read at.
    Compact,
    /// What they look best at.
    #[default]
    Balanced,
    /// Half as wide again, and one row higher.
    Detailed,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Compact, Self::Balanced, Self::Detailed];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Balanced => "balanced",
            Self::Detailed => "detailed",
        }
    }
}

/// The screen that a dashboard is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Grid {
    /// Twelve columns.
    #[default]
    Wide,
    /// Four columns: billboards two beside each other, everything else alone.
    Narrow,
}

impl Grid {
    /// Its columns.
    pub const fn columns(self) -> u32 {
        match self {
            Self::Wide => COLUMNS,
            Self::Narrow => NARROW_COLUMNS,
        }
    }

    /// A place on it as a place on New Relic's grid, which always has twelve columns.
    pub fn on_new_relic(self, at: Layout) -> Layout {
        let scale = COLUMNS / self.columns();
        Layout { column: (at.column - 1) * scale + 1, width: at.width * scale, ..at }
    }
}

/// What the engine knows of a widget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    /// How it is drawn.
    pub visualization: Visualization,
    /// Whether it shows a key figure, which goes first among equals.
    pub is_key: bool,
    /// Another preferred size than its kind's, in columns of the wide grid and rows.
    pub size: Option<(u32, u32)>,
}

/// Smallest and preferred size of a kind of widget, in columns and rows, and its priority.
const fn kind(visualization: &Visualization) -> ((u32, u32), (u32, u32), u32) {
    match visualization {
        Visualization::Billboard => ((3, 2), (3, 2), 10),
        Visualization::Line | Visualization::Area | Visualization::StackedBar => {
            ((4, 3), (6, 3), 8)
        }
        Visualization::Table => ((6, 4), (12, 4), 6),
        Visualization::Pie => ((4, 3), (4, 3), 5),
        Visualization::Bar => ((4, 3), (6, 3), 5),
        Visualization::Histogram => ((4, 3), (6, 3), 4),
        Visualization::Heatmap => ((6, 4), (8, 4), 4),
        Visualization::Markdown => ((3, 2), (12, 2), 2),
        Visualization::Other(_) => ((4, 3), (6, 3), 1),
    }
}

/// Smallest size at which a visualization can be read, in columns and rows.
pub const fn size_min(visualization: &Visualization) -> (u32, u32) {
    kind(visualization).0
}

impl Footprint {
    fn size(&self, mode: Mode, grid: Grid) -> (u32, u32) {
        let (least, preferred, _) = kind(&self.visualization);
        let preferred = self.size.unwrap_or(preferred);
        let (width, height) = match mode {
            Mode::Compact => least,
            Mode::Balanced => (preferred.0.max(least.0), preferred.1.max(least.1)),
            Mode::Detailed => {
                ((preferred.0 * 3).div_ceil(2).max(least.0), preferred.1.max(least.1) + 1)
            }
        };
        match grid {
            Grid::Wide => (width.min(COLUMNS), height),
            Grid::Narrow if self.visualization == Visualization::Billboard => (2, height),
            Grid::Narrow => (NARROW_COLUMNS, height),
        }
    }
}

/// One widget's page and place; `index` is its place in what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Which section, from 0.
    pub section: usize,
    /// Which of its widgets; `None` is the section's header.
    pub index: Option<usize>,
    /// Which page, from 0.
    pub page: usize,
    /// Where, on the given grid.
    pub at: Layout,
}

/// Widgets that belong together, under a header if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Whether a header of one row stands above it.
    pub has_header: bool,
    /// Its widgets.
    pub widgets: Vec<Footprint>,
}

/// Places all widgets, page by page in reading order.
pub fn arrange(sections: &[Section], mode: Mode, grid: Grid) -> Vec<Placed> {
    let mut sheet = Sheet { placed: Vec::new(), page: 0, row: 1, count: 0 };
    for (number, section) in sections.iter().enumerate() {
        let shelves = shelves(section, mode, grid);
        let first = shelves.first().map_or(0, |shelf| shelf.members.len());
        if section.has_header {
            // A header alone at the end of a page says nothing.
            sheet.make_room(1 + first);
            let width = grid.columns();
            sheet.put(number, None, Layout { column: 1, row: sheet.row, width, height: 1 });
            sheet.row += 1;
        }
        for shelf in shelves {
            sheet.make_room(shelf.members.len());
            let mut column = 1;
            for (index, width) in shelf.members {
                let at = Layout { column, row: sheet.row, width, height: shelf.height };
                sheet.put(number, Some(index), at);
                column += width;
            }
            sheet.row += shelf.height;
        }
    }
    sheet.placed
}

struct Sheet {
    placed: Vec<Placed>,
    page: usize,
    row: u32,
    /// Widgets on this page.
    count: usize,
}

impl Sheet {
    fn make_room(&mut self, widgets: usize) {
        if self.count > 0 && self.count + widgets > WIDGETS_ADVISED_MAX {
            self.page += 1;
            self.row = 1;
            self.count = 0;
        }
    }

    fn put(&mut self, section: usize, index: Option<usize>, at: Layout) {
        self.placed.push(Placed { section, index, page: self.page, at });
        self.count += 1;
    }
}

struct Shelf {
    height: u32,
    /// Widgets and their widths.
    members: Vec<(usize, u32)>,
}

fn shelves(section: &Section, mode: Mode, grid: Grid) -> Vec<Shelf> {
    let mut order: Vec<usize> = (0..section.widgets.len()).collect();
    let rank = |index: &usize| {
        let widget = &section.widgets[*index];
        let (.., priority) = kind(&widget.visualization);
        (std::cmp::Reverse(priority), !widget.is_key)
    };
    order.sort_by_key(rank);
    let mut shelves: Vec<Shelf> = Vec::new();
    let mut left = 0;
    for index in order {
        let (width, height) = section.widgets[index].size(mode, grid);
        if width > left || shelves.is_empty() {
            shelves.push(Shelf { height: 0, members: Vec::new() });
            left = grid.columns();
        }
        if let Some(shelf) = shelves.last_mut() {
            shelf.members.push((index, width));
            shelf.height = shelf.height.max(height);
        }
        left -= width;
    }
    for shelf in &mut shelves {
        stretch(&mut shelf.members, grid.columns());
    }
    shelves
}

/// Gives what is left of a shelf to its members, a column at a time, the narrowest first.
fn stretch(members: &mut [(usize, u32)], columns: u32) {
    let taken: u32 = members.iter().map(|(_, width)| width).sum();
    for _ in taken..columns {
        if let Some(narrowest) = members.iter_mut().min_by_key(|(_, width)| *width) {
            narrowest.1 += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn footprint() -> impl Strategy<Value = Footprint> {
        let visualization = proptest::sample::select(Visualization::KNOWN.to_vec());
        let size = proptest::option::of((1..20_u32, 1..20_u32));
        (visualization, any::<bool>(), size).prop_map(|(visualization, is_key, size)| Footprint {
            visualization,
            is_key,
            size,
        })
    }

    fn sections() -> impl Strategy<Value = Vec<Section>> {
        let widgets = proptest::collection::vec(footprint(), 0..25);
        let section = (any::<bool>(), widgets)
            .prop_map(|(has_header, widgets)| Section { has_header, widgets });
        proptest::collection::vec(section, 0..6)
    }

    proptest! {
        #[test]
        fn widgets_never_overlap_and_never_leave_the_grid(
            sections in sections(),
            mode in proptest::sample::select(Mode::ALL.to_vec()),
            narrow in any::<bool>(),
        ) {
            let grid = if narrow { Grid::Narrow } else { Grid::Wide };
            let placed = arrange(&sections, mode, grid);
            let wanted: usize =
                sections.iter().map(|s| s.widgets.len() + usize::from(s.has_header)).sum();
            prop_assert_eq!(placed.len(), wanted);
            for (number, one) in placed.iter().enumerate() {
                prop_assert!(one.at.column >= 1 && one.at.row >= 1);
                prop_assert!(one.at.column + one.at.width <= grid.columns() + 1);
                let on_page = placed.iter().filter(|other| other.page == one.page);
                prop_assert!(on_page.count() <= WIDGETS_ADVISED_MAX);
                let wide = grid.on_new_relic(one.at);
                prop_assert!(wide.column + wide.width <= COLUMNS + 1);
                if let Some(index) = one.index {
                    let kind = &sections[one.section].widgets[index].visualization;
                    let (width, height) = size_min(kind);
                    prop_assert!(wide.width >= width && one.at.height >= height);
                }
                for other in &placed[number + 1..] {
                    let apart = other.page != one.page || !one.at.overlaps(other.at);
                    prop_assert!(apart, "{one:?} {other:?}");
                    prop_assert!(!(wide.overlaps(grid.on_new_relic(other.at))
                        && other.page == one.page));
                }
            }
        }

        #[test]
        fn pages_have_straight_edges(sections in sections()) {
            let placed = arrange(&sections, Mode::Balanced, Grid::Wide);
            let mut rows = std::collections::BTreeMap::<(usize, u32), u32>::new();
            for one in &placed {
                *rows.entry((one.page, one.at.row)).or_default() += one.at.width;
            }
            prop_assert!(rows.values().all(|width| *width == COLUMNS), "{rows:?}");
        }
    }

    #[test]
    fn important_widgets_come_first() {
        let widget = |visualization, is_key| Footprint { visualization, is_key, size: None };
        let widgets = vec![
            widget(Visualization::Pie, false),
            widget(Visualization::Billboard, false),
            widget(Visualization::Line, false),
            widget(Visualization::Billboard, true),
        ];
        let placed = arrange(&[Section { has_header: true, widgets }], Mode::Balanced, Grid::Wide);
        let order: Vec<Option<usize>> = placed.iter().map(|one| one.index).collect();
        assert_eq!(order, [None, Some(3), Some(1), Some(2), Some(0)]);
    }
}
