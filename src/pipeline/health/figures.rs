//! Figures that stand for the whole: availability, throughput, errors.

use std::time::Duration;

use crate::pipeline::report::total;
use crate::pipeline::status::Snapshot;

/// Figures since the start, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HealthFigures {
    /// Share of the time since the end of the first cycle in which the health was not unhealthy,
    /// 0.0 to 1.0; never better than the truth (see [`crate::pipeline::Availability`]).
    pub uptime: Option<f64>,
    /// Entities that the last cycle made, by its duration or the interval, whichever is longer.
    pub entities_per_second: Option<f64>,
    /// Samples, entities and events that were rejected or dropped, by all samples collected and
    /// all events that were to be streamed, 0.0 to 1.0.
    pub error_rate: Option<f64>,
}

/// The figures of `snapshot` at `now` (monotonic), when the pipeline `is_up` or not.
pub(super) fn figures(snapshot: &Snapshot, now: Duration, is_up: bool) -> HealthFigures {
    let ledger = &snapshot.ledger;
    let stream = &snapshot.stream;
    let unmade = total(&ledger.unsynthesized);
    let lost = stream.rejected_total() + stream.dropped_total();
    let failed = total(&ledger.rejected) + unmade + lost;
    let all = total(&ledger.collected) + unmade + stream.enqueued;
    let mut availability = snapshot.availability;
    availability.observe(now, is_up);
    HealthFigures {
        uptime: availability.share(),
        entities_per_second: throughput(snapshot),
        error_rate: (all > 0).then(|| failed as f64 / all as f64),
    }
}

fn throughput(snapshot: &Snapshot) -> Option<f64> {
    let report = snapshot.last_report.as_ref()?;
    let seconds = Duration::from_millis(report.duration_ms).max(snapshot.interval).as_secs_f64();
    (seconds > 0.0).then(|| total(&report.entities) as f64 / seconds)
}
