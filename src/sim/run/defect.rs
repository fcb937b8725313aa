//! Pipelines broken on purpose: the checks' own test.
//!
//! A defect changes what leaves the pipeline, at its ports, exactly as a mistake further in would:
//! a wrong GUID, a dropped topic, a rate counted twice. A check that lets its defect pass proves
//! nothing; `scenarios/defects.rs` runs them all.

use std::io::Read as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, RETRY_AFTER};
use serde_json::{Map, Value, json};

use super::with_http::WithHttp;
use crate::pipeline::PipelineConfig;
use crate::ports::{Http, HttpError, HttpLimits, HttpRequest, HttpResponse, Ports};

/// One planted mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// GUIDs of brokers are built from another type.
    WrongGuidPart,
    /// One topic is never sent.
    DroppedTopic,
    /// A broker's message rate counts twice.
    DoubledRate,
    /// Failures of brokers are not reported.
    SwallowedError,
    /// Two groups share one identity.
    MergedGroups,
    /// The health score is always 100.
    RosyHealth,
    /// Values of the first cycle are sent for ever.
    FrozenValues,
    /// Every request is sent twice.
    SentTwice,
    /// Every fifth request is dropped and counted as sent.
    LostBatch,
    /// Lag is one too high.
    LagOffByOne,
    /// A CPU share is sent as a fraction.
    FractionForPercent,
    /// A topic that does not exist is sent.
    InventedTopic,
    /// Relationships point the wrong way.
    ReversedRelationships,
    /// Relationships are never sent.
    NoRelationships,
    /// That brokers serve topics is never sent.
    UnservedTopics,
    /// A topic is served by brokers that serve another.
    ServedByStrangers,
    /// A rate that is not known is sent as zero.
    ZeroForAbsent,
    /// Time stamps are a minute old.
    OldTimestamps,
    /// Time stamps are a few milliseconds ahead.
    EarlyTimestamps,
    /// Relationships carry the time of another cycle.
    OldRelationships,
    /// Events name another environment.
    WrongEnvironment,
    /// Brokers have another display name.
    WrongName,
    /// Waits that New Relic asks for are not heard.
    IgnoredRetryAfter,
    /// Refusals by an overloaded New Relic count as acceptance: the spool forgets the events.
    AcceptedRefusals,
    /// The breaker of ingest never opens.
    TirelessBreaker,
    /// The breaker of ingest opens at the first failure.
    HastyBreaker,
    /// A restart does not look into the spool of the life before.
    ForgottenSpool,
    /// Memory has no bound.
    BoundlessMemory,
}

/// Every defect there is.
pub const ALL: &[Defect] = &[
    Defect::WrongGuidPart,
    Defect::DroppedTopic,
    Defect::DoubledRate,
    Defect::SwallowedError,
    Defect::MergedGroups,
    Defect::RosyHealth,
    Defect::FrozenValues,
    Defect::SentTwice,
    Defect::LostBatch,
    Defect::LagOffByOne,
    Defect::FractionForPercent,
    Defect::InventedTopic,
    Defect::ReversedRelationships,
    Defect::NoRelationships,
    Defect::UnservedTopics,
    Defect::ServedByStrangers,
    Defect::ZeroForAbsent,
    Defect::OldTimestamps,
    Defect::EarlyTimestamps,
    Defect::OldRelationships,
    Defect::WrongEnvironment,
    Defect::WrongName,
    Defect::IgnoredRetryAfter,
    Defect::AcceptedRefusals,
    Defect::TirelessBreaker,
    Defect::HastyBreaker,
    Defect::ForgottenSpool,
    Defect::BoundlessMemory,
];

impl Defect {
    /// Breaks what the pipeline was asked to be, in its `life`-th life.
    pub fn misconfigure(self, config: &mut PipelineConfig, life: usize) {
        match self {
            Self::TirelessBreaker => config.stream.breaker.failure_threshold = u32::MAX,
            Self::HastyBreaker => config.stream.breaker.failure_threshold = 1,
            Self::ForgottenSpool => {
                if let Some(spool) = &mut config.spool {
                    spool.folder = format!("spool-{life}");
                }
            }
            Self::BoundlessMemory => {
                config.stream.buffer_events_max = 1 << 20;
                config.stream.buffer_bytes_max = 1 << 30;
            }
            _ => {}
        }
    }

    /// Breaks what New Relic answered.
    fn mishear(self, mut answer: HttpResponse) -> HttpResponse {
        match self {
            Self::IgnoredRetryAfter => drop(answer.headers_mut().remove(RETRY_AFTER)),
            Self::AcceptedRefusals if answer.status().is_server_error() => return acceptance(),
            _ => {}
        }
        answer
    }
}

/// What New Relic answers when it takes a request.
fn acceptance() -> HttpResponse {
    http::Response::new(Bytes::from_static(b"{\"success\":true,\"uuid\":\"none\"}"))
}

#[derive(Debug, Default)]
struct Memory {
    requests: u64,
    first_values: Map<String, Value>,
}

/// An HTTP arm that carries a defect, or none.
#[derive(Clone)]
pub struct TamperedHttp<H> {
    http: H,
    defect: Option<Defect>,
    memory: Arc<Mutex<Memory>>,
}

/// `ports` with `defect`.
pub fn tampered<P: Ports>(ports: P, defect: Option<Defect>) -> WithHttp<P, TamperedHttp<P::Http>> {
    let http = TamperedHttp { http: ports.http().clone(), defect, memory: Arc::default() };
    WithHttp { ports, http }
}

impl<H: Http> Http for TamperedHttp<H> {
    async fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let Some(defect) = self.defect else { return self.http.send(request, limits).await };
        if request.method() != http::Method::POST {
            return self.http.send(request, limits).await;
        }
        let count = self.count();
        if defect == Defect::LostBatch && count.is_multiple_of(5) {
            return Ok(acceptance());
        }
        let request = self.tamper(defect, request)?;
        if defect == Defect::SentTwice {
            self.http.send(request.clone(), limits).await?;
        }
        let answer = self.http.send(request, limits).await?;
        Ok(defect.mishear(answer))
    }
}

impl<H> TamperedHttp<H> {
    fn count(&self) -> u64 {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.requests += 1;
        memory.requests
    }

    fn tamper(&self, defect: Defect, request: HttpRequest) -> Result<HttpRequest, HttpError> {
        let unreadable = |error: &dyn std::fmt::Display| HttpError::Request(error.to_string());
        let (mut parts, body) = request.into_parts();
        let mut text = Vec::new();
        if parts.headers.remove(CONTENT_ENCODING).is_some() {
            // Our own pipeline's bodies are below 1 MB compressed.
            let mut decoder = GzDecoder::new(body.as_ref()).take(64 << 20);
            decoder.read_to_end(&mut text).map_err(|error| unreadable(&error))?;
        } else {
            text.extend_from_slice(&body);
        }
        let mut events: Vec<Map<String, Value>> =
            serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        break_events(defect, &mut memory, &mut events);
        let text = serde_json::to_vec(&events).map_err(|error| unreadable(&error))?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = encoder.write_all(&text).and_then(|()| encoder.finish());
        let packed = packed.map_err(|error| unreadable(&error))?;
        parts.headers.insert(CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
        parts.headers.remove(http::header::CONTENT_LENGTH);
        Ok(http::Request::from_parts(parts, Bytes::from(packed)))
    }
}

fn text<'a>(event: &'a Map<String, Value>, name: &str) -> &'a str {
    event.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is(event: &Map<String, Value>, entity_type: &str) -> bool {
    text(event, "entityType") == entity_type
}

const BROKER: &str = "MESSAGE_QUEUE_BROKER";
const TOPIC: &str = "MESSAGE_QUEUE_TOPIC";
const GROUP: &str = "MESSAGE_QUEUE_CONSUMER_GROUP";
const CLUSTER: &str = "MESSAGE_QUEUE_CLUSTER";
const RELATIONSHIP: &str = "MessageQueueRelationship";
const SERVES: &str = "SERVES";

fn scale(event: &mut Map<String, Value>, name: &str, change: impl Fn(f64) -> f64) {
    if let Some(value) = event.get(name).and_then(Value::as_f64) {
        event.insert(name.to_owned(), json!(change(value)));
    }
}

fn break_events(defect: Defect, memory: &mut Memory, events: &mut Vec<Map<String, Value>>) {
    match defect {
        Defect::DroppedTopic => {
            events.retain(|event| !(is(event, TOPIC) && text(event, "topicName").ends_with('d')));
        }
        Defect::NoRelationships => {
            events.retain(|event| text(event, "eventType") != RELATIONSHIP);
        }
        Defect::UnservedTopics => {
            events.retain(|event| text(event, "relationshipType") != SERVES);
        }
        Defect::ServedByStrangers => exchange_servers(events),
        Defect::InventedTopic => {
            if let Some(topic) = events.iter().find(|event| is(event, TOPIC)).cloned() {
                events.push(invented(topic));
            }
        }
        Defect::FrozenValues => events.iter_mut().for_each(|event| freeze(memory, event)),
        _ => events.iter_mut().for_each(|event| break_event(defect, event)),
    }
}

fn break_event(defect: Defect, event: &mut Map<String, Value>) {
    match defect {
        Defect::WrongGuidPart if is(event, BROKER) => {
            let guid = text(event, "entityGuid").to_owned();
            // The type stands in the middle of the base64 text; any change there is a wrong part.
            let changed = guid.replacen('T', "U", 1);
            event.insert("entityGuid".to_owned(), json!(changed));
        }
        Defect::DoubledRate if is(event, BROKER) => {
            scale(event, "broker.messages.in.rate", |rate| rate * 2.0);
        }
        Defect::MergedGroups if is(event, GROUP) => {
            for name in ["entityGuid", "entityIdentifier"] {
                let merged = text(event, name).chars().rev().collect::<String>();
                event.insert(name.to_owned(), json!(merged));
            }
        }
        Defect::RosyHealth if is(event, CLUSTER) => {
            event.insert("cluster.health.score".to_owned(), json!(100));
        }
        Defect::LagOffByOne if is(event, GROUP) => {
            scale(event, "consumerGroup.lag.total", |lag| lag + 1.0);
        }
        Defect::FractionForPercent if is(event, BROKER) => {
            scale(event, "broker.cpu.usage", |percent| percent / 100.0);
        }
        Defect::ZeroForAbsent if is(event, BROKER) => {
            event.entry("broker.messages.in.rate").or_insert(json!(0));
        }
        Defect::OldTimestamps => scale(event, "timestamp", |at| at - 60_000.0),
        Defect::EarlyTimestamps => scale(event, "timestamp", |at| at + 5.0),
        Defect::OldRelationships if text(event, "eventType") == RELATIONSHIP => {
            scale(event, "timestamp", |at| at - 60_000.0);
        }
        Defect::WrongEnvironment => {
            event.insert("environment".to_owned(), json!("production"));
        }
        Defect::WrongName if is(event, BROKER) => {
            let name = format!("broker {}", text(event, "displayName"));
            event.insert("displayName".to_owned(), json!(name));
        }
        Defect::ReversedRelationships if text(event, "eventType") == RELATIONSHIP => {
            for part in ["EntityGuid", "EntityType"] {
                let (source, target) = (format!("source{part}"), format!("target{part}"));
                let swapped = (event.remove(&source), event.remove(&target));
                if let (Some(from), Some(to)) = swapped {
                    event.insert(source, to);
                    event.insert(target, from);
                }
            }
        }
        _ => {}
    }
}

fn invented(mut topic: Map<String, Value>) -> Map<String, Value> {
    let name = "no-such-topic";
    topic.insert("topicName".to_owned(), json!(name));
    topic.insert("displayName".to_owned(), json!(name));
    let identity =
        super::super::oracle::guid::Identity::new(TOPIC, text(&topic, "clusterName"), Some(name));
    let guid = text(&topic, "entityGuid");
    let account = account_of(guid);
    let (readable, wire) = super::super::oracle::guid::expected(account, &identity);
    let identifier = readable.rsplit('|').next().unwrap_or_default();
    topic.insert("entityIdentifier".to_owned(), json!(identifier));
    topic.insert("entityGuid".to_owned(), json!(wire));
    topic
}

fn account_of(wire: &str) -> u64 {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(wire);
    let readable = String::from_utf8(decoded.unwrap_or_default()).unwrap_or_default();
    readable.split('|').next().and_then(|account| account.parse().ok()).unwrap_or_default()
}

/// Lets each topic be served by the broker that the next of these events names.
fn exchange_servers(events: &mut [Map<String, Value>]) {
    let mut told: Vec<&mut Map<String, Value>> =
        events.iter_mut().filter(|event| text(event, "relationshipType") == SERVES).collect();
    let mut brokers: Vec<Option<Value>> =
        told.iter().map(|event| event.get("sourceEntityGuid").cloned()).collect();
    // Those of one broker stand together: half of them further on is surely another's.
    let half = brokers.len() / 2;
    brokers.rotate_left(half);
    for (event, broker) in told.iter_mut().zip(brokers) {
        event.insert("sourceEntityGuid".to_owned(), broker.unwrap_or_default());
    }
}

/// Sends the numbers of an object's first event again and again.
fn freeze(memory: &mut Memory, event: &mut Map<String, Value>) {
    let guid = text(event, "entityGuid").to_owned();
    let Some(Value::Object(first)) = memory.first_values.get(&guid) else {
        memory.first_values.insert(guid, Value::Object(event.clone()));
        return;
    };
    for (name, value) in first {
        if name.contains('.') && event.contains_key(name) {
            event.insert(name.clone(), value.clone());
        }
    }
}
