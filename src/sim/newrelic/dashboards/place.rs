//! Where widgets go that name no place.

use super::model::Layout;

/// Columns of the grid.
pub(super) const COLUMNS: i64 = 12;
/// Rows that a widget may take.
pub(super) const HEIGHT_MAX: i64 = 32;
const WIDTH: i64 = 4;
const HEIGHT: i64 = 3;

/// The first free place for a widget of the usual size, row by row.
pub(super) fn free(taken: &[Layout]) -> Layout {
    let below = taken.iter().map(|t| t.row.saturating_add(t.height)).max().unwrap_or(1);
    let wish = |row, column| Layout { column, row, width: WIDTH, height: HEIGHT };
    // Only where a widget ends may a first free place begin.
    let mut rows: Vec<i64> = taken.iter().map(|t| t.row.saturating_add(t.height)).collect();
    rows.push(1);
    rows.sort_unstable();
    rows.dedup();
    let places = rows
        .into_iter()
        .flat_map(|row| (0..COLUMNS / WIDTH).map(move |number| wish(row, 1 + number * WIDTH)));
    let mut free = places.filter(|place| !taken.iter().any(|other| overlap(*place, *other)));
    free.next().unwrap_or(wish(below, 1))
}

fn overlap(a: Layout, b: Layout) -> bool {
    let apart = |from: i64, size: i64, other: i64| from.saturating_add(size) <= other;
    !(apart(a.column, a.width, b.column)
        || apart(b.column, b.width, a.column)
        || apart(a.row, a.height, b.row)
        || apart(b.row, b.height, a.row))
}
