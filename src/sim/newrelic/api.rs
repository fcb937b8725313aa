//! The Event API on HTTP.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use super::NewRelic;
use super::envelope::Refusal;
use super::fault::IngestFault;
use crate::newrelic::limits::{EVENT_API_BODY_BYTES_MAX, EVENT_API_SERVER_TIMEOUT_SECONDS};
use crate::ports::{Clock, Net, Ports};
use crate::rt::{self, ShutdownHandle};

#[derive(Clone)]
struct App<C> {
    clock: C,
    newrelic: NewRelic,
}

/// All routes; time is that of `clock`.
pub fn router<C: Clock>(clock: C, newrelic: NewRelic) -> Router {
    let graph = super::graphql::route(clock.clone(), newrelic.clone());
    Router::new()
        .route("/v1/accounts/{account}/events", post(events::<C>))
        .with_state(App { clock, newrelic })
        .merge(graph)
}

/// Serves `newrelic` on `port` of this host until it is dropped. A port that is taken is logged,
/// and nothing is served.
pub async fn serve<P: Ports>(ports: P, newrelic: NewRelic, port: u16) {
    match ports.net().listen(port).await {
        Ok(listener) => {
            let router = router(ports.clock().clone(), newrelic);
            let never = ShutdownHandle::new();
            rt::http::serve("newrelic", listener, router, never.signal()).await;
        }
        Err(error) => tracing::error!(port, %error, "Simulated New Relic cannot listen."),
    }
}

async fn events<C: Clock>(
    State(app): State<App<C>>,
    Path(account): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let arrival = app.newrelic.state().arrive(app.clock.wall(), &account, &parts.headers);
    let ticket = match arrival {
        Ok(ticket) => ticket,
        Err(refusal) => return refused(&refusal),
    };
    let patience = Duration::from_secs(EVENT_API_SERVER_TIMEOUT_SECONDS);
    let read = axum::body::to_bytes(body, EVENT_API_BODY_BYTES_MAX);
    let body = match app.clock.timeout(patience, read).await {
        Ok(Ok(body)) if body.len() == ticket.head.body_bytes => body,
        Ok(_) => {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, "Body does not match its length");
            return refused(&app.newrelic.state().refuse(ticket, refusal));
        }
        Err(_) => {
            let refusal = Refusal::new(StatusCode::REQUEST_TIMEOUT, "Request timeout");
            return refused(&app.newrelic.state().refuse(ticket, refusal));
        }
    };
    let fault = ticket.fault.clone();
    let accepted = app.newrelic.state().accept(app.clock.wall(), ticket, body);
    let uuid = match accepted {
        Ok(uuid) => uuid,
        Err(refusal) => return refused(&refusal),
    };
    let whole = format!(r#"{{"success":true,"uuid":"{uuid}"}}"#);
    match fault {
        None | Some(IngestFault::Status { .. } | IngestFault::BodyTooLarge { .. }) => {
            json(StatusCode::OK, whole)
        }
        Some(IngestFault::Slow(delay)) => {
            app.clock.sleep(delay).await;
            json(StatusCode::OK, whole)
        }
        Some(IngestFault::TruncatedBody) => json(StatusCode::OK, whole[..20].to_owned()),
        Some(IngestFault::GarbageBody) => {
            json(StatusCode::OK, "<html>upstream said something</html>".to_owned())
        }
        Some(IngestFault::LostAnswer) => no_answer(),
    }
}

pub(super) fn json(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refused(refusal: &Refusal) -> Response {
    let mut response = json(refusal.status, format!(r#"{{"error":"{}"}}"#, refusal.message));
    if let Some(seconds) = refusal.retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The answer's body fails before its first byte: the server closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("answer lost on purpose")]
struct LostOnPurpose;

pub(super) fn no_answer() -> Response {
    let broken = stream::iter([Err::<Bytes, LostOnPurpose>(LostOnPurpose)]);
    Response::new(Body::from_stream(broken))
}
