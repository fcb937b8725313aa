//! Walks over expressions: one that rebuilds, one that looks.
//!
//! Invariant: every child of every kind of expression is visited here and nowhere else, so that a
//! new kind cannot be forgotten in one of many walks.

use super::super::ast::{Argument, ArgumentValue, Case, Expr, ExprKind, InSet};
use super::super::error::NrqlError;

/// `expr` with each direct child replaced by what `f` makes of it. Sub-queries stay.
pub(super) fn map_children(
    expr: &Expr,
    f: &mut dyn FnMut(&Expr) -> Result<Expr, NrqlError>,
) -> Result<Expr, NrqlError> {
    let mut boxed = |child: &Expr| f(child).map(Box::new);
    let kind = match &expr.kind {
        ExprKind::Negate(child) => ExprKind::Negate(boxed(child)?),
        ExprKind::Not(child) => ExprKind::Not(boxed(child)?),
        ExprKind::Binary { operator, left, right } => {
            ExprKind::Binary { operator: *operator, left: boxed(left)?, right: boxed(right)? }
        }
        ExprKind::In { negated, operand, set } => ExprKind::In {
            negated: *negated,
            operand: boxed(operand)?,
            set: match set {
                InSet::Query(query) => InSet::Query(query.clone()),
                InSet::Values(values) => {
                    InSet::Values(values.iter().map(f).collect::<Result<_, _>>()?)
                }
            },
        },
        ExprKind::Like { negated, operand, pattern } => {
            ExprKind::Like { negated: *negated, operand: boxed(operand)?, pattern: boxed(pattern)? }
        }
        ExprKind::Rlike { negated, operand, pattern } => ExprKind::Rlike {
            negated: *negated,
            operand: boxed(operand)?,
            pattern: boxed(pattern)?,
        },
        ExprKind::Is { negated, operand, state } => {
            ExprKind::Is { negated: *negated, operand: boxed(operand)?, state: *state }
        }
        ExprKind::Index { operand, index } => {
            ExprKind::Index { operand: boxed(operand)?, index: boxed(index)? }
        }
        ExprKind::List(members) => ExprKind::List(members.iter().map(f).collect::<Result<_, _>>()?),
        ExprKind::Call { name, arguments } => ExprKind::Call {
            name: name.clone(),
            arguments: arguments
                .iter()
                .map(|argument| map_argument(argument, f))
                .collect::<Result<_, _>>()?,
        },
        leaf => leaf.clone(),
    };
    Ok(Expr { kind, span: expr.span })
}

fn map_argument(
    argument: &Argument,
    f: &mut dyn FnMut(&Expr) -> Result<Expr, NrqlError>,
) -> Result<Argument, NrqlError> {
    let value = match &argument.value {
        ArgumentValue::Expr(expr) => ArgumentValue::Expr(f(expr)?),
        ArgumentValue::Where(case) => {
            ArgumentValue::Where(Case { condition: f(&case.condition)?, label: case.label.clone() })
        }
        other => other.clone(),
    };
    Ok(Argument { name: argument.name.clone(), value })
}

/// Calls `f` on `expr` and everything below it, parents first. Sub-queries are not entered.
pub(super) fn visit(expr: &Expr, f: &mut dyn FnMut(&Expr)) {
    f(expr);
    children(expr, &mut |child| visit(child, f));
}

/// Calls `f` on each direct child of `expr`. Sub-queries are not entered.
pub(super) fn children<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    match &expr.kind {
        ExprKind::Negate(child) | ExprKind::Not(child) => f(child),
        ExprKind::Is { operand, .. } => f(operand),
        ExprKind::Binary { left, right, .. } => {
            f(left);
            f(right);
        }
        ExprKind::Like { operand, pattern, .. } | ExprKind::Rlike { operand, pattern, .. } => {
            f(operand);
            f(pattern);
        }
        ExprKind::In { operand, set, .. } => {
            f(operand);
            if let InSet::Values(values) = set {
                values.iter().for_each(f);
            }
        }
        ExprKind::Index { operand, index } => {
            f(operand);
            f(index);
        }
        ExprKind::List(members) => members.iter().for_each(f),
        ExprKind::Call { arguments, .. } => {
            for argument in arguments {
                match &argument.value {
                    ArgumentValue::Expr(expr) | ArgumentValue::Other(expr) => f(expr),
                    ArgumentValue::Where(case) => f(&case.condition),
                    ArgumentValue::Amount(_) => {}
                }
            }
        }
        ExprKind::Star
        | ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Integer(_)
        | ExprKind::Number(_)
        | ExprKind::Text(_)
        | ExprKind::Regex(_)
        | ExprKind::Attribute { .. }
        | ExprKind::Template(_)
        | ExprKind::Subquery(_) => {}
    }
}

/// The names of the attributes that `expr` reads.
pub(super) fn attributes(expr: &Expr, into: &mut std::collections::BTreeSet<String>) {
    visit(expr, &mut |expr| {
        if let ExprKind::Attribute { name, .. } = &expr.kind {
            into.insert(name.clone());
        }
    });
}

/// Whether `test` holds for `expr` or anything below it.
pub(super) fn any(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    visit(expr, &mut |expr| found = found || test(expr));
    found
}
