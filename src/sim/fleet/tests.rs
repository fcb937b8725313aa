//! Laws of the state machine, failover to the second, figures, and brokers behind real streams.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader};
use kafka_protocol::protocol::Encodable;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::group::{GroupState, range_share};
use super::*;
use crate::ports::Clock;
use crate::sim::workload::LoadCurve;

/// Monday 2026-01-05, 12:00 UTC.
const NOON: UnixMillis = UnixMillis(1_767_614_400_000);

fn fleet(spec: FleetSpec) -> Fleet {
    Fleet::new(spec, Seed(11), NOON).expect("the specification is possible")
}

fn secs(seconds: u64) -> SimTime {
    SimTime::from_secs(seconds)
}

/// Everything that evolves, as text.
pub(super) fn fingerprint(fleet: &Fleet) -> String {
    let state = fleet.lock();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        state.in_force,
        state.now,
        state.brokers,
        state.parts,
        state.groups,
        state.controller,
        state.events,
        state.history
    )
}

pub(super) fn check_laws(fleet: &Fleet) {
    let state = fleet.lock();
    for part in &state.parts {
        let place = format!("{}-{} at {}", state.topics[part.topic].name, part.index, state.now);
        assert!(part.isr.iter().all(|id| part.replicas.contains(id)), "isr ⊆ replicas: {place}");
        assert!(!part.isr.is_empty(), "somebody is in sync: {place}");
        assert!(part.leader == -1 || part.isr.contains(&part.leader), "leader ∈ isr: {place}");
        assert!(part.log_start <= part.log_end, "log start ≤ log end: {place}");
        assert_eq!(part.readable, state.is_up(part.leader), "readable: {place}");
        if let Some(broker) = state.broker(part.leader).filter(|_| part.readable) {
            assert!(!broker.fenced || part.leader == -1, "a fenced broker leads: {place}");
            assert_eq!(broker.topics[part.slot as usize].0, part.topic, "slot: {place}");
        }
    }
    for group in state.groups.values() {
        assert!(group.offsets.is_sorted_by_key(|place| place.part));
        for place in group.offsets.iter().filter(|_| group.synthetic) {
            let end = state.parts[place.part].log_end;
            assert!(place.committed <= place.position && place.position <= end, "{}", group.name);
        }
        let empty = group.members.is_empty();
        assert_eq!(empty, group.state == GroupState::Empty, "{}: {:?}", group.name, group.state);
    }
    for broker in &state.brokers {
        let mut sum = TopicCounters::default();
        for (_, counters) in &broker.topics {
            sum.messages_in += counters.messages_in;
            sum.bytes_in += counters.bytes_in;
            sum.bytes_out += counters.bytes_out;
            sum.produce_requests += counters.produce_requests;
            sum.fetch_requests += counters.fetch_requests;
            sum.failed_produce_requests += counters.failed_produce_requests;
            sum.failed_fetch_requests += counters.failed_fetch_requests;
        }
        assert_eq!(sum, broker.counters.all, "broker {} is the sum of its topics", broker.id);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Down(i32),
    Up(i32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1u64..60_000).prop_map(Step::Wait),
        (1i32..6).prop_map(Step::Down),
        (1i32..6).prop_map(Step::Up),
    ];
    prop::collection::vec(step, 1..25)
}

pub(super) fn specs() -> impl Strategy<Value = FleetSpec> {
    (1u32..6, 1u32..4, 1u32..5, 1u16..4, 0u32..4, 0u64..400).prop_map(
        |(brokers, topics, partitions, replication, groups, messages_per_second)| {
            let replication = replication.min(brokers as u16);
            FleetSpec {
                brokers,
                topics,
                partitions,
                replication,
                min_insync_replicas: replication.min(2),
                groups,
                messages_per_second,
                ..FleetSpec::default()
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn laws_hold_through_any_outages(spec in specs(), steps in steps(), seed in any::<u64>()) {
        let fleet = Fleet::new(spec, Seed(seed), NOON).expect("possible");
        check_laws(&fleet);
        let mut now = 0;
        for step in steps {
            match step {
                Step::Wait(ms) => now += ms,
                Step::Down(id) => fleet.broker_down(id, SimTime::from_millis(now)),
                Step::Up(id) => fleet.broker_up(id, SimTime::from_millis(now)),
            }
            fleet.advance(SimTime::from_millis(now));
            check_laws(&fleet);
        }
        // After everything is back and has had its time, nothing is missing.
        for id in 1..6 {
            fleet.broker_up(id, SimTime::from_millis(now));
        }
        fleet.advance(SimTime::from_millis(now + 400_000));
        check_laws(&fleet);
        let meta = fleet.metadata();
        for topic in &meta.topics {
            for partition in &topic.partitions {
                prop_assert_eq!(&partition.isr, &partition.replicas, "{}", topic.name);
                prop_assert!(partition.leader > 0, "{}", topic.name);
            }
        }
        prop_assert!(meta.controller.is_some());
    }

    #[test]
    fn how_often_it_is_looked_at_changes_nothing(
        spec in specs(),
        steps in steps(),
        cuts in prop::collection::vec(1u64..5_000, 0..40),
    ) {
        let (often, seldom) = (fleet(spec.clone()), fleet(spec));
        let (mut now, mut cuts) = (0, cuts.into_iter().cycle());
        for step in steps {
            let until = match step {
                Step::Wait(ms) => now + ms,
                _ => now,
            };
            let mut between = now;
            for cut in cuts.by_ref() {
                between += cut;
                if between >= until {
                    break;
                }
                often.advance(SimTime::from_millis(between));
                often.scrape(1, SimTime::from_millis(between), "");
                often.advance(SimTime::ZERO);
            }
            now = until;
            for fleet in [&often, &seldom] {
                match step {
                    Step::Wait(_) => fleet.advance(SimTime::from_millis(now)),
                    Step::Down(id) => fleet.broker_down(id, SimTime::from_millis(now)),
                    Step::Up(id) => fleet.broker_up(id, SimTime::from_millis(now)),
                }
            }
        }
        prop_assert_eq!(fingerprint(&often), fingerprint(&seldom));
        let at = SimTime::from_millis(now);
        prop_assert_eq!(often.scrape(1, at, ""), seldom.scrape(1, at, ""));
    }
}

#[test]
fn seeds_and_epochs_make_the_fleet() {
    let spec = FleetSpec::default();
    let make = |seed, epoch| {
        let fleet = Fleet::new(spec.clone(), Seed(seed), epoch).expect("possible");
        fleet.advance(secs(1_000));
        fingerprint(&fleet)
    };
    assert_eq!(make(1, NOON), make(1, NOON));
    assert_ne!(make(1, NOON), make(2, NOON));
    assert_ne!(make(1, NOON), make(1, NOON.plus_millis(43_200_000)));
}

#[test]
fn impossible_specifications_are_refused() {
    let check = |change: fn(&mut FleetSpec), expected: &str| {
        let mut spec = FleetSpec::default();
        change(&mut spec);
        let error = Fleet::new(spec, Seed(1), NOON).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(|s| s.brokers = 0, "brokers is 0");
    check(|s| s.brokers = 2, "replication 3 needs as many brokers, there are 2");
    check(|s| s.partitions = 0, "partitions is 0");
    check(|s| s.min_insync_replicas = 4, "min_insync_replicas 4 exceeds replication 3");
    check(|s| s.cluster = "Orders!".to_owned(), "cluster name `Orders!`");
    check(|s| s.timing.tick_ms = 0, "tick_ms is 0");
    check(|s| s.messages_per_second = u64::MAX, "messages_per_second");
    check(|s| (s.topics, s.partitions) = (100_000, 10_000), "topics × partitions");
}

#[test]
fn java_hashes_place_groups() {
    let check = |text: &str, expected: i32| assert_eq!(java_string_hash(text), expected, "{text}");
    check("", 0);
    check("a", 97);
    check("hello", 99_162_322);
    check("polygenelubricants", i32::MIN);
    check("grün", 3_185_949);
    assert_eq!(coordinator_partition("polygenelubricants", 50), 0);
    assert_eq!(coordinator_partition("hello", 50), 99_162_322 % 50);
}

#[test]
fn range_assignment_covers_each_partition_once() {
    let mut examined = 0;
    for partitions in 0..12 {
        for members in 1..8 {
            let all: Vec<i32> = (0..members)
                .flat_map(|position| range_share(partitions, position, members))
                .collect();
            assert_eq!(all, (0..partitions as i32).collect::<Vec<_>>());
            examined += 1;
        }
    }
    assert_eq!(examined, 84);
}

/// Topology facts: brokers listed, offline partitions, partitions out of sync, leaders on `id`.
fn facts(fleet: &Fleet, id: i32) -> (usize, usize, usize, usize) {
    let meta = fleet.metadata();
    let parts: Vec<_> = meta.topics.iter().flat_map(|topic| &topic.partitions).collect();
    (
        meta.brokers.len(),
        parts.iter().filter(|part| part.leader < 0).count(),
        parts.iter().filter(|part| part.isr.len() < part.replicas.len()).count(),
        parts.iter().filter(|part| part.leader == id).count(),
    )
}

#[test]
fn a_crash_is_noticed_repaired_and_undone() {
    let fleet = fleet(FleetSpec::default());
    let all = 50 + 60;
    let before = facts(&fleet, 2);
    assert_eq!((before.0, before.1, before.2), (3, 0, 0));
    assert!((30..45).contains(&before.3), "{before:?}");
    fleet.broker_down(2, SimTime::from_millis(10_500));
    let check = |ms: u64, expected: (usize, usize, usize, usize)| {
        fleet.advance(SimTime::from_millis(ms));
        assert_eq!(facts(&fleet, 2), expected, "at {ms} ms");
        check_laws(&fleet);
    };
    // Until its session ends nobody but its clients knows.
    check(19_499, before);
    check(19_500, (2, 0, all, 0));
    check(60_000, (2, 0, all, 0));
    fleet.broker_up(2, SimTime::from_millis(60_000));
    check(61_999, (2, 0, all, 0));
    check(62_000, (3, 0, all, 0));
    check(120_000, (3, 0, 0, 0));
    check(299_999, (3, 0, 0, 0));
    check(300_000, before);
    assert!(fleet.was_up(2, secs(10)) && !fleet.was_up(2, secs(30)) && fleet.was_up(2, secs(60)));
    let shrinks: u64 =
        (1..=3).map(|id| fleet.broker_truth(id).expect("broker").counters.isr_shrinks).sum();
    assert_eq!(shrinks, all as u64);
}

#[test]
fn leaders_drop_silent_followers_before_the_session_ends() {
    let timing = Timing { session_timeout_ms: 60_000, ..Timing::default() };
    let fleet = fleet(FleetSpec { timing, ..FleetSpec::default() });
    let before = facts(&fleet, 3);
    fleet.broker_down(3, secs(10));
    fleet.advance(SimTime::from_millis(39_999));
    assert_eq!(facts(&fleet, 3), before);
    fleet.advance(secs(40));
    let (brokers, offline, behind, led) = facts(&fleet, 3);
    assert_eq!((brokers, offline, led), (3, 0, before.3), "only the ISR knows");
    assert_eq!(behind, 110 - before.3);
    check_laws(&fleet);
    fleet.advance(secs(70));
    assert_eq!(facts(&fleet, 3), (2, 0, 110, 0));
}

#[test]
fn the_controller_fails_over() {
    let fleet = fleet(FleetSpec::default());
    fleet.broker_down(1, secs(10));
    let controller = |at: u64| {
        fleet.advance(secs(at));
        fleet.metadata().controller
    };
    assert_eq!(controller(11), Some(1));
    assert_eq!(controller(12), Some(2));
    // The new controller waits a whole session before it fences.
    assert_eq!(
        (facts(&fleet, 1).0, fleet.broker_truth(2).expect("2").gauges.active_controller),
        (3, 1)
    );
    fleet.advance(secs(21));
    assert_eq!(facts(&fleet, 1).0, 2);
    // Without a majority nobody decides anything.
    fleet.broker_down(2, secs(30));
    assert_eq!(controller(90), None);
    let lead = facts(&fleet, 2).3;
    assert!(lead > 0, "nobody took over from 2");
    fleet.broker_up(1, secs(100));
    assert_eq!(controller(103), Some(1));
    fleet.advance(secs(150));
    assert_eq!(facts(&fleet, 2).3, 0);
}

#[test]
fn the_past_can_be_looked_up() {
    let fleet = fleet(FleetSpec::default());
    let mut seen = Vec::new();
    for second in (0..400).step_by(7) {
        match second {
            14 => fleet.broker_down(1, secs(second)),
            63 => fleet.broker_up(1, secs(second)),
            70 => fleet.broker_down(3, secs(second)),
            210 => fleet.broker_up(3, secs(second)),
            _ => fleet.advance(secs(second)),
        }
        seen.push((second, fleet.metadata()));
    }
    let mut distinct = std::collections::BTreeSet::new();
    for (second, then) in seen {
        let MetadataTruth { controller, brokers, topics, .. } = fleet.metadata_at(secs(second));
        assert_eq!(controller, then.controller, "at {second} s");
        assert_eq!(brokers, then.brokers, "at {second} s");
        assert_eq!(topics, then.topics, "at {second} s");
        distinct.insert(then.version);
    }
    assert!(distinct.len() > 6, "{distinct:?}");
}

#[test]
fn serving_again_is_a_restart() {
    let fleet = fleet(FleetSpec::default());
    let counted = || fleet.broker_truth(2).expect("2").counters.all.messages_in;
    fleet.broker_serves(2, secs(0));
    fleet.advance(secs(30));
    assert!(counted() > 0);
    fleet.broker_serves(2, secs(30));
    assert_eq!(counted(), 0);
    fleet.broker_down(2, secs(40));
    fleet.broker_up(2, secs(50));
    let started = || fleet.broker_truth(2).expect("2").started_at;
    fleet.broker_serves(2, secs(51));
    assert_eq!(started(), secs(50), "the start was told before");
}

#[test]
fn a_partition_without_replicas_goes_offline_and_comes_back() {
    let spec = FleetSpec { replication: 1, min_insync_replicas: 1, ..FleetSpec::default() };
    let fleet = fleet(spec);
    let before = facts(&fleet, 3).3;
    fleet.broker_down(3, secs(5));
    fleet.advance(secs(20));
    let offline = facts(&fleet, 3).1;
    assert!(offline >= 20 && offline <= before, "{offline} of {before}");
    assert_eq!(fleet.broker_truth(1).expect("1").gauges.offline_partitions, offline as u64);
    fleet.broker_up(3, secs(30));
    fleet.advance(secs(33));
    assert_eq!(facts(&fleet, 3).1, 0);
}

#[test]
fn a_restart_resets_counters() {
    let fleet = fleet(FleetSpec::default());
    let truth = |at: u64| {
        fleet.advance(secs(at));
        fleet.broker_truth(3).expect("broker 3")
    };
    let before = truth(60);
    assert!(before.counters.all.messages_in > 1_000 && before.topics.len() > 5);
    fleet.broker_down(3, secs(60));
    fleet.broker_up(3, secs(61));
    let after = truth(61);
    assert_eq!((after.counters.all, after.started_at), (TopicCounters::default(), secs(61)));
    assert!(after.topics.is_empty(), "{:?}", after.topics);
    assert!(truth(400).counters.all.messages_in > 0, "preferred leader again");
}

#[test]
fn producers_are_exact() {
    let spec = FleetSpec { curve: LoadCurve::flat(), topics: 4, groups: 0, ..FleetSpec::default() };
    let fleet = fleet(spec);
    let ends = || -> BTreeMap<Arc<str>, i64> {
        let end = |topic: &Arc<str>| {
            (0..6).map(|p| fleet.partition_log(topic, p).expect("partition").1).sum()
        };
        let topics = fleet.topics().into_iter().filter(|t| &**t != OFFSETS_TOPIC);
        topics.map(|topic| (Arc::clone(&topic), end(&topic))).collect()
    };
    let before = ends();
    fleet.advance(secs(3_600));
    let after = ends();
    let grown: i64 = after.values().sum::<i64>() - before.values().sum::<i64>();
    let counted: u64 =
        (1..=3).map(|id| fleet.broker_truth(id).expect("broker").counters.all.messages_in).sum();
    assert_eq!(grown as u64, counted);
    // 4 topics at 20 % to 180 % of 500 a second, ±10 % skew, ±5 % noise.
    assert!((4 * 100 * 3_600 / 2..4 * 900 * 3_600).contains(&grown), "{grown}");
}

#[test]
fn producers_wait_for_a_leader_and_then_catch_up() {
    let spec = FleetSpec { curve: LoadCurve::flat(), groups: 0, ..FleetSpec::default() };
    let (calm, stormy) = (fleet(spec.clone()), fleet(spec));
    stormy.broker_down(3, secs(20));
    let total = |fleet: &Fleet, at: u64| -> i64 {
        fleet.advance(secs(at));
        let topics = fleet.topics();
        let ends = topics.iter().flat_map(|t| (0..6).filter_map(|p| fleet.partition_log(t, p)));
        ends.map(|(_, end, _)| end).sum()
    };
    assert!(total(&stormy, 28) < total(&calm, 28), "a third of the partitions takes nothing");
    assert_eq!(total(&stormy, 31), total(&calm, 31), "what was held back arrives");
}

#[test]
fn retention_moves_the_log_start_and_bounds_the_size() {
    let spec = FleetSpec { curve: LoadCurve::flat(), groups: 0, ..FleetSpec::default() };
    let fleet = fleet(spec);
    let hourly = {
        let state = fleet.lock();
        let found = state.topics.iter().find(|topic| topic.retention_ms == 3_600_000);
        Arc::clone(&found.expect("a topic with an hour's retention").name)
    };
    let at = |seconds: u64| {
        fleet.advance(secs(seconds));
        fleet.partition_log(&hourly, 0).expect("partition")
    };
    let (start, ..) = at(0);
    assert_eq!(at(2_900).0, start);
    let (later, end, size) = at(7_200);
    assert!(later > start && later < end);
    let (_, _, size_later) = at(14_400);
    let ratio = size_later as f64 / size as f64;
    assert!((0.9..1.1).contains(&ratio), "an hour's worth stays: {ratio}");
}

#[test]
fn lag_follows_from_offsets() {
    let spec = FleetSpec {
        groups: 10,
        topics: 5,
        member_churn: false,
        messages_per_second: 300,
        ..FleetSpec::default()
    };
    let fleet = fleet(spec);
    let lag = |group: &str| -> i64 {
        fleet.committed(group).iter().map(|c| c.log_end - c.committed).sum()
    };
    let groups = fleet.groups();
    fleet.advance(secs(600));
    let early: Vec<i64> = groups.iter().map(|group| lag(group)).collect();
    fleet.advance(secs(3_600));
    let late: Vec<i64> = groups.iter().map(|group| lag(group)).collect();
    assert!(early.iter().all(|lag| *lag >= 0));
    let growing = early.iter().zip(&late).filter(|(a, b)| *b - *a > 10_000).count();
    let steady = late.iter().filter(|lag| **lag < 30_000).count();
    // Monday at one o'clock is the week's peak: groups sized for less fall behind.
    assert!(growing >= 1 && steady >= 1, "{early:?} {late:?}");
}

#[test]
fn members_come_and_go() {
    let spec = FleetSpec { groups: 3, ..FleetSpec::default() };
    let fleet = fleet(spec);
    fleet.advance(secs(4 * 3_600));
    let states: Vec<_> = fleet
        .history()
        .into_iter()
        .filter_map(|entry| match entry.change {
            Change::GroupState { state, generation, .. } => Some((state, generation)),
            _ => None,
        })
        .collect();
    for state in ["PreparingRebalance", "CompletingRebalance", "Stable"] {
        assert!(states.iter().any(|(seen, _)| *seen == state), "{state}");
    }
    assert!(states.iter().any(|(_, generation)| *generation > 3));
}

#[test]
fn a_scrape_says_what_the_journal_says() {
    let fleet = fleet(FleetSpec::default());
    let page = fleet.scrape(2, secs(95), "collector/1").expect("it runs");
    let series: BTreeMap<&str, f64> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').expect("name value"))
        .map(|(name, value)| (name, value.parse().expect("a number")))
        .collect();
    let journal = fleet.take_journal();
    let Observed::Scrape(truth) = &journal[0].what else { panic!("{journal:?}") };
    assert_eq!(
        (journal[0].at, journal[0].broker, &*journal[0].client_id),
        (secs(95), 2, "collector/1")
    );
    let check = |name: &str, expected: f64| assert_eq!(series.get(name), Some(&expected), "{name}");
    let count = |value: u64| super::gauges::to_f64(value);
    let all = &truth.counters.all;
    check("kafka_server_brokertopicmetrics_messagesin_total", count(all.messages_in));
    check("kafka_server_brokertopicmetrics_bytesin_total", count(all.bytes_in));
    check("kafka_server_brokertopicmetrics_bytesout_total", count(all.bytes_out));
    check("kafka_server_brokertopicmetrics_bytesrejected_total", 0.0);
    for (topic, counters) in &truth.topics {
        let name = format!("kafka_server_brokertopicmetrics_messagesin_total{{topic=\"{topic}\"}}");
        check(&name, count(counters.messages_in));
    }
    let requests: f64 = series
        .iter()
        .filter(|(name, _)| {
            name.starts_with("kafka_network_requestmetrics_requests_total{request=\"Produce\"")
        })
        .map(|(_, value)| value)
        .sum();
    assert_eq!(requests, count(truth.counters.requests_produce));
    let gauges = &truth.gauges;
    check("java_lang_operatingsystem_cpuload", gauges.cpu_load);
    check("jvm_memory_used_bytes{area=\"heap\"}", count(gauges.heap_used_bytes));
    check("kafka_server_replicamanager_partitioncount", count(gauges.partition_count));
    check("kafka_server_replicamanager_leadercount", count(gauges.leader_count));
    check("kafka_controller_kafkacontroller_activecontrollercount", 0.0);
    let p99 = "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"Produce\"}";
    check(p99, gauges.produce_p99_ms);
    let idle = "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent";
    check(idle, gauges.handler_idle);
    let sizes = series.keys().filter(|name| name.starts_with("kafka_log_log_size{")).count();
    assert_eq!(sizes as u64, gauges.partition_count);
    // Families are announced once and in order of name within Kafka's beans.
    let families: Vec<_> = page.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let unique: std::collections::BTreeSet<_> = families.iter().collect();
    assert_eq!(unique.len(), families.len());
    fleet.set_journal(false);
    assert!(fleet.scrape(2, secs(96), "").is_some());
    assert!(fleet.take_journal().is_empty());
    fleet.broker_down(2, secs(97));
    assert_eq!(fleet.scrape(2, secs(97), ""), None);
    assert_eq!(fleet.scrape(9, secs(97), ""), None);
}

/// A clock that jumps to the end of each sleep.
#[derive(Clone, Default)]
struct JumpingClock(Arc<AtomicU64>);

impl Clock for JumpingClock {
    fn wall(&self) -> UnixMillis {
        NOON
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.monotonic() + duration;
        // Let whoever can go on without time go first.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.0.fetch_max(until.as_nanos() as u64, Ordering::Relaxed);
    }
}

async fn talk(fleet: &Fleet, input: &[&[u8]]) -> Vec<u8> {
    let (mut client, server): (DuplexStream, DuplexStream) = tokio::io::duplex(64);
    let clock = server::test_clock(JumpingClock::default());
    let connection = wire::Connection::new(1, "/10.0.0.1");
    let serving = server::serve_connection(server, fleet, connection, &clock);
    let asking = async move {
        for part in input {
            // A broker that hangs up early ends the writing.
            if client.write_all(part).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        answer
    };
    tokio::join!(serving, asking).1
}

fn api_versions_frame() -> Vec<u8> {
    let mut out = BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(18).with_correlation_id(5);
    header.encode(&mut out, 1).expect("header");
    ApiVersionsRequest::default().encode(&mut out, 0).expect("request");
    let mut framed = (out.len() as i32).to_be_bytes().to_vec();
    framed.extend_from_slice(&out);
    framed
}

#[tokio::test(flavor = "current_thread")]
async fn streams_are_cut_into_frames() {
    let fleet = fleet(FleetSpec::default());
    let frame = api_versions_frame();
    let two = [frame.clone(), frame.clone()].concat();
    let once = talk(&fleet, &[&frame]).await;
    assert_eq!(once[4..8], 5i32.to_be_bytes());
    assert_eq!(talk(&fleet, &[&two]).await, [once.clone(), once.clone()].concat());
    let bytes: Vec<&[u8]> = frame.chunks(1).collect();
    assert_eq!(talk(&fleet, &bytes).await, once);
    assert!(fleet.closed_connections(1).is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn bad_streams_are_closed_with_a_counted_reason() {
    let fleet = fleet(FleetSpec::default());
    let frame = api_versions_frame();
    talk(&fleet, &[&frame[..9]]).await;
    talk(&fleet, &[b"\xff\xff\xff\xff"]).await;
    talk(&fleet, &[b"\x7f\xff\xff\xff garbage"]).await;
    talk(&fleet, &[b"GET /metrics HTTP/1.1\r\n\r\n"]).await;
    talk(&fleet, &[b"\0\0\0\x0a\x7f\x7f\0\0\0\0\0\0\xff\xff"]).await;
    let expected =
        [("frame_too_large", 2), ("invalid_length", 1), ("truncated", 1), ("unknown_api", 1)];
    assert_eq!(fleet.closed_connections(1), expected);
    assert_eq!(fleet.broker_truth(1).expect("1").counters.connections_closed, 5);
}
