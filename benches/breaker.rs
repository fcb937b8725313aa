//! What a breaker costs per call: asking and telling of a success, alone and with two threads that
//! share it, beside the crates recloser and failsafe and beside tower's own middleware, in one
//! run; and the allocations of each.
//!
//! `cargo bench --bench breaker` prints criterion's figures for one thread, then for all cases the
//! median of those rounds in which the threads ran side by side nearly all the time, so that other
//! load on the machine disturbs little; `-` when there was no such round. `-- --figures` prints
//! the latter only. With two threads a figure is one thread's time per call while both are
//! calling.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::io::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use criterion::Criterion;
use failsafe::{CircuitBreaker as _, backoff, failure_policy};
use shakedown::domain::units::UnixMillis;
use shakedown::ports::Clock;
use shakedown::resilience::breaker::{
    Breaker, BreakerConfig, BreakerLayer, Measured, Outcome, Window,
};
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, service_fn};

const ROUNDS: usize = 60;
const ROUNDS_MAX: usize = 1_500;
const CALLS: u64 = 20_000;

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn instant() -> Instant {
    Instant::now()
}

/// The operating system's time; sleeps never end, as no call here takes long.
#[derive(Clone)]
struct RealTime(Instant);

impl Clock for RealTime {
    fn wall(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn monotonic(&self) -> Duration {
        instant() - self.0
    }

    fn sleep(&self, _duration: Duration) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// A case: makes what the threads share, then runs so many calls on it.
struct Case {
    name: &'static str,
    calls: Box<dyn Fn(u64) + Sync>,
}

fn case(name: &'static str, calls: impl Fn(u64) + Sync + 'static) -> Case {
    Case { name, calls: Box::new(calls) }
}

fn ours(name: &'static str, window: Window, listened: bool) -> Case {
    let clock = RealTime(instant());
    let config = BreakerConfig { window, ..BreakerConfig::default() };
    let breaker = Breaker::new(name, config).expect("valid settings");
    if listened {
        breaker.subscribe(Arc::new(|event| {
            black_box(event);
        }));
    }
    case(name, move |calls| {
        for _ in 0..calls {
            let permit = breaker.admit(|| clock.monotonic()).expect("closed");
            let outcome = black_box(Outcome::Success);
            permit.record(outcome, || Measured { now: clock.monotonic(), took: None });
        }
    })
}

fn recloser() -> Case {
    let recloser = recloser::Recloser::custom().closed_len(100).build();
    case("recloser, last 100", move |calls| {
        for _ in 0..calls {
            let result = recloser.call(|| black_box(Ok::<(), ()>(())));
            black_box(result.is_ok());
        }
    })
}

fn failsafe_consecutive() -> Case {
    let policy = failure_policy::consecutive_failures(5, backoff::constant(Duration::from_secs(5)));
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    case("failsafe, consecutive", move |calls| {
        for _ in 0..calls {
            let result = breaker.call(|| black_box(Ok::<(), ()>(())));
            black_box(result.is_ok());
        }
    })
}

fn failsafe_window() -> Case {
    let policy = failure_policy::success_rate_over_time_window(
        0.5,
        100,
        Duration::from_secs(60),
        backoff::constant(Duration::from_secs(5)),
    );
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    case("failsafe, 60 s", move |calls| {
        for _ in 0..calls {
            let result = breaker.call(|| black_box(Ok::<(), ()>(())));
            black_box(result.is_ok());
        }
    })
}

fn answer(_: ()) -> Ready<Result<(), Infallible>> {
    ready(Ok(()))
}

/// Calls of a service that answers at once, each to its end, on one clone per thread.
fn service<S>(name: &'static str, service: S) -> Case
where
    S: Service<()> + Clone + Send + Sync + 'static,
{
    let runtime = tokio::runtime::Handle::current();
    case(name, move |calls| {
        let _entered = runtime.enter();
        let mut service = service.clone();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..calls {
            assert!(service.poll_ready(&mut context).is_ready(), "nothing here waits");
            let answer = pin!(service.call(())).poll(&mut context);
            assert!(matches!(answer, Poll::Ready(Ok(_))), "nothing here fails");
        }
    })
}

fn cases() -> Vec<Case> {
    let clock = RealTime(instant());
    let bare = service_fn(answer);
    let behind = |window| {
        let config = BreakerConfig { window, ..BreakerConfig::default() };
        let breaker = Breaker::new("layer", config).expect("valid settings");
        let classify = |_: &Result<(), Infallible>| Outcome::Success;
        BreakerLayer::new(breaker, clock.clone(), classify).layer(bare)
    };
    vec![
        ours("breaker, consecutive", Window::None, false),
        ours("breaker, last 100", Window::Count(100), false),
        ours("breaker, 60 s", Window::Time(Duration::from_secs(60)), false),
        ours("breaker, with a listener", Window::None, true),
        recloser(),
        failsafe_consecutive(),
        failsafe_window(),
        service("service alone", bare),
        service("tower: breaker layer", behind(Window::None)),
        service("tower: breaker layer, 60 s", behind(Window::Time(Duration::from_secs(60)))),
        service("tower: timeout", TimeoutLayer::new(Duration::from_secs(30)).layer(bare)),
        service("tower: load shed", LoadShedLayer::new().layer(bare)),
        service("tower: concurrency limit", ConcurrencyLimitLayer::new(64).layer(bare)),
    ]
}

/// Nanoseconds per call of one thread, while all run; `None` when the threads did not share the
/// breaker nearly all the time, because one of them had to wait for a processor.
fn round(case: &Case, threads: usize) -> Option<f64> {
    let ready = AtomicUsize::new(0);
    let run = || {
        // Spinning, so that all are on a processor when the last one comes.
        ready.fetch_add(1, Ordering::SeqCst);
        while ready.load(Ordering::SeqCst) < threads {
            std::hint::spin_loop();
        }
        let start = instant();
        (case.calls)(CALLS);
        (start, instant())
    };
    let all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut all = vec![run()];
        all.extend(others.into_iter().map(|other| other.join().expect("no panic")));
        all
    });
    let (first, last) = (all.iter().map(|ran| ran.0).min()?, all.iter().map(|ran| ran.1).max()?);
    let together = all.iter().map(|ran| ran.1).min()? - all.iter().map(|ran| ran.0).max()?;
    let whole = last - first;
    let shared = together.as_secs_f64() >= 0.9 * whole.as_secs_f64();
    shared.then_some(whole.as_nanos() as f64 / CALLS as f64)
}

/// The median of the rounds that count.
fn nanos_per_call(case: &Case, threads: usize) -> String {
    let rounds = (0..ROUNDS_MAX).filter_map(|_| round(case, threads));
    let mut rounds: Vec<f64> = rounds.take(ROUNDS).collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).map_or("-".to_owned(), |nanos| format!("{nanos:.1}"))
}

fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn figures(cases: &[Case]) {
    print(&format!(
        "{:28} {:>9} {:>9} {:>12}",
        "ns per call", "1 thread", "2 threads", "allocations"
    ));
    for case in cases {
        let (one, two) = (nanos_per_call(case, 1), nanos_per_call(case, 2));
        let allocated = allocation_counter::measure(|| (case.calls)(1_000)).count_total;
        let per_call = allocated as f64 / 1_000.0;
        print(&format!("{:28} {one:>9} {two:>9} {per_call:>12.3}", case.name));
        let silent = case.name == "breaker, consecutive" || case.name == "breaker, last 100";
        assert!(!silent || allocated == 0, "{}: {allocated} allocations", case.name);
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let cases = cases();
    if !std::env::args().any(|argument| argument == "--figures") {
        let mut criterion = Criterion::default().configure_from_args();
        let mut group = criterion.benchmark_group("breaker");
        for case in &cases {
            group.bench_function(case.name, |bencher| {
                bencher.iter_custom(|calls| {
                    let start = instant();
                    (case.calls)(calls);
                    instant() - start
                });
            });
        }
        group.finish();
        criterion.final_summary();
    }
    figures(&cases);
}
