//! The slow path: one row, boxed values. What the fast path must agree with.

use std::sync::Arc;

use super::RowLike;
use super::node::{Node, is_truthy, number, truth_of};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::ast::IsState;
use crate::nrql::value::Value;

/// What constants are computed on.
pub(super) struct NoRow;

impl RowLike for NoRow {
    fn get(&self, _name: &str) -> Value {
        Value::Null
    }

    fn timestamp(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn event_type(&self) -> &str {
        ""
    }

    fn account(&self) -> Option<AccountId> {
        None
    }
}

pub(super) fn eval(node: &Node, row: &dyn RowLike) -> Value {
    match node {
        Node::Constant(value) => value.clone(),
        Node::Attribute(name) => attribute(name, row),
        Node::EventType => Value::text(row.event_type()),
        Node::Account => account(row.account()),
        Node::Compare(..)
        | Node::Test { .. }
        | Node::Is { .. }
        | Node::And(..)
        | Node::Or(..)
        | Node::Not(_) => Value::Bool(is_true(node, row)),
        Node::Coalesce(first, second) => match eval(first, row) {
            Value::Null => eval(second, row),
            value => value,
        },
        Node::Arithmetic(operator, left, right) => {
            operator.of_values(&eval(left, row), &eval(right, row))
        }
        Node::Numeric(function, operand) => match eval(operand, row).as_f64() {
            Some(value) => number(function.0(value)),
            None => Value::Null,
        },
        Node::Choose { branches, otherwise } => {
            let branch = branches.iter().find(|(condition, _)| is_true(condition, row));
            eval(branch.map_or(otherwise, |(_, value)| value), row)
        }
        Node::Member(operand, at) => member(&eval(operand, row), *at),
        Node::Part(operand, at, name) => part(&eval(operand, row), *at, name),
        Node::Field(operand, name) => field(&eval(operand, row), name),
        Node::List(nodes) => Value::List(nodes.iter().map(|node| eval(node, row)).collect()),
        Node::Call(call) => {
            let values: Vec<Value> = call.arguments.iter().map(|node| eval(node, row)).collect();
            call.function.apply(&values)
        }
    }
}

fn attribute(name: &Arc<str>, row: &dyn RowLike) -> Value {
    match row.get(name) {
        Value::Null if &**name == "timestamp" => {
            Value::Number(crate::nrql::eval::column::as_f64(row.timestamp().0))
        }
        value => value,
    }
}

#[expect(clippy::cast_precision_loss, reason = "accounts have at most ten digits")]
pub(super) fn account(account: Option<AccountId>) -> Value {
    account.map_or(Value::Null, |account| Value::Number(account.get() as f64))
}

pub(super) fn member(value: &Value, at: usize) -> Value {
    match value {
        Value::List(members) => members.get(at).cloned().unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

pub(super) fn part(value: &Value, at: usize, name: &str) -> Value {
    match value {
        Value::Map(map) => map.get(name).cloned().unwrap_or(Value::Null),
        other => member(other, at),
    }
}

pub(super) fn field(value: &Value, name: &str) -> Value {
    match value {
        Value::Metric(metric) if name == "type" => Value::text(metric.kind.name()),
        Value::Metric(metric) => metric.field(name).map_or(Value::Null, Value::Number),
        Value::Map(map) => map.get(name).cloned().unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

pub(super) fn is(state: IsState, value: &Value) -> bool {
    let truth = match value {
        Value::Bool(truth) => Some(*truth),
        Value::Text(text) => truth_of(text),
        _ => None,
    };
    match state {
        IsState::Null => value.is_null(),
        IsState::True => truth == Some(true),
        IsState::False => truth == Some(false),
    }
}

pub(super) fn is_true(node: &Node, row: &dyn RowLike) -> bool {
    match node {
        Node::Compare(comparison, left, right) => {
            comparison.holds(&eval(left, row), &eval(right, row))
        }
        Node::Test { test, negated, operand } => {
            let value = eval(operand, row);
            !value.is_null() && test.holds(&value) != *negated
        }
        Node::Is { state, negated, operand } => is(*state, &eval(operand, row)) != *negated,
        Node::And(left, right) => is_true(left, row) && is_true(right, row),
        // Where a condition is wanted OR joins conditions, whatever its sides are.
        Node::Or(left, right) | Node::Coalesce(left, right) => {
            is_true(left, row) || is_true(right, row)
        }
        Node::Not(operand) => !is_true(operand, row),
        _ => is_truthy(&eval(node, row)),
    }
}
