//! Descriptive attributes: names, places, settings.

use std::collections::BTreeMap;

use super::Figures;
use crate::sim::check::record::FleetRecord;
use crate::sim::fleet::{GroupTruth, MetadataTruth, Observed};
use crate::sim::time::SimTime;

/// Admissible texts by attribute.
pub type Texts = BTreeMap<&'static str, Vec<String>>;

const SETTINGS: &[(&str, &str)] = &[
    ("retention.ms", "retentionMs"),
    ("min.insync.replicas", "minInSyncReplicas"),
    ("segment.ms", "segmentMs"),
    ("cleanup.policy", "cleanupPolicy"),
    ("compression.type", "compressionType"),
];

/// A topic's settings as last told up to `until`; the collector asks seldom.
pub fn settings(fleet: &FleetRecord, topic: &str, until: SimTime) -> (Figures, Texts) {
    let upto = fleet.journal.between(SimTime::ZERO, until);
    let told = fleet.journal.configs(topic, &upto).next_back().and_then(|seen| match &seen.what {
        Observed::Configs { values, .. } => Some(values),
        _ => None,
    });
    let (mut figures, mut texts) = (Figures::new(), Texts::new());
    for (name, value) in told.into_iter().flatten() {
        let Some((_, attribute)) = SETTINGS.iter().find(|(setting, _)| setting == name) else {
            continue;
        };
        match value.parse() {
            Ok(number) => drop(figures.insert(attribute, vec![number])),
            Err(_) => drop(texts.insert(attribute, vec![value.to_string()])),
        }
    }
    (figures, texts)
}

/// The number and texts of a group's description.
pub fn group(truth: Option<&GroupTruth>) -> (Figures, Texts) {
    let (mut figures, mut texts) = (Figures::new(), Texts::new());
    if let Some(truth) = truth {
        figures.insert("coordinatorId", vec![f64::from(truth.coordinator)]);
        texts.insert("state", vec![truth.state.to_owned()]);
        if !truth.protocol.is_empty() {
            texts.insert("assignmentStrategy", vec![truth.protocol.to_string()]);
        }
    }
    (figures, texts)
}

/// Controllers that the metadata named.
pub fn controllers(truths: &[&MetadataTruth]) -> Vec<f64> {
    truths.iter().filter_map(|truth| truth.known_controller()).map(f64::from).collect()
}

/// Ports that the metadata named for a broker.
pub fn ports(broker: i32, truths: &[&MetadataTruth]) -> Vec<f64> {
    let known = truths.iter().flat_map(|truth| &truth.brokers).filter(|known| known.id == broker);
    known.map(|known| f64::from(known.port)).collect()
}

/// What every event of an object says of it.
pub fn common(type_name: &str, cluster: &str, own: &str, environment: &str) -> Texts {
    let display_name = match type_name {
        "MESSAGE_QUEUE_CLUSTER" => format!("kafka-cluster-{cluster}"),
        "MESSAGE_QUEUE_BROKER" => format!("{cluster}-broker-{own}"),
        _ => own.to_owned(),
    };
    Texts::from([
        ("displayName", vec![display_name]),
        ("provider", vec!["kafka".to_owned()]),
        ("environment", vec![environment.to_owned()]),
        ("tags.environment", vec![environment.to_owned()]),
    ])
}

/// Where a broker is.
pub fn place(broker: i32, truths: &[&MetadataTruth]) -> Texts {
    let mut texts = Texts::new();
    for known in truths.iter().flat_map(|t| &t.brokers).filter(|known| known.id == broker) {
        texts.entry("hostname").or_default().push(known.host.to_string());
        if let Some(rack) = &known.rack {
            texts.entry("rack").or_default().push(rack.to_string());
        }
    }
    texts
}
