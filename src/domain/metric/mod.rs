//! The canonical metric catalogue: one table per entity kind from which mapping, validation and
//! `docs/METRICS.md` come.
//!
//! Invariants:
//! - A name is unique within its entity kind; broker and topic share a few names for the same fact.
//! - A raw field of one origin and subject feeds at most one metric; a metric's sources stand in
//!   order of precedence.
//! - Absence and zero are different facts: a [`MetricSet`] holds known values only.

use std::fmt;

use super::entity::EntityKind;
use super::sample::{Origin, SubjectKind};
use super::units::UnixMillis;

/// Rows of one table become constants of [`MetricId`] and the table itself.
macro_rules! metrics {
    ($kind:ident; $(
        $id:ident = $name:literal, $unit:ident, $form:ident, $range:ident, $meaning:literal,
        [$($source:expr),* $(,)?];
    )+) => {
        impl MetricId {
            $(
                #[doc = $meaning]
                pub const $id: Self = named(EntityKind::$kind, TABLE, $name);
            )+
        }

        /// Definitions, in the order in which events carry them.
        pub(super) const TABLE: &[MetricDef] = &[$(MetricDef {
            name: $name,
            json_key: super::JsonKey::new(concat!(",\"", $name, "\":")),
            entity: EntityKind::$kind,
            unit: Unit::$unit,
            kind: MetricKind::$form,
            range: Range::$range,
            meaning: $meaning,
            sources: &[$($source),*],
        }),+];
    };
}

mod broker;
mod cluster;
mod document;
mod group;
mod queue;
mod set;
mod topic;

pub use document::document;
pub use set::{MetricBoard, MetricSet};

/// Every metric, by entity kind in the order of [`EntityKind::ALL`].
pub const CATALOGUE: [&[MetricDef]; 5] =
    [cluster::TABLE, broker::TABLE, topic::TABLE, queue::TABLE, group::TABLE];

/// Other spellings of canonical names, accepted by [`MetricId::lookup`] and never sent.
pub const ALIASES: &[(&str, &str)] = &[
    ("cluster.availability", "cluster.availability.percentage"),
    ("cluster.throughput.in.bytesPerSec", "cluster.throughput.in.bytesPerSecond"),
    ("cluster.throughput.out.bytesPerSec", "cluster.throughput.out.bytesPerSecond"),
];

/// One metric of one entity kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricId {
    kind: EntityKind,
    index: u8,
}

impl MetricId {
    /// Its definition.
    pub fn def(self) -> &'static MetricDef {
        &CATALOGUE[self.kind as usize][usize::from(self.index)]
    }

    /// Its canonical name.
    pub fn name(self) -> &'static str {
        self.def().name
    }

    /// The kind of entity it describes.
    pub fn entity(self) -> EntityKind {
        self.kind
    }

    /// The metric of `kind` called `name`, or having that alias.
    pub fn lookup(kind: EntityKind, name: &str) -> Option<Self> {
        let canonical = ALIASES.iter().find(|(alias, _)| *alias == name);
        let name = canonical.map_or(name, |(_, canonical)| canonical);
        let index = CATALOGUE[kind as usize].iter().position(|def| def.name == name)?;
        Some(Self { kind, index: index as u8 })
    }

    /// All metrics of `kind`, in table order.
    pub fn of_kind(kind: EntityKind) -> impl Iterator<Item = Self> {
        (0..CATALOGUE[kind as usize].len()).map(move |index| Self { kind, index: index as u8 })
    }

    /// All metrics, in table order.
    pub fn all() -> impl Iterator<Item = Self> {
        EntityKind::ALL.into_iter().flat_map(Self::of_kind)
    }

    /// Its place among the metrics of its kind, below 64.
    pub const fn index(self) -> usize {
        self.index as usize
    }

    const fn bit(self) -> u64 {
        1 << self.index
    }
}

impl fmt::Debug for MetricId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.prefix(), self.name())
    }
}

impl fmt::Display for MetricId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The row called `name`; fails the build when there is none.
const fn named(kind: EntityKind, table: &[MetricDef], name: &str) -> MetricId {
    let mut index = 0;
    while index < table.len() {
        if equal(table[index].name.as_bytes(), name.as_bytes()) {
            return MetricId { kind, index: index as u8 };
        }
        index += 1;
    }
    panic!("no such row")
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut place = 0;
    while place < left.len() {
        if left[place] != right[place] {
            return false;
        }
        place += 1;
    }
    true
}

/// Everything known of a metric.
#[derive(Debug, Clone, Copy)]
pub struct MetricDef {
    /// Canonical name: the event's attribute.
    pub name: &'static str,
    /// `,"name":`, ready to write.
    pub json_key: JsonKey,
    /// Kind of entity it describes.
    pub entity: EntityKind,
    /// Unit of its values.
    pub unit: Unit,
    /// Shape of its values.
    pub kind: MetricKind,
    /// Values that can be true.
    pub range: Range,
    /// One sentence.
    pub meaning: &'static str,
    /// Where it comes from, best first.
    pub sources: &'static [Source],
}

impl MetricDef {
    /// Whether NRQL needs back-quotes around the name: a dotted part is a reserved word.
    pub fn needs_back_quotes(&self) -> bool {
        needs_back_quotes(self.name)
    }
}

/// `,"name":` in a block of fixed size, so that writing it is a few wide stores and no call.
#[derive(Debug, Clone, Copy)]
pub struct JsonKey {
    block: [u8; Self::BYTES_MAX],
    length: u8,
}

impl JsonKey {
    /// Longest key; a longer one fails the build.
    const BYTES_MAX: usize = 64;

    const fn new(text: &str) -> Self {
        let (text, mut block, mut place) = (text.as_bytes(), [0; Self::BYTES_MAX], 0);
        while place < text.len() {
            block[place] = text[place];
            place += 1;
        }
        Self { block, length: text.len() as u8 }
    }

    /// Appends the key.
    pub fn write(&self, out: &mut Vec<u8>) {
        let length = out.len() + usize::from(self.length);
        out.extend_from_slice(&self.block);
        out.truncate(length);
    }
}

/// NRQL's reserved words, as its reference lists them.
pub const RESERVED_WORDS: &[&str] = &[
    "ago",
    "and",
    "as",
    "auto",
    "begin",
    "begintime",
    "compare",
    "day",
    "days",
    "end",
    "endtime",
    "explain",
    "facet",
    "from",
    "hour",
    "hours",
    "in",
    "is",
    "like",
    "limit",
    "minute",
    "minutes",
    "month",
    "months",
    "not",
    "null",
    "offset",
    "or",
    "raw",
    "second",
    "seconds",
    "select",
    "since",
    "timeseries",
    "until",
    "week",
    "weeks",
    "where",
    "with",
];

/// Whether NRQL needs back-quotes around attribute `name`.
pub fn needs_back_quotes(name: &str) -> bool {
    name.split('.').any(|part| RESERVED_WORDS.iter().any(|word| word.eq_ignore_ascii_case(part)))
}

/// Unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 0 to 100.
    Percent,
    /// 0 to 1.
    Share,
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// 1,048,576 bytes.
    Mebibytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Messages.
    Messages,
    /// Messages per second.
    MessagesPerSecond,
    /// Occurrences per second.
    PerSecond,
    /// Occurrences per hour.
    PerHour,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// A score of 0 to 100.
    Score,
    /// 0 or 1.
    Flag,
}

impl Unit {
    /// The text in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Percent => "%",
            Self::Share => "0–1",
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Mebibytes => "MiB",
            Self::BytesPerSecond => "bytes/s",
            Self::Messages => "messages",
            Self::MessagesPerSecond => "messages/s",
            Self::PerSecond => "/s",
            Self::PerHour => "/h",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Score => "score",
            Self::Flag => "0 or 1",
        }
    }
}

/// Shape of a metric's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// The state at one instant.
    Gauge,
    /// Growth of a counter per second, over the collection window.
    Rate,
    /// Computed from other metrics of the same entity, or rolled up from other entities.
    Derived,
}

impl MetricKind {
    /// The text in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Rate => "rate",
            Self::Derived => "derived",
        }
    }
}

/// Values that can be true, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Range {
    /// 0 to 100.
    pub const PERCENT: Self = Self { min: 0.0, max: 100.0 };
    /// 0 to 1.
    pub const SHARE: Self = Self { min: 0.0, max: 1.0 };
    /// From 0 to what New Relic stores without truncation (64 bits).
    pub const POSITIVE: Self = Self { min: 0.0, max: 9_223_372_036_854_774_784.0 };

    /// Whether `value` is finite and within.
    pub fn contains(self, value: f64) -> bool {
        value >= self.min && value <= self.max
    }

    /// The nearest number within to `value`, which is finite.
    #[must_use]
    pub fn clamp(self, value: f64) -> f64 {
        value.clamp(self.min, self.max)
    }
}

/// One way to learn a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    /// A field of raw samples.
    Field(FieldSource),
    /// Computed; the text is the formula.
    Formula(&'static str),
}

/// A field of raw samples that feeds a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldSource {
    /// Whose spelling.
    pub origin: Origin,
    /// Samples about what.
    pub subject: SubjectKind,
    /// The raw name.
    pub field: &'static str,
    /// From raw to canonical value.
    pub scale: Scale,
}

/// From a raw value to a canonical one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As it is.
    Same,
    /// A share of 1 becomes percent.
    FractionToPercent,
    /// A share of 1 that its source computes as an average over time, so that it may exceed 1 a
    /// little: up to 1.5 reads as 100 %.
    IdleToPercent,
    /// Bytes become MiB.
    BytesToMebibytes,
    /// Below zero becomes zero.
    FloorAtZero,
    /// An instant in Unix milliseconds becomes its age in seconds when the sample was taken.
    AgeInSeconds,
}

impl Scale {
    /// The canonical value of raw `value` in a sample taken at `at`.
    pub fn apply(self, value: f64, at: UnixMillis) -> f64 {
        match self {
            Self::Same => value,
            Self::FractionToPercent => value * 100.0,
            Self::IdleToPercent if value > 1.0 && value <= 1.5 => 100.0,
            Self::IdleToPercent => value * 100.0,
            Self::BytesToMebibytes => value / 1_048_576.0,
            // `max` would turn NaN into 0.
            Self::FloorAtZero if value < 0.0 => 0.0,
            Self::FloorAtZero => value,
            Self::AgeInSeconds => (at.0 as f64 - value) / 1_000.0,
        }
    }

    /// The text in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "",
            Self::FractionToPercent => " × 100",
            Self::IdleToPercent => " × 100, 1 to 1.5 read as 100",
            Self::BytesToMebibytes => " ÷ 1,048,576",
            Self::FloorAtZero => ", at least 0",
            Self::AgeInSeconds => ", age in seconds",
        }
    }
}

const fn kafka(subject: SubjectKind, field: &'static str) -> Source {
    kafka_as(subject, field, Scale::Same)
}

const fn kafka_as(subject: SubjectKind, field: &'static str, scale: Scale) -> Source {
    Source::Field(FieldSource { origin: Origin::Kafka, subject, field, scale })
}

const fn nri(subject: SubjectKind, field: &'static str) -> Source {
    nri_as(subject, field, Scale::Same)
}

const fn nri_as(subject: SubjectKind, field: &'static str, scale: Scale) -> Source {
    Source::Field(FieldSource { origin: Origin::NriKafka, subject, field, scale })
}

const fn formula(text: &'static str) -> Source {
    Source::Formula(text)
}

#[cfg(test)]
mod tests;
