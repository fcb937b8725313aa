//! The picture of a run as data: lanes of intervals and instants on one axis of simulated time.
//!
//! Two renderers read it: [`text`] for a terminal, [`super::svg`] for a file. Both are pure and
//! byte-stable.

use std::fmt::Write as _;

use crate::sim::time::SimTime;

/// How a mark is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Something works.
    Good,
    /// Something is impaired, and that is seen.
    Warning,
    /// Something is down or failed.
    Bad,
    /// A fault is in force.
    Fault,
}

/// One interval (or instant, when both ends agree) on a lane.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mark {
    /// Begin.
    pub from: SimTime,
    /// End, not before the begin.
    pub to: SimTime,
    /// How to read it.
    pub tone: Tone,
    /// What it is, for the SVG's tooltip.
    pub label: String,
}

/// One row of the picture.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Lane {
    /// The row's name.
    pub label: String,
    /// Its marks, later ones drawn over earlier ones.
    pub marks: Vec<Mark>,
}

/// The whole picture.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Timeline {
    /// Title line.
    pub title: String,
    /// Right end of the axis.
    pub end: SimTime,
    /// When all faults were repaired.
    pub heal: SimTime,
    /// Rows, top to bottom.
    pub lanes: Vec<Lane>,
}

/// Widest line of the text.
const LINE_COLUMNS: usize = 100;
/// Longest lane label in the text; the head of a report has the faults in full.
const LABEL_COLUMNS: usize = 40;

impl Tone {
    /// All of them, in the order of the legend.
    pub const ALL: [Self; 4] = [Self::Good, Self::Warning, Self::Bad, Self::Fault];

    /// What it means, for the legend.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Good => "works",
            Self::Warning => "impaired",
            Self::Bad => "down or failed",
            Self::Fault => "fault in force",
        }
    }

    fn glyph(self) -> char {
        match self {
            Self::Good => '█',
            Self::Warning => '▒',
            Self::Bad => '×',
            Self::Fault => '▓',
        }
    }
}

/// An instant without the parts that are zero: `04:30`, `04:30.250`.
pub fn clock(at: SimTime) -> String {
    let text = at.to_string();
    text.strip_suffix(".000").map(str::to_owned).unwrap_or(text)
}

/// Renders for a terminal of a hundred columns.
pub fn text(timeline: &Timeline) -> String {
    let longest = timeline.lanes.iter().map(|lane| lane.label.chars().count()).max();
    let width = longest.unwrap_or(0).min(LABEL_COLUMNS);
    let axis = Axis { end: timeline.end, columns: LINE_COLUMNS - 3 - width };
    let mut out = String::new();
    // Writing to a string cannot fail.
    for lane in &timeline.lanes {
        let _ = writeln!(out, "  {:<width$} {}", short(&lane.label, width), axis.row(&lane.marks));
    }
    let _ = writeln!(out, "  {:width$} {}", "", axis.scale(timeline.heal));
    let mut legend: Vec<String> =
        Tone::ALL.iter().map(|tone| format!("{} {}", tone.glyph(), tone.meaning())).collect();
    if timeline.heal > SimTime::ZERO {
        legend.push(format!("↑ all healed ({})", clock(timeline.heal)));
    }
    let _ = writeln!(out, "  {}", legend.join("  "));
    out
}

fn short(label: &str, width: usize) -> String {
    if label.chars().count() <= width {
        return label.to_owned();
    }
    label.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The text's axis of time.
struct Axis {
    end: SimTime,
    columns: usize,
}

impl Axis {
    fn column(&self, at: SimTime) -> usize {
        if self.end.0 == 0 {
            return 0;
        }
        let scaled = u128::from(at.0) * self.columns as u128 / u128::from(self.end.0);
        usize::try_from(scaled).unwrap_or(self.columns).min(self.columns - 1)
    }

    /// One lane. A gap of less than three columns after a mark is finer than the text can show;
    /// left open, it would come and go with the rounding, so the mark goes on.
    fn row(&self, marks: &[Mark]) -> String {
        let mut cells = vec!['·'; self.columns];
        let mut last: Option<&Mark> = None;
        for mark in marks {
            let (from, to) = (self.column(mark.from), self.column(mark.to));
            if let Some(last) = last.filter(|last| last.to <= mark.from) {
                let gap = u128::from(mark.from.0 - last.to.0) * self.columns as u128;
                if gap < 3 * u128::from(self.end.0) {
                    cells[self.column(last.to)..from].fill(last.tone.glyph());
                }
            }
            cells[from..=to].fill(mark.tone.glyph());
            last = Some(mark);
        }
        cells.into_iter().collect()
    }

    /// Begin and end of the axis, and the instant of healing between them.
    fn scale(&self, heal: SimTime) -> String {
        let (begin, end) = (clock(SimTime::ZERO), clock(self.end));
        let columns = self.columns;
        let mut cells: Vec<char> = format!("{begin:<columns$}").chars().collect();
        let tail = self.columns.saturating_sub(end.chars().count());
        for (cell, char) in cells[tail..].iter_mut().zip(end.chars()) {
            *cell = char;
        }
        if heal > SimTime::ZERO {
            cells[self.column(heal)] = '↑';
        }
        cells.into_iter().collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::sim::report) fn sample() -> Timeline {
        let mark = |from, to, tone, label: &str| Mark {
            from: SimTime::from_secs(from),
            to: SimTime::from_secs(to),
            tone,
            label: label.to_owned(),
        };
        Timeline {
            title: "broker & <storm>".to_owned(),
            end: SimTime::from_secs(60),
            heal: SimTime::from_secs(30),
            lanes: vec![
                Lane { label: "b-1".to_owned(), marks: vec![mark(10, 20, Tone::Bad, "crash")] },
                Lane { label: "cycles".to_owned(), marks: vec![mark(0, 60, Tone::Good, "ok")] },
            ],
        }
    }

    #[test]
    fn text_places_marks_on_the_axis() {
        let picture = text(&sample());
        let row = picture.lines().next().expect("a row");
        assert_eq!(row.matches('×').count(), 16, "{picture}");
        assert!(picture.contains("↑"), "{picture}");
    }

    #[test]
    fn no_line_is_wider_than_a_hundred_columns() {
        let mut timeline = sample();
        timeline.lanes[0].label = "x".repeat(70);
        let picture = text(&timeline);
        let widest = picture.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(LINE_COLUMNS), "{picture}");
        assert!(picture.contains("xxx… "), "{picture}");
    }

    #[test]
    fn gaps_show_when_they_are_wide_enough_to_be_seen() {
        let marks = |every: u64| -> Vec<Mark> {
            let starts = (0..60).step_by(usize::try_from(every).expect("small"));
            let at = |s| SimTime::from_secs(s);
            let mark = |s| Mark { from: at(s), to: at(s), tone: Tone::Good, label: String::new() };
            starts.map(mark).collect()
        };
        let axis = Axis { end: SimTime::from_secs(60), columns: 20 };
        assert_eq!(axis.row(&marks(5)), "███████████████████·");
        assert_eq!(axis.row(&marks(12)), "█···█···█···█···█···");
    }
}
