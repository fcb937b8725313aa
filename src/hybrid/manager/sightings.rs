//! What was seen of a desired topology, and what each entity said last.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::aggregate::EntityState;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::metric::MetricId;
use crate::domain::units::{UnixMillis, UnixNanos};
use crate::hybrid::gap::Observed;
use crate::hybrid::topology::Topology;

/// An entity that has been silent for so many times the tolerance is forgotten: it is missing then,
/// and its stand-in no longer goes on from what it said.
const FORGET_AFTER: u32 = 288;

/// What was seen, by place in the topology.
#[derive(Debug)]
pub(super) struct Sightings {
    /// Of each entity of the topology that was seen, and of fresh ones beside it.
    observed: Vec<Observed>,
    /// Place in `observed` by place in the topology.
    places: Vec<Option<usize>>,
    /// Place in `observed` of those that nobody desired.
    unexpected: BTreeMap<EntityKey, usize>,
    /// What each entity of the topology said last.
    last: Vec<Option<EntityState>>,
}

impl Sightings {
    pub(super) fn new(entities: usize) -> Self {
        Self {
            observed: Vec::new(),
            places: vec![None; entities],
            unexpected: BTreeMap::new(),
            last: std::iter::repeat_with(|| None).take(entities).collect(),
        }
    }

    /// Everything that counts as seen, in no order that matters.
    pub(super) fn observed(&self) -> &[Observed] {
        &self.observed
    }

    /// What the entity at a place of the topology said last.
    pub(super) fn last(&self, place: usize) -> Option<&EntityState> {
        self.last.get(place)?.as_ref()
    }

    /// Notes that `real` states were seen: as long before `now` as they were observed before
    /// `wall`, which the clock of their timestamps shows now.
    pub(super) fn note(
        &mut self,
        topology: &Topology,
        real: &[EntityState],
        wall: UnixMillis,
        now: UnixNanos,
    ) {
        for state in real {
            let age_ms = wall.millis_since(state.observed_at).max(0);
            let seen_at = UnixNanos(now.0 - i128::from(age_ms) * 1_000_000);
            let desired = topology.position(&state.key);
            let known = match desired {
                Some(place) => self.places[place],
                None => self.unexpected.get(&state.key).copied(),
            };
            let place = known.unwrap_or_else(|| {
                let fresh = self.observed.len();
                self.observed.push(Observed::new(state.key.clone(), seen_at));
                match desired {
                    Some(place) => self.places[place] = Some(fresh),
                    None => drop(self.unexpected.insert(state.key.clone(), fresh)),
                }
                fresh
            });
            let seen = &mut self.observed[place];
            seen.last_seen = seen.last_seen.max(seen_at);
            if state.key.kind() == EntityKind::Topic {
                let count = |id| state.metrics.get(id).map(|value| value as u32);
                seen.partitions = count(MetricId::TOPIC_PARTITIONS).or(seen.partitions);
                let replicas = count(MetricId::TOPIC_REPLICATION);
                let replicas = replicas.and_then(|count| u16::try_from(count).ok());
                seen.replication_factor = replicas.or(seen.replication_factor);
            }
        }
    }

    /// Forgets desired entities that have been silent for very long, and others that are no longer
    /// fresh.
    pub(super) fn forget(&mut self, topology: &Topology, now: UnixNanos, tolerance: Duration) {
        let silent = |seen: &Observed, limit: Duration| now.since(seen.last_seen) > limit;
        let gone = |seen: &Observed| match topology.position(&seen.key) {
            Some(_) => silent(seen, tolerance.saturating_mul(FORGET_AFTER)),
            None => silent(seen, tolerance),
        };
        if !self.observed.iter().any(gone) {
            return;
        }
        self.observed.retain(|seen| !gone(seen));
        self.places.fill(None);
        self.unexpected.clear();
        for (place, seen) in self.observed.iter().enumerate() {
            match topology.position(&seen.key) {
                Some(desired) => self.places[desired] = Some(place),
                None => drop(self.unexpected.insert(seen.key.clone(), place)),
            }
        }
        for (last, place) in self.last.iter_mut().zip(&self.places) {
            if place.is_none() {
                *last = None;
            }
        }
    }

    /// Keeps what desired entities said, so that stand-ins can go on from it.
    pub(super) fn keep(&mut self, topology: &Topology, real: &[EntityState]) {
        for state in real {
            if let Some(place) = topology.position(&state.key) {
                self.last[place] = Some(state.clone());
            }
        }
    }
}
