//! What queries ask.

use super::vocabulary::{catalogue, kinds_with, metric};
use super::{Report, Spot, each_widget};
use crate::dashboards::model::{Chart, Dashboard, VariableKind, Visualization, Widget};
use crate::dashboards::tree;
use crate::domain::entity::EntityKind;
use crate::domain::metric::Unit;
use crate::nrql::ast::{ArgumentValue, Expr, ExprKind, From, Query, Statement};
use crate::nrql::lint::{Catalogue, Severity, lint};
use crate::nrql::{line_column, parse};

pub(super) fn check(dashboard: &Dashboard, report: &mut Report) {
    let catalogue = catalogue();
    each_widget(dashboard, &mut |widget, spot| {
        let Some(chart) = widget.chart() else { return };
        for (number, query) in chart.queries.iter().enumerate() {
            let spot = spot.below(&format!("rawConfiguration/nrqlQueries/{number}/query"));
            text(&query.text, &catalogue, &spot, report);
        }
        together(widget, chart, spot, report);
    });
    for (number, variable) in dashboard.variables.iter().enumerate() {
        if let VariableKind::Nrql(query) = &variable.kind {
            let spot = Spot {
                widget: Some(format!("variable {}", variable.name)),
                pointer: format!("/variables/{number}/nrqlQuery/query"),
                page: None,
            };
            text(&query.text, &catalogue, &spot, report);
        }
    }
}

fn text(text: &str, catalogue: &Catalogue, spot: &Spot, report: &mut Report) {
    if text.trim().is_empty() {
        report.error("empty-query", spot, "the query is empty", "write NRQL");
        return;
    }
    let statement = match parse(text) {
        Ok(statement) => statement,
        Err(error) => {
            let help = error.help.clone().unwrap_or_else(|| "mend the query".to_owned());
            report.error("nrql", spot, error.message, &help);
            return;
        }
    };
    for finding in lint(&statement, Some(catalogue)) {
        if finding.severity < Severity::Warning {
            continue;
        }
        // What works in New Relic and is not what is meant fails here too: nobody looks again.
        let (line, column) = line_column(text, &finding.span);
        let place = if line == 1 {
            format!("position {column}")
        } else {
            format!("line {line}, position {column}")
        };
        let message = format!("{} ({place})", finding.message);
        report.error(finding.code, spot, message, &finding.help.unwrap_or_default());
    }
    for reader in tree::readers(&statement) {
        foreign(reader, spot, report);
    }
}

/// Metrics of one kind of entity, asked of another.
fn foreign(query: &Query, spot: &Spot, report: &mut Report) {
    let kind = kind_of(query);
    let Some(kind) = kind else { return };
    let mut told: Vec<&str> = Vec::new();
    let mut see = |name| {
        let kinds = kinds_with(name);
        if !kinds.is_empty() && !kinds.contains(&kind) && !told.contains(&name) {
            told.push(name);
            let of: Vec<&str> = kinds.iter().map(|kind| kind.type_name()).collect();
            let message = format!("entities of type {} have no {name}", kind.type_name());
            let help = format!("ask {} for it", of.join(" or "));
            report.error("foreign-attribute", spot, message, &help);
        }
    };
    tree::shown(query).into_iter().for_each(|expr| tree::attributes(expr, &mut see));
    query.filter.iter().for_each(|expr| tree::attributes(expr, &mut see));
}

/// The kind that a query's condition names.
fn kind_of(query: &Query) -> Option<EntityKind> {
    EntityKind::from_type_name(tree::required_text(query, "entityType")?)
}

/// One selected value: what it is called, and its unit if that is plain to see.
struct Selected {
    query: usize,
    label: String,
    expression: String,
    unit: Option<Unit>,
}

/// What the queries of one widget are to each other.
fn together(widget: &Widget, chart: &Chart, spot: &Spot, report: &mut Report) {
    let parsed: Vec<Option<Statement>> =
        chart.queries.iter().map(|query| parse(&query.text).ok()).collect();
    let place = |number: usize| spot.below(&format!("rawConfiguration/nrqlQueries/{number}/query"));
    for (number, statement) in parsed.iter().enumerate() {
        let same =
            |(_, other): &(usize, &Option<Statement>)| other.is_some() && *other == statement;
        if let Some((first, _)) = parsed[..number].iter().enumerate().find(same) {
            let message = format!("queries {} and {} are the same", first + 1, number + 1);
            report.error("identical-queries", &place(number), message, "remove one");
        }
    }
    for (number, statement) in parsed.iter().enumerate() {
        if let Some(Statement::Select(outer)) = statement {
            shape(widget, outer, &place(number), report);
        }
    }
    if widget.visualization == Visualization::Table {
        return;
    }
    let mut selected = Vec::new();
    for (query, statement) in parsed.iter().enumerate() {
        if let Some(Statement::Select(outer)) = statement {
            selected.extend(outer.select.iter().map(|item| {
                Selected {
                    query,
                    label: item
                        .alias
                        .as_ref()
                        .map_or_else(|| item.expr.to_string(), |alias| alias.text.clone()),
                    expression: item.expr.to_string(),
                    unit: unit(&item.expr, outer),
                }
            }));
        }
    }
    let Some(first) = selected.iter().find(|one| one.unit.is_some()) else { return };
    let differs = |one: &&Selected| one.unit.is_some() && one.unit != first.unit;
    if let Some(other) = selected.iter().find(differs) {
        let words = |one: &Selected| {
            let unit = one.unit.map_or("", Unit::as_str);
            let what = if one.label == one.expression { &one.expression } else { &one.label };
            format!("{what} ({unit})")
        };
        let message = format!("{} and {} share an axis", words(first), words(other));
        report.error("mixed-units", &place(other.query), message, "give each unit a widget");
    }
}

/// Whether the answer has the shape that the visualization draws.
fn shape(widget: &Widget, query: &Query, spot: &Spot, report: &mut Report) {
    let id = widget.visualization.id();
    let series = query.timeseries.is_some();
    let one_value = matches!(
        widget.visualization,
        Visualization::Pie | Visualization::Bar | Visualization::Table | Visualization::Histogram
    );
    if widget.visualization.is_over_time() && !series {
        let message = format!("{id} draws values over time, and the query gives none");
        report.error("no-time-series", spot, message, "add TIMESERIES, or draw a billboard");
    } else if one_value && series {
        let message = format!("{id} draws one value each, and the query gives many over time");
        report.error("time-series", spot, message, "remove TIMESERIES, or draw a line");
    }
    if widget.visualization == Visualization::Pie && query.facet.is_none() {
        report.error("no-facet", spot, "a pie needs parts", "add FACET, or draw a billboard");
    }
}

/// The unit of an aggregate of one attribute; `None` where it is computed further.
fn unit(expr: &Expr, query: &Query) -> Option<Unit> {
    let ExprKind::Call { name, arguments } = &expr.kind else { return None };
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "count" | "uniquecount" => return Some(Unit::Count),
        "percentage" => return Some(Unit::Percent),
        "average" | "max" | "min" | "latest" | "earliest" | "percentile" | "median" | "sum" => {}
        "filter" => {
            let ArgumentValue::Expr(inner) = &arguments.first()?.value else { return None };
            return unit(inner, query);
        }
        _ => return None,
    }
    let ArgumentValue::Expr(argument) = &arguments.first()?.value else { return None };
    let ExprKind::Attribute { name, .. } = &argument.kind else { return None };
    match &query.from {
        From::Query(inner) => {
            let called = |item: &&crate::nrql::ast::SelectItem| {
                item.alias.as_ref().is_some_and(|alias| alias.text == *name)
            };
            unit(&inner.select.iter().find(called)?.expr, inner)
        }
        _ => metric(kind_of(query), name).map(|metric| metric.def().unit),
    }
}

/// The metrics that the values of a query are, with the labels that they have there, where that is
/// plain to see.
pub(super) fn labelled_metrics(
    statement: &Statement,
) -> Vec<(String, crate::domain::metric::MetricId)> {
    let Statement::Select(outer) = statement else { return Vec::new() };
    let item = |item: &crate::nrql::ast::SelectItem| {
        let label = match &item.alias {
            Some(alias) => alias.text.clone(),
            None => item.expr.to_string(),
        };
        Some((label, level(&item.expr, outer)?))
    };
    outer.select.iter().filter_map(item).collect()
}

/// The metric whose level an expression is: a value within its range.
fn level(expr: &Expr, query: &Query) -> Option<crate::domain::metric::MetricId> {
    let ExprKind::Call { name, arguments } = &expr.kind else { return None };
    let name = name.to_ascii_lowercase();
    if !["average", "max", "min", "latest", "earliest", "percentile", "median", "sum"]
        .contains(&name.as_str())
    {
        return None;
    }
    let ArgumentValue::Expr(argument) = &arguments.first()?.value else { return None };
    let ExprKind::Attribute { name: attribute, .. } = &argument.kind else { return None };
    match &query.from {
        From::Query(inner) => {
            let called = |item: &&crate::nrql::ast::SelectItem| {
                item.alias.as_ref().is_some_and(|alias| alias.text == *attribute)
            };
            level(&inner.select.iter().find(called)?.expr, inner)
        }
        _ => metric(kind_of(query), attribute),
    }
}
