//! A graph of the events that a pipeline sends and New Relic stores.
//!
//! Invariants:
//! - The result does not depend on the order of the events: the newest description of an entity
//!   wins, the larger of two that are equally new.
//! - A relationship counts while it is told: one that was last told long before the newest one is
//!   over. Of kinds that point at one thing (a group's coordinator), only the newest statement
//!   counts; statements of one instant that differ all count, so that validation finds them.
//! - An event of another type is none of this room's business, and is passed over.

use std::collections::BTreeMap;

use super::{EntityFacts, Graph, Standing, Told};
use crate::domain::guid::{EntityGuid, GuidError};
use crate::domain::relationship::{Cardinality, RelationshipKind};
use crate::domain::units::UnixMillis;

/// Event type of entities.
pub const ENTITY_EVENT_TYPE: &str = "MessageQueue";
/// Event type of relationships.
pub const RELATIONSHIP_EVENT_TYPE: &str = "MessageQueueRelationship";
/// How long an entity or a relationship counts after it was last told, in milliseconds, unless
/// somebody says otherwise: five minutes, the freshness that the platform promises.
pub const STALE_AFTER_MS: i64 = 300_000;

/// The attributes of an event.
pub trait Fields {
    /// A text attribute.
    fn text(&self, name: &str) -> Option<&str>;
    /// A numeric attribute.
    fn number(&self, name: &str) -> Option<f64>;
}

impl Fields for serde_json::Map<String, serde_json::Value> {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }
}

/// What is wrong with an event.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EventError {
    /// An attribute that every such event has.
    #[error("the event has no {0}")]
    Absent(&'static str),
    /// Not one of our GUIDs.
    #[error("{attribute}: {error}")]
    Guid {
        /// Which attribute.
        attribute: &'static str,
        /// Why.
        error: GuidError,
    },
    /// A GUID of another type than the event says.
    #[error("{attribute} says `{said}`, and the GUID is one of {is}")]
    Type {
        /// Which attribute.
        attribute: &'static str,
        /// What it says.
        said: String,
        /// What the GUID says.
        is: &'static str,
    },
    /// A relationship of an unknown kind.
    #[error("relationshipType `{0}` is unknown")]
    Relationship(String),
}

impl EventError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Absent(name) => format!("select {name} as well when exporting events"),
            Self::Guid { .. } => {
                "events name entities by the GUIDs that shakedown makes (`entityGuid`)".to_owned()
            }
            Self::Type { is, .. } => format!("write {is}, or the GUID of the entity that is meant"),
            Self::Relationship(_) => {
                let names: Vec<_> =
                    RelationshipKind::ALL.into_iter().map(RelationshipKind::as_str).collect();
                format!("kinds are {}, and their inverses", names.join(", "))
            }
        }
    }
}

/// Events, as they are read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    entities: BTreeMap<EntityGuid, EntityFacts>,
    told: BTreeMap<Told, UnixMillis>,
    events: usize,
}

impl Reading {
    /// Takes an event of the type `event_type`, observed at `at`; whether it was one of ours.
    ///
    /// # Errors
    /// Everything that is wrong with it; it is then left out.
    pub fn take(
        &mut self,
        event_type: &str,
        at: UnixMillis,
        event: &dyn Fields,
    ) -> Result<bool, Vec<EventError>> {
        match event_type {
            ENTITY_EVENT_TYPE => self.entity(at, event)?,
            RELATIONSHIP_EVENT_TYPE => self.relationship(at, event)?,
            _ => return Ok(false),
        }
        self.events += 1;
        Ok(true)
    }

    /// How many events it took.
    pub fn events(&self) -> usize {
        self.events
    }

    fn entity(&mut self, at: UnixMillis, event: &dyn Fields) -> Result<(), Vec<EventError>> {
        let guid = guid(event, "entityGuid", "entityType")?;
        let text = |name: &str| event.text(name).unwrap_or_default().to_owned();
        let facts = EntityFacts {
            name: text("displayName"),
            provider: text("provider"),
            cluster: text("clusterName"),
            health_percent: event.number(&format!("{}.health.score", guid.kind().prefix())),
            observed_at: Some(at),
            standing: standing(event),
        };
        let known = self.entities.entry(guid).or_insert_with(|| facts.clone());
        if is_newer(&facts, known) {
            *known = facts;
        }
        Ok(())
    }

    fn relationship(&mut self, at: UnixMillis, event: &dyn Fields) -> Result<(), Vec<EventError>> {
        let source = guid(event, "sourceEntityGuid", "sourceEntityType");
        let target = guid(event, "targetEntityGuid", "targetEntityType");
        let kind = match event.text("relationshipType") {
            None => Err(EventError::Absent("relationshipType")),
            Some(name) => RelationshipKind::from_name(name)
                .map(|_| name)
                .ok_or_else(|| EventError::Relationship(name.to_owned())),
        };
        match (source, kind, target) {
            (Ok(source), Ok(name), Ok(target)) => {
                if let Some(told) = Told::named(source, name, target) {
                    let newest = self.told.entry(told).or_insert(at);
                    *newest = at.max(*newest);
                }
                Ok(())
            }
            (source, kind, target) => {
                let mut errors = source.err().unwrap_or_default();
                errors.extend(kind.err());
                errors.extend(target.err().into_iter().flatten());
                Err(errors)
            }
        }
    }

    /// The graph, where whatever was told longest `stale_after_ms` before the newest counts.
    pub fn graph(self, stale_after_ms: i64) -> Graph {
        let mut graph = Graph::with_capacity(self.entities.len(), self.told.len());
        let newest = self.entities.values().filter_map(|facts| facts.observed_at).max();
        for (guid, mut facts) in self.entities {
            let age = newest.zip(facts.observed_at).map(|(newest, at)| newest.millis_since(at));
            if facts.standing == Standing::Live && age.is_some_and(|age| age > stale_after_ms) {
                facts.standing = Standing::Stale;
            }
            graph.describe(guid, facts);
        }
        let newest = self.told.values().max().copied();
        let mut pointers: BTreeMap<(RelationshipKind, EntityGuid), UnixMillis> = BTreeMap::new();
        for (told, at) in &self.told {
            let latest = pointers.entry((told.kind, told.source)).or_insert(*at);
            *latest = (*latest).max(*at);
        }
        for (told, at) in self.told {
            let is_over = newest.is_some_and(|newest| newest.millis_since(at) > stale_after_ms);
            let is_pointer = told.kind.cardinality() == Cardinality::ManyToOne;
            let is_past = is_pointer && pointers.get(&(told.kind, told.source)) != Some(&at);
            if !is_over && !is_past {
                graph.add(told);
            }
        }
        graph
    }
}

/// Whether `facts` replace `known`, in an order that is total.
fn is_newer(facts: &EntityFacts, known: &EntityFacts) -> bool {
    let rank = |facts: &EntityFacts| {
        let health = facts.health_percent.map(f64::to_bits);
        let names = (facts.name.clone(), facts.provider.clone(), facts.cluster.clone());
        (facts.observed_at, health, facts.standing, names)
    };
    facts.observed_at > known.observed_at
        || (facts.observed_at == known.observed_at && rank(facts) > rank(known))
}

/// Figures are invented where the event says so in `dataSource`, or in the tag `simulated`.
fn standing(event: &dyn Fields) -> Standing {
    let is_invented = match event.text("dataSource") {
        Some(source) => matches!(source, "simulated" | "gapFilled"),
        None => event.text("tags.simulated") == Some("true"),
    };
    if is_invented { Standing::Simulated } else { Standing::Live }
}

fn guid(
    event: &dyn Fields,
    attribute: &'static str,
    of_type: &'static str,
) -> Result<EntityGuid, Vec<EventError>> {
    let Some(text) = event.text(attribute) else { return Err(vec![EventError::Absent(attribute)]) };
    let guid = EntityGuid::parse_wire(text)
        .map_err(|error| vec![EventError::Guid { attribute, error }])?;
    let is = guid.kind().type_name();
    match event.text(of_type) {
        Some(said) if said != is => {
            Err(vec![EventError::Type { attribute: of_type, said: said.to_owned(), is }])
        }
        _ => Ok(guid),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::Change;
    use super::*;
    use crate::domain::entity::EntityKind;
    use crate::domain::relationship::Direction;
    use crate::graph::tests::guid as entity;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other}"),
        }
    }

    fn description(guid: EntityGuid, at: i64, health: f64) -> (&'static str, i64, Value) {
        let event = json!({
            "entityGuid": guid.wire(), "entityType": guid.kind().type_name(), "displayName": "x",
            "provider": "kafka", "clusterName": "orders",
            format!("{}.health.score", guid.kind().prefix()): health,
        });
        (ENTITY_EVENT_TYPE, at, event)
    }

    fn relationship(
        subject: EntityGuid,
        name: &str,
        object: EntityGuid,
        at: i64,
    ) -> (&'static str, i64, Value) {
        let event = json!({
            "sourceEntityGuid": subject.wire(), "relationshipType": name,
            "targetEntityGuid": object.wire(),
        });
        (RELATIONSHIP_EVENT_TYPE, at, event)
    }

    fn read(events: &[(&'static str, i64, Value)]) -> Graph {
        let mut reading = Reading::default();
        for (event_type, at, event) in events {
            let ours = reading.take(event_type, UnixMillis(*at), &map(event.clone()));
            assert_eq!(ours, Ok(true));
        }
        assert_eq!(reading.events(), events.len());
        reading.graph(100)
    }

    #[test]
    fn the_newest_counts_whatever_the_order() {
        use EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
        let of = |kind, name: &str| entity(kind, "orders", name);
        let (group, topic, top) = (of(ConsumerGroup, "g"), of(Topic, "t"), of(Cluster, ""));
        let (one, two) = (of(Broker, "1"), of(Broker, "2"));
        let mut events = vec![
            description(one, 1_000, 90.0),
            description(one, 900, 10.0),
            description(topic, 800, 80.0),
            description(topic, 899, 81.0),
            relationship(group, "COORDINATED_BY", one, 940),
            relationship(two, "COORDINATES", group, 990),
            relationship(topic, "CONTAINED_IN", top, 950),
            relationship(group, "CONSUMES_FROM", topic, 700),
        ];
        let graph = read(&events);
        let facts = |guid: &EntityGuid| {
            let facts = graph.facts(guid).expect("described");
            (facts.health_percent, facts.standing)
        };
        assert_eq!(facts(&one), (Some(90.0), Standing::Live));
        assert_eq!(facts(&topic), (Some(81.0), Standing::Stale));
        assert_eq!(graph.standing(&two), Standing::Missing);
        let told: Vec<_> = graph.relationships().iter().map(|held| held.kind).collect();
        assert_eq!(told, [RelationshipKind::Contains, RelationshipKind::CoordinatedBy]);
        let coordinator = Told::named(group, "COORDINATED_BY", two).expect("a kind");
        assert!(graph.holds(coordinator), "the newest one, told from the other end");
        events.reverse();
        let other = read(&events);
        assert_eq!(other.relationships(), graph.relationships());
        assert_eq!(other.facts(&one), graph.facts(&one));
        // Of one instant and different: both stand, for `check` to tell.
        events.push(relationship(group, "COORDINATED_BY", one, 990));
        assert_eq!(read(&events).relationships().len(), 3);
    }

    #[test]
    fn invented_entities_say_so() {
        let topic = entity(EntityKind::Topic, "orders", "t");
        for (name, value, expected) in [
            ("dataSource", "infrastructure", Standing::Live),
            ("dataSource", "gapFilled", Standing::Simulated),
            ("tags.simulated", "true", Standing::Simulated),
            ("tags.simulated", "false", Standing::Live),
        ] {
            let (kind, at, mut event) = description(topic, 5, 1.0);
            event[name] = value.into();
            assert_eq!(read(&[(kind, at, event)]).standing(&topic), expected, "{name} {value}");
        }
    }

    #[test]
    fn everything_wrong_with_an_event_is_told() {
        let topic = entity(EntityKind::Topic, "orders", "t").wire();
        let cases = [
            (ENTITY_EVENT_TYPE, json!({}), vec!["no entityGuid"]),
            (ENTITY_EVENT_TYPE, json!({"entityGuid": "!"}), vec!["not base64url"]),
            (
                ENTITY_EVENT_TYPE,
                json!({"entityGuid": topic, "entityType": "MESSAGE_QUEUE_QUEUE"}),
                vec!["entityType says `MESSAGE_QUEUE_QUEUE`"],
            ),
            (
                RELATIONSHIP_EVENT_TYPE,
                json!({"sourceEntityGuid": 3, "relationshipType": "KNOWS", "targetEntityGuid": "x"}),
                vec!["no sourceEntityGuid", "`KNOWS` is unknown", "targetEntityGuid: "],
            ),
        ];
        for (event_type, event, expected) in cases {
            let mut reading = Reading::default();
            let errors = reading.take(event_type, UnixMillis(1), &map(event)).expect_err("wrong");
            assert_eq!(errors.len(), expected.len());
            for (error, words) in errors.iter().zip(expected) {
                assert!(error.to_string().contains(words), "{error} lacks {words}");
                assert!(!error.help().is_empty());
            }
            assert!(reading.graph(0).entities().is_empty());
        }
        let mut reading = Reading::default();
        assert_eq!(reading.take("Metric", UnixMillis(1), &Map::new()), Ok(false));
    }

    #[test]
    fn inverse_names_give_the_canonical_relationship() {
        let (one, other) =
            (entity(EntityKind::Cluster, "a", ""), entity(EntityKind::Topic, "a", "t"));
        for kind in RelationshipKind::ALL {
            let forward = Told::named(one, kind.as_str(), other).expect("a kind");
            let inverse = Told::named(other, kind.inverse(), one).expect("a kind");
            assert_eq!(inverse, Told { direction: Direction::Inverse, ..forward });
            let mut graph = Graph::new();
            assert!(matches!(graph.add(forward), Some(Change::RelationshipAdded(_))));
            assert_eq!(graph.add(inverse), None);
        }
    }
}
