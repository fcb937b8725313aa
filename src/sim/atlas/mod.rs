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

use crate::pipeline::SPOOL_PATIENCE;
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

pub use loss::{EVENT_BYTES, Excuse, Lifetime};
pub use sight::Sight;
pub use spans::{Span, Spans};

/// How long a disk that nothing hinders may take to write what is known.
const NOTE_MAX: Duration = Duration::from_secs(2);
/// More operations than a slow disk has begun at once.
const JOB_OPERATIONS_MAX: u32 = 100;

/// What a plan leaves possible.
#[derive(Debug, Clone)]
pub struct Atlas {
    /// When New Relic may not take what the pipeline sends, or not be heard to.
    pub ingest: Spans,
    /// When the pipeline's disk fails or lets wait: one that lies or tears writes does neither.
    pub disk: Spans,
    /// When the pipeline is not there: down, or standing still.
    pub absent: Spans,
    /// Of these: when it stands still, and its timers with it.
    pub pauses: Spans,
    /// Jumps of the pipeline's wall clock, in order of time.
    clock: Vec<Jump>,
    /// When the disk says that it keeps what a power loss takes.
    lying_disk: Spans,
    /// When the pipeline may lose its power.
    power_loss: Spans,
    /// When requests may be refused for good, or for their size, with the status.
    refusals: Vec<(u16, Span)>,
    settings: loss::Settings,
}

impl Atlas {
    /// What these faults leave possible in the world of `scenario`.
    pub fn with(scenario: &Scenario, faults: &[Fault]) -> Self {
        let spans = |of: &dyn Fn(&Action) -> bool| {
            let hit = faults.iter().filter(|fault| fault.begin.iter().any(of));
            Spans::new(hit.map(span).collect())
        };
        let timeout = scenario.pipeline.request_timeout.0;
        Self {
            ingest: ingest(faults, timeout),
            disk: disk(faults),
            absent: spans(&is_absence),
            pauses: spans(&is_pause),
            clock: clock(faults),
            lying_disk: spans(&|action| disk_fault(action) == Some(&DiskFault::LyingSync)),
            power_loss: spans(&is_power_loss),
            refusals: ingest_faults(faults).filter_map(refusal).collect(),
            settings: loss::Settings::of(scenario),
        }
    }

    /// The power loss at `crash` that may have taken what the disk confirmed from `from` on: it has
    /// lied since then.
    pub fn forgets(&self, from: SimTime, crash: SimTime) -> Option<&Span> {
        let loss = self.power_loss.touching(crash, crash)?;
        self.lying_disk.touching(from, crash).map(|_| loss)
    }

    /// When, at the latest, the disk has taken what the pipeline wanted to write at `at`.
    pub fn noted_by(&self, at: SimTime) -> SimTime {
        let hindered = self.disk.and(&self.pauses).joined(NOTE_MAX).into_iter();
        hindered.fold(
            at + NOTE_MAX,
            |by, (from, to)| {
                if from <= by && at <= to { to + NOTE_MAX } else { by }
            },
        )
    }

    /// Whether a life that began then may have given up waiting for its spool, and so has none.
    pub fn spool_may_be_absent(&self, started: SimTime) -> bool {
        // The last attempt may come a moment early or late.
        let (early, late) = (SPOOL_PATIENCE.saturating_sub(NOTE_MAX), SPOOL_PATIENCE + NOTE_MAX);
        self.disk.touching(started + early, started + late).is_some()
    }

    /// What may have refused a request between the two instants with one of these statuses.
    pub fn refusal(&self, statuses: &[u16], from: SimTime, to: SimTime) -> Option<&Span> {
        let hits = |(status, span): &&(u16, Span)| {
            statuses.contains(status) && span.from <= to && from <= span.to
        };
        self.refusals.iter().find(hits).map(|(_, span)| span)
    }

    /// Whether the pipeline's wall clock may have been set between the two instants.
    pub fn clock_set(&self, from: SimTime, to: SimTime) -> bool {
        self.clock.iter().any(|jump| from <= jump.at && jump.at <= to)
    }

    /// How much more time than passed the pipeline's wall clock may show to have passed between an
    /// instant and a later one, both from `from` to `to`.
    fn clock_ahead(&self, from: SimTime, to: SimTime) -> Duration {
        let before = self.clock.iter().take_while(|jump| jump.at < from).last();
        let mut least = before.map_or(0, |jump| jump.offset_ms);
        let mut ahead = 0;
        for jump in self.clock.iter().filter(|jump| from <= jump.at && jump.at <= to) {
            ahead = ahead.max(jump.offset_ms - least);
            least = least.min(jump.offset_ms);
        }
        Duration::from_millis(ahead.unsigned_abs())
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
}

/// A jump of the pipeline's wall clock.
#[derive(Debug, Clone)]
struct Jump {
    at: SimTime,
    /// How far it is from the right time from then on.
    offset_ms: i64,
    /// The fault's label.
    why: String,
}

/// The jumps there and back, in order of time.
fn clock(faults: &[Fault]) -> Vec<Jump> {
    let jumps = faults.iter().flat_map(|fault| {
        let offset_ms = fault.begin.iter().find_map(clock_offset)?;
        let jump = |at, offset_ms| Jump { at, offset_ms, why: fault.label.clone() };
        Some([jump(fault.to, 0), jump(fault.from, offset_ms)])
    });
    // One that ends makes way for one that begins at the same instant.
    let (back, there): (Vec<_>, Vec<_>) = jumps.flatten().partition(|jump| jump.offset_ms == 0);
    let mut jumps = [back, there].concat();
    jumps.sort_by_key(|jump| jump.at);
    jumps
}

/// When the disk fails or lets wait.
fn disk(faults: &[Fault]) -> Spans {
    let spans = faults.iter().filter_map(|fault| {
        let after = fault.begin.iter().filter_map(disk_fault).filter_map(hinders_for).max()?;
        Some(Span { to: fault.to + after, ..span(fault) })
    });
    Spans::new(spans.collect())
}

/// How long a disk that has this fault still fails or lets wait when the fault is over; `None` if
/// it never does.
fn hinders_for(fault: &DiskFault) -> Option<Duration> {
    match fault {
        DiskFault::LyingSync | DiskFault::TornWrites => None,
        // What was begun is done as slowly as it began.
        DiskFault::Slow { per_operation } => Some(*per_operation * JOB_OPERATIONS_MAX),
        DiskFault::Full { .. }
        | DiskFault::FailWrites { .. }
        | DiskFault::FailReads { .. }
        | DiskFault::FailSyncs { .. }
        | DiskFault::Stalled => Some(Duration::ZERO),
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

/// How far ahead of the right time a change of the pipeline's clock takes it, in milliseconds.
fn clock_offset(action: &Action) -> Option<i64> {
    match network(action)? {
        NetworkFault::Skew { host, offset_ms } if host == PIPELINE_HOST => Some(*offset_ms),
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

/// A status that says never to send the request again, or not as it is.
fn refusal((fault, span): (&IngestFault, Span)) -> Option<(u16, Span)> {
    match fault {
        IngestFault::Status { code: code @ (400 | 401 | 403 | 413 | 415), .. } => {
            Some((*code, span))
        }
        IngestFault::BodyTooLarge { .. } => Some((413, span)),
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
            NetworkFault::Disk { .. } => {
                (disk_fault(action).and_then(hinders_for).is_some(), Hindrance::Present)
            }
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
