//! What a pipeline needs to know, from a configuration file or from a scenario.
//!
//! Tags, addresses and stream settings are checked by [`super::Pipeline::new`], whichever way they
//! came; durations by whoever read them.

use crate::config::{Config, Cycle};
use crate::domain::account::AccountId;
use crate::newrelic::{Addresses, ApiKey};
use crate::stream::StreamConfig;
use crate::stream::spool::SpoolConfig;

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
}

impl PipelineConfig {
    /// The settings that `config` holds.
    pub fn from_config(config: &Config) -> Self {
        let stream = &config.stream;
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
                ..StreamConfig::default()
            },
            spool: Some(SpoolConfig::default()),
        }
    }
}
