//! From the output of an on-host integration to what the agent posts.
//!
//! Source: the public source of newrelic/infrastructure-agent (`EmitDataSet` for protocols 1 to 3,
//! the emitter of dimensional metrics for protocol 4).
//!
//! Invariant: rates and deltas of protocol 4 need a value before; the first run lacks them.
//!
//! Not modelled: prometheus summaries and histograms of protocol 4 (named as problems), rewriting
//! of entities, annotations of discovery.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::agent::AgentHost;
use crate::domain::units::UnixMillis;

/// Longest output, in bytes.
const OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Time series of protocol 4 whose last value is remembered.
const SERIES_MAX: usize = 1_000_000;
/// More attributes than this on a sample of a remote entity are worth a warning.
const ATTRIBUTES_MAX: usize = 240;

/// Output that the agent would refuse whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// Not JSON.
    #[error("line {line} column {column}: {message}")]
    Json {
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// A `protocol_version` that there is not.
    #[error("protocol_version is `{0}`: integrations write 1, 2, 3 or 4")]
    Version(String),
    /// Nothing but white space.
    #[error("the integration wrote nothing to its standard output")]
    Empty,
    /// Longer than 64 MiB.
    #[error("the output is {0} bytes long: 64 MiB at most")]
    TooLong(usize),
}

/// What the agent makes of one run of an integration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forwarded {
    /// Body for `POST /infra/v2/metrics/events/bulk`: samples and events by entity.
    pub events: Vec<Value>,
    /// Body for `POST /metric/v1/infra`: the dimensional metrics of protocol 4, by entity.
    pub metrics: Vec<Value>,
    /// Items of inventory.
    pub inventory_items: u64,
    /// What the agent would log and leave out.
    pub problems: Vec<String>,
}

/// The agent of one host; it remembers the values that deltas start from.
#[derive(Debug)]
pub struct Forwarder {
    host: AgentHost,
    previous: BTreeMap<String, (f64, UnixMillis)>,
}

/// What all data sets of one payload share.
struct Payload<'a> {
    name: &'a str,
    version: &'a str,
    now: UnixMillis,
}

impl Forwarder {
    /// The agent of `host`.
    pub fn new(host: AgentHost) -> Self {
        Self { host, previous: BTreeMap::new() }
    }

    /// Forwards what an integration wrote to its standard output: one payload or several.
    ///
    /// # Errors
    /// [`ForwardError`]; what is wrong with single data sets is a problem, not an error.
    pub fn forward(&mut self, stdout: &str, now: UnixMillis) -> Result<Forwarded, ForwardError> {
        if stdout.len() > OUTPUT_BYTES_MAX {
            return Err(ForwardError::TooLong(stdout.len()));
        }
        let mut forwarded = Forwarded::default();
        let mut empty = true;
        for payload in serde_json::Deserializer::from_str(stdout).into_iter::<Value>() {
            let payload = payload.map_err(|error| ForwardError::Json {
                line: error.line(),
                column: error.column(),
                message: error.to_string(),
            })?;
            empty = false;
            self.payload(&payload, now, &mut forwarded)?;
        }
        if empty { Err(ForwardError::Empty) } else { Ok(forwarded) }
    }

    fn payload(
        &mut self,
        payload: &Value,
        now: UnixMillis,
        out: &mut Forwarded,
    ) -> Result<(), ForwardError> {
        let version = match &payload["protocol_version"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
        let (name, own) = match version.as_str() {
            "1" | "2" | "3" => (text(&payload["name"]), text(&payload["integration_version"])),
            "4" => {
                let integration = &payload["integration"];
                (text(&integration["name"]), text(&integration["version"]))
            }
            _ => return Err(ForwardError::Version(version)),
        };
        let meta = Payload { name: &name, version: &own, now };
        let flat = [payload.clone()];
        let sets = match &payload["data"] {
            Value::Array(sets) if version != "1" => sets.as_slice(),
            // Protocol 1 has one data set, of the host itself, in the payload.
            _ if version == "1" => &flat,
            _ => &[],
        };
        for set in sets {
            let result = if version == "4" {
                self.set_v4(set, &meta, out)
            } else {
                self.set_v3(set, &meta, out)
            };
            if let Err(problem) = result {
                out.problems.push(problem);
            }
        }
        Ok(())
    }

    /// A data set of protocols 1 to 3: flat samples.
    fn set_v3(&self, set: &Value, meta: &Payload<'_>, out: &mut Forwarded) -> Result<(), String> {
        let (key, is_agent) = self.host.entity_key(&set["entity"])?;
        out.inventory_items += set["inventory"].as_object().map_or(0, |items| items.len() as u64);
        let mut events = Vec::new();
        for metric in set["metrics"].as_array().into_iter().flatten() {
            match metric.as_object() {
                Some(metric) if metric.contains_key("event_type") => {
                    if !is_agent && metric.len() > ATTRIBUTES_MAX {
                        out.problems.push(format!("`{key}` has more than 240 attributes"));
                    }
                    events.push(self.sample(metric.clone(), (&key, is_agent), meta));
                }
                _ => out.problems.push(format!("a metric of `{key}` has no event_type")),
            }
        }
        self.events(set, (&key, is_agent), meta, &mut events, out);
        push_post(out, &key, is_agent, events);
        Ok(())
    }

    /// What the agent adds to a sample.
    fn sample(
        &self,
        mut metric: Map<String, Value>,
        (key, is_agent): (&str, bool),
        meta: &Payload<'_>,
    ) -> Value {
        for (label, value) in &self.host.labels {
            metric.insert(format!("label.{label}"), json!(value));
        }
        if !is_agent {
            let missing = |metric: &Map<String, Value>, name: &str| {
                metric.get(name).is_none_or(|value| value == "" || value.is_null())
            };
            let own = [("displayName", key), ("entityName", key)];
            for (name, value) in own.into_iter().chain([("reportingAgent", &*self.host.entity_key)])
            {
                if missing(&metric, name) {
                    metric.insert(name.to_owned(), json!(value));
                }
            }
            for name in ["reportingEndpoint", "reportingEntityKey"] {
                if let Some(Value::String(text)) = metric.get_mut(name) {
                    *text = self.host.without_loopback(text);
                }
            }
        }
        metric.insert("entityKey".to_owned(), json!(key));
        let event_type = metric.get("event_type").cloned().unwrap_or_default();
        metric.insert("eventType".to_owned(), event_type);
        metric.insert("integrationName".to_owned(), json!(meta.name));
        metric.insert("integrationVersion".to_owned(), json!(meta.version));
        metric.entry("timestamp").or_insert_with(|| json!(meta.now.0 / 1_000));
        // An integration's own `hostname` gives way to that of the agent.
        for (name, value) in self.host.attributes() {
            metric.insert(name.to_owned(), json!(value));
        }
        Value::Object(metric)
    }

    /// The data set's events: something happened, in words.
    fn events(
        &self,
        set: &Value,
        (key, is_agent): (&str, bool),
        meta: &Payload<'_>,
        events: &mut Vec<Value>,
        out: &mut Forwarded,
    ) {
        for event in set["events"].as_array().into_iter().flatten() {
            let Some(summary) = event["summary"].as_str().filter(|text| !text.is_empty()) else {
                out.problems.push(format!("an event of `{key}` has no summary"));
                continue;
            };
            let category = event["category"].as_str().unwrap_or("notifications");
            let mut row = json!({
                "eventType": "InfrastructureEvent", "format": "event", "summary": summary,
                "category": category, "entityKey": key, "timestamp": meta.now.0 / 1_000,
                "integrationName": meta.name,
            });
            if !is_agent {
                row["reportingAgent"] = json!(self.host.entity_key);
            }
            for (label, value) in &self.host.labels {
                row[format!("label.{label}")] = json!(value);
            }
            for (name, value) in event["attributes"].as_object().into_iter().flatten() {
                let taken = row.get(name).is_some();
                let name = if taken { format!("attr.{name}") } else { name.clone() };
                row[name] = value.clone();
            }
            events.push(row);
        }
    }

    /// A data set of protocol 4: dimensional metrics.
    fn set_v4(
        &mut self,
        set: &Value,
        meta: &Payload<'_>,
        out: &mut Forwarded,
    ) -> Result<(), String> {
        let (key, is_agent) = self.host.entity_key(&set["entity"])?;
        out.inventory_items += set["inventory"].as_object().map_or(0, |items| items.len() as u64);
        let mut events = Vec::new();
        self.events(set, (&key, is_agent), meta, &mut events, out);
        push_post(out, &key, is_agent, events);
        let mut metrics = Vec::new();
        for metric in set["metrics"].as_array().into_iter().flatten() {
            match self.metric_v4(metric, &set["common"], &key, meta) {
                Ok(Some(point)) => metrics.push(point),
                // The first value of a delta.
                Ok(None) => {}
                Err(problem) => out.problems.push(format!("`{key}`: {problem}")),
            }
        }
        if metrics.is_empty() {
            return Ok(());
        }
        let mut attributes = set["common"]["attributes"].as_object().cloned().unwrap_or_default();
        for (name, value) in set["entity"]["metadata"].as_object().into_iter().flatten() {
            attributes.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let mut put = |name: &str, value: &str| {
            attributes.insert(name.to_owned(), json!(value));
        };
        put("entityKey", &key);
        put("integrationName", meta.name);
        put("integrationVersion", meta.version);
        put("reportingAgent", &self.host.entity_key);
        for (label, value) in &self.host.labels {
            put(&format!("label.{label}"), value);
        }
        for (name, value) in self.host.attributes() {
            put(name, value);
        }
        out.metrics.push(json!({"common": {"attributes": attributes}, "metrics": metrics}));
        Ok(())
    }

    /// One data point; `None` for the first value of a delta.
    fn metric_v4(
        &mut self,
        metric: &Value,
        common: &Value,
        key: &str,
        meta: &Payload<'_>,
    ) -> Result<Option<Value>, String> {
        let name = metric["name"].as_str().ok_or("a metric has no name")?;
        let kind = metric["type"].as_str().unwrap_or("gauge");
        let value = &metric["value"];
        let given = |name: &str| {
            let own = metric[name].as_i64();
            own.or_else(|| common[name].as_i64())
        };
        let at = given("timestamp").map_or(meta.now, UnixMillis::from_seconds_or_millis);
        let attributes = metric["attributes"].clone();
        let (kind, value, interval_ms) = match kind {
            "gauge" => ("gauge", value.clone(), None),
            "count" | "summary" => {
                (kind, value.clone(), Some(given("interval.ms").unwrap_or(DEFAULT_INTERVAL_MS)))
            }
            "rate" => {
                let seconds = interval_seconds(given("interval.ms").unwrap_or(DEFAULT_INTERVAL_MS));
                let number = value.as_f64().ok_or_else(|| format!("`{name}` has no number"))?;
                ("gauge", json!(number / seconds), None)
            }
            "cumulative-count" | "cumulative-rate" => {
                let number = value.as_f64().ok_or_else(|| format!("`{name}` has no number"))?;
                let series = format!("{key}\n{name}\n{attributes}");
                let Some((delta, millis)) = self.delta(series, number, at) else {
                    return Ok(None);
                };
                if kind == "cumulative-count" {
                    ("count", json!(delta), Some(millis))
                } else {
                    ("gauge", json!(delta / interval_seconds(millis)), None)
                }
            }
            other => return Err(format!("`{name}` is of type `{other}`, which is not forwarded")),
        };
        let mut point = json!({"name": name, "type": kind, "value": value, "timestamp": at.0});
        if let Some(millis) = interval_ms {
            point["interval.ms"] = json!(millis);
        }
        if attributes.is_object() {
            point["attributes"] = attributes;
        }
        Ok(Some(point))
    }

    /// Growth since the value before and its time in milliseconds; a counter that fell began anew
    /// and gives none.
    fn delta(&mut self, series: String, value: f64, at: UnixMillis) -> Option<(f64, i64)> {
        if self.previous.len() >= SERIES_MAX && !self.previous.contains_key(&series) {
            return None;
        }
        let (before, then) = self.previous.insert(series, (value, at))?;
        let millis = at.millis_since(then);
        (millis > 0 && value >= before).then_some((value - before, millis))
    }
}

/// The agent's usual interval between two runs of an integration.
const DEFAULT_INTERVAL_MS: i64 = 30_000;

#[expect(clippy::cast_precision_loss, reason = "an interval is far below 2⁵³ milliseconds")]
fn interval_seconds(millis: i64) -> f64 {
    millis.max(1) as f64 / 1_000.0
}

fn push_post(out: &mut Forwarded, key: &str, is_agent: bool, events: Vec<Value>) {
    if events.is_empty() {
        return;
    }
    let mut post = json!({"IsAgent": is_agent, "Events": events});
    if !is_agent {
        post["ExternalKeys"] = json!([key]);
    }
    out.events.push(post);
}
