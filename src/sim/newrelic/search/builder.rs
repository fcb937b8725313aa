//! `queryBuilder`: a search as an object, turned into the text that `entitySearch { query }` shows.

use serde_json::Value;

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The search that an `EntitySearchQueryBuilder` stands for.
pub(in crate::sim::newrelic) fn text_of_builder(builder: &Value) -> String {
    let text = |name: &str| builder.get(name).and_then(Value::as_str);
    let flag = |name: &str| builder.get(name).and_then(Value::as_bool);
    let mut parts = Vec::new();
    parts.extend(text("name").map(|name| format!("name LIKE {}", quoted(name))));
    for (field, key) in [
        ("domain", "domain"),
        ("type", "type"),
        ("infrastructureIntegrationType", "infrastructureIntegrationType"),
        ("alertSeverity", "alertSeverity"),
    ] {
        parts.extend(text(field).map(|value| format!("{key} = {}", quoted(value))));
    }
    parts.extend(flag("reporting").map(|yes| format!("reporting = '{yes}'")));
    parts.extend(flag("alertable").map(|yes| format!("alertable = '{yes}'")));
    let tags = builder.get("tags").and_then(Value::as_array);
    for tag in tags.into_iter().flatten() {
        let part = |name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default();
        // A back-quote cannot stand in a quoted key; nothing would match it either way.
        let key = part("key").replace('`', "");
        parts.push(format!("tags.`{key}` = {}", quoted(part("value"))));
    }
    parts.join(" AND ")
}
