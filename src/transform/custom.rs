//! Mappings that users add beside the catalogue's table.
//!
//! Invariants:
//! - The catalogue's own sources come first: a mapping fills what they leave absent.
//! - Of one mapping's source names the first with a valid value counts.
//! - Nothing is paid without mappings.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::extra::{Combine, ExtraValue, SampleExtra};
use crate::domain::metric::{MetricId, Unit};
use crate::domain::sample::{Origin, RawSample, RawValue, SubjectKind};

/// One mapping: a raw field of one origin and subject to one target.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomMapping {
    /// Whose spelling.
    pub origin: Origin,
    /// Samples about what.
    pub subject: SubjectKind,
    /// Raw names, best first.
    pub sources: Vec<String>,
    /// What the field becomes.
    pub target: MappingTarget,
    /// Raw times this is the target's value.
    pub factor: f64,
}

/// What a mapped field becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum MappingTarget {
    /// A metric of the catalogue, which says what it is.
    Metric(MetricId),
    /// A metric of its own.
    Custom {
        /// Its name in events.
        name: Arc<str>,
        /// What becomes of the values of several parts of one entity.
        combine: Combine,
    },
}

/// Mappings by origin and subject.
#[derive(Debug, Clone, Default)]
pub struct CustomMappings(BTreeMap<(Origin, SubjectKind), Vec<CustomMapping>>);

impl CustomMappings {
    /// The mappings, in order.
    pub fn new(mappings: Vec<CustomMapping>) -> Self {
        let mut all = Self::default();
        for mapping in mappings {
            all.0.entry((mapping.origin, mapping.subject)).or_default().push(mapping);
        }
        all
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What there is for `raw`.
    pub(super) fn of(&self, raw: &RawSample<'_>) -> &[CustomMapping] {
        self.0.get(&(raw.origin, raw.subject.kind())).map_or(&[], Vec::as_slice)
    }
}

impl CustomMapping {
    /// Values of the fields that this mapping names, best first.
    pub(super) fn values<'r>(
        &'r self,
        raw: &'r RawSample<'_>,
    ) -> impl Iterator<Item = &'r RawValue<'r>> {
        let of_name =
            |name: &'r String| raw.fields.iter().find(|field| field.name == name.as_str());
        self.sources.iter().filter_map(of_name).map(|field| &field.value)
    }

    /// The extra attribute that `value` makes.
    pub(super) fn extra(
        &self,
        name: &Arc<str>,
        combine: Combine,
        raw: &RawValue<'_>,
    ) -> Option<SampleExtra> {
        let number = match raw {
            RawValue::Number(number) | RawValue::Rate { per_second: number, .. } => *number,
            RawValue::Text(text) => text.trim().parse().ok()?,
        };
        let value = number * self.factor;
        let value = value.is_finite().then_some(ExtraValue::Number(value))?;
        Some(SampleExtra { name: Arc::clone(name), value, combine })
    }
}

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Data,
    DataRate,
    Time,
    Frequency,
    Part,
    Number,
}

/// A unit by its word, and how many of its dimension's first unit it is.
const UNITS: &[(&str, Dimension, f64)] = &[
    ("bytes", Dimension::Data, 1.0),
    ("kB", Dimension::Data, 1e3),
    ("MB", Dimension::Data, 1e6),
    ("GB", Dimension::Data, 1e9),
    ("KiB", Dimension::Data, 1_024.0),
    ("MiB", Dimension::Data, 1_048_576.0),
    ("GiB", Dimension::Data, 1_073_741_824.0),
    ("bytes/s", Dimension::DataRate, 1.0),
    ("kB/s", Dimension::DataRate, 1e3),
    ("MB/s", Dimension::DataRate, 1e6),
    ("KiB/s", Dimension::DataRate, 1_024.0),
    ("MiB/s", Dimension::DataRate, 1_048_576.0),
    ("ms", Dimension::Time, 1.0),
    ("us", Dimension::Time, 1e-3),
    ("ns", Dimension::Time, 1e-6),
    ("s", Dimension::Time, 1e3),
    ("min", Dimension::Time, 6e4),
    ("h", Dimension::Time, 3.6e6),
    ("/s", Dimension::Frequency, 1.0),
    ("/min", Dimension::Frequency, 1.0 / 60.0),
    ("/h", Dimension::Frequency, 1.0 / 3_600.0),
    ("%", Dimension::Part, 1.0),
    ("fraction", Dimension::Part, 100.0),
    ("count", Dimension::Number, 1.0),
];

/// The words for units, in documents and messages.
pub fn unit_words() -> impl Iterator<Item = &'static str> {
    UNITS.iter().map(|unit| unit.0)
}

/// The word for a unit of the catalogue.
pub const fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Percent => "%",
        Unit::Share => "fraction",
        Unit::Bytes => "bytes",
        Unit::Mebibytes => "MiB",
        Unit::BytesPerSecond => "bytes/s",
        Unit::MessagesPerSecond | Unit::PerSecond => "/s",
        Unit::PerHour => "/h",
        Unit::Milliseconds => "ms",
        Unit::Seconds => "s",
        Unit::Count | Unit::Messages | Unit::Score | Unit::Flag => "count",
    }
}

/// How many of `to` one of `from` is; `None` if one of them is unknown or they measure different
/// things.
pub fn conversion(from: &str, to: &str) -> Option<f64> {
    let find = |word: &str| UNITS.iter().find(|unit| unit.0 == word);
    let ((_, from, factor), (_, to, divisor)) = (find(from)?, find(to)?);
    (from == to).then(|| factor / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_one_dimension_convert() {
        let check = |from: &str, to: &str, expected: Option<f64>| {
            assert_eq!(conversion(from, to), expected, "{from} to {to}");
        };
        check("ms", "s", Some(0.001));
        check("s", "ms", Some(1_000.0));
        check("GiB", "MiB", Some(1_024.0));
        check("fraction", "%", Some(100.0));
        check("%", "fraction", Some(0.01));
        check("/h", "/h", Some(1.0));
        check("bytes", "bytes/s", None);
        check("furlong", "ms", None);
        for id in MetricId::all() {
            let word = unit_word(id.def().unit);
            assert_eq!(conversion(word, word), Some(1.0), "{id:?}");
        }
    }
}
