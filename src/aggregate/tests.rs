//! Folding cycles: what wins, what is added, what is rolled up.

use proptest::prelude::*;

use super::*;
use crate::domain::attribute::AttributeId;
use crate::domain::entity::EntityKind;
use crate::domain::metric::MetricId as M;
use crate::domain::provider::Provider;
use crate::domain::sample::{Origin, RawSample, Subject};
use crate::transform::transform;

const T0: i64 = 1_700_000_000_000;
const BYTES_IN: &str = "kafka_server_brokertopicmetrics_bytesin_total";
const MESSAGES_IN: &str = "kafka_server_brokertopicmetrics_messagesin_total";

fn raw(origin: Origin, subject: Subject<'static>, at: i64) -> RawSample<'static> {
    RawSample::new(origin, "c", subject, UnixMillis(T0 + at))
}

fn broker(broker_id: i32, at: i64) -> RawSample<'static> {
    raw(Origin::Kafka, Subject::Broker { broker_id }, at)
}

fn on_broker(topic: &'static str, broker_id: i32, at: i64) -> RawSample<'static> {
    raw(Origin::Kafka, Subject::TopicOnBroker { topic: topic.into(), broker_id }, at)
}

fn topic(name: &'static str, at: i64) -> RawSample<'static> {
    raw(Origin::Kafka, Subject::Topic { topic: name.into() }, at)
}

fn group(origin: Origin, name: &'static str) -> RawSample<'static> {
    raw(origin, Subject::Group { group: name.into() }, 0)
}

fn group_topic(group: &'static str, topic: &'static str) -> RawSample<'static> {
    let subject = Subject::GroupTopic { group: group.into(), topic: topic.into() };
    raw(Origin::NriKafka, subject, 0)
}

fn row(group: &'static str, topic: &'static str, partition: i32) -> RawSample<'static> {
    let (group, topic) = (group.into(), topic.into());
    raw(Origin::Kafka, Subject::GroupPartition { group, topic, partition }, 0)
}

fn nri_row(group: &'static str, topic: &'static str, partition: i32) -> RawSample<'static> {
    RawSample { origin: Origin::NriKafka, ..row(group, topic, partition) }
}

/// The sample after `build`.
fn with(
    mut sample: RawSample<'static>,
    build: impl FnOnce(&mut RawSample<'static>),
) -> RawSample<'static> {
    build(&mut sample);
    sample
}

fn fold_at(aggregator: &mut Aggregator, samples: &[RawSample<'_>], now: i64) -> Vec<EntityState> {
    let cycle = samples.iter().map(|sample| transform(sample).unwrap()).collect();
    aggregator.fold(cycle, UnixMillis(T0 + now))
}

fn fold(samples: &[RawSample<'_>]) -> Vec<EntityState> {
    fold_at(&mut Aggregator::new(AggregatorConfig::default()), samples, 0)
}

fn find<'s>(states: &'s [EntityState], kind: EntityKind, name: &str) -> &'s EntityState {
    let found = states.iter().find(|state| state.key.kind() == kind && state.key.name() == name);
    found.unwrap_or_else(|| panic!("no {kind:?} {name} in {states:#?}"))
}

fn check(state: &EntityState, expected: &[(M, Option<f64>)]) {
    for (id, value) in expected {
        let got = state.metrics.get(*id);
        let near = got.zip(*value).is_some_and(|(got, value)| (got - value).abs() < 1e-9);
        assert!(near || got == *value, "{id} of {:?} is {got:?}, not {value:?}", state.key);
    }
}

#[test]
fn the_newest_value_of_each_metric_wins() {
    let old = with(broker(1, 10), |s| {
        s.number("java_lang_operatingsystem_cpuload", 0.9).number("metadata.leader_count", 7.0);
        s.text("host", "old").text("rack", "r");
        s.rate(BYTES_IN, 1.0, 10_000);
    });
    let new = with(broker(1, 20), |s| {
        s.number("java_lang_operatingsystem_cpuload", 0.1).text("host", "new");
        s.rate(BYTES_IN, 2.0, 15_000);
    });
    for samples in [[old.clone(), new.clone()], [new, old]] {
        let states = fold(&samples);
        let broker = find(&states, EntityKind::Broker, "1");
        check(
            broker,
            &[(M::BROKER_CPU_USAGE, Some(10.0)), (M::BROKER_LEADER_PARTITIONS, Some(7.0))],
        );
        check(broker, &[(M::BROKER_NETWORK_IN, Some(2.0))]);
        assert_eq!(broker.observed_at, UnixMillis(T0 + 20));
        assert_eq!(broker.window, Some(Window::of(15_000)), "the old rate is gone, so its window");
        assert_eq!(broker.attributes.text(AttributeId::Hostname), Some("new"));
        assert_eq!(broker.attributes.text(AttributeId::Rack), Some("r"));
    }
}

#[test]
fn formulas_hold_over_merged_samples() {
    let samples = [
        with(broker(1, 1), |s| {
            s.number(
                "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"Produce\"}",
                40.0,
            );
        }),
        with(broker(1, 2), |s| {
            s.number(
                "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"FetchConsumer\"}",
                3.0,
            );
        }),
    ];
    check(
        find(&fold(&samples), EntityKind::Broker, "1"),
        &[(M::BROKER_REQUEST_LATENCY, Some(40.0))],
    );
}

#[test]
fn a_topic_is_the_sum_over_its_brokers() {
    let samples = [
        with(on_broker("t", 1, 5), |s| {
            s.rate(MESSAGES_IN, 10.0, 15_000).rate(BYTES_IN, 1_000.0, 15_000);
        }),
        with(on_broker("t", 2, 6), |s| {
            s.rate(MESSAGES_IN, 30.0, 15_000).rate(BYTES_IN, 3_000.0, 15_000);
        }),
        // Superseded: the newest sample of a broker counts once.
        with(on_broker("t", 2, 1), |s| {
            s.rate(MESSAGES_IN, 900.0, 5_000);
        }),
        with(topic("t", 3), |s| {
            s.rate("offsets.log_end_total", 41.0, 14_000).number("metadata.partition_count", 6.0);
            s.number("logdirs.size_bytes", 3.0 * 1_048_576.0).text("config.retention.ms", "-1");
        }),
    ];
    let states = fold(&samples);
    let topic = find(&states, EntityKind::Topic, "t");
    check(
        topic,
        &[
            (M::TOPIC_MESSAGES_IN, Some(40.0)),
            (M::TOPIC_BYTES_IN, Some(4_000.0)),
            (M::TOPIC_MESSAGE_SIZE, Some(100.0)),
            (M::TOPIC_PARTITIONS, Some(6.0)),
            (M::TOPIC_SIZE, Some(3.0)),
            (M::TOPIC_BROKERS_REPORTING, Some(2.0)),
            (M::TOPIC_MESSAGES_OUT, None),
            (M::TOPIC_LAG, None),
        ],
    );
    assert_eq!(topic.window, Some(Window::of(15_000)));
    assert_eq!(topic.observed_at, UnixMillis(T0 + 6));
}

#[test]
fn windows_that_differ_are_told_apart() {
    let rates = |first, second| {
        [
            with(on_broker("t", 1, 0), |s| {
                s.rate(BYTES_IN, 1.0, first);
            }),
            with(on_broker("t", 2, 0), |s| {
                s.rate(BYTES_IN, 1.0, second);
            }),
        ]
    };
    let cases = [(15_000, 15_000, Some(15_000)), (15_000, 15_001, None)];
    for (first, second, exact) in cases {
        let states = fold(&rates(first, second));
        let window = find(&states, EntityKind::Topic, "t").window.unwrap();
        assert_eq!(window.exact_ms(), exact);
        assert_eq!((window.min_ms, window.max_ms), (first, second));
    }
    // Without JMX the growth of log ends gives the rate, with its own window.
    let states = fold(&[with(topic("t", 0), |s| {
        s.rate("offsets.log_end_total", 5.0, 14_000);
    })]);
    let topic = find(&states, EntityKind::Topic, "t");
    check(topic, &[(M::TOPIC_MESSAGES_IN, Some(5.0)), (M::TOPIC_BROKERS_REPORTING, None)]);
    assert_eq!(topic.window, Some(Window::of(14_000)));
}

#[test]
fn a_group_is_the_sum_of_its_partitions() {
    let samples = [
        with(group(Origin::Kafka, "g"), |s| {
            s.number("group.members", 3.0).text("group.state", "Stable");
        }),
        with(row("g", "t", 0), |s| {
            s.number("consumer.lag", 100.0).rate("consumer.offset_total", 5.0, 15_000);
        }),
        with(row("g", "t", 1), |s| {
            s.number("consumer.lag", -3.0).rate("consumer.offset_total", 7.0, 15_000);
        }),
        with(row("g", "u", 0), |s| {
            s.number("consumer.lag", 20.0);
        }),
        with(row("g", "v", 0), |s| {
            s.number("consumer.hwm", 9.0);
        }),
        with(row("h", "t", 0), |s| {
            s.number("consumer.lag", 1.0).rate("consumer.offset_total", 2.0, 15_000);
        }),
    ];
    let states = fold(&samples);
    let group = find(&states, EntityKind::ConsumerGroup, "g");
    check(
        group,
        &[
            (M::GROUP_LAG_TOTAL, Some(120.0)),
            (M::GROUP_LAG_MAX, Some(100.0)),
            (M::GROUP_CONSUMPTION, Some(12.0)),
            (M::GROUP_CATCH_UP, Some(10.0)),
            (M::GROUP_MEMBERS_TOTAL, Some(3.0)),
            (M::GROUP_MEMBERS_ACTIVE, Some(3.0)),
            (M::GROUP_TOPICS, Some(3.0)),
            (M::GROUP_HEALTH_SCORE, Some(90.0)),
        ],
    );
    assert_eq!(group.topics, ["t", "u", "v"]);
    assert_eq!(group.window, Some(Window::of(15_000)));
    let topic = find(&states, EntityKind::Topic, "t");
    check(
        topic,
        &[
            (M::TOPIC_LAG, Some(100.0)),
            (M::TOPIC_CONSUMER_LAG, Some(101.0)),
            (M::TOPIC_MESSAGES_OUT, Some(14.0)),
        ],
    );
    assert_eq!(topic.window, None, "reading rates keep their groups' windows");
    check(
        find(&states, EntityKind::Topic, "u"),
        &[(M::TOPIC_LAG, Some(20.0)), (M::TOPIC_MESSAGES_OUT, None)],
    );
    let known = states.iter().any(|state| state.key.name() == "v");
    assert!(!known, "a topic of which nothing is known is no entity");
}

/// The four shapes of KafkaOffsetSample together: totals never add to parts.
#[test]
fn totals_stand_in_only_without_parts() {
    let group_total = || {
        with(group(Origin::NriKafka, "g"), |s| {
            s.number("consumerGroup.totalLag", 500.0).number("consumerGroup.maxLag", 50.0);
            s.number("consumerGroup.activeConsumers", 2.0);
        })
    };
    let topic_total = |topic, lag| {
        with(group_topic("g", topic), |s| {
            s.number("consumerGroup.totalLag", lag).number("consumerGroup.maxLag", lag / 2.0);
            s.number("consumerGroup.activeConsumers", 1.0);
        })
    };
    let part = |topic, partition, lag, client| {
        with(nri_row("g", topic, partition), |s| {
            s.number("consumer.lag", lag).text("clientID", client);
        })
    };
    let parts = || vec![part("t", 0, 10.0, "a"), part("t", 1, 20.0, "b"), part("t", 2, 5.0, "a")];
    let cases = [
        ("group total", vec![group_total()], 500.0, 50.0, Some(2.0), None),
        (
            "topic totals",
            vec![topic_total("t", 8.0), topic_total("u", 6.0)],
            14.0,
            4.0,
            None,
            Some(8.0),
        ),
        ("one topic total", vec![topic_total("t", 8.0)], 8.0, 4.0, Some(1.0), Some(8.0)),
        (
            "group and topic totals",
            vec![group_total(), topic_total("t", 8.0)],
            500.0,
            50.0,
            Some(2.0),
            Some(8.0),
        ),
        ("parts", parts(), 35.0, 20.0, Some(2.0), Some(35.0)),
        (
            "parts and totals",
            [parts(), vec![group_total(), topic_total("t", 8.0)]].concat(),
            35.0,
            20.0,
            Some(2.0),
            Some(35.0),
        ),
        (
            "parts of one topic, total of another",
            [parts(), vec![topic_total("u", 6.0)]].concat(),
            41.0,
            20.0,
            Some(2.0),
            Some(35.0),
        ),
    ];
    for (name, samples, total, max, members, topic_lag) in cases {
        let states = fold(&samples);
        let group = find(&states, EntityKind::ConsumerGroup, "g");
        let got = [M::GROUP_LAG_TOTAL, M::GROUP_LAG_MAX, M::GROUP_MEMBERS_ACTIVE]
            .map(|id| group.metrics.get(id));
        assert_eq!(got, [Some(total), Some(max), members], "{name}");
        let topic =
            states.iter().find(|s| s.key.kind() == EntityKind::Topic && s.key.name() == "t");
        assert_eq!(topic.and_then(|topic| topic.metrics.get(M::TOPIC_LAG)), topic_lag, "{name}");
    }
}

fn member(broker_id: i32, cpu: f64, failed: f64, handled: f64) -> RawSample<'static> {
    with(broker(broker_id, 0), |s| {
        s.number("java_lang_operatingsystem_cpuload", cpu);
        s.rate(MESSAGES_IN, 10.0, 15_000).rate(BYTES_IN, 100.0, 15_000);
        s.rate("kafka_server_brokertopicmetrics_failedproducerequests_total", failed, 15_000);
        s.rate("kafka_server_brokertopicmetrics_totalproducerequests_total", handled, 15_000);
        s.number("kafka_server_replicamanager_underreplicatedpartitions", 2.0);
        s.number("kafka_server_replicamanager_leadercount", 50.0);
        s.number("kafka_controller_kafkacontroller_offlinepartitionscount", 3.0);
        s.number(
            "kafka_controller_kafkacontroller_activecontrollercount",
            f64::from(broker_id % 2),
        );
    })
}

#[test]
fn a_cluster_rolls_its_brokers_up() {
    let samples = [member(0, 0.5, 1.0, 10.0), member(1, 0.9, 1.0, 190.0)];
    let states = fold(&samples);
    let cluster = find(&states, EntityKind::Cluster, "c");
    check(
        cluster,
        &[
            (M::CLUSTER_THROUGHPUT_TOTAL, Some(20.0)),
            (M::CLUSTER_THROUGHPUT_IN, Some(200.0)),
            (M::CLUSTER_THROUGHPUT_OUT, None),
            (M::CLUSTER_CPU_MEAN, Some(70.0)),
            (M::CLUSTER_MEMORY_MEAN, None),
            // By requests: 2 of 200, not the mean of 10 % and 0.5 %.
            (M::CLUSTER_ERROR_RATE, Some(1.0)),
            (M::CLUSTER_BROKER_COUNT, Some(2.0)),
            (M::CLUSTER_BROKERS_ONLINE, Some(2.0)),
            (M::CLUSTER_BROKERS_OFFLINE, Some(0.0)),
            (M::CLUSTER_CONTROLLERS_ACTIVE, Some(1.0)),
            // Each broker counts the partitions it leads: a sum. The controller's count is of the
            // whole cluster: a maximum.
            (M::CLUSTER_PARTITIONS_UNDER_REPLICATED, Some(4.0)),
            (M::CLUSTER_PARTITIONS_OFFLINE, Some(3.0)),
            (M::CLUSTER_PARTITIONS_TOTAL, Some(100.0)),
            (M::CLUSTER_AVAILABILITY, Some(97.0)),
            (M::CLUSTER_HEALTH_SCORE, Some(62.0)),
            (M::CLUSTER_HEALTH_CONFIDENCE, Some(5.0 / 8.0)),
            (M::CLUSTER_TOPIC_COUNT, None),
            (M::CLUSTER_GROUP_COUNT, None),
        ],
    );
    assert_eq!(cluster.window, Some(Window::of(15_000)));
}

#[test]
fn the_handler_idle_mean_enters_the_score() {
    let idle = "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent";
    let samples = [1, 2].map(|id| {
        with(broker(id, 0), |s| {
            s.number(idle, 0.1 * f64::from(id));
        })
    });
    let states = fold(&samples);
    let cluster = find(&states, EntityKind::Cluster, "c");
    check(cluster, &[(M::CLUSTER_HEALTH_SCORE, Some(90.0))]);
}

#[test]
fn metadata_tells_better_than_sums() {
    let cluster = with(raw(Origin::Kafka, Subject::Cluster, 7), |s| {
        s.number("metadata.broker_count", 3.0).number("metadata.topic_count", 9.0);
        s.number("metadata.partition_count", 90.0).number("metadata.under_replicated", 5.0);
        s.number("metadata.offline", 0.0).number("metadata.controller_id", 2.0);
        s.text("cluster_id", "abc");
    });
    let states = fold(&[cluster, member(1, 0.5, 0.0, 1.0)]);
    let cluster = find(&states, EntityKind::Cluster, "c");
    check(
        cluster,
        &[
            (M::CLUSTER_BROKERS_ONLINE, Some(3.0)),
            (M::CLUSTER_BROKER_COUNT, Some(3.0)),
            (M::CLUSTER_TOPIC_COUNT, Some(9.0)),
            (M::CLUSTER_PARTITIONS_TOTAL, Some(90.0)),
            (M::CLUSTER_PARTITIONS_UNDER_REPLICATED, Some(5.0)),
            (M::CLUSTER_PARTITIONS_OFFLINE, Some(0.0)),
            (M::CLUSTER_AVAILABILITY, Some(100.0)),
        ],
    );
    assert_eq!(cluster.attributes.text(AttributeId::ClusterId), Some("abc"));
    assert_eq!(cluster.observed_at, UnixMillis(T0 + 7));
}

/// The original set onlineBrokers = totalBrokers, so that a lost broker was invisible.
#[test]
fn a_lost_broker_is_expected_for_ten_minutes() {
    let mut aggregator = Aggregator::new(AggregatorConfig::default());
    let at = |id: i32, at: i64| {
        with(broker(id, at), |s| {
            s.number("metadata.leader_count", 1.0);
        })
    };
    let cases = [
        (vec![at(1, 0), at(2, 0), at(3, 0)], 0, (3.0, 0.0), 100.0),
        (vec![at(1, 60_000), at(2, 60_000)], 60_000, (3.0, 1.0), 200.0 / 3.0),
        (vec![at(1, 600_000), at(2, 600_000)], 600_000, (3.0, 1.0), 200.0 / 3.0),
        (vec![at(1, 600_001), at(2, 600_001)], 600_001, (2.0, 0.0), 100.0),
        (vec![at(1, 700_000), at(3, 700_000)], 700_000, (3.0, 1.0), 200.0 / 3.0),
    ];
    for (samples, now, (total, offline), availability) in cases {
        let states = fold_at(&mut aggregator, &samples, now);
        let cluster = find(&states, EntityKind::Cluster, "c");
        check(
            cluster,
            &[
                (M::CLUSTER_BROKER_COUNT, Some(total)),
                (M::CLUSTER_BROKERS_OFFLINE, Some(offline)),
                (M::CLUSTER_AVAILABILITY, Some(availability)),
            ],
        );
    }
}

/// With a roster the cluster is measured by it, whoever was there before.
#[test]
fn the_roster_decides_which_brokers_are_expected() {
    let check_counts = |ids: &[&str], required, cycles: &[(&[i32], f64, f64)]| {
        let mut rosters = Rosters::default();
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        *rosters.entry(&Provider::Kafka, "c") = Roster { ids, required };
        // That of another cluster, and of another provider's cluster of this name, is not its own.
        rosters.entry(&Provider::Kafka, "d").required = 9;
        rosters.entry(&Provider::RabbitMq, "c").required = 9;
        let config = AggregatorConfig { rosters, ..AggregatorConfig::default() };
        let mut aggregator = Aggregator::new(config);
        for (now, (reporting, total, offline)) in (0..).step_by(1_000).zip(cycles) {
            let sample = |id: &i32| {
                with(broker(*id, now), |s| {
                    s.number("metadata.leader_count", 1.0);
                })
            };
            let samples: Vec<_> = reporting.iter().map(sample).collect();
            let states = fold_at(&mut aggregator, &samples, now);
            let up = (total - offline) / total * 100.0;
            check(
                find(&states, EntityKind::Cluster, "c"),
                &[
                    (M::CLUSTER_BROKER_COUNT, Some(*total)),
                    (M::CLUSTER_BROKERS_OFFLINE, Some(*offline)),
                    (M::CLUSTER_AVAILABILITY, Some(up)),
                ],
            );
        }
    };
    // Never seen and wanted; then seen beside the roster, then gone and not missed.
    check_counts(&["1", "2", "3"], 0, &[(&[1, 2], 3.0, 1.0), (&[1, 2, 9], 4.0, 1.0)]);
    check_counts(&["1", "2"], 0, &[(&[1, 2, 3], 3.0, 0.0), (&[1, 2], 2.0, 0.0)]);
    check_counts(&[], 5, &[(&[1, 2], 5.0, 3.0), (&[1, 2, 3, 4, 5, 6], 6.0, 0.0)]);
    check_counts(&["1"], 3, &[(&[2], 3.0, 2.0)]);
    // An empty one decides nothing.
    check_counts(&[], 0, &[(&[1, 2], 2.0, 0.0), (&[1], 2.0, 1.0)]);
}

#[test]
fn offsets_alone_tell_nothing_of_brokers() {
    let mut aggregator = Aggregator::new(AggregatorConfig::default());
    let _ = fold_at(&mut aggregator, &[member(1, 0.5, 0.0, 1.0)], 0);
    let offsets = with(row("g", "t", 0), |s| {
        s.number("consumer.lag", 3.0);
    });
    let states = fold_at(&mut aggregator, &[offsets], 1_000);
    let cluster = find(&states, EntityKind::Cluster, "c");
    check(
        cluster,
        &[
            (M::CLUSTER_BROKER_COUNT, None),
            (M::CLUSTER_AVAILABILITY, None),
            (M::CLUSTER_HEALTH_SCORE, None),
            (M::CLUSTER_TOPIC_COUNT, Some(1.0)),
            (M::CLUSTER_GROUP_COUNT, Some(1.0)),
        ],
    );
}

#[test]
fn a_cluster_without_brokers_scores_zero() {
    let empty = with(raw(Origin::Kafka, Subject::Cluster, 0), |s| {
        s.number("metadata.broker_count", 0.0);
    });
    let states = fold(&[empty]);
    check(
        find(&states, EntityKind::Cluster, "c"),
        &[
            (M::CLUSTER_HEALTH_SCORE, Some(0.0)),
            (M::CLUSTER_HEALTH_CONFIDENCE, Some(0.0)),
            (M::CLUSTER_AVAILABILITY, Some(0.0)),
        ],
    );
}

#[test]
fn clusters_of_one_name_stay_apart_by_name_only() {
    let other = RawSample { cluster: "d".into(), ..member(1, 0.1, 0.0, 1.0) };
    let states = fold(&[member(1, 0.5, 0.0, 1.0), other]);
    let keys: Vec<_> = states.iter().map(|state| state.key.clone()).collect();
    let of = |cluster: &str| {
        [
            EntityKey::Cluster { provider: Provider::Kafka, cluster: cluster.into() },
            EntityKey::Broker {
                provider: Provider::Kafka,
                cluster: cluster.into(),
                broker_id: "1".into(),
            },
        ]
    };
    let mut expected = [of("c"), of("d")].concat();
    expected.sort();
    assert_eq!(keys, expected);
}

fn any_sample() -> impl Strategy<Value = RawSample<'static>> {
    (0..6_u8, 0..3_i32, 0..3_i64, 0..4_i32, 1..4_i64, "[ab]").prop_map(
        |(kind, id, at, value, window, client)| {
            let value = f64::from(value);
            let names = ["t", "u", "v"];
            let name = names[usize::try_from(id).unwrap()];
            match kind {
                0 => with(broker(id, at), |s| {
                    s.rate(BYTES_IN, value, window).number("metadata.leader_count", value);
                    s.text("host", client);
                }),
                1 => with(broker(id, at), |s| {
                    s.number("metadata.leader_count", value);
                }),
                2 => with(on_broker(name, id, at), |s| {
                    s.rate(BYTES_IN, value, window);
                }),
                3 => with(topic(name, at), |s| {
                    s.rate("offsets.log_end_total", value, window);
                }),
                4 => with(row("g", name, id), |s| {
                    s.number("consumer.lag", value).rate("consumer.offset_total", value, window);
                    s.text("clientID", client);
                    s.at = UnixMillis(T0 + at);
                }),
                _ => with(group(Origin::Kafka, "g"), |s| {
                    s.number("group.members", value).text("group.state", client);
                    s.at = UnixMillis(T0 + at);
                }),
            }
        },
    )
}

proptest! {
    #[test]
    fn any_order_gives_the_same_states(
        samples in proptest::collection::vec(any_sample(), 1..24),
        order in proptest::collection::vec(any::<u32>(), 24),
    ) {
        let mut shuffled: Vec<_> = order.iter().zip(samples.clone()).collect();
        shuffled.sort_by_key(|(place, _)| **place);
        let shuffled: Vec<_> = shuffled.into_iter().map(|(_, sample)| sample).collect();
        let states = fold(&samples);
        prop_assert_eq!(&states, &fold(&shuffled));
        prop_assert!(states.is_sorted_by(|a, b| a.key < b.key), "one state per key");
        for state in &states {
            for (id, value) in state.metrics.iter() {
                prop_assert!(id.def().range.contains(value), "{} = {}", id, value);
            }
        }
    }
}
