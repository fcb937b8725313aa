//! The value of an expression for one entity.
//!
//! Invariant: recursion is as deep as the tree is high, which the parser bounds.

use super::Absence;
use super::expression::Node;
use super::names::Input;
use crate::aggregate::EntityState;
use crate::domain::attribute::AttributeValue;
use crate::domain::extra::ExtraValue;
use crate::nrql::ast::Operator;

/// What an expression is evaluated for.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) state: &'s EntityState,
    pub(super) cluster: Option<&'s EntityState>,
}

pub(super) struct Scope<'s> {
    pub(super) subject: Subject<'s>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Value<'v> {
    Number(f64),
    Flag(bool),
    Text(&'v str),
}

type Evaluated<'v> = Result<Value<'v>, Absence>;

impl<'s> Scope<'s> {
    /// The number that `node` gives; a condition gives 1 or 0.
    pub(super) fn number(&self, node: &Node) -> Result<f64, Absence> {
        match self.value(node)? {
            Value::Number(number) => Ok(number),
            Value::Flag(flag) => Ok(f64::from(u8::from(flag))),
            Value::Text(_) => Err(Absence::NotANumber),
        }
    }

    fn flag(&self, node: &Node) -> Result<bool, Absence> {
        match self.value(node)? {
            Value::Flag(flag) => Ok(flag),
            Value::Number(number) => Ok(number != 0.0),
            Value::Text(_) => Err(Absence::NotANumber),
        }
    }

    fn value<'v>(&self, node: &'v Node) -> Evaluated<'v>
    where
        's: 'v,
    {
        Ok(match node {
            Node::Number(number) => Value::Number(*number),
            Node::Flag(flag) => Value::Flag(*flag),
            Node::Text(text) => Value::Text(text),
            Node::Input(input) => self.input(self.subject.state, input)?,
            Node::Negate(node) => Value::Number(-self.number(node)?),
            Node::Not(node) => Value::Flag(!self.flag(node)?),
            Node::IsNull(node, negated) => Value::Flag(self.value(node).is_err() != *negated),
            Node::Binary(operator, left, right) => self.binary(*operator, left, right)?,
            Node::Otherwise(left, right) => self.value(left).or_else(|_| self.value(right))?,
            Node::If(condition, then, otherwise) => match (self.flag(condition)?, otherwise) {
                (true, _) => self.value(then)?,
                (false, Some(otherwise)) => self.value(otherwise)?,
                (false, None) => return Err(Absence::MissingInput),
            },
            Node::In(operand, values, negated) => {
                let operand = self.value(operand)?;
                let mut found = false;
                for value in values {
                    found |= self.value(value)? == operand;
                }
                Value::Flag(found != *negated)
            }
            Node::One(function, node) => Value::Number(function(self.number(node)?)),
            Node::Two(function, left, right) => {
                Value::Number(function(self.number(left)?, self.number(right)?))
            }
            Node::Numeric(node) => match self.value(node)? {
                Value::Text(text) => {
                    let number = text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
                    Value::Number(number.ok_or(Absence::NotANumber)?)
                }
                value => value,
            },
        })
    }

    fn binary<'v>(&self, operator: Operator, left: &'v Node, right: &'v Node) -> Evaluated<'v>
    where
        's: 'v,
    {
        let flag = match operator {
            Operator::And => self.flag(left)? && self.flag(right)?,
            Operator::Or => self.flag(left)? || self.flag(right)?,
            Operator::Equal => self.value(left)? == self.value(right)?,
            Operator::NotEqual => self.value(left)? != self.value(right)?,
            _ => {
                let (left, right) = (self.number(left)?, self.number(right)?);
                let number = match operator {
                    Operator::Less => return Ok(Value::Flag(left < right)),
                    Operator::LessOrEqual => return Ok(Value::Flag(left <= right)),
                    Operator::Greater => return Ok(Value::Flag(left > right)),
                    Operator::GreaterOrEqual => return Ok(Value::Flag(left >= right)),
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide | Operator::Remainder if right == 0.0 => {
                        return Err(Absence::DivisionByZero);
                    }
                    Operator::Divide => left / right,
                    Operator::Remainder => left % right,
                    _ => left.powf(right),
                };
                // Infinity compares and divides as if it were something.
                let known = if number.is_finite() { Ok(number) } else { Err(Absence::NotFinite) };
                return known.map(Value::Number);
            }
        };
        Ok(Value::Flag(flag))
    }

    fn input<'v>(&self, state: &'s EntityState, input: &'v Input) -> Evaluated<'v>
    where
        's: 'v,
    {
        let found = match input {
            Input::Metric(id) => state.metrics.get(*id).map(Value::Number),
            Input::Number(id) | Input::Text(id) => match state.attributes.get(*id) {
                Some(AttributeValue::Integer(number)) => Some(Value::Number(*number as f64)),
                Some(AttributeValue::Text(text)) => Some(Value::Text(text)),
                None => None,
            },
            Input::Extra(name) => match state.extras.get(name) {
                Some(ExtraValue::Number(number)) => Some(Value::Number(*number)),
                Some(ExtraValue::Text(text)) => Some(Value::Text(text)),
                None => None,
            },
            Input::ClusterName => Some(Value::Text(state.key.cluster())),
            Input::Provider => Some(Value::Text(state.key.provider().as_str())),
            Input::Name => Some(Value::Text(state.key.name())),
            Input::Tag(value) => Some(Value::Text(value)),
            Input::OfCluster(input) => match self.subject.cluster {
                Some(cluster) => Some(self.input(cluster, input)?),
                None => None,
            },
        };
        found.ok_or(Absence::MissingInput)
    }
}
