//! Names that faults use, given to others: a fleet with fewer brokers has other hosts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sim::fault::FaultSpec;

/// The fault with every text that `names` knows replaced; `None` when that is no fault any more.
pub fn renamed(fault: &FaultSpec, names: &BTreeMap<String, String>) -> Option<FaultSpec> {
    let mut value = serde_json::to_value(fault).ok()?;
    walk(&mut value, &mut |text| {
        if let Some(other) = names.get(text) {
            text.clone_from(other);
        }
    });
    serde_json::from_value(value).ok()
}

fn walk(value: &mut Value, see: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, see)),
        Value::Object(entries) => entries.values_mut().for_each(|entry| walk(entry, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
