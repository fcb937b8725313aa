//! Extra attributes of samples become those of entities.
//!
//! Invariants:
//! - Of several samples about one part the newest counts, the larger one among equally new ones;
//!   the parts' values are then combined as the attribute says.
//! - The result does not depend on the order of the samples; parts are taken in their own order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::EntityState;
use crate::domain::entity::EntityKey;
use crate::domain::extra::{Combine, ExtraValue};
use crate::domain::units::UnixMillis;
use crate::transform::{About, CanonicalSample};

/// A value, how it combines, and when it was told.
type Part<'s> = (UnixMillis, &'s ExtraValue, Combine);
/// The parts of each attribute.
type Attributes<'s> = BTreeMap<&'s Arc<str>, BTreeMap<About<'s>, Part<'s>>>;

/// What the samples of a cycle say of entities beyond the tables.
#[derive(Debug, Default)]
pub(super) struct SampleExtras<'s>(BTreeMap<EntityKey, Attributes<'s>>);

impl<'s> SampleExtras<'s> {
    /// The extras of `samples`.
    pub(super) fn of(samples: &'s [CanonicalSample<'_>]) -> Self {
        let mut all = Self::default();
        for sample in samples.iter().filter(|sample| !sample.extras.is_empty()) {
            let attributes = all.0.entry(key_of(sample)).or_default();
            for extra in &sample.extras {
                let part = (sample.at, &extra.value, extra.combine);
                let parts = attributes.entry(&extra.name).or_default();
                let known = parts.entry(sample.about).or_insert(part);
                if newer(&part, known) {
                    *known = part;
                }
            }
        }
        all
    }

    /// Gives `states`, sorted by key, what was said of them.
    pub(super) fn attach(self, states: &mut [EntityState]) {
        for (key, attributes) in self.0 {
            let found = states.binary_search_by(|state| state.key.cmp(&key));
            let Ok(place) = found else { continue };
            for (name, parts) in attributes {
                if let Some(value) = combine(parts.values()) {
                    states[place].extras.set(name, value);
                }
            }
        }
    }
}

/// The whole entity that `sample` is about, or about a part of.
fn key_of(sample: &CanonicalSample<'_>) -> EntityKey {
    let (provider, cluster) = (sample.provider.clone(), sample.cluster.to_owned());
    match sample.about {
        About::Cluster => EntityKey::Cluster { provider, cluster },
        About::Broker { broker_id } => {
            EntityKey::Broker { provider, cluster, broker_id: broker_id.to_string() }
        }
        About::Topic { topic } | About::TopicOnBroker { topic, .. } => {
            EntityKey::Topic { provider, cluster, topic: topic.to_owned() }
        }
        About::Group { group }
        | About::GroupTopic { group, .. }
        | About::GroupPartition { group, .. } => {
            EntityKey::Group { provider, cluster, group: group.to_owned() }
        }
    }
}

fn newer(part: &Part<'_>, known: &Part<'_>) -> bool {
    part.0 > known.0 || (part.0 == known.0 && larger(part.1, known.1))
}

fn larger(one: &ExtraValue, other: &ExtraValue) -> bool {
    match (one, other) {
        (ExtraValue::Number(one), ExtraValue::Number(other)) => one > other,
        (ExtraValue::Text(one), ExtraValue::Text(other)) => one > other,
        // A number is more than a text, so that the order is total.
        (ExtraValue::Number(_), ExtraValue::Text(_)) => true,
        (ExtraValue::Text(_), ExtraValue::Number(_)) => false,
    }
}

fn combine<'p, 's: 'p>(parts: impl Iterator<Item = &'p Part<'s>>) -> Option<ExtraValue> {
    let parts: Vec<_> = parts.collect();
    let newest = parts.iter().copied().reduce(|a, b| if newer(b, a) { b } else { a })?;
    let numbers = || {
        parts.iter().filter_map(|(_, value, _)| match value {
            ExtraValue::Number(number) => Some(*number),
            ExtraValue::Text(_) => None,
        })
    };
    let number = match newest.2 {
        Combine::Last => return Some(newest.1.clone()),
        Combine::Sum => numbers().reduce(|a, b| a + b),
        Combine::Mean => {
            let count = numbers().count();
            numbers().reduce(|a, b| a + b).map(|sum| sum / count as f64)
        }
        Combine::Min => numbers().reduce(f64::min),
        Combine::Max => numbers().reduce(f64::max),
    };
    number.map(ExtraValue::Number)
}
