//! Golden metrics and tags: those of the definitions, and what users put in their place.

use std::collections::BTreeMap;

use async_graphql::{Value, value};
use serde::Deserialize;

use crate::definitions::{EntityDefinition, GoldenMetric, MetricQuery};
use crate::sim::newrelic::entities::StoredEntity;

/// Metrics of one override.
pub(super) const METRICS_MAX: usize = 9;
/// Overrides in all. A guard of our own.
const OVERRIDES_MAX: usize = 10_000;

/// A metric as users write it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricInput {
    pub(super) name: String,
    title: String,
    pub(super) select: String,
    #[serde(default)]
    pub(super) from: Option<String>,
    #[serde(rename = "where", default)]
    filter: Option<String>,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    facet: Option<String>,
}

/// Whom an override is for: one entity, or all of a type in an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Entity(String),
    Account(u64),
}

impl Scope {
    /// As `EntityGoldenContext`.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Entity(guid) => value!({"guid": guid.as_str()}),
            Self::Account(number) => value!({"account": *number}),
        }
    }
}

type Key = (Scope, String, String);

/// What users put in place of the definitions' metrics and tags.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    metrics: BTreeMap<Key, Vec<MetricInput>>,
    tags: BTreeMap<Key, Vec<String>>,
}

impl Overrides {
    /// `false` when there is no room.
    pub(super) fn set_metrics(&mut self, key: Key, metrics: Vec<MetricInput>) -> bool {
        let room = self.metrics.len() < OVERRIDES_MAX || self.metrics.contains_key(&key);
        room && {
            self.metrics.insert(key, metrics);
            true
        }
    }

    /// `false` when there is no room.
    pub(super) fn set_tags(&mut self, key: Key, tags: Vec<String>) -> bool {
        let room = self.tags.len() < OVERRIDES_MAX || self.tags.contains_key(&key);
        room && {
            self.tags.insert(key, tags);
            true
        }
    }

    pub(super) fn reset_metrics(&mut self, key: &Key) {
        self.metrics.remove(key);
    }

    pub(super) fn reset_tags(&mut self, key: &Key) {
        self.tags.remove(key);
    }

    /// What is in force: for the entity, else for its account.
    fn find<'a, T>(map: &'a BTreeMap<Key, T>, scopes: &[Scope], of: (&str, &str)) -> Option<&'a T> {
        let key = |scope: &Scope| (scope.clone(), of.0.to_owned(), of.1.to_owned());
        scopes.iter().find_map(|scope| map.get(&key(scope)))
    }

    pub(super) fn metrics(&self, scopes: &[Scope], of: (&str, &str)) -> Option<&[MetricInput]> {
        Self::find(&self.metrics, scopes, of).map(Vec::as_slice)
    }

    pub(super) fn tags(&self, scopes: &[Scope], of: (&str, &str)) -> Option<&[String]> {
        Self::find(&self.tags, scopes, of).map(Vec::as_slice)
    }
}

/// SINCE and UNTIL behind a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
}

impl Window {
    fn added_to(&self, mut query: String) -> String {
        for (word, time) in [("SINCE", &self.since), ("UNTIL", &self.until)] {
            if let Some(time) = time {
                query.push_str(&format!(" {word} {time}"));
            }
        }
        query
    }
}

/// `newrelic.goldenmetrics.infra.kafkabroker.bytesInPerSecond`.
fn metric_name(domain: &str, entity_type: &str, name: &str) -> String {
    let (domain, entity_type) = (domain.to_lowercase(), entity_type.to_lowercase());
    format!("newrelic.goldenmetrics.{domain}.{entity_type}.{name}")
}

/// Whether a provider's key, `provider` or `provider/name`, names what instruments the entity.
fn is_provider(key: &str, entity: &StoredEntity) -> bool {
    let has = |tag: &str, value: &str| {
        entity.tags.get(tag).is_some_and(|values| values.iter().any(|known| known == value))
    };
    match key.split_once('/') {
        Some((provider, name)) => {
            has("instrumentation.provider", provider) && has("instrumentation.name", name)
        }
        None => has("instrumentation.provider", key),
    }
}

/// The query of a golden metric for an entity: of a provider with its name, of its provider, else
/// the first.
pub(super) fn query_for<'a>(
    metric: &'a GoldenMetric,
    entity: &StoredEntity,
) -> Option<&'a MetricQuery> {
    let named = |(key, _): &(&String, &MetricQuery)| key.contains('/') && is_provider(key, entity);
    let plain = |(key, _): &(&String, &MetricQuery)| is_provider(key, entity);
    let found = metric.queries.iter().find(named).or_else(|| metric.queries.iter().find(plain));
    found.or_else(|| metric.queries.first()).map(|(_, query)| query)
}

fn definition(query: &MetricQuery) -> Value {
    value!({
        "eventId": query.event_id.as_str(),
        "eventObjectId": "ENTITY_GUIDS",
        "facet": query.facet.as_deref().unwrap_or(&query.event_name),
        "from": query.from.as_str(),
        "select": query.select.as_str(),
        "where": query.filter.as_deref().map_or(Value::Null, Value::from),
    })
}

fn shown_unit(unit: Option<&str>) -> &str {
    // The definitions' enumeration holds one word more than NerdGraph's.
    match unit {
        None | Some("STRING") => "COUNT",
        Some(unit) => unit,
    }
}

/// The golden metrics of a definition, for one entity.
pub(super) fn of_definition(
    of: &EntityDefinition,
    entity: &StoredEntity,
    window: &Window,
) -> Vec<Value> {
    let metric = |(name, metric): (&String, &GoldenMetric)| {
        let query = query_for(metric, entity)?;
        let all = metric.queries.iter();
        let definitions: Vec<Value> = all
            .clone()
            .map(|(key, q)| value!({"selectorValue": key.as_str(), "definition": definition(q)}))
            .collect();
        let queries: Vec<Value> = all
            .map(|(key, q)| value!({"selectorValue": key.as_str(), "query": q.nrql(&entity.guid)}))
            .collect();
        Some(value!({
            "metricName": metric_name(&of.domain, &of.entity_type, name),
            "name": name.as_str(),
            "title": metric.title.as_str(),
            "unit": shown_unit(metric.unit.as_deref()),
            "query": window.added_to(query.nrql(&entity.guid)),
            "definition": definition(query),
            "originalDefinitions": definitions,
            "originalQueries": queries,
        }))
    };
    of.golden_metrics.iter().filter_map(metric).collect()
}

impl MetricInput {
    /// As a query of the definitions.
    pub(super) fn query(&self) -> MetricQuery {
        let or = |text: &Option<String>, default: &str| {
            text.clone().unwrap_or_else(|| default.to_owned())
        };
        MetricQuery {
            select: self.select.clone(),
            from: or(&self.from, "Metric"),
            filter: self.filter.clone(),
            event_id: or(&self.event_id, "entity.guid"),
            event_name: "entity.name".to_owned(),
            facet: self.facet.clone(),
        }
    }

    /// As `EntityGoldenMetric` of an entity or, without one, of a type.
    pub(super) fn value(&self, of: (&str, &str), guid: &str, window: &Window) -> Value {
        let query = self.query();
        let (definition, text) = (definition(&query), query.nrql(guid));
        value!({
            "metricName": metric_name(of.0, of.1, &self.name),
            "name": self.name.as_str(),
            "title": self.title.as_str(),
            "unit": "COUNT",
            "query": window.added_to(text.clone()),
            "definition": definition.clone(),
            "originalDefinitions": [{"selectorValue": "", "definition": definition}],
            "originalQueries": [{"selectorValue": "", "query": text}],
        })
    }
}
