//! Stages into cycles: schedule, run, account, drain.
//!
//! One cycle is collect → transform → aggregate → synthesize → stream. Sources are asked at the
//! same time, each with its own deadline; the pure stages run in one go; the stream delivers all
//! the time, and what New Relic does not take yet waits in its spool.
//!
//! Invariants:
//! - Cycles never overlap. A start that passes while a cycle runs is skipped and counted.
//! - A source that fails costs its own part: it is counted, logged and shown in the health, and
//!   the cycle goes on.
//! - The ledger balances after every cycle ([`PipelineLedger::balances`]), and the events it calls
//!   enqueued are those of the stream's own ledger.
//! - After a request to stop no cycle begins, and [`Pipeline::run`] ends within the shutdown
//!   deadline; what is undelivered then is counted in its report.
//! - Same inputs at the same instants, same outputs: order comes from the configuration and from
//!   sorted maps.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join3;

use crate::domain::tag::TagError;
use crate::domain::units::{OncePerSpan, whole_millis};
use crate::hooks::{Hook, OnError};
use crate::hybrid::mode::Mode;
use crate::newrelic::region::InvalidAddress;
use crate::newrelic::{Addresses, EventApi};
use crate::ports::{Clock, Ports};
use crate::resilience::InvalidSetting;
use crate::resilience::breaker::{BreakerRegistry, RegistryError};
use crate::resilience::pool::Pool;
use crate::resilience::recovery::{RecoveryView, RegisterError};
use crate::resilience::supervisor::{self, Board, ComponentStatus};
use crate::rt::cause::strand;
use crate::rt::{Race, Shutdown, race};
use crate::stream::spool::{OpenReport, Opened, Spool, SpoolConfig, SpoolError};
use crate::stream::{Ledger, StreamConfigError, Streamer};

pub mod alert;
mod config;
mod cycle;
mod figures;
mod guard;
pub mod health;
mod mode;
pub mod monitor;
mod nri;
mod report;
mod schedule;
pub mod service;
mod source;
mod stages;
mod status;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use config::{GuardConfig, PipelineConfig};
pub use figures::{Family, Figure, Figures, SERIES_MAX};
pub use mode::{HybridSettings, ModeSwitch, NoTopology};
pub use nri::{NriFeed, NriSource};
pub use report::{
    Counts, CoverageFigures, CycleReport, Examples, GapFigures, PipelineLedger, RunReport,
    SourceFailure, SourceReport, StageMillis, StreamReport, total,
};
pub use source::{Collected, Collecting, KafkaSource, MissingPart, Source, kafka_settings};
pub use status::{
    AlertStats, Availability, BreakerChange, CycleListener, CycleNews, DurationHistogram,
    MemoryUse, Moment, Phase, PipelineStatus, ResilienceSnapshot, Snapshot,
};

use alert::{AlertError, Alerter};
use guard::{GuardedSource, Guards};
use monitor::BreakerMonitor;
use schedule::{Schedule, Wait};
use stages::Stages;
use status::Refresh;

/// The breaker in front of New Relic's ingest.
pub const EVENT_API: &str = "event-api";
/// How long a disk may fail at the start before the pipeline works without a spool.
pub const SPOOL_PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two attempts to send the last events.
const DRAIN_PAUSE: Duration = Duration::from_secs(1);

/// Why a pipeline cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// Events cannot be sent there.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// A tag, or the environment.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// Settings of the stream.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Stream(Vec<StreamConfigError>),
    /// Settings of a breaker.
    #[error(transparent)]
    Breaker(#[from] RegistryError),
    /// Settings of the alerts.
    #[error(transparent)]
    Alert(#[from] AlertError),
    /// Settings of the pool.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Pool(Vec<InvalidSetting>),
    /// Settings of a component, or two sources of one name.
    #[error(transparent)]
    Component(#[from] RegisterError),
    /// The spool belongs to somebody else, or to a newer program.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Which cycles [`Pipeline::run`] runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cycles {
    /// One at each aligned start, until asked to stop.
    Forever,
    /// So many: the first at once, the others at aligned starts.
    Exactly(u64),
}

/// A running pipeline of one account.
pub struct Pipeline<P: Ports> {
    ports: P,
    config: PipelineConfig,
    sources: Vec<GuardedSource<P>>,
    guards: Guards<P>,
    stages: RefCell<Stages>,
    streamer: Streamer<P>,
    status: PipelineStatus,
    mode: ModeSwitch,
    /// When the relationships are told.
    relationships: OncePerSpan,
    pool: Pool,
    monitor: BreakerMonitor,
    alerter: Option<Arc<Alerter<P>>>,
    board: BoardCell,
    /// The stream's account as of the last cycle's report.
    reported: Ledger,
    started: u64,
    completed: u64,
    skipped: u64,
}

impl<P: Ports> Pipeline<P> {
    /// A pipeline over a spool that is open, or over none.
    ///
    /// # Errors
    /// [`PipelineError`] names what in `config` cannot work.
    pub fn new(
        ports: P,
        config: PipelineConfig,
        sources: Vec<Box<dyn Source>>,
        spool: Option<Opened<P::Disk>>,
    ) -> Result<Self, PipelineError> {
        let uri = Addresses::events_of(&config.addresses, config.account)?;
        let api = EventApi::new(uri, config.key.clone());
        let guards = Guards::new(&ports, &config.stream, &config.guards)?;
        let breakers = guards.breakers().clone();
        let breaker = breakers.get_or_create(EVENT_API, config.stream.breaker.clone())?;
        let monitor = BreakerMonitor::new(config.guards.monitor, moment(ports.clock()));
        monitor.attach(&breakers);
        let alerts = config.guards.alerts.clone();
        let alerter = alerts.map(|alerts| Alerter::new(ports.clone(), alerts, &breakers));
        let alerter = alerter.transpose()?.map(Arc::new);
        if let Some(alerter) = &alerter {
            alerter.name_component(EVENT_API, "streamer");
        }
        let pool = Pool::new(ports.clock().clone(), ports.entropy(), config.guards.pool.clone())
            .map_err(PipelineError::Pool)?;
        let alone = sources.len() == 1;
        let sources = sources
            .into_iter()
            .map(|source| guards.guard(source, &config.cycle, alone))
            .collect::<Result<Vec<_>, _>>()?;
        let streamer = Streamer::new(ports.clone(), api, config.stream.clone(), breaker, spool)
            .map_err(PipelineError::Stream)?;
        let names = sources.iter().map(|source| source.name().to_owned()).collect();
        let snapshot = first_snapshot(&config, names, moment(ports.clock()), &streamer);
        let reported = streamer.ledger();
        let board = BoardCell::default();
        let watched = (monitor.clone(), alerter.clone(), Arc::clone(&board));
        let refresh = refresh(&ports, &streamer, &guards, watched);
        Ok(Self {
            stages: RefCell::new(Stages::new(&config, ports.clock())?),
            mode: ModeSwitch::new(config.hybrid.as_ref()),
            relationships: OncePerSpan::new(config.cycle.relationships_every),
            ports,
            config,
            sources,
            streamer,
            status: PipelineStatus::new(snapshot, refresh),
            guards,
            pool,
            monitor,
            alerter,
            board,
            reported,
            started: 0,
            completed: 0,
            skipped: 0,
        })
    }

    /// Shows what `board` says is still to start.
    fn show_board(&mut self, board: Board) {
        *self.board.lock().unwrap_or_else(PoisonError::into_inner) = Some(board);
    }

    /// Shows at most `series_max` entities per metric on the metrics page.
    pub fn limit_series(&mut self, series_max: usize) {
        self.stages.get_mut().series_max = series_max;
    }

    /// Sets where the entities of later cycles come from.
    pub fn mode_switch(&self) -> ModeSwitch {
        self.mode.clone()
    }

    /// Every breaker of the pipeline.
    pub fn breakers(&self) -> &BreakerRegistry {
        self.guards.breakers()
    }

    /// Components and their states.
    pub fn recovery(&self) -> RecoveryView {
        self.guards.recovery().view()
    }

    /// A handle for those who watch.
    pub fn status(&self) -> PipelineStatus {
        self.status.clone()
    }

    /// Runs `cycles` until done or until `shutdown`, then sends what is left. Events are delivered
    /// all the time, not only while a cycle waits for it.
    pub async fn run(&mut self, cycles: Cycles, shutdown: &Shutdown) -> RunReport {
        let streamer = self.streamer.clone();
        let (guards, alerter) = (self.guards.clone(), self.alerter.clone());
        let courier = async {
            let deliver = streamer.courier(|outcome| guards.observe_post(outcome));
            let recover = guards.recovery().run_scheduler(shutdown.clone());
            let alert = async {
                if let Some(alerter) = &alerter {
                    alerter.run(shutdown).await;
                }
            };
            join3(strand(deliver), strand(recover), strand(alert)).await.0
        };
        match race(strand(self.run_cycles(cycles, shutdown)), courier).await {
            Race::First(report) => report,
            Race::Second(never) => match never {},
        }
    }

    async fn run_cycles(&mut self, cycles: Cycles, shutdown: &Shutdown) -> RunReport {
        let clock = self.ports.clock().clone();
        let schedule = Schedule::new(whole_millis(self.config.cycle.interval));
        let mut last = None;
        let mut interrupted = false;
        let mut stop_at = None;
        self.status.update(|status| status.phase = Phase::Running);
        while stop_at.is_none() && !self.done(cycles) {
            let at_once = cycles != Cycles::Forever && last.is_none();
            let waited = race(shutdown.requested(), async {
                if !at_once {
                    wait_for_start(&clock, schedule, last).await;
                }
            });
            if waited.await == Race::First(()) {
                stop_at = Some(clock.monotonic() + self.config.cycle.shutdown_deadline);
                break;
            }
            last = Some(clock.wall());
            let grace = self.config.cycle.shutdown_deadline / 2;
            let shutdown_deadline = self.config.cycle.shutdown_deadline;
            let status = self.status.clone();
            let mut cycle = pin!(self.cycle(schedule));
            if let Race::Second(()) = race(cycle.as_mut(), shutdown.requested()).await {
                stop_at = Some(clock.monotonic() + shutdown_deadline);
                status.update(|status| status.phase = Phase::Draining);
                let ended = race(cycle.as_mut(), clock.sleep(grace)).await;
                interrupted = matches!(ended, Race::Second(()));
            }
        }
        let stop_at =
            stop_at.unwrap_or_else(|| clock.monotonic() + self.config.cycle.shutdown_deadline);
        self.drain(stop_at, interrupted).await
    }

    fn done(&self, cycles: Cycles) -> bool {
        matches!(cycles, Cycles::Exactly(count) if self.started >= count)
    }

    /// Enqueues the windows that are open: no reading will come any more.
    fn tell_open_windows(&mut self) {
        let (events, rejected) = self.stages.get_mut().shut_down();
        self.status.update(|status| {
            status.ledger.windows += events.len() as u64;
            status.ledger.enqueued += events.len() as u64;
            report::add_all(&mut status.ledger.unsynthesized, &rejected);
        });
        for event in events {
            self.streamer.enqueue(event);
        }
    }

    /// Adds a step behind those of the configuration.
    pub fn add_hook(&mut self, name: &str, on_error: OnError, hook: Box<dyn Hook>) {
        self.stages.get_mut().hooks.push(name, on_error, hook);
    }

    /// Sends what is left until `stop_at` (monotonic).
    async fn drain(&mut self, stop_at: Duration, interrupted: bool) -> RunReport {
        let clock = self.ports.clock().clone();
        let began = clock.monotonic();
        self.status.update(|status| status.phase = Phase::Draining);
        let told = self.monitor.take_changes(moment(&clock));
        self.status.update(|status| {
            status.ledger.monitoring += told.len() as u64;
            status.ledger.enqueued += told.len() as u64;
        });
        for event in told {
            self.streamer.enqueue(event);
        }
        self.tell_open_windows();
        while self.streamer.ledger().in_flight > 0 {
            let left = stop_at.saturating_sub(clock.monotonic());
            if left.is_zero() {
                break;
            }
            // The flush waits only: POSTs go on beside it, also during the pause below.
            self.streamer.flush(left).await;
            if self.streamer.ledger().in_flight > 0 {
                let left = stop_at.saturating_sub(clock.monotonic());
                clock.sleep(DRAIN_PAUSE.min(left)).await;
            }
        }
        self.streamer.close(DRAIN_PAUSE).await;
        let Ledger { acknowledged: delivered, in_flight, spooled, .. } = self.streamer.ledger();
        let undelivered = in_flight - spooled;
        if interrupted {
            tracing::warn!("Last cycle was cut off by the shutdown deadline.");
        }
        if undelivered > 0 {
            tracing::error!(undelivered, "New Relic did not take all events; they are lost.");
        }
        if spooled > 0 {
            tracing::warn!(spooled, "Events wait in the spool for the next start.");
        }
        self.status.update(|status| status.phase = Phase::Stopped);
        RunReport {
            cycles: self.completed,
            skipped: self.skipped,
            interrupted,
            delivered,
            undelivered,
            spooled,
            drain_ms: whole_millis(clock.monotonic().saturating_sub(began)),
            ledger: self.status.peek(|status| status.ledger.clone()),
        }
    }

    /// The last cycle that ended.
    pub fn last_report(&self) -> Option<Arc<CycleReport>> {
        self.status.peek(|status| status.last_report.clone())
    }
}

/// Opens the spool. A disk that fails is asked again for a while; after that the pipeline works
/// without a spool, and what waits there is left for its next life.
async fn open_spool<P: Ports>(
    ports: &P,
    config: &SpoolConfig,
) -> Result<Option<Opened<P::Disk>>, SpoolError> {
    let clock = ports.clock();
    let until = clock.monotonic() + SPOOL_PATIENCE;
    loop {
        let opening = Spool::open(ports.disk().clone(), config.clone(), clock.wall());
        let left = until.saturating_sub(clock.monotonic());
        let Ok(opened) = clock.timeout(left, opening).await else {
            tracing::error!("Working without a spool, whose disk does not answer.");
            return Ok(None);
        };
        match opened {
            Ok(opened) => {
                log_opening(&opened.report, opened.chunks.len());
                return Ok(Some(opened));
            }
            Err(error) if !error.is_transient() => return Err(error),
            Err(error) if clock.monotonic() < until => {
                tracing::warn!(%error, "The spool cannot be opened yet.");
                clock.sleep(Duration::from_secs(1)).await;
            }
            Err(error) => {
                tracing::error!(%error, "Working without a spool: a crash loses what waits.");
                return Ok(None);
            }
        }
    }
}

fn log_opening(report: &OpenReport, chunks: usize) {
    if chunks > 0 {
        tracing::info!(chunks, "The spool holds events of an earlier life; they are sent first.");
    }
    if *report != OpenReport::default() {
        tracing::warn!(?report, "The spool was damaged and has been repaired.");
    }
}

/// Sleeps until the next start after the cycle that began at `last`.
async fn wait_for_start(
    clock: &impl Clock,
    schedule: Schedule,
    last: Option<crate::domain::units::UnixMillis>,
) {
    let mut start = schedule.next(clock.wall(), last);
    loop {
        match schedule.wait_ms(clock.wall(), start) {
            Wait::Start => return,
            Wait::Sleep(wait_ms) => clock.sleep(Duration::from_millis(wait_ms)).await,
            Wait::Replan => {
                crate::sometimes!(CLOCK_SET_BACK);
                start = schedule.next(clock.wall(), last);
            }
        }
    }
}

/// What is known of a pipeline that has done nothing yet.
fn first_snapshot<P: Ports>(
    config: &PipelineConfig,
    sources: Vec<String>,
    made: Moment,
    streamer: &Streamer<P>,
) -> Snapshot {
    Snapshot {
        phase: Phase::Starting,
        interval: config.cycle.interval,
        cycle_deadline: config.cycle.cycle_deadline,
        buffer_events_max: config.stream.buffer_events_max,
        made,
        sources,
        mode: config.hybrid.as_ref().map_or(Mode::Infrastructure, |hybrid| hybrid.mode),
        started: 0,
        completed: 0,
        skipped: 0,
        last_start: None,
        last_collected: None,
        last_collected_from: Default::default(),
        last_accepted: None,
        durations: DurationHistogram::new(DurationHistogram::CYCLE_BOUNDS_SECONDS),
        last_report: None,
        ledger: PipelineLedger::default(),
        stream: streamer.ledger(),
        stream_stats: streamer.stats().clone(),
        memory: MemoryUse {
            held_bytes: 0,
            limit_bytes: (config.stream.buffer_bytes_max as u64)
                .saturating_add(config.stream.resident_bytes_max as u64),
        },
        collections: BTreeMap::new(),
        hooks: Vec::new(),
        windows: None,
        figures: Arc::default(),
        figures_left_out: 0,
        availability: Availability::default(),
        check_durations: DurationHistogram::new(DurationHistogram::CHECK_BOUNDS_SECONDS),
        resilience: ResilienceSnapshot::default(),
    }
}

/// Brings a snapshot up to what stream and guards say of themselves now.
fn refresh<P: Ports>(
    ports: &P,
    streamer: &Streamer<P>,
    guards: &Guards<P>,
    (monitor, alerter, board): (BreakerMonitor, Option<Arc<Alerter<P>>>, BoardCell),
) -> Refresh {
    let (ports, streamer) = (ports.clone(), streamer.clone());
    let (breakers, recovery) = (guards.breakers().clone(), guards.recovery().view());
    Arc::new(move |snapshot| {
        let now = moment(ports.clock());
        let stats = streamer.stats();
        if let Some((monotonic, wall)) = stats.last_success {
            snapshot.last_accepted = Some(Moment { monotonic, wall });
        }
        snapshot.stream = streamer.ledger();
        snapshot.stream_stats = stats;
        snapshot.memory.held_bytes = streamer.resident_bytes() as u64;
        let resilience = &mut snapshot.resilience;
        guard::show(resilience, &breakers, &recovery, now.monotonic);
        resilience.breaker_history = monitor.history();
        resilience.alerts = alerter.as_ref().map(|alerter| alerter.stats());
        resilience.starting = starting(&board);
        resilience.spool = streamer.spool_stats();
        resilience.limiters = vec![(EVENT_API.to_owned(), streamer.limiter_stats())];
    })
}

/// Where the supervisor's board hangs, once there is a supervisor.
type BoardCell = Arc<Mutex<Option<Board>>>;

/// Names of what has yet to start.
fn starting(board: &BoardCell) -> Vec<String> {
    let board = board.lock().unwrap_or_else(PoisonError::into_inner);
    let components = board.as_ref().map(Board::components).unwrap_or_default();
    let waits = |component: &ComponentStatus| component.phase == supervisor::Phase::Starting;
    components.into_iter().filter(waits).map(|component| component.name).collect()
}

fn moment(clock: &impl Clock) -> Moment {
    Moment { monotonic: clock.monotonic(), wall: clock.wall() }
}
