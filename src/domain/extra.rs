//! Attributes of an entity that no table knows: what users configure (custom metrics, mappings,
//! enrichment).
//!
//! Invariants:
//! - At most one value per name, sorted by name; without any there is no allocation.
//! - Numbers are finite: others are not stored.

use std::sync::Arc;

/// The value of an extra attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum ExtraValue {
    /// A finite number.
    Number(f64),
    /// Text.
    Text(Arc<str>),
}

/// How the values that several parts of one entity have become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Combine {
    /// Added up.
    Sum,
    /// Their mean.
    Mean,
    /// The least.
    Min,
    /// The largest.
    Max,
    /// The newest; the larger one among equally new ones.
    Last,
}

/// An extra attribute of one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleExtra {
    /// Its name in events.
    pub name: Arc<str>,
    /// Its value.
    pub value: ExtraValue,
    /// What becomes of the values of several parts; texts know [`Combine::Last`] only.
    pub combine: Combine,
}

/// Extra attributes of one entity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extras(Vec<(Arc<str>, ExtraValue)>);

impl Extras {
    /// Sets `name`; a number that is not finite is not stored, and says so with `false`.
    pub fn set(&mut self, name: &Arc<str>, value: ExtraValue) -> bool {
        if matches!(value, ExtraValue::Number(number) if !number.is_finite()) {
            return false;
        }
        match self.0.binary_search_by(|entry| entry.0.cmp(name)) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (Arc::clone(name), value)),
        }
        true
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&ExtraValue> {
        let place = self.0.binary_search_by(|entry| entry.0.as_ref().cmp(name)).ok()?;
        Some(&self.0[place].1)
    }

    /// Forgets `name`; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let place = self.0.binary_search_by(|entry| entry.0.as_ref().cmp(name));
        place.is_ok_and(|place| {
            self.0.remove(place);
            true
        })
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &ExtraValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Number of attributes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_once_and_sorted() {
        let mut extras = Extras::default();
        let number = ExtraValue::Number;
        assert!(extras.set(&"b".into(), number(1.0)) && extras.set(&"a".into(), number(2.0)));
        assert!(extras.set(&"b".into(), ExtraValue::Text("x".into())));
        assert!(!extras.set(&"c".into(), number(f64::NAN)), "not stored");
        let names: Vec<_> = extras.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(extras.get("b"), Some(&ExtraValue::Text("x".into())));
        assert!(extras.remove("a") && !extras.remove("a"));
        assert_eq!((extras.len(), extras.get("a")), (1, None));
    }
}
