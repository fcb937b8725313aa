//! The picture of a run as data: lanes of intervals and instants on one axis of simulated time.
//!
//! Two renderers read it: text for a terminal, SVG for a file. Both are pure and byte-stable.

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

const TEXT_COLUMNS: usize = 60;

impl Tone {
    fn glyph(self) -> char {
        match self {
            Self::Good => '█',
            Self::Warning => '▒',
            Self::Bad => '×',
            Self::Fault => '▓',
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Good => "#2da44e",
            Self::Warning => "#d4a72c",
            Self::Bad => "#cf222e",
            Self::Fault => "#8250df",
        }
    }
}

/// Renders for a terminal, one character column per sixtieth of the run.
pub fn text(timeline: &Timeline) -> String {
    let width = timeline.lanes.iter().map(|lane| lane.label.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for lane in &timeline.lanes {
        let mut cells = vec!['·'; TEXT_COLUMNS];
        for mark in &lane.marks {
            let (from, to) = (column(mark.from, timeline.end), column(mark.to, timeline.end));
            for cell in &mut cells[from..=to] {
                *cell = mark.tone.glyph();
            }
        }
        let row: String = cells.into_iter().collect();
        let pad = width - lane.label.chars().count();
        let _ = writeln!(out, "  {}{} {row}", lane.label, " ".repeat(pad));
    }
    let heal = column(timeline.heal, timeline.end);
    let end = format!("{}", timeline.end);
    let mut axis: Vec<char> = format!("{:<TEXT_COLUMNS$}", "00:00").chars().collect();
    axis[heal] = '↑';
    let axis: String = axis.into_iter().collect();
    let _ = writeln!(out, "  {} {}{end}", " ".repeat(width), axis.trim_end());
    let _ = writeln!(
        out,
        "  {} █ works  ▒ impaired  × down or failed  ▓ fault in force  ↑ all healed ({})",
        " ".repeat(width),
        timeline.heal
    );
    out
}

fn column(at: SimTime, end: SimTime) -> usize {
    if end.0 == 0 {
        return 0;
    }
    let scaled = u128::from(at.0) * TEXT_COLUMNS as u128 / u128::from(end.0);
    usize::try_from(scaled).unwrap_or(TEXT_COLUMNS).min(TEXT_COLUMNS - 1)
}

const LEFT: f64 = 260.0;
const WIDTH: f64 = 900.0;
const ROW: f64 = 24.0;

/// Renders a self-contained SVG document.
pub fn svg(timeline: &Timeline) -> String {
    let height = ROW * (timeline.lanes.len() as f64 + 3.0);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {height:.0}\" \
         font-family=\"ui-monospace,monospace\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"8\" y=\"16\" font-weight=\"bold\">{}</text>\n",
        LEFT + WIDTH + 20.0,
        escape(&timeline.title)
    );
    for (row, lane) in timeline.lanes.iter().enumerate() {
        svg_lane(&mut out, timeline.end, lane, ROW * (row as f64 + 1.0));
    }
    svg_axis(&mut out, timeline, ROW * (timeline.lanes.len() as f64 + 1.0));
    out.push_str("</svg>\n");
    out
}

fn svg_lane(out: &mut String, end: SimTime, lane: &Lane, top: f64) {
    let _ = writeln!(
        out,
        "<text x=\"8\" y=\"{:.0}\">{}</text><rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{WIDTH}\" \
         height=\"{:.0}\" fill=\"#f6f8fa\"/>",
        top + 16.0,
        escape(&lane.label),
        top + 3.0,
        ROW - 6.0
    );
    for mark in &lane.marks {
        let from = position(mark.from, end);
        let width = (position(mark.to, end) - from).max(2.0);
        let _ = writeln!(
            out,
            "<rect x=\"{from:.1}\" y=\"{:.0}\" width=\"{width:.1}\" height=\"{:.0}\" \
             fill=\"{}\"><title>{} {}–{}</title></rect>",
            top + 3.0,
            ROW - 6.0,
            mark.tone.colour(),
            escape(&mark.label),
            mark.from,
            mark.to
        );
    }
}

fn svg_axis(out: &mut String, timeline: &Timeline, top: f64) {
    for step in 0..=6_u64 {
        let at = SimTime(timeline.end.0 / 6 * step);
        let x = position(at, timeline.end);
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{ROW}\" x2=\"{x:.1}\" y2=\"{top:.0}\" stroke=\"#d0d7de\"/>\
             <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#57606a\">{at}</text>",
            top + 16.0
        );
    }
    let heal = position(timeline.heal, timeline.end);
    let _ = writeln!(
        out,
        "<line x1=\"{heal:.1}\" y1=\"{ROW}\" x2=\"{heal:.1}\" y2=\"{top:.0}\" stroke=\"#0969da\" \
         stroke-dasharray=\"4 3\"/><text x=\"{heal:.1}\" y=\"{:.0}\" text-anchor=\"middle\" \
         fill=\"#0969da\">all healed</text>",
        top + 34.0
    );
}

fn position(at: SimTime, end: SimTime) -> f64 {
    if end.0 == 0 {
        return LEFT;
    }
    LEFT + WIDTH * (at.0 as f64 / end.0 as f64).min(1.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Timeline {
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
        assert_eq!(row.matches('×').count(), 11, "{picture}");
        assert!(picture.contains("↑"), "{picture}");
    }

    #[test]
    fn svg_escapes_and_closes() {
        let picture = svg(&sample());
        assert!(picture.contains("broker &amp; &lt;storm&gt;"));
        assert!(picture.ends_with("</svg>\n"));
        assert_eq!(picture, svg(&sample()));
    }
}
