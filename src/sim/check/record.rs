//! Everything a run leaves behind for the checks to judge: plain data, no handles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::units::UnixMillis;
use crate::sim::fault::Fault;
use crate::sim::fleet::Observation;
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
}

/// What a fleet did and what it told whom.
pub struct FleetRecord {
    /// Every answer a broker gave, in order of time.
    pub journal: Vec<Observation>,
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
    /// Whether a crash cut it off: it then reported nothing.
    pub cut_off: bool,
    /// Starts that it said to have skipped.
    pub skipped: u64,
    /// Parts that the cycle reported as missing, by cluster and kind (`scrape`, `log_dirs`, …).
    pub missing: BTreeMap<String, BTreeMap<String, u64>>,
    /// Clusters of which it reported that nothing could be collected.
    pub failed: Vec<String>,
}

/// What New Relic holds.
#[derive(Default)]
pub struct NewRelicRecord {
    /// Stored `MessageQueue` events in order of storing.
    pub samples: Vec<StoredEvent>,
    /// Stored `MessageQueueRelationship` events.
    pub relationship_events: Vec<StoredEvent>,
    /// Entities.
    pub entities: Vec<EntityRecord>,
    /// Relationships: source GUID, kind, target GUID.
    pub relationships: BTreeSet<(String, String, String)>,
    /// Messages of `NrIntegrationError` rows.
    pub integration_errors: Vec<String>,
}

/// One stored event.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its `timestamp` attribute.
    pub timestamp: UnixMillis,
    /// When New Relic took it.
    pub stored_at: SimTime,
    /// Numeric attributes.
    pub numbers: BTreeMap<Arc<str>, f64>,
    /// Text attributes.
    pub texts: BTreeMap<Arc<str>, Arc<str>>,
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
        self.texts.get(name).map_or("", |text| text)
    }

    /// A numeric attribute.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
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
