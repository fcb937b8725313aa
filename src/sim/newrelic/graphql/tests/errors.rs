//! Shapes of errors: what clients look for, word by word.

use http::StatusCode;

use super::*;

/// Query, whole body of the answer.
const ERRORS: &[(&str, &str)] = &[
    (
        "{ actor { nope } }",
        r#"{"errors":[{"locations":[{"line":1,"column":11}],
            "message":"Cannot query field \"nope\" on type \"Actor\"."}]}"#,
    ),
    (
        "{ actor { accont(id: 1) { id } } }",
        r#"{"errors":[{"locations":[{"line":1,"column":11}],"message":
            "Cannot query field \"accont\" on type \"Actor\". Did you mean \"account\", \"accounts\"?"}]}"#,
    ),
    (
        "{ actor { account(id: \"x\") { id } } }",
        r#"{"errors":[{"locations":[{"line":1,"column":19}],
            "message":"Argument \"id\" has invalid value: expected type \"Int\"."}]}"#,
    ),
    (
        "{ actor { account { id } } }",
        r#"{"errors":[{"locations":[{"line":1,"column":11}],"message":
            "Field \"account\" argument \"id\" of type \"Actor\" is required but not provided"}]}"#,
    ),
    (
        "{ actor { account(id: 1) } }",
        r#"{"errors":[{"locations":[{"line":1,"column":11}],"message":
            "Field \"account\" of type \"Account\" must have a selection of subfields"}]}"#,
    ),
    // What a client of ours once asked for, and no live schema has.
    (
        "{ actor { account(id: 1) { nrql(query: \"SELECT 1\") { metadata { beginTime } } } } }",
        r#"{"errors":[{"locations":[{"line":1,"column":65}],
            "message":"Cannot query field \"beginTime\" on type \"NrdbMetadata\"."}]}"#,
    ),
    // Two errors, by their places.
    (
        "query($a: Int!) { actor { b { c } d } }",
        r#"{"errors":[
            {"locations":[{"line":1,"column":7}],"message":"Variable \"$a\" is not used"},
            {"locations":[{"line":1,"column":27}],
             "message":"Cannot query field \"b\" on type \"Actor\"."},
            {"locations":[{"line":1,"column":35}],
             "message":"Cannot query field \"d\" on type \"Actor\"."}]}"#,
    ),
    (
        "{ actor ",
        r#"{"errors":[{"locations":[{"line":1,"column":9}],
            "message":"syntax error before: the end of the line"}]}"#,
    ),
    (
        "{ actor { account(id: 1) {} } }",
        r#"{"errors":[{"locations":[{"line":1,"column":27}],
            "message":"syntax error before: \"}\""}]}"#,
    ),
    // Another's account and one that does not exist look the same.
    (
        "{ actor { account(id: 3) { id } user { __typename } } }",
        r#"{"data":{"actor":{"account":null,"user":{"__typename":"User"}}},"errors":[{
            "extensions":{"errorClass":"ACCESS_DENIED"},"locations":[{"line":1,"column":11}],
            "message":"Account 3 is not accessible to this user","path":["actor","account"]}]}"#,
    ),
    (
        "{ actor { a: account(id: 99) { id } } }",
        r#"{"data":{"actor":{"a":null}},"errors":[{
            "extensions":{"errorClass":"ACCESS_DENIED"},"locations":[{"line":1,"column":11}],
            "message":"Account 99 is not accessible to this user","path":["actor","a"]}]}"#,
    ),
    (
        "{ actor { account(id: 1) { nrql(query: \"SELECT count(*) FORM A\") { results } } } }",
        r#"{"data":{"actor":{"account":{"nrql":null}}},"errors":[{
            "extensions":{"errorClass":"SERVER_ERROR"},"locations":[{"line":1,"column":28}],
            "message":"NRQL Syntax Error: Error at line 1 position 17, unexpected 'FORM'",
            "path":["actor","account","nrql"]}]}"#,
    ),
    (
        "{ actor { entitySearch(query: \"name ~ 'x'\") { count } } }",
        r#"{"data":{"actor":{"entitySearch":null}},"errors":[{
            "extensions":{"errorClass":"INVALID_INPUT"},"locations":[{"line":1,"column":11}],
            "message":"Invalid entity search query: unexpected character '~' (position 6)",
            "path":["actor","entitySearch"]}]}"#,
    ),
    // What does not exist is null, without an error.
    ("{ actor { entity(guid: \"x\") { guid } } }", r#"{"data":{"actor":{"entity":null}}}"#),
    ("{ actor { entities(guids: [\"x\"]) { guid } } }", r#"{"data":{"actor":{"entities":[]}}}"#),
];

#[test]
fn bodies() {
    let service = Service::new();
    for (query, expected) in ERRORS {
        let expected: Json = serde_json::from_str(expected).expect("JSON");
        let answer = service.ask(query);
        assert_eq!((answer.status, answer.body), (StatusCode::OK, expected), "{query}");
    }
}

#[test]
fn a_required_variable_that_is_missing_is_an_error_without_data() {
    let answer = Service::new().ask("query($id: Int!) { actor { account(id: $id) { id } } }");
    assert_eq!(answer.body.get("data"), None);
    let message = answer.body["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("id"), "{message}");
}

#[test]
fn keys() {
    let service = Service::new();
    let body = br#"{"query":"{ actor { user { id } } }"}"#;
    // Key, status, whether it is told as a bad key.
    let cases = [
        (None, 401, true),
        (Some(""), 401, true),
        (Some("NRAK-NOBODYNOBODYNOBODYNOBODYNOB"), 200, true),
        (Some(INGEST_KEY), 200, true),
        (Some(KEY), 200, false),
        (Some(OTHER_KEY), 200, false),
    ];
    for (key, status, bad) in cases {
        let answer = service.newrelic.graphql(service.now, key, body);
        assert_eq!(answer.status.as_u16(), status, "{key:?}");
        let code = &answer.body["errors"][0]["extensions"]["error_code"];
        assert_eq!(*code == "BAD_API_KEY", bad, "{key:?} {}", answer.body);
        assert_eq!(answer.body.get("data").is_none(), bad, "{key:?}");
    }
}

/// Body, status, the beginning of the first message.
const BODIES: &[(&str, u16, &str)] = &[
    ("", 400, "Request body is not valid JSON: EOF"),
    ("[1]", 400, "Request body is not valid JSON: invalid type"),
    ("{}", 400, "No query document supplied"),
    (r#"{"query": null}"#, 400, "No query document supplied"),
    (r#"{"query": "  "}"#, 400, "No query document supplied"),
    (r#"{"query": 1}"#, 400, "Request body is not valid JSON: invalid type: integer"),
    (r#"{"query": "{ actor { x } }", "variables": 1}"#, 400, "The variable values could not"),
    (r#"{"query": "{ actor { x } }", "variables": "{"}"#, 400, "The variable values could not"),
    (r#"{"query": "{ actor { x } }", "variables": ""}"#, 400, "The variable values could not"),
    (r#"{"query": "{ actor { x } }", "variables": null}"#, 200, "Cannot query field"),
    (r#"{"query": "{ actor { x } }", "variables": "{}"}"#, 200, "Cannot query field"),
    (
        r#"{"query": "query A { actor { __typename } }", "operationName": "B"}"#,
        200,
        "Unknown operation named \"B\"",
    ),
];

#[test]
fn bodies_that_are_no_requests() {
    let service = Service::new();
    for (body, status, message) in BODIES {
        let answer = service.newrelic.graphql(service.now, Some(KEY), body.as_bytes());
        let told = answer.body["errors"][0]["message"].as_str().unwrap_or_default();
        assert_eq!(answer.status.as_u16(), *status, "{body}");
        assert!(told.starts_with(message), "{body}: {told}");
        assert_eq!(answer.body.get("data"), None, "{body}");
    }
}

#[test]
fn the_operation_is_chosen_by_its_name() {
    let service = Service::new();
    let body = json!({
        "query": "query A { actor { a: __typename } } query B { actor { b: __typename } }",
        "operationName": "B",
    });
    let answer = service.newrelic.graphql(service.now, Some(KEY), body.to_string().as_bytes());
    assert_eq!(answer.body, json!({"data": {"actor": {"b": "Actor"}}}));
}

/// A document whose fragment number `n` spreads the next one twice.
fn bomb(fragments: usize) -> String {
    let mut text = "{ actor { user { ...F0 } } }".to_owned();
    for number in 0..fragments {
        let next = number + 1;
        text.push_str(&format!("fragment F{number} on User {{ ...F{next} ...F{next} }} "));
    }
    text + &format!("fragment F{fragments} on User {{ id }}")
}

#[test]
fn costly_documents_are_refused_before_anything_is_done() {
    let service = Service::new();
    let deep = format!("{{ actor {}", "{ actor ".repeat(40)) + &"}".repeat(41);
    let deeper = format!("{{ actor {}", "{ actor ".repeat(20_000)) + &"}".repeat(20_001);
    let aliases: String = (0..201).map(|n| format!("a{n}: account(id: 1) {{ id }} ")).collect();
    let wide: String = (0..150)
        .map(|n| {
            let inner: String = (0..150).map(|m| format!("b{m}: id ")).collect();
            format!("a{n}: account(id: 1) {{ {inner} }} ")
        })
        .collect();
    let wide = format!("{{ actor {{ {wide} }} }}");
    let aliases = format!("{{ actor {{ {aliases} }} }}");
    let cases = [
        ("deep", deep, "Query is nested too deep"),
        ("far too deep", deeper, "syntax error"),
        ("aliases", aliases, "Field \"account\" is asked 201 times"),
        ("wide", wide, "Query is too complex: 22651 fields"),
        ("bomb", bomb(60), "Query is too complex"),
        ("a cycle", "{ actor { user { ...A } } } fragment A on User { ...A }".to_owned(), ""),
    ];
    for (case, query, message) in cases {
        let answer = service.ask(&query);
        let told = answer.body["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(told.starts_with(message) && !told.is_empty(), "{case}: {told}");
        assert_eq!(answer.body.get("data"), None, "{case}");
    }
    let long = format!("{{ actor {{ user {{ id }} }} }} #{}", "x".repeat(1_000_000));
    assert_eq!(service.ask(&long).status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn a_fault_of_the_service_is_answered_as_one() {
    let service = Service::new();
    let fault = IngestFault::Status { code: 503, retry_after_seconds: Some(3) };
    let window = FaultWindow::always(fault, service.now).at(Target::NerdGraph);
    let id = service.newrelic.inject(window);
    let answer = service.ask("{ actor { user { id } } }");
    assert_eq!((answer.status.as_u16(), answer.retry_after_seconds), (503, Some(3)));
    assert!(service.newrelic.clear(id));
    assert_eq!(service.ask("{ actor { user { id } } }").status, StatusCode::OK);
}
