//! Guarded futures and services: timeouts, panics, cancellation, readiness.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use tower::{Layer, Service, ServiceExt as _, service_fn};

use super::super::{
    AnyError, Breaker, BreakerConfig, BreakerError, BreakerLayer, BreakerStats, Classify as _,
    Forced, HttpOutcome, Outcome, Rejected, StateKind, guard, of_http_error, of_status,
};
use super::breaker;
use crate::ports::testing::TestClock;
use crate::ports::{Clock as _, Elapsed, HttpError};

const LIMIT: Duration = Duration::from_secs(30);
const REJECTED: &str = "circuit breaker `b` is open";
const NANO: Duration = Duration::from_nanos(1);

fn guarded() -> Breaker {
    breaker(BreakerConfig { failure_threshold: 1, success_threshold: 1, ..Default::default() })
}

fn stats(breaker: &Breaker, clock: &TestClock) -> BreakerStats {
    breaker.stats(clock.monotonic())
}

#[test]
fn calls_end_at_their_timeout() {
    for (takes, in_time) in [(LIMIT - NANO, true), (LIMIT, true), (LIMIT + NANO, false)] {
        let (clock, breaker, ended) = (TestClock::default(), guarded(), Cell::new(false));
        let call = async {
            clock.sleep(takes).await;
            ended.set(true);
            Ok::<_, String>(7)
        };
        let result = clock.run(guard(&breaker, &clock, &AnyError, call));
        let stats = stats(&breaker, &clock);
        assert_eq!((ended.get(), stats.total_timeouts), (in_time, u64::from(!in_time)));
        assert_eq!(stats.response_time_total, takes.min(LIMIT));
        if in_time {
            assert_eq!(result, Ok(7));
        } else {
            let error = result.expect_err("too late");
            assert_eq!(error, BreakerError::TimedOut(Elapsed(LIMIT)));
            assert_eq!(error.code(), Some("TIMEOUT"));
            assert_eq!(stats.state, StateKind::Open);
        }
    }
}

#[test]
fn a_timeout_of_zero_is_zero() {
    let clock = TestClock::default();
    let config = BreakerConfig { call_timeout: Duration::ZERO, ..Default::default() };
    let breaker = breaker(config);
    let at_once = guard(&breaker, &clock, &AnyError, ready(Ok::<_, String>(1)));
    assert_eq!(clock.run(at_once), Ok(1));
    let never = guard(&breaker, &clock, &AnyError, pending::<Result<(), String>>());
    assert_eq!(clock.run(never), Err(BreakerError::TimedOut(Elapsed(Duration::ZERO))));
}

/// Tells when it is dropped what the breaker's probes were then.
struct Witness(Rc<Cell<Option<StateKind>>>, Breaker);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.set(Some(self.1.state()));
    }
}

#[test]
fn a_timed_out_call_ends_before_its_place_is_free() {
    let (clock, breaker, seen) = (TestClock::default(), guarded(), Rc::new(Cell::new(None)));
    let witness = Witness(Rc::clone(&seen), breaker.clone());
    let call = async move {
        let _witness = witness;
        pending::<Result<(), String>>().await
    };
    clock.run(guard(&breaker, &clock, &AnyError, call)).expect_err("too late");
    assert_eq!(seen.get(), Some(StateKind::Closed), "dropped, then booked");
    assert_eq!(breaker.state(), StateKind::Open);
}

#[test]
fn rejected_calls_are_never_polled() {
    let (clock, breaker, polled) = (TestClock::default(), guarded(), Cell::new(false));
    breaker.trip(Duration::ZERO, "by hand");
    let call = async {
        polled.set(true);
        Ok::<_, String>(())
    };
    let error = clock.run(guard(&breaker, &clock, &AnyError, call)).expect_err("open");
    assert_eq!(error.code(), Some("CIRCUIT_OPEN"));
    assert_eq!(error.to_string(), "circuit breaker `b` is open");
    let retry_at = Some(Duration::from_secs(5));
    assert_eq!(error, BreakerError::Rejected(Rejected { breaker: "b".into(), retry_at }));
    assert!(!polled.get());
    assert_eq!(error.into_inner(), None);
}

#[test]
fn panics_are_failures_and_go_on() {
    let (clock, breaker) = (TestClock::default(), guarded());
    let call = async {
        assert!(clock.monotonic() > Duration::MAX, "boom");
        Ok::<_, String>(())
    };
    let caught = AssertUnwindSafe(guard(&breaker, &clock, &AnyError, call)).catch_unwind();
    assert!(clock.run(caught).is_err(), "the panic went on");
    let stats = stats(&breaker, &clock);
    assert_eq!((stats.total_failures, stats.state), (1, StateKind::Open));
    assert_eq!(stats.last_error.as_deref(), Some("panic"));
}

#[test]
fn a_cancelled_probe_gives_its_place_back() {
    let (clock, breaker) = (TestClock::default(), guarded());
    breaker.trip(Duration::ZERO, "by hand");
    clock.advance(Duration::from_secs(5));
    {
        let call = pin!(guard(&breaker, &clock, &AnyError, pending::<Result<(), String>>()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(call.poll(&mut context).is_pending());
        assert_eq!(breaker.state(), StateKind::HalfOpen);
        breaker.admit(|| clock.monotonic()).map(drop).expect_err("one probe at a time");
    }
    assert_eq!(stats(&breaker, &clock).total_ignored, 1);
    let probe = guard(&breaker, &clock, &AnyError, ready(Ok::<_, String>(())));
    assert_eq!(clock.run(probe), Ok(()));
    assert_eq!(breaker.state(), StateKind::Closed);
}

/// A service that counts its calls and fails or is not ready as told.
#[derive(Clone)]
struct Told {
    ready: Poll<Result<(), &'static str>>,
    answer: Result<u8, &'static str>,
    calls: Rc<Cell<u32>>,
}

impl Service<()> for Told {
    type Response = u8;
    type Error = &'static str;
    type Future = Ready<Result<u8, &'static str>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.ready
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.calls.set(self.calls.get() + 1);
        ready(self.answer)
    }
}

#[test]
fn services_behind_a_breaker() {
    let ready = Poll::Ready(Ok(()));
    for (readiness, answer, calls, outcome, total) in [
        (ready, Ok(3), 2, "ok 3", (2, 0, 0)),
        (ready, Err("no"), 1, "error no", (0, 1, 1)),
        (Poll::Ready(Err("refused")), Ok(3), 0, "error refused", (0, 1, 1)),
        (Poll::Pending, Ok(3), 0, "no answer within 30000 ms", (0, 1, 1)),
    ] {
        let (clock, breaker) = (TestClock::default(), guarded());
        let told = Told { ready: readiness, answer, calls: Rc::default() };
        let layer = BreakerLayer::new(breaker.clone(), clock.clone(), AnyError);
        let service = layer.layer(told.clone());
        let mut results = Vec::new();
        for _ in 0..2 {
            let result = clock.run(service.clone().oneshot(()));
            results.push(match result {
                Ok(value) => format!("ok {value}"),
                Err(BreakerError::Inner(error)) => format!("error {error}"),
                Err(error) => error.to_string(),
            });
        }
        assert_eq!(results[0], outcome);
        let rejected = if outcome.starts_with("ok") { outcome } else { REJECTED };
        assert_eq!(results[1], rejected);
        assert_eq!(told.calls.get(), calls, "{outcome}");
        let stats = stats(&breaker, &clock);
        let found = (stats.total_successes, stats.total_failures, stats.total_rejected);
        assert_eq!(found, total, "{outcome}");
    }
}

/// One breaker before several services, and several calls at once.
#[test]
fn a_layer_shares_its_breaker() {
    let (clock, breaker) = (TestClock::default(), guarded());
    let classify = |_: &Result<(), Infallible>| Outcome::Success;
    let layer = BreakerLayer::new(breaker.clone(), clock.clone(), classify);
    let (sleeper, other) = (clock.clone(), clock.clone());
    let slow = layer.layer(service_fn(move |()| {
        let clock = sleeper.clone();
        async move {
            clock.sleep(LIMIT * 2).await;
            Ok(())
        }
    }));
    let quick = layer.layer(service_fn(move |()| {
        let clock = other.clone();
        async move {
            clock.sleep(LIMIT / 2).await;
            Ok(())
        }
    }));
    assert_eq!(slow.breaker().name(), "b");
    let (slow, quick) = clock.run(join(slow.oneshot(()), quick.clone().oneshot(())));
    assert_eq!((slow, quick), (Err(BreakerError::TimedOut(Elapsed(LIMIT))), Ok(())));
    assert_eq!(stats(&breaker, &clock).total_calls, 2);
    breaker.force(Some(Forced::Open), clock.monotonic());
    let mut service = layer.layer(service_fn(|()| ready(Ok::<(), Infallible>(()))));
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready(), "always ready to reject");
    assert!(clock.run(service.call(())).is_err());
}

#[test]
fn http_results_as_outcomes() {
    let failure = |status: u16| Outcome::Failure(format!("HTTP {status}").into());
    for (status, expected) in [
        (100, Outcome::Success),
        (200, Outcome::Success),
        (202, Outcome::Success),
        (304, Outcome::Success),
        (399, Outcome::Success),
        (400, Outcome::Ignored),
        (401, Outcome::Ignored),
        (403, Outcome::Ignored),
        (404, Outcome::Ignored),
        (407, Outcome::Ignored),
        (408, Outcome::Timeout),
        (409, Outcome::Ignored),
        (413, Outcome::Ignored),
        (428, Outcome::Ignored),
        (429, failure(429)),
        (430, Outcome::Ignored),
        (499, Outcome::Ignored),
        (500, failure(500)),
        (503, failure(503)),
        (599, failure(599)),
    ] {
        assert_eq!(of_status(status), expected, "{status}");
        let response = http::Response::builder().status(status).body(bytes::Bytes::new());
        let response = response.expect("a valid status");
        assert_eq!(HttpOutcome.classify(&Ok(response)), expected);
    }
}

#[test]
fn missing_answers_as_outcomes() {
    let authority = || "api:443".to_owned();
    let timeout = |sent| HttpError::Timeout { authority: authority(), timeout: LIMIT, sent };
    let refused = std::io::ErrorKind::ConnectionRefused.into();
    for (error, expected) in [
        (HttpError::Request("no scheme".into()), "ignored"),
        (HttpError::Connect { authority: authority(), source: refused }, "failure"),
        (timeout(false), "timeout"),
        (timeout(true), "timeout"),
        (HttpError::Broken { authority: authority(), reason: "reset".into() }, "unknown"),
        (HttpError::Garbage { authority: authority(), reason: "?".into() }, "unknown"),
        (HttpError::BodyTooLong { authority: authority(), limit: 1 }, "unknown"),
    ] {
        let found = match of_http_error(&error) {
            Outcome::Ignored => "ignored",
            Outcome::Failure(_) => "failure",
            Outcome::Timeout => "timeout",
            Outcome::Unknown(_) => "unknown",
            Outcome::Success | Outcome::Panic => "?",
        };
        assert_eq!(found, expected, "{error}");
    }
}
