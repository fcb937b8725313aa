//! Settings: what is refused, what the profiles say.

use std::time::Duration;

use super::super::{Breaker, BreakerConfig, SlowCall, Window};

fn faults(change: impl FnOnce(&mut BreakerConfig)) -> Vec<String> {
    let mut config = BreakerConfig::default();
    change(&mut config);
    let faults = config.validate();
    assert_eq!(Breaker::new("b", config).is_err(), !faults.is_empty());
    faults.iter().map(|fault| fault.setting.to_owned()).collect()
}

#[test]
fn settings_out_of_range_are_named() {
    let none: &[&str] = &[];
    let slow = |rate_percent| Some(SlowCall { after: Duration::ZERO, rate_percent });
    let check = |change: fn(&mut BreakerConfig), expected: &[&str]| {
        assert_eq!(faults(change), expected);
    };
    check(|_| (), none);
    check(|c| c.failure_threshold = 0, &["failure_threshold"]);
    check(|c| c.failure_threshold = 1, none);
    check(|c| c.success_threshold = 0, &["success_threshold"]);
    check(|c| c.half_open_max = 0, &["half_open_max"]);
    check(|c| c.call_timeout = Duration::ZERO, none);
    check(|c| c.retry_delay = Duration::ZERO, none);
    check(|c| c.retry_delay = c.retry_delay_max + Duration::from_nanos(1), &["retry_delay_max"]);
    check(|c| c.retry_delay = c.retry_delay_max, none);
    for factor in [0.0, 0.99, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(faults(|c| c.retry_factor = factor), ["retry_factor"], "{factor}");
    }
    check(|c| c.window = Window::Time(Duration::ZERO), &["window"]);
    check(|c| c.window = Window::Time(Duration::from_nanos(1)), none);
    check(|c| c.window = Window::Count(0), &["window"]);
    check(|c| c.window = Window::Count(1_000_001), &["window"]);
    check(|c| (c.window, c.volume_threshold) = (Window::Count(9), 10), &["volume_threshold"]);
    check(|c| (c.window, c.volume_threshold) = (Window::Count(10), 10), none);
    for percent in [0.0, -1.0, 100.1, f64::NAN] {
        assert_eq!(faults(|c| c.failure_rate_percent = Some(percent)), ["failure_rate_percent"]);
        assert_eq!(faults(|c| c.slow_call = slow(percent)), ["slow_call.rate_percent"]);
    }
    assert_eq!(faults(|c| c.slow_call = slow(100.0)), none);
}

#[test]
fn all_faults_come_at_once() {
    let config = BreakerConfig {
        failure_threshold: 0,
        success_threshold: 0,
        half_open_max: 0,
        retry_factor: 0.5,
        window: Window::Count(0),
        failure_rate_percent: Some(0.0),
        ..BreakerConfig::default()
    };
    let faults = Breaker::new("b", config).expect_err("nothing is right");
    assert_eq!(faults.len(), 6);
    assert_eq!(faults[0].to_string(), "failure_threshold = 0: must be at least 1");
}

#[test]
fn profiles_are_as_written() {
    // Name, failures, successes, timeout, delay, window in seconds, volume.
    let rows = [
        ("default", 5, 2, 30, 5, 60, 0),
        ("v2", 5, 2, 60, 30, 60, 10),
        ("nerdgraph-api", 5, 2, 30, 5, 60, 0),
        ("event-api", 3, 2, 20, 10, 60, 0),
        ("metric-api", 3, 2, 15, 5, 60, 0),
        ("infrastructure-collector", 5, 3, 45, 15, 300, 0),
        ("collector", 5, 2, 30, 10, 60, 0),
        ("transformer", 3, 2, 20, 5, 60, 0),
        ("synthesizer", 3, 2, 20, 5, 60, 0),
        ("streamer", 3, 2, 30, 15, 60, 0),
        ("v1-collector-nerdgraph", 3, 2, 30, 5, 60, 0),
        ("v1-collector-nrql", 5, 2, 15, 3, 60, 0),
        ("v1-streamer-events", 3, 2, 25, 10, 60, 0),
        ("v1-streamer-metrics", 3, 2, 20, 8, 60, 0),
    ];
    assert_eq!(BreakerConfig::PROFILES.len(), rows.len());
    for (name, failures, successes, timeout, delay, window, volume) in rows {
        let config = BreakerConfig::named(name).expect("a profile");
        assert_eq!(config.failure_threshold, failures, "{name}");
        assert_eq!(config.success_threshold, successes, "{name}");
        assert_eq!(config.call_timeout, Duration::from_secs(timeout), "{name}");
        assert_eq!(config.retry_delay, Duration::from_secs(delay), "{name}");
        assert_eq!(config.window, Window::Time(Duration::from_secs(window)), "{name}");
        assert_eq!(config.volume_threshold, volume, "{name}");
        assert!(config.validate().is_empty(), "{name}");
    }
    assert_eq!(BreakerConfig::named("nobody"), None);
    assert_eq!(BreakerConfig::named("default"), Some(BreakerConfig::default()));
}
