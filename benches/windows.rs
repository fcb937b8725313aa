//! Windows of time: what one reading of about 20 metrics costs, on one thread and on two, and the
//! most memory that they hold for few and for many windows in a row.
//!
//! `cargo bench --bench windows` prints criterion's figures per reading, then the memory.

use std::hint::black_box;
use std::io::Write as _;
use std::num::NonZeroUsize;

use criterion::{Criterion, Throughput};
use shakedown::aggregate::window::{Reading, SourceId, WindowConfig, Windows};
use shakedown::domain::entity::{EntityKey, EntityKind};
use shakedown::domain::metric::{MetricId, MetricSet};
use shakedown::domain::provider::Provider;
use shakedown::domain::units::{UnixMillis, Window};

const ENTITIES: usize = 1_000;
const METRICS: usize = 20;
const CYCLE_MS: i64 = 15_000;

struct Entity {
    key: EntityKey,
    metrics: MetricSet,
}

fn entities() -> Vec<Entity> {
    let one = |number: usize| {
        let (provider, cluster) = (Provider::Kafka, format!("prod-{}", number / 100));
        let key = EntityKey::Broker { provider, cluster, broker_id: (number % 100).to_string() };
        let mut metrics = MetricSet::new(EntityKind::Broker);
        for (place, id) in MetricId::of_kind(EntityKind::Broker).take(METRICS).enumerate() {
            metrics.set(id, (number * 31 + place * 7) as f64 / 9.0);
        }
        Entity { key, metrics }
    };
    (0..ENTITIES).map(one).collect()
}

fn windows(shards: usize) -> Windows {
    let shards = NonZeroUsize::new(shards).unwrap_or(NonZeroUsize::MIN);
    Windows::new(WindowConfig { groups_max: ENTITIES, ..WindowConfig::default() }, shards)
}

/// One reading of each of `entities` in cycle `number`.
fn observe(windows: &Windows, entities: &[Entity], number: i64) {
    let at = UnixMillis(1_700_000_000_000 + number * CYCLE_MS);
    for entity in entities {
        let reading = Reading {
            key: &entity.key,
            at,
            source: SourceId::default(),
            metrics: &entity.metrics,
            measured: Some(Window::of(CYCLE_MS)),
            topics: &[],
        };
        black_box(windows.observe(&reading, at));
    }
}

fn cycle(windows: &Windows, entities: &[Entity], number: i64) {
    observe(windows, entities, number);
    black_box(windows.advance(UnixMillis(1_700_000_000_000 + number * CYCLE_MS)));
}

fn benches(criterion: &mut Criterion) {
    let entities = entities();
    let mut group = criterion.benchmark_group("windows");
    group.throughput(Throughput::Elements(ENTITIES as u64));
    let (one, mut number) = (windows(1), 0);
    group.bench_function("one_thread", |bencher| {
        bencher.iter(|| {
            number += 1;
            cycle(&one, &entities, number);
        });
    });
    let (shared, mut number) = (windows(16), 0);
    group.bench_function("two_threads", |bencher| {
        bencher.iter(|| {
            number += 1;
            std::thread::scope(|scope| {
                for half in entities.chunks(ENTITIES / 2) {
                    let shared = &shared;
                    scope.spawn(move || observe(shared, half, number));
                }
            });
            black_box(shared.advance(UnixMillis(1_700_000_000_000 + number * CYCLE_MS)));
        });
    });
    group.finish();
}

fn memory() {
    let entities = entities();
    for cycles in [40, 4_000] {
        let info = allocation_counter::measure(|| {
            let windows = windows(1);
            (0..cycles).for_each(|number| cycle(&windows, &entities, number));
        });
        let per_reading = info.count_total as f64 / (cycles as f64 * ENTITIES as f64);
        let line = format!(
            "{cycles:>5} cycles of {ENTITIES} entities: at most {} KiB, {per_reading:.2} \
             allocations a reading",
            info.bytes_max / 1_024
        );
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    benches(&mut criterion);
    criterion.final_summary();
    memory();
}
