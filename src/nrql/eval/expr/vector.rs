//! Values, for all rows of a batch at once.

use std::borrow::Cow;
use std::sync::Arc;

use super::node::{Arithmetic, Call, Node};
use super::{condition, row};
use crate::nrql::eval::batch::Batch;
use crate::nrql::eval::bitmap::Bitmap;
use crate::nrql::eval::column::{Codes, Column, MetricParts, Validity};
use crate::nrql::value::{MetricKind, Value};

/// The values of `node` for all rows.
pub(super) fn eval<'a>(node: &Node, batch: &Batch<'a>) -> Column<'a> {
    match node {
        Node::Constant(value) => Column::Constant(value.clone(), batch.len()),
        Node::Attribute(name) => batch.column(name).unwrap_or_else(|| Column::null(batch.len())),
        Node::EventType => Column::Constant(Value::text(batch.event_type()), batch.len()),
        Node::Account => Column::Constant(row::account(batch.account()), batch.len()),
        Node::Compare(..)
        | Node::Test { .. }
        | Node::Is { .. }
        | Node::And(..)
        | Node::Or(..)
        | Node::Not(_) => Column::Bools(Cow::Owned(condition::select(node, batch)), Validity::All),
        Node::Coalesce(first, second) => {
            let first = eval(first, batch);
            let valid = first.validity().to_bitmap(first.len());
            if valid.all() {
                return first;
            }
            merge(vec![(valid, first)], || eval(second, batch), batch.len())
        }
        Node::Arithmetic(operator, left, right) => {
            arithmetic(*operator, &eval(left, batch), &eval(right, batch))
        }
        Node::Numeric(function, operand) => {
            let column = eval(operand, batch);
            let (values, valid) = column.numbers();
            let values = values.iter().map(|value| function.0(*value)).collect();
            Column::finite(values, owned(valid))
        }
        Node::Choose { branches, otherwise } => choose(branches, otherwise, batch),
        Node::Member(operand, at) => then(operand, batch, |value| row::member(value, *at)),
        Node::Part(operand, at, name) => then(operand, batch, |value| row::part(value, *at, name)),
        Node::Field(operand, name) => field(eval(operand, batch), name),
        Node::List(nodes) => {
            let columns: Vec<Column<'_>> = nodes.iter().map(|node| eval(node, batch)).collect();
            let list = |row| Value::List(columns.iter().map(|own| own.value(row)).collect());
            Column::Values((0..batch.len()).map(list).collect())
        }
        Node::Call(call) => apply(call, batch, |value| value),
    }
}

fn owned(valid: Validity<'_>) -> Validity<'static> {
    match valid {
        Validity::All => Validity::All,
        Validity::Rows(rows) => Validity::Rows(Cow::Owned(rows.into_owned())),
    }
}

fn arithmetic<'a>(operator: Arithmetic, left: &Column<'_>, right: &Column<'_>) -> Column<'a> {
    if holds_integers(left) && holds_integers(right) {
        let of = |row| operator.of_values(&left.value(row), &right.value(row));
        return Column::from_values((0..left.len()).map(of).collect());
    }
    let constant = |column: &Column<'_>| match column {
        Column::Constant(value, _) => value.as_f64(),
        _ => None,
    };
    let of = |left: f64, right: f64| operator.of(left, right);
    match (constant(left), constant(right)) {
        (None, Some(right)) => {
            let (values, valid) = left.numbers();
            Column::finite(values.iter().map(|left| of(*left, right)).collect(), owned(valid))
        }
        (Some(left), None) => {
            let (values, valid) = right.numbers();
            Column::finite(values.iter().map(|right| of(left, *right)).collect(), owned(valid))
        }
        _ => {
            let ((left, left_valid), (right, right_valid)) = (left.numbers(), right.numbers());
            let values = left.iter().zip(right.iter()).map(|(left, right)| of(*left, *right));
            Column::finite(values.collect(), owned(left_valid.and(&right_valid)))
        }
    }
}

/// Whether any row may hold an integer that a float cannot.
fn holds_integers(column: &Column<'_>) -> bool {
    match column {
        Column::Integers(..) | Column::Values(_) | Column::Constant(Value::Integer(_), _) => true,
        Column::Mixed(parts) => parts.iter().any(holds_integers),
        _ => false,
    }
}

fn choose<'a>(
    branches: &[(Arc<Node>, Arc<Node>)],
    otherwise: &Node,
    batch: &Batch<'a>,
) -> Column<'a> {
    let mut free = Bitmap::ones(batch.len());
    let mut chosen = Vec::with_capacity(branches.len());
    for (condition, value) in branches {
        let mut rows = condition::select(condition, batch);
        rows.and(&free);
        free.and_not(&rows);
        if rows.all() {
            return eval(value, batch);
        }
        if !rows.none() {
            chosen.push((rows, eval(value, batch)));
        }
    }
    merge(chosen, || eval(otherwise, batch), batch.len())
}

/// Of each column the rows named; of `rest` all others.
fn merge<'a>(
    chosen: Vec<(Bitmap, Column<'a>)>,
    rest: impl FnOnce() -> Column<'a>,
    len: usize,
) -> Column<'a> {
    let mut free = Bitmap::ones(len);
    chosen.iter().for_each(|(rows, _)| free.and_not(rows));
    if chosen.is_empty() {
        return rest();
    }
    let mut all = chosen;
    all.push((free, rest()));
    if all.iter().all(|(_, column)| is_float(column)) {
        let mut values = vec![0.0; len];
        let mut valid = Bitmap::zeros(len);
        for (rows, column) in &all {
            let (own, own_valid) = column.numbers();
            let mut rows = rows.clone();
            own_valid.restrict(&mut rows);
            rows.for_each(|row| values[row] = own[row]);
            valid.or(&rows);
        }
        return Column::Numbers(values.into(), Validity::of(valid));
    }
    if all.iter().all(|(_, column)| is_text(column)) {
        return merge_texts(&all, len);
    }
    let mut values = vec![Value::Null; len];
    for (rows, column) in &all {
        rows.for_each(|row| values[row] = column.value(row));
    }
    Column::from_values(values)
}

fn is_float(column: &Column<'_>) -> bool {
    matches!(column, Column::Numbers(..) | Column::Constant(Value::Number(_) | Value::Null, _))
}

fn is_text(column: &Column<'_>) -> bool {
    matches!(column, Column::Texts { .. } | Column::Constant(Value::Text(_) | Value::Null, _))
}

fn merge_texts<'a>(all: &[(Bitmap, Column<'a>)], len: usize) -> Column<'a> {
    let mut texts: Vec<Arc<str>> = Vec::new();
    let mut codes = vec![0u32; len];
    let mut valid = Bitmap::zeros(len);
    for (rows, column) in all {
        let first = texts.len() as u32;
        match column {
            Column::Texts { codes: own, valid: own_valid, dictionary } => {
                texts.extend(dictionary.iter().cloned());
                let mut rows = rows.clone();
                own_valid.restrict(&mut rows);
                rows.for_each(|row| codes[row] = first + own.get(row) as u32);
                valid.or(&rows);
            }
            Column::Constant(Value::Text(text), _) => {
                texts.push(Arc::clone(text));
                rows.for_each(|row| codes[row] = first);
                valid.or(rows);
            }
            _ => {}
        }
    }
    let codes = Codes::Wide(codes.into());
    Column::Texts { codes, valid: Validity::of(valid), dictionary: texts.into() }
}

fn field<'a>(column: Column<'a>, name: &str) -> Column<'a> {
    use MetricKind::{CumulativeCount, Distribution, Gauge, Summary, UniqueCount};
    let Column::Metrics(parts, valid) = column else {
        return map(&column, |value| row::field(value, name));
    };
    let with_sums: &[MetricKind] = &[Gauge, Summary, Distribution];
    let MetricParts { kinds, count, sum, min, max, latest } = parts;
    let (values, having) = match name {
        "count" => return Column::Numbers(count, valid),
        "sum" | "total" => (sum, with_sums),
        "min" => (min, with_sums),
        "max" => (max, with_sums),
        "latest" => (latest, &[Gauge][..]),
        "cumulative" => (latest, &[CumulativeCount][..]),
        "cardinality" => (count, &[UniqueCount][..]),
        "type" => {
            let parts = MetricParts { kinds, count, sum, min, max, latest };
            return map(&Column::Metrics(parts, valid), |value| row::field(value, name));
        }
        _ => return Column::null(kinds.len()),
    };
    let mut rows = Bitmap::from_slice(&kinds, |kind| having.contains(&kind));
    valid.restrict(&mut rows);
    Column::Numbers(values, Validity::of(rows))
}

/// `function` of each value; of texts and constants once per text.
fn map<'a>(column: &Column<'_>, function: impl Fn(&Value) -> Value) -> Column<'a> {
    match column {
        Column::Constant(value, len) => Column::Constant(function(value), *len),
        Column::Texts { codes, valid, dictionary } => {
            let of = |text: &Arc<str>| function(&Value::Text(Arc::clone(text)));
            let results: Vec<Value> = dictionary.iter().map(of).collect();
            by_code(codes, valid, &results, &function(&Value::Null))
        }
        _ => {
            let values = (0..column.len()).map(|row| function(&column.value(row)));
            Column::from_values(values.collect())
        }
    }
}

/// Results per text, spread over the rows; rows without a text get `absent`.
fn by_code<'a>(
    codes: &Codes<'_>,
    valid: &Validity<'_>,
    results: &[Value],
    absent: &Value,
) -> Column<'a> {
    let len = codes.len();
    let present = valid.to_bitmap(len);
    let is_text = |value: &Value| matches!(value, Value::Text(_) | Value::Null);
    if absent.is_null() && results.iter().all(is_text) {
        let there: Vec<bool> = results.iter().map(|value| !value.is_null()).collect();
        let mut rows = codes.rows_where(&there);
        rows.and(&present);
        let empty: Arc<str> = Arc::from("");
        let text = |value: &Value| match value {
            Value::Text(text) => Arc::clone(text),
            _ => Arc::clone(&empty),
        };
        return Column::Texts {
            codes: Codes::Wide(Cow::Owned(codes.to_wide().into_owned())),
            valid: Validity::of(rows),
            dictionary: results.iter().map(text).collect(),
        };
    }
    let number = |value: &Value| matches!(value, Value::Number(_) | Value::Null);
    if absent.is_null() && results.iter().all(number) {
        let there: Vec<bool> = results.iter().map(|value| !value.is_null()).collect();
        let mut rows = codes.rows_where(&there);
        rows.and(&present);
        let numbers: Vec<f64> = results.iter().map(|own| own.as_f64().unwrap_or(0.0)).collect();
        let of = |code: &u32| numbers.get(*code as usize).copied().unwrap_or(0.0);
        let values = codes.to_wide().iter().map(of).collect();
        return Column::Numbers(values, Validity::of(rows));
    }
    let of = |row: usize| {
        if present.get(row) { results[codes.get(row)].clone() } else { absent.clone() }
    };
    Column::from_values((0..len).map(of).collect())
}

/// `function` of what `node` gives; of a function's results before they are spread over rows.
fn then<'a>(node: &Node, batch: &Batch<'a>, function: impl Fn(&Value) -> Value) -> Column<'a> {
    match node {
        Node::Call(call) => apply(call, batch, |value| function(&value)),
        _ => map(&eval(node, batch), function),
    }
}

fn apply<'a>(call: &Call, batch: &Batch<'a>, after: impl Fn(Value) -> Value) -> Column<'a> {
    let columns: Vec<Column<'_>> = call.arguments.iter().map(|node| eval(node, batch)).collect();
    let varies = |column: &Column<'_>| !matches!(column, Column::Constant(..));
    let varying: Vec<usize> = (0..columns.len()).filter(|at| varies(&columns[*at])).collect();
    let constants = |row| columns.iter().map(|column| column.value(row)).collect::<Vec<Value>>();
    match varying.as_slice() {
        [] if batch.is_empty() => Column::null(0),
        [] => Column::Constant(after(call.function.apply(&constants(0))), batch.len()),
        [only] if !batch.is_empty() => {
            let values = std::cell::RefCell::new(constants(0));
            map(&columns[*only], |value| {
                let mut values = values.borrow_mut();
                values[*only] = value.clone();
                after(call.function.apply(&values))
            })
        }
        _ => {
            let results = (0..batch.len()).map(|row| after(call.function.apply(&constants(row))));
            Column::from_values(results.collect())
        }
    }
}
