//! Scenario files: what is simulated, what goes wrong when, and what must hold in the end.
//!
//! Invariants:
//! - A [`Scenario`] that left [`load`] is possible: every host that it names exists, faults of one
//!   target do not overlap, and enough time is left after the last fault to converge.
//! - Its canonical form (JSON with sorted keys and all defaults written out) identifies it.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::alerts::AlertsFile;
use crate::config::quantity::{DurationText, SizeText};
use crate::config::schema::{HookTable, MappingTable, MetricTable, WindowsTable};
use crate::config::toml_file::{FileProblems, Place, Problem, TomlFile};
use crate::config::{ExtensionTables, Extensions, entity_of, resolve_extensions};
use crate::domain::entity::EntityKind;
use crate::domain::metric::MetricId;
use crate::sim::fault::{Fault, FaultSpec, NewRelicFault};
use crate::sim::fleet::broker_host;
use crate::sim::swarm::SwarmSpec;
use crate::sim::time::SimTime;

mod cluster;
mod hybrid;
mod rules;
#[cfg(test)]
mod tests;
mod write;

pub use cluster::{JoinSpec, KafkaSpec, LoadSpec, SurgeSpec};
pub use hybrid::{HybridSpec, SwitchSpec};
pub use write::write;

/// Host that runs the pipeline.
pub const PIPELINE_HOST: &str = "pipeline";
/// Host that runs New Relic.
pub const NEWRELIC_HOST: &str = "newrelic";
/// Host of somebody who asks New Relic what it holds.
pub const USER_HOST: &str = "user";
/// Port of the simulated New Relic (its official "Local" region).
pub const NEWRELIC_PORT: u16 = 3000;
/// How often the pipeline tells all relationships again.
pub const RELATIONSHIPS_EVERY: Duration = Duration::from_secs(60);
/// The built-in scenario's text.
pub const BUILT_IN: &str = include_str!("../../../scenarios/broker-and-newrelic-outage.toml");
/// The built-in scenario's name in messages.
pub const BUILT_IN_NAME: &str = "scenarios/broker-and-newrelic-outage.toml (built in)";

/// Text of the built-in scenario that a sweep runs: one that leaves everything to the seed.
pub const BUILT_IN_SWARM: &str = include_str!("../../../scenarios/swarm.toml");
/// Its name in messages.
pub const BUILT_IN_SWARM_NAME: &str = "scenarios/swarm.toml (built in)";

/// One simulated situation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line that names it.
    #[schemars(extend("x-write" = "for example title = \"A broker crashes\""))]
    pub title: String,
    /// What a user may rely on when it passes.
    #[serde(default)]
    pub promise: String,
    /// Simulated time from start to the last check.
    #[schemars(extend("x-write" = "for example duration = \"10min\""))]
    pub duration: DurationText,
    /// Seed to use when the command line gives none.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Wall-clock time at the start, RFC 3339; decides where on the daily curve the load stands.
    #[serde(default = "default_start")]
    pub start: String,
    /// How large the run was that `shakedown minimize` cut this one down from, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimized_from: Option<String>,
    /// The network between all hosts.
    #[serde(default)]
    pub network: NetworkSpec,
    /// Kafka clusters by name.
    #[schemars(extend("x-write" = "add a table such as [kafka.orders]"))]
    pub kafka: BTreeMap<String, KafkaSpec>,
    /// The simulated New Relic.
    #[serde(default)]
    pub newrelic: NewRelicSpec,
    /// The pipeline under test.
    #[serde(default)]
    pub pipeline: PipelineSpec,
    /// What goes wrong.
    #[serde(default)]
    pub fault: Vec<FaultSpec>,
    /// What the seed decides beyond all that; without it, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm: Option<SwarmSpec>,
    /// Situations that a sweep over this scenario must have met, by the names of their marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sometimes: Vec<String>,
    /// Limits of the checks.
    #[serde(default)]
    pub expect: ExpectSpec,
}

/// Links before any fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSpec {
    /// One-way delay of every link.
    pub latency: DurationText,
    /// Largest extra delay per delivery.
    pub jitter: DurationText,
}

/// The simulated New Relic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewRelicSpec {
    /// Shortest time from acceptance to a visible entity.
    pub synthesis_lag_min: DurationText,
    /// Longest time from acceptance to a visible entity.
    pub synthesis_lag_max: DurationText,
    /// Alert conditions that are there from the start, as settings of `shakedown alerts`; an empty
    /// table means the built-in ones. Without it, none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertsFile>,
}

/// The pipeline under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineSpec {
    /// Time between the starts of two cycles; cycles start at its multiples on the wall clock.
    pub interval: DurationText,
    /// New Relic account that the events go to.
    pub account_id: u64,
    /// Value of the `environment` attribute.
    pub environment: String,
    /// Events per request.
    #[schemars(range(min = 1, max = 5000))]
    pub batch_events: u32,
    /// Most events in memory alone: on their way to the spool, or without one.
    #[schemars(range(min = 1))]
    pub buffer_events: u32,
    /// Longest wait for any one answer of a broker.
    pub request_timeout: DurationText,
    /// Largest body sent, before compression.
    pub batch_bytes: SizeText,
    /// Whether events go through the durable spool on the pipeline's disk.
    pub spool: bool,
    /// Most bytes of events in the spool; beyond it the oldest are given up.
    pub spool_size_max: SizeText,
    /// Oldest that an event in the spool may become before it is given up.
    pub spool_age_max: DurationText,
    /// Most bytes of events in memory, whether or not they are on disk as well.
    pub memory_max: SizeText,
    /// The breaker in front of New Relic's ingest.
    pub event_api: EventApiSpec,
    /// Whether relationships also tell which brokers serve each topic.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub serves: bool,
    /// What should be there, and what the pipeline does about what is not; without it, it knows of
    /// nothing that should.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid: Option<HybridSpec>,
    /// Windows of time; as `[windows]` of pipeline.toml (docs/CONFIG.md).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<WindowsTable>,
    /// Metrics of one's own; as `[[metric]]` of pipeline.toml.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metric: Vec<MetricTable>,
    /// Mappings; as `[[mapping]]` of pipeline.toml.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mapping: Vec<MappingTable>,
    /// Steps around the stages; as `[[hook]]` of pipeline.toml.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hook: Vec<HookTable>,
}

impl PipelineSpec {
    /// Whether `attribute` of entities of `kind` is a metric or a mapping's target of its own, and
    /// none of the catalogue's.
    pub fn names(&self, kind: EntityKind, attribute: &str) -> bool {
        let is_own = MetricId::lookup(kind, attribute).is_none();
        is_own
            && (self.metric.iter().any(|metric| metric.name == attribute)
                || self.mapping.iter().any(|mapping| mapping.target == attribute))
    }

    /// The mappings whose targets are metrics of the catalogue.
    pub fn catalogue_mappings(&self) -> impl Iterator<Item = CatalogueMapping<'_>> {
        self.mapping.iter().filter_map(|table| {
            let kind = entity_of(table.subject);
            let target = MetricId::lookup(kind, &table.target)?;
            Some(CatalogueMapping { type_name: kind.type_name(), target: target.name(), table })
        })
    }

    /// What it adds to the pipeline, with its places in `file`.
    ///
    /// # Errors
    /// Every problem of these tables.
    fn extensions(&self, file: &TomlFile) -> Result<Extensions, Vec<Problem>> {
        let windows = self.windows.clone().unwrap_or_default();
        resolve_extensions(
            file,
            ExtensionTables {
                place: &Place::root().key("pipeline"),
                windows: &windows,
                metrics: &self.metric,
                mappings: &self.mapping,
                hooks: &self.hook,
                tags: &BTreeMap::new(),
                environment: Some(&self.environment),
            },
            None,
        )
    }
}

/// A mapping to a metric of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct CatalogueMapping<'s> {
    /// Type of the entities that have the metric.
    pub type_name: &'static str,
    /// The metric's name in events.
    pub target: &'static str,
    /// The mapping as written.
    pub table: &'s MappingTable,
}

/// The breaker in front of New Relic's ingest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventApiSpec {
    /// Failures in a row that open it.
    #[schemars(range(min = 1))]
    pub failure_threshold: u32,
    /// Successes in a row that close it again.
    #[schemars(range(min = 1))]
    pub success_threshold: u32,
    /// How long it stays open before it lets a probe through.
    pub retry_delay: DurationText,
}

impl Default for EventApiSpec {
    fn default() -> Self {
        let retry_delay = DurationText::from_secs(10);
        Self { failure_threshold: 3, success_threshold: 2, retry_delay }
    }
}

/// Limits of the checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectSpec {
    /// Longest time from a sample to its visible entity, outside faults.
    pub synthesis_lag_max: DurationText,
    /// Oldest that the newest stored sample of a live object may be at the end.
    pub freshness_max: DurationText,
    /// Largest relative difference between a stored metric and the truth.
    pub relative_error_max: f64,
    /// Longest time from the return of a dependency to the first batch that it takes.
    pub recovery_max: DurationText,
    /// Most events that may be given up, for whatever reason, dead letters included; without it,
    /// as many as the plan of faults makes it impossible to keep, which mostly is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<u64>,
    /// Fewest times that the ingest's breaker must have opened.
    pub breaker_opens_min: u64,
}

fn default_seed() -> u64 {
    1
}

fn default_start() -> String {
    "2026-03-02T09:00:00Z".to_owned()
}

impl Default for NetworkSpec {
    fn default() -> Self {
        Self { latency: DurationText::from_millis(2), jitter: DurationText::from_millis(1) }
    }
}

impl Default for NewRelicSpec {
    fn default() -> Self {
        Self {
            synthesis_lag_min: DurationText::from_secs(2),
            synthesis_lag_max: DurationText::from_secs(15),
            alerts: None,
        }
    }
}

impl Default for PipelineSpec {
    fn default() -> Self {
        Self {
            interval: DurationText::from_secs(15),
            account_id: 1_234_567,
            environment: "simulation".to_owned(),
            batch_events: 100,
            buffer_events: 10_000,
            request_timeout: DurationText::from_secs(5),
            batch_bytes: SizeText(900_000),
            spool: true,
            spool_size_max: SizeText(256 << 20),
            spool_age_max: DurationText::from_secs(24 * 3_600),
            memory_max: SizeText(64 << 20),
            event_api: EventApiSpec::default(),
            serves: false,
            hybrid: None,
            windows: None,
            metric: Vec::new(),
            mapping: Vec::new(),
            hook: Vec::new(),
        }
    }
}

impl Default for ExpectSpec {
    fn default() -> Self {
        Self {
            synthesis_lag_max: DurationText::from_secs(60),
            freshness_max: DurationText::from_secs(60),
            relative_error_max: 1e-9,
            recovery_max: DurationText::from_secs(30),
            loss: None,
            breaker_opens_min: 0,
        }
    }
}

/// Reads a scenario and checks that it is possible; `name` stands in messages.
///
/// # Errors
/// Every problem of the text, each with its place and a fix.
pub fn load(name: &str, text: &str) -> Result<Scenario, FileProblems> {
    let file = TomlFile::parse("scenario", name, text)?;
    let scenario: Scenario = file.read()?;
    file.require(rules::problems(&file, &scenario))?;
    Ok(scenario)
}

/// The JSON Schema of scenario files, as docs/schema/scenario.schema.json holds it.
pub fn schema_text() -> String {
    let schema = schemars::schema_for!(Scenario);
    let text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    format!("{text}\n")
}

impl Scenario {
    /// All hosts that a fault may name, in the order in which they start.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts = vec![NEWRELIC_HOST.to_owned()];
        for (cluster, spec) in &self.kafka {
            let brokers = spec.fleet(cluster).brokers_in_all();
            hosts.extend((1..=brokers).map(|id| broker_host(cluster, id)));
        }
        hosts.push(PIPELINE_HOST.to_owned());
        hosts
    }

    /// The faults with their times, ordered by begin.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            self.fault.iter().filter_map(|spec| spec.fault(&self.network)).collect();
        faults.sort_by_key(|fault| fault.from);
        faults
    }

    /// When the last fault has ended and the last broker has joined; the start without any.
    pub fn heal(&self) -> SimTime {
        let healed = self.faults().iter().map(|fault| fault.to).max().unwrap_or(SimTime::ZERO);
        self.later_starts().into_values().max().unwrap_or(SimTime::ZERO).max(healed)
    }

    /// When hosts of brokers that join later start; all others start at once.
    pub fn later_starts(&self) -> BTreeMap<String, SimTime> {
        let of_cluster = |(cluster, spec): (&String, &KafkaSpec)| {
            let starts = spec.fleet(cluster).later_starts().into_iter();
            let host = |(id, at): (i32, SimTime)| (broker_host(cluster, id), at);
            starts.map(host).collect::<Vec<_>>()
        };
        self.kafka.iter().flat_map(of_cluster).collect()
    }

    /// End of the run.
    pub fn end(&self) -> SimTime {
        SimTime::from(self.duration.0)
    }

    /// Time that must remain after the last fault for every promise to be kept: a cycle that may
    /// be lost to the heal itself, two whole cycles, a broker's return, and the synthesis lag.
    pub fn settle_time(&self) -> Duration {
        let lag = self.newrelic.synthesis_lag_max.0 + self.extra_lag();
        self.pipeline.interval.0 * 4 + lag + self.expect.recovery_max.0 + self.wait_max()
    }

    /// Longest time for which New Relic may ask to be left alone, as far as it is believed.
    pub fn wait_max(&self) -> Duration {
        const BELIEVED_MAX: Duration = Duration::from_secs(300);
        let faults = self.faults();
        let asked = faults.iter().flat_map(Fault::newrelic).filter_map(NewRelicFault::retry_after);
        asked.max().unwrap_or_default().min(BELIEVED_MAX)
    }

    /// What the pipeline is extended with; nothing where the tables have a problem, which [`load`]
    /// has told.
    pub fn extensions(&self) -> Extensions {
        let nowhere = TomlFile::parse("scenario", "scenario", "");
        let extensions = nowhere.ok().map(|file| self.pipeline.extensions(&file));
        extensions.and_then(Result::ok).unwrap_or_default()
    }

    /// Longest extra lag of any late synthesis.
    fn extra_lag(&self) -> Duration {
        let faults = self.fault.iter().filter_map(|spec| spec.late_synthesis.as_ref());
        faults.map(|late| late.lag.0).max().unwrap_or_default()
    }

    /// Wall-clock time at the start.
    pub fn epoch(&self) -> crate::domain::units::UnixMillis {
        let start = self.start.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond);
        crate::domain::units::UnixMillis(start.unwrap_or_default())
    }

    /// The form that identifies the scenario: JSON with sorted keys and every default.
    pub fn canonical(&self) -> String {
        serde_json::to_value(self).map(|value| value.to_string()).unwrap_or_default()
    }
}
