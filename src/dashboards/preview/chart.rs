//! Charts as SVG and HTML.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use super::data::{self, Named, Series};
use super::number::short;
use crate::dashboards::model::{Chart, DisplayUnit, Level, Severity, Thresholds};
use crate::domain::words::escape;
use crate::nrql::{QueryResult, Value};

/// Colours of series; further ones begin again.
const COLOURS: usize = 8;
/// Series of a legend.
const LEGEND_MAX: usize = 10;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 16.0;

/// Room of a chart, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub width: f64,
    pub height: f64,
}

/// Whether series stand upon each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stack {
    No,
    Area,
    Bars,
}

fn colour(number: usize) -> String {
    format!("var(--s{})", number % COLOURS)
}

fn svg(size: Size, inner: &str) -> String {
    let Size { width, height } = size;
    format!("<div class=\"body\"><svg viewBox=\"0 0 {width:.0} {height:.0}\">{inner}</svg></div>")
}

/// Small squares instead of inline styles, which the page's policy refuses.
fn legend(labels: &[&str]) -> String {
    let mut text = String::from("<div class=\"legend\">");
    for (number, label) in labels.iter().take(LEGEND_MAX).enumerate() {
        let _ = write!(
            text,
            "<span><svg width=\"9\" height=\"9\"><rect width=\"9\" height=\"9\" rx=\"2\" \
             fill=\"{}\"/></svg> {}</span>",
            colour(number),
            escape(label)
        );
    }
    if labels.len() > LEGEND_MAX {
        let _ = write!(text, "<span>and {} more</span>", labels.len() - LEGEND_MAX);
    }
    text.push_str("</div>");
    text
}

/// How bad a value is by a billboard's levels: low values are the bad ones when critical lies below
/// warning.
fn badness(value: f64, levels: &[Level]) -> &'static str {
    let of =
        |severity| levels.iter().find(|level| level.severity == severity).map(|level| level.value);
    let (warning, critical) = (of(Severity::Warning), of(Severity::Critical));
    let low = matches!((warning, critical), (Some(w), Some(c)) if c < w);
    let past = |limit: Option<f64>| {
        limit.is_some_and(|limit| if low { value < limit } else { value >= limit })
    };
    match (past(critical), past(warning), levels.is_empty()) {
        (true, ..) => "bad",
        (_, true, _) => "warn",
        (.., true) => "",
        _ => "good",
    }
}

pub(super) fn billboard(chart: &Chart, results: &[QueryResult]) -> Option<String> {
    let found = data::named(results);
    if found.is_empty() {
        return None;
    }
    let levels = match &chart.thresholds {
        Thresholds::Levels(levels) => levels.as_slice(),
        _ => &[],
    };
    let mut text = String::from("<div class=\"figures\">");
    for Named { label, value } in &found {
        let class = badness(*value, levels);
        let shown = escape(&short(*value, chart.unit.as_ref()));
        let _ = write!(
            text,
            "<div class=\"figure {class}\"><b>{shown}</b><small>{}</small></div>",
            escape(label)
        );
    }
    if let Some(before) = results.first().and_then(data::previous) {
        let before = escape(&short(before, chart.unit.as_ref()));
        let _ = write!(text, "<div class=\"figure\"><b>{before}</b><small>before</small></div>");
    }
    text.push_str("</div>");
    Some(text)
}

/// From values to pixels.
struct Scale {
    size: Size,
    x: (f64, f64),
    y: (f64, f64),
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        let span = (self.x.1 - self.x.0).max(1.0);
        LEFT + (value - self.x.0) / span * (self.size.width - LEFT - 6.0)
    }

    fn y(&self, value: f64) -> f64 {
        let span = if self.y.1 > self.y.0 { self.y.1 - self.y.0 } else { 1.0 };
        let room = self.size.height - BOTTOM - 8.0;
        8.0 + room - ((value - self.y.0) / span).clamp(0.0, 1.0) * room
    }

    fn axes(&self, unit: Option<&DisplayUnit>) -> String {
        let mut text = String::new();
        for part in 0..=2 {
            let value = self.y.0 + (self.y.1 - self.y.0) * f64::from(part) / 2.0;
            let (y, right) = (self.y(value), self.size.width - 6.0);
            let shown = escape(&short(value, unit));
            let _ = write!(
                text,
                "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{shown}</text>",
                LEFT - 5.0,
                y + 4.0
            );
        }
        for (at, anchor) in [(self.x.0, "start"), (self.x.1, "end")] {
            let seconds = at.rem_euclid(86_400.0) as u32;
            let _ = write!(
                text,
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{:02}:{:02}</text>",
                self.x(at),
                self.size.height - 3.0,
                seconds / 3_600,
                seconds / 60 % 60
            );
        }
        text
    }

    fn bands(&self, thresholds: &Thresholds) -> String {
        let Thresholds::Bands(bands) = thresholds else { return String::new() };
        let mut text = String::new();
        for band in bands {
            let class = if band.severity == Severity::Critical { "bad" } else { "warn" };
            let (from, to) = (band.from.unwrap_or(self.y.0), band.to.unwrap_or(self.y.1));
            let (top, bottom) = (self.y(to), self.y(from));
            let _ = write!(
                text,
                "<rect class=\"band {class}\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{:.0}\" \
                 height=\"{:.1}\"/>",
                self.size.width - LEFT - 6.0,
                (bottom - top).max(0.0)
            );
        }
        text
    }
}

pub(super) fn over_time(
    chart: &Chart,
    results: &[QueryResult],
    size: Size,
    stack: Stack,
) -> Option<String> {
    let mut all = data::series(results);
    // Buckets before the first value say nothing.
    let known = |series: &Series| {
        series.points.iter().filter(|(_, value)| value.is_some_and(|v| v != 0.0)).count()
    };
    // Sums are 0 before anything was there; data that are 0 throughout are drawn all the same.
    let first = |counts: &dyn Fn(f64) -> bool| {
        let points = all.iter().flat_map(|series| &series.points);
        let points = points.filter(|(_, value)| value.is_some_and(counts));
        points.map(|(at, _)| *at).fold(f64::INFINITY, f64::min)
    };
    let (any, begin) = (first(&|_| true), first(&|value| value != 0.0));
    let begin = if begin.is_finite() { begin } else { any };
    if !begin.is_finite() {
        return None;
    }
    all.sort_by_key(|series| std::cmp::Reverse(known(series).min(1)));
    all.iter_mut().for_each(|series| series.points.retain(|(at, _)| *at >= begin));
    let lows = if stack == Stack::No { Vec::new() } else { pile(&mut all) };
    let points = || all.iter().flat_map(|series| &series.points);
    let end = points().map(|(at, _)| *at).fold(begin, f64::max);
    let greatest = points().filter_map(|(_, value)| *value).fold(0.0, f64::max);
    let axis = chart.y_axis.unwrap_or_default();
    let top = axis.max.unwrap_or(if greatest > 0.0 { greatest * 1.08 } else { 1.0 });
    let scale = Scale { size, x: (begin, end), y: (axis.min.unwrap_or(0.0), top) };
    let mut inner = scale.bands(&chart.thresholds) + &scale.axes(chart.unit.as_ref());
    for (number, series) in all.iter().enumerate() {
        match stack {
            Stack::No => inner.push_str(&line(&scale, series, number)),
            Stack::Area => inner.push_str(&area(&scale, series, &lows[number], number)),
            Stack::Bars => inner.push_str(&columns(&scale, series, &lows[number], number)),
        }
    }
    let labels: Vec<&str> = all.iter().map(|series| series.label.as_str()).collect();
    Some(svg(size, &inner) + &legend(&labels))
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
    let colour = colour(number);
    format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"/>")
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
    let colour = colour(number);
    format!("<path d=\"{path}Z\" fill=\"{colour}\" fill-opacity=\".35\" stroke=\"{colour}\"/>")
}

fn columns(scale: &Scale, series: &Series, low: &[f64], number: usize) -> String {
    let count = series.points.len().max(1) as f64;
    let width = ((scale.size.width - LEFT) / count * 0.8).max(1.0);
    let mut text = String::new();
    for ((at, value), low) in series.points.iter().zip(low) {
        let (top, bottom) = (scale.y(value.unwrap_or_default()), scale.y(*low));
        let _ = write!(
            text,
            "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
            scale.x(*at) - width / 2.0,
            (bottom - top).max(0.0),
            colour(number)
        );
    }
    text
}

pub(super) fn bars(chart: &Chart, results: &[QueryResult], size: Size) -> Option<String> {
    let found = data::named(results);
    let greatest = found.iter().map(|one| one.value).fold(0.0, f64::max);
    if found.is_empty() {
        return None;
    }
    let step = 20.0;
    let names = (size.width * 0.42).min(300.0);
    let mut inner = String::new();
    for (number, Named { label, value }) in found.iter().enumerate() {
        let y = number as f64 * step;
        let room = size.width - names - 76.0;
        let width = if greatest > 0.0 { value / greatest * room } else { 0.0 };
        let _ = write!(
            inner,
            "<text class=\"name\" x=\"0\" y=\"{:.0}\">{}</text><rect x=\"{names:.0}\" y=\"{:.0}\" \
             width=\"{:.1}\" height=\"13\" rx=\"2\" fill=\"var(--s0)\"/><text x=\"{:.1}\" \
             y=\"{:.0}\">{}</text>",
            y + 13.0,
            escape(&clipped(label, (names / 6.4) as usize)),
            y + 3.0,
            width.max(1.0),
            names + width.max(1.0) + 6.0,
            y + 13.0,
            escape(&short(*value, chart.unit.as_ref()))
        );
    }
    // Bars keep their height; what does not fit is scrolled to.
    let height = (found.len() as f64 * step).max(step);
    let (width, _) = (size.width, size.height);
    Some(format!(
        "<div class=\"body\"><svg viewBox=\"0 0 {width:.0} {height:.0}\" height=\"{height:.0}\" \
         preserveAspectRatio=\"xMinYMin\">{inner}</svg></div>"
    ))
}

fn clipped(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

pub(super) fn pie(chart: &Chart, results: &[QueryResult], size: Size) -> Option<String> {
    let found = data::named(results);
    let whole: f64 = found.iter().map(|one| one.value).sum();
    if whole <= 0.0 {
        return None;
    }
    let radius = (size.height / 2.0 - 4.0).min(size.width / 4.0);
    let (centre_x, centre_y) = (radius + 6.0, size.height / 2.0);
    let (mut inner, mut turned) = (String::new(), -TAU / 4.0);
    for (number, Named { label, value }) in found.iter().enumerate() {
        let angle = value / whole * TAU;
        // An arc from a point to itself is none.
        let end = turned + angle.min(TAU - 0.001);
        let at = |turn: f64| (centre_x + radius * turn.cos(), centre_y + radius * turn.sin());
        let ((x0, y0), (x1, y1)) = (at(turned), at(end));
        let far = u8::from(angle > TAU / 2.0);
        let _ = write!(
            inner,
            "<path d=\"M{centre_x:.1} {centre_y:.1}L{x0:.1} {y0:.1}A{radius:.1} {radius:.1} 0 \
             {far} 1 {x1:.1} {y1:.1}Z\" fill=\"{}\" stroke=\"var(--plate)\"/>",
            colour(number)
        );
        turned += angle;
        let (x, y) = (centre_x + radius + 16.0, 14.0 + number as f64 * 17.0);
        let letters = ((size.width - x - 70.0) / 6.2) as usize;
        let _ = write!(
            inner,
            "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"9\" height=\"9\" rx=\"2\" fill=\"{}\"/><text \
             class=\"name\" x=\"{:.0}\" y=\"{y:.0}\">{} {}</text>",
            y - 9.0,
            colour(number),
            x + 14.0,
            escape(&clipped(label, letters)),
            escape(&short(*value, chart.unit.as_ref()))
        );
    }
    Some(svg(size, &inner))
}

pub(super) fn histogram(results: &[QueryResult], size: Size) -> Option<String> {
    let mut ranges = data::ranges(results);
    let last = ranges.iter().rposition(|(_, count)| *count > 0.0)?;
    ranges.truncate(last + 2);
    let greatest = ranges.iter().map(|(_, count)| *count).fold(0.0, f64::max);
    let scale = Scale { size, x: (0.0, ranges.len() as f64), y: (0.0, greatest) };
    let mut inner = String::new();
    for (number, (begin, count)) in ranges.iter().enumerate() {
        let (left, right) = (scale.x(number as f64), scale.x(number as f64 + 1.0));
        let (top, bottom) = (scale.y(*count), scale.y(0.0));
        let _ = write!(
            inner,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
             fill=\"var(--s0)\"/>",
            (right - left - 1.0).max(1.0),
            (bottom - top).max(0.0)
        );
        let every = (ranges.len() / 8).max(1);
        if number % every == 0 {
            let _ = write!(
                inner,
                "<text x=\"{left:.1}\" y=\"{:.0}\">{}</text>",
                size.height - 3.0,
                escape(begin)
            );
        }
    }
    Some(svg(size, &inner))
}

pub(super) fn table(results: &[QueryResult]) -> Option<String> {
    let (heads, lines) = data::table(results);
    let first = lines.first()?;
    let class = |value: Option<&Value>| match value {
        Some(Value::Number(_) | Value::Integer(_)) => " class=\"number\"",
        _ => "",
    };
    let mut text = String::from("<div class=\"body\"><table><tr>");
    for (number, head) in heads.iter().enumerate() {
        let _ = write!(text, "<th{}>{}</th>", class(first.get(number)), escape(head));
    }
    text.push_str("</tr>");
    for line in &lines {
        text.push_str("<tr>");
        for value in line {
            let _ = write!(text, "<td{}>{}</td>", class(Some(value)), escape(&data::text(value)));
        }
        text.push_str("</tr>");
    }
    text.push_str("</table></div>");
    Some(text)
}
