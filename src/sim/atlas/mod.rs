//! What a plan of faults leaves possible, and when: known before the run, from the scenario alone.
//!
//! Checks ask it before they blame the pipeline for something that no pipeline could have done.
//!
//! Invariants:
//! - Nothing that the pipeline did is looked at: a pipeline cannot talk itself out of a promise.
//! - An excuse names the fault that it rests on. Where the plan has no such fault there is none.
//!
//! Not modelled: chance. A fault that hits a share of requests counts as one that may hit all.

use std::time::Duration;

use crate::sim::disk::DiskFault;
use crate::sim::fault::{Action, Fault, NewRelicFault};
use crate::sim::newrelic::IngestFault;
use crate::sim::scenario::{NEWRELIC_HOST, PIPELINE_HOST, Scenario};
use crate::sim::time::SimTime;
use crate::sim::world::{CrashMode, NetworkFault};

mod loss;
mod sight;
mod spans;
#[cfg(test)]
mod tests;

pub use loss::Loss;
pub use sight::Sight;
pub use spans::{Span, Spans};

/// What a plan leaves possible.
#[derive(Debug, Clone)]
pub struct Atlas {
    /// When New Relic may not take what the pipeline sends, or not be heard to.
    pub ingest: Spans,
    /// When the pipeline's disk misbehaves.
    pub disk: Spans,
    /// When the pipeline is not there: down, or standing still.
    pub absent: Spans,
    /// Of these: when it stands still, and its timers with it.
    pub pauses: Spans,
    /// When the pipeline's wall clock is wrong; begin and end are jumps.
    pub clock: Spans,
    /// How far it is then from the right time.
    offsets: Vec<Duration>,
    /// When the disk says that it keeps what a power loss takes.
    lying_disk: Spans,
    /// When the pipeline may lose its power.
    power_loss: Spans,
    /// When requests may be refused for good, with the status.
    refusals: Vec<(u16, Span)>,
    /// When bodies may be refused as too large, and the largest that passes, in bytes.
    too_large: Vec<(u64, Span)>,
    settings: loss::Settings,
}

impl Atlas {
    /// What the plan of `scenario` leaves possible.
    pub fn of(scenario: &Scenario) -> Self {
        Self::with(scenario, &scenario.faults())
    }

    /// What these faults leave possible in the world of `scenario`.
    pub fn with(scenario: &Scenario, faults: &[Fault]) -> Self {
        let spans = |of: &dyn Fn(&Action) -> bool| {
            let hit = faults.iter().filter(|fault| fault.begin.iter().any(of));
            Spans::new(hit.map(span).collect())
        };
        let timeout = scenario.pipeline.request_timeout.0;
        Self {
            ingest: ingest(faults, timeout),
            disk: spans(&|action| disk_fault(action).is_some()),
            absent: spans(&is_absence),
            pauses: spans(&is_pause),
            clock: spans(&|action| clock_offset(action).is_some()),
            offsets: faults.iter().flat_map(|f| f.begin.iter().filter_map(clock_offset)).collect(),
            lying_disk: spans(&|action| disk_fault(action) == Some(&DiskFault::LyingSync)),
            power_loss: spans(&is_power_loss),
            refusals: ingest_faults(faults).filter_map(refusal).collect(),
            too_large: ingest_faults(faults).filter_map(too_large).collect(),
            settings: loss::Settings::of(scenario),
        }
    }

    /// Why what the spool took may be gone after all.
    pub fn spool_may_forget(&self) -> Option<&Span> {
        let lie = self.lying_disk.iter().next()?;
        self.power_loss.iter().find(|loss| loss.to >= lie.from)
    }

    /// Whether the pipeline's wall clock may have been set between the two instants.
    pub fn clock_set(&self, from: SimTime, to: SimTime) -> bool {
        let jumps = self.clock.iter().flat_map(|span| [span.from, span.to]);
        jumps.into_iter().any(|at| from <= at && at <= to)
    }

    /// Whether a timer of the pipeline that was due at `due` may have fired as late as `fired`, but
    /// for `lateness`: only if the pipeline stood still meanwhile, and no later than its return.
    pub fn timer_held(&self, due: SimTime, fired: SimTime, lateness: Duration) -> bool {
        let holds = |span: &Span| {
            span.from <= due + lateness && due <= span.to && fired <= span.to + lateness
        };
        self.pauses.iter().any(holds)
    }

    /// How long the pipeline stands still between the two instants.
    pub fn paused(&self, from: SimTime, to: SimTime) -> Duration {
        let spans = self.pauses.joined(Duration::ZERO).into_iter();
        spans.map(|(begin, end)| end.min(to) - begin.max(from)).sum()
    }

    /// How far the pipeline's wall clock is ever from the right time.
    fn clock_offset_max(&self) -> Duration {
        self.offsets.iter().copied().max().unwrap_or_default()
    }
}

fn span(fault: &Fault) -> Span {
    Span { from: fault.from, to: fault.to, why: fault.label.clone() }
}

fn network(action: &Action) -> Option<&NetworkFault> {
    match action {
        Action::Network(fault) => Some(fault),
        _ => None,
    }
}

/// What the pipeline's disk does wrong.
fn disk_fault(action: &Action) -> Option<&DiskFault> {
    match network(action)? {
        NetworkFault::Disk { host, fault } if host == PIPELINE_HOST => fault.as_ref(),
        _ => None,
    }
}

/// How far a change of the pipeline's clock takes it from the right time.
fn clock_offset(action: &Action) -> Option<Duration> {
    match network(action)? {
        NetworkFault::Skew { host, offset_ms } if host == PIPELINE_HOST => {
            Some(Duration::from_millis(offset_ms.unsigned_abs()))
        }
        _ => None,
    }
}

/// Whether the pipeline is down or stands still meanwhile.
fn is_absence(action: &Action) -> bool {
    let host = match action {
        Action::MemoryCap(_) => return true,
        Action::CrashPoint(point) => &point.host,
        Action::Network(NetworkFault::Crash { host, .. } | NetworkFault::Pause { host }) => host,
        _ => return false,
    };
    host == PIPELINE_HOST
}

fn is_pause(action: &Action) -> bool {
    matches!(action, Action::Network(NetworkFault::Pause { host }) if host == PIPELINE_HOST)
}

fn is_power_loss(action: &Action) -> bool {
    let (host, mode) = match action {
        Action::CrashPoint(point) => (&point.host, point.mode.mode()),
        Action::Network(NetworkFault::Crash { host, mode }) => (host, *mode),
        _ => return false,
    };
    host == PIPELINE_HOST && mode == CrashMode::Power
}

/// Every fault of ingest, with its time.
fn ingest_faults(faults: &[Fault]) -> impl Iterator<Item = (&IngestFault, Span)> {
    faults.iter().flat_map(|fault| {
        fault.newrelic().filter_map(|newrelic| match newrelic {
            NewRelicFault::Ingest { fault: ingest, .. } => Some((ingest, span(fault))),
            NewRelicFault::LateSynthesis { .. } => None,
        })
    })
}

/// A status that says never to send the request again.
fn refusal((fault, span): (&IngestFault, Span)) -> Option<(u16, Span)> {
    match fault {
        IngestFault::Status { code: code @ (400 | 401 | 403 | 404 | 415), .. } => {
            Some((*code, span))
        }
        _ => None,
    }
}

fn too_large((fault, span): (&IngestFault, Span)) -> Option<(u64, Span)> {
    match fault {
        IngestFault::BodyTooLarge { body_bytes_max } => Some((*body_bytes_max, span)),
        IngestFault::Status { code: 413, .. } => Some((0, span)),
        _ => None,
    }
}

/// When ingest is out of the pipeline's reach, or refuses, or does not answer.
fn ingest(faults: &[Fault], timeout: Duration) -> Spans {
    let spans = faults.iter().filter_map(|fault| {
        let reaches = fault.begin.iter().filter_map(hindrance).max()?;
        // A connection that died without a word costs whoever uses it next a time-out.
        let after = if reaches == Hindrance::Silent { timeout } else { Duration::ZERO };
        Some(Span { to: fault.to + after, ..span(fault) })
    });
    Spans::new(spans.collect())
}

/// How a fault stands between the pipeline and ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hindrance {
    /// While it is in force.
    Present,
    /// Beyond its end: it leaves connections that are dead and do not know it.
    Silent,
}

fn hindrance(action: &Action) -> Option<Hindrance> {
    let is = |host: &str| [PIPELINE_HOST, NEWRELIC_HOST].contains(&host);
    let ends = |from: &str, to: &str| is(from) && is(to);
    let (hit, how) = match action {
        Action::NewRelic(fault) => (!fault.spares_ingest(), Hindrance::Present),
        Action::CrashPoint(point) => (point.host == NEWRELIC_HOST, Hindrance::Present),
        Action::Network(fault) => match fault {
            NetworkFault::Crash { host, .. } => (host == NEWRELIC_HOST, Hindrance::Present),
            NetworkFault::Pause { host } => (is(host), Hindrance::Present),
            NetworkFault::Partition { from, to, .. } | NetworkFault::HalfOpen { from, to } => {
                (ends(from, to), Hindrance::Silent)
            }
            NetworkFault::Hold { from, to, .. }
            | NetworkFault::Latency { from, to, .. }
            | NetworkFault::Bandwidth { from, to, .. }
            | NetworkFault::Loss { from, to, .. }
            | NetworkFault::Reset { from, to } => (ends(from, to), Hindrance::Present),
            NetworkFault::DnsFailure { host, name, .. } => {
                let asks = host.as_deref().is_none_or(|host| host == PIPELINE_HOST);
                (asks && name == NEWRELIC_HOST, Hindrance::Present)
            }
            NetworkFault::Disk { host, .. } => (host == PIPELINE_HOST, Hindrance::Present),
            NetworkFault::Skew { .. }
            | NetworkFault::Repair { .. }
            | NetworkFault::Release { .. }
            | NetworkFault::Resume { .. }
            | NetworkFault::Restart { .. }
            | NetworkFault::CrashPoint { .. } => return None,
        },
        Action::NewRelicWell(_)
        | Action::Fleet { .. }
        | Action::FleetWell { .. }
        | Action::CrashPointOver(_)
        | Action::MemoryCap(_)
        | Action::MemoryCapOver => return None,
    };
    hit.then_some(how)
}
