use serde_json::{Map, Value as Json, json};

use super::*;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

fn fields(json: &Json) -> Map<String, Json> {
    json.as_object().expect("an object").clone()
}

fn indicator(change: &Json) -> Map<String, Json> {
    let mut indicator = fields(&json!({
        "name": "Lag",
        "events": {
            "accountId": 1,
            "validEvents": {"from": "E", "where": "a IS NOT NULL"},
            "goodEvents": {"from": "E", "where": "a <= 5"},
        },
        "objectives": [{"target": 99.5, "timeWindow": {"rolling": {"count": 7, "unit": "DAY"}}}],
    }));
    indicator.extend(fields(change));
    indicator
}

fn create<'a>(
    levels: &'a mut ServiceLevels,
    entity: &str,
    change: &Json,
) -> Result<&'a Indicator, Refusal> {
    let account = AccountId::try_from(1).expect("an account");
    levels.create((account, entity), &indicator(change), UnixMillis(5))
}

#[test]
fn indicators_are_held_to_the_documented_limits() {
    let check = |change: Json, expected: &str| {
        let mut levels = ServiceLevels::default();
        match create(&mut levels, "e", &change) {
            Ok(_) => assert_eq!(expected, "", "{change}"),
            Err(refusal) => {
                let said = refusal.to_string();
                assert!(!expected.is_empty() && said.contains(expected), "{change}: {said}");
            }
        }
    };
    check(json!({}), "");
    check(json!({"name": " "}), "name can't be blank");
    let events = |good: Json, bad: Json| {
        json!({"events": {"accountId": 1, "validEvents": {"from": "E"}, "goodEvents": good,
            "badEvents": bad}})
    };
    let some = || json!({"from": "E"});
    check(json!({"events": {"accountId": 1, "goodEvents": {"from": "E"}}}), "validEvents is");
    check(events(some(), some()), "and not both");
    check(events(Json::Null, Json::Null), "and not both");
    check(events(Json::Null, some()), "");
    check(events(json!({"from": "E", "where": "a ="}), Json::Null), "goodEvents is invalid");
    let sum = |attribute: Json| {
        events(
            json!({"from": "E", "select": {"function": "SUM", "attribute": attribute}}),
            Json::Null,
        )
    };
    check(sum(json!("a")), "");
    check(sum(Json::Null), "SUM needs an attribute");
    let objective = |target: f64, days: i64| {
        json!({"objectives": [{"target": target,
            "timeWindow": {"rolling": {"count": days, "unit": "DAY"}}}]})
    };
    check(objective(100.0, 28), "");
    check(objective(0.0, 28), "target must be");
    check(objective(100.1, 28), "target must be");
    check(objective(99.0, 2), "1, 7 or 28 days");
    let one = objective(99.0, 1)["objectives"][0].clone();
    check(json!({"objectives": [one.clone(), one]}), "one objective");
}

#[test]
fn an_indicator_is_found_changed_and_deleted() {
    let mut levels = ServiceLevels::default();
    let made = create(&mut levels, "e", &json!({})).expect("made").clone();
    create(&mut levels, "f", &json!({})).expect("made");
    assert_eq!(made.shown()["events"]["goodEvents"]["select"]["function"], "COUNT");
    assert_eq!(levels.of("e").collect::<Vec<_>>(), [&made]);
    assert_eq!(levels.find(Some("1"), Some(&made.guid)), Ok(&made));
    assert_eq!(levels.find(None, Some(&made.guid)), Ok(&made));
    assert_eq!(levels.find(Some("2"), Some(&made.guid)), Err(Refusal::NotFound));
    assert_eq!(levels.find(None, None), Err(Refusal::NotFound));
    let change = fields(&json!({"description": "d", "events": {"validEvents": {"from": "F"}}}));
    let shown = levels.update(1, &change, UnixMillis(9)).expect("changed").shown();
    assert_eq!((&shown["name"], &shown["updatedAt"]), (&json!("Lag"), &json!(9)));
    assert_eq!(shown["events"]["validEvents"]["from"], "F");
    assert_eq!(shown["events"]["goodEvents"]["where"], "a <= 5");
    let wrong = fields(&json!({"objectives": [{"target": 0}]}));
    assert!(matches!(levels.update(1, &wrong, UnixMillis(9)), Err(Refusal::Invalid(_))));
    assert_eq!(levels.of("e").next().expect("there").shown(), shown);
    levels.delete(1).expect("deleted");
    assert_eq!(levels.delete(1), Err(Refusal::NotFound));
    assert_eq!(levels.of("e").count(), 0);
}
