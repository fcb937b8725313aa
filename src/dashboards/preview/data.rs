//! Answers as what charts draw: series over time, values by name.

use crate::dashboards::trial::{rows, values};
use crate::nrql::{QueryResult, Row, Value};

/// Values over time.
pub(super) struct Series {
    pub label: String,
    /// Begin of the bucket in seconds, and the value if there is one.
    pub points: Vec<(f64, Option<f64>)>,
}

/// One value by name.
pub(super) struct Named {
    pub label: String,
    pub value: f64,
}

/// A value as text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::Text(text) => text.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::List(members) => {
            let members: Vec<String> =
                members.iter().filter(|member| !member.is_null()).map(text).collect();
            members.join(" · ")
        }
        other => other.as_f64().map(|n| super::number::short(n, None)).unwrap_or_default(),
    }
}

fn facet(row: &Row) -> Option<String> {
    row.get("facet").map(text)
}

/// A value; of percentiles the first.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Map(members) => members.values().find_map(Value::as_f64),
        other => other.as_f64(),
    }
}

/// What a value is called: its facet, its label where there are several, or both.
fn label(facet: Option<&str>, key: &str, several: bool) -> String {
    match facet {
        Some(facet) if several => format!("{facet} · {key}"),
        Some(facet) => facet.to_owned(),
        None => key.to_owned(),
    }
}

/// All series of the answers, in the order in which they are met.
pub(super) fn series(results: &[QueryResult]) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for result in results {
        for row in rows(result) {
            let Some(at) = row.get("beginTimeSeconds").and_then(Value::as_f64) else { continue };
            let facet = facet(row);
            let several = values(result, row).count() > 1;
            for (key, value) in values(result, row) {
                let label = label(facet.as_deref(), key, several);
                let point = (at, number(value));
                match all.iter_mut().find(|series| series.label == label) {
                    Some(series) => series.points.push(point),
                    None => all.push(Series { label, points: vec![point] }),
                }
            }
        }
    }
    all
}

/// All values of the answers, in their order.
pub(super) fn named(results: &[QueryResult]) -> Vec<Named> {
    let mut all = Vec::new();
    for result in results {
        for row in rows(result) {
            let facet = facet(row);
            let several = values(result, row).count() > 1;
            all.extend(values(result, row).filter_map(|(key, value)| {
                let label = label(facet.as_deref(), key, several);
                Some(Named { label, value: number(value)? })
            }));
        }
    }
    all
}

/// The same values an hour or a day before, where the query compares.
pub(super) fn previous(result: &QueryResult) -> Option<f64> {
    let row = result.previous_results.as_ref()?.first()?;
    values(result, row).find_map(|(_, value)| number(value))
}

/// Ranges of a histogram: begin and number of values.
pub(super) fn ranges(results: &[QueryResult]) -> Vec<(String, f64)> {
    let mut all = Vec::new();
    for result in results {
        for (_, value) in rows(result).iter().flat_map(|row| values(result, row)) {
            match value {
                Value::Map(members) => all.extend(
                    members.iter().map(|(k, v)| (k.to_string(), v.as_f64().unwrap_or_default())),
                ),
                Value::List(members) => all.extend(
                    members
                        .iter()
                        .enumerate()
                        .map(|(number, v)| (number.to_string(), v.as_f64().unwrap_or_default())),
                ),
                _ => {}
            }
        }
    }
    all
}

/// Heads and rows of a table; facets first.
pub(super) fn table(results: &[QueryResult]) -> (Vec<String>, Vec<Vec<Value>>) {
    let (mut heads, mut lines) = (Vec::new(), Vec::new());
    for result in results {
        let facets = result.metadata.facets.clone().unwrap_or_default();
        for row in rows(result) {
            let mut line: Vec<Value> = match row.get("facet") {
                Some(Value::List(members)) => members.clone(),
                Some(other) => vec![other.clone()],
                None => Vec::new(),
            };
            if heads.is_empty() {
                heads.extend(facets.iter().cloned());
                heads.extend(values(result, row).map(|(key, _)| key.to_owned()));
            }
            line.extend(values(result, row).map(|(_, value)| value.clone()));
            lines.push(line);
        }
    }
    (heads, lines)
}
