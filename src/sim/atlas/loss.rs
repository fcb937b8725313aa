//! Which events a plan makes impossible to keep.
//!
//! How much an outage piles up is bounded from above by the fleet's size: where even that fits the
//! limits of memory and spool, nothing may be given up for want of room.
//!
//! Invariant: only faults of a time at which a life's events could wait excuse what it gave up, and
//! no more events than could wait then.

use std::time::Duration;

use super::{Atlas, Span, Spans};
use crate::sim::scenario::Scenario;
use crate::sim::time::SimTime;

/// More bytes than any event of ours has.
pub const EVENT_BYTES: u64 = 3_000;
/// More events than the pipeline sends about itself in one cycle, for each guarded component.
const OWN_EVENTS: u64 = 12;
/// Components that every pipeline has, beside its sources.
const OWN_COMPONENTS: u64 = 4;

/// What makes it possible that events are given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excuse {
    /// A fault's label, or what is too small.
    pub why: String,
    /// The most events that it explains, as far as the plan can tell.
    pub events_max: u64,
}

/// When the events of one life of the pipeline waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Since when the oldest may have: before its start, if it found some in the spool.
    pub waiting_since: SimTime,
    /// Its start.
    pub started: SimTime,
    /// Its end.
    pub ended: SimTime,
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
    batch_bytes: u64,
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
            batch_bytes: pipeline.batch_bytes.0,
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

/// How much fits where events wait.
struct Room {
    events: u64,
    bytes: u64,
    /// Most bytes that go at once when it overflows.
    step_bytes: u64,
    /// What to say of one that not even a cycle's events fit into.
    small: &'static str,
}

impl Room {
    fn overflows(&self, events: u64) -> bool {
        events > self.events || events.saturating_mul(EVENT_BYTES) > self.bytes
    }

    /// Events that are surely still in it after it overflowed.
    fn left(&self) -> u64 {
        self.events.min(self.bytes.saturating_sub(self.step_bytes) / EVENT_BYTES)
    }
}

impl Atlas {
    /// What makes it possible that a life gave up events for `reason`, as the pipeline's account
    /// names it; `None` if nothing does.
    pub fn loss(&self, reason: &str, life: &Lifetime) -> Option<Excuse> {
        match reason {
            "forbidden" => self.refused(&[401, 403], life),
            "bad_request" => self.refused(&[400], life),
            "unsupported_media_type" => self.refused(&[415], life),
            "event_too_large" => self.refused(&[413], life),
            "buffer_full" => self.memory_overflows(life),
            "spool_full" => self.spool_overflows(life),
            "expired" => self.events_expire(life),
            "unreadable" => self.spool_is_damaged(life),
            _ => None,
        }
    }

    fn refused(&self, statuses: &[u16], life: &Lifetime) -> Option<Excuse> {
        self.refusal(statuses, life.started, life.ended).map(unbounded)
    }

    /// A spool is found damaged after a power loss, if its disk had lied before.
    fn spool_is_damaged(&self, life: &Lifetime) -> Option<Excuse> {
        let lied_before = |loss: &&Span| {
            let by = loss.to.min(life.started);
            loss.from <= life.started && self.lying_disk.touching(SimTime::ZERO, by).is_some()
        };
        self.power_loss.iter().find(lied_before).map(unbounded)
    }

    fn memory_overflows(&self, life: &Lifetime) -> Option<Excuse> {
        let settings = &self.settings;
        // With a sound spool memory alone holds one cycle's events for a moment.
        let hindered = match (settings.has_spool, self.spool_may_be_absent(life.started)) {
            (true, false) => self.disk.clone(),
            (true, true) => self.disk.and(&self.ingest),
            (false, _) => self.ingest.clone(),
        };
        let room = Room {
            events: settings.buffer_events,
            bytes: settings.memory_bytes,
            step_bytes: EVENT_BYTES,
            small: "memory that is small for one cycle",
        };
        self.overflow(&room, &hindered, life.started, life.ended)
    }

    fn spool_overflows(&self, life: &Lifetime) -> Option<Excuse> {
        let room = Room {
            events: u64::MAX,
            bytes: self.settings.spool_bytes,
            step_bytes: self.settings.batch_bytes,
            small: "a spool that is small for one cycle",
        };
        self.overflow(&room, &self.waiting(), life.waiting_since, life.ended)
    }

    /// What overflows a room from `from` to `to`, if events leave it late while `hindered`. Pauses
    /// between hindrances that are too short to recover in are counted with them.
    fn overflow(
        &self,
        room: &Room,
        hindered: &Spans,
        from: SimTime,
        to: SimTime,
    ) -> Option<Excuse> {
        let (settings, recovery) = (&self.settings, self.settings.recovery);
        let hindered = hindered.within(from, to);
        let why = hindered.longest().map_or(room.small, |span| &span.why).to_owned();
        if room.overflows(settings.events_in(Duration::ZERO)) {
            return Some(Excuse { why, events_max: settings.events_in(to - from) });
        }
        let piled = hindered.joined(recovery).into_iter();
        let piled = piled.map(|(from, to)| settings.events_in(to - from + recovery));
        let events_max = piled.filter(|events| room.overflows(*events));
        let events_max = events_max.map(|events| events.saturating_sub(room.left())).sum();
        (events_max > 0).then_some(Excuse { why, events_max })
    }

    /// Events expire when they waited too long, or when the clock says so.
    fn events_expire(&self, life: &Lifetime) -> Option<Excuse> {
        let (settings, recovery) = (&self.settings, self.settings.recovery);
        let hindered = self.waiting().within(life.waiting_since, life.ended);
        let all = hindered.and(&self.jumps_ahead()).within(life.waiting_since, life.ended);
        let mut excuse = Excuse { why: String::new(), events_max: 0 };
        for (from, to) in all.joined(recovery) {
            // What nothing hinders has left before the next cycle's events come.
            let calm = hindered.touching(from, to).is_none();
            let (wait, length) = match calm {
                true => (settings.interval, to - from),
                false => (to - from + recovery, to - from + recovery),
            };
            if wait + self.clock_ahead(from, (to + recovery).min(life.ended)) > settings.spool_age {
                let longest = all.within(from, to).longest().cloned();
                excuse.why = longest.map_or(excuse.why, |span| span.why);
                excuse.events_max += settings.events_in(length);
            }
        }
        (excuse.events_max > 0).then_some(excuse)
    }

    /// The instants at which the clock jumps ahead.
    fn jumps_ahead(&self) -> Spans {
        let before = std::iter::once(0).chain(self.clock.iter().map(|jump| jump.offset_ms));
        let ahead = self.clock.iter().zip(before).filter(|(jump, before)| jump.offset_ms > *before);
        let span = |jump: &super::Jump| Span { from: jump.at, to: jump.at, why: jump.why.clone() };
        Spans::new(ahead.map(|(jump, _)| span(jump)).collect())
    }

    /// When events wait: ingest or the disk is hindered, or the pipeline is not there to send.
    fn waiting(&self) -> Spans {
        self.ingest.and(&self.disk).and(&self.absent)
    }
}

/// The plan does not tell how many events it hits.
fn unbounded(span: &Span) -> Excuse {
    Excuse { why: span.why.clone(), events_max: u64::MAX }
}
