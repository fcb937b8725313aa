//! The collector against a scripted cluster; its parts have their tests beside this file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::future::Future;
use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use super::*;
use crate::collect::Collection;
use crate::domain::sample::{RawSample, RawValue, Subject};
use crate::ports::Clock;
use crate::resilience::breaker::Admitted;
use fake::{Act, Fake, Group, Model, Partition};

mod codec;
mod counters;
mod fake;
mod faults;
mod scrapes;

/// Runs a test on a paused clock, as a host would run it.
fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

fn partition(leader: i32, replicas: &[i32], in_sync: &[i32], log_end: i64) -> Partition {
    let (replicas, in_sync) = (replicas.to_vec(), in_sync.to_vec());
    Partition { leader, moves: None, replicas, in_sync, log_end, bytes: log_end * 10 }
}

/// Three brokers, 0 among them; two topics and an internal one; two groups and a connector.
fn model() -> Model {
    let topics = BTreeMap::from([
        (("orders", 0), partition(0, &[0, 1], &[0, 1], 100)),
        (("orders", 1), partition(1, &[1, 2], &[1, 2], 200)),
        (("orders", 2), partition(2, &[2, 0], &[2, 0], 300)),
        (("payments", 0), partition(1, &[1, 2], &[1], 50)),
        (("__consumer_offsets", 0), partition(0, &[0, 1, 2], &[0], 9)),
    ]);
    let billing = Group {
        listed_by: 1,
        coordinator: 1,
        state: "Stable",
        protocol_type: "consumer",
        members: 2,
        committed: BTreeMap::from([
            (("orders", 0), 90),
            (("orders", 1), 210),
            (("orders", 2), -1),
            (("__consumer_offsets", 0), 1),
        ]),
    };
    let audit = Group {
        listed_by: 2,
        coordinator: 2,
        state: "Empty",
        members: 0,
        committed: BTreeMap::from([(("payments", 0), 50)]),
        ..billing.clone()
    };
    let connect = Group { listed_by: 0, coordinator: 0, protocol_type: "connect", ..audit.clone() };
    Model {
        brokers: BTreeSet::from([0, 1, 2]),
        refusing: BTreeSet::new(),
        controller: 0,
        topics,
        groups: BTreeMap::from([("audit", audit), ("billing", billing), ("connect-x", connect)]),
        versions: BTreeMap::new(),
        acts: BTreeMap::new(),
        expositions: (0..3).map(|id| (id, (200, exposition(id, 1)))).collect(),
        asked: Vec::new(),
        connections: 0,
        one_answer_per_connection: false,
    }
}

/// What broker `id` exposes when its counters have grown `times` over.
fn exposition(id: i32, times: i32) -> String {
    let mut text = String::from("# HELP x y\n# TYPE kafka_server_brokertopicmetrics counter\n");
    let name = "kafka_server_brokertopicmetrics_bytesin_total";
    let _ = writeln!(text, "{name} {}.0", 1500 * times);
    let _ = writeln!(text, "{name}{{topic=\"orders\",}} {}.0", (1000 + id) * times);
    let _ = writeln!(text, "{name}{{topic=\"__consumer_offsets\",}} 7.0");
    let _ = writeln!(text, "kafka_server_replicamanager_partitioncount {}.0", 3 + id);
    let _ = writeln!(text, "jvm_memory_used_bytes{{area=\"heap\",}} 5.0E8");
    text
}

fn config(fake: &Fake) -> KafkaSourceConfig {
    let brokers = fake.model().brokers.clone();
    let bootstrap = brokers.iter().map(|id| Endpoint::new(format!("b{id}"), 9092)).collect();
    let mut config = KafkaSourceConfig::new("shop", bootstrap);
    config.jmx = Jmx::Port(7071);
    config
}

fn value(value: &RawValue<'_>) -> String {
    match value {
        RawValue::Number(number) => number.to_string(),
        RawValue::Rate { per_second, window_ms } => format!("{per_second}/s over {window_ms}ms"),
        RawValue::Text(text) => format!("{text:?}"),
    }
}

fn subject(sample: &RawSample<'_>) -> String {
    match &sample.subject {
        Subject::Cluster => "cluster".to_owned(),
        Subject::Broker { broker_id } => format!("broker {broker_id}"),
        Subject::Topic { topic } => format!("topic {topic}"),
        Subject::TopicOnBroker { topic, broker_id } => format!("topic {topic} on {broker_id}"),
        Subject::Group { group } => format!("group {group}"),
        Subject::GroupPartition { group, topic, partition } => {
            format!("group {group} on {topic}-{partition}")
        }
        other => format!("{other:?}"),
    }
}

/// A collection as readable lines: subject, then fields by name.
fn lines(collection: &Collection) -> Vec<String> {
    let line = |sample: &RawSample<'_>| {
        let fields = sample.fields.iter();
        let mut fields: Vec<_> =
            fields.map(|f| format!("{}={}", f.name, value(&f.value))).collect();
        fields.sort();
        format!("{}: {}", subject(sample), fields.join(", "))
    };
    collection.samples.iter().map(line).collect()
}

fn missing(collection: &Collection) -> Vec<String> {
    collection.missing.iter().map(ToString::to_string).collect()
}

/// The lines of `all` that are not about what only `broker` can tell.
fn without<'a>(all: &'a [String], subjects: &[&str]) -> Vec<&'a String> {
    let about = |line: &&String| !subjects.iter().any(|s| line.starts_with(&format!("{s}:")));
    all.iter().filter(about).collect()
}

/// What a collector without exporter and past says of broker `id` of [`model`].
fn broker_line(id: i32, size: i32, leaders: i32, partitions: i32, under_replicated: i32) -> String {
    format!(
        "broker {id}: host=\"b{id}\", jvm_memory_used_bytes{{area=\"heap\"}}=500000000, \
         kafka_server_replicamanager_partitioncount={}, logdirs.size_bytes={size}, \
         logdirs.total_bytes=1000000, logdirs.usable_bytes=600000, metadata.is_controller={}, \
         metadata.leader_count={leaders}, metadata.partition_count={partitions}, \
         metadata.under_replicated={under_replicated}, port=9092, rack=\"rack-{}\"",
        3 + id,
        i32::from(id == 0),
        id % 2,
    )
}

fn config_fields(topic: &str) -> String {
    let line = |(key, field): &(&str, &str)| format!("{field}=\"{key} of {topic}\"");
    let mut lines: Vec<_> = configs::KEYS.iter().map(line).collect();
    lines.sort();
    lines.join(", ")
}

/// What the first cycle says of [`model`].
fn first_cycle() -> Vec<String> {
    let internal = 90;
    vec![
        "cluster: cluster_id=\"cluster-id\", metadata.broker_count=3, metadata.controller_id=0, \
         metadata.offline=0, metadata.partition_count=4, metadata.topic_count=2, \
         metadata.under_replicated=1"
            .to_owned(),
        broker_line(0, 1000 + 3000 + internal, 1, 2, 0),
        broker_line(1, 1000 + 2000 + 500 + internal, 2, 3, 1),
        broker_line(2, 2000 + 3000 + 500 + internal, 1, 3, 0),
        format!(
            "topic orders: {}, logdirs.size_bytes=6000, metadata.offline=0, \
             metadata.partition_count=3, metadata.replication_factor=2, \
             metadata.under_replicated=0",
            config_fields("orders")
        ),
        format!(
            "topic payments: {}, logdirs.size_bytes=500, metadata.offline=0, \
             metadata.partition_count=1, metadata.replication_factor=2, \
             metadata.under_replicated=1",
            config_fields("payments")
        ),
        "group audit: group.coordinator=2, group.members=0, group.state=\"Empty\"".to_owned(),
        "group billing: group.coordinator=1, group.members=2, group.protocol=\"range\", \
         group.state=\"Stable\""
            .to_owned(),
        "group audit on payments-0: consumer.hwm=50, consumer.lag=0, consumer.offset=50".to_owned(),
        "group billing on orders-0: consumer.hwm=100, consumer.lag=10, consumer.offset=90"
            .to_owned(),
        "group billing on orders-1: consumer.hwm=200, consumer.lag=-10, consumer.offset=210"
            .to_owned(),
        "group billing on orders-2: consumer.hwm=300".to_owned(),
    ]
}

#[test]
fn a_healthy_cluster() {
    run(async {
        let fake = Fake::new(model());
        let mut collector = KafkaCollector::new(fake.clone(), config(&fake));
        let collection = collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        assert_eq!(missing(&collection), Vec::<String>::new());
        assert_eq!(lines(&collection), first_cycle());
        let stats = &collection.stats;
        assert_eq!((stats.brokers_known, stats.brokers_asked, stats.brokers_answered), (3, 3, 3));
        assert_eq!((stats.connections_opened, fake.model().connections), (3, 3));
        assert_eq!(stats.requests["ListOffsets"], 3);
        assert_eq!(stats.requests["scrape"], 3);
        assert_eq!(stats.samples["broker"], 3);
        assert_eq!((stats.counters_first_seen, stats.counter_resets), (3 + 3 + 2 + 3, 0));
        assert!(stats.failures.is_empty(), "{:?}", stats.failures);
        assert!(stats.bytes_in > 500 && stats.bytes_out > 200, "{stats:?}");
    });
}

#[test]
fn the_second_cycle_has_rates_and_reuses_connections() {
    run(async {
        let fake = Fake::new(model());
        let mut collector = KafkaCollector::new(fake.clone(), config(&fake));
        collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        fake.sleep(Duration::from_millis(2500)).await;
        {
            let mut model = fake.model();
            model.expositions = (0..3).map(|id| (id, (200, exposition(id, 3)))).collect();
            // Broker 2 restarted: its counters began again.
            model.expositions.insert(2, (200, exposition(2, 0)));
            model.topics.get_mut(&("orders", 1)).expect("it exists").log_end += 50;
            let billing = model.groups.get_mut("billing").expect("it exists");
            billing.committed.insert(("orders", 0), 95);
            billing.committed.insert(("orders", 1), 0);
        }
        let collection = collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        let rates: Vec<_> = lines(&collection)
            .into_iter()
            .filter_map(|line| {
                let (subject, fields) = line.split_once(": ")?;
                let rates: Vec<_> = fields.split(", ").filter(|f| f.contains("/s over")).collect();
                (!rates.is_empty()).then(|| format!("{subject}: {}", rates.join(", ")))
            })
            .collect();
        let bytes = "kafka_server_brokertopicmetrics_bytesin_total";
        assert_eq!(
            rates,
            [
                format!("broker 0: {bytes}=1200/s over 2500ms"),
                format!("broker 1: {bytes}=1200/s over 2500ms"),
                format!("topic orders on 0: {bytes}=800/s over 2500ms"),
                format!("topic orders on 1: {bytes}=800.8/s over 2500ms"),
                "topic orders: offsets.log_end_total=20/s over 2500ms".to_owned(),
                "topic payments: offsets.log_end_total=0/s over 2500ms".to_owned(),
                "group audit on payments-0: consumer.offset_total=0/s over 2500ms".to_owned(),
                "group billing on orders-0: consumer.offset_total=2/s over 2500ms".to_owned(),
            ]
        );
        // Broker 2 began again, once for all its counters; a group went back to the start.
        assert_eq!(collection.stats.counter_resets, 2);
        assert_eq!(collection.stats.connections_opened, 0);
        assert_eq!(collection.stats.requests.get("DescribeConfigs"), None, "configurations keep");
        assert_eq!(fake.model().connections, 3);
    });
}

#[test]
fn samples_carry_the_time_of_their_answer() {
    run(async {
        let fake = Fake::new(model());
        fake.model().acts.insert((1, ApiKey::OffsetFetch as i16), Act::Trickle);
        let started = fake.wall();
        let mut collector = KafkaCollector::new(fake.clone(), config(&fake));
        let collection = collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        let took = fake.wall().millis_since(started);
        assert!(took > 50, "one answer trickled in: {took} ms");
        for sample in &collection.samples {
            let late = matches!(&sample.subject,
                Subject::GroupPartition { group, .. } if group == "billing");
            let expected = if late { took } else { 0 };
            assert_eq!(sample.at.millis_since(started), expected, "{}", subject(sample));
        }
        assert_eq!(collection.stats.duration_ms, took);
    });
}

#[test]
fn every_version_of_every_api_tells_the_same() {
    let expected = run(async {
        let fake = Fake::new(model());
        let collection =
            KafkaCollector::new(fake.clone(), config(&fake)).collect(Admitted::for_tests()).await;
        lines(&collection.expect("brokers answer"))
    });
    // Fields that older versions do not have.
    let lacks = |key: ApiKey, version: i16| -> Vec<&str> {
        match (key, version) {
            (ApiKey::Metadata, 0) => vec!["rack="],
            (ApiKey::DescribeLogDirs, ..4) => vec!["logdirs.total_bytes=", "logdirs.usable_bytes="],
            _ => vec![],
        }
    };
    let mut examined = 0;
    for key in [3i16, 60, 2, 10, 16, 15, 9, 32, 35, 18] {
        let key = ApiKey::try_from(key).expect("a known key");
        let range = key.valid_versions();
        // The codec can decode an answer to OffsetFetch v10, but not write the request.
        let newest = if key == ApiKey::OffsetFetch { 9 } else { range.max };
        for version in range.min..=newest {
            let fake = Fake::new(model());
            let floor = if key == ApiKey::ApiVersions { 0 } else { version };
            fake.model().versions.insert(key as i16, Some((floor, version)));
            let mut config = config(&fake);
            // Nobody lists this group, so that its coordinator is looked up.
            config.groups = vec!["audit".to_owned()];
            fake.model().groups.get_mut("audit").expect("it exists").listed_by = -1;
            let collection = run(async {
                KafkaCollector::new(fake.clone(), config).collect(Admitted::for_tests()).await
            });
            let collection = collection.unwrap_or_else(|e| panic!("{key:?} v{version}: {e}"));
            assert_eq!(missing(&collection), Vec::<String>::new(), "{key:?} v{version}");
            let lacks = lacks(key, version);
            for (line, expected) in lines(&collection).iter().zip(&expected) {
                let (subject, fields) = expected.split_once(": ").expect("a line");
                let kept: Vec<_> = fields
                    .split(", ")
                    .filter(|field| !lacks.iter().any(|lack| field.starts_with(lack)))
                    .collect();
                assert_eq!(*line, format!("{subject}: {}", kept.join(", ")), "{key:?} v{version}");
            }
            assert_eq!(collection.samples.len(), expected.len(), "{key:?} v{version}");
            let asked = fake.model().asked.clone();
            let used: BTreeSet<_> =
                asked.iter().filter(|(_, k, _)| *k == key as i16).map(|(.., v)| *v).collect();
            if key != ApiKey::ApiVersions {
                assert_eq!(used, BTreeSet::from([version]), "{key:?}");
            }
            examined += 1;
        }
    }
    assert!(examined > 60, "{examined} versions examined");
}
