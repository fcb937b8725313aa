//! Relationships, merging, order independence.

use proptest::prelude::*;

use super::*;
use crate::domain::attribute::{AttributeId, AttributeValue, Attributes};
use crate::domain::data_source::DataSource;
use crate::domain::extra::Extras;
use crate::domain::metric::{MetricId, MetricSet};

fn synthesizer() -> Synthesizer {
    Synthesizer::new(SynthesisConfig {
        account: AccountId::try_from(1).unwrap(),
        environment: None,
        tags: Tags::default(),
        serves: true,
    })
}

fn key(kind: EntityKind, cluster: &str, name: &str) -> EntityKey {
    let (provider, cluster, name) = (Provider::Kafka, cluster.to_owned(), name.to_owned());
    match kind {
        EntityKind::Cluster => EntityKey::Cluster { provider, cluster },
        EntityKind::Broker => EntityKey::Broker { provider, cluster, broker_id: name },
        EntityKind::Topic => EntityKey::Topic { provider, cluster, topic: name },
        EntityKind::Queue => {
            EntityKey::Queue { provider, cluster, vhost: String::new(), queue: name }
        }
        EntityKind::ConsumerGroup => EntityKey::Group { provider, cluster, group: name },
    }
}

fn state(kind: EntityKind, cluster: &str, name: &str, at: i64) -> EntityState {
    EntityState {
        key: key(kind, cluster, name),
        data_source: DataSource::Infrastructure,
        observed_at: UnixMillis(at),
        metrics: MetricSet::new(kind),
        window: None,
        attributes: Attributes::default(),
        topics: Vec::new(),
        extras: Extras::default(),
        serving_brokers: Vec::new(),
    }
}

fn group(cluster: &str, name: &str, topics: &[&str]) -> EntityState {
    let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
    EntityState { topics, ..state(EntityKind::ConsumerGroup, cluster, name, 5) }
}

fn coordinated(mut group: EntityState, broker: i64) -> EntityState {
    group.attributes.set(AttributeId::CoordinatorId, AttributeValue::Integer(broker));
    group
}

/// Relationships of one cluster of `brokers`, where each of `topics` is led by `on` of them.
fn volume(brokers: usize, topics: usize, on: usize, serves: bool) -> usize {
    let mut states = vec![state(EntityKind::Cluster, "a", "", 1)];
    for id in 0..brokers {
        states.push(state(EntityKind::Broker, "a", &id.to_string(), 1));
    }
    for topic in 0..topics {
        let serving = (0..on).map(|n| ((topic * 7 + n) % brokers) as i32);
        let mut serving_brokers: Vec<_> = serving.collect();
        serving_brokers.sort_unstable();
        let topic = state(EntityKind::Topic, "a", &format!("t{topic}"), 1);
        states.push(EntityState { serving_brokers, ..topic });
    }
    let synthesizer = Synthesizer { serves, ..synthesizer() };
    synthesizer.synthesize(&states).relationships.len()
}

#[test]
fn who_serves_what_is_told_on_demand() {
    // A hundred brokers and fifty topics: 18 brokers a topic (6 partitions of 3 replicas) are
    // seven times as many relationships, all brokers for every topic thirty-four times as many.
    assert_eq!(volume(100, 50, 18, false), 150);
    assert_eq!(volume(100, 50, 18, true), 150 + 900);
    assert_eq!(volume(100, 50, 100, true), 150 + 5_000);
}

#[test]
fn relationships_of_a_cluster() {
    use EntityKind::{Broker, Cluster, Queue, Topic};
    let states = [
        state(Cluster, "a", "", 1),
        state(Broker, "a", "1", 9),
        EntityState { serving_brokers: vec![1, 7], ..state(Topic, "a", "t", 2) },
        state(Queue, "a", "q", 1),
        coordinated(group("a", "g", &["t", "gone"]), 1),
        coordinated(group("a", "h", &[]), 99),
        // Another cluster, without an entity of its own: its broker has no parent here.
        state(Broker, "b", "1", 1),
        state(Topic, "b", "gone", 1),
    ];
    let synthesizer = synthesizer();
    let synthesis = synthesizer.synthesize(&states);
    assert!(synthesis.rejected.is_empty() && synthesis.entities.len() == states.len());
    let name = |guid: EntityGuid| {
        let entity = synthesis.entities.iter().find(|entity| entity.guid == guid).unwrap();
        entity.key.name().to_owned()
    };
    let mut got: Vec<_> = synthesis
        .relationships
        .iter()
        .map(|seen| {
            let Relationship { source, kind, target } = seen.relationship;
            assert_eq!(seen.cluster, "a");
            (name(source), kind.as_str(), name(target), seen.observed_at.0)
        })
        .collect();
    got.sort();
    let expected = [
        ("1", "SERVES", "t", 9),
        ("a", "CONTAINS", "g", 5),
        ("a", "CONTAINS", "h", 5),
        ("a", "CONTAINS", "q", 1),
        ("a", "CONTAINS", "t", 2),
        ("a", "MANAGES", "1", 9),
        ("g", "CONSUMES_FROM", "t", 5),
        ("g", "COORDINATED_BY", "1", 9),
    ];
    let expected = expected.map(|(a, kind, b, at)| (a.to_owned(), kind, b.to_owned(), at));
    assert_eq!(got, expected);
    let all = synthesis.relationships.iter().map(|seen| &seen.relationship);
    crate::domain::relationship::check_cardinality(all).unwrap();
    assert!(synthesis.relationships.iter().map(|seen| seen.relationship).is_sorted());
    assert!(synthesis.entities.iter().map(|entity| entity.guid).is_sorted());
}

#[test]
fn a_relationship_as_event() {
    let states =
        [state(EntityKind::Cluster, "a\"", "", 1), state(EntityKind::Topic, "a\"", "t", 7)];
    let synthesizer = synthesizer();
    let synthesis = synthesizer.synthesize(&states);
    let mut out = Vec::new();
    event::write_relationship(&synthesis.relationships[0], &mut out);
    let event: std::collections::BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&out).unwrap();
    let of = |kind: EntityKind| EntityGuid::new(synthesizer.account(), &key(kind, "a\"", "t"));
    let expected = [
        ("clusterName", "a\"".to_owned()),
        ("dataSource", "infrastructure".to_owned()),
        ("eventType", "MessageQueueRelationship".to_owned()),
        ("relationshipType", "CONTAINS".to_owned()),
        ("sourceEntityGuid", of(EntityKind::Cluster).wire()),
        ("sourceEntityType", "MESSAGE_QUEUE_CLUSTER".to_owned()),
        ("targetEntityGuid", of(EntityKind::Topic).wire()),
        ("targetEntityType", "MESSAGE_QUEUE_TOPIC".to_owned()),
    ];
    for (name, value) in &expected {
        assert_eq!(event[*name], *value, "{name}");
    }
    assert_eq!(event["timestamp"], 7);
    assert_eq!(event.len(), expected.len() + 1);
}

#[test]
fn states_of_one_key_are_merged() {
    let mut old = state(EntityKind::Broker, "a", "1", 10);
    old.metrics.set(MetricId::BROKER_CPU_USAGE, 90.0);
    old.metrics.set(MetricId::BROKER_PARTITIONS, 4.0);
    old.attributes.set(AttributeId::Rack, AttributeValue::Text("r".into()));
    old.window = Some(Window::of(10));
    let mut new = state(EntityKind::Broker, "a", "1", 20);
    new.metrics.set(MetricId::BROKER_CPU_USAGE, 10.0);
    new.window = Some(Window::of(20));
    let states = [new, old];
    let synthesizer = synthesizer();
    let synthesis = synthesizer.synthesize(&states);
    let [entity] = synthesis.entities.as_slice() else { panic!("{synthesis:?}") };
    assert_eq!(entity.observed_at, UnixMillis(20));
    assert_eq!(entity.metrics.get(MetricId::BROKER_CPU_USAGE), Some(10.0));
    assert_eq!(entity.metrics.get(MetricId::BROKER_PARTITIONS), Some(4.0));
    assert_eq!(entity.attributes.text(AttributeId::Rack), Some("r"));
    assert_eq!(entity.window, Some(Window { min_ms: 10, max_ms: 20 }));
}

#[test]
fn the_best_source_stands_alone() {
    use DataSource::{GapFilled, Infrastructure, Simulated};
    let check = |sources: &[DataSource], expected: DataSource, cpu: f64| {
        let made = |(age, source): (usize, &DataSource)| {
            let mut state = state(EntityKind::Broker, "a", "1", age as i64);
            state.data_source = *source;
            let value = DataSource::ALL.iter().position(|other| other == source);
            state.metrics.set(MetricId::BROKER_CPU_USAGE, value.unwrap() as f64);
            if source.is_simulated() {
                state.metrics.set(MetricId::BROKER_PARTITIONS, 7.0);
            }
            state
        };
        let states: Vec<_> = sources.iter().enumerate().map(made).collect();
        let synthesizer = synthesizer();
        let synthesis = synthesizer.synthesize(&states);
        let [entity] = synthesis.entities.as_slice() else { panic!("{synthesis:?}") };
        assert_eq!(entity.data_source, expected, "{sources:?}");
        assert_eq!(entity.metrics.get(MetricId::BROKER_CPU_USAGE), Some(cpu), "{sources:?}");
        let mixed = entity.metrics.contains(MetricId::BROKER_PARTITIONS);
        assert_eq!(mixed, expected.is_simulated(), "{sources:?}: figures of two sources");
    };
    check(&[Infrastructure, GapFilled, Simulated], Infrastructure, 0.0);
    check(&[Simulated, GapFilled, Infrastructure], Infrastructure, 0.0);
    check(&[Simulated, GapFilled], GapFilled, 1.0);
    check(&[GapFilled, Simulated, Simulated], GapFilled, 1.0);
    check(&[Simulated, Simulated], Simulated, 2.0);
}

#[test]
fn one_bad_entity_costs_itself() {
    let states = [state(EntityKind::Topic, "a", "", 1), state(EntityKind::Topic, "a", "t", 1)];
    let synthesizer = synthesizer();
    let synthesis = synthesizer.synthesize(&states);
    assert_eq!(synthesis.entities.len(), 1);
    let reasons: Vec<_> = synthesis.rejected.iter().map(Rejection::as_str).collect();
    assert_eq!(reasons, ["missing_identity"]);
}

fn any_state() -> impl Strategy<Value = EntityState> {
    let kind = prop_oneof![
        Just(EntityKind::Cluster),
        Just(EntityKind::Broker),
        Just(EntityKind::Topic),
        Just(EntityKind::ConsumerGroup),
    ];
    let values = proptest::collection::vec((0..60_usize, 0..4_i32), 0..6);
    let topics = proptest::collection::vec("[a-c]", 0..3);
    (kind, "[ab]", "[a-c]", 0..3_i64, values, topics, "[xy]").prop_map(
        |(kind, cluster, name, at, values, topics, host)| {
            let mut state = state(kind, &cluster, &name, at);
            let ids: Vec<_> = MetricId::of_kind(kind).collect();
            for (id, value) in values {
                state.metrics.set(ids[id % ids.len()], f64::from(value));
            }
            state.window = (at > 0).then(|| Window::of(at));
            match kind {
                EntityKind::ConsumerGroup => state.topics = topics,
                EntityKind::Broker => {
                    let host = AttributeValue::Text(host.into());
                    state.attributes.set(AttributeId::Hostname, host);
                }
                _ => {}
            }
            state
        },
    )
}

fn bytes(synthesizer: &Synthesizer, states: &[EntityState]) -> Vec<u8> {
    let synthesis = synthesizer.synthesize(states);
    let mut out = Vec::new();
    for entity in &synthesis.entities {
        event::write_entity(entity, &mut out);
        out.push(b'\n');
    }
    for relationship in &synthesis.relationships {
        event::write_relationship(relationship, &mut out);
        out.push(b'\n');
    }
    out
}

proptest! {
    #[test]
    fn any_order_gives_the_same_bytes(
        states in proptest::collection::vec(any_state(), 0..24),
        order in proptest::collection::vec(any::<u32>(), 24),
    ) {
        let synthesizer = synthesizer();
        let mut shuffled: Vec<_> = order.iter().zip(states.clone()).collect();
        shuffled.sort_by_key(|(place, _)| **place);
        let shuffled: Vec<_> = shuffled.into_iter().map(|(_, state)| state).collect();
        prop_assert_eq!(bytes(&synthesizer, &states), bytes(&synthesizer, &shuffled));
        let synthesis = synthesizer.synthesize(&states);
        prop_assert!(synthesis.entities.is_sorted_by(|a, b| a.guid < b.guid), "one per GUID");
        for entity in &synthesis.entities {
            prop_assert_eq!(entity.guid, EntityGuid::new(synthesizer.account(), &entity.key));
        }
    }
}
