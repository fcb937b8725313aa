//! The service through its own router, over HTTP without a network.

use std::io::Write as _;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use proptest::prelude::*;
use tower::ServiceExt;

use super::*;
use crate::definitions::{builtin, entity_guid};
use crate::newrelic::{ApiKey, EventApi, Region};
use crate::ports::testing::{EPOCH, TestClock, TestPorts};
use crate::ports::{Clock, Http, HttpError, HttpLimits, HttpRequest, HttpResponse};
use crate::resilience::breaker::Breaker;
use crate::rt::race;
use crate::stream::{EncodedEvent, StreamConfig, Streamer};

pub(super) const KEY: &str = "0123456789abcdef0123456789abcdef0123NRAL";
pub(super) const USER_KEY: &str = "NRAK-ABCDEFGHIJKLMNOPQRSTUVWXYZ0";
const PATH: &str = "/v1/accounts/1234567/events";

pub(super) fn account() -> AccountId {
    AccountId::try_from(1_234_567).expect("valid")
}

pub(super) fn config() -> NewRelicConfig {
    let key = |text| ApiKey::new(text).expect("valid");
    NewRelicConfig::new(vec![Account {
        id: account(),
        name: "Shop".to_owned(),
        keys: vec![key(KEY), key(USER_KEY)],
    }])
}

/// The router as an HTTP client sees it.
#[derive(Clone)]
struct InMemory {
    clock: TestClock,
    router: Router,
}

impl Http for InMemory {
    async fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let authority = "newrelic:3000".to_owned();
        let (mut parts, body) = request.into_parts();
        parts.headers.insert("content-length", HeaderValue::from(body.len()));
        let exchange = async {
            let request = Request::from_parts(parts, Body::from(body));
            let answer = self.router.clone().oneshot(request).await.expect("infallible");
            let (parts, body) = answer.into_parts();
            let body = axum::body::to_bytes(body, limits.body_bytes_max).await;
            body.map(|body| http::Response::from_parts(parts, body))
        };
        match self.clock.timeout(limits.timeout, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(HttpError::Broken { authority, reason: error.to_string() }),
            Err(_) => Err(HttpError::Timeout { authority, timeout: limits.timeout, sent: true }),
        }
    }
}

pub(super) struct Service {
    pub(super) clock: TestClock,
    pub(super) newrelic: NewRelic,
    http: InMemory,
}

impl Service {
    pub(super) fn new(config: NewRelicConfig) -> Self {
        Self::with(config, builtin())
    }

    pub(super) fn with(config: NewRelicConfig, definitions: Definitions) -> Self {
        let clock = TestClock::default();
        let newrelic = NewRelic::new(config, Seed(1), Arc::new(definitions));
        let router = router(clock.clone(), newrelic.clone());
        let http = InMemory { clock: clock.clone(), router };
        Self { clock, newrelic, http }
    }

    fn streamer(&self) -> Streamer<TestPorts<InMemory>> {
        let ports = TestPorts::new(&self.clock, self.http.clone());
        let uri = Region::Local.addresses().events_of(account()).expect("valid");
        let api = EventApi::new(uri, ApiKey::ingest(KEY).expect("valid"));
        let config = StreamConfig { batch_events_max: 10, ..StreamConfig::default() };
        let breaker = Breaker::new("event-api", config.breaker.clone()).expect("valid");
        Streamer::new(ports, api, config, breaker, None).expect("valid")
    }

    /// Posts as written, without any help of a client.
    pub(super) fn raw(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> (u16, String) {
        let (status, _, text) = self.whole(path, headers, body);
        (status, text)
    }

    /// As [`Service::raw`], with the answer's headers.
    pub(super) fn whole(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> (u16, http::HeaderMap, String) {
        let mut request = Request::builder().method("POST").uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("valid");
        self.clock.run(async {
            let answer = self.http.router.clone().oneshot(request).await.expect("infallible");
            let (parts, body) = answer.into_parts();
            let body = axum::body::to_bytes(body, 10_000).await.expect("whole");
            let text = String::from_utf8(body.to_vec()).expect("text");
            (parts.status.as_u16(), parts.headers, text)
        })
    }

    /// Posts JSON to `path` as a well-behaved client does.
    pub(super) fn send(&self, path: &str, body: &str) -> (u16, String) {
        let length = body.len().to_string();
        let headers =
            [("api-key", KEY), ("content-type", "application/json"), ("content-length", &length)];
        self.raw(path, &headers, body.to_owned())
    }

    pub(super) fn post(&self, body: &str) -> (u16, String) {
        let length = body.len().to_string();
        self.raw(PATH, &[("api-key", KEY), ("content-length", &length)], body.to_owned())
    }

    /// Lets everything that was accepted be parsed.
    pub(super) fn settle(&self) {
        self.clock.advance(Duration::from_secs(20));
        self.newrelic.advance(self.clock.wall());
        assert_eq!(self.newrelic.queued(), 0);
    }
}

/// Changes a good request's headers: a value to set, or `None` to leave the header out.
type Changes = &'static [(&'static str, Option<&'static str>)];

const OK: &str = r#"[{"eventType":"A"}]"#;

/// Case, path, change of headers, body, status.
const ENVELOPE: &[(&str, &str, Changes, &str, u16)] = &[
    ("plain", PATH, &[], OK, 200),
    ("one object", PATH, &[], r#"{"eventType":"A"}"#, 200),
    ("not JSON, told later", PATH, &[], "]", 200),
    ("no type", PATH, &[("content-type", None)], OK, 200),
    ("text", PATH, &[("content-type", Some("text/plain"))], OK, 200),
    ("multipart", PATH, &[("content-type", Some("Multipart/form-data; boundary=x"))], OK, 415),
    ("brotli", PATH, &[("content-encoding", Some("br"))], OK, 415),
    ("two encodings", PATH, &[("content-encoding", Some("gzip, gzip"))], OK, 415),
    ("gzip", PATH, &[("content-encoding", Some("GZIP"))], OK, 200),
    ("deflate", PATH, &[("content-encoding", Some("deflate"))], OK, 200),
    ("identity", PATH, &[("content-encoding", Some("identity"))], OK, 200),
    ("no key", PATH, &[("api-key", None)], OK, 403),
    ("wrong key", PATH, &[("api-key", Some("wrong"))], OK, 403),
    ("user key", PATH, &[("api-key", Some(USER_KEY))], OK, 403),
    ("insert key", PATH, &[("api-key", None), ("x-insert-key", Some(KEY))], OK, 200),
    ("license key", PATH, &[("api-key", None), ("x-license-key", Some(KEY))], OK, 200),
    ("other account", "/v1/accounts/1234568/events", &[], OK, 403),
    ("no account", "/v1/accounts/shop/events", &[], OK, 403),
    ("no length", PATH, &[("content-length", None)], OK, 400),
    ("bad length", PATH, &[("content-length", Some("many"))], OK, 400),
    ("negative length", PATH, &[("content-length", Some("-1"))], OK, 400),
    ("absurd length", PATH, &[("content-length", Some("18446744073709551616"))], OK, 400),
    ("length of a lie", PATH, &[("content-length", Some("5"))], OK, 400),
    ("empty", PATH, &[], "", 400),
    ("too long", PATH, &[("content-length", Some("1000001"))], OK, 413),
    (
        "key before length",
        PATH,
        &[("api-key", Some("wrong")), ("content-length", Some("1000001"))],
        OK,
        403,
    ),
    (
        "length before type",
        PATH,
        &[("content-length", Some("0")), ("content-encoding", Some("br"))],
        OK,
        400,
    ),
];

fn check_envelope(name: &str, path: &str, changes: Changes, body: &str, expected: u16) {
    let service = Service::new(config());
    let length = body.len().to_string();
    let mut headers = BTreeMap::from([
        ("api-key", KEY),
        ("content-type", "application/json"),
        ("content-length", &length),
    ]);
    for (header, value) in changes {
        match value {
            Some(value) => headers.insert(header, value),
            None => headers.remove(header),
        };
    }
    let headers: Vec<_> = headers.into_iter().collect();
    let (status, text) = service.raw(path, &headers, body.to_owned());
    assert_eq!(status, expected, "{name}: {text}");
    let requests = service.newrelic.requests();
    assert_eq!(requests.len(), 1, "{name}");
    assert_eq!(requests[0].status, expected, "{name}");
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    if status == 200 {
        assert_eq!(answer["success"], true, "{name}");
        assert_eq!(answer["uuid"].as_str(), requests[0].uuid.as_deref(), "{name}");
    } else {
        assert!(answer["error"].is_string(), "{name}: {text}");
        service.settle();
        assert!(service.newrelic.event_counts().is_empty(), "{name}");
    }
}

#[test]
fn the_envelope_is_checked_to_the_letter() {
    for (name, path, changes, body, expected) in ENVELOPE {
        check_envelope(name, path, changes, body, *expected);
    }
    check_envelope("longest", PATH, &[], &" ".repeat(1_000_000), 200);
    let service = Service::new(config());
    assert_eq!(service.raw("/v1/accounts/1234567", &[], OK).0, 404);
}

#[test]
fn get_is_not_allowed() {
    let service = Service::new(config());
    for path in [PATH, "/v1/accounts/events", "/metric/v1", "/infra/v2/metrics/events/bulk"] {
        let request = Request::builder().uri(path).body(Body::empty()).expect("valid");
        let answer = service.clock.run(service.http.router.clone().oneshot(request));
        assert_eq!(answer.expect("infallible").status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[test]
fn a_slow_sender_gets_408_after_ten_seconds() {
    let service = Service::new(config());
    let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let (status, _) = service.raw(PATH, &[("api-key", KEY), ("content-length", "10")], body);
    assert_eq!(status, 408);
    assert_eq!(service.clock.monotonic(), Duration::from_secs(10));
}

#[test]
fn the_rate_limit_lasts_until_the_minute_ends() {
    let service = Service::new(NewRelicConfig { posts_per_minute: 3, ..config() });
    // The epoch lies 20 s before the end of a minute.
    assert_eq!(EPOCH.0.rem_euclid(60_000), 20_000);
    let statuses = |count| (0..count).map(|_| service.post("{}").0).collect::<Vec<_>>();
    assert_eq!(statuses(5), [200, 200, 200, 429, 429]);
    service.clock.advance(Duration::from_millis(39_999));
    assert_eq!(statuses(1), [429]);
    service.clock.advance(Duration::from_millis(1));
    assert_eq!(statuses(4), [200, 200, 200, 429]);
    assert_eq!(service.newrelic.counters().requests[&429], 4);
}

#[test]
fn what_waits_is_bounded_also_when_it_is_many_small_bodies() {
    let service = Service::new(NewRelicConfig { queue_bytes_max: 600, ..config() });
    let statuses = |count| (0..count).map(|_| service.post("{}").0).collect::<Vec<_>>();
    assert_eq!(statuses(3), [200, 200, 503]);
    service.settle();
    assert_eq!((service.newrelic.queued(), statuses(3)), (0, vec![200, 200, 503]));
}

#[test]
fn bad_events_become_rows_with_the_documented_messages() {
    let long = |n: usize| "x".repeat(n);
    let check = |event: &str, expected: Option<(&str, Option<&str>)>| {
        let service = Service::new(config());
        // A good event travels along and must survive.
        let body = format!(r#"[{{"eventType":"Good"}},{event},{event}]"#);
        assert_eq!(service.post(&body).0, 200);
        service.settle();
        assert_eq!(service.newrelic.events("Good").len(), 1, "{event:.80}");
        let errors = service.newrelic.integration_errors();
        let got = errors.first().map(|e| (e.message.as_str(), e.event_type_sample.as_deref()));
        assert_eq!(got, expected, "{event:.80}");
        let request = &service.newrelic.requests()[0];
        let rejected = if expected.is_some() { 2 } else { 0 };
        assert_eq!((request.events_stored, request.events_rejected), (3 - rejected, rejected));
        if let Some(error) = errors.first() {
            assert_eq!(error.api_key_prefix, "012345");
            assert_eq!(Some(error.request_id.as_str()), request.uuid.as_deref());
            let row = &service.newrelic.events("NrIntegrationError")[0];
            let text = |name| row.get(name).and_then(Value::as_str);
            assert_eq!(text("newRelicFeature"), Some("Event API"));
            assert_eq!(text("category"), Some("EventApiException"));
            assert_eq!(text("name"), Some("EventValidationException"));
        }
    };
    let because = "2 event(s) rejected because";
    let missing = format!("{because} event is missing required attributes `eventType`");
    let missing = Some((missing.as_str(), None));
    check(r#"{"a":1}"#, missing);
    check(r#"{"eventType":""}"#, missing);
    check(r#"{"eventType":null}"#, missing);
    check(r#"{"eventType":5}"#, missing);
    let letters = format!(
        "{because} attribute `eventType` cannot contain the following characters: `[., \\]`"
    );
    for bad in ["a.b", "a,b", "a b", "a-b", "a[0]"] {
        check(&format!(r#"{{"eventType":"{bad}"}}"#), Some((&letters, Some(bad))));
    }
    let fails = |event: &str, reason: &str| {
        check(event, Some((&format!("{because} {reason}"), Some("E"))));
    };
    fails(r#"{"eventType":"E","appId":"12"}"#, "attribute `appId` was not an integer");
    fails(r#"{"eventType":"E","appId":1.5}"#, "attribute `appId` was not an integer");
    fails(r#"{"eventType":"E","":1}"#, "event is missing attribute name");
    let name = format!(r#"{{"eventType":"E","{}":1}}"#, long(256));
    fails(&name, "attribute name exceeded maximum length");
    let value = format!(r#"{{"eventType":"E","v":"{}"}}"#, long(4_097));
    fails(&value, "attribute value exceeded maximum length");
    let many: String = (0..255).map(|n| format!(r#","a{n}":1"#)).collect();
    let event = format!(r#"{{"eventType":"E"{many}}}"#);
    fails(&event, "event exceeded maximum number of attributes");
    fails(r#"{"eventType":"E","v":[1]}"#, "attribute value was not a string or a number");
    fails(r#"{"eventType":"E","v":{"a":{}}}"#, "attribute value was not a string or a number");
    for reserved in ["Metric", "MetricRaw", "Metric12", "Public_x"] {
        let message = format!("{because} attribute `eventType` is a reserved event type");
        check(&format!(r#"{{"eventType":"{reserved}"}}"#), Some((&message, Some(reserved))));
    }
    let message = format!("{because} attribute `eventType` exceeded maximum length");
    let kind = long(256);
    check(&format!(r#"{{"eventType":"{kind}"}}"#), Some((&message, Some(&kind))));

    // At the limits, and allowed names.
    check(&format!(r#"{{"eventType":"{}"}}"#, long(255)), None);
    check(&format!(r#"{{"eventType":"E","{}":1}}"#, long(255)), None);
    check(&format!(r#"{{"eventType":"E","v":"{}"}}"#, "é".repeat(4_096)), None);
    let most: String = (0..254).map(|n| format!(r#","a{n}":1"#)).collect();
    check(&format!(r#"{{"eventType":"E"{most}}}"#), None);
    check(r#"{"eventType":"Metrics","appId":7}"#, None);
    check(r#"{"eventType":"a_B:c9"}"#, None);
}

#[test]
fn an_account_has_250_event_types() {
    let service = Service::new(config());
    let events: Vec<_> = (0..251).map(|n| format!(r#"{{"eventType":"T{n}"}}"#)).collect();
    service.post(&format!("[{}]", events.join(",")));
    service.settle();
    let message = "1 event(s) rejected because account exceeded maximum number of event types";
    assert_eq!(service.newrelic.integration_errors()[0].message, message);
    service.post(r#"{"eventType":"T7"}"#);
    service.settle();
    assert_eq!(service.newrelic.counters().events_stored, 251);
}

#[test]
fn entities_beyond_the_cap_are_counted() {
    // Equal delays keep the order of arrival.
    let parse_delay = DelayRange::millis(100, 100);
    let service = Service::new(NewRelicConfig { entities_max: 2, parse_delay, ..config() });
    for broker in [1, 2, 3, 1] {
        service.post(&broker_event(broker));
    }
    service.settle();
    assert_eq!(service.newrelic.entities().len(), 2);
    assert_eq!(service.newrelic.counters().entities_refused, 1);
    assert_eq!(service.newrelic.events("MessageQueue").len(), 4);
}

#[test]
fn different_faults_of_one_request_are_different_rows() {
    let service = Service::new(config());
    service.post(r#"[{"eventType":"E","":1},{"a":1},{"b":1},{"eventType":"E","v":[]}]"#);
    service.settle();
    let errors = service.newrelic.integration_errors();
    let mut messages: Vec<_> = errors.iter().map(|e| e.message.as_str()).collect();
    messages.sort_unstable();
    assert_eq!(
        messages,
        [
            "1 event(s) rejected because attribute value was not a string or a number",
            "1 event(s) rejected because event is missing attribute name",
            "2 event(s) rejected because event is missing required attributes `eventType`",
        ]
    );
    let rejected = service.newrelic.counters().events_rejected;
    assert_eq!(rejected[&EventFault::EventTypeMissing], 2);
    assert_eq!(rejected.len(), 3);
}

#[test]
fn unreadable_bodies_are_lost_whole() {
    let gzip = |bytes: &[u8]| {
        let level = flate2::Compression::fast();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let check = |body: Vec<u8>, encoding: &str, readable: bool| {
        let service = Service::new(NewRelicConfig { decoded_bytes_max: 100_000, ..config() });
        let length = body.len().to_string();
        let headers =
            [("api-key", KEY), ("content-length", &length), ("content-encoding", encoding)];
        let (status, _) = service.raw(PATH, &headers, body);
        assert_eq!(status, 200);
        service.settle();
        let errors = service.newrelic.integration_errors();
        let messages: Vec<_> = errors.iter().map(|e| e.message.as_str()).collect();
        let expected: &[&str] = if readable { &[] } else { &["Error parsing JSON payload"] };
        assert_eq!(messages, expected);
        assert_eq!(service.newrelic.counters().bodies_unreadable, u64::from(!readable));
    };
    let good = br#"[{"eventType":"E"}]"#;
    check(good.to_vec(), "identity", true);
    check(gzip(good), "gzip", true);
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(good).expect("memory");
    check(zlib.finish().expect("memory"), "deflate", true);
    check(good.to_vec(), "gzip", false);
    check(gzip(good)[..20].to_vec(), "gzip", false);
    check(gzip(&vec![b' '; 50_000_000]), "gzip", false);
    for bad in ["", " ", "[1]", "[[]]", "5", "[{\"eventType\":\"E\"}", "[{}]x", "[{\"a\":1e999}]"] {
        if !bad.is_empty() {
            check(bad.as_bytes().to_vec(), "identity", false);
        }
    }
    check(b"[{\"a\":\"\xff\"}]".to_vec(), "identity", false);
    check(format!("[{{\"a\":{}}}]", "[".repeat(10_000)).into_bytes(), "identity", false);
    check(b"[]".to_vec(), "identity", true);
}

#[test]
fn values_are_stored_as_documented() {
    let service = Service::new(config());
    let body = r#"{"eventType":"E","n":123,"s":"123","f":0.1,"big":9007199254740993,
        "huge":18446744073709551615,"wide":123456789012345678901234567890,"b":true,"none":null,
        "accountId":5,"esc":"a\"\u00e9","odd name/x":1,"dup":1,"dup":"two"}"#;
    assert_eq!(service.post(body).0, 200);
    service.settle();
    let events = service.newrelic.events("E");
    let check = |name: &str, expected: Option<Value>| {
        assert_eq!(events[0].get(name).cloned(), expected, "{name}");
    };
    let text = |text: &str| Some(Value::Text(text.into()));
    check("n", Some(Value::Number(123.0)));
    check("s", text("123"));
    check("f", Some(Value::Number(0.1)));
    check("big", Some(Value::Integer(9_007_199_254_740_993)));
    check("huge", Some(Value::Number(18_446_744_073_709_551_615.0)));
    check("wide", Some(Value::Number(1.234_567_890_123_456_8e29)));
    check("b", text("true"));
    check("none", None);
    check("accountId", None);
    check("esc", text("a\"é"));
    check("odd name/x", Some(Value::Number(1.0)));
    check("dup", text("two"));
    check("eventType", None);
}

#[test]
fn timestamps_are_read_in_seconds_and_milliseconds() {
    let now = EPOCH.0;
    let check = |timestamp: &str, expected: i64| {
        let service = Service::new(config());
        service.post(&format!(r#"{{"eventType":"E","timestamp":{timestamp}}}"#));
        service.settle();
        assert_eq!(service.newrelic.events("E")[0].timestamp.0, expected, "{timestamp}");
    };
    check(&(now - 5_000).to_string(), now - 5_000);
    check(&((now - 5_000) / 1_000).to_string(), now - 5_000);
    check(&format!("{}.75", now - 5_000), now - 5_000);
    check(&format!("{}.75", (now - 5_000) / 1_000), now - 5_000);
    check(&(now - 86_400_000).to_string(), now - 86_400_000);
    check(&(now + 86_400_000).to_string(), now + 86_400_000);
    for refused in [now - 86_400_001, now + 86_400_001, 0, -5, i64::MAX] {
        check(&refused.to_string(), now);
    }
    check("\"soon\"", now);
    check("null", now);
    check("1e300", now);
    check("-1e300", now);
}

#[test]
fn answers_come_before_events_and_events_before_entities() {
    let service = Service::new(NewRelicConfig {
        parse_delay: DelayRange::millis(1_000, 1_000),
        synthesis_lag: DelayRange::millis(5_000, 5_000),
        ..config()
    });
    let advance = |millis| {
        service.clock.advance(Duration::from_millis(millis));
        service.newrelic.advance(service.clock.wall());
    };
    service.post(&broker_event(1));
    assert!(service.newrelic.events("MessageQueue").is_empty());
    advance(999);
    assert!(service.newrelic.events("MessageQueue").is_empty());
    advance(1);
    assert_eq!(service.newrelic.events("MessageQueue").len(), 1);
    let entity = service.newrelic.entities().remove(0);
    assert_eq!(entity.visible_at, EPOCH.plus_millis(6_000));
    assert!(!entity.is_visible(EPOCH.plus_millis(5_999)));
    assert!(entity.is_visible(EPOCH.plus_millis(6_000)));
    let event = service.newrelic.events("MessageQueue").remove(0);
    assert_eq!(event.stored_at, EPOCH.plus_millis(1_000));
    assert_eq!(event.entity_guid.as_ref(), Some(&entity.guid));
    assert_eq!(event.uuid, service.newrelic.requests()[0].uuid);
    // Eight days without an event, and it is gone; another event makes it anew.
    assert!(entity.is_visible(EPOCH.plus_millis(1_000 + 8 * 86_400_000 - 1)));
    assert!(!entity.is_visible(EPOCH.plus_millis(1_000 + 8 * 86_400_000)));
    advance(8 * 86_400_000);
    service.post(&broker_event(1).replace("1700000000000", "0"));
    advance(1_000);
    let again = service.newrelic.entities().remove(0);
    assert_eq!((again.guid, again.events), (entity.guid, 1));
    assert!(again.visible_at > again.first_seen && again.first_seen > entity.last_seen);
}

pub(super) fn broker_event(broker: u32) -> String {
    format!(
        r#"{{"eventType":"MessageQueue","timestamp":1700000000000,
        "entityType":"MESSAGE_QUEUE_BROKER","entityIdentifier":"{broker:032x}",
        "displayName":"orders-broker-{broker}","provider":"kafka","clusterName":"orders",
        "brokerId":"{broker}","hostname":"host-{broker}","port":9092,"tags.team":"pay",
        "broker.cpu.usage":12.5}}"#
    )
}

#[test]
fn entities_carry_guid_name_and_tags() {
    let service = Service::new(config());
    service.post(&broker_event(7));
    service.settle();
    service.post(&broker_event(7).replace("host-7", "host-8").replace(r#""pay""#, r#""ship""#));
    service.settle();
    let entities = service.newrelic.entities();
    assert_eq!(entities.len(), 1);
    let entity = &entities[0];
    let readable = "1234567|INFRA|MESSAGE_QUEUE_BROKER|00000000000000000000000000000007";
    use base64::Engine as _;
    let wire = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(readable);
    assert_eq!(&*entity.guid, wire);
    assert_eq!((entity.name.as_str(), entity.events), ("orders-broker-7", 2));
    let tags: Vec<String> =
        entity.tags.iter().map(|(key, values)| format!("{key}={}", values.join(","))).collect();
    assert_eq!(
        tags,
        [
            "account=Shop",
            "accountId=1234567",
            "brokerId=7",
            "clusterName=orders",
            "hostname=host-8",
            "port=9092",
            "provider=kafka",
            "team=pay,ship",
            "trustedAccountId=1234567",
        ]
    );
}

#[test]
fn an_identifier_that_fits_no_guid_makes_no_entity() {
    let service = Service::new(config());
    let id = "x".repeat(51);
    service.post(&broker_event(1).replace(&format!("{:032x}", 1), &id));
    service.settle();
    assert_eq!(service.newrelic.events("MessageQueue").len(), 1);
    assert!(service.newrelic.entities().is_empty());
    assert_eq!(service.newrelic.counters().guids_refused, 1);
}

#[test]
fn relationships_come_from_their_events() {
    let service = Service::new(config());
    let guid = |kind: &str, id: &str| entity_guid(1, "INFRA", kind, id, false).expect("a GUID");
    let (a, topic) = (guid("MESSAGE_QUEUE_CLUSTER", "1"), "MESSAGE_QUEUE_TOPIC");
    let (b, c) = (guid(topic, "1"), guid(topic, "2"));
    let event = format!(
        r#"{{"eventType":"MessageQueueRelationship","sourceEntityGuid":"{a}",
        "sourceEntityType":"MESSAGE_QUEUE_CLUSTER","relationshipType":"CONTAINS",
        "targetEntityType":"MESSAGE_QUEUE_TOPIC","targetEntityGuid":"{b}"}}"#
    );
    service.post(&event);
    service.settle();
    service.post(&event);
    service.post(&event.replace(&b, &c));
    service.post(&event.replace("targetEntityGuid", "target"));
    // No rule knows these.
    service.post(&event.replace("CONTAINS", "HOSTS"));
    service.post(&event.replace("sourceEntityType", "source"));
    service.settle();
    let found = service.newrelic.relationships();
    let texts: Vec<_> =
        found.iter().map(|r| format!("{} {} {}", r.source, r.kind, r.target)).collect();
    assert_eq!(texts, [format!("{a} CONTAINS {b}"), format!("{a} CONTAINS {c}")]);
    assert!(found[0].last_seen > found[0].first_seen);
    assert!(found[0].visible_at > found[0].first_seen);
}

#[test]
fn faults_hit_in_their_window() {
    let until = |millis| Some(EPOCH.plus_millis(millis));
    let service = Service::new(config());
    let outage = IngestFault::Status { code: 503, retry_after_seconds: Some(7) };
    service.newrelic.inject(FaultWindow {
        until: until(2_000),
        ..FaultWindow::always(outage, EPOCH.plus_millis(1_000))
    });
    let statuses: Vec<u16> = (0..6)
        .map(|_| {
            let status = service.post("{}").0;
            service.clock.advance(Duration::from_millis(400));
            status
        })
        .collect();
    assert_eq!(statuses, [200, 200, 200, 503, 503, 200]);
    assert_eq!(service.newrelic.counters().faults["status"], 2);

    let half = FaultWindow { share: 0.5, ..FaultWindow::always(IngestFault::GarbageBody, EPOCH) };
    let id = service.newrelic.inject(half);
    let spoilt = (0..200).filter(|_| service.post("{}").1.starts_with("<html>")).count();
    assert!((70..130).contains(&spoilt), "{spoilt} of 200");
    assert!(service.newrelic.clear(id) && !service.newrelic.clear(id));
    assert!(service.post("{}").1.starts_with("{\"success\""));
}

/// What a streamer makes of each fault, and what New Relic then holds.
#[test]
fn the_streamer_survives_every_fault_without_loss() {
    let slow = |seconds| IngestFault::Slow(Duration::from_secs(seconds));
    let status = |code| IngestFault::Status { code, retry_after_seconds: None };
    // Fault, copies of each event stored in the end, unknown sends.
    let check = |fault: IngestFault, copies: usize, unknown: u64| {
        let service = Service::new(config());
        let streamer = service.streamer();
        let flush = |seconds| {
            let flush = streamer.flush(Duration::from_secs(seconds));
            service.clock.run(race(flush, streamer.courier(|_| ())))
        };
        let id = service.newrelic.inject(FaultWindow::always(fault.clone(), EPOCH));
        for broker in 0..10 {
            let json = broker_event(broker).into_bytes();
            streamer.enqueue(EncodedEvent { json, kind: "MESSAGE_QUEUE_BROKER".into() });
        }
        flush(60);
        service.newrelic.clear(id);
        service.clock.advance(Duration::from_secs(60));
        flush(60);
        let ledger = streamer.ledger();
        ledger.check().expect("the law");
        assert_eq!((ledger.acknowledged, ledger.in_flight), (10, 0), "{fault:?}");
        assert_eq!(ledger.unknown_sends, unknown, "{fault:?}");
        service.settle();
        let events = service.newrelic.events("MessageQueue");
        assert_eq!(events.len(), 10 * copies, "{fault:?}");
        assert_eq!(service.newrelic.entities().len(), 10, "{fault:?}");
        // A repetition can be recognised by its request id.
        let requests = service.newrelic.requests();
        let accepted: Vec<_> = requests.iter().filter(|r| r.uuid.is_some()).collect();
        assert_eq!(accepted.len(), copies, "{fault:?}");
        assert!(accepted.iter().all(|r| r.request_id == accepted[0].request_id));
    };
    check(slow(5), 1, 0);
    check(slow(40), 2, 1);
    check(IngestFault::LostAnswer, 2, 1);
    check(IngestFault::TruncatedBody, 2, 1);
    check(IngestFault::GarbageBody, 2, 1);
    for code in [408, 429, 500, 502, 503] {
        check(status(code), 1, 0);
    }
}

#[test]
fn the_same_requests_give_the_same_store() {
    let run = |seed| {
        let clock = TestClock::default();
        let newrelic = NewRelic::new(config(), Seed(seed), Arc::new(builtin()));
        let http =
            InMemory { clock: clock.clone(), router: router(clock.clone(), newrelic.clone()) };
        let service = Service { clock, newrelic, http };
        for broker in 0..50 {
            service.post(&broker_event(broker % 20));
            service.clock.advance(Duration::from_millis(100));
        }
        service.settle();
        (service.newrelic.events("MessageQueue"), service.newrelic.entities())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).1, run(6).1);
}

proptest! {
    /// Whatever arrives, the service answers, keeps count, and goes on.
    #[test]
    fn damaged_bodies_are_accounted_for(
        cut in any::<prop::sample::Index>(),
        insert in prop::collection::vec(any::<u8>(), 0..6),
        remove in 0usize..10,
    ) {
        let good = format!("[{},{}]", broker_event(1), broker_event(2));
        let mut body = good.into_bytes();
        let at = cut.index(body.len());
        let end = (at + remove).min(body.len());
        body.splice(at..end, insert);
        let service = Service::new(config());
        let length = body.len().to_string();
        let headers = [("api-key", KEY), ("content-length", length.as_str())];
        prop_assert_eq!(service.raw(PATH, &headers, body).0, 200);
        service.settle();
        let counters = service.newrelic.counters();
        let rejected: u64 = counters.events_rejected.values().sum();
        let lost = counters.bodies_unreadable;
        prop_assert!(lost == 1 || counters.events_stored + rejected >= 1);
        prop_assert_eq!(service.newrelic.integration_errors().is_empty(), lost + rejected == 0);
        prop_assert_eq!(service.post(&broker_event(3)).0, 200);
    }
}
