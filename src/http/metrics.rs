//! The pipeline's own metrics as OpenMetrics text.
//!
//! Two sets of names: `shakedown_*`, and those of the platform's exporter (`platform_*`,
//! `streaming_*`, `message_queue_*`, …), which dashboards elsewhere know. docs/MONITORING.md lists
//! all of them; it is made of this text.
//!
//! Invariants:
//! - The text is a function of the snapshot and the time: names in the order of the code, labels
//!   sorted. (The crate's own families keep their members in random order, so each scrape writes
//!   the snapshot through a collector.)
//! - A figure that is not known has no sample.

use std::fmt::Error;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use write::{by_label, by_source, counter, gauge, histogram};

use crate::hybrid::mode::Mode;
use crate::pipeline::Snapshot;
use crate::pipeline::health::{Health, HealthStatus, assess};

mod extensions;
mod platform;
mod resilience;
mod write;

/// `snapshot` at `now` (monotonic) as OpenMetrics text.
pub(super) fn encode(snapshot: Snapshot, now: Duration) -> Result<String, Error> {
    let scrape =
        Scrape { health: Arc::new(assess(&snapshot, now)), snapshot: Arc::new(snapshot), now };
    let mut platform = Registry::default();
    platform.register_collector(Box::new(platform::Platform(scrape.clone())));
    let mut own = Registry::with_prefix("shakedown");
    own.register_collector(Box::new(scrape));
    let mut text = String::new();
    prometheus_client::encoding::text::encode_registry(&mut text, &own)?;
    prometheus_client::encoding::text::encode_registry(&mut text, &platform)?;
    prometheus_client::encoding::text::encode_eof(&mut text)?;
    Ok(text)
}

#[derive(Debug, Clone)]
struct Scrape {
    snapshot: Arc<Snapshot>,
    health: Arc<Health>,
    now: Duration,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.process(&mut encoder)?;
        self.cycles(&mut encoder)?;
        self.sources(&mut encoder)?;
        self.events(&mut encoder)?;
        extensions::encode(&self.snapshot, &mut encoder)?;
        resilience::encode(&self.snapshot, &mut encoder)
    }
}

impl Scrape {
    fn process(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let head = ("build", "Version of the running program");
        let mut info = to.encode_descriptor(head.0, head.1, None, MetricType::Info)?;
        info.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        let uptime = self.now.saturating_sub(self.snapshot.made.monotonic).as_secs_f64();
        gauge(to, ("uptime_seconds", "Time since the pipeline was made"), uptime)?;
        if let Some(share) = self.health.figures.uptime {
            let head = ("availability_ratio", "Share of time in which health was not unhealthy");
            gauge(to, head, share)?;
        }
        let memory = self.snapshot.memory;
        let head = ("memory_held_bytes", "Bytes of the events in memory");
        gauge(to, head, memory.held_bytes as f64)?;
        let head = ("memory_limit_bytes", "Bytes of events that may be in memory");
        gauge(to, head, memory.limit_bytes as f64)?;
        let head = ("health", "1 for the present status of each check, else 0");
        let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Gauge)?;
        for check in &self.health.checks {
            for status in HealthStatus::ALL {
                let labels = [("check", check.name.as_str()), ("status", status.lowercase())];
                let value = ConstGauge::new(i64::from(check.status == status));
                value.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn cycles(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let snapshot = &self.snapshot;
        counter(to, ("cycles_started", "Cycles that began"), snapshot.started)?;
        counter(to, ("cycles", "Cycles that ended"), snapshot.completed)?;
        let head = ("cycles_skipped", "Cycle starts that passed while a cycle was running");
        counter(to, head, snapshot.skipped)?;
        let head = ("cycle_duration_seconds", "Duration of cycles");
        histogram(to, head, &[(&[], &snapshot.durations)])?;
        let head = ("last_success_timestamp_seconds", "Unix time of the last success of a stage");
        let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Gauge)?;
        let stages = [("collect", snapshot.last_collected), ("stream", snapshot.last_accepted)];
        for (stage, moment) in stages {
            let Some(moment) = moment else { continue };
            let seconds = moment.wall.0 as f64 / 1_000.0;
            ConstGauge::new(seconds).encode(family.encode_family(&[("stage", stage)])?)?;
        }
        Ok(())
    }

    fn sources(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let ledger = &self.snapshot.ledger;
        let head = ("samples_collected", "Raw samples collected");
        by_label(to, head, "kind", &ledger.collected)?;
        let head = ("samples_transformed", "Raw samples that became canonical samples");
        counter(to, head, ledger.transformed)?;
        let head = ("samples_rejected", "Raw samples that were invalid");
        by_label(to, head, "reason", &ledger.rejected)?;
        let head = ("fields_left_out", "Fields left out of samples that were valid otherwise");
        by_label(to, head, "reason", &ledger.fields_left_out)?;
        let head = ("collector_failures", "Cycles in which a source gave nothing at all");
        by_source(to, head, &ledger.failures)?;
        let head = ("collector_missing_parts", "Parts that a source could not give");
        by_source(to, head, &ledger.missing)?;
        by_label(to, ("entities", "Entities synthesized"), "type", &ledger.entities)?;
        let head = ("entities_rejected", "Entities that could not be synthesized");
        by_label(to, head, "reason", &ledger.unsynthesized)?;
        counter(to, ("relationships", "Relationships sent along"), ledger.relationships)?;
        let head = ("monitoring_events", "Events about the pipeline itself, e.g. of its breakers");
        counter(to, head, ledger.monitoring)?;
        counter(to, ("gap_events", "Events about gaps and coverage"), ledger.gaps)?;
        self.topology(to)?;
        let head = ("series_left_out", "Entities' figures left out of this page, by its cap");
        counter(to, head, self.snapshot.figures_left_out)
    }

    /// What the last cycle showed of the desired topology, if there is one.
    fn topology(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let head = ("mode", "1 for the mode of the present cycle, else 0");
        let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Gauge)?;
        for mode in Mode::ALL {
            let value = ConstGauge::new(i64::from(self.snapshot.mode == mode));
            value.encode(family.encode_family(&[("mode", mode.as_str())])?)?;
        }
        let last = self.snapshot.last_report.as_ref();
        let Some(gaps) = last.and_then(|report| report.gaps.as_ref()) else { return Ok(()) };
        let head = ("desired_entities", "Desired entities by what the last cycle showed of them");
        let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Gauge)?;
        for (kind, counts) in &gaps.coverage {
            let states = [
                ("fresh", counts.fresh),
                ("stale", counts.stale),
                ("missing", counts.missing),
                ("pending", counts.pending),
            ];
            for (state, count) in states {
                let labels = [("type", *kind), ("state", state)];
                ConstGauge::new(count as f64).encode(family.encode_family(&labels)?)?;
            }
        }
        let head = ("stand_ins", "Stand-ins of the last cycle");
        gauge(to, head, gaps.overall().filled as f64)?;
        let head = ("gaps_unfilled", "Gaps that the limits left without a stand-in");
        gauge(to, head, gaps.unfilled as f64)?;
        let head = ("topology_mismatches", "Settings that are not as desired");
        gauge(to, head, gaps.mismatches as f64)?;
        let head = ("unexpected_entities", "Fresh entities that nobody desired");
        gauge(to, head, gaps.unexpected as f64)
    }

    fn events(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let stream = &self.snapshot.stream;
        counter(to, ("events_enqueued", "Events handed to the stream"), stream.enqueued)?;
        let head = ("events", "Events that left the stream, by outcome and reason");
        let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Counter)?;
        let acknowledged = ("acknowledged", "", stream.acknowledged);
        let rejected = stream.rejected.iter().map(|(r, count)| ("rejected", r.as_str(), *count));
        let dropped = stream.dropped.iter().map(|(r, count)| ("dropped", r.as_str(), *count));
        for (outcome, reason, count) in std::iter::once(acknowledged).chain(rejected).chain(dropped)
        {
            let labels = [("outcome", outcome), ("reason", reason)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        let head =
            ("events_in_flight", "Events in memory or in the spool that New Relic has not taken");
        gauge(to, head, stream.in_flight as f64)?;
        let head = ("events_in_flight_limit", "Events that may wait in memory alone");
        gauge(to, head, self.snapshot.buffer_events_max as f64)?;
        let stats = &self.snapshot.stream_stats;
        let posts = stats.posts.iter().map(|(outcome, count)| ((*outcome).to_owned(), *count));
        by_label(to, ("posts", "POSTs to New Relic, by outcome"), "outcome", &posts.collect())?;
        let head = ("posts_unknown", "POSTs whose answer was lost; they are sent again");
        counter(to, head, stream.unknown_sends)?;
        let head = ("sent_bytes", "Bytes of bodies as sent");
        counter(to, head, stats.sent_bytes)?;
        let head = ("body_bytes", "Bytes of bodies before compression");
        counter(to, head, stats.body_bytes)
    }
}
