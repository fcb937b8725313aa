//! The whole service in memory: the admin API, the journal behind real routes, crashes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::definitions::builtin;
use crate::ports::Clock;
use crate::ports::testing::{EPOCH, TestClock};
use crate::rt::ShutdownHandle;
use crate::sim::disk::{DiskStore, SimDisk};
use crate::sim::newrelic::journal::{Journal, JournalConfig, JournalError};
use crate::sim::newrelic::{NewRelic, NewRelicConfig, StoredEntity, StoredEvent};
use crate::sim::seed::Seed;
use crate::sim::world::CrashMode;

const HOST: &str = "127.0.0.1:3001";

fn service(clock: &TestClock, recorder: Option<Recorder>) -> Service<TestClock> {
    let accounts = Accounts::default();
    let config = NewRelicConfig::new(accounts.accounts.clone());
    let newrelic = NewRelic::new(config, Seed(7), Arc::new(builtin()));
    let clock = PacedClock::new(clock.clone(), clock.wall(), 1.0);
    Service::new(clock, newrelic, accounts, ServiceOptions::default(), recorder)
}

async fn send(router: &Router, request: Request) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.expect("infallible");
    let status = response.status();
    // An answer that is lost on purpose has none.
    let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap_or_default();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn request(method: &str, path: &str, body: &str) -> Request {
    let request = Request::builder().method(method).uri(path).header("host", HOST);
    let request = request.header("content-type", "application/json");
    request.body(Body::from(body.to_owned())).expect("a request")
}

fn post_events(body: &str) -> Request {
    Request::post("/v1/accounts/1/events")
        .header("api-key", DEFAULT_INGEST_KEY)
        .header("content-length", body.len())
        .body(Body::from(body.to_owned()))
        .expect("a request")
}

#[test]
fn the_admin_api_answers_or_says_what_to_do() {
    let clock = TestClock::default();
    let service = service(&clock, None);
    let admin = service.admin_router();
    // Method, path, body; status and texts of the answer.
    let check = |method: &str, path: &str, body: &str, status: u16, texts: &[&str]| {
        let (found, answer) = clock.run(send(&admin, request(method, path, body)));
        let answer = answer.to_string();
        assert_eq!(found.as_u16(), status, "{method} {path}: {answer}");
        for text in texts {
            assert!(answer.contains(text), "{method} {path}: `{text}` is not in {answer}");
        }
    };
    check("GET", "/", "", 200, &["/synthesis-delay", "meaning"]);
    check("GET", "/faults", "", 200, &["\"faults\":[]", "\"synthesis_delay\":\"0ms\""]);
    let order = r#"{"answer":"slow_answers","after":"2s","target":"nerdgraph","lasts":"1min"}"#;
    check("POST", "/faults", order, 201, &["\"id\":1", "\"until_ms\":1700000060000"]);
    check("POST", "/faults", r#"{"answer":"late_synthesis","lag":"30s"}"#, 201, &["\"id\":2"]);
    check("GET", "/faults/", "", 200, &["\"synthesis_delay\":\"30s\"", "nerdgraph"]);
    check("POST", "/synthesis-delay", r#"{"delay":"15s"}"#, 200, &["\"synthesis_delay\":\"45s\""]);
    check("DELETE", "/faults/2", "", 200, &[]);
    check("DELETE", "/faults/2", "", 404, &["no fault has the number 2", "fix"]);
    check("DELETE", "/faults/x", "", 404, &["number x"]);
    check("DELETE", "/faults", "", 200, &["\"switched_off\":1"]);
    check(
        "POST",
        "/faults",
        r#"{"answer":"slow_answer"}"#,
        400,
        &["no fault `slow_answer`", "did you mean"],
    );
    check("POST", "/faults", "{", 400, &["no JSON", "fix"]);
    check("POST", "/faults", "[]", 400, &["a fault is an object"]);
    check("POST", "/synthesis-delay", "{}", 400, &["`delay` is missing", "\\\"30s\\\""]);
    check("POST", "/synthesis-delay", r#"{"delay":"2d"}"#, 400, &["`delay` is 2d", "at most 1d"]);
    check("POST", "/clock/advance", r#"{"by":"1h"}"#, 200, &["\"now_ms\":1700003600000"]);
    check("POST", "/clock/advance", r#"{"for":"1h"}"#, 400, &["unknown key `for`"]);
    check("POST", "/clock/advance", r#"{"by":"367d"}"#, 400, &["at most 366d"]);
    check("GET", "/clock", "", 200, &["2023-11-14T23:13:20Z", "\"speed\":1.0"]);
    check("GET", "/stats", "", 200, &["\"events_stored\":0", "\"ever\":0", "\"rates\""]);
    check("GET", "/requests?limit=5", "", 200, &["\"requests\":[]"]);
    check("GET", "/requests?limit=0", "", 400, &["`limit=0` is not understood"]);
    check("GET", "/requests?colour=1", "", 400, &["`colour=1`"]);
    check("GET", "/claims", "", 200, &["\"level\":\"conformant\""]);
    check("GET", "/nowhere", "", 404, &["there is no /nowhere", "GET /"]);
    check("PUT", "/faults", "", 405, &["it answers GET, POST, DELETE"]);
    check("POST", "/faults/1", "", 405, &["it answers DELETE"]);
    check("POST", "/faults", &" ".repeat(70_000), 413, &["at most 65536 bytes"]);
    let foreign = Request::post("/faults").header("host", "evil.example").body(Body::empty());
    let (status, answer) = clock.run(send(&admin, foreign.expect("a request")));
    assert_eq!(status, 403);
    assert!(answer["error"].as_str().is_some_and(|e| e.contains("evil.example")), "{answer}");
}

#[test]
fn every_listed_route_exists() {
    let clock = TestClock::default();
    let admin = service(&clock, None).admin_router();
    for (method, path, _) in ROUTES {
        let (status, _) = clock.run(send(&admin, request(method, &path.replace("{id}", "1"), "")));
        let expected = if path.contains('{') { 404 } else { status.as_u16() };
        assert_ne!(status.as_u16(), 405, "{method} {path}");
        assert_eq!(status.as_u16(), expected, "{method} {path}");
    }
}

#[test]
fn requests_and_events_are_told() {
    let clock = TestClock::default();
    let service = service(&clock, None);
    let (public, admin) = (service.public_router(), service.admin_router());
    clock.run(async {
        service.tick();
        let (status, _) =
            send(&public, post_events(r#"[{"eventType":"A"},{"eventType":1}]"#)).await;
        assert_eq!(status, 200);
        let (status, _) = send(&public, request("POST", "/v1/accounts/1/events", "{}")).await;
        assert_eq!(status, 403);
        clock.sleep(Duration::from_secs(10)).await;
        service.tick();
        let (_, stats) = send(&admin, request("GET", "/stats", "")).await;
        assert_eq!(stats["requests"], json!({ "200": 1, "403": 1 }));
        assert_eq!(stats["events_rejected"], json!({ "EventTypeMissing": 1 }));
        assert_eq!(stats["rates"][0]["per_second"], json!(0.1));
        assert_eq!(stats["integration_errors"], json!(1));
        let (_, rows) = send(&admin, request("GET", "/requests?status=200", "")).await;
        assert_eq!(rows["requests"].as_array().map(Vec::len), Some(1));
        assert_eq!(rows["requests"][0]["events_stored"], json!(1));
        let (_, rows) = send(&admin, request("GET", "/requests?limit=1", "")).await;
        assert_eq!(rows["requests"][0]["status"], json!(403), "newest first");
        assert_eq!(service.summary().rejected, 1);
    });
}

fn journal_config() -> JournalConfig {
    JournalConfig {
        folder: "data".to_owned(),
        seed: 7,
        retention: Duration::from_secs(86_400),
        bytes_max: 16 << 20,
    }
}

async fn open(store: &DiskStore) -> Result<Journal<SimDisk>, JournalError> {
    Journal::open(store.mount(), journal_config()).await
}

/// A broker's event that makes an entity.
fn broker(number: u32) -> String {
    let event = json!([{
        "eventType": "MessageQueue", "entityType": "MESSAGE_QUEUE_BROKER",
        "entityIdentifier": format!("{number:032x}"), "displayName": format!("broker {number}"),
        "provider": "kafka", "clusterName": "orders", "brokerId": number,
    }, { "eventType": "Other", "n": number }]);
    event.to_string()
}

/// What a service holds, once everything that is under way has arrived.
type Held = (Vec<StoredEvent>, Vec<StoredEvent>, Vec<StoredEntity>);

fn held(newrelic: &NewRelic, now: crate::domain::units::UnixMillis) -> Held {
    newrelic.advance(now);
    // Requests that were refused are not played back, so the numbers of the others differ.
    let events = |name| {
        let events = newrelic.events(name).into_iter();
        events.map(|event| StoredEvent { request: 0, ..event }).collect()
    };
    (events("MessageQueue"), events("Other"), newrelic.entities())
}

/// Sends `count` requests some seconds apart, and does what an administrator might.
async fn live(clock: &TestClock, service: &Service<TestClock>, count: u32) -> u32 {
    let (public, admin) = (service.public_router(), service.admin_router());
    let mut taken = 0;
    for number in 0..count {
        clock.sleep(Duration::from_millis(700 + u64::from(number % 5) * 333)).await;
        service.tick();
        let (status, _) = send(&public, post_events(&broker(number))).await;
        taken += u32::from(status == 200);
        let lost = number == count / 2;
        if lost || number == count / 2 + 2 {
            let (method, path) = if lost { ("POST", "/faults") } else { ("DELETE", "/faults") };
            let order = r#"{"answer":"accepted_then_lost"}"#;
            send(&admin, request(method, path, order)).await;
        }
        if number == count / 3 {
            let order = r#"{"delay":"20s"}"#;
            send(&admin, request("POST", "/synthesis-delay", order)).await;
        }
        // What is refused changes nothing.
        let wrong = request("POST", "/v1/accounts/1/events", &broker(999));
        assert_eq!(send(&public, wrong).await.0, 403);
    }
    // Until all of it is parsed: an administrator's delay ends with the service.
    clock.sleep(Duration::from_secs(5)).await;
    service.tick();
    taken
}

#[test]
fn a_restart_has_the_same_store() {
    let clock = TestClock::default();
    let store = DiskStore::new(Seed(1));
    let later = EPOCH.plus_millis(3_600_000);
    let (before, noted) = clock.run(async {
        let mut journal = open(&store).await.expect("a new journal");
        let recorder = Recorder::default();
        let service = service(&clock, Some(recorder.clone()));
        assert_eq!(service.replay(&journal).await.expect("empty"), Replayed::default());
        live(&clock, &service, 30).await;
        let stop = ShutdownHandle::new();
        stop.request();
        keep(&mut journal, &recorder, &clock, stop.signal()).await.expect("kept");
        (held(service.newrelic(), later), recorder.noted())
    });
    assert_eq!((before.0.len(), before.1.len(), before.2.len()), (30, 30, 30));
    assert_eq!(noted, 31, "30 requests and a delay, lost answers included");
    clock.run(async {
        let journal = open(&store).await.expect("opens again");
        let again = service(&clock, Some(Recorder::default()));
        let replayed = again.replay(&journal).await.expect("played back");
        assert_eq!(replayed, Replayed { taken: 31, refused: 0 });
        let after = held(again.newrelic(), later);
        assert!(after == before, "{after:#?}\nis not\n{before:#?}");
        assert_eq!(again.synthesis_delay(), Duration::ZERO, "an administrator's delay has ended");
        assert_eq!(again.inputs_kept(), Some(1), "and the journal knows");
    });
}

#[test]
fn other_accounts_refuse_what_is_played_back() {
    let clock = TestClock::default();
    let store = DiskStore::new(Seed(1));
    clock.run(async {
        let mut journal = open(&store).await.expect("a new journal");
        let recorder = Recorder::default();
        live(&clock, &service(&clock, Some(recorder.clone())), 3).await;
        journal.append(&recorder.take()).await.expect("kept");
        let other = "[[account]]\nid = 1\nname = \"x\"\n\
            license_keys = [\"0123456789abcdef0123456789abcdef0123NRAL\"]\n";
        let accounts = Accounts::parse("a.toml", other).expect("valid");
        let config = NewRelicConfig::new(accounts.accounts.clone());
        let newrelic = NewRelic::new(config, Seed(7), Arc::new(builtin()));
        let clock = PacedClock::new(clock.clone(), clock.wall(), 1.0);
        let options = ServiceOptions::default();
        let other = Service::new(clock, newrelic, accounts, options, None);
        let replayed = other.replay(&journal).await.expect("played back");
        assert_eq!(replayed, Replayed { taken: 1, refused: 3 });
    });
}

#[test]
fn a_crash_loses_at_most_the_last_unsynced_inputs() {
    const REQUESTS: u32 = 24;
    let (mut crashes, mut shortest) = (0, u64::MAX);
    for operations in (1..400).step_by(7) {
        let clock = TestClock::default();
        let store = DiskStore::new(Seed(operations));
        let recorder = Recorder::default();
        // Inputs that the journal confirmed.
        let confirmed = clock.run(async {
            store.die_after(operations);
            let Ok(mut journal) = open(&store).await else { return 0 };
            let service = service(&clock, Some(recorder.clone()));
            let living = live(&clock, &service, REQUESTS);
            let stop = ShutdownHandle::new();
            let keeping = keep(&mut journal, &recorder, &clock, stop.signal());
            let _ = crate::rt::race(keeping, living).await;
            journal.len() as u64
        });
        let died = store.died();
        store.crash(CrashMode::Power);
        crashes += u32::from(died);
        clock.run(async {
            let journal = open(&store).await.unwrap_or_else(|e| panic!("{operations}: {e}"));
            let found = journal.len() as u64;
            // The batch that was being written when the disk died is counted, and may be lost.
            assert!(found + 2 >= confirmed, "{operations}: {found} of {confirmed}");
            assert!(found <= recorder.noted(), "{operations}");
            shortest = shortest.min(found);
            let again = service(&clock, None);
            let replayed = again.replay(&journal).await.expect("played back");
            assert_eq!((replayed.taken, replayed.refused), (found, 0), "{operations}");
            // The same as a New Relic that only ever met that many inputs.
            let (events, ..) = held(again.newrelic(), clock.wall().plus_millis(60_000));
            let numbers: Vec<Option<f64>> = events
                .iter()
                .map(|event| event.get("brokerId").and_then(|value| value.as_f64()))
                .collect();
            let expected: Vec<Option<f64>> = (0..numbers.len()).map(|n| Some(n as f64)).collect();
            assert_eq!(numbers, expected, "{operations}: no gap, nothing twice");
        });
    }
    assert!(crashes > 10 && shortest < 5, "{crashes} crashes, {shortest} inputs at least");
}
