//! The tables, the set, the generated document.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::attribute::ATTRIBUTES;

#[test]
fn table_is_sound() {
    let mut rows = 0;
    for id in MetricId::all() {
        let def = id.def();
        rows += 1;
        assert_eq!(MetricId::lookup(id.entity(), def.name), Some(id), "{id:?} is unique");
        let mut key = b"x".to_vec();
        def.json_key.write(&mut key);
        assert_eq!(key, format!("x,\"{}\":", def.name).into_bytes());
        assert!(def.name.len() <= 255 && def.range.min <= def.range.max, "{id:?}");
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '_');
        assert!(def.name.chars().all(allowed), "{id:?}: characters of an attribute's name");
        assert!(def.meaning.ends_with('.'), "{id:?}");
        assert!(def.entity == EntityKind::Queue || !def.sources.is_empty(), "{id:?}");
        let formula = def.sources.iter().any(|source| matches!(source, Source::Formula(_)));
        assert!(formula || def.kind != MetricKind::Derived, "{id:?} says how it is derived");
    }
    assert!(rows > 90, "{rows} rows");
    for table in CATALOGUE {
        assert!(table.len() <= 64, "a mask of 64 bits holds a kind's metrics");
    }
    for (alias, name) in ALIASES {
        let id = MetricId::lookup(EntityKind::Cluster, alias).unwrap();
        assert_eq!(id.name(), *name);
    }
}

#[test]
fn a_raw_field_feeds_one_thing() {
    let mut seen = BTreeSet::new();
    for id in MetricId::all() {
        for source in id.def().sources {
            if let Source::Field(field) = source {
                let key = (field.origin, field.subject, field.field);
                assert!(seen.insert(key), "{key:?} feeds {id:?} and another");
            }
        }
    }
    for def in ATTRIBUTES {
        for source in def.sources {
            let key = (source.origin, source.subject, source.field);
            assert!(seen.insert(key), "{key:?} feeds {} and another", def.name);
        }
    }
    assert!(seen.len() > 100, "{} fields", seen.len());
}

/// The names that dashboards and definitions rest on, to the letter.
#[test]
fn names_of_the_specification_are_there() {
    use EntityKind::{Broker, Cluster, ConsumerGroup, Queue, Topic};
    let cases: &[(EntityKind, &str)] = &[
        (Cluster, "cluster.health.score cluster.availability.percentage cluster.availability"),
        (Cluster, "cluster.throughput.total cluster.throughput.in.bytesPerSecond"),
        (Cluster, "cluster.throughput.out.bytesPerSecond cluster.throughput.out.bytesPerSec"),
        (Cluster, "cluster.error.rate brokerCount topicCount consumerGroupCount"),
        (Cluster, "cluster.partitions.total cluster.partitions.underReplicated"),
        (Cluster, "cluster.partitions.offline"),
        (Broker, "broker.cpu.usage broker.memory.usage broker.disk.usage"),
        (Broker, "broker.network.in.bytesPerSecond broker.network.out.bytesPerSecond"),
        (Broker, "broker.network.throughput broker.request.latency broker.messages.in.rate"),
        (Broker, "partitionCount leaderPartitions loadScore broker.error.rate"),
        (Broker, "broker.health.score request.handlerIdle.percent request.rate"),
        (Broker, "partitions.underReplicated partitions.offline disk.logFlushRate"),
        (Broker, "controller.isActive"),
        (Topic, "topic.throughput.in.messagesPerSecond topic.throughput.out.messagesPerSecond"),
        (Topic, "topic.throughput.in.bytesPerSecond topic.throughput.out.bytesPerSecond"),
        (Topic, "topic.lag topic.consumer.lag.sum topic.error.rate topic.sizeOnDisk.mb"),
        (Topic, "efficiencyScore kafka.partition.count kafka.replication.factor"),
        (ConsumerGroup, "consumerGroup.lag.total consumerGroup.lag.max"),
        (ConsumerGroup, "consumerGroup.throughput.messagesPerSecond consumerGroup.commit.rate"),
        (ConsumerGroup, "consumerGroup.members.active consumerGroup.members.total"),
        (ConsumerGroup, "consumerGroup.lastCommit.age.seconds consumerGroup.rebalance.rate"),
        (ConsumerGroup, "consumerGroup.health.score"),
        (Queue, "queue.depth queue.messages.ready queue.messages.unacked queue.consumers"),
        (Queue, "queue.throughput.in.messagesPerSecond queue.throughput.out.messagesPerSecond"),
        (Queue, "queue.processing.time queue.memory.bytes queue.oldestMessage.age.seconds"),
    ];
    for (kind, names) in cases {
        for name in names.split(' ') {
            assert!(MetricId::lookup(*kind, name).is_some(), "{name}");
        }
    }
    assert_eq!(MetricId::lookup(Broker, "topic.lag"), None);
}

#[test]
fn reserved_words_need_back_quotes() {
    let cases = [
        ("topic.throughput.in.messagesPerSecond", true),
        ("consumer.offset", true),
        ("a.IN.b", true),
        ("broker.cpu.usage", false),
        ("partitions.offline", false),
        ("consumerGroup.lastCommit.age.seconds", true),
        ("infix.b", false),
    ];
    for (name, expected) in cases {
        assert_eq!(needs_back_quotes(name), expected, "{name}");
    }
    assert!(!MetricId::BROKER_CPU_USAGE.def().needs_back_quotes());
}

#[test]
fn scales() {
    let at = UnixMillis(1_700_000_060_000);
    let cases = [
        (Scale::Same, 1.5, 1.5),
        (Scale::FractionToPercent, 0.25, 25.0),
        (Scale::IdleToPercent, 0.5, 50.0),
        (Scale::IdleToPercent, 1.0003, 100.0),
        (Scale::IdleToPercent, 85.0, 8_500.0),
        (Scale::BytesToMebibytes, 1_572_864.0, 1.5),
        (Scale::FloorAtZero, -3.0, 0.0),
        (Scale::FloorAtZero, 3.0, 3.0),
        (Scale::AgeInSeconds, 1_700_000_000_000.0, 60.0),
    ];
    for (scale, raw, expected) in cases {
        assert_eq!(scale.apply(raw, at), expected, "{scale:?} of {raw}");
    }
    assert!(Scale::FloorAtZero.apply(f64::NAN, at).is_nan(), "NaN is not read as 0");
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.001, 100.001] {
        assert!(!Range::PERCENT.contains(value), "{value}");
    }
    assert!(Range::PERCENT.contains(0.0) && Range::PERCENT.contains(100.0));
}

#[test]
fn document_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(path, document()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let same = committed == document();
    assert!(same, "write it anew: SHAKEDOWN_BLESS=1 cargo test --lib domain::metric");
}

proptest! {
    /// A set behaves as a map from metric to value.
    #[test]
    fn set_is_a_map(
        steps in proptest::collection::vec((0..47_u8, any::<bool>(), -1e6..1e6_f64), 0..80),
    ) {
        let mut set = MetricSet::new(EntityKind::Broker);
        let mut map = std::collections::BTreeMap::new();
        let ids: Vec<_> = MetricId::of_kind(EntityKind::Broker).collect();
        for (index, keep, value) in steps {
            let id = ids[usize::from(index) % ids.len()];
            if keep {
                set.set(id, value);
                map.insert(id, value);
            } else {
                set.remove(id);
                map.remove(&id);
            }
        }
        let expected: Vec<_> = map.clone().into_iter().collect();
        prop_assert_eq!(set.iter().collect::<Vec<_>>(), expected);
        prop_assert_eq!(set.len(), map.len());
        for id in ids {
            prop_assert_eq!(set.get(id), map.get(&id).copied());
            prop_assert_eq!(set.contains(id), map.contains_key(&id));
        }
        for ((def, value), (id, expected)) in set.defs().zip(map) {
            prop_assert_eq!((def.name, value), (id.name(), expected));
        }
        prop_assert_eq!(set.get(MetricId::TOPIC_LAG), None);
    }
}
