//! The breakers of a process, by name.
//!
//! Invariants:
//! - One breaker per name, for as long as the registry lives; names are listed in order.
//! - A name asked for again with other settings is an error that names them.
//! - A listener hears the breakers that exist and those that come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::StateKind;
use super::config::{BreakerConfig, Difference};
use super::event::Listener;
use super::shell::Breaker;
use super::stats::BreakerStats;
use crate::resilience::InvalidSetting;

#[derive(Default)]
struct Known {
    breakers: BTreeMap<String, Breaker>,
    listeners: Vec<Listener>,
}

/// See the module's head; clones are handles of the same registry.
#[derive(Clone, Default)]
pub struct BreakerRegistry(Arc<Mutex<Known>>);

impl std::fmt::Debug for BreakerRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.known().breakers.values()).finish()
    }
}

/// Why the registry gave no breaker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Settings out of range, all of them.
    #[error("circuit breaker `{name}`: {}", list(.faults))]
    Invalid {
        /// The breaker asked for.
        name: String,
        /// What is wrong.
        faults: Vec<InvalidSetting>,
    },
    /// It exists with other settings.
    #[error("circuit breaker `{name}` exists with other settings: {}", list(.differences))]
    Conflict {
        /// The breaker asked for.
        name: String,
        /// In what they differ; `ours` are the existing one's.
        differences: Vec<Difference>,
    },
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// All breakers at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegistrySummary {
    /// How many there are.
    pub total: usize,
    /// None of them is open.
    pub healthy: bool,
    /// By name.
    pub details: BTreeMap<String, RegistryDetail>,
}

/// One breaker at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryDetail {
    /// `CLOSED`, `HALF_OPEN`, `OPEN`.
    pub state: &'static str,
    /// In percent.
    pub failure_rate: f64,
}

impl RegistrySummary {
    /// The summary of these accounts.
    pub fn of(stats: &[BreakerStats]) -> Self {
        let detail = |one: &BreakerStats| RegistryDetail {
            state: one.state.as_str(),
            failure_rate: one.failure_rate_percent,
        };
        Self {
            total: stats.len(),
            healthy: stats.iter().all(|one| one.state != StateKind::Open),
            details: stats.iter().map(|one| (one.name.clone(), detail(one))).collect(),
        }
    }
}

impl BreakerRegistry {
    /// The breaker of that name, made when there is none.
    ///
    /// # Errors
    /// Settings out of range, or other settings than the existing breaker's.
    pub fn get_or_create(
        &self,
        name: &str,
        config: BreakerConfig,
    ) -> Result<Breaker, RegistryError> {
        let mut known = self.known();
        if let Some(breaker) = known.breakers.get(name) {
            if *breaker.config() == config {
                return Ok(breaker.clone());
            }
            let differences = breaker.config().differences(&config);
            return Err(RegistryError::Conflict { name: name.to_owned(), differences });
        }
        let breaker = Breaker::new(name, config)
            .map_err(|faults| RegistryError::Invalid { name: name.to_owned(), faults })?;
        for listener in &known.listeners {
            breaker.subscribe(Arc::clone(listener));
        }
        known.breakers.insert(name.to_owned(), breaker.clone());
        Ok(breaker)
    }

    /// The breaker of that name.
    pub fn get(&self, name: &str) -> Option<Breaker> {
        self.known().breakers.get(name).cloned()
    }

    /// All breakers, by name.
    pub fn all(&self) -> Vec<Breaker> {
        self.known().breakers.values().cloned().collect()
    }

    /// All accounts at `now`, by name.
    pub fn stats(&self, now: Duration) -> Vec<BreakerStats> {
        self.all().iter().map(|breaker| breaker.stats(now)).collect()
    }

    /// All breakers at a glance, at `now`.
    pub fn summary(&self, now: Duration) -> RegistrySummary {
        RegistrySummary::of(&self.stats(now))
    }

    /// Resets every breaker.
    pub fn reset_all(&self, now: Duration) {
        for breaker in self.all() {
            breaker.reset(now);
        }
    }

    /// Calls `listener` with every event of every breaker, present and future.
    pub fn subscribe(&self, listener: Listener) {
        let mut known = self.known();
        for breaker in known.breakers.values() {
            breaker.subscribe(Arc::clone(&listener));
        }
        known.listeners.push(listener);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
