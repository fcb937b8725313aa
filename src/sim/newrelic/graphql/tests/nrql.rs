//! NRQL through NerdGraph.

use http::StatusCode;

use super::*;
use crate::nrql::store::{Cell, NewEvent};

/// One event of account 1 and two of account 2, a minute ago.
fn service() -> Service {
    let service = Service::new();
    for (number, host, lag) in [(1, "a", 1.5), (2, "a", 2.0), (2, "b", 4.0)] {
        let at = service.now.plus_millis(-60_000);
        service.newrelic.state().store.push(NewEvent {
            account: account(number),
            event_type: "Lag",
            timestamp: at,
            stored_at: at,
            request: 0,
            cells: &[("host", Cell::Text(host)), ("lag", Cell::Number(lag))],
        });
    }
    service
}

const NRQL: &str = "query($account: Int!, $nrql: Nrql!, $timeout: Seconds, $async: Boolean) { \
    actor { account(id: $account) { nrql(query: $nrql, timeout: $timeout, async: $async) { \
    nrql results queryProgress { queryId completed retryAfter retryDeadline resultExpiration } \
    } } } }";

fn results(service: &Service, number: u64, nrql: &str) -> Json {
    let data = service.data_with(NRQL, json!({"account": number, "nrql": nrql}));
    data["actor"]["account"]["nrql"]["results"].clone()
}

#[test]
fn of_one_account() {
    let service = service();
    assert_eq!(results(&service, 1, "SELECT count(*) FROM Lag"), json!([{"count": 1}]));
    assert_eq!(results(&service, 2, "SELECT max(lag) FROM Lag"), json!([{"max.lag": 4}]));
}

#[test]
fn of_several_accounts() {
    let service = service();
    let query = "query($accounts: [Int!]!) { actor { nrql(accounts: $accounts, \
        query: \"SELECT sum(lag) FROM Lag FACET host\") { results otherResult totalResult nrql \
        metadata { eventTypes facets messages timeWindow { begin end since until compareWith } } \
        } } }";
    let data = service.data_with(query, json!({"accounts": [1, 2]}));
    let nrql = &data["actor"]["nrql"];
    let facet = |host: &str, sum: Json| json!({"facet": host, "host": host, "sum.lag": sum});
    let mut rows = nrql["results"].as_array().expect("a list").clone();
    rows.sort_by_key(|row| row["facet"].to_string());
    assert_eq!(json!(rows), json!([facet("a", json!(3.5)), facet("b", json!(4))]));
    assert_eq!(nrql["totalResult"]["sum.lag"], json!(7.5));
    let end = service.now.0;
    let expected = json!({
        "eventTypes": ["Lag"],
        "facets": ["host"],
        "messages": [],
        "timeWindow": {"begin": end - 3_600_000, "end": end, "since": "60 MINUTES AGO",
            "until": "NOW", "compareWith": null},
    });
    assert_eq!(nrql["metadata"], expected);
    let many: Vec<_> = (0..31).map(|_| 1).chain(10..41).collect();
    for accounts in [json!([]), json!([1, 3]), json!(many)] {
        let answer = service.ask_with(query, json!({"accounts": accounts}));
        assert_eq!(answer.body["data"]["actor"]["nrql"], Json::Null, "{accounts}");
        assert_eq!(answer.body["errors"][0]["path"], json!(["actor", "nrql"]), "{accounts}");
    }
}

#[test]
fn of_an_entity() {
    let service = service();
    let guid = service.register(2, "INFRA", "KAFKATOPIC", "t");
    let query = "query($g: EntityGuid!) { actor { entity(guid: $g) { \
                 nrdbQuery(nrql: \"SELECT count(*) FROM Lag\") { results } } } }";
    let data = service.data_with(query, json!({"g": guid}));
    assert_eq!(data["actor"]["entity"]["nrdbQuery"]["results"], json!([{"count": 2}]));
}

#[test]
fn comparison_raw_answer_charts_and_facets() {
    let service = service();
    let data = service.data(
        "{ actor { account(id: 2) { nrql(query: \"SELECT count(*) FROM Lag SINCE 1 hour ago \
         COMPARE WITH 1 hour ago\") { currentResults previousResults rawResponse \
         otherResult embeddedChartUrl(chartType: LINE) staticChartUrl(format: PNG, width: 5) \
         suggestedFacets { attributes nrql } eventDefinitions { name } } } } }",
    );
    let nrql = &data["actor"]["account"]["nrql"];
    assert_eq!(nrql["currentResults"][0]["count"], 2);
    assert_eq!(nrql["previousResults"][0]["count"], 0);
    assert_eq!(nrql["otherResult"], Json::Null);
    assert!(nrql["rawResponse"].is_object(), "{}", nrql["rawResponse"]);
    for (name, part) in [("embeddedChartUrl", "type=line"), ("staticChartUrl", "&width=5")] {
        let url = nrql[name].as_str().expect("a text");
        assert!(url.starts_with("https://") && url.contains(part), "{url}");
    }
    let suggested = &nrql["suggestedFacets"][0];
    assert_eq!(suggested["attributes"], json!(["host"]));
    let text = suggested["nrql"].as_str().expect("a text");
    assert!(results(&service, 2, text).as_array().is_some_and(|rows| rows.len() == 4), "{text}");
}

/// Query, time-out, class and beginning of the message.
const ERRORS: &[(&str, i64, &str, &str)] = &[
    ("SELECT count(*) FORM A", 5, "SERVER_ERROR", "NRQL Syntax Error: Error at line 1 position 17"),
    ("SELECT nofun(x) FROM A", 5, "SERVER_ERROR", "Unknown function nofun()"),
    ("SELECT count(*) FROM Lag", 4, "SERVER_ERROR", "timeout must be between 5 and 120"),
    ("SELECT count(*) FROM Lag", 121, "SERVER_ERROR", "timeout must be between 5 and 120"),
];

#[test]
fn errors() {
    let service = service();
    for (nrql, timeout, class, message) in ERRORS {
        for asynchronous in [false, true] {
            let variables = json!({"account": 1, "nrql": nrql, "timeout": timeout,
                "async": asynchronous});
            let answer = service.ask_with(NRQL, variables);
            assert_eq!(answer.body["data"]["actor"]["account"], json!({"nrql": null}), "{nrql}");
            let error = &answer.body["errors"][0];
            assert_eq!(error["extensions"]["errorClass"], *class, "{nrql}");
            assert_eq!(error["path"], json!(["actor", "account", "nrql"]), "{nrql}");
            let told = error["message"].as_str().expect("a message");
            assert!(told.starts_with(message), "{nrql}: {told}");
            assert_eq!(answer.status, StatusCode::OK, "{nrql}");
            if nrql.contains("nofun") {
                // What a name means is found out when the query runs.
                break;
            }
        }
    }
}

#[test]
fn queries_per_minute() {
    let mut service = service();
    let ask = |service: &Service, nrql: &str| {
        let answer = service.ask_with(NRQL, json!({"account": 1, "nrql": nrql}));
        let class = answer.body["errors"][0]["extensions"]["errorClass"].clone();
        let limited = class == "TOO_MANY_REQUESTS";
        assert_eq!(limited, answer.status == StatusCode::TOO_MANY_REQUESTS);
        limited
    };
    let same = "SELECT count(*) FROM Nothing";
    let passed = (0..121).filter(|_| !ask(&service, same)).count();
    assert_eq!(passed, 120);
    // Another query, and another account, are free.
    assert!(!ask(&service, "SELECT count(*) FROM Nothing LIMIT 1"));
    assert_eq!(results(&service, 2, same), json!([{"count": 0}]));
    service.wait(Duration::from_secs(60));
    assert!(!ask(&service, same));
    service.wait(Duration::from_secs(60));
    let several = |service: &Service, from: u32| {
        let nrql = |n: u32| {
            format!("a{n}: nrql(query: \"SELECT count(*) FROM Nothing LIMIT {n}\") {{ nrql }} ")
        };
        let fields: String = (from..from + 150).map(nrql).collect();
        service.ask(&format!("{{ actor {{ account(id: 1) {{ {fields} }} }} }}"))
    };
    for number in 0..20 {
        assert_eq!(several(&service, 1 + number * 150).status, StatusCode::OK, "{number}");
    }
    assert!(ask(&service, "SELECT count(*) FROM Nothing LIMIT 4000"));
}

#[test]
fn asked_now_and_answered_later() {
    let mut service = service();
    let variables = json!({"account": 2, "nrql": "SELECT count(*) FROM Lag", "async": true});
    let data = service.data_with(NRQL, variables);
    let nrql = &data["actor"]["account"]["nrql"];
    assert_eq!(nrql["results"], Json::Null);
    let progress = &nrql["queryProgress"];
    assert_eq!(progress["completed"], false);
    assert!(progress["retryAfter"].as_u64().is_some_and(|s| (1..=5).contains(&s)), "{progress}");
    let later = "query($id: ID!) { actor { account(id: 2) { nrqlQueryProgress(queryId: $id) { \
                 nrql results queryProgress { completed queryId } } } } }";
    let id = progress["queryId"].clone();
    let ask = |service: &Service| {
        let data = service.data_with(later, json!({"id": id}));
        data["actor"]["account"]["nrqlQueryProgress"].clone()
    };
    let text = "SELECT count(*) FROM Lag";
    let expected = json!({"nrql": text, "results": null,
        "queryProgress": {"completed": false, "queryId": id}});
    assert_eq!(ask(&service), expected);
    // What comes meanwhile does not count.
    service.wait(Duration::from_secs(10));
    let at = service.now;
    service.newrelic.state().store.push(NewEvent {
        account: account(2),
        event_type: "Lag",
        timestamp: at,
        stored_at: at,
        request: 0,
        cells: &[],
    });
    let expected = json!({"nrql": text, "results": [{"count": 2}],
        "queryProgress": {"completed": true, "queryId": id}});
    assert_eq!(ask(&service), expected);
    // It belongs to who asked, and is kept for a while.
    let body = json!({"query": later.replace("id: 2", "id: 3"), "variables": {"id": id}});
    let key = Some(OTHER_KEY);
    let answer = service.newrelic.graphql(service.now, key, body.to_string().as_bytes());
    assert_eq!(answer.body["errors"][0]["extensions"]["errorClass"], "INVALID_INPUT");
    service.wait(Duration::from_secs(700));
    let answer = service.ask_with(later, json!({"id": id}));
    assert_eq!(answer.body["errors"][0]["extensions"]["errorClass"], "INVALID_INPUT");
}

#[test]
fn event_types_of_accounts() {
    let service = service();
    let data = service
        .data("{ actor { accounts { id reportingEventTypes(filter: [\"Lag\", \"None\"]) } } }");
    let expected = json!([{"id": 1, "reportingEventTypes": ["Lag"]},
        {"id": 2, "reportingEventTypes": ["Lag"]}]);
    assert_eq!(data["actor"]["accounts"], expected);
}
