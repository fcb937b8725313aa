//! The breaker's laws: a table of every state and event, a reference model, threads, services.

mod checked;
mod config;
mod model;
mod registry;
mod service;
mod shell;
mod table;
mod threads;
mod window;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Breaker, BreakerConfig, BreakerEvent, EventKind, Measured, Window};

/// Two failures open, two successes close, one probe, ten seconds, nothing remembered.
fn small() -> BreakerConfig {
    BreakerConfig {
        failure_threshold: 2,
        success_threshold: 2,
        retry_delay: Duration::from_secs(10),
        window: Window::None,
        ..BreakerConfig::default()
    }
}

fn breaker(config: BreakerConfig) -> Breaker {
    Breaker::new("b", config).expect("valid settings")
}

fn at(now: Duration) -> Measured {
    Measured { now, took: None }
}

/// Every event of `breaker` from now on.
fn listen(breaker: &Breaker) -> Arc<Mutex<Vec<BreakerEvent>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    breaker.subscribe(Arc::new(move |event: &BreakerEvent| {
        log.lock().expect("no test panics here").push(event.clone());
    }));
    heard
}

/// An event in one line, without the words of its reason.
fn line(event: &BreakerEvent) -> String {
    let name = event.kind.as_str();
    let at = event.at.as_nanos();
    let detail = match &event.kind {
        EventKind::Success { response_time, state } => {
            format!("{response_time:?} {}", state.as_str())
        }
        EventKind::Failure { error, response_time, state } => {
            format!("{error} {response_time:?} {}", state.as_str())
        }
        EventKind::CallRejected { state, retry_at } => format!("{} {retry_at:?}", state.as_str()),
        EventKind::StateChange { from, to, failure_count, generation } => {
            format!("{} {} {failure_count} {generation}", from.as_str(), to.as_str())
        }
        EventKind::CircuitOpened { failure_count, .. } => failure_count.to_string(),
        EventKind::CircuitClosed { success_count } => success_count.to_string(),
        EventKind::CircuitHalfOpen | EventKind::Reset | EventKind::Trip { .. } => String::new(),
    };
    format!("{name} {at} {detail}")
}
