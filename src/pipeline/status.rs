//! What others may see of a running pipeline: a cheap handle on a snapshot.
//!
//! Invariant: the pipeline writes, everyone else reads; no lock is held across an await.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::report::{CycleReport, PipelineLedger};
use crate::domain::units::UnixMillis;
use crate::resilience::breaker::{BreakerStats, StateKind};
use crate::resilience::recovery::{RecoveryStats, SystemState};
use crate::stream::{Ledger, StreamStats};

/// Where the pipeline is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// No cycle has begun.
    #[default]
    Starting,
    /// Cycles run.
    Running,
    /// Asked to stop: the last events leave.
    Draining,
    /// Ended.
    Stopped,
}

impl Phase {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

/// An instant on both of a host's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic; for ages.
    pub monotonic: Duration,
    /// Wall clock; for people.
    pub wall: UnixMillis,
}

/// How many cycles took how long.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DurationHistogram {
    /// Cycles by the first bound of [`DurationHistogram::BOUNDS_SECONDS`] they did not exceed.
    pub buckets: [u64; DurationHistogram::BOUNDS_SECONDS.len()],
    /// All durations added up, in seconds.
    pub sum_seconds: f64,
}

impl DurationHistogram {
    /// Upper bounds of the buckets, in seconds; the last takes everything.
    pub const BOUNDS_SECONDS: [f64; 11] =
        [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, f64::INFINITY];

    pub(super) fn record(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = Self::BOUNDS_SECONDS.iter().position(|bound| seconds <= *bound);
        self.buckets[bucket.unwrap_or(Self::BOUNDS_SECONDS.len() - 1)] += 1;
        self.sum_seconds += seconds;
    }

    /// Cycles recorded.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// One change of a breaker's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerChange {
    /// When; monotonic.
    pub at: Duration,
    /// Where it stood before.
    pub from: StateKind,
    /// Where it stands since.
    pub to: StateKind,
    /// Consecutive failures at that moment.
    pub failure_count: u64,
}

/// What stands between the pipeline and the world's failures, at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct ResilienceSnapshot {
    /// Every breaker, by name.
    pub breakers: Vec<BreakerStats>,
    /// The last changes of each breaker's state, oldest first; as many as its keeper holds.
    pub breaker_history: BTreeMap<String, Vec<BreakerChange>>,
    /// Components, their states and recoveries.
    pub recovery: RecoveryStats,
    /// Components that the supervisor has yet to start; none once the start is over.
    pub starting: Vec<String>,
}

impl Default for ResilienceSnapshot {
    /// Nothing registered, nothing wrong.
    fn default() -> Self {
        let recovery = RecoveryStats {
            system: SystemState::Healthy,
            components: Vec::new(),
            mttr: None,
            recovery_rate: None,
        };
        Self {
            breakers: Vec::new(),
            breaker_history: BTreeMap::new(),
            recovery,
            starting: Vec::new(),
        }
    }
}

/// Memory that events take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// Bytes of the events that are held now.
    pub held_bytes: u64,
    /// Bytes that may be held; the stream drops or spills beyond.
    pub limit_bytes: u64,
}

/// Everything that is known of a pipeline at one instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where it is in its life.
    pub phase: Phase,
    /// Time between cycle starts.
    pub interval: Duration,
    /// Longest duration of a cycle.
    pub cycle_deadline: Duration,
    /// Most events that may wait in memory.
    pub buffer_events_max: usize,
    /// When the pipeline was made.
    pub made: Moment,
    /// Names of its sources, in the order of the configuration.
    pub sources: Vec<String>,
    /// Cycles that began.
    pub started: u64,
    /// Cycles that ended.
    pub completed: u64,
    /// Starts that passed while a cycle ran.
    pub skipped: u64,
    /// When the last cycle began.
    pub last_start: Option<Moment>,
    /// When a cycle last collected something from at least one source.
    pub last_collected: Option<Moment>,
    /// When each source last gave something.
    pub last_collected_from: BTreeMap<String, Moment>,
    /// When New Relic last took events.
    pub last_accepted: Option<Moment>,
    /// Durations of the cycles that ended.
    pub durations: DurationHistogram,
    /// The last cycle that ended.
    pub last_report: Option<Arc<CycleReport>>,
    /// Totals of samples, entities and events.
    pub ledger: PipelineLedger,
    /// Account of the events.
    pub stream: Ledger,
    /// Counters of the sends.
    pub stream_stats: StreamStats,
    /// Memory that events take.
    pub memory: MemoryUse,
    /// Breakers, recovery, and what else guards the pipeline.
    pub resilience: ResilienceSnapshot,
}

/// A handle on the [`Snapshot`] of a running pipeline; clones see the same one.
#[derive(Debug, Clone)]
pub struct PipelineStatus(Arc<Mutex<Snapshot>>);

impl PipelineStatus {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self(Arc::new(Mutex::new(snapshot)))
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        // A snapshot is plain data: whoever panicked while writing left it readable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the present state.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Reads one thing without copying the rest.
    pub fn read<T>(&self, read: impl FnOnce(&Snapshot) -> T) -> T {
        read(&self.lock())
    }

    pub(super) fn update(&self, update: impl FnOnce(&mut Snapshot)) {
        update(&mut self.lock());
    }
}
