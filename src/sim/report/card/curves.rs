//! Curves: what was found on top of what should have been.
//!
//! Invariant: drawing takes no scale of pixels across; a curve is as wide as its place.

use std::fmt::Write as _;

use super::lanes::Axis;
use super::text::{at, escape, number};
use crate::sim::report::timeline::clock;
use crate::sim::run::evidence::{Curve, Line, Part};
use crate::sim::time::SimTime;

/// Units across and pixels down of a curve.
const ACROSS: f64 = 10_000.0;
const DOWN: f64 = 120.0;
/// Space above and below the extremes, pixels.
const AIR: f64 = 6.0;

/// Values that a curve shows.
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn of(curve: &Curve) -> Self {
        let plain = curve.lines.iter().filter(|line| line.part != Part::Limit);
        let values = || plain.clone().flat_map(|line| &line.points).map(|(_, value)| *value);
        let (least, most) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if !least.is_finite() || !most.is_finite() {
            return Self { low: 0.0, high: 1.0 };
        }
        // A limit is drawn when it does not flatten everything else.
        let limits = curve.lines.iter().filter(|line| line.part == Part::Limit);
        let limits = limits.flat_map(|line| &line.points).map(|(_, value)| *value);
        let most = limits.filter(|limit| *limit <= 3.0 * most).fold(most, f64::max);
        // From zero, unless that would flatten the curve.
        let low = if least > 0.0 && most - least < 0.35 * most { least } else { least.min(0.0) };
        let high = if most > low { most } else { low + 1.0 };
        Self { low, high }
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        DOWN - AIR - share * (DOWN - 2.0 * AIR)
    }

    fn holds(&self, line: &Line) -> bool {
        line.points.iter().all(|(_, value)| *value <= self.high)
    }
}

fn class(part: Part) -> &'static str {
    match part {
        Part::Found => "found",
        Part::Truth => "truth",
        Part::Limit => "limit",
    }
}

/// One curve as a figure; `index` tells its data's place.
pub fn html(curve: &Curve, index: usize, axis: &Axis) -> String {
    let range = Range::of(curve);
    let mut out = String::new();
    let title = escape(&curve.title);
    let unit = escape(&curve.unit);
    let _ = write!(
        out,
        "<figure class=\"curve\"><figcaption><b>{title}</b> <small>{unit}</small><span class=\"keys\">{}</span></figcaption>\
         <div class=\"plot\"><span class=\"y\"><i>{}</i><i>{}</i></span>\
         <svg class=\"chart\" width=\"100%\" height=\"{DOWN}\" tabindex=\"0\" role=\"img\" \
         data-curve=\"{index}\" aria-label=\"{title}\">\
         <svg class=\"view\" x=\"0\" width=\"100%\" height=\"{DOWN}\" \
         viewBox=\"0 0 {ACROSS} {DOWN}\" preserveAspectRatio=\"none\">",
        legend(curve, &range),
        number(range.high),
        number(range.low),
    );
    for line in curve.lines.iter().filter(|line| range.holds(line)) {
        let _ = write!(
            out,
            "<path class=\"{}\" d=\"{}\"/>",
            class(line.part),
            path(line, &range, axis)
        );
    }
    let differences: String = curve
        .differences
        .iter()
        .take(200)
        .map(|instant| format!("M{} {}v5", at(axis.share(*instant) * ACROSS), DOWN - 5.0))
        .collect();
    if !differences.is_empty() {
        let _ = write!(out, "<path class=\"differs\" d=\"{differences}\"/>");
    }
    let _ = write!(
        out,
        "</svg><svg class=\"view\" x=\"0\" width=\"100%\" height=\"{DOWN}\" \
        overflow=\"visible\">{}</svg></svg><span></span>{}</div>",
        axis.instants(DOWN as u32),
        axis.ticks()
    );
    let note = note(curve, &range);
    if !note.is_empty() {
        let _ = write!(out, "<p class=\"note\">{}</p>", escape(&note));
    }
    out.push_str("</figure>");
    out
}

/// What a reader should know: the curve's own note, limits far above, how much differs.
fn note(curve: &Curve, range: &Range) -> String {
    let mut notes: Vec<String> = Vec::new();
    if let (Some(first), count) = (curve.differences.first(), curve.differences.len()) {
        notes
            .push(format!("{count} values differ from the truth, the first at {}.", clock(*first)));
    }
    for line in curve.lines.iter().filter(|line| !range.holds(line)) {
        let value = line.points.first().map_or(0.0, |(_, value)| *value);
        notes.push(format!("The {} is {} {}, far above.", line.label, number(value), curve.unit));
    }
    notes.extend(curve.note.clone());
    notes.join(" ")
}

fn legend(curve: &Curve, range: &Range) -> String {
    let drawn = curve.lines.iter().filter(|line| range.holds(line));
    let one = |line: &Line| {
        format!(
            "<span class=\"key\"><svg width=\"18\" height=\"8\" aria-hidden=\"true\"><path \
             class=\"{}\" d=\"M0 4H18\"/></svg>{}</span>",
            class(line.part),
            escape(&line.label)
        )
    };
    drawn.map(one).collect()
}

/// Values hold until the next one.
fn path(line: &Line, range: &Range, axis: &Axis) -> String {
    let mut out = String::new();
    for (index, (instant, value)) in line.points.iter().enumerate() {
        let (x, y) = (at(axis.share(*instant) * ACROSS), at(range.y(*value)));
        let _ = match index {
            0 => write!(out, "M{x} {y}"),
            _ => write!(out, "H{x}V{y}"),
        };
    }
    out
}

/// The curves' values, for the script.
#[derive(serde::Serialize)]
pub struct Data<'a> {
    unit: &'a str,
    lines: Vec<DataLine<'a>>,
}

#[derive(serde::Serialize)]
struct DataLine<'a> {
    label: &'a str,
    /// Milliseconds from the start.
    at: Vec<u64>,
    values: Vec<f64>,
}

/// What the script shows when somebody points at a curve.
pub fn data(curves: &[Curve]) -> Vec<Data<'_>> {
    let millis = |(instant, _): &(SimTime, f64)| instant.as_millis();
    // Beyond nine digits nobody reads.
    let short = |(_, value): &(SimTime, f64)| format!("{value:.8e}").parse().unwrap_or(*value);
    let line = |line: &'_ Line| -> (Vec<u64>, Vec<f64>) {
        (line.points.iter().map(millis).collect(), line.points.iter().map(short).collect())
    };
    curves
        .iter()
        .map(|curve| Data {
            unit: &curve.unit,
            lines: curve
                .lines
                .iter()
                .map(|each| {
                    let (at, values) = line(each);
                    DataLine { label: &each.label, at, values }
                })
                .collect(),
        })
        .collect()
}
