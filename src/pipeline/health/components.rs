//! Components: what the checks and the recovery account say of each part of the pipeline.
//!
//! Invariant: a component is as well as the worst of its checks and of its entries in the recovery
//! account. A part may have several entries there, such as one collector per source: `collector`
//! and everything below `collector/`. An entry that does not work is unhealthy if the system is
//! down with it, and degraded if the system goes on, because it is optional or something answers
//! in its place.

use std::time::Duration;

use super::{HealthCheck, HealthStatus};
use crate::domain::units::UnixMillis;
use crate::pipeline::status::Snapshot;
use crate::resilience::breaker::StateKind;
use crate::resilience::recovery::{ComponentState, ComponentStats, SystemState};

/// One part of the pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentHealth {
    /// Its name.
    pub name: String,
    /// How well it is.
    pub status: HealthStatus,
    /// Why, in the words of the worst check.
    pub detail: String,
    /// When it was last seen at work: its last result, or else the end of the last cycle.
    pub last_check: LastCheck,
    /// Its worst state in the recovery account.
    pub state: Option<ComponentState>,
    /// The breaker in front of it; the worst one if there are several.
    pub breaker: Option<(String, StateKind)>,
    /// Recovery attempts under way.
    pub active_recoveries: u64,
}

/// When a component was last seen at work, on the clock that told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastCheck {
    /// Not yet.
    Never,
    /// Monotonic.
    Monotonic(Duration),
    /// Wall clock.
    Wall(UnixMillis),
}

/// Which checks speak of which component.
const PARTS: [(&str, &[&str]); 5] = [
    ("collector", &["collection", "source/"]),
    ("transformer", &["samples"]),
    ("synthesizer", &["entities"]),
    ("streamer", &["newrelic", "buffer", "memory"]),
    ("spool", &["spool"]),
];

/// All components, given all checks.
pub(super) fn components(snapshot: &Snapshot, checks: &[HealthCheck]) -> Vec<ComponentHealth> {
    let registered = &snapshot.resilience.recovery.components;
    let mut components = Vec::new();
    for (name, prefixes) in PARTS {
        let about = |check: &&HealthCheck| prefixes.iter().any(|p| speaks_of(p, &check.name));
        let checks: Vec<&HealthCheck> = checks.iter().filter(about).collect();
        let own: Vec<&ComponentStats> =
            registered.iter().filter(|one| belongs_to(name, &one.name)).collect();
        if !checks.is_empty() || !own.is_empty() {
            components.push(component(snapshot, name, &checks, &own));
        }
    }
    let is_part = |one: &&ComponentStats| PARTS.iter().any(|(part, _)| belongs_to(part, &one.name));
    for other in registered.iter().filter(|one| !is_part(one)) {
        components.push(component(snapshot, &other.name, &[], &[other]));
    }
    components
}

/// Whether the recovery account's entry `name` is of `part`.
fn belongs_to(part: &str, name: &str) -> bool {
    name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A prefix that ends with a slash stands for all checks below it.
fn speaks_of(prefix: &str, check: &str) -> bool {
    if prefix.ends_with('/') { check.starts_with(prefix) } else { check == prefix }
}

fn component(
    snapshot: &Snapshot,
    name: &str,
    checks: &[&HealthCheck],
    registered: &[&ComponentStats],
) -> ComponentHealth {
    // The first of the worst, in the order of the checks.
    let mut worst: (HealthStatus, &str) = (HealthStatus::Healthy, "");
    for check in checks {
        if check.status > worst.0 || worst.1.is_empty() {
            worst = (check.status, &check.detail);
        }
    }
    let (mut status, mut detail) = (worst.0, worst.1.to_owned());
    for own in registered {
        let recovery = status_of(own, snapshot.resilience.recovery.system, snapshot.completed > 0);
        if recovery > status || detail.is_empty() {
            status = status.max(recovery);
            detail = words(own);
        }
    }
    let seen = registered.iter().filter_map(|own| own.last_result_at).max();
    let cycle = snapshot.last_report.as_ref().map(|report| {
        let took = i64::try_from(report.duration_ms).unwrap_or(i64::MAX);
        LastCheck::Wall(report.started_at.plus_millis(took))
    });
    let worst_breaker = registered.iter().max_by_key(|own| own.breaker_state);
    ComponentHealth {
        name: name.to_owned(),
        status,
        detail,
        last_check: seen.map(LastCheck::Monotonic).or(cycle).unwrap_or(LastCheck::Never),
        state: registered.iter().map(|own| own.state).max(),
        breaker: worst_breaker.map(|own| (own.breaker.clone(), own.breaker_state)),
        active_recoveries: registered.iter().map(|own| own.active_recoveries).sum(),
    }
}

/// Before the first cycle nothing has used the components: not to know is no fault yet. After it, a
/// critical component that never gave a result is degraded; an optional one may have had no work.
fn status_of(own: &ComponentStats, system: SystemState, has_run: bool) -> HealthStatus {
    match own.state {
        ComponentState::Healthy => HealthStatus::Healthy,
        ComponentState::Unknown if !has_run || !own.critical => HealthStatus::Healthy,
        ComponentState::Unknown => HealthStatus::Degraded,
        ComponentState::Degraded => HealthStatus::Degraded,
        ComponentState::CircuitOpen | ComponentState::Unhealthy
            if own.critical && system == SystemState::Unhealthy =>
        {
            HealthStatus::Unhealthy
        }
        ComponentState::CircuitOpen | ComponentState::Unhealthy => HealthStatus::Degraded,
    }
}

fn words(own: &ComponentStats) -> String {
    let state = own.state.as_str();
    match &own.last_error {
        Some(error) if own.state != ComponentState::Healthy => {
            format!("{state}; last failure: {error}")
        }
        _ => state.to_owned(),
    }
}
