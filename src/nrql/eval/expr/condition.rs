//! Conditions, for all rows of a batch at once.

use std::cmp::Ordering;

use super::node::{Comparison, Node, Test, is_truthy, order_mixed, truth_of};
use super::{row, vector};
use crate::nrql::ast::IsState;
use crate::nrql::eval::batch::Batch;
use crate::nrql::eval::bitmap::Bitmap;
use crate::nrql::eval::column::Column;
use crate::nrql::value::Value;

/// The rows for which `node` is true.
pub(super) fn select(node: &Node, batch: &Batch<'_>) -> Bitmap {
    match node {
        Node::Compare(comparison, left, right) => {
            compare(*comparison, &vector::eval(left, batch), &vector::eval(right, batch))
        }
        Node::Test { test, negated, operand } => {
            let column = vector::eval(operand, batch);
            let mut rows = holds(test, &column);
            if *negated {
                rows.negate();
                column.validity().restrict(&mut rows);
            }
            rows
        }
        Node::Is { state, negated, operand } => {
            let mut rows = is(*state, &vector::eval(operand, batch));
            if *negated {
                rows.negate();
            }
            rows
        }
        Node::And(left, right) => {
            let mut rows = select(left, batch);
            if !rows.none() {
                rows.and(&select(right, batch));
            }
            rows
        }
        Node::Or(left, right) | Node::Coalesce(left, right) => {
            let mut rows = select(left, batch);
            if !rows.all() {
                rows.or(&select(right, batch));
            }
            rows
        }
        Node::Not(operand) => {
            let mut rows = select(operand, batch);
            rows.negate();
            rows
        }
        _ => truthy(&vector::eval(node, batch)),
    }
}

fn all_or_none(holds: bool, len: usize) -> Bitmap {
    if holds { Bitmap::ones(len) } else { Bitmap::zeros(len) }
}

/// The rows whose text `holds`, asked once per text.
fn texts_where(column: &Column<'_>, holds: impl Fn(&str) -> bool) -> Bitmap {
    let Column::Texts { codes, valid, dictionary } = column else {
        return Bitmap::zeros(column.len());
    };
    let holds: Vec<bool> = dictionary.iter().map(|text| holds(text)).collect();
    if !holds.contains(&true) {
        return Bitmap::zeros(codes.len());
    }
    let mut rows = codes.rows_where(&holds);
    valid.restrict(&mut rows);
    rows
}

fn values_where(column: &Column<'_>, holds: impl Fn(&Value) -> bool) -> Bitmap {
    match column {
        Column::Values(values) => Bitmap::from_fn(values.len(), |row| holds(&values[row])),
        _ => Bitmap::from_fn(column.len(), |row| holds(&column.value(row))),
    }
}

/// The rows whose value passes; never those without one.
fn holds(test: &Test, column: &Column<'_>) -> Bitmap {
    match column {
        Column::Constant(value, len) => all_or_none(test.holds(value), *len),
        Column::Texts { .. } => texts_where(column, |text| test.holds_text(text)),
        Column::Numbers(values, valid) => {
            let mut rows = match test {
                Test::Compare(comparison, Value::Number(number)) => {
                    numbers_where(values, *comparison, *number)
                }
                Test::Like(_) | Test::Rlike(_) => return Bitmap::zeros(values.len()),
                Test::In(set) => Bitmap::from_slice(values, |value| set.has_number(value)),
                Test::Compare(..) => {
                    Bitmap::from_slice(values, |value| test.holds(&Value::Number(value)))
                }
            };
            valid.restrict(&mut rows);
            rows
        }
        Column::Mixed(parts) => {
            let mut rows = Bitmap::zeros(column.len());
            for part in parts {
                rows.or(&holds(test, part));
            }
            rows
        }
        Column::Integers(..) | Column::Bools(..) | Column::Metrics(..) | Column::Values(_) => {
            values_where(column, |value| test.holds(value))
        }
    }
}

fn numbers_where(values: &[f64], comparison: Comparison, number: f64) -> Bitmap {
    match comparison {
        Comparison::Equal => Bitmap::from_slice(values, |value| value == number),
        Comparison::NotEqual => Bitmap::from_slice(values, |value| value != number),
        Comparison::Less => Bitmap::from_slice(values, |value| value < number),
        Comparison::LessOrEqual => Bitmap::from_slice(values, |value| value <= number),
        Comparison::Greater => Bitmap::from_slice(values, |value| value > number),
        Comparison::GreaterOrEqual => Bitmap::from_slice(values, |value| value >= number),
    }
}

fn compare(comparison: Comparison, left: &Column<'_>, right: &Column<'_>) -> Bitmap {
    let len = left.len();
    let restrict = |mut rows: Bitmap| {
        left.validity().restrict(&mut rows);
        right.validity().restrict(&mut rows);
        rows
    };
    let admits = |ordering: Option<Ordering>| ordering.is_some_and(|own| comparison.admits(own));
    match (left, right) {
        (Column::Numbers(left, _), Column::Numbers(right, _)) => {
            restrict(Bitmap::from_fn(len, |row| admits(left[row].partial_cmp(&right[row]))))
        }
        (Column::Integers(left, _), Column::Numbers(right, _)) => {
            restrict(Bitmap::from_fn(len, |row| admits(order_mixed(left[row], right[row]))))
        }
        (Column::Integers(left, _), Column::Integers(right, _)) => {
            restrict(Bitmap::from_fn(len, |row| admits(Some(left[row].cmp(&right[row])))))
        }
        (
            Column::Texts { codes: left, dictionary: lefts, valid: left_valid },
            Column::Texts { codes: right, dictionary: rights, valid: right_valid },
        ) => Bitmap::from_fn(len, |row| {
            left_valid.get(row) && right_valid.get(row) && {
                let (left, right) = (&lefts[left.get(row)], &rights[right.get(row)]);
                comparison.admits(left.as_bytes().cmp(right.as_bytes()))
            }
        }),
        _ => Bitmap::from_fn(len, |row| comparison.holds(&left.value(row), &right.value(row))),
    }
}

fn is(state: IsState, column: &Column<'_>) -> Bitmap {
    if state == IsState::Null {
        let mut rows = column.validity().to_bitmap(column.len());
        rows.negate();
        return rows;
    }
    let wanted = state == IsState::True;
    match column {
        Column::Constant(value, len) => all_or_none(row::is(state, value), *len),
        Column::Texts { .. } => texts_where(column, |text| truth_of(text) == Some(wanted)),
        Column::Numbers(..) | Column::Integers(..) | Column::Metrics(..) => {
            Bitmap::zeros(column.len())
        }
        Column::Mixed(_) | Column::Bools(..) | Column::Values(_) => {
            values_where(column, |value| row::is(state, value))
        }
    }
}

fn truthy(column: &Column<'_>) -> Bitmap {
    match column {
        Column::Constant(value, len) => all_or_none(is_truthy(value), *len),
        Column::Bools(values, valid) => {
            let mut rows = Bitmap::clone(values);
            valid.restrict(&mut rows);
            rows
        }
        Column::Texts { .. } => texts_where(column, |text| truth_of(text) == Some(true)),
        _ => values_where(column, is_truthy),
    }
}
