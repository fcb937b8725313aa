//! The tables that say how failures of the world are met.

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::config::quantity::{DurationText, SizeText, WindowText};
use crate::resilience::breaker::BreakerConfig;

/// Where events wait on disk until New Relic has taken them.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolTable {
    /// Whether events wait on disk; without, they wait in memory, are lost when the process ends,
    /// and there are no dead letters.
    pub enabled: bool,
    /// Folder of its files, relative to the folder of this file, and below it.
    #[schemars(length(min = 1), extend("examples" = ["var/spool"]))]
    pub folder: String,
    /// Most bytes of events that wait; beyond it the oldest are dropped and counted (`spool_full`).
    /// At least `stream.batch_bytes`.
    pub size_max: SizeText,
    /// Longest wait of an event, up to 2d (New Relic refuses older ones); then it is dropped and
    /// counted (`expired`). 0s: what is not taken at once is dropped.
    pub age_max: DurationText,
    /// Whether events are on the disk before they count as kept. Without, a crash of the process or
    /// of the machine may cost all that came since the start, and send again what had left.
    pub sync: bool,
    /// Batches kept that New Relic refused for good or that had all their tries, to be looked at
    /// and sent again (`shakedown spool`); beyond it the oldest go, counted. 0 keeps none.
    pub dead_letters_max: usize,
    /// Most bytes of dead letters; beyond it the oldest go, counted.
    pub dead_letter_bytes_max: SizeText,
}

impl Default for SpoolTable {
    fn default() -> Self {
        Self {
            enabled: true,
            folder: "spool".to_owned(),
            size_max: SizeText(1 << 30),
            age_max: DurationText::from_secs(24 * 3_600),
            sync: true,
            dead_letters_max: 1_000,
            dead_letter_bytes_max: SizeText(64 << 20),
        }
    }
}

/// When a POST that failed is repeated.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryTable {
    /// Most POSTs of one batch, the first included, counted anew after a restart; when the last one
    /// fails the batch becomes a dead letter with the reason `attempts_spent` (without a spool it
    /// is given up and counted). As many as it takes when absent.
    #[schemars(range(min = 1))]
    pub attempts: Option<u32>,
    /// Longest wait before the first repetition; waits are drawn evenly from zero to the longest.
    /// 0s repeats at once.
    pub base: DurationText,
    /// What the longest wait grows by from one repetition to the next.
    #[schemars(range(min = 1))]
    pub factor: f64,
    /// What the longest wait never grows beyond; at least `base`.
    pub delay_max: DurationText,
    /// What a shorter `Retry-After` of New Relic is taken for.
    pub retry_after_min: DurationText,
    /// What a longer `Retry-After` is taken for; at least `retry_after_min`.
    pub retry_after_max: DurationText,
}

impl Default for RetryTable {
    fn default() -> Self {
        Self {
            attempts: None,
            base: DurationText::from_secs(1),
            factor: 2.0,
            delay_max: DurationText::from_secs(15),
            retry_after_min: DurationText::from_secs(0),
            retry_after_max: DurationText::from_secs(300),
        }
    }
}

/// How much is sent and held at most.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsTable {
    /// Most POSTs to the Event API in any minute. New Relic takes 100,000 of one account and
    /// answers 429 for the rest of the minute; share it when several senders use the account.
    #[schemars(range(min = 1))]
    pub posts_per_minute: u32,
    /// Of these: most at once; at most `posts_per_minute`. 1,000 when absent, or
    /// `posts_per_minute` if that is less.
    #[schemars(range(min = 1))]
    pub posts_burst: Option<u32>,
    /// Most NerdGraph requests in any minute. New Relic takes 3,000 queries of one account. The
    /// pipeline makes none yet.
    #[schemars(range(min = 1))]
    pub nerdgraph_per_minute: u32,
    /// Of these: most at once; at most `nerdgraph_per_minute`. 25 when absent (New Relic takes so
    /// many of one user), or `nerdgraph_per_minute` if that is less.
    #[schemars(range(min = 1))]
    pub nerdgraph_burst: Option<u32>,
    /// Most bytes of events in memory, those that are on disk as well included; at least
    /// `stream.buffer_bytes`. 16MiB above `stream.buffer_bytes` when absent.
    pub memory_max: Option<SizeText>,
}

impl Default for LimitsTable {
    fn default() -> Self {
        Self {
            posts_per_minute: 100_000,
            posts_burst: None,
            nerdgraph_per_minute: 3_000,
            nerdgraph_burst: None,
            memory_max: None,
        }
    }
}

/// Circuit breakers, one for each kind of other side.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakersTable {
    /// In front of New Relic's Event API; profile `event-api` when none is named.
    pub event_api: BreakerTable,
    /// In front of each source that is collected from; profile `collector` when none is named. Its
    /// delays are at most half of `pipeline.interval`, so that every cycle may probe.
    pub collector: BreakerTable,
    /// In front of NerdGraph, which the pipeline does not ask yet; profile `nerdgraph-api` when
    /// none is named.
    pub nerdgraph: BreakerTable,
}

/// One circuit breaker: a profile, and what differs from it.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerTable {
    /// Settings to begin with.
    #[schemars(extend("enum" = profiles()))]
    pub profile: Option<String>,
    /// Consecutive failures that open it.
    #[schemars(range(min = 1))]
    pub failure_threshold: Option<u32>,
    /// Successful probes that close it.
    #[schemars(range(min = 1))]
    pub success_threshold: Option<u32>,
    /// Longest duration of a call; a longer one is a failure.
    pub call_timeout: Option<DurationText>,
    /// From opening to the first probe; 0s probes at once.
    pub retry_delay: Option<DurationText>,
    /// What each failed probe multiplies that delay by.
    #[schemars(range(min = 1))]
    pub retry_factor: Option<f64>,
    /// What the delay never grows beyond; at least `retry_delay`.
    pub retry_delay_max: Option<DurationText>,
    /// What it remembers while closed: `none` (all since it closed), a number of calls, or a
    /// duration. Example: `100 calls`.
    pub window: Option<WindowText>,
    /// Fewest calls in the window with which it opens.
    pub volume_threshold: Option<u32>,
    /// Share of failures in the window that opens it, in percent; more than 0.
    #[schemars(range(min = 0, max = 100))]
    pub failure_rate_percent: Option<f64>,
    /// Calls that take longer are slow. 60s when only `slow_call_rate_percent` is given.
    pub slow_call_after: Option<DurationText>,
    /// Share of slow calls in the window that opens it, in percent; more than 0. 100 when only
    /// `slow_call_after` is given.
    #[schemars(range(min = 0, max = 100))]
    pub slow_call_rate_percent: Option<f64>,
    /// Probes under way at the same time.
    #[schemars(range(min = 1))]
    pub half_open_max: Option<u32>,
}

fn profiles() -> Vec<&'static str> {
    BreakerConfig::PROFILES.iter().map(|(name, _)| *name).collect()
}

/// Messages about breakers to a webhook.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsTable {
    /// Where they are POSTed as JSON, `http` or `https`; no alerts when absent. Shown without its
    /// path, which often is a secret.
    #[serde(serialize_with = "host_alone")]
    #[schemars(
        with = "Option<String>",
        extend("format" = "webhook", "examples" = ["https://alerts.example.com/hook"])
    )]
    pub webhook: Option<SecretString>,
    /// What is told of.
    #[schemars(length(min = 1))]
    pub events: Vec<AlertEvent>,
    /// Environment variable whose value is sent along, for the receiver to know the sender by.
    #[schemars(length(min = 1), extend("examples" = ["ALERT_SECRET"]))]
    pub secret_variable: Option<String>,
    /// Header that carries that value.
    #[schemars(extend("format" = "header_name"))]
    pub secret_header: String,
    /// Longest wait for the receiver's answer.
    pub timeout: DurationText,
}

impl Default for AlertsTable {
    fn default() -> Self {
        Self {
            webhook: None,
            events: vec![AlertEvent::CircuitOpened],
            secret_variable: None,
            secret_header: "Authorization".to_owned(),
            timeout: DurationText::from_secs(10),
        }
    }
}

/// An address without what may be secret.
fn host_alone<S: Serializer>(webhook: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    let shown = webhook.as_ref().map(|url| crate::config::load::without_path(url.expose_secret()));
    shown.serialize(to)
}

/// Something that is told of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[schemars(inline)]
pub enum AlertEvent {
    /// A breaker opened.
    #[serde(rename = "circuit.opened")]
    CircuitOpened,
    /// A breaker lets probes pass.
    #[serde(rename = "circuit.half_open")]
    CircuitHalfOpen,
    /// A breaker closed.
    #[serde(rename = "circuit.closed")]
    CircuitClosed,
}

impl AlertEvent {
    /// Its name on the pipeline's bus, e.g. `circuit.opened`.
    pub const fn bus_name(self) -> &'static str {
        match self {
            Self::CircuitOpened => "circuit.opened",
            Self::CircuitHalfOpen => "circuit.half_open",
            Self::CircuitClosed => "circuit.closed",
        }
    }
}

/// Bringing components back that failed.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecoveryTable {
    /// Recovery attempts under way at the same time.
    #[schemars(range(min = 1))]
    pub concurrent_max: usize,
    /// Incidents and attempts kept to be shown; 0 keeps none.
    pub history_max: usize,
    /// Time between attempts that no breaker times; more than 0s.
    pub delay: DurationText,
    /// Age up to which a component's last good result is used in place of a failed call. Sources
    /// have none: old samples never pass for new ones.
    pub cache_age_max: DurationText,
}

impl Default for RecoveryTable {
    fn default() -> Self {
        Self {
            concurrent_max: 5,
            history_max: 100,
            delay: DurationText::from_secs(60),
            cache_age_max: DurationText::from_secs(300),
        }
    }
}

/// Workers that share the tasks of a cycle.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PoolTable {
    /// Tasks that run at the same time.
    #[schemars(range(min = 1))]
    pub workers: u32,
    /// Tasks that may wait beyond those; 0 takes only what a worker is free for.
    pub queue_max: u32,
    /// What becomes of a task that finds no place. The pipeline's own tasks, one for each source,
    /// wait whatever is written here.
    pub policy: QueuePolicyName,
    /// What a task must wait for its priority to rise by one; never when absent.
    pub ageing: Option<DurationText>,
    /// Longest duration of one try of a task. For the pipeline's own it is
    /// `pipeline.collect_deadline`, whatever is written here.
    pub task_timeout: DurationText,
}

impl Default for PoolTable {
    fn default() -> Self {
        Self {
            workers: 5,
            queue_max: 1_000,
            policy: QueuePolicyName::Reject,
            ageing: None,
            task_timeout: DurationText::from_secs(30),
        }
    }
}

/// What becomes of a task that finds no place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum QueuePolicyName {
    /// It is refused.
    Reject,
    /// It waits for a place.
    Wait,
}
