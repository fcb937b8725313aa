//! Keys and rows of results.
//!
//! Source: newrelic.md 4.4. Assumed, each in a function of its own: the key of an expression that
//! has no alias ([`computed_key`]).

use std::sync::Arc;

use super::super::ast::{ArgumentValue, Expr, ExprKind, FacetBy, Query, SelectItem};
use super::super::legacy::Content;
use super::super::print::expression_text;
use super::super::result::{Metadata, Outcome, QueryResult, Row};
use super::super::value::Value;
use super::aggregate;
use super::answer::Line;
use super::engine::Aggregated;
use super::plan::{Item, Plan};

/// The name of the facet that CASES makes.
pub(super) const CASES: &str = "cases";

/// The key of an item: its alias, `function.attribute`, the attribute, or its text.
pub(super) fn item_key(item: &SelectItem, text: &str) -> Arc<str> {
    if let Some(alias) = &item.alias {
        return Arc::from(alias.text.as_str());
    }
    match &item.expr.kind {
        ExprKind::Attribute { name, .. } => Arc::from(name.as_str()),
        ExprKind::Call { name, .. } => {
            call_key(name, &item.expr).unwrap_or_else(|| computed_key(&item.expr, text))
        }
        _ => computed_key(&item.expr, text),
    }
}

/// The name that an inner query's item has besides its key: that of its function.
pub(super) fn short_key(item: &SelectItem) -> Option<Arc<str>> {
    match &item.expr.kind {
        ExprKind::Call { name, .. } if item.alias.is_none() && aggregate::is_aggregate(name) => {
            Some(Arc::from(aggregate::canonical(name).unwrap_or(name)))
        }
        _ => None,
    }
}

/// `average.a`, `count`; `None` for calls whose key is their text.
fn call_key(name: &str, expr: &Expr) -> Option<Arc<str>> {
    let ExprKind::Call { arguments, .. } = &expr.kind else { return None };
    if !aggregate::is_aggregate(name) {
        return None;
    }
    let name = aggregate::canonical(name).unwrap_or(name);
    match arguments.first().map(|argument| &argument.value) {
        None => Some(Arc::from(name)),
        Some(ArgumentValue::Expr(first)) => match &first.kind {
            ExprKind::Star => Some(Arc::from(name)),
            ExprKind::Attribute { name: attribute, .. } => {
                Some(Arc::from(format!("{name}.{attribute}")))
            }
            _ => None,
        },
        Some(_) => None,
    }
}

/// The key of an expression without an alias: its text as written. Assumed.
fn computed_key(expr: &Expr, text: &str) -> Arc<str> {
    Arc::from(expression_text(text, expr).trim())
}

/// The answer of an aggregated query. Source: newrelic.md 3.4 and 4.4.
pub(super) fn aggregated(table: Aggregated, query: &Query, metadata: Metadata) -> QueryResult {
    let Aggregated { plan, lines, previous, series, .. } = table;
    let plan = &plan;
    let facet = Faceted::of(query);
    let rows = |lines: &[Line], facet: Faceted, comparison: Option<&str>| -> Vec<Row> {
        lines.iter().map(|line| row(plan, line, facet, series, comparison)).collect()
    };
    let outcome = |lines: &[Line]| {
        let mut rows = rows(lines, Faceted::No, None);
        if series { Some(Outcome::Many(rows)) } else { rows.pop().map(Outcome::One) }
    };
    let mut result = QueryResult { metadata, ..QueryResult::default() };
    result.metadata.contents = contents(plan, query);
    if facet != Faceted::No {
        result.other_result = outcome(&lines.other);
        result.total_result = outcome(&lines.total);
        result.unknown_group = outcome(&lines.unknown);
        result.metadata.facets =
            Some(plan.facet_names.iter().map(|name| name.to_string()).collect());
    }
    let Some(previous) = previous else {
        result.results = rows(&lines.lines, facet, None);
        return result;
    };
    let current = rows(&lines.lines, facet, Some("current"));
    let previous = rows(&previous.lines, facet, Some("previous"));
    result.results = current.iter().chain(&previous).cloned().collect();
    result.current_results = Some(current);
    result.previous_results = Some(previous);
    result
}

/// What the values are, for the old form of answers.
fn contents(plan: &Plan, query: &Query) -> Vec<Content> {
    let describe = |(item, planned): (&SelectItem, &Item)| {
        let (function, attribute) = match &item.expr.kind {
            ExprKind::Call { name, arguments } if aggregate::is_aggregate(name) => {
                let attribute = match arguments.first().map(|argument| &argument.value) {
                    Some(ArgumentValue::Expr(expr)) => match &expr.kind {
                        ExprKind::Attribute { name, .. } => Some(name.clone()),
                        _ => None,
                    },
                    _ => None,
                };
                (Some(aggregate::canonical(name).unwrap_or(name).to_owned()), attribute)
            }
            _ => (None, None),
        };
        let alias = item.alias.as_ref().map(|alias| alias.text.clone());
        Content { key: Arc::clone(&planned.key), function, attribute, alias }
    };
    query.select.iter().zip(&plan.items).map(describe).collect()
}

/// How a line shows its facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Faceted {
    /// It has none.
    No,
    /// `facet` alone, one value.
    Case,
    /// `facet`, and the attribute.
    One,
    /// `facet` as a list.
    Several,
}

impl Faceted {
    fn of(query: &Query) -> Self {
        match query.facet.as_ref().map(|facet| &facet.by) {
            None => Self::No,
            Some(FacetBy::Cases(_)) => Self::Case,
            Some(FacetBy::Items(items)) if items.len() == 1 => Self::One,
            Some(FacetBy::Items(_)) => Self::Several,
        }
    }
}

fn row(plan: &Plan, line: &Line, facet: Faceted, series: bool, comparison: Option<&str>) -> Row {
    let mut row = Row::new();
    match (facet, line.facet.first()) {
        (Faceted::Several, Some(_)) => {
            row.insert(Arc::from("facet"), Value::List(line.facet.clone()));
        }
        (Faceted::Case | Faceted::One, Some(value)) => {
            row.insert(Arc::from("facet"), value.clone());
            if facet == Faceted::One
                && let Some(name) = plan.facet_names.first()
            {
                row.insert(Arc::clone(name), value.clone());
            }
        }
        _ => {}
    }
    if series {
        let (begin, end) = line.bounds;
        row.insert(Arc::from("beginTimeSeconds"), Value::Integer(begin.div_euclid(1_000)));
        row.insert(Arc::from("endTimeSeconds"), Value::Integer(end.div_euclid(1_000)));
    }
    if let Some(comparison) = comparison {
        row.insert(Arc::from("comparison"), Value::text(comparison));
    }
    for (item, value) in plan.items.iter().zip(&line.values) {
        match (row.get_mut(&item.key), value) {
            // percentile(a, 50), percentile(a, 95): one key, and nothing lost.
            (Some(Value::Map(known)), Value::Map(more)) if plan.is_percentile(&item.shape) => {
                known.extend(more.clone());
            }
            _ => {
                row.insert(Arc::clone(&item.key), value.clone());
            }
        }
    }
    row
}
