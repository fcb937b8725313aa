//! How each component is, for whoever asks while the supervisor works.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Component, Kind};
use crate::resilience::recovery::SystemState;

/// Where a component is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// It is validated or started, or waits for its turn to start.
    Starting,
    /// It runs.
    Running,
    /// It runs in part, or without something it needs.
    Degraded,
    /// It could not start, or does not work, or did not stop.
    Failed,
    /// It is being stopped.
    Stopping,
    /// It does not run, and nothing is wrong with that.
    Stopped,
}

impl Phase {
    /// `starting`, `running`, `degraded`, `failed`, `stopping`, `stopped`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// One component's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentStatus {
    /// Its name.
    pub name: String,
    /// Whether the system runs without it.
    pub kind: Kind,
    /// Where it is in its life.
    pub phase: Phase,
    /// Since when (monotonic).
    pub since: Duration,
    /// Why, if something is wrong.
    pub reason: Option<String>,
    /// Starts after the first.
    pub restarts: u32,
}

#[derive(Debug)]
struct Line {
    status: ComponentStatus,
    has_started: bool,
}

/// The shared account of all components, in order of start; clones are the same board.
#[derive(Debug, Clone)]
pub struct Board(Arc<Mutex<Vec<Line>>>);

impl Board {
    pub(super) fn new(components: &[Component], now: Duration) -> Self {
        let line = |component: &Component| Line {
            status: ComponentStatus {
                name: component.name().to_owned(),
                kind: component.kind(),
                phase: Phase::Stopped,
                since: now,
                reason: None,
                restarts: 0,
            },
            has_started: false,
        };
        Self(Arc::new(Mutex::new(components.iter().map(line).collect())))
    }

    /// All components, in order of start.
    pub fn components(&self) -> Vec<ComponentStatus> {
        self.lines().iter().map(|line| line.status.clone()).collect()
    }

    /// The component called `name`.
    pub fn component(&self, name: &str) -> Option<ComponentStatus> {
        let lines = self.lines();
        lines.iter().find(|line| line.status.name == name).map(|line| line.status.clone())
    }

    /// Worst wins: unhealthy when a critical component does not run, degraded when any component
    /// does not run in full.
    pub fn system(&self) -> SystemState {
        let state = |line: &Line| match (line.status.phase, line.status.kind) {
            (Phase::Running, _) => SystemState::Healthy,
            (Phase::Degraded, _) | (_, Kind::Optional) => SystemState::Degraded,
            (_, Kind::Critical) => SystemState::Unhealthy,
        };
        self.lines().iter().map(state).max().unwrap_or(SystemState::Healthy)
    }

    pub(super) fn set(&self, at: usize, phase: Phase, reason: Option<String>, now: Duration) {
        let mut lines = self.lines();
        let Some(Line { status, .. }) = lines.get_mut(at) else { return };
        if status.phase != phase {
            tracing::debug!(
                component = %status.name,
                from = status.phase.as_str(),
                to = phase.as_str(),
                reason = reason.as_deref().unwrap_or_default(),
                "Component changed."
            );
            status.phase = phase;
            status.since = now;
        }
        status.reason = reason;
    }

    pub(super) fn started(&self, at: usize) {
        if let Some(line) = self.lines().get_mut(at) {
            line.status.restarts += u32::from(line.has_started);
            line.has_started = true;
        }
    }

    pub(super) fn has_failed(&self, at: usize) -> bool {
        self.phase(at) == Some(Phase::Failed)
    }

    pub(super) fn is_starting(&self, at: usize) -> bool {
        self.phase(at) == Some(Phase::Starting)
    }

    fn phase(&self, at: usize) -> Option<Phase> {
        self.lines().get(at).map(|line| line.status.phase)
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        // Every line is valid after every step, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
