use serde_json::{Map, Value as Json, json};

use super::*;
use crate::domain::account::AccountId;

fn account(number: u64) -> AccountId {
    AccountId::try_from(number).expect("an account")
}

fn fields(json: Json) -> Map<String, Json> {
    json.as_object().expect("an object").clone()
}

fn policy(alerts: &mut Alerts) -> String {
    let input = fields(json!({"name": "P", "incidentPreference": "PER_POLICY"}));
    let made = alerts.create_policy(account(1), &input).expect("a policy");
    made["id"].as_str().expect("an id").to_owned()
}

fn condition(change: Json) -> Map<String, Json> {
    let mut condition = fields(json!({
        "name": "C", "enabled": true, "nrql": {"query": "SELECT max(a) FROM E FACET b"},
        "terms": [{"operator": "ABOVE", "priority": "CRITICAL", "threshold": 1.0,
            "thresholdDuration": 120, "thresholdOccurrences": "ALL"}],
    }));
    condition.extend(fields(change));
    condition
}

#[test]
fn conditions_are_held_to_the_documented_limits() {
    let check = |kind: Kind, change: Json, expected: &str| {
        let mut alerts = Alerts::default();
        let policy = policy(&mut alerts);
        let done = alerts.create_condition(account(1), &policy, kind, &condition(change.clone()));
        match done {
            Ok(_) => assert_eq!(expected, "", "{change}"),
            Err(refusal) => {
                let said = refusal.to_string();
                assert!(!expected.is_empty() && said.contains(expected), "{change}: {said}");
            }
        }
    };
    check(Kind::Static, json!({}), "");
    check(Kind::Static, json!({"name": " "}), "name can't be blank");
    check(Kind::Static, json!({"nrql": {"query": "SELECT max(a) FROM"}}), "nrql.query is invalid");
    let since = json!({"nrql": {"query": "SELECT max(a) FROM E SINCE 1 hour ago"}});
    check(Kind::Static, since, "must not have SINCE");
    let two = json!({"nrql": {"query": "SELECT max(a), min(a) FROM E"}});
    check(Kind::Static, two, "several values");
    check(Kind::Static, json!({"terms": []}), "one critical or warning term");
    let window = |seconds: i64| json!({"signal": {"aggregationWindow": seconds}});
    check(Kind::Static, window(29), "aggregationWindow must be between 30");
    check(Kind::Static, window(120), "");
    check(Kind::Static, window(90), "multiple of aggregationWindow");
    check(Kind::Static, json!({"signal": {"aggregationDelay": 1_201}}), "aggregationDelay must be");
    let cadence = json!({"signal": {"aggregationDelay": 1_201, "aggregationMethod": "CADENCE"}});
    check(Kind::Static, cadence, "");
    check(Kind::Static, json!({"signal": {"fillOption": "STATIC"}}), "fillValue is required");
    check(Kind::Static, json!({"signal": {"slideBy": 40}}), "slideBy must be");
    let silent = json!({"expiration": {"openViolationOnExpiration": true}});
    check(Kind::Static, silent, "expirationDuration is required");
    check(Kind::Static, json!({"violationTimeLimitSeconds": 299}), "violationTimeLimitSeconds");
    let term = |threshold: f64| {
        json!({"terms": [{"priority": "WARNING", "threshold": threshold,
            "thresholdDuration": 120, "thresholdOccurrences": "ALL"}]})
    };
    check(Kind::Baseline, term(3.0), "");
    check(Kind::Baseline, term(0.5), "between 1 and 1000");
    check(Kind::Static, term(0.5), "");
}

#[test]
fn what_is_of_another_account_does_not_exist() {
    let mut alerts = Alerts::default();
    let policy = policy(&mut alerts);
    let made = alerts.create_condition(account(1), &policy, Kind::Static, &condition(json!({})));
    let id = made.expect("a condition")["id"].as_str().expect("an id").to_owned();
    assert_eq!(alerts.show_policy(account(2), &policy), Err(Refusal::NotFound));
    assert_eq!(alerts.show_condition(account(2), &id), Err(Refusal::NotFound));
    assert_eq!(alerts.delete_policy(account(2), &policy), Err(Refusal::NotFound));
    let other = alerts.create_condition(account(2), &policy, Kind::Static, &condition(json!({})));
    assert_eq!(other, Err(Refusal::NotFound));
    assert_eq!(alerts.search_policies(account(2), &[], None)["totalCount"], 0);
    // A condition goes with its policy.
    alerts.delete_policy(account(1), &policy).expect("deleted");
    assert_eq!(alerts.show_condition(account(1), &id), Err(Refusal::NotFound));
}

#[test]
fn updates_change_what_they_name() {
    let mut alerts = Alerts::default();
    let policy = policy(&mut alerts);
    let made = alerts.create_condition(account(1), &policy, Kind::Static, &condition(json!({})));
    let id = made.expect("a condition")["id"].as_str().expect("an id").to_owned();
    let change = fields(json!({"description": "d", "signal": {"aggregationDelay": 60}}));
    let shown = alerts.update_condition(account(1), &id, Kind::Static, &change).expect("changed");
    assert_eq!((&shown["name"], &shown["description"]), (&json!("C"), &json!("d")));
    assert_eq!(shown["signal"]["aggregationDelay"], 60);
    assert_eq!(shown["signal"]["aggregationWindow"], 60);
    let wrong = fields(json!({"signal": {"aggregationWindow": 70}}));
    let refused = alerts.update_condition(account(1), &id, Kind::Static, &wrong);
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
    assert_eq!(alerts.show_condition(account(1), &id), Ok(shown));
    let other = alerts.update_condition(account(1), &id, Kind::Baseline, &change);
    assert_eq!(other, Err(Refusal::NotFound));
}

#[test]
fn searches_find_by_name_and_query_page_by_page() {
    let mut alerts = Alerts::default();
    let policy = policy(&mut alerts);
    for number in 0..150 {
        let named = condition(json!({"name": format!("Cpu {number}")}));
        alerts.create_condition(account(1), &policy, Kind::Static, &named).expect("made");
    }
    let count = |search: Search, cursor: Option<&str>| {
        let found = alerts.search_conditions(account(1), &search, cursor);
        let shown = found["nrqlConditions"].as_array().expect("a list").len();
        (found["totalCount"].as_u64(), shown, found["nextCursor"].as_str().map(str::to_owned))
    };
    assert_eq!(count(Search::default(), None), (Some(150), 100, Some("100".to_owned())));
    assert_eq!(count(Search::default(), Some("100")), (Some(150), 50, None));
    let name = Search { name: Some("cpu 7".into()), ..Search::default() };
    assert_eq!(count(name, None).0, Some(1));
    let like = Search { name_like: Some("CPU 7".into()), ..Search::default() };
    assert_eq!(count(like, None).0, Some(11));
    let query = Search { query_like: Some("min(".into()), ..Search::default() };
    assert_eq!(count(query, None).0, Some(0));
    let policy = Search { policy: Some("1".into()), ..Search::default() };
    assert_eq!(count(policy, None).0, Some(0));
}
