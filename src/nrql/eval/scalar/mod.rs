//! Scalar functions: of the values of one row, without state.

use std::fmt;
use std::sync::Arc;

use super::expr::{Numeric, Scope};
use crate::nrql::value::Value;

type Apply = dyn Fn(&[Value]) -> Value + Send + Sync;

/// A function, ready to be applied.
#[derive(Clone)]
pub(crate) struct Function {
    name: &'static str,
    apply: Arc<Apply>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Function {
    /// Of as many values as it was built for.
    pub(crate) fn apply(&self, values: &[Value]) -> Value {
        (self.apply)(values)
    }

    /// Whether it gives truth values.
    pub(crate) fn is_condition(&self) -> bool {
        self.name == "boolean"
    }
}

/// What [`build`] gives.
pub(crate) enum Built {
    /// Of one number.
    Numeric(Numeric),
    /// Of any values.
    Function(Function),
}

/// Whether a name in lower case is a function.
pub(crate) fn is_known(name: &str) -> bool {
    name == "abs"
}

/// The function called `name` (lower case) for these arguments, those that are constant known;
/// `None` when there is none of that name.
pub(crate) fn build(
    name: &str,
    _constants: &[Option<Value>],
    _scope: &Scope,
) -> Option<Result<Built, String>> {
    (name == "abs").then(|| Ok(Built::Numeric(Numeric(f64::abs))))
}
