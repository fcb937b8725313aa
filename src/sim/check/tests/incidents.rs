//! Incidents on hand-made runs: one that is missing, late, without cause, out of order.

use super::*;
use crate::alerts::{AlertsFile, plan};
use crate::sim::check::record::IncidentRecord;
use crate::sim::fleet::{MetadataPartition, MetadataTopic, MetadataTruth};

const END: u64 = 1_500;
const METRIC: &str = "cluster.partitions.underReplicated";

fn truth(is_bad: bool) -> Arc<MetadataTruth> {
    let isr = if is_bad { vec![1, 2] } else { vec![1, 2, 3] };
    let partition = MetadataPartition {
        leader: 1,
        leader_epoch: 0,
        replicas: vec![1, 2, 3].into(),
        isr: isr.into(),
    };
    let topic = MetadataTopic { name: "a".into(), internal: false, partitions: vec![partition] };
    Arc::new(MetadataTruth {
        version: 1,
        controller: None,
        brokers: Vec::new(),
        topics: vec![topic],
    })
}

fn guid(record: &Record) -> String {
    let identity = Identity::new("MESSAGE_QUEUE_CLUSTER", "orders", None);
    expected(record.scenario.pipeline.account_id, &identity).1
}

/// A run under the built-in conditions whose partitions are bad from 100 s to 600 s, asked and
/// stored every 15 s.
fn run(is_ever_bad: bool, is_stored: bool) -> Record {
    let mut record = steady();
    record.end = at(END);
    record.scenario.newrelic.alerts = Some(AlertsFile::default());
    let times = (0..END / 15).map(|n| n * 15);
    let asked = times.clone().map(|second| Observation {
        at: at(second),
        broker: 1,
        client_id: "c".into(),
        what: Observed::Metadata(truth(is_ever_bad && (100..600).contains(&second))),
    });
    let fleet = record.fleets.get_mut("orders").expect("a fleet");
    fleet.journal = Answers::new(asked.collect());
    let names = Arc::new(Names { numbers: vec![METRIC.into()], texts: vec!["entityGuid".into()] });
    let guid: Arc<str> = guid(&record).into();
    let sample = |second: u64| StoredEvent {
        timestamp: wall(&record, at(second)),
        stored_at: at(second + 1),
        names: Arc::clone(&names),
        numbers: Box::new([0.0]),
        texts: Box::new([Arc::clone(&guid)]),
    };
    record.newrelic.samples = times.filter(|_| is_stored).map(sample).collect();
    record
}

fn event(record: &Record, id: &str, is_open: bool, second: u64) -> IncidentRecord {
    let plan = plan(&AlertsFile::default()).expect("a plan");
    let rule = plan.conditions.iter().find(|known| known.id == "cluster-under-replicated");
    IncidentRecord {
        id: id.to_owned(),
        is_open,
        condition: rule.expect("the rule").name.clone(),
        guid: guid(record),
        priority: "warning".to_owned(),
        at: at(second),
        degraded_at: at(second.saturating_sub(420)),
    }
}

/// The run with events: the second of an opening, or of a closing below zero.
fn with(mut record: Record, events: &[i64]) -> Record {
    let made = events.iter().map(|second| event(&record, "i", *second > 0, second.unsigned_abs()));
    record.newrelic.incidents = made.collect();
    record
}

#[test]
fn incidents_are_those_of_the_fleet() {
    holds(&with(run(false, true), &[]), "incidents");
    holds(&with(run(true, true), &[540, -1_060]), "incidents");
    breaks(&with(run(true, true), &[]), "incidents", "tells nothing");
    // 480 s after the begin at the latest.
    breaks(&with(run(true, true), &[600, -1_060]), "incidents", "tells nothing");
    breaks(&with(run(true, true), &[540]), "incidents", "still open");
    breaks(&with(run(true, true), &[540, -1_100]), "incidents", "still open");
    breaks(&with(run(false, true), &[540, -1_060]), "incidents", "were well");
    // What New Relic was never told it cannot know.
    holds(&with(run(true, false), &[]), "incidents");
}

#[test]
fn incidents_open_once_and_close_once() {
    breaks(&with(run(true, true), &[540, 541, -1_060]), "incidents", "opened one incident twice");
    breaks(&with(run(true, true), &[540, -1_060, -1_061]), "incidents", "was not open");
    breaks(&with(run(false, true), &[-540]), "incidents", "was not open");
}
