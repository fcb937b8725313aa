//! Raw samples to canonical metrics, by the catalogue's table. Pure.
//!
//! Invariants:
//! - A sample without its full identity is rejected with a typed reason, never merged into
//!   something "unknown".
//! - One bad field costs that field: its metric is absent, or comes from the next source in the
//!   table, and a [`Warning`] says so. A sample without a single valid metric is rejected.
//! - Nothing is sent on that no table names.

mod custom;
mod derive;
mod mapping;

use crate::domain::attribute::{AttributeForm, AttributeId, AttributeValue, Attributes};
use crate::domain::entity::EntityKind;
use crate::domain::extra::SampleExtra;
use crate::domain::metric::{MetricBoard, MetricId, MetricKind, MetricSet, Range};
use crate::domain::provider::Provider;
use crate::domain::sample::{Origin, RawField, RawSample, RawValue, Subject, SubjectKind};
use crate::domain::units::{UnixMillis, Window};

pub use custom::{CustomMapping, CustomMappings, MappingTarget, conversion, unit_word, unit_words};
use derive::derive_on;
pub use derive::{RequestOutcome, derive, request_outcome};
use mapping::{Target, mapping};
use smallvec::SmallVec;

/// What a canonical sample is about; names are borrowed from the raw sample and never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum About<'a> {
    /// The cluster.
    Cluster,
    /// One broker.
    Broker {
        /// `node.id`, not negative.
        broker_id: i32,
    },
    /// One topic.
    Topic {
        /// Its name.
        topic: &'a str,
    },
    /// One topic on one broker: a part of the topic's figures.
    TopicOnBroker {
        /// Its name.
        topic: &'a str,
        /// The broker that reported.
        broker_id: i32,
    },
    /// One consumer group.
    Group {
        /// Group id.
        group: &'a str,
    },
    /// One consumer group's totals on one topic.
    GroupTopic {
        /// Group id.
        group: &'a str,
        /// Topic.
        topic: &'a str,
    },
    /// One consumer group on one partition: a part of the group's figures.
    GroupPartition {
        /// Group id.
        group: &'a str,
        /// Topic.
        topic: &'a str,
        /// Partition index, not negative.
        partition: i32,
    },
}

impl About<'_> {
    /// The kind of entity whose metrics the sample has.
    pub fn entity(self) -> EntityKind {
        match self {
            Self::Cluster => EntityKind::Cluster,
            Self::Broker { .. } => EntityKind::Broker,
            Self::Topic { .. } | Self::TopicOnBroker { .. } => EntityKind::Topic,
            Self::Group { .. } | Self::GroupTopic { .. } | Self::GroupPartition { .. } => {
                EntityKind::ConsumerGroup
            }
        }
    }

    /// Whether the sample has a part of its entity's figures only.
    pub fn is_part(self) -> bool {
        matches!(
            self,
            Self::TopicOnBroker { .. } | Self::GroupTopic { .. } | Self::GroupPartition { .. }
        )
    }
}

/// One sample in canonical names and units.
#[derive(Debug, Clone, PartialEq)]
pub struct CanonicalSample<'a> {
    /// Where it came from.
    pub origin: Origin,
    /// Whose product it tells of.
    pub provider: Provider,
    /// The cluster's name, not empty.
    pub cluster: &'a str,
    /// What it is about.
    pub about: About<'a>,
    /// When it was taken.
    pub at: UnixMillis,
    /// Valid values; empty only for a partition that the group reads without having committed.
    pub metrics: MetricSet,
    /// Window of the rates among them, if there are any with a window.
    pub window: Option<Window>,
    /// Descriptive attributes.
    pub attributes: Attributes<'a>,
    /// The client that reads the partition, where the source tells.
    pub client_id: Option<&'a str>,
    /// Whether the group has committed on this partition while nobody told where its log ends:
    /// no sum over partitions may then pass for the group's lag.
    pub lag_unknown: bool,
    /// Fields that were left out.
    pub warnings: Warnings,
    /// Attributes that no table of ours names.
    pub extras: Vec<SampleExtra>,
}

/// Fields of one sample that were left out.
pub type Warnings = SmallVec<[Warning; 1]>;

/// A field that was left out although a table names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The canonical name it would have had.
    pub name: &'static str,
    /// Why.
    pub reason: WarningReason,
}

/// Why a field was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningReason {
    /// NaN or infinite.
    NonFinite,
    /// Cannot be true, for example a negative count.
    OutOfRange,
    /// Text for a number, a gauge for a rate, or the other way round.
    WrongType,
}

impl WarningReason {
    /// The label under which it is counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NonFinite => "non_finite",
            Self::OutOfRange => "out_of_range",
            Self::WrongType => "wrong_type",
        }
    }
}

/// Why a sample cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The cluster's name is empty.
    #[error("a sample about a {} has no cluster name; set clusterName at its source", .0.as_str())]
    EmptyCluster(SubjectKind),
    /// The topic's or group's name is empty.
    #[error("a {} sample of cluster `{cluster}` has an empty {part}", .subject.as_str())]
    EmptyName {
        /// About what.
        subject: SubjectKind,
        /// In which cluster.
        cluster: String,
        /// `topic` or `group`.
        part: &'static str,
    },
    /// The broker is known by host and port only.
    #[error(
        "broker `{name}` of cluster `{cluster}` has no id: nri-kafka gives it as id attribute \
         `brokerID` of the envelope's entity or in `entityKey`"
    )]
    MissingBrokerId {
        /// In which cluster.
        cluster: String,
        /// `host:port`.
        name: String,
    },
    /// A negative broker id: Kafka's word for "none".
    #[error("broker id {broker_id} in cluster `{cluster}` is negative")]
    NegativeBrokerId {
        /// In which cluster.
        cluster: String,
        /// The id.
        broker_id: i32,
    },
    /// A negative partition.
    #[error("partition {partition} of topic `{topic}` in cluster `{cluster}` is negative")]
    NegativePartition {
        /// In which cluster.
        cluster: String,
        /// Of which topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// Taken before 1970.
    #[error("a {} sample of cluster `{cluster}` has timestamp {at}", .subject.as_str())]
    BadTimestamp {
        /// About what.
        subject: SubjectKind,
        /// In which cluster.
        cluster: String,
        /// The timestamp.
        at: UnixMillis,
    },
    /// A total over all that one client reads: no entity has it, and the parts say the same.
    #[error("total of client `{client_id}` in cluster `{cluster}` belongs to no entity")]
    ClientTotal {
        /// In which cluster.
        cluster: String,
        /// The client.
        client_id: String,
    },
    /// Not one valid metric.
    #[error("a {} sample of cluster `{cluster}` has no valid metric ({invalid} invalid)",
        .subject.as_str())]
    NoMetric {
        /// About what.
        subject: SubjectKind,
        /// In which cluster.
        cluster: String,
        /// Fields that would have been metrics.
        invalid: usize,
    },
}

impl Rejection {
    /// The label under which it is counted.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::EmptyCluster(_) => "empty_cluster",
            Self::EmptyName { .. } => "empty_name",
            Self::MissingBrokerId { .. } => "missing_broker_id",
            Self::NegativeBrokerId { .. } => "negative_broker_id",
            Self::NegativePartition { .. } => "negative_partition",
            Self::BadTimestamp { .. } => "bad_timestamp",
            Self::ClientTotal { .. } => "client_total",
            Self::NoMetric { .. } => "no_metric",
        }
    }
}

/// The canonical form of `raw`.
///
/// # Errors
/// See [`Rejection`]: the sample lacks identity, or has no valid metric.
pub fn transform<'a>(raw: &'a RawSample<'_>) -> Result<CanonicalSample<'a>, Rejection> {
    transform_by(raw, &[])
}

/// The canonical form of `raw`, by the catalogue's table and by `mappings`.
///
/// # Errors
/// See [`Rejection`]: the sample lacks identity, or has no valid metric.
pub fn transform_with<'a>(
    raw: &'a RawSample<'_>,
    mappings: &CustomMappings,
) -> Result<CanonicalSample<'a>, Rejection> {
    transform_by(raw, mappings.of(raw))
}

fn transform_by<'a>(
    raw: &'a RawSample<'_>,
    mappings: &[CustomMapping],
) -> Result<CanonicalSample<'a>, Rejection> {
    let subject = raw.subject.kind();
    let about = identify(raw)?;
    if raw.at.0 <= 0 {
        return Err(Rejection::BadTimestamp {
            subject,
            cluster: raw.cluster.clone().into_owned(),
            at: raw.at,
        });
    }
    let mut fields = Fields::new(about.entity(), raw.at, raw.origin);
    let table = mapping(raw.origin, subject);
    for field in &raw.fields {
        if let Some(target) = table.get(&field.name) {
            fields.take(field, target);
        }
    }
    let on_partition = matches!(about, About::GroupPartition { .. });
    let row =
        if on_partition { fields.partition_lag(&raw.fields) } else { PartitionRow::default() };
    let extras = fields.map(raw, mappings);
    if fields.metrics.is_empty() && extras.is_empty() && row == PartitionRow::Empty {
        return Err(Rejection::NoMetric {
            subject,
            cluster: raw.cluster.clone().into_owned(),
            invalid: fields.warnings.len(),
        });
    }
    if !about.is_part() {
        derive_on(&mut fields.metrics);
    }
    Ok(CanonicalSample {
        origin: raw.origin,
        provider: raw.origin.provider(),
        cluster: &raw.cluster,
        about,
        at: raw.at,
        metrics: fields.metrics.to_set(),
        window: fields.window,
        attributes: fields.attributes,
        client_id: if on_partition { text_field(&raw.fields, "clientID") } else { None },
        lag_unknown: row == PartitionRow::CommittedOnly,
        warnings: fields.warnings,
        extras,
    })
}

fn identify<'a>(raw: &'a RawSample<'_>) -> Result<About<'a>, Rejection> {
    let subject = raw.subject.kind();
    if raw.cluster.is_empty() {
        return Err(Rejection::EmptyCluster(subject));
    }
    let cluster = || raw.cluster.clone().into_owned();
    let name = |part: &'static str, name: &'a str| {
        if name.is_empty() {
            return Err(Rejection::EmptyName { subject, cluster: cluster(), part });
        }
        Ok(name)
    };
    let broker = |broker_id: i32| {
        if broker_id < 0 {
            return Err(Rejection::NegativeBrokerId { cluster: cluster(), broker_id });
        }
        Ok(broker_id)
    };
    Ok(match &raw.subject {
        Subject::Cluster => About::Cluster,
        Subject::Broker { broker_id } => About::Broker { broker_id: broker(*broker_id)? },
        Subject::BrokerName { name } => {
            let name = name.clone().into_owned();
            return Err(Rejection::MissingBrokerId { cluster: cluster(), name });
        }
        Subject::Topic { topic } => About::Topic { topic: name("topic", topic)? },
        Subject::TopicOnBroker { topic, broker_id } => {
            About::TopicOnBroker { topic: name("topic", topic)?, broker_id: broker(*broker_id)? }
        }
        Subject::Group { group } => About::Group { group: name("group", group)? },
        Subject::GroupTopic { group, topic } => {
            About::GroupTopic { group: name("group", group)?, topic: name("topic", topic)? }
        }
        Subject::GroupPartition { group, topic, partition } => {
            let (group, topic) = (name("group", group)?, name("topic", topic)?);
            if *partition < 0 {
                let (topic, partition) = (topic.to_owned(), *partition);
                return Err(Rejection::NegativePartition { cluster: cluster(), topic, partition });
            }
            About::GroupPartition { group, topic, partition: *partition }
        }
        Subject::Client { client_id } => {
            let client_id = client_id.clone().into_owned();
            return Err(Rejection::ClientTotal { cluster: cluster(), client_id });
        }
    })
}

/// Collects the fields of one sample.
struct Fields<'a> {
    at: UnixMillis,
    origin: Origin,
    metrics: MetricBoard,
    /// Place in the table of the source that each metric came from.
    precedence: [u8; 64],
    window: Option<Window>,
    attributes: Attributes<'a>,
    attribute_precedence: [u8; 16],
    warnings: Warnings,
}

impl<'a> Fields<'a> {
    fn new(kind: EntityKind, at: UnixMillis, origin: Origin) -> Self {
        Self {
            at,
            origin,
            metrics: MetricBoard::new(kind),
            precedence: [0; 64],
            window: None,
            attributes: Attributes::default(),
            attribute_precedence: [0; 16],
            warnings: Warnings::new(),
        }
    }

    fn take(&mut self, field: &'a RawField<'_>, target: Target) {
        match target {
            Target::Metric { id, scale, precedence, range, rate } => {
                let known = self.metrics.contains(id);
                if known && self.precedence[id.index() & 63] <= precedence {
                    return;
                }
                match self.number(rate, &field.value) {
                    Ok((raw, window)) => {
                        let value = scale.apply(raw, self.at);
                        if self.valid(id, range, value) {
                            self.metrics.set(id, value);
                            self.precedence[id.index() & 63] = precedence;
                            let window = window.map(Window::of);
                            self.window = Window::union(self.window, window);
                        }
                    }
                    Err(reason) => self.warnings.push(Warning { name: id.name(), reason }),
                }
            }
            Target::Attribute { id, precedence } => self.describe(id, precedence, &field.value),
        }
    }

    /// Takes what `mappings` name and the tables did not give.
    fn map(&mut self, raw: &RawSample<'_>, mappings: &[CustomMapping]) -> Vec<SampleExtra> {
        let mut extras = Vec::new();
        for mapping in mappings {
            match &mapping.target {
                MappingTarget::Metric(id) if self.metrics.contains(*id) => {}
                MappingTarget::Metric(id) => {
                    let mut values = mapping.values(raw);
                    values.any(|value| self.take_mapped(*id, mapping.factor, value));
                }
                MappingTarget::Custom { name, combine } => {
                    let mut values = mapping.values(raw);
                    extras.extend(values.find_map(|value| mapping.extra(name, *combine, value)));
                }
            }
        }
        extras
    }

    /// Sets metric `id` to a mapped value; whether it is valid.
    fn take_mapped(&mut self, id: MetricId, factor: f64, value: &RawValue<'_>) -> bool {
        let rate = id.def().kind == MetricKind::Rate;
        match self.number(rate, value) {
            Ok((raw, window)) if self.valid(id, id.def().range, raw * factor) => {
                self.metrics.set(id, raw * factor);
                self.window = Window::union(self.window, window.map(Window::of));
                true
            }
            Ok(_) => false,
            Err(reason) => {
                self.warnings.push(Warning { name: id.name(), reason });
                false
            }
        }
    }

    /// The raw number, and the window of a rate. A counter's growth comes as a rate from our own
    /// collector and as a ready number from integrations.
    fn number(
        &self,
        rate: bool,
        value: &RawValue<'_>,
    ) -> Result<(f64, Option<i64>), WarningReason> {
        match *value {
            RawValue::Number(number) if !rate || self.origin == Origin::NriKafka => {
                Ok((number, None))
            }
            RawValue::Rate { per_second, window_ms } if rate && window_ms > 0 => {
                Ok((per_second, Some(window_ms)))
            }
            RawValue::Rate { .. } if rate => Err(WarningReason::OutOfRange),
            _ => Err(WarningReason::WrongType),
        }
    }

    fn valid(&mut self, id: MetricId, range: Range, value: f64) -> bool {
        if range.contains(value) {
            return true;
        }
        let reason =
            if value.is_finite() { WarningReason::OutOfRange } else { WarningReason::NonFinite };
        self.warnings.push(Warning { name: id.name(), reason });
        false
    }

    fn describe(&mut self, id: AttributeId, precedence: u8, value: &'a RawValue<'_>) {
        let place = id as usize;
        if self.attributes.get(id).is_some() && self.attribute_precedence[place] <= precedence {
            return;
        }
        let whole = |number: f64| {
            let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
            exact.then_some(AttributeValue::Integer(number as i64))
        };
        let described = match (id.def().form, value) {
            (AttributeForm::Text, RawValue::Text(text)) if !text.is_empty() => {
                Some(AttributeValue::Text(text.as_ref().into()))
            }
            (AttributeForm::Integer, RawValue::Number(number)) => whole(*number),
            (AttributeForm::Integer, RawValue::Text(text)) => {
                text.trim().parse().ok().map(AttributeValue::Integer)
            }
            _ => None,
        };
        match described {
            Some(described) => {
                self.attributes.set(id, described);
                self.attribute_precedence[place] = precedence;
            }
            None => {
                let reason = WarningReason::WrongType;
                self.warnings.push(Warning { name: id.def().name, reason });
            }
        }
    }

    /// Lag of a partition whose source gives the two offsets only.
    fn partition_lag(&mut self, fields: &[RawField<'_>]) -> PartitionRow {
        let number = |names: &[&str]| {
            let field = fields.iter().find(|field| names.contains(&field.name.as_ref()))?;
            match field.value {
                RawValue::Number(number) => Some(number),
                _ => None,
            }
        };
        let committed = number(&["consumer.offset", "currentOffset"]);
        let log_end = number(&["consumer.hwm", "logEndOffset"]);
        let unknown = !self.metrics.contains(MetricId::GROUP_LAG_TOTAL);
        if let (Some(committed), Some(log_end), true) = (committed, log_end, unknown) {
            let lag = log_end - committed;
            let lag = if lag < 0.0 { 0.0 } else { lag };
            if self.valid(MetricId::GROUP_LAG_TOTAL, Range::POSITIVE, lag) {
                self.metrics.set(MetricId::GROUP_LAG_TOTAL, lag);
            }
        }
        match (committed, log_end) {
            _ if self.metrics.contains(MetricId::GROUP_LAG_TOTAL) => PartitionRow::Lag,
            (Some(_), None) => PartitionRow::CommittedOnly,
            (_, Some(_)) => PartitionRow::LogEnd,
            (None, None) => PartitionRow::Empty,
        }
    }
}

/// What a group's row about a partition tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum PartitionRow {
    /// Neither lag nor offsets.
    #[default]
    Empty,
    /// Its lag.
    Lag,
    /// The log's end only: the group never committed, or its commit expired; it has no lag and yet
    /// reads the topic.
    LogEnd,
    /// The committed offset only: there is a lag and nobody knows it.
    CommittedOnly,
}

fn text_field<'a>(fields: &'a [RawField<'_>], name: &str) -> Option<&'a str> {
    let field = fields.iter().find(|field| field.name == name)?;
    match &field.value {
        RawValue::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
