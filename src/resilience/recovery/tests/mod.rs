//! The recovery manager's laws: against a naive model, at the boundaries, and case by case.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::ports::Clock;
use crate::ports::testing::{TestClock, TestEntropy};
use crate::resilience::breaker::{BreakerConfig, BreakerRegistry, Window};
use crate::resilience::recovery::{
    Component, ComponentConfig, ComponentKind, ErrorClass, HealthCheck, RecoveryConfig,
    RecoveryEvent, RecoveryManager,
};
use crate::resilience::retry::RetryConfig;

mod boundaries;
mod cases;
mod dead_letters;
mod model;
mod scheduler;

const NS: Duration = Duration::from_nanos(1);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// An error of a class; the class is not in its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Oops(ErrorClass);

impl fmt::Display for Oops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("oops")
    }
}

fn class_of(error: &Oops) -> ErrorClass {
    error.0
}

type Manager = RecoveryManager<TestClock>;

fn manager(clock: &TestClock) -> Manager {
    let config = RecoveryConfig::default();
    RecoveryManager::new(clock.clone(), TestEntropy, config, BreakerRegistry::default())
        .expect("valid settings")
}

/// Opens at `failures`, closes at `successes`, probes after `delay`; one call half-open, no window.
fn breaker(failures: u32, successes: u32, delay: Duration) -> BreakerConfig {
    BreakerConfig {
        failure_threshold: failures,
        success_threshold: successes,
        retry_delay: delay,
        retry_delay_max: delay.max(secs(300)),
        window: Window::None,
        ..BreakerConfig::default()
    }
}

/// `attempts` tries without waits.
fn retry(attempts: u32) -> RetryConfig {
    RetryConfig { attempts_max: attempts, base: Duration::ZERO, ..RetryConfig::default() }
}

/// A component that is tried `attempts` times without waits, behind a breaker that opens at 3
/// failures, closes at 2 successes and probes after 10 s; 1 s for a try.
fn config(name: &str, attempts: u32) -> ComponentConfig {
    ComponentConfig {
        breaker: breaker(3, 2, secs(10)),
        retry: retry(attempts),
        timeout: Some(secs(1)),
        ..ComponentConfig::new(name, ComponentKind::ExternalApi)
    }
}

fn register(manager: &Manager, config: ComponentConfig) -> Component<TestClock> {
    manager.register(config, None).expect("a valid, new component")
}

/// What one try does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Succeed,
    Fail(ErrorClass),
    Panic,
    /// Succeeds, but not at once.
    After(Duration),
}

/// Does it. The panic is raised without the hook, which would write to the test's output.
async fn perform(clock: &TestClock, what: Do) -> Result<u32, Oops> {
    match what {
        Do::Succeed => Ok(7),
        Do::Fail(class) => Err(Oops(class)),
        Do::Panic => std::panic::resume_unwind(Box::new("boom")),
        Do::After(time) => {
            clock.sleep(time).await;
            Ok(7)
        }
    }
}

/// An operation that follows a script and counts its tries; it succeeds when the script is over.
#[derive(Clone)]
struct Script {
    clock: TestClock,
    steps: Rc<Vec<Do>>,
    calls: Rc<Cell<usize>>,
}

impl Script {
    fn new(clock: &TestClock, steps: &[Do]) -> Self {
        let (steps, calls) = (Rc::new(steps.to_vec()), Rc::default());
        Self { clock: clock.clone(), steps, calls }
    }

    fn calls(&self) -> usize {
        self.calls.get()
    }

    async fn step(self) -> Result<u32, Oops> {
        let number = self.calls.get();
        self.calls.set(number + 1);
        let what = self.steps.get(number).copied().unwrap_or(Do::Succeed);
        perform(&self.clock, what).await
    }
}

/// A health check of a service that is up or not, which takes `time`; and the switch.
fn service(clock: &TestClock, time: Duration) -> (HealthCheck, Rc<Cell<bool>>, Probes) {
    let up = Rc::new(Cell::new(true));
    let probes = Probes::default();
    let (clock, switch, log) = (clock.clone(), Rc::clone(&up), probes.clone());
    let check: HealthCheck = Rc::new(move || {
        let (clock, switch, log) = (clock.clone(), Rc::clone(&switch), log.clone());
        Box::pin(async move {
            log.0.borrow_mut().push(clock.monotonic());
            let is_up = switch.get();
            if !time.is_zero() {
                clock.sleep(time).await;
            }
            if is_up { Ok(()) } else { Err("down".to_owned()) }
        })
    });
    (check, up, probes)
}

/// Instants at which health checks began.
#[derive(Clone, Default)]
struct Probes(Rc<RefCell<Vec<Duration>>>);

impl Probes {
    fn at(&self) -> Vec<Duration> {
        self.0.borrow().clone()
    }
}

/// All events of a manager, in order.
fn events(manager: &Manager) -> Arc<Mutex<Vec<RecoveryEvent>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&log);
    manager.subscribe(Arc::new(move |event| {
        sink.lock().expect("no test panics here").push(event.clone());
    }));
    log
}
