//! Charts with two axes: over time, and histograms.
//!
//! A plot fills its box, whatever its width: texts and lines are placed by percentages, so that
//! they keep their size, and curves are drawn in a square of [`SIDE`] that is stretched.

use std::fmt::Write as _;

use super::data::{self, Series};
use super::legend;
use super::number::{marks, short};
use crate::dashboards::model::{Chart, DisplayUnit, Severity, Thresholds};
use crate::domain::words::escape;
use crate::nrql::QueryResult;

/// Width and height of the square that curves are drawn in.
const SIDE: f64 = 1_000.0;
/// Most names below a histogram.
const NAMES_MAX: usize = 6;

/// Whether series stand upon each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stack {
    No,
    Area,
    Bars,
}

/// From values to places in the square.
struct Scale {
    x: (f64, f64),
    y: (f64, f64),
}

fn share(value: f64, (from, to): (f64, f64)) -> f64 {
    let span = if to > from { to - from } else { 1.0 };
    ((value - from) / span).clamp(0.0, 1.0)
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        share(value, self.x) * SIDE
    }

    fn y(&self, value: f64) -> f64 {
        (1.0 - share(value, self.y)) * SIDE
    }

    fn grid(&self, marks: &[f64], unit: Option<&DisplayUnit>) -> String {
        let mut text = String::new();
        for mark in marks {
            let (y, shown) = (percent(self.y(*mark)), escape(&short(*mark, unit)));
            let _ = write!(
                text,
                "<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/><text x=\"0\" \
                 dx=\"-6\" y=\"{y}\" dy=\"4\" text-anchor=\"end\">{shown}</text>"
            );
        }
        text
    }

    /// Begin, middle and end of the time that is shown.
    fn times(&self) -> String {
        let middle = (self.x.0 + self.x.1) / 2.0;
        let mut text = String::new();
        for (at, anchor) in [(self.x.0, "start"), (middle, "middle"), (self.x.1, "end")] {
            let seconds = at.rem_euclid(86_400.0) as u32;
            let words = format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
            text.push_str(&below(self.x(at), anchor, &words));
        }
        text
    }

    /// Ranges of bad values, and the line where each begins.
    fn bands(&self, thresholds: &Thresholds) -> String {
        let Thresholds::Bands(bands) = thresholds else { return String::new() };
        // A band without a lower end is one of low values: there bands begin at their upper ends.
        let low = bands.iter().any(|band| band.from.is_none());
        let mut text = String::new();
        for band in bands {
            let class = if band.severity == Severity::Critical { "bad" } else { "warn" };
            let (from, to) = (band.from.unwrap_or(self.y.0), band.to.unwrap_or(self.y.1));
            let (top, bottom) = (self.y(to), self.y(from));
            if bottom > top {
                let (y, height) = (percent(top), percent(bottom - top));
                let _ = write!(
                    text,
                    "<rect class=\"band {class}\" x=\"0\" width=\"100%\" y=\"{y}\" \
                     height=\"{height}\"/>"
                );
            }
            let begin = if low { band.to } else { band.from };
            let begin = begin.filter(|at| (self.y.0..self.y.1).contains(at));
            if let Some(y) = begin.map(|at| percent(self.y(at))) {
                let _ = write!(
                    text,
                    "<line class=\"limit {class}\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>"
                );
            }
        }
        text
    }
}

fn percent(place: f64) -> String {
    let text = format!("{:.2}", place / SIDE * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A name below the plot.
fn below(x: f64, anchor: &str, words: &str) -> String {
    let x = percent(x);
    format!(
        "<text x=\"{x}\" y=\"100%\" dy=\"14\" text-anchor=\"{anchor}\">{}</text>",
        escape(words)
    )
}

/// The plot: what is behind its curves, the curves in the stretched square, what is before them.
fn plot(behind: &str, curves: &str, before: &str) -> String {
    format!(
        "<div class=\"body plot\"><svg>{behind}<svg class=\"curves\" viewBox=\"0 0 {SIDE} {SIDE}\" \
         preserveAspectRatio=\"none\">{curves}</svg>{before}</svg></div>"
    )
}

pub(super) fn over_time(chart: &Chart, results: &[QueryResult], stack: Stack) -> Option<String> {
    let mut all = data::series(results);
    let begin = begin(&all, stack)?;
    let is_something = |series: &Series| {
        series.points.iter().any(|(_, value)| value.is_some_and(|value| value != 0.0))
    };
    all.sort_by_key(|series| !is_something(series));
    all.iter_mut().for_each(|series| series.points.retain(|(at, _)| *at >= begin));
    let lows = if stack == Stack::No { Vec::new() } else { pile(&mut all) };
    let points = || all.iter().flat_map(|series| &series.points);
    let last = points().map(|(at, _)| *at).fold(begin, f64::max);
    // A column is as wide as its bucket; lines and areas go from begin to begin.
    let steps =
        all.iter().flat_map(|series| series.points.windows(2)).map(|two| two[1].0 - two[0].0);
    let step = steps.filter(|step| *step > 0.0).fold(f64::INFINITY, f64::min);
    let step = if step.is_finite() { step } else { 60.0 };
    let end = if stack == Stack::Bars || last <= begin { last + step } else { last };
    let greatest = points().filter_map(|(_, value)| *value).fold(0.0, f64::max);
    let axis = chart.y_axis.unwrap_or_default();
    let marks = marks(axis.max.unwrap_or(greatest), chart.unit.as_ref());
    let top = axis.max.or(marks.last().copied()).unwrap_or(1.0);
    let scale = Scale { x: (begin, end), y: (axis.min.unwrap_or(0.0), top) };
    let (mut curves, mut before) = (String::new(), String::new());
    for (number, series) in all.iter().enumerate() {
        match stack {
            Stack::No => {
                curves.push_str(&line(&scale, series, number));
                before.push_str(&lonely(&scale, series, number));
            }
            Stack::Area => curves.push_str(&area(&scale, series, &lows[number], number)),
            Stack::Bars => curves.push_str(&columns(&scale, series, &lows[number], number, step)),
        }
    }
    let behind = scale.bands(&chart.thresholds) + &scale.grid(&marks, chart.unit.as_ref());
    let labels: Vec<&str> = all.iter().map(|series| series.label.as_str()).collect();
    Some(plot(&behind, &curves, &(before + &scale.times())) + &legend::of(&labels))
}

/// When there is something to draw first: buckets without a value say nothing, and sums are 0
/// before anything was there. Data that are 0 throughout are drawn all the same.
fn begin(all: &[Series], stack: Stack) -> Option<f64> {
    let first = |counts: &dyn Fn(f64) -> bool| {
        let points = all.iter().flat_map(|series| &series.points);
        let points = points.filter(|(_, value)| value.is_some_and(counts));
        points.map(|(at, _)| *at).fold(f64::INFINITY, f64::min)
    };
    let any = first(&|_| true);
    let begin = if stack == Stack::No { any } else { first(&|value| value != 0.0) };
    let begin = if begin.is_finite() { begin } else { any };
    begin.is_finite().then_some(begin)
}

/// Puts series upon each other; what each stands on, point by point.
fn pile(all: &mut [Series]) -> Vec<Vec<f64>> {
    let mut heights: Vec<(f64, f64)> = Vec::new();
    let mut lows = Vec::new();
    for series in all {
        let mut low = Vec::new();
        for (at, value) in &mut series.points {
            let place = heights.iter().position(|(known, _)| known == at);
            let place = place.unwrap_or_else(|| {
                heights.push((*at, 0.0));
                heights.len() - 1
            });
            low.push(heights[place].1);
            heights[place].1 += value.unwrap_or(0.0);
            *value = Some(heights[place].1);
        }
        lows.push(low);
    }
    lows
}

fn line(scale: &Scale, series: &Series, number: usize) -> String {
    let (mut path, mut pen_down) = (String::new(), false);
    for (at, value) in &series.points {
        if let Some(value) = value {
            let command = if pen_down { 'L' } else { 'M' };
            let _ = write!(path, "{command}{:.1} {:.1}", scale.x(*at), scale.y(*value));
        }
        pen_down = value.is_some();
    }
    format!("<path class=\"line {}\" d=\"{path}\"/>", legend::class(number))
}

/// Dots where a value has no neighbour that a line could lead to.
fn lonely(scale: &Scale, series: &Series, number: usize) -> String {
    let is_known = |place: Option<usize>| {
        let point = place.and_then(|place| series.points.get(place));
        point.is_some_and(|(_, value)| value.is_some())
    };
    let mut text = String::new();
    for (place, (at, value)) in series.points.iter().enumerate() {
        let Some(value) = value else { continue };
        if !is_known(place.checked_sub(1)) && !is_known(Some(place + 1)) {
            let (x, y) = (percent(scale.x(*at)), percent(scale.y(*value)));
            let class = legend::class(number);
            let _ = write!(text, "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"2.5\"/>");
        }
    }
    text
}

fn area(scale: &Scale, series: &Series, low: &[f64], number: usize) -> String {
    let mut path = String::new();
    for (place, (at, value)) in series.points.iter().enumerate() {
        let command = if place == 0 { 'M' } else { 'L' };
        let value = value.unwrap_or_default();
        let _ = write!(path, "{command}{:.1} {:.1}", scale.x(*at), scale.y(value));
    }
    for ((at, _), low) in series.points.iter().zip(low).rev() {
        let _ = write!(path, "L{:.1} {:.1}", scale.x(*at), scale.y(*low));
    }
    format!("<path class=\"area {}\" d=\"{path}Z\"/>", legend::class(number))
}

fn columns(scale: &Scale, series: &Series, low: &[f64], number: usize, step: f64) -> String {
    let class = legend::class(number);
    let mut text = String::new();
    for ((at, value), low) in series.points.iter().zip(low) {
        let (top, bottom) = (scale.y(value.unwrap_or_default()), scale.y(*low));
        let (left, right) = (scale.x(at + step * 0.08), scale.x(at + step * 0.92));
        if bottom > top {
            let _ = write!(
                text,
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
                 height=\"{:.1}\"/>",
                right - left,
                bottom - top
            );
        }
    }
    text
}

pub(super) fn histogram(results: &[QueryResult]) -> Option<String> {
    let mut ranges = data::ranges(results);
    let last = ranges.iter().rposition(|(_, count)| *count > 0.0)?;
    ranges.truncate(last + 2);
    let greatest = ranges.iter().map(|(_, count)| *count).fold(0.0, f64::max);
    let unit = Some(&DisplayUnit::Count);
    let marks = marks(greatest, unit);
    let scale = Scale {
        x: (0.0, ranges.len() as f64),
        y: (0.0, marks.last().copied().unwrap_or(greatest)),
    };
    let (mut curves, mut names) = (String::new(), String::new());
    let every = ranges.len().div_ceil(NAMES_MAX).max(1);
    for (number, (begin, count)) in ranges.iter().enumerate() {
        let (left, right) = (scale.x(number as f64), scale.x(number as f64 + 0.94));
        let (top, bottom) = (scale.y(*count), scale.y(0.0));
        let _ = write!(
            curves,
            "<rect class=\"s0\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
             height=\"{:.1}\"/>",
            right - left,
            bottom - top
        );
        if number % every == 0 {
            names.push_str(&below(left, "start", begin));
        }
    }
    Some(plot(&scale.grid(&marks, unit), &curves, &names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboards::model::Band;

    #[test]
    fn each_band_has_a_line_where_it_begins() {
        let scale = Scale { x: (0.0, 1.0), y: (0.0, 100.0) };
        let check = |bands: [(Severity, Option<f64>, Option<f64>); 2], expected: [&str; 2]| {
            let bands = bands.map(|(severity, from, to)| Band { severity, from, to });
            let text = scale.bands(&Thresholds::Bands(bands.to_vec()));
            let lines = text.split("<line class=\"limit ").skip(1);
            let lines: Vec<&str> = lines.filter_map(|line| line.split(" x1").next()).collect();
            assert_eq!(lines, ["warn\"", "bad\""], "{text}");
            for y in expected {
                assert!(text.contains(&format!("y1=\"{y}\"")), "{y} is not in {text}");
            }
        };
        let (warning, critical) = (Severity::Warning, Severity::Critical);
        let high = [(warning, Some(70.0), Some(85.0)), (critical, Some(85.0), None)];
        check(high, ["30%", "15%"]);
        let low = [(warning, Some(80.0), Some(95.0)), (critical, None, Some(80.0))];
        check(low, ["5%", "20%"]);
    }
}
