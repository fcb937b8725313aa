//! The compiled form of an expression.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexSet;
use regex::Regex;

use crate::nrql::ast::IsState;
use crate::nrql::eval::scalar::Function;
use crate::nrql::hashing::FixedState;
use crate::nrql::value::Value;

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The same with its sides exchanged.
    pub(super) fn flip(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// Whether it holds between values that stand so.
    pub(super) fn admits(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// Whether it holds between two values.
    pub(super) fn holds(self, left: &Value, right: &Value) -> bool {
        if left.is_null() || right.is_null() {
            return false;
        }
        match (order(left, right), self) {
            (Some(ordering), _) => self.admits(ordering),
            (None, Self::Equal) => left == right,
            (None, Self::NotEqual) => left != right,
            (None, _) => false,
        }
    }
}

/// How two values stand; `None` when they are of kinds that have no order.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
        (Value::Integer(left), Value::Number(right)) => order_mixed(*left, *right),
        (Value::Number(left), Value::Integer(right)) => {
            order_mixed(*right, *left).map(Ordering::reverse)
        }
        (Value::Text(left), Value::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        // Senders of events have no truth values: theirs are stored as texts.
        (Value::Text(left), Value::Bool(right)) => truth_of(left).map(|left| left.cmp(right)),
        (Value::Bool(left), Value::Text(right)) => truth_of(right).map(|right| left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// An integer against a float, every digit counting.
pub(super) fn order_mixed(left: i64, right: f64) -> Option<Ordering> {
    // Beyond these every float is greater than every integer, or less.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if right.is_nan() {
        return None;
    }
    if right >= BOUND {
        return Some(Ordering::Less);
    }
    if right < -BOUND {
        return Some(Ordering::Greater);
    }
    let whole = right.trunc();
    Some(left.cmp(&(whole as i64)).then(0.0.partial_cmp(&(right - whole))?))
}

/// The truth value that a text stands for.
pub(super) fn truth_of(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Whether a value counts as true.
pub(super) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::Text(text) => truth_of(text) == Some(true),
        Value::Number(number) => *number != 0.0,
        Value::Integer(number) => *number != 0,
        Value::Null | Value::List(_) | Value::Map(_) | Value::Metric(_) => false,
    }
}

/// Arithmetic of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Arithmetic {
    /// NaN or infinite for what has no result.
    #[inline]
    pub(super) fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Remainder => left % right,
            Self::Power => left.powf(right),
        }
    }

    /// Of two integers, exact where the result is an integer of 64 bits.
    fn of_integers(self, left: i64, right: i64) -> Option<i64> {
        match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Remainder => left.checked_rem(right),
            Self::Divide | Self::Power => None,
        }
    }

    pub(super) fn of_values(self, left: &Value, right: &Value) -> Value {
        if let (Value::Integer(left), Value::Integer(right)) = (left, right)
            && let Some(exact) = self.of_integers(*left, *right)
        {
            return Value::Integer(exact);
        }
        match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => number(self.of(left, right)),
            _ => Value::Null,
        }
    }
}

/// A finite number, or null.
pub(super) fn number(value: f64) -> Value {
    if value.is_finite() { Value::Number(value) } else { Value::Null }
}

/// Conditions on one value that are decided once per text.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// Against a value that is the same for all rows.
    Compare(Comparison, Value),
    /// `IN`.
    In(Arc<Set>),
    /// `LIKE`.
    Like(Arc<Like>),
    /// `RLIKE`; of the whole text.
    Rlike(Regex),
}

impl Test {
    pub(super) fn holds_text(&self, text: &str) -> bool {
        match self {
            Self::Compare(comparison, Value::Text(other)) => {
                comparison.admits(text.as_bytes().cmp(other.as_bytes()))
            }
            Self::Compare(comparison, other) => comparison.holds(&Value::text(text), other),
            Self::In(set) => set.has_text(text),
            Self::Like(like) => like.matches(text),
            Self::Rlike(regex) => regex.is_match(text),
        }
    }

    pub(super) fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null) => false,
            (Self::Compare(comparison, other), _) => comparison.holds(value, other),
            (_, Value::Text(text)) => self.holds_text(text),
            (Self::In(set), _) => set.has(value),
            (Self::Like(_) | Self::Rlike(_), _) => false,
        }
    }
}

/// Members of IN.
#[derive(Debug, Clone, Default)]
pub(super) struct Set {
    texts: IndexSet<Arc<str>, FixedState>,
    /// Ascending, zero without a sign.
    numbers: Vec<f64>,
    /// Truth values, integers that no float holds.
    others: Vec<Value>,
}

impl Set {
    pub(super) fn of(values: impl IntoIterator<Item = Value>) -> Self {
        let mut set = Self::default();
        for value in values {
            match value {
                Value::Null => {}
                Value::Text(text) => {
                    set.texts.insert(text);
                }
                Value::Number(number) => set.numbers.push(number + 0.0),
                other => set.others.push(other),
            }
        }
        set.numbers.sort_by(f64::total_cmp);
        set
    }

    fn has_text(&self, text: &str) -> bool {
        let is_truth = |truth| self.others.contains(&Value::Bool(truth));
        self.texts.contains(text) || truth_of(text).is_some_and(is_truth)
    }

    pub(super) fn has_number(&self, number: f64) -> bool {
        let found = self.numbers.binary_search_by(|own| own.total_cmp(&(number + 0.0)));
        found.is_ok() || self.has_other(&Value::Number(number))
    }

    fn has_other(&self, value: &Value) -> bool {
        self.others.iter().any(|other| Comparison::Equal.holds(value, other))
    }

    fn has(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.has_text(text),
            Value::Number(number) => self.has_number(*number),
            Value::Metric(metric) => self.has_number(metric.scalar()),
            Value::Integer(number) => {
                let same = |own: &f64| order_mixed(*number, *own) == Some(Ordering::Equal);
                self.numbers.iter().any(same) || self.has_other(value)
            }
            Value::Bool(truth) => {
                let same = |text: &Arc<str>| truth_of(text) == Some(*truth);
                self.texts.iter().any(same) || self.has_other(value)
            }
            Value::Null | Value::List(_) | Value::Map(_) => self.has_other(value),
        }
    }
}

/// A pattern of LIKE: `%` stands for any text, case does not count.
#[derive(Debug, Clone)]
pub(super) struct Like {
    parts: Vec<String>,
}

impl Like {
    pub(super) fn new(pattern: &str) -> Self {
        Self { parts: pattern.to_lowercase().split('%').map(str::to_owned).collect() }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|only| *only == lower);
        };
        let Some(mut rest) = lower.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Constant(Value),
    Attribute(Arc<str>),
    /// `eventType()`.
    EventType,
    /// `accountId()`.
    Account,
    /// Between values that both differ by row.
    Compare(Comparison, Arc<Node>, Arc<Node>),
    /// On one value, perhaps negated; false for null either way.
    Test {
        test: Test,
        negated: bool,
        operand: Arc<Node>,
    },
    Is {
        state: IsState,
        negated: bool,
        operand: Arc<Node>,
    },
    And(Arc<Node>, Arc<Node>),
    Or(Arc<Node>, Arc<Node>),
    Not(Arc<Node>),
    /// The first that is there.
    Coalesce(Arc<Node>, Arc<Node>),
    Arithmetic(Arithmetic, Arc<Node>, Arc<Node>),
    /// Function of two numbers or one (then the right one is ignored).
    Numeric(Numeric, Arc<Node>),
    /// `if(condition, then, otherwise)` and `cases(…)`: the first branch that holds.
    Choose {
        branches: Vec<(Arc<Node>, Arc<Node>)>,
        otherwise: Arc<Node>,
    },
    /// A member of a list, by place.
    Member(Arc<Node>, usize),
    /// One of several names bound to a value: a list's by place, a map's by name.
    Part(Arc<Node>, usize, Arc<str>),
    /// A member of a metric value, or of a map, by name.
    Field(Arc<Node>, Arc<str>),
    List(Vec<Arc<Node>>),
    /// Any other function.
    Call(Arc<Call>),
}

/// A function of one number, as a tight loop wants it.
#[derive(Clone, Copy)]
pub(crate) struct Numeric(pub(crate) fn(f64) -> f64);

impl fmt::Debug for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Numeric")
    }
}

/// A function and its arguments.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) function: Function,
    pub(super) arguments: Vec<Arc<Node>>,
}

impl Node {
    /// Whether it gives a truth value of its own, so that OR after it joins conditions.
    pub(super) fn is_condition(&self) -> bool {
        match self {
            Self::Compare(..)
            | Self::Test { .. }
            | Self::Is { .. }
            | Self::And(..)
            | Self::Or(..)
            | Self::Not(_)
            | Self::Constant(Value::Bool(_)) => true,
            Self::Call(call) => call.function.is_condition(),
            _ => false,
        }
    }

    fn children(&self) -> Vec<&Arc<Self>> {
        match self {
            Self::Constant(_) | Self::Attribute(_) | Self::EventType | Self::Account => Vec::new(),
            Self::Compare(_, left, right)
            | Self::And(left, right)
            | Self::Or(left, right)
            | Self::Coalesce(left, right)
            | Self::Arithmetic(_, left, right) => vec![left, right],
            Self::Test { operand, .. }
            | Self::Is { operand, .. }
            | Self::Not(operand)
            | Self::Numeric(_, operand)
            | Self::Member(operand, _)
            | Self::Part(operand, _, _)
            | Self::Field(operand, _) => vec![operand],
            Self::Choose { branches, otherwise } => {
                let branches = branches.iter().flat_map(|(condition, value)| [condition, value]);
                branches.chain([otherwise]).collect()
            }
            Self::List(nodes) => nodes.iter().collect(),
            Self::Call(call) => call.arguments.iter().collect(),
        }
    }

    /// Whether it depends on no row, given that nodes below that do not are constants already.
    pub(super) fn is_settled(&self) -> bool {
        let depends = matches!(self, Self::Attribute(_) | Self::EventType | Self::Account);
        let constant = |node: &&Arc<Self>| matches!(***node, Self::Constant(_));
        !depends && self.children().iter().all(constant)
    }

    /// Takes one from `budget` for this node and each below, as often as it is evaluated; `false`
    /// once nothing is left. Names of WITH are shared, so the tree can be far larger than its text.
    pub(super) fn fits(&self, budget: &mut usize) -> bool {
        match budget.checked_sub(1) {
            Some(left) => *budget = left,
            None => return false,
        }
        self.children().into_iter().all(|node| node.fits(budget))
    }

    /// Calls `see` with this node and all below.
    pub(super) fn visit(&self, see: &mut impl FnMut(&Self)) {
        see(self);
        self.children().into_iter().for_each(|node| node.visit(see));
    }
}
