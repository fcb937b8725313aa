//! What each fault of a cluster's state does, undoes, and tells; laws through any of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    DescribeGroupsRequest, DescribeGroupsResponse, GroupId, ListGroupsRequest, ListGroupsResponse,
    RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use proptest::prelude::*;

use super::tests::{check_laws, fingerprint, specs};
use super::wire::{Connection, Outcome};
use super::*;

/// Monday 2026-01-05, 12:00 UTC.
const NOON: UnixMillis = UnixMillis(1_767_614_400_000);

fn fleet(spec: FleetSpec) -> Fleet {
    Fleet::new(spec, Seed(11), NOON).expect("the specification is possible")
}

fn calm() -> Fleet {
    fleet(FleetSpec { member_churn: false, ..FleetSpec::default() })
}

fn secs(seconds: u64) -> SimTime {
    SimTime::from_secs(seconds)
}

/// Leaders of all partitions: topic, partition, leader.
/// Topic, partition, leader.
type Place = (Arc<str>, usize, i32);

fn leaders(fleet: &Fleet) -> Vec<Place> {
    leaders_of(&fleet.metadata())
}

fn leaders_of(meta: &MetadataTruth) -> Vec<Place> {
    let of_topic = |topic: &MetadataTopic| {
        let name = Arc::clone(&topic.name);
        let leaders = topic.partitions.iter().map(|part| part.leader).enumerate();
        leaders.map(|(index, leader)| (Arc::clone(&name), index, leader)).collect::<Vec<_>>()
    };
    meta.topics.iter().flat_map(of_topic).collect()
}

fn under_replicated(fleet: &Fleet) -> usize {
    let meta = fleet.metadata();
    let parts = meta.topics.iter().flat_map(|topic| &topic.partitions);
    parts.filter(|part| part.isr.len() < part.replicas.len()).count()
}

fn lag(fleet: &Fleet, group: &str) -> i64 {
    fleet.committed(group).iter().map(|place| place.log_end - place.committed).sum()
}

/// A broker's answer to `request`.
fn ask<R: Request>(
    fleet: &Fleet,
    broker: i32,
    at: SimTime,
    version: i16,
    request: &R,
) -> R::Response {
    let mut frame = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("tester")));
    header.encode(&mut frame, R::header_version(version)).expect("header");
    request.encode(&mut frame, version).expect("request");
    let connection = Connection::new(broker, "/10.0.0.9");
    let Outcome::Reply(mut reply) = fleet.handle(&connection, frame.freeze(), at) else {
        panic!("no answer from broker {broker}");
    };
    reply.advance(4);
    let header = R::Response::header_version(version);
    ResponseHeader::decode(&mut reply, header).expect("response header");
    R::Response::decode(&mut reply, version).expect("response")
}

fn describe(fleet: &Fleet, broker: i32, at: SimTime, group: &str) -> i16 {
    let id = GroupId(StrBytes::from_string(group.to_owned()));
    let request = DescribeGroupsRequest::default().with_groups(vec![id]);
    let answer: DescribeGroupsResponse = ask(fleet, broker, at, 5, &request);
    answer.groups[0].error_code
}

fn coordinator(fleet: &Fleet, group: &str) -> i32 {
    let partition = coordinator_partition(group, 50);
    let index = usize::try_from(partition).expect("not negative");
    let found = leaders(fleet)
        .into_iter()
        .find(|(topic, at, _)| topic.as_ref() == OFFSETS_TOPIC && *at == index);
    found.expect("the offsets topic").2
}

#[test]
fn leaders_move_and_come_back() {
    let check = |topic: Option<&str>, share: f64, expected: usize| {
        let fleet = calm();
        let before = leaders(&fleet);
        let fault = FleetFault::LeaderMove { topic: topic.map(str::to_owned), share };
        fleet.begin_fault(secs(10), &fault);
        check_laws(&fleet);
        let moved = leaders(&fleet);
        let differs = |(one, other): &(&Place, &Place)| one != other;
        let changed: Vec<_> =
            before.iter().zip(&moved).filter(differs).map(|(one, _)| one).collect();
        assert_eq!(changed.len(), expected, "{topic:?} {share}");
        assert!(topic.is_none_or(|topic| changed.iter().all(|one| one.0.as_ref() == topic)));
        assert_eq!(under_replicated(&fleet), 0);
        // Preferred leaders do not take over again while the fault is in force.
        fleet.advance(secs(700));
        assert_eq!(leaders(&fleet), moved);
        fleet.end_fault(secs(700), &fault);
        assert_eq!(leaders(&fleet), before);
        let told = fleet.metadata_at(secs(11));
        assert_eq!(leaders_of(&told), moved, "the history knows");
    };
    check(Some("orders.created"), 1.0, 6);
    check(Some("orders.created"), 0.5, 3);
    check(Some("orders.created"), 0.0, 1);
    check(Some("no.such.topic"), 1.0, 0);
    check(None, 0.25, 28);
    check(None, 1.0, 110);
}

#[test]
fn a_single_replica_cannot_move() {
    let fleet = fleet(FleetSpec {
        brokers: 1,
        replication: 1,
        min_insync_replicas: 1,
        ..FleetSpec::default()
    });
    let before = leaders(&fleet);
    fleet.begin_fault(secs(5), &FleetFault::LeaderMove { topic: None, share: 1.0 });
    assert_eq!(leaders(&fleet), before);
    check_laws(&fleet);
}

#[test]
fn replicas_fall_behind_and_catch_up() {
    let fleet = calm();
    let before = leaders(&fleet);
    let fault = FleetFault::IsrShrink { broker: 2 };
    fleet.begin_fault(secs(10), &fault);
    check_laws(&fleet);
    let followed = before.iter().filter(|(_, _, leader)| *leader != 2).count();
    assert_eq!(under_replicated(&fleet), followed);
    let told: u64 =
        (1..=3).map(|id| fleet.broker_truth(id).expect("a broker").gauges.under_replicated).sum();
    assert_eq!(told, followed as u64);
    let shrinks: u64 =
        (1..=3).map(|id| fleet.broker_truth(id).expect("a broker").counters.isr_shrinks).sum();
    assert_eq!(shrinks, followed as u64);
    assert_eq!(leaders(&fleet), before, "it leads what it led");
    // Not even a restart brings it back in step.
    fleet.broker_down(2, secs(20));
    fleet.broker_up(2, secs(40));
    fleet.advance(secs(200));
    assert_eq!(under_replicated(&fleet), 110);
    fleet.end_fault(secs(200), &fault);
    fleet.advance(secs(260));
    assert_eq!(under_replicated(&fleet), 0);
    check_laws(&fleet);
}

#[test]
fn a_moved_coordinator_says_so_loads_and_serves() {
    let fleet = calm();
    let group = "orders-consumers-0";
    let old = coordinator(&fleet, group);
    let fault =
        FleetFault::CoordinatorMove { group: group.to_owned(), loading: Duration::from_secs(4) };
    fleet.begin_fault(secs(10), &fault);
    let new = coordinator(&fleet, group);
    assert_ne!(new, old);
    let check = |at: u64, broker: i32, expected: i16| {
        assert_eq!(
            describe(&fleet, broker, secs(at), group),
            expected,
            "broker {broker} at {at} s"
        );
    };
    let (loading, elsewhere) =
        (ResponseError::CoordinatorLoadInProgress.code(), ResponseError::NotCoordinator.code());
    check(11, old, elsewhere);
    check(12, new, loading);
    let listed: ListGroupsResponse = ask(&fleet, new, secs(12), 4, &ListGroupsRequest::default());
    assert_eq!((listed.error_code, listed.groups.len()), (loading, 0));
    check(14, new, 0);
    fleet.end_fault(secs(60), &fault);
    assert_eq!(coordinator(&fleet, group), old);
    check(61, new, elsewhere);
    check(62, old, loading);
    check(64, old, 0);
    // What was refused is no answer about the group: the journal has the two that were.
    let journal = fleet.take_journal();
    let about = |seen: &&Observation| match &seen.what {
        Observed::Groups { groups, .. } => groups.iter().any(|truth| truth.group.as_ref() == group),
        _ => false,
    };
    let answers: Vec<_> = journal.iter().filter(about).map(|seen| (seen.at, seen.broker)).collect();
    assert_eq!(answers, [(secs(14), new), (secs(64), old)]);
}

#[test]
fn a_storm_rebalances_until_it_ends() {
    let fleet = calm();
    let group: Arc<str> = Arc::from("orders-consumers-0");
    let fault =
        FleetFault::RebalanceStorm { group: group.to_string(), every: Duration::from_secs(8) };
    let generation = |fleet: &Fleet| fleet.lock().groups[&group].generation;
    let before = generation(&fleet);
    fleet.begin_fault(secs(10), &fault);
    let unstable = (10..90).filter(|at| {
        fleet.advance(secs(*at));
        check_laws(&fleet);
        fleet.lock().groups[&group].state != GroupState::Stable
    });
    let unstable = unstable.count();
    assert_eq!(generation(&fleet) - before, 10);
    assert!((30..60).contains(&unstable), "{unstable} of 80 s");
    fleet.end_fault(secs(90), &fault);
    fleet.advance(secs(100));
    let after = generation(&fleet);
    assert_eq!(fleet.lock().groups[&group].state, GroupState::Stable);
    fleet.advance(secs(300));
    assert_eq!(generation(&fleet), after);
}

#[test]
fn without_a_controller_nothing_is_decided() {
    let fleet = calm();
    fleet.begin_fault(secs(10), &FleetFault::ControllerLoss);
    assert_eq!(fleet.metadata().controller, None);
    let active = |fleet: &Fleet| -> u64 {
        (1..=3).map(|id| fleet.broker_truth(id).expect("a broker").gauges.active_controller).sum()
    };
    assert_eq!(active(&fleet), 0);
    // A crash is not noticed, not even by a controller elected on the way.
    fleet.broker_down(2, secs(20));
    fleet.advance(secs(45));
    assert_eq!(fleet.metadata().brokers.len(), 3);
    check_laws(&fleet);
    fleet.end_fault(secs(60), &FleetFault::ControllerLoss);
    assert_eq!((fleet.metadata().controller, active(&fleet)), (Some(1), 1));
    fleet.advance(secs(75));
    assert_eq!(fleet.metadata().brokers.len(), 2);
    check_laws(&fleet);
}

#[test]
fn a_full_log_volume_ends_the_process() {
    let check = |free_bytes: u64, seconds: Option<u64>| {
        let fleet = calm();
        let fault = FleetFault::LogDiskFull { broker: 3, free_bytes };
        assert_eq!(fleet.next_look(), None);
        fleet.begin_fault(secs(10), &fault);
        assert_eq!(fleet.lock().disk_free(3), free_bytes);
        assert_eq!(fleet.next_look(), Some(secs(11)));
        let mut died = None;
        for at in 10..40 {
            let gone = fleet.take_died(secs(at));
            check_laws(&fleet);
            died = died.or(gone.first().map(|id| (*id, at)));
        }
        assert_eq!(died, seconds.map(|at| (3, at)), "{free_bytes} bytes free");
        assert_eq!(fleet.was_up(3, secs(39)), died.is_none());
        fleet.end_fault(secs(40), &fault);
        assert_eq!(fleet.next_look(), None);
        fleet.broker_up(3, secs(40));
        assert!(fleet.take_died(secs(200)).is_empty());
        assert!(fleet.lock().disk_free(3) > 1 << 40);
        assert_eq!(under_replicated(&fleet), 0);
    };
    check(0, Some(10));
    // About 5,000 messages of 600 bytes a second.
    check(20 << 20, Some(15));
    check(10 << 30, None);
}

#[test]
fn stalled_consumers_fall_behind_and_catch_up() {
    let fleet = calm();
    let (stalled, other) = ("orders-consumers-0", "shipments-consumers-1");
    fleet.advance(secs(10));
    let before = lag(&fleet, stalled);
    let fault = FleetFault::ConsumerStall { group: stalled.to_owned() };
    fleet.begin_fault(secs(10), &fault);
    let committed = |fleet: &Fleet| -> Vec<i64> {
        fleet.committed(stalled).iter().map(|place| place.committed).collect()
    };
    let stood = committed(&fleet);
    fleet.advance(secs(130));
    assert_eq!(committed(&fleet), stood);
    let grown = lag(&fleet, stalled);
    assert!(grown > before + 50_000, "{before} {grown}");
    assert!(lag(&fleet, other) < grown / 2);
    let truth = fleet.lock().groups[stalled].state;
    assert_eq!(truth, GroupState::Stable, "its members stay");
    fleet.end_fault(secs(130), &fault);
    fleet.advance(secs(140));
    assert_ne!(committed(&fleet), stood);
}

#[test]
fn a_controlled_shutdown_leaves_no_gap() {
    let check = |broker: i32| {
        let fleet = calm();
        fleet.begin_fault(secs(10), &FleetFault::Restart { broker });
        check_laws(&fleet);
        assert!(!fleet.was_up(broker, secs(10)));
        let offline = leaders(&fleet).iter().filter(|(_, _, leader)| *leader < 0).count();
        assert_eq!(offline, 0, "of broker {broker}");
        assert!(leaders(&fleet).iter().all(|(_, _, leader)| *leader != broker));
        assert!(fleet.metadata().controller.is_some_and(|id| id != broker));
        assert!(fleet.metadata().brokers.iter().all(|known| known.id != broker));
        fleet.broker_up(broker, secs(30));
        fleet.end_fault(secs(30), &FleetFault::Restart { broker });
        fleet.advance(secs(90));
        assert_eq!((under_replicated(&fleet), fleet.metadata().brokers.len()), (0, 3));
        check_laws(&fleet);
    };
    check(1);
    check(2);
}

#[test]
fn a_broker_whose_clock_is_ahead_deletes_early() {
    let logs = |offset_ms: i64| -> Vec<(i64, i64)> {
        let fleet = calm();
        let fault = FleetFault::ClockSkew { broker: 1, offset_ms };
        fleet.begin_fault(secs(10), &fault);
        fleet.advance(secs(301));
        let topic = "orders.created";
        let part = |index| fleet.partition_log(topic, index).expect("a partition");
        (0..6).map(|index| (part(index).0, part(index).1)).collect()
    };
    let (right, behind, ahead) = (logs(0), logs(-86_400_000), logs(8 * 86_400_000));
    assert_eq!(right, behind);
    let leads = leaders(&calm());
    for (index, (right, ahead)) in right.iter().zip(&ahead).enumerate() {
        let leads = leads.iter().any(|(topic, at, leader)| {
            topic.as_ref() == "orders.created" && *at == index && *leader == 1
        });
        assert_eq!(right.1, ahead.1, "nothing else changes");
        assert_eq!(leads, right.0 < ahead.0, "partition {index}: {right:?} {ahead:?}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Down(i32),
    Up(i32),
    Begin(FleetFault),
    End(usize),
}

fn faults() -> impl Strategy<Value = FleetFault> {
    let broker = 1i32..7;
    let group =
        prop_oneof![Just("orders-consumers-0"), Just("shipments-consumers-1"), Just("nobody"),]
            .prop_map(str::to_owned);
    let topic = prop_oneof![Just(None), Just(Some("orders.created".to_owned()))];
    prop_oneof![
        (topic, 0.0f64..1.0).prop_map(|(topic, share)| FleetFault::LeaderMove { topic, share }),
        broker.clone().prop_map(|broker| FleetFault::IsrShrink { broker }),
        (group.clone(), 0u64..20).prop_map(|(group, s)| FleetFault::CoordinatorMove {
            group,
            loading: Duration::from_secs(s)
        }),
        (group.clone(), 0u64..20).prop_map(|(group, s)| FleetFault::RebalanceStorm {
            group,
            every: Duration::from_secs(s)
        }),
        Just(FleetFault::ControllerLoss),
        (broker.clone(), 0u64..50_000_000)
            .prop_map(|(broker, free_bytes)| FleetFault::LogDiskFull { broker, free_bytes }),
        group.prop_map(|group| FleetFault::ConsumerStall { group }),
        broker.clone().prop_map(|broker| FleetFault::Restart { broker }),
        (broker, -90_000_000i64..900_000_000)
            .prop_map(|(broker, offset_ms)| FleetFault::ClockSkew { broker, offset_ms }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1u64..60_000).prop_map(Step::Wait),
        1 => (1i32..6).prop_map(Step::Down),
        1 => (1i32..6).prop_map(Step::Up),
        3 => faults().prop_map(Step::Begin),
        2 => (0usize..8).prop_map(Step::End),
    ];
    prop::collection::vec(step, 1..40)
}

/// Carries `step` out on `fleet` at `now` (ms); `begun` keeps what is in force.
fn take(fleet: &Fleet, step: &Step, now: &mut u64, begun: &mut Vec<FleetFault>) {
    let at = SimTime::from_millis(*now);
    match step {
        Step::Wait(ms) => {
            *now += ms;
            fleet.advance(SimTime::from_millis(*now));
        }
        Step::Down(id) => fleet.broker_down(*id, at),
        Step::Up(id) => fleet.broker_up(*id, at),
        Step::Begin(fault) => {
            fleet.begin_fault(at, fault);
            begun.push(fault.clone());
        }
        Step::End(which) if *which < begun.len() => fleet.end_fault(at, &begun.remove(*which)),
        Step::End(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 80,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn laws_hold_through_any_faults(spec in specs(), steps in steps(), seed in any::<u64>()) {
        let fleet = Fleet::new(spec, Seed(seed), NOON).expect("possible");
        let (mut now, mut begun) = (0, Vec::new());
        for step in &steps {
            take(&fleet, step, &mut now, &mut begun);
            check_laws(&fleet);
        }
        // After every fault is over and has had its time, nothing is left of it.
        let at = SimTime::from_millis(now);
        begun.iter().for_each(|fault| fleet.end_fault(at, fault));
        (1..6).for_each(|id| fleet.broker_up(id, at));
        fleet.advance(SimTime::from_millis(now + 700_000));
        check_laws(&fleet);
        let meta = fleet.metadata();
        for partition in meta.topics.iter().flat_map(|topic| &topic.partitions) {
            prop_assert_eq!(&partition.isr, &partition.replicas);
            prop_assert!(partition.leader > 0);
        }
        prop_assert!(meta.controller.is_some());
        let replayed = fleet.metadata_at(SimTime::from_millis(now + 700_000));
        prop_assert_eq!(&replayed.topics, &meta.topics);
        prop_assert_eq!(&replayed.brokers, &meta.brokers);
        prop_assert_eq!(replayed.controller, meta.controller);
    }

    #[test]
    fn how_often_a_faulty_fleet_is_looked_at_changes_nothing(
        spec in specs(),
        steps in steps(),
        every in 1u64..5_000,
    ) {
        let (often, seldom) = (fleet(spec.clone()), fleet(spec));
        let (mut now, mut begun) = (0, Vec::new());
        let mut looked = 0;
        for step in &steps {
            if let Step::Wait(ms) = step {
                while looked < now + ms {
                    often.take_died(SimTime::from_millis(looked.max(now)));
                    looked = looked.max(now) + every;
                }
            }
            let (mut same, mut again) = (now, begun.clone());
            take(&often, step, &mut same, &mut again);
            take(&seldom, step, &mut now, &mut begun);
        }
        let at = SimTime::from_millis(now);
        often.take_died(at); seldom.take_died(at);
        prop_assert_eq!(fingerprint(&often), fingerprint(&seldom));
    }
}

#[test]
fn wire_faults_are_told_by_broker_and_begin() {
    let fleet = calm();
    let slow = FleetFault::Slow { broker: 2, delay: Duration::from_millis(300) };
    let stale = FleetFault::StaleMetadata { broker: 2 };
    fleet.begin_fault(secs(1), &slow);
    fleet.begin_fault(secs(2), &stale);
    fleet.begin_fault(secs(2), &FleetFault::IsrShrink { broker: 2 });
    assert_eq!(fleet.wire_faults(2), [(secs(1), slow.clone()), (secs(2), stale.clone())]);
    assert!(fleet.wire_faults(1).is_empty());
    fleet.end_fault(secs(3), &slow);
    assert_eq!(fleet.wire_faults(2), [(secs(2), stale)]);
}
