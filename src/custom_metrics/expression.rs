//! From NRQL's tree to one that can only be evaluated: names resolved, types checked.

use std::sync::Arc;

use super::names::{Input, Names};
use crate::nrql::ast::{Argument, ArgumentValue, Expr, ExprKind, InSet, IsState, Operator};
use crate::nrql::{NrqlError, Span, expression_text, parse_expression};

/// Longest expression, in bytes.
pub(super) const EXPRESSION_BYTES_MAX: usize = 4_096;

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Number,
    Flag,
    Text,
}

impl Type {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Flag => "a condition",
            Self::Text => "a text",
        }
    }
}

/// An expression whose names and types are right.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Number(f64),
    Flag(bool),
    Text(Arc<str>),
    Input(Input),
    Negate(Box<Node>),
    Not(Box<Node>),
    /// `IS NULL`; the flag is `IS NOT NULL`.
    IsNull(Box<Node>, bool),
    Binary(Operator, Box<Node>, Box<Node>),
    /// The first that is known.
    Otherwise(Box<Node>, Box<Node>),
    If(Box<Node>, Box<Node>, Option<Box<Node>>),
    In(Box<Node>, Vec<Node>, bool),
    One(OfOne, Box<Node>),
    Two(OfTwo, Box<Node>, Box<Node>),
    /// The number that a text holds.
    Numeric(Box<Node>),
}

type OfOne = fn(f64) -> f64;
type OfTwo = fn(f64, f64) -> f64;

/// Functions of one number. NRQL's names and meanings.
const OF_ONE: &[(&str, OfOne)] = &[
    ("abs", f64::abs),
    ("ceil", f64::ceil),
    ("exp", f64::exp),
    ("floor", f64::floor),
    ("ln", f64::ln),
    ("log10", f64::log10),
    ("log2", f64::log2),
    ("round", half_up),
    ("sqrt", f64::sqrt),
];

/// Functions of two numbers. NRQL's names and meanings.
const OF_TWO: &[(&str, OfTwo)] = &[
    ("clamp_max", f64::min),
    ("clamp_min", f64::max),
    ("mod", |value, divisor| value - divisor * (value / divisor).floor()),
    ("pow", f64::powf),
    ("round", |value, nearest| half_up(value / nearest) * nearest),
];

const FUNCTIONS: &str = "abs, ceil, clamp_max, clamp_min, exp, floor, if, ln, log10, log2, mod, \
                         numeric, pow, round, sqrt";

fn half_up(value: f64) -> f64 {
    (value + 0.5).floor()
}

/// Reads `text` as an expression over `names`.
pub(super) fn read(text: &str, names: &Names<'_>) -> Result<(Node, Type), NrqlError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let bytes = text.len();
        let message = format!("the expression has {bytes} bytes, at most {EXPRESSION_BYTES_MAX}");
        return Err(NrqlError::limit(message));
    }
    let tree = parse_expression(text)?;
    Reader { text, names }.node(&tree)
}

struct Reader<'a> {
    text: &'a str,
    names: &'a Names<'a>,
}

fn wrong(message: impl Into<String>, span: Span, help: impl Into<String>) -> NrqlError {
    NrqlError::semantic(message, span).with_help(help)
}

impl Reader<'_> {
    fn node(&self, expr: &Expr) -> Result<(Node, Type), NrqlError> {
        Ok(match &expr.kind {
            ExprKind::Bool(flag) => (Node::Flag(*flag), Type::Flag),
            ExprKind::Integer(number) => (Node::Number(*number as f64), Type::Number),
            ExprKind::Number(number) => (Node::Number(*number), Type::Number),
            ExprKind::Text(text) => (Node::Text(text.as_str().into()), Type::Text),
            ExprKind::Attribute { name, .. } => self.name(name, expr.span)?,
            ExprKind::Negate(operand) => {
                (Node::Negate(self.typed(operand, Type::Number)?), Type::Number)
            }
            ExprKind::Not(operand) => (Node::Not(self.typed(operand, Type::Flag)?), Type::Flag),
            ExprKind::Binary { operator, left, right } => self.binary(*operator, left, right)?,
            ExprKind::Is { negated, operand, state } => {
                let (node, of) = self.node(operand)?;
                let node = Box::new(node);
                let node = match (state, of) {
                    (IsState::Null, _) => Node::IsNull(node, *negated),
                    (IsState::True, Type::Flag) if !negated => return Ok((*node, Type::Flag)),
                    (IsState::False, Type::Flag) if !negated => Node::Not(node),
                    _ => {
                        let help = "compare with =, or use IS [NOT] NULL";
                        return Err(wrong("this IS means nothing here", expr.span, help));
                    }
                };
                (node, Type::Flag)
            }
            ExprKind::In { negated, operand, set: InSet::Values(values) } => {
                let (node, of) = self.node(operand)?;
                let values: Result<Vec<Node>, _> =
                    values.iter().map(|value| Ok(*self.typed(value, of)?)).collect();
                (Node::In(Box::new(node), values?, *negated), Type::Flag)
            }
            ExprKind::Call { name, arguments } => self.call(name, arguments, expr.span)?,
            _ => {
                let text = expression_text(self.text, expr);
                let help = "use names, numbers, + - * / % ^, comparisons, AND, OR, NOT, IN, \
                            IS NULL and functions of numbers";
                let message = format!("`{text}` cannot stand in a custom metric");
                return Err(wrong(message, expr.span, help));
            }
        })
    }

    fn typed(&self, expr: &Expr, wanted: Type) -> Result<Box<Node>, NrqlError> {
        let (node, found) = self.node(expr)?;
        if found == wanted {
            return Ok(Box::new(node));
        }
        let (found, wanted) = (found.as_str(), wanted.as_str());
        let text = expression_text(self.text, expr);
        let help = match found {
            "a text" => "numeric(…) reads a text as a number",
            "a condition" => "if(…, 1, 0) makes a number of a condition",
            _ => "compare it with something, for example `… > 0`",
        };
        Err(wrong(format!("`{text}` is {found}, not {wanted}"), expr.span, help))
    }

    fn name(&self, name: &str, span: Span) -> Result<(Node, Type), NrqlError> {
        let Some(input) = self.names.find(name) else {
            let near = self.names.suggestions(name);
            let near: Vec<_> = near.iter().map(|name| format!("`{name}`")).collect();
            let help = match near.as_slice() {
                [] => "docs/METRICS.md lists the names; tags are `tags.KEY`".to_owned(),
                near => format!("did you mean {}?", near.join(", ")),
            };
            let kind = super::kind_word(self.names.kind);
            return Err(wrong(format!("nothing of a {kind} is called `{name}`"), span, help));
        };
        let of = type_of(&input);
        Ok((Node::Input(input), of))
    }

    fn binary(
        &self,
        operator: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Result<(Node, Type), NrqlError> {
        let of = match operator {
            Operator::And => (self.typed(left, Type::Flag)?, self.typed(right, Type::Flag)?),
            Operator::Or => {
                let (first, of) = self.node(left)?;
                let second = self.typed(right, of)?;
                let first = Box::new(first);
                return Ok(match of {
                    Type::Flag => (Node::Binary(operator, first, second), of),
                    Type::Number | Type::Text => (Node::Otherwise(first, second), of),
                });
            }
            Operator::Equal | Operator::NotEqual => {
                let (first, of) = self.node(left)?;
                (Box::new(first), self.typed(right, of)?)
            }
            _ => (self.typed(left, Type::Number)?, self.typed(right, Type::Number)?),
        };
        let gives = match operator {
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder
            | Operator::Power => Type::Number,
            _ => Type::Flag,
        };
        Ok((Node::Binary(operator, of.0, of.1), gives))
    }

    fn call(
        &self,
        name: &str,
        arguments: &[Argument],
        span: Span,
    ) -> Result<(Node, Type), NrqlError> {
        let plain: Option<Vec<&Expr>> = arguments
            .iter()
            .map(|argument| match (&argument.name, &argument.value) {
                (None, ArgumentValue::Expr(expr)) => Some(expr),
                _ => None,
            })
            .collect();
        let lower = name.to_ascii_lowercase();
        let number = |expr: &Expr| self.typed(expr, Type::Number);
        let node = match (lower.as_str(), plain.as_deref()) {
            ("if", Some([condition, rest @ ..])) if matches!(rest.len(), 1 | 2) => {
                let condition = self.typed(condition, Type::Flag)?;
                let (then, of) = self.node(rest[0])?;
                let otherwise = rest.get(1).map(|expr| self.typed(expr, of)).transpose()?;
                return Ok((Node::If(condition, Box::new(then), otherwise), of));
            }
            ("numeric", Some([text])) => Node::Numeric(self.typed(text, Type::Text)?),
            (name, Some([one])) if OF_ONE.iter().any(|known| known.0 == name) => {
                let function = OF_ONE.iter().find(|known| known.0 == name).map(|known| known.1);
                Node::One(function.unwrap_or(f64::abs), number(one)?)
            }
            (name, Some([one, two])) if OF_TWO.iter().any(|known| known.0 == name) => {
                let function = OF_TWO.iter().find(|known| known.0 == name).map(|known| known.1);
                Node::Two(function.unwrap_or(f64::max), number(one)?, number(two)?)
            }
            _ => {
                let message = format!("`{name}` with {} arguments means nothing", arguments.len());
                return Err(wrong(message, span, format!("there are: {FUNCTIONS}")));
            }
        };
        Ok((node, Type::Number))
    }
}

fn type_of(input: &Input) -> Type {
    match input {
        Input::Metric(_) | Input::Number(_) | Input::Extra(_) => Type::Number,
        Input::Text(_) | Input::ClusterName | Input::Provider | Input::Name | Input::Tag(_) => {
            Type::Text
        }
        Input::OfCluster(input) => type_of(input),
    }
}

impl Node {
    /// Calls `f` with every custom metric or mapped number of the entity itself that it needs.
    pub(super) fn each_extra<'n>(&'n self, f: &mut dyn FnMut(&'n str)) {
        match self {
            Self::Number(_) | Self::Flag(_) | Self::Text(_) => {}
            Self::Input(Input::Extra(name)) => f(name),
            Self::Input(_) => {}
            Self::Negate(node) | Self::Not(node) | Self::IsNull(node, _) => node.each_extra(f),
            Self::One(_, node) | Self::Numeric(node) => node.each_extra(f),
            Self::Binary(_, left, right)
            | Self::Otherwise(left, right)
            | Self::Two(_, left, right) => {
                left.each_extra(f);
                right.each_extra(f);
            }
            Self::If(condition, then, otherwise) => {
                condition.each_extra(f);
                then.each_extra(f);
                if let Some(otherwise) = otherwise {
                    otherwise.each_extra(f);
                }
            }
            Self::In(operand, values, _) => {
                operand.each_extra(f);
                values.iter().for_each(|value| value.each_extra(f));
            }
        }
    }
}
