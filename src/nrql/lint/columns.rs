//! Names: event types and attributes that nobody sends, and what is done to the known ones.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::{self, Place};
use super::{AttributeKind, Catalogue, Report};
use crate::domain::words::nearest_few;
use crate::nrql::ast::{Expr, ExprKind, From, Name, Operator, Query};
use crate::nrql::lex;

/// Attributes that New Relic puts on events itself.
const EVERYWHERE: &[&str] = &[
    "timestamp",
    "accountId",
    "entityGuid",
    "entityName",
    "entity.guid",
    "entity.name",
    "entity.type",
    "eventType",
    "appId",
    "appName",
    "newrelic.source",
    "messageId",
];

/// Beginnings of attributes that users and New Relic name freely.
const FREE: &[&str] = &["tags.", "label.", "nr.", "newrelic."];

/// Most names that are offered for one that nobody sends.
const NEAR_MAX: usize = 3;

/// Names and kinds that a query can read.
type Known<'a> = BTreeMap<&'a str, AttributeKind>;

pub(super) fn check(query: &Query, catalogue: Option<&Catalogue>, report: &mut Report) {
    let Some(catalogue) = catalogue else { return };
    let From::EventTypes(names) = &query.from else { return };
    for name in names {
        event_type(name, catalogue, report);
    }
    let Some(known) = known(names, catalogue) else { return };
    let bound: BTreeSet<&str> =
        query.bindings.iter().flat_map(|b| &b.names).map(|name| name.text.as_str()).collect();
    let labels: BTreeSet<&str> = query
        .select
        .iter()
        .filter_map(|item| item.alias.as_ref())
        .map(|a| a.text.as_str())
        .collect();
    walk::roots(query, &mut |root, place| {
        each_read(root, &mut |expr, name| {
            let visible = bound.contains(name) || place == Place::Order && labels.contains(name);
            if query.joins.is_empty() && !visible {
                attribute(expr, name, &known, names, report);
            }
        });
        walk::each(root, &mut |expr| {
            sums(expr, &known, report);
            compared(expr, &known, report);
        });
    });
}

fn event_type(name: &Name, catalogue: &Catalogue, report: &mut Report) {
    if catalogue.event_types.contains_key(&name.text) || name.text.contains("{{") {
        return;
    }
    if report.is_full() {
        return;
    }
    let near = nearest_few(&name.text, catalogue.event_types.keys().map(String::as_str), NEAR_MAX);
    if !catalogue.complete && near.is_empty() {
        return;
    }
    let message = format!("nobody sends events of type {}", name.text);
    report.add("unknown-event-type", name.span, message, did_you_mean(&near));
}

fn did_you_mean(near: &[&str]) -> String {
    match near {
        [] => String::new(),
        [only] => format!("did you mean {only}?"),
        [first @ .., last] => format!("did you mean {} or {last}?", first.join(", ")),
    }
}

/// The attributes of all of `names`, if all are known.
fn known<'a>(names: &[Name], catalogue: &'a Catalogue) -> Option<Known<'a>> {
    if names.is_empty() {
        return None;
    }
    let mut known = Known::new();
    for name in names {
        let attributes = catalogue.event_types.get(&name.text)?;
        for (attribute, kind) in attributes {
            let entry = known.entry(attribute.as_str()).or_insert(*kind);
            if *entry != *kind {
                *entry = AttributeKind::Unknown;
            }
        }
    }
    Some(known)
}

/// Calls `f` with every attribute that `root` reads. What stands in `metric[field]` is no name of
/// an attribute, nor is the second argument of getField().
fn each_read<'a>(root: &'a Expr, f: &mut dyn FnMut(&'a Expr, &'a str)) {
    match &root.kind {
        ExprKind::Attribute { name, .. } => f(root, name),
        ExprKind::Index { operand, .. } => each_read(operand, f),
        ExprKind::Call { name, .. } if name.eq_ignore_ascii_case("getField") => {
            if let Some(first) = walk::first_argument(root) {
                each_read(first, f);
            }
        }
        _ => walk::children(root, &mut |child| each_read(child, f)),
    }
}

fn attribute(expr: &Expr, name: &str, known: &Known<'_>, from: &[Name], report: &mut Report) {
    if report.is_full() {
        return;
    }
    let free = FREE.iter().any(|beginning| name.starts_with(beginning));
    let is_pattern = name.contains("{{") || lex::is_wildcard(name);
    if known.contains_key(name) || EVERYWHERE.contains(&name) || free || is_pattern {
        return;
    }
    let near = nearest_few(name, known.keys().copied(), NEAR_MAX);
    let types: Vec<&str> = from.iter().map(|name| name.text.as_str()).collect();
    let message = format!("no event of type {} has {name}", types.join(" or "));
    report.add("unknown-attribute", expr.span, message, did_you_mean(&near));
}

fn sums(expr: &Expr, known: &Known<'_>, report: &mut Report) {
    if walk::called(expr).as_deref() != Some("sum") {
        return;
    }
    let Some(argument) = walk::first_argument(expr) else { return };
    let ExprKind::Attribute { name, .. } = &argument.kind else { return };
    if known.get(name.as_str()) != Some(&AttributeKind::Gauge) {
        return;
    }
    report.add(
        "sum-of-gauge",
        expr.span,
        format!("{name} is a level: its sum grows with the number of reports in the window"),
        format!(
            "write FROM (SELECT latest({argument}) AS 'x' FROM … FACET entityGuid LIMIT MAX) \
             SELECT sum(x), or average({argument})"
        ),
    );
}

/// Texts beside numbers: such a comparison never holds.
fn compared(expr: &Expr, known: &Known<'_>, report: &mut Report) {
    let ExprKind::Binary { operator, left, right } = &expr.kind else { return };
    if *operator < Operator::Equal || *operator > Operator::GreaterOrEqual {
        return;
    }
    let ExprKind::Attribute { name, .. } = &left.kind else { return };
    let Some(numeric) = known.get(name.as_str()).and_then(|kind| kind.is_numeric()) else { return };
    let wrong = match &right.kind {
        ExprKind::Text(text) => numeric && !text.contains("{{"),
        ExprKind::Integer(_) | ExprKind::Number(_) => !numeric,
        _ => false,
    };
    if wrong {
        let (is, other) = if numeric { ("a number", "a text") } else { ("a text", "a number") };
        let help = if numeric {
            format!("write {right} without quotes")
        } else {
            format!("write '{right}', or numeric({left})")
        };
        let message = format!("{name} is {is} and never equals {other}");
        report.add("type-mismatch", expr.span, message, help);
    }
}
