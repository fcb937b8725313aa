//! A cycle says what it could not observe: failures are counted by kind, never swallowed, and never
//! made up.
//!
//! The fleet's journal tells which brokers and groups gave no answer of a kind, the stored events
//! which answers did not arrive; the cycle must report at least as many missing parts of that kind.
//! Where no fault reaches the cluster, it must report none. Cycles that a crash cut off reported
//! nothing and are not examined. A window of time that says that it is complete lies within one
//! life of the pipeline, and one that lies within the only life there was says that it is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::record::{CycleRecord, FleetRecord, PipelineRecord, Record, StoredEvent};
use super::{Check, Class, Finding};
use crate::sim::atlas::Sight;
use crate::sim::oracle::cycle::{CycleEvents, CycleView, group_by_cycle};
use crate::sim::oracle::objects;
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "honesty",
    promise: "a cycle reports every part of a cluster that it could not observe, and no other",
    class: Class::Safety,
    examine,
};

type Stored<'a> = BTreeMap<(SimTime, &'a str), CycleEvents<'a>>;

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let (groups, _) = group_by_cycle(record);
    let stored: Stored<'_> =
        groups.into_iter().map(|events| ((events.cycle.started, events.cluster), events)).collect();
    let cycles = || record.pipelines.iter().flat_map(|life| &life.cycles);
    for (cluster, fleet) in &record.fleets {
        let sight = Sight::of(&record.scenario, cluster, &record.faults);
        for cycle in cycles().filter(|cycle| !cycle.cut_off && cycle.mode.collects()) {
            made_up(&mut finding, cluster, cycle, &sight);
            let jmx = record.scenario.kafka.get(cluster).is_some_and(|spec| spec.jmx);
            let events = stored.get(&(cycle.started, cluster.as_str()));
            examine_cycle(&mut finding, cluster, fleet, cycle, events, jmx);
        }
    }
    // A clock that was set makes spans of other lengths than they say.
    if record.skews().next().is_none() {
        for event in &record.newrelic.window_events {
            finding.examine();
            window(&mut finding, record, event);
        }
    }
    finding
}

fn window(finding: &mut Finding, record: &Record, event: &StoredEvent) {
    let whose = event.text("displayName");
    let begin = record.sim_time(event.timestamp, 0);
    // Sizes are whole milliseconds, an hour at most.
    let size = Duration::from_millis(event.number("window.sizeMs").unwrap_or(0.0) as u64);
    let within = |life: &PipelineRecord| life.started <= begin && begin + size <= life.ended;
    let since_before =
        |life: &PipelineRecord| life.cycles.first().is_some_and(|cycle| cycle.started <= begin);
    let mut lives = record.pipelines.iter().filter(|life| life.started <= event.stored_at);
    let groups_max = record.scenario.pipeline.windows.as_ref().map_or(0, |table| table.groups_max);
    let none_evicted = objects::ever(record).len() <= groups_max;
    let what = match event.text("window.complete") {
        "true" if !lives.any(within) => "claims to be complete, and no life saw all of it",
        "false"
            if event.text("window.closedBy") == "time"
                && none_evicted
                && lives.all(since_before) =>
        {
            "lacks nothing, and does not claim to be complete"
        }
        "true" | "false" => return,
        _ => "does not say whether it is complete",
    };
    finding.violate(Some(event.stored_at), format!("the window of {whose} at {begin} {what}"));
}

/// A cycle during which nothing hid anything misses nothing; one during which some broker could be
/// asked does not say that the cluster could not.
fn made_up(finding: &mut Finding, cluster: &str, cycle: &CycleRecord, sight: &Sight) {
    let failed = cycle.failed.iter().any(|name| name == cluster);
    if let Some(broker) = sight.answering(cycle.started, cycle.ended) {
        finding.examine();
        if failed {
            let what = format!(
                "nothing hid broker {broker} of {cluster}, and the cycle could not collect the \
                 cluster"
            );
            finding.violate(Some(cycle.started), what);
        }
    }
    if sight.hidden(cycle.started, cycle.ended).is_some() {
        return;
    }
    finding.examine();
    for (kind, count) in cycle.missing.get(cluster).into_iter().flatten() {
        let what = format!("nothing hid {cluster}, and the cycle reports {count} missing {kind}");
        finding.violate(Some(cycle.started), what);
    }
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
    let brokers = fleet.brokers.iter().copied().filter(named).collect();
    let own = view.clone();
    let mut hearing = Hearing { finding, cluster, cycle, view: own, events, brokers };
    if jmx {
        hearing.brokers("scrape", "memory.total.bytes", |id| view.has_scrape(id));
    }
    hearing.brokers("log_dirs", "disk.total.bytes", |id| view.has_log_dirs(id));
    hearing.brokers("group_list", "", |id| view.listed_groups(id).is_some());
    hearing.groups("committed_offsets", |name| view.committed(name).is_some());
    hearing.groups("group_state", |name| view.group(name).is_some());
    hearing.log_ends();
}

/// One cycle's reports about one cluster, held against the fleet's journal.
struct Hearing<'a> {
    finding: &'a mut Finding,
    cluster: &'a str,
    cycle: &'a CycleRecord,
    view: CycleView<'a>,
    events: Option<&'a CycleEvents<'a>>,
    /// Brokers that every description of the cluster named.
    brokers: Vec<i32>,
}

impl Hearing<'_> {
    /// The cycle must report at least as many missing parts of `kind` as are `silent`, of `all`.
    fn demand(&mut self, kind: &str, silent: &[String], all: usize) {
        self.finding.examined += all as u64;
        let reported = self.cycle.missing(self.cluster, kind);
        if reported < silent.len() as u64 {
            self.finding.violate(
                Some(self.cycle.started),
                format!(
                    "{} of {} gave no {kind} by {}, and the cycle reports {reported} missing \
                     parts of that kind",
                    first_of(silent),
                    self.cluster,
                    self.cycle.ended
                ),
            );
        }
    }

    /// Brokers must have answered, and what they said must be in their event as `figure`.
    fn brokers(&mut self, kind: &str, figure: &str, answered: impl Fn(i32) -> bool) {
        let silent = self.brokers.iter().filter(|id| !answered(**id) || self.lacks(**id, figure));
        let silent: Vec<_> = silent.map(|id| format!("broker {id}")).collect();
        self.demand(kind, &silent, self.brokers.len());
    }

    /// Groups that a broker listed must have been answered for.
    fn groups(&mut self, kind: &str, answered: impl Fn(&str) -> bool) {
        let listed = self.brokers.iter().filter_map(|id| self.view.listed_groups(*id));
        let listed: Vec<Vec<&str>> = listed.map(Iterator::collect).collect();
        let all = listed.iter().map(Vec::len).sum();
        let silent = |groups: Vec<&str>| -> Vec<String> {
            let silent = groups.into_iter().filter(|group| !answered(group));
            silent.map(|group| format!("group {group}")).collect()
        };
        let mut by_broker: Vec<_> = listed.into_iter().map(silent).collect();
        by_broker.sort_by_key(|groups| std::cmp::Reverse(groups.len()));
        // A list that did not arrive, and is reported as such, names groups that nobody knows of.
        let lists_lost = self.cycle.missing(self.cluster, "group_list");
        let lists_lost = usize::try_from(lists_lost).unwrap_or(usize::MAX);
        let silent: Vec<String> = by_broker.into_iter().skip(lists_lost).flatten().collect();
        self.demand(kind, &silent, all);
    }

    /// Partitions must have had their log end told.
    fn log_ends(&mut self) {
        let ends = self.view.log_ends(None);
        let truths = self.view.metadata();
        let topics = truths.last().into_iter().flat_map(|truth| &truth.topics);
        let external = topics.filter(|topic| !topic.name.starts_with("__"));
        let partitions: Vec<(&str, i32)> = external
            .flat_map(|topic| {
                (0_i32..).zip(&topic.partitions).map(|(index, _)| (topic.name.as_ref(), index))
            })
            .collect();
        let unknown = partitions.iter().filter(|key| !ends.contains_key(key));
        let silent = unknown.map(|(topic, index)| format!("partition {topic}/{index}"));
        let silent: Vec<String> = silent.collect();
        self.demand("log_end_offsets", &silent, partitions.len());
    }

    /// Whether the broker's stored event lacks `figure`.
    fn lacks(&self, broker: i32, figure: &str) -> bool {
        let own = broker.to_string();
        let events = self.events.into_iter().flat_map(|events| &events.events);
        let mut own = events.filter(|event| {
            event.text("entityType") == "MESSAGE_QUEUE_BROKER" && event.text("brokerId") == own
        });
        !figure.is_empty() && own.next().is_some_and(|event| event.number(figure).is_none())
    }
}

/// The first few names, and how many more there are.
fn first_of(names: &[String]) -> String {
    let (first, more) = names.split_at(names.len().min(3));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!("{}{more}", first.join(", "))
}
