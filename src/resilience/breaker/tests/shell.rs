//! What the shell adds to the rules: laziness, listeners, clones.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::sink::EVENTS_MAX;
use super::super::{
    Breaker, BreakerConfig, BreakerEvent, EventKind, Measured, Outcome, Permit, SlowCall,
    StateKind, Window,
};
use super::{breaker, listen, small};

fn is_shared<T: Clone + Send + Sync + 'static>() {}

#[test]
fn handles_cross_threads() {
    is_shared::<Breaker>();
    is_shared::<super::super::BreakerRegistry>();
    fn moves<T: Send + 'static>() {}
    moves::<Permit>();
}

/// Readings of the clock for one success after `before` successes and failures.
fn readings(config: BreakerConfig, listened: bool, failed_before: bool) -> u32 {
    let breaker = breaker(config);
    let heard = listened.then(|| listen(&breaker));
    let count = Cell::new(0);
    let now = || {
        count.set(count.get() + 1);
        Duration::from_secs(1)
    };
    let call = |outcome| {
        let permit = breaker.admit(now).expect("closed");
        permit.record(outcome, || Measured { now: now(), took: Some(Duration::ZERO) });
    };
    if failed_before {
        call(Outcome::Panic);
    }
    count.set(0);
    call(Outcome::Success);
    if let Some(heard) = heard {
        assert!(!heard.lock().expect("no panic").is_empty());
    }
    count.get()
}

#[test]
fn the_clock_is_read_only_when_needed() {
    let window = |window| BreakerConfig { window, ..small() };
    let slow = SlowCall { after: Duration::ZERO, rate_percent: 100.0 };
    for (config, listened, expected) in [
        (small(), false, 0),
        (window(Window::Count(10)), false, 0),
        (BreakerConfig { volume_threshold: 3, ..small() }, false, 0),
        (window(Window::Time(Duration::from_secs(1))), false, 1),
        (
            BreakerConfig { failure_rate_percent: Some(90.0), volume_threshold: 9, ..small() },
            false,
            1,
        ),
        (BreakerConfig { slow_call: Some(slow), volume_threshold: 9, ..small() }, false, 1),
        (small(), true, 1),
    ] {
        for failed_before in [false, true] {
            let read = readings(config.clone(), listened, failed_before);
            assert_eq!(read, expected, "{config:?}, listened: {listened}");
        }
    }
}

#[test]
fn a_listener_may_use_its_breaker() {
    let breaker = breaker(small());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (log, own) = (Arc::clone(&heard), breaker.clone());
    breaker.subscribe(Arc::new(move |event: &BreakerEvent| {
        log.lock().expect("no panic").push(event.kind.as_str());
        if matches!(event.kind, EventKind::CircuitOpened { .. }) {
            own.reset(event.at);
            assert_eq!(own.stats(event.at).closes, 1);
        }
    }));
    breaker.trip(Duration::ZERO, "by hand");
    let expected =
        ["stateChange", "circuitOpened", "trip", "stateChange", "circuitClosed", "reset"];
    assert_eq!(*heard.lock().expect("no panic"), expected);
    assert_eq!(breaker.state(), StateKind::Closed);
}

#[test]
fn a_panicking_listener_does_not_silence_the_others() {
    let breaker = breaker(small());
    let panics = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&panics);
    breaker.subscribe(Arc::new(move |_: &BreakerEvent| {
        assert!(count.fetch_add(1, Ordering::Relaxed) > 0, "the first event");
    }));
    let heard = listen(&breaker);
    let tripped = catch_unwind(AssertUnwindSafe(|| breaker.trip(Duration::ZERO, "by hand")));
    assert!(tripped.is_err(), "a listener's panic reaches who caused the event");
    breaker.reset(Duration::ZERO);
    let names: Vec<_> =
        heard.lock().expect("no panic").iter().map(|event| event.kind.as_str()).collect();
    // The event that the panic met is lost to the others, and only that.
    let expected = ["circuitOpened", "trip", "stateChange", "circuitClosed", "reset"];
    assert_eq!(names, expected);
}

/// A listener that stays away keeps a bounded number of events waiting, transitions among them.
#[test]
fn waiting_events_are_bounded() {
    let breaker = breaker(BreakerConfig { failure_threshold: u32::MAX, ..small() });
    let (own, heard) = (breaker.clone(), Arc::new(AtomicUsize::new(0)));
    let (count, transitions) = (Arc::clone(&heard), Arc::new(AtomicUsize::new(0)));
    let changes = Arc::clone(&transitions);
    let now = Duration::ZERO;
    breaker.subscribe(Arc::new(move |event: &BreakerEvent| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            for _ in 0..2 * EVENTS_MAX {
                let permit = own.admit(|| now).expect("closed");
                permit.record(Outcome::Timeout, || Measured { now, took: None });
            }
            own.trip(now, "by hand");
        }
        if matches!(event.kind, EventKind::StateChange { .. }) {
            changes.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let permit = breaker.admit(|| now).expect("closed");
    permit.record(Outcome::Success, || Measured { now, took: None });
    assert_eq!(breaker.events_dropped(), EVENTS_MAX as u64);
    assert_eq!(transitions.load(Ordering::Relaxed), 1);
    assert_eq!(heard.load(Ordering::Relaxed), 1 + EVENTS_MAX + 3);
}

#[test]
fn delays_grow_by_their_factor_up_to_their_bound() {
    let ms = Duration::from_millis;
    for (factor, most, expected) in [
        (1.0, 10_000, [10_000, 10_000, 10_000, 10_000]),
        (2.0, 300_000, [10_000, 20_000, 40_000, 80_000]),
        (2.0, 30_000, [10_000, 20_000, 30_000, 30_000]),
        (1.5, 300_000, [10_000, 15_000, 22_500, 33_750]),
        (f64::MAX, 77_000, [10_000, 77_000, 77_000, 77_000]),
    ] {
        let config = BreakerConfig { retry_factor: factor, retry_delay_max: ms(most), ..small() };
        let breaker = breaker(config);
        for round in 0..2 {
            let mut now = Duration::from_secs(round);
            breaker.trip(now, "by hand");
            for delay in expected {
                let due = now + ms(delay);
                assert_eq!(breaker.stats(now).next_retry_at, Some(due), "factor {factor}");
                let early = breaker.admit(|| due - Duration::from_nanos(1));
                assert_eq!(early.map(drop).expect_err("early").retry_at, Some(due));
                let probe = breaker.admit(|| due).expect("due");
                probe.record(Outcome::Timeout, || Measured { now: due, took: None });
                now = due;
            }
            breaker.reset(now);
        }
    }
}

/// The longest instants and delays meet without overflow.
#[test]
fn the_end_of_time() {
    let config = BreakerConfig {
        retry_delay: Duration::MAX,
        retry_delay_max: Duration::MAX,
        retry_factor: 2.0,
        failure_threshold: 1,
        window: Window::Time(Duration::MAX),
        ..small()
    };
    let breaker = breaker(config);
    for now in [Duration::MAX, Duration::ZERO, Duration::MAX] {
        let measured = || Measured { now, took: Some(Duration::MAX) };
        breaker.admit(|| now).expect("admitted").record(Outcome::Timeout, measured);
        breaker.force(None, now);
        breaker.reset(now);
    }
    let stats = breaker.stats(Duration::ZERO);
    assert_eq!((stats.opens, stats.response_time_total), (3, Duration::MAX));
}
