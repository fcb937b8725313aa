//! The event types and attributes that there are.

use std::collections::BTreeMap;

use crate::domain::attribute::{ATTRIBUTES, AttributeForm};
use crate::domain::metric::{MetricId, Unit};

/// What is known about an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeKind {
    /// A level: adding up samples of one means nothing.
    Gauge,
    /// An amount per report, which adds up.
    Count,
    /// A number of neither sort, such as a port.
    Number,
    /// Text.
    Text,
    /// A truth value.
    Bool,
    /// Nothing.
    Unknown,
}

const KINDS: &[(&str, AttributeKind)] = &[
    ("gauge", AttributeKind::Gauge),
    ("count", AttributeKind::Count),
    ("number", AttributeKind::Number),
    ("text", AttributeKind::Text),
    ("boolean", AttributeKind::Bool),
    ("unknown", AttributeKind::Unknown),
];

impl AttributeKind {
    /// The word in files.
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("unknown", |(word, _)| word)
    }

    /// Whether values are numbers; `None` where nothing is known.
    pub const fn is_numeric(self) -> Option<bool> {
        match self {
            Self::Gauge | Self::Count | Self::Number => Some(true),
            Self::Text | Self::Bool => Some(false),
            Self::Unknown => None,
        }
    }
}

/// Event types, their attributes and what those hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Attributes and their kinds by event type.
    pub event_types: BTreeMap<String, BTreeMap<String, AttributeKind>>,
    /// Whether there are no other event types; then an unlisted one is a finding, else only one
    /// that looks misspelt.
    pub complete: bool,
}

/// Why a file is no catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// It is no JSON.
    #[error("{0}")]
    Json(String),
    /// It is JSON of another shape.
    #[error(
        "{0}: expected {{\"EventType\": {{\"attribute\": \"gauge|count|number|text|boolean|\
         unknown\"}}}} or {{\"EventType\": [\"attribute\"]}}"
    )]
    Shape(String),
}

/// Attributes of `MessageQueueCoverage`.
const COVERAGE: [(&str, AttributeKind); 12] = [
    ("entityType", AttributeKind::Text),
    ("desired", AttributeKind::Gauge),
    ("fresh", AttributeKind::Gauge),
    ("stale", AttributeKind::Gauge),
    ("missing", AttributeKind::Gauge),
    ("pending", AttributeKind::Gauge),
    ("filled", AttributeKind::Gauge),
    ("coverage.percentage", AttributeKind::Gauge),
    ("partialClusters", AttributeKind::Gauge),
    ("mismatched", AttributeKind::Gauge),
    ("unexpected", AttributeKind::Gauge),
    ("unfilled", AttributeKind::Gauge),
];

/// Attributes of `MessageQueueGap`.
const GAP: [(&str, AttributeKind); 14] = [
    ("gap", AttributeKind::Text),
    ("entityGuid", AttributeKind::Text),
    ("entityType", AttributeKind::Text),
    ("entityName", AttributeKind::Text),
    ("provider", AttributeKind::Text),
    ("clusterName", AttributeKind::Text),
    ("filled", AttributeKind::Text),
    ("field", AttributeKind::Text),
    ("ageSeconds", AttributeKind::Gauge),
    ("expected", AttributeKind::Number),
    ("actual", AttributeKind::Number),
    ("recommendation", AttributeKind::Text),
    ("priority", AttributeKind::Text),
    ("advice", AttributeKind::Text),
];

fn columns(known: &[(&str, AttributeKind)]) -> BTreeMap<String, AttributeKind> {
    known.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
}

impl Catalogue {
    /// What the pipeline itself sends about entities and gaps.
    pub fn message_queue() -> Self {
        let mut events = BTreeMap::new();
        let mut put = |name: &str, kind| {
            events.insert(name.to_owned(), kind);
        };
        for name in [
            "entityType",
            "entityGuid",
            "entityIdentifier",
            "displayName",
            "provider",
            "clusterName",
            "brokerId",
            "topicName",
            "vhost",
            "queueName",
            "consumerGroup",
            "dataSource",
        ] {
            put(name, AttributeKind::Text);
        }
        for name in ["collectionWindowMs", "collectionWindowMinMs", "collectionWindowMaxMs"] {
            put(name, AttributeKind::Number);
        }
        for attribute in ATTRIBUTES {
            let kind = match attribute.form {
                AttributeForm::Text => AttributeKind::Text,
                AttributeForm::Integer => AttributeKind::Number,
            };
            put(attribute.name, kind);
        }
        for metric in MetricId::all() {
            // A flag is a number that nobody minds adding up.
            let flag = metric.def().unit == Unit::Flag;
            put(metric.name(), if flag { AttributeKind::Number } else { AttributeKind::Gauge });
        }
        let relationship = [
            "sourceEntityGuid",
            "sourceEntityType",
            "relationshipType",
            "targetEntityGuid",
            "targetEntityType",
            "clusterName",
            "dataSource",
        ];
        let relationship =
            relationship.iter().map(|name| ((*name).to_owned(), AttributeKind::Text)).collect();
        Self {
            event_types: BTreeMap::from([
                ("MessageQueue".to_owned(), events),
                ("MessageQueueRelationship".to_owned(), relationship),
                ("MessageQueueCoverage".to_owned(), columns(&COVERAGE)),
                ("MessageQueueGap".to_owned(), columns(&GAP)),
            ]),
            complete: false,
        }
    }

    /// A catalogue from JSON: event type → attribute → kind, or event type → list of attributes.
    ///
    /// # Errors
    /// No JSON, or another shape.
    pub fn from_json(text: &str) -> Result<Self, CatalogueError> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| CatalogueError::Json(error.to_string()))?;
        let shape = |place: &str| CatalogueError::Shape(place.to_owned());
        let types = value.as_object().ok_or_else(|| shape("the file"))?;
        let mut event_types = BTreeMap::new();
        for (event_type, attributes) in types {
            let mut known = BTreeMap::new();
            if let Some(list) = attributes.as_array() {
                for name in list {
                    let name = name.as_str().ok_or_else(|| shape(event_type))?;
                    known.insert(name.to_owned(), AttributeKind::Unknown);
                }
            } else {
                for (name, kind) in attributes.as_object().ok_or_else(|| shape(event_type))? {
                    let kind = kind.as_str().and_then(|word| {
                        KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
                    });
                    let kind = kind.ok_or_else(|| shape(&format!("{event_type}.{name}")))?;
                    known.insert(name.clone(), kind);
                }
            }
            event_types.insert(event_type.clone(), known);
        }
        Ok(Self { event_types, complete: true })
    }
}
