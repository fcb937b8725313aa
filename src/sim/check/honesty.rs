//! A cycle says what it could not observe: failures are counted by kind, never swallowed.
//!
//! The fleet's journal tells which brokers and groups gave no answer of a kind, the stored events
//! which answers did not arrive; the cycle must report at least as many missing parts of that kind.
//! Cycles that a crash cut off reported nothing and are not examined.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{CycleRecord, FleetRecord, Record};
use super::{Check, Class, Finding};
use crate::sim::oracle::cycle::{CycleEvents, CycleView, group_by_cycle};
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "honesty",
    promise: "a cycle reports every part of a cluster that it could not observe",
    class: Class::Safety,
    examine,
};

type Stored<'a> = BTreeMap<(SimTime, &'a str), CycleEvents<'a>>;

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let (groups, _) = group_by_cycle(record);
    let stored: Stored<'_> =
        groups.into_iter().map(|events| ((events.cycle.started, events.cluster), events)).collect();
    let cycles = record.pipelines.iter().flat_map(|life| &life.cycles);
    for cycle in cycles.filter(|cycle| !cycle.cut_off) {
        for (cluster, fleet) in &record.fleets {
            let jmx = record.scenario.kafka.get(cluster).is_some_and(|spec| spec.jmx);
            let events = stored.get(&(cycle.started, cluster.as_str()));
            examine_cycle(&mut finding, cluster, fleet, cycle, events, jmx);
        }
    }
    finding
}

fn examine_cycle(
    finding: &mut Finding,
    cluster: &str,
    fleet: &FleetRecord,
    cycle: &CycleRecord,
    events: Option<&CycleEvents<'_>>,
    jmx: bool,
) {
    let view = CycleView::new(fleet, cycle.started, cycle.ended);
    let failed = cycle.failed.iter().any(|name| name == cluster);
    let truths = view.metadata();
    if truths.is_empty() {
        finding.examine();
        if !failed {
            finding.violate(
                Some(cycle.started),
                format!("no broker of {cluster} answered, and the cycle does not say so"),
            );
        }
        return;
    }
    if failed {
        return;
    }
    // A broker that the cluster itself has fenced is the cluster's news, not a failure to observe.
    let named = |id: &i32| truths.iter().all(|truth| truth.brokers.iter().any(|b| b.id == *id));
    let brokers: Vec<i32> = fleet.brokers.iter().copied().filter(named).collect();
    let lacks = |id: i32, figure: &str| events.is_some_and(|events| lacks(events, id, figure));
    let silent = |answered: &dyn Fn(i32) -> bool, figure: &str| -> Vec<String> {
        let silent = brokers.iter().filter(|id| !answered(**id) || lacks(**id, figure));
        silent.map(|id| format!("broker {id}")).collect()
    };
    let mut demand = |kind: &str, silent: Vec<String>, of: usize| {
        finding.examined += of as u64;
        let reported = cycle.missing(cluster, kind);
        if reported < silent.len() as u64 {
            finding.violate(
                Some(cycle.started),
                format!(
                    "{} of {cluster} gave no {kind} by {}, and the cycle reports {reported} \
                     missing parts of that kind",
                    silent.join(", "),
                    cycle.ended
                ),
            );
        }
    };
    if jmx {
        let scraped = silent(&|id| view.scrape(id).is_some(), "memory.total.bytes");
        demand("scrape", scraped, brokers.len());
    }
    let disks = silent(&|id| view.log_dirs(id).is_some(), "disk.total.bytes");
    demand("log_dirs", disks, brokers.len());
    demand("group_list", silent(&|id| view.listed_groups(id).is_some(), ""), brokers.len());
    let groups: BTreeSet<&str> =
        brokers.iter().filter_map(|id| view.listed_groups(*id)).flatten().collect();
    let without = |answered: &dyn Fn(&str) -> bool| -> Vec<String> {
        let silent = groups.iter().filter(|group| !answered(group));
        silent.map(|group| format!("group {group}")).collect()
    };
    demand("committed_offsets", without(&|name| view.committed(name).is_some()), groups.len());
    demand("group_state", without(&|name| view.group(name).is_some()), groups.len());
    let ends = view.log_ends(None);
    let all = truths.last().into_iter().flat_map(|truth| &truth.topics);
    let partitions = all.filter(|topic| !topic.name.starts_with("__")).flat_map(|topic| {
        (0_i32..).zip(&topic.partitions).map(|(index, _)| (topic.name.as_ref(), index))
    });
    let (known, unknown): (Vec<_>, Vec<_>) = partitions.partition(|key| ends.contains_key(key));
    let silent = unknown.iter().map(|(topic, index)| format!("partition {topic}/{index}"));
    demand("log_end_offsets", silent.collect(), known.len() + unknown.len());
}

/// Whether the broker's stored event lacks `figure`.
fn lacks(events: &CycleEvents<'_>, broker: i32, figure: &str) -> bool {
    let own = broker.to_string();
    let event = events.events.iter().find(|event| {
        event.text("entityType") == "MESSAGE_QUEUE_BROKER" && event.text("brokerId") == own
    });
    !figure.is_empty() && event.is_some_and(|event| event.number(figure).is_none())
}
