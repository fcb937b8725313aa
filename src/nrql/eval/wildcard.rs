//! `average(host.%.percent)`: all attributes whose names fit, as one.
//!
//! Source: "Query the Metric data type", wildcards. Assumed: values of a row come from the first
//! name that it has, by alphabet, so that an aggregate sees all metrics that fit; only SELECT and
//! WHERE know wildcards, and those of sub-queries in conditions do not.
//!
//! Invariants: a query without wildcards is left as it is; at most [`NAMES_MAX`] names are read,
//! and the tree grows by the logarithm of that.

use std::collections::BTreeSet;

use super::super::ast::{Expr, ExprKind, From, Name, Operator, Query};
use super::super::error::NrqlError;
use super::super::lex;
use super::{QueryContext, limits, rewrite, shape};

/// Attributes that one wildcard may stand for.
const NAMES_MAX: usize = 500;

/// `query` with the names in place of its wildcards; `None` when it has none.
///
/// # Errors
/// More than [`NAMES_MAX`] names that fit.
pub(super) fn expand(
    text: &str,
    query: &Query,
    context: &QueryContext<'_>,
) -> Result<Option<Query>, NrqlError> {
    let inner = match &query.from {
        From::Query(inner) => expand(text, inner, context)?,
        _ => None,
    };
    let own = query.select.iter().map(|item| &item.expr).chain(&query.filter);
    let has_own = own.clone().any(|expr| rewrite::any(expr, &is_wildcard));
    if inner.is_none() && !has_own {
        return Ok(None);
    }
    let mut expanded = query.clone();
    if let Some(inner) = inner {
        expanded.from = From::Query(Box::new(inner));
    }
    if has_own {
        let known = names(query, context);
        for item in &mut expanded.select {
            if rewrite::any(&item.expr, &is_wildcard) {
                // The answer is called as it was asked for, not by what was found.
                let key = shape::item_key(item, text);
                item.expr = replaced(&item.expr, &known)?;
                let span = item.expr.span;
                item.alias.get_or_insert_with(|| Name { text: key.to_string(), span });
            }
        }
        let filter = expanded.filter.as_ref().map(|filter| replaced(filter, &known));
        expanded.filter = filter.transpose()?;
    }
    Ok(Some(expanded))
}

fn is_wildcard(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Attribute { name, quoted: false } if lex::is_wildcard(name))
}

/// Names of all attributes that the query could read.
fn names(query: &Query, context: &QueryContext<'_>) -> BTreeSet<String> {
    let From::EventTypes(types) = &query.from else { return BTreeSet::new() };
    let mut names = BTreeSet::new();
    for account in context.accounts {
        for one in types {
            let known = context.store.attributes(*account, &one.text);
            names.extend(known.keys().map(|name| name.to_string()));
        }
    }
    names
}

fn replaced(expr: &Expr, known: &BTreeSet<String>) -> Result<Expr, NrqlError> {
    let ExprKind::Attribute { name, .. } = &expr.kind else {
        return rewrite::map_children(expr, &mut |child| replaced(child, known));
    };
    if !is_wildcard(expr) {
        return Ok(expr.clone());
    }
    let found: Vec<&str> =
        known.iter().map(String::as_str).filter(|known| fits(known, name)).collect();
    if found.len() > NAMES_MAX {
        let what = format!("Too many attributes: {name} fits {}", found.len());
        return Err(limits::limit(what, "write more of the name beside %"));
    }
    Ok(first_of(&found, expr))
}

/// `a OR b OR …`: the first that is there; of no names the wildcard itself, which no row has.
fn first_of(names: &[&str], wildcard: &Expr) -> Expr {
    let span = wildcard.span;
    let kind = match names {
        [] => return wildcard.clone(),
        [name] => ExprKind::Attribute { name: (*name).to_owned(), quoted: true },
        _ => {
            let (left, right) = names.split_at(names.len() / 2);
            ExprKind::Binary {
                operator: Operator::Or,
                left: Box::new(first_of(left, wildcard)),
                right: Box::new(first_of(right, wildcard)),
            }
        }
    };
    Expr { kind, span }
}

/// Whether `name` is `pattern` with any text in place of each `%`.
fn fits(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('%');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let middle: Vec<&str> = parts.collect();
    let Some((last, middle)) = middle.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_with_any_text_in_place_of_percent() {
        let check = |name: &str, pattern: &str, expected: bool| {
            assert_eq!(fits(name, pattern), expected, "{name} {pattern}");
        };
        check("http.server.duration", "%.server%duration", true);
        check("http.server.request.duration", "%.server%duration", true);
        check("http.client.duration", "%.server%duration", false);
        check("server.duration", "%.server%duration", false);
        check("host.cpu.percent", "host.%.percent", true);
        check("host.percent", "host.%.percent", false);
        check("my.host.cpu.percent", "host.%.percent", false);
        check("queue.", "queue.%", true);
        check("aa", "%a.%a", false);
    }
}
