//! No task of any host panics, and time goes on.

use super::record::Record;
use super::{Check, Class, Finding};

pub const CHECK: Check = Check {
    name: "no panic",
    promise: "no task panics and the simulated world runs to its end",
    class: Class::Safety,
    examine,
};

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    for _ in &record.pipelines {
        finding.examine();
    }
    if let Some(broken) = &record.broken {
        finding.violate(Some(record.end), broken.to_string());
    }
    finding
}
