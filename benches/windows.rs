//! Windows of time: what one reading of about 20 metrics costs, on one thread and on two, and the
//! most memory that they hold for few and for many windows in a row.
//!
//! `cargo bench --bench windows` prints criterion's figures per reading, then (and with
//! `-- --figures` only) the CPU time of a reading among few and many entities, in and out of order
//! and too late, in windows of few and many readings, and of closing topics that groups read; then
//! the memory.

use std::hint::black_box;
use std::io::Write as _;
use std::num::NonZeroUsize;

use criterion::{Criterion, Throughput};
use rand_core::{Rng as _, SeedableRng as _};
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

fn entities(count: usize) -> Vec<Entity> {
    let one = |number: usize| {
        let (provider, cluster) = (Provider::Kafka, format!("prod-{}", number / 100));
        let key = EntityKey::Broker { provider, cluster, broker_id: (number % 100).to_string() };
        let mut metrics = MetricSet::new(EntityKind::Broker);
        for (place, id) in MetricId::of_kind(EntityKind::Broker).take(METRICS).enumerate() {
            metrics.set(id, (number * 31 + place * 7) as f64 / 9.0);
        }
        Entity { key, metrics }
    };
    (0..count).map(one).collect()
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
    let entities = entities(ENTITIES);
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

const START: i64 = 1_700_000_040_000;
const WINDOW_MS: i64 = 60_000;
/// Readings of one round.
const ROUND: usize = 40_000;

/// In which order the readings of a window come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    InTime,
    Backwards,
    Shuffled,
    TooLate,
}

const ORDERS: [Order; 4] = [Order::InTime, Order::Backwards, Order::Shuffled, Order::TooLate];

/// Times within a window, in the order in which they come.
fn times(readings: usize, order: Order) -> Vec<UnixMillis> {
    let step = (WINDOW_MS / readings as i64).max(1);
    let mut times: Vec<_> = (0..readings as i64).map(|n| UnixMillis(START + n * step)).collect();
    match order {
        Order::InTime | Order::TooLate => {}
        Order::Backwards => times.reverse(),
        Order::Shuffled => {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
            for last in (1..times.len()).rev() {
                times.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
            }
        }
    }
    times
}

/// CPU time of this thread so far, by the scheduler's account.
fn cpu_nanos() -> u64 {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|field| field.parse().ok()).expect("nanoseconds")
}

/// Least nanoseconds of five rounds, each of windows that `fill` makes and `work` uses.
fn least_nanos<T>(mut fill: impl FnMut() -> T, mut work: impl FnMut(&T)) -> f64 {
    let round = |_| {
        let made = fill();
        let began = cpu_nanos();
        work(&made);
        cpu_nanos() - began
    };
    (0..5).map(round).min().unwrap_or_default() as f64
}

/// Nanoseconds a reading of `entities`, each of which says `readings` in one window.
fn nanos_of_reading(entities: &[Entity], readings: usize, order: Order) -> f64 {
    let times = times(readings, order);
    let now = match order {
        Order::TooLate => UnixMillis(START + 10 * WINDOW_MS),
        _ => UnixMillis(START + WINDOW_MS),
    };
    let rounds = (ROUND / (entities.len() * readings)).max(1);
    let fill = || (0..rounds).map(|_| windows(1)).collect::<Vec<_>>();
    let nanos = least_nanos(fill, |all| {
        for windows in all {
            for at in &times {
                for Entity { key, metrics } in entities {
                    let measured = Some(Window::of(CYCLE_MS));
                    let (source, at) = (SourceId::default(), *at);
                    let reading = Reading { key, at, source, metrics, measured, topics: &[] };
                    black_box(windows.observe(&reading, now));
                }
            }
            let stats = windows.stats();
            let offered = (entities.len() * readings) as u64;
            let expected = if order == Order::TooLate { (0, offered) } else { (offered, 0) };
            assert_eq!((stats.counted, stats.late), expected, "{order:?}");
        }
    });
    nanos / (rounds * entities.len() * readings) as f64
}

/// Nanoseconds a window, of closing as many topics as groups, each of which reads one of them.
fn nanos_of_closing(topics: usize) -> f64 {
    let name = |number: usize| format!("topic-{number}");
    let fill = || {
        let windows = windows(1);
        for number in 0..topics {
            let (provider, cluster) = (Provider::Kafka, "prod".to_owned());
            let topic = EntityKey::Topic { provider, cluster, topic: name(number) };
            let (provider, cluster) = (Provider::Kafka, "prod".to_owned());
            let group = EntityKey::Group { provider, cluster, group: format!("group-{number}") };
            let mut lag = MetricSet::new(EntityKind::ConsumerGroup);
            lag.set(MetricId::GROUP_LAG_TOTAL, number as f64);
            let none = MetricSet::new(EntityKind::Topic);
            for (key, metrics, read) in [(topic, none, vec![]), (group, lag, vec![name(number)])] {
                let (at, source) = (UnixMillis(START), SourceId::default());
                let reading = Reading {
                    key: &key,
                    at,
                    source,
                    metrics: &metrics,
                    measured: None,
                    topics: &read,
                };
                windows.observe(&reading, at);
            }
        }
        windows
    };
    let nanos = least_nanos(fill, |windows| {
        let closed = windows.advance(UnixMillis(START + 10 * WINDOW_MS));
        let told = closed.iter().filter(|window| !window.roll_ups.is_empty()).count();
        assert_eq!((closed.len(), told), (2 * topics, topics), "each topic has its reader");
    });
    nanos / (2 * topics) as f64
}

fn figures() {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "CPU ns a reading         in time  backwards   shuffled   too late");
    for (count, readings) in [(1, 4), (100, 4), (10_000, 4), (1, 100), (1, 10_000)] {
        let entities = entities(count);
        let _ = write!(out, "{count:>6} x {readings:>6} a window");
        for order in ORDERS {
            let _ = write!(out, "  {:>9.0}", nanos_of_reading(&entities, readings, order));
        }
        let _ = writeln!(out);
    }
    for topics in [100, 1_000, 10_000] {
        let nanos = nanos_of_closing(topics);
        let _ = writeln!(out, "{topics:>6} topics and groups, closed: {nanos:.0} ns a window");
    }
}

fn memory() {
    let entities = entities(ENTITIES);
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
    if !std::env::args().any(|argument| argument == "--figures") {
        let mut criterion = Criterion::default().configure_from_args();
        benches(&mut criterion);
        criterion.final_summary();
    }
    figures();
    memory();
}
