//! Answers for people: a table, and of a series a line of bars for each of its values.
//!
//! Invariants: columns stand in the order in which answers give them; a cell takes at most
//! [`CELL_LETTERS_MAX`] letters and one line, whatever an attribute holds.

use std::fmt::Write as _;

use indexmap::{IndexMap, IndexSet};

use crate::domain::words::counted;
use crate::nrql::{Outcome, QueryResult, Row, Value};

/// Letters of one cell.
const CELL_LETTERS_MAX: usize = 60;
/// Bars of one line.
const BARS_MAX: usize = 120;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const BEGIN: &str = "beginTimeSeconds";
const END: &str = "endTimeSeconds";

/// The answer as text.
pub fn render(result: &QueryResult) -> String {
    let mut text = String::new();
    if result.results.is_empty() {
        text.push_str("no results\n");
    } else {
        text.push_str(&table(&result.results));
        text.push_str(&charts(&result.results));
    }
    if let Some(Outcome::One(row)) = &result.other_result {
        let _ = writeln!(text, "other: {}", members(row));
    }
    if let Some(Outcome::One(row)) = &result.total_result {
        let _ = writeln!(text, "total: {}", members(row));
    }
    for message in &result.metadata.messages {
        let _ = writeln!(text, "note: {message}");
    }
    let window = &result.metadata.time_window;
    let rows = result.results.len();
    let _ = writeln!(
        text,
        "{}, {} inspected, {} to {}",
        counted(rows, "row"),
        counted(result.inspected_count, "event"),
        instant(window.begin.0),
        instant(window.end.0),
    );
    text
}

fn members(row: &Row) -> String {
    let one = |(key, value): (_, &Value)| format!("{key} {}", plain(value));
    row.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The columns of rows: those that repeat another are left out.
fn columns(rows: &[Row]) -> Vec<String> {
    let names: IndexSet<&str> = rows.iter().flat_map(|row| row.keys().map(AsRef::as_ref)).collect();
    let repeats = |name: &str| {
        name == END
            || (name == "facet"
                && names.get_index(1).is_some_and(|second| {
                    rows.iter().all(|row| row.get("facet") == row.get(*second))
                }))
    };
    names.iter().filter(|name| !repeats(name)).map(|name| (*name).to_owned()).collect()
}

fn table(rows: &[Row]) -> String {
    let names = columns(rows);
    let mut lines: Vec<Vec<(String, bool)>> = Vec::with_capacity(rows.len() + 1);
    lines.push(
        names.iter().map(|name| (cut(if name == BEGIN { "begin" } else { name }), false)).collect(),
    );
    for row in rows {
        lines.push(names.iter().map(|name| cell(name, row.get(name.as_str()))).collect());
    }
    let mut widths = vec![0; names.len()];
    let mut right = vec![false; names.len()];
    for line in &lines {
        for (at, (cell, is_number)) in line.iter().enumerate() {
            widths[at] = widths[at].max(cell.chars().count());
            right[at] |= is_number;
        }
    }
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let mut written = String::new();
        for (at, (cell, _)) in line.iter().enumerate() {
            let width = widths[at];
            let _ = if right[at] {
                write!(written, "{cell:>width$}  ")
            } else {
                write!(written, "{cell:<width$}  ")
            };
        }
        text.push_str(written.trim_end());
        text.push('\n');
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            text.push_str(&rules.join("  "));
            text.push('\n');
        }
    }
    text
}

/// The text of a cell, and whether it is a number.
fn cell(name: &str, value: Option<&Value>) -> (String, bool) {
    let Some(value) = value else { return (String::new(), false) };
    let number = match value {
        Value::Integer(number) => Some(*number),
        #[expect(clippy::cast_possible_truncation, reason = "instants of stored events")]
        Value::Number(number) => Some(*number as i64),
        _ => None,
    };
    match (name, number) {
        (BEGIN, Some(seconds)) => (instant(seconds.saturating_mul(1_000)), false),
        ("timestamp", Some(millis)) => (instant(millis), false),
        _ => (cut(&plain(value)), number.is_some()),
    }
}

/// An instant as people write it, in UTC.
fn instant(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map_or_else(|_| millis.to_string(), |at| at.to_string())
}

/// A value in one line.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => decimal(*number),
        Value::Text(text) => {
            text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
        }
        Value::List(members) => members.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Map(members) => {
            let one = |(key, value): (_, &Value)| format!("{key}: {}", plain(value));
            members.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Value::Metric(metric) => {
            format!("{} of {}", metric.kind.name(), decimal(metric.scalar()))
        }
    }
}

/// At most four decimals where there are whole digits, else four significant ones.
fn decimal(number: f64) -> String {
    let text = if number != 0.0 && number.abs() < 0.001 {
        return format!("{number:.4e}");
    } else {
        format!("{number:.4}")
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CELL_LETTERS_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(CELL_LETTERS_MAX - 1).collect();
    format!("{kept}…")
}

/// A line of bars for every value of every facet of a series.
fn charts(rows: &[Row]) -> String {
    if rows.len() < 2 || !rows.iter().all(|row| row.contains_key(BEGIN)) {
        return String::new();
    }
    let mut series: IndexMap<String, Vec<Option<f64>>> = IndexMap::new();
    for row in rows {
        let of: Vec<String> =
            ["comparison", "facet"].iter().filter_map(|name| row.get(*name).map(plain)).collect();
        for (key, value) in row {
            let known = [BEGIN, END, "facet", "comparison"].contains(&&**key);
            let number = match value {
                Value::Map(members) => members.first().and_then(|(_, first)| first.as_f64()),
                Value::Null => None,
                Value::Integer(_) | Value::Number(_) => value.as_f64(),
                _ => continue,
            };
            if !known {
                let name = [of.join(" "), key.to_string()].join(" ");
                series.entry(name.trim().to_owned()).or_default().push(number);
            }
        }
    }
    series.retain(|_, values| values.len() > 1 && values.iter().any(Option::is_some));
    let width = series.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let width = width.min(CELL_LETTERS_MAX);
    let mut text = String::new();
    for (name, values) in &series {
        let (least, most) = bounds(values);
        let name = cut(name);
        let bars = sparkline(values);
        let _ = writeln!(text, "{name:<width$}  {bars}  {} to {}", decimal(least), decimal(most));
    }
    if text.is_empty() { text } else { format!("\n{text}\n") }
}

fn bounds(values: &[Option<f64>]) -> (f64, f64) {
    let known = values.iter().flatten();
    known.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
        (least.min(*value), most.max(*value))
    })
}

/// One bar for each value, or for each few; a gap where there is none.
pub fn sparkline(values: &[Option<f64>]) -> String {
    let (least, most) = bounds(values);
    // Values above zero are seen from zero, so that small changes look small.
    let floor = if least > 0.0 { 0.0 } else { least };
    let each = values.len().div_ceil(BARS_MAX).max(1);
    let bar = |few: &[Option<f64>]| {
        let Some(value) = few.iter().flatten().copied().reduce(f64::max) else { return ' ' };
        let share = if most > floor { (value - floor) / (most - floor) } else { 0.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 7"
        )]
        let place = (share * 7.0).round().clamp(0.0, 7.0) as usize;
        BARS[place]
    };
    values.chunks(each).map(bar).collect()
}

/// The answer as comma-separated values, a header first. Source: RFC 4180.
pub fn csv(result: &QueryResult) -> String {
    let names: IndexSet<&str> =
        result.results.iter().flat_map(|row| row.keys().map(AsRef::as_ref)).collect();
    let mut text = names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",") + "\n";
    for row in &result.results {
        let cells = names.iter().map(|name| match row.get(*name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::Number(number)) => number.to_string(),
            Some(value) => quoted(&plain(value)),
        });
        text.push_str(&cells.collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_the_shape() {
        let check = |values: &[Option<f64>], expected: &str| {
            assert_eq!(sparkline(values), expected, "{values:?}");
        };
        check(&[Some(0.0), Some(7.0), None, Some(3.5)], "▁█ ▅");
        check(&[Some(5.0), Some(5.0)], "██");
        check(&[Some(0.0), Some(0.0)], "▁▁");
        check(&[Some(-1.0), Some(1.0)], "▁█");
        check(&[None, None], "  ");
        let many: Vec<Option<f64>> = (0..366).map(|at| Some(f64::from(at))).collect();
        assert_eq!(sparkline(&many).chars().count(), 92);
    }

    #[test]
    fn cells_are_one_short_line() {
        assert_eq!(plain(&Value::text("a\nb")), "a b");
        assert_eq!(cut(&"x".repeat(70)).chars().count(), CELL_LETTERS_MAX);
        for (number, expected) in
            [(0.0, "0"), (1.5, "1.5"), (1.0 / 3.0, "0.3333"), (2e-7, "2.0000e-7"), (1e6, "1000000")]
        {
            assert_eq!(decimal(number), expected);
        }
    }

    #[test]
    fn commas_and_quotes_are_quoted() {
        let row: Row = [("a,b", Value::text("say \"x\"")), ("n", Value::Number(0.1))]
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect();
        let result = QueryResult { results: vec![row], ..QueryResult::default() };
        assert_eq!(csv(&result), "\"a,b\",n\n\"say \"\"x\"\"\",0.1\n");
    }
}
