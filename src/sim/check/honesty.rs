//! A cycle in which a broker did not answer says so: failures are counted, never swallowed.

use super::record::{CycleRecord, FleetRecord, PipelineRecord, Record};
use super::{Check, Class, Finding};
use crate::sim::fleet::journal::Observed;
use crate::sim::time::SimTime;

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
                examine_cycle(&mut finding, record, (cluster, fleet), (pipeline, cycle));
            }
        }
    }
    finding
}

fn examine_cycle(
    finding: &mut Finding,
    record: &Record,
    (cluster, fleet): (&str, &FleetRecord),
    (pipeline, cycle): (&PipelineRecord, &CycleRecord),
) {
    for broker in &fleet.brokers {
        // Only a broker that the pipeline has met before can be missed, and only while the
        // cluster's metadata still names it; a fenced broker is the cluster's own news.
        if !known_to_cycle(fleet, *broker, cycle) {
            continue;
        }
        finding.examine();
        let answered = answers(fleet, *broker, cycle.started, cycle.ended);
        let reported = cycle.failures.iter().any(|(name, about)| {
            name == cluster && about.is_none_or(|about| about == *broker)
        });
        if !answered && !reported && record.scenario.kafka[cluster].jmx {
            finding.violate(
                Some(cycle.started),
                format!(
                    "broker {broker} of {cluster} gave no figures to the cycle from {} to {}, and \
                     the pipeline (started {}) does not say so",
                    cycle.started, cycle.ended, pipeline.started
                ),
            );
        }
    }
}

fn known_to_cycle(fleet: &FleetRecord, broker: i32, cycle: &CycleRecord) -> bool {
    let within = |at: SimTime| cycle.started <= at && at <= cycle.ended;
    fleet.journal.iter().any(|seen| {
        within(seen.at)
            && matches!(&seen.what, Observed::Metadata(truth)
                if truth.brokers.iter().any(|known| known.id == broker))
    })
}

fn answers(fleet: &FleetRecord, broker: i32, from: SimTime, to: SimTime) -> bool {
    fleet.journal.iter().any(|seen| {
        seen.broker == broker
            && from <= seen.at
            && seen.at <= to
            && matches!(seen.what, Observed::Scrape(_))
    })
}
