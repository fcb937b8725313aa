//! The comparison itself.
//!
//! Cost: one look-up for each observation, in blocks ([`Topology::each_position`]), then one pass
//! over what is wanted and what was seen, which are small and lie in a row. Observations in the
//! order of their keys, as the pipeline has them, are read side by side with the topology. No key
//! is kept, except for the cluster of a broker that nobody asked for; only what is unexpected is
//! sorted.

use std::cmp::Reverse;
use std::time::Duration;

use super::coverage::{ByKind, Coverage};
use super::report::{Field, GapReport, Mismatch, PartialCluster, Stale};
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::units::UnixNanos;
use crate::hybrid::topology::{Plan, Topology};

/// What was seen of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Which entity.
    pub key: EntityKey,
    /// When it reported last.
    pub last_seen: UnixNanos,
    /// Partitions, of a topic whose number is known.
    pub partitions: Option<u32>,
    /// Replicas of each partition, of a topic whose number is known.
    pub replication_factor: Option<u16>,
}

impl Observed {
    /// An entity of whose configuration nothing is known.
    pub fn new(key: EntityKey, last_seen: UnixNanos) -> Self {
        Self { key, last_seen, partitions: None, replication_factor: None }
    }

    fn sighting(&self) -> Sighting {
        let Self { last_seen, partitions, replication_factor, .. } = *self;
        Sighting { last_seen, partitions, replication_factor }
    }
}

/// What was seen of an entity that is known otherwise: small, so that looking at the sightings of
/// a topology in its order stays within few lines of memory, whatever the order of observations.
///
/// Of several sightings of one entity the greatest counts: the latest; of equally late ones the
/// one that knows more and has greater figures, so that order does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sighting {
    last_seen: UnixNanos,
    partitions: Option<u32>,
    replication_factor: Option<u16>,
}

/// Since when somebody has been looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Watching {
    /// For as long as it takes: what the observations lack is missing. For a single look at an
    /// estate that others have watched.
    #[default]
    Always,
    /// Since an instant: what was not seen yet may just not have reported.
    Since(UnixNanos),
}

/// When silence becomes a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// Silence of this length is still none; one nanosecond more is stale, and what was never seen
    /// is missing when it was watched for longer than this.
    pub silence: Duration,
    /// Since when the estate has been watched.
    pub watching: Watching,
}

impl Tolerance {
    /// The usual silence: 300 s.
    pub const SILENCE: Duration = Duration::from_secs(300);
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { silence: Self::SILENCE, watching: Watching::Always }
    }
}

/// Marks a place of which there is none.
const NOWHERE: u32 = u32::MAX;

/// What a comparison needs of an entity of the topology: a fraction of its key and plan.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    kind: EntityKind,
    /// The place of its cluster, or [`NOWHERE`].
    cluster: u32,
    partitions: Option<u32>,
    replication_factor: Option<u16>,
}

/// Compares observations with a topology, as often as asked.
#[derive(Debug, Clone)]
pub struct Detector {
    topology: Topology,
    tolerance: Tolerance,
    /// What a comparison needs of each entity of the topology.
    wanted: Vec<Wanted>,
    /// For each cluster of the topology, which come first in it, the brokers that it requires.
    required: Vec<u32>,
}

impl Detector {
    /// A detector for `topology`.
    pub fn new(topology: Topology, tolerance: Tolerance) -> Self {
        let place = |position: Option<usize>| {
            position.and_then(|place| u32::try_from(place).ok()).unwrap_or(NOWHERE)
        };
        let wanted = topology.entities().map(|entity| {
            let (partitions, replication_factor) = match entity.plan {
                Plan::Topic { partitions, replication_factor } => {
                    (*partitions, *replication_factor)
                }
                _ => (None, None),
            };
            let cluster = place(topology.cluster_position(entity.key));
            Wanted { kind: entity.key.kind(), cluster, partitions, replication_factor }
        });
        let wanted: Vec<_> = wanted.collect();
        let mut required = Vec::new();
        for entity in topology.entities() {
            let Plan::Cluster { required_brokers, .. } = entity.plan else { break };
            required.push(required_brokers.unwrap_or(0));
        }
        let mut listed = vec![0_u32; required.len()];
        for broker in wanted.iter().filter(|wanted| wanted.kind == EntityKind::Broker) {
            if let Some(count) = listed.get_mut(broker.cluster as usize) {
                *count += 1;
            }
        }
        // A cluster that says nothing of its own requires what is listed; one that says something
        // says no less.
        for (required, listed) in required.iter_mut().zip(listed) {
            *required = listed.max(*required);
        }
        Self { topology, tolerance, wanted, required }
    }

    /// What is asked for.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// When silence becomes a gap.
    pub fn tolerance(&self) -> Tolerance {
        self.tolerance
    }

    /// Compares what was `observed` until `now` with the topology. An entity may be observed
    /// several times; one that was seen after `now` is fresh.
    pub fn examine<'a>(&'a self, observed: &'a [Observed], now: UnixNanos) -> GapReport<'a> {
        let sightings = self.sightings(observed);
        let unexpected = self.unexpected(&sightings, now);
        let mut fresh_brokers = vec![0_u32; self.required.len()];
        self.count_unexpected_brokers(&unexpected, &mut fresh_brokers);
        let mut report = GapReport {
            topology: &self.topology,
            now,
            tolerance: self.tolerance.silence,
            missing: ByKind::default(),
            partial_clusters: Vec::new(),
            stale: Vec::new(),
            mismatches: Vec::new(),
            unexpected,
            pending: Vec::new(),
            coverage: Coverage::default(),
        };
        let is_starting = self.is_starting(now);
        for ((entity, seen), wanted) in
            self.topology.entities().zip(&sightings.best).zip(&self.wanted)
        {
            let kind = wanted.kind;
            let counts = &mut report.coverage.by_kind[kind];
            match seen {
                None if is_starting => {
                    counts.pending += 1;
                    report.pending.push(entity.key);
                }
                None => {
                    counts.missing += 1;
                    report.missing[kind].push(entity.key);
                }
                Some(seen) if self.is_stale(seen.last_seen, now) => {
                    counts.stale += 1;
                    let (last_seen, age) = (seen.last_seen, now.since(seen.last_seen));
                    report.stale.push(Stale { key: entity.key, last_seen, age });
                }
                Some(seen) => {
                    counts.fresh += 1;
                    if kind == EntityKind::Broker
                        && let Some(count) = fresh_brokers.get_mut(wanted.cluster as usize)
                    {
                        *count += 1;
                    }
                    compare(entity.key, wanted, seen, &mut report.mismatches);
                }
            }
        }
        if !is_starting {
            report.partial_clusters = self.partial_clusters(&fresh_brokers);
        }
        report
    }

    /// Whether the watcher has watched too briefly to miss anything.
    fn is_starting(&self, now: UnixNanos) -> bool {
        match self.tolerance.watching {
            Watching::Always => false,
            Watching::Since(start) => !self.exceeds(now.nanos_since(start)),
        }
    }

    fn is_stale(&self, last_seen: UnixNanos, now: UnixNanos) -> bool {
        self.exceeds(now.nanos_since(last_seen))
    }

    fn exceeds(&self, nanos: i128) -> bool {
        u128::try_from(nanos).is_ok_and(|nanos| nanos > self.tolerance.silence.as_nanos())
    }

    fn sightings<'o>(&self, observed: &'o [Observed]) -> Sightings<'o> {
        let mut best: Vec<Option<Sighting>> = vec![None; self.topology.len()];
        let mut unexpected = Vec::new();
        self.topology.each_position(
            observed,
            |seen| &seen.key,
            |seen, place| match place {
                // None is less than any sighting.
                Some(place) if best[place] < Some(seen.sighting()) => {
                    best[place] = Some(seen.sighting());
                }
                Some(_) => {}
                None => unexpected.push(seen),
            },
        );
        Sightings { best, unexpected }
    }

    /// Fresh entities that nobody asked for, each once, sorted by key.
    fn unexpected<'o>(&self, sightings: &Sightings<'o>, now: UnixNanos) -> Vec<&'o Observed> {
        let fresh = |seen: &&&Observed| !self.is_stale(seen.last_seen, now);
        let mut found: Vec<&Observed> =
            sightings.unexpected.iter().filter(fresh).copied().collect();
        found.sort_by_key(|seen| (&seen.key, Reverse(seen.sighting())));
        found.dedup_by(|later, first| later.key == first.key);
        found
    }

    fn count_unexpected_brokers(&self, unexpected: &[&Observed], counts: &mut [u32]) {
        for seen in unexpected.iter().filter(|seen| seen.key.kind() == EntityKind::Broker) {
            let cluster = self.topology.cluster_position(&seen.key);
            if let Some(count) = cluster.and_then(|cluster| counts.get_mut(cluster)) {
                *count += 1;
            }
        }
    }

    fn partial_clusters(&self, fresh_brokers: &[u32]) -> Vec<PartialCluster<'_>> {
        let clusters = self.topology.entities().zip(&self.required).zip(fresh_brokers);
        clusters
            .filter(|((_, expected), actual)| (1..**expected).contains(*actual))
            .map(|((cluster, expected), actual)| PartialCluster {
                key: cluster.key,
                expected: *expected,
                actual: *actual,
            })
            .collect()
    }
}

/// What was observed, sorted into desired and not.
struct Sightings<'o> {
    /// The observation that counts, for each entity of the topology.
    best: Vec<Option<Sighting>>,
    /// Everything else, as it came.
    unexpected: Vec<&'o Observed>,
}

/// Settings of a fresh entity that are not as wanted; what is not known does not differ.
fn compare<'a>(key: &'a EntityKey, wanted: &Wanted, seen: &Sighting, out: &mut Vec<Mismatch<'a>>) {
    let mut field = |field, expected: Option<u32>, actual: Option<u32>| {
        if let (Some(expected), Some(actual)) = (expected, actual)
            && expected != actual
        {
            out.push(Mismatch { key, field, expected, actual });
        }
    };
    field(Field::Partitions, wanted.partitions, seen.partitions);
    let factor = |factor: Option<u16>| factor.map(u32::from);
    field(
        Field::ReplicationFactor,
        factor(wanted.replication_factor),
        factor(seen.replication_factor),
    );
}
