//! Stand-ins stand where something is missing, are marked, and give way at once.
//!
//! Of every cycle: a desired object is told once, by the fleet or by a stand-in, never by both;
//! only desired objects have stand-ins, and only where the oracle sees a gap or cannot tell; in
//! hybrid mode every certain gap has one, but for those that the cycle counts as unfilled; in
//! simulation mode every desired object has one and no source is asked; in infrastructure mode
//! there are none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::record::{CycleRecord, Record, StoredEvent};
use super::{Check, Class, Finding, conservation};
use crate::hybrid::mode::Mode;
use crate::sim::oracle::gap::{Desired, Sightings};
use crate::sim::oracle::guid::{Identity, expected};
use crate::sim::oracle::presence;
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "stand-ins",
    promise: "stand-ins are marked, stand in gaps alone, and give way to what is real",
    class: Class::Safety,
    examine,
};

/// What is sent may take so long to be stored.
const STORING_MAX: Duration = Duration::from_secs(120);

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let Some((spec, desired)) = Desired::of(record) else {
        for event in &record.newrelic.stand_ins {
            finding.violate(
                Some(event.stored_at),
                format!("{} tells no source of its figures", event.text("entityGuid")),
            );
        }
        finding.excused = Some("the pipeline is told of no topology".to_owned());
        return finding;
    };
    let by_cycle = by_cycle(record);
    let whole = conservation::is_whole(record);
    for event in &record.newrelic.stand_ins {
        finding.examine();
        marks(&mut finding, record, &desired, event);
    }
    for life in &record.pipelines {
        let sightings = Sightings::new(record, &desired, life);
        for cycle in life.cycles.iter().filter(|cycle| !cycle.cut_off) {
            finding.examine();
            let told = by_cycle.get(&cycle.started);
            limits(&mut finding, &desired, spec.filled_share_max, spec.filled_entities_max, cycle);
            if let Some(told) = told {
                once(&mut finding, cycle, told);
                placed(&mut finding, &desired, &sightings, cycle, told);
            }
            if whole && is_complete(record, cycle) {
                filled(&mut finding, &desired, &sightings, cycle, told);
            }
        }
    }
    finding
}

/// What one cycle's stored events tell of.
#[derive(Default)]
struct Told {
    real: BTreeSet<Identity>,
    stand_ins: BTreeMap<Identity, String>,
}

/// Events by the begin of their cycle, those of which nobody can tell whose they are left out.
fn by_cycle(record: &Record) -> BTreeMap<SimTime, Told> {
    let mut cycles: BTreeMap<SimTime, Told> = BTreeMap::new();
    let origin = |event: &StoredEvent| {
        let mut origins = record.origins(event);
        let (_, cycle) = origins.next()?;
        let is_certain = origins.all(|(_, other)| other.started == cycle.started);
        (is_certain && !record.is_clock_set(cycle)).then_some(cycle.started)
    };
    for event in &record.newrelic.samples {
        if let (Some(cycle), Some(object)) = (origin(event), Identity::of(event)) {
            cycles.entry(cycle).or_default().real.insert(object);
        }
    }
    for event in &record.newrelic.stand_ins {
        if let (Some(cycle), Some(object)) = (origin(event), Identity::of(event)) {
            let source = event.text("dataSource").to_owned();
            cycles.entry(cycle).or_default().stand_ins.insert(object, source);
        }
    }
    cycles
}

/// Whether what the cycle told must be stored by now, and is known to be its own.
fn is_complete(record: &Record, cycle: &CycleRecord) -> bool {
    cycle.ended + STORING_MAX <= record.end && presence::is_alone(record, cycle)
}

fn marks(finding: &mut Finding, record: &Record, desired: &Desired, event: &StoredEvent) {
    let at = Some(event.stored_at);
    let guid = event.text("entityGuid");
    let source = event.text("dataSource");
    let mode = match source {
        "gapFilled" => Some("gapFilled"),
        "simulated" => None,
        other => {
            finding.violate(at, format!("{guid} has the data source `{other}`"));
            return;
        }
    };
    let marked = event.known_text("tags.simulated") == Some("true")
        && event.known_text("tags.hybridMode") == mode;
    if !marked {
        finding.violate(at, format!("{guid} is {source} and lacks the tags that say so"));
    }
    let Some(object) = Identity::of(event) else {
        finding.violate(at, format!("stand-in {guid} does not say what it stands for"));
        return;
    };
    if !desired.objects.contains_key(&object) {
        finding.violate(at, format!("{object} has a stand-in and nobody desired it"));
    }
    let (readable, wire) = expected(record.scenario.pipeline.account_id, &object);
    if guid != wire {
        finding.violate(at, format!("the stand-in of {object} has GUID {guid}, not {readable}"));
    }
}

fn limits(
    finding: &mut Finding,
    desired: &Desired,
    share_max: f64,
    entities_max: u32,
    cycle: &CycleRecord,
) {
    let Some(gaps) = &cycle.gaps else { return };
    let most = (share_max * desired.objects.len() as f64).floor().min(f64::from(entities_max));
    if gaps.filled as f64 > most {
        let what = format!("{} stand-ins, and {most} are allowed", gaps.filled);
        finding.violate(Some(cycle.ended), what);
    }
    let due = (gaps.stale + gaps.missing) as f64;
    let (filled, unfilled) = (gaps.filled as f64, gaps.unfilled as f64);
    if cycle.mode == Mode::Hybrid && (filled != due.min(most) || filled + unfilled != due) {
        let what = format!(
            "{due} gaps and {most} stand-ins allowed, but {filled} filled and {unfilled} unfilled"
        );
        finding.violate(Some(cycle.ended), what);
    }
}

/// Nothing is told by its fleet and by a stand-in in one cycle.
fn once(finding: &mut Finding, cycle: &CycleRecord, told: &Told) {
    for object in told.stand_ins.keys().filter(|object| told.real.contains(object)) {
        let what = format!("{object} is told by its fleet and by a stand-in in one cycle");
        finding.violate(Some(cycle.ended), what);
    }
}

/// Stand-ins are where the mode and the truth allow them.
fn placed(
    finding: &mut Finding,
    desired: &Desired,
    sightings: &Sightings<'_>,
    cycle: &CycleRecord,
    told: &Told,
) {
    let at = Some(cycle.ended);
    let source = match cycle.mode {
        Mode::Infrastructure => None,
        Mode::Hybrid => Some("gapFilled"),
        Mode::Simulation => Some("simulated"),
    };
    for (object, found) in &told.stand_ins {
        if Some(found.as_str()) != source {
            let what = format!("{object} is {found} in a cycle of mode {}", cycle.mode);
            finding.violate(at, what);
        }
        let truth = sightings.verdict(object, cycle).filter(|_| cycle.mode == Mode::Hybrid);
        if truth.is_some_and(|truth| !truth.is_gap()) && desired.objects.contains_key(object) {
            finding.violate(at, format!("{object} has a stand-in although there is no gap"));
        }
    }
    if cycle.mode == Mode::Simulation && !told.real.is_empty() {
        finding.violate(at, "a source was asked in simulation mode");
    }
}

/// Every desired object that should have a stand-in has one.
fn filled(
    finding: &mut Finding,
    desired: &Desired,
    sightings: &Sightings<'_>,
    cycle: &CycleRecord,
    told: Option<&Told>,
) {
    let has = |object: &Identity| told.is_some_and(|told| told.stand_ins.contains_key(object));
    let unlimited = cycle.gaps.as_ref().is_none_or(|gaps| gaps.unfilled == 0);
    for object in desired.objects.keys() {
        let wanted = match cycle.mode {
            Mode::Infrastructure => false,
            Mode::Simulation => true,
            Mode::Hybrid => {
                unlimited && sightings.verdict(object, cycle).is_some_and(|truth| truth.is_gap())
            }
        };
        if wanted && !has(object) {
            let what = format!("{object} has no stand-in in a cycle of mode {}", cycle.mode);
            finding.violate(Some(cycle.ended), what);
        }
    }
}
