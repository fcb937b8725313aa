//! The detector at its limits, and against injected truths.

use std::collections::BTreeMap;
use std::time::Duration;

use super::accuracy::{Accuracy, GroundTruth, Truth};
use super::recommend::{Code, Priority};
use super::*;
use crate::domain::account::AccountId;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::guid::EntityGuid;
use crate::domain::provider::Provider;
use crate::domain::units::UnixNanos;
use crate::hybrid::testing::{Draw, topology_form};
use crate::hybrid::topology::{ClusterForm, Plan, Topology, TopologyForm};

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);
const SILENCE: i128 = 300_000_000_000;

fn ago(nanos: i128) -> UnixNanos {
    UnixNanos(NOW.0 - nanos)
}

fn cluster(name: &str) -> EntityKey {
    EntityKey::Cluster { provider: Provider::Kafka, cluster: name.into() }
}

fn broker(cluster: &str, id: &str) -> EntityKey {
    EntityKey::Broker { provider: Provider::Kafka, cluster: cluster.into(), broker_id: id.into() }
}

fn topic(cluster: &str, topic: &str) -> EntityKey {
    EntityKey::Topic { provider: Provider::Kafka, cluster: cluster.into(), topic: topic.into() }
}

/// A cluster that requires 3 brokers and lists 2, with one topic of 12 partitions.
fn topology() -> Topology {
    let text = "
        clusters = [{ name = 'k', requiredBrokers = 3, bootstrapServers = ['k-1:9092'] }]
        brokers = [{ clusterName = 'k', id = '1' }, { clusterName = 'k', id = '2' }]
        topics = [{ clusterName = 'k', name = 't', partitions = 12, replicationFactor = 2 }]
        consumerGroups = [{ clusterName = 'k', id = 'g', topics = ['t'] }]";
    Topology::load("t.toml", text).expect("valid")
}

fn everything(last_seen: UnixNanos) -> Vec<Observed> {
    let topology = topology();
    topology.entities().map(|entity| Observed::new(entity.key.clone(), last_seen)).collect()
}

fn detector() -> Detector {
    Detector::new(topology(), Tolerance::default())
}

#[test]
fn silence_is_measured_to_the_nanosecond() {
    let check = |silent_nanos: i128, stale: bool| {
        let detector = detector();
        let observed = everything(ago(silent_nanos));
        let report = detector.examine(&observed, NOW);
        assert_eq!(report.stale.len(), if stale { 5 } else { 0 }, "{silent_nanos}");
        assert!(report.all_missing().next().is_none());
        let overall = report.coverage.overall();
        assert_eq!((overall.fresh, overall.stale), if stale { (0, 5) } else { (5, 0) });
        if stale {
            let age = Duration::from_nanos(u64::try_from(silent_nanos).expect("small"));
            assert!(report.stale.iter().all(|gap| gap.age == age));
        }
    };
    check(SILENCE - 1, false);
    check(SILENCE, false);
    check(SILENCE + 1, true);
    // What was seen after now is fresh: clocks differ.
    check(-1, false);
}

#[test]
fn a_watcher_that_has_just_begun_misses_nothing() {
    let check = |watched: Watching, pending: usize, missing: usize, partial: usize| {
        let detector =
            Detector::new(topology(), Tolerance { watching: watched, ..Tolerance::default() });
        let observed = [Observed::new(broker("k", "1"), NOW)];
        let report = detector.examine(&observed, NOW);
        let found = (report.pending.len(), report.all_missing().count());
        assert_eq!(found, (pending, missing), "{watched:?}");
        assert_eq!(report.partial_clusters.len(), partial, "{watched:?}");
        assert_eq!(report.is_clean(), missing == 0);
        // What was not seen yet is no reason for alarm.
        let alarms = report.recommendations();
        assert_eq!(alarms.is_empty(), missing == 0, "{alarms:?}");
        assert_eq!(report.coverage.overall().percent(), 20.0);
    };
    check(Watching::Since(NOW), 4, 0, 0);
    check(Watching::Since(ago(SILENCE - 1)), 4, 0, 0);
    check(Watching::Since(ago(SILENCE)), 4, 0, 0);
    check(Watching::Since(ago(SILENCE + 1)), 0, 4, 1);
    check(Watching::Always, 0, 4, 1);
}

#[test]
fn what_was_seen_and_fell_silent_is_stale_even_for_a_new_watcher() {
    let watching = Watching::Since(NOW);
    let detector = Detector::new(topology(), Tolerance { watching, ..Tolerance::default() });
    let observed = everything(ago(SILENCE + 1));
    assert_eq!(detector.examine(&observed, NOW).stale.len(), 5);
}

#[test]
fn a_restart_within_the_tolerance_is_no_gap() {
    let detector = detector();
    let mut observed = everything(NOW);
    observed.push(Observed::new(broker("k", "3"), NOW));
    for entity in observed.iter_mut().filter(|entity| entity.key == broker("k", "2")) {
        entity.last_seen = ago(SILENCE);
    }
    let report = detector.examine(&observed, NOW);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.coverage.overall().percent(), 100.0);
}

#[test]
fn a_cluster_is_partial_between_none_and_enough() {
    let check = |fresh: &[&str], stale: &[&str], expected: Option<u32>| {
        let detector = detector();
        let seen = |ids: &[&str], at| {
            ids.iter().map(|id| Observed::new(broker("k", id), at)).collect::<Vec<_>>()
        };
        // Seen twice, a broker is still one.
        let observed =
            [seen(fresh, NOW), seen(fresh, ago(5)), seen(stale, ago(SILENCE + 1))].concat();
        let report = detector.examine(&observed, NOW);
        let found: Vec<_> =
            report.partial_clusters.iter().map(|gap| (gap.expected, gap.actual)).collect();
        assert_eq!(found, expected.map(|actual| (3, actual)).into_iter().collect::<Vec<_>>());
    };
    check(&[], &[], None);
    check(&[], &["1", "2", "3"], None);
    check(&["1"], &[], Some(1));
    check(&["1"], &["2", "7"], Some(1));
    check(&["1", "2"], &[], Some(2));
    // One that is not listed counts, and not for another cluster.
    check(&["1", "7"], &[], Some(2));
    check(&["1", "2", "7"], &[], None);
    check(&["1", "2", "3", "4"], &[], None);
}

#[test]
fn what_a_cluster_requires_is_what_is_listed_unless_it_says_more() {
    let text = "
        clusters = [{ name = 'k' }, { name = 'l' }]
        brokers = [{ clusterName = 'k', id = '1' }, { clusterName = 'k', id = '2' }]";
    let detector =
        Detector::new(Topology::load("t.toml", text).expect("valid"), Tolerance::default());
    let observed = [Observed::new(broker("k", "2"), NOW), Observed::new(broker("l", "1"), NOW)];
    let report = detector.examine(&observed, NOW);
    let gaps: Vec<_> =
        report.partial_clusters.iter().map(|gap| (gap.key, gap.expected, gap.actual)).collect();
    assert_eq!(gaps, [(&cluster("k"), 2, 1)]);
}

#[test]
fn settings_are_compared_where_they_are_known() {
    let check = |partitions, replication_factor, expected: &[(Field, u32, u32)]| {
        let detector = detector();
        let seen =
            Observed { partitions, replication_factor, ..Observed::new(topic("k", "t"), NOW) };
        let report = detector.examine(std::slice::from_ref(&seen), NOW);
        let found: Vec<_> =
            report.mismatches.iter().map(|gap| (gap.field, gap.expected, gap.actual)).collect();
        assert_eq!(found, expected);
        // It is there all the same.
        assert_eq!(report.coverage.by_kind[EntityKind::Topic].percent(), 100.0);
    };
    check(None, None, &[]);
    check(Some(12), Some(2), &[]);
    check(Some(11), None, &[(Field::Partitions, 12, 11)]);
    check(Some(12), Some(1), &[(Field::ReplicationFactor, 2, 1)]);
    check(Some(0), Some(3), &[(Field::Partitions, 12, 0), (Field::ReplicationFactor, 2, 3)]);
}

#[test]
fn of_several_observations_the_latest_counts_in_any_order() {
    let with = |last_seen, partitions| Observed {
        partitions,
        ..Observed::new(topic("k", "t"), last_seen)
    };
    let mut observed = vec![
        with(ago(2), Some(1)),
        with(ago(1), None),
        with(ago(1), Some(5)),
        with(ago(1), Some(4)),
        with(ago(SILENCE * 2), Some(12)),
    ];
    observed.extend((0..3).map(|n| Observed::new(topic("k", "other"), ago(n))));
    let summary = |observed: &[Observed]| {
        let detector = detector();
        let report = detector.examine(observed, NOW);
        let actual: Vec<u32> = report.mismatches.iter().map(|gap| gap.actual).collect();
        let unexpected: Vec<UnixNanos> =
            report.unexpected.iter().map(|seen| seen.last_seen).collect();
        (actual, unexpected)
    };
    for _ in 0..observed.len() {
        assert_eq!(summary(&observed), (vec![5], vec![NOW]));
        observed.rotate_left(1);
    }
    observed.reverse();
    assert_eq!(summary(&observed), (vec![5], vec![NOW]));
}

#[test]
fn what_nobody_asked_for_is_told_while_it_is_there() {
    let detector = detector();
    let mut observed = everything(NOW);
    let strange = [topic("k", "u"), topic("k2", "t"), cluster("K"), broker("k", "01")];
    observed.extend(strange.map(|key| Observed::new(key, NOW)));
    observed.push(Observed::new(topic("k", "gone"), ago(SILENCE + 1)));
    let report = detector.examine(&observed, NOW);
    let found: Vec<&EntityKey> = report.unexpected.iter().map(|seen| &seen.key).collect();
    assert_eq!(found, [&cluster("K"), &broker("k", "01"), &topic("k", "u"), &topic("k2", "t")]);
    assert_eq!(report.coverage.overall().percent(), 100.0);
}

#[test]
fn an_empty_topology_is_covered() {
    let detector = Detector::new(Topology::default(), Tolerance::default());
    let observed = everything(NOW);
    let report = detector.examine(&observed, NOW);
    assert_eq!(report.unexpected.len(), 5);
    assert_eq!(report.coverage.overall().percent(), 100.0);
    assert!(report.is_clean() && report.recommendations().is_empty());
}

#[test]
fn missing_entities_have_the_guid_that_they_will_report_with() {
    let account = AccountId::try_from(7).expect("valid");
    let detector = detector();
    let report = detector.examine(&[], NOW);
    let guids: BTreeMap<_, _> = report.missing_guids(account).collect();
    assert_eq!(guids.len(), 5);
    for (key, guid) in guids {
        assert_eq!(guid, EntityGuid::new(account, key));
    }
}

#[test]
fn every_trigger_has_its_recommendation() {
    let check = |observed: &[Observed], expected: &[(Code, Priority, Option<&str>)]| {
        let detector = detector();
        let report = detector.examine(observed, NOW);
        let all = report.recommendations();
        let found: Vec<_> =
            all.iter().map(|one| (one.code, one.priority, one.command.as_deref())).collect();
        assert_eq!(found, expected);
    };
    use Priority::{High, Low, Medium};
    let versions = "kafka-broker-api-versions.sh --bootstrap-server k-1:9092";
    let create = "kafka-topics.sh --bootstrap-server k-1:9092 --create --topic t --partitions 12 \
                  --replication-factor 2";
    let describe = "kafka-topics.sh --bootstrap-server k-1:9092 --describe --topic t";
    let group = "kafka-consumer-groups.sh --bootstrap-server k-1:9092 --describe --group g";
    check(
        &[],
        &[
            (Code::LowCoverage, High, None),
            (Code::NoBrokers, High, None),
            (Code::NoTopics, High, None),
            (Code::MissingCluster, High, Some(versions)),
            (Code::MissingBroker, Medium, Some(versions)),
            (Code::MissingBroker, Medium, Some(versions)),
            (Code::MissingTopic, Low, Some(create)),
            (Code::MissingConsumerGroup, Low, Some(group)),
        ],
    );
    let mut observed = everything(NOW);
    observed.push(Observed::new(broker("k", "3"), NOW));
    check(&observed, &[]);
    // 4 of 5 are exactly 80 %: not below.
    observed[3].last_seen = ago(SILENCE + 1);
    check(&observed, &[(Code::NoTopics, High, None), (Code::Stale, Low, Some(describe))]);
    let seen = |partitions, replication_factor| {
        let mut observed = everything(NOW);
        observed.push(Observed::new(broker("k", "3"), NOW));
        observed[3] = Observed { partitions, replication_factor, ..observed[3].clone() };
        observed
    };
    let alter = "kafka-topics.sh --bootstrap-server k-1:9092 --alter --topic t --partitions 12";
    check(&seen(Some(11), None), &[(Code::Mismatch, Low, Some(alter))]);
    check(&seen(Some(13), None), &[(Code::Mismatch, Low, Some(describe))]);
    check(&seen(None, Some(1)), &[(Code::Mismatch, Low, Some(describe))]);
    let two = everything(NOW);
    check(&two, &[(Code::PartialCluster, High, Some(versions))]);
}

#[test]
fn many_missing_entities_suggest_hybrid_mode() {
    let check = |count: usize, expected: bool| {
        let clusters = (0..count).map(|n| ClusterForm {
            provider: "kafka".to_owned(),
            name: format!("k{n}"),
            required_brokers: None,
            bootstrap_servers: Vec::new(),
        });
        let form = TopologyForm { clusters: clusters.collect(), ..TopologyForm::default() };
        let detector = Detector::new(Topology::new(form).expect("valid"), Tolerance::default());
        let report = detector.examine(&[], NOW);
        let codes: Vec<Code> = report.recommendations().iter().map(|one| one.code).collect();
        assert_eq!(codes.contains(&Code::ManyMissing), expected, "{count}");
    };
    check(5, false);
    check(6, true);
}

#[test]
fn codes_are_stable_and_differ() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let expected: Vec<String> = (1..=12).map(|number| format!("GAP{number:03}")).collect();
    assert_eq!(codes, expected);
}

/// An estate made from a topology with known gaps, in an order drawn at random.
fn inject(topology: &Topology, draw: &mut Draw) -> (Vec<Observed>, GroundTruth) {
    let mut observed = Vec::new();
    let mut truths = Vec::new();
    let mut fresh: BTreeMap<(Provider, String), u32> = BTreeMap::new();
    let mut listed = fresh.clone();
    for entity in topology.entities() {
        let can_differ = matches!(entity.plan, Plan::Topic { partitions: Some(_), .. });
        let truth = match draw.below(100) {
            0..15 => Truth::Missing,
            15..30 => Truth::Stale,
            30..60 if can_differ => Truth::Misconfigured,
            _ => Truth::Present,
        };
        truths.push(truth);
        let place = (entity.key.provider().clone(), entity.key.cluster().to_owned());
        if entity.key.kind() == EntityKind::Broker {
            *listed.entry(place.clone()).or_default() += 1;
            *fresh.entry(place).or_default() += u32::from(truth == Truth::Present);
        }
        if truth != Truth::Missing {
            let limit = if truth == Truth::Stale { SILENCE + 1 } else { 0 };
            let silent = limit + draw.below(if limit == 0 { 300_000_000_001 } else { 9 }) as i128;
            let mut seen = Observed::new(entity.key.clone(), ago(silent));
            if let Plan::Topic { partitions, replication_factor } = entity.plan {
                let more = u32::from(truth == Truth::Misconfigured);
                seen.partitions = partitions.map(|partitions| partitions + more);
                seen.replication_factor = *replication_factor;
            }
            observed.push(seen);
        }
    }
    let mut partial = std::collections::BTreeSet::new();
    for entity in topology.entities() {
        let Plan::Cluster { required_brokers, .. } = entity.plan else { continue };
        let place = (entity.key.provider().clone(), entity.key.cluster().to_owned());
        let wanted = required_brokers.or(listed.get(&place).copied()).unwrap_or(0);
        let there = fresh.get(&place).copied().unwrap_or(0);
        if there > 0 && there < wanted {
            partial.insert(entity.key.clone());
        }
    }
    let strangers = (0..draw.below(4)).map(|n| {
        // Named so that a careless join of the parts would take it for a neighbour.
        let (provider, cluster) = (Provider::Other("stranger".into()), format!("a:{n}"));
        Observed::new(EntityKey::Topic { provider, cluster, topic: "b".into() }, NOW)
    });
    observed.extend(strangers);
    for last in (1..observed.len()).rev() {
        observed.swap(last, draw.below(last + 1));
    }
    (observed, GroundTruth { entities: truths, partial_clusters: partial })
}

#[test]
fn every_injected_gap_is_found_and_no_other() {
    const SEEDS: u64 = 600;
    let mut accuracy = Accuracy::default();
    for seed in 0..SEEDS {
        let mut draw = Draw::new(seed);
        let topology = Topology::new(topology_form(&mut draw)).expect("valid");
        let (observed, truth) = inject(&topology, &mut draw);
        let detector = Detector::new(topology, Tolerance::default());
        let report = detector.examine(&observed, NOW);
        let judged = Accuracy::of(&report, &truth);
        let wrong = judged.overall().false_positives + judged.overall().false_negatives;
        assert_eq!(wrong, 0, "seed {seed}: {judged:?}");
        let fresh = truth
            .entities
            .iter()
            .filter(|truth| matches!(truth, Truth::Present | Truth::Misconfigured));
        assert_eq!(report.coverage.overall().fresh, fresh.count() as u64, "seed {seed}");
        assert_eq!(report.coverage.overall().desired(), truth.entities.len() as u64);
        accuracy.merge(&judged);
    }
    for (kind, judged) in accuracy.by_kind() {
        let both = judged.true_positives.min(judged.true_negatives);
        assert!(both >= 100, "{kind:?} was hardly tried: {judged:?}");
        let ratios = [judged.accuracy(), judged.precision(), judged.recall(), judged.f1()];
        assert_eq!(ratios, [1.0; 4], "{kind:?}");
    }
}

#[test]
fn a_detector_that_errs_is_found_out() {
    let detector = detector();
    let report = detector.examine(&[], NOW);
    let mut truth = GroundTruth {
        entities: vec![Truth::Missing; 5],
        partial_clusters: std::collections::BTreeSet::new(),
    };
    assert_eq!(Accuracy::of(&report, &truth).overall().f1(), 1.0);
    // One broker is there after all, one topic stale: two reports too many, one too few.
    truth.entities[1] = Truth::Present;
    truth.entities[3] = Truth::Stale;
    truth.partial_clusters.insert(cluster("k"));
    let judged = Accuracy::of(&report, &truth).overall();
    let counts = (judged.true_positives, judged.false_positives, judged.false_negatives);
    assert_eq!(counts, (3, 2, 2));
    assert_eq!((judged.precision(), judged.recall(), judged.f1()), (0.6, 0.6, 0.6));
    // What nobody asked for is a false positive.
    let stranger = topic("k", "stranger");
    let mut report = detector.examine(&[], NOW);
    report.missing[EntityKind::Topic].push(&stranger);
    truth.entities = vec![Truth::Missing; 5];
    truth.partial_clusters.clear();
    assert_eq!(Accuracy::of(&report, &truth).overall().false_positives, 1);
}
