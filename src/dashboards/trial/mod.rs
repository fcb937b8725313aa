//! A trial: every query of a dashboard, asked of stored events.
//!
//! A widget passes when it shows something. Zero is something where the data are zero, and nothing
//! where the query removes all rows or reads what nobody sends.
//!
//! Invariants:
//! - Whatever does not show has a cause: the condition that removes all rows, the attribute or
//!   event type that is never there, the error.
//! - Nothing is asked but of the given [`Answers`]; the trial depends on them and the dashboard.

mod cause;
mod fill;
mod series;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::model::{Chart, Dashboard, Visualization, Widget};
use crate::nrql::ast::Statement;
use crate::nrql::{NrqlError, QueryResult, Row, Value, parse};

pub use cause::{CAUSES, Cause};

/// Who answers queries.
pub type Answers<'a> = dyn Fn(&str) -> Result<QueryResult, NrqlError> + 'a;

/// A widget that does not show what it promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its page; `None` for variables.
    pub page: Option<String>,
    /// Its title, or the name of the variable.
    pub widget: String,
    /// Where: a JSON pointer from the dashboard.
    pub pointer: String,
    /// Why.
    pub cause: Cause,
    /// The query as it was asked.
    pub query: String,
}

/// What a trial found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trial {
    /// Widgets with queries that were tried.
    pub widgets: usize,
    /// Queries that were asked.
    pub queries: usize,
    /// What does not show, in the order of the dashboard.
    pub faults: Vec<Fault>,
    /// Pages and titles of widgets that show 0 and nothing else, as the data are 0.
    pub zeros: Vec<(String, String)>,
}

/// Tries every widget of `dashboard`.
pub fn try_out(dashboard: &Dashboard, answers: &Answers<'_>) -> Trial {
    let (values, mut faults) = fill::values(dashboard, answers);
    let mut trial = Trial::default();
    for (page_number, page) in dashboard.pages.iter().enumerate() {
        for (number, widget) in page.widgets.iter().enumerate() {
            let Some(chart) = widget.chart() else { continue };
            let pointer = format!("/pages/{page_number}/widgets/{number}");
            trial.widgets += 1;
            trial.queries += chart.queries.len();
            let (found, zero) = widget_faults(widget, chart, &values, answers);
            if zero && found.is_empty() {
                trial.zeros.push((page.name.clone(), widget.title.clone()));
            }
            faults.extend(found.into_iter().map(|(query, cause, text)| Fault {
                page: Some(page.name.clone()),
                widget: widget.title.clone(),
                pointer: format!("{pointer}/rawConfiguration/nrqlQueries/{query}/query"),
                cause,
                query: text,
            }));
        }
    }
    Trial { faults, ..trial }
}

/// What each variable of `dashboard` is replaced by, as users see it first.
pub fn chosen(dashboard: &Dashboard, answers: &Answers<'_>) -> BTreeMap<String, String> {
    fill::values(dashboard, answers).0
}

/// Causes by number of the query, with its text as asked; and whether all that it shows is 0.
fn widget_faults(
    widget: &Widget,
    chart: &Chart,
    values: &BTreeMap<String, String>,
    answers: &Answers<'_>,
) -> (Vec<(usize, Cause, String)>, bool) {
    let mut faults = Vec::new();
    let mut results = Vec::new();
    let mut zeros = 0;
    for (number, query) in chart.queries.iter().enumerate() {
        let text = fill::filled(&query.text, values);
        match ask(&text, answers) {
            Ok((_, result)) if is_shown(&result) == Shown::Something => {
                results.push((number, result))
            }
            Ok((statement, result)) => {
                let shown = is_shown(&result);
                if let Some(cause) = cause::find(&statement, shown, answers) {
                    faults.push((number, cause, text));
                } else {
                    zeros += 1;
                    results.push((number, result));
                }
            }
            Err(error) => faults.push((number, Cause::Error(error.to_string()), text)),
        }
    }
    if widget.visualization.is_over_time() || widget.visualization == Visualization::Bar {
        let text = |number: usize| fill::filled(&chart.queries[number].text, values);
        let equal = series::equal(&results);
        faults.extend(equal.map(|(number, cause)| (number, cause, text(number))));
    }
    (faults, zeros > 0 && zeros == chart.queries.len())
}

fn ask(text: &str, answers: &Answers<'_>) -> Result<(Statement, QueryResult), NrqlError> {
    let statement = parse(text)?;
    let result = answers(text)?;
    Ok((statement, result))
}

/// How much an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// No row, or nulls alone.
    Nothing,
    /// Zeros alone.
    Zeros,
    /// Something else.
    Something,
}

/// Keys of rows that say where a value belongs, not what it is.
const PLACES: [&str; 6] =
    ["facet", "beginTimeSeconds", "endTimeSeconds", "comparison", "timestamp", "inspectedCount"];

/// The rows of the present window.
pub(super) fn rows(result: &QueryResult) -> &[Row] {
    result.current_results.as_deref().unwrap_or(&result.results)
}

/// Values of a row, without those that say where they belong.
pub(super) fn values<'a>(
    result: &'a QueryResult,
    row: &'a Row,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let facets = result.metadata.facets.as_deref().unwrap_or_default();
    row.iter()
        .map(|(key, value)| (&**key, value))
        .filter(move |(key, _)| !PLACES.contains(key) && !facets.iter().any(|name| name == key))
}

fn is_shown(result: &QueryResult) -> Shown {
    let all = rows(result).iter().flat_map(|row| values(result, row));
    all.map(|(_, value)| weight(value)).max_by_key(|shown| *shown as u8).unwrap_or(Shown::Nothing)
}

fn weight(value: &Value) -> Shown {
    match value {
        Value::Null => Shown::Nothing,
        Value::Number(number) if *number == 0.0 => Shown::Zeros,
        Value::Integer(0) => Shown::Zeros,
        Value::List(members) => heaviest(members.iter()),
        Value::Map(members) => heaviest(members.values()),
        _ => Shown::Something,
    }
}

fn heaviest<'a>(values: impl Iterator<Item = &'a Value>) -> Shown {
    values.map(weight).max_by_key(|shown| *shown as u8).unwrap_or(Shown::Nothing)
}
