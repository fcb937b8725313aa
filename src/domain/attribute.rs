//! Descriptive attributes of entities: facts that are not measured (host, state, configuration).
//!
//! Invariants:
//! - An attribute's name is unique within its entity kind, and differs from every metric's name.
//! - [`Attributes`] holds at most one value per attribute, in table order.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::entity::EntityKind;
use super::sample::{Origin, SubjectKind};

/// One descriptive attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum AttributeId {
    /// `clusterId`.
    ClusterId,
    /// `controllerId`.
    ControllerId,
    /// `hostname`.
    Hostname,
    /// `port`.
    Port,
    /// `rack`.
    Rack,
    /// `retentionMs`.
    RetentionMs,
    /// `minInSyncReplicas`.
    MinInSyncReplicas,
    /// `segmentMs`.
    SegmentMs,
    /// `cleanupPolicy`.
    CleanupPolicy,
    /// `compressionType`.
    CompressionType,
    /// `state`.
    State,
    /// `assignmentStrategy`.
    AssignmentStrategy,
    /// `coordinatorId`.
    CoordinatorId,
}

/// Shape of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeForm {
    /// Text.
    Text,
    /// A whole number, which a source may spell as text.
    Integer,
}

/// A field of raw samples that gives an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeSource {
    /// Whose spelling.
    pub origin: Origin,
    /// Samples about what.
    pub subject: SubjectKind,
    /// The raw name.
    pub field: &'static str,
}

/// Everything known of an attribute.
#[derive(Debug, Clone, Copy)]
pub struct AttributeDef {
    /// Which.
    pub id: AttributeId,
    /// Name in events.
    pub name: &'static str,
    /// Kind of entity it describes.
    pub entity: EntityKind,
    /// Shape of its values.
    pub form: AttributeForm,
    /// One sentence.
    pub meaning: &'static str,
    /// Where it comes from, best first.
    pub sources: &'static [AttributeSource],
}

const fn kafka(subject: SubjectKind, field: &'static str) -> AttributeSource {
    AttributeSource { origin: Origin::Kafka, subject, field }
}

const fn nri(subject: SubjectKind, field: &'static str) -> AttributeSource {
    AttributeSource { origin: Origin::NriKafka, subject, field }
}

macro_rules! attributes {
    ($($id:ident = $name:literal, $entity:ident, $form:ident, $meaning:literal,
        [$($source:expr),* $(,)?];)+) => {
        /// Every attribute, in the order of [`AttributeId`].
        pub const ATTRIBUTES: &[AttributeDef] = &[$(AttributeDef {
            id: AttributeId::$id,
            name: $name,
            entity: EntityKind::$entity,
            form: AttributeForm::$form,
            meaning: $meaning,
            sources: &[$($source),*],
        }),+];
    };
}

use SubjectKind::{Broker, Cluster, Group, Topic};

attributes! {
    ClusterId = "clusterId", Cluster, Text, "Id that the cluster gave itself.",
        [kafka(Cluster, "cluster_id")];
    ControllerId = "controllerId", Cluster, Integer, "Broker that the metadata names as controller.",
        [kafka(Cluster, "metadata.controller_id")];
    Hostname = "hostname", Broker, Text, "Host name that the broker advertises.",
        [kafka(Broker, "host"), nri(Broker, "host"), nri(Broker, "hostname")];
    Port = "port", Broker, Integer, "Port that the broker advertises.",
        [kafka(Broker, "port"), nri(Broker, "port"), nri(Broker, "broker.port")];
    Rack = "rack", Broker, Text, "Rack of the broker.",
        [kafka(Broker, "rack"), nri(Broker, "rack")];
    RetentionMs = "retentionMs", Topic, Integer, "How long messages are kept; −1 for ever.",
        [kafka(Topic, "config.retention.ms"), nri(Topic, "topic.retentionMs")];
    MinInSyncReplicas = "minInSyncReplicas", Topic, Integer,
        "Replicas that must have a message before it is acknowledged.",
        [kafka(Topic, "config.min.insync.replicas"), nri(Topic, "topic.minInSyncReplicas")];
    SegmentMs = "segmentMs", Topic, Integer, "Age at which a log segment is closed.",
        [kafka(Topic, "config.segment.ms"), nri(Topic, "topic.segmentMs")];
    CleanupPolicy = "cleanupPolicy", Topic, Text, "`delete`, `compact` or both.",
        [kafka(Topic, "config.cleanup.policy"), nri(Topic, "topic.cleanupPolicy")];
    CompressionType = "compressionType", Topic, Text, "How messages are compressed.",
        [kafka(Topic, "config.compression.type"), nri(Topic, "topic.compressionType")];
    State = "state", ConsumerGroup, Text, "Kafka's state of the group, for example `Stable`.",
        [kafka(Group, "group.state"), nri(Group, "state")];
    AssignmentStrategy = "assignmentStrategy", ConsumerGroup, Text,
        "How partitions are shared among members.",
        [kafka(Group, "group.protocol"), nri(Group, "assignmentStrategy")];
    CoordinatorId = "coordinatorId", ConsumerGroup, Integer, "Broker that coordinates the group.",
        [kafka(Group, "group.coordinator")];
}

impl AttributeId {
    /// Its definition.
    pub fn def(self) -> &'static AttributeDef {
        &ATTRIBUTES[self as usize]
    }
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeValue<'a> {
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(Cow<'a, str>),
}

impl AttributeValue<'_> {
    /// The value with text of its own.
    pub fn into_owned(self) -> AttributeValue<'static> {
        match self {
            Self::Integer(number) => AttributeValue::Integer(number),
            Self::Text(text) => AttributeValue::Text(Cow::Owned(text.into_owned())),
        }
    }
}

/// Attributes of one entity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes<'a>(SmallVec<[(AttributeId, AttributeValue<'a>); 3]>);

impl<'a> Attributes<'a> {
    /// Sets `id`.
    pub fn set(&mut self, id: AttributeId, value: AttributeValue<'a>) {
        match self.0.binary_search_by_key(&id, |entry| entry.0) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (id, value)),
        }
    }

    /// The value of `id`.
    pub fn get(&self, id: AttributeId) -> Option<&AttributeValue<'a>> {
        let place = self.0.binary_search_by_key(&id, |entry| entry.0).ok()?;
        Some(&self.0[place].1)
    }

    /// The text of `id`, if it has one.
    pub fn text(&self, id: AttributeId) -> Option<&str> {
        match self.get(id)? {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Integer(_) => None,
        }
    }

    /// Attributes and values in table order.
    pub fn iter(&self) -> impl Iterator<Item = (AttributeId, &AttributeValue<'a>)> {
        self.0.iter().map(|(id, value)| (*id, value))
    }

    /// Number of attributes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The attributes with texts of their own.
    pub fn into_owned(self) -> Attributes<'static> {
        Attributes(self.0.into_iter().map(|(id, value)| (id, value.into_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::metric::{MetricId, needs_back_quotes};

    #[test]
    fn table_is_sound() {
        for (place, def) in ATTRIBUTES.iter().enumerate() {
            assert_eq!(def.id as usize, place, "{}", def.name);
            assert!(!def.sources.is_empty(), "{}", def.name);
            assert!(!needs_back_quotes(def.name), "{}", def.name);
            assert!(MetricId::lookup(def.entity, def.name).is_none(), "{}", def.name);
            let same = ATTRIBUTES.iter().filter(|d| d.name == def.name && d.entity == def.entity);
            assert_eq!(same.count(), 1, "{}", def.name);
        }
    }

    #[test]
    fn values_stand_in_table_order() {
        let mut attributes = Attributes::default();
        attributes.set(AttributeId::Rack, AttributeValue::Text("r1".into()));
        attributes.set(AttributeId::Hostname, AttributeValue::Text("h".into()));
        attributes.set(AttributeId::Port, AttributeValue::Integer(9092));
        attributes.set(AttributeId::Rack, AttributeValue::Text("r2".into()));
        let ids: Vec<_> = attributes.iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [AttributeId::Hostname, AttributeId::Port, AttributeId::Rack]);
        assert_eq!(attributes.text(AttributeId::Rack), Some("r2"));
        assert_eq!(attributes.text(AttributeId::Port), None);
    }
}
