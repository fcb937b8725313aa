//! The gaps that the pipeline tells are the gaps that there are: none missed, none invented.
//!
//! Every telling (a `MessageQueueCoverage` event for all types, and the `MessageQueueGap` events of
//! the same cycle) is held against the oracle's verdict on every desired object. A telling of which
//! events were lost proves nothing and is left out; so is one of a cycle in which somebody set the
//! clock.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{CycleRecord, PipelineRecord, Record, StoredEvent};
use super::{Check, Class, Finding};
use crate::domain::units::UnixMillis;
use crate::sim::oracle::gap::{Desired, Sightings, Verdict};
use crate::sim::oracle::guid::{Identity, expected};

pub const CHECK: Check = Check {
    name: "gaps",
    promise: "the gaps that are told are exactly those between desired and real topology",
    class: Class::Oracle,
    examine,
};

/// What one telling said.
#[derive(Default)]
struct Telling<'r> {
    whole: Option<&'r StoredEvent>,
    /// GUIDs by kind of gap.
    gaps: BTreeMap<&'r str, BTreeSet<&'r str>>,
}

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let Some((_, desired)) = Desired::of(record) else {
        finding.excused = Some("the pipeline is told of no topology".to_owned());
        return finding;
    };
    for life in &record.pipelines {
        let sightings = Sightings::new(record, &desired, life);
        for (at, telling) in tellings(record) {
            if let Some(cycle) = cycle_of(record, life, at)
                && telling.is_whole()
            {
                judge(&mut finding, record, &desired, &sightings, cycle, &telling);
            }
        }
    }
    let lives = &record.pipelines;
    let untold = !lives.is_empty() && lives.iter().all(|life| !tells(record, life));
    if finding.examined == 0 && untold {
        finding.excused = Some("no cycle that compares ended in time".to_owned());
    }
    finding
}

/// Whether a life can have told anything that is stored by now.
fn tells(record: &Record, life: &PipelineRecord) -> bool {
    let settled = |cycle: &&CycleRecord| cycle.gaps.is_some() && !record.is_clock_set(cycle);
    !life.lost_events() && life.cycles.iter().filter(settled).count() > 2
}

fn tellings(record: &Record) -> BTreeMap<UnixMillis, Telling<'_>> {
    let mut tellings: BTreeMap<UnixMillis, Telling<'_>> = BTreeMap::new();
    for event in &record.newrelic.gap_events {
        let telling = tellings.entry(event.timestamp).or_default();
        match event.known_text("gap") {
            Some(gap) => {
                telling.gaps.entry(gap).or_default().insert(event.text("entityGuid"));
            }
            None if event.text("entityType") == "ALL" => telling.whole = Some(event),
            None => {}
        }
    }
    tellings
}

/// The cycle of `life` that told at `at`, when it is certain which one did.
fn cycle_of<'r>(
    record: &Record,
    life: &'r PipelineRecord,
    at: UnixMillis,
) -> Option<&'r CycleRecord> {
    let [time] = record.times_of(at)[..] else { return None };
    let cycle = record.cycle_at(time)?;
    let own = life.cycles.iter().find(|own| own.started == cycle.started)?;
    (!own.cut_off && !record.is_clock_set(own)).then_some(own)
}

impl Telling<'_> {
    fn count(&self, gap: &str) -> u64 {
        self.gaps.get(gap).map_or(0, |guids| guids.len() as u64)
    }

    fn has(&self, gap: &str, guid: &str) -> bool {
        self.gaps.get(gap).is_some_and(|guids| guids.contains(guid))
    }

    /// Whether none of its events was lost on the way.
    fn is_whole(&self) -> bool {
        let number = |name| self.whole.and_then(|whole| whole.number(name));
        let told = [
            ("missing", "missing"),
            ("stale", "stale"),
            ("partialClusters", "partial"),
            ("unexpected", "unexpected"),
        ];
        told.iter().all(|(name, gap)| number(name) == Some(self.count(gap) as f64))
            && number("mismatched") == Some(self.count("mismatch") as f64)
    }
}

fn judge(
    finding: &mut Finding,
    record: &Record,
    desired: &Desired,
    sightings: &Sightings<'_>,
    cycle: &CycleRecord,
    telling: &Telling<'_>,
) {
    let at = Some(cycle.ended);
    let account = record.scenario.pipeline.account_id;
    for (object, partitions) in &desired.objects {
        let Some(truth) = sightings.verdict(object, cycle) else { continue };
        finding.examine();
        let (_, guid) = expected(account, object);
        let told = match (telling.has("missing", &guid), telling.has("stale", &guid)) {
            (true, true) => {
                finding.violate(at, format!("{object} is told as missing and as stale"));
                continue;
            }
            (true, false) => Verdict::Missing,
            (false, true) => Verdict::Stale,
            (false, false) => Verdict::Fresh,
        };
        let agrees = told == truth || (!told.is_gap() && !truth.is_gap());
        if !agrees {
            let words = |verdict: Verdict| format!("{verdict:?}").to_lowercase();
            let (told, truth) = (words(told), words(truth));
            finding.violate(at, format!("{object} is told as {told}, but it is {truth}"));
        }
        mismatch(finding, record, object, *partitions, truth, &guid, telling);
    }
    unexpected(finding, record, desired, sightings, cycle, telling);
}

/// A topic that is there has as many partitions as its cluster gives all of them.
fn mismatch(
    finding: &mut Finding,
    record: &Record,
    object: &Identity,
    partitions: Option<u32>,
    truth: Verdict,
    guid: &str,
    telling: &Telling<'_>,
) {
    let spec = record.scenario.kafka.get(&object.parts[1]);
    let Some((wanted, spec)) = partitions.zip(spec) else { return };
    let differs = truth == Verdict::Fresh && wanted != spec.partitions;
    let told = telling.has("mismatch", guid);
    if differs != told && truth == Verdict::Fresh {
        let not = if told { "" } else { "not " };
        finding.violate(
            None,
            format!(
                "{object} should have {wanted} partitions and has {}; a mismatch is {not}told",
                spec.partitions
            ),
        );
    }
}

/// What was surely seen and nobody desired is told, and only what exists is.
fn unexpected(
    finding: &mut Finding,
    record: &Record,
    desired: &Desired,
    sightings: &Sightings<'_>,
    cycle: &CycleRecord,
    telling: &Telling<'_>,
) {
    let account = record.scenario.pipeline.account_id;
    let mut known = BTreeSet::new();
    for object in crate::sim::oracle::objects::ever(record) {
        if desired.objects.contains_key(&object.identity) {
            continue;
        }
        finding.examine();
        let (_, guid) = expected(account, &object.identity);
        if sightings.saw(&object.identity, cycle) && !telling.has("unexpected", &guid) {
            let what = format!("{object} is there, nobody desired it, and nothing is told of it");
            finding.violate(Some(cycle.ended), what);
        }
        known.insert(guid);
    }
    let invented = telling.gaps.get("unexpected").into_iter().flatten();
    for guid in invented.filter(|guid| !known.contains(**guid)) {
        let what = format!("{guid} is told as unexpected, but there is no such object");
        finding.violate(Some(cycle.ended), what);
    }
}
