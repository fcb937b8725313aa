//! The names of the platform's exporter, without a prefix.
//!
//! Not modelled: `process_*` and `nodejs_*`, which tell of a process and not of its work.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::Scrape;
use super::write::{
    Head, Labels, by_label, by_source, counter, counters, gauge, gauges, histogram, samples,
};
use crate::pipeline::health::HealthStatus;
use crate::pipeline::{Family, Phase};

/// A scrape under those names.
#[derive(Debug)]
pub(super) struct Platform(pub(super) Scrape);

impl Collector for Platform {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.platform(&mut encoder)?;
        self.entities(&mut encoder)?;
        self.streaming(&mut encoder)?;
        self.health(&mut encoder)?;
        self.message_queues(&mut encoder)?;
        self.collection(&mut encoder)
    }
}

impl Platform {
    fn platform(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let snapshot = &self.0.snapshot;
        let running = f64::from(u8::from(snapshot.phase == Phase::Running));
        gauge(to, ("platform_running", "1 while cycles run, else 0"), running)?;
        let uptime = self.0.now.saturating_sub(snapshot.made.monotonic).as_secs_f64();
        gauge(to, ("platform_uptime_seconds", "Time since the pipeline was made"), uptime)?;
        counter(to, ("platform_cycles", "Cycles that ended"), snapshot.completed)?;
        let head = ("platform_cycle_duration_seconds", "Duration of cycles");
        histogram(to, head, &[(&[], &snapshot.durations)])
    }

    fn entities(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let snapshot = &self.0.snapshot;
        let present = snapshot.last_report.iter().flat_map(|report| &report.entities);
        let labels: Vec<([(&str, &str); 1], f64)> =
            present.map(|(kind, count)| ([("type", kind.as_str())], *count as f64)).collect();
        gauges(to, ("entities_total", "Entities of the last cycle"), &samples(&labels))?;
        let head = ("entities_created", "Entities synthesized, all cycles together");
        by_label(to, head, "type", &snapshot.ledger.entities)
    }

    fn streaming(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let snapshot = &self.0.snapshot;
        let stream = &snapshot.stream;
        let head = ("streaming_events_sent", "Events that New Relic acknowledged");
        counter(to, head, stream.acknowledged)?;
        let rejected = stream.rejected.iter().map(|(why, count)| (why.as_str(), *count));
        let dropped = stream.dropped.iter().map(|(why, count)| (why.as_str(), *count));
        let failed: Vec<([(&str, &str); 1], u64)> =
            rejected.chain(dropped).map(|(why, count)| ([("reason", why)], count)).collect();
        let head = ("streaming_events_failed", "Events rejected or dropped, by reason");
        counters(to, head, &samples(&failed))?;
        let head = ("streaming_queue_size", "Events that New Relic has not taken yet");
        gauge(to, head, stream.in_flight as f64)?;
        let resilience = &snapshot.resilience;
        let own = resilience.recovery.components.iter().find(|one| one.name == "streamer");
        let own = own.map(|streamer| streamer.breaker.as_str());
        let states: Vec<([(&str, &str); 1], f64)> = resilience
            .breakers
            .iter()
            .filter(|one| {
                Some(one.name.as_str()) == own || ["event-api", "metric-api"].contains(&&*one.name)
            })
            .map(|one| ([("breaker", one.name.as_str())], f64::from(one.state.numeric())))
            .collect();
        let head = (
            "streaming_circuit_breaker_state",
            "Breakers in front of the ingest: 0 closed, 1 half-open, 2 open",
        );
        gauges(to, head, &samples(&states))
    }

    fn health(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let value = |status| match status {
            HealthStatus::Healthy => 1.0,
            HealthStatus::Degraded => 0.5,
            HealthStatus::Unhealthy => 0.0,
        };
        let checks = self.0.health.checks.iter();
        let checks: Vec<([(&str, &str); 1], f64)> =
            checks.map(|check| ([("check", check.name.as_str())], value(check.status))).collect();
        let head = ("health_check_status", "1 healthy, 0.5 degraded, 0 unhealthy");
        gauges(to, head, &samples(&checks))?;
        let head = ("health_check_duration_seconds", "Duration of assessments of all checks");
        histogram(to, head, &[(&[], &self.0.snapshot.check_durations)])
    }

    fn message_queues(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let figures = &self.0.snapshot.figures;
        let head = ("message_queue_cluster_health_score", "Health of the cluster, 0 to 100");
        figure(to, head, None, &figures.cluster_health_score)?;
        let head = ("message_queue_broker_cpu_usage", "Processor load of the broker, in percent");
        figure(to, head, Some("broker"), &figures.broker_cpu_usage)?;
        let head = (
            "message_queue_topic_messages_per_second",
            "Messages that producers wrote, per second",
        );
        figure(to, head, Some("topic"), &figures.topic_messages_per_second)?;
        let head = (
            "message_queue_consumer_group_lag",
            "Messages that the group has yet to read, over all partitions",
        );
        figure(to, head, Some("consumer_group"), &figures.consumer_group_lag)
    }

    fn collection(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let snapshot = &self.0.snapshot;
        let labels: Vec<([(&str, &str); 1], _)> = snapshot
            .collections
            .iter()
            .map(|(source, durations)| ([("source", source.as_str())], durations))
            .collect();
        let head = ("infrastructure_collection_duration_seconds", "Duration of collections");
        histogram(to, head, &samples(&labels))?;
        let head =
            ("infrastructure_collection_errors", "Collections in which a source gave nothing");
        by_source(to, head, &snapshot.ledger.failures)
    }
}

/// One family of the last cycle's figures; `label` is what an entity's name is called, unless it
/// is the cluster's own.
fn figure(
    to: &mut DescriptorEncoder<'_>,
    head: Head,
    label: Option<&'static str>,
    family: &Family,
) -> Result<(), Error> {
    let mut series: Vec<(Vec<(&str, &str)>, f64)> = Vec::with_capacity(family.series.len());
    for figure in &family.series {
        let mut labels =
            vec![("provider", figure.provider.as_str()), ("cluster", figure.cluster.as_str())];
        labels.extend(label.map(|label| (label, figure.name.as_str())));
        series.push((labels, figure.value));
    }
    let series: Vec<(Labels<'_>, f64)> =
        series.iter().map(|(labels, value)| (labels.as_slice(), *value)).collect();
    gauges(to, head, &series)
}
