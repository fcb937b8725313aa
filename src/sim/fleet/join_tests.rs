//! Brokers that join, partitions that move to them, surges of load.

use std::time::Duration;

use proptest::prelude::*;

use super::tests::check_laws;
use super::*;
use crate::sim::workload::{LoadCurve, Surge};

/// Monday 2026-01-05, 12:00 UTC.
const NOON: UnixMillis = UnixMillis(1_767_614_400_000);

fn secs(seconds: u64) -> SimTime {
    SimTime::from_secs(seconds)
}

fn growing(joins: Vec<Join>) -> Fleet {
    let spec = FleetSpec { joins, topics: 4, messages_per_second: 20, ..FleetSpec::default() };
    Fleet::new(spec, Seed(11), NOON).expect("the specification is possible")
}

fn join(at: u64, brokers: u32, topics: u32, reassign: bool) -> Join {
    Join { at: secs(at), brokers, topics, reassign }
}

/// Partitions, and how many of them have more replicas than three, or some out of sync.
fn census(meta: &MetadataTruth) -> (usize, usize, usize) {
    let parts: Vec<_> = meta.topics.iter().flat_map(|topic| &topic.partitions).collect();
    let moving = parts.iter().filter(|part| part.replicas.len() > 3).count();
    let behind = parts.iter().filter(|part| part.isr.len() < part.replicas.len()).count();
    (parts.len(), moving, behind)
}

/// Replicas and leaders on broker `id`.
fn held(meta: &MetadataTruth, id: i32) -> (usize, usize) {
    let parts = || meta.topics.iter().flat_map(|topic| &topic.partitions);
    let replicas = parts().filter(|part| part.replicas.contains(&id)).count();
    (replicas, parts().filter(|part| part.leader == id).count())
}

#[test]
fn later_brokers_are_nobody_before_they_join() {
    let fleet = growing(vec![join(10, 2, 0, true), join(20, 1, 0, true)]);
    assert_eq!(fleet.broker_ids(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(fleet.joined_ids(), [1, 2, 3]);
    let starts: Vec<_> = fleet.spec().later_starts().into_iter().collect();
    assert_eq!(starts, [(4, secs(10)), (5, secs(10)), (6, secs(20))]);
    fleet.broker_up(4, secs(10));
    fleet.broker_up(5, secs(10));
    fleet.advance(secs(11));
    assert_eq!(fleet.metadata().brokers.len(), 3, "it starts, and is not yet part of it");
    assert_eq!(fleet.joined_ids(), [1, 2, 3, 4, 5]);
    fleet.advance(secs(13));
    let ids = |at: u64| -> Vec<i32> {
        fleet.metadata_at(secs(at)).brokers.iter().map(|broker| broker.id).collect()
    };
    assert_eq!((ids(9), ids(11), ids(12)), (vec![1, 2, 3], vec![1, 2, 3], vec![1, 2, 3, 4, 5]));
    assert!(!fleet.was_up(4, secs(9)) && fleet.was_up(4, secs(10)) && !fleet.was_up(6, secs(13)));
    check_laws(&fleet);
}

#[test]
fn partitions_spread_over_those_who_joined() {
    let fleet = growing(vec![join(10, 3, 2, true)]);
    (4..=6).for_each(|id| fleet.broker_up(id, secs(10)));
    fleet.advance(SimTime::from_millis(12_001));
    let (all, moving, behind) = census(&fleet.metadata());
    assert_eq!(all, 50 + 4 * 6 + 2 * 6, "two topics are new");
    assert!(moving > all / 3, "{moving} of {all}");
    assert_eq!(moving, behind, "none has copied its log yet");
    // Brokers' own gauges do not count replicas that are only being added.
    let told: u64 =
        (1..=6).map(|id| fleet.broker_truth(id).expect("a broker").gauges.under_replicated).sum();
    assert_eq!(told, 0);
    let mut moved_at = None;
    for at in 13..200 {
        fleet.advance(secs(at));
        check_laws(&fleet);
        let meta = fleet.metadata();
        assert_eq!(fleet.metadata_at(secs(at)).topics, meta.topics, "the history knows");
        if moved_at.is_none() && census(&meta) == (all, 0, 0) {
            moved_at = Some(at);
        }
    }
    assert!(moved_at.is_some_and(|at| (15..180).contains(&at)), "{moved_at:?}");
    let meta = fleet.metadata();
    for id in 1..=6 {
        let (replicas, leaders) = held(&meta, id);
        // 86 partitions, three replicas each, six brokers: 43 replicas and 14 leaders.
        assert!((33..=53).contains(&replicas) && (8..=22).contains(&leaders), "{id}: {leaders}");
    }
}

#[test]
fn without_reassignment_old_partitions_stay() {
    let fleet = growing(vec![join(10, 3, 2, false)]);
    (4..=6).for_each(|id| fleet.broker_up(id, secs(10)));
    fleet.advance(secs(100));
    let meta = fleet.metadata();
    assert_eq!(census(&meta), (86, 0, 0));
    let held: usize = (4..=6).map(|id| held(&meta, id).0).sum();
    assert!((1..=36).contains(&held), "only the new topics: {held}");
}

#[test]
fn impossible_growth_is_refused() {
    let spec = FleetSpec { joins: vec![join(1, 5_000, 0, true)], ..FleetSpec::default() };
    let refused = spec.validate().map_err(|error| error.to_string());
    assert_eq!(
        refused,
        Err("brokers at the start and later is 5003: give a value from 1 to 5000".to_owned())
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn laws_hold_while_partitions_move(
        steps in prop::collection::vec((1u64..20_000, 1i32..7, any::<bool>()), 1..25),
    ) {
        let fleet = growing(vec![join(10, 3, 1, true)]);
        (4..=6).for_each(|id| fleet.broker_up(id, secs(10)));
        let mut now = 10_000;
        for (wait, id, up) in steps {
            now += wait;
            let at = SimTime::from_millis(now);
            if up { fleet.broker_up(id, at) } else { fleet.broker_down(id, at) }
            check_laws(&fleet);
        }
        (1..=6).for_each(|id| fleet.broker_up(id, SimTime::from_millis(now)));
        fleet.advance(SimTime::from_millis(now + 700_000));
        check_laws(&fleet);
        prop_assert_eq!(census(&fleet.metadata()), (80, 0, 0));
    }
}

#[test]
fn a_surge_multiplies_what_is_produced() {
    let messages = |factor_ppm: Option<u64>| -> Vec<u64> {
        let surge =
            |factor_ppm| Surge { from: secs(90), lasts: Duration::from_secs(60), factor_ppm };
        let surges = factor_ppm.into_iter().map(surge).collect();
        let curve = LoadCurve { surges, ..LoadCurve::flat() };
        let spec = FleetSpec { curve, groups: 0, ..FleetSpec::default() };
        let fleet = Fleet::new(spec, Seed(11), NOON).expect("possible");
        let sum = |at: u64| -> u64 {
            fleet.advance(secs(at));
            let of = |id| fleet.broker_truth(id).expect("a broker").counters.all.messages_in;
            (1..=3).map(of).sum()
        };
        let (a, b, c, d) = (sum(30), sum(90), sum(150), sum(180));
        vec![a, b - a, c - b, d - c]
    };
    let (usual, surged) = (messages(None), messages(Some(3_000_000)));
    assert_eq!(usual[..2], surged[..2], "before it begins");
    assert!(surged[2].abs_diff(3 * usual[2]) < usual[2] / 100, "{usual:?} {surged:?}");
    assert!(surged[3].abs_diff(usual[3]) < usual[3] / 100, "{usual:?} {surged:?}");
}
