//! The rows over time: a name and a track each, whose places are shares of the width, so that they
//! fit every screen and the script can zoom by one attribute.
//!
//! Invariant: tones differ in height as well as in colour.

use std::fmt::Write as _;

use super::text::{counted, escape, percent, span};
use crate::sim::report::svg::tick_seconds;
use crate::sim::report::timeline::{Lane, Mark, Tone, clock};
use crate::sim::run::evidence::LaneGroup;
use crate::sim::time::SimTime;

/// Height of a track, pixels.
pub const TRACK: u32 = 18;

/// What all tracks share.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// Right end.
    pub end: SimTime,
    /// When the last fault had ended.
    pub heal: SimTime,
    /// When the first promise broke.
    pub broken: Option<SimTime>,
}

impl Axis {
    /// Where `at` stands, 0 to 1.
    pub fn share(&self, at: SimTime) -> f64 {
        if self.end.0 == 0 { 0.0 } else { (at.0 as f64 / self.end.0 as f64).min(1.0) }
    }

    /// The instants that every track shows: healing and the broken promise.
    pub fn instants(&self, height: u32) -> String {
        // Half a line at the very end would be lost.
        let line = |class: &str, at: SimTime| {
            let x = percent(self.share(at).min(0.9985));
            format!("<line class=\"{class}\" x1=\"{x}%\" x2=\"{x}%\" y1=\"0\" y2=\"{height}\"/>")
        };
        let heal = (self.heal > SimTime::ZERO).then(|| line("heal", self.heal));
        let broken = self.broken.map(|at| line("broken", at));
        heal.into_iter().chain(broken).collect()
    }

    /// The row with the times.
    pub fn ticks(&self) -> String {
        let mut out = String::from(
            "<svg class=\"axis\" width=\"100%\" height=\"20\" aria-hidden=\"true\">\
             <svg class=\"view\" x=\"0\" width=\"100%\" height=\"20\" overflow=\"visible\">",
        );
        let step = tick_seconds(self.end);
        for tick in 0..=self.end.0 / (step * 1_000_000_000) {
            let at = SimTime::from_secs(tick * step);
            let share = self.share(at);
            let anchor = match share {
                _ if share < 0.02 => "start",
                _ if share > 0.98 => "end",
                _ => "middle",
            };
            // Narrow screens have room for every other one.
            let class = if tick.is_multiple_of(2) { "" } else { " class=\"odd\"" };
            let _ = write!(
                out,
                "<text{class} x=\"{}%\" y=\"14\" text-anchor=\"{anchor}\">{}</text>",
                percent(share),
                clock(at)
            );
        }
        out.push_str("</svg></svg>");
        out
    }
}

/// All groups with their axis.
pub fn html(groups: &[LaneGroup], axis: &Axis) -> String {
    let mut out = String::new();
    for group in groups {
        let left_out = match group.left_out {
            0 => String::new(),
            more => format!(" <small>and {} not shown</small>", more_words(group.name, more)),
        };
        let _ = write!(out, "<h3>{}{left_out}</h3>", escape(group.name));
        for lane in &group.lanes {
            row(&mut out, lane, axis);
        }
    }
    let _ = write!(out, "<div class=\"lane\"><span></span>{}</div>", axis.ticks());
    out
}

fn more_words(group: &str, more: usize) -> String {
    let more = more as u64;
    if group == "Hosts" { counted(more, "quiet host") } else { counted(more, "row") }
}

fn row(out: &mut String, lane: &Lane, axis: &Axis) {
    let label = escape(&lane.label);
    let marks = counted(lane.marks.len() as u64, "mark");
    let _ = write!(
        out,
        "<div class=\"lane\"><span class=\"name\" title=\"{label}\">{label}</span>\
         <svg class=\"track\" width=\"100%\" height=\"{TRACK}\" tabindex=\"0\" role=\"img\" \
         aria-label=\"{label}: {marks}\">\
         <svg class=\"view\" x=\"0\" width=\"100%\" height=\"{TRACK}\" overflow=\"visible\">"
    );
    for mark in &lane.marks {
        out.push_str(&bar(mark, axis));
    }
    let _ = write!(out, "{}</svg></svg></div>", axis.instants(TRACK));
}

/// Class, top and height of a mark's bar.
pub fn shape(tone: Tone) -> (&'static str, u32, u32) {
    match tone {
        Tone::Good => ("good", 6, 6),
        Tone::Warning => ("warn", 4, 10),
        Tone::Bad => ("bad", 1, 16),
        Tone::Fault => ("fault", 2, 14),
    }
}

/// A mark's bar with its words. An instant has a width of its own; a stroke keeps short ones
/// visible.
pub fn bar(mark: &Mark, axis: &Axis) -> String {
    let (class, y, height) = shape(mark.tone);
    let from = axis.share(mark.from).min(0.998);
    let width = match percent(axis.share(mark.to) - from) {
        none if none == "0" => "2".to_owned(),
        width => format!("{width}%"),
    };
    format!(
        "<rect class=\"{class}\" x=\"{}%\" y=\"{y}\" width=\"{width}\" height=\"{height}\">\
         <title>{} {}</title></rect>",
        percent(from),
        span(mark.from, mark.to),
        escape(&mark.label)
    )
}

/// What the tones mean.
pub fn legend(groups: &[LaneGroup]) -> String {
    let used = |tone: Tone| {
        let mut marks = groups.iter().flat_map(|g| &g.lanes).flat_map(|lane| &lane.marks);
        marks.any(|mark| mark.tone == tone)
    };
    let mut out = String::from("<ul class=\"legend\">");
    for tone in Tone::ALL.into_iter().filter(|tone| used(*tone)) {
        let (class, y, height) = shape(tone);
        let _ = write!(
            out,
            "<li><svg width=\"16\" height=\"{TRACK}\" aria-hidden=\"true\"><rect \
             class=\"{class}\" x=\"1\" y=\"{y}\" width=\"14\" height=\"{height}\"/></svg>{}</li>",
            tone.meaning()
        );
    }
    out.push_str("</ul>");
    out
}
