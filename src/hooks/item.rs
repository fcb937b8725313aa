//! What raw samples, canonical samples and entities have in common: names with texts and numbers.
//!
//! Invariant: a step can neither take an item's identity away nor write over what a table names;
//! only a raw sample's own fields and its cluster can be rewritten.

use std::borrow::Cow;
use std::sync::Arc;

use crate::aggregate::EntityState;
use crate::custom_metrics::is_event_name;
use crate::domain::attribute::{ATTRIBUTES, AttributeValue, Attributes};
use crate::domain::entity::EntityKind;
use crate::domain::extra::{Combine, ExtraValue, SampleExtra};
use crate::domain::metric::{MetricId, MetricSet};
use crate::domain::sample::{RawField, RawSample, RawValue, Subject};
use crate::transform::{About, CanonicalSample};

/// Why an attribute cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A table names it, or it identifies the item.
    #[error("the attribute is the catalogue's or identifies the entity")]
    Reserved,
    /// It must not be empty.
    #[error("the value is empty")]
    Empty,
}

/// Something that steps look at.
pub trait Item {
    /// What kind of thing it is: of samples what they are about, of entities their kind.
    fn kind(&self) -> &'static str;
    /// Name of its cluster.
    fn cluster(&self) -> &str;
    /// Whose spelling a sample follows; of entities their provider.
    fn source(&self) -> &str;
    /// The text of `name`; of a number its digits.
    fn text_of(&self, name: &str) -> Option<Cow<'_, str>>;
    /// The number of `name`.
    fn number_of(&self, name: &str) -> Option<f64>;
    /// Sets `name` to a text; whether that changes anything.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has been changed.
    fn set_text(&mut self, name: &Arc<str>, value: &str) -> Result<bool, Refusal>;
    /// Forgets what [`Item::set_text`] could set; whether there was something.
    fn remove(&mut self, name: &str) -> bool;
}

fn digits(number: f64) -> Cow<'static, str> {
    Cow::Owned(number.to_string())
}

impl Item for RawSample<'_> {
    fn kind(&self) -> &'static str {
        self.subject.kind().label()
    }

    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn source(&self) -> &str {
        self.origin.as_str()
    }

    fn text_of(&self, name: &str) -> Option<Cow<'_, str>> {
        let own = match (name, &self.subject) {
            ("clusterName", _) => Some(&self.cluster),
            (
                "topicName",
                Subject::Topic { topic }
                | Subject::TopicOnBroker { topic, .. }
                | Subject::GroupTopic { topic, .. }
                | Subject::GroupPartition { topic, .. },
            ) => Some(topic),
            (
                "consumerGroup",
                Subject::Group { group }
                | Subject::GroupTopic { group, .. }
                | Subject::GroupPartition { group, .. },
            ) => Some(group),
            _ => None,
        };
        if let Some(own) = own {
            return Some(Cow::Borrowed(own));
        }
        if let (
            "brokerId",
            Subject::Broker { broker_id } | Subject::TopicOnBroker { broker_id, .. },
        ) = (name, &self.subject)
        {
            return Some(Cow::Owned(broker_id.to_string()));
        }
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(match &field.value {
            RawValue::Text(text) => Cow::Borrowed(text),
            RawValue::Number(number) | RawValue::Rate { per_second: number, .. } => digits(*number),
        })
    }

    fn number_of(&self, name: &str) -> Option<f64> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        match &field.value {
            RawValue::Number(number) | RawValue::Rate { per_second: number, .. } => Some(*number),
            RawValue::Text(text) => text.trim().parse().ok(),
        }
    }

    fn set_text(&mut self, name: &Arc<str>, value: &str) -> Result<bool, Refusal> {
        if name.as_ref() == "clusterName" {
            if value.is_empty() {
                return Err(Refusal::Empty);
            }
            let changed = self.cluster != value;
            self.cluster = Cow::Owned(value.to_owned());
            return Ok(changed);
        }
        if matches!(name.as_ref(), "topicName" | "consumerGroup" | "brokerId") {
            return Err(Refusal::Reserved);
        }
        let value = RawValue::Text(Cow::Owned(value.to_owned()));
        match self.fields.iter_mut().find(|field| field.name == name.as_ref()) {
            Some(field) if field.value == value => Ok(false),
            Some(field) => {
                field.value = value;
                Ok(true)
            }
            None => {
                self.fields.push(RawField { name: Cow::Owned(name.to_string()), value });
                Ok(true)
            }
        }
    }

    fn remove(&mut self, name: &str) -> bool {
        let before = self.fields.len();
        self.fields.retain(|field| field.name != name);
        self.fields.len() != before
    }
}

fn described<'a>(
    kind: EntityKind,
    metrics: &MetricSet,
    attributes: &'a Attributes<'_>,
    name: &str,
) -> Option<Cow<'a, str>> {
    if let Some(number) = MetricId::lookup(kind, name).and_then(|id| metrics.get(id)) {
        return Some(digits(number));
    }
    let def = ATTRIBUTES.iter().find(|def| def.entity == kind && def.name == name)?;
    Some(match attributes.get(def.id)? {
        AttributeValue::Text(text) => Cow::Borrowed(text),
        AttributeValue::Integer(number) => Cow::Owned(number.to_string()),
    })
}

fn measured(
    kind: EntityKind,
    metrics: &MetricSet,
    attributes: &Attributes<'_>,
    name: &str,
) -> Option<f64> {
    if let Some(id) = MetricId::lookup(kind, name) {
        return metrics.get(id);
    }
    let def = ATTRIBUTES.iter().find(|def| def.entity == kind && def.name == name)?;
    match attributes.get(def.id)? {
        AttributeValue::Text(_) => None,
        AttributeValue::Integer(number) => Some(*number as f64),
    }
}

fn shown(value: &ExtraValue) -> Cow<'_, str> {
    match value {
        ExtraValue::Text(text) => Cow::Borrowed(text),
        ExtraValue::Number(number) => digits(*number),
    }
}

fn counted(value: &ExtraValue) -> Option<f64> {
    match value {
        ExtraValue::Number(number) => Some(*number),
        ExtraValue::Text(_) => None,
    }
}

/// Whether a step may write `name` on something of `kind`: tags are free, the tables' names not.
fn is_free(kind: EntityKind, name: &str) -> bool {
    name.starts_with("tags.") || !is_event_name(kind, name)
}

impl Item for CanonicalSample<'_> {
    fn kind(&self) -> &'static str {
        match self.about {
            About::Cluster => "cluster",
            About::Broker { .. } => "broker",
            About::Topic { .. } => "topic",
            About::TopicOnBroker { .. } => "topic_on_broker",
            About::Group { .. } => "group",
            About::GroupTopic { .. } => "group_topic",
            About::GroupPartition { .. } => "group_partition",
        }
    }

    fn cluster(&self) -> &str {
        self.cluster
    }

    fn source(&self) -> &str {
        self.origin.as_str()
    }

    fn text_of(&self, name: &str) -> Option<Cow<'_, str>> {
        match (name, self.about) {
            ("clusterName", _) => return Some(Cow::Borrowed(self.cluster)),
            (
                "topicName",
                About::Topic { topic }
                | About::TopicOnBroker { topic, .. }
                | About::GroupTopic { topic, .. }
                | About::GroupPartition { topic, .. },
            ) => return Some(Cow::Borrowed(topic)),
            (
                "consumerGroup",
                About::Group { group }
                | About::GroupTopic { group, .. }
                | About::GroupPartition { group, .. },
            ) => return Some(Cow::Borrowed(group)),
            ("brokerId", About::Broker { broker_id } | About::TopicOnBroker { broker_id, .. }) => {
                return Some(Cow::Owned(broker_id.to_string()));
            }
            _ => {}
        }
        let known = described(self.about.entity(), &self.metrics, &self.attributes, name);
        let extra = || self.extras.iter().find(|extra| extra.name.as_ref() == name);
        known.or_else(|| extra().map(|extra| shown(&extra.value)))
    }

    fn number_of(&self, name: &str) -> Option<f64> {
        let known = measured(self.about.entity(), &self.metrics, &self.attributes, name);
        let extra = || self.extras.iter().find(|extra| extra.name.as_ref() == name);
        known.or_else(|| counted(&extra()?.value))
    }

    fn set_text(&mut self, name: &Arc<str>, value: &str) -> Result<bool, Refusal> {
        if !is_free(self.about.entity(), name) {
            return Err(Refusal::Reserved);
        }
        let value = ExtraValue::Text(value.into());
        match self.extras.iter_mut().find(|extra| extra.name == *name) {
            Some(extra) if extra.value == value => Ok(false),
            Some(extra) => {
                (extra.value, extra.combine) = (value, Combine::Last);
                Ok(true)
            }
            None => {
                let name = Arc::clone(name);
                self.extras.push(SampleExtra { name, value, combine: Combine::Last });
                Ok(true)
            }
        }
    }

    fn remove(&mut self, name: &str) -> bool {
        let before = self.extras.len();
        self.extras.retain(|extra| extra.name.as_ref() != name);
        self.extras.len() != before
    }
}

impl Item for EntityState {
    fn kind(&self) -> &'static str {
        crate::custom_metrics::kind_word(self.key.kind())
    }

    fn cluster(&self) -> &str {
        self.key.cluster()
    }

    fn source(&self) -> &str {
        self.key.provider().as_str()
    }

    fn text_of(&self, name: &str) -> Option<Cow<'_, str>> {
        let own = match (name, self.key.kind()) {
            ("clusterName", _) => Some(self.key.cluster()),
            ("provider", _) => Some(self.key.provider().as_str()),
            ("brokerId", EntityKind::Broker)
            | ("topicName", EntityKind::Topic)
            | ("queueName", EntityKind::Queue)
            | ("consumerGroup", EntityKind::ConsumerGroup) => Some(self.key.name()),
            _ => None,
        };
        let known = || described(self.key.kind(), &self.metrics, &self.attributes, name);
        own.map(Cow::Borrowed).or_else(known).or_else(|| self.extras.get(name).map(shown))
    }

    fn number_of(&self, name: &str) -> Option<f64> {
        let known = measured(self.key.kind(), &self.metrics, &self.attributes, name);
        known.or_else(|| counted(self.extras.get(name)?))
    }

    fn set_text(&mut self, name: &Arc<str>, value: &str) -> Result<bool, Refusal> {
        if !is_free(self.key.kind(), name) {
            return Err(Refusal::Reserved);
        }
        let value = ExtraValue::Text(value.into());
        let changed = self.extras.get(name) != Some(&value);
        Ok(changed && self.extras.set(name, value))
    }

    fn remove(&mut self, name: &str) -> bool {
        self.extras.remove(name)
    }
}
