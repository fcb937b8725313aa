//! Each stored figure equals what the fleet did.
//!
//! The oracle says for every cycle which values each figure of each object may have; a stored
//! figure that is none of them is a violation, and so is one that is missing although the fleet
//! gave the pipeline all it needs. So is a whole event of a cycle that says it missed nothing, in a
//! run that lost nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::record::{CycleRecord, Record, StoredEvent};
use super::{Check, Class, Finding, conservation};
use crate::domain::entity::EntityKind;
use crate::sim::oracle::cycle::{CycleEvents, group_by_cycle};
use crate::sim::oracle::expect::{Expected, Figures, Situation};
use crate::sim::oracle::guid::Identity;
use crate::sim::oracle::{instant, presence};
use crate::sim::time::SimTime;

/// See the module.
pub const CHECK: Check = Check {
    name: "ground truth",
    promise: "every stored figure equals what the fleet did",
    class: Class::Oracle,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let (cycles, strays) = group_by_cycle(record);
    absent(&mut finding, record, &cycles);
    for event in strays {
        finding.violate(
            Some(event.stored_at),
            format!("an event of {} at {} belongs to no cycle", name(event), event.timestamp),
        );
    }
    for events in &cycles {
        let Some(situation) = Situation::new(record, events) else {
            let at = Some(events.cycle.started);
            finding.violate(at, format!("there is no cluster called `{}`", events.cluster));
            continue;
        };
        let expected = situation.expected();
        for event in &events.events {
            compare(&mut finding, record, events, &expected, event);
        }
    }
    finding
}

/// How long New Relic may take from a cycle's end until it has stored what the cycle sent.
const STORING_MAX: Duration = Duration::from_secs(5);

/// Objects that a cycle saw and told nothing of. Where events may have been lost, the checks of the
/// loss itself judge.
fn absent(finding: &mut Finding, record: &Record, cycles: &[CycleEvents<'_>]) {
    if !conservation::is_whole(record) {
        return;
    }
    let stored: BTreeMap<(SimTime, &str), &CycleEvents<'_>> =
        cycles.iter().map(|events| ((events.cycle.started, events.cluster), events)).collect();
    let is_judged = |cycle: &&CycleRecord| {
        cycle.ended + STORING_MAX <= record.end && presence::is_alone(record, cycle)
    };
    let judged = record.pipelines.iter().flat_map(|life| &life.cycles).filter(is_judged);
    for cycle in judged {
        let whole = record.fleets.iter().filter(|(cluster, _)| {
            cycle.claims_all(cluster) && !cycle.failed.iter().any(|failed| failed == *cluster)
        });
        for (cluster, fleet) in whole {
            let told = presence::told(stored.get(&(cycle.started, cluster.as_str())).copied());
            for object in presence::owed(cluster, fleet, cycle) {
                finding.examine();
                if !told.contains(&object) {
                    let what = format!("{object} was observed, and no event tells of it");
                    finding.violate(Some(cycle.started), what);
                }
            }
        }
    }
}

fn name(event: &StoredEvent) -> String {
    Identity::of(event).map_or_else(|| "an unknown object".to_owned(), |id| id.to_string())
}

/// What the figures of `event` must be; `None` when the fleet has no such object.
pub fn figures<'a>(expected: &'a Expected, event: &StoredEvent) -> Option<&'a Figures> {
    match event.text("entityType") {
        "MESSAGE_QUEUE_CLUSTER" => Some(&expected.cluster),
        "MESSAGE_QUEUE_BROKER" => {
            let id = event.text("brokerId").parse().ok();
            id.and_then(|id: i32| expected.brokers.get(&id))
        }
        "MESSAGE_QUEUE_TOPIC" => expected.topics.get(event.text("topicName")),
        "MESSAGE_QUEUE_CONSUMER_GROUP" => expected.groups.get(event.text("consumerGroup")),
        _ => None,
    }
}

/// Whether another check guards the figure, or it is identity and bookkeeping.
pub fn is_elsewhere(name: &str) -> bool {
    matches!(
        name,
        "timestamp" | "collectionWindowMs" | "collectionWindowMinMs" | "collectionWindowMaxMs"
    ) || name.starts_with("cluster.health.")
}

fn compare(
    finding: &mut Finding,
    record: &Record,
    events: &CycleEvents<'_>,
    expected: &Expected,
    event: &StoredEvent,
) {
    let at = Some(events.cycle.started);
    let Some(figures) = figures(expected, event) else {
        finding.violate(at, format!("{} does not exist in the fleet", name(event)));
        return;
    };
    let limit = record.scenario.expect.relative_error_max;
    let type_name = event.text("entityType");
    let kind = EntityKind::ALL.into_iter().find(|kind| kind.type_name() == type_name);
    for (attribute, value) in event.numbers() {
        // What users derive is no figure of the fleet; what it is made of is checked here.
        let is_own = |kind| record.scenario.pipeline.names(kind, attribute);
        if is_elsewhere(attribute) || kind.is_some_and(is_own) {
            continue;
        }
        if expected.unknowable(event, attribute) {
            continue;
        }
        finding.examine();
        let Some(values) = figures.get(attribute).filter(|values| !values.is_empty()) else {
            finding.violate(
                at,
                format!("{}: {attribute} = {value}, which nothing explains", name(event)),
            );
            continue;
        };
        let error = values.iter().map(|truth| relative(value, *truth)).fold(f64::MAX, f64::min);
        finding.measure(error.min(1.0), limit, "relative error");
        if error > limit {
            finding.violate(
                at,
                format!("{}: {attribute} = {value}, must be {}", name(event), list(values)),
            );
        }
    }
    compare_texts(finding, events, expected, event);
    compare_time(finding, record, events, event);
    missing(finding, events, expected, figures, event);
}

fn compare_texts(
    finding: &mut Finding,
    events: &CycleEvents<'_>,
    expected: &Expected,
    event: &StoredEvent,
) {
    let own = ["brokerId", "topicName", "consumerGroup"].map(|name| event.text(name)).concat();
    let of_type = expected.texts.get(event.text("entityType"));
    let Some(texts) = of_type.and_then(|names| names.get(&own)) else { return };
    for (attribute, values) in texts {
        finding.examine();
        let Some(found) = event.known_text(attribute) else {
            if events.cycle.claims_all(events.cluster) {
                let what = format!("{}: {attribute} is missing, must be {values:?}", name(event));
                finding.violate(Some(events.cycle.started), what);
            }
            continue;
        };
        if !values.iter().any(|value| value.as_str() == found) {
            finding.violate(
                Some(events.cycle.started),
                format!("{}: {attribute} is `{found}`, must be one of {values:?}", name(event)),
            );
        }
    }
}

/// An event has the time at which the newest of what it is made of arrived.
fn compare_time(
    finding: &mut Finding,
    record: &Record,
    events: &CycleEvents<'_>,
    event: &StoredEvent,
) {
    let bounds = instant::bounds(record, events, event);
    let Some(((earliest, latest), (made, _))) = bounds.zip(record.origin(event)) else { return };
    finding.examine();
    // A clock that was set back showed some times twice.
    let times = record.times_of(event.timestamp);
    if !times.iter().any(|made| (earliest..=latest).contains(made)) {
        finding.violate(
            Some(events.cycle.started),
            format!("{}: has the time {made}, must be {earliest} to {latest}", name(event)),
        );
    }
}

/// Figures that the cycle could have had and that its event lacks.
fn missing(
    finding: &mut Finding,
    events: &CycleEvents<'_>,
    expected: &Expected,
    figures: &Figures,
    event: &StoredEvent,
) {
    // A cycle that says it missed something may lack figures; conservation and honesty judge it.
    if !events.cycle.claims_all(events.cluster) {
        return;
    }
    for (attribute, values) in figures.iter().filter(|(_, values)| !values.is_empty()) {
        if event.number(attribute).is_none() && !expected.may_lack(event, attribute) {
            finding.violate(
                Some(events.cycle.started),
                format!("{}: {attribute} is missing, must be {}", name(event), list(values)),
            );
        }
    }
}

/// The difference of two figures, as a share of the greater one.
pub fn relative(value: f64, truth: f64) -> f64 {
    let scale = value.abs().max(truth.abs());
    if scale == 0.0 { 0.0 } else { (value - truth).abs() / scale }
}

fn list(values: &[f64]) -> String {
    values.iter().map(f64::to_string).collect::<Vec<_>>().join(" or ")
}
