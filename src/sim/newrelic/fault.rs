//! Faults that New Relic itself may have, in time windows.
//!
//! Invariant: a fault hits a request at its arrival, the oldest window in force first; whether a
//! partial one hits is drawn from the fault's own stream.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::domain::units::UnixMillis;
use crate::rt::cause::{self, Cause};
use crate::sim::seed::unit_interval;

/// What goes wrong with a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IngestFault {
    /// Refused with this status before anything is looked at.
    Status {
        /// 400 to 599.
        code: u16,
        /// Value of `Retry-After`, in seconds.
        retry_after_seconds: Option<u32>,
    },
    /// Refused with 413 when its body, as sent, is longer than this.
    BodyTooLarge {
        /// Longest body that passes.
        body_bytes_max: u64,
    },
    /// Taken at once, answered after this time.
    Slow(Duration),
    /// Taken, then the connection is closed without an answer.
    LostAnswer,
    /// Taken, answered 200 with half a body.
    TruncatedBody,
    /// Taken, answered 200 with something that is not JSON.
    GarbageBody,
}

impl IngestFault {
    /// Name in logs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::Slow(_) => "slow",
            Self::LostAnswer => "lost_answer",
            Self::TruncatedBody => "truncated_body",
            Self::GarbageBody => "garbage_body",
        }
    }
}

/// The part of the service that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Target {
    /// The Event API.
    #[default]
    Event,
    /// The Metric API.
    Metric,
    /// What infrastructure agents send.
    Infra,
    /// NerdGraph, NRQL included.
    NerdGraph,
    /// Every part.
    All,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Event, Self::Metric, Self::Infra, Self::NerdGraph, Self::All];

    /// Name in logs and on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Metric => "metric",
            Self::Infra => "infra",
            Self::NerdGraph => "nerdgraph",
            Self::All => "all",
        }
    }

    /// Whether a fault aimed here hits a request to `part`.
    fn hits(self, part: Self) -> bool {
        self == Self::All || self == part
    }
}

/// A fault, when it lasts, and whom it hits.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultWindow {
    /// What.
    pub fault: IngestFault,
    /// From this instant on.
    pub from: UnixMillis,
    /// Until this instant, exclusive; `None` until it is cleared.
    pub until: Option<UnixMillis>,
    /// Share of requests that it hits, 0.0 to 1.0.
    pub share: f64,
    /// The part of the service that it hits.
    pub target: Target,
}

impl FaultWindow {
    /// A fault that hits every request to the Event API from `from` on, until it is cleared.
    pub fn always(fault: IngestFault, from: UnixMillis) -> Self {
        Self { fault, from, until: None, share: 1.0, target: Target::default() }
    }

    /// The same fault in another part of the service.
    #[must_use]
    pub fn at(self, target: Target) -> Self {
        Self { target, ..self }
    }
}

/// Names a fault that was injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId(u32);

#[derive(Debug)]
pub(super) struct Faults {
    windows: Vec<(FaultId, FaultWindow, Option<Cause>)>,
    /// What led to the fault that was drawn last.
    hit_by: Option<Cause>,
    next: u32,
    rng: ChaCha8Rng,
}

impl Faults {
    pub(super) fn new(rng: ChaCha8Rng) -> Self {
        Self { windows: Vec::new(), hit_by: None, next: 0, rng }
    }

    pub(super) fn inject(&mut self, window: FaultWindow) -> FaultId {
        let id = FaultId(self.next);
        self.next += 1;
        self.windows.push((id, window, cause::present()));
        id
    }

    pub(super) fn clear(&mut self, id: FaultId) -> bool {
        let before = self.windows.len();
        self.windows.retain(|(known, ..)| *known != id);
        self.windows.len() < before
    }

    pub(super) fn clear_all(&mut self) {
        self.windows.clear();
    }

    /// What led to the fault that [`Faults::draw`] gave last.
    pub(super) fn hit_by(&self) -> Option<Cause> {
        self.hit_by
    }

    /// The first fault that hits a request to `part` at `now`. Draws only for faults that hit some.
    pub(super) fn draw(&mut self, part: Target, now: UnixMillis) -> Option<IngestFault> {
        self.windows.retain(|(_, window, _)| window.until.is_none_or(|until| now < until));
        for (_, window, led_by) in &self.windows {
            let open = window.from <= now && window.target.hits(part);
            if open && (window.share >= 1.0 || unit_interval(&mut self.rng) < window.share) {
                self.hit_by = *led_by;
                return Some(window.fault.clone());
            }
        }
        None
    }
}
