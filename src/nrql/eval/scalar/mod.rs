//! Scalar functions: of the values of one row, without state.
//!
//! Source: New Relic's "NRQL syntax, clauses, and functions". Assumed: the label of a bucket of
//! `buckets()`, functions of mathematics that the page only names, characters as units of texts.
//!
//! Invariants:
//! - A function is pure: what it gives depends on its arguments alone.
//! - Arguments of a kind that a function does not take give null, never an error.

mod math;
mod parse;
mod text;
mod time;

use std::fmt;
use std::sync::Arc;

use super::expr::{Numeric, Scope};
use crate::nrql::value::Value;
pub(crate) use parse::whole;

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

/// One argument, as far as it is known before any row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Of `name: value`.
    pub(crate) name: Option<String>,
    /// When it depends on no row.
    pub(crate) constant: Option<Value>,
    /// When it is an attribute: its name, as `numeric` in `hourOf(timestamp, numeric)`.
    pub(crate) word: Option<String>,
}

impl Known {
    /// A text, or the word that stands for it.
    pub(crate) fn text(&self) -> Option<&str> {
        match (&self.constant, &self.word) {
            (Some(Value::Text(text)), _) => Some(text),
            (None, Some(word)) => Some(word),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        self.constant.as_ref().and_then(Value::as_f64)
    }
}

/// What a function is made of.
enum Make {
    /// Of one number.
    Numeric(fn(f64) -> f64),
    /// Of so many values, at least and at most.
    Plain(usize, usize, fn(&[Value]) -> Value),
    /// Needs to know arguments or the scope first.
    Special(fn(&[Known], &Scope) -> Result<Arc<Apply>, String>),
}

const FUNCTIONS: &[&[(&str, Make)]] =
    &[math::FUNCTIONS, text::FUNCTIONS, parse::FUNCTIONS, time::FUNCTIONS];

fn find(name: &str) -> Option<&'static (&'static str, Make)> {
    FUNCTIONS.iter().copied().flatten().find(|(known, _)| *known == name)
}

/// Whether a name in lower case is a function.
pub(crate) fn is_known(name: &str) -> bool {
    find(name).is_some()
}

/// Names of all functions, in lower case.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().copied().flatten().map(|(name, _)| *name)
}

/// The function called `name` (lower case) for these arguments; `None` when there is none of that
/// name.
pub(crate) fn build(name: &str, known: &[Known], scope: &Scope) -> Option<Result<Built, String>> {
    let (name, make) = find(name)?;
    let function = |apply: Arc<Apply>| Built::Function(Function { name, apply });
    Some(match make {
        Make::Numeric(numeric) if known.len() == 1 => Ok(Built::Numeric(Numeric(*numeric))),
        Make::Numeric(_) => Err("takes one argument".to_owned()),
        Make::Plain(least, most, _) if !(*least..=*most).contains(&known.len()) => {
            Err(match (*least, *most) {
                (1, 1) => "takes one argument".to_owned(),
                (least, usize::MAX) => format!("takes at least {least} arguments"),
                (least, most) if least == most => format!("takes {least} arguments"),
                (least, most) => format!("takes {least} to {most} arguments"),
            })
        }
        Make::Plain(_, _, apply) => Ok(function(Arc::new(*apply))),
        Make::Special(make) => make(known, scope).map(function),
    })
}

/// A finite number, or null.
fn number(value: f64) -> Value {
    if value.is_finite() { Value::Number(value) } else { Value::Null }
}

/// The shortest text of a number, whole ones without a fraction; `decimals` bounds the fraction.
fn number_text(value: f64, decimals: Option<usize>) -> String {
    let mut text = match decimals {
        Some(decimals) => format!("{value:.decimals$}"),
        None => format!("{}", value + 0.0),
    };
    if decimals.is_some() && text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// The text of any value; of null nothing.
fn value_text(value: &Value, decimals: Option<usize>) -> Option<String> {
    Some(match value {
        Value::Null | Value::Map(_) | Value::Metric(_) => return None,
        Value::Text(text) => text.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => number_text(*number, decimals),
        Value::List(values) => {
            let texts = values.iter().map(|value| value_text(value, decimals).unwrap_or_default());
            format!("[{}]", texts.collect::<Vec<_>>().join(", "))
        }
    })
}

#[cfg(test)]
mod tests;
