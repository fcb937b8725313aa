//! When an event's newest input can have arrived: not before the broker gave it, and not after the
//! links could have carried it.

use std::time::Duration;

use super::cycle::{CycleEvents, CycleView};
use crate::sim::check::record::{Record, StoredEvent};
use crate::sim::fault::Fault;
use crate::sim::fleet::{Observation, Observed};
use crate::sim::time::SimTime;

/// Earliest and latest time that `event` may carry, both included; `None` if the fleet gave
/// nothing that it can be made of.
pub fn bounds(
    record: &Record,
    events: &CycleEvents<'_>,
    event: &StoredEvent,
) -> Option<(SimTime, SimTime)> {
    let fleet = record.fleets.get(events.cluster)?;
    let cycle = events.cycle;
    let view = CycleView::new(fleet, cycle.started, cycle.ended);
    let (first, last) = match event.text("entityType") {
        "MESSAGE_QUEUE_BROKER" => broker(view, event)?,
        "MESSAGE_QUEUE_CONSUMER_GROUP" => group(view, event)?,
        // Made of everybody's answers.
        _ => (view.span(is_metadata)?.0, view.span(|_| true)?.1),
    };
    let links = &record.scenario.network;
    let in_force = |fault: &Fault| fault.from <= cycle.collected && cycle.started <= fault.to;
    let calm = !record.faults.iter().any(in_force);
    let transit = links.latency.0 + links.jitter.0 + record.tick * 2;
    let latest = if calm { last + transit } else { cycle.collected };
    // Event times are whole milliseconds, cut off.
    let earliest = SimTime::from_millis(first.as_millis());
    Some((earliest, latest + Duration::from_millis(1)))
}

fn is_metadata(seen: &Observation) -> bool {
    matches!(seen.what, Observed::Metadata(_))
}

/// The scrape's time, or else that of the account of the disks, or else the metadata's.
fn broker(view: CycleView<'_>, event: &StoredEvent) -> Option<(SimTime, SimTime)> {
    let id: i32 = event.text("brokerId").parse().ok()?;
    if event.number("memory.total.bytes").is_some() {
        return view.span(|s| s.broker == id && matches!(s.what, Observed::Scrape(_)));
    }
    if event.number("disk.total.bytes").is_some() {
        return view.span(|s| s.broker == id && matches!(s.what, Observed::LogDirs { .. }));
    }
    view.span(is_metadata)
}

fn group(view: CycleView<'_>, event: &StoredEvent) -> Option<(SimTime, SimTime)> {
    let name = event.text("consumerGroup");
    let committed = |seen: &Observation| match &seen.what {
        Observed::Committed { group, .. } => group.as_ref() == name,
        _ => false,
    };
    let told = |seen: &Observation| match &seen.what {
        Observed::Groups { groups, .. } => groups.iter().any(|truth| truth.group.as_ref() == name),
        _ => committed(seen),
    };
    let (first, last) = view.span(told)?;
    // With its rows in it, the event is at least as new as they are.
    let rows = event.number("consumerGroup.topics.count").and_then(|_| view.span(committed));
    Some((rows.map_or(first, |(rows, _)| rows), last))
}
