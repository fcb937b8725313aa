//! Entities through NerdGraph.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::NerdGraphError;
use super::client::{NerdGraph, Operation};
use crate::ports::Ports;

/// Values of an entity's tags by key.
pub type TagValues = BTreeMap<String, Vec<String>>;

/// An entity as a search shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntityOutline {
    /// Wire form.
    pub guid: String,
    /// Its name.
    pub name: String,
    /// For example `INFRA`.
    pub domain: String,
    /// For example `MESSAGE_QUEUE_BROKER`.
    pub entity_type: String,
    /// Whether it reports.
    pub reporting: bool,
    /// Its tags.
    pub tags: TagValues,
}

/// One entity with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityDetail {
    /// Itself.
    pub outline: EntityOutline,
    /// Its golden metrics.
    pub golden_metrics: Vec<GoldenMetricQuery>,
    /// What it is related to, all pages.
    pub related: Vec<RelatedEntity>,
}

/// A golden metric, ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GoldenMetricQuery {
    /// Its name.
    pub name: String,
    /// NRQL for this entity.
    pub query: String,
}

/// One relationship.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelatedEntity {
    /// GUID of its source.
    pub source: String,
    /// For example `CONTAINS`.
    pub kind: String,
    /// GUID of its target.
    pub target: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntity {
    guid: String,
    name: String,
    domain: String,
    #[serde(rename = "type")]
    entity_type: String,
    #[serde(default)]
    reporting: Option<bool>,
    #[serde(default)]
    tags: Option<Vec<RawTag>>,
    #[serde(default)]
    golden_metrics: Option<RawGolden>,
    #[serde(default)]
    related_entities: Option<Page<RawEdge>>,
}

#[derive(Deserialize)]
struct RawTag {
    key: String,
    values: Vec<String>,
}

#[derive(Deserialize)]
struct RawGolden {
    metrics: Vec<GoldenMetricQuery>,
}

#[derive(Deserialize)]
struct RawEdge {
    #[serde(rename = "type")]
    kind: String,
    source: RawEnd,
    target: RawEnd,
}

#[derive(Deserialize)]
struct RawEnd {
    entity: RawRef,
}

#[derive(Deserialize)]
struct RawRef {
    guid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    next_cursor: Option<String>,
    #[serde(alias = "entities")]
    results: Vec<T>,
}

impl From<RawEntity> for EntityOutline {
    fn from(raw: RawEntity) -> Self {
        let tags = raw.tags.unwrap_or_default();
        Self {
            guid: raw.guid,
            name: raw.name,
            domain: raw.domain,
            entity_type: raw.entity_type,
            reporting: raw.reporting.unwrap_or(false),
            tags: tags.into_iter().map(|tag| (tag.key, tag.values)).collect(),
        }
    }
}

impl From<RawEdge> for RelatedEntity {
    fn from(raw: RawEdge) -> Self {
        Self { source: raw.source.entity.guid, kind: raw.kind, target: raw.target.entity.guid }
    }
}

const SEARCH: &str = "query($query: String!, $cursor: String) { \
    actor { entitySearch(query: $query, options: {limit: 200}) { \
    results(cursor: $cursor) { nextCursor \
    entities { guid name domain type reporting tags { key values } } } } } }";

const ENTITY: &str = "query($guid: EntityGuid!, $cursor: String) { \
    actor { entity(guid: $guid) { guid name domain type reporting tags { key values } \
    goldenMetrics { metrics { name query } } \
    relatedEntities(cursor: $cursor) { nextCursor results { type \
    source { entity { guid } } target { entity { guid } } } } } } }";

/// Pages read of one answer: 200 entities each.
const PAGES_MAX: usize = 5_000;

fn shaped<'a, T: Deserialize<'a>>(value: &'a Value) -> Result<T, NerdGraphError> {
    T::deserialize(value).map_err(|error| NerdGraphError::Unreadable(error.to_string()))
}

impl<P: Ports> NerdGraph<P> {
    /// Every entity that `search` finds, in the order of the pages.
    ///
    /// # Errors
    /// The class; [`NerdGraphError::Unreadable`] when the pages have no end.
    pub async fn entities(&self, search: &str) -> Result<Vec<EntityOutline>, NerdGraphError> {
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let variables = json!({"query": search, "cursor": cursor});
            let data = self.ask(&Operation::query(SEARCH, variables)).await?;
            let page: Page<RawEntity> = shaped(&data["actor"]["entitySearch"]["results"])?;
            found.extend(page.results.into_iter().map(EntityOutline::from));
            if page.next_cursor.is_none() {
                return Ok(found);
            }
            cursor = page.next_cursor;
        }
        Err(NerdGraphError::Unreadable("the pages of a search have no end".to_owned()))
    }

    /// One entity; `None` when New Relic does not know it.
    ///
    /// # Errors
    /// As [`NerdGraph::entities`].
    pub async fn entity(&self, guid: &str) -> Result<Option<EntityDetail>, NerdGraphError> {
        let mut detail: Option<EntityDetail> = None;
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let variables = json!({"guid": guid, "cursor": cursor});
            let data = self.ask(&Operation::query(ENTITY, variables)).await?;
            let entity = &data["actor"]["entity"];
            if entity.is_null() {
                return Ok(None);
            }
            let mut raw: RawEntity = shaped(entity)?;
            let page = raw.related_entities.take();
            let golden = raw.golden_metrics.take().map(|golden| golden.metrics).unwrap_or_default();
            let detail = detail.get_or_insert_with(|| EntityDetail {
                outline: raw.into(),
                golden_metrics: golden,
                related: Vec::new(),
            });
            let Some(page) = page else { break };
            detail.related.extend(page.results.into_iter().map(RelatedEntity::from));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        match (detail, cursor) {
            (detail, None) => Ok(detail),
            _ => Err(NerdGraphError::Unreadable("related entities have no end".to_owned())),
        }
    }
}
