//! A validated entity definition.

use std::time::Duration;

use indexmap::IndexMap;

use super::dashboard::DashboardTemplate;
use super::error::Place;
use super::metrics::{GoldenMetrics, SummaryMetrics};

/// One entity type.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityDefinition {
    /// The file that defines it (`definition.yml`, or `definition.stg.yml` in staging).
    pub place: Place,
    /// For example `INFRA`.
    pub domain: String,
    /// For example `MESSAGE_QUEUE_BROKER`.
    pub entity_type: String,
    /// Tags that user interfaces show first.
    pub golden_tags: Vec<String>,
    /// How long an entity outlives its last point.
    pub expiration: Expiration,
    /// Whether alert conditions may target it.
    pub alertable: bool,
    /// The owning team.
    pub owner: String,
    /// `synthesis: {disabled: true}`: something else makes the entities, and rules are forbidden.
    pub synthesis_disabled: bool,
    /// Synthesis rules in the order of the file.
    pub rules: Vec<Rule>,
    /// Dashboard templates by provider.
    pub dashboards: IndexMap<String, DashboardTemplate>,
    /// Golden metrics by name.
    pub golden_metrics: GoldenMetrics,
    /// Summary metrics by name.
    pub summary_metrics: SummaryMetrics,
    /// Test data by event type.
    pub tests: Vec<Test>,
}

impl EntityDefinition {
    /// Domain and type as contributors write them: `INFRA-MESSAGE_QUEUE_BROKER`.
    pub fn domain_type(&self) -> String {
        format!("{}-{}", self.domain, self.entity_type)
    }

    /// The folder that holds it: `infra-message_queue_broker`.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.domain, self.entity_type).to_lowercase()
    }
}

/// Guaranteed life after the last point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Expiration {
    /// 4 hours.
    FourHours,
    /// 24 hours.
    Daily,
    /// 8 days; also when the definition does not say.
    #[default]
    EightDays,
    /// 91 days.
    Quarterly,
    /// Until somebody deletes it.
    Manual,
}

impl Expiration {
    /// All, with the words of definition files.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("FOUR_HOURS", Self::FourHours),
        ("DAILY", Self::Daily),
        ("EIGHT_DAYS", Self::EightDays),
        ("QUARTERLY", Self::Quarterly),
        ("MANUAL", Self::Manual),
    ];

    /// The lifetime; `None` when it never ends by itself.
    pub const fn lifetime(self) -> Option<Duration> {
        const HOUR: u64 = 3_600;
        match self {
            Self::FourHours => Some(Duration::from_secs(4 * HOUR)),
            Self::Daily => Some(Duration::from_secs(24 * HOUR)),
            Self::EightDays => Some(Duration::from_secs(8 * 24 * HOUR)),
            Self::Quarterly => Some(Duration::from_secs(91 * 24 * HOUR)),
            Self::Manual => None,
        }
    }
}

/// One synthesis rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Unique among all rules; `<folder>` for the old form, whose one rule has no name.
    pub name: String,
    /// Where the rule begins.
    pub place: Place,
    /// Where each condition begins, in the order of `conditions`.
    pub condition_places: Vec<Place>,
    /// Where the identifier comes from.
    pub identifier: Identifier,
    /// Where the entity's name comes from.
    pub display: NamePattern,
    /// Whether the GUID holds a hash of the identifier instead of the identifier.
    pub encode_identifier: bool,
    /// The GUID's type segment is `NA`.
    pub override_guid_type: bool,
    /// `legacyFeatures.debug`: the rule is evaluated but makes no entity.
    pub debug: bool,
    /// Stored events carry the GUID as `entityGuid`, not as `entity.guid`.
    pub non_standard_attributes: bool,
    /// All must hold; 1 to 10.
    pub conditions: Vec<Condition>,
    /// The rule's own and then the definition's.
    pub tags: Vec<TagRule>,
}

/// Where an identifier comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// The value of one attribute.
    Attribute(String),
    /// The values of several, joined.
    Composite {
        /// Between two values.
        separator: String,
        /// In this order.
        attributes: Vec<String>,
    },
}

/// Where a name comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// The value of one attribute.
    Attribute(String),
    /// Fragments in order.
    Composite(Vec<NameFragment>),
}

/// A part of a composite name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameFragment {
    /// This text.
    Value(String),
    /// The value of this attribute.
    Attribute(String),
}

/// A condition on one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Equals, case and all.
    Value(String, String),
    /// Starts with.
    Prefix(String, String),
    /// Is there (true) or is not (false).
    Present(String, bool),
}

impl Condition {
    /// The attribute it looks at.
    pub fn attribute(&self) -> &str {
        match self {
            Self::Value(attribute, _)
            | Self::Prefix(attribute, _)
            | Self::Present(attribute, _) => attribute,
        }
    }
}

/// How attributes become tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRule {
    /// The attribute, or the prefix of attributes.
    pub attribute: String,
    /// Whether `attribute` is a prefix, which the tag's key then lacks.
    pub is_prefix: bool,
    /// Keys of the tag instead of the attribute's name; empty for a prefix.
    pub names: Vec<String>,
    /// Whether values add up (the default) or the newest replaces the others.
    pub multi_value: bool,
    /// How long a value lives after it was last seen.
    pub ttl: Option<Duration>,
}

/// Test data of one event type: every point must synthesize an entity of the folder's type.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// File it comes from.
    pub file: String,
    /// The file's name without its ending.
    pub event_type: String,
    /// Flat points.
    pub points: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Where each begins.
    pub places: Vec<Place>,
}
