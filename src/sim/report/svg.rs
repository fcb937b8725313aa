//! The pictures of a run as one self-contained SVG document: the rows over time, and below them the
//! sequence diagram.
//!
//! Invariant: nothing is cut: the column of names is as wide as its longest name, and every mark
//! has its words as a tooltip.

use std::fmt::Write as _;

use super::card::{diagram, lanes};
use crate::sim::report::card::text::escape;
use crate::sim::report::timeline::{Lane, clock};
use crate::sim::run::RunReport;
use crate::sim::run::evidence::Evidence;
use crate::sim::time::SimTime;

/// Width of the tracks, pixels.
const WIDTH: f64 = 900.0;
/// Height of a row with its gap, pixels.
const ROW: f64 = 24.0;
/// Space around everything, pixels; half a time of the axis fits into it.
const MARGIN: f64 = 32.0;
/// Width of a letter of the font at its size, pixels, rounded up.
const LETTER: f64 = 7.0;
/// The colours of the card's style, and nothing else of it.
const STYLE: &str = include_str!("card/picture.css");

/// Renders the pictures of a run.
pub fn svg(report: &RunReport, evidence: &Evidence) -> String {
    let names = evidence.lanes.iter().flat_map(|group| &group.lanes);
    let longest = names.map(|lane| lane.label.chars().count()).max().unwrap_or(0);
    let left = MARGIN + LETTER * longest as f64 + 12.0;
    let axis = super::card::axis(report);
    let (across, down) = diagram::size(&evidence.sequence);
    let rows: usize = evidence.lanes.iter().map(|group| group.lanes.len() + 1).sum();
    let below = 48.0 + ROW * (rows as f64 + 1.0) + 24.0;
    let (width, height) = ((left + WIDTH).max(MARGIN + across) + MARGIN, below + down + 48.0);
    let title = escape(&format!("{} · seed {}", report.title, report.seed));
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" width=\"{width:.0}\" \
         height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"back\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"30\">{title}</text>\n",
    );
    let mut y = 48.0;
    for group in &evidence.lanes {
        let _ = writeln!(
            out,
            "<text class=\"group\" x=\"{MARGIN}\" y=\"{:.0}\">{}</text>",
            y + 16.0,
            escape(group.name)
        );
        y += ROW;
        for lane in &group.lanes {
            row(&mut out, lane, &axis, left, y);
            y += ROW;
        }
    }
    ticks(&mut out, &axis, left, y);
    let _ = writeln!(
        out,
        "<text class=\"group\" x=\"{MARGIN}\" y=\"{:.0}\">{}</text>\n\
         <svg x=\"{MARGIN}\" y=\"{:.0}\" width=\"{across:.0}\" height=\"{down:.0}\">{}</svg>\n</svg>",
        below + 8.0,
        escape(&evidence.sequence.caption),
        below + 16.0,
        diagram::body(&evidence.sequence)
    );
    out
}

fn row(out: &mut String, lane: &Lane, axis: &lanes::Axis, left: f64, y: f64) {
    let _ = write!(
        out,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
         <svg class=\"track\" x=\"{left:.0}\" y=\"{y:.0}\" width=\"{WIDTH}\" height=\"{}\">",
        left - 12.0,
        y + 13.0,
        escape(&lane.label),
        lanes::TRACK
    );
    for mark in &lane.marks {
        out.push_str(&lanes::bar(mark, axis));
    }
    let _ = writeln!(out, "{}</svg>", axis.instants(lanes::TRACK));
}

fn ticks(out: &mut String, axis: &lanes::Axis, left: f64, y: f64) {
    let step = tick_seconds(axis.end);
    for tick in 0..=axis.end.0 / (step * 1_000_000_000) {
        let at = SimTime::from_secs(tick * step);
        let x = left + WIDTH * axis.share(at);
        let _ = write!(
            out,
            "<text class=\"time\" x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            y + 14.0,
            clock(at)
        );
    }
}

/// A round time between two marks of the axis, so that at most a dozen fit.
pub fn tick_seconds(end: SimTime) -> u64 {
    const ROUND: [u64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200];
    let seconds = end.0 / 1_000_000_000;
    let fits = ROUND.into_iter().find(|step| seconds / step <= 12);
    fits.unwrap_or_else(|| (seconds / 12).next_multiple_of(3_600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_a_handful_of_round_ticks() {
        let cases = [(0, 1), (9, 1), (60, 5), (600, 60), (3_600, 300), (86_400, 7_200)];
        for (seconds, step) in cases {
            assert_eq!(tick_seconds(SimTime::from_secs(seconds)), step, "{seconds} s");
        }
        let month = tick_seconds(SimTime::from_secs(30 * 86_400));
        assert_eq!(month % 3_600, 0);
        assert!(30 * 86_400 / month <= 12);
    }
}
