//! A cycle in which a broker did not answer says so: failures are counted, never swallowed.

use std::collections::BTreeSet;

use super::record::{CycleRecord, FleetRecord, Record};
use super::{Check, Class, Finding};
use crate::sim::oracle::cycle::CycleView;

pub const CHECK: Check = Check {
    name: "honesty",
    promise: "a cycle that could not observe a broker reports that broker",
    class: Class::Safety,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    for pipeline in &record.pipelines {
        for cycle in &pipeline.cycles {
            for (cluster, fleet) in &record.fleets {
                if record.scenario.kafka.get(cluster).is_some_and(|spec| spec.jmx) {
                    examine_cycle(&mut finding, cluster, fleet, cycle);
                }
            }
        }
    }
    finding
}

fn examine_cycle(finding: &mut Finding, cluster: &str, fleet: &FleetRecord, cycle: &CycleRecord) {
    let view = CycleView::new(fleet, cycle.started, cycle.ended);
    let reported = cycle.missing.get(cluster).copied().unwrap_or(0);
    let failed = cycle.failed.iter().any(|name| name == cluster);
    // A broker that the cluster itself has fenced is the cluster's news, not a failure to observe.
    let known: BTreeSet<i32> = view
        .metadata()
        .iter()
        .flat_map(|truth| truth.brokers.iter().map(|broker| broker.id))
        .collect();
    if known.is_empty() {
        finding.examine();
        if !failed {
            finding.violate(
                Some(cycle.started),
                format!("no broker of {cluster} answered, and the cycle does not say so"),
            );
        }
        return;
    }
    let silent: Vec<i32> =
        known.iter().copied().filter(|broker| view.scrape(*broker).is_none()).collect();
    finding.examined += known.len() as u64;
    if !failed && reported < silent.len() as u64 {
        finding.violate(
            Some(cycle.started),
            format!(
                "brokers {silent:?} of {cluster} gave no figures from {} to {}, and the cycle \
                 reports {reported} missing parts",
                cycle.started, cycle.ended
            ),
        );
    }
}
