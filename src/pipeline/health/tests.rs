//! Worst wins, components, availability, figures.

use proptest::prelude::*;

use super::fixture::{after_cycle, component, guarded, open_circuit, recovery};
use super::*;
use crate::pipeline::testing::Step;
use crate::pipeline::{Availability, Moment, Phase};
use crate::resilience::pool::PoolStats;
use crate::resilience::recovery::{ComponentKind, ComponentState};
use crate::stream::spool::{OpenReport, SpoolStats};

const QUICK: Step = Step::Brokers(3, Duration::from_millis(200));

fn status_of(health: &Health, component: &str) -> Option<HealthStatus> {
    health.components.iter().find(|one| one.name == component).map(|one| one.status)
}

fn check_of(health: &Health, check: &str) -> Option<HealthStatus> {
    health.checks.iter().find(|one| one.name == check).map(|one| one.status)
}

fn worst(health: &Health) -> HealthStatus {
    let checks = health.checks.iter().map(|check| check.status);
    let components = health.components.iter().map(|component| component.status);
    checks.chain(components).max().expect("there are checks")
}

#[test]
fn without_resilience_the_checks_make_the_components() {
    use HealthStatus::{Degraded, Healthy, Unhealthy};
    let ms = Duration::from_millis(5);
    // What the cycle did; the whole; collector, transformer, streamer.
    let cases = [
        (QUICK, Healthy, [Healthy, Healthy, Healthy]),
        (Step::Partial(2, ms), Degraded, [Degraded, Healthy, Healthy]),
        (Step::Invalid(2, ms), Degraded, [Healthy, Degraded, Healthy]),
        (Step::Fails(ms), Unhealthy, [Unhealthy, Healthy, Unhealthy]),
    ];
    for (step, whole, parts) in cases {
        let (snapshot, now) = after_cycle(step);
        let health = assess(&snapshot, now.monotonic);
        assert_eq!(health.status, whole, "{step:?}");
        let names = ["collector", "transformer", "streamer"];
        let statuses = names.map(|name| status_of(&health, name).expect("there"));
        assert_eq!(statuses, parts, "{step:?} {:?}", health.components);
        assert_eq!(status_of(&health, "spool"), None);
    }
}

#[test]
fn an_open_circuit_is_as_bad_as_what_stands_behind_it() {
    use HealthStatus::{Degraded, Healthy, Unhealthy};
    let states = ComponentState::Healthy;
    // State, critical, fallback; the component, the whole.
    let cases = [
        (states, true, false, Healthy, Healthy),
        (ComponentState::Degraded, true, false, Degraded, Degraded),
        (ComponentState::Unknown, true, false, Degraded, Degraded),
        (ComponentState::Unknown, false, false, Healthy, Healthy),
        (ComponentState::CircuitOpen, true, true, Degraded, Degraded),
        (ComponentState::CircuitOpen, false, false, Degraded, Degraded),
        (ComponentState::CircuitOpen, true, false, Unhealthy, Unhealthy),
        (ComponentState::Unhealthy, true, false, Unhealthy, Unhealthy),
    ];
    for (state, critical, has_fallback, own, whole) in cases {
        let (mut snapshot, now) = after_cycle(QUICK);
        let streamer = component("streamer", ComponentKind::Streamer, "event-api");
        let streamer = crate::resilience::recovery::ComponentStats {
            state,
            critical,
            has_fallback,
            ..streamer
        };
        snapshot.resilience.recovery = recovery(vec![streamer]);
        let health = assess(&snapshot, now.monotonic);
        let context = format!("{state:?} critical {critical} fallback {has_fallback}");
        assert_eq!(status_of(&health, "streamer"), Some(own), "{context}");
        assert_eq!(health.status, whole, "{context}");
    }
}

#[test]
fn a_part_is_as_bad_as_the_worst_of_its_entries() {
    let (mut snapshot, now) = after_cycle(QUICK);
    let entry = |name: &str, state, recoveries| crate::resilience::recovery::ComponentStats {
        state,
        critical: false,
        active_recoveries: recoveries,
        ..component(name, ComponentKind::Collector, name)
    };
    snapshot.resilience.recovery = recovery(vec![
        entry("collector/kafka/orders", ComponentState::Healthy, 0),
        entry("collector/kafka/payments", ComponentState::CircuitOpen, 1),
        entry("collectors", ComponentState::Healthy, 0),
    ]);
    let health = assess(&snapshot, now.monotonic);
    let names: Vec<&str> = health.components.iter().map(|one| one.name.as_str()).collect();
    let expected = ["collector", "transformer", "synthesizer", "streamer", "collectors"];
    assert_eq!(names, expected);
    let collector = &health.components[0];
    assert_eq!(collector.status, HealthStatus::Degraded);
    assert_eq!(collector.state, Some(ComponentState::CircuitOpen));
    assert_eq!(collector.active_recoveries, 1);
    assert!(collector.detail.starts_with("CIRCUIT_OPEN"), "{}", collector.detail);
}

#[test]
fn a_durable_queue_makes_an_outage_bearable_and_not_ready() {
    use HealthStatus::{Degraded, Unhealthy};
    let failing = SpoolStats { last_error: Some("disk full".to_owned()), ..SpoolStats::default() };
    let cases = [
        (None, Unhealthy, None),
        (Some(SpoolStats::default()), Degraded, Some(HealthStatus::Healthy)),
        (Some(failing), Unhealthy, Some(Degraded)),
    ];
    for (spool, newrelic, own) in cases {
        let (mut snapshot, now) = after_cycle(QUICK);
        snapshot.resilience.spool = spool;
        // Everything goes on but New Relic's acknowledgements.
        let late = now.monotonic + Duration::from_secs(600);
        let moment = Moment { monotonic: late, ..now };
        (snapshot.last_start, snapshot.last_collected) = (Some(moment), Some(moment));
        let health = assess(&snapshot, late);
        assert_eq!(check_of(&health, "newrelic"), Some(newrelic));
        assert_eq!(status_of(&health, "spool"), own);
        assert!(health.live && !health.ready);
        assert_eq!(health.status, newrelic);
    }
}

#[test]
fn rooms_show_in_their_checks() {
    use HealthStatus::{Degraded, Healthy};
    type Change = fn(&mut Snapshot);
    let cases: [(&str, Change, HealthStatus); 10] = [
        ("memory", |s| s.memory.held_bytes = s.memory.limit_bytes / 10 * 9, Healthy),
        ("memory", |s| s.memory.held_bytes = s.memory.limit_bytes, Degraded),
        ("memory", |s| s.memory.limit_bytes = 0, Healthy),
        ("spool", |_| {}, Healthy),
        (
            "spool",
            |s| {
                let lost = OpenReport { lost_bytes: 1, ..OpenReport::default() };
                let spool = SpoolStats { repaired: lost, ..SpoolStats::default() };
                s.resilience.spool = Some(spool);
            },
            Degraded,
        ),
        ("pool", |_| {}, Healthy),
        (
            "pool",
            |s| {
                let stuck = PoolStats { workers: 1, idle: 0, queued: 1, ..PoolStats::default() };
                s.resilience.pool = Some(stuck);
            },
            Degraded,
        ),
        ("breakers", |_| {}, Healthy),
        (
            "breakers",
            |s| {
                s.resilience.breakers[0].state = crate::resilience::breaker::StateKind::HalfOpen;
            },
            Degraded,
        ),
        (
            "entities",
            |s| {
                let mut report = (**s.last_report.as_ref().expect("a cycle")).clone();
                report.unsynthesized.insert("too_many_attributes".to_owned(), 1);
                s.last_report = Some(report.into());
            },
            Degraded,
        ),
    ];
    for (check, change, expected) in cases {
        let (mut snapshot, now) = after_cycle(QUICK);
        guarded(&mut snapshot, now);
        assert_eq!(assess(&snapshot, now.monotonic).status, Healthy);
        change(&mut snapshot);
        let health = assess(&snapshot, now.monotonic);
        assert_eq!(check_of(&health, check), Some(expected), "{check}");
        assert_eq!(health.status, expected, "{check}: {:?}", health.checks);
    }
}

#[test]
fn started_after_the_supervisor_and_the_first_cycle() {
    let (snapshot, now) = after_cycle(QUICK);
    let cases = [(0, false, false), (0, true, false), (1, true, false), (1, false, true)];
    for (completed, starting, expected) in cases {
        let mut snapshot = snapshot.clone();
        snapshot.completed = completed;
        snapshot.resilience.starting = starting.then(|| "spool".to_owned()).into_iter().collect();
        assert_eq!(assess(&snapshot, now.monotonic).started, expected, "{completed} {starting}");
    }
}

#[test]
fn figures_are_measured_or_absent() {
    let (mut snapshot, now) = after_cycle(QUICK);
    let health = assess(&snapshot, now.monotonic);
    // 3 brokers and their cluster in an interval of 15 s; nothing failed.
    assert_eq!(health.figures.entities_per_second, Some(4.0 / 15.0));
    assert_eq!(health.figures.error_rate, Some(0.0));
    // Up since the end of the cycle.
    assert_eq!(health.figures.uptime, Some(1.0));
    snapshot.last_report = None;
    snapshot.ledger = Default::default();
    snapshot.stream = Default::default();
    snapshot.availability = Availability::default();
    let figures = assess(&snapshot, now.monotonic).figures;
    assert_eq!(figures, HealthFigures::default());
    // 1 of 4 samples was rejected, 1 of 4 events was dropped.
    snapshot.ledger.collected.insert("broker".to_owned(), 4);
    snapshot.ledger.rejected.insert("no_identity".to_owned(), 1);
    snapshot.stream.enqueued = 4;
    snapshot.stream.dropped.insert(crate::stream::DropReason::BufferFull, 1);
    assert_eq!(assess(&snapshot, now.monotonic).figures.error_rate, Some(0.25));
}

/// Looks: second and state; share of the time between the first and the last.
type Looks<'a> = (&'a [(u64, bool)], Option<f64>);

#[test]
fn availability_counts_a_span_as_up_only_between_two_good_looks() {
    let cases: [Looks<'_>; 6] = [
        (&[], None),
        (&[(5, true)], None),
        (&[(5, true), (15, true)], Some(1.0)),
        (&[(5, true), (15, false)], Some(0.0)),
        (&[(0, true), (15, true), (30, false), (45, true), (60, true)], Some(0.5)),
        (&[(0, false), (15, true), (30, true)], Some(0.5)),
    ];
    for (looks, expected) in cases {
        let mut availability = Availability::default();
        for (second, up) in looks {
            availability.observe(Duration::from_secs(*second), *up);
        }
        assert_eq!(availability.share(), expected, "{looks:?}");
    }
}

#[test]
fn an_outage_lowers_the_uptime() {
    let (mut snapshot, now) = after_cycle(QUICK);
    snapshot.availability = Availability::default();
    snapshot.availability.observe(now.monotonic, true);
    // Nobody looked for ten minutes, in which everything stood still: that is no time up.
    let late = now.monotonic + Duration::from_secs(600);
    let health = assess(&snapshot, late);
    assert_eq!(health.status, HealthStatus::Unhealthy);
    snapshot.availability.observe(late, false);
    assert_eq!(assess(&snapshot, late).figures.uptime, Some(0.0));
}

proptest! {
    /// Whatever the components and breakers say, the whole is as well as the worst, and a system
    /// that is down is never shown as up.
    #[test]
    fn worst_wins(
        parts in prop::collection::vec((0_usize..5, any::<bool>(), any::<bool>()), 0..5),
        open in any::<bool>(),
        draining in any::<bool>(),
    ) {
        const STATES: [ComponentState; 5] = [
            ComponentState::Healthy, ComponentState::Unknown, ComponentState::Degraded,
            ComponentState::CircuitOpen, ComponentState::Unhealthy,
        ];
        let (mut snapshot, now) = BASE.with(Clone::clone);
        if open {
            open_circuit(&mut snapshot, now);
        }
        if draining {
            snapshot.phase = Phase::Draining;
        }
        let names = ["collector", "streamer", "spool", "transformer", "newrelic"];
        let components = parts.iter().zip(names).map(|((state, critical, fallback), name)| {
            crate::resilience::recovery::ComponentStats {
                state: STATES[*state],
                critical: *critical,
                has_fallback: *fallback,
                ..component(name, ComponentKind::ExternalApi, "event-api")
            }
        });
        let recovery = recovery(components.collect());
        let system = recovery.system;
        snapshot.resilience.recovery = recovery;
        let health = assess(&snapshot, now.monotonic);
        prop_assert_eq!(health.status, worst(&health));
        if system == crate::resilience::recovery::SystemState::Unhealthy {
            prop_assert_eq!(health.status, HealthStatus::Unhealthy);
        }
        for part in &snapshot.resilience.recovery.components {
            prop_assert!(health.components.iter().any(|one| one.name == part.name));
        }
    }
}

thread_local! {
    static BASE: (Snapshot, Moment) = after_cycle(QUICK);
}
