//! Timelines: what is seen when, and what stands in for what.

use super::*;
use crate::domain::attribute::{AttributeId, AttributeValue};
use crate::domain::metric::MetricId;
use crate::domain::provider::Provider;
use crate::domain::units::{UnixMillis, UnixNanos};
use crate::hybrid::topology::{BrokerForm, ClusterForm, GroupForm, TopicForm, TopologyForm};
use crate::workload::Pattern;

const START: i64 = 1_767_600_000_000;
const TOLERANCE_MS: i64 = 300_000;

fn topology() -> Topology {
    let cluster_name = || "orders".to_owned();
    let form = TopologyForm {
        clusters: vec![ClusterForm {
            provider: "kafka".into(),
            name: cluster_name(),
            required_brokers: Some(2),
            bootstrap_servers: Vec::new(),
        }],
        brokers: ["1", "2"]
            .map(|id| BrokerForm { provider: None, cluster_name: cluster_name(), id: id.into() })
            .into(),
        topics: vec![TopicForm {
            provider: None,
            cluster_name: cluster_name(),
            name: "paid".into(),
            partitions: Some(6),
            replication_factor: Some(2),
        }],
        consumer_groups: vec![GroupForm {
            provider: None,
            cluster_name: cluster_name(),
            id: "billing".into(),
            topics: vec!["paid".into()],
        }],
        ..TopologyForm::default()
    };
    Topology::new(form).unwrap()
}

fn config() -> HybridConfig {
    HybridConfig {
        topology: topology(),
        tolerance: Duration::from_millis(TOLERANCE_MS as u64),
        filled_share_max: 1.0,
        filled_entities_max: 100,
        model: ModelConfig { seed: 1, pattern: Pattern::Flat, utc_offset_minutes: 0 },
        report_every: Duration::from_secs(60),
    }
}

fn manager(config: HybridConfig) -> HybridManager {
    HybridManager::new(config, AccountId::try_from(1).unwrap(), steady(0))
}

fn moment(after_ms: i64) -> Moment {
    Moment { at: UnixMillis(START + after_ms), window_ms: 15_000 }
}

fn steady(after_ms: i64) -> UnixNanos {
    UnixMillis(START + after_ms).into()
}

/// What a fleet with all desired entities but `absent` shows `after_ms`.
fn fleet(absent: &[&str], after_ms: i64) -> Vec<EntityState> {
    let topology = topology();
    let other = ModelConfig { seed: 99, pattern: Pattern::Flat, utc_offset_minutes: 0 };
    let mut states = FleetModel::new(other, &topology).states(&topology, moment(after_ms));
    states.retain(|state| !absent.contains(&state.key.name()));
    states.iter_mut().for_each(|state| state.data_source = DataSource::Infrastructure);
    states
}

fn names(states: &[EntityState]) -> Vec<&str> {
    states.iter().map(|state| state.key.name()).collect()
}

/// Cycles of a manager: after so many milliseconds, without these entities.
fn run(manager: &mut HybridManager, mode: Mode, cycles: &[(i64, &[&str])]) -> Vec<Addition> {
    let mut additions = Vec::new();
    for (after_ms, absent) in cycles {
        let real = fleet(absent, *after_ms);
        additions.push(manager.cycle(mode, &real, moment(*after_ms), steady(*after_ms)));
    }
    additions
}

#[test]
fn stand_ins_keep_the_relations_of_what_they_stand_for() {
    let mut watching = manager(config());
    let mut real = fleet(&[], 0);
    let is = |name: &'static str| move |state: &&mut EntityState| state.key.name() == name;
    real.iter_mut().find(is("paid")).unwrap().serving_brokers = vec![2, 9];
    let coordinator = AttributeValue::Integer(9);
    let group = real.iter_mut().find(is("billing")).unwrap();
    group.attributes.set(AttributeId::CoordinatorId, coordinator.clone());
    watching.cycle(Mode::Hybrid, &real, moment(0), steady(0));
    let later = TOLERANCE_MS + 1;
    let real = fleet(&["paid", "billing"], later);
    let states = watching.cycle(Mode::Hybrid, &real, moment(later), steady(later)).states;
    assert_eq!(names(&states), ["paid", "billing"]);
    assert_eq!(states[0].serving_brokers, [2, 9]);
    assert_eq!(states[1].attributes.get(AttributeId::CoordinatorId), Some(&coordinator));
    // Never seen, they have those of the model.
    let mut watching = manager(config());
    let gone: &[&str] = &["paid", "billing"];
    let cycles = [(0, gone), (later, gone)];
    let states = run(&mut watching, Mode::Hybrid, &cycles).pop().unwrap().states;
    assert_eq!(states[0].serving_brokers, [1, 2]);
    let coordinator = states[1].attributes.get(AttributeId::CoordinatorId);
    assert!(matches!(coordinator, Some(AttributeValue::Integer(1 | 2))), "{coordinator:?}");
}

#[test]
fn a_gap_is_filled_after_the_tolerance_and_left_at_once() {
    let check = |cycles: &[(i64, &[&str])], expected: &[&str]| {
        let mut manager = manager(config());
        let additions = run(&mut manager, Mode::Hybrid, cycles);
        let last = additions.last().unwrap();
        assert_eq!(names(&last.states), expected, "{cycles:?}");
        assert!(last.states.iter().all(|state| state.data_source == DataSource::GapFilled));
        let filled: u64 = last.report.as_ref().unwrap().filled.values().sum();
        assert_eq!(filled, expected.len() as u64);
    };
    let all: &[&str] = &[];
    check(&[(0, all)], &[]);
    // A restart within the tolerance is no gap.
    check(&[(0, all), (60_000, &["2"]), (120_000, all)], &[]);
    check(&[(0, all), (TOLERANCE_MS, &["2"])], &[]);
    check(&[(0, all), (TOLERANCE_MS + 1, &["2"])], &["2"]);
    check(&[(0, all), (TOLERANCE_MS + 1, &["2"]), (TOLERANCE_MS + 2, all)], &[]);
    // Never seen: missing once the watch has lasted longer than the tolerance.
    check(&[(0, &["paid"]), (TOLERANCE_MS, &["paid"])], &[]);
    check(&[(0, &["paid"]), (TOLERANCE_MS + 1, &["paid"])], &["paid"]);
    let everything: &[&str] = &["orders", "1", "2", "paid", "billing"];
    check(
        &[(0, everything), (TOLERANCE_MS + 1, everything)],
        &["1", "2", "paid", "billing", "orders"],
    );
    // A cluster that falls silent as a whole.
    check(&[(0, all), (TOLERANCE_MS + 1, everything)], &["1", "2", "paid", "billing", "orders"]);
}

/// A wall clock that leaps makes nothing stale, and one that is set back nothing fresh.
#[test]
fn silence_is_measured_by_a_clock_that_nobody_sets() {
    let check = |leap_ms: i64, passed_ms: i64, expected: &[&str]| {
        let mut manager = manager(config());
        let real = fleet(&[], 0);
        manager.cycle(Mode::Hybrid, &real, moment(0), steady(0));
        let real = fleet(&["2"], passed_ms + leap_ms);
        let addition =
            manager.cycle(Mode::Hybrid, &real, moment(passed_ms + leap_ms), steady(passed_ms));
        assert_eq!(names(&addition.states), expected, "{leap_ms} {passed_ms}");
    };
    check(3_600_000, 60_000, &[]);
    check(-3_600_000, 60_000, &[]);
    check(-3_600_000, TOLERANCE_MS + 1, &["2"]);
    check(3_600_000, TOLERANCE_MS, &[]);
}

#[test]
fn limits_hold_and_what_they_leave_is_counted() {
    let everything: &[&str] = &["orders", "1", "2", "paid", "billing"];
    let check = |share: f64, most: usize, filled: &[&str], unfilled: u64| {
        let config =
            HybridConfig { filled_share_max: share, filled_entities_max: most, ..config() };
        let mut manager = manager(config);
        let cycles = [(0, everything), (TOLERANCE_MS + 1, everything)];
        let additions = run(&mut manager, Mode::Hybrid, &cycles);
        assert_eq!(names(&additions[1].states), filled, "{share} {most}");
        assert_eq!(additions[1].report.as_ref().unwrap().unfilled, unfilled, "{share} {most}");
    };
    check(1.0, 100, &["1", "2", "paid", "billing", "orders"], 0);
    check(1.0, 2, &["1", "orders"], 3);
    check(0.2, 100, &["orders"], 4);
    check(0.6, 100, &["1", "2", "orders"], 2);
    check(0.0, 100, &[], 5);
    check(1.0, 0, &[], 5);
}

#[test]
fn a_stand_in_goes_on_from_what_was_said() {
    let mut manager = manager(config());
    let silent_at = 600_000;
    let cycles = [(silent_at, &[][..]), (silent_at + TOLERANCE_MS + 1, &["2", "paid", "billing"])];
    let additions = run(&mut manager, Mode::Hybrid, &cycles);
    let before = fleet(&[], silent_at);
    let mut examined = 0;
    for stand_in in &additions[1].states {
        let last = before.iter().find(|state| state.key == stand_in.key).unwrap();
        assert_eq!(stand_in.attributes, last.attributes);
        assert_eq!(stand_in.topics, last.topics);
        for (id, value) in last.metrics.iter() {
            let now = stand_in.metrics.get(id).expect("what was known stays known");
            let counts = matches!(id, MetricId::TOPIC_PARTITIONS | MetricId::BROKER_PARTITIONS);
            if counts {
                assert_eq!(now, value, "{id}");
            }
            if id == MetricId::BROKER_MESSAGES_IN || id == MetricId::TOPIC_MESSAGES_IN {
                assert!((now / value - 1.0).abs() < 0.11, "{id}: {value}, then {now}");
                examined += 1;
            }
        }
    }
    assert_eq!(examined, 2);
}

#[test]
fn modes_decide_what_is_added() {
    let everything: &[&str] = &["orders", "1", "2", "paid", "billing"];
    let cycles = [(0, everything), (TOLERANCE_MS + 1, everything)];
    let last = |mode| run(&mut manager(config()), mode, &cycles).pop().unwrap();
    let told = last(Mode::Infrastructure);
    assert!(told.states.is_empty());
    let report = told.report.unwrap();
    assert_eq!(report.missing.values().sum::<u64>(), 5);
    assert_eq!(report.coverage.overall().percent(), 0.0);
    let made_up = last(Mode::Simulation);
    assert_eq!(made_up.states.len(), 5);
    assert!(made_up.states.iter().all(|state| state.data_source == DataSource::Simulated));
    assert!(made_up.report.is_none() && made_up.events.is_empty());
}

#[test]
fn gaps_and_coverage_are_told_once_a_minute() {
    let mut manager = manager(config());
    let mut real = fleet(&["2"], TOLERANCE_MS + 1);
    for state in &mut real {
        if state.key.name() == "paid" {
            state.metrics.set(MetricId::TOPIC_PARTITIONS, 5.0);
        }
    }
    let stranger = EntityKey::Topic {
        provider: Provider::Kafka,
        cluster: "orders".into(),
        topic: "surprise".into(),
    };
    let mut unexpected = real.iter().find(|state| state.key.name() == "paid").unwrap().clone();
    unexpected.key = stranger;
    real.push(unexpected);
    let told =
        manager.cycle(Mode::Hybrid, &real, moment(TOLERANCE_MS + 1), steady(TOLERANCE_MS + 1));
    let text: Vec<String> =
        told.events.into_iter().map(|event| String::from_utf8(event.json).unwrap()).collect();
    insta::with_settings!({
        snapshot_path => "../../../snapshots/hybrid",
        prepend_module_to_snapshot => false,
        description => "A broker that never came, a topic with a partition too few, one that nobody asked for",
    }, {
        insta::assert_snapshot!("gap_and_coverage_events", text.join("\n"));
    });
    let again = manager.cycle(
        Mode::Hybrid,
        &real,
        moment(TOLERANCE_MS + 2_000),
        steady(TOLERANCE_MS + 2_000),
    );
    assert!(again.events.is_empty());
    let next = manager.cycle(
        Mode::Hybrid,
        &real,
        moment(TOLERANCE_MS + 60_001),
        steady(TOLERANCE_MS + 60_001),
    );
    assert!(!next.events.is_empty());
}

#[test]
fn what_is_silent_for_a_day_is_forgotten() {
    let mut manager = manager(config());
    let day = 24 * 3_600_000;
    let cycles = [(0, &[][..]), (day, &["2"]), (day + 1, &["2"])];
    let additions = run(&mut manager, Mode::Infrastructure, &cycles);
    let counts: Vec<(u64, u64)> = additions
        .iter()
        .map(|addition| addition.report.as_ref().unwrap())
        .map(|report| (report.stale, report.missing.values().sum()))
        .collect();
    assert_eq!(counts, [(0, 0), (1, 0), (0, 1)]);
}
