//! A document as a tree of owned values with their spans.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeInteger, DeTable, DeValue};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

/// A key's own span and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key_span: Range<usize>,
    pub(super) node: Node,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// JSON alone has it.
    Null,
    String(String),
    /// TOML's integers are wider than any field of ours.
    Integer(i128),
    Float(f64),
    Boolean,
    Datetime,
    Array(Vec<Node>),
    Table(BTreeMap<String, Entry>),
}

impl Node {
    pub(super) fn of_table(table: &DeTable<'_>, span: Range<usize>) -> Self {
        let entries = table.iter().map(|(key, value)| {
            let node = Self::of_value(value.get_ref(), value.span());
            (key.get_ref().to_string(), Entry { key_span: key.span(), node })
        });
        Self { span, value: Value::Table(entries.collect()) }
    }

    fn of_value(value: &DeValue<'_>, span: Range<usize>) -> Self {
        let value = match value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(integer) => integer_of(integer),
            DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(_) => Value::Boolean,
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(array) => {
                Value::Array(array.iter().map(|v| Self::of_value(v.get_ref(), v.span())).collect())
            }
            DeValue::Table(table) => return Self::of_table(table, span),
        };
        Self { span, value }
    }
}

/// The parser has checked the digits, so only a number beyond 128 bits fails; serde refuses it.
fn integer_of(integer: &DeInteger<'_>) -> Value {
    let value = i128::from_str_radix(integer.as_str(), integer.radix());
    Value::Integer(value.unwrap_or(i128::MAX))
}

impl Value {
    /// How a person would name its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean => "a boolean",
            Self::Datetime => "a date",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}
