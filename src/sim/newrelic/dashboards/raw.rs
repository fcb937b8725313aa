//! The two forms of a widget's configuration: typed by kind, and raw.

use serde_json::{Value as Json, json};

/// Kinds that have a typed form; the visualization is `viz.` and the kind.
pub(super) const KINDS: [&str; 7] =
    ["area", "bar", "billboard", "line", "markdown", "pie", "table"];

/// The raw form of a typed configuration, which holds the members of its kind.
pub(super) fn of_typed(kind: &str, typed: &Json) -> Json {
    if kind == "markdown" {
        return json!({"text": typed.get("text").cloned().unwrap_or_default()});
    }
    let mut raw = serde_json::Map::new();
    for member in ["nrqlQueries", "thresholds"] {
        if let Some(value) = typed.get(member).filter(|value| !value.is_null()) {
            raw.insert(member.to_owned(), value.clone());
        }
    }
    Json::Object(raw)
}

/// The typed form of a raw configuration, where its visualization has one: what
/// `DashboardWidget.configuration` shows.
pub(in crate::sim::newrelic) fn configuration_of(visualization: &str, raw: &Json) -> Json {
    let kind = visualization.strip_prefix("viz.").unwrap_or_default();
    if !KINDS.contains(&kind) {
        return json!({});
    }
    if kind == "markdown" {
        let text = raw.get("text").and_then(Json::as_str).unwrap_or_default();
        return json!({"markdown": {"text": text}});
    }
    // Only queries of one account have a typed form.
    let queries: Vec<Json> = queries(raw)
        .filter_map(|query| {
            let account = query.get("accountId").and_then(Json::as_i64)?;
            let text = query.get("query").and_then(Json::as_str)?;
            Some(json!({"accountId": account, "query": text}))
        })
        .collect();
    let mut typed = serde_json::Map::new();
    typed.insert("nrqlQueries".to_owned(), queries.into());
    if kind == "billboard" {
        let thresholds = raw.get("thresholds").filter(|thresholds| thresholds.is_array());
        typed.insert("thresholds".to_owned(), thresholds.cloned().unwrap_or_default());
    }
    json!({kind: typed})
}

/// The queries of a raw configuration.
pub(super) fn queries(raw: &Json) -> impl Iterator<Item = &Json> {
    raw.get("nrqlQueries").and_then(Json::as_array).into_iter().flatten()
}
