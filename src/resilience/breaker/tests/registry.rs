//! Breakers by name, and their accounts for readers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::{
    BreakerConfig, BreakerEvent, BreakerRegistry, Outcome, RegistryError, StateKind,
};
use super::{at, small};
use crate::domain::units::UnixMillis;

const NOW: Duration = Duration::from_secs(100);

#[test]
fn one_breaker_per_name() {
    let registry = BreakerRegistry::default();
    let first = registry.get_or_create("api", small()).expect("valid");
    let again = registry.get_or_create("api", small()).expect("the same settings");
    first.trip(NOW, "by hand");
    assert_eq!(again.state(), StateKind::Open, "one breaker, two handles");
    assert_eq!(registry.clone().get("api").map(|b| b.state()), Some(StateKind::Open));
    assert!(registry.get("other").is_none());
}

#[test]
fn conflicts_and_faults_are_named() {
    let registry = BreakerRegistry::default();
    registry.get_or_create("api", small()).expect("valid");
    let other = BreakerConfig {
        failure_threshold: 7,
        retry_delay: Duration::from_secs(3),
        failure_rate_percent: Some(50.0),
        ..small()
    };
    let error = registry.get_or_create("api", other).expect_err("other settings");
    assert_eq!(
        error.to_string(),
        "circuit breaker `api` exists with other settings: failure_threshold 7 instead of 2; \
         retry_delay 3s instead of 10s; failure_rate_percent Some(50.0) instead of None"
    );
    let wrong = BreakerConfig { failure_threshold: 0, half_open_max: 0, ..small() };
    let error = registry.get_or_create("new", wrong).expect_err("invalid");
    let RegistryError::Invalid { faults, .. } = &error else { panic!("{error}") };
    assert_eq!(faults.len(), 2);
    assert!(registry.get("new").is_none(), "nothing is made of wrong settings");
}

#[test]
fn summary_counts_open_ones_as_unhealthy() {
    let registry = BreakerRegistry::default();
    assert!(registry.summary(NOW).healthy, "of none, none is open");
    let b = registry.get_or_create("b", small()).expect("valid");
    let a = registry.get_or_create("a", small()).expect("valid");
    let permit = a.admit(|| NOW).expect("closed");
    permit.record(Outcome::Timeout, || at(NOW));
    a.admit(|| NOW).expect("closed").record(Outcome::Success, || at(NOW));
    b.trip(NOW, "by hand");
    let json = serde_json::to_value(registry.summary(NOW)).expect("plain data");
    let expected = serde_json::json!({
        "total": 2,
        "healthy": false,
        "details": {
            "a": { "state": "CLOSED", "failureRate": 50.0 },
            "b": { "state": "OPEN", "failureRate": 0.0 },
        },
    });
    assert_eq!(json, expected);
    let probe = b.admit(|| NOW + Duration::from_secs(10)).expect("due");
    assert!(registry.summary(NOW).healthy, "a half-open one is degraded, not unhealthy");
    drop(probe);
    registry.reset_all(NOW);
    let states: Vec<_> = registry.stats(NOW).into_iter().map(|s| (s.name, s.state)).collect();
    assert_eq!(states, [("a".into(), StateKind::Closed), ("b".into(), StateKind::Closed)]);
}

#[test]
fn listeners_hear_present_and_future_breakers() {
    let registry = BreakerRegistry::default();
    let before = registry.get_or_create("before", small()).expect("valid");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    registry.subscribe(Arc::new(move |event: &BreakerEvent| {
        if let Some(name) = event.kind.bus_name() {
            log.lock().expect("no panic").push(format!("{} {name}", event.breaker));
        }
    }));
    let after = registry.get_or_create("after", small()).expect("valid");
    before.trip(NOW, "by hand");
    after.trip(NOW, "by hand");
    after.admit(|| NOW + Duration::from_secs(10)).map(drop).expect("due");
    after.reset(NOW);
    let heard = heard.lock().expect("no panic");
    let expected = [
        "before circuit.opened",
        "after circuit.opened",
        "after circuit.half_open",
        "after circuit.closed",
    ];
    assert_eq!(*heard, expected);
}

#[test]
fn accounts_speak_the_names_and_times_of_their_readers() {
    let registry = BreakerRegistry::default();
    let breaker = registry.get_or_create("api", BreakerConfig::default()).expect("valid");
    let second = Duration::from_secs(1);
    let measured = |now, took| super::super::Measured { now, took: Some(took) };
    let permit = breaker.admit(|| NOW).expect("closed");
    permit.record(Outcome::Success, || measured(NOW, second / 2));
    for index in 1..=5 {
        let now = NOW + second * index;
        let permit = breaker.admit(|| now).expect("closed");
        permit.record(Outcome::Unknown("answer lost".into()), || measured(now, second));
    }
    breaker.admit(|| NOW + second * 6).expect_err("open");
    let now = NOW + second * 7;
    let stats = breaker.stats(now);
    let json = serde_json::to_value(stats.json(now, UnixMillis(1_000_000))).expect("plain data");
    let mean = json["averageResponseTime"].as_f64().expect("measured");
    assert!((mean - 5_500.0 / 6.0).abs() < 1e-3, "{mean}");
    let expected = serde_json::json!({
        "name": "api", "state": "OPEN", "stateNumeric": 2, "isHealthy": false,
        "failures": 0, "successes": 0, "totalCalls": 6, "totalFailures": 5,
        "totalSuccesses": 1, "totalTimeouts": 0, "totalRejected": 1, "totalIgnored": 0,
        "totalUnknown": 5, "opens": 1, "closes": 0, "averageResponseTime": mean,
        "failureRate": 500.0 / 6.0, "successRate": 100.0 / 6.0, "tripRate": 1.0 / 6.0,
        "openTimeMs": 2_000, "lastError": "answer lost", "lastFailureTime": 998_000,
        "lastSuccessTime": 993_000, "nextRetryTime": 1_003_000, "lastStateChange": 998_000,
        "generation": 1,
    });
    let rounded = |value: &serde_json::Value| value.as_f64().map(|x| (x * 1e9).round());
    for (name, expected) in expected.as_object().expect("an object") {
        let found = &json[name];
        assert!(
            found == expected || rounded(found) == rounded(expected) && found.is_number(),
            "{name}: {found} instead of {expected}"
        );
    }
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(26));
    assert!((stats.open_share(Duration::from_secs(10)) - 0.2).abs() < 1e-12);
}
