//! The picture of a run as a self-contained SVG document.
//!
//! Invariant: nothing is cut: the label column is as wide as its longest label, the legend stands
//! below the axis, and every mark has its words as a tooltip.

use std::fmt::Write as _;

use super::timeline::{Lane, Mark, Timeline, Tone, clock};
use crate::sim::time::SimTime;

/// Width of the lanes, pixels.
const WIDTH: f64 = 900.0;
/// Height of a lane with its gap, pixels.
const ROW: f64 = 26.0;
/// Space around everything, pixels; half a time of the axis fits into it.
const MARGIN: f64 = 32.0;
/// Width of a character of the font below at its size, pixels, rounded up.
const CHARACTER: f64 = 7.5;
/// Narrowest mark, pixels: an instant is to be seen.
const MARK_WIDTH_MIN: f64 = 3.0;
const FONT: &str = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace";
const INK: &str = "#1f2328";
const GREY: &str = "#57606a";
const HEAL: &str = "#0969da";

impl Tone {
    /// Colours that differ in lightness, too, for readers who do not see every hue.
    fn colour(self) -> &'static str {
        match self {
            Self::Good => "#66c2a5",
            Self::Warning => "#f0b000",
            Self::Bad => "#b2182b",
            Self::Fault => "#6f42c1",
        }
    }
}

/// Where things stand.
struct Sheet {
    left: f64,
    bottom: f64,
    end: SimTime,
}

/// Renders `timeline`.
pub fn svg(timeline: &Timeline) -> String {
    let longest = timeline.lanes.iter().map(|lane| lane.label.chars().count()).max().unwrap_or(0);
    let sheet = Sheet {
        left: MARGIN + CHARACTER * longest as f64 + 12.0,
        bottom: ROW * (timeline.lanes.len() as f64 + 2.0),
        end: timeline.end,
    };
    let (width, height) = (sheet.left + WIDTH + MARGIN, sheet.bottom + ROW * 3.0);
    let title = escape(&timeline.title);
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" font-family=\"{FONT}\" \
         font-size=\"12\" fill=\"{INK}\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{MARGIN}\" y=\"28\" font-size=\"15\" font-weight=\"bold\">{title}</text>\n",
    );
    for (row, lane) in timeline.lanes.iter().enumerate() {
        sheet.lane(&mut out, lane, ROW * (row as f64 + 2.0) - 8.0);
    }
    sheet.axis(&mut out, timeline.heal);
    sheet.legend(&mut out);
    out.push_str("</svg>\n");
    out
}

impl Sheet {
    fn x(&self, at: SimTime) -> f64 {
        let share = if self.end.0 == 0 { 0.0 } else { at.0 as f64 / self.end.0 as f64 };
        self.left + WIDTH * share.min(1.0)
    }

    fn lane(&self, out: &mut String, lane: &Lane, top: f64) {
        let _ = writeln!(
            out,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{:.0}\" y=\"{top:.0}\" width=\"{WIDTH}\" height=\"{:.0}\" fill=\"#eef1f4\"/>",
            self.left - 12.0,
            top + 14.0,
            escape(&lane.label),
            self.left,
            ROW - 6.0
        );
        for mark in &lane.marks {
            self.mark(out, mark, top);
        }
    }

    fn mark(&self, out: &mut String, mark: &Mark, top: f64) {
        let right = self.left + WIDTH;
        let from = self.x(mark.from).min(right - MARK_WIDTH_MIN);
        let width = (self.x(mark.to) - from).max(MARK_WIDTH_MIN);
        let (begin, end) = (clock(mark.from), clock(mark.to));
        let when = if begin == end { begin } else { format!("{begin}–{end}") };
        let _ = writeln!(
            out,
            "<rect x=\"{from:.1}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"{:.0}\" \
             fill=\"{}\"><title>{when} {}</title></rect>",
            ROW - 6.0,
            mark.tone.colour(),
            escape(&mark.label),
        );
    }

    fn axis(&self, out: &mut String, heal: SimTime) {
        let (top, bottom) = (ROW + 14.0, self.bottom - 8.0);
        let step = tick_seconds(self.end);
        for tick in 0..=self.end.0 / (step * 1_000_000_000) {
            let at = SimTime::from_secs(tick * step);
            let x = self.x(at);
            let _ = writeln!(
                out,
                "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" \
                 stroke=\"{GREY}\" stroke-opacity=\"0.25\"/><text x=\"{x:.1}\" y=\"{:.0}\" \
                 text-anchor=\"middle\" fill=\"{GREY}\">{}</text>",
                bottom + 16.0,
                clock(at)
            );
        }
        if heal == SimTime::ZERO {
            return;
        }
        let x = self.x(heal);
        // The words stand on the side that has room for them.
        let (anchor, shift) =
            if x > self.left + WIDTH / 2.0 { ("end", -6.0) } else { ("start", 6.0) };
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{:.0}\" stroke=\"{HEAL}\" \
             stroke-width=\"1.5\" stroke-dasharray=\"5 3\"/><text x=\"{:.1}\" y=\"{:.0}\" \
             text-anchor=\"{anchor}\" fill=\"{HEAL}\">all healed {}</text>",
            bottom + 34.0,
            x + shift,
            bottom + 34.0,
            clock(heal)
        );
    }

    fn legend(&self, out: &mut String) {
        let (mut x, y) = (self.left, self.bottom + ROW * 2.0);
        for tone in Tone::ALL {
            let _ = writeln!(
                out,
                "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"14\" height=\"14\" fill=\"{}\"/>\
                 <text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
                y - 11.0,
                tone.colour(),
                x + 20.0,
                y,
                tone.meaning()
            );
            x += 20.0 + CHARACTER * tone.meaning().len() as f64 + 24.0;
        }
    }
}

/// A round time between two marks of the axis, so that at most a dozen fit.
fn tick_seconds(end: SimTime) -> u64 {
    const ROUND: [u64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200];
    let seconds = end.0 / 1_000_000_000;
    let fits = ROUND.into_iter().find(|step| seconds / step <= 12);
    fits.unwrap_or_else(|| (seconds / 12).next_multiple_of(3_600))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::timeline::tests::sample;
    use super::*;

    #[test]
    fn svg_escapes_and_closes() {
        let picture = svg(&sample());
        assert!(picture.contains("broker &amp; &lt;storm&gt;"));
        assert!(picture.ends_with("</svg>\n"));
        assert_eq!(picture, svg(&sample()));
        for tone in Tone::ALL {
            assert!(picture.contains(tone.meaning()), "{}", tone.meaning());
        }
    }

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
