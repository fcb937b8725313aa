//! One run of a scenario: hosts, faults, time, and the record that the checks judge.
//!
//! Invariants:
//! - A run is a function of scenario, seed and network alone; it happens on a thread of its own,
//!   so nothing that a thread keeps can pass from one run to the next.
//! - The runner acts between instants only: it lets the world reach a fault's instant, applies it,
//!   and goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::{NrqlError, QueryResult};
use crate::sim::check::record::{CrashPointRecord, Record, StoredEvent};
use crate::sim::check::{self, CheckResult, Failure};
use crate::sim::newrelic::{NewRelic, NrqlOptions};
use crate::sim::report::timeline::Timeline;
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;
use crate::sim::swarm;
use crate::sim::time::SimTime;
use crate::sim::trace::{Copies, Sink, TraceDigest};
use crate::sometimes;

mod broken;
mod crash_point;
pub mod crash_sweep;
pub mod defect;
mod ends;
pub mod evidence;
mod hosts;
mod identity;
mod keep;
mod memory_cap;
pub mod passport;
mod picture;
pub mod reference;
pub mod replay;
mod runner;
pub mod state;
#[cfg(test)]
mod tests;
mod user;
mod watch;
mod with_http;

pub use broken::FirstBroken;
use defect::Defect;
use evidence::Evidence;
pub use identity::RunId;
use runner::Look;
use state::RunState;

/// Which simulated network carries a run.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The event-driven kernel.
    Kernel,
    /// turmoil at ticks of 10 ms.
    Turmoil,
}

impl Network {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Turmoil => "turmoil",
        }
    }
}

/// How to run.
pub struct Options {
    /// Seed of every random choice.
    pub seed: Seed,
    /// The network.
    pub network: Network,
    /// Where the trace goes.
    pub sink: Sink,
}

/// What a run gave.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RunReport {
    /// Its name.
    pub id: RunId,
    /// The scenario's title.
    pub title: String,
    /// Its seed.
    pub seed: Seed,
    /// Its network.
    pub network: Network,
    /// What was simulated: the scenario with everything decided that it left to the seed.
    #[serde(skip)]
    pub scenario: Scenario,
    /// Names of the marks that it reached.
    pub sometimes: BTreeSet<&'static str>,
    /// What was drawn from the seed, and what was in force when, one line each.
    pub drawn: Vec<String>,
    /// The verdict.
    pub checks: Vec<CheckResult>,
    /// Facts a reader should know that are no check.
    pub notes: Vec<String>,
    /// GUIDs (wire form) of the entities that New Relic holds.
    pub entities: BTreeSet<String>,
    /// What became of crash points.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crash_points: Vec<CrashPointRecord>,
    /// The picture.
    pub timeline: Timeline,
    /// Digest of the trace.
    pub trace: TraceDigest,
    /// Why the trace is incomplete where it was sent to; the digest stands either way.
    #[serde(skip)]
    pub trace_error: Option<Arc<std::io::Error>>,
}

impl RunReport {
    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(CheckResult::passed)
    }

    /// Every way in which it failed: in the order of the checks, then by shape, each once.
    pub fn failures(&self) -> Vec<Failure> {
        check::failures(&self.checks)
    }
}

/// Runs `scenario` and judges it.
pub fn run(scenario: &Scenario, options: Options) -> RunReport {
    on_own_thread(scenario, options, None, |run| (judge(run.simulate()), ())).0
}

/// Runs `scenario` with a pipeline that is broken on purpose.
pub fn run_defective(scenario: &Scenario, options: Options, defect: Defect) -> RunReport {
    on_own_thread(scenario, options, Some(defect), |run| (judge(run.simulate()), ())).0
}

/// Runs `scenario`, judges it, and gathers what a card shows beyond the verdict. The verdict and
/// the trace are those of [`run`].
pub fn run_with_evidence(scenario: &Scenario, options: Options) -> (RunReport, Evidence) {
    gather(scenario, options, None)
}

/// [`run_with_evidence`] with a pipeline that is broken on purpose.
pub fn run_defective_with_evidence(
    scenario: &Scenario,
    options: Options,
    defect: Defect,
) -> (RunReport, Evidence) {
    gather(scenario, options, Some(defect))
}

fn gather(scenario: &Scenario, options: Options, defect: Option<Defect>) -> (RunReport, Evidence) {
    let copies = Copies::default();
    let sink = Sink::Copied(copies.clone(), Box::new(options.sink));
    let options = Options { sink, ..options };
    on_own_thread(scenario, options, defect, move |run| {
        let simulated = run.simulate();
        let checks = check::examine(&simulated.record);
        let events = simulated.trace.events;
        let evidence = Evidence::of(&simulated.record, &checks, &copies.take(), events);
        (report(simulated, checks), evidence)
    })
}

/// Runs `scenario`, judges it, and gives the `MessageQueue` events that New Relic stored, in order
/// of storing.
pub fn run_with_events(scenario: &Scenario, options: Options) -> (RunReport, Vec<StoredEvent>) {
    on_own_thread(scenario, options, None, |run| {
        let simulated = run.simulate();
        let events = simulated.record.newrelic.samples.clone();
        (judge(simulated), events)
    })
}

/// Runs `scenario`, looks at everybody at `at` on the way, and judges it.
pub(in crate::sim) fn observe(
    scenario: &Scenario,
    options: Options,
    at: SimTime,
) -> (RunReport, Option<RunState>) {
    on_own_thread(scenario, options, None, move |run| {
        let mut look = Look::at(at);
        let report = judge(recorded(run.scenario, run.options, run.defect, &mut look));
        (report, look.state)
    })
}

/// What New Relic holds at the end of a run, to be asked.
pub struct Filled {
    newrelic: NewRelic,
    account: AccountId,
    /// The run's last instant.
    pub now: UnixMillis,
}

impl Filled {
    /// Runs `text` at the run's end, over everything that the run stored.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub fn nrql(&self, text: &str) -> Result<QueryResult, NrqlError> {
        self.newrelic.nrql(self.now, &[self.account], text, NrqlOptions::default())
    }
}

/// Runs `scenario`, judges it, and keeps the New Relic that it filled.
pub fn run_and_keep(scenario: &Scenario, options: Options) -> (RunReport, Option<Filled>) {
    on_own_thread(scenario, options, None, |run| {
        let mut look = Look::default();
        let simulated = recorded(run.scenario, run.options, run.defect, &mut look);
        let record = &simulated.record;
        let now = record.scenario.epoch().plus(record.end.since_start());
        let account = hosts::account(&record.scenario);
        let filled = look.newrelic.map(|newrelic| Filled { newrelic, account, now });
        (judge(simulated), filled)
    })
}

/// A run that has not begun.
struct Pending<'a> {
    scenario: &'a Scenario,
    options: Options,
    defect: Option<Defect>,
}

impl Pending<'_> {
    fn simulate(self) -> Simulated {
        simulate(self.scenario, self.options, self.defect)
    }
}

/// Runs on a thread of its own; `work` makes of the run a report and whatever else is wanted.
fn on_own_thread<T: Send + 'static>(
    scenario: &Scenario,
    options: Options,
    defect: Option<Defect>,
    work: impl FnOnce(Pending<'_>) -> (RunReport, T) + Send + 'static,
) -> (RunReport, T) {
    let scenario = swarm::draw(scenario, options.seed);
    let work = move || {
        sometimes::arm();
        let (report, rest) = work(Pending { scenario: &scenario, options, defect });
        let marks = sometimes::take();
        let sometimes = marks.iter().map(|mark| mark.name).collect();
        (RunReport { sometimes, ..report }, rest)
    };
    // Deep futures of HTTP over the simulated network need more than the default in debug builds.
    let builder = std::thread::Builder::new().name("run".to_owned()).stack_size(16 << 20);
    let joined = builder.spawn(work).map(std::thread::JoinHandle::join);
    match joined {
        Ok(Ok(done)) => done,
        // A panic of the simulator itself is a defect of this program, not a finding of a run.
        Ok(Err(payload)) => std::panic::resume_unwind(payload),
        Err(error) => panic!("the operating system gives no thread: {error}"),
    }
}

/// A run that has ended and is not judged yet.
pub struct Simulated {
    seed: Seed,
    network: Network,
    /// What it left behind.
    pub record: Record,
    trace: TraceDigest,
    trace_error: Option<std::io::Error>,
}

/// Runs `scenario` on this thread without judging it: the first half of [`run`], for benchmarks.
///
/// The thread must be a fresh one, so that nothing of an earlier run passes into this one.
pub fn simulate(scenario: &Scenario, options: Options, defect: Option<Defect>) -> Simulated {
    recorded(scenario, options, defect, &mut Look::default())
}

fn recorded(
    scenario: &Scenario,
    options: Options,
    defect: Option<Defect>,
    look: &mut Look,
) -> Simulated {
    let (seed, network) = (options.seed, options.network);
    let (record, trace, trace_error) = runner::record(scenario, options, defect, look);
    Simulated { seed, network, record, trace, trace_error }
}

/// Judges a run: the second half of [`run`].
pub fn judge(simulated: Simulated) -> RunReport {
    let checks = check::examine(&simulated.record);
    report(simulated, checks)
}

fn report(simulated: Simulated, checks: Vec<CheckResult>) -> RunReport {
    let Simulated { seed, network, record, trace, trace_error } = simulated;
    RunReport {
        id: RunId::of(&record.scenario, seed, network),
        title: record.scenario.title.clone(),
        seed,
        network,
        drawn: picture::drawn(&record),
        timeline: picture::timeline(&record, &checks),
        notes: picture::notes(&record),
        crash_points: record.crash_points,
        entities: record.newrelic.entities.iter().map(|entity| entity.guid.clone()).collect(),
        scenario: record.scenario,
        sometimes: BTreeSet::new(),
        checks,
        trace,
        trace_error: trace_error.map(Arc::new),
    }
}
