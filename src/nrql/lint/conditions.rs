//! Conditions that do not say what they seem to.

use super::Report;
use super::walk::{self, Place};
use crate::nrql::ast::{ArgumentValue, Expr, ExprKind, Operator, Query};

pub(super) fn check(query: &Query, report: &mut Report) {
    walk::roots(query, &mut |root, place| {
        if place == Place::Where {
            contradiction(root, report);
        }
        walk::each(root, &mut |expr| one(expr, report));
    });
    if let Some(filter) = &query.filter
        && query.since.is_none()
    {
        timestamp(filter, report);
    }
}

fn one(expr: &Expr, report: &mut Report) {
    match &expr.kind {
        ExprKind::Binary { operator, left, right }
            if *operator >= Operator::Equal && *operator <= Operator::GreaterOrEqual =>
        {
            compared(expr, *operator, left, right, report);
        }
        ExprKind::Rlike { pattern, .. } => pattern_of(pattern, true, report),
        ExprKind::Call { name, arguments } if name.eq_ignore_ascii_case("capture") => {
            if let Some(ArgumentValue::Expr(pattern)) = arguments.get(1).map(|a| &a.value) {
                pattern_of(pattern, false, report);
            }
        }
        _ => {}
    }
}

fn compared(expr: &Expr, operator: Operator, left: &Expr, right: &Expr, report: &mut Report) {
    let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
    let not = if operator == Operator::NotEqual { "NOT " } else { "" };
    for (side, other) in [(left, right), (right, left)] {
        match &side.kind {
            ExprKind::Null => report.add(
                "null-comparison",
                expr.span,
                "a comparison with NULL never holds",
                format!("write {other} IS {not}NULL"),
            ),
            ExprKind::Bool(value) if equality => {
                let word = if *value { "TRUE" } else { "FALSE" };
                report.add(
                    "boolean-comparison",
                    expr.span,
                    "truth values are asked for with IS",
                    format!("write {other} IS {not}{word}"),
                );
            }
            ExprKind::Text(text) if equality && is_pattern(text) => {
                report.add(
                    "wildcard-in-equality",
                    side.span,
                    format!("{operator} takes % literally"),
                    format!("write {other} {not}LIKE {side} if it is a wildcard"),
                );
            }
            _ => {}
        }
    }
}

/// Patterns of RE2: what the `regex` crate takes is nearly the same language.
fn pattern_of(pattern: &Expr, whole: bool, report: &mut Report) {
    let (ExprKind::Regex(text) | ExprKind::Text(text)) = &pattern.kind else { return };
    if text.contains("{{") {
        return;
    }
    if let Err(error) = regex::Regex::new(text) {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let help = if text.contains("(?=") || text.contains("(?!") || text.contains("(?<") {
            "RE2 knows no look-around: write the condition in two"
        } else {
            ""
        };
        report.add("invalid-pattern", pattern.span, format!("RE2 refuses it: {reason}"), help);
    } else if whole && (text.starts_with('^') || text.ends_with('$') && !text.ends_with("\\$")) {
        report.add(
            "anchored-pattern",
            pattern.span,
            "RLIKE matches the whole value: ^ and $ are implied",
            "remove them; write .* to match a part",
        );
    }
}

/// Members of a chain of AND.
fn members<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) {
    match &expr.kind {
        ExprKind::Binary { operator: Operator::And, left, right } => {
            members(left, found);
            members(right, found);
        }
        _ => found.push(expr),
    }
}

/// Two different texts or numbers that the same attribute shall equal.
fn contradiction(root: &Expr, report: &mut Report) {
    let mut chain = Vec::new();
    members(root, &mut chain);
    let mut equal: Vec<(&Expr, &Expr)> = Vec::new();
    for member in chain {
        let ExprKind::Binary { operator: Operator::Equal, left, right } = &member.kind else {
            continue;
        };
        let attribute = matches!(left.kind, ExprKind::Attribute { .. });
        let literal = matches!(right.kind, ExprKind::Text(_) | ExprKind::Integer(_));
        if !attribute || !literal {
            continue;
        }
        if let Some((_, other)) =
            equal.iter().find(|(known, value)| *known == &**left && *value != &**right)
        {
            report.add(
                "contradiction",
                member.span,
                format!("{left} cannot equal {other} and {right} at once"),
                format!("write OR, or {left} IN ({other}, {right})"),
            );
        }
        equal.push((left, right));
    }
}

fn timestamp(filter: &Expr, report: &mut Report) {
    let mut chain = Vec::new();
    members(filter, &mut chain);
    for member in chain {
        let ExprKind::Binary { operator, left, .. } = &member.kind else { continue };
        let named = matches!(&left.kind, ExprKind::Attribute { name, .. } if name == "timestamp");
        if named && *operator > Operator::NotEqual && *operator <= Operator::GreaterOrEqual {
            report.add(
                "timestamp-filter",
                member.span,
                "without SINCE only the last hour is read, whatever WHERE says",
                "write SINCE and UNTIL",
            );
        }
    }
}

/// Whether a text looks as if its `%` stood for anything; one alone is a unit.
fn is_pattern(text: &str) -> bool {
    text.contains('%') && text.len() > 1 && !text.contains("{{")
}
