//! Ingest on HTTP.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use super::Ticket;
use super::arrival::success;
use super::envelope::{Arrival, Refusal, body_bytes_max};
use crate::newrelic::limits::EVENT_API_SERVER_TIMEOUT_SECONDS;
use crate::ports::Clock;
use crate::sim::newrelic::NewRelic;
use crate::sim::newrelic::fault::{IngestFault, Target};
use crate::sim::newrelic::reply::{self, json};

/// What every route needs.
#[derive(Clone)]
struct App<C> {
    clock: C,
    newrelic: NewRelic,
}

/// The routes of ingest; time is that of `clock`.
pub fn router<C: Clock>(clock: C, newrelic: NewRelic) -> Router {
    Router::new()
        .route("/v1/accounts/{account}/events", post(events::<C>))
        .route("/v1/accounts/events", post(events_by_key::<C>))
        .route("/metric/v1", post(metrics::<C>))
        .route("/metric/v1/infra", post(metrics::<C>))
        .route("/infra/v2/metrics/events/bulk", post(infra::<C>))
        .route("/inventory/deltas", post(inventory::<C>))
        .route("/inventory/deltas/bulk", post(inventory::<C>))
        .route("/identity/v1/connect", post(connect::<C>).put(connect::<C>))
        .with_state(App { clock, newrelic })
}

async fn events<C: Clock>(
    State(app): State<App<C>>,
    Path(account): Path<String>,
    request: Request,
) -> Response {
    take(app, Target::Event, Some(account), request).await
}

/// Telemetry SDKs name no account: the key does.
async fn events_by_key<C: Clock>(State(app): State<App<C>>, request: Request) -> Response {
    take(app, Target::Event, None, request).await
}

async fn metrics<C: Clock>(State(app): State<App<C>>, request: Request) -> Response {
    take(app, Target::Metric, None, request).await
}

async fn infra<C: Clock>(State(app): State<App<C>>, request: Request) -> Response {
    take(app, Target::Infra, None, request).await
}

/// Inventory is accepted and counted; nothing of it is kept.
async fn inventory<C: Clock>(State(app): State<App<C>>, request: Request) -> Response {
    match read(&app, Target::Infra, None, request).await {
        Ok(_) => {
            app.newrelic.state().counters.inventories += 1;
            json(StatusCode::OK, r#"{"payload":[]}"#.to_owned())
        }
        Err(refusal) => refused(&refusal),
    }
}

/// The agent asks who it is; the answer depends on what it says of itself only.
async fn connect<C: Clock>(State(app): State<App<C>>, request: Request) -> Response {
    match read(&app, Target::Infra, None, request).await {
        Ok((ticket, body)) => json(StatusCode::OK, super::infra::identity(ticket.account, &body)),
        Err(refusal) => refused(&refusal),
    }
}

/// Judges the head and reads the body.
async fn read<C: Clock>(
    app: &App<C>,
    part: Target,
    account: Option<&str>,
    request: Request,
) -> Result<(Ticket, Bytes), Refusal> {
    let (parts, body) = request.into_parts();
    let arrival = Arrival { part, account, uri: &parts.uri, headers: &parts.headers };
    let ticket = app.newrelic.state().arrive(app.clock.wall(), arrival)?;
    let patience = Duration::from_secs(EVENT_API_SERVER_TIMEOUT_SECONDS);
    let read = axum::body::to_bytes(body, body_bytes_max(part));
    let declared = ticket.head.body_bytes;
    let refusal = match app.clock.timeout(patience, read).await {
        Ok(Ok(body)) if declared.is_none_or(|declared| declared == body.len()) => {
            return Ok((ticket, body));
        }
        Ok(Err(_)) if declared.is_none() => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Request body over 1 MB")
        }
        Ok(_) => Refusal::new(StatusCode::BAD_REQUEST, "Body does not match its length"),
        Err(_) => Refusal::new(StatusCode::REQUEST_TIMEOUT, "Request timeout"),
    };
    Err(app.newrelic.state().refuse(ticket, refusal))
}

/// Judges, reads, answers.
async fn take<C: Clock>(
    app: App<C>,
    part: Target,
    account: Option<String>,
    request: Request,
) -> Response {
    let (ticket, body) = match read(&app, part, account.as_deref(), request).await {
        Ok(taken) => taken,
        Err(refusal) => return refused(&refusal),
    };
    let fault = ticket.fault.clone();
    let accepted = app.newrelic.state().accept(app.clock.wall(), ticket, body);
    let uuid = match accepted {
        Ok(uuid) => uuid,
        Err(refusal) => return refused(&refusal),
    };
    let whole = match part {
        Target::Event => format!(r#"{{"success":true,"uuid":"{uuid}"}}"#),
        _ => format!(r#"{{"requestId":"{uuid}"}}"#),
    };
    answer(&app.clock, success(part), whole, fault).await
}

/// The answer of a request that was taken, as its fault lets it be.
async fn answer<C: Clock>(
    clock: &C,
    status: StatusCode,
    whole: String,
    fault: Option<IngestFault>,
) -> Response {
    match fault {
        None | Some(IngestFault::Status { .. } | IngestFault::BodyTooLarge { .. }) => {
            json(status, whole)
        }
        Some(IngestFault::Slow(delay)) => {
            clock.sleep(delay).await;
            json(status, whole)
        }
        Some(IngestFault::TruncatedBody) => json(status, whole[..20].to_owned()),
        Some(IngestFault::GarbageBody) => reply::garbage(status),
        Some(IngestFault::LostAnswer) => reply::none(),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let mut response = json(refusal.status, format!(r#"{{"error":"{}"}}"#, refusal.message));
    if let Some(seconds) = refusal.retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
