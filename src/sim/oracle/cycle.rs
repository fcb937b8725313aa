//! What one cycle of the pipeline could see: the fleet's answers between its begin and its end.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::units::UnixMillis;
use crate::sim::check::answers::Answers;
use crate::sim::check::record::{CycleRecord, FleetRecord, Record, StoredEvent};
use crate::sim::fleet::{
    BrokerTruth, CommittedTruth, GroupTruth, MetadataTruth, Observation, Observed, ReplicaTruth,
};
use crate::sim::scenario::PIPELINE_HOST;
use crate::sim::time::SimTime;
use crate::sim::world::NetworkFault;

/// A topic's partition.
pub type PartitionKey<'a> = (&'a str, i32);

/// Log end by partition.
pub type LogEnds<'a> = BTreeMap<PartitionKey<'a>, i64>;

/// What a broker said of its disk: total bytes, free bytes, replicas.
pub type LogDirs<'a> = (u64, u64, &'a [ReplicaTruth]);

/// The answers of one fleet within one cycle.
#[derive(Clone)]
pub struct CycleView<'a> {
    journal: &'a Answers,
    range: Range<u32>,
}

impl<'a> CycleView<'a> {
    /// Answers of `fleet` from `from` to `to`, both included.
    pub fn new(fleet: &'a FleetRecord, from: SimTime, to: SimTime) -> Self {
        Self { journal: &fleet.journal, range: fleet.journal.between(from, to) }
    }

    /// When the first and the last answer of those that `is` names were given.
    pub fn span(&self, is: impl Fn(&Observation) -> bool) -> Option<(SimTime, SimTime)> {
        let answers = &self.journal.all()[self.range.start as usize..self.range.end as usize];
        let mut times = answers.iter().filter(|seen| is(seen)).map(|seen| seen.at);
        let first = times.next()?;
        Some((first, times.next_back().unwrap_or(first)))
    }

    /// Whether the broker gave any figures.
    pub fn has_scrape(&self, broker: i32) -> bool {
        self.journal.scrapes(broker, &self.range).next().is_some()
    }

    /// The figures that a broker gave, newest first.
    pub fn scrapes(&self, broker: i32) -> impl Iterator<Item = &'a BrokerTruth> + use<'a, '_> {
        self.journal.scrapes(broker, &self.range).rev().filter_map(|seen| match &seen.what {
            Observed::Scrape(truth) => Some(truth.as_ref()),
            _ => None,
        })
    }

    /// Every distinct description of the cluster that was given, newest first, but for those that
    /// name no broker: nobody can go by them, and who asks asks again.
    pub fn metadata(&self) -> Vec<&'a MetadataTruth> {
        let mut seen: Vec<&Arc<MetadataTruth>> = Vec::new();
        for answer in self.journal.metadata(&self.range).rev() {
            if let Observed::Metadata(truth) = &answer.what
                && !truth.brokers.is_empty()
                && !seen.iter().any(|known| Arc::ptr_eq(known, truth))
            {
                seen.push(truth);
            }
        }
        seen.into_iter().map(AsRef::as_ref).collect()
    }

    /// Log ends per partition, as the last answers gave them, but for those of broker `but`.
    pub fn log_ends(&self, but: Option<i32>) -> LogEnds<'a> {
        let mut ends = LogEnds::new();
        let answers = self.journal.offsets(&self.range);
        for answer in answers.filter(|answer| Some(answer.broker) != but) {
            let Observed::Offsets(offsets) = &answer.what else { continue };
            for offset in offsets.iter().filter(|offset| offset.timestamp == -1) {
                if let Some(end) = offset.offset {
                    ends.insert((offset.topic.as_ref(), offset.partition), end);
                }
            }
        }
        ends
    }

    /// The last committed offsets of a group.
    pub fn committed(&self, group: &str) -> Option<&'a [CommittedTruth]> {
        match &self.journal.committed(group, &self.range).next_back()?.what {
            Observed::Committed { partitions, .. } => Some(partitions.as_slice()),
            _ => None,
        }
    }

    /// The last description of a group.
    pub fn group(&self, group: &str) -> Option<&'a GroupTruth> {
        self.journal.described(group, &self.range)
    }

    /// The groups that a broker listed.
    pub fn listed_groups(&self, broker: i32) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        match &self.journal.listed_groups(broker, &self.range).next_back()?.what {
            Observed::Groups { groups, .. } => {
                Some(groups.iter().map(|truth| truth.group.as_ref()))
            }
            _ => None,
        }
    }

    /// Whether the broker gave any account of its disk.
    pub fn has_log_dirs(&self, broker: i32) -> bool {
        self.journal.log_dirs(broker, &self.range).next().is_some()
    }

    /// The accounts of its disk that a broker gave, newest first.
    pub fn all_log_dirs(&self, broker: i32) -> impl Iterator<Item = LogDirs<'a>> + use<'a, '_> {
        self.journal.log_dirs(broker, &self.range).rev().filter_map(|seen| match &seen.what {
            Observed::LogDirs { total_bytes, usable_bytes, replicas } => {
                Some((*total_bytes, *usable_bytes, replicas.as_slice()))
            }
            _ => None,
        })
    }
}

impl Record {
    /// When the pipeline's clock was wrong, and by how much (ms ahead).
    pub fn skews(&self) -> impl Iterator<Item = (SimTime, SimTime, i64)> {
        self.faults.iter().flat_map(|fault| {
            fault.network().filter_map(move |action| match action {
                NetworkFault::Skew { host, offset_ms } if host == PIPELINE_HOST => {
                    Some((fault.from, fault.to, *offset_ms))
                }
                _ => None,
            })
        })
    }

    /// Whether the pipeline's wall clock was set during the cycle.
    pub fn is_clock_set(&self, cycle: &CycleRecord) -> bool {
        let mut jumps = self.skews().flat_map(|(from, to, _)| [from, to]);
        jumps.any(|at| cycle.started <= at && at <= cycle.ended)
    }

    /// Whether the pipeline's wall clock was ever wrong.
    pub fn is_clock_ever_set(&self) -> bool {
        self.skews().next().is_some()
    }

    /// Every instant at which the pipeline's wall clock can have shown `wall`, oldest first: none
    /// that it jumped over, several after it was set back.
    pub fn times_of(&self, wall: UnixMillis) -> Vec<SimTime> {
        let right = self.sim_time(wall, 0);
        // At the very instant of a change both clocks may have been read.
        let skewed = self.skews().any(|(from, to, _)| from < right && right < to);
        let mut times: Vec<SimTime> = Vec::new();
        times.extend((!skewed).then_some(right));
        for (from, to, offset_ms) in self.skews() {
            let at = self.sim_time(wall, offset_ms);
            times.extend((from <= at && at <= to).then_some(at));
        }
        times.sort_unstable();
        times.dedup();
        times
    }

    /// The first instant from `from` on at which the pipeline's wall clock showed `wall`.
    pub fn first_time_of(&self, wall: UnixMillis, from: SimTime) -> SimTime {
        let times = self.times_of(wall);
        let later = times.iter().copied().find(|at| *at >= from);
        later.or(times.last().copied()).unwrap_or_else(|| self.sim_time(wall, 0))
    }

    /// When an event was made, and the cycle that made it: the newest of [`Record::origins`].
    pub fn origin(&self, event: &StoredEvent) -> Option<(SimTime, &CycleRecord)> {
        self.origins(event).max_by_key(|(at, _)| *at)
    }

    /// When an event can have been made, and by which cycle: before it was stored, at an instant at
    /// which the pipeline's clock showed the event's time.
    pub fn origins(&self, event: &StoredEvent) -> impl Iterator<Item = (SimTime, &CycleRecord)> {
        let times = self.times_of(event.timestamp).into_iter();
        let known = times.filter_map(|at| Some((at, self.cycle_at(at)?)));
        known.filter(|(_, cycle)| cycle.started <= event.stored_at)
    }

    /// The last cycle that began before `at`.
    pub fn cycle_before(&self, at: SimTime) -> Option<&CycleRecord> {
        let cycles = self.pipelines.iter().flat_map(|life| &life.cycles);
        cycles.filter(|cycle| cycle.started <= at).max_by_key(|cycle| cycle.started)
    }

    /// The cycle that made an event of this time.
    pub fn cycle_at(&self, at: SimTime) -> Option<&CycleRecord> {
        let mut best: Option<&CycleRecord> = None;
        for pipeline in &self.pipelines {
            let upto = pipeline.cycles.partition_point(|cycle| cycle.started <= at);
            let found = upto.checked_sub(1).and_then(|index| pipeline.cycles.get(index));
            if found.is_some_and(|found| best.is_none_or(|known| known.started < found.started)) {
                best = found;
            }
        }
        // Event times are whole milliseconds, cycles are exact.
        best.filter(|cycle| at <= cycle.ended + Duration::from_millis(1))
    }
}

/// The stored samples of one cycle and cluster.
pub struct CycleEvents<'a> {
    /// The cycle.
    pub cycle: &'a CycleRecord,
    /// Its cluster.
    pub cluster: &'a str,
    /// One event per entity (copies left out).
    pub events: Vec<&'a StoredEvent>,
}

/// All stored samples grouped by cycle and cluster, and those that belong to no cycle. Samples are
/// in neither where the clock was set: of a time that two cycles showed nobody can tell whose they
/// are, and within a cycle the clock tells no more what came last.
pub fn group_by_cycle(record: &Record) -> (Vec<CycleEvents<'_>>, Vec<&StoredEvent>) {
    let mut groups: BTreeMap<(SimTime, &str), CycleEvents<'_>> = BTreeMap::new();
    let mut strays = Vec::new();
    let mut known: BTreeSet<(UnixMillis, &str, SimTime, &str)> = BTreeSet::new();
    for event in &record.newrelic.samples {
        let Some((_, cycle)) = record.origin(event) else {
            strays.push(event);
            continue;
        };
        let is_ambiguous = record.origins(event).any(|(_, other)| other.started != cycle.started);
        if is_ambiguous || record.is_clock_set(cycle) {
            continue;
        }
        let cluster = event.text("clusterName");
        let group = groups.entry((cycle.started, cluster)).or_insert_with(|| CycleEvents {
            cycle,
            cluster,
            events: Vec::new(),
        });
        if known.insert((event.timestamp, event.text("entityGuid"), cycle.started, cluster)) {
            group.events.push(event);
        }
    }
    (groups.into_values().collect(), strays)
}
