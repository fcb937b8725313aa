//! An entity is visible soon after its first event.

use std::time::Duration;

use super::record::Record;
use super::{Check, Class, Finding};
use crate::sim::fault::{Fault, NewRelicFault};
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "synthesis lag",
    promise: "an entity is visible within the limit after its first event was taken",
    class: Class::Liveness,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let limit = record.scenario.expect.synthesis_lag_max.0;
    for entity in &record.newrelic.entities {
        let limit = limit + extra_lag(record, entity.first_event_at);
        // Entities whose lag reaches past the end are not due yet.
        if entity.first_event_at + limit > record.end {
            continue;
        }
        finding.examine();
        let lag = entity.visible_at - entity.first_event_at;
        finding.measure(lag.as_secs_f64(), limit.as_secs_f64(), "s");
        if lag > limit || entity.visible_at > record.end {
            finding.violate(
                Some(entity.first_event_at),
                format!(
                    "{} `{}` became visible {} ms after its first event, limit {} ms",
                    entity.type_name,
                    entity.name,
                    lag.as_millis(),
                    limit.as_millis()
                ),
            );
        }
    }
    finding
}

/// How much later than usual New Relic itself was with what it saw first at `at`.
fn extra_lag(record: &Record, at: SimTime) -> Duration {
    let lags = record.faults.iter().filter(|fault| fault.from <= at && at <= fault.to);
    lags.flat_map(Fault::newrelic).map(NewRelicFault::lag).max().unwrap_or_default()
}
