//! The cluster's health score, by the formula of the specification.
//!
//! `100 − 30 (offline partitions) − min(20, 2·under-replicated) − min(15, ¾(cpu−80)) −
//! min(15, ¾(memory−85)) − min(20, 2(disk−90)) − min(20, 2·error %) when over 5 % − 10 (handlers
//! idle under 20 %) − min(30, 100·offline brokers/brokers)`, rounded half up, not below 0. A term
//! whose input is unknown deducts nothing; the confidence is the share of terms that are known.

use std::collections::BTreeSet;

use super::arrival::Arrivals;
use super::cycle::{CycleEvents, CycleView};
use crate::sim::check::record::{FleetRecord, Record};
use crate::sim::fleet::MetadataTruth;
use crate::sim::time::SimTime;

/// A score and how much of its input was known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// 0 to 100.
    pub score: f64,
    /// 0 to 1.
    pub confidence: f64,
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with confidence {}", self.score, self.confidence)
    }
}

/// Seconds for which a broker that is gone still counts as expected.
const EXPECTED_FOR_SECONDS: u64 = 600;

/// Admissible scores of one cycle: one per description of the cluster that it was given, and per
/// answer that may have come or not.
pub fn expected(record: &Record, events: &CycleEvents<'_>) -> Vec<Score> {
    let Some(fleet) = record.fleets.get(events.cluster) else { return Vec::new() };
    let view = CycleView::new(fleet, events.cycle.started, events.cycle.ended);
    let known = expected_brokers(record, fleet, events);
    let arrivals = Arrivals::new(view.clone(), events);
    let all = fleet.brokers.clone();
    let told: Vec<i32> = all.iter().copied().filter(|id| !arrivals.is_unknown(*id)).collect();
    // Where nobody can tell whether answers arrived, they may have or not.
    let sets = if told == all { vec![all] } else { vec![all, told] };
    let truths = view.metadata();
    let pairs = truths.into_iter().flat_map(|truth| sets.iter().map(move |set| (truth, set)));
    pairs.map(|(truth, heard)| score(heard, &arrivals, truth, known, events)).collect()
}

/// How many brokers the cluster should have. With a desired topology: those that it lists, and
/// whoever is there beside them, and as many as it requires. Without one: those that this life of
/// the pipeline saw within the ten minutes before the end of the collection, named by the cluster
/// or heard themselves.
pub fn expected_brokers(record: &Record, fleet: &FleetRecord, events: &CycleEvents<'_>) -> usize {
    let Some((listed, required)) = wanted(record, events.cluster) else {
        return seen_lately(record, fleet, events).len();
    };
    let view = CycleView::new(fleet, events.cycle.started, events.cycle.ended);
    let beside = seen(fleet, &view).into_iter().filter(|id| !listed.contains(&id.to_string()));
    (listed.len() + beside.count()).max(required)
}

/// Ids and number of the brokers that the scenario's topology wants of `cluster`, if any.
fn wanted(record: &Record, cluster: &str) -> Option<(BTreeSet<String>, usize)> {
    let spec = record.scenario.pipeline.hybrid.as_ref()?;
    let form = spec.desired(&record.scenario).ok()?.form();
    let of_cluster = form.brokers.iter().filter(|broker| broker.cluster_name == cluster);
    let listed: BTreeSet<String> = of_cluster.map(|broker| broker.id.clone()).collect();
    let own = form.clusters.iter().find(|known| known.name == cluster);
    let required = own.and_then(|own| own.required_brokers).unwrap_or(0) as usize;
    (required > 0 || !listed.is_empty()).then_some((listed, required))
}

/// Brokers of the fleet that `view` shows: named by the cluster, or heard themselves.
fn seen(fleet: &FleetRecord, view: &CycleView<'_>) -> Vec<i32> {
    let truths = view.metadata();
    let named: BTreeSet<i32> = truths.iter().flat_map(|t| &t.brokers).map(|b| b.id).collect();
    let seen = |id: &i32| named.contains(id) || view.has_scrape(*id);
    fleet.brokers.iter().copied().filter(seen).collect()
}

fn seen_lately(record: &Record, fleet: &FleetRecord, events: &CycleEvents<'_>) -> Vec<i32> {
    let life = record.pipelines.iter().rev().find(|life| life.started <= events.cycle.started);
    let back = std::time::Duration::from_secs(EXPECTED_FOR_SECONDS);
    let oldest = SimTime::from(events.cycle.collected.since_start().saturating_sub(back));
    let from = life.map_or(oldest, |life| life.started.max(oldest));
    seen(fleet, &CycleView::new(fleet, from, events.cycle.ended))
}

fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
}

fn score(
    heard: &[i32],
    arrivals: &Arrivals<'_>,
    truth: &MetadataTruth,
    known: usize,
    events: &CycleEvents<'_>,
) -> Score {
    let scrapes: Vec<_> = heard.iter().filter_map(|id| arrivals.scrape(*id)).collect();
    let partitions = || {
        let topics = truth.topics.iter().filter(|topic| !topic.name.starts_with("__"));
        topics.flat_map(|topic| &topic.partitions)
    };
    let offline = partitions().filter(|p| p.leader < 0).count() as f64;
    let under = partitions().filter(|p| p.isr.len() < p.replicas.len()).count() as f64;
    let cpu: Vec<f64> = scrapes.iter().map(|s| s.gauges.cpu_load * 100.0).collect();
    let memory = scrapes.iter().map(|s| {
        let total = s.gauges.memory_total_bytes as f64;
        (total - s.gauges.memory_free_bytes as f64) / total * 100.0
    });
    let memory: Vec<f64> = memory.collect();
    let idle: Vec<f64> = scrapes.iter().map(|s| s.gauges.handler_idle * 100.0).collect();
    let disks = heard.iter().filter_map(|id| arrivals.log_dirs(*id));
    let disk = disks.map(|(total, free, _)| (total - free) as f64 / total as f64 * 100.0);
    let disk = disk.reduce(f64::max);
    let errors = error_rate(events);
    let online = truth.brokers.len();
    let gone = known.saturating_sub(online) as f64 / known.max(1) as f64;
    let over = |value: Option<f64>, limit: f64, slope: f64, most: f64| {
        value.map(|v| if v > limit { (slope * (v - limit)).min(most) } else { 0.0 })
    };
    let terms = [
        Some(if offline > 0.0 { 30.0 } else { 0.0 }),
        Some((2.0 * under).min(20.0)),
        over(mean(&cpu), 80.0, 0.75, 15.0),
        over(mean(&memory), 85.0, 0.75, 15.0),
        over(disk, 90.0, 2.0, 20.0),
        errors.map(|rate| if rate > 5.0 { (2.0 * rate).min(20.0) } else { 0.0 }),
        mean(&idle).map(|idle| if idle < 20.0 { 10.0 } else { 0.0 }),
        Some((100.0 * gone).min(30.0)),
    ];
    let deducted: f64 = terms.iter().flatten().sum();
    let confidence = terms.iter().flatten().count() as f64 / terms.len() as f64;
    Score { score: (100.0 - deducted + 0.5).floor().max(0.0), confidence }
}

/// The cluster's error rate as it was stored; ground truth judges it.
fn error_rate(events: &CycleEvents<'_>) -> Option<f64> {
    let cluster = events.events.iter().find(|e| e.text("entityType") == "MESSAGE_QUEUE_CLUSTER")?;
    cluster.number("cluster.error.rate")
}
