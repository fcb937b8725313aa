//! Conditions that are made through NerdGraph judge what is ingested.

use bytes::Bytes;

use super::*;
use crate::nrql::Value;
use crate::sim::newrelic::{DirectPost, StoredEvent};

const MINUTE_MS: i64 = 60_000;
/// `EPOCH` is no whole minute; windows are.
const BEGIN: UnixMillis = UnixMillis(EPOCH.0.div_euclid(MINUTE_MS) * MINUTE_MS + MINUTE_MS);

const MAKE: &str = "mutation($policy: ID!, $condition: AlertsNrqlConditionStaticInput!) { \
    alertsNrqlConditionStaticCreate(accountId: 1, policyId: $policy, condition: $condition) \
    { id } }";
const CHANGE: &str = "mutation($id: ID!, $condition: AlertsNrqlConditionUpdateStaticInput!) { \
    alertsNrqlConditionStaticUpdate(accountId: 1, id: $id, condition: $condition) { id } }";

/// A condition on the processor of brokers: above 50 for two minutes, judged at once.
fn condition(change: &Json) -> Json {
    let mut condition = json!({
        "name": "Cpu", "enabled": true,
        "nrql": {"query": "SELECT max(broker.cpu.usage) FROM MessageQueue FACET entity.guid"},
        "signal": {"aggregationWindow": 60, "aggregationDelay": 10},
        "terms": [{"operator": "ABOVE", "priority": "CRITICAL", "threshold": 50,
            "thresholdDuration": 120, "thresholdOccurrences": "ALL"}],
    });
    for (name, value) in change.as_object().expect("an object") {
        condition[name] = value.clone();
    }
    condition
}

struct Rig {
    service: Service,
    policy: String,
    condition: String,
}

impl Rig {
    fn new(change: &Json) -> Self {
        let mut service = Service::new();
        service.now = BEGIN;
        let made = service.data(
            "mutation { alertsPolicyCreate(accountId: 1, policy: {name: \"P\", \
             incidentPreference: PER_CONDITION}) { id } }",
        );
        let policy = made["alertsPolicyCreate"]["id"].as_str().expect("an id").to_owned();
        let variables = json!({"policy": policy, "condition": condition(change)});
        let made = service.data_with(MAKE, variables);
        let id = made["alertsNrqlConditionStaticCreate"]["id"].as_str().expect("an id");
        let condition = id.to_owned();
        Self { service, policy, condition }
    }

    fn change(&self, change: &Json) {
        self.service.data_with(CHANGE, json!({"id": self.condition, "condition": change}));
    }

    /// An event in the middle of each minute from the present one on; `.` is none, a digit tens of
    /// percent. Somebody asks `asks` times a minute.
    fn live(&mut self, values: &str, asks: i64) {
        for value in values.chars() {
            let begin = self.service.now;
            let at = begin.plus_millis(MINUTE_MS / 2);
            if let Some(digit) = value.to_digit(10) {
                self.post(at, digit * 10);
            }
            for ask in 1..=asks {
                self.service.newrelic.advance(begin.plus_millis(MINUTE_MS * ask / asks));
            }
            self.service.now = begin.plus_millis(MINUTE_MS);
        }
        // The last window is judged after its delay.
        self.service.newrelic.advance(self.service.now.plus_millis(10_000));
    }

    fn post(&self, at: UnixMillis, percent: u32) {
        let event = json!([{
            "eventType": "MessageQueue", "timestamp": at.0,
            "entityType": "MESSAGE_QUEUE_BROKER", "entityIdentifier": format!("{:032x}", 7),
            "displayName": "b7", "clusterName": "c", "broker.cpu.usage": percent,
        }]);
        let body = Bytes::from(event.to_string());
        let key = INGEST_KEY;
        let post = DirectPost { part: Target::Event, account: None, key, body, gzip: false };
        self.service.newrelic.post(at, post).expect("taken");
    }

    fn incidents(&self) -> Vec<StoredEvent> {
        self.service.newrelic.events("NrAiIncident")
    }

    /// Event, minute and cause: `open 3`, `close 6 EVALUATOR`.
    fn told(&self) -> Vec<String> {
        let text = |event: &StoredEvent, name: &str| match event.get(name) {
            Some(Value::Text(text)) => text.to_string(),
            _ => String::new(),
        };
        let told = |event: &StoredEvent| {
            let minute = event.timestamp.millis_since(BEGIN) / MINUTE_MS;
            let cause = text(event, "closeCause");
            format!("{} {minute} {cause}", text(event, "event")).trim().to_owned()
        };
        self.incidents().iter().map(told).collect()
    }

    fn severity(&self) -> Json {
        let data = self.service.data(
            "{ actor { entitySearch(query: \"type = 'MESSAGE_QUEUE_BROKER'\") { results { \
             entities { alertSeverity } } } } }",
        );
        data["actor"]["entitySearch"]["results"]["entities"][0]["alertSeverity"].clone()
    }
}

#[test]
fn a_condition_opens_and_closes_an_incident_that_queries_see() {
    let mut rig = Rig::new(&json!({}));
    rig.live("11", 6);
    assert_eq!((rig.told().len(), rig.severity()), (0, json!("NOT_ALERTING")));
    rig.live("997", 6);
    assert_eq!((rig.told(), rig.severity()), (vec!["open 4".to_owned()], json!("CRITICAL")));
    let search = "{ actor { entitySearch(query: \"alertSeverity = 'CRITICAL'\") { count } } }";
    assert_eq!(rig.service.data(search)["actor"]["entitySearch"]["count"], 1);
    rig.live("11", 6);
    assert_eq!(rig.told(), ["open 4", "close 7 EVALUATOR"]);
    assert_eq!(rig.severity(), "NOT_ALERTING");
    let asked = "SELECT latest(closeTime) - latest(recoveryTime) AS 'back', \
                 latest(durationSeconds) AS 'lasted', latest(entity.name) AS 'name', \
                 latest(policyName) AS 'policy', latest(threshold) AS 'threshold', \
                 latest(priority) AS 'priority', uniqueCount(incidentId) AS 'ids' \
                 FROM NrAiIncident WHERE conditionName = 'Cpu' SINCE 1 hour ago";
    rig.service.wait(Duration::from_secs(60));
    let data = rig.service.data_with(
        "query($nrql: Nrql!) { actor { account(id: 1) { nrql(query: $nrql) { results } } } }",
        json!({"nrql": asked}),
    );
    let expected = json!({"back": 0, "lasted": 180, "name": "b7", "policy": "P", "threshold": 50,
        "priority": "critical", "ids": 1});
    let found = &data["actor"]["account"]["nrql"]["results"][0];
    for (name, value) in expected.as_object().expect("an object") {
        let same = found[name].as_f64() == value.as_f64() && found[name].as_str() == value.as_str();
        assert!(same, "{name}: {found}");
    }
}

#[test]
fn it_does_not_matter_how_often_somebody_asks() {
    let run = |asks| {
        let mut rig = Rig::new(&json!({"expiration": {"expirationDuration": 120,
            "openViolationOnExpiration": true, "closeViolationsOnExpiration": true}}));
        rig.live("9919911...1999....9", asks);
        rig.incidents()
    };
    let often = run(12);
    assert!(often.len() >= 6, "{often:?}");
    assert_eq!(often, run(0));
}

#[test]
fn losses_and_limits() {
    let check = |change: Json, values: &str, expected: &[&str]| {
        let mut rig = Rig::new(&change);
        rig.live(values, 1);
        assert_eq!(rig.told(), expected, "{change}");
    };
    let lost = |opens: bool, closes: bool| {
        json!({"expiration": {"expirationDuration": 120, "openViolationOnExpiration": opens,
            "closeViolationsOnExpiration": closes}})
    };
    check(lost(true, false), "1..1", &["open 3", "close 4 EVALUATOR"]);
    check(lost(false, true), "99..", &["open 2", "close 4 LOSS_OF_SIGNAL"]);
    check(json!({"violationTimeLimitSeconds": 300}), "99999999", &["open 2", "close 7 EXPIRED"]);
    check(json!({"enabled": false}), "9999", &[]);
    // Nothing is made of a window that has no event.
    let all = json!({"nrql": {"query": "SELECT count(*) FROM MessageQueue"}, "terms": [{
        "operator": "BELOW", "priority": "WARNING", "threshold": 5, "thresholdDuration": 60,
        "thresholdOccurrences": "ALL"}]});
    check(all, ".1.", &["open 2"]);
}

#[test]
fn edits_end_what_they_make_meaningless() {
    let check = |edit: &dyn Fn(&Rig), told: &[&str], severity: &str| {
        let mut rig = Rig::new(&json!({}));
        rig.live("99", 1);
        edit(&rig);
        let mut expected = vec!["open 2"];
        expected.extend(told);
        assert_eq!(rig.told(), expected);
        assert_eq!(rig.severity(), severity);
    };
    check(&|rig| rig.change(&json!({"name": "New", "description": "d"})), &[], "CRITICAL");
    let off = json!({"enabled": false});
    check(&|rig| rig.change(&off), &["close 2 CONDITION_DISABLED"], "NOT_CONFIGURED");
    let query = json!({"nrql": {"query": "SELECT min(broker.cpu.usage) FROM MessageQueue"}});
    check(&|rig| rig.change(&query), &["close 2 CONDITION_MODIFIED"], "NOT_CONFIGURED");
    let delete = |rig: &Rig, what: &str, id: &str| {
        rig.service.data(&format!("mutation {{ {what}(accountId: 1, id: \"{id}\") {{ id }} }}"));
    };
    check(
        &|rig| delete(rig, "alertsConditionDelete", &rig.condition),
        &["close 2 CONDITION_DELETED"],
        "NOT_CONFIGURED",
    );
    check(
        &|rig| delete(rig, "alertsPolicyDelete", &rig.policy),
        &["close 2 POLICY_DELETED"],
        "NOT_CONFIGURED",
    );
}

#[test]
fn a_condition_reads_no_account_that_its_key_does_not_open() {
    let rig = Rig::new(&json!({}));
    let foreign = json!({"nrql": {"query": "SELECT count(*) FROM E", "dataAccountId": 3}});
    let variables = json!({"policy": rig.policy, "condition": condition(&foreign)});
    let answer = rig.service.ask_with(MAKE, variables);
    assert_eq!(answer.body["errors"][0]["extensions"]["errorClass"], "ACCESS_DENIED");
}

#[test]
fn years_without_a_question_are_passed_over() {
    let mut rig = Rig::new(&json!({}));
    rig.live("99", 1);
    assert_eq!(rig.told(), ["open 2"]);
    rig.service.now = BEGIN.plus(Duration::from_secs(10 * 365 * 86_400));
    rig.service.newrelic.advance(rig.service.now);
    // It was open as long as one may be; its opening is too old to be kept.
    let told = rig.told();
    assert!(told.len() == 1 && told[0].starts_with("close "), "{told:?}");
    assert!(told[0].ends_with("EXPIRED"), "{told:?}");
}
