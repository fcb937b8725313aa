//! A breaker's settings, their validation and the named profiles.
//!
//! Invariants:
//! - Zero means zero, never "default".
//! - [`BreakerConfig::validate`] gives every setting out of range at once.
//! - The profiles are data: one row per breaker that the monitored product's versions name.
//!
//! Not modelled: retries inside a breaker, which some of those versions had; a retry stands
//! outside the breaker, so that every try is one admitted call.

use std::time::Duration;

use crate::resilience::InvalidSetting;

/// Which outcomes a closed breaker remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// All since it closed.
    None,
    /// The last so many.
    Count(u32),
    /// Those younger than this: an outcome counts at an age of `T − 1 ns` and not at `T`.
    Time(Duration),
}

/// Opens on slowness: calls that take longer than `after`, by their share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowCall {
    /// Calls that take longer are slow; one that takes exactly this long is not.
    pub after: Duration,
    /// Opens at this share of slow calls in the window, in percent.
    pub rate_percent: f64,
}

/// Every setting of a breaker.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerConfig {
    /// Consecutive failures that open it.
    pub failure_threshold: u32,
    /// Successful probes that close it.
    pub success_threshold: u32,
    /// Longest duration of a guarded call.
    pub call_timeout: Duration,
    /// From opening to the first probe.
    pub retry_delay: Duration,
    /// Each failed probe multiplies the delay by this.
    pub retry_factor: f64,
    /// The delay's upper bound.
    pub retry_delay_max: Duration,
    /// What it remembers while closed.
    pub window: Window,
    /// It does not open by its own counting with fewer outcomes in the window than this.
    pub volume_threshold: u32,
    /// Opens at this share of failures in the window, in percent.
    pub failure_rate_percent: Option<f64>,
    /// Opens at a share of slow calls.
    pub slow_call: Option<SlowCall>,
    /// Probes under way at the same time.
    pub half_open_max: u32,
}

/// Longest count window: it is kept outcome by outcome.
pub const COUNT_WINDOW_MAX: u32 = 1_000_000;

const AT_LEAST_ONE: &str = "at least 1";
const PERCENT: &str = "above 0 and at most 100";

impl Default for BreakerConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One row of the profiles: failures, successes, then timeout, delay and window in milliseconds.
const fn row(
    failures: u32,
    successes: u32,
    timeout_ms: u64,
    delay_ms: u64,
    window_ms: u64,
) -> BreakerConfig {
    BreakerConfig {
        failure_threshold: failures,
        success_threshold: successes,
        call_timeout: Duration::from_millis(timeout_ms),
        retry_delay: Duration::from_millis(delay_ms),
        retry_factor: 1.0,
        retry_delay_max: Duration::from_mins(5),
        window: Window::Time(Duration::from_millis(window_ms)),
        volume_threshold: 0,
        failure_rate_percent: None,
        slow_call: None,
        half_open_max: 1,
    }
}

impl BreakerConfig {
    /// Five failures, two successes, 30 s for a call, 5 s until a probe, one minute's window.
    pub const DEFAULT: Self = row(5, 2, 30_000, 5_000, 60_000);

    /// All named profiles. Where a source gives no window, the default's minute stands.
    pub const PROFILES: &[(&str, Self)] = &[
        ("default", Self::DEFAULT),
        // The second version opens only after ten calls; here they are ten of the last minute.
        ("v2", Self { volume_threshold: 10, ..row(5, 2, 60_000, 30_000, 60_000) }),
        // Second version's factory.
        ("nerdgraph-api", row(5, 2, 30_000, 5_000, 60_000)),
        ("event-api", row(3, 2, 20_000, 10_000, 60_000)),
        ("metric-api", row(3, 2, 15_000, 5_000, 60_000)),
        ("infrastructure-collector", row(5, 3, 45_000, 15_000, 300_000)),
        // Recovery guide, per pipeline stage.
        ("collector", row(5, 2, 30_000, 10_000, 60_000)),
        ("transformer", row(3, 2, 20_000, 5_000, 60_000)),
        ("synthesizer", row(3, 2, 20_000, 5_000, 60_000)),
        ("streamer", row(3, 2, 30_000, 15_000, 60_000)),
        // First version; its retries (2, 3, 2, 2) belong to the retry around the breaker.
        ("v1-collector-nerdgraph", row(3, 2, 30_000, 5_000, 60_000)),
        ("v1-collector-nrql", row(5, 2, 15_000, 3_000, 60_000)),
        ("v1-streamer-events", row(3, 2, 25_000, 10_000, 60_000)),
        ("v1-streamer-metrics", row(3, 2, 20_000, 8_000, 60_000)),
    ];

    /// The profile of that name.
    pub fn named(profile: &str) -> Option<Self> {
        Self::PROFILES.iter().find(|(name, _)| *name == profile).map(|(_, config)| config.clone())
    }

    /// Every setting out of range; empty when all is well.
    pub fn validate(&self) -> Vec<InvalidSetting> {
        let mut faults = Vec::new();
        let mut check = |setting: &'static str, fine: bool, value: String, allowed| {
            if !fine {
                faults.push(InvalidSetting { setting, value, allowed });
            }
        };
        for (setting, value) in [
            ("failure_threshold", self.failure_threshold),
            ("success_threshold", self.success_threshold),
            ("half_open_max", self.half_open_max),
        ] {
            check(setting, value >= 1, value.to_string(), AT_LEAST_ONE);
        }
        let factor = self.retry_factor;
        let fine = factor.is_finite() && factor >= 1.0;
        check("retry_factor", fine, factor.to_string(), "a number of at least 1");
        check(
            "retry_delay_max",
            self.retry_delay_max >= self.retry_delay,
            format!("{:?}", self.retry_delay_max),
            "at least retry_delay",
        );
        match self.window {
            Window::None => {}
            Window::Count(count) => {
                let fine = (1..=COUNT_WINDOW_MAX).contains(&count);
                check("window", fine, format!("{count} outcomes"), "1 to 1000000 outcomes");
                // It would never open: so many outcomes are never remembered.
                let fine = !fine || self.volume_threshold <= count;
                let value = self.volume_threshold.to_string();
                check("volume_threshold", fine, value, "at most the window's outcomes");
            }
            Window::Time(time) => {
                check("window", !time.is_zero(), format!("{time:?}"), "longer than 0");
            }
        }
        for (setting, percent) in [
            ("failure_rate_percent", self.failure_rate_percent),
            ("slow_call.rate_percent", self.slow_call.map(|slow| slow.rate_percent)),
        ] {
            if let Some(percent) = percent {
                let fine = percent > 0.0 && percent <= 100.0;
                check(setting, fine, percent.to_string(), PERCENT);
            }
        }
        faults
    }

    /// The settings in which `other` differs, each with this one's value and the other's.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let pairs = self.settings().into_iter().zip(other.settings());
        pairs
            .filter(|((_, ours), (_, theirs))| ours != theirs)
            .map(|((setting, ours), (_, theirs))| Difference { setting, ours, theirs })
            .collect()
    }

    fn settings(&self) -> [(&'static str, String); 11] {
        [
            ("failure_threshold", self.failure_threshold.to_string()),
            ("success_threshold", self.success_threshold.to_string()),
            ("call_timeout", format!("{:?}", self.call_timeout)),
            ("retry_delay", format!("{:?}", self.retry_delay)),
            ("retry_factor", self.retry_factor.to_string()),
            ("retry_delay_max", format!("{:?}", self.retry_delay_max)),
            ("window", format!("{:?}", self.window)),
            ("volume_threshold", self.volume_threshold.to_string()),
            ("failure_rate_percent", format!("{:?}", self.failure_rate_percent)),
            ("slow_call", format!("{:?}", self.slow_call)),
            ("half_open_max", self.half_open_max.to_string()),
        ]
    }

    /// Whether the outcomes themselves are kept, not only a count of consecutive failures.
    pub(super) fn keeps_outcomes(&self) -> bool {
        self.window != Window::None
            || self.volume_threshold > 0
            || self.failure_rate_percent.is_some()
            || self.slow_call.is_some()
    }

    /// Whether a success needs to know when it happened or how long it took.
    pub(super) fn times_successes(&self) -> bool {
        // With a rate a success may open the breaker, and an opening has a time.
        matches!(self.window, Window::Time(_))
            || self.failure_rate_percent.is_some()
            || self.slow_call.is_some()
    }
}

/// A setting in which two configurations differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name, e.g. `failure_threshold`.
    pub setting: &'static str,
    /// The first one's value.
    pub ours: String,
    /// The other one's value.
    pub theirs: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} instead of {}", self.setting, self.theirs, self.ours)
    }
}
