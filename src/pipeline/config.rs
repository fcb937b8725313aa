//! What a pipeline needs to know, from a configuration file or from a scenario.
//!
//! Tags, addresses and stream settings are checked by [`super::Pipeline::new`], whichever way they
//! came; durations by whoever read them.

use std::time::Duration;

use super::alert::AlertConfig;
use super::mode::HybridSettings;
use super::monitor::MonitorConfig;
use crate::config::{Config, Cycle, Extensions};
use crate::domain::account::AccountId;
use crate::hybrid::topology::Topology;
use crate::newrelic::{Addresses, ApiKey};
use crate::resilience::breaker::BreakerConfig;
use crate::resilience::pool::{PoolConfig, QueuePolicy};
use crate::resilience::recovery::{ComponentConfig, ComponentKind, RecoveryConfig};
use crate::stream::StreamConfig;
use crate::stream::spool::SpoolConfig;

/// Longest wait of an event without a spool.
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Settings of a [`super::Pipeline`].
#[derive(Debug, Clone)]
pub struct PipelineConfig {
    /// The account that receives the events; part of every entity's identity.
    pub account: AccountId,
    /// Its ingest key.
    pub key: ApiKey,
    /// Where New Relic listens.
    pub addresses: Addresses,
    /// Cycles, and what all their events carry.
    pub cycle: Cycle,
    /// Batches.
    pub stream: StreamConfig,
    /// Where events wait on disk; `None` keeps them in memory alone.
    pub spool: Option<SpoolConfig>,
    /// What should be there, and what to do about what is not; `None` knows of no topology.
    pub hybrid: Option<HybridSettings>,
    /// What stands between the pipeline and failures.
    pub guards: GuardConfig,
    /// Windows, metrics, mappings and hooks that users add.
    pub extensions: Extensions,
}

/// Settings of what stands between the pipeline and failures.
#[derive(Debug, Clone)]
pub struct GuardConfig {
    /// The breaker in front of each source.
    pub collector: BreakerConfig,
    /// The recovery manager.
    pub recovery: RecoveryConfig,
    /// Time between recovery attempts that no breaker times.
    pub recovery_delay: Duration,
    /// Age up to which a last good result is used.
    pub cache_age_max: Duration,
    /// Workers that ask the sources.
    pub pool: PoolConfig,
    /// Alerts; `None` tells nobody.
    pub alerts: Option<AlertConfig>,
    /// Events about the breakers.
    pub monitor: MonitorConfig,
}

impl Default for GuardConfig {
    fn default() -> Self {
        let component = ComponentConfig::of_stage("", ComponentKind::Collector);
        Self {
            collector: component.breaker,
            recovery: RecoveryConfig::default(),
            recovery_delay: component.recovery_delay,
            cache_age_max: component.cache_age_max,
            pool: PoolConfig {
                name: "collect".into(),
                policy: QueuePolicy::Wait,
                ..PoolConfig::default()
            },
            alerts: None,
            monitor: MonitorConfig::default(),
        }
    }
}

impl PipelineConfig {
    /// The settings that `config` holds; `topology` is what its topology file says.
    pub fn from_config(config: &Config, topology: Option<Topology>) -> Self {
        let (stream, guards) = (&config.stream, &config.resilience);
        Self {
            account: config.newrelic.account,
            key: config.newrelic.key.clone(),
            addresses: config.newrelic.addresses.clone(),
            cycle: config.cycle.clone(),
            stream: StreamConfig {
                batch_events_max: stream.batch_events,
                batch_bytes_max: stream.batch_bytes.as_usize(),
                gzip_level: stream.gzip_level,
                concurrency: stream.concurrent_posts,
                buffer_events_max: stream.buffer_events,
                buffer_bytes_max: stream.buffer_bytes.as_usize(),
                request_timeout: stream.timeout.0,
                retry: guards.retry.clone(),
                breaker: guards.breakers.event_api.clone(),
                limiter: guards.limits.event_api,
                resident_bytes_max: usize_of(guards.limits.resident_max_bytes),
                spool_bytes_max: guards
                    .spool
                    .as_ref()
                    .map_or(usize::MAX, |spool| usize_of(spool.size_max_bytes)),
                spool_age_max: guards.spool.as_ref().map_or(DAY, |spool| spool.age_max),
                ..StreamConfig::default()
            },
            hybrid: config.hybrid.as_ref().zip(topology).map(|(hybrid, topology)| HybridSettings {
                mode: hybrid.mode,
                config: hybrid.config(topology),
            }),
            spool: guards.spool.as_ref().map(|spool| SpoolConfig {
                owner: format!("the pipeline of process {}", std::process::id()),
                ..spool.config.clone()
            }),
            guards: GuardConfig {
                collector: guards.breakers.collector.clone(),
                recovery: guards.recovery.manager.clone(),
                recovery_delay: guards.recovery.delay,
                cache_age_max: guards.recovery.cache_age_max,
                pool: PoolConfig {
                    name: "collect".into(),
                    policy: QueuePolicy::Wait,
                    ..guards.pool.clone()
                },
                alerts: guards.alerts.as_ref().map(AlertConfig::from_config),
                monitor: MonitorConfig::default(),
            },
            extensions: config.extensions.clone(),
        }
    }
}
