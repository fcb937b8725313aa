//! Snapshots for tests: after a cycle, with every room, with an open circuit.

use std::sync::Arc;
use std::time::Duration;

use crate::pipeline::monitor::{BreakerMonitor, MonitorConfig};
use crate::pipeline::testing::{ACCEPT, ScriptedSource, Step, TestWorld};
use crate::pipeline::{
    AlertStats, CoverageFigures, GapFigures, Moment, ResilienceSnapshot, Snapshot,
};
use crate::ports::Clock;
use crate::resilience::breaker::{BreakerConfig, BreakerRegistry, Measured, Outcome, StateKind};
use crate::resilience::limiter::LimiterStats;
use crate::resilience::pool::{Percentiles, PoolStats};
use crate::resilience::recovery::{
    Attempt, AttemptResult, ComponentKind, ComponentState, ComponentStats, Incident, OutcomeCounts,
    RecoveryStats, SystemState,
};
use crate::stream::spool::SpoolStats;

/// The snapshot after one cycle of `step` without any room, and that instant: 11 s after the
/// beginning.
pub(crate) fn after_cycle(step: Step) -> (Snapshot, Moment) {
    let world = TestWorld::new(&[], ACCEPT);
    let source = ScriptedSource::new(&world.clock, "kafka/orders", &[step]);
    let mut pipeline = world.pipeline(TestWorld::config(), vec![source]);
    let signal = world.shutdown.signal();
    // The run goes on waiting for the next start; it is dropped there.
    world.clock.run(async {
        let run = pipeline.run(crate::pipeline::Cycles::Forever, &signal);
        crate::rt::race(run, world.clock.sleep(Duration::from_secs(11))).await;
    });
    let now = Moment { monotonic: world.clock.monotonic(), wall: world.clock.wall() };
    let mut snapshot = pipeline.status().snapshot();
    // Whatever guards that pipeline: each test adds the rooms that it is about.
    snapshot.resilience = ResilienceSnapshot::default();
    (snapshot, now)
}

/// A component that always worked.
pub(crate) fn component(name: &str, kind: ComponentKind, breaker: &str) -> ComponentStats {
    let outcomes = OutcomeCounts { succeeded: 4, ..OutcomeCounts::default() };
    ComponentStats {
        name: name.to_owned(),
        kind,
        state: ComponentState::Healthy,
        critical: true,
        has_fallback: false,
        breaker: breaker.to_owned(),
        breaker_state: StateKind::Closed,
        successes: 4,
        failures: 0,
        retries: 0,
        fallbacks: 0,
        outcomes,
        rejected: 0,
        panics: 0,
        consecutive_failures: 0,
        last_error: None,
        last_result_at: Some(Duration::from_secs(10)),
        last_change_at: Some(Duration::from_secs(1)),
        incidents: 0,
        recovered: 0,
        recovery_time_total: Duration::ZERO,
        incident_age: None,
        active_recoveries: 0,
        recoveries_succeeded: 0,
        recoveries_failed: 0,
    }
}

/// `recovery` with `components`; the system is as its rules say.
pub(crate) fn recovery(components: Vec<ComponentStats>) -> RecoveryStats {
    let down = |one: &ComponentStats| {
        let broken = [ComponentState::CircuitOpen, ComponentState::Unhealthy];
        one.critical && !one.has_fallback && broken.contains(&one.state)
    };
    let system = if components.iter().any(down) {
        SystemState::Unhealthy
    } else if components.iter().all(|one| one.state == ComponentState::Healthy) {
        SystemState::Healthy
    } else {
        SystemState::Degraded
    };
    let outcomes = components.iter().map(|one| one.outcomes);
    RecoveryStats {
        system,
        mttr: None,
        recovery_rate: None,
        outcomes: outcomes.fold(OutcomeCounts::default(), OutcomeCounts::plus),
        active_recoveries: components.iter().map(|one| one.active_recoveries).sum(),
        queued_recoveries: 0,
        components,
    }
}

/// A registry with three breakers, of which `event-api` was opened at 8 s if `opened`, and what
/// the monitor heard.
fn breakers(opened: bool) -> (BreakerRegistry, BreakerMonitor) {
    let registry = BreakerRegistry::default();
    let began = Moment { monotonic: Duration::ZERO, wall: crate::ports::testing::EPOCH };
    let monitor = BreakerMonitor::new(MonitorConfig::default(), began);
    monitor.attach(&registry);
    for name in ["collector", "event-api", "webhook"] {
        let config = BreakerConfig::named(name).unwrap_or_default();
        let breaker = registry.get_or_create(name, config).expect("valid");
        let failures = if opened && name == "event-api" { 3 } else { 0 };
        let outcomes = std::iter::once(Outcome::Success)
            .chain((0..failures).map(|_| Outcome::Failure("HTTP 503".into())));
        for (second, outcome) in (5..).zip(outcomes) {
            let now = Duration::from_secs(second);
            let took = Some(Duration::from_millis(40));
            let permit = breaker.admit(|| now).expect("closed");
            permit.record(outcome, || Measured { now, took });
        }
    }
    (registry, monitor)
}

/// Adds every room to `snapshot`, all well.
pub(crate) fn guarded(snapshot: &mut Snapshot, now: Moment) {
    let (registry, monitor) = breakers(false);
    let resilience = &mut snapshot.resilience;
    resilience.breakers = registry.stats(now.monotonic);
    resilience.breaker_history = monitor.history();
    resilience.recovery = recovery(vec![
        component("collector", ComponentKind::Collector, "collector"),
        component("streamer", ComponentKind::Streamer, "event-api"),
        component("webhook", ComponentKind::ExternalApi, "webhook"),
    ]);
    let times = Percentiles { count: 4, ..Percentiles::default() };
    resilience.pool = Some(PoolStats {
        name: "posts".to_owned(),
        workers: 10,
        idle: 10,
        submitted: 4,
        completed: 4,
        wait: times,
        run: times,
        ..PoolStats::default()
    });
    resilience.spool = Some(SpoolStats { file_bytes: 65_536, commits: 2, ..SpoolStats::default() });
    let limiter = LimiterStats {
        rate_per_second: 1_666.0,
        burst: 100,
        available: 100,
        waiting: 0,
        tokens_total: 4,
        admitted_total: 4,
        waited_total: 0,
        wait_time_total: Duration::ZERO,
        refused_total: 0,
        cancelled_total: 0,
    };
    resilience.limiters = vec![("event-api".to_owned(), limiter)];
    resilience.alerts = Some(AlertStats::default());
    if let Some(report) = &mut snapshot.last_report {
        let whole = CoverageFigures { desired: 3, fresh: 3, ..CoverageFigures::default() };
        let coverage = [("MESSAGE_QUEUE_BROKER", whole)].into();
        Arc::make_mut(report).gaps = Some(GapFigures { coverage, ..GapFigures::default() });
    }
}

/// Adds every room to `snapshot` with New Relic's breaker open: the spool stands in.
pub(crate) fn open_circuit(snapshot: &mut Snapshot, now: Moment) {
    guarded(snapshot, now);
    let (registry, monitor) = breakers(true);
    let resilience = &mut snapshot.resilience;
    resilience.breakers = registry.stats(now.monotonic);
    resilience.breaker_history = monitor.history();
    if let Some(spool) = &mut resilience.spool {
        (spool.chunks, spool.chunk_bytes) = (2, 40_000);
    }
    resilience.recovery.components[1] = ComponentStats {
        state: ComponentState::CircuitOpen,
        has_fallback: true,
        breaker_state: StateKind::Open,
        failures: 1,
        last_error: Some("HTTP 503".to_owned()),
        incidents: 2,
        recovered: 1,
        active_recoveries: 1,
        ..component("streamer", ComponentKind::Streamer, "event-api")
    };
    resilience.recovery = RecoveryStats {
        mttr: Some(Duration::from_millis(1_500)),
        recovery_rate: Some(0.5),
        ..recovery(resilience.recovery.components.clone())
    };
    let streamer: Arc<str> = "streamer".into();
    resilience.recent_attempts = vec![Attempt {
        component: Arc::clone(&streamer),
        began_at: Duration::from_secs(3),
        ended_at: Duration::from_millis(3_040),
        probes: 1,
        result: AttemptResult::Recovered,
    }];
    resilience.incidents = vec![Incident {
        id: 2,
        component: streamer,
        began_at: Duration::from_secs(6),
        ended_at: None,
        worst: ComponentState::CircuitOpen,
        cause: Some("HTTP 503".to_owned()),
    }];
}
