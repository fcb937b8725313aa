//! Clauses: what they may hold and which go together.

use super::walk::{self, Role};
use super::{Catalogue, Report, aggregates};
use crate::domain::units::UnixMillis;
use crate::nrql::ast::{
    BucketWidth, Expr, ExprKind, FacetBy, InSet, Limit, Query, TimeExpr, TimeKind,
};
use crate::nrql::error::Span;
use crate::nrql::time::{self, Edge, Zone};

/// Most facets or rows. Source: "NRQL reference", LIMIT clause.
const LIMIT_MAX: u64 = 5_000;
/// Most buckets. Source: "NRQL reference", TIMESERIES clause.
const BUCKETS_MAX: i64 = 366;
/// Most sub-queries. Source: "Subqueries in NRQL".
const SUB_QUERIES_MAX: usize = 3;
/// Some instant to count windows from: lengths are the same at any, save for clock changes.
const ANY_TIME: UnixMillis = UnixMillis(1_702_902_896_789);
/// Functions that choose and order facets by their value. Source: "NRQL reference", FACET clause.
const ORDERING: &[&str] = &["min", "max", "average", "percentile", "count", "median"];

pub(super) fn check(query: &Query, role: Role, catalogue: Option<&Catalogue>, report: &mut Report) {
    times(query.since.as_ref(), query.until.as_ref(), query.timezone.as_deref(), report);
    role_clauses(query, role, report);
    facet_of(query, catalogue, report);
    limit(query, role, report);
    order(query, report);
    buckets(query, report);
    slide(query, report);
    if let Some(compare) = &query.compare_with
        && query.since.is_none()
        && query.until.is_none()
        && role == Role::Outer
    {
        report.add(
            "compare-without-window",
            compare.span,
            "COMPARE WITH needs a window to compare",
            "add SINCE 1 hour ago, or what is meant",
        );
    }
}

/// Texts and zones that say no time, and windows that end before they begin.
pub(super) fn times(
    since: Option<&TimeExpr>,
    until: Option<&TimeExpr>,
    timezone: Option<&str>,
    report: &mut Report,
) {
    let span = since.or(until).map_or_else(Span::default, |expr| expr.span);
    let templated = |text: &str| text.contains("{{");
    let zone = match timezone {
        Some(name) if !templated(name) => match Zone::named(name) {
            Ok(zone) => zone,
            Err(error) => {
                report.add("invalid-time", span, error.message, error.help.unwrap_or_default());
                return;
            }
        },
        _ => Zone::utc(),
    };
    for (expr, edge) in [(since, Edge::Begin), (until, Edge::End)] {
        let Some(expr) = expr else { continue };
        let filled = match &expr.kind {
            TimeKind::Text(text) => !templated(text),
            TimeKind::At { time, .. } => !templated(time),
            TimeKind::Template(_) => false,
            _ => true,
        };
        if !filled {
            return;
        }
        if let Err(error) = time::resolve(expr, ANY_TIME, &zone, edge) {
            report.add("invalid-time", expr.span, error.message, error.help.unwrap_or_default());
            return;
        }
        if let TimeKind::Epoch(number) = expr.kind
            && (0..100_000_000_000).contains(&number)
        {
            let message =
                format!("{number} reads as seconds; times are documented in milliseconds");
            report.add("ambiguous-time", expr.span, message, format!("write {number}000"));
        }
    }
    if let Err(error) = time::window_of(since, until, &zone, ANY_TIME)
        && since.is_none_or(is_steady)
        && until.is_none_or(is_steady)
    {
        let span = error.span.unwrap_or(span);
        report.add("window-backwards", span, error.message, error.help.unwrap_or_default());
    }
}

/// Whether an expression stands in the same relation to others at any time.
fn is_steady(expr: &TimeExpr) -> bool {
    matches!(expr.kind, TimeKind::Now | TimeKind::Ago(_) | TimeKind::Epoch(_))
        || matches!(&expr.kind, TimeKind::Text(text) if text.len() >= 10)
}

fn role_clauses(query: &Query, role: Role, report: &mut Report) {
    if role == Role::Source {
        let clauses = [
            ("SINCE", query.since.as_ref().map(|expr| expr.span)),
            ("UNTIL", query.until.as_ref().map(|expr| expr.span)),
            ("COMPARE WITH", query.compare_with.as_ref().map(|compare| compare.span)),
        ];
        for (clause, span) in clauses {
            let Some(span) = span else { continue };
            report.add(
                "clause-in-inner-query",
                span,
                format!("{clause} belongs to the outermost query, where it is valid for all"),
                format!("move {clause} behind the last parenthesis"),
            );
        }
    }
    if matches!(role, Role::Value | Role::Join) {
        let clauses = [
            ("TIMESERIES", query.timeseries.as_ref().map(|series| series.span)),
            ("COMPARE WITH", query.compare_with.as_ref().map(|compare| compare.span)),
        ];
        for (clause, span) in clauses {
            let Some(span) = span else { continue };
            let message = format!("a sub-query takes no {clause}");
            report.add("sub-query-clause", span, message, format!("remove {clause}"));
        }
    }
    let star = query.select.iter().find(|item| item.expr.kind == ExprKind::Star);
    if let (Role::Join, Some(star)) = (role, star) {
        let message = "a joined query names what it selects";
        report.add("join-star", star.expr.span, message, "write the attributes that are needed");
    }
    let inner_facets = query.facet.is_some() && query.limit.is_none() && query.timeseries.is_none();
    if matches!(role, Role::Source | Role::Join) && inner_facets {
        report.add(
            "inner-facet-limit",
            query.span,
            "the inner FACET keeps ten facets; the outer query sees no others",
            "write LIMIT MAX inside the parentheses",
        );
    }
}

fn facet_of(query: &Query, catalogue: Option<&Catalogue>, report: &mut Report) {
    let aggregated = aggregates(query);
    if !aggregated && !query.select.iter().any(|item| is_template(&item.expr)) {
        let span = query.timeseries.as_ref().map(|series| series.span).or_else(|| {
            query.facet.as_ref().map(|facet| match &facet.by {
                FacetBy::Items(items) => items.first().map_or(query.span, |item| item.expr.span),
                FacetBy::Cases(_) => query.span,
            })
        });
        if let Some(span) = span {
            report.add(
                "facet-on-rows",
                span,
                "FACET and TIMESERIES are not supported on events.",
                "select an aggregate, as in count(*) or latest(attribute)",
            );
        }
        return;
    }
    let Some(facet) = &query.facet else { return };
    if facet.order.as_ref().is_some_and(|order| order.descending) {
        report.add(
            "facet-order-direction",
            facet.order.as_ref().map_or(query.span, |order| order.expr.span),
            "FACET … ORDER BY always takes the greatest first",
            "remove DESC",
        );
    }
    let cases = matches!(facet.by, FacetBy::Cases(_));
    if facet.order.is_some() || cases || query.limit == Some(Limit::Max) {
        return;
    }
    let Some(first) = query.select.first() else { return };
    facet_choice(&first.expr, catalogue, report);
}

/// Says so where the first item does not choose facets by its value.
fn facet_choice(first: &Expr, catalogue: Option<&Catalogue>, report: &mut Report) {
    let Some(leading) = leading_aggregate(first) else { return };
    let name = walk::called(leading).unwrap_or_default();
    let message = format!("{name}() comes first, so facets are chosen by how often they occur");
    let texts = ["latest", "earliest", "uniques"].contains(&name.as_str());
    if texts && !reads_number(leading, catalogue) {
        report.add(
            "facet-order-of-text",
            first.span,
            message,
            "put the number that matters first, write FACET … ORDER BY max(…), or LIMIT MAX",
        );
    } else if !ORDERING.contains(&name.as_str()) {
        let help = format!("write FACET … ORDER BY {first} if the greatest are meant");
        report.add("facet-frequency", first.span, message, help);
    }
}

/// Whether the catalogue knows the first argument as a number.
fn reads_number(call: &Expr, catalogue: Option<&Catalogue>) -> bool {
    let (Some(catalogue), Some(argument)) = (catalogue, walk::first_argument(call)) else {
        return false;
    };
    let ExprKind::Attribute { name, .. } = &argument.kind else { return false };
    let mut kinds = catalogue.event_types.values().filter_map(|attributes| attributes.get(name));
    kinds.any(|kind| kind.is_numeric() == Some(true))
}

fn is_template(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Template(_))
}

/// The aggregate that an item begins with, within arithmetic and scalar functions.
fn leading_aggregate(expr: &Expr) -> Option<&Expr> {
    let mut found = None;
    walk::each(expr, &mut |inner| {
        if found.is_none() && walk::is_aggregate(inner) {
            found = Some(inner);
        }
    });
    found
}

fn limit(query: &Query, role: Role, report: &mut Report) {
    let Some(limit) = &query.limit else { return };
    if let Limit::Rows(rows) = limit
        && *rows > LIMIT_MAX
    {
        report.add(
            "limit-above-maximum",
            query.span,
            format!("LIMIT {rows} is above the maximum of {LIMIT_MAX}"),
            "write LIMIT MAX",
        );
    }
    let one_row = aggregates(query) && query.facet.is_none() && role == Role::Outer;
    let many =
        query.select.iter().any(|item| walk::called(&item.expr).as_deref() == Some("uniques"));
    if one_row && !many && !query.select.iter().any(|item| is_template(&item.expr)) {
        report.add(
            "limit-without-effect",
            query.span,
            "LIMIT counts facets or rows; aggregates without FACET give one row",
            "remove LIMIT, or add FACET",
        );
    }
}

fn order(query: &Query, report: &mut Report) {
    let Some(first) = query.order.first() else { return };
    let beside = match (&query.timeseries, &query.facet) {
        (Some(_), _) => "TIMESERIES",
        (None, Some(_)) => "FACET",
        (None, None) => return,
    };
    report.add(
        "order-with-timeseries",
        first.expr.span,
        format!("ORDER BY sorts rows of events, which a query with {beside} does not give"),
        "write ORDER BY right behind FACET to say which facets are chosen",
    );
}

fn buckets(query: &Query, report: &mut Report) {
    let Some(series) = &query.timeseries else { return };
    let step = series.slide_by.as_ref().unwrap_or(&series.width);
    let BucketWidth::Fixed(amount) = step else { return };
    let zone = Zone::utc();
    let width = time::amount_ms(*amount);
    let known = |expr: &Option<TimeExpr>| expr.as_ref().is_none_or(is_steady);
    if width <= 0 {
        report.add("too-many-buckets", series.span, "a bucket needs a width", "");
        return;
    }
    if !known(&query.since) || !known(&query.until) {
        return;
    }
    let window = time::window_of(query.since.as_ref(), query.until.as_ref(), &zone, ANY_TIME);
    let Ok(window) = window else { return };
    let count = window.end.millis_since(window.begin).div_euclid(width);
    if count > BUCKETS_MAX {
        report.add(
            "too-many-buckets",
            series.span,
            format!("{count} buckets of {amount}, at most {BUCKETS_MAX} are allowed"),
            "write wider buckets, a shorter window, or TIMESERIES MAX",
        );
    }
}

/// Source: "NRQL reference", SLIDE BY clause.
fn slide(query: &Query, report: &mut Report) {
    let Some(series) = &query.timeseries else { return };
    match (&series.width, &series.slide_by) {
        (BucketWidth::Auto | BucketWidth::Max, Some(_)) => report.add(
            "slide-by-width",
            series.span,
            "SLIDE BY needs a window of a fixed width",
            "write TIMESERIES 5 minutes SLIDE BY 1 minute",
        ),
        (BucketWidth::Fixed(width), Some(BucketWidth::Fixed(step)))
            if time::amount_ms(*step) > time::amount_ms(*width) =>
        {
            report.add(
                "slide-gap",
                series.span,
                format!("steps of {step} leave gaps between windows of {width}"),
                "write a step that is at most as wide as the window",
            );
        }
        _ => {}
    }
}

/// Sub-queries in conditions and values; those of FROM and JOIN do not count.
pub(super) fn sub_queries(outer: &Query, report: &mut Report) {
    let mut spans = Vec::new();
    walk::queries(outer, &mut |query, _| {
        walk::roots(query, &mut |root, _| {
            walk::each(root, &mut |expr| match &expr.kind {
                ExprKind::Subquery(_) | ExprKind::In { set: InSet::Query(_), .. } => {
                    spans.push(expr.span);
                }
                _ => {}
            });
        });
    });
    if let Some(span) = spans.get(SUB_QUERIES_MAX) {
        report.add(
            "too-many-sub-queries",
            *span,
            format!("{} sub-queries, at most {SUB_QUERIES_MAX} are allowed", spans.len()),
            "nest the query, or join",
        );
    }
}
