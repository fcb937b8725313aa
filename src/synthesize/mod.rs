//! Entity states to entities and relationships, and these to events. Pure.
//!
//! Invariants:
//! - One entity per GUID, made of the best source's states alone: what a fleet said is never mixed
//!   with what was made up. Entities are sorted by GUID, relationships by source, kind and target,
//!   whatever the order of the states.
//! - A relationship has both its ends in the same synthesis, so that none dangles.
//! - An entity that breaks a limit of New Relic's Event API is rejected with a typed reason; what
//!   is returned can be written and will be stored.

pub mod event;
pub mod window;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Deref;

use crate::aggregate::EntityState;
use crate::domain::account::AccountId;
use crate::domain::attribute::{AttributeId, AttributeValue};
use crate::domain::data_source::DataSource;
use crate::domain::entity::{EmptyPart, EntityKey, EntityKind};
use crate::domain::guid::EntityGuid;
use crate::domain::provider::Provider;
use crate::domain::relationship::{Relationship, RelationshipError, RelationshipKind};
use crate::domain::tag::{TagValue, Tags};
use crate::domain::units::{UnixMillis, Window};

use event::Labels;

/// What all entities of one pipeline share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynthesisConfig {
    /// The account that the events go to.
    pub account: AccountId,
    /// `environment` and `tags.environment` of every event.
    pub environment: Option<TagValue>,
    /// `tags.<key>` of every event.
    pub tags: Tags,
    /// Whether it is told which brokers serve a topic: as many relationships as brokers times
    /// topics, in the worst case.
    pub serves: bool,
}

/// One entity, ready to be written as an event; derefs to its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity<'a> {
    /// Its GUID.
    pub guid: EntityGuid,
    /// Key, metrics, attributes.
    pub state: Cow<'a, EntityState>,
    labels: &'a Labels,
}

impl Deref for Entity<'_> {
    type Target = EntityState;

    fn deref(&self) -> &EntityState {
        &self.state
    }
}

impl Entity<'_> {
    /// Its kind.
    pub fn kind(&self) -> EntityKind {
        self.guid.kind()
    }

    /// The name people see: `kafka-cluster-orders`, `orders-broker-1`, a topic's or group's name.
    pub fn display_name(&self) -> String {
        let mut name = Vec::new();
        event::display_name(&self.state.key, &mut |part| name.extend_from_slice(part.as_bytes()));
        String::from_utf8(name).expect("made of texts")
    }
}

/// A relationship and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRelationship {
    /// The relationship.
    pub relationship: Relationship,
    /// Name of the cluster that both ends belong to.
    pub cluster: String,
    /// When the newer of its ends was observed.
    pub observed_at: UnixMillis,
    /// The worse of its ends' sources: what a stand-in takes part in no fleet has said.
    pub data_source: DataSource,
}

/// Why an entity or relationship is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The key lacks a part.
    #[error("entity without identity: {0}")]
    Identity(#[from] EmptyPart),
    /// More attributes than an event may have.
    #[error("{guid} would have {count} attributes; an event takes {}", event::ATTRIBUTES_MAX)]
    TooManyAttributes {
        /// Which entity.
        guid: EntityGuid,
        /// How many.
        count: usize,
    },
    /// A text longer than an attribute's value may be.
    #[error("{guid}: {attribute} has {chars} characters; a value takes {}", event::VALUE_CHARS_MAX)]
    ValueTooLong {
        /// Which entity.
        guid: EntityGuid,
        /// Which attribute.
        attribute: Cow<'static, str>,
        /// How long.
        chars: usize,
    },
    /// A relationship that cannot be.
    #[error(transparent)]
    Relationship(#[from] RelationshipError),
}

impl Rejection {
    /// The label under which it is counted.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Identity(_) => "missing_identity",
            Self::TooManyAttributes { .. } => "too_many_attributes",
            Self::ValueTooLong { .. } => "value_too_long",
            Self::Relationship(_) => "impossible_relationship",
        }
    }
}

/// What one cycle's states became.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Synthesis<'a> {
    /// Entities, sorted by GUID.
    pub entities: Vec<Entity<'a>>,
    /// Relationships, sorted.
    pub relationships: Vec<ObservedRelationship>,
    /// What was left out.
    pub rejected: Vec<Rejection>,
}

/// Makes entities of states.
#[derive(Debug, Clone)]
pub struct Synthesizer {
    account: AccountId,
    labels: Labels,
    serves: bool,
}

impl Synthesizer {
    /// A synthesizer for one account.
    pub fn new(config: SynthesisConfig) -> Self {
        let labels = Labels::new(config.environment.as_ref(), &config.tags);
        Self { account: config.account, labels, serves: config.serves }
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Entities and relationships of `states`; states of one key are merged, the newest value of
    /// each metric wins, and states of a worse source than the best one are left out.
    pub fn synthesize<'a>(&'a self, states: &'a [EntityState]) -> Synthesis<'a> {
        let mut synthesis = Synthesis::default();
        let mut order: Vec<(EntityGuid, &'a EntityState)> = Vec::with_capacity(states.len());
        for state in states {
            match state.key.validate() {
                Ok(()) => order.push((EntityGuid::new(self.account, &state.key), state)),
                Err(error) => synthesis.rejected.push(error.into()),
            }
        }
        order.sort_by(|left, right| left.0.cmp(&right.0).then_with(|| by_rank(left.1, right.1)));
        synthesis.entities.reserve(order.len());
        for same in order.chunk_by(|left, right| left.0 == right.0) {
            let best = same[0].1.data_source;
            let of_best = same.partition_point(|(_, state)| state.data_source == best);
            match self.entity(&same[..of_best]) {
                Ok(entity) => synthesis.entities.push(entity),
                Err(rejection) => synthesis.rejected.push(rejection),
            }
        }
        self.relate(&mut synthesis);
        synthesis
    }

    /// The entity of one state, without relationships: for sources whose samples are one entity
    /// each.
    ///
    /// # Errors
    /// See [`Rejection`].
    pub fn entity_of<'a>(&'a self, state: &'a EntityState) -> Result<Entity<'a>, Rejection> {
        state.key.validate()?;
        self.entity(&[(EntityGuid::new(self.account, &state.key), state)])
    }

    fn entity<'a>(
        &'a self,
        same: &[(EntityGuid, &'a EntityState)],
    ) -> Result<Entity<'a>, Rejection> {
        let guid = same[0].0;
        let state = match same {
            [(_, only)] => Cow::Borrowed(*only),
            several => Cow::Owned(merge(several)),
        };
        let entity = Entity { guid, state, labels: &self.labels };
        event::check(&entity)?;
        Ok(entity)
    }

    /// Relationships among the entities of `synthesis`.
    fn relate(&self, synthesis: &mut Synthesis<'_>) {
        let mut relationships = BTreeMap::new();
        let present: BTreeMap<EntityGuid, (UnixMillis, DataSource)> = synthesis
            .entities
            .iter()
            .map(|entity| (entity.guid, (entity.observed_at, entity.data_source)))
            .collect();
        let mut clusters: BTreeMap<(&Provider, &str), EntityGuid> = BTreeMap::new();
        for entity in &synthesis.entities {
            if entity.kind() == EntityKind::Cluster {
                clusters.insert((entity.key.provider(), entity.key.cluster()), entity.guid);
            }
        }
        for entity in &synthesis.entities {
            let cluster = clusters.get(&(entity.key.provider(), entity.key.cluster())).copied();
            let wanted = self.wanted(entity, cluster);
            for (source, kind, target) in wanted {
                let ends = present.get(&source).zip(present.get(&target));
                let Some(((source_at, from), (target_at, to))) = ends else { continue };
                let (observed_at, data_source) = (*source_at.max(target_at), *from.max(to));
                let cluster = entity.key.cluster().to_owned();
                match Relationship::new(source, kind, target) {
                    Ok(relationship) => {
                        let seen = ObservedRelationship {
                            relationship,
                            cluster,
                            observed_at,
                            data_source,
                        };
                        relationships.insert(relationship, seen);
                    }
                    Err(error) => synthesis.rejected.push(error.into()),
                }
            }
        }
        synthesis.relationships = relationships.into_values().collect();
    }

    /// What `entity` says of its relationships, whether the other ends are there or not. Each is
    /// said once: that a group subscribes to a topic or processes it is what `CONSUMES_FROM` says,
    /// for a group is seen by its committed offsets alone.
    fn wanted(
        &self,
        entity: &Entity<'_>,
        cluster: Option<EntityGuid>,
    ) -> Vec<(EntityGuid, RelationshipKind, EntityGuid)> {
        let mut wanted = Vec::new();
        match (entity.kind(), cluster) {
            (EntityKind::Cluster, _) | (_, None) => {}
            (EntityKind::Broker, Some(cluster)) => {
                wanted.push((cluster, RelationshipKind::Manages, entity.guid));
            }
            (_, Some(cluster)) => {
                wanted.push((cluster, RelationshipKind::Contains, entity.guid));
            }
        }
        let (provider, cluster) = (entity.key.provider(), entity.key.cluster());
        for topic in &entity.topics {
            let (provider, cluster) = (provider.clone(), cluster.to_owned());
            let key = EntityKey::Topic { provider, cluster, topic: topic.clone() };
            let topic = EntityGuid::new(self.account, &key);
            wanted.push((entity.guid, RelationshipKind::ConsumesFrom, topic));
        }
        let broker = |broker_id: String| {
            let (provider, cluster) = (provider.clone(), cluster.to_owned());
            EntityGuid::new(self.account, &EntityKey::Broker { provider, cluster, broker_id })
        };
        if let Some(AttributeValue::Integer(id)) = entity.attributes.get(AttributeId::CoordinatorId)
        {
            let coordinator = broker(id.to_string());
            wanted.push((entity.guid, RelationshipKind::CoordinatedBy, coordinator));
        }
        for id in entity.serving_brokers.iter().filter(|_| self.serves) {
            wanted.push((broker(id.to_string()), RelationshipKind::Serves, entity.guid));
        }
        wanted
    }
}

/// Better sources first; of one source, older states first.
fn by_rank(left: &EntityState, right: &EntityState) -> Ordering {
    left.data_source.cmp(&right.data_source).then_with(|| by_age(left, right))
}

/// Older states first; equally old ones by content, so that the order they came in is forgotten.
fn by_age(left: &EntityState, right: &EntityState) -> Ordering {
    let metrics = || {
        let (mut left, mut right) = (left.metrics.iter(), right.metrics.iter());
        loop {
            match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                (None, Some(_)) => return Ordering::Less,
                (Some(_), None) => return Ordering::Greater,
                (Some((id, value)), Some((other_id, other))) => {
                    match id.cmp(&other_id).then(value.total_cmp(&other)) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    }
                }
            }
        }
    };
    (left.observed_at.cmp(&right.observed_at))
        .then_with(metrics)
        .then_with(|| left.attributes.iter().cmp(right.attributes.iter()))
        .then_with(|| left.topics.cmp(&right.topics))
        .then_with(|| left.serving_brokers.cmp(&right.serving_brokers))
        .then_with(|| left.window.cmp(&right.window))
}

/// One state of several with one key, oldest first: the newest value of each metric and attribute,
/// all topics.
fn merge(states: &[(EntityGuid, &EntityState)]) -> EntityState {
    let mut merged = states[0].1.clone();
    for (_, state) in &states[1..] {
        for (id, value) in state.metrics.iter() {
            merged.metrics.set(id, value);
        }
        for (id, value) in state.attributes.iter() {
            merged.attributes.set(id, value.clone());
        }
        for (name, value) in state.extras.iter() {
            merged.extras.set(name, value.clone());
        }
        merged.topics.extend(state.topics.iter().cloned());
        merged.serving_brokers.extend(&state.serving_brokers);
        merged.observed_at = state.observed_at;
        merged.window = Window::union(merged.window, state.window);
    }
    merged.topics.sort();
    merged.topics.dedup();
    merged.serving_brokers.sort_unstable();
    merged.serving_brokers.dedup();
    merged
}

#[cfg(test)]
mod tests;
