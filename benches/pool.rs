//! What a task costs in the worker pool: no-op tasks per second by queue length and by number of
//! priorities, and with what a task may ask for (a limit, ageing); beside them the plainest that
//! tokio offers for the same: one task each and a semaphore.
//!
//! Each round submits as many tasks as the queue is to hold and awaits them all; the rate counts
//! submission, run and answer. One thread, five workers, the operating system's clock for the
//! pool's own times. What is counted is the thread's CPU time (from /proc, so on Linux only), which
//! other load on the machine disturbs least.

use std::fs;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shakedown::adapters::{OsEntropy, SystemClock};
use shakedown::resilience::pool::{Pool, PoolConfig, TaskOptions};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

const WORKERS: u32 = 5;
const LENGTHS: [u32; 4] = [10, 1_000, 100_000, 1_000_000];
const PRIORITIES: [u32; 3] = [1, 10, 1_000];
/// So that starting the runtime's turn does not count.
const TASKS_PER_ITERATION: u32 = 1_000;

/// CPU time of this thread.
struct CpuTime;

impl CpuTime {
    fn now() -> Duration {
        // The kernel brings the account up to date when the thread gives its turn away.
        std::thread::yield_now();
        let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
        let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
        Duration::from_nanos(nanos.expect("the first field is nanoseconds"))
    }
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now() - start
    }

    fn add(&self, first: &Duration, second: &Duration) -> Duration {
        *first + *second
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn pool(ageing: Option<Duration>) -> Pool {
    let config = PoolConfig {
        workers: WORKERS,
        queue_max: 1_000_000,
        ageing,
        task_timeout: None,
        ..PoolConfig::default()
    };
    Pool::new(SystemClock::new(), &OsEntropy, config).expect("a valid configuration")
}

fn options(number: u32, priorities: u32, limit: Option<Duration>) -> TaskOptions {
    let priority = i32::try_from(number % priorities).expect("few priorities");
    TaskOptions { priority, timeout: limit, ..TaskOptions::new("no-op") }
}

async fn pool_round(pool: &Pool, length: u32, priorities: u32, limit: Option<Duration>) {
    let submit = |number| {
        let task = move || std::future::ready(Ok::<u32, ()>(number));
        pool.try_submit(options(number, priorities, limit), task).expect("a place")
    };
    let handles: Vec<_> = (0..length).map(submit).collect();
    for handle in handles {
        black_box(handle.await.expect("it succeeds"));
    }
}

async fn plain_round(local: &LocalSet, permits: &Rc<Semaphore>, length: u32) {
    let spawn = |number| {
        let permits = Rc::clone(permits);
        local.spawn_local(async move {
            let _permit = permits.acquire().await.expect("nobody closes it");
            number
        })
    };
    let handles: Vec<_> = (0..length).map(spawn).collect();
    for handle in handles {
        black_box(handle.await.expect("it succeeds"));
    }
}

fn bench(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("pool");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    for length in LENGTHS {
        let rounds = (TASKS_PER_ITERATION / length).max(1);
        group.throughput(Throughput::Elements(u64::from(rounds * length)));
        let mut case = |name: String, ageing, priorities, limit| {
            group.bench_function(BenchmarkId::new(name, length), |bencher| {
                let (runtime, local, pool) = (runtime(), LocalSet::new(), pool(ageing));
                bencher.iter(|| {
                    runtime.block_on(local.run_until(async {
                        for _ in 0..rounds {
                            pool_round(&pool, length, priorities, limit).await;
                        }
                    }));
                });
            });
        };
        for priorities in PRIORITIES {
            case(format!("priorities {priorities}"), None, priorities, None);
        }
        case("ageing, priorities 1000".to_owned(), Some(Duration::from_secs(1)), 1_000, None);
        case("limit".to_owned(), None, 1, Some(Duration::from_secs(30)));
        group.bench_function(BenchmarkId::new("spawn_local and semaphore", length), |bencher| {
            let (runtime, local) = (runtime(), LocalSet::new());
            let permits = Rc::new(Semaphore::new(WORKERS as usize));
            bencher.iter(|| {
                runtime.block_on(local.run_until(async {
                    for _ in 0..rounds {
                        plain_round(&local, &permits, length).await;
                    }
                }));
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = bench
}
criterion_main!(benches);
