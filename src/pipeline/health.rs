//! What a snapshot says about the pipeline's health. Pure; worst wins.
//!
//! Invariants:
//! - Every failure that a report, the ledger or the resilience names shows in a check or in a
//!   component, until it is over.
//! - The whole is as well as the worst of its checks and components, never better.
//! - Figures are measured; what is not known is absent.

use std::time::Duration;

use serde::Serialize;

use super::status::{Phase, Snapshot};
use checks::Assess;
pub use components::{ComponentHealth, LastCheck};
pub use figures::HealthFigures;

mod checks;
mod components;
mod figures;

/// Intervals without a success after which a check is unhealthy.
pub const STALE_AFTER_INTERVALS: u32 = 3;

/// How well something is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthStatus {
    /// All is well.
    Healthy,
    /// Part of the data is missing or late.
    Degraded,
    /// It does not do its work.
    Unhealthy,
}

impl HealthStatus {
    /// All, best first.
    pub const ALL: [Self; 3] = [Self::Healthy, Self::Degraded, Self::Unhealthy];

    /// `HEALTHY`, `DEGRADED`, `UNHEALTHY`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Degraded => "DEGRADED",
            Self::Unhealthy => "UNHEALTHY",
        }
    }

    /// `healthy`, `degraded`, `unhealthy`.
    pub const fn lowercase(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One aspect of health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthCheck {
    /// Its name: `loop`, `collection`, `source/<name>`, `newrelic`, `buffer`, `samples`,
    /// `entities`, `memory`; with a desired topology `topology`; with their machinery also
    /// `spool`, `pool` and `breakers`.
    pub name: String,
    /// How well it is.
    pub status: HealthStatus,
    /// Why, in words.
    pub detail: String,
}

/// All aspects.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// The worst of the checks and components.
    pub status: HealthStatus,
    /// Whether the loop makes progress; if not, a restart may help.
    pub live: bool,
    /// Whether data flows end to end: something was collected and New Relic took something, both
    /// recently.
    pub ready: bool,
    /// Whether all components are started and the first cycle is over.
    pub started: bool,
    /// The aspects, in a fixed order.
    pub checks: Vec<HealthCheck>,
    /// `collector`, `transformer`, `synthesizer`, `streamer`, `spool` when there is one, then
    /// whatever else is registered for recovery.
    pub components: Vec<ComponentHealth>,
    /// Availability, throughput, errors.
    pub figures: HealthFigures,
}

/// Health of `snapshot` at `now` (monotonic, of the same host).
pub fn assess(snapshot: &Snapshot, now: Duration) -> Health {
    let assess = Assess { snapshot, now };
    let progress = assess.progress();
    let collection = assess.collection();
    let live = progress.status != HealthStatus::Unhealthy;
    let collects = collection.status != HealthStatus::Unhealthy;
    let stopping = matches!(snapshot.phase, Phase::Draining | Phase::Stopped);
    let ready = live && collects && assess.delivers() && !stopping;
    let mut checks = vec![progress, collection];
    checks.extend(snapshot.sources.iter().map(|name| assess.source(name)));
    checks.extend([assess.newrelic(), assess.buffer(), assess.samples(), assess.entities()]);
    checks.push(assess.memory());
    checks.extend(assess.topology());
    checks.extend(assess.spool());
    checks.extend(assess.pool());
    checks.extend(assess.breakers());
    let components = components::components(snapshot, &checks);
    let statuses = checks.iter().map(|check| check.status);
    let statuses = statuses.chain(components.iter().map(|component| component.status));
    let status = statuses.max().unwrap_or(HealthStatus::Healthy);
    Health {
        status,
        live,
        ready,
        started: snapshot.completed > 0 && snapshot.resilience.starting.is_empty(),
        checks,
        components,
        figures: figures::figures(snapshot, now, status != HealthStatus::Unhealthy),
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
