//! Error recovery: components, their states, and what is done when they fail.

use std::time::Duration;

/// How a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComponentState {
    /// It works.
    Healthy,
    /// Nothing is known yet.
    Unknown,
    /// It works in part: a fallback was used, its breaker is half-open, or it failed since its
    /// last success.
    Degraded,
    /// Its breaker is open.
    CircuitOpen,
    /// Its retries are exhausted and it has no fallback.
    Unhealthy,
}

/// How all components together are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SystemState {
    /// All are healthy.
    Healthy,
    /// Some component is not.
    Degraded,
    /// A critical component without a fallback is unhealthy or behind an open breaker.
    Unhealthy,
}

/// One component's account at one instant. Instants are monotonic.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentStats {
    /// Its name, e.g. `streamer`.
    pub name: String,
    /// How it is.
    pub state: ComponentState,
    /// Whether the system is down without it.
    pub critical: bool,
    /// The breaker in front of it.
    pub breaker: String,
    /// Executions that ended in success at first or later try.
    pub successes: u64,
    /// Executions that ended in failure, fallbacks not counted.
    pub failures: u64,
    /// Tries beyond the first.
    pub retries: u64,
    /// Executions that a fallback answered.
    pub fallbacks: u64,
    /// Last failure in words.
    pub last_error: Option<String>,
    /// When its state last changed.
    pub last_change_at: Option<Duration>,
    /// Times it left `Healthy`.
    pub incidents: u64,
    /// Of which it came back.
    pub recovered: u64,
    /// Sum of the times from leaving `Healthy` to coming back.
    pub recovery_time_total: Duration,
    /// Recovery attempts under way.
    pub active_recoveries: u64,
}

/// The whole account.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveryStats {
    /// Worst wins.
    pub system: SystemState,
    /// By name.
    pub components: Vec<ComponentStats>,
    /// Mean time to recovery; `None` before the first.
    pub mttr: Option<Duration>,
    /// Recovered incidents by incidents that ended or not, 0.0 to 1.0; `None` without incident.
    pub recovery_rate: Option<f64>,
}
