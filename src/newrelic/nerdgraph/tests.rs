use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use serde_json::{Value, json};

use super::answer::read;
use super::*;
use crate::domain::account::AccountId;
use crate::newrelic::ApiKey;
use crate::ports::testing::{TestClock, TestPorts};
use crate::ports::{Clock, Http, HttpError, HttpLimits, HttpRequest, HttpResponse};
use crate::resilience::breaker::StateKind;
use crate::resilience::retry::{RetryConfig, Verdict};

#[derive(Clone)]
pub(super) enum Step {
    Answer(u16, Value),
    Silence,
    Down,
}

/// NerdGraph by script.
#[derive(Clone)]
pub(super) struct Scripted {
    clock: TestClock,
    steps: Arc<Mutex<VecDeque<Step>>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Http for Scripted {
    async fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        assert_eq!(request.headers()["api-key"], "NRAK-TEST");
        assert_eq!(request.uri(), "http://newrelic:3000/graphql");
        let body = serde_json::from_slice(request.body()).expect("JSON");
        self.asked.lock().expect("free").push(body);
        let step = self.steps.lock().expect("free").pop_front();
        let authority = "newrelic:3000".to_owned();
        match step.expect("no more requests than the script has steps") {
            Step::Answer(status, body) => Ok(response(status, &body)),
            Step::Silence => {
                self.clock.sleep(limits.timeout).await;
                Err(HttpError::Timeout { authority, timeout: limits.timeout, sent: true })
            }
            Step::Down => {
                let source = std::io::ErrorKind::ConnectionRefused.into();
                Err(HttpError::Connect { authority, source })
            }
        }
    }
}

fn response(status: u16, body: &Value) -> HttpResponse {
    let mut response = HttpResponse::new(Bytes::from(body.to_string()));
    *response.status_mut() = status.try_into().expect("a status");
    response
}

pub(super) struct Rig {
    pub(super) clock: TestClock,
    http: Scripted,
    pub(super) client: NerdGraph<TestPorts<Scripted>>,
}

impl Rig {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let clock = TestClock::default();
        let http = Scripted {
            clock: clock.clone(),
            steps: Arc::new(Mutex::new(steps.into_iter().collect())),
            asked: Arc::default(),
        };
        let uri = "http://newrelic:3000/graphql".parse().expect("uri");
        let config = NerdGraphConfig::new(uri, ApiKey::new("NRAK-TEST").expect("a key"));
        let client = NerdGraph::new(TestPorts::new(&clock, http.clone()), config);
        Self { clock, http, client: client.expect("the usual settings are possible") }
    }

    pub(super) fn asked(&self) -> Vec<Value> {
        self.http.asked.lock().expect("free").clone()
    }
}

pub(super) fn account() -> AccountId {
    AccountId::try_from(1).expect("valid")
}

fn failed(class: &str, path: &[&str]) -> Value {
    json!({"data": null, "errors": [
        {"message": "said", "path": path, "extensions": {"errorClass": class}}]})
}

#[test]
fn every_answer_has_one_class() {
    let check = |status: u16, body: Value, expected: Result<Value, NerdGraphError>| {
        let got = read(&response(status, &body)).map(|(data, _)| data);
        assert_eq!(got, expected, "{status} {body}");
    };
    let said = || "said".to_owned();
    let nrql = ["actor", "account", "nrql"];
    check(200, json!({"data": {"a": 1}}), Ok(json!({"a": 1})));
    let remark = json!({"data": {"a": 1}, "errors": [{"message": "This field is deprecated! b"}]});
    check(200, remark, Ok(json!({"a": 1})));
    let code =
        json!({"errors": [{"message": "said", "extensions": {"error_code": "BAD_API_KEY"}}]});
    check(200, code.clone(), Err(NerdGraphError::Key(said())));
    check(401, code, Err(NerdGraphError::Key(said())));
    check(401, json!("no"), Err(NerdGraphError::Key("status 401 Unauthorized".into())));
    check(402, json!({}), Err(NerdGraphError::Payment));
    let many = |after| Err(NerdGraphError::TooMany { message: said(), after });
    check(200, failed("TOO_MANY_REQUESTS", &[]), many(None));
    check(429, failed("", &[]), many(None));
    check(200, failed("TIMEOUT", &nrql), Err(NerdGraphError::NrqlTimeout(said())));
    check(200, failed("SERVER_ERROR", &nrql), Err(NerdGraphError::Nrql(said())));
    check(200, failed("SERVER_ERROR", &[]), Err(NerdGraphError::Server(said())));
    check(200, failed("", &[]), Err(NerdGraphError::Invalid(said())));
    check(400, failed("", &[]), Err(NerdGraphError::Invalid(said())));
    check(
        503,
        json!("<html>"),
        Err(NerdGraphError::Server("status 503 Service Unavailable".into())),
    );
    check(200, json!("x"), Err(NerdGraphError::Unreadable("\"x\"".into())));
    check(200, json!({}), Err(NerdGraphError::Unreadable("{}".into())));
    check(302, json!({}), Err(NerdGraphError::Unreadable("{}".into())));

    let mut asking = response(429, &failed("", &[]));
    asking.headers_mut().insert(RETRY_AFTER, "7".parse().expect("header"));
    let after = Some(Duration::from_secs(7));
    assert_eq!(read(&asking).map(drop), Err(NerdGraphError::TooMany { message: said(), after }));
}

#[test]
fn what_may_change_something_is_repeated_only_if_it_never_left() {
    let lost = |sent| NerdGraphError::NoAnswer { reason: String::new(), sent, timeout: false };
    let check = |error: NerdGraphError, query: bool, mutation: bool| {
        let again = |idempotent| error.verdict_of(idempotent) != Verdict::GiveUp;
        assert_eq!((again(true), again(false)), (query, mutation), "{error}");
    };
    check(lost(false), true, true);
    check(lost(true), true, false);
    check(NerdGraphError::Server(String::new()), true, false);
    check(NerdGraphError::Unreadable(String::new()), true, false);
    check(NerdGraphError::TooMany { message: String::new(), after: None }, true, true);
    for final_one in [
        NerdGraphError::Key(String::new()),
        NerdGraphError::Payment,
        NerdGraphError::Nrql(String::new()),
        NerdGraphError::NrqlTimeout(String::new()),
        NerdGraphError::Invalid(String::new()),
        NerdGraphError::CircuitOpen,
        NerdGraphError::Refused(String::new()),
    ] {
        check(final_one, false, false);
    }
}

fn rows(rows: &Value) -> Value {
    json!({"data": {"actor": {"account": {"nrql": {
        "results": rows, "metadata": {"messages": [], "timeWindow": {"begin": 1, "end": 2}}}}}}})
}

#[test]
fn nrql_is_asked_again_after_what_passes() {
    let good = || Step::Answer(200, rows(&json!([{"count": 3}])));
    let check = |steps: Vec<Step>, expected: Result<i64, &str>, requests: usize| {
        let rig = Rig::new(steps);
        let answer = rig.clock.run(rig.client.nrql(account(), "SELECT count(*) FROM A"));
        let got = answer.map(|answer| answer.results[0]["count"].as_i64().expect("a number"));
        assert_eq!(got.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        assert_eq!(rig.asked().len(), requests);
        for body in rig.asked() {
            assert_eq!(body["variables"]["nrql"], "SELECT count(*) FROM A");
            assert_eq!(body["variables"]["account"], 1);
        }
    };
    check(vec![good()], Ok(3), 1);
    check(vec![Step::Down, Step::Silence, good()], Ok(3), 3);
    check(vec![Step::Answer(503, json!("")), good()], Ok(3), 2);
    check(vec![Step::Answer(200, failed("TOO_MANY_REQUESTS", &[])), good()], Ok(3), 2);
    let nrql = failed("SERVER_ERROR", &["actor", "account", "nrql"]);
    check(vec![Step::Answer(200, nrql)], Err("said"), 1);
    let key = "New Relic does not accept the user key: said";
    check(vec![Step::Answer(200, failed("BAD_API_KEY", &[]))], Err(key), 1);
    let down = vec![Step::Answer(500, json!("")); 3];
    check(down, Err("NerdGraph failed: status 500 Internal Server Error"), 3);
}

#[test]
fn an_open_breaker_spares_nerdgraph() {
    let rig = Rig::new(vec![Step::Answer(500, json!("")); 5]);
    let ask = || rig.clock.run(rig.client.nrql(account(), "SELECT 1 FROM A"));
    assert!(matches!(ask(), Err(NerdGraphError::Server(_))));
    assert_eq!(ask(), Err(NerdGraphError::CircuitOpen));
    assert_eq!(rig.client.breaker().state(), StateKind::Open);
    assert_eq!(rig.asked().len(), 5);
}

fn outline(number: usize) -> Value {
    json!({"guid": format!("g{number}"), "name": format!("n{number}"), "domain": "INFRA",
        "type": "MESSAGE_QUEUE_TOPIC", "reporting": true, "tags": [{"key": "k", "values": ["a", "b"]}]})
}

fn page(entities: &[Value], next: Option<&str>) -> Step {
    Step::Answer(
        200,
        json!({"data": {"actor": {"entitySearch": {"results": {
        "nextCursor": next, "entities": entities}}}}}),
    )
}

#[test]
fn entities_come_page_by_page() {
    let rig = Rig::new([
        page(&[outline(1), outline(2)], Some("c1")),
        page(&[], Some("c2")),
        page(&[outline(3)], None),
    ]);
    let found = rig.clock.run(rig.client.entities("domain = 'INFRA'")).expect("an answer");
    let guids: Vec<&str> = found.iter().map(|entity| entity.guid.as_str()).collect();
    assert_eq!(guids, ["g1", "g2", "g3"]);
    assert_eq!(found[2].tags["k"], ["a", "b"]);
    let cursors: Vec<Value> =
        rig.asked().iter().map(|body| body["variables"]["cursor"].clone()).collect();
    assert_eq!(cursors, [json!(null), json!("c1"), json!("c2")]);
}

#[test]
fn one_entity_brings_its_metrics_and_all_its_relationships() {
    let edge = |to: &str| {
        json!({"type": "CONTAINS", "source": {"entity": {"guid": "g1"}},
            "target": {"entity": {"guid": to}}})
    };
    let answer = |edges: Vec<Value>, next: Option<&str>| {
        let mut entity = outline(1);
        entity["goldenMetrics"] = json!({"metrics": [{"name": "m", "query": "SELECT 1"}]});
        entity["relatedEntities"] = json!({"nextCursor": next, "results": edges});
        Step::Answer(200, json!({"data": {"actor": {"entity": entity}}}))
    };
    let rig = Rig::new([answer(vec![edge("a")], Some("c")), answer(vec![edge("b")], None)]);
    let found = rig.clock.run(rig.client.entity("g1")).expect("an answer").expect("an entity");
    assert_eq!(found.golden_metrics.len(), 1);
    let targets: Vec<&str> = found.related.iter().map(|edge| edge.target.as_str()).collect();
    assert_eq!(targets, ["a", "b"]);

    let rig = Rig::new([Step::Answer(200, json!({"data": {"actor": {"entity": null}}}))]);
    assert_eq!(rig.clock.run(rig.client.entity("g1")), Ok(None));
    let rig = Rig::new([Step::Answer(200, json!({"data": {"actor": {"entity": {"guid": 1}}}}))]);
    assert!(matches!(rig.clock.run(rig.client.entity("g")), Err(NerdGraphError::Unreadable(_))));
}

#[test]
fn settings_out_of_range_build_no_client() {
    let clock = TestClock::default();
    let http = Scripted { clock: clock.clone(), steps: Arc::default(), asked: Arc::default() };
    let uri = "http://newrelic:3000/graphql".parse().expect("uri");
    let usual = NerdGraphConfig::new(uri, ApiKey::new("NRAK-TEST").expect("a key"));
    let retry = RetryConfig { attempts_max: 0, ..RetryConfig::default() };
    let config = NerdGraphConfig { retry, ..usual };
    let error = NerdGraph::new(TestPorts::new(&clock, http), config).map(drop);
    assert!(error.expect_err("no attempts").to_string().contains("attempts_max"));
}
