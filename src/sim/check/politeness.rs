//! Who is asked to wait, waits: no POST begins within an announced `Retry-After`.
//!
//! What was under way when the answer came may end; a life that begins later knows of no wait.
//! Waits beyond the pipeline's limit are held against it up to that limit.

use std::time::Duration;

use super::record::{PipelineRecord, PostRecord, Record};
use super::{Check, Class, Finding};
use crate::sim::time::SimTime;

pub const CHECK: Check = Check {
    name: "politeness",
    promise: "no request is begun while New Relic has asked to be left alone",
    class: Class::Safety,
    examine,
};

/// Longest `Retry-After` that a pipeline must believe: what its stream does by default.
const WAIT_MAX: Duration = Duration::from_secs(300);

impl PostRecord {
    /// Until when its answer asked the pipeline to wait.
    pub fn asks_to_wait_until(&self) -> Option<SimTime> {
        Some(self.ended? + self.retry_after?.min(WAIT_MAX))
    }
}

fn examine(record: &Record) -> Finding {
    let mut finding = Finding::new();
    for life in &record.pipelines {
        examine_life(&mut finding, life);
    }
    finding
}

fn examine_life(finding: &mut Finding, life: &PipelineRecord) {
    let mut asked: Vec<(SimTime, SimTime)> = Vec::new();
    for post in &life.posts {
        asked.extend(post.ended.zip(post.asks_to_wait_until()));
    }
    asked.sort_unstable();
    let mut next = asked.into_iter().peekable();
    let mut until = SimTime::ZERO;
    for post in &life.posts {
        finding.examine();
        while let Some((_, end)) = next.next_if(|(answered, _)| *answered < post.began) {
            until = until.max(end);
        }
        // Timers may count whole milliseconds.
        if post.began + Duration::from_millis(1) < until {
            let early = until - post.began;
            finding.violate(
                Some(post.began),
                format!("a request began {} ms before the wait's end", early.as_millis()),
            );
        }
    }
}
