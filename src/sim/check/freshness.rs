//! At the end, the newest stored sample of every object that can be observed is young.

use std::collections::BTreeMap;
use std::time::Duration;

use super::record::Record;
use super::{Check, Class, Finding};
use crate::sim::oracle::objects;
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "freshness",
    promise: "after healing, the newest stored sample of every live object is young",
    class: Class::Liveness,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let limit = record.scenario.expect.freshness_max.0;
    let mut newest: BTreeMap<&str, SimTime> = BTreeMap::new();
    for event in &record.newrelic.samples {
        // An event whose time fits no cycle is ground truth's to judge; it makes nothing fresh.
        let Some((made, _)) = record.origin(event) else { continue };
        let at = newest.entry(event.text("entityGuid")).or_insert(made);
        *at = (*at).max(made);
    }
    for object in objects::live(record) {
        finding.examine();
        let Some(at) = newest.get(object.guid.as_str()) else {
            finding.violate(Some(record.end), format!("{object} has no stored sample at all"));
            continue;
        };
        let age = record.end - *at;
        finding.measure(age.as_secs_f64(), limit.as_secs_f64(), "s");
        if age > limit {
            finding.violate(
                Some(record.end),
                format!(
                    "the newest sample of {object} is {} s old, limit {} s",
                    seconds(age),
                    seconds(limit)
                ),
            );
        }
    }
    finding
}

/// Seconds, to hundredths.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100.0).round() / 100.0
}
