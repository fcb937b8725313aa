//! A second evaluator, naive and obviously right, that tests hold the engine against.
//!
//! Row by row over maps, every facet and bucket filtered anew; nothing is shared with the engine
//! but the tree and the values. It knows the part of NRQL that random queries are made of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use crate::nrql::ast::{
    Argument, ArgumentValue, BucketWidth, Expr, ExprKind, FacetBy, From, InSet, IsState, Limit,
    Operator, Query,
};
use crate::nrql::time;
use crate::nrql::value::Value;

/// An event: its time, and its attributes in arrival order of the whole list.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// In milliseconds.
    pub time: i64,
    /// By name; nothing is null here.
    pub attributes: BTreeMap<String, Value>,
}

type Window = (i64, i64);

/// What one query answers: rows, and of all facets together.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    /// As in `results`.
    pub results: Vec<Json>,
    /// As in `totalResult`.
    pub total: Json,
    /// As in `otherResult`.
    pub other: Json,
}

/// One group's values before they are put into a row.
struct Group {
    facet: Vec<Value>,
    rows: Vec<Event>,
}

/// Answers `query` over `events`, which arrived in this order.
pub(super) fn answer(query: &Query, events: &[Event], now: i64) -> Answer {
    let ago = |time: Option<&crate::nrql::ast::TimeExpr>, default: i64| match time {
        Some(time) => {
            time::resolve(
                time,
                crate::domain::units::UnixMillis(now),
                &time::Zone::utc(),
                time::Edge::End,
            )
            .expect("a time")
            .0
        }
        None => default,
    };
    let until = ago(query.until.as_ref(), now);
    let since = ago(query.since.as_ref(), now - 3_600_000);
    let mut present = table(query, events, (since, until), None);
    let Some(compare) = &query.compare_with else { return present };
    let back = time::amount_ms(compare.amount);
    let shown = facets_shown(query, events, (since, until));
    let previous = table(query, events, (since - back, until - back), Some(&shown));
    for row in &mut present.results {
        row["comparison"] = json!("current");
    }
    present.results.extend(previous.results.into_iter().map(|mut row| {
        row["comparison"] = json!("previous");
        row
    }));
    present
}

/// The rows that a query reads in `window`.
fn source(query: &Query, events: &[Event], window: Window) -> Vec<Event> {
    let mut rows: Vec<Event> = match &query.from {
        From::EventTypes(_) => {
            let inside = |event: &&Event| (window.0..window.1).contains(&event.time);
            events.iter().filter(inside).cloned().collect()
        }
        From::Query(inner) => inner_rows(inner, events, window),
        From::Lookup(_) => Vec::new(),
    };
    rows.sort_by_key(|event| event.time);
    rows.into_iter()
        .filter(|event| query.filter.as_ref().is_none_or(|filter| holds(filter, event)))
        .collect()
}

fn inner_rows(inner: &Query, events: &[Event], window: Window) -> Vec<Event> {
    let mut rows = Vec::new();
    let window = snapped(inner, window);
    for group in shown(inner, events, window, None) {
        for bounds in buckets(inner, window) {
            let in_bucket = within(inner, &group.rows, bounds);
            let mut attributes = BTreeMap::new();
            for (name, value) in facet_names(inner).into_iter().zip(&group.facet) {
                attributes.insert(name, value.clone());
            }
            for item in &inner.select {
                let alias = item.alias.as_ref().expect("random queries name everything");
                let value = aggregate(&item.expr, &in_bucket, bounds);
                attributes.insert(alias.text.clone(), value);
            }
            attributes.retain(|_, value| *value != Value::Null);
            rows.push(Event { time: bounds.0, attributes });
        }
    }
    rows
}

fn table(query: &Query, events: &[Event], window: Window, fixed: Option<&[Vec<Value>]>) -> Answer {
    let is_raw = !query.select.iter().any(|item| super::plan::has_aggregate(&item.expr));
    if is_raw {
        let results = raw(query, source(query, events, window));
        return Answer { results, total: Json::Null, other: Json::Null };
    }
    let window = snapped(query, window);
    let groups = shown(query, events, window, fixed);
    let mut results = Vec::new();
    for group in &groups {
        results.extend(lines(query, &group.rows, Some(&group.facet), window));
    }
    let (mut total, mut other) = (Json::Null, Json::Null);
    if query.facet.is_some() {
        let all = source(query, events, window);
        let hidden: Vec<Event> = all
            .iter()
            .filter(|event| match facet_of(query, event) {
                None => false,
                Some(facet) => !groups.iter().any(|group| same(&group.facet, &facet)),
            })
            .cloned()
            .collect();
        let outcome = |rows: &[Event]| {
            let mut rows = lines(query, rows, None, window);
            if query.timeseries.is_some() { Json::Array(rows) } else { rows.remove(0) }
        };
        total = outcome(&all);
        other = outcome(&hidden);
    }
    Answer { results, total, other }
}

/// Whether two facets are one: numbers count by value.
fn same(one: &[Value], other: &[Value]) -> bool {
    one.iter().map(sortable).eq(other.iter().map(sortable))
}

fn lines(query: &Query, rows: &[Event], facet: Option<&[Value]>, window: Window) -> Vec<Json> {
    let line = |bounds: Window| {
        let in_bucket = within(query, rows, bounds);
        let mut row = Map::new();
        if let (Some(values), Some(by)) = (facet, &query.facet) {
            let shown: Vec<Json> = values.iter().map(super::result_json).collect();
            match &by.by {
                FacetBy::Items(items) if items.len() == 1 => {
                    row.insert("facet".to_owned(), shown[0].clone());
                    row.insert(facet_names(query)[0].clone(), shown[0].clone());
                }
                FacetBy::Items(_) => {
                    row.insert("facet".to_owned(), Json::Array(shown));
                }
                FacetBy::Cases(_) => {
                    row.insert("facet".to_owned(), shown[0].clone());
                }
            }
        }
        if query.timeseries.is_some() {
            row.insert("beginTimeSeconds".to_owned(), json!(bounds.0.div_euclid(1_000)));
            row.insert("endTimeSeconds".to_owned(), json!(bounds.1.div_euclid(1_000)));
        }
        for item in &query.select {
            let alias = item.alias.as_ref().expect("random queries name everything");
            let value = aggregate(&item.expr, &in_bucket, bounds);
            row.insert(alias.text.clone(), super::result_json(&value));
        }
        Json::Object(row)
    };
    buckets(query, window).into_iter().map(line).collect()
}

fn within(query: &Query, rows: &[Event], bounds: Window) -> Vec<Event> {
    let inside =
        |event: &&Event| query.timeseries.is_none() || (bounds.0..bounds.1).contains(&event.time);
    rows.iter().filter(inside).cloned().collect()
}

fn facet_names(query: &Query) -> Vec<String> {
    match query.facet.as_ref().map(|facet| &facet.by) {
        Some(FacetBy::Items(items)) => items
            .iter()
            .map(|item| match (&item.alias, &item.expr.kind) {
                (Some(alias), _) => alias.text.clone(),
                (None, ExprKind::Attribute { name, .. }) => name.clone(),
                _ => panic!("random facets have names"),
            })
            .collect(),
        _ => vec!["cases".to_owned()],
    }
}

/// The facet of an event; `None` when it has none.
fn facet_of(query: &Query, event: &Event) -> Option<Vec<Value>> {
    match &query.facet.as_ref()?.by {
        FacetBy::Items(items) => {
            let values: Vec<Value> = items.iter().map(|item| value(&item.expr, event)).collect();
            (!values.contains(&Value::Null)).then_some(values)
        }
        FacetBy::Cases(cases) => {
            let holding = cases.branches.iter().find(|case| holds(&case.condition, event));
            match (holding, &cases.other) {
                (Some(case), _) => Some(vec![Value::text(case.label.as_deref().expect("named"))]),
                (None, Some(other)) => Some(vec![value(other, event)]),
                (None, None) => None,
            }
        }
    }
}

fn facets_shown(query: &Query, events: &[Event], window: Window) -> Vec<Vec<Value>> {
    let groups = shown(query, events, snapped(query, window), None);
    groups.into_iter().map(|group| group.facet).collect()
}

/// The facets that show, in order, with their rows; one without values when there is no FACET.
fn shown(
    query: &Query,
    events: &[Event],
    window: Window,
    fixed: Option<&[Vec<Value>]>,
) -> Vec<Group> {
    let rows = source(query, events, window);
    let Some(facet) = &query.facet else { return vec![Group { facet: Vec::new(), rows }] };
    let mut groups: Vec<Group> = Vec::new();
    for event in rows {
        let Some(facet) = facet_of(query, &event) else { continue };
        match groups.iter_mut().find(|group| same(&group.facet, &facet)) {
            Some(group) => group.rows.push(event),
            None => groups.push(Group { facet, rows: vec![event] }),
        }
    }
    if let Some(fixed) = fixed {
        let of = |facet: &Vec<Value>| {
            let found = groups.iter().find(|group| same(&group.facet, facet));
            let rows = found.map(|group| group.rows.clone()).unwrap_or_default();
            Group { facet: facet.clone(), rows }
        };
        return fixed.iter().map(of).collect();
    }
    let first = &query.select[0].expr;
    let attribute = first_attribute(first);
    let present = |group: &Group| match &attribute {
        Some(expr) => group.rows.iter().filter(|row| value(expr, row) != Value::Null).count(),
        None => group.rows.len(),
    };
    groups.retain(|group| present(group) > 0);
    let default = by_first(first).then_some(first);
    let Some(order) = &facet.order else {
        sort(&mut groups, default, &present, window);
        return cut(query, groups);
    };
    let named = query.select.iter().find(|item| match &order.expr.kind {
        ExprKind::Attribute { name, .. } => {
            item.alias.as_ref().is_some_and(|alias| alias.text == *name)
        }
        _ => false,
    });
    let by = named.map_or(&order.expr, |item| &item.expr);
    sort(&mut groups, Some(by), &present, window);
    let mut groups = cut(query, groups);
    sort(&mut groups, default, &present, window);
    groups
}

/// Greatest first by a function, or by how often.
fn sort(
    groups: &mut [Group],
    by: Option<&Expr>,
    present: &dyn Fn(&Group) -> usize,
    window: Window,
) {
    let rank = |group: &Group| match by {
        Some(expr) => match aggregate(expr, &group.rows, window) {
            Value::Null => None,
            // A histogram sorts by its first bucket.
            Value::Map(members) => members.first().map(|(_, first)| sortable(first)),
            value => Some(sortable(&value)),
        },
        None => Some(sortable(&Value::Integer(present(group) as i64))),
    };
    groups.sort_by(|one, other| {
        let (a, b) = (rank(one), rank(other));
        let by_rank = match (&a, &b) {
            (Some(a), Some(b)) => b.cmp(a),
            _ => a.is_none().cmp(&b.is_none()),
        };
        let facet = |group: &Group| group.facet.iter().map(sortable).collect::<Vec<_>>();
        by_rank.then_with(|| facet(one).cmp(&facet(other)))
    });
}

/// The groups that LIMIT and OFFSET leave.
fn cut(query: &Query, groups: Vec<Group>) -> Vec<Group> {
    let limit = match query.limit {
        None => 10,
        Some(Limit::Rows(rows)) => rows,
        _ => 5_000,
    };
    let offset = query.offset.unwrap_or(0);
    groups.into_iter().skip(offset as usize).take(limit as usize).collect()
}

/// Something that sorts as values do: truth values, numbers, texts, lists.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sortable {
    Null,
    Bool(bool),
    /// Random numbers are small; their means differ by far more than this resolves.
    Number(i64),
    Text(String),
    List(Vec<Sortable>),
}

fn sortable(value: &Value) -> Sortable {
    match value {
        Value::Null => Sortable::Null,
        Value::Bool(truth) => Sortable::Bool(*truth),
        Value::Number(number) => Sortable::Number((number * 1e9).round() as i64),
        Value::Integer(number) => Sortable::Number(number * 1_000_000_000),
        Value::Text(text) => Sortable::Text(text.to_string()),
        Value::List(members) => Sortable::List(members.iter().map(sortable).collect()),
        Value::Map(members) => Sortable::List(members.values().map(sortable).collect()),
        Value::Metric(_) => panic!("random events hold no metrics"),
    }
}

/// Whether facets are ordered by such a first item.
fn by_first(expr: &Expr) -> bool {
    let ExprKind::Call { name, .. } = &expr.kind else { return false };
    ["min", "max", "average", "percentile", "count"].contains(&name.as_str())
}

fn first_attribute(expr: &Expr) -> Option<Expr> {
    match &expr.kind {
        ExprKind::Call { arguments, .. } => match &arguments.first()?.value {
            ArgumentValue::Expr(inner) => match &inner.kind {
                ExprKind::Star => None,
                ExprKind::Call { .. } => first_attribute(inner),
                _ => Some(inner.clone()),
            },
            _ => None,
        },
        ExprKind::Binary { left, right, .. } => {
            first_attribute(left).or_else(|| first_attribute(right))
        }
        _ => None,
    }
}

/// The window with its begin moved to the first whole bucket.
fn snapped(query: &Query, window: Window) -> Window {
    match buckets(query, window).first() {
        Some((begin, _)) if query.timeseries.is_some() => (*begin, window.1),
        _ => window,
    }
}

/// All buckets, oldest first; the window itself without TIMESERIES.
fn buckets(query: &Query, (begin, end): Window) -> Vec<Window> {
    let Some(series) = &query.timeseries else { return vec![(begin, end)] };
    let fixed = |width: &BucketWidth| match width {
        BucketWidth::Fixed(amount) => time::amount_ms(*amount),
        _ => panic!("random series have fixed widths"),
    };
    let width = fixed(&series.width).min(end - begin);
    let slide = series.slide_by.as_ref().map_or(fixed(&series.width), fixed);
    let mut found = Vec::new();
    let mut last = end;
    while last - width >= begin {
        found.push((last - width, last));
        last -= slide;
    }
    found.reverse();
    found
}

fn argument(arguments: &[Argument], at: usize) -> &Expr {
    match &arguments[at].value {
        ArgumentValue::Expr(expr) => expr,
        other => panic!("{other:?} is no expression"),
    }
}

/// The value of an aggregating expression over `rows`, ordered by time.
fn aggregate(expr: &Expr, rows: &[Event], bounds: Window) -> Value {
    match &expr.kind {
        ExprKind::Binary { operator, left, right } => {
            arithmetic(*operator, &aggregate(left, rows, bounds), &aggregate(right, rows, bounds))
        }
        ExprKind::Integer(number) => Value::Integer(*number),
        ExprKind::Number(number) => Value::Number(*number),
        ExprKind::Call { name, arguments } => call(name, arguments, rows, bounds),
        other => panic!("{other:?} is no aggregate"),
    }
}

fn call(name: &str, arguments: &[Argument], rows: &[Event], bounds: Window) -> Value {
    if matches!(name, "filter" | "percentage") {
        let ArgumentValue::Where(case) = &arguments[1].value else { panic!("no WHERE") };
        let kept: Vec<Event> =
            rows.iter().filter(|row| holds(&case.condition, row)).cloned().collect();
        let part = aggregate(argument(arguments, 0), &kept, bounds);
        if name == "filter" {
            return part;
        }
        let all = aggregate(argument(arguments, 0), rows, bounds);
        let share = arithmetic(Operator::Divide, &part, &all);
        return arithmetic(Operator::Multiply, &Value::Integer(100), &share);
    }
    if name == "rate" {
        let ArgumentValue::Amount(amount) = &arguments[1].value else { panic!("no interval") };
        let scale = time::amount_ms(*amount) as f64 / (bounds.1 - bounds.0) as f64;
        let inner = aggregate(argument(arguments, 0), rows, bounds);
        return arithmetic(Operator::Multiply, &inner, &Value::Number(scale));
    }
    let of = argument(arguments, 0);
    if of.kind == ExprKind::Star {
        return Value::Integer(rows.len() as i64);
    }
    let values: Vec<Value> =
        rows.iter().map(|row| value(of, row)).filter(|value| *value != Value::Null).collect();
    over_values(name, arguments, &values)
}

fn over_values(name: &str, arguments: &[Argument], values: &[Value]) -> Value {
    let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    let sum: f64 = numbers.iter().sum();
    let mean = (!numbers.is_empty()).then(|| sum / numbers.len() as f64);
    let number = |number: Option<f64>| number.map_or(Value::Null, Value::Number);
    let distinct: BTreeSet<_> = values.iter().map(sortable).collect();
    match name {
        "count" => Value::Integer(values.len() as i64),
        "sum" => Value::Number(sum),
        "average" => number(mean),
        "min" => number(numbers.iter().copied().reduce(f64::min)),
        "max" => number(numbers.iter().copied().reduce(f64::max)),
        "latest" => values.last().cloned().unwrap_or(Value::Null),
        "earliest" => values.first().cloned().unwrap_or(Value::Null),
        "uniqueCount" => Value::Integer(distinct.len() as i64),
        "uniques" => {
            let mut unique: Vec<Value> = Vec::new();
            for value in values {
                if !unique.iter().any(|known| sortable(known) == sortable(value)) {
                    unique.push(value.clone());
                }
            }
            unique.sort_by_key(sortable);
            Value::List(unique)
        }
        "stddev" => number(mean.map(|mean| {
            let squares: f64 = numbers.iter().map(|one| (one - mean).powi(2)).sum();
            (squares / numbers.len() as f64).sqrt()
        })),
        "histogram" => {
            let constant = |at: usize| match argument(arguments, at).kind {
                ExprKind::Integer(number) => number as f64,
                _ => panic!("random histograms have whole widths"),
            };
            let (width, buckets) = (constant(1), constant(2) as usize);
            let each = width / buckets as f64;
            let mut counts = vec![0_i64; buckets];
            for number in numbers {
                let at = ((number / each).floor().max(0.0) as usize).min(buckets - 1);
                counts[at] += 1;
            }
            let key = |at: usize| std::sync::Arc::from(format!("{}", each * at as f64));
            let bucket = |(at, count)| (key(at), Value::Integer(count));
            Value::Map(counts.into_iter().enumerate().map(bucket).collect())
        }
        other => panic!("{other} is not among the random functions"),
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Value {
    let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) else { return Value::Null };
    let result = match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide if right == 0.0 => return Value::Null,
        Operator::Divide => left / right,
        other => panic!("{other:?} is not among the random operators"),
    };
    Value::Number(result)
}

/// The value of an expression for one event.
fn value(expr: &Expr, event: &Event) -> Value {
    match &expr.kind {
        ExprKind::Attribute { name, .. } if name == "timestamp" => Value::Integer(event.time),
        ExprKind::Attribute { name, .. } => {
            event.attributes.get(name).cloned().unwrap_or(Value::Null)
        }
        ExprKind::Integer(number) => Value::Integer(*number),
        ExprKind::Number(number) => Value::Number(*number),
        ExprKind::Text(text) => Value::text(text),
        ExprKind::Negate(inner) => {
            arithmetic(Operator::Subtract, &Value::Integer(0), &value(inner, event))
        }
        ExprKind::Binary { operator, left, right } => {
            arithmetic(*operator, &value(left, event), &value(right, event))
        }
        other => panic!("{other:?} is not among the random expressions"),
    }
}

/// Whether a condition is true for one event.
fn holds(expr: &Expr, event: &Event) -> bool {
    match &expr.kind {
        ExprKind::Not(inner) => !holds(inner, event),
        ExprKind::Binary { operator: Operator::And, left, right } => {
            holds(left, event) && holds(right, event)
        }
        ExprKind::Binary { operator: Operator::Or, left, right } => {
            holds(left, event) || holds(right, event)
        }
        ExprKind::Binary { operator, left, right } => {
            compared(*operator, &value(left, event), &value(right, event))
        }
        ExprKind::Is { negated, operand, state: IsState::Null } => {
            (value(operand, event) == Value::Null) != *negated
        }
        ExprKind::In { negated, operand, set: InSet::Values(members) } => {
            let operand = value(operand, event);
            let found =
                members.iter().any(|one| compared(Operator::Equal, &operand, &value(one, event)));
            operand != Value::Null && found != *negated
        }
        ExprKind::Like { negated, operand, pattern } => {
            let (Value::Text(text), ExprKind::Text(pattern)) =
                (value(operand, event), &pattern.kind)
            else {
                return false;
            };
            let middle = pattern.trim_matches('%').to_lowercase();
            text.to_lowercase().contains(&middle) != *negated
        }
        other => panic!("{other:?} is not among the random conditions"),
    }
}

fn compared(operator: Operator, left: &Value, right: &Value) -> bool {
    if *left == Value::Null || *right == Value::Null {
        return false;
    }
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => match operator {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            Operator::Less => left < right,
            Operator::LessOrEqual => left <= right,
            Operator::Greater => left > right,
            Operator::GreaterOrEqual => left >= right,
            other => panic!("{other:?} compares nothing"),
        },
        _ => match operator {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            // Random queries order numbers only.
            _ => false,
        },
    }
}

fn raw(query: &Query, rows: Vec<Event>) -> Vec<Json> {
    let mut rows: Vec<(usize, Event)> = rows.into_iter().enumerate().collect();
    // The newest first; of one time what arrived last.
    rows.sort_by_key(|(at, event)| std::cmp::Reverse((event.time, *at)));
    if let Some(order) = query.order.first() {
        rows.sort_by(|(_, one), (_, other)| {
            let (a, b) = (value(&order.expr, one), value(&order.expr, other));
            match (a == Value::Null, b == Value::Null) {
                (false, false) if order.descending => sortable(&b).cmp(&sortable(&a)),
                (false, false) => sortable(&a).cmp(&sortable(&b)),
                (a, b) => a.cmp(&b),
            }
        });
    }
    let limit = match query.limit {
        Some(Limit::Rows(rows)) => rows,
        Some(_) => 5_000,
        None => 100,
    };
    let shown = rows.into_iter().skip(query.offset.unwrap_or(0) as usize).take(limit as usize);
    let row = |(_, event): (usize, Event)| {
        let mut row = Map::new();
        for item in &query.select {
            let key = match (&item.alias, &item.expr.kind) {
                (Some(alias), _) => alias.text.clone(),
                (None, ExprKind::Attribute { name, .. }) => name.clone(),
                _ => panic!("random items have names"),
            };
            row.insert(key, super::result_json(&value(&item.expr, &event)));
        }
        row.entry("timestamp").or_insert(json!(event.time));
        Json::Object(row)
    };
    shown.map(row).collect()
}
