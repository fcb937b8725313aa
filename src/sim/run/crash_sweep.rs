//! A scenario again and again, with one host going down after another of its own events each time.
//!
//! Invariants:
//! - A first run without a crash counts the host's events; a sweep's points are a function of
//!   scenario, seed and stride, and so is every run of it.
//! - Crashes fall so early that the scenario's settle time is left after the host's return.

use std::time::Duration;

use serde::Serialize;

use super::{Network, Options, RunReport, run};
use crate::config::quantity::DurationText;
use crate::sim::check::Class;
use crate::sim::fault::broker::crash::CrashModeSpec;
use crate::sim::fault::{CrashPoint, FaultSpec};
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::Sink;

/// What a sweep does.
#[derive(Debug, Clone)]
pub struct CrashSweep {
    /// Which host goes down.
    pub host: String,
    /// The first event after which it does, from 1.
    pub first: u64,
    /// Distance between two of these events, at least 1.
    pub every: u64,
    /// Most points to run; further apart ones are left out from the end.
    pub points_max: u64,
    /// How it goes down.
    pub mode: CrashModeSpec,
    /// How long it stays down.
    pub down: Duration,
}

impl CrashSweep {
    /// A process crash of 5 s after every event of `host`.
    pub fn every_event(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            first: 1,
            every: 1,
            points_max: u64::MAX,
            mode: CrashModeSpec::Process,
            down: Duration::from_secs(5),
        }
    }
}

/// Why a scenario cannot be swept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// No such host.
    #[error("no host is called `{host}`; hosts are {known}")]
    UnknownHost {
        /// What was asked for.
        host: String,
        /// What there is.
        known: String,
    },
    /// The scenario takes the host down by itself.
    #[error("the scenario takes {0} down by itself; sweep one that does not")]
    Overlap(String),
    /// No time is left for a crash.
    #[error("the scenario is too short for a crash: set its duration to {0}s or more")]
    TooShort(u64),
    /// The run without a crash fails already.
    #[error("without any crash, {0}")]
    Broken(String),
}

/// One point at which a promise was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenPoint {
    /// The event after which the host went down.
    pub event: u64,
    /// When that was.
    pub crashed_at: Option<SimTime>,
    /// The check that failed.
    pub check: &'static str,
    /// Its class.
    pub class: Class,
    /// What was wrong, in words.
    pub violation: String,
}

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    /// The host.
    pub host: String,
    /// Its events in the run without a crash, as far as a crash could come.
    pub events: u64,
    /// The latest time for a crash.
    pub until: SimTime,
    /// Runs with a crash.
    pub points: u64,
    /// Runs in which the host did go down: after its first crash it may have fewer events.
    pub crashes: u64,
    /// Every check that failed, by point.
    pub broken: Vec<BrokenPoint>,
}

impl SweepReport {
    /// Whether every promise was kept at every point, and there was one.
    pub fn passed(&self) -> bool {
        self.broken.is_empty() && self.crashes > 0
    }
}

/// Runs `scenario` once for each point of `sweep`, on the kernel; `seen` hears of each run.
///
/// # Errors
/// [`SweepError`] says why the scenario is not one for such a sweep.
pub fn crash_sweep(
    scenario: &Scenario,
    seed: Seed,
    sweep: &CrashSweep,
    mut seen: impl FnMut(u64, &RunReport),
) -> Result<SweepReport, SweepError> {
    let until = latest(scenario, sweep)?;
    let at = |event| run(&with_point(scenario, sweep, event, until), options(seed));
    let whole = at(u64::MAX);
    if let Some(check) = whole.checks.iter().find(|check| !check.passed()) {
        let what = check.first_violation().unwrap_or_default();
        return Err(SweepError::Broken(format!("{}: {what}", check.name)));
    }
    let events = whole.crash_points.first().map_or(0, |point| point.events);
    let mut report = SweepReport {
        host: sweep.host.clone(),
        events,
        until,
        points: 0,
        crashes: 0,
        broken: Vec::new(),
    };
    let stride = usize::try_from(sweep.every.max(1)).unwrap_or(usize::MAX);
    for event in (sweep.first.max(1)..=events).step_by(stride) {
        if report.points >= sweep.points_max {
            break;
        }
        let found = at(event);
        seen(event, &found);
        book(&mut report, event, &found);
    }
    Ok(report)
}

fn book(report: &mut SweepReport, event: u64, found: &RunReport) {
    let crashed_at = found.crash_points.first().and_then(|point| point.crashed_at);
    report.points += 1;
    report.crashes += u64::from(crashed_at.is_some());
    report.broken.extend(found.checks.iter().filter_map(|check| {
        let violation = check.first_violation()?;
        Some(BrokenPoint { event, crashed_at, check: check.name, class: check.class, violation })
    }));
}

fn options(seed: Seed) -> Options {
    Options { seed, network: Network::Kernel, sink: Sink::None }
}

/// The latest instant at which the host may still be down.
fn latest(scenario: &Scenario, sweep: &CrashSweep) -> Result<SimTime, SweepError> {
    let hosts = scenario.hosts();
    if !hosts.contains(&sweep.host) {
        let (host, known) = (sweep.host.clone(), hosts.join(", "));
        return Err(SweepError::UnknownHost { host, known });
    }
    let taken = format!("host {}", sweep.host);
    if scenario.fault.iter().any(|fault| fault.target() == taken) {
        return Err(SweepError::Overlap(sweep.host.clone()));
    }
    let settle = scenario.settle_time();
    let until = scenario.duration.0.saturating_sub(settle);
    if until <= sweep.down {
        let needed = settle + sweep.down + scenario.pipeline.interval.0 * 2;
        return Err(SweepError::TooShort(needed.as_secs()));
    }
    Ok(SimTime::from(until))
}

/// `scenario` with a crash after `event`.
fn with_point(scenario: &Scenario, sweep: &CrashSweep, event: u64, until: SimTime) -> Scenario {
    let point = CrashPoint {
        host: sweep.host.clone(),
        event,
        mode: sweep.mode,
        down: DurationText(sweep.down),
    };
    let mut scenario = scenario.clone();
    scenario.fault.push(FaultSpec {
        lasts: Some(DurationText(until.since_start())),
        crash_point: Some(point),
        ..FaultSpec::default()
    });
    scenario
}
