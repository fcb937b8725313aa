//! What the whole resilience stack costs per call: limiter, breaker, time limit, retries, and the
//! recovery manager's account, around an operation that does nothing.
//!
//! `cargo bench --bench recovery` prints criterion's means, then the distribution of single calls
//! (which includes the reading of the clock around each, given as a line of its own). The target is
//! the domain's: p99 of the bookkeeping below 50 µs.

use std::fmt;
use std::future::Future;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use criterion::Criterion;
use futures_util::FutureExt as _;
use hdrhistogram::Histogram;
use shakedown::adapters::OsEntropy;
use shakedown::adapters::SystemClock;
use shakedown::ports::Clock as _;
use shakedown::resilience::breaker::{BreakerConfig, BreakerRegistry, Forced};
use shakedown::resilience::limiter::{Limiter, LimiterConfig};
use shakedown::resilience::recovery::{
    Component, ComponentConfig, ComponentKind, ErrorClass, Failure, RecoveryConfig,
    RecoveryManager, no_fallback,
};
use tokio::runtime::Runtime;

const CALLS: u64 = 1_000_000;

#[derive(Debug)]
struct Oops;

impl fmt::Display for Oops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("oops")
    }
}

fn fatal(_: &Oops) -> ErrorClass {
    ErrorClass::Fatal
}

type One = Component<SystemClock>;

struct Stack {
    clock: SystemClock,
    manager: RecoveryManager<SystemClock>,
    component: One,
    limiter: Limiter,
}

fn stack() -> Stack {
    let clock = SystemClock::new();
    let settings = RecoveryConfig::default();
    let manager = RecoveryManager::new(clock, OsEntropy, settings, BreakerRegistry::default())
        .expect("defaults are valid");
    // Beside others, as in the pipeline.
    for number in 0..10 {
        let config = ComponentConfig::new(format!("api-{number}"), ComponentKind::ExternalApi);
        manager.register(config, None).expect("a new name");
    }
    let config = ComponentConfig {
        breaker: BreakerConfig { failure_threshold: u32::MAX, ..BreakerConfig::default() },
        ..ComponentConfig::new("streamer", ComponentKind::Streamer)
    };
    let component = manager.register(config, None).expect("a new name");
    let limits = LimiterConfig { rate_per_second: 1e9, burst: 1_000_000 };
    let limiter = Limiter::new(limits).expect("valid");
    Stack { clock, manager, component, limiter }
}

/// For operations that are ready at once.
fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("ready at once")
}

async fn succeed() -> Result<u64, Oops> {
    Ok(black_box(7))
}

async fn fail() -> Result<u64, Oops> {
    Err(black_box(Oops))
}

/// Ends at its second poll, so that the time limit's timer is made and dropped.
async fn wait_once() -> Result<u64, Oops> {
    tokio::task::yield_now().await;
    Ok(black_box(7))
}

async fn limited(stack: &Stack) -> u64 {
    stack.limiter.acquire(&stack.clock, 1).await.expect("one is no more than the burst");
    let answer = stack.component.execute(succeed, fatal, no_fallback()).await;
    answer.expect("it succeeds").value
}

fn means(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("recovery");
    let stack = stack();
    group.bench_function("operation alone", |bencher| {
        bencher.iter(|| now(succeed()).is_ok());
    });
    group.bench_function("limiter", |bencher| {
        bencher.iter(|| now(stack.limiter.acquire(&stack.clock, 1)).is_ok());
    });
    group.bench_function("breaker, limit, account", |bencher| {
        bencher.iter(|| now(stack.component.execute(succeed, fatal, no_fallback())).is_ok());
    });
    group.bench_function("the same by name", |bencher| {
        let manager = &stack.manager;
        bencher.iter(|| now(manager.execute("streamer", succeed, fatal, no_fallback())).is_ok());
    });
    group.bench_function("the same with last good result", |bencher| {
        let cached = stack.component.cached::<u64>().expect("the first type");
        bencher.iter(|| now(cached.execute(succeed, fatal, no_fallback())).is_ok());
    });
    group.bench_function("whole stack", |bencher| bencher.iter(|| now(limited(&stack))));
    group.bench_function("whole stack, one wait (timer armed)", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let _ = stack.limiter.acquire(&stack.clock, 1).await;
                stack.component.execute(wait_once, fatal, no_fallback()).await.is_ok()
            })
        });
    });
    group.bench_function("one wait alone", |bencher| {
        bencher.iter(|| runtime.block_on(wait_once()).is_ok());
    });
    group.bench_function("failure, not retried", |bencher| {
        bencher.iter(|| now(stack.component.execute(fail, fatal, no_fallback())).is_err());
    });
    stack.component.breaker().force(Some(Forced::Open), stack.clock.monotonic());
    group.bench_function("rejected, fallback answers", |bencher| {
        bencher.iter(|| {
            let fallback = |_: &Failure<Oops>| succeed();
            now(stack.component.execute(succeed, fatal, Some(fallback))).is_ok()
        });
    });
    group.finish();
}

/// Times each of many calls by itself.
fn distribution(name: &str, clock: SystemClock, mut call: impl FnMut()) {
    let mut histogram =
        Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 3).expect("valid bounds");
    for _ in 0..CALLS {
        let started = clock.monotonic();
        call();
        let took: Duration = clock.monotonic().saturating_sub(started);
        histogram.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    let line = format!(
        "{name:<40} p50 {:>6} ns  p99 {:>6} ns  p99.9 {:>6} ns  max {:>9} ns\n",
        at(0.5),
        at(0.99),
        at(0.999),
        histogram.max(),
    );
    std::io::stdout().write_all(line.as_bytes()).expect("a terminal or a file");
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    means(&mut criterion, &runtime.expect("a runtime"));
    let stack = stack();
    distribution("reading the clock", stack.clock, || {});
    distribution("whole stack", stack.clock, || {
        black_box(now(limited(&stack)));
    });
    distribution("failure, not retried", stack.clock, || {
        black_box(now(stack.component.execute(fail, fatal, no_fallback())).is_err());
    });
    criterion.final_summary();
}
