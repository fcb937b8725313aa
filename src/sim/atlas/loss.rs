//! Which events a plan makes impossible to keep.
//!
//! How much an outage piles up is bounded from above by the fleet's size: where even that fits the
//! limits of memory and spool, nothing may be given up for want of room.

use std::time::Duration;

use super::{Atlas, Spans};
use crate::sim::scenario::Scenario;

/// More bytes than any event of ours has.
const EVENT_BYTES: u64 = 3_000;
/// More events than the pipeline sends about itself in one cycle, for each guarded component.
const OWN_EVENTS: u64 = 12;
/// Components that every pipeline has, beside its sources.
const OWN_COMPONENTS: u64 = 4;

/// Whether events may be given up for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// Not under this plan.
    Impossible,
    /// What makes it possible, in words.
    Possible(String),
}

/// What of a scenario decides how much can wait where.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    interval: Duration,
    /// From a return until everything that waited is on its way.
    recovery: Duration,
    has_spool: bool,
    buffer_events: u64,
    memory_bytes: u64,
    spool_bytes: u64,
    spool_age: Duration,
    /// Most events of one cycle.
    cycle_events: u64,
}

impl Settings {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let pipeline = &scenario.pipeline;
        let clusters = scenario.kafka.values().map(|spec| {
            let [brokers, topics, groups] = [spec.brokers, spec.topics, spec.groups].map(u64::from);
            let samples = 1 + brokers + topics + groups;
            // One to each child of the cluster, and from each group to each topic.
            let relationships = brokers + topics + groups + groups * topics;
            samples + relationships
        });
        let components = OWN_COMPONENTS + scenario.kafka.len() as u64;
        Self {
            interval: pipeline.interval.0,
            recovery: scenario.expect.recovery_max.0 + scenario.wait_max(),
            has_spool: pipeline.spool,
            buffer_events: pipeline.buffer_events.into(),
            memory_bytes: pipeline.memory_max.0,
            spool_bytes: pipeline.spool_size_max.0,
            spool_age: pipeline.spool_age_max.0,
            cycle_events: clusters.sum::<u64>() + components * OWN_EVENTS,
        }
    }

    /// Most events that cycles make in `time`.
    fn events_in(&self, time: Duration) -> u64 {
        let interval = self.interval.as_millis().max(1);
        let cycles = u64::try_from(time.as_millis() / interval).unwrap_or(u64::MAX);
        // One more at each end.
        cycles.saturating_add(2).saturating_mul(self.cycle_events)
    }
}

impl Atlas {
    /// Whether events may be given up for `reason`, as the pipeline's account names it.
    pub fn loss(&self, reason: &str) -> Loss {
        let why = match reason {
            "forbidden" => self.refusal(&[401, 403]),
            "bad_request" => self.refusal(&[400]),
            "unsupported_media_type" => self.refusal(&[415]),
            "event_too_large" => self.too_large.first().map(|(_, span)| span.why.clone()),
            "buffer_full" => self.memory_overflows(),
            "spool_full" => self.spool_overflows(),
            "expired" => self.events_expire(),
            "unreadable" => self.spool_may_forget().map(|span| span.why.clone()),
            _ => None,
        };
        why.map_or(Loss::Impossible, Loss::Possible)
    }

    fn refusal(&self, statuses: &[u16]) -> Option<String> {
        let refusal = self.refusals.iter().find(|(status, _)| statuses.contains(status));
        refusal.map(|(_, span)| span.why.clone())
    }

    /// The longest time in which what waits cannot leave, pauses between outages too short to
    /// recover in counted with them.
    fn longest_wait(&self, spans: &Spans) -> Option<(Duration, String)> {
        let first = spans.iter().max_by_key(|span| span.to - span.from)?;
        let recovery = self.settings.recovery;
        Some((spans.longest(recovery) + recovery, first.why.clone()))
    }

    fn memory_overflows(&self) -> Option<String> {
        let settings = &self.settings;
        // With a sound spool memory alone holds one cycle's events for a moment.
        let hindered = if settings.has_spool { &self.disk } else { &self.ingest };
        let wait = self.longest_wait(hindered);
        let events = settings.events_in(wait.as_ref().map_or(Duration::ZERO, |(wait, _)| *wait));
        let overflows = events > settings.buffer_events
            || events.saturating_mul(EVENT_BYTES) > settings.memory_bytes;
        let small = || "memory that is small for one cycle".to_owned();
        overflows.then(|| wait.map_or_else(small, |(_, why)| why))
    }

    fn spool_overflows(&self) -> Option<String> {
        let settings = &self.settings;
        let wait = self.longest_wait(&self.waiting());
        let events = settings.events_in(wait.as_ref().map_or(Duration::ZERO, |(wait, _)| *wait));
        let overflows = events.saturating_mul(EVENT_BYTES) > settings.spool_bytes;
        let small = || "a spool that is small for one cycle".to_owned();
        overflows.then(|| wait.map_or_else(small, |(_, why)| why))
    }

    fn events_expire(&self) -> Option<String> {
        let jump = self.clock_offset_max();
        let wait = self.longest_wait(&self.waiting());
        let (wait, why) = wait.unwrap_or((self.settings.recovery, "the clock".to_owned()));
        (wait + jump > self.settings.spool_age).then_some(why)
    }

    /// When events wait: ingest or the disk is hindered, or the pipeline is not there to send.
    fn waiting(&self) -> Spans {
        let all = [&self.ingest, &self.disk, &self.absent];
        Spans::new(all.into_iter().flat_map(Spans::iter).cloned().collect())
    }
}
