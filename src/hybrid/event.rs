//! What a `MessageQueue` event says of its entity's presence and configuration, and a
//! `MessageQueueRelationship` event of which group reads which topic.
//!
//! Source: the attributes that the pipeline streams; `docs/METRICS.md` lists them.
//!
//! Not modelled: whether the event's GUID is the one of its key. Another writer's events may carry
//! other GUIDs, and its entities are there all the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::gap::Observed;
use crate::domain::account::AccountId;
use crate::domain::entity::{EmptyPart, EntityKey, EntityKind};
use crate::domain::guid::EntityGuid;
use crate::domain::provider::Provider;
use crate::domain::relationship::RelationshipKind;
use crate::domain::units::UnixNanos;

/// Type of the events that entities are made of.
pub const EVENT_TYPE: &str = "MessageQueue";
/// Type of the events that relationships are made of.
pub const RELATIONSHIP_EVENT_TYPE: &str = "MessageQueueRelationship";
/// What their `relationshipType` says of a group and a topic that it reads.
pub const READS: RelationshipKind = RelationshipKind::ConsumesFrom;

/// Attributes that [`observed`] looks at.
pub const ATTRIBUTES: [&str; 10] = [
    "entityType",
    "provider",
    "clusterName",
    "brokerId",
    "topicName",
    "queueName",
    "vhost",
    "consumerGroup",
    PARTITIONS,
    REPLICATION_FACTOR,
];

const PARTITIONS: &str = "kafka.partition.count";
const REPLICATION_FACTOR: &str = "kafka.replication.factor";

/// Why an event names no entity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventFault {
    /// An attribute that every event of its type has is absent, or no text.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// `entityType` is none of ours.
    #[error("`{0}` is not one of the five MESSAGE_QUEUE_ types")]
    Type(String),
    /// A part of the key is empty.
    #[error(transparent)]
    Empty(#[from] EmptyPart),
}

/// The entity that an event with `attributes` was sent about, last seen at `last_seen`.
///
/// # Errors
/// [`EventFault`]
pub fn observed(
    attributes: &Map<String, Value>,
    last_seen: UnixNanos,
) -> Result<Observed, EventFault> {
    let key = key(attributes)?;
    key.validate()?;
    let mut observed = Observed::new(key, last_seen);
    if observed.key.kind() == EntityKind::Topic {
        observed.partitions = count(attributes, PARTITIONS).and_then(|n| u32::try_from(n).ok());
        observed.replication_factor =
            count(attributes, REPLICATION_FACTOR).and_then(|n| u16::try_from(n).ok());
    }
    Ok(observed)
}

/// A group and a topic that it reads, by their GUIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subscription {
    /// The group.
    pub group: EntityGuid,
    /// The topic.
    pub topic: EntityGuid,
}

impl Subscription {
    /// The subscription between two GUIDs in wire form; `None` if they are not those of a group
    /// and of a topic.
    pub fn between(group: &str, topic: &str) -> Option<Self> {
        let of = |text, kind| EntityGuid::parse_wire(text).ok().filter(|guid| guid.kind() == kind);
        let group = of(group, EntityKind::ConsumerGroup)?;
        Some(Self { group, topic: of(topic, EntityKind::Topic)? })
    }

    /// What a relationship's event says; `None` if it is about something else.
    pub fn of_event(attributes: &Map<String, Value>) -> Option<Self> {
        let text = |name| attributes.get(name).and_then(Value::as_str);
        if text("relationshipType")? != READS.as_str() {
            return None;
        }
        Self::between(text("sourceEntityGuid")?, text("targetEntityGuid")?)
    }
}

/// Topics' names by group, for those of `subscriptions` of which both ends were observed.
pub fn topics_by_group(
    observed: &[Observed],
    subscriptions: &BTreeSet<Subscription>,
) -> BTreeMap<EntityKey, Vec<String>> {
    let accounts: BTreeSet<AccountId> =
        subscriptions.iter().map(|subscription| subscription.group.account()).collect();
    let is_end =
        |key: &EntityKey| matches!(key.kind(), EntityKind::ConsumerGroup | EntityKind::Topic);
    let mut keys: BTreeMap<EntityGuid, &EntityKey> = BTreeMap::new();
    for account in accounts {
        let ends = observed.iter().map(|seen| &seen.key).filter(|key| is_end(key));
        keys.extend(ends.map(|key| (EntityGuid::new(account, key), key)));
    }
    let mut topics: BTreeMap<EntityKey, Vec<String>> = BTreeMap::new();
    for Subscription { group, topic } in subscriptions {
        if let (Some(group), Some(topic)) = (keys.get(group), keys.get(topic)) {
            topics.entry((*group).clone()).or_default().push(topic.name().to_owned());
        }
    }
    for topics in topics.values_mut() {
        topics.sort_unstable();
        topics.dedup();
    }
    topics
}

fn key(attributes: &Map<String, Value>) -> Result<EntityKey, EventFault> {
    let text = |name: &'static str| text(attributes, name).ok_or(EventFault::Missing(name));
    let type_name = text("entityType")?;
    let kind = EntityKind::from_type_name(&type_name).ok_or(EventFault::Type(type_name))?;
    let provider: Provider =
        text("provider")?.parse().map_err(|_| EventFault::Missing("provider"))?;
    let cluster = text("clusterName")?;
    Ok(match kind {
        EntityKind::Cluster => EntityKey::Cluster { provider, cluster },
        EntityKind::Broker => EntityKey::Broker { provider, cluster, broker_id: text("brokerId")? },
        EntityKind::Topic => EntityKey::Topic { provider, cluster, topic: text("topicName")? },
        EntityKind::Queue => {
            let vhost = text("vhost").unwrap_or_default();
            EntityKey::Queue { provider, cluster, vhost, queue: text("queueName")? }
        }
        EntityKind::ConsumerGroup => {
            EntityKey::Group { provider, cluster, group: text("consumerGroup")? }
        }
    })
}

/// A text, or a number as its text: a broker's id may come as either.
fn text(attributes: &Map<String, Value>, name: &str) -> Option<String> {
    match attributes.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) => count(attributes, name).map(|number| number.to_string()),
        _ => None,
    }
}

/// A whole number that is not negative, also where it is written as a float.
fn count(attributes: &Map<String, Value>, name: &str) -> Option<u64> {
    let number = attributes.get(name)?;
    let float = || {
        let float = number.as_f64()?;
        // Exact below 2⁵³; the cast is of a whole number in range.
        ((0.0..9_007_199_254_740_992.0).contains(&float) && float.fract() == 0.0)
            .then_some(float as u64)
    };
    number.as_u64().or_else(float)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(attributes: &Value) -> Result<Observed, EventFault> {
        observed(attributes.as_object().expect("an object"), UnixNanos(7))
    }

    #[test]
    fn each_type_has_its_key() {
        let check = |own: Value, expected: EntityKey| {
            let mut event = json!({ "provider": "kafka", "clusterName": "c" });
            event.as_object_mut().expect("object").extend(own.as_object().expect("object").clone());
            assert_eq!(read(&event).map(|observed| observed.key), Ok(expected), "{event}");
        };
        let (provider, cluster) = (|| Provider::Kafka, || "c".to_owned());
        check(
            json!({ "entityType": "MESSAGE_QUEUE_CLUSTER" }),
            EntityKey::Cluster { provider: provider(), cluster: cluster() },
        );
        for id in [json!("1"), json!(1), json!(1.0)] {
            check(
                json!({ "entityType": "MESSAGE_QUEUE_BROKER", "brokerId": id }),
                EntityKey::Broker {
                    provider: provider(),
                    cluster: cluster(),
                    broker_id: "1".into(),
                },
            );
        }
        check(
            json!({ "entityType": "MESSAGE_QUEUE_TOPIC", "topicName": "t" }),
            EntityKey::Topic { provider: provider(), cluster: cluster(), topic: "t".into() },
        );
        for vhost in ["", "/"] {
            let queue = EntityKey::Queue {
                provider: Provider::RabbitMq,
                cluster: cluster(),
                vhost: vhost.into(),
                queue: "q".into(),
            };
            let event = json!({ "entityType": "MESSAGE_QUEUE_QUEUE", "queueName": "q",
                "provider": "RabbitMQ", "vhost": vhost });
            check(event, queue);
        }
        check(
            json!({ "entityType": "MESSAGE_QUEUE_CONSUMER_GROUP", "consumerGroup": "g" }),
            EntityKey::Group { provider: provider(), cluster: cluster(), group: "g".into() },
        );
    }

    #[test]
    fn configuration_is_read_where_it_is_whole() {
        let check = |partitions: Value, factor: Value, expected: (Option<u32>, Option<u16>)| {
            let event = json!({ "entityType": "MESSAGE_QUEUE_TOPIC", "provider": "kafka",
                "clusterName": "c", "topicName": "t",
                "kafka.partition.count": partitions, "kafka.replication.factor": factor });
            let observed = read(&event).expect("valid");
            assert_eq!((observed.partitions, observed.replication_factor), expected, "{event}");
            assert_eq!(observed.last_seen, UnixNanos(7));
        };
        check(json!(12), json!(3), (Some(12), Some(3)));
        check(json!(12.0), json!(null), (Some(12), None));
        check(json!(1.5), json!(65_536), (None, None));
        check(json!(-1), json!("3"), (None, None));
    }

    #[test]
    fn subscriptions_name_both_ends() {
        let account = AccountId::try_from(7).expect("valid");
        let (provider, cluster) = (|| Provider::Kafka, || "c".to_owned());
        let topic =
            EntityKey::Topic { provider: provider(), cluster: cluster(), topic: "t".into() };
        // The same name, so the same identifier: only the type tells it from the topic.
        let group =
            EntityKey::Group { provider: provider(), cluster: cluster(), group: "t".into() };
        let wire = |key: &EntityKey| EntityGuid::new(account, key).wire();
        let event = |kind: &str, source: &EntityKey, target: &EntityKey| {
            let event = json!({ "relationshipType": kind, "sourceEntityGuid": wire(source),
                "targetEntityGuid": wire(target) });
            Subscription::of_event(event.as_object().expect("an object"))
        };
        assert_eq!(event("CONTAINS", &group, &topic), None);
        assert_eq!(event("CONSUMES_FROM", &topic, &group), None);
        let found = event("CONSUMES_FROM", &group, &topic);
        let subscriptions: BTreeSet<Subscription> = found.into_iter().collect();
        let seen = |key: &EntityKey| Observed::new(key.clone(), UnixNanos(0));
        let observed = [seen(&topic), seen(&group), seen(&group)];
        let topics = topics_by_group(&observed, &subscriptions);
        assert_eq!(topics, BTreeMap::from([(group.clone(), vec!["t".to_owned()])]));
        assert!(topics_by_group(&[seen(&group)], &subscriptions).is_empty());
    }

    #[test]
    fn what_names_no_entity_is_refused() {
        let check = |event: Value, expected: &str| {
            assert_eq!(read(&event).expect_err("no entity").to_string(), expected);
        };
        check(json!({}), "`entityType` is missing");
        check(
            json!({ "entityType": "HOST" }),
            "`HOST` is not one of the five MESSAGE_QUEUE_ types",
        );
        let broker = |cluster: &str, id: Value| {
            json!({ "entityType": "MESSAGE_QUEUE_BROKER", "provider": "kafka",
                "clusterName": cluster, "brokerId": id })
        };
        check(broker("c", json!(null)), "`brokerId` is missing");
        check(broker("c", json!("")), "a broker needs a non-empty broker id");
        check(broker("", json!("1")), "a broker needs a non-empty cluster name");
    }
}
