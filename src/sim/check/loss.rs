//! Nothing is given up beyond what the scenario allows: refused, dropped, turned into dead letters,
//! or gone with a disk that lied.

use super::conservation::missing;
use super::record::Record;
use super::{Check, Class, Finding};

pub const CHECK: Check = Check {
    name: "loss",
    promise: "no more events are given up than the scenario allows",
    class: Class::Safety,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    let mut reasons: Vec<String> = Vec::new();
    let mut lost = 0;
    for life in &record.pipelines {
        finding.examined += life.ledger.enqueued + life.ledger.recovered;
        for (reason, count) in life.ledger.events_lost.iter().filter(|(_, count)| **count > 0) {
            lost += count;
            reasons.push(format!("{count} {reason}"));
        }
    }
    let gone = missing(record);
    if gone > 0 {
        lost += gone;
        reasons.push(format!("{gone} missing"));
    }
    let limit = record.scenario.expect.loss;
    #[expect(clippy::cast_precision_loss, reason = "counts for people")]
    finding.measure(lost as f64, limit as f64, "events");
    if lost > limit {
        let reasons = reasons.join(", ");
        finding.violate(None, format!("{lost} events were given up ({reasons}), at most {limit}"));
    }
    finding
}
