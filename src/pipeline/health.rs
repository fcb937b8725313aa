//! What a snapshot says about the pipeline's health. Pure; worst wins.
//!
//! Invariant: every failure that a report or the ledger names shows in a check, until it is over.

use std::time::Duration;

use serde::Serialize;

use super::status::{Moment, Phase, Snapshot};

/// Intervals without a success after which a check is unhealthy.
pub const STALE_AFTER_INTERVALS: u32 = 3;

/// How well something is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// All is well.
    Healthy,
    /// Part of the data is missing or late.
    Degraded,
    /// It does not do its work.
    Unhealthy,
}

/// One aspect of health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthCheck {
    /// Its name: `loop`, `collection`, `source/<name>`, `newrelic`, `buffer`, `samples`.
    pub name: String,
    /// How well it is.
    pub status: HealthStatus,
    /// Why, in words.
    pub detail: String,
}

/// All aspects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The worst of the checks.
    pub status: HealthStatus,
    /// Whether the loop makes progress; if not, a restart may help.
    pub live: bool,
    /// Whether data flows end to end: something was collected and New Relic took something, both
    /// recently.
    pub ready: bool,
    /// The aspects, in a fixed order.
    pub checks: Vec<HealthCheck>,
}

/// Health of `snapshot` at `now` (monotonic, of the same host).
pub fn assess(snapshot: &Snapshot, now: Duration) -> Health {
    let assess = Assess { snapshot, now };
    let progress = assess.progress();
    let collection = assess.collection();
    let newrelic = assess.newrelic();
    let live = progress.status != HealthStatus::Unhealthy;
    let flows = |check: &HealthCheck| check.status != HealthStatus::Unhealthy;
    let stopping = matches!(snapshot.phase, Phase::Draining | Phase::Stopped);
    let ready = live && flows(&collection) && flows(&newrelic) && !stopping;
    let mut checks = vec![progress, collection];
    checks.extend(snapshot.sources.iter().map(|name| assess.source(name)));
    checks.extend([newrelic, assess.buffer(), assess.samples()]);
    let status = checks.iter().map(|check| check.status).max().unwrap_or(HealthStatus::Healthy);
    Health { status, live, ready, checks }
}

struct Assess<'a> {
    snapshot: &'a Snapshot,
    now: Duration,
}

fn check(name: &str, status: HealthStatus, detail: impl Into<String>) -> HealthCheck {
    HealthCheck { name: name.to_owned(), status, detail: detail.into() }
}

/// `age` as a person reads it.
fn seconds(age: Duration) -> String {
    format!("{:.1} s", age.as_secs_f64())
}

impl Assess<'_> {
    fn age(&self, moment: Moment) -> Duration {
        self.now.saturating_sub(moment.monotonic)
    }

    /// How old a success may be. A cycle that uses its whole deadline is no standstill.
    fn stale_after(&self) -> Duration {
        let intervals = self.snapshot.interval.saturating_mul(STALE_AFTER_INTERVALS);
        let long_cycle =
            self.snapshot.cycle_deadline.saturating_add(self.snapshot.interval.saturating_mul(2));
        intervals.max(long_cycle)
    }

    /// Unhealthy when `last` is too long ago, counted from the start of the pipeline if it never
    /// happened.
    fn recent(&self, last: Option<Moment>) -> (bool, String) {
        let age = self.age(last.unwrap_or(self.snapshot.made));
        let text = match last {
            Some(_) => format!("{} ago", seconds(age)),
            None => format!("never, in {}", seconds(age)),
        };
        (age <= self.stale_after(), text)
    }

    fn progress(&self) -> HealthCheck {
        let phase = self.snapshot.phase;
        if phase == Phase::Stopped {
            return check("loop", HealthStatus::Unhealthy, "stopped");
        }
        let (recent, when) = self.recent(self.snapshot.last_start);
        let draining = phase == Phase::Draining;
        let skipped = self.snapshot.last_report.as_ref().map_or(0, |report| report.skipped);
        let status = match (recent || draining, skipped) {
            (false, _) => HealthStatus::Unhealthy,
            (true, 0) => HealthStatus::Healthy,
            (true, _) => HealthStatus::Degraded,
        };
        let mut detail = format!("{}; last cycle began {when}", phase.as_str());
        if skipped > 0 {
            detail.push_str(&format!("; it was too long, {skipped} starts were skipped"));
        }
        check("loop", status, detail)
    }

    /// At least one source gives data. "Never" is unhealthy at once: nothing has flowed yet.
    fn collection(&self) -> HealthCheck {
        let last = self.snapshot.last_collected;
        let (recent, when) = self.recent(last);
        let status =
            if recent && last.is_some() { HealthStatus::Healthy } else { HealthStatus::Unhealthy };
        check("collection", status, format!("last success {when}"))
    }

    fn source(&self, source: &str) -> HealthCheck {
        let name = format!("source/{source}");
        let report = self.snapshot.last_report.as_ref();
        let report = report.and_then(|r| r.sources.iter().find(|s| s.source == source));
        let Some(report) = report else {
            return check(&name, HealthStatus::Degraded, "not asked yet");
        };
        if let Some(failure) = &report.failure {
            let (_, when) = self.recent(self.snapshot.last_collected_from.get(source).copied());
            let detail = format!("{}: {}; last success {when}", failure.reason, failure.message);
            return check(&name, HealthStatus::Degraded, detail);
        }
        let missing: u64 = report.missing.values().sum();
        if missing > 0 {
            let example = report.missing_examples.iter().next().unwrap_or_default();
            let detail = format!("{missing} parts missing, for example {example}");
            return check(&name, HealthStatus::Degraded, detail);
        }
        check(&name, HealthStatus::Healthy, format!("{} samples", report.samples))
    }

    fn newrelic(&self) -> HealthCheck {
        let last = self.snapshot.last_accepted;
        let (recent, when) = self.recent(last);
        let stream = self.snapshot.last_report.as_ref().map(|report| &report.stream);
        let stopped = stream.and_then(|stream| stream.stopped.as_deref());
        let refused: u64 = stream.map_or(0, |stream| stream.rejected.values().sum());
        let mut detail = format!("last success {when}");
        if let Some(reason) = stopped {
            detail.push_str(&format!("; last cycle stopped sending: {reason}"));
        }
        if refused > 0 {
            detail.push_str(&format!("; last cycle {refused} events were refused"));
        }
        let status = if !recent || last.is_none() {
            HealthStatus::Unhealthy
        } else if stopped.is_some() || refused > 0 {
            HealthStatus::Degraded
        } else {
            HealthStatus::Healthy
        };
        check("newrelic", status, detail)
    }

    fn buffer(&self) -> HealthCheck {
        let waiting = self.snapshot.stream.in_flight;
        let most = self.snapshot.buffer_events_max as u64;
        let dropped = self.snapshot.last_report.as_ref();
        let dropped: u64 = dropped.map_or(0, |report| report.stream.dropped.values().sum());
        let mut detail = format!("{waiting} of {most} events wait");
        if dropped > 0 {
            detail.push_str(&format!("; last cycle {dropped} events were dropped"));
        }
        let status = if dropped > 0 {
            HealthStatus::Unhealthy
        } else if waiting.saturating_mul(5) > most.saturating_mul(4) {
            HealthStatus::Degraded
        } else {
            HealthStatus::Healthy
        };
        check("buffer", status, detail)
    }

    fn samples(&self) -> HealthCheck {
        let Some(report) = &self.snapshot.last_report else {
            return check("samples", HealthStatus::Healthy, "none yet");
        };
        let rejected: u64 = report.rejected.values().sum();
        let fields: u64 = report.fields_left_out.values().sum();
        if rejected + fields == 0 {
            return check("samples", HealthStatus::Healthy, "all valid in the last cycle");
        }
        let example = report.rejection_examples.iter().next().unwrap_or_default();
        let detail = format!(
            "{rejected} rejected and {fields} fields left out in the last cycle, for example \
             {example}"
        );
        check("samples", HealthStatus::Degraded, detail)
    }
}
