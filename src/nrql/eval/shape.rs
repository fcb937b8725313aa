//! Keys of results.
//!
//! Source: newrelic.md 4.4. Assumed, each in a function of its own: the key of an expression that
//! has no alias ([`computed_key`]).

use std::sync::Arc;

use super::super::ast::{ArgumentValue, Expr, ExprKind, SelectItem};
use super::super::print::expression_text;
use super::aggregate;

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
            Some(Arc::from(name.as_str()))
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
