//! From raw names to the catalogue, by origin and subject: hash tables built once from the
//! catalogue's sources.
//!
//! Invariants:
//! - The tables hold exactly the field sources of the metric and attribute tables.
//! - A look-up costs one hash and, nearly always, one comparison.

use std::sync::LazyLock;

use crate::domain::attribute::{ATTRIBUTES, AttributeId};
use crate::domain::metric::{MetricId, MetricKind, Range, Scale, Source};
use crate::domain::sample::{Origin, SubjectKind};

/// What a raw field becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// A metric.
    Metric {
        /// Which.
        id: MetricId,
        /// From raw to canonical.
        scale: Scale,
        /// Place among the metric's sources; lower wins.
        precedence: u8,
        /// Values that can be true.
        range: Range,
        /// Whether it is a rate.
        rate: bool,
    },
    /// A descriptive attribute.
    Attribute {
        /// Which.
        id: AttributeId,
        /// Place among the attribute's sources; lower wins.
        precedence: u8,
    },
}

/// Raw names of one origin and subject.
pub(super) struct Mapping {
    /// Open addressing; the length is a power of two and at least twice the number of entries.
    slots: Vec<Option<(&'static str, Target)>>,
}

impl Mapping {
    fn of(origin: Origin, subject: SubjectKind) -> Self {
        let entries = entries(origin, subject);
        let mut slots = vec![None; (entries.len() * 4).next_power_of_two().max(2)];
        for entry in entries {
            let mut place = hash(entry.0) & (slots.len() - 1);
            while slots[place].is_some() {
                place = (place + 1) & (slots.len() - 1);
            }
            slots[place] = Some(entry);
        }
        Self { slots }
    }

    /// What field `name` becomes, if a table names it.
    pub(super) fn get(&self, name: &str) -> Option<Target> {
        let mut place = hash(name) & (self.slots.len() - 1);
        while let Some((known, target)) = self.slots[place] {
            if same(known, name) {
                return Some(target);
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
        None
    }
}

/// A hash of the length, the first, middle and last eight bytes: enough to tell a few dozen known
/// names apart, which is all it must do.
#[inline]
fn hash(name: &str) -> usize {
    let bytes = name.as_bytes();
    let word = |at: usize| match bytes.get(at..at + 8) {
        Some(chunk) => u64::from_le_bytes(chunk.try_into().expect("eight bytes")),
        None => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let last = bytes.len().saturating_sub(8);
    let mixed = word(0) ^ word(last / 2).rotate_left(21) ^ word(last).rotate_left(42);
    let mixed = (mixed ^ bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize
}

/// Equality of two short texts, a word at a time and without a call.
#[inline]
fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    match (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        (Some(left_end), Some(right_end)) => {
            let (left, _) = left.as_chunks::<8>();
            let (right, _) = right.as_chunks::<8>();
            left_end == right_end && left.iter().zip(right).all(|(left, right)| left == right)
        }
        _ => left == right,
    }
}

fn entries(origin: Origin, subject: SubjectKind) -> Vec<(&'static str, Target)> {
    let mut entries = Vec::new();
    for id in MetricId::all() {
        for (precedence, source) in (0..).zip(id.def().sources) {
            match source {
                Source::Field(field) if (field.origin, field.subject) == (origin, subject) => {
                    let (scale, range) = (field.scale, id.def().range);
                    let rate = id.def().kind == MetricKind::Rate;
                    let target = Target::Metric { id, scale, precedence, range, rate };
                    entries.push((field.field, target));
                }
                _ => {}
            }
        }
    }
    for def in ATTRIBUTES {
        for (precedence, source) in (0..).zip(def.sources) {
            if (source.origin, source.subject) == (origin, subject) {
                entries.push((source.field, Target::Attribute { id: def.id, precedence }));
            }
        }
    }
    entries
}

static MAPPINGS: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let subjects = |origin| SubjectKind::ALL.map(|subject| Mapping::of(origin, subject));
    Origin::ALL.into_iter().flat_map(subjects).collect()
});

/// The names of `origin` in samples about `subject`.
pub(super) fn mapping(origin: Origin, subject: SubjectKind) -> &'static Mapping {
    &MAPPINGS[origin as usize * SubjectKind::ALL.len() + subject as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_found() {
        let mut found = 0;
        for origin in Origin::ALL {
            for subject in SubjectKind::ALL {
                for (name, target) in entries(origin, subject) {
                    assert_eq!(mapping(origin, subject).get(name), Some(target), "{name}");
                    found += 1;
                }
                for name in ["", "nothing", "Broker.IOInPerSecond"] {
                    assert_eq!(mapping(origin, subject).get(name), None);
                }
            }
        }
        assert!(found > 100, "{found}");
        for (place, table) in MAPPINGS.iter().enumerate() {
            let runs = table.slots.split(Option::is_none).map(<[_]>::len);
            assert!(runs.max().unwrap_or(0) <= 12, "table {place} has a long run");
        }
    }
}
