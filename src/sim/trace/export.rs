//! Events for other programs: one JSON object per event.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EventId, TraceEvent};
use crate::sim::time::SimTime;

/// One event as a JSON object; `docs/schema/trace-event.schema.json` is its schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "TraceEvent")]
pub struct EventJson {
    /// Its place in the trace, from 1.
    pub id: u64,
    /// Nanoseconds since the start of the run. Events of fleets may be told later than they
    /// happened, so times do not always ascend.
    pub at_ns: u64,
    /// The earlier event that led to it.
    pub parent: Option<u64>,
    /// Who tells it: `net`, `fault`, `fleet`, or a host.
    pub source: String,
    /// What kind of event of that source.
    pub kind: String,
    /// Keys and values in their order.
    pub fields: IndexMap<String, String>,
    /// Values without keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

impl From<&TraceEvent> for EventJson {
    fn from(event: &TraceEvent) -> Self {
        let (words, fields): (Vec<_>, Vec<_>) =
            event.fields.iter().cloned().partition(|(key, _)| key.is_empty());
        Self {
            id: event.id.0,
            at_ns: event.at.0,
            parent: event.parent.map(|parent| parent.0),
            source: event.source.clone(),
            kind: event.kind.clone(),
            fields: fields.into_iter().collect(),
            words: words.into_iter().map(|(_, word)| word).collect(),
        }
    }
}

impl From<&EventJson> for TraceEvent {
    /// Values without keys come first.
    fn from(json: &EventJson) -> Self {
        let fields = json.fields.iter().map(|(key, value)| (key.clone(), value.clone()));
        let words = json.words.iter().map(|word| (String::new(), word.clone()));
        Self {
            id: EventId(json.id),
            at: SimTime(json.at_ns),
            parent: json.parent.map(EventId),
            source: json.source.clone(),
            kind: json.kind.clone(),
            fields: words.chain(fields).collect(),
        }
    }
}

impl EventJson {
    /// The event as one line of JSON, with its line feed.
    pub fn line(&self) -> String {
        // Strings and numbers always have a JSON form.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// The JSON Schema of [`EventJson`], as docs/schema/trace-event.schema.json holds it.
pub fn schema_text() -> String {
    let schema = schemars::schema_for!(EventJson);
    let text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    format!("{text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_json_line() {
        let line = "0120000000000 317 12 fault begin crash of x label=\"a b\"";
        let json = EventJson::from(&TraceEvent::parse(line, 1).expect("an event"));
        assert_eq!(
            json.line(),
            "{\"id\":317,\"at_ns\":120000000000,\"parent\":12,\"source\":\"fault\",\
             \"kind\":\"begin\",\"fields\":{\"label\":\"a b\"},\"words\":[\"crash\",\"of\",\"x\"]}\n"
        );
        assert_eq!(serde_json::from_str::<EventJson>(&json.line()).expect("JSON"), json);
    }

    #[test]
    fn the_committed_schema_is_the_real_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/trace-event.schema.json");
        if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
            std::fs::write(path, schema_text()).expect("writable");
        }
        assert_eq!(std::fs::read_to_string(path).expect("readable"), schema_text());
    }
}
