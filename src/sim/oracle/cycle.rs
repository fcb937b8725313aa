//! What one cycle of the pipeline could see: the fleet's answers between its begin and its end.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::units::UnixMillis;
use crate::sim::check::answers::Answers;
use crate::sim::check::record::{CycleRecord, FleetRecord, Record, StoredEvent};
use crate::sim::fault::Action;
use crate::sim::fleet::{
    BrokerTruth, CommittedTruth, GroupTruth, MetadataTruth, Observed, ReplicaTruth,
};
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

    /// The last figures of a broker.
    pub fn scrape(&self, broker: i32) -> Option<&'a BrokerTruth> {
        match &self.journal.scrapes(broker, &self.range).next_back()?.what {
            Observed::Scrape(truth) => Some(truth.as_ref()),
            _ => None,
        }
    }

    /// Every distinct description of the cluster that was given, newest first.
    pub fn metadata(&self) -> Vec<&'a MetadataTruth> {
        let mut seen: Vec<&Arc<MetadataTruth>> = Vec::new();
        for answer in self.journal.metadata(&self.range).rev() {
            if let Observed::Metadata(truth) = &answer.what
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

    /// The last account of a broker's disk.
    pub fn log_dirs(&self, broker: i32) -> Option<LogDirs<'a>> {
        match &self.journal.log_dirs(broker, &self.range).next_back()?.what {
            Observed::LogDirs { total_bytes, usable_bytes, replicas } => {
                Some((*total_bytes, *usable_bytes, replicas.as_slice()))
            }
            _ => None,
        }
    }
}

impl Record {
    /// True time of a reading of the pipeline's wall clock, by the skew then in force.
    pub fn pipeline_time(&self, wall: UnixMillis) -> SimTime {
        let offsets = self.faults.iter().filter_map(|fault| match &fault.begin {
            Action::Network(NetworkFault::Skew { host, offset_ms }) if host == "pipeline" => {
                Some((fault, *offset_ms))
            }
            _ => None,
        });
        for (fault, offset_ms) in offsets {
            let at = self.sim_time(wall, offset_ms);
            if fault.from <= at && at < fault.to {
                return at;
            }
        }
        self.sim_time(wall, 0)
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

/// All stored samples grouped by cycle and cluster, and those that belong to no cycle.
pub fn group_by_cycle(record: &Record) -> (Vec<CycleEvents<'_>>, Vec<&StoredEvent>) {
    let mut groups: BTreeMap<(SimTime, &str), CycleEvents<'_>> = BTreeMap::new();
    let mut strays = Vec::new();
    let mut known: BTreeSet<(UnixMillis, &str, SimTime, &str)> = BTreeSet::new();
    for event in &record.newrelic.samples {
        let Some(cycle) = record.cycle_at(record.pipeline_time(event.timestamp)) else {
            strays.push(event);
            continue;
        };
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
