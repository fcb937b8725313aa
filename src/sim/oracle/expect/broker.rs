//! A broker's figures.

use std::collections::BTreeMap;

use super::{Figures, merge};
use crate::sim::fleet::{BrokerTruth, MetadataTruth};
use crate::sim::oracle::cycle::LogDirs;

/// A broker's counters and gauges now, and its counters before, with the window between.
pub struct BrokerSight<'a> {
    /// Now.
    pub now: &'a BrokerTruth,
    /// Each admissible earlier sight, oldest first.
    pub before: Vec<&'a BrokerTruth>,
    /// Seconds between the two; `None` when the pipeline claims no rates.
    pub window_s: Option<f64>,
}

/// One consistent set of figures.
pub type Plain = BTreeMap<&'static str, f64>;

type Counter = (&'static str, fn(&BrokerTruth) -> u64);

const RATES: &[Counter] = &[
    ("broker.network.in.bytesPerSecond", |t| t.counters.all.bytes_in),
    ("broker.network.out.bytesPerSecond", |t| t.counters.all.bytes_out),
    ("broker.messages.in.rate", |t| t.counters.all.messages_in),
    ("broker.network.rejected.bytesPerSecond", |t| t.counters.bytes_rejected),
    ("request.produce.perSecond", |t| t.counters.requests_produce),
    ("request.fetchConsumer.perSecond", |t| t.counters.requests_fetch_consumer),
    ("request.fetchFollower.perSecond", |t| t.counters.requests_fetch_follower),
    ("request.produce.handled.perSecond", |t| t.counters.all.produce_requests),
    ("request.fetch.handled.perSecond", |t| t.counters.all.fetch_requests),
    ("request.produce.failed.perSecond", |t| t.counters.all.failed_produce_requests),
    ("request.fetch.failed.perSecond", |t| t.counters.all.failed_fetch_requests),
    ("replication.isrShrinks.perSecond", |t| t.counters.isr_shrinks),
    ("replication.isrExpands.perSecond", |t| t.counters.isr_expands),
    ("controller.uncleanLeaderElections.perSecond", |t| t.counters.unclean_elections),
    ("disk.logFlushRate", |t| t.counters.log_flushes),
];

/// Admissible figures of a broker.
pub fn figures(sets: &[Plain]) -> Figures {
    let mut figures = Figures::new();
    for plain in sets {
        merge(&mut figures, plain);
    }
    figures
}

/// Each admissible consistent set of figures of a broker; at least one.
pub fn variants(sight: Option<&BrokerSight<'_>>, disk: Option<LogDirs<'_>>) -> Vec<Plain> {
    let mut base = Plain::new();
    if let Some((total, free, replicas)) = disk {
        let (total, free) = (total as f64, free as f64);
        base.insert("disk.total.bytes", total);
        base.insert("disk.free.bytes", free);
        base.insert("disk.used.bytes", total - free);
        base.insert("broker.disk.usage", (total - free) / total * 100.0);
        base.insert("log.size.bytes", replicas.iter().map(|r| r.size_bytes as f64).sum());
    }
    let Some(sight) = sight else { return vec![base] };
    gauges(&mut base, sight.now);
    let with_rates = sight.before.iter().filter_map(|before| {
        let mut plain = base.clone();
        let seconds = sight.window_s?;
        rates(&mut plain, before, sight.now, seconds);
        Some(plain)
    });
    let variants: Vec<Plain> = with_rates.collect();
    if variants.is_empty() { vec![base] } else { variants }
}

/// Figures of a broker whose exporter says nothing: each set with its place in each description of
/// the cluster, and without one where the cluster does not name it.
pub fn with_metadata(sets: &[Plain], broker: i32, truths: &[&MetadataTruth]) -> Vec<Plain> {
    let is_named = |truth: &&&MetadataTruth| truth.brokers.iter().any(|b| b.id == broker);
    if !truths.iter().any(|truth| is_named(&truth)) {
        return sets.to_vec();
    }
    let place = |truth: &&MetadataTruth| match is_named(&truth) {
        true => from_metadata(broker, truth),
        false => Plain::new(),
    };
    let places: Vec<Plain> = truths.iter().map(place).collect();
    let both = |(set, place): (&Plain, &Plain)| {
        let mut set = set.clone();
        set.extend(place.clone());
        set
    };
    sets.iter().flat_map(|set| places.iter().map(move |place| both((set, place)))).collect()
}

fn from_metadata(broker: i32, truth: &MetadataTruth) -> Plain {
    let external = truth.topics.iter().filter(|topic| !topic.name.starts_with("__"));
    let partitions: Vec<_> = external.flat_map(|topic| &topic.partitions).collect();
    let led: Vec<_> = partitions.iter().filter(|p| p.leader == broker).collect();
    let hosted = partitions.iter().filter(|p| p.replicas.contains(&broker)).count();
    let behind = led.iter().filter(|p| p.isr.len() < p.replicas.len()).count();
    let mut plain = Plain::new();
    plain.insert("partitionCount", hosted as f64);
    plain.insert("leaderPartitions", led.len() as f64);
    plain.insert("partitions.underReplicated", behind as f64);
    if let Some(controller) = truth.known_controller() {
        plain.insert("controller.isActive", f64::from(u8::from(controller == broker)));
    }
    plain.insert("broker.health.score", (100.0 - (10.0 * behind as f64).min(30.0)).round());
    plain
}

fn gauges(plain: &mut Plain, truth: &BrokerTruth) {
    let gauges = &truth.gauges;
    let cpu = gauges.cpu_load * 100.0;
    let total = gauges.memory_total_bytes as f64;
    let free = gauges.memory_free_bytes as f64;
    let memory = (total - free) / total * 100.0;
    let idle = gauges.handler_idle * 100.0;
    let behind = gauges.under_replicated as f64;
    let figures = [
        ("broker.cpu.usage", cpu),
        ("broker.memory.usage", memory),
        ("memory.total.bytes", total),
        ("memory.free.bytes", free),
        ("memory.used.bytes", total - free),
        ("jvm.heap.used.bytes", gauges.heap_used_bytes as f64),
        ("jvm.heap.max.bytes", gauges.heap_max_bytes as f64),
        ("request.produce.latency", gauges.produce_p99_ms),
        ("request.fetch.latency", gauges.fetch_consumer_p99_ms),
        ("broker.request.latency", gauges.produce_p99_ms.max(gauges.fetch_consumer_p99_ms)),
        ("request.handlerIdle.percent", idle),
        ("loadScore", 0.6 * cpu + 0.4 * memory),
        ("partitionCount", gauges.partition_count as f64),
        ("leaderPartitions", gauges.leader_count as f64),
        ("partitions.underReplicated", behind),
        ("partitions.offline", gauges.offline_partitions as f64),
        ("replicas.offline", 0.0),
        ("controller.isActive", gauges.active_controller as f64),
    ];
    plain.extend(figures);
    let deducted = (10.0 * behind).min(30.0)
        + (cpu - 80.0).clamp(0.0, 20.0)
        + if total - free > 30.0 * 1_073_741_824.0 { 10.0 } else { 0.0 }
        + if idle < 20.0 { 15.0 } else { 0.0 };
    plain.insert("broker.health.score", (100.0 - deducted + 0.5).floor().max(0.0));
}

fn rates(plain: &mut Plain, before: &BrokerTruth, now: &BrokerTruth, seconds: f64) {
    if before.started_at != now.started_at {
        return;
    }
    for (name, counter) in RATES {
        if let Some(grown) = counter(now).checked_sub(counter(before)) {
            plain.insert(name, grown as f64 / seconds);
        }
    }
    let sum = |plain: &Plain, names: &[&str]| -> Option<f64> {
        names.iter().map(|name| plain.get(name).copied()).sum()
    };
    let traffic = ["broker.network.in.bytesPerSecond", "broker.network.out.bytesPerSecond"];
    if let Some(total) = sum(plain, &traffic) {
        plain.insert("broker.network.throughput", total);
    }
    let requests = [
        "request.produce.perSecond",
        "request.fetchConsumer.perSecond",
        "request.fetchFollower.perSecond",
    ];
    if let Some(total) = sum(plain, &requests) {
        plain.insert("request.rate", total);
    }
    if let Some((failed, handled)) = outcome(plain) {
        plain.insert("broker.error.rate", percent(failed, handled));
    }
}

/// Failed and handled produce and fetch requests per second.
pub fn outcome(plain: &Plain) -> Option<(f64, f64)> {
    let get = |name| plain.get(name).copied();
    let failed = get("request.produce.failed.perSecond")? + get("request.fetch.failed.perSecond")?;
    let handled =
        get("request.produce.handled.perSecond")? + get("request.fetch.handled.perSecond")?;
    Some((failed, handled))
}

/// Share in percent; nothing of nothing is 0.
pub fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 100.0).min(100.0) } else { 0.0 }
}
