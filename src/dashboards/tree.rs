//! Ways through the queries of widgets.

use crate::nrql::ast::{Expr, ExprKind, FacetBy, From, InSet, Operator, Query, Statement};
use crate::nrql::walk;

/// The queries of a text that read events themselves: the innermost ones of FROM ( ) and JOIN ( ).
pub(super) fn readers(statement: &Statement) -> Vec<&Query> {
    let mut found = Vec::new();
    if let Statement::Select(query) = statement {
        collect(query, &mut found);
    }
    found
}

fn collect<'a>(query: &'a Query, found: &mut Vec<&'a Query>) {
    match &query.from {
        From::Query(inner) => collect(inner, found),
        From::EventTypes(_) | From::Lookup(_) => found.push(query),
    }
    query.joins.iter().for_each(|join| collect(&join.query, found));
}

/// The parts of a condition that all have to hold.
pub(super) fn conjuncts(filter: &Expr) -> Vec<&Expr> {
    match &filter.kind {
        ExprKind::Binary { operator: Operator::And, left, right } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        _ => vec![filter],
    }
}

/// Calls `f` with the name of every attribute that `expr` reads; sub-queries are left out.
pub(super) fn attributes<'a>(expr: &'a Expr, f: &mut dyn FnMut(&'a str)) {
    walk::each(expr, &mut |inner| {
        if let ExprKind::Attribute { name, .. } = &inner.kind {
            f(name);
        }
    });
}

/// The names that a condition, and everything below it, reads; once each, in order.
pub(super) fn attribute_names(expr: &Expr) -> Vec<&str> {
    let mut names = Vec::new();
    attributes(expr, &mut |name| {
        if !names.contains(&name) {
            names.push(name);
        }
    });
    names
}

/// What `query` selects and divides by: expressions that must have values for an answer to show.
pub(super) fn shown(query: &Query) -> Vec<&Expr> {
    let mut all: Vec<&Expr> = query.select.iter().map(|item| &item.expr).collect();
    if let Some(FacetBy::Items(items)) = query.facet.as_ref().map(|facet| &facet.by) {
        all.extend(items.iter().map(|item| &item.expr));
    }
    all
}

/// The text that an attribute is compared with by `name = 'text'`, or the texts of `name IN (…)`,
/// among the parts of a condition that all have to hold.
pub(super) fn required_text<'a>(query: &'a Query, attribute: &str) -> Option<&'a str> {
    let is =
        |expr: &Expr| matches!(&expr.kind, ExprKind::Attribute { name, .. } if name == attribute);
    let text = |expr: &'a Expr| match &expr.kind {
        ExprKind::Text(text) => Some(text.as_str()),
        _ => None,
    };
    conjuncts(query.filter.as_ref()?).into_iter().find_map(|part| match &part.kind {
        ExprKind::Binary { operator: Operator::Equal, left, right } if is(left) => text(right),
        ExprKind::Binary { operator: Operator::Equal, left, right } if is(right) => text(left),
        ExprKind::In { negated: false, operand, set: InSet::Values(values) } if is(operand) => {
            match values.as_slice() {
                [only] => text(only),
                _ => None,
            }
        }
        _ => None,
    })
}
