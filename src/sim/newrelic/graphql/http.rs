//! NerdGraph on HTTP: `POST /graphql`.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use http::HeaderValue;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, RETRY_AFTER};

use super::request::{BODY_BYTES_MAX, GraphAnswer, IN_FLIGHT_MAX, refused_by};
use crate::ports::Clock;
use crate::sim::newrelic::NewRelic;
use crate::sim::newrelic::fault::IngestFault;
use crate::sim::newrelic::reply;

/// How long the body may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct App<C> {
    clock: C,
    newrelic: NewRelic,
}

/// `POST /graphql`; every other method is 405.
pub(in crate::sim::newrelic) fn route<C: Clock>(clock: C, newrelic: NewRelic) -> Router {
    Router::new().route("/graphql", post(graphql::<C>)).with_state(App { clock, newrelic })
}

/// A request of a user that is being answered.
struct InFlight {
    newrelic: NewRelic,
    user: u32,
}

impl InFlight {
    fn begin(newrelic: &NewRelic, user: u32) -> Option<Self> {
        let mut state = newrelic.state();
        let count = state.graph.in_flight.entry(user).or_default();
        if *count >= IN_FLIGHT_MAX {
            return None;
        }
        *count += 1;
        drop(state);
        Some(Self { newrelic: newrelic.clone(), user })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.newrelic.state();
        if let Some(count) = state.graph.in_flight.get_mut(&self.user) {
            *count = count.saturating_sub(1);
        }
        state.graph.in_flight.retain(|_, count| *count > 0);
    }
}

async fn graphql<C: Clock>(State(app): State<App<C>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let key = parts.headers.get("api-key").and_then(|key| key.to_str().ok());
    let user = match app.newrelic.graph_user(key) {
        Ok(user) => user,
        Err(answer) => return response(&answer),
    };
    let Some(_in_flight) = InFlight::begin(&app.newrelic, user.id) else {
        return response(&GraphAnswer::too_many());
    };
    let fault = app.newrelic.graph_fault(app.clock.wall());
    if let Some(answer) = fault.as_ref().and_then(|fault| refused_by(fault, 0)) {
        return response(&answer);
    }
    let told = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let told = told.and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
    let read = axum::body::to_bytes(body, BODY_BYTES_MAX);
    let body = match app.clock.timeout(PATIENCE, read).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) if told > BODY_BYTES_MAX => {
            return response(&GraphAnswer::error(StatusCode::PAYLOAD_TOO_LARGE, "Body too large"));
        }
        Ok(Err(_)) => {
            return response(&GraphAnswer::error(StatusCode::BAD_REQUEST, "Body unreadable"));
        }
        Err(_) => {
            return response(&GraphAnswer::error(StatusCode::REQUEST_TIMEOUT, "Request timeout"));
        }
    };
    if let Some(answer) = fault.as_ref().and_then(|fault| refused_by(fault, body.len())) {
        return response(&answer);
    }
    let answer = app.newrelic.graphql_as(app.clock.wall(), user, &body);
    match fault {
        Some(IngestFault::Slow(delay)) => {
            app.clock.sleep(delay).await;
            response(&answer)
        }
        Some(IngestFault::LostAnswer) => reply::none(),
        Some(IngestFault::TruncatedBody) => {
            let mut text = answer.body.to_string();
            text.truncate(text.floor_char_boundary(text.len() / 2));
            reply::json(answer.status, text)
        }
        Some(IngestFault::GarbageBody) => reply::garbage(StatusCode::OK),
        _ => response(&answer),
    }
}

fn response(answer: &GraphAnswer) -> Response {
    let mut response = reply::json(answer.status, answer.body.to_string());
    if let Some(seconds) = answer.retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
