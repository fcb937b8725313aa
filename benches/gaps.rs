//! What finding gaps costs per desired entity, from 100 entities to 100,000, and whether it stays
//! the same.
//!
//! `cargo bench --bench gaps` compares an estate that lacks one entity in twenty and has as many
//! that nobody asked for with its topology: observations in the order of the pipeline (sorted), and
//! shuffled, as a store's facets come. Criterion's figures are wall time; the table that follows
//! (`-- --figures` prints it alone) has the CPU time of this thread, which other load on the
//! machine disturbs least: the best of several rounds. Beside it stand the bytes per entity that a
//! detector holds with its topology, and the most that one comparison holds besides.

use std::hint::black_box;
use std::io::Write as _;

use criterion::{BenchmarkId, Criterion, Throughput};
use rand_core::{Rng as _, SeedableRng as _};
use shakedown::domain::entity::EntityKey;
use shakedown::domain::provider::Provider;
use shakedown::domain::units::UnixNanos;
use shakedown::hybrid::gap::{Detector, Observed, Tolerance};
use shakedown::hybrid::topology::{BrokerForm, ClusterForm, TopicForm, Topology, TopologyForm};

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const ORDERS: [&str; 2] = ["sorted", "shuffled"];
const ROUNDS: usize = 9;
/// Entities of one round: the scheduler's account moves on in steps of some milliseconds.
const ROUND_ENTITIES: usize = 2_000_000;
const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);
/// Entities of one cluster: itself, its brokers, and topics.
const CLUSTER_ENTITIES: usize = 100;
const BROKERS: usize = 9;

/// A topology of exactly `size` entities.
fn topology(size: usize) -> Topology {
    let mut form = TopologyForm::default();
    for cluster in 0..size / CLUSTER_ENTITIES {
        let cluster_name = format!("kafka-production-{cluster:05}");
        form.clusters.push(ClusterForm {
            provider: "kafka".to_owned(),
            name: cluster_name.clone(),
            required_brokers: None,
            bootstrap_servers: Vec::new(),
        });
        for id in 0..BROKERS {
            let (provider, cluster_name) = (None, cluster_name.clone());
            form.brokers.push(BrokerForm { provider, cluster_name, id: id.to_string() });
        }
        for topic in 0..CLUSTER_ENTITIES - 1 - BROKERS {
            form.topics.push(TopicForm {
                provider: None,
                cluster_name: cluster_name.clone(),
                name: format!("orders.service-{topic:03}.events"),
                partitions: Some(12),
                replication_factor: Some(3),
            });
        }
    }
    Topology::new(form).expect("valid")
}

/// What is there of it, sorted.
fn estate(topology: &Topology) -> Vec<Observed> {
    let mut observed = Vec::new();
    for (place, entity) in topology.entities().enumerate() {
        let mut seen = Observed::new(entity.key.clone(), NOW);
        seen.partitions = Some(12);
        seen.replication_factor = Some(3);
        if place % 20 == 7 {
            seen.key = EntityKey::Topic {
                provider: Provider::Kafka,
                cluster: entity.key.cluster().to_owned(),
                topic: format!("unexpected-{place}"),
            };
        }
        observed.push(seen);
    }
    observed.sort_by(|one, other| one.key.cmp(&other.key));
    observed
}

fn shuffled(mut observed: Vec<Observed>) -> Vec<Observed> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    for last in (1..observed.len()).rev() {
        observed.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
    }
    // Keys move in memory too, so that the order of the list is the order of their texts.
    observed.iter().map(|seen| Observed { key: seen.key.clone(), ..*seen }).collect()
}

/// What is compared with a detector.
struct Case {
    detector: Detector,
    observed: Vec<Observed>,
}

fn case(order: &str, size: usize) -> Case {
    let topology = topology(size);
    assert_eq!(topology.len(), size);
    let sorted = estate(&topology);
    let observed = if order == "sorted" { sorted } else { shuffled(sorted) };
    let detector = Detector::new(topology, Tolerance::default());
    let report = detector.examine(&observed, NOW);
    assert_eq!(report.all_missing().count(), size / 20, "the estate lacks one in twenty");
    assert_eq!(report.unexpected.len(), size / 20);
    Case { detector, observed }
}

/// Nanoseconds that this thread has run so far, by the scheduler's own account.
fn cpu_nanos() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_whitespace().next()?.parse().ok()
}

/// The least CPU time of one comparison, in nanoseconds per entity.
fn nanos_per_entity(case: &Case) -> Option<f64> {
    let entities = case.observed.len();
    let times = (ROUND_ENTITIES / entities).max(1);
    let mut best = None;
    for _ in 0..ROUNDS {
        let began = cpu_nanos()?;
        for _ in 0..times {
            black_box(case.detector.examine(black_box(&case.observed), NOW));
        }
        let took = cpu_nanos()?.saturating_sub(began);
        best = Some(best.map_or(took, |best: u64| best.min(took)));
    }
    best.map(|best| best as f64 / (times * entities) as f64)
}

/// Bytes an entity of a detector, its topology included, and of one comparison at its peak.
fn bytes_per_entity(case: &Case) -> [f64; 2] {
    let held = allocation_counter::measure(|| drop(black_box(case.detector.clone())));
    let peak = allocation_counter::measure(|| {
        drop(black_box(case.detector.examine(black_box(&case.observed), NOW)));
    });
    [held, peak].map(|info| info.bytes_max as f64 / case.observed.len() as f64)
}

fn figures() {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "order       entities  CPU ns/entity  million entities/s  bytes held  bytes to compare"
    );
    for order in ORDERS {
        for size in SIZES {
            let case = case(order, size);
            let [held, peak] = bytes_per_entity(&case);
            let (nanos, rate) = match nanos_per_entity(&case) {
                Some(nanos) => (format!("{nanos:.1}"), format!("{:.2}", 1_000.0 / nanos)),
                None => ("-".to_owned(), "-".to_owned()),
            };
            let _ = writeln!(
                out,
                "{order:<10} {size:>9}  {nanos:>13}  {rate:>18}  {held:>10.0}  {peak:>16.0}"
            );
        }
    }
}

fn main() {
    if !std::env::args().any(|argument| argument == "--figures") {
        let mut criterion = Criterion::default().configure_from_args();
        for order in ORDERS {
            let mut group = criterion.benchmark_group(format!("examine {order}"));
            for size in SIZES {
                let Case { detector, observed } = case(order, size);
                group.throughput(Throughput::Elements(size as u64));
                group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                    bencher.iter(|| black_box(detector.examine(black_box(&observed), NOW)));
                });
            }
            group.finish();
        }
        criterion.final_summary();
    }
    figures();
}
