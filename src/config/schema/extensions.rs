//! Tables with which users extend the pipeline: windows, metrics, mappings and hooks of their own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::DurationText;

/// Windows of time: figures over a span, as events `MessageQueueWindow` beside those of the
/// entities.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WindowsTable {
    /// Whether windows are made.
    pub enabled: bool,
    /// Length of a window, 1s to 1h; windows begin at its multiples on the clock.
    pub size: DurationText,
    /// How long after a window's end readings still amend it; so much later it is told, and what
    /// comes then is dropped and counted. 0s to 1h.
    pub lateness: DurationText,
    /// Most entities with open windows. Beyond it those touched longest ago are told early and
    /// counted, so choose more than there are entities.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub groups_max: usize,
}

impl Default for WindowsTable {
    fn default() -> Self {
        Self {
            enabled: false,
            size: DurationText::from_secs(60),
            lateness: DurationText::from_secs(30),
            groups_max: 1_000,
        }
    }
}

/// What something is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum EntityWord {
    /// A cluster.
    Cluster,
    /// A broker.
    Broker,
    /// A topic.
    Topic,
    /// A queue.
    Queue,
    /// A consumer group.
    Group,
}

/// A metric of your own, made of the catalogue's; `docs/METRICS.md` lists these and explains
/// expressions. With `expression` it is the value of that, with `parts` the weighted mean of
/// several, with `expression` and `levels` the value of the highest level reached.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricTable {
    /// Its name in events: a letter, then letters, digits, `.`, `_` and `-`.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["broker_saturation_index"]))]
    pub name: String,
    /// What it is of.
    pub entity: EntityWord,
    /// Its unit, for readers of this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("examples" = ["%"]))]
    pub unit: Option<String>,
    /// An expression in NRQL over metrics, attributes, `tags.KEY`, other metrics of this kind, and
    /// `cluster.NAME`. A dotted part that is a keyword needs back-quotes around the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["100 - broker.cpu.usage"]))]
    pub expression: Option<String>,
    /// Expressions and their weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartTable>,
    /// Levels: the value of the highest one whose `at_least` the expression reaches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelTable>,
    /// The value below all levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<f64>,
}

/// One part of a composite metric.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartTable {
    /// An expression.
    pub expression: String,
    /// Its weight, above 0; what counts is its share of the sum.
    pub weight: f64,
}

/// One level of a threshold.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelTable {
    /// Reached from this value on.
    pub at_least: f64,
    /// What the metric then is.
    pub value: f64,
}

/// Whose names a mapping reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum OriginWord {
    /// What our own collector reads of brokers.
    Kafka,
    /// nri-kafka's samples.
    #[default]
    NriKafka,
}

/// What the samples are about that a mapping reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum SubjectWord {
    /// A cluster.
    Cluster,
    /// A broker.
    Broker,
    /// A topic.
    Topic,
    /// A topic on one broker.
    TopicOnBroker,
    /// A consumer group.
    Group,
    /// A group on one topic.
    GroupTopic,
    /// A group on one partition.
    GroupPartition,
}

/// How parts of one entity become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum CombineWord {
    /// Added up.
    Sum,
    /// Their mean.
    Mean,
    /// The least.
    Min,
    /// The largest.
    Max,
    /// The newest.
    #[default]
    Last,
}

/// A raw field that becomes a metric, beside the catalogue's own table: of the catalogue, where its
/// own sources say nothing, or one of your own.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingTable {
    /// Raw names, best first.
    #[schemars(length(min = 1), inner(length(min = 1)),
        extend("examples" = [["broker.gcPauseMillis"]]))]
    pub source: Vec<String>,
    /// Whose names they are.
    #[serde(default)]
    pub origin: OriginWord,
    /// What the samples are about.
    pub subject: SubjectWord,
    /// The metric: a name of the catalogue or a new one.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["gc.pause.ms"]))]
    pub target: String,
    /// Unit of the raw values: bytes, kB, MB, GB, KiB, MiB, GiB, those per second (`MiB/s`), ns,
    /// us, ms, s, min, h, `/s`, `/min`, `/h`, `%`, fraction, count. As the target's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_in: Option<String>,
    /// Unit of the target; the catalogue's metrics have theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_out: Option<String>,
    /// A further factor, not 0.
    #[serde(default = "one")]
    pub scale: f64,
    /// What becomes of the values of several parts; new targets only.
    #[serde(default)]
    pub aggregation: CombineWord,
}

fn one() -> f64 {
    1.0
}

/// Where a hook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum PointWord {
    /// Raw samples, before they are transformed.
    BeforeTransform,
    /// Canonical samples, after they were transformed.
    AfterTransform,
    /// Entities, before they become events.
    BeforeStream,
}

/// What becomes of an item whose hook failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum OnErrorWord {
    /// It goes on as it was before.
    #[default]
    Pass,
    /// It is dropped and counted.
    Drop,
    /// Nothing of the cycle is streamed.
    FailCycle,
}

/// A step of the chain, in the order of the file. It does one of: `require` and `ranges` (drop what
/// is invalid), `limit` (drop what is too much), `set` and `lookup` (add attributes), `relabel`
/// (rewrite attributes).
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookTable {
    /// Its name in counters, unique: letters, digits, `-` and `_`.
    #[schemars(length(min = 1, max = 64), extend("examples" = ["owners"]))]
    pub name: String,
    /// Where it stands.
    pub at: PointWord,
    /// Which items it looks at: regular expressions that must match all of an attribute's text;
    /// `kind` and `source` are the item's own. All others pass.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, String>,
    /// What becomes of an item when it fails.
    #[serde(default)]
    pub on_error: OnErrorWord,
    /// Names that must be there; items that lack one are dropped (`missing`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub require: Vec<String>,
    /// Ranges `[least, most]` of numbers; items outside are dropped (`out_of_range`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ranges: BTreeMap<String, [f64; 2]>,
    /// A token bucket; items beyond it are dropped (`rate_limited`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<HookLimitTable>,
    /// Attributes to add.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Attributes to add from a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupTable>,
    /// Rules that rewrite attributes, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relabel: Vec<RelabelTable>,
}

/// What shares a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum PerWord {
    /// Everything.
    #[default]
    All,
    /// Items of one kind.
    Kind,
    /// Items of one source.
    Source,
    /// Items of one cluster.
    Cluster,
}

/// A token bucket.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookLimitTable {
    /// Items per second in the long run.
    pub per_second: f64,
    /// Items at once.
    #[schemars(range(min = 1))]
    pub burst: u32,
    /// What shares a bucket.
    #[serde(default)]
    pub per: PerWord,
}

/// A table to look attributes up in.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupTable {
    /// The attribute whose value names the row.
    #[schemars(length(min = 1))]
    pub key: String,
    /// Rows: `value = { attribute = "text" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, BTreeMap<String, String>>,
    /// Instead of `rows`, the file that has them, relative to the folder of this one; read at the
    /// start. CSV (`.csv`): the first line names the columns, the first of which is the value, the
    /// others are attributes. Otherwise JSON or TOML, as in `rows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("examples" = ["owners.csv"]))]
    pub file: Option<String>,
    /// What items get whose value has no row.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fallback: BTreeMap<String, String>,
    /// Whether they are dropped instead (`not_in_table`).
    #[serde(default)]
    pub drop_missing: bool,
}

/// What a relabelling rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum RelabelAction {
    /// Sets `target` to `replacement`.
    #[default]
    Replace,
    /// Drops items that do not match (`not_kept`).
    Keep,
    /// Drops items that match (`matched`).
    Drop,
    /// Removes `target`.
    Remove,
}

/// One relabelling rule.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelabelTable {
    /// Attributes whose texts are joined; one that is absent counts as empty.
    #[serde(default)]
    pub source: Vec<String>,
    /// What stands between them.
    #[serde(default = "semicolon")]
    pub separator: String,
    /// What the joined text must match as a whole.
    #[serde(default = "anything")]
    pub regex: String,
    /// What is done then.
    #[serde(default)]
    pub action: RelabelAction,
    /// The attribute that is set or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What it is set to; `$1` and `${name}` are what the groups matched. Empty removes it.
    #[serde(default = "first_group")]
    pub replacement: String,
}

fn semicolon() -> String {
    ";".to_owned()
}

fn anything() -> String {
    "(.*)".to_owned()
}

fn first_group() -> String {
    "$1".to_owned()
}
