//! What a pipeline that compares its fleets with a desired topology must find, and may.
//!
//! The fleets' journal says of every cycle which objects it surely saw ([`presence::owed`]) and
//! which it may have seen (there was any answer at all that could name them). From these follow an
//! earliest and a latest last sighting of each desired object; where both lead to the same verdict
//! it is the truth, elsewhere nobody can tell and nothing is demanded.
//!
//! Not modelled: sightings that are forgotten after a day of silence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cycle::CycleView;
use super::guid::Identity;
use super::presence;
use crate::hybrid::topology::{Plan, Topology};
use crate::sim::check::record::{CycleRecord, FleetRecord, PipelineRecord, Record};
use crate::sim::scenario::HybridSpec;
use crate::sim::time::SimTime;

/// What a desired object is at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Seen within the tolerance.
    Fresh,
    /// Not seen by a watch that is too young to miss it.
    Pending,
    /// Seen, and silent since for longer than the tolerance.
    Stale,
    /// Never seen.
    Missing,
}

impl Verdict {
    /// Whether it is a gap.
    pub fn is_gap(self) -> bool {
        matches!(self, Self::Stale | Self::Missing)
    }
}

/// The desired objects of a run.
pub struct Desired {
    /// Each with the partitions that it should have.
    pub objects: BTreeMap<Identity, Option<u32>>,
    tolerance: Duration,
}

impl Desired {
    /// What the scenario of `record` desires; `None` when its pipeline knows no topology.
    pub fn of(record: &Record) -> Option<(&HybridSpec, Self)> {
        let spec = record.scenario.pipeline.hybrid.as_ref()?;
        let topology = spec.desired(&record.scenario).ok()?;
        Some((spec, Self { objects: objects(&topology), tolerance: spec.tolerance.0 }))
    }
}

fn objects(topology: &Topology) -> BTreeMap<Identity, Option<u32>> {
    let entities = topology.entities().map(|desired| {
        let (key, kind) = (desired.key, desired.key.kind().type_name());
        let own = (kind != "MESSAGE_QUEUE_CLUSTER").then(|| key.name());
        let partitions = match desired.plan {
            Plan::Topic { partitions, .. } => *partitions,
            _ => None,
        };
        (Identity::new(kind, key.cluster(), own), partitions)
    });
    entities.collect()
}

/// When each object was seen by one life of the pipeline, cycle by cycle.
pub struct Sightings<'r> {
    desired: &'r Desired,
    life: &'r PipelineRecord,
    /// Begins of the cycles that surely saw it.
    sure: BTreeMap<Identity, Vec<SimTime>>,
    /// Ends of the cycles that may have.
    maybe: BTreeMap<Identity, Vec<SimTime>>,
}

impl<'r> Sightings<'r> {
    /// Sightings of `life`.
    pub fn new(record: &'r Record, desired: &'r Desired, life: &'r PipelineRecord) -> Self {
        let mut sightings = Self { desired, life, sure: BTreeMap::new(), maybe: BTreeMap::new() };
        for cycle in life.cycles.iter().filter(|cycle| !cycle.cut_off && cycle.mode.collects()) {
            for (name, fleet) in &record.fleets {
                sightings.note(record, name, fleet, cycle);
            }
        }
        sightings
    }

    fn note(&mut self, record: &Record, name: &str, fleet: &FleetRecord, cycle: &CycleRecord) {
        let clear = cycle.claims_all(name) && !cycle.failed.iter().any(|failed| failed == name);
        if clear && !record.is_clock_set(cycle) {
            for object in presence::owed(name, fleet, cycle) {
                self.sure.entry(object).or_default().push(cycle.started);
            }
        }
        for object in possible(name, fleet, cycle) {
            self.maybe.entry(object).or_default().push(cycle.ended);
        }
    }

    /// What `object` is for the cycle, if that can be told.
    pub fn verdict(&self, object: &Identity, cycle: &CycleRecord) -> Option<Verdict> {
        let before = |times: Option<&Vec<SimTime>>, until: SimTime| {
            let times = times.map_or(&[][..], Vec::as_slice);
            times[..times.partition_point(|at| *at <= until)].last().copied()
        };
        let sure = before(self.sure.get(object), cycle.started);
        let maybe = before(self.maybe.get(object), cycle.ended);
        let watch_begins =
            self.life.cycles.first().map_or(self.life.started, |first| first.started);
        let worst = self.judge(sure, self.life.started, cycle.ended);
        let best = self.judge(maybe, watch_begins, cycle.collected);
        (worst == best).then_some(worst)
    }

    fn judge(&self, seen: Option<SimTime>, watched_since: SimTime, now: SimTime) -> Verdict {
        let is_long = |since: SimTime| {
            now.since_start().saturating_sub(since.since_start()) > self.desired.tolerance
        };
        match seen {
            Some(seen) if is_long(seen) => Verdict::Stale,
            Some(_) => Verdict::Fresh,
            None if is_long(watched_since) => Verdict::Missing,
            None => Verdict::Pending,
        }
    }

    /// Whether the cycle surely saw `object`.
    pub fn saw(&self, object: &Identity, cycle: &CycleRecord) -> bool {
        self.sure.get(object).is_some_and(|times| times.binary_search(&cycle.started).is_ok())
    }
}

/// Objects of a cluster that some answer within the cycle can have told of.
fn possible(name: &str, fleet: &FleetRecord, cycle: &CycleRecord) -> BTreeSet<Identity> {
    let view = CycleView::new(fleet, cycle.started, cycle.ended);
    let mut objects = BTreeSet::new();
    if view.span(|_| true).is_none() {
        return objects;
    }
    let identity = |type_name: &str, own: &str| Identity::new(type_name, name, Some(own));
    objects.insert(Identity::new("MESSAGE_QUEUE_CLUSTER", name, None));
    for truth in view.metadata() {
        for broker in &truth.brokers {
            objects.insert(identity("MESSAGE_QUEUE_BROKER", &broker.id.to_string()));
        }
    }
    let scraped = fleet.brokers.iter().filter(|id| view.has_scrape(**id));
    objects.extend(scraped.map(|id| identity("MESSAGE_QUEUE_BROKER", &id.to_string())));
    // Topics and groups never go, so whichever broker answers may know them.
    objects.extend(fleet.topics.iter().map(|topic| identity("MESSAGE_QUEUE_TOPIC", topic)));
    objects
        .extend(fleet.groups.iter().map(|group| identity("MESSAGE_QUEUE_CONSUMER_GROUP", group)));
    objects
}
