//! Everything a run leaves behind for the checks to judge: plain data, no handles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::answers::Answers;
use super::user::UserRecord;
use crate::alerts::Priority;
use crate::domain::units::UnixMillis;
use crate::hybrid::mode::Mode;
use crate::resilience::breaker::StateKind;
use crate::resilience::recovery::ComponentState;
use crate::sim::fault::Fault;
use crate::sim::scenario::Scenario;
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::world::WorldError;

/// One run, ended.
pub struct Record {
    /// What was asked for.
    pub scenario: Scenario,
    /// Its seed.
    pub seed: Seed,
    /// The faults with their times.
    pub faults: Vec<Fault>,
    /// When the run ended; before the scenario's end if the world broke.
    pub end: SimTime,
    /// When the last fault had ended.
    pub heal: SimTime,
    /// What broke the world.
    pub broken: Option<WorldError>,
    /// Steps in which the network lets time pass; zero if it is exact.
    pub tick: Duration,
    /// Each fleet's own account.
    pub fleets: BTreeMap<String, FleetRecord>,
    /// Each life of the pipeline, in order.
    pub pipelines: Vec<PipelineRecord>,
    /// What New Relic holds.
    pub newrelic: NewRelicRecord,
    /// What became of the crash points.
    pub crash_points: Vec<CrashPointRecord>,
    /// What somebody was told who asked New Relic at the end.
    pub user: UserRecord,
}

/// One crash point, over.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CrashPointRecord {
    /// Whose.
    pub host: String,
    /// The event after which it was to go down.
    pub event: u64,
    /// Its events while the crash point was in force, those of its next life included.
    pub events: u64,
    /// When it went down; `None` when it had fewer events.
    pub crashed_at: Option<SimTime>,
}

/// What a fleet did and what it told whom.
pub struct FleetRecord {
    /// Every answer a broker gave, in order of time.
    pub journal: Answers,
    /// Broker ids.
    pub brokers: Vec<i32>,
    /// When each broker was down.
    pub down: BTreeMap<i32, Vec<(SimTime, SimTime)>>,
    /// Topics, without internal ones.
    pub topics: BTreeSet<String>,
    /// Consumer groups.
    pub groups: BTreeSet<String>,
}

/// One life of the pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineRecord {
    /// From.
    pub started: SimTime,
    /// To; the end of the run for the last one.
    pub ended: SimTime,
    /// Whether it ended by a crash, and so took its memory with it.
    pub crashed: bool,
    /// Its own account.
    pub ledger: LedgerRecord,
    /// Its cycles.
    pub cycles: Vec<CycleRecord>,
    /// What it sent to New Relic, as its ports saw it, in the order of the begins.
    pub posts: Vec<PostRecord>,
    /// What its guards did.
    pub resilience: ResilienceRecord,
    /// Its books at several instants; empty unless the run's trace is kept.
    pub books: Vec<BooksRecord>,
}

/// The account of events at one instant of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BooksRecord {
    /// When.
    pub at: SimTime,
    /// Events handed to the streamer so far.
    pub enqueued: u64,
    /// Events that wait in the spool.
    pub spooled: u64,
    /// Events that wait in memory alone.
    pub staged: u64,
    /// Bytes of events in memory.
    pub held_bytes: u64,
}

/// One POST, as the pipeline's ports saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostRecord {
    /// When the pipeline handed it over.
    pub began: SimTime,
    /// When the pipeline heard of its end; `None` when it was given up or cut off before.
    pub ended: Option<SimTime>,
    /// Its `X-Request-Id`; a repetition has the same.
    pub request_id: String,
    /// What came back.
    pub answer: PostAnswer,
    /// The wait that the answer asked for.
    pub retry_after: Option<Duration>,
    /// Events in its body, if the answer refused them.
    pub refused_events: u64,
}

/// What came back on a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostAnswer {
    /// A whole answer that says so.
    Accepted,
    /// A 2xx that cannot be read: New Relic took it, and the pipeline cannot know.
    Unreadable,
    /// This status.
    Refused(u16),
    /// No answer; whether any of the request may have left.
    None {
        /// It may have.
        sent: bool,
    },
}

impl PostRecord {
    /// Whether the pipeline knows that New Relic took it.
    pub fn accepted(&self) -> bool {
        self.answer == PostAnswer::Accepted && self.ended.is_some()
    }
}

/// What breakers, recovery and memory of one life said of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResilienceRecord {
    /// Its breakers.
    pub breakers: Vec<BreakerRecord>,
    /// Its recovery manager; `None` when it had none.
    pub recovery: Option<RecoveryRecord>,
    /// Whatever is bounded, with its bound.
    pub memory: Vec<MemoryRecord>,
}

/// One breaker's account and all its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerRecord {
    /// Its name, e.g. `event-api`.
    pub name: String,
    /// Failures in a row that open it.
    pub failure_threshold: u32,
    /// Successes in a row that close it from half-open.
    pub success_threshold: u32,
    /// Calls that may be under way at once while it is half-open.
    pub half_open_max: u32,
    /// Shortest time that it stays open.
    pub retry_delay: Duration,
    /// Where it stood at the end.
    pub state: StateKind,
    /// Transitions, as it counted them.
    pub generation: u64,
    /// Transitions to open, as it counted them.
    pub opens: u64,
    /// Everything that it told, in the order in which it told it.
    pub events: Vec<BreakerEventRecord>,
}

/// One event of a breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerEventRecord {
    /// When.
    pub at: SimTime,
    /// What.
    pub what: BreakerNews,
}

/// What a breaker tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerNews {
    /// A call succeeded.
    Success,
    /// A call failed, timed out, panicked, or has an unknown fate.
    Failure,
    /// A call was not let through.
    Rejected,
    /// Its state changed.
    Change {
        /// From.
        from: StateKind,
        /// To.
        to: StateKind,
    },
    /// Somebody tripped, reset or forced it: what follows obeys no threshold.
    ByHand,
}

/// What a recovery manager said at the end of a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryRecord {
    /// Its components.
    pub components: Vec<ComponentRecord>,
}

/// One component at the end of a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentRecord {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: ComponentState,
    /// Times it was not healthy.
    pub incidents: u64,
    /// Of which it came back.
    pub recovered: u64,
    /// Sum of the times that took.
    pub recovery_time: Duration,
}

/// Something that is bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryRecord {
    /// What, e.g. `spool bytes` or `staged events`.
    pub what: String,
    /// The most there was at once.
    pub peak: u64,
    /// The most there may be.
    pub cap: u64,
}

/// The pipeline's account of samples and events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerRecord {
    /// Raw samples collected.
    pub collected: u64,
    /// Raw samples transformed.
    pub transformed: u64,
    /// Raw samples rejected, by reason.
    pub samples_rejected: BTreeMap<String, u64>,
    /// Events handed to the streamer.
    pub enqueued: u64,
    /// Events that New Relic acknowledged.
    pub acknowledged: u64,
    /// Events given up, by reason.
    pub events_lost: BTreeMap<String, u64>,
    /// Events waiting.
    pub in_flight: u64,
    /// Events sent with an unknown fate, counted at each send.
    pub unknown_sends: u64,
    /// Events that it found in the spool when it began.
    pub recovered: u64,
    /// Of those in flight: durable in the spool.
    pub spooled: u64,
    /// Of those in flight: only in memory.
    pub staged: u64,
    /// Of those given up: kept as dead letters, which can be sent again.
    pub dead_lettered: u64,
}

/// One cycle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CycleRecord {
    /// Its number within its life, from 1.
    pub number: u64,
    /// Begin.
    pub started: SimTime,
    /// Begin on the pipeline's wall clock.
    pub wall: UnixMillis,
    /// End of its collection.
    pub collected: SimTime,
    /// End.
    pub ended: SimTime,
    /// How long asking the sources took.
    pub collecting: Duration,
    /// Whether a crash cut it off: it then reported nothing.
    pub cut_off: bool,
    /// Starts that it said to have skipped.
    pub skipped: u64,
    /// Parts that the cycle reported as missing, by cluster and kind (`scrape`, `log_dirs`, …).
    pub missing: BTreeMap<String, BTreeMap<String, u64>>,
    /// Clusters of which it reported that nothing could be collected.
    pub failed: Vec<String>,
    /// The mode that it said it ran in.
    pub mode: Mode,
    /// What it said of the desired topology, when it compared.
    pub gaps: Option<GapsRecord>,
}

/// What a cycle said of the desired topology.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GapsRecord {
    /// Desired entities.
    pub desired: u64,
    /// Of which there and fresh.
    pub fresh: u64,
    /// Of which silent for longer than the tolerance.
    pub stale: u64,
    /// Of which never seen.
    pub missing: u64,
    /// Stand-ins.
    pub filled: u64,
    /// Gaps that the limits left without one.
    pub unfilled: u64,
}

/// What New Relic holds.
#[derive(Default)]
pub struct NewRelicRecord {
    /// Stored `MessageQueue` events that tell what a fleet said, in order of storing.
    pub samples: Vec<StoredEvent>,
    /// Stored `MessageQueue` events that tell what the pipeline's model said.
    pub stand_ins: Vec<StoredEvent>,
    /// Stored `MessageQueueRelationship` events in which a stand-in takes part.
    pub stand_in_relationships: Vec<StoredEvent>,
    /// Stored events about gaps and coverage, of both types.
    pub gap_events: Vec<StoredEvent>,
    /// Stored `MessageQueueRelationship` events.
    pub relationship_events: Vec<StoredEvent>,
    /// Stored events about the pipeline's own breakers, of every type.
    pub monitor_events: Vec<StoredEvent>,
    /// Stored events about windows of time.
    pub window_events: Vec<StoredEvent>,
    /// Events about incidents, in order of time.
    pub incidents: Vec<IncidentRecord>,
    /// Entities.
    pub entities: Vec<EntityRecord>,
    /// Relationships: source GUID, kind, target GUID.
    pub relationships: BTreeSet<(String, String, String)>,
    /// Events that its store had to give up, for their age or for want of memory.
    pub evicted: u64,
    /// Events that it had accepted and not yet stored when the run ended.
    pub unstored: u64,
    /// Messages of `NrIntegrationError` rows.
    pub integration_errors: Vec<String>,
    /// The requests that reached it, by arrival.
    pub requests: Vec<RequestSeen>,
}

/// One event about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRecord {
    /// The incident's id.
    pub id: String,
    /// Whether it opened; else it closed.
    pub is_open: bool,
    /// Name of the condition.
    pub condition: String,
    /// GUID of the entity, wire form; empty when none is known.
    pub guid: String,
    /// `warning` or `critical`.
    pub priority: String,
    /// When New Relic knew.
    pub at: SimTime,
    /// Begin of the first bad window.
    pub degraded_at: SimTime,
}

impl IncidentRecord {
    /// Whether it is as bad as a term of `priority`.
    pub fn is_of(&self, priority: Priority) -> bool {
        self.priority.eq_ignore_ascii_case(priority.as_str())
    }
}

/// One request, as New Relic saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSeen {
    /// When its head arrived.
    pub at: SimTime,
    /// Its `X-Request-Id`.
    pub request_id: String,
    /// Whether it was taken, whatever became of the answer.
    pub accepted: bool,
    /// Events stored from it.
    pub events_stored: u64,
}

/// Names of the attributes of events of one form, each list sorted.
#[derive(Debug, Default, PartialEq)]
pub struct Names {
    /// Of numeric attributes.
    pub numbers: Vec<Arc<str>>,
    /// Of text attributes.
    pub texts: Vec<Arc<str>>,
}

/// One stored event; events of one form share their names.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its `timestamp` attribute.
    pub timestamp: UnixMillis,
    /// When New Relic took it.
    pub stored_at: SimTime,
    /// Names of its attributes.
    pub names: Arc<Names>,
    /// Numeric attributes, in the order of their names.
    pub numbers: Box<[f64]>,
    /// Text attributes, in the order of their names.
    pub texts: Box<[Arc<str>]>,
}

fn place(names: &[Arc<str>], name: &str) -> Option<usize> {
    names.binary_search_by(|known| known.as_ref().cmp(name)).ok()
}

impl PipelineRecord {
    /// Whether some of its events were never stored: given up, or lost with its memory.
    pub fn lost_events(&self) -> bool {
        self.ledger.in_flight > 0 || self.ledger.events_lost.values().any(|count| *count > 0)
    }
}

impl CycleRecord {
    /// Whether the cycle says that it got everything there was to know of `cluster`.
    pub fn claims_all(&self, cluster: &str) -> bool {
        let missing = || self.missing.get(cluster).is_some_and(|parts| !parts.is_empty());
        !self.cut_off && !missing()
    }

    /// Parts of this kind that it reported as missing.
    pub fn missing(&self, cluster: &str, kind: &str) -> u64 {
        let parts = self.missing.get(cluster);
        parts.and_then(|parts| parts.get(kind)).copied().unwrap_or(0)
    }
}

impl StoredEvent {
    /// A text attribute, or "".
    pub fn text(&self, name: &str) -> &str {
        self.known_text(name).unwrap_or("")
    }

    /// A text attribute.
    pub fn known_text(&self, name: &str) -> Option<&str> {
        place(&self.names.texts, name).map(|at| self.texts[at].as_ref())
    }

    /// A numeric attribute.
    pub fn number(&self, name: &str) -> Option<f64> {
        place(&self.names.numbers, name).map(|at| self.numbers[at])
    }

    /// All numeric attributes, in order of their names.
    pub fn numbers(&self) -> impl Iterator<Item = (&str, f64)> {
        self.names.numbers.iter().map(AsRef::as_ref).zip(self.numbers.iter().copied())
    }
}

/// One synthesized entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRecord {
    /// Wire form of its GUID.
    pub guid: String,
    /// `MESSAGE_QUEUE_TOPIC` and so on.
    pub type_name: String,
    /// Display name.
    pub name: String,
    /// When New Relic took the first event that made it.
    pub first_event_at: SimTime,
    /// When it could first be queried.
    pub visible_at: SimTime,
}

impl Record {
    /// Simulated time of a wall-clock reading on the pipeline's host.
    pub fn sim_time(&self, wall: UnixMillis, skew_ms: i64) -> SimTime {
        let millis = wall.millis_since(self.scenario.epoch()).saturating_sub(skew_ms);
        SimTime::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}
