//! Expressions: compiled once, then evaluated column by column, or row by row on slow paths.
//!
//! Source: New Relic's pages on NRQL; where they say nothing, these choices (assumed):
//! - A comparison with null is false, `!=` and the negated forms of IN, LIKE and RLIKE too; NOT of
//!   a false comparison is true.
//! - Text and number are never equal; any two values of different kinds are `!=`.
//! - `a OR b` takes the first that is there, unless `a` is a condition or a condition is wanted.
//! - What cannot be computed is null: arithmetic on texts, division by zero, beyond 64-bit floats.
//!
//! Invariants:
//! - [`CompiledExpr::eval`] and [`CompiledExpr::eval_row`] give the same values.
//! - Conditions on texts are decided once per text of a dictionary, not once per row.

mod compile;
mod condition;
mod node;
mod row;
#[cfg(test)]
mod tests;
mod vector;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use node::Node;
pub(crate) use node::Numeric;

use super::batch::Batch;
use super::bitmap::Bitmap;
use super::column::Column;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::ast::{Binding, Expr, Query};
use crate::nrql::error::NrqlError;
use crate::nrql::value::Value;

/// Rows for which a condition is true.
pub type Selection = Bitmap;

/// What an expression sees besides the row.
#[derive(Debug, Clone)]
pub struct Scope {
    /// For functions of time.
    pub zone: TimeZone,
    /// When the query runs.
    pub now: UnixMillis,
    bindings: BTreeMap<String, Arc<Node>>,
    answers: Vec<(Query, Value)>,
}

impl Scope {
    /// Without bindings and sub-queries.
    pub fn new(zone: TimeZone, now: UnixMillis) -> Self {
        Self { zone, now, bindings: BTreeMap::new(), answers: Vec::new() }
    }

    /// Adds `WITH … AS …`; later ones see earlier ones.
    ///
    /// # Errors
    /// As [`compile()`].
    pub fn bind(&mut self, binding: &Binding) -> Result<(), NrqlError> {
        let value = Arc::new(compile::bounded(&binding.expr, self)?);
        if let [name] = binding.names.as_slice() {
            self.bindings.insert(name.text.clone(), value);
            return Ok(());
        }
        for (at, name) in binding.names.iter().enumerate() {
            let member = Node::Part(Arc::clone(&value), at, Arc::from(name.text.as_str()));
            self.bindings.insert(name.text.clone(), Arc::new(member));
        }
        Ok(())
    }

    /// Names that WITH has bound.
    pub fn bound(&self) -> impl Iterator<Item = &str> {
        self.bindings.keys().map(String::as_str)
    }

    /// Tells what a sub-query has answered: one value, or of IN a [`Value::List`].
    pub fn answer(&mut self, query: Query, value: Value) {
        self.answers.push((query, value));
    }
}

/// A row, wherever it comes from: what the slow path reads.
pub trait RowLike {
    /// The attribute, null when the row does not have it.
    fn get(&self, name: &str) -> Value;
    /// Its time.
    fn timestamp(&self) -> UnixMillis;
    /// Its type.
    fn event_type(&self) -> &str;
    /// Its account; `None` for rows of another query.
    fn account(&self) -> Option<AccountId>;
}

/// An expression, ready to be evaluated.
#[derive(Debug, Clone)]
pub struct CompiledExpr {
    node: Arc<Node>,
}

/// Makes an expression ready. Aggregates are no functions here: who has computed one puts an
/// attribute in its place.
///
/// # Errors
/// Unknown functions, wrong numbers of arguments, patterns that are no patterns, `*`, template
/// variables, sub-queries without an answer, and expressions that names of WITH make too large.
pub fn compile(expr: &Expr, scope: &Scope) -> Result<CompiledExpr, NrqlError> {
    compile::bounded(expr, scope).map(|node| CompiledExpr { node: Arc::new(node) })
}

/// Whether `name` (any case) is a function of values, not an aggregate.
pub fn is_scalar(name: &str) -> bool {
    compile::is_scalar(name)
}

/// Names of all functions of values, in lower case: for suggestions.
pub fn scalar_names() -> impl Iterator<Item = &'static str> {
    compile::BUILT_HERE.iter().copied().chain(super::scalar::names())
}

impl CompiledExpr {
    /// Its values for all rows.
    pub fn eval<'a>(&self, batch: &Batch<'a>) -> Column<'a> {
        vector::eval(&self.node, batch)
    }

    /// The rows for which it is true.
    pub fn select(&self, batch: &Batch<'_>) -> Selection {
        condition::select(&self.node, batch)
    }

    /// Its value for one row.
    pub fn eval_row(&self, row: &dyn RowLike) -> Value {
        row::eval(&self.node, row)
    }

    /// Whether it is true for one row.
    pub fn is_true(&self, row: &dyn RowLike) -> bool {
        row::is_true(&self.node, row)
    }

    /// Its value when it depends on no row.
    pub fn constant(&self) -> Option<&Value> {
        match &*self.node {
            Node::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// Names of the attributes that it reads.
    pub fn attributes(&self) -> BTreeSet<Arc<str>> {
        let mut names = BTreeSet::new();
        self.node.visit(&mut |node| {
            if let Node::Attribute(name) = node {
                names.insert(Arc::clone(name));
            }
        });
        names
    }
}
