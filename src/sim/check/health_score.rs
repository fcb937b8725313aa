//! The cluster's health score and its confidence equal the oracle's.

use super::record::Record;
use super::{Check, Class, Finding};
use crate::sim::oracle::cycle::group_by_cycle;
use crate::sim::oracle::health;

pub const CHECK: Check = Check {
    name: "health score",
    promise: "the cluster's health score and confidence equal the oracle's",
    class: Class::Oracle,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let (cycles, _) = group_by_cycle(record);
    for events in &cycles {
        let at = Some(events.cycle.started);
        let clusters = events.events.iter();
        let clusters = clusters.filter(|e| e.text("entityType") == "MESSAGE_QUEUE_CLUSTER");
        for event in clusters {
            let admissible = health::expected(record, events);
            finding.examine();
            let found =
                (event.number("cluster.health.score"), event.number("cluster.health.confidence"));
            let equal = |score: &health::Score| {
                found.0 == Some(score.score)
                    && found.1.is_some_and(|found| (found - score.confidence).abs() < 1e-9)
            };
            if !admissible.iter().any(equal) {
                finding.violate(
                    at,
                    format!(
                        "cluster {}: score {:?} with confidence {:?}, must be {}",
                        events.cluster,
                        found.0,
                        found.1,
                        admissible.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
                    ),
                );
            }
        }
    }
    finding
}
