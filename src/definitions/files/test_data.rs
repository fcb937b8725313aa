//! Test data: a JSON array of flat points, in a file named after their event type.

use serde_json::Map;

use super::super::error::DefinitionError;
use super::super::model::Test;
use super::super::source::Source;
use super::super::tree::{At, Node, Value, Walk, parse, place};

/// Keys of a metric's value.
const METRIC_KEYS: [&str; 8] =
    ["type", "count", "sum", "min", "max", "latest", "sumOfSquares", "percentiles"];

/// Reads the points of one event type; bad points are left out.
pub(super) fn read(
    event_type: &str,
    source: Source<'_>,
    problems: &mut Vec<DefinitionError>,
) -> Option<Test> {
    let tree = parse(source, problems)?;
    let mut walk = Walk { source, problems };
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | ' ');
    if event_type.is_empty() || event_type.len() > 255 || !event_type.chars().all(word) {
        let problem = format!("`{event_type}` is no event type");
        let fix = "name the file after the event type of its points, such as Metric.json";
        walk.error(At::default(), "test-file-name", problem, fix);
    }
    let items = walk.list(&tree, "the test data")?;
    if items.is_empty() {
        walk.warning(tree.at, "test-empty", "the file holds no point", "write one, or remove it");
    }
    let (mut points, mut places) = (Vec::new(), Vec::new());
    for item in items {
        let Some(fields) = walk.entries(item, "a point") else { continue };
        let mut point = Map::new();
        for entry in fields.entries() {
            if let Some(value) = attribute(&mut walk, &entry.key, &entry.value) {
                point.insert(entry.key.clone(), value);
            }
        }
        points.push(point);
        places.push(place(source, item.at));
    }
    let (file, event_type) = (source.path.to_owned(), event_type.to_owned());
    Some(Test { file, event_type, points, places })
}

/// The value of an attribute; `null` is none.
fn attribute(walk: &mut Walk<'_, '_>, name: &str, node: &Node) -> Option<serde_json::Value> {
    match &node.value {
        Value::Null => {
            let problem = format!("attribute `{name}` has no value");
            walk.warning(node.at, "test-null", problem, "remove it; New Relic stores no null");
            None
        }
        Value::Map(entries) if entries.iter().all(|e| METRIC_KEYS.contains(&e.key.as_str())) => {
            Some(json(node))
        }
        Value::Map(_) | Value::List(_) => {
            let problem = format!("attribute `{name}` is {}", node.kind());
            let fix = "a point is flat: text, numbers, booleans, and {type, count, sum, min, max} \
                       for a metric's value";
            walk.error(node.at, "test-nested", problem, fix);
            None
        }
        _ => Some(json(node)),
    }
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(text) => serde_json::from_str(text).unwrap_or_default(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect()
        }
    }
}
