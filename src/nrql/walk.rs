//! Expressions below an expression.
//!
//! Invariant: sub-queries are not entered; they have names and aggregates of their own.

use super::ast::{ArgumentValue, Expr, ExprKind, InSet};

/// Calls `f` with `expr` and everything below it, parents first.
pub fn each<'a>(expr: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    f(expr);
    children(expr, &mut |child| each(child, f));
}

/// Calls `f` with the expressions right below `expr`.
pub fn children<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
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
