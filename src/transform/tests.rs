//! Mapping by origin, rejections, warnings, formulas.

use proptest::prelude::*;

use super::*;
use crate::domain::metric::{MetricKind, Source};

type Numbers<'a> = &'a [(&'static str, f64)];
type Values<'a> = &'a [(MetricId, f64)];

const AT: UnixMillis = UnixMillis(1_700_000_000_000);

fn raw(origin: Origin, subject: Subject<'static>) -> RawSample<'static> {
    RawSample::new(origin, "orders", subject, AT)
}

fn broker(origin: Origin) -> RawSample<'static> {
    raw(origin, Subject::Broker { broker_id: 1 })
}

fn group_partition(origin: Origin) -> RawSample<'static> {
    let (group, topic) = ("billing".into(), "payments".into());
    raw(origin, Subject::GroupPartition { group, topic, partition: 0 })
}

/// Every metric field of the catalogue reaches its metric from a sample that has only this field.
#[test]
fn every_source_of_the_catalogue_maps() {
    let mut examined = 0;
    for id in MetricId::all() {
        for source in id.def().sources {
            let Source::Field(field) = source else { continue };
            let subject = match field.subject {
                SubjectKind::Cluster => Subject::Cluster,
                SubjectKind::Broker => Subject::Broker { broker_id: 0 },
                SubjectKind::Topic => Subject::Topic { topic: "t".into() },
                SubjectKind::TopicOnBroker => {
                    Subject::TopicOnBroker { topic: "t".into(), broker_id: 0 }
                }
                SubjectKind::Group => Subject::Group { group: "g".into() },
                SubjectKind::GroupTopic => {
                    Subject::GroupTopic { group: "g".into(), topic: "t".into() }
                }
                SubjectKind::GroupPartition => {
                    Subject::GroupPartition { group: "g".into(), topic: "t".into(), partition: 0 }
                }
                SubjectKind::Client => Subject::Client { client_id: "c".into() },
            };
            let mut sample = raw(field.origin, subject);
            let rate = id.def().kind == MetricKind::Rate && field.origin == Origin::Kafka;
            if rate {
                sample.rate(field.field, 0.5, 15_000);
            } else {
                sample.number(field.field, 0.5);
            }
            let got = transform(&sample).unwrap();
            assert_eq!(got.metrics.get(id), Some(field.scale.apply(0.5, AT)), "{}", field.field);
            assert_eq!(got.window, rate.then(|| Window::of(15_000)), "{}", field.field);
            assert!(got.warnings.is_empty());
            examined += 1;
        }
    }
    assert!(examined > 100, "{examined}");
}

#[test]
fn broker_of_the_kafka_collector() {
    let mut sample = broker(Origin::Kafka);
    sample
        .rate("kafka_server_brokertopicmetrics_bytesin_total", 1_000.0, 15_000)
        .rate("kafka_server_brokertopicmetrics_bytesout_total", 500.0, 15_000)
        .rate("kafka_server_brokertopicmetrics_failedproducerequests_total", 1.0, 15_000)
        .rate("kafka_server_brokertopicmetrics_totalproducerequests_total", 30.0, 15_000)
        .rate("kafka_server_brokertopicmetrics_failedfetchrequests_total", 0.0, 15_000)
        .rate("kafka_server_brokertopicmetrics_totalfetchrequests_total", 70.0, 15_000)
        .rate("kafka_network_requestmetrics_requests_total{request=\"Produce\"}", 10.0, 15_000)
        .rate("kafka_network_requestmetrics_requests_total{request=\"FetchConsumer\"}", 5.0, 15_000)
        .number(
            "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"Produce\"}",
            7.0,
        )
        .number(
            "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"FetchConsumer\"}",
            501.5,
        )
        .number("kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent", 0.75)
        .number("java_lang_operatingsystem_cpuload", 0.25)
        .number("java_lang_operatingsystem_totalmemorysize", 8.0e9)
        .number("java_lang_operatingsystem_freememorysize", 2.0e9)
        .number("logdirs.total_bytes", 1.0e12)
        .number("logdirs.usable_bytes", 9.0e11)
        .number("kafka_server_replicamanager_partitioncount", 120.0)
        .number("metadata.partition_count", 121.0)
        .number("port", 9092.0)
        .number("something.else", 1.0)
        .text("host", "orders-broker-1");
    let got = transform(&sample).unwrap();
    let cases = [
        (MetricId::BROKER_NETWORK_IN, 1_000.0),
        (MetricId::BROKER_NETWORK_THROUGHPUT, 1_500.0),
        (MetricId::BROKER_ERROR_RATE, 1.0),
        (MetricId::BROKER_REQUEST_RATE, 15.0),
        (MetricId::BROKER_REQUEST_LATENCY, 501.5),
        (MetricId::BROKER_HANDLER_IDLE, 75.0),
        (MetricId::BROKER_CPU_USAGE, 25.0),
        (MetricId::BROKER_MEMORY_USED, 6.0e9),
        (MetricId::BROKER_MEMORY_USAGE, 75.0),
        (MetricId::BROKER_DISK_USED, 1.0e11),
        (MetricId::BROKER_DISK_USAGE, 10.0),
        (MetricId::BROKER_LOAD_SCORE, 45.0),
        (MetricId::BROKER_HEALTH_SCORE, 100.0),
        (MetricId::BROKER_PARTITIONS, 120.0),
    ];
    for (id, expected) in cases {
        assert_eq!(got.metrics.get(id), Some(expected), "{id}");
    }
    assert_eq!(got.about, About::Broker { broker_id: 1 });
    assert_eq!(got.window, Some(Window::of(15_000)));
    assert_eq!(got.attributes.text(AttributeId::Hostname), Some("orders-broker-1"));
    assert_eq!(got.attributes.get(AttributeId::Port), Some(&AttributeValue::Integer(9092)));
    assert!(got.warnings.is_empty());
}

#[test]
fn broker_of_nri_kafka() {
    let mut sample = broker(Origin::NriKafka);
    sample
        .number("broker.IOInPerSecond", 100.0)
        .number("broker.bytesInPerSecond", 999.0)
        .number("request.produceTime99Percentile", 12.0)
        .number("request.fetchTime99Percentile", 3.0)
        .number("request.produceRequestsPerSecond", 40.0)
        .number("request.fetchConsumerRequestsPerSecond", 8.0)
        .number("request.fetchFollowerRequestsPerSecond", 2.0)
        .number("request.produceRequestsFailedPerSecond", 1.0)
        .number("request.clientFetchesFailedPerSecond", 0.5)
        .number("request.handlerIdle", 1.0003)
        .number("system.cpuPercent", 50.0)
        .number("system.memoryUsedBytes", 3.0e9)
        .number("system.memoryFreeBytes", 1.0e9)
        .number("broker.diskUsedPercent", 61.5)
        .number("replication.unreplicatedPartitions", 2.0);
    let got = transform(&sample).unwrap();
    let cases = [
        (MetricId::BROKER_NETWORK_IN, Some(100.0)),
        (MetricId::BROKER_NETWORK_THROUGHPUT, None),
        (MetricId::BROKER_REQUEST_LATENCY, Some(12.0)),
        (MetricId::BROKER_REQUEST_RATE, Some(50.0)),
        (MetricId::BROKER_ERROR_RATE, Some(3.0)),
        (MetricId::BROKER_HANDLER_IDLE, Some(100.0)),
        (MetricId::BROKER_MEMORY_TOTAL, Some(4.0e9)),
        (MetricId::BROKER_MEMORY_USAGE, Some(75.0)),
        (MetricId::BROKER_DISK_USAGE, Some(61.5)),
        (MetricId::BROKER_LOAD_SCORE, Some(60.0)),
        (MetricId::BROKER_HEALTH_SCORE, Some(80.0)),
    ];
    for (id, expected) in cases {
        assert_eq!(got.metrics.get(id), expected, "{id}");
    }
    assert_eq!(got.window, None, "integrations send ready rates without a window");
}

#[test]
fn the_best_valid_source_wins() {
    let first = "kafka_server_replicamanager_partitioncount";
    let second = "metadata.partition_count";
    let cases: &[(Numbers, Option<f64>, usize)] = &[
        (&[(first, 1.0), (second, 2.0)], Some(1.0), 0),
        (&[(second, 2.0), (first, 1.0)], Some(1.0), 0),
        (&[(second, 2.0)], Some(2.0), 0),
        (&[(first, -1.0), (second, 2.0)], Some(2.0), 1),
        (&[(second, 2.0), (first, f64::NAN)], Some(2.0), 1),
        (&[(first, -1.0), (second, f64::INFINITY)], None, 2),
    ];
    for (fields, expected, warnings) in cases {
        let mut sample = broker(Origin::Kafka);
        sample.number("metadata.leader_count", 0.0);
        for (name, value) in *fields {
            sample.number(*name, *value);
        }
        let got = transform(&sample).unwrap();
        let value = got.metrics.get(MetricId::BROKER_PARTITIONS);
        assert_eq!((value, got.warnings.len()), (*expected, *warnings), "{fields:?}");
    }
}

#[test]
fn one_bad_field_costs_one_metric() {
    let cpu = "java_lang_operatingsystem_cpuload";
    let bytes_in = "kafka_server_brokertopicmetrics_bytesin_total";
    let number = RawValue::Number;
    let text = |text: &'static str| RawValue::Text(text.into());
    let rate = |per_second, window_ms| RawValue::Rate { per_second, window_ms };
    let cases = [
        (cpu, number(f64::NAN), "non_finite"),
        (cpu, number(f64::NEG_INFINITY), "non_finite"),
        (cpu, number(-1.0), "out_of_range"),
        (cpu, number(1.001), "out_of_range"),
        (cpu, text("0.5"), "wrong_type"),
        (cpu, rate(0.5, 15_000), "wrong_type"),
        (bytes_in, number(5.0), "wrong_type"),
        (bytes_in, rate(-5.0, 15_000), "out_of_range"),
        (bytes_in, rate(5.0, 0), "out_of_range"),
        ("port", number(9092.5), "wrong_type"),
        ("port", text("http"), "wrong_type"),
        ("host", number(1.0), "wrong_type"),
        ("host", text(""), "wrong_type"),
    ];
    for (field, value, reason) in cases {
        let mut sample = broker(Origin::Kafka);
        sample.number("metadata.leader_count", 4.0);
        sample.fields.push(RawField { name: field.into(), value });
        let got = transform(&sample).unwrap();
        let reasons: Vec<_> = got.warnings.iter().map(|w| w.reason.as_str()).collect();
        assert_eq!(reasons, [reason], "{field}");
        assert_eq!(got.metrics.len(), 1, "{field}: {:?}", got.metrics);
        assert!(got.attributes.is_empty() && got.window.is_none());
    }
}

#[test]
fn samples_without_identity_or_metrics_are_rejected() {
    let nri = Origin::NriKafka;
    let named = |subject| raw(nri, subject);
    let mut nowhere = broker(nri);
    nowhere.cluster = "".into();
    let mut ancient = broker(nri);
    ancient.at = UnixMillis(0);
    let mut invalid = broker(nri);
    invalid.number("system.cpuPercent", 101.0).text("hostname", "h").number("unknown", 1.0);
    let topic_on = |broker_id| Subject::TopicOnBroker { topic: "t".into(), broker_id };
    let on = |group: &'static str, topic: &'static str, partition| Subject::GroupPartition {
        group: group.into(),
        topic: topic.into(),
        partition,
    };
    let cases = [
        (nowhere, "empty_cluster"),
        (ancient, "bad_timestamp"),
        (invalid, "no_metric"),
        (broker(nri), "no_metric"),
        (named(Subject::BrokerName { name: "kafka1:9092".into() }), "missing_broker_id"),
        (named(Subject::Broker { broker_id: -1 }), "negative_broker_id"),
        (named(topic_on(-1)), "negative_broker_id"),
        (named(Subject::Topic { topic: "".into() }), "empty_name"),
        (named(Subject::Group { group: "".into() }), "empty_name"),
        (named(Subject::GroupTopic { group: "g".into(), topic: "".into() }), "empty_name"),
        (named(on("", "t", 0)), "empty_name"),
        (named(on("g", "t", -1)), "negative_partition"),
        (named(Subject::Client { client_id: "c".into() }), "client_total"),
    ];
    for (sample, expected) in cases {
        let rejection = transform(&sample).unwrap_err();
        assert_eq!(rejection.as_str(), expected, "{rejection}");
    }
}

#[test]
fn lag_of_a_partition() {
    let cases: &[(Origin, Numbers, Option<f64>)] = &[
        (Origin::Kafka, &[("consumer.lag", 7.0)], Some(7.0)),
        (Origin::Kafka, &[("consumer.lag", -7.0)], Some(0.0)),
        (Origin::Kafka, &[("consumer.offset", 3.0), ("consumer.hwm", 10.0)], Some(7.0)),
        (
            Origin::Kafka,
            &[("consumer.lag", 5.0), ("consumer.offset", 3.0), ("consumer.hwm", 10.0)],
            Some(5.0),
        ),
        (Origin::Kafka, &[("consumer.offset", 10.0), ("consumer.hwm", 3.0)], Some(0.0)),
        (Origin::Kafka, &[("consumer.hwm", 10.0)], None),
        (Origin::NriKafka, &[("consumer.lag", -2.0), ("consumer.hwm", 10.0)], Some(0.0)),
        (Origin::NriKafka, &[("offsetLag", 4.0)], Some(4.0)),
        (Origin::NriKafka, &[("currentOffset", 1.0), ("logEndOffset", 5.0)], Some(4.0)),
    ];
    for (origin, fields, expected) in cases {
        let mut sample = group_partition(*origin);
        for (name, value) in *fields {
            sample.number(*name, *value);
        }
        let got = transform(&sample).unwrap();
        assert_eq!(got.metrics.get(MetricId::GROUP_LAG_TOTAL), *expected, "{fields:?}");
    }
    let mut nothing = group_partition(Origin::Kafka);
    nothing.number("consumer.unheard_of", 3.0);
    assert_eq!(transform(&nothing).unwrap_err().as_str(), "no_metric");
}

#[test]
fn a_committed_offset_without_a_log_end_is_a_lag_that_nobody_knows() {
    let cases: &[(Numbers, bool)] = &[
        (&[("consumer.offset", 3.0)], true),
        (&[("consumer.offset", 3.0), ("consumer.hwm", 10.0)], false),
        (&[("consumer.offset", 3.0), ("consumer.lag", 7.0)], false),
        (&[("consumer.hwm", 10.0)], false),
    ];
    for (fields, unknown) in cases {
        let mut sample = group_partition(Origin::Kafka);
        for (name, value) in *fields {
            sample.number(*name, *value);
        }
        assert_eq!(transform(&sample).unwrap().lag_unknown, *unknown, "{fields:?}");
    }
}

#[test]
fn error_rate_needs_both_sides_of_a_type() {
    use MetricId as M;
    let cases: &[(Values, Option<f64>)] = &[
        (&[(M::BROKER_PRODUCE_FAILED, 1.0)], None),
        (&[(M::BROKER_PRODUCE_HANDLED, 1.0)], None),
        (&[(M::BROKER_PRODUCE_FAILED, 1.0), (M::BROKER_FETCH_HANDLED, 9.0)], None),
        (&[(M::BROKER_PRODUCE_FAILED, 1.0), (M::BROKER_PRODUCE_HANDLED, 4.0)], Some(25.0)),
        (
            &[
                (M::BROKER_PRODUCE_FAILED, 1.0),
                (M::BROKER_PRODUCE_HANDLED, 4.0),
                (M::BROKER_FETCH_FAILED, 1.0),
            ],
            Some(25.0),
        ),
        (&[(M::BROKER_PRODUCE_FAILED, 0.0), (M::BROKER_PRODUCE_HANDLED, 0.0)], Some(0.0)),
        (&[(M::BROKER_PRODUCE_FAILED, 2.0), (M::BROKER_PRODUCE_HANDLED, 0.0)], Some(100.0)),
        (&[(M::BROKER_PRODUCE_FAILED, 9.0), (M::BROKER_PRODUCE_RATE, 3.0)], Some(100.0)),
        (&[(M::BROKER_FETCH_FAILED, 1.0), (M::BROKER_FETCH_FOLLOWER_RATE, 2.0)], Some(50.0)),
    ];
    for (values, expected) in cases {
        let mut metrics = MetricSet::new(EntityKind::Broker);
        values.iter().for_each(|(id, value)| metrics.set(*id, *value));
        derive(&mut metrics);
        assert_eq!(metrics.get(M::BROKER_ERROR_RATE), *expected, "{values:?}");
    }
}

#[test]
fn what_follows_for_topics_and_groups() {
    use MetricId as M;
    let cases: &[(Values, MetricId, Option<f64>)] = &[
        (
            &[(M::TOPIC_BYTES_IN, 1_000.0), (M::TOPIC_MESSAGES_IN, 8.0)],
            M::TOPIC_MESSAGE_SIZE,
            Some(125.0),
        ),
        (&[(M::TOPIC_BYTES_IN, 0.0), (M::TOPIC_MESSAGES_IN, 0.0)], M::TOPIC_MESSAGE_SIZE, None),
        (
            &[
                (M::TOPIC_MESSAGES_IN, 10.0),
                (M::TOPIC_MESSAGES_OUT, 5.0),
                (M::TOPIC_PRODUCE_FAILED, 1.0),
                (M::TOPIC_PRODUCE_HANDLED, 50.0),
            ],
            M::TOPIC_EFFICIENCY,
            Some(59.0),
        ),
        (&[(M::TOPIC_MESSAGES_IN, 10.0), (M::TOPIC_MESSAGES_OUT, 5.0)], M::TOPIC_EFFICIENCY, None),
        (
            &[(M::GROUP_LAG_TOTAL, 100.0), (M::GROUP_CONSUMPTION, 8.0)],
            M::GROUP_CATCH_UP,
            Some(13.0),
        ),
        (&[(M::GROUP_LAG_TOTAL, 100.0), (M::GROUP_CONSUMPTION, 0.0)], M::GROUP_CATCH_UP, None),
        (&[(M::GROUP_MEMBERS_TOTAL, 4.0)], M::GROUP_MEMBERS_ACTIVE, Some(4.0)),
        (
            &[(M::GROUP_MEMBERS_TOTAL, 4.0), (M::GROUP_MEMBERS_ACTIVE, 3.0)],
            M::GROUP_MEMBERS_ACTIVE,
            Some(3.0),
        ),
    ];
    for (values, id, expected) in cases {
        let mut metrics = MetricSet::new(id.entity());
        values.iter().for_each(|(id, value)| metrics.set(*id, *value));
        derive(&mut metrics);
        assert_eq!(metrics.get(*id), *expected, "{id} of {values:?}");
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        -10.0..1e12_f64,
        0.0..2.0_f64,
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(-0.0),
        any::<f64>(),
    ]
}

proptest! {
    /// Whatever a source sends: no panic, every metric in range, fields in any order alike.
    #[test]
    fn any_fields(
        nri in any::<bool>(),
        fields in proptest::collection::vec((0..60_usize, 0..3_u8, value()), 0..40),
        turn in 0..40_usize,
    ) {
        let origin = if nri { Origin::NriKafka } else { Origin::Kafka };
        let names: Vec<&'static str> = MetricId::of_kind(EntityKind::Broker)
            .flat_map(|id| id.def().sources)
            .filter_map(|source| match source {
                Source::Field(field) if field.origin == origin => Some(field.field),
                _ => None,
            })
            .collect();
        let mut sample = broker(origin);
        let mut used = std::collections::BTreeSet::new();
        for (name, form, value) in fields {
            let name = names[name % names.len()];
            if used.insert(name) {
                match form {
                    0 => { sample.text(name, "x"); },
                    1 => { sample.rate(name, value, 10); },
                    _ => { sample.number(name, value); },
                }
            }
        }
        let mut turned = sample.clone();
        if !turned.fields.is_empty() {
            let places = turn % turned.fields.len();
            turned.fields.rotate_left(places);
        }
        let (one, other) = (transform(&sample), transform(&turned));
        if let (Ok(one), Ok(other)) = (&one, &other) {
            prop_assert_eq!(&one.metrics, &other.metrics);
            prop_assert!(!one.metrics.is_empty());
            for (id, value) in one.metrics.iter() {
                prop_assert!(id.def().range.contains(value), "{} = {}", id, value);
            }
            let mut again = one.metrics.clone();
            derive(&mut again);
            prop_assert_eq!(&again, &one.metrics, "deriving twice changes nothing");
        }
        prop_assert_eq!(one.is_ok(), other.is_ok());
    }
}

#[test]
fn a_mapping_fills_what_the_tables_leave_absent() {
    use crate::domain::extra::{Combine, ExtraValue};
    let mapping = |sources: &[&str], target, factor| CustomMapping {
        origin: Origin::NriKafka,
        subject: SubjectKind::Broker,
        sources: sources.iter().map(|name| (*name).to_owned()).collect(),
        target,
        factor,
    };
    let custom = MappingTarget::Custom { name: "gc.pause.ms".into(), combine: Combine::Last };
    let cpu = MappingTarget::Metric(MetricId::BROKER_CPU_USAGE);
    let mappings = CustomMappings::new(vec![
        mapping(&["absent", "gc.seconds"], custom, 1_000.0),
        mapping(&["cpu.of.mine"], cpu, 100.0),
    ]);
    let sample = |fields: &[(&'static str, f64)]| {
        let subject = Subject::Broker { broker_id: 1 };
        let mut raw = RawSample::new(Origin::NriKafka, "c", subject, UnixMillis(5));
        for (name, value) in fields {
            raw.number(*name, *value);
        }
        raw
    };
    let check = |fields: &[(&'static str, f64)], cpu: Option<f64>, pause: Option<f64>| {
        let raw = sample(fields);
        let canonical = transform_with(&raw, &mappings).expect("valid");
        assert_eq!(canonical.metrics.get(MetricId::BROKER_CPU_USAGE), cpu, "{fields:?}");
        let found = canonical.extras.first().map(|extra| extra.value.clone());
        assert_eq!(found, pause.map(ExtraValue::Number), "{fields:?}");
    };
    check(&[("gc.seconds", 0.25), ("cpu.of.mine", 0.5)], Some(50.0), Some(250.0));
    check(&[("system.cpuPercent", 7.0), ("cpu.of.mine", 0.5)], Some(7.0), None);
    // Out of the catalogue's range: left out, with a warning.
    check(&[("gc.seconds", 1.0), ("cpu.of.mine", 2.0)], None, Some(1_000.0));
    let raw = sample(&[("cpu.of.mine", 0.5)]);
    assert!(transform(&raw).is_err(), "without the mapping there is no metric");
}

#[test]
fn without_mappings_nothing_more_is_allocated() {
    let subject = Subject::Broker { broker_id: 1 };
    let mut raw = RawSample::new(Origin::NriKafka, "c", subject, UnixMillis(5));
    raw.number("system.cpuPercent", 7.0).number("broker.diskUsedPercent", 3.0);
    let none = CustomMappings::default();
    let _warm = transform(&raw);
    let plain = allocation_counter::measure(|| drop(transform(&raw)));
    let with = allocation_counter::measure(|| drop(transform_with(&raw, &none)));
    assert_eq!((plain.count_total, with.count_total), (0, 0));
}
