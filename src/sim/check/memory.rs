//! Memory is bounded: queues, stages, caches and the spool never held more than they may.

use super::record::Record;
use super::{Check, Class, Finding};

pub const CHECK: Check = Check {
    name: "bounded memory",
    promise: "queues, caches and the spool never hold more than their configured caps",
    class: Class::Safety,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    for life in &record.pipelines {
        for bounded in &life.resilience.memory {
            finding.examine();
            // Percent of the cap, so that bytes and events have one margin.
            let percent = bounded.peak.saturating_mul(1_000) / bounded.cap.max(1);
            #[expect(clippy::cast_precision_loss, reason = "thousandths for people")]
            finding.measure(percent as f64 / 10.0, 100.0, "%");
            if bounded.peak > bounded.cap {
                let (what, peak, cap) = (&bounded.what, bounded.peak, bounded.cap);
                finding.violate(Some(life.ended), format!("{peak} {what}, at most {cap}"));
            }
        }
    }
    finding
}
