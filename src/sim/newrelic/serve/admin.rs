//! The administrator's API: faults, clock, figures, requests, claims.
//!
//! Invariants:
//! - Every answer is JSON; an error says what is wrong (`error`) and what to do (`fix`).
//! - Nothing of another page's script gets through ([`Guard`](super::Guard)).
//! - [`ROUTES`] is what is answered; the document lists exactly these.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::faults::{FaultError, FaultOrder};
use super::guard::Denied;
use super::service::Service;
use crate::config::quantity::DurationText;
use crate::domain::units::UnixMillis;
use crate::ports::Clock;
use crate::sim::newrelic::{RequestRecord, claims};

/// Longest body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Furthest leap.
const LEAP_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Longest delay of synthesis.
const DELAY_MAX: Duration = Duration::from_secs(86_400);
/// Requests that are listed when nobody says how many, and at most.
const REQUESTS: (usize, usize) = (100, 10_000);

/// Method, path and meaning of every route.
pub const ROUTES: [(&str, &str, &str); 11] = [
    ("GET", "/", "These routes"),
    ("GET", "/faults", "Faults in force, and `synthesis_delay`"),
    (
        "POST",
        "/faults",
        "Switches one on: `{\"answer\": \"too_many_requests\", \"share\": 0.5}`; 201",
    ),
    ("DELETE", "/faults", "Switches all off"),
    ("DELETE", "/faults/{id}", "Switches one off; 404 when there is none"),
    (
        "POST",
        "/synthesis-delay",
        "Entities become visible later from now on: `{\"delay\": \"30s\"}`",
    ),
    ("GET", "/clock", "Virtual time and speed"),
    (
        "POST",
        "/clock/advance",
        "Leaps ahead: `{\"by\": \"1h\"}`; parsing, synthesis and expiry follow",
    ),
    ("GET", "/stats", "Totals, events by type, store, journal, events per second"),
    ("GET", "/requests", "The newest requests, newest first; `?limit=100&status=403`"),
    ("GET", "/claims", "Every behaviour and how well founded it is"),
];

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Value,
}

impl Reply {
    /// 200.
    pub fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body }
    }

    /// Something is wrong.
    pub fn error(status: StatusCode, error: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status, body: json!({ "error": error.into(), "fix": fix.into() }) }
    }

    fn bad(error: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::error(StatusCode::BAD_REQUEST, error, fix)
    }
}

impl From<FaultError> for Reply {
    fn from(error: FaultError) -> Self {
        Self::bad(error.message, error.fix)
    }
}

impl From<Denied> for Reply {
    fn from(denied: Denied) -> Self {
        Self::error(StatusCode::FORBIDDEN, denied.message, denied.fix)
    }
}

/// `reply` on HTTP.
pub(in crate::sim::newrelic) fn respond(reply: &Reply) -> Response {
    let mut response = Response::new(Body::from(format!("{:#}\n", reply.body)));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Reads a body as JSON; nothing is an empty object.
pub(in crate::sim::newrelic) async fn body(request: Request) -> Result<Value, Reply> {
    let read = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    let too_long = format!("at most {BODY_BYTES_MAX} bytes");
    let body = read.map_err(|_| {
        Reply::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long", too_long)
    })?;
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(&body)
        .map_err(|error| Reply::bad(format!("the body is no JSON: {error}"), "send a JSON object"))
}

pub(super) fn router<C: Clock>(service: Service<C>) -> Router {
    Router::new().fallback(move |request: Request| {
        let service = service.clone();
        async move {
            if let Err(denied) = service.guard().check(request.method(), request.headers()) {
                return respond(&denied.into());
            }
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let query = request.uri().query().unwrap_or_default().to_owned();
            let reply = match body(request).await {
                Ok(body) => answer(&service, &method, &path, &query, body),
                Err(reply) => reply,
            };
            respond(&reply)
        }
    })
}

/// Answers one request that passed the guard.
pub(super) fn answer<C: Clock>(
    service: &Service<C>,
    method: &Method,
    path: &str,
    query: &str,
    body: Value,
) -> Reply {
    let path = if path == "/" { path } else { path.trim_end_matches('/') };
    let fault = path.strip_prefix("/faults/");
    match (method.as_str(), path) {
        ("GET" | "HEAD", "/") => Reply::ok(index()),
        ("GET" | "HEAD", "/faults") => Reply::ok(faults(service)),
        ("POST", "/faults") => switch_on(service, body),
        ("DELETE", "/faults") => Reply::ok(json!({ "switched_off": service.switch_all_off() })),
        ("DELETE", _) if fault.is_some() => switch_off(service, fault.unwrap_or_default()),
        ("POST", "/synthesis-delay") => delay(service, &body),
        ("GET" | "HEAD", "/clock") => Reply::ok(clock(service)),
        ("POST", "/clock/advance") => advance(service, &body),
        ("GET" | "HEAD", "/stats") => Reply::ok(stats(service)),
        ("GET" | "HEAD", "/requests") => requests(service, query),
        ("GET" | "HEAD", "/claims") => Reply::ok(json!({ "claims": claims::CLAIMS })),
        _ => nowhere(method, path),
    }
}

fn nowhere(method: &Method, path: &str) -> Reply {
    let methods: Vec<&str> = ROUTES
        .iter()
        .filter(|(_, known, _)| {
            *known == path || (path.starts_with("/faults/") && known.contains('{'))
        })
        .map(|(method, ..)| *method)
        .collect();
    if methods.is_empty() {
        let fix = "GET / lists the routes";
        return Reply::error(StatusCode::NOT_FOUND, format!("there is no {path}"), fix);
    }
    let fix = format!("it answers {}", methods.join(", "));
    let error = format!("{path} does not answer {method}");
    Reply::error(StatusCode::METHOD_NOT_ALLOWED, error, fix)
}

fn index() -> Value {
    let routes = ROUTES.map(
        |(method, path, meaning)| json!({ "method": method, "path": path, "meaning": meaning }),
    );
    json!({ "routes": routes })
}

pub(in crate::sim::newrelic) fn faults<C: Clock>(service: &Service<C>) -> Value {
    let delay = DurationText(service.synthesis_delay()).to_string();
    json!({ "faults": service.faults(), "synthesis_delay": delay })
}

pub(in crate::sim::newrelic) fn switch_on<C: Clock>(service: &Service<C>, body: Value) -> Reply {
    match FaultOrder::from_json(body).and_then(|order| service.switch_on(order)) {
        Ok(active) => Reply { status: StatusCode::CREATED, body: json!(active) },
        Err(error) => error.into(),
    }
}

pub(in crate::sim::newrelic) fn switch_off<C: Clock>(service: &Service<C>, id: &str) -> Reply {
    match id.parse() {
        Ok(id) if service.switch_off(id) => Reply::ok(json!({ "switched_off": 1 })),
        _ => {
            let error = format!("no fault has the number {id}");
            Reply::error(StatusCode::NOT_FOUND, error, "GET /faults lists those in force")
        }
    }
}

/// The duration under `key`, which is all that `body` may hold.
fn duration(body: &Value, key: &str, max: Duration) -> Result<Duration, Reply> {
    let example = format!("send {{\"{key}\": \"30s\"}}");
    let object = body.as_object().ok_or_else(|| Reply::bad("the body is no object", &example))?;
    if let Some(other) = object.keys().find(|other| *other != key) {
        return Err(Reply::bad(format!("unknown key `{other}`"), example));
    }
    let text = object.get(key).and_then(Value::as_str);
    let text = text.ok_or_else(|| Reply::bad(format!("`{key}` is missing"), &example))?;
    let duration: DurationText =
        text.parse().map_err(|error| Reply::bad(format!("{error}"), &example))?;
    if duration.0 > max {
        let error = format!("`{key}` is {duration}");
        return Err(Reply::bad(error, format!("at most {}", DurationText(max))));
    }
    Ok(duration.0)
}

fn delay<C: Clock>(service: &Service<C>, body: &Value) -> Reply {
    match duration(body, "delay", DELAY_MAX) {
        Ok(delay) => {
            service.delay_synthesis(delay);
            Reply::ok(faults(service))
        }
        Err(reply) => reply,
    }
}

fn advance<C: Clock>(service: &Service<C>, body: &Value) -> Reply {
    match duration(body, "by", LEAP_MAX) {
        Ok(by) => {
            service.leap(by);
            Reply::ok(clock(service))
        }
        Err(reply) => reply,
    }
}

/// As RFC 3339.
pub(super) fn rfc3339(at: UnixMillis) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(|_| at.to_string(), |at| at.to_string())
}

pub(super) fn clock<C: Clock>(service: &Service<C>) -> Value {
    let now = service.clock().wall();
    json!({
        "now_ms": now.0,
        "now": rfc3339(now),
        "speed": service.clock().speed(),
        "started_ms": service.started().0,
    })
}

/// What costs little: the page asks for it every second.
pub(in crate::sim::newrelic) fn figures<C: Clock>(service: &Service<C>) -> Value {
    let newrelic = service.newrelic();
    newrelic.advance(service.clock().wall());
    let counters = newrelic.counters();
    let rejected: BTreeMap<String, u64> =
        counters.events_rejected.iter().map(|(fault, n)| (format!("{fault:?}"), *n)).collect();
    let types: Vec<Value> = newrelic
        .event_counts()
        .into_iter()
        .map(|((account, event_type), events)| {
            json!({ "account": account, "event_type": event_type, "events": events })
        })
        .collect();
    let (bytes, evicted) = newrelic.store_usage();
    let evicted: BTreeMap<String, u64> =
        evicted.iter().map(|(reason, n)| (format!("{reason:?}").to_lowercase(), *n)).collect();
    json!({
        "clock": clock(service),
        "requests": counters.requests,
        "requests_hit_by_faults": counters.faults,
        "events_stored": counters.events_stored,
        "events_rejected": rejected,
        "bodies_unreadable": counters.bodies_unreadable,
        "bodies_waiting": newrelic.queued(),
        "event_types": types,
        "store": { "bytes": bytes, "evicted": evicted },
        "journal_inputs": service.inputs_kept(),
        "rates": service.rates(),
    })
}

fn stats<C: Clock>(service: &Service<C>) -> Value {
    let mut stats = figures(service);
    let newrelic = service.newrelic();
    let now = service.clock().wall();
    let entities = newrelic.entities();
    let mut visible: BTreeMap<String, u64> = BTreeMap::new();
    for entity in entities.iter().filter(|entity| entity.is_visible(now)) {
        *visible.entry(entity.entity_type.clone()).or_default() += 1;
    }
    stats["entities"] = json!({ "ever": entities.len(), "visible": visible });
    stats["relationships"] = json!(newrelic.relationships().len());
    stats["integration_errors"] = json!(newrelic.integration_errors().len());
    stats
}

pub(in crate::sim::newrelic) fn request_row(record: &RequestRecord) -> Value {
    json!({
        "number": record.number,
        "at_ms": record.at.0,
        "account": record.account,
        "status": record.status,
        "request_id": record.uuid,
        "x_request_id": record.request_id,
        "body_bytes": record.body_bytes,
        "fault": record.fault,
        "events_stored": record.events_stored,
        "events_rejected": record.events_rejected,
    })
}

fn requests<C: Clock>(service: &Service<C>, query: &str) -> Reply {
    let (mut limit, mut status) = (REQUESTS.0, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (key, value.parse::<u16>()) {
            ("limit", Ok(count)) if (1..=REQUESTS.1).contains(&usize::from(count)) => {
                limit = usize::from(count);
            }
            ("status", Ok(code)) => status = Some(code),
            _ => {
                let fix = format!("limit is 1 to {}, status a number", REQUESTS.1);
                return Reply::bad(format!("`{pair}` is not understood"), fix);
            }
        }
    }
    let rows = service.newrelic().newest_requests(limit, status);
    Reply::ok(json!({ "requests": rows.iter().map(request_row).collect::<Vec<_>>() }))
}
