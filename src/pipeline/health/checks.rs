//! Checks: one aspect of health each.

use std::time::Duration;

use super::{HealthCheck, HealthStatus, STALE_AFTER_INTERVALS};
use crate::pipeline::status::{Moment, Phase, Snapshot};
use crate::resilience::breaker::StateKind;

/// Share of the memory for events beyond which it is a shortage, in percent.
const MEMORY_PERCENT_MAX: u64 = 90;

/// What is said of sources in simulation mode.
const NOT_ASKED: &str = "nothing is collected in simulation mode";

pub(super) struct Assess<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) now: Duration,
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

    pub(super) fn progress(&self) -> HealthCheck {
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
    pub(super) fn collection(&self) -> HealthCheck {
        if !self.snapshot.mode.collects() {
            return check("collection", HealthStatus::Healthy, NOT_ASKED);
        }
        let last = self.snapshot.last_collected;
        let (recent, when) = self.recent(last);
        let status =
            if recent && last.is_some() { HealthStatus::Healthy } else { HealthStatus::Unhealthy };
        check("collection", status, format!("last success {when}"))
    }

    pub(super) fn source(&self, source: &str) -> HealthCheck {
        let name = format!("source/{source}");
        if !self.snapshot.mode.collects() {
            return check(&name, HealthStatus::Healthy, NOT_ASKED);
        }
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

    /// Whether events that New Relic does not take survive on disk.
    fn is_kept(&self) -> bool {
        let spool = self.snapshot.resilience.spool.as_ref();
        let works = spool.is_some_and(|spool| spool.last_error.is_none());
        works && self.snapshot.stream_stats.spool_error.is_none()
    }

    /// Whether New Relic took something lately.
    pub(super) fn delivers(&self) -> bool {
        let last = self.snapshot.last_accepted;
        last.is_some() && self.recent(last).0
    }

    /// New Relic takes events. While it does not, a durable queue makes that bearable.
    pub(super) fn newrelic(&self) -> HealthCheck {
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
        let flows = recent && last.is_some();
        let status = if !flows && !self.is_kept() {
            HealthStatus::Unhealthy
        } else if !flows {
            detail.push_str("; events are kept on disk");
            HealthStatus::Degraded
        } else if stopped.is_some() || refused > 0 {
            HealthStatus::Degraded
        } else {
            HealthStatus::Healthy
        };
        check("newrelic", status, detail)
    }

    pub(super) fn buffer(&self) -> HealthCheck {
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

    pub(super) fn samples(&self) -> HealthCheck {
        let Some(report) = &self.snapshot.last_report else {
            return check("samples", HealthStatus::Healthy, "none yet");
        };
        let entities: u64 = report.unsynthesized.values().sum();
        let rejected = report.rejected.values().sum::<u64>().saturating_sub(entities);
        let fields: u64 = report.fields_left_out.values().sum();
        if rejected + fields == 0 {
            return check("samples", HealthStatus::Healthy, "all valid in the last cycle");
        }
        let reasons = report.rejected.keys().chain(report.fields_left_out.keys());
        let mut reasons = reasons.filter(|reason| !report.unsynthesized.contains_key(*reason));
        let example = reasons.next().map_or("", |reason| report.rejection_examples.of(reason));
        let detail = format!(
            "{rejected} rejected and {fields} fields left out in the last cycle, for example \
             {example}"
        );
        check("samples", HealthStatus::Degraded, detail)
    }

    pub(super) fn entities(&self) -> HealthCheck {
        let Some(report) = &self.snapshot.last_report else {
            return check("entities", HealthStatus::Healthy, "none yet");
        };
        let Some(reason) = report.unsynthesized.keys().next() else {
            let made: u64 = report.entities.values().sum();
            let detail = format!("all {made} of the last cycle could be made");
            return check("entities", HealthStatus::Healthy, detail);
        };
        let failed: u64 = report.unsynthesized.values().sum();
        let example = report.rejection_examples.of(reason);
        let detail = format!("{failed} could not be made in the last cycle, for example {example}");
        check("entities", HealthStatus::Degraded, detail)
    }

    /// Whether what is desired is there; a stand-in hides a gap from no one who asks here.
    pub(super) fn topology(&self) -> Option<HealthCheck> {
        let gaps = self.snapshot.last_report.as_ref()?.gaps.as_ref()?;
        let whole = gaps.overall();
        let mut detail = format!("{} of {} desired entities are fresh", whole.fresh, whole.desired);
        let others = [
            (whole.stale, "stale"),
            (whole.missing, "missing"),
            (whole.pending, "not seen yet"),
            (whole.filled, "with a stand-in"),
            (gaps.mismatches, "settings not as desired"),
            (gaps.partial_clusters, "clusters short of brokers"),
            (gaps.unexpected, "entities that nobody desired"),
        ];
        for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
            detail.push_str(&format!(", {count} {what}"));
        }
        let wrong = whole.stale + whole.missing + gaps.mismatches + gaps.partial_clusters;
        let status = if wrong > 0 { HealthStatus::Degraded } else { HealthStatus::Healthy };
        Some(check("topology", status, detail))
    }

    /// Room for events in memory. The bound holds anyhow: what is beyond it goes to disk or is
    /// dropped, which other checks show.
    pub(super) fn memory(&self) -> HealthCheck {
        let memory = self.snapshot.memory;
        let detail =
            format!("{} of {} bytes for events are held", memory.held_bytes, memory.limit_bytes);
        let is_short = memory.limit_bytes > 0
            && u128::from(memory.held_bytes) * 100
                > u128::from(memory.limit_bytes) * u128::from(MEMORY_PERCENT_MAX);
        let status = if is_short { HealthStatus::Degraded } else { HealthStatus::Healthy };
        check("memory", status, detail)
    }

    /// The durable queue, when there is one.
    pub(super) fn spool(&self) -> Option<HealthCheck> {
        let spool = self.snapshot.resilience.spool.as_ref()?;
        let detail = match &spool.last_error {
            Some(error) => format!("events are not kept on disk: {error}"),
            None => format!("{} chunks of {} bytes wait", spool.chunks, spool.chunk_bytes),
        };
        let lost = spool.dead_letters_dropped > 0 || spool.repaired.lost_bytes > 0;
        let status = if spool.last_error.is_some() || lost {
            HealthStatus::Degraded
        } else {
            HealthStatus::Healthy
        };
        Some(check("spool", status, detail))
    }

    /// The worker pool, when there is one: late work, not lost work.
    pub(super) fn pool(&self) -> Option<HealthCheck> {
        let pool = self.snapshot.resilience.pool.as_ref()?;
        let problems: Vec<&str> = pool.problems().iter().map(|problem| problem.as_str()).collect();
        Some(if problems.is_empty() {
            let detail = format!("{} of {} workers are busy", pool.active, pool.workers);
            check("pool", HealthStatus::Healthy, detail)
        } else {
            check("pool", HealthStatus::Degraded, problems.join("; "))
        })
    }

    /// Breakers, when there are any. How bad an open one is depends on whose it is: the
    /// components tell.
    pub(super) fn breakers(&self) -> Option<HealthCheck> {
        let breakers = &self.snapshot.resilience.breakers;
        if breakers.is_empty() {
            return None;
        }
        let ajar: Vec<String> = breakers
            .iter()
            .filter(|breaker| breaker.state != StateKind::Closed)
            .map(|breaker| format!("{} is {}", breaker.name, breaker.state.as_str()))
            .collect();
        Some(match ajar.as_slice() {
            [] => check("breakers", HealthStatus::Healthy, "all closed"),
            ajar => check("breakers", HealthStatus::Degraded, ajar.join(", ")),
        })
    }
}
