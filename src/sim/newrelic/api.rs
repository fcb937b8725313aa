//! All of the service on HTTP.

use axum::Router;
use axum::response::Response;
use http::StatusCode;

use super::reply::json;
use super::{NewRelic, graphql, ingest};
use crate::ports::{Clock, Net, Ports};
use crate::rt::{self, ShutdownHandle};

/// All routes; time is that of `clock`. What is no route is 404; a route with another method is
/// 405.
pub fn router<C: Clock>(clock: C, newrelic: NewRelic) -> Router {
    ingest::router(clock.clone(), newrelic.clone())
        .merge(graphql::route(clock, newrelic))
        .fallback(async || error(StatusCode::NOT_FOUND, "Not found"))
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
        })
}

fn error(status: StatusCode, message: &str) -> Response {
    json(status, format!(r#"{{"error":"{message}"}}"#))
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
