//! NerdGraph on its route.

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{Request, StatusCode};
use tower::ServiceExt as _;

use super::*;
use crate::ports::testing::TestClock;
use crate::sim::newrelic::graphql::http::route;

/// Status and body of a request to the route.
fn send(newrelic: &NewRelic, method: &str, key: Option<&str>, body: Body) -> (u16, String) {
    let clock = TestClock::default();
    let mut request = Request::builder().method(method).uri("/graphql");
    if let Some(key) = key {
        request = request.header("API-Key", key);
    }
    let router = route(clock.clone(), newrelic.clone());
    let request = request.body(body).expect("valid");
    clock.run(async {
        let answer = router.oneshot(request).await.expect("infallible");
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1_000_000).await;
        let text = body.map(|body| String::from_utf8_lossy(&body).into_owned());
        (status, text.unwrap_or_else(|_| "broken off".to_owned()))
    })
}

const QUERY: &str = r#"{"query":"{ actor { account(id: 1) { name } } }"}"#;

#[test]
fn requests() {
    let service = Service::new();
    let answer = r#"{"data":{"actor":{"account":{"name":"Shop 1"}}}}"#.to_owned();
    let post = |key, body: &'static str| send(&service.newrelic, "POST", key, Body::from(body));
    assert_eq!(post(Some(KEY), QUERY), (200, answer));
    assert_eq!(post(None, QUERY).0, 401);
    assert_eq!(post(Some(KEY), "").0, 400);
    assert_eq!(send(&service.newrelic, "GET", Some(KEY), Body::empty()).0, 405);
    let long = Body::from(vec![b' '; 1_000_001]);
    assert!([400, 413].contains(&send(&service.newrelic, "POST", Some(KEY), long).0));
}

#[test]
fn faults() {
    let service = Service::new();
    let status = IngestFault::Status { code: 502, retry_after_seconds: None };
    let slow = IngestFault::Slow(Duration::from_secs(30));
    let whole = r#"{"data":{"actor":{"account":{"name":"Shop 1"}}}}"#;
    // Fault, status, body.
    let cases = [
        (status, 502, r#"{"errors":[{"message":"Injected fault"}]}"#),
        (slow, 200, whole),
        (IngestFault::LostAnswer, 200, "broken off"),
        (IngestFault::TruncatedBody, 200, &whole[..whole.len() / 2]),
        (IngestFault::GarbageBody, 200, "<html>upstream said something</html>"),
        (
            IngestFault::BodyTooLarge { body_bytes_max: 1 },
            413,
            r#"{"errors":[{"message":"Injected fault"}]}"#,
        ),
        (IngestFault::BodyTooLarge { body_bytes_max: 1_000 }, 200, whole),
    ];
    for (fault, status, body) in cases {
        let window = FaultWindow::always(fault.clone(), EPOCH).at(Target::NerdGraph);
        let id = service.newrelic.inject(window);
        let answer = send(&service.newrelic, "POST", Some(KEY), Body::from(QUERY));
        assert_eq!(answer, (status, body.to_owned()), "{fault:?}");
        assert!(service.newrelic.counters().faults.contains_key(fault.as_str()), "{fault:?}");
        assert!(service.newrelic.clear(id));
    }
}

#[test]
fn twenty_five_at_once() {
    let service = Service::new();
    let clock = TestClock::default();
    let router = route(clock, service.newrelic.clone());
    // A body that never comes keeps a request in flight.
    let request = |key: &str, body: Body| {
        let request = Request::builder().method("POST").uri("/graphql").header("api-key", key);
        router.clone().oneshot(request.body(body).expect("valid"))
    };
    let endless =
        || Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, axum::Error>>());
    let mut open: Vec<_> = (0..25).map(|_| Box::pin(request(KEY, endless()))).collect();
    for request in &mut open {
        assert!(request.now_or_never().is_none());
    }
    let status = |key: &str| {
        let answer = request(key, Body::from(QUERY)).now_or_never();
        answer.map(|answer| answer.expect("infallible").status())
    };
    assert_eq!(status(KEY), Some(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(status(OTHER_KEY), Some(StatusCode::OK));
    // One is given up by its client.
    drop(open.pop());
    assert_eq!(status(KEY), Some(StatusCode::OK));
    drop(open);
    assert!(service.newrelic.state().graph.in_flight.is_empty());
}
