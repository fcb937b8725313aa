//! Events to the letter, limits, numbers and texts that read back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::aggregate::EntityState;
use crate::definitions::{Identifier, NamePattern, builtin};
use crate::domain::account::AccountId;
use crate::domain::attribute::{ATTRIBUTES, AttributeId, Attributes};
use crate::domain::data_source::DataSource;
use crate::domain::entity::EntityKind;
use crate::domain::extra::Extras;
use crate::domain::metric::{CATALOGUE, MetricId, MetricSet};
use crate::domain::provider::Provider;
use crate::domain::units::{UnixMillis, Window};
use crate::synthesize::{SynthesisConfig, Synthesizer};

fn synthesizer(environment: Option<&str>, tags: &[(&str, &str)]) -> Synthesizer {
    let mut all = Tags::default();
    for (key, value) in tags {
        all.insert(key, value).unwrap();
    }
    Synthesizer::new(SynthesisConfig {
        account: AccountId::try_from(1_234_567).unwrap(),
        environment: environment.map(|text| text.parse().unwrap()),
        tags: all,
        serves: false,
    })
}

fn state(key: EntityKey) -> EntityState {
    EntityState {
        data_source: DataSource::Infrastructure,
        observed_at: UnixMillis(1_700_000_000_123),
        metrics: MetricSet::new(key.kind()),
        window: None,
        attributes: Attributes::default(),
        topics: Vec::new(),
        extras: Extras::default(),
        serving_brokers: Vec::new(),
        key,
    }
}

fn broker() -> EntityState {
    state(EntityKey::Broker {
        provider: Provider::Kafka,
        cluster: "orders".into(),
        broker_id: "1".into(),
    })
}

fn written(synthesizer: &Synthesizer, state: &EntityState) -> String {
    let mut out = Vec::new();
    write_entity(&synthesizer.entity_of(state).unwrap(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_broker_to_the_letter() {
    let mut broker = broker();
    broker.metrics.set(MetricId::BROKER_CPU_USAGE, 12.5);
    broker.metrics.set(MetricId::BROKER_DISK_TOTAL, 1e12);
    broker.metrics.set(MetricId::BROKER_PARTITIONS, 0.0);
    broker.attributes.set(AttributeId::Hostname, AttributeValue::Text("orders-broker-1".into()));
    broker.attributes.set(AttributeId::Port, AttributeValue::Integer(9092));
    broker.window = Some(Window::of(15_003));
    let synthesizer = synthesizer(Some("prod"), &[("team", "pay \"x\"")]);
    let expected = concat!(
        r#"{"eventType":"MessageQueue","timestamp":1700000000123,"#,
        r#""entityType":"MESSAGE_QUEUE_BROKER","entityGuid":"#,
        r#""MTIzNDU2N3xJTkZSQXxNRVNTQUdFX1FVRVVFX0JST0tFUnwyMmI1ZjA0ZTEzMmNkMDMxOTE2NThjMTYzZWI2"#,
        r#"MzRiZg","entityIdentifier":"22b5f04e132cd03191658c163eb634bf","#,
        r#""displayName":"orders-broker-1","provider":"kafka","clusterName":"orders","#,
        r#""dataSource":"infrastructure","brokerId":"1","hostname":"orders-broker-1","port":9092,"collectionWindowMs":15003,"#,
        r#""broker.cpu.usage":12.5,"disk.total.bytes":1000000000000,"partitionCount":0,"#,
        r#""environment":"prod","tags.environment":"prod","tags.team":"pay \"x\""}"#,
    );
    assert_eq!(written(&synthesizer, &broker), expected);
}

#[test]
fn identity_and_name_by_kind() {
    let (provider, cluster) = (Provider::Kafka, "orders".to_owned());
    let queue = EntityKey::Queue {
        provider: Provider::RabbitMq,
        cluster: cluster.clone(),
        vhost: "/".into(),
        queue: "q".into(),
    };
    let cases = [
        (EntityKey::Cluster { provider: provider.clone(), cluster: cluster.clone() }, "", ""),
        (broker().key, "brokerId", "1"),
        (
            EntityKey::Topic {
                provider: provider.clone(),
                cluster: cluster.clone(),
                topic: "t\n".into(),
            },
            "topicName",
            "t\n",
        ),
        (EntityKey::Group { provider, cluster, group: "g".into() }, "consumerGroup", "g"),
        (queue, "queueName", "q"),
    ];
    let names = ["kafka-cluster-orders", "orders-broker-1", "t\n", "g", "q"];
    let synthesizer = synthesizer(None, &[]);
    for ((key, attribute, value), name) in cases.into_iter().zip(names) {
        let state = state(key);
        let entity = synthesizer.entity_of(&state).unwrap();
        assert_eq!(entity.display_name(), name);
        let event: Value = serde_json::from_str(&written(&synthesizer, &state)).unwrap();
        assert_eq!(event["displayName"], name);
        assert_eq!(event["clusterName"], "orders");
        assert_eq!(event["entityType"], entity.kind().type_name());
        assert_eq!(event["entityIdentifier"], entity.guid.identifier());
        assert_eq!(event["entityGuid"], entity.guid.wire());
        if !attribute.is_empty() {
            assert_eq!(event[attribute], value);
        }
        assert_eq!(event.get("environment"), None);
    }
}

#[test]
fn what_no_fleet_said_is_marked() {
    let check = |source: DataSource, simulated: Option<&str>, mode: Option<&str>| {
        let state = EntityState { data_source: source, ..broker() };
        let event: Value = serde_json::from_str(&written(&synthesizer(None, &[]), &state)).unwrap();
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        assert_eq!(text("dataSource"), Some(source.as_str()));
        assert_eq!(text("tags.simulated"), simulated, "{source:?}");
        assert_eq!(text("tags.hybridMode"), mode, "{source:?}");
    };
    check(DataSource::Infrastructure, None, None);
    check(DataSource::GapFilled, Some("true"), Some("gapFilled"));
    check(DataSource::Simulated, Some("true"), None);
}

#[test]
fn windows() {
    let cases = [
        (None, None, None, None),
        (Some(Window::of(15_000)), Some(15_000), None, None),
        (Some(Window { min_ms: 10, max_ms: 20 }), None, Some(10), Some(20)),
    ];
    for (window, exact, min, max) in cases {
        let mut broker = broker();
        broker.window = window;
        let event: Value =
            serde_json::from_str(&written(&synthesizer(None, &[]), &broker)).unwrap();
        let got = |name: &str| event.get(name).and_then(Value::as_i64);
        assert_eq!(got("collectionWindowMs"), exact);
        assert_eq!(got("collectionWindowMinMs"), min);
        assert_eq!(got("collectionWindowMaxMs"), max);
    }
}

#[test]
fn limits_are_rejected_by_name() {
    let long = "é".repeat(VALUE_CHARS_MAX + 1);
    let fits = "é".repeat(VALUE_CHARS_MAX);
    let topic = |cluster: &str, topic: &str| {
        state(EntityKey::Topic {
            provider: Provider::Kafka,
            cluster: cluster.into(),
            topic: topic.into(),
        })
    };
    let mut host = broker();
    host.attributes.set(AttributeId::Hostname, AttributeValue::Text(long.clone().into()));
    let mut near = broker();
    if let EntityKey::Broker { cluster, .. } = &mut near.key {
        *cluster = "c".repeat(VALUE_CHARS_MAX);
    }
    let cases = [
        (topic("c", &fits), None),
        (topic("c", &long), Some("topicName")),
        (topic(&long, "t"), Some("clusterName")),
        (host, Some("hostname")),
        (near, Some("displayName")),
        (topic("", "t"), Some("cluster name")),
        (topic("c", ""), Some("topic name")),
    ];
    let synthesizer = synthesizer(None, &[]);
    for (state, expected) in cases {
        let result = synthesizer.entity_of(&state);
        match expected {
            None => assert!(result.is_ok(), "{result:?}"),
            Some(text) => {
                let message = result.unwrap_err().to_string();
                assert!(message.contains(text), "{message}");
            }
        }
    }
}

/// No event can reach 255 attributes: every metric and attribute of the largest kind, and as many
/// tags as are allowed.
#[test]
fn the_fullest_event_has_room() {
    let tags: Vec<_> = (0..100).map(|number| (format!("k{number}"), "v")).collect();
    let tags: Vec<_> = tags.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let synthesizer = synthesizer(Some("prod"), &tags);
    let mut fullest = broker();
    for id in MetricId::of_kind(EntityKind::Broker) {
        fullest.metrics.set(id, 1.5);
    }
    fullest.window = Some(Window { min_ms: 1, max_ms: 2 });
    let event: BTreeMap<String, Value> =
        serde_json::from_str(&written(&synthesizer, &fullest)).unwrap();
    let metrics = CATALOGUE[EntityKind::Broker as usize].len();
    assert_eq!(event.len(), COMMON_ATTRIBUTES + 1 + 2 + metrics + 2 + 100);
    assert!(event.len() <= ATTRIBUTES_MAX);
    for forbidden in ["accountId", "appId", "entity.guid", "entity.name", "entity.type"] {
        assert!(!event.contains_key(forbidden), "{forbidden}");
    }
}

#[test]
fn whole_numbers() {
    let cases = [
        (0, "0"),
        (5, "5"),
        (10, "10"),
        (99, "99"),
        (100, "100"),
        (1_005, "1005"),
        (-1, "-1"),
        (-100, "-100"),
        (i64::MAX, "9223372036854775807"),
        (i64::MIN, "-9223372036854775808"),
    ];
    for (number, expected) in cases {
        let mut out = Vec::new();
        write_integer(number, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |value| value.is_finite()),
        (-1_000_000_i64..1_000_000).prop_map(|value| value as f64),
        (-1e6..1e6_f64),
        Just(-0.0),
        Just(9_007_199_254_740_992.0),
        Just(f64::MIN_POSITIVE),
    ]
}

proptest! {
    #[test]
    fn numbers_read_back(value in number()) {
        let mut out = Vec::new();
        write_number(value, &mut out);
        let text = String::from_utf8(out).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap(), value, "{}", text);
        let json: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(json.as_f64().unwrap(), value);
        if value.abs() < 9e15 && value.fract() == 0.0 {
            prop_assert!(!text.contains(['.', 'e']), "{}", text);
        }
    }

    #[test]
    fn integers_read_back(value in any::<i64>()) {
        let mut out = Vec::new();
        write_integer(value, &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
    }

    #[test]
    fn texts_read_back(text in prop_oneof!["\\PC{0,40}", any::<String>(), "[\\x00-\\x1f\"\\\\]{0,9}"]) {
        let mut out = Vec::new();
        write_text(&text, &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }

    /// Whatever the entity: a flat object of scalars with every metric under its name.
    #[test]
    fn entities_are_flat_objects(
        cluster in any::<String>().prop_filter("named", |name| !name.is_empty()),
        topic in any::<String>().prop_filter("named", |name| !name.is_empty()),
        values in proptest::collection::vec((0..60_usize, number()), 0..40),
    ) {
        let key = EntityKey::Topic { provider: Provider::Kafka, cluster: cluster.clone(), topic };
        let mut state = state(key);
        let ids: Vec<_> = MetricId::of_kind(EntityKind::Topic).collect();
        for (id, value) in values {
            state.metrics.set(ids[id % ids.len()], value);
        }
        let event: BTreeMap<String, Value> =
            serde_json::from_str(&written(&synthesizer(None, &[]), &state)).unwrap();
        prop_assert_eq!(&event["clusterName"], &cluster);
        for (id, value) in state.metrics.iter() {
            prop_assert_eq!(event[id.name()].as_f64(), Some(value));
        }
        prop_assert!(event.values().all(|value| value.is_string() || value.is_number()));
        prop_assert_eq!(event.len(), COMMON_ATTRIBUTES + 1 + state.metrics.len());
    }
}

/// An entity of which everything is known that may be known of its kind.
fn complete(kind: EntityKind) -> EntityState {
    let (provider, cluster, name) = (Provider::Kafka, "orders".to_owned(), "x".to_owned());
    let mut state = state(match kind {
        EntityKind::Cluster => EntityKey::Cluster { provider, cluster },
        EntityKind::Broker => EntityKey::Broker { provider, cluster, broker_id: name },
        EntityKind::Topic => EntityKey::Topic { provider, cluster, topic: name },
        EntityKind::Queue => EntityKey::Queue { provider, cluster, vhost: "/".into(), queue: name },
        EntityKind::ConsumerGroup => EntityKey::Group { provider, cluster, group: name },
    });
    MetricId::of_kind(kind).for_each(|id| state.metrics.set(id, 1.0));
    state.window = Some(Window::of(1));
    for def in ATTRIBUTES.iter().filter(|def| def.entity == kind) {
        state.attributes.set(def.id, AttributeValue::Integer(1));
    }
    state
}

/// Whatever our entity definitions name is an attribute of the events, and every golden metric is
/// one of the catalogue.
#[test]
fn definitions_rest_on_what_events_carry() {
    let definitions = builtin();
    let mut examined = 0;
    for kind in EntityKind::ALL {
        let definition = definitions.get("INFRA", kind.type_name()).unwrap();
        let text = written(&synthesizer(Some("prod"), &[("team", "a")]), &complete(kind));
        let event: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
        let mut check = |what: &str, name: &str| {
            examined += 1;
            assert!(event.contains_key(name), "{kind:?}: {what} `{name}` is in no event");
        };
        definition.golden_tags.iter().for_each(|tag| check("golden tag", tag));
        for rule in &definition.rules {
            rule.conditions.iter().for_each(|condition| check("condition", condition.attribute()));
            rule.tags.iter().for_each(|tag| check("tag", &tag.attribute));
            let Identifier::Attribute(name) = &rule.identifier else { panic!("{rule:?}") };
            check("identifier", name);
            let NamePattern::Attribute(name) = &rule.display else { panic!("{rule:?}") };
            check("name", name);
        }
        for (name, metric) in &definition.golden_metrics {
            let query = &metric.queries["newRelic"];
            check("GUID", &query.event_id);
            check("name", &query.event_name);
            let metric = query.select.split('`').nth(1).expect("a name in back-quotes");
            check("golden metric", metric);
            assert!(MetricId::lookup(kind, metric).is_some(), "{name}: `{metric}`");
        }
        for template in definition.dashboards.values() {
            let widgets = template.dashboard.iter().flat_map(|dashboard| &dashboard.widgets);
            for query in widgets.flat_map(|widget| &widget.queries) {
                // Every second part stands between back-quotes.
                query.split('`').skip(1).step_by(2).for_each(|name| check("widget", name));
            }
        }
        for point in definition.tests.iter().flat_map(|test| &test.points) {
            point.keys().for_each(|name| check("test data", name));
            assert_eq!(point["entityType"], kind.type_name());
        }
    }
    assert!(examined > 100, "{examined}");
}
