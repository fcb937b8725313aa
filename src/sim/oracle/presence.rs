//! Which objects a cycle must have told of: those of which the fleet gave it everything.

use std::collections::BTreeSet;

use super::cycle::{CycleEvents, CycleView};
use super::guid::Identity;
use crate::sim::check::record::{CycleRecord, FleetRecord, Record};
use crate::sim::fleet::MetadataTruth;
use crate::sim::time::SimTime;

/// Objects of `cluster` that a cycle which says that it missed nothing has seen: the cluster, what
/// every description of it named, and the groups that were described.
pub fn owed(cluster: &str, fleet: &FleetRecord, cycle: &CycleRecord) -> Vec<Identity> {
    let view = CycleView::new(fleet, cycle.started, cycle.ended);
    let truths = view.metadata();
    let Some((newest, others)) = truths.split_first() else { return Vec::new() };
    let in_all = |is: &dyn Fn(&MetadataTruth) -> bool| others.iter().all(|truth| is(truth));
    let identity = |type_name: &str, own: &str| Identity::new(type_name, cluster, Some(own));
    let mut owed = vec![Identity::new("MESSAGE_QUEUE_CLUSTER", cluster, None)];
    for broker in &newest.brokers {
        if in_all(&|truth| truth.brokers.iter().any(|other| other.id == broker.id)) {
            owed.push(identity("MESSAGE_QUEUE_BROKER", &broker.id.to_string()));
        }
    }
    for topic in newest.topics.iter().filter(|topic| !topic.name.starts_with("__")) {
        if in_all(&|truth| truth.topics.iter().any(|other| other.name == topic.name)) {
            owed.push(identity("MESSAGE_QUEUE_TOPIC", &topic.name));
        }
    }
    let described = fleet.groups.iter().filter(|name| view.group(name).is_some());
    owed.extend(described.map(|name| identity("MESSAGE_QUEUE_CONSUMER_GROUP", name)));
    owed
}

/// Objects that the stored events of one cycle and cluster tell of.
pub fn told(events: Option<&CycleEvents<'_>>) -> BTreeSet<Identity> {
    let events = events.into_iter().flat_map(|events| &events.events);
    events.filter_map(|event| Identity::of(event)).collect()
}

/// Whether samples of this cycle are known to be its own: the clock showed its times only once.
pub fn is_alone(record: &Record, cycle: &CycleRecord) -> bool {
    let to = |cycle: &CycleRecord| {
        let length = (cycle.ended - cycle.started).as_millis() as i64;
        cycle.wall.0 + length
    };
    let overlaps = |other: &CycleRecord| other.wall.0 <= to(cycle) && cycle.wall.0 <= to(other);
    let others = || record.pipelines.iter().flat_map(|life| &life.cycles);
    let (from, to) = (cycle.wall, to(cycle));
    let leaps = |other: &CycleRecord| {
        other.started != cycle.started && leapt_into(record, other, from.0, to)
    };
    others().filter(|other| overlaps(other)).count() == 1
        && !others().any(leaps)
        && !record.is_clock_set(cycle)
}

/// Whether the clock, set while `cycle` ran, showed it any of these times.
fn leapt_into(record: &Record, cycle: &CycleRecord, wall_from: i64, wall_to: i64) -> bool {
    record.skews().any(|(from, to, offset_ms)| {
        let (from, to) = (from.max(cycle.started), to.min(cycle.ended));
        let shown =
            |at: SimTime| record.scenario.epoch().plus(at.since_start()).plus_millis(offset_ms).0;
        from <= to && shown(from) <= wall_to && wall_from <= shown(to)
    })
}
