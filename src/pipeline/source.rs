//! Where a cycle's raw samples come from: one source per Kafka cluster or nri-kafka output.
//!
//! A trait, because a pipeline has sources of several kinds at once; a test's script is one more.
//!
//! Invariant: what a collector counts as failed shows in [`Collected::missing`], nothing is
//! swallowed here.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::report::{Counts, SourceFailure, add};
use crate::collect::Collection;
use crate::collect::kafka::{Jmx, KafkaCollector, KafkaSourceConfig};
use crate::config::KafkaSource as KafkaSettings;
use crate::domain::sample::RawSample;
use crate::ports::{Endpoint, Ports};
use crate::resilience::breaker::Admitted;

/// What one source gave in one cycle.
#[derive(Debug, Default)]
pub struct Collected {
    /// Its samples.
    pub samples: Vec<RawSample<'static>>,
    /// What it could not give.
    pub missing: Vec<MissingPart>,
}

/// A part that a source could not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPart {
    /// Name in counters.
    pub reason: String,
    /// How many such parts; at least 1.
    pub count: u64,
    /// Which part, and why, in words.
    pub detail: String,
}

/// The future of [`Source::collect`]; it stays on its thread, as the pipeline does.
pub type Collecting<'a> = Pin<Box<dyn Future<Output = Result<Collected, SourceFailure>> + 'a>>;

/// A source of raw samples.
pub trait Source {
    /// Its name in reports, logs and metrics, e.g. `kafka/orders`.
    fn name(&self) -> &str;

    /// Where it connects to first, if it does: the start looks whether one of them answers.
    fn endpoints(&self) -> Vec<Endpoint> {
        Vec::new()
    }

    /// Collects once; whoever asks proves that a breaker admitted the call. The future may be
    /// dropped at any await point (the cycle's deadline); the next call then begins anew.
    ///
    /// # Errors
    /// When nothing at all can be collected.
    fn collect(&mut self, admitted: Admitted) -> Collecting<'_>;
}

/// A Kafka cluster.
pub struct KafkaSource<P: Ports> {
    name: String,
    bootstrap: Vec<Endpoint>,
    collector: KafkaCollector<P>,
}

impl<P: Ports> KafkaSource<P> {
    /// The cluster that `config` describes.
    pub fn new(ports: P, config: KafkaSourceConfig) -> Self {
        let name = format!("kafka/{}", config.cluster);
        let bootstrap = config.bootstrap.clone();
        Self { name, bootstrap, collector: KafkaCollector::new(ports, config) }
    }
}

impl<P: Ports> Source for KafkaSource<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.bootstrap.clone()
    }

    fn collect(&mut self, admitted: Admitted) -> Collecting<'_> {
        Box::pin(async move {
            match self.collector.collect(admitted).await {
                Ok(collection) => Ok(collected(collection)),
                Err(error) => Err(SourceFailure {
                    reason: error.as_str().to_owned(),
                    message: error.to_string(),
                }),
            }
        })
    }
}

/// A collection with everything that failed in it named: the parts that are missing, and the
/// values that were refused.
fn collected(collection: Collection) -> Collected {
    let mut named = Counts::new();
    let mut missing = Vec::new();
    for part in &collection.missing {
        add(&mut named, part.reason.as_str(), 1);
        let reason = format!("{}/{}", part.what.as_str(), part.reason.as_str());
        missing.push(MissingPart { reason, count: part.lost, detail: part.to_string() });
    }
    for (reason, count) in &collection.stats.failures {
        let unnamed = count.saturating_sub(named.get(*reason).copied().unwrap_or(0));
        if unnamed > 0 {
            let detail = format!("{unnamed} values refused: {reason}");
            missing.push(MissingPart { reason: (*reason).to_owned(), count: unnamed, detail });
        }
    }
    Collected { samples: collection.samples, missing }
}

/// The collector's settings for a cluster of the configuration file, in a pipeline that waits for
/// `collect_deadline`.
pub fn kafka_settings(settings: &KafkaSettings, collect_deadline: Duration) -> KafkaSourceConfig {
    let jmx = match settings.jmx_port {
        Some(port) => Jmx::Port(port),
        None if settings.jmx.is_empty() => Jmx::None,
        None => Jmx::Endpoints(settings.jmx.clone()),
    };
    KafkaSourceConfig {
        jmx,
        client_id: settings.client_id.clone(),
        groups: settings.groups.clone(),
        discovery_timeout: settings.discovery_timeout,
        broker_timeout: settings.broker_timeout,
        // The collector gives what it has by its own deadline; the pipeline's would lose it all.
        cycle_timeout: collect_deadline / 10 * 9,
        concurrency: settings.concurrency,
        ..KafkaSourceConfig::new(settings.cluster.clone(), settings.bootstrap.clone())
    }
}
