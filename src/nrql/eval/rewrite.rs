//! Expressions rebuilt, and what stands in them.
//!
//! Invariant: children are visited here (rebuilt) and in `nrql::walk` (looked at) and nowhere
//! else, so that a new kind of expression cannot be forgotten in one of many walks.

use super::super::ast::{Argument, ArgumentValue, Case, Expr, ExprKind, InSet};
use super::super::error::NrqlError;
use super::super::walk::each;

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

/// The names of the attributes that `expr` reads.
pub(super) fn attributes(expr: &Expr, into: &mut std::collections::BTreeSet<String>) {
    each(expr, &mut |expr| {
        if let ExprKind::Attribute { name, .. } = &expr.kind {
            into.insert(name.clone());
        }
    });
}

/// Whether `test` holds for `expr` or anything below it.
pub(super) fn any(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    each(expr, &mut |expr| found = found || test(expr));
    found
}
