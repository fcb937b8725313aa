//! What others may see of a running pipeline: a cheap handle on a snapshot.
//!
//! Invariant: the pipeline writes, everyone else reads; no lock is held across an await.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::figures::Figures;
use super::health::{Health, HealthStatus, assess};
use super::report::{CycleReport, PipelineLedger, SourceReport};
use crate::aggregate::window::WindowStats;
use crate::domain::units::UnixMillis;
use crate::hooks::HookStats;
use crate::hybrid::mode::Mode;
use crate::ports::Clock;
use crate::resilience::breaker::{BreakerStats, StateKind};
use crate::resilience::limiter::LimiterStats;
use crate::resilience::pool::PoolStats;
use crate::resilience::recovery::{Attempt, Incident, OutcomeCounts, RecoveryStats, SystemState};
use crate::stream::spool::SpoolStats;
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

impl Moment {
    /// The wall-clock time of the monotonic instant `at`, seen from here.
    pub fn wall_of(self, at: Duration) -> UnixMillis {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let (ahead, ago) = (at.saturating_sub(self.monotonic), self.monotonic.saturating_sub(at));
        self.wall.plus_millis(millis(ahead)).plus_millis(-millis(ago))
    }
}

/// How many of something took how long.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationHistogram {
    /// Upper bounds of the buckets, in seconds; the last takes everything.
    pub bounds_seconds: &'static [f64],
    /// Durations by the first bound that they did not exceed; one for each bound.
    pub buckets: Vec<u64>,
    /// All durations added up, in seconds.
    pub sum_seconds: f64,
}

impl DurationHistogram {
    /// Bounds for cycles and what happens in them.
    pub const CYCLE_BOUNDS_SECONDS: &'static [f64] =
        &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, f64::INFINITY];
    /// Bounds for assessments of the health, which ask nobody.
    pub const CHECK_BOUNDS_SECONDS: &'static [f64] =
        &[1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, f64::INFINITY];

    /// Nothing yet, with `bounds_seconds`, which ascend to infinity.
    pub fn new(bounds_seconds: &'static [f64]) -> Self {
        Self { bounds_seconds, buckets: vec![0; bounds_seconds.len()], sum_seconds: 0.0 }
    }

    pub(super) fn record(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let fits = self.bounds_seconds.iter().position(|bound| seconds <= *bound);
        if let Some(bucket) = fits.and_then(|index| self.buckets.get_mut(index)) {
            *bucket += 1;
            self.sum_seconds += seconds;
        }
    }

    /// Durations recorded.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Mean in seconds; `None` before the first.
    pub fn mean_seconds(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum_seconds / count as f64)
    }
}

/// Share of time in which the pipeline was up, as measured.
///
/// The state is known where somebody looked ([`PipelineStatus::observe`]); a span between two looks
/// counts as down when either of its ends was, so the share is never better than the truth. Time
/// before the first cycle's end is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Availability {
    /// Last look: when (monotonic), and whether all was up.
    last: Option<(Duration, bool)>,
    up: Duration,
    down: Duration,
}

impl Availability {
    /// Books that at `now` (monotonic) the pipeline `is_up`.
    pub fn observe(&mut self, now: Duration, is_up: bool) {
        if let Some((at, was_up)) = self.last {
            let span = now.saturating_sub(at);
            if was_up && is_up {
                self.up = self.up.saturating_add(span);
            } else {
                self.down = self.down.saturating_add(span);
            }
        }
        self.last = Some((now.max(self.last.map_or(now, |(at, _)| at)), is_up));
    }

    /// Time that was measured.
    pub fn measured(&self) -> Duration {
        self.up.saturating_add(self.down)
    }

    /// 0.0 to 1.0; `None` before any time was measured.
    pub fn share(&self) -> Option<f64> {
        let measured = self.measured();
        (!measured.is_zero()).then(|| self.up.as_secs_f64() / measured.as_secs_f64())
    }
}

/// Alerts to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertStats {
    /// Events that were to be alerted.
    pub raised: u64,
    /// Alerts that the receiver took.
    pub delivered: u64,
    /// Alerts that were given up after all tries, or that the receiver refused for good.
    pub failed: u64,
    /// Alerts dropped because too many waited.
    pub dropped: u64,
    /// Tries beyond an alert's first.
    pub retries: u64,
    /// Alerts that wait now, the one under way included.
    pub waiting: u64,
    /// Why the last try failed; `None` once one succeeded again.
    pub last_error: Option<String>,
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
    /// Why it opened, in words.
    pub reason: Option<String>,
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
    /// The last recovery attempts that ended, newest first.
    pub recent_attempts: Vec<Attempt>,
    /// The last incidents of components, newest first.
    pub incidents: Vec<Incident>,
    /// The worker pool, when there is one.
    pub pool: Option<PoolStats>,
    /// The durable queue, when there is one.
    pub spool: Option<SpoolStats>,
    /// Rate limiters, by name.
    pub limiters: Vec<(String, LimiterStats)>,
    /// Alerts, when there is a receiver.
    pub alerts: Option<AlertStats>,
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
            outcomes: OutcomeCounts::default(),
            active_recoveries: 0,
            queued_recoveries: 0,
        };
        Self {
            breakers: Vec::new(),
            breaker_history: BTreeMap::new(),
            recovery,
            recent_attempts: Vec::new(),
            incidents: Vec::new(),
            pool: None,
            spool: None,
            limiters: Vec::new(),
            alerts: None,
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
    /// Most events that may wait in memory alone.
    pub buffer_events_max: usize,
    /// When the pipeline was made.
    pub made: Moment,
    /// Names of its sources, in the order of the configuration.
    pub sources: Vec<String>,
    /// Where the entities of the present cycle come from.
    pub mode: Mode,
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
    /// Durations of the collections of each source, failed ones included.
    pub collections: BTreeMap<String, DurationHistogram>,
    /// What each step around the stages did.
    pub hooks: Vec<HookStats>,
    /// What windows of time did, if there are any.
    pub windows: Option<WindowStats>,
    /// Figures of the last cycle's entities.
    pub figures: Arc<Figures>,
    /// Series that [`Snapshot::figures`] left out, all cycles together.
    pub figures_left_out: u64,
    /// Share of time in which the pipeline was up.
    pub availability: Availability,
    /// Durations of the assessments of the health.
    pub check_durations: DurationHistogram,
    /// Breakers, recovery, and what else guards the pipeline.
    pub resilience: ResilienceSnapshot,
}

impl Snapshot {
    /// Books how long the sources of one cycle took.
    pub(super) fn book_collections(&mut self, sources: &[SourceReport]) {
        for source in sources {
            let durations = match self.collections.get_mut(&source.source) {
                Some(durations) => durations,
                None => self.collections.entry(source.source.clone()).or_insert_with(|| {
                    DurationHistogram::new(DurationHistogram::CYCLE_BOUNDS_SECONDS)
                }),
            };
            durations.record(Duration::from_millis(source.collect_ms));
        }
    }
}

/// What a pipeline tells of its cycles.
#[derive(Debug, Clone)]
pub enum CycleNews {
    /// One begins.
    Began {
        /// Its number, from 1.
        number: u64,
        /// When.
        at: Moment,
    },
    /// One has ended.
    Ended(Arc<CycleReport>),
}

/// Who is told of cycles, without any lock.
pub type CycleListener = Arc<dyn Fn(&CycleNews) + Send + Sync>;

/// A handle on the [`Snapshot`] of a running pipeline; clones see the same one.
#[derive(Clone)]
pub struct PipelineStatus {
    snapshot: Arc<Mutex<Snapshot>>,
    refresh: Refresh,
    listeners: Arc<Mutex<Vec<CycleListener>>>,
}

/// Brings a snapshot up to what its parts say of themselves now: deliveries, breakers and
/// recoveries go on between the pipeline's own updates.
pub(super) type Refresh = Arc<dyn Fn(&mut Snapshot) + Send + Sync>;

impl std::fmt::Debug for PipelineStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lock().fmt(f)
    }
}

impl PipelineStatus {
    pub(super) fn new(snapshot: Snapshot, refresh: Refresh) -> Self {
        Self { snapshot: Arc::new(Mutex::new(snapshot)), refresh, listeners: Arc::default() }
    }

    /// Tells `listener` of every cycle from now on.
    pub fn subscribe(&self, listener: CycleListener) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Tells whoever listens.
    pub(super) fn tell(&self, news: &CycleNews) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).clone();
        listeners.iter().for_each(|listener| listener(news));
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        // A snapshot is plain data: whoever panicked while writing left it readable.
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present state, of which nothing is old.
    fn present(&self) -> MutexGuard<'_, Snapshot> {
        let mut snapshot = self.lock();
        (self.refresh)(&mut snapshot);
        snapshot
    }

    /// A copy of the present state.
    pub fn snapshot(&self) -> Snapshot {
        self.present().clone()
    }

    /// Reads one thing without copying the rest.
    pub fn read<T>(&self, read: impl FnOnce(&Snapshot) -> T) -> T {
        read(&self.present())
    }

    /// Reads what the pipeline itself wrote last.
    pub fn peek<T>(&self, read: impl FnOnce(&Snapshot) -> T) -> T {
        read(&self.lock())
    }

    /// Assesses the health and books it: who calls this often measures the availability well. The
    /// pipeline does after every cycle, the health pages at every request.
    pub fn observe(&self, clock: &impl Clock) -> Health {
        let began = clock.monotonic();
        let mut snapshot = self.present();
        let health = assess(&snapshot, began);
        if snapshot.completed > 0 {
            snapshot.availability.observe(began, health.status != HealthStatus::Unhealthy);
        }
        let took = clock.monotonic().saturating_sub(began);
        snapshot.check_durations.record(took);
        health
    }

    pub(super) fn update(&self, update: impl FnOnce(&mut Snapshot)) {
        update(&mut self.lock());
    }
}
