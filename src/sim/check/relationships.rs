//! The stored relationships are exactly those of the fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::record::{PipelineRecord, Record, StoredEvent};
use super::{Check, Class, Finding, conservation};
use crate::domain::units::UnixMillis;
use crate::sim::oracle::cycle::group_by_cycle;
use crate::sim::oracle::objects::{self, Edge};
use crate::sim::oracle::presence;
use crate::sim::scenario::RELATIONSHIPS_EVERY;
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "relationships",
    promise: "clusters manage their brokers, contain topics and groups; groups consume topics, \
        and connect to the broker that coordinates them; brokers serve topics, where that is told",
    class: Class::Oracle,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let required = objects::relationships(record, objects::Moment::End);
    let mut possible = objects::relationships(record, objects::Moment::Ever);
    // Whether stand-ins are where they may be is another check's.
    possible.extend(record.newrelic.stand_in_relationships.iter().map(edge));
    for edge in &required {
        finding.examine();
        if !record.newrelic.relationships.contains(edge) {
            finding
                .violate(Some(record.end), format!("missing: {}", objects::describe(record, edge)));
        }
    }
    for edge in &record.newrelic.relationships {
        finding.examine();
        if !possible.contains(edge) {
            finding.violate(
                Some(record.end),
                format!("invented: {}", objects::describe(record, edge)),
            );
        }
    }
    times(&mut finding, record);
    confirmations(&mut finding, record, &required);
    servers(&mut finding, record);
    finding
}

/// How long New Relic may take from a cycle's end until it has stored what the cycle sent.
const STORING_MAX: Duration = Duration::from_secs(5);

/// A cycle that tells relationships tells as many brokers to serve a topic as it counts to report
/// the topic's traffic, which is held against the fleet elsewhere. Where events may have been lost,
/// the checks of the loss itself judge.
fn servers(finding: &mut Finding, record: &Record) {
    if !record.scenario.pipeline.serves || !conservation::is_whole(record) {
        return;
    }
    let mut rounds: BTreeSet<(SimTime, &str)> = BTreeSet::new();
    let mut told: BTreeMap<(SimTime, &str), BTreeSet<&str>> = BTreeMap::new();
    for event in &record.newrelic.relationship_events {
        let Some((_, cycle)) = record.origin(event) else { continue };
        rounds.insert((cycle.started, event.text("clusterName")));
        if event.text("relationshipType") == "SERVES" {
            let servers = told.entry((cycle.started, event.text("targetEntityGuid"))).or_default();
            servers.insert(event.text("sourceEntityGuid"));
        }
    }
    for events in &group_by_cycle(record).0 {
        let cycle = events.cycle;
        let is_judged = rounds.contains(&(cycle.started, events.cluster))
            && !cycle.cut_off
            && cycle.ended + STORING_MAX <= record.end
            && presence::is_alone(record, cycle);
        let topics = events.events.iter().filter(|e| e.text("entityType") == "MESSAGE_QUEUE_TOPIC");
        for topic in topics.filter(|_| is_judged) {
            finding.examine();
            let servers = told.get(&(cycle.started, topic.text("entityGuid")));
            let servers = servers.map_or(0, BTreeSet::len);
            let reporting = topic.number("topic.brokers.reporting").unwrap_or(0.0);
            if servers as f64 != reporting {
                let (cluster, name) = (events.cluster, topic.text("topicName"));
                finding.violate(
                    Some(cycle.started),
                    format!(
                        "topic {cluster}/{name} is told to be served by {servers} brokers, and \
                         {reporting} report its traffic"
                    ),
                );
            }
        }
    }
}

fn edge(event: &StoredEvent) -> Edge {
    let text = |name| event.text(name).to_owned();
    let kind = objects::stored_kind(event.text("relationshipType")).to_owned();
    (text("sourceEntityGuid"), kind, text("targetEntityGuid"))
}

/// A relationship is as old as the newer of the two samples that show its ends.
fn times(finding: &mut Finding, record: &Record) {
    let sampled: BTreeSet<(&str, UnixMillis)> = record
        .newrelic
        .samples
        .iter()
        .map(|event| (event.text("entityGuid"), event.timestamp))
        .collect();
    for event in &record.newrelic.relationship_events {
        finding.examine();
        let ends = ["sourceEntityGuid", "targetEntityGuid"].map(|name| event.text(name));
        // The sample itself may have been given up when memory was full.
        let lost = || record.pipelines.iter().any(PipelineRecord::lost_events);
        if !ends.iter().any(|guid| sampled.contains(&(*guid, event.timestamp))) && !lost() {
            finding.violate(
                Some(event.stored_at),
                format!(
                    "{} has time {}, at which neither end was sampled",
                    objects::describe(record, &edge(event)),
                    event.timestamp
                ),
            );
        }
    }
}

/// Relationships are told again and again: New Relic forgets those that are not. What a fault kept
/// from being told is due again once all is healed.
fn confirmations(finding: &mut Finding, record: &Record, required: &BTreeSet<Edge>) {
    let limit = record.scenario.expect.freshness_max.0 + RELATIONSHIPS_EVERY;
    let mut newest: BTreeMap<Edge, SimTime> = BTreeMap::new();
    for event in &record.newrelic.relationship_events {
        let at = newest.entry(edge(event)).or_default();
        *at = (*at).max(event.stored_at);
    }
    for (edge, at) in newest.iter().filter(|(edge, _)| required.contains(*edge)) {
        finding.examine();
        let age = record.end - *at;
        if record.end - (*at).max(record.heal) > limit {
            finding.violate(
                Some(record.end),
                format!(
                    "{} was last told {} s ago, limit {} s",
                    objects::describe(record, edge),
                    age.as_secs(),
                    limit.as_secs()
                ),
            );
        }
    }
}
