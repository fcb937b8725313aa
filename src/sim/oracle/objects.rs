//! The objects that a fleet has, as the entities and relationships they must become.

use std::collections::{BTreeMap, BTreeSet};

use super::guid::{Identity, expected};
use crate::sim::check::record::{FleetRecord, Record};
use crate::sim::fleet::Observed;
use crate::sim::scenario::RELATIONSHIPS_EVERY;
use crate::sim::time::SimTime;

/// One object and the GUID its entity must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub identity: Identity,
    /// Wire form.
    pub guid: String,
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.identity.fmt(f)
    }
}

/// Source GUID, kind, target GUID.
pub type Edge = (String, String, String);

/// Which instants count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// What is true at the end and has been for long enough to be known.
    End,
    /// What was true at any time.
    Ever,
}

fn object(record: &Record, type_name: &str, cluster: &str, own: Option<&str>) -> Object {
    let identity = Identity::new(type_name, cluster, own);
    let (_, guid) = expected(record.scenario.pipeline.account_id, &identity);
    Object { identity, guid }
}

fn of_fleet(record: &Record, cluster: &str, fleet: &FleetRecord) -> Vec<Object> {
    let mut objects = vec![object(record, "MESSAGE_QUEUE_CLUSTER", cluster, None)];
    let mut add = |type_name: &str, own: &str| {
        objects.push(object(record, type_name, cluster, Some(own)));
    };
    for broker in &fleet.brokers {
        add("MESSAGE_QUEUE_BROKER", &broker.to_string());
    }
    for topic in &fleet.topics {
        add("MESSAGE_QUEUE_TOPIC", topic);
    }
    for group in &fleet.groups {
        add("MESSAGE_QUEUE_CONSUMER_GROUP", group);
    }
    objects
}

/// Objects that exist and can be observed at the end of the run.
pub fn live(record: &Record) -> Vec<Object> {
    // Every fault has ended by then, so whatever exists can be observed.
    ever(record)
}

/// Objects that existed at any time.
pub fn ever(record: &Record) -> Vec<Object> {
    record.fleets.iter().flat_map(|(name, fleet)| of_fleet(record, name, fleet)).collect()
}

/// New Relic's word for a relationship that the pipeline tells of: it knows neither
/// `CONSUMES_FROM` nor `COORDINATED_BY`.
pub fn stored_kind(told: &str) -> &str {
    match told {
        "CONSUMES_FROM" => "CONSUMES",
        "COORDINATED_BY" => "CONNECTS_TO",
        same => same,
    }
}

/// Relationships that must (`End`) or may (`Ever`) be stored.
pub fn relationships(record: &Record, moment: Moment) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    let until = match moment {
        Moment::End => SimTime::from(record.end.since_start().saturating_sub(
            record.scenario.settle_time() + record.scenario.newrelic.synthesis_lag_max.0,
        )),
        Moment::Ever => record.end,
    };
    for (cluster, fleet) in &record.fleets {
        let root = object(record, "MESSAGE_QUEUE_CLUSTER", cluster, None).guid;
        for child in of_fleet(record, cluster, fleet).into_iter().skip(1) {
            let manages = child.identity.type_name == "MESSAGE_QUEUE_BROKER";
            let kind = if manages { "MANAGES" } else { "CONTAINS" };
            edges.insert((root.clone(), kind.to_owned(), child.guid));
        }
        edges.extend(consumption(record, cluster, fleet, until));
        edges.extend(coordination(record, cluster, fleet, until));
        if record.scenario.pipeline.serves {
            edges.extend(service(record, cluster, fleet, moment));
        }
    }
    edges
}

/// Groups consume the topics that they have committed offsets for.
fn consumption(
    record: &Record,
    cluster: &str,
    fleet: &FleetRecord,
    until: SimTime,
) -> BTreeSet<Edge> {
    // Answers are many and say the same: each pair of names becomes an edge once.
    let mut pairs: BTreeSet<(&str, &str)> = BTreeSet::new();
    for seen in fleet.journal.all().iter().filter(|seen| seen.at <= until) {
        let Observed::Committed { group, partitions } = &seen.what else { continue };
        let topics = partitions.iter().map(|partition| partition.topic.as_ref());
        pairs.extend(topics.filter(|t| !t.starts_with("__")).map(|topic| (group.as_ref(), topic)));
    }
    let edge = |(group, topic): (&str, &str)| {
        let source = object(record, "MESSAGE_QUEUE_CONSUMER_GROUP", cluster, Some(group)).guid;
        let target = object(record, "MESSAGE_QUEUE_TOPIC", cluster, Some(topic)).guid;
        (source, stored_kind("CONSUMES_FROM").to_owned(), target)
    };
    pairs.into_iter().map(edge).collect()
}

/// Groups connect to their coordinators: to the one that has described them since before `until`,
/// or, where `until` is the end, to all that ever did.
fn coordination(
    record: &Record,
    cluster: &str,
    fleet: &FleetRecord,
    until: SimTime,
) -> BTreeSet<Edge> {
    let mut pairs: BTreeSet<(&str, i32)> = BTreeSet::new();
    let mut lately: BTreeMap<&str, (SimTime, BTreeSet<i32>)> = BTreeMap::new();
    for seen in fleet.journal.all() {
        let Observed::Groups { described: true, groups } = &seen.what else { continue };
        for truth in groups {
            pairs.insert((truth.group.as_ref(), truth.coordinator));
            let (since, named) =
                lately.entry(truth.group.as_ref()).or_insert_with(|| (seen.at, BTreeSet::new()));
            if seen.at <= until {
                named.clear();
                *since = seen.at;
            }
            named.insert(truth.coordinator);
        }
    }
    if until < record.end {
        pairs.retain(|(group, broker)| {
            let known =
                lately.get(group).filter(|(since, named)| *since <= until && named.len() == 1);
            known.is_some_and(|(_, named)| named.contains(broker))
        });
    }
    let edge = |(group, broker): (&str, i32)| {
        let source = object(record, "MESSAGE_QUEUE_CONSUMER_GROUP", cluster, Some(group)).guid;
        let own = broker.to_string();
        let target = object(record, "MESSAGE_QUEUE_BROKER", cluster, Some(&own)).guid;
        (source, stored_kind("COORDINATED_BY").to_owned(), target)
    };
    pairs.into_iter().map(edge).collect()
}

/// Brokers serve the topics that they count traffic of. At any time: whatever a broker's exporter
/// ever counted. At the end: what it has counted in one life since before the faults were over and
/// a whole round of tellings began, so that the round must have told it.
fn service(record: &Record, cluster: &str, fleet: &FleetRecord, moment: Moment) -> BTreeSet<Edge> {
    let pairs = match moment {
        Moment::Ever => counted(fleet),
        Moment::End => {
            let scenario = &record.scenario;
            let round = RELATIONSHIPS_EVERY
                + scenario.pipeline.interval.0 * 3
                + scenario.newrelic.synthesis_lag_max.0;
            let from = SimTime::from(record.end.since_start().saturating_sub(round));
            if record.heal <= from { counted_since(fleet, from) } else { BTreeSet::new() }
        }
    };
    let edge = |(broker, topic): (i32, &str)| {
        let own = broker.to_string();
        let source = object(record, "MESSAGE_QUEUE_BROKER", cluster, Some(&own)).guid;
        let target = object(record, "MESSAGE_QUEUE_TOPIC", cluster, Some(topic)).guid;
        (source, stored_kind("SERVES").to_owned(), target)
    };
    pairs.into_iter().filter(|(_, topic)| !topic.starts_with("__")).map(edge).collect()
}

/// Brokers and the topics that their exporters ever counted traffic of.
fn counted(fleet: &FleetRecord) -> BTreeSet<(i32, &str)> {
    let mut pairs = BTreeSet::new();
    for seen in fleet.journal.all() {
        let Observed::Scrape(truth) = &seen.what else { continue };
        pairs.extend(truth.topics.iter().map(|(topic, _)| (seen.broker, topic.as_ref())));
    }
    pairs
}

/// Brokers and the topics that they counted in every answer from the last one before `from` on,
/// without a restart between: a topic's rates need two answers of one life.
fn counted_since(fleet: &FleetRecord, from: SimTime) -> BTreeSet<(i32, &str)> {
    struct Stretch<'a> {
        since: SimTime,
        started_at: SimTime,
        topics: BTreeSet<&'a str>,
    }
    let mut stretches: BTreeMap<i32, Stretch<'_>> = BTreeMap::new();
    for seen in fleet.journal.all() {
        let Observed::Scrape(truth) = &seen.what else { continue };
        let topics: BTreeSet<&str> = truth.topics.iter().map(|(topic, _)| topic.as_ref()).collect();
        let started_at = truth.started_at;
        match stretches.get_mut(&seen.broker) {
            Some(stretch) if seen.at > from && stretch.started_at == started_at => {
                stretch.topics.retain(|topic| topics.contains(topic));
            }
            _ => {
                let stretch = Stretch { since: seen.at, started_at, topics };
                stretches.insert(seen.broker, stretch);
            }
        }
    }
    let settled = stretches.into_iter().filter(|(_, stretch)| stretch.since <= from);
    let pairs = settled
        .flat_map(|(broker, stretch)| stretch.topics.into_iter().map(move |topic| (broker, topic)));
    pairs.collect()
}

/// An edge in words, for a violation.
pub fn describe(record: &Record, (source, kind, target): &Edge) -> String {
    let objects = ever(record);
    let name = |guid: &str| {
        let known = objects.iter().find(|object| object.guid == guid);
        known.map_or_else(|| guid.to_owned(), ToString::to_string)
    };
    format!("{} {kind} {}", name(source), name(target))
}
