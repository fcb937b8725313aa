//! What everybody in a run is doing at one instant, for people who replay it.
//!
//! Invariant: looking changes nothing: a run that was looked at takes the same course to the byte.
//!
//! New Relic and the lag of groups move on when somebody asks for them, so these are as of the last
//! question; groups say when that was.

use std::collections::BTreeMap;

use serde::Serialize;

use super::hosts::{Life, Setup};
use crate::pipeline::total;
use crate::resilience::breaker::BreakerStats;
use crate::resilience::recovery::ComponentStats;
use crate::sim::fleet::{BrokerView, FleetLook, broker_host};
use crate::sim::scenario::{NEWRELIC_HOST, PIPELINE_HOST, USER_HOST};
use crate::sim::time::SimTime;
use crate::sim::view::HostView;
use crate::sim::world::World;

/// A run at one instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunState {
    /// The instant.
    pub at: SimTime,
    /// Faults in force.
    pub faults: Vec<FaultState>,
    /// The hosts, in the order in which they start.
    pub hosts: Vec<HostState>,
}

/// One fault in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultState {
    /// For people: `crash of orders-broker-2`.
    pub label: String,
    /// Its begin.
    pub from: SimTime,
    /// Its end.
    pub to: SimTime,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostState {
    /// Its name.
    pub name: String,
    /// Its place on the network; none where the network does not tell.
    pub network: Option<HostView>,
    /// What runs on it.
    pub role: RoleState,
}

/// What runs on a host.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum RoleState {
    /// A broker of `cluster`.
    Broker {
        /// Its cluster.
        cluster: String,
        /// The broker.
        broker: BrokerView,
    },
    /// The pipeline; nothing before its first start has ended.
    Pipeline(Box<PipelineState>),
    /// New Relic.
    NewRelic(NewRelicState),
    /// Who asks New Relic what it holds.
    User,
}

/// The pipeline.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct PipelineState {
    /// Which life, from 1.
    pub life: usize,
    /// When that began.
    pub life_began: SimTime,
    /// When it ended by a crash.
    pub life_ended: Option<SimTime>,
    /// `starting`, `running`, …; nothing before its status is known.
    pub phase: Option<&'static str>,
    /// Cycles that began.
    pub cycles_begun: u64,
    /// Cycles that ended.
    pub cycles_ended: u64,
    /// Starts of cycles that passed while one ran.
    pub cycles_skipped: u64,
    /// When the last cycle began.
    pub cycle_began: Option<SimTime>,
    /// Account of samples and events.
    pub ledger: LedgerState,
    /// Breakers.
    pub breakers: Vec<BreakerState>,
    /// Components.
    pub components: Vec<ComponentState>,
    /// The spool, when there is one.
    pub spool: Option<SpoolState>,
    /// Bytes of events in memory.
    pub memory_bytes: u64,
    /// Bytes of events that may be there.
    pub memory_max_bytes: u64,
    /// The last thing that went wrong and has not gone well since, with whose it is.
    pub last_error: Option<String>,
}

/// Account of samples and events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LedgerState {
    /// Raw samples collected.
    pub collected: u64,
    /// Samples that became canonical.
    pub transformed: u64,
    /// Events handed to the stream.
    pub enqueued: u64,
    /// Events of an earlier life, from the spool.
    pub recovered: u64,
    /// Events that New Relic took.
    pub acknowledged: u64,
    /// Events refused or given up, by reason.
    pub lost: BTreeMap<String, u64>,
    /// Events in memory or in the spool.
    pub in_flight: u64,
    /// Of which the spool holds.
    pub spooled: u64,
    /// Events in POSTs whose fate nobody knows.
    pub unknown: u64,
}

/// One breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BreakerState {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: &'static str,
    /// Failures in a row.
    pub failures: u64,
    /// Times that it opened.
    pub opens: u64,
    /// The last failure.
    pub last_error: Option<String>,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComponentState {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: &'static str,
    /// Failed tries since the last success.
    pub failures: u64,
    /// The last failure.
    pub last_error: Option<String>,
}

/// The spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpoolState {
    /// Chunks that wait.
    pub chunks: u64,
    /// Bytes of their events.
    pub chunk_bytes: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Calls that failed.
    pub errors: u64,
    /// The last failure, until a call succeeds.
    pub last_error: Option<String>,
}

/// New Relic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewRelicState {
    /// Requests by the status that was answered.
    pub requests: BTreeMap<u16, u64>,
    /// Requests that a fault hit, by its name.
    pub hit_by_faults: BTreeMap<&'static str, u64>,
    /// Bodies that were accepted and are not parsed yet.
    pub queued: usize,
    /// Stored events by type.
    pub events: BTreeMap<String, u64>,
    /// Entities made.
    pub entities: usize,
    /// Of which a query finds.
    pub entities_visible: usize,
}

/// What was seen at one instant; [`Seen::state`] completes it when the run is over.
pub(super) struct Seen {
    at: SimTime,
    networks: BTreeMap<String, HostView>,
    fleets: BTreeMap<String, FleetLook>,
    newrelic: NewRelicState,
    pipeline: PipelineState,
}

/// Looks at everybody in `world`.
pub(super) fn look<W: World>(world: &W, setup: &Setup) -> Seen {
    let at = world.now();
    let mut names = setup.scenario.hosts();
    names.push(USER_HOST.to_owned());
    let networks = names.into_iter().filter_map(|name| Some((world.view_of(&name)?, name)));
    Seen {
        at,
        networks: networks.map(|(view, name)| (name, view)).collect(),
        fleets: setup.fleets.iter().map(|(name, fleet)| (name.clone(), fleet.look())).collect(),
        newrelic: newrelic(setup, at),
        pipeline: pipeline(setup),
    }
}

impl Seen {
    /// The state of everybody at that instant, now that the histories of the clusters are written.
    pub(super) fn state(self, setup: &Setup) -> RunState {
        let Self { at, mut networks, fleets, newrelic, pipeline } = self;
        let faults = setup.scenario.faults().into_iter();
        let in_force = faults.filter(|fault| fault.from <= at && at < fault.to);
        let mut roles = vec![(NEWRELIC_HOST.to_owned(), RoleState::NewRelic(newrelic))];
        for (cluster, fleet) in &setup.fleets {
            let views = fleets.get(cluster).map(|look| fleet.views(look, at)).unwrap_or_default();
            roles.extend(views.into_iter().map(|broker| {
                let name = broker_host(cluster, broker.id);
                (name, RoleState::Broker { cluster: cluster.clone(), broker })
            }));
        }
        roles.push((USER_HOST.to_owned(), RoleState::User));
        roles.push((PIPELINE_HOST.to_owned(), RoleState::Pipeline(Box::new(pipeline))));
        let hosts = roles.into_iter().map(|(name, role)| {
            let network = networks.remove(&name);
            HostState { name, network, role }
        });
        RunState {
            at,
            faults: in_force
                .map(|fault| FaultState { label: fault.label, from: fault.from, to: fault.to })
                .collect(),
            hosts: hosts.collect(),
        }
    }
}

fn newrelic(setup: &Setup, at: SimTime) -> NewRelicState {
    let newrelic = &setup.newrelic;
    let counters = newrelic.counters();
    let entities = newrelic.entities();
    let now = setup.wall(at);
    let mut events = BTreeMap::new();
    for ((_, event_type), count) in newrelic.event_counts() {
        *events.entry(event_type).or_default() += count;
    }
    NewRelicState {
        requests: counters.requests,
        hit_by_faults: counters.faults,
        queued: newrelic.queued(),
        events,
        entities: entities.len(),
        entities_visible: entities.iter().filter(|entity| entity.is_visible(now)).count(),
    }
}

fn pipeline(setup: &Setup) -> PipelineState {
    let lives = setup.lives.lock();
    let Some(life) = lives.last() else { return PipelineState::default() };
    let state = PipelineState {
        life: lives.len(),
        life_began: life.started,
        life_ended: life.ended,
        ..PipelineState::default()
    };
    filled(state, life)
}

fn filled(state: PipelineState, life: &Life) -> PipelineState {
    let Some(now) = life.status.as_ref().map(|status| status.snapshot()) else { return state };
    let stream = &now.stream;
    let rejected = stream.rejected.iter().map(|(why, count)| (why.as_str().to_owned(), *count));
    let dropped = stream.dropped.iter().map(|(why, count)| (why.as_str().to_owned(), *count));
    let spool = now.resilience.spool.as_ref().map(|spool| SpoolState {
        chunks: spool.chunks,
        chunk_bytes: spool.chunk_bytes,
        dead_letters: spool.dead_letters,
        errors: spool.errors,
        last_error: spool.last_error.clone(),
    });
    let spool_error = spool.as_ref().and_then(|spool| spool.last_error.clone());
    let components: Vec<ComponentState> =
        now.resilience.recovery.components.iter().map(component).collect();
    let failing = components.iter().filter(|component| component.failures > 0);
    let errors = failing.filter_map(|one| Some((one.name.clone(), one.last_error.clone()?)));
    let mut errors = errors.chain(spool_error.map(|error| ("spool".to_owned(), error)));
    PipelineState {
        phase: Some(now.phase.as_str()),
        cycles_begun: now.started,
        cycles_ended: now.completed,
        cycles_skipped: now.skipped,
        cycle_began: now.last_start.map(|moment| SimTime::from(moment.monotonic)),
        ledger: LedgerState {
            collected: total(&now.ledger.collected),
            transformed: now.ledger.transformed,
            enqueued: stream.enqueued,
            recovered: stream.recovered,
            acknowledged: stream.acknowledged,
            lost: rejected.chain(dropped).collect(),
            in_flight: stream.in_flight,
            spooled: stream.spooled,
            unknown: stream.unknown_events,
        },
        breakers: now.resilience.breakers.iter().map(breaker).collect(),
        last_error: errors.next().map(|(whose, error)| format!("{whose}: {error}")),
        components,
        spool,
        memory_bytes: now.memory.held_bytes,
        memory_max_bytes: now.memory.limit_bytes,
        ..state
    }
}

fn breaker(stats: &BreakerStats) -> BreakerState {
    BreakerState {
        name: stats.name.clone(),
        state: stats.state.as_str(),
        failures: stats.failures,
        opens: stats.opens,
        last_error: stats.last_error.clone(),
    }
}

fn component(stats: &ComponentStats) -> ComponentState {
    ComponentState {
        name: stats.name.clone(),
        state: stats.state.as_str(),
        failures: stats.consecutive_failures,
        last_error: stats.last_error.clone(),
    }
}
