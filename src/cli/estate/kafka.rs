//! An estate as its Kafka brokers describe it, through the collector and the stages that the
//! pipeline uses.
//!
//! Invariant: a cluster of which no broker answers is an error, not an empty cluster.

use super::{Estate, KafkaCluster, SourceError};
use crate::aggregate::{Aggregator, AggregatorConfig, EntityState};
use crate::collect::Collection;
use crate::collect::kafka::{KafkaCollector, KafkaSourceConfig};
use crate::domain::entity::EntityKey;
use crate::domain::metric::MetricId;
use crate::domain::provider::Provider;
use crate::domain::units::UnixNanos;
use crate::hybrid::gap::Observed;
use crate::ports::{Clock, Ports};
use crate::resilience::breaker::{Breaker, BreakerConfig, Measured, Outcome};
use crate::transform::transform;

/// Parts told by name when several could not be read.
const PARTS_TOLD_MAX: usize = 5;

pub(super) async fn read<P: Ports + Clone>(
    ports: &P,
    clusters: &[KafkaCluster],
) -> Result<Estate, SourceError> {
    let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    let mut estate =
        Estate { source: format!("Kafka ({})", names.join(", ")), ..Estate::default() };
    let mut collections = Vec::new();
    for cluster in clusters {
        let collection = collect(ports, cluster).await?;
        note_missing(cluster, &collection, &mut estate.notes);
        collections.push(collection);
        let key = EntityKey::Cluster { provider: Provider::Kafka, cluster: cluster.name.clone() };
        let addresses = cluster.bootstrap.iter().map(ToString::to_string).collect();
        estate.bootstrap.insert(key, addresses);
    }
    let samples = collections.iter().flat_map(|collection| &collection.samples);
    let mut canonical = Vec::new();
    for sample in samples {
        match transform(sample) {
            Ok(sample) => canonical.push(sample),
            Err(rejection) => estate.notes.push(format!("a sample was left out: {rejection}")),
        }
    }
    let now = ports.clock().wall();
    estate.now = now.into();
    for state in Aggregator::new(AggregatorConfig::default()).fold(canonical, now) {
        let observed = observed(&state);
        if !state.topics.is_empty() {
            estate.subscriptions.insert(state.key, state.topics);
        }
        estate.observed.push(observed);
    }
    Ok(estate)
}

async fn collect<P: Ports + Clone>(
    ports: &P,
    cluster: &KafkaCluster,
) -> Result<Collection, SourceError> {
    let unreachable = |error: String| SourceError::Unreachable(error);
    let breaker = Breaker::new("kafka-cluster", BreakerConfig::default())
        .map_err(|faults| unreachable(format!("breaker: {faults:?}")))?;
    let clock = ports.clock();
    let began = clock.monotonic();
    let permit = breaker.admit(|| began).map_err(|rejected| unreachable(rejected.to_string()))?;
    let config = KafkaSourceConfig::new(cluster.name.clone(), cluster.bootstrap.clone());
    let result = KafkaCollector::new(ports.clone(), config).collect(permit.admitted()).await;
    let outcome = match &result {
        Ok(_) => Outcome::Success,
        Err(error) => Outcome::Failure(error.as_str().into()),
    };
    let now = clock.monotonic();
    permit.record(outcome, || Measured { now, took: Some(now.saturating_sub(began)) });
    result.map_err(|error| unreachable(error.to_string()))
}

/// Says which parts of a cluster could not be read.
fn note_missing(cluster: &KafkaCluster, collection: &Collection, notes: &mut Vec<String>) {
    let told = collection.missing.iter().take(PARTS_TOLD_MAX);
    notes.extend(told.map(|part| {
        format!(
            "cluster `{}` was read in part: {part}; what is told of it may be wrong",
            cluster.name
        )
    }));
    let more = collection.missing.len().saturating_sub(PARTS_TOLD_MAX);
    if more > 0 {
        notes.push(format!("cluster `{}`: {more} more parts could not be read", cluster.name));
    }
}

/// What a state says of its entity's presence and configuration.
fn observed(state: &EntityState) -> Observed {
    let count = |metric| {
        let value: f64 = state.metrics.get(metric)?;
        // Kafka counts both in 32 bits at most; the cast is of a whole number in range.
        (value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value))
            .then_some(value as u32)
    };
    let factor = count(MetricId::TOPIC_REPLICATION);
    Observed {
        key: state.key.clone(),
        last_seen: UnixNanos::from(state.observed_at),
        partitions: count(MetricId::TOPIC_PARTITIONS),
        replication_factor: factor.and_then(|factor| u16::try_from(factor).ok()),
    }
}
