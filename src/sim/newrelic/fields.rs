//! Fields of stored things, as JSON, and how an update of a part changes them.

use serde_json::{Map, Value as Json};

/// The members of `change` over those of `fields`; null takes a member away, a list is replaced.
pub(super) fn merged(fields: &Map<String, Json>, change: &Map<String, Json>) -> Map<String, Json> {
    let mut merged = fields.clone();
    for (name, value) in change {
        match (merged.get_mut(name), value) {
            (_, Json::Null) => drop(merged.remove(name)),
            (Some(Json::Object(old)), Json::Object(new)) => *old = self::merged(old, new),
            _ => drop(merged.insert(name.clone(), value.clone())),
        }
    }
    merged
}
