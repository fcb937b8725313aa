//! What a pipeline needs to know, from a configuration file or from a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Config;
use crate::domain::account::AccountId;
use crate::newrelic::{Addresses, ApiKey};
use crate::stream::StreamConfig;

/// Settings of a [`super::Pipeline`].
#[derive(Debug, Clone)]
pub struct PipelineConfig {
    /// The account that receives the events; part of every entity's identity.
    pub account: AccountId,
    /// Its ingest key.
    pub key: ApiKey,
    /// Where New Relic listens.
    pub addresses: Addresses,
    /// Time between cycle starts, whole milliseconds; starts are multiples of it.
    pub interval: Duration,
    /// Longest time for collecting from one source.
    pub collect_deadline: Duration,
    /// Longest duration of a cycle; longer than `collect_deadline`.
    pub cycle_deadline: Duration,
    /// Longest time between a request to stop and the end of [`super::Pipeline::run`].
    pub shutdown_deadline: Duration,
    /// Time between two sends of the relationships: they go with the first cycle of each such
    /// span of the wall clock. Zero sends them with every cycle.
    pub relationships_every: Duration,
    /// Attribute `environment` of all events.
    pub environment: Option<String>,
    /// Tags of all entities.
    pub tags: BTreeMap<String, String>,
    /// Batches.
    pub stream: StreamConfig,
}

impl PipelineConfig {
    /// The settings that `config` holds.
    pub fn from_config(config: &Config) -> Self {
        let stream = &config.stream;
        Self {
            account: config.newrelic.account,
            key: config.newrelic.key.clone(),
            addresses: config.newrelic.addresses.clone(),
            interval: config.cycle.interval,
            collect_deadline: config.cycle.collect_deadline,
            cycle_deadline: config.cycle.cycle_deadline,
            shutdown_deadline: config.cycle.shutdown_deadline,
            relationships_every: config.cycle.relationships_every,
            environment: config.cycle.environment.clone(),
            tags: config.cycle.tags.clone(),
            stream: StreamConfig {
                batch_events_max: stream.batch_events,
                batch_bytes_max: stream.batch_bytes.as_usize(),
                gzip_level: stream.gzip_level,
                concurrency: stream.concurrent_posts,
                buffer_events_max: stream.buffer_events,
                buffer_bytes_max: stream.buffer_bytes.as_usize(),
                request_timeout: stream.timeout.0,
                ..StreamConfig::default()
            },
        }
    }
}
