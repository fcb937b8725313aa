//! What `pipeline.toml` may say: types, defaults, ranges, and the words that document them.
//!
//! The doc comments here are the users' documentation: `docs/CONFIG.md` and
//! `docs/schema/pipeline.schema.json` are generated from them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};

use super::quantity::{DurationText, EndpointText, SizeText};

mod extensions;
mod hybrid;
mod resilience;

pub use extensions::{
    CombineWord, EntityWord, HookLimitTable, HookTable, LevelTable, LookupTable, MappingTable,
    MetricTable, OnErrorWord, OriginWord, PartTable, PerWord, PointWord, RelabelAction,
    RelabelTable, SubjectWord, WindowsTable,
};
pub use hybrid::HybridTable;
pub use resilience::{
    AlertEvent, AlertsTable, BreakerTable, BreakersTable, LimitsTable, PoolTable, QueuePolicyName,
    RecoveryTable, RetryTable, SpoolTable,
};

/// The pipeline: what it reads, how often, and where its events go.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Shakedown pipeline.toml")]
pub struct PipelineFile {
    /// The account that receives the events.
    #[serde(default)]
    pub newrelic: NewRelicTable,
    /// One Kafka cluster each.
    #[serde(default)]
    pub kafka: Vec<KafkaTable>,
    /// Output of New Relic's nri-kafka integration, one source each.
    #[serde(default)]
    pub nri: Vec<NriTable>,
    /// Cycles, and what every entity carries.
    #[serde(default)]
    pub pipeline: CycleTable,
    /// What should be there, and what to do about what is not.
    #[serde(default)]
    pub hybrid: HybridTable,
    /// Batches on their way to New Relic.
    #[serde(default)]
    pub stream: StreamTable,
    /// Where events wait on disk until New Relic has taken them.
    #[serde(default)]
    pub spool: SpoolTable,
    /// When a POST that failed is repeated.
    #[serde(default)]
    pub retry: RetryTable,
    /// How much is sent and held at most.
    #[serde(default)]
    pub limits: LimitsTable,
    /// Circuit breakers, one for each kind of other side; a setting that is absent comes from the
    /// breaker's profile.
    #[serde(default)]
    pub breaker: BreakersTable,
    /// Messages about breakers to a webhook.
    #[serde(default)]
    pub alerts: AlertsTable,
    /// Bringing components back that failed.
    #[serde(default)]
    pub recovery: RecoveryTable,
    /// Workers that share the tasks of a cycle.
    #[serde(default)]
    pub pool: PoolTable,
    /// Windows of time: figures over a span, as events `MessageQueueWindow` beside those of the
    /// entities.
    #[serde(default)]
    pub windows: WindowsTable,
    /// Metrics of your own, made of the catalogue's; `docs/METRICS.md` lists these and explains
    /// expressions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metric: Vec<MetricTable>,
    /// Raw fields that become metrics, beside the catalogue's own table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapping: Vec<MappingTable>,
    /// Steps around the stages, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hook: Vec<HookTable>,
    /// The pipeline's own health and metrics; `docs/MONITORING.md` lists the pages and figures.
    #[serde(default)]
    pub http: HttpTable,
    /// The pipeline's own log, on standard error.
    #[serde(default)]
    pub log: LogTable,
}

/// The account that receives the events.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelicTable {
    /// Account number. `NEW_RELIC_ACCOUNT_ID` overrides it. One of the two is needed.
    #[schemars(range(min = 1, max = 9_999_999_999_u64), extend("examples" = [1234567]))]
    pub account_id: Option<u64>,
    /// License (ingest) key. Better not written here: `NEW_RELIC_LICENSE_KEY` overrides it.
    #[serde(serialize_with = "redacted")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub license_key: Option<SecretString>,
    /// US, EU, JP, GOV, Staging or Local (this machine, port 3000); US when absent.
    /// `NEW_RELIC_REGION` overrides it.
    #[schemars(extend("format" = "region", "examples" = ["US", "EU", "Local"]))]
    pub region: Option<String>,
    /// Event API up to and including `/v1`, in place of the region's.
    /// `NEW_RELIC_INSIGHTS_BASE_URL` overrides it.
    #[schemars(extend("format" = "base_url", "examples" = ["http://localhost:3000/v1"]))]
    pub base_url: Option<String>,
}

/// `Some` secret as asterisks.
fn redacted<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| "***").serialize(to)
}

/// One Kafka cluster.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaTable {
    /// The cluster's name; part of the identity of all its entities. Unique.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["orders"]))]
    pub cluster: String,
    /// Brokers to ask first, `host:port`; one that answers is enough.
    #[schemars(length(min = 1), extend("examples" = [["kafka-1:9092", "kafka-2:9092"]]))]
    pub bootstrap: Vec<EndpointText>,
    /// Port of the Prometheus JMX exporter on every broker's host; without it (and without `jmx`)
    /// figures that only JMX knows are left out.
    #[schemars(range(min = 1), extend("examples" = [7071]))]
    pub jmx_port: Option<u16>,
    /// The JMX exporters one by one, in place of `jmx_port`: `broker id = "host:port"`. Brokers
    /// that are not listed are not scraped.
    #[serde(default)]
    pub jmx: BTreeMap<String, EndpointText>,
    /// Client id that brokers see in their logs and quotas.
    #[serde(default = "defaults::client_id")]
    #[schemars(length(min = 1, max = 249))]
    pub client_id: String,
    /// Consumer groups to read even if no broker lists them (brokers without ListGroups).
    #[serde(default)]
    #[schemars(inner(length(min = 1)), extend("examples" = [["billing"]]))]
    pub groups: Vec<String>,
    /// Longest time that one broker may take to describe the cluster.
    #[serde(default = "defaults::discovery_timeout")]
    pub discovery_timeout: DurationText,
    /// Longest time that one broker's own part may take.
    #[serde(default = "defaults::broker_timeout")]
    pub broker_timeout: DurationText,
    /// Brokers asked at the same time.
    #[serde(default = "defaults::concurrency")]
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: usize,
}

/// Output of nri-kafka: a file that it writes, or standard input.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NriTable {
    /// Cluster name of samples that do not name theirs.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["orders"]))]
    pub cluster: String,
    /// Files with one JSON document (or one per line), read in each cycle when they have changed;
    /// relative to the folder of this file, and below it.
    #[serde(default)]
    #[schemars(inner(length(min = 1)), extend("examples" = [["var/nri-kafka.json"]]))]
    pub files: Vec<String>,
    /// Whether standard input carries documents, one per line.
    #[serde(default)]
    pub stdin: bool,
}

/// Cycles, and what every entity carries.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CycleTable {
    /// Time between cycle starts; starts are aligned to the clock (15s: :00, :15, :30, :45).
    /// 1s to 1h.
    pub interval: DurationText,
    /// Longest time for collecting from one source; what is late counts as a failure of that
    /// source alone. Two thirds of `cycle_deadline` when absent.
    pub collect_deadline: Option<DurationText>,
    /// Longest duration of a cycle, which waits so long for its events to leave; what is left is
    /// sent all the same, cycle or no cycle. As long as `interval` when absent.
    pub cycle_deadline: Option<DurationText>,
    /// Longest time between a request to stop and the end; the running cycle and the last sends
    /// share it.
    pub shutdown_deadline: DurationText,
    /// Time between two sends of the relationships. They are sent with the first cycle at or
    /// after each multiple of it.
    pub relationships_every: DurationText,
    /// Whether relationships also tell which brokers serve each topic (`SERVES`). These are many:
    /// a hundred brokers and fifty topics of 18 replicas are 900 more events each time, next to
    /// 150 that say what the cluster has, and 5,000 more if every broker serves every topic.
    pub serves: bool,
    /// Value of the attribute `environment` of all events.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["production"]))]
    pub environment: Option<String>,
    /// Tags of all entities, as attributes `tags.<key>`.
    pub tags: BTreeMap<String, String>,
}

impl Default for CycleTable {
    fn default() -> Self {
        Self {
            interval: DurationText::from_secs(15),
            collect_deadline: None,
            cycle_deadline: None,
            shutdown_deadline: DurationText::from_secs(10),
            relationships_every: DurationText::from_secs(60),
            serves: false,
            environment: None,
            tags: BTreeMap::new(),
        }
    }
}

/// Batches on their way to New Relic.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StreamTable {
    /// Most events of one POST.
    #[schemars(range(min = 1, max = 2_000))]
    pub batch_events: usize,
    /// Largest body of one POST before compression, 1kB to 16MB. (As sent, no body exceeds New
    /// Relic's limit of 1MB, whatever is written here.)
    pub batch_bytes: SizeText,
    /// 0 (not compressed) to 9 (smallest).
    #[schemars(range(min = 0, max = 9))]
    pub gzip_level: u32,
    /// POSTs under way at the same time.
    #[schemars(range(min = 1, max = 64))]
    pub concurrent_posts: usize,
    /// Events that are in memory alone: on their way to the spool, or kept while the disk does not
    /// take them or there is no spool. Beyond it the oldest are dropped and counted
    /// (`buffer_full`).
    #[schemars(range(min = 1))]
    pub buffer_events: usize,
    /// Bytes of events that are in memory alone; beyond it the oldest are dropped and counted
    /// (`buffer_full`). `limits.memory_max` bounds these and copies of what is on disk together.
    pub buffer_bytes: SizeText,
    /// Longest wait for the answer to one POST; the breaker's `call_timeout` (20s in the profile
    /// `event-api`) where that is shorter.
    pub timeout: DurationText,
}

impl Default for StreamTable {
    fn default() -> Self {
        Self {
            batch_events: 100,
            batch_bytes: SizeText(4_000_000),
            gzip_level: 1,
            concurrent_posts: 10,
            buffer_events: 100_000,
            buffer_bytes: SizeText(128 << 20),
            timeout: DurationText::from_secs(30),
        }
    }
}

/// The pipeline's own health and metrics: the pages that `docs/MONITORING.md` lists, which is made
/// from the router's own table.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpTable {
    /// Whether to serve them.
    pub enabled: bool,
    /// Address to listen on; anything but a loopback address is open to the network.
    #[schemars(extend("format" = "ip", "examples" = ["127.0.0.1", "0.0.0.0"]))]
    pub address: String,
    /// Port to listen on; 0 picks a free one and logs it.
    pub port: u16,
}

impl Default for HttpTable {
    fn default() -> Self {
        Self { enabled: true, address: "127.0.0.1".to_owned(), port: 8080 }
    }
}

/// The pipeline's own log, on standard error.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogTable {
    /// One line of text, or one JSON object, per event.
    pub format: LogFormat,
    /// Least severe level that is written.
    pub level: LogLevel,
}

/// How a log line looks.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogFormat {
    /// `time LEVEL message key=value …`.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Severity, least severe last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogLevel {
    /// Failures that lose data.
    Error,
    /// Failures that are made up for, and doubtful settings.
    Warn,
    /// One line a cycle.
    #[default]
    Info,
    /// Every exchange.
    Debug,
    /// Everything.
    Trace,
}

mod defaults {
    use super::DurationText;

    pub(super) fn client_id() -> String {
        "shakedown".to_owned()
    }
    pub(super) fn discovery_timeout() -> DurationText {
        DurationText::from_secs(4)
    }
    pub(super) fn broker_timeout() -> DurationText {
        DurationText::from_secs(6)
    }
    pub(super) fn concurrency() -> usize {
        64
    }
}
