//! The hybrid manager: watches what a pipeline's sources show of a desired topology, cycle by
//! cycle, tells the gaps, and puts stand-ins where they are.
//!
//! Invariants:
//! - A stand-in appears when its entity has been missing or stale, as the gap detector has it, and
//!   is gone in the first cycle that shows the entity itself; one cycle never has both.
//! - A stand-in has the entity's own key, hence its GUID, and is marked [`DataSource::GapFilled`].
//! - A stand-in of an entity that was seen before goes on from what it said last; figures that
//!   count or configure stay as they were.
//! - Never more stand-ins than the limits allow; what they leave unfilled is counted.
//! - Stand-ins enter no roll-up of a real cluster.
//! - Memory is bounded by the topology and by what is fresh beside it.
//!
//! Not modelled: entities that nobody desired are told of, and never filled; a cluster's brokers
//! whose ids the topology does not list have no identity and cannot be filled.

mod sightings;
mod stand_in;
mod telemetry;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::aggregate::EntityState;
use crate::domain::account::AccountId;
use crate::domain::data_source::DataSource;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::units::{OncePerSpan, UnixNanos};
use crate::hybrid::gap::{ByKind, Coverage, Detector, GapReport, Tolerance, Watching};
use crate::hybrid::mode::Mode;
use crate::hybrid::model::{FleetModel, ModelConfig, Moment};
use crate::hybrid::topology::{Desired, Topology};
use crate::sometimes;

use sightings::Sightings;
use telemetry::Telling;

pub use telemetry::{COVERAGE_EVENT_TYPE, GAP_EVENT_TYPE, ToldEvent};

/// How gaps are found and filled.
#[derive(Debug, Clone, PartialEq)]
pub struct HybridConfig {
    /// What should be there.
    pub topology: Topology,
    /// Silence of this length is no gap yet.
    pub tolerance: Duration,
    /// Largest share of the desired entities that stand-ins may take, 0 to 1.
    pub filled_share_max: f64,
    /// Most stand-ins.
    pub filled_entities_max: usize,
    /// What decides the model's figures.
    pub model: ModelConfig,
    /// Time between two tellings of coverage and gaps, whole milliseconds.
    pub report_every: Duration,
}

/// What a cycle showed of the desired topology.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HybridReport {
    /// Desired entities that were never seen, or not for so long that they are forgotten.
    pub missing: ByKind<u64>,
    /// Desired entities that have been silent for longer than the tolerance.
    pub stale: u64,
    /// Clusters with fewer fresh brokers than they require, and some.
    pub partial_clusters: u64,
    /// Settings that are not as desired.
    pub mismatches: u64,
    /// Entities with such settings.
    pub mismatched: u64,
    /// Fresh entities that nobody desired.
    pub unexpected: u64,
    /// Desired entities that the watch is too young to miss.
    pub pending: u64,
    /// How much is there.
    pub coverage: Coverage,
    /// Stand-ins of this cycle.
    pub filled: ByKind<u64>,
    /// Gaps that the limits leave unfilled.
    pub unfilled: u64,
}

/// What the manager adds to one cycle.
#[derive(Debug, Default)]
pub struct Addition {
    /// Stand-ins, or all entities of the model.
    pub states: Vec<EntityState>,
    /// Events about gaps and coverage, when they are due.
    pub events: Vec<ToldEvent>,
    /// What the cycle showed; `None` in simulation mode, which looks at nothing.
    pub report: Option<HybridReport>,
}

/// Watches one estate.
#[derive(Debug)]
pub struct HybridManager {
    config: HybridConfig,
    account: AccountId,
    detector: Detector,
    model: FleetModel,
    sightings: Sightings,
    /// Places in the topology that had a stand-in in the last cycle.
    filled: Vec<usize>,
    /// When gaps and coverage are told.
    tellings: OncePerSpan,
}

impl HybridManager {
    /// A manager that begins to watch at `now`, by a clock that is never set, and has seen nothing.
    pub fn new(config: HybridConfig, account: AccountId, now: UnixNanos) -> Self {
        let tolerance = Tolerance { silence: config.tolerance, watching: Watching::Since(now) };
        Self {
            account,
            detector: Detector::new(config.topology.clone(), tolerance),
            model: FleetModel::new(config.model, &config.topology),
            sightings: Sightings::new(config.topology.len()),
            filled: Vec::new(),
            tellings: OncePerSpan::new(config.report_every),
            config,
        }
    }

    /// What goes with a cycle in `mode` whose sources showed `real` by the end of the collection:
    /// at `moment` by the wall clock, at `now` by the clock that is never set, which measures
    /// silence.
    pub fn cycle(
        &mut self,
        mode: Mode,
        real: &[EntityState],
        moment: Moment,
        now: UnixNanos,
    ) -> Addition {
        if mode == Mode::Simulation {
            let states = self.model.states(&self.config.topology, moment);
            return Addition { states, ..Addition::default() };
        }
        let topology = self.detector.topology();
        self.sightings.note(topology, real, moment.at, now);
        self.sightings.forget(topology, now, self.config.tolerance);
        let found = self.detector.examine(self.sightings.observed(), now);
        let (wanted, unfilled) = match mode {
            Mode::Hybrid => self.chosen(&found),
            Mode::Infrastructure | Mode::Simulation => (Vec::new(), 0),
        };
        let is_closed = |place: &usize| wanted.binary_search(place).is_err();
        let closed = mode == Mode::Hybrid && self.filled.iter().any(is_closed);
        sometimes!(GAP_FILLED, !wanted.is_empty());
        sometimes!(GAP_CLOSED, closed);
        sometimes!(GAP_UNFILLED, unfilled > 0);
        let states = self.stand_ins(&wanted, moment);
        let mut filled = ByKind::<u64>::default();
        wanted.iter().for_each(|place| {
            let kind = topology.at(*place).map(|desired| desired.key.kind());
            if let Some(kind) = kind {
                filled[kind] += 1;
            }
        });
        let report = report(&found, filled, unfilled);
        let is_filled = |key: &EntityKey| {
            topology.position(key).is_some_and(|place| wanted.binary_search(&place).is_ok())
        };
        let events = if self.tellings.is_due(moment.at) {
            let telling = Telling { account: self.account, at: moment.at, is_filled: &is_filled };
            telling.events(&found, &report)
        } else {
            Vec::new()
        };
        self.sightings.keep(topology, real);
        self.filled = wanted;
        Addition { states, events, report: Some(report) }
    }

    /// Places of the entities that get a stand-in, in the order of the topology (clusters, then
    /// brokers, topics, queues, groups), and how many gaps go without.
    fn chosen(&self, found: &GapReport<'_>) -> (Vec<usize>, u64) {
        let topology = self.detector.topology();
        let gaps = found.all_missing().chain(found.stale.iter().map(|stale| stale.key));
        let mut places: Vec<usize> = gaps.filter_map(|key| topology.position(key)).collect();
        places.sort_unstable();
        places.dedup();
        let share = (self.config.filled_share_max * topology.len() as f64).floor();
        // A share of 0 to 1 of a count is a count.
        let budget = self.config.filled_entities_max.min(share as usize);
        let unfilled = places.len().saturating_sub(budget) as u64;
        places.truncate(budget);
        (places, unfilled)
    }

    /// The stand-ins at `places`, which are sorted; clusters are rolled up over theirs.
    fn stand_ins(&self, places: &[usize], moment: Moment) -> Vec<EntityState> {
        let topology = self.detector.topology();
        let wanted = || places.iter().filter_map(|place| Some((*place, topology.at(*place)?)));
        let mut states: Vec<EntityState> = wanted()
            .filter(|(_, desired)| desired.key.kind() != EntityKind::Cluster)
            .map(|(place, Desired { key, plan })| {
                let last = self.sightings.last(place);
                stand_in::member(&self.model, key, plan, last, moment)
            })
            .collect();
        let clusters: Vec<EntityState> = wanted()
            .filter(|(_, desired)| desired.key.kind() == EntityKind::Cluster)
            .map(|(place, Desired { key, .. })| {
                let of_cluster = |state: &&EntityState| {
                    state.key.cluster() == key.cluster() && state.key.provider() == key.provider()
                };
                let members: Vec<_> = states.iter().filter(of_cluster).cloned().collect();
                let mut whole = self.model.cluster(key, &members, moment);
                whole.data_source = DataSource::GapFilled;
                if let Some(last) = self.sightings.last(place) {
                    whole.attributes = last.attributes.clone();
                }
                whole
            })
            .collect();
        states.extend(clusters);
        states
    }
}

fn report(found: &GapReport<'_>, filled: ByKind<u64>, unfilled: u64) -> HybridReport {
    let mut missing = ByKind::<u64>::default();
    for key in found.all_missing() {
        missing[key.kind()] += 1;
    }
    // One entity's mismatches follow each other.
    let mut mismatched: Vec<&EntityKey> =
        found.mismatches.iter().map(|mismatch| mismatch.key).collect();
    mismatched.dedup();
    HybridReport {
        missing,
        stale: found.stale.len() as u64,
        partial_clusters: found.partial_clusters.len() as u64,
        mismatches: found.mismatches.len() as u64,
        mismatched: mismatched.len() as u64,
        unexpected: found.unexpected.len() as u64,
        pending: found.pending.len() as u64,
        coverage: found.coverage,
        filled,
        unfilled,
    }
}
