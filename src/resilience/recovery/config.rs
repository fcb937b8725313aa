//! Settings of the manager and of its components, and why a registration is refused.
//!
//! Invariant: every fault of a component is reported at once, those of its breaker and of its
//! retries included; zero means zero.

use std::time::Duration;

use super::ComponentKind;
use crate::resilience::InvalidSetting;
use crate::resilience::breaker::{BreakerConfig, RegistryError};
use crate::resilience::retry::RetryConfig;

/// Age up to which a last good result answers in place of a failed call (domain: 300 s).
pub const CACHE_AGE_MAX: Duration = Duration::from_secs(300);
/// Time between recovery attempts that no breaker times (domain: 60 s).
pub const RECOVERY_DELAY: Duration = Duration::from_secs(60);

/// Settings of the manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryConfig {
    /// Recovery attempts in flight, of all components together; at least 1.
    pub concurrent_recoveries_max: usize,
    /// Incidents kept, and recovery attempts kept; 0 keeps none.
    pub history_max: usize,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self { concurrent_recoveries_max: 5, history_max: 100 }
    }
}

impl RecoveryConfig {
    /// Every setting out of range.
    pub fn validate(&self) -> Vec<InvalidSetting> {
        let mut faults = Vec::new();
        if self.concurrent_recoveries_max == 0 {
            faults.push(InvalidSetting {
                setting: "concurrent_recoveries_max",
                value: "0".to_owned(),
                allowed: "at least 1",
            });
        }
        faults
    }
}

/// Settings of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentConfig {
    /// Its name, unique within the manager, e.g. `streamer`.
    pub name: String,
    /// What it does.
    pub kind: ComponentKind,
    /// Whether the system is down without it.
    pub critical: bool,
    /// Its breaker's settings.
    pub breaker: BreakerConfig,
    /// Its breaker's name in the registry, when it is not the component's own: components that
    /// call the same service share one.
    pub breaker_name: Option<String>,
    /// How a failed try is repeated.
    pub retry: RetryConfig,
    /// Time limit of one try, of a fallback and of a health check; `None` is the breaker's
    /// `call_timeout`. Zero admits only what is ready at once.
    pub timeout: Option<Duration>,
    /// Whether it does no harm to do the same twice; without it, a try that timed out or whose
    /// outcome is unknown is not repeated.
    pub idempotent: bool,
    /// Time between recovery attempts that the breaker does not time: of a component that is
    /// unwell behind a closed breaker, and of one behind a half-open breaker or one with no retry
    /// delay. Longer than 0: else attempts would follow each other without a pause.
    pub recovery_delay: Duration,
    /// Age up to which (that age included) its last good result is served.
    pub cache_age_max: Duration,
    /// Whether something answers in its place: then its failure does not take the system down.
    pub has_fallback: bool,
}

impl ComponentConfig {
    /// A critical component with the domain's defaults and no fallback.
    pub fn new(name: impl Into<String>, kind: ComponentKind) -> Self {
        Self {
            name: name.into(),
            kind,
            critical: true,
            breaker: BreakerConfig::default(),
            breaker_name: None,
            retry: RetryConfig::default(),
            timeout: None,
            idempotent: true,
            recovery_delay: RECOVERY_DELAY,
            cache_age_max: CACHE_AGE_MAX,
            has_fallback: false,
        }
    }

    /// The recovery guide's policy for a stage of the pipeline: its breaker profile, collector
    /// 3 × 2 s, transformer and synthesizer 2 × 1 s, streamer 3 × 5 s with 60 s for a try. Other
    /// services have the defaults.
    pub fn of_stage(name: impl Into<String>, kind: ComponentKind) -> Self {
        let (profile, attempts_max, base_ms) = match kind {
            ComponentKind::Collector => ("collector", 3, 2_000),
            ComponentKind::Transformer => ("transformer", 2, 1_000),
            ComponentKind::Synthesizer => ("synthesizer", 2, 1_000),
            ComponentKind::Streamer => ("streamer", 3, 5_000),
            ComponentKind::ExternalApi => return Self::new(name, kind),
        };
        let is_streamer = kind == ComponentKind::Streamer;
        Self {
            breaker: BreakerConfig::named(profile).unwrap_or_default(),
            retry: RetryConfig {
                attempts_max,
                base: Duration::from_millis(base_ms),
                ..RetryConfig::default()
            },
            timeout: is_streamer.then_some(Duration::from_secs(60)),
            ..Self::new(name, kind)
        }
    }

    /// Every setting out of range, those of breaker and retries included.
    pub fn validate(&self) -> Vec<InvalidSetting> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, setting, value: String, allowed| {
            if !holds {
                faults.push(InvalidSetting { setting, value, allowed });
            }
        };
        let is_named = |name: &str| !name.trim().is_empty();
        check(is_named(&self.name), "name", format!("{:?}", self.name), "a name");
        if let Some(name) = &self.breaker_name {
            check(is_named(name), "breaker_name", format!("{name:?}"), "a name");
        }
        let delay = self.recovery_delay;
        check(!delay.is_zero(), "recovery_delay", format!("{delay:?}"), "longer than 0");
        faults.extend(self.breaker.validate());
        faults.extend(self.retry.validate());
        faults
    }
}

/// Why a component was not registered. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Settings out of range, all of them.
    #[error("component `{name}`: {}", list(.faults))]
    Invalid {
        /// The component.
        name: String,
        /// What is wrong.
        faults: Vec<InvalidSetting>,
    },
    /// There is one of that name.
    #[error("component `{0}` is registered already")]
    Duplicate(String),
    /// Its breaker cannot be had.
    #[error("component `{name}`: its breaker cannot be had")]
    Breaker {
        /// The component.
        name: String,
        /// Why.
        #[source]
        source: RegistryError,
    },
}

fn list(faults: &[InvalidSetting]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
