//! Values as keys of facets, of joins and of sets.
//!
//! Invariants: equal numbers are equal keys however they are held; keys of different types are
//! never equal; the order of keys is total and the same in every process.

use std::sync::Arc;

use super::super::value::Value;
use super::result_json;

/// A value that can be looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number, its bits so that their order is the numbers' order.
    Number(u64),
    /// A whole number that a double does not hold.
    Integer(i64),
    /// Text.
    Text(Arc<str>),
    /// Several, as of `tuple()`.
    List(Vec<Key>),
    /// What has no better form, as JSON.
    Other(String),
}

/// Whole numbers up to this size are exact in a double.
const EXACT_MAX: u64 = 1 << 53;

impl Key {
    /// Of a value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(ordered(*number)),
            #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
            Value::Integer(number) if number.unsigned_abs() <= EXACT_MAX => {
                Self::Number(ordered(*number as f64))
            }
            Value::Integer(number) => Self::Integer(*number),
            Value::Text(text) => Self::Text(Arc::clone(text)),
            Value::List(members) => Self::List(members.iter().map(Self::of).collect()),
            other => Self::Other(result_json(other).to_string()),
        }
    }

    /// Back to a value.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(bits) => Value::Number(unordered(*bits)),
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) => Value::Text(Arc::clone(text)),
            Self::List(members) => Value::List(members.iter().map(Self::value).collect()),
            Self::Other(json) => Value::Text(Arc::from(json.as_str())),
        }
    }

    /// Memory behind it, in bytes, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Text(text) => text.len(),
                Self::Other(text) => text.len(),
                Self::List(members) => members.iter().map(Self::bytes).sum(),
                _ => 0,
            }
    }
}

const SIGN: u64 = 1 << 63;

/// Bits whose order is that of the numbers; both zeros are one.
pub(super) fn ordered(number: f64) -> u64 {
    let bits = if number == 0.0 { 0 } else { number.to_bits() };
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn unordered(bits: u64) -> f64 {
    f64::from_bits(if bits & SIGN == 0 { !bits } else { bits & !SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_their_numbers() {
        let numbers = [f64::MIN, -2.5, -1.0, -0.0, f64::MIN_POSITIVE, 1.0, 2.5, f64::MAX];
        for pair in numbers.windows(2) {
            assert!(Key::of(&Value::Number(pair[0])) < Key::of(&Value::Number(pair[1])));
        }
        for number in numbers {
            assert_eq!(Key::of(&Value::Number(number)).value(), Value::Number(number));
        }
        assert_eq!(Key::of(&Value::Number(-0.0)), Key::of(&Value::Integer(0)));
        assert_eq!(Key::of(&Value::Number(3.0)), Key::of(&Value::Integer(3)));
        assert_ne!(Key::of(&Value::Number(3.0)), Key::of(&Value::text("3")));
        let beyond = Value::Integer(i64::MAX);
        assert_eq!(Key::of(&beyond).value(), beyond);
    }
}
