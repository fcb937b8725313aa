//! From the syntax tree to nodes.

use std::sync::Arc;

use super::Scope;
use super::node::{Arithmetic, Call, Comparison, Like, Node, Set, Test};
use super::row;
use crate::nrql::ast::{Argument, ArgumentValue, Cases, Expr, ExprKind, InSet, Operator, Query};
use crate::nrql::error::{ErrorKind, NrqlError, Span};
use crate::nrql::eval::scalar::{self, Built, Known};
use crate::nrql::lint;
use crate::nrql::value::Value;

fn error(span: Span, message: impl Into<String>) -> NrqlError {
    NrqlError { kind: ErrorKind::Semantic, message: message.into(), span: Some(span), help: None }
}

pub(super) fn node(expr: &Expr, scope: &Scope) -> Result<Node, NrqlError> {
    let child = |expr: &Expr| node(expr, scope).map(Arc::new);
    let made = match &expr.kind {
        ExprKind::Null => Node::Constant(Value::Null),
        ExprKind::Bool(truth) => Node::Constant(Value::Bool(*truth)),
        ExprKind::Integer(number) => Node::Constant(integer(*number)),
        ExprKind::Number(number) => Node::Constant(super::node::number(*number)),
        ExprKind::Text(text) | ExprKind::Regex(text) => Node::Constant(Value::text(text)),
        ExprKind::Attribute { name, quoted } => attribute(name, *quoted, scope),
        ExprKind::Call { name, arguments } => call(expr, name, arguments, scope)?,
        ExprKind::Negate(operand) => match &operand.kind {
            ExprKind::Integer(number) => Node::Constant(integer(number.wrapping_neg())),
            _ => {
                let zero = Arc::new(Node::Constant(Value::Integer(0)));
                Node::Arithmetic(Arithmetic::Subtract, zero, child(operand)?)
            }
        },
        ExprKind::Not(operand) => Node::Not(child(operand)?),
        ExprKind::Binary { operator, left, right } => {
            binary(*operator, child(left)?, child(right)?)
        }
        ExprKind::In { negated, operand, set } => {
            in_set(*negated, child(operand)?, set, expr.span, scope)?
        }
        ExprKind::Like { negated, operand, pattern } => {
            let test = Test::Like(Arc::new(Like::new(&pattern_text(pattern, scope)?)));
            Node::Test { test, negated: *negated, operand: child(operand)? }
        }
        ExprKind::Rlike { negated, operand, pattern } => {
            let regex = scalar::whole(&pattern_text(pattern, scope)?, false);
            let test =
                Test::Rlike(regex.map_err(|why| error(pattern.span, format!("RLIKE {why}")))?);
            Node::Test { test, negated: *negated, operand: child(operand)? }
        }
        ExprKind::Is { negated, operand, state } => {
            Node::Is { state: *state, negated: *negated, operand: child(operand)? }
        }
        ExprKind::Index { operand, index } => match &index.kind {
            ExprKind::Attribute { name, .. } | ExprKind::Text(name) => {
                Node::Field(child(operand)?, Arc::from(name.as_str()))
            }
            ExprKind::Integer(at) => match usize::try_from(*at) {
                Ok(at) => Node::Member(child(operand)?, at),
                Err(_) => Node::Constant(Value::Null),
            },
            _ => return Err(error(index.span, "An index is a number or the name of a field")),
        },
        ExprKind::List(members) => Node::List(members.iter().map(child).collect::<Result<_, _>>()?),
        ExprKind::Subquery(query) => Node::Constant(answer(query, scope)?.clone()),
        ExprKind::Star => return Err(error(expr.span, "'*' is not a value")),
        ExprKind::Template(name) => {
            return Err(error(expr.span, format!("No value for template variable {{{{{name}}}}}")));
        }
    };
    Ok(fold(made))
}

fn integer(number: i64) -> Value {
    // Whole numbers are compared exactly whichever way they are held, and floats are faster.
    if number.unsigned_abs() <= 1 << 53 {
        Value::Number(crate::nrql::eval::column::as_f64(number))
    } else {
        Value::Integer(number)
    }
}

fn attribute(name: &str, quoted: bool, scope: &Scope) -> Node {
    match scope.bindings.get(name) {
        Some(bound) if !quoted => Node::clone(bound),
        _ => Node::Attribute(Arc::from(name)),
    }
}

fn answer<'a>(query: &Query, scope: &'a Scope) -> Result<&'a Value, NrqlError> {
    let known = scope.answers.iter().find(|(asked, _)| asked == query);
    known
        .map(|(_, value)| value)
        .ok_or_else(|| error(query.span, "Sub-queries are not allowed here"))
}

fn pattern_text(pattern: &Expr, scope: &Scope) -> Result<Arc<str>, NrqlError> {
    match node(pattern, scope)? {
        Node::Constant(Value::Text(text)) => Ok(text),
        _ => Err(error(pattern.span, "A pattern is a text in quotes")),
    }
}

fn binary(operator: Operator, left: Arc<Node>, right: Arc<Node>) -> Node {
    let compare = |comparison, left: Arc<Node>, right: Arc<Node>| match (&*left, &*right) {
        (_, Node::Constant(value)) => Node::Test {
            test: Test::Compare(comparison, value.clone()),
            negated: false,
            operand: left,
        },
        (Node::Constant(value), _) => {
            let test = Test::Compare(comparison.flip(), value.clone());
            Node::Test { test, negated: false, operand: right }
        }
        _ => Node::Compare(comparison, left, right),
    };
    match operator {
        Operator::Or if left.is_condition() => Node::Or(left, right),
        Operator::Or => Node::Coalesce(left, right),
        Operator::And => Node::And(left, right),
        Operator::Equal => compare(Comparison::Equal, left, right),
        Operator::NotEqual => compare(Comparison::NotEqual, left, right),
        Operator::Less => compare(Comparison::Less, left, right),
        Operator::LessOrEqual => compare(Comparison::LessOrEqual, left, right),
        Operator::Greater => compare(Comparison::Greater, left, right),
        Operator::GreaterOrEqual => compare(Comparison::GreaterOrEqual, left, right),
        Operator::Add => Node::Arithmetic(Arithmetic::Add, left, right),
        Operator::Subtract => Node::Arithmetic(Arithmetic::Subtract, left, right),
        Operator::Multiply => Node::Arithmetic(Arithmetic::Multiply, left, right),
        Operator::Divide => Node::Arithmetic(Arithmetic::Divide, left, right),
        Operator::Remainder => Node::Arithmetic(Arithmetic::Remainder, left, right),
        Operator::Power => Node::Arithmetic(Arithmetic::Power, left, right),
    }
}

fn in_set(
    negated: bool,
    operand: Arc<Node>,
    set: &InSet,
    span: Span,
    scope: &Scope,
) -> Result<Node, NrqlError> {
    let values = match set {
        InSet::Query(query) => match answer(query, scope)? {
            Value::List(values) => values.clone(),
            other => vec![other.clone()],
        },
        InSet::Values(members) => {
            let mut values = Vec::with_capacity(members.len());
            let mut others = Vec::new();
            for member in members {
                match node(member, scope)? {
                    Node::Constant(Value::List(inner)) => values.extend(inner),
                    Node::Constant(value) => values.push(value),
                    other => others.push(Arc::new(other)),
                }
            }
            if !others.is_empty() {
                if negated {
                    return Err(error(span, "NOT IN takes values, not attributes"));
                }
                return Ok(any_equal(operand, values, others));
            }
            values
        }
    };
    Ok(Node::Test { test: Test::In(Arc::new(Set::of(values))), negated, operand })
}

/// `x IN ('a', b)`: members that differ by row are compared one by one.
fn any_equal(operand: Arc<Node>, values: Vec<Value>, others: Vec<Arc<Node>>) -> Node {
    let test = Test::In(Arc::new(Set::of(values)));
    let constant = Node::Test { test, negated: false, operand: Arc::clone(&operand) };
    others.into_iter().fold(constant, |found, other| {
        let equal = Node::Compare(Comparison::Equal, Arc::clone(&operand), other);
        Node::Or(Arc::new(found), Arc::new(equal))
    })
}

pub(super) fn is_scalar(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    BUILT_HERE.contains(&name.as_str()) || scalar::is_known(&name)
}

/// Functions that are forms of their own rather than functions of values. Not modelled:
/// `dimensions()`, whose answer New Relic describes nowhere.
pub(super) const BUILT_HERE: &[&str] = &["if", "cases", "eventtype", "accountid", "getfield"];

fn call(expr: &Expr, name: &str, arguments: &[Argument], scope: &Scope) -> Result<Node, NrqlError> {
    let lower = name.to_ascii_lowercase();
    if lower == "cases" {
        return cases(expr, arguments, scope);
    }
    let mut nodes = Vec::with_capacity(arguments.len());
    let mut known = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let (made, word) = match &argument.value {
            ArgumentValue::Expr(value) => (node(value, scope)?, word(value)),
            ArgumentValue::Where(case) => (node(&case.condition, scope)?, None),
            ArgumentValue::Amount(_) | ArgumentValue::Other(_) => {
                return Err(error(expr.span, format!("Wrong argument of {name}()")));
            }
        };
        let constant = match &made {
            Node::Constant(value) => Some(value.clone()),
            _ => None,
        };
        let argument_name = argument.name.as_ref().map(|name| name.text.to_ascii_lowercase());
        known.push(Known { name: argument_name, constant, word });
        nodes.push(Arc::new(made));
    }
    let wrong = |what: &str| error(expr.span, format!("{name}() takes {what}"));
    match (lower.as_str(), nodes.as_slice()) {
        ("eventtype", []) => Ok(Node::EventType),
        ("accountid", []) => Ok(Node::Account),
        ("if", [condition, then]) => Ok(choose(condition, then, None)),
        ("if", [condition, then, otherwise]) => Ok(choose(condition, then, Some(otherwise))),
        ("getfield", [operand, _]) => match known[1].text() {
            Some(field) => Ok(Node::Field(Arc::clone(operand), Arc::from(field))),
            None => Err(wrong("an attribute and the name of a field")),
        },
        ("eventtype" | "accountid", _) => Err(wrong("no arguments")),
        ("if", _) => Err(wrong("a condition and one or two values")),
        ("getfield", _) => Err(wrong("an attribute and the name of a field")),
        _ => function(expr, name, (nodes, &known), scope),
    }
}

/// The name that an attribute would have, for arguments that are words: `numeric`.
fn word(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Attribute { name, .. } => Some(name.clone()),
        _ => None,
    }
}

fn function(
    expr: &Expr,
    name: &str,
    (nodes, known): (Vec<Arc<Node>>, &[Known]),
    scope: &Scope,
) -> Result<Node, NrqlError> {
    match scalar::build(&name.to_ascii_lowercase(), known, scope) {
        None => Err(unknown(expr, name)),
        Some(Err(why)) => Err(error(expr.span, format!("{name}() {why}"))),
        Some(Ok(Built::Numeric(numeric))) => match nodes.into_iter().next() {
            Some(operand) => Ok(Node::Numeric(numeric, operand)),
            None => Err(error(expr.span, format!("{name}() takes one argument"))),
        },
        Some(Ok(Built::Function(function))) => {
            Ok(Node::Call(Arc::new(Call { function, arguments: nodes })))
        }
    }
}

/// New Relic's page lists some functions that are not here, which is another thing than a slip.
fn unknown(expr: &Expr, name: &str) -> NrqlError {
    if lint::function(name).is_some() {
        let fault = error(expr.span, format!("{name}() is a function that is not simulated"));
        return fault.with_help("the query may be right; only New Relic itself can answer it");
    }
    let fault = error(expr.span, format!("Unknown function {name}()"));
    match lint::nearest(name) {
        Some(near) => fault.with_help(format!("did you mean {near}?")),
        None => fault,
    }
}

fn choose(condition: &Arc<Node>, then: &Arc<Node>, otherwise: Option<&Arc<Node>>) -> Node {
    let null = || Arc::new(Node::Constant(Value::Null));
    Node::Choose {
        branches: vec![(Arc::clone(condition), Arc::clone(then))],
        otherwise: otherwise.map_or_else(null, Arc::clone),
    }
}

fn cases(expr: &Expr, arguments: &[Argument], scope: &Scope) -> Result<Node, NrqlError> {
    let mut branches = Vec::new();
    let mut other = None;
    for argument in arguments {
        match &argument.value {
            ArgumentValue::Where(case) => branches.push(case.clone()),
            ArgumentValue::Other(label) => other = Some(label.clone()),
            _ => return Err(error(expr.span, "cases() takes WHERE … AS …")),
        }
    }
    of_cases(&Cases { branches, other }, scope)
}

/// The label of the first branch that holds.
pub(super) fn of_cases(cases: &Cases, scope: &Scope) -> Result<Node, NrqlError> {
    let mut branches = Vec::with_capacity(cases.branches.len());
    for (at, case) in cases.branches.iter().enumerate() {
        // Who has the query's text names branches without a label by their condition before.
        let label = case.label.clone().unwrap_or_else(|| format!("case {}", at + 1));
        let condition = Arc::new(node(&case.condition, scope)?);
        branches.push((condition, Arc::new(Node::Constant(Value::text(&label)))));
    }
    let otherwise = match &cases.other {
        Some(other) => node(other, scope)?,
        None => Node::Constant(Value::Null),
    };
    Ok(Node::Choose { branches, otherwise: Arc::new(otherwise) })
}

/// A node that depends on no row becomes its value.
fn fold(node: Node) -> Node {
    if matches!(node, Node::Constant(_)) || !node.is_settled() {
        return node;
    }
    Node::Constant(row::eval(&node, &row::NoRow))
}

/// Nodes that one expression may evaluate, names of WITH counted as often as they stand.
const NODES_MAX: usize = 10_000;

/// As [`node`], and small enough to be evaluated.
pub(super) fn bounded(expr: &Expr, scope: &Scope) -> Result<Node, NrqlError> {
    let node = node(expr, scope)?;
    if node.fits(&mut NODES_MAX.clone()) {
        return Ok(node);
    }
    let fault = error(expr.span, "The expression is too complex");
    Err(NrqlError { kind: ErrorKind::Limit, ..fault })
}
