//! Brokers that are dead, slow, old or lying cost their own part and nothing else.

use super::*;
use crate::resilience::breaker::Admitted;

/// APIs that are asked of every broker.
const PER_BROKER: [ApiKey; 5] = [
    ApiKey::ListOffsets,
    ApiKey::DescribeLogDirs,
    ApiKey::ListGroups,
    ApiKey::DescribeGroups,
    ApiKey::OffsetFetch,
];

/// One cycle; the clock never runs past the cycle's end.
fn cycle(fake: &Fake, config: KafkaSourceConfig) -> Collection {
    run(async {
        let timeout = config.cycle_timeout;
        let started = fake.monotonic();
        let mut collector = KafkaCollector::new(fake.clone(), config);
        let collection = collector.collect(Admitted::for_tests()).await.expect("a broker answers");
        let took = fake.monotonic() - started;
        assert!(took <= timeout, "{took:?}");
        collection
    })
}

fn healthy() -> Vec<String> {
    let fake = Fake::new(model());
    lines(&cycle(&fake, config(&fake)))
}

/// Lines that depend on nothing but brokers 0 and 2, and on metadata.
fn of_others(lines: &[String]) -> Vec<&String> {
    let of_broker_1 = ["broker 1", "topic orders", "topic payments", "group billing"];
    let on_broker_1 = |line: &str| {
        // Broker 1 leads orders-1 and payments-0, and coordinates billing.
        line.starts_with("group billing") || line.starts_with("group audit on payments-0")
    };
    let mut kept = without(lines, &of_broker_1);
    kept.retain(|line| !on_broker_1(line));
    assert!(kept.len() >= 4, "{kept:?}");
    kept
}

#[test]
fn a_dead_broker_costs_its_own_part() {
    let fake = Fake::new(model());
    fake.model().refusing.insert(1);
    fake.model().expositions.remove(&1);
    let collection = cycle(&fake, config(&fake));
    let lines = lines(&collection);
    assert_eq!(of_others(&lines), of_others(&healthy()));
    let refused = "cannot connect: connection refused";
    assert_eq!(
        missing(&collection),
        [
            "scrape of broker 1: cannot connect to b1:7071: connection refused".to_owned(),
            format!("log_end_offsets of broker 1: {refused} (2 lost)"),
            format!("log_dirs of broker 1: {refused}"),
            format!("group_list of broker 1: {refused}"),
        ]
    );
    // What metadata says of it is known still, and nothing more is claimed.
    let broker = lines.iter().find(|line| line.starts_with("broker 1:")).expect("it is known");
    assert_eq!(
        broker.as_str(),
        "broker 1: host=\"b1\", metadata.is_controller=0, metadata.leader_count=2, \
         metadata.partition_count=3, metadata.under_replicated=1, port=9092, rack=\"rack-1\""
    );
    let audit = lines.iter().find(|line| line.starts_with("group audit on")).expect("it is known");
    assert_eq!(audit, "group audit on payments-0: consumer.offset=50", "no log end, no lag");
    let orders = lines.iter().find(|line| line.starts_with("topic orders:")).expect("it is known");
    assert!(!orders.contains("logdirs.size_bytes"), "a sum without a part is no sum: {orders}");
    assert_eq!((collection.stats.brokers_asked, collection.stats.brokers_answered), (3, 2));
    assert_eq!(collection.stats.failures["connect"], 3);
}

#[test]
fn a_silent_broker_costs_its_own_part_and_its_time() {
    let fake = Fake::new(model());
    for key in PER_BROKER {
        fake.model().acts.insert((1, key as i16), Act::Hang);
    }
    fake.model().expositions.insert(1, (0, String::new()));
    let collection = cycle(&fake, config(&fake));
    assert_eq!(of_others(&lines(&collection)), of_others(&healthy()));
    assert_eq!(
        missing(&collection),
        [
            "scrape of broker 1: no answer from b1:7071 within 6000 ms",
            "log_end_offsets of broker 1: no answer within 6000 ms (2 lost)",
            "log_dirs of broker 1: no answer within 6000 ms",
            "group_list of broker 1: no answer within 6000 ms",
        ]
    );
    assert_eq!(collection.stats.duration_ms, 6000);
}

#[test]
fn brokers_are_asked_a_few_at_a_time_until_the_cycle_ends() {
    let fake = Fake::new(model());
    for id in 0..3 {
        fake.model().acts.insert((id, ApiKey::ListOffsets as i16), Act::Hang);
    }
    let mut config = config(&fake);
    config.concurrency = 1;
    config.broker_timeout = Duration::from_secs(5);
    let collection = cycle(&fake, config);
    assert_eq!(collection.stats.duration_ms, 12_000);
    let ends: Vec<_> =
        missing(&collection).into_iter().filter(|m| m.starts_with("log_end")).collect();
    assert_eq!(
        ends,
        [
            "log_end_offsets of broker 0: no answer within 5000 ms",
            "log_end_offsets of broker 1: no answer within 5000 ms (2 lost)",
            "log_end_offsets of broker 2: no answer within 2000 ms",
        ]
    );
}

/// Each way of breaking the protocol, what it is called, and whether it ends the connection.
fn violations() -> Vec<(Act, &'static str)> {
    vec![
        (Act::Error(-1), "broker_error"),
        (Act::Close, "connection_lost"),
        (Act::Cut(2), "frame_truncated"),
        (Act::Cut(10), "frame_truncated"),
        (Act::Announce(i32::MAX), "frame_oversized"),
        (Act::Announce((64 << 20) + 1), "frame_oversized"),
        (Act::Announce(3), "frame_malformed"),
        (Act::Announce(-5), "frame_malformed"),
        (Act::WrongCorrelation, "wrong_correlation_id"),
        (Act::Body(vec![]), "frame_malformed"),
        (Act::Body(vec![0xff; 64]), "frame_malformed"),
        (Act::Body(vec![0x7f; 4096]), "frame_malformed"),
        (Act::Shorten(1), "frame_malformed"),
    ]
}

#[test]
fn every_violation_on_every_api_costs_its_own_part() {
    let healthy = healthy();
    let mut examined = 0;
    for key in PER_BROKER {
        for (act, reason) in violations() {
            let place = format!("{key:?} {act:?}");
            let fake = Fake::new(model());
            fake.model().acts.insert((1, key as i16), act);
            let collection = cycle(&fake, config(&fake));
            assert_eq!(of_others(&lines(&collection)), of_others(&healthy), "{place}");
            let reasons: BTreeSet<_> =
                collection.missing.iter().map(|m| (m.broker, m.reason.as_str())).collect();
            assert_eq!(reasons, BTreeSet::from([(Some(1), reason)]), "{place}");
            // The connection is opened once more, and the next part is asked there.
            let parts: BTreeSet<_> = collection.missing.iter().map(|m| m.what).collect();
            assert!(parts.len() <= 2, "{place}: {parts:?}");
            assert!(fake.model().connections <= 4, "{place}");
            examined += 1;
        }
    }
    assert_eq!(examined, 5 * 13);
}

#[test]
fn a_violation_during_the_handshake_loses_the_broker_only() {
    let healthy = healthy();
    for (act, reason) in violations() {
        let place = format!("{act:?}");
        let fake = Fake::new(model());
        fake.model().acts.insert((1, ApiKey::ApiVersions as i16), act);
        let collection = cycle(&fake, config(&fake));
        assert_eq!(of_others(&lines(&collection)), of_others(&healthy), "{place}");
        let parts = [Part::LogEndOffsets, Part::LogDirs, Part::GroupList];
        let expected: Vec<_> = parts.iter().map(|part| (*part, Some(1), reason)).collect();
        let missing = collection.missing.iter().map(|m| (m.what, m.broker, m.reason.as_str()));
        assert_eq!(missing.collect::<Vec<_>>(), expected, "{place}");
    }
}

#[test]
fn the_first_broker_that_answers_describes_the_cluster() {
    for (act, reason) in violations() {
        // Metadata before v13 has no code of its own.
        let fake = Fake::new(model());
        fake.model().acts.insert((0, ApiKey::Metadata as i16), act.clone());
        let collection = cycle(&fake, config(&fake));
        assert_eq!(lines(&collection), healthy(), "{act:?}");
        let missing: Vec<_> =
            collection.missing.iter().map(|m| (m.what, m.reason.as_str())).collect();
        assert_eq!(missing, [(Part::Bootstrap, reason)], "{act:?}");
        assert_eq!(collection.missing[0].subject.as_deref(), Some("b0:9092"));
    }
}

#[test]
fn nobody_answers() {
    let fake = Fake::new(model());
    fake.model().refusing.insert(0);
    fake.model().acts.insert((1, ApiKey::Metadata as i16), Act::Hang);
    fake.model().acts.insert((2, ApiKey::ApiVersions as i16), Act::Close);
    let error = run(async {
        let mut config = config(&fake);
        config.bootstrap.push(Endpoint::new("nowhere", 9092));
        KafkaCollector::new(fake.clone(), config)
            .collect(Admitted::for_tests())
            .await
            .expect_err("nobody answers")
    });
    assert_eq!(
        error.to_string(),
        "no broker of cluster `shop` answers: b0:9092: cannot connect: connection refused; \
         b1:9092: no answer within 4000 ms; b2:9092: connection lost during ApiVersions: closed \
         by the broker; nowhere:9092: cannot connect: entity not found"
    );
    let nobody = KafkaSourceConfig::new("shop", vec![]);
    let error = run(async {
        KafkaCollector::new(fake.clone(), nobody).collect(Admitted::for_tests()).await
    });
    assert_eq!(error.map(|_| ()), Err(CollectError::NoBootstrap { cluster: "shop".to_owned() }));
}

#[test]
fn a_broker_without_an_api_is_collected_for_the_rest() {
    for (keys, expected) in [
        (
            vec![ApiKey::DescribeLogDirs],
            vec!["log_dirs of broker 0", "log_dirs of broker 1", "log_dirs of broker 2"],
        ),
        (vec![ApiKey::DescribeConfigs], vec!["topic_configs"]),
        (
            vec![ApiKey::DescribeGroups],
            vec!["group_state of broker 1 `billing`", "group_state of broker 2 `audit`"],
        ),
        (
            vec![ApiKey::ListGroups],
            vec!["group_list of broker 0", "group_list of broker 1", "group_list of broker 2"],
        ),
        // Metadata tells all that DescribeCluster would.
        (vec![ApiKey::DescribeCluster], vec![]),
    ] {
        let fake = Fake::new(model());
        for key in &keys {
            fake.model().versions.insert(*key as i16, None);
        }
        let collection = cycle(&fake, config(&fake));
        let missing = collection.missing.iter().map(|part| {
            assert_eq!(part.reason.as_str(), "api_unsupported");
            part.to_string().split(": ").next().map(str::to_owned).expect("a name")
        });
        assert_eq!(missing.collect::<Vec<_>>(), expected, "{keys:?}");
        assert!(collection.samples.len() >= 6, "{keys:?}: {}", collection.samples.len());
        assert_eq!(collection.stats.brokers_answered, 3);
    }
}

#[test]
fn what_metadata_leaves_open_and_nobody_else_knows_is_named() {
    let fake = Fake::new(model());
    fake.model().controller = 7;
    fake.model().versions.insert(ApiKey::DescribeCluster as i16, None);
    let collection = cycle(&fake, config(&fake));
    assert_eq!(
        missing(&collection),
        ["cluster: broker offers no version of DescribeCluster, this client speaks v0..2"]
    );
    let all = lines(&collection).join("\n");
    assert!(!all.contains("controller"), "unknown is absent: {all}");
}

#[test]
fn partitions_that_moved_are_asked_for_at_their_new_leader() {
    let fake = Fake::new(model());
    // orders-1 has moved from broker 1 to 2; the second Metadata answer says so.
    fake.model().topics.get_mut(&("orders", 1)).expect("it exists").moves = Some((1, 2));
    let collection = cycle(&fake, config(&fake));
    assert_eq!(missing(&collection), Vec::<String>::new());
    assert_eq!(collection.stats.requests["Metadata"], 2);
    assert_eq!(collection.stats.requests["ListOffsets"], 4);
    let lines = lines(&collection);
    assert!(lines.iter().any(|l| l.starts_with("group billing on orders-1: consumer.hwm=200")));

    // As long as the metadata does not know better, the partition is lost, and only once asked.
    let fake = Fake::new(model());
    fake.model().topics.get_mut(&("orders", 1)).expect("it exists").moves = Some((9, 2));
    let collection = cycle(&fake, config(&fake));
    assert_eq!(collection.stats.requests["Metadata"], 2);
    assert_eq!(
        missing(&collection),
        [
            "log_end_offsets of broker 1: broker answered ListOffsets with NOT_LEADER_OR_FOLLOWER (6)"
        ]
    );
}

#[test]
fn groups_that_moved_are_asked_for_at_their_new_coordinator() {
    let fake = Fake::new(model());
    fake.model().groups.get_mut("billing").expect("it exists").coordinator = 2;
    let collection = cycle(&fake, config(&fake));
    assert_eq!(missing(&collection), Vec::<String>::new());
    let expected: Vec<_> = healthy()
        .into_iter()
        .map(|line| {
            line.replace("group billing: group.coordinator=1", "group billing: group.coordinator=2")
        })
        .collect();
    assert_eq!(lines(&collection), expected);
    assert_eq!(collection.stats.requests["FindCoordinator"], 1);
}

#[test]
fn named_groups_are_found_without_a_list() {
    let fake = Fake::new(model());
    fake.model().versions.insert(ApiKey::ListGroups as i16, None);
    fake.model().versions.insert(ApiKey::DescribeGroups as i16, None);
    fake.model().versions.insert(ApiKey::OffsetFetch as i16, Some((1, 6)));
    let mut config = config(&fake);
    config.groups = vec!["nobody".to_owned(), "billing".to_owned()];
    let collection = cycle(&fake, config);
    let groups: Vec<_> =
        lines(&collection).into_iter().filter(|line| line.starts_with("group ")).collect();
    assert_eq!(
        groups,
        [
            "group billing: group.coordinator=1",
            "group billing on orders-0: consumer.hwm=100, consumer.lag=10, consumer.offset=90",
            "group billing on orders-1: consumer.hwm=200, consumer.lag=-10, consumer.offset=210",
            "group billing on orders-2: consumer.hwm=300",
        ]
    );
}

#[test]
fn leaderless_partitions_are_named_and_leave_sums_out() {
    let fake = Fake::new(model());
    fake.model().topics.get_mut(&("orders", 1)).expect("it exists").leader = -1;
    let collection = cycle(&fake, config(&fake));
    assert_eq!(missing(&collection), ["log_end_offsets `orders`: no leader"]);
    let cluster = &lines(&collection)[0];
    assert!(cluster.contains("metadata.offline=1,"), "{cluster}");
}

#[test]
fn connections_closed_while_idle_are_opened_again() {
    run(async {
        let fake = Fake::new(model());
        let mut collector = KafkaCollector::new(fake.clone(), config(&fake));
        let first = collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        fake.model().one_answer_per_connection = true;
        // The first answer on each old connection is its last: each is reopened once, and what
        // does not fit on two connections is missing.
        let second = collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        assert!(!missing(&second).is_empty());
        fake.model().one_answer_per_connection = false;
        let third = collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        assert_eq!(missing(&third), Vec::<String>::new());
        assert_eq!(third.samples.len(), first.samples.len());
    });
}

#[test]
fn brokers_that_leave_are_let_go_and_come_back() {
    run(async {
        let fake = Fake::new(model());
        let mut collector = KafkaCollector::new(fake.clone(), config(&fake));
        collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        fake.model().brokers.remove(&2);
        fake.model().refusing.insert(2);
        let without = collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        assert_eq!(without.stats.brokers_known, 2);
        assert_eq!(collector.peers.len(), 2);
        fake.model().brokers.insert(2);
        fake.model().refusing.remove(&2);
        let again = collector.collect(Admitted::for_tests()).await.expect("brokers answer");
        assert_eq!(again.stats.connections_opened, 1);
        assert_eq!(missing(&again), Vec::<String>::new());
    });
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever one broker sends, the others' samples do not change, and the cycle ends.
    #[test]
    fn mutated_answers_of_one_broker_change_nothing_of_the_others(
        key in 0usize..PER_BROKER.len(),
        changes in proptest::collection::vec((0usize..400, proptest::num::u8::ANY), 1..6),
    ) {
        let fake = Fake::new(model());
        fake.model().acts.insert((1, PER_BROKER[key] as i16), Act::Mutate(changes));
        let collection = cycle(&fake, config(&fake));
        let lines = lines(&collection);
        // A lie that is well-formed is believed: of its own groups, sizes and log ends.
        let kept: Vec<_> = of_others(&lines)
            .into_iter()
            .filter(|line| !line.starts_with("group ") || line.starts_with("group audit:"))
            .collect();
        let healthy = healthy();
        let expected: Vec<_> = of_others(&healthy)
            .into_iter()
            .filter(|line| !line.starts_with("group ") || line.starts_with("group audit:"))
            .collect();
        proptest::prop_assert_eq!(kept, expected);
    }

    /// Whatever a broker says of the cluster, the cycle ends in time, with samples or an error.
    #[test]
    fn mutated_descriptions_of_the_cluster_end_in_time(
        key in 0usize..5,
        changes in proptest::collection::vec((0usize..600, proptest::num::u8::ANY), 1..6),
    ) {
        let keys = [
            ApiKey::ApiVersions,
            ApiKey::Metadata,
            ApiKey::DescribeCluster,
            ApiKey::DescribeConfigs,
            ApiKey::FindCoordinator,
        ];
        let fake = Fake::new(model());
        fake.model().acts.insert((0, keys[key] as i16), Act::Mutate(changes));
        let mut config = config(&fake);
        config.groups = vec!["named".to_owned()];
        let (took, result) = run(async {
            let started = fake.monotonic();
            let mut collector = KafkaCollector::new(fake.clone(), config);
            let result = collector.collect(Admitted::for_tests()).await;
            (fake.monotonic() - started, result)
        });
        proptest::prop_assert!(took <= Duration::from_secs(12), "{:?}", took);
        let collection = result.expect("the other brokers describe the cluster if this one cannot");
        proptest::prop_assert!(!collection.samples.is_empty());
    }
}
