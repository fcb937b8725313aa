//! Drives a world through a scenario: hosts up, time on, faults at their instants, record at the
//! end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Network;
use super::Options;
use super::defect::Defect;
use super::ends::{Ends, What};
use super::hosts::{self, Setup};
use super::state::{self, RunState, Seen};
use crate::sim::check::answers::Answers;
use crate::sim::check::record::{FleetRecord, Record};
use crate::sim::fault::{Action, Fault};
use crate::sim::fleet::{Change, Fleet, broker_host};
use crate::sim::kernel::{Kernel, KernelConfig};
use crate::sim::newrelic::NewRelic;
use crate::sim::scenario::{PIPELINE_HOST, Scenario};
use crate::sim::time::SimTime;
use crate::sim::trace::{Trace, TraceDigest};
use crate::sim::turmoil::{TurmoilConfig, TurmoilWorld};
use crate::sim::world::{NetworkFault, World, WorldError};
use crate::sometimes;

/// Runs `scenario` and keeps what it left behind: the record, the trace's digest, and why the
/// trace's sink is incomplete if it is.
pub fn record(
    scenario: &Scenario,
    options: Options,
    defect: Option<Defect>,
    look: &mut Look,
) -> (Record, TraceDigest, Option<std::io::Error>) {
    let trace = Trace::new(options.sink);
    let setup = Setup::new(scenario, options.seed, defect, &trace);
    let (network, links) = (options.seed.child("network"), &scenario.network);
    let record = match options.network {
        Network::Kernel => {
            let config = KernelConfig {
                latency: links.latency.0,
                jitter: links.jitter.0,
                ..KernelConfig::new(network, scenario.epoch())
            };
            drive(Kernel::new(config, trace.clone()), &setup, Duration::ZERO, look)
        }
        Network::Turmoil => {
            let config = TurmoilConfig {
                latency_min: links.latency.0,
                latency_max: links.latency.0 + links.jitter.0,
                ..TurmoilConfig::new(network, scenario.epoch())
            };
            let tick = config.tick;
            drive(TurmoilWorld::new(config, trace.clone()), &setup, tick, look)
        }
    };
    let digest = trace.digest();
    (record, digest, trace.finish().err())
}

/// A look at everybody at one instant of a run.
#[derive(Default)]
pub struct Look {
    /// When; never if none.
    at: Option<SimTime>,
    seen: Option<Seen>,
    /// What everybody did then; known when the run is over.
    pub state: Option<RunState>,
    /// What New Relic holds when the run is over.
    pub newrelic: Option<NewRelic>,
}

impl Look {
    /// A look at `at`.
    pub fn at(at: SimTime) -> Self {
        Self { at: Some(at), ..Self::default() }
    }

    /// When it is to be taken, if that is before `next`.
    pub fn due(&self, next: SimTime) -> Option<SimTime> {
        self.at.filter(|at| self.seen.is_none() && *at < next)
    }

    /// Takes it, if it is wanted and has not been taken.
    pub fn take<W: World>(&mut self, world: &W, setup: &Setup) {
        if self.at.is_some() && self.seen.is_none() {
            self.seen = Some(state::look(world, setup));
        }
    }
}

/// One thing to do at one instant.
#[derive(Clone)]
struct Step {
    at: SimTime,
    what: What,
    actions: Vec<Action>,
}

/// Ends come before begins of the same instant, so that a link is free for the next fault.
fn plan(scenario: &Scenario, faults: &[Fault]) -> Vec<Step> {
    let joins = scenario.later_starts().into_iter().map(|(host, at)| Step {
        at,
        what: What::Join(host.clone()),
        actions: vec![Action::Network(NetworkFault::Restart { host })],
    });
    let ends = faults.iter().enumerate().filter(|(_, fault)| fault.to > fault.from);
    let ends = ends.map(|(index, fault)| Step {
        at: fault.to,
        what: What::End(index),
        actions: fault.end.clone(),
    });
    let begins = faults.iter().enumerate().map(|(index, fault)| Step {
        at: fault.from,
        what: What::Begin(index),
        actions: fault.begin.clone(),
    });
    let mut steps: Vec<Step> = ends.chain(joins).chain(begins).collect();
    steps.sort_by_key(|step| step.at);
    steps
}

fn drive<W: World>(mut world: W, setup: &Setup, tick: Duration, look: &mut Look) -> Record
where
    W::Ports: 'static,
{
    let mut ends = Ends::new(setup.scenario.faults());
    let broken = run(&mut world, setup, &mut ends, look).err();
    // A look beyond the end, or one that the run did not reach, is one at its last instant.
    look.take(&world, setup);
    look.state = look.seen.take().map(|seen| seen.state(setup));
    let end = world.now();
    look.newrelic = Some(setup.newrelic.clone());
    // Hosts go down with the world; only then is everything they hold on to in its final state.
    drop(world);
    Record { crash_points: ends.into_records(), ..setup.to_record(end, broken, tick) }
}

fn run<W: World>(
    world: &mut W,
    setup: &Setup,
    ends: &mut Ends,
    look: &mut Look,
) -> Result<(), WorldError> {
    hosts::start(world, setup)?;
    sometimes!(FAULTS_OVERLAPPED, overlap(&setup.scenario.faults()));
    for step in plan(&setup.scenario, &setup.scenario.faults()) {
        ends.reach(world, setup, look, step.at)?;
        let event = ends.tell(&setup.trace, world.now(), &step.what);
        setup.trace.led_by(Some(event), || act(world, setup, ends, &step.actions))?;
    }
    ends.reach(world, setup, look, setup.scenario.end())
}

fn act<W: World>(
    world: &mut W,
    setup: &Setup,
    ends: &mut Ends,
    actions: &[Action],
) -> Result<(), WorldError> {
    actions.iter().try_for_each(|action| match action {
        Action::CrashPoint(spec) => ends.points.arm(world, setup, spec),
        Action::CrashPointOver(spec) => ends.points.end(world, setup, spec),
        Action::MemoryCap(spec) => {
            ends.caps.arm(setup, spec);
            Ok(())
        }
        Action::MemoryCapOver => ends.caps.end(world, setup),
        action => apply(world, setup, action),
    })
}

/// Whether two of `faults`, which are ordered by their begins, are in force at the same time.
fn overlap(faults: &[Fault]) -> bool {
    let mut until = SimTime::ZERO;
    faults.iter().any(|fault| {
        let overlaps = fault.from < until;
        until = until.max(fault.to);
        overlaps
    })
}

fn apply<W: World>(world: &mut W, setup: &Setup, action: &Action) -> Result<(), WorldError> {
    let now = world.now();
    match action {
        Action::NewRelic(fault) => {
            hosts::misbehave(setup, fault, now);
            Ok(())
        }
        Action::Fleet { cluster, fault } => {
            setup.fleet(cluster).inspect(|fleet| fleet.begin_fault(now, fault));
            Ok(())
        }
        Action::FleetWell { cluster, fault } => {
            setup.fleet(cluster).inspect(|fleet| fleet.end_fault(now, fault));
            Ok(())
        }
        Action::NewRelicWell(fault) => {
            hosts::behave(setup, fault, now);
            Ok(())
        }
        // They act between steps too: theirs is `Ends`.
        Action::CrashPoint(_)
        | Action::CrashPointOver(_)
        | Action::MemoryCap(_)
        | Action::MemoryCapOver => Ok(()),
        Action::Network(fault) => {
            match fault {
                NetworkFault::Crash { host, .. } => setup.host_down(host, now),
                NetworkFault::Restart { host } => setup.host_up(host, now),
                _ => {}
            }
            world.apply(fault)
        }
    }
}

impl Setup {
    fn fleet(&self, name: &str) -> Option<&Fleet> {
        self.fleets.iter().find_map(|(cluster, fleet)| (*cluster == name).then_some(fleet))
    }

    fn broker(&self, host: &str) -> Option<(&Fleet, i32)> {
        self.fleets.iter().find_map(|(cluster, fleet)| {
            let ids = fleet.broker_ids();
            let is = |id: &i32| broker_host(cluster, id) == host;
            ids.into_iter().find(is).map(|id| (fleet, id))
        })
    }

    /// Tells those who live outside the world that `host` went down.
    pub fn host_down(&self, host: &str, now: SimTime) {
        if let Some((fleet, broker)) = self.broker(host) {
            fleet.broker_down(broker, now);
        }
        if host == PIPELINE_HOST {
            self.lives.end_by_crash(now);
        }
    }

    /// Tells those who live outside the world that `host` starts again.
    pub fn host_up(&self, host: &str, now: SimTime) {
        if let Some((fleet, broker)) = self.broker(host) {
            fleet.broker_up(broker, now);
        }
        if host == PIPELINE_HOST {
            self.lives.expect_at(now);
        }
    }
}

/// What a fleet leaves behind.
pub fn fleet_record(fleet: &Fleet, end: SimTime) -> FleetRecord {
    let external = |name: &&std::sync::Arc<str>| !name.starts_with("__");
    FleetRecord {
        journal: Answers::new(fleet.take_journal()),
        brokers: fleet.joined_ids(),
        down: down_times(fleet, end),
        topics: fleet.topics().iter().filter(external).map(ToString::to_string).collect(),
        groups: fleet.groups().iter().map(ToString::to_string).collect(),
    }
}

fn down_times(fleet: &Fleet, end: SimTime) -> BTreeMap<i32, Vec<(SimTime, SimTime)>> {
    let mut down: BTreeMap<i32, Vec<(SimTime, SimTime)>> = BTreeMap::new();
    for entry in fleet.history() {
        match entry.change {
            Change::BrokerDown(id) => down.entry(id).or_default().push((entry.at, end)),
            Change::BrokerUp(id) => {
                if let Some(last) = down.get_mut(&id).and_then(|times| times.last_mut()) {
                    last.1 = entry.at;
                }
            }
            _ => {}
        }
    }
    down
}
