//! What the page may load and who may use its routes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::definitions::builtin;
use crate::ports::testing::TestClock;
use crate::sim::newrelic::serve::{
    Accounts, DEFAULT_INGEST_KEY, DEFAULT_USER_KEY, PacedClock, ServiceOptions,
};
use crate::sim::newrelic::{NewRelic, NewRelicConfig};
use crate::sim::seed::Seed;

fn service(clock: &TestClock, open_to_network: bool) -> Service<TestClock> {
    let accounts = Accounts::default();
    let newrelic =
        NewRelic::new(NewRelicConfig::new(accounts.accounts.clone()), Seed(1), Arc::new(builtin()));
    let clock = PacedClock::new(clock.clone(), clock.wall(), 1.0);
    let options = ServiceOptions { open_to_network, ..ServiceOptions::default() };
    Service::new(clock, newrelic, accounts, options, None)
}

/// Status, policy and body of an answer.
fn ask(
    open: bool,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String, String) {
    let clock = TestClock::default();
    let router = service(&clock, open).public_router();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).expect("a request");
    clock.run(async {
        let response = router.oneshot(request).await.expect("infallible");
        let policy = response.headers().get("content-security-policy");
        let policy = policy.map(|p| p.to_str().expect("text").to_owned()).unwrap_or_default();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, policy, String::from_utf8_lossy(&body).into_owned())
    })
}

const HOST: (&str, &str) = ("host", "localhost:3000");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn the_page_loads_nothing_from_elsewhere_and_holds_no_key() {
    for (path, text) in [("/", HTML), ("/page/app.js", SCRIPT), ("/page/style.css", STYLE)] {
        let (status, policy, body) = ask(false, "GET", path, &[HOST], "");
        assert_eq!((status, body.as_str()), (200, text), "{path}");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let rebound = [("host", "evil.example:3000")];
        assert_eq!(ask(false, "GET", path, &rebound, "").0, 403, "{path}");
        for key in [DEFAULT_USER_KEY, DEFAULT_INGEST_KEY] {
            assert!(!text.contains(key), "{path}");
        }
        let plain = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!plain.contains("http://") && !plain.contains("https://"), "{path}");
        for banned in ["innerHTML", "eval(", "onclick=", "style=", "<script>", "@import"] {
            assert!(!text.contains(banned), "{path}: {banned}");
        }
    }
    // Every element that the script asks for is there, every label has its field.
    for id in SCRIPT.split("$(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(HTML.contains(&format!("id=\"{id}\"")), "{id}");
    }
    for id in HTML.split("for=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(HTML.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

#[test]
fn only_the_page_may_use_its_routes() {
    let check = |open: bool, method: &str, path: &str, headers: &[(&str, &str)], status: u16| {
        let body = if method == "POST" { r#"{"answer":"server_error"}"# } else { "" };
        let (found, _, answer) = ask(open, method, path, headers, body);
        assert_eq!(found, status, "{method} {path} {headers:?}: {answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer.get("error").is_some(), status >= 400, "{answer}");
    };
    let own = [HOST, ("origin", "http://localhost:3000"), ("sec-fetch-site", "same-origin"), JSON];
    let foreign = [HOST, ("origin", "http://evil.example"), JSON];
    let (state, faults) = ("/page/api/state", "/page/api/faults");
    check(false, "GET", state, &own, 200);
    check(false, "GET", state, &[HOST], 200);
    check(false, "GET", state, &[HOST, ("sec-fetch-site", "cross-site")], 403);
    check(false, "GET", state, &[("host", "rebound.example")], 403);
    check(false, "POST", faults, &own, 201);
    check(false, "POST", faults, &foreign, 403);
    check(false, "POST", faults, &[HOST], 403);
    check(false, "DELETE", "/page/api/faults/1", &own, 404);
    check(false, "DELETE", "/page/api/faults/1", &foreign, 403);
    check(false, "GET", "/page/api/keys", &own, 404);
    // On a port that is open to the network nothing is given away.
    check(true, "GET", state, &own, 401);
    let key = |key: &'static str| [own.as_slice(), &[("api-key", key)]].concat();
    check(true, "GET", state, &key(DEFAULT_INGEST_KEY), 401);
    check(true, "GET", state, &key(DEFAULT_USER_KEY), 200);
    check(true, "POST", faults, &key(DEFAULT_USER_KEY), 403);
    check(true, "DELETE", "/page/api/faults/1", &key(DEFAULT_USER_KEY), 403);
}

#[test]
fn the_state_tells_what_the_page_draws() {
    let (status, _, body) = ask(false, "GET", "/page/api/state", &[HOST], "");
    assert_eq!(status, 200);
    let state: Value = serde_json::from_str(&body).expect("JSON");
    for name in ["clock", "rates", "requests", "event_types", "accounts", "faults", "answers"] {
        assert!(state.get(name).is_some(), "{name} is not in {state}");
    }
    assert_eq!(state["accounts"][0]["id"], 1);
    assert_eq!(state["switches"], true);
    assert!(!body.contains("NRA"), "no key: {body}");
}
