//! The stored relationships are exactly those of the fleet.

use super::record::Record;
use super::{Check, Class, Finding};
use crate::sim::oracle::objects;

pub const CHECK: Check = Check {
    name: "relationships",
    promise: "clusters manage their brokers, contain topics and groups; groups consume topics",
    class: Class::Oracle,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let required = objects::relationships(record, objects::Moment::End);
    let possible = objects::relationships(record, objects::Moment::Ever);
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
    finding
}
