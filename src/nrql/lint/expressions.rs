//! Expressions: functions, labels, operators.

use std::collections::BTreeSet;

use super::functions::{WRAPPERS, function, nearest};
use super::walk::{self, Place};
use super::{Report, aggregates};
use crate::nrql::ast::{Argument, ArgumentValue, Expr, ExprKind, Operator, Query};
use crate::nrql::parse::is_reserved;

pub(super) fn check(query: &Query, report: &mut Report) {
    walk::roots(query, &mut |root, place| {
        match place {
            Place::Where => no_aggregates(root, report),
            Place::Binding if walk::has_aggregate(root) => report.add(
                "aggregate-in-with",
                root.span,
                format!("WITH names values of single rows and cannot name {root}"),
                "nest the query: FROM (SELECT … AS 'x' FROM … FACET …) SELECT x",
            ),
            _ => {}
        }
        walk::each(root, &mut |expr| one(expr, report));
    });
    select(query, report);
    labels(query, report);
    bindings(query, report);
}

fn no_aggregates(root: &Expr, report: &mut Report) {
    walk::each(root, &mut |expr| {
        if walk::is_aggregate(expr) {
            report.add(
                "aggregate-in-where",
                expr.span,
                format!("WHERE looks at single rows and cannot know {expr}"),
                "nest the query: FROM (SELECT … AS 'x' FROM … FACET …) SELECT … WHERE x > 1",
            );
        }
    });
}

fn one(expr: &Expr, report: &mut Report) {
    match &expr.kind {
        ExprKind::Call { name, arguments } => call(expr, name, arguments, report),
        ExprKind::Attribute { name, quoted: false } => reserved(expr, name, report),
        ExprKind::Binary { operator: Operator::Power, left, right } => report.add(
            "undocumented-operator",
            expr.span,
            "NRQL documents no operator for powers",
            format!("write pow({left}, {right})"),
        ),
        ExprKind::Binary { operator: Operator::Divide | Operator::Remainder, right, .. }
            if is_zero(right) =>
        {
            report.add("division-by-zero", right.span, "a division by zero has no value", "");
        }
        _ => {}
    }
}

fn is_zero(expr: &Expr) -> bool {
    match expr.kind {
        ExprKind::Integer(number) => number == 0,
        ExprKind::Number(number) => number.abs() < f64::MIN_POSITIVE,
        _ => false,
    }
}

fn reserved(expr: &Expr, name: &str, report: &mut Report) {
    if name.contains("{{") {
        return;
    }
    let Some(word) = name.split('.').find(|part| is_reserved(part)) else { return };
    report.add(
        "reserved-word",
        expr.span,
        format!("`{word}` is a reserved word of NRQL"),
        format!("write `{name}` in back-quotes"),
    );
}

fn call(expr: &Expr, name: &str, arguments: &[Argument], report: &mut Report) {
    if report.is_full() {
        return;
    }
    let Some((_, least, most)) = function(name) else {
        let help = nearest(name).map(|near| format!("did you mean {near}?"));
        let message = format!("Unknown function {name}()");
        report.add("unknown-function", expr.span, message, help.unwrap_or_default());
        return;
    };
    let templated = arguments.iter().any(|argument| {
        matches!(&argument.value, ArgumentValue::Expr(Expr { kind: ExprKind::Template(_), .. }))
    });
    // Named arguments are options, as in `average(a, exclusiveTime: true)`.
    let count = arguments.len();
    let named = arguments.iter().filter(|argument| argument.name.is_some()).count();
    if (count < least || count - named > most) && !templated {
        let wanted = match (least, most) {
            (least, usize::MAX) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        let message = format!("{name}() takes {wanted} arguments, not {count}");
        report.add("wrong-arguments", expr.span, message, usage(name));
    }
    let plain = name.to_ascii_lowercase();
    let where_follows = arguments.iter().any(|a| matches!(a.value, ArgumentValue::Where(_)));
    if ["filter", "percentage"].contains(&plain.as_str()) && !where_follows && !templated {
        let message = format!("{name}() needs a condition");
        report.add("wrong-arguments", expr.span, message, usage(name));
    }
    if walk::is_aggregate(expr) {
        nested(expr, &plain, report);
    }
}

fn usage(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "filter" => "write filter(count(*), WHERE condition)",
        "percentage" => "write percentage(count(*), WHERE condition)",
        "rate" => "write rate(count(*), 1 minute)",
        "funnel" => "write funnel(attribute, WHERE step AS 'a', WHERE step AS 'b')",
        "if" => "write if(condition, a, b)",
        "count" => "write count(*)",
        "cdfpercentage" => "write cdfPercentage(attribute, 0.5, 1)",
        "predictlinear" => "write predictLinear(attribute, 1 hour)",
        "apdex" => "write apdex(attribute, t: 0.5)",
        "histogram" => "write histogram(attribute, width: 10, buckets: 20)",
        _ => "",
    }
}

fn nested(outer: &Expr, plain: &str, report: &mut Report) {
    let first = walk::first_argument(outer);
    walk::children(outer, &mut |child| {
        let wraps = WRAPPERS.contains(&plain) && first.is_some_and(|f| std::ptr::eq(f, child));
        if wraps || !walk::has_aggregate(child) {
            return;
        }
        report.add(
            "nested-aggregate",
            child.span,
            format!("{plain}() takes single rows and cannot take {child}"),
            "nest the query: FROM (SELECT … AS 'x' FROM … FACET …) SELECT …(x)",
        );
    });
}

/// Aggregates beside single attributes.
fn select(query: &Query, report: &mut Report) {
    if !aggregates(query) {
        return;
    }
    let bound: BTreeSet<&str> =
        query.bindings.iter().flat_map(|b| &b.names).map(|name| name.text.as_str()).collect();
    for item in &query.select {
        let single = match &item.expr.kind {
            ExprKind::Star => true,
            ExprKind::Attribute { name, .. } => {
                !name.contains("{{") && !bound.contains(name.as_str())
            }
            _ => false,
        };
        if single {
            report.add(
                "mixed-select",
                item.expr.span,
                format!("{} is of single rows, beside aggregates of many", item.expr),
                format!("write latest({}) or FACET {}", item.expr, item.expr),
            );
        }
    }
}

fn labels(query: &Query, report: &mut Report) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for item in &query.select {
        if let Some(alias) = &item.alias
            && !named.insert(alias.text.as_str())
        {
            let message = format!("another result is called '{}' too", alias.text);
            report.add("duplicate-label", alias.span, message, "choose another label");
        }
        if !seen.insert(item.expr.to_string()) {
            report.add(
                "identical-series",
                item.expr.span,
                format!("{} is selected twice: both series are always equal", item.expr),
                "use filter(…, WHERE …) to tell them apart, or select it once",
            );
        }
        let arithmetic = match &item.expr.kind {
            ExprKind::Binary { operator, .. } => *operator >= Operator::Add,
            ExprKind::Negate(_) => true,
            _ => false,
        };
        if arithmetic && item.alias.is_none() {
            report.add(
                "missing-alias",
                item.expr.span,
                "arithmetic without a label: nothing says how its result is called",
                "add AS 'label'",
            );
        }
    }
}

fn bindings(query: &Query, report: &mut Report) {
    if query.bindings.is_empty() {
        return;
    }
    let mut read: BTreeSet<&str> = BTreeSet::new();
    walk::roots(query, &mut |root, _| {
        walk::each(root, &mut |expr| {
            if let ExprKind::Attribute { name, .. } = &expr.kind {
                read.insert(name);
            }
        });
    });
    for name in query.bindings.iter().flat_map(|binding| &binding.names) {
        if !read.contains(name.text.as_str()) {
            let message = format!("nothing reads {}", name.text);
            report.add("unused-binding", name.span, message, "remove it from WITH");
        }
    }
}
