//! What the running pipeline serves: health and metrics.
//!
//! | path | answer |
//! | --- | --- |
//! | `/health/live` | 200 while the loop makes progress, else 503 |
//! | `/health/ready` | 200 while data flows end to end, else 503 |
//! | `/health` | all checks; 503 when one is unhealthy |
//! | `/metrics` | OpenMetrics text |
//!
//! Invariants:
//! - Every answer is made from one snapshot; no handler waits for anything.
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

use crate::pipeline::PipelineStatus;
use crate::pipeline::health::{Health, HealthCheck, HealthStatus, assess};
use crate::ports::Clock;

mod metrics;

#[cfg(test)]
mod tests;

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
        .route("/metrics", get(metrics_text::<C>))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(Arc::new(Shared { status, clock }))
}

/// Body of the three health answers.
#[derive(Serialize)]
struct HealthBody<'a> {
    status: &'a str,
    version: &'a str,
    phase: &'a str,
    checks: &'a [HealthCheck],
}

impl<C: Clock> Shared<C> {
    /// An answer from the present health: `word` gives the status line's word, `ok` the code.
    fn answer(&self, judge: impl FnOnce(&Health) -> (&'static str, bool)) -> Response {
        let (health, phase) =
            self.status.read(|snapshot| (assess(snapshot, self.clock.monotonic()), snapshot.phase));
        let (word, ok) = judge(&health);
        let code = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = HealthBody {
            status: word,
            version: env!("CARGO_PKG_VERSION"),
            phase: phase.as_str(),
            checks: &health.checks,
        };
        json(code, JSON, &body)
    }
}

async fn health<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    shared.answer(|health| {
        let word = match health.status {
            HealthStatus::Healthy => "healthy",
            HealthStatus::Degraded => "degraded",
            HealthStatus::Unhealthy => "unhealthy",
        };
        (word, health.status != HealthStatus::Unhealthy)
    })
}

async fn live<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    shared.answer(|health| (if health.live { "live" } else { "stuck" }, health.live))
}

async fn ready<C: Clock>(State(shared): State<Arc<Shared<C>>>) -> Response {
    shared.answer(|health| (if health.ready { "ready" } else { "not_ready" }, health.ready))
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
    let detail = format!(
        "no page {}: there are /health, /health/live, /health/ready and /metrics",
        uri.path()
    );
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
