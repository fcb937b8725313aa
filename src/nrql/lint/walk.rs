//! Ways through a tree. Trees are bounded in height by the parser, so recursion is.

use super::functions::{FunctionKind, function};
use crate::nrql::ast::{ArgumentValue, Expr, ExprKind, FacetBy, From, InSet, Query};
pub(super) use crate::nrql::walk::{children, each};

/// What a query is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The whole text.
    Outer,
    /// Inside FROM ( ).
    Source,
    /// Inside JOIN ( ).
    Join,
    /// A value or a set.
    Value,
}

/// Where an expression of a query stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Select,
    Where,
    Facet,
    Order,
    Binding,
    Key,
}

/// Calls `f` with `outer` and every query in it.
pub(super) fn queries<'a>(outer: &'a Query, f: &mut dyn FnMut(&'a Query, Role)) {
    inner_queries(outer, Role::Outer, f);
}

fn inner_queries<'a>(query: &'a Query, role: Role, f: &mut dyn FnMut(&'a Query, Role)) {
    f(query, role);
    if let From::Query(inner) = &query.from {
        inner_queries(inner, Role::Source, f);
    }
    for join in &query.joins {
        inner_queries(&join.query, Role::Join, f);
    }
    roots(query, &mut |root, _| {
        each(root, &mut |expr| {
            if let Some(inner) = sub_query(expr) {
                inner_queries(inner, Role::Value, f);
            }
        });
    });
}

/// The query that `expr` itself is or looks into.
pub(super) fn sub_query(expr: &Expr) -> Option<&Query> {
    match &expr.kind {
        ExprKind::Subquery(inner) => Some(inner),
        ExprKind::In { set: InSet::Query(inner), .. } => Some(inner),
        _ => None,
    }
}

/// Calls `f` with the expressions that stand in `query` itself, in the order of the tree.
pub(super) fn roots<'a>(query: &'a Query, f: &mut dyn FnMut(&'a Expr, Place)) {
    for item in &query.select {
        f(&item.expr, Place::Select);
    }
    for join in &query.joins {
        if let Some(left) = &join.left_key {
            f(left, Place::Key);
        }
    }
    for binding in &query.bindings {
        f(&binding.expr, Place::Binding);
    }
    if let Some(filter) = &query.filter {
        f(filter, Place::Where);
    }
    if let Some(facet) = &query.facet {
        match &facet.by {
            FacetBy::Items(items) => items.iter().for_each(|item| f(&item.expr, Place::Facet)),
            FacetBy::Cases(cases) => {
                cases.branches.iter().for_each(|case| f(&case.condition, Place::Where));
                if let Some(other) = &cases.other {
                    f(other, Place::Facet);
                }
            }
        }
        if let Some(order) = &facet.order {
            f(&order.expr, Place::Order);
        }
    }
    for order in &query.order {
        f(&order.expr, Place::Order);
    }
}

/// Whether `expr` itself is a call of an aggregate.
pub(super) fn is_aggregate(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call { name, .. } => {
            function(name).is_some_and(|(kind, ..)| kind == FunctionKind::Aggregate)
        }
        _ => false,
    }
}

/// Whether `expr` holds a call of an aggregate.
pub(super) fn has_aggregate(expr: &Expr) -> bool {
    let mut found = false;
    each(expr, &mut |inner| found |= is_aggregate(inner));
    found
}

/// The name of the function that `expr` calls, in lower case.
pub(super) fn called(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Call { name, .. } => Some(name.to_ascii_lowercase()),
        _ => None,
    }
}

/// The first argument of a call.
pub(super) fn first_argument(expr: &Expr) -> Option<&Expr> {
    let ExprKind::Call { arguments, .. } = &expr.kind else { return None };
    match &arguments.first()?.value {
        ArgumentValue::Expr(inner) => Some(inner),
        _ => None,
    }
}
