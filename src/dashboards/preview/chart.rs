//! Charts without axes: billboards, bars, pies, tables.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use super::data::{self, Named};
use super::legend;
use super::number::short;
use crate::dashboards::model::{Chart, Level, Severity, Thresholds};
use crate::domain::words::escape;
use crate::nrql::{QueryResult, Value};

/// The levels of a billboard, and which side of them is bad.
struct Levels {
    warning: Option<f64>,
    critical: Option<f64>,
    /// Low values are the bad ones when critical lies below warning.
    low: bool,
}

impl Levels {
    fn of(chart: &Chart) -> Self {
        let Thresholds::Levels(levels) = &chart.thresholds else {
            return Self { warning: None, critical: None, low: false };
        };
        let of = |severity| {
            let of_it = |level: &&Level| level.severity == severity;
            levels.iter().find(of_it).map(|level| level.value)
        };
        let (warning, critical) = (of(Severity::Warning), of(Severity::Critical));
        let low = matches!((warning, critical), (Some(w), Some(c)) if c < w);
        Self { warning, critical, low }
    }

    /// The class of a value.
    fn badness(&self, value: f64) -> &'static str {
        let past = |limit: Option<f64>| {
            limit.is_some_and(|limit| if self.low { value < limit } else { value >= limit })
        };
        match (past(self.critical), past(self.warning)) {
            (true, _) => "bad",
            (_, true) => "warn",
            _ if self.warning.is_none() && self.critical.is_none() => "",
            _ => "good",
        }
    }

    /// Both limits in words; empty without any.
    fn words(&self, chart: &Chart) -> String {
        let sign = if self.low { "below" } else { "from" };
        let limit = |class: &str, word: &str, at: Option<f64>| {
            let shown = escape(&short(at?, chart.unit.as_ref()));
            Some(format!("<span class=\"{class}\">{word} {sign} {shown}</span>"))
        };
        let limits =
            [limit("warn", "warning", self.warning), limit("bad", "critical", self.critical)];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        if limits.is_empty() {
            return String::new();
        }
        format!("<p class=\"limits\">{}</p>", limits.join(" "))
    }
}

pub(super) fn billboard(title: &str, chart: &Chart, results: &[QueryResult]) -> Option<String> {
    let found = data::named(results);
    if found.is_empty() {
        return None;
    }
    let levels = Levels::of(chart);
    let figure = |class: &str, value: f64, label: &str| {
        let shown = escape(&short(value, chart.unit.as_ref()));
        // What the title says already is not said again.
        let label = if label.eq_ignore_ascii_case(title) { "" } else { label };
        let label = if label.is_empty() {
            String::new()
        } else {
            format!("<small>{}</small>", escape(label))
        };
        format!("<div class=\"figure {class}\"><b>{shown}</b>{label}</div>")
    };
    let mut text = String::from("<div class=\"body\"><div class=\"figures\">");
    for Named { label, value } in &found {
        text.push_str(&figure(levels.badness(*value), *value, label));
    }
    if let Some(before) = results.first().and_then(data::previous) {
        text.push_str(&figure("before", before, "before"));
    }
    let _ = write!(text, "</div>{}</div>", levels.words(chart));
    Some(text)
}

pub(super) fn bars(chart: &Chart, results: &[QueryResult]) -> Option<String> {
    let found = data::named(results);
    let greatest = found.iter().map(|one| one.value).fold(0.0, f64::max);
    if found.is_empty() {
        return None;
    }
    let mut text = String::from("<div class=\"body bars\">");
    for Named { label, value } in &found {
        let share = if greatest > 0.0 { (value / greatest * 100.0).max(0.0) } else { 0.0 };
        let (label, shown) = (escape(label), escape(&short(*value, chart.unit.as_ref())));
        let _ = write!(
            text,
            "<span class=\"name\" title=\"{label}\">{label}</span><svg><rect class=\"s0\" \
             width=\"{share:.2}%\" height=\"100%\" rx=\"2\"/></svg><span \
             class=\"value\">{shown}</span>"
        );
    }
    text.push_str("</div>");
    Some(text)
}

pub(super) fn pie(chart: &Chart, results: &[QueryResult]) -> Option<String> {
    const RADIUS: f64 = 48.0;
    let found = data::named(results);
    let whole: f64 = found.iter().map(|one| one.value.max(0.0)).sum();
    if whole <= 0.0 {
        return None;
    }
    let (mut slices, mut names, mut turned) = (String::new(), String::new(), -TAU / 4.0);
    for (number, Named { label, value }) in found.iter().enumerate() {
        let angle = value.max(0.0) / whole * TAU;
        // An arc from a point to itself is none.
        let end = turned + angle.min(TAU - 0.001);
        let at = |turn: f64| (50.0 + RADIUS * turn.cos(), 50.0 + RADIUS * turn.sin());
        let ((x0, y0), (x1, y1)) = (at(turned), at(end));
        let far = u8::from(angle > TAU / 2.0);
        let _ = write!(
            slices,
            "<path class=\"slice {}\" d=\"M50 50L{x0:.2} {y0:.2}A{RADIUS} {RADIUS} 0 {far} 1 \
             {x1:.2} {y1:.2}Z\"/>",
            legend::class(number)
        );
        turned += angle;
        let (label, shown) = (escape(label), escape(&short(*value, chart.unit.as_ref())));
        let _ = write!(
            names,
            "<li>{}<span class=\"name\" title=\"{label}\">{label}</span><span \
             class=\"value\">{shown}</span></li>",
            legend::sample(number)
        );
    }
    Some(format!(
        "<div class=\"body pie\"><svg viewBox=\"0 0 100 100\">{slices}</svg><ul>{names}</ul></div>"
    ))
}

pub(super) fn table(results: &[QueryResult]) -> Option<String> {
    let (heads, lines) = data::table(results);
    if lines.is_empty() {
        return None;
    }
    // A column of numbers stays one where a row has none.
    let is_number = |value: &Value| matches!(value, Value::Number(_) | Value::Integer(_));
    let class = |column: usize| {
        let mut values = lines.iter().filter_map(|line| line.get(column)).filter(|v| !v.is_null());
        let first = values.next();
        if first.is_some_and(is_number) && values.all(is_number) { " class=\"number\"" } else { "" }
    };
    let classes: Vec<&str> = (0..heads.len()).map(class).collect();
    let class = |column: usize| classes.get(column).copied().unwrap_or_default();
    let mut text = String::from("<div class=\"body\"><table><thead><tr>");
    for (column, head) in heads.iter().enumerate() {
        let _ = write!(text, "<th{}>{}</th>", class(column), escape(head));
    }
    text.push_str("</tr></thead><tbody>");
    for line in &lines {
        text.push_str("<tr>");
        for (column, value) in line.iter().enumerate() {
            let _ = write!(text, "<td{}>{}</td>", class(column), escape(&data::text(value)));
        }
        text.push_str("</tr>");
    }
    text.push_str("</tbody></table></div>");
    Some(text)
}
