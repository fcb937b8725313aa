//! What the running pipeline serves: health and metrics.
//!
//! | path | answer |
//! | --- | --- |
//! | `/health` | components, figures, checks, recovery; 503 when unhealthy |
//! | `/health/live` | 200 while the loop makes progress, else 503 |
//! | `/health/ready` | 200 while data flows end to end, else 503 |
//! | `/health/startup` | 200 once all is started and the first cycle is over, else 503 |
//! | `/metrics` | OpenMetrics text |
//! | `/api/health` | the whole at a glance; 503 when unhealthy |
//! | `/api/health/detailed` | services, breakers and dependencies; 503 when unhealthy |
//! | `/api/health/circuit-breakers` | every breaker and its history; always 200 |
//!
//! Invariants:
//! - Every answer is made from one snapshot; no handler waits for anything.
//! - Degraded is 200: a degraded pipeline still does its work, and a restart would not help.
//! - Errors are `application/problem+json` (RFC 9457).
//! - The same router runs on real and on simulated sockets (`rt::http::serve`).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;

use crate::pipeline::health::{Health, HealthStatus};
use crate::pipeline::{Moment, PipelineStatus, Snapshot};
use crate::ports::Clock;

mod api;
mod bodies;
mod metrics;

#[cfg(test)]
mod tests;

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All pages and what they answer.
const PAGES: [(&str, &str); 8] = [
    ("/health", "Components, figures, checks, recovery; 503 when unhealthy"),
    ("/health/live", "200 `ok` while the loop makes progress, else 503 `stuck`"),
    ("/health/ready", "200 `ok` while data flows end to end, else 503 `not_ready`"),
    ("/health/startup", "200 `ok` once all is started and a cycle is over, else 503 `starting`"),
    ("/metrics", "OpenMetrics text"),
    ("/api/health", "The whole at a glance in `data`; 503 when unhealthy"),
    ("/api/health/detailed", "Services, breakers, dependencies in `data`; 503 when unhealthy"),
    ("/api/health/circuit-breakers", "Every breaker and its history in `data`; always 200"),
];

/// What the handlers share.
struct Shared<C> {
    status: PipelineStatus,
    clock: C,
}

/// Health and metrics of the pipeline behind `status`; `clock` is the one it runs on.
pub fn router<C: Clock>(status: PipelineStatus, clock: C) -> Router {
    Router::new()
        .route("/health", get(health::<C>))
        .route("/health/live", get(live::<C>))
        .route("/health/ready", get(ready::<C>))
        .route("/health/startup", get(startup::<C>))
        .route("/metrics", get(metrics_text::<C>))
        .route("/api/health", get(api_health::<C>))
        .route("/api/health/detailed", get(api_detailed::<C>))
        .route("/api/health/circuit-breakers", get(api_breakers::<C>))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(Arc::new(Shared { status, clock }))
}

/// One look at the pipeline.
struct Look {
    health: Health,
    now: Moment,
    snapshot: Snapshot,
}

impl Look {
    fn is_up(&self) -> bool {
        self.health.status != HealthStatus::Unhealthy
    }
}

impl<C: Clock> Shared<C> {
    /// The present: one look at the pipeline, which counts for its availability.
    fn look(&self) -> Look {
        let health = self.status.observe(&self.clock);
        let now = Moment { monotonic: self.clock.monotonic(), wall: self.clock.wall() };
        Look { health, now, snapshot: self.status.snapshot() }
    }

    /// One probe's answer; `judge` gives the status line's word and whether it is good.
    fn probe(&self, judge: impl FnOnce(&Health) -> (&'static str, bool)) -> Response {
        let look = self.look();
        let (word, ok) = judge(&look.health);
        json(code(ok), JSON, &bodies::probe(&look, word))
    }
}

/// 200 or 503. A degraded pipeline still does its work: taking it away would lose what works.
fn code(ok: bool) -> StatusCode {
    if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn health<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    let look = shared.look();
    json(code(look.is_up()), JSON, &bodies::health(&look))
}

async fn live<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    shared.probe(|health| (if health.live { "ok" } else { "stuck" }, health.live))
}

async fn ready<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    shared.probe(|health| (if health.ready { "ok" } else { "not_ready" }, health.ready))
}

async fn startup<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    shared.probe(|health| (if health.started { "ok" } else { "starting" }, health.started))
}

async fn api_health<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    let look = shared.look();
    json(code(look.is_up()), JSON, &api::health(&look))
}

async fn api_detailed<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    let look = shared.look();
    json(code(look.is_up()), JSON, &api::detailed(&look))
}

async fn api_breakers<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    // A listing, not a verdict: it is there whatever it says.
    json(StatusCode::OK, JSON, &api::breakers(&shared.look()))
}

async fn metrics_text<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    match metrics::encode(shared.status.snapshot(), shared.clock.monotonic()) {
        Ok(text) => respond(StatusCode::OK, OPEN_METRICS, text),
        Err(error) => {
            tracing::error!(%error, "Metrics cannot be written.");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written".to_owned())
        }
    }
}

async fn not_found(uri: Uri) -> Response {
    let pages: Vec<&str> = PAGES.iter().map(|(path, _)| *path).collect();
    let detail = format!("no page {}: there are {}", uri.path(), pages.join(", "));
    problem(StatusCode::NOT_FOUND, detail)
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let detail = format!("{} answers GET and HEAD, not {method}", uri.path());
    problem(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// An RFC 9457 problem.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: String,
}

fn problem(code: StatusCode, detail: String) -> Response {
    let title = code.canonical_reason().unwrap_or("error");
    let problem = Problem { r#type: "about:blank", title, status: code.as_u16(), detail };
    json(code, PROBLEM_JSON, &problem)
}

fn json(code: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    // The bodies are structs of texts and numbers, which always serialise.
    respond(code, content_type, serde_json::to_string(body).unwrap_or_default())
}

fn respond(code: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}
