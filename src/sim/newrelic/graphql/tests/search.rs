//! `entitySearch` as clients use it.

use super::*;

const PAGES: &str = "query($query: String, $cursor: String) { actor { \
    entitySearch(query: $query, options: {limit: 200}, sortBy: [NAME]) { count query \
    types { count domain entityType type } \
    results(cursor: $cursor) { nextCursor entities { guid name } } } } }";

/// Names of every page.
fn pages(service: &Service, query: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = Json::Null;
    loop {
        let data = service.data_with(PAGES, json!({"query": query, "cursor": cursor}));
        let results = &data["actor"]["entitySearch"]["results"];
        let entities = results["entities"].as_array().expect("a list");
        let name = |entity: &Json| entity["name"].as_str().expect("a name").to_owned();
        pages.push(entities.iter().map(name).collect());
        cursor = results["nextCursor"].clone();
        if cursor.is_null() {
            return pages;
        }
    }
}

#[test]
fn pages_of_two_hundred_until_the_cursor_is_null() {
    let service = Service::new();
    for number in 0..450 {
        service.register(1, "INFRA", "KAFKATOPIC", &format!("topic-{number:03}"));
    }
    // Somebody else's.
    service.register(3, "INFRA", "KAFKATOPIC", "topic-x");
    let found = pages(&service, "type = 'KAFKATOPIC'");
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 50]);
    let expected: Vec<_> = (0..450).map(|number| format!("topic-{number:03}")).collect();
    assert_eq!(found.concat(), expected);
    assert_eq!(pages(&service, "name = 'nobody'"), [Vec::<String>::new()]);
}

#[test]
fn a_cursor_goes_on_behind_its_entity_whatever_came_or_went() {
    let service = Service::new();
    let guids: Vec<_> = (0..300)
        .map(|number| service.register(1, "INFRA", "KAFKATOPIC", &format!("t{number:03}")))
        .collect();
    let ask = |cursor: Json| {
        let variables = json!({"query": "domain = 'INFRA'", "cursor": cursor});
        let data = service.data_with(PAGES, variables);
        data["actor"]["entitySearch"]["results"].clone()
    };
    let cursor = ask(Json::Null)["nextCursor"].clone();
    service.register(1, "INFRA", "KAFKATOPIC", "a-new-one");
    assert_eq!(ask(cursor.clone())["entities"][0]["name"], "t200");
    assert!(service.newrelic.state().entities.delete(&guids[199], service.now));
    // Its entity is gone: by number.
    assert_eq!(ask(cursor.clone())["entities"][0]["name"], "t200");
    // It belongs to its search.
    for (query, cursor) in [("domain = 'X'", cursor), ("domain = 'INFRA'", json!("bm8"))] {
        let answer = service.ask_with(PAGES, json!({"query": query, "cursor": cursor}));
        let error = &answer.body["errors"][0];
        assert_eq!(error["extensions"]["errorClass"], "INVALID_INPUT", "{query}");
        assert_eq!(error["path"], json!(["actor", "entitySearch", "results"]), "{query}");
    }
}

fn several() -> Service {
    let service = Service::new();
    service.register(1, "INFRA", "KAFKATOPIC", "b");
    service.register(1, "INFRA", "KAFKATOPIC", "a");
    service.register(2, "INFRA", "KAFKABROKER", "c");
    let last = service.register(2, "EXT", "SERVICE", "d");
    let tags = [("team".to_owned(), vec!["Red".to_owned(), "blue".to_owned()])];
    let mut state = service.newrelic.state();
    state.entities.add_tags(&last, &tags, service.now).expect("few");
    drop(state);
    service
}

/// Arguments of the search, selection, expected content of `entitySearch`.
const SEARCHES: &[(&str, &str, &str)] = &[
    (
        r#"query: "domain IN ('INFRA','EXT')""#,
        "count types { count domain type entityType }",
        r#"{"count":4,"types":[
            {"count":1,"domain":"EXT","type":"SERVICE","entityType":"THIRD_PARTY_SERVICE_ENTITY"},
            {"count":1,"domain":"INFRA","type":"KAFKABROKER",
             "entityType":"GENERIC_INFRASTRUCTURE_ENTITY"},
            {"count":2,"domain":"INFRA","type":"KAFKATOPIC",
             "entityType":"GENERIC_INFRASTRUCTURE_ENTITY"}]}"#,
    ),
    (r#"query: """#, "count", r#"{"count":4}"#),
    (r#"query: "tags.`team` = 'red'""#, "count", r#"{"count":0}"#),
    (
        r#"query: "tags.`TEAM` = 'red'", options: {caseSensitiveTagMatching: false}"#,
        "count",
        r#"{"count":1}"#,
    ),
    (
        r#"query: "name = 'd'", options: {tagFilter: ["team"]}"#,
        "results { entities { __typename tags { key values } } }",
        r#"{"results":{"entities":[{"__typename":"ThirdPartyServiceEntityOutline",
            "tags":[{"key":"team","values":["Red","blue"]}]}]}}"#,
    ),
    (
        "queryBuilder: {domain: INFRA, name: \"B\", reporting: true, \
         tags: [{key: \"accountId\", value: \"1\"}]}",
        "query count",
        r#"{"query":"name LIKE 'B' AND domain = 'INFRA' AND reporting = 'true' AND tags.`accountId` = '1'",
            "count":1}"#,
    ),
    (
        r#"query: "domain != 'EXT'", sortBy: [TYPE, NAME], options: {limit: 2}"#,
        "results { entities { name } }",
        r#"{"results":{"entities":[{"name":"c"},{"name":"a"}]}}"#,
    ),
    (
        r#"query: "", sortByWithDirection: [{attribute: DOMAIN, direction: DESC},
            {attribute: NAME, direction: DESC}]"#,
        "results { entities { name } }",
        r#"{"results":{"entities":[{"name":"c"},{"name":"b"},{"name":"a"},{"name":"d"}]}}"#,
    ),
    (
        r#"query: "", sortByWithDirection: [{tag: "team", direction: DESC}]"#,
        "results { entities { name } }",
        r#"{"results":{"entities":[{"name":"d"},{"name":"a"},{"name":"b"},{"name":"c"}]}}"#,
    ),
    (
        r#"query: """#,
        "facetedCounts(facets: {facetCriterion: {facet: ACCOUNT_ID}, orderBy: COUNT}) \
         { totalFacetCount facetLimitExceeded counts { count facet } }",
        r#"{"facetedCounts":{"totalFacetCount":2,"facetLimitExceeded":false,"counts":[
            {"count":2,"facet":{"accountId":1}},{"count":2,"facet":{"accountId":2}}]}}"#,
    ),
    (
        r#"query: """#,
        "counts(facet: [DOMAIN_TYPE], facetTags: [\"team\"]) { count facet }",
        r#"{"counts":[{"count":1,"facet":{"domainType":"EXT-SERVICE","tags.team":"Red"}},
            {"count":1,"facet":{"domainType":"EXT-SERVICE","tags.team":"blue"}}]}"#,
    ),
    (
        r#"query: "name = 'c'""#,
        "results { entities { account { id name } accountId alertSeverity domain entityType \
         firstIndexedAt indexedAt lastReportingChangeAt guid name permalink reporting type \
         ... on GenericInfrastructureEntityOutline { integrationTypeCode } } }",
        r#"{"results":{"entities":[{"account":{"id":2,"name":"Shop 2"},"accountId":2,
            "alertSeverity":null,"domain":"INFRA","entityType":"GENERIC_INFRASTRUCTURE_ENTITY",
            "firstIndexedAt":1790000000000,"indexedAt":1790000000000,
            "lastReportingChangeAt":1790000000000,"guid":"MnxJTkZSQXxLQUZLQUJST0tFUnxj",
            "name":"c","permalink":
            "https://one.newrelic.com/redirect/entity/MnxJTkZSQXxLQUZLQUJST0tFUnxj",
            "reporting":true,"type":"KAFKABROKER","integrationTypeCode":"KAFKABROKER"}]}}"#,
    ),
];

#[test]
fn searches() {
    let service = several();
    for (arguments, selection, expected) in SEARCHES {
        let query = format!("{{ actor {{ entitySearch({arguments}) {{ {selection} }} }} }}");
        let expected: Json = serde_json::from_str(expected).expect("JSON");
        let mut expected = expected;
        rebase(&mut expected, service.now.0);
        assert_eq!(service.data(&query)["actor"]["entitySearch"], expected, "{query}");
    }
}

/// Times in the table are written for an epoch of their own.
fn rebase(json: &mut Json, now: i64) {
    match json {
        Json::Object(fields) => fields.values_mut().for_each(|value| rebase(value, now)),
        Json::Array(items) => items.iter_mut().for_each(|value| rebase(value, now)),
        Json::Number(number) if number.as_i64() == Some(1_790_000_000_000) => *json = json!(now),
        _ => {}
    }
}

#[test]
fn either_a_query_or_a_builder() {
    let service = several();
    for arguments in ["", r#"(query: "", queryBuilder: {name: "x"})"#] {
        let answer = service.ask(&format!("{{ actor {{ entitySearch{arguments} {{ count }} }} }}"));
        let told = answer.body["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(told.starts_with("You must supply either"), "{arguments} {told}");
    }
}

#[test]
fn a_new_entity_is_found_after_its_lag_alone() {
    let mut service = Service::new();
    let late = NewEntity {
        account: account(1),
        guid: "MXxJTkZSQXxLQUZLQVRPUElDfGxhdGU",
        domain: "INFRA",
        entity_type: "KAFKATOPIC",
        name: "late",
        lifetime: Some(Duration::from_secs(100)),
    };
    let lag = || Duration::from_secs(10);
    assert!(service.newrelic.state().entities.register(late, service.now, lag));
    let count = |service: &Service| {
        let data = service.data("{ actor { entitySearch(query: \"\") { count } } }");
        data["actor"]["entitySearch"]["count"].clone()
    };
    assert_eq!(count(&service), 0);
    service.wait(Duration::from_secs(10));
    assert_eq!(count(&service), 1);
    service.wait(Duration::from_secs(90));
    assert_eq!(count(&service), 0);
}
