//! Tumbling windows of time over entities' readings. Pure.
//!
//! A reading belongs to the window `[start, start + size)` that its own time falls into; windows
//! begin at multiples of their size since 1970. A window is told once, when the clock has passed
//! its end by the allowed lateness: until then late readings amend it, after that they are dropped.
//!
//! Invariants:
//! - Every reading is counted, or dropped for a reason that is counted.
//! - What is told does not depend on the order or on the threads in which readings come, as long
//!   as no source contradicts itself: of readings with the same entity, time and source the first
//!   stands.
//! - At most [`WindowConfig::groups_max`] entities have open windows after each
//!   [`Windows::advance`]; those that were touched longest ago go first, and their windows are
//!   told as they are. In between there are no more than one batch of readings brings along.
//! - A sum over parts is told only if every part is known.
//! - A window that does not hold all that was said in its span says so: because the watch began
//!   within it, because it was told before its time, or because entities like it were.
//!
//! Not modelled: sessions and sliding windows; open windows that survive a crash of the program.
//! While it is down nobody reads anything, so what was saved would be a part all the same; the
//! readings themselves are durable as the entities' own events.

mod rollup;
mod shard;
mod shared;
mod sum;
mod sync;
mod tally;

use std::fmt;

use crate::aggregate::EntityState;
use crate::domain::entity::EntityKey;
use crate::domain::metric::{MetricId, MetricSet};
use crate::domain::units::{UnixMillis, Window};

pub use rollup::{ROLL_UPS, RollUp, RollUpOperation};
pub use shared::Windows;
pub use tally::Aggregation;

/// How windows are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowConfig {
    /// Length of a window in milliseconds; less than 1 counts as 1.
    pub size_ms: i64,
    /// How long after a window's end readings still amend it, in milliseconds; negative is 0.
    pub lateness_ms: i64,
    /// Entities that may have open windows.
    pub groups_max: usize,
}

impl Default for WindowConfig {
    /// A minute, half a minute, 1,000 entities.
    fn default() -> Self {
        Self { size_ms: 60_000, lateness_ms: 30_000, groups_max: 1_000 }
    }
}

impl WindowConfig {
    /// The window that `at` falls into: its own start is within, its end is not.
    pub fn span_of(&self, at: UnixMillis) -> WindowSpan {
        let size = self.size_ms.max(1);
        let start = at.0.div_euclid(size).saturating_mul(size);
        WindowSpan { start: UnixMillis(start), end: UnixMillis(start.saturating_add(size)) }
    }

    /// From when on `span` takes no more readings.
    fn closes(&self, span: WindowSpan) -> UnixMillis {
        span.end.plus_millis(self.lateness_ms.max(0))
    }
}

/// From `start` (within) to `end` (outside).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowSpan {
    /// First instant.
    pub start: UnixMillis,
    /// First instant behind it.
    pub end: UnixMillis,
}

/// Who said something: a number that the caller gives each of its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceId(pub u64);

/// What one source said of one entity at one time.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Which entity.
    pub key: &'a EntityKey,
    /// When.
    pub at: UnixMillis,
    /// Who.
    pub source: SourceId,
    /// What; values are finite.
    pub metrics: &'a MetricSet,
    /// What its rates were measured over.
    pub measured: Option<Window>,
    /// Topics that a group reads; empty for other kinds.
    pub topics: &'a [String],
}

impl<'a> Reading<'a> {
    /// What one cycle, as the `source`, says of an entity.
    pub fn of(state: &'a EntityState, source: SourceId) -> Self {
        Self {
            key: &state.key,
            at: state.observed_at,
            source,
            metrics: &state.metrics,
            measured: state.window,
            topics: &state.topics,
        }
    }
}

/// What became of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taken {
    /// It counts.
    Counted,
    /// It counts, and its window had ended already.
    Amended,
    /// Dropped: the same entity, time and source has been counted.
    Duplicate,
    /// Dropped: its window has ended longer ago than lateness allows.
    Late,
    /// Dropped: its window begins more than a window's length after now.
    Ahead,
}

impl Taken {
    /// The label under which it is counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Amended => "amended",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Ahead => "ahead",
        }
    }
}

/// Why a window was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closing {
    /// Its time was over.
    Time,
    /// There were too many entities; readings may follow in a further window of the same span.
    Eviction,
    /// Nobody will come any more.
    Shutdown,
}

impl Closing {
    /// The value of the attribute `window.closedBy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Eviction => "eviction",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A figure of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// Mean; of rates weighted by time.
    Mean,
    /// Least value.
    Min,
    /// Largest value.
    Max,
    /// Newest value; of equally new ones that of the greatest source.
    Last,
    /// Growth in all: the sum of rate times seconds.
    Sum,
}

impl Statistic {
    /// What stands behind the metric's name.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Mean => ".mean",
            Self::Min => ".min",
            Self::Max => ".max",
            Self::Last => ".last",
            Self::Sum => ".sum",
        }
    }
}

/// One figure of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Of what.
    pub metric: MetricId,
    /// Which.
    pub statistic: Statistic,
    /// How much, in the metric's unit (a sum: in the unit without "per second").
    pub value: f64,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}={}", self.metric, self.statistic.suffix(), self.value)
    }
}

/// A window of one entity that takes no more readings.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedWindow {
    /// Whose.
    pub key: EntityKey,
    /// From when to when.
    pub span: WindowSpan,
    /// Why it is told.
    pub closing: Closing,
    /// Readings that it counts.
    pub readings: u64,
    /// Of which came after its end.
    pub amendments: u64,
    /// Whether all of its span was watched until its time was over.
    pub is_complete: bool,
    /// Figures of its metrics, in table order.
    pub figures: Vec<Figure>,
    /// Sums over the windows of its parts, in the order of [`ROLL_UPS`].
    pub roll_ups: Vec<(&'static RollUp, f64)>,
    /// Topics that a group read within it, sorted.
    topics: Vec<String>,
}

/// What the windows did since they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct WindowStats {
    /// Readings that count.
    pub counted: u64,
    /// Of which came after their window's end.
    pub amended: u64,
    /// Readings dropped as copies.
    pub duplicate: u64,
    /// Readings dropped as too late.
    pub late: u64,
    /// Readings dropped as too early.
    pub ahead: u64,
    /// Windows told when their time was over.
    pub closed: u64,
    /// Windows told because there were too many entities.
    pub evicted: u64,
    /// Windows told at the end.
    pub shut_down: u64,
    /// Windows of all these that are not complete.
    pub incomplete: u64,
    /// Entities with open windows.
    pub groups: u64,
}

impl WindowStats {
    fn take(&mut self, taken: Taken) {
        match taken {
            Taken::Counted => self.counted += 1,
            Taken::Amended => {
                self.counted += 1;
                self.amended += 1;
            }
            Taken::Duplicate => self.duplicate += 1,
            Taken::Late => self.late += 1,
            Taken::Ahead => self.ahead += 1,
        }
    }

    /// Readings that were offered.
    pub fn offered(&self) -> u64 {
        self.counted + self.duplicate + self.late + self.ahead
    }
}

#[cfg(test)]
mod tests;
