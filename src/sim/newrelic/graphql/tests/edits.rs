//! What users change, and the errors in the payloads.

use super::*;

/// Mutations of tags in turn: arguments behind the guid, error type, tags of users afterwards.
const TAGS: &[(&str, &str, &str)] = &[
    (r#"taggingAddTagsToEntity(guid: $g, tags: [{key: "a", values: ["1", "2"]}])"#, "", "a=1,2"),
    (r#"taggingAddTagsToEntity(guid: $g, tags: [{key: "a", values: ["2", "3"]}])"#, "", "a=1,2,3"),
    (
        r#"taggingDeleteTagValuesFromEntity(guid: $g, tagValues: [{key: "a", value: "2"}])"#,
        "",
        "a=1,3",
    ),
    (
        r#"taggingReplaceTagsOnEntity(guid: $g, tags: [{key: "b", values: ["x"]},
            {key: "c", values: ["y"]}])"#,
        "",
        "b=x c=y",
    ),
    (r#"taggingDeleteTagFromEntity(guid: $g, tagKeys: ["b", "none"])"#, "", "c=y"),
    (r#"taggingAddTagsToEntity(guid: $g, tags: [{key: "", values: ["1"]}])"#, "INVALID_KEY", "c=y"),
    (
        r#"taggingAddTagsToEntity(guid: $g, tags: [{key: "accountId", values: ["1"]}])"#,
        "INVALID_KEY",
        "c=y",
    ),
    (
        r#"taggingAddTagsToEntity(guid: $g, tags: [{key: "a", values: [""]}])"#,
        "INVALID_VALUE",
        "c=y",
    ),
    (
        r#"taggingAddTagsToEntity(guid: "x", tags: [{key: "a", values: ["1"]}])"#,
        "INVALID_ENTITY_GUID",
        "c=y",
    ),
    (
        r#"taggingAddTagsToEntity(guid: "M3xJTkZSQXxLQUZLQVRPUElDfHQ", tags: [{key: "a"}])"#,
        "NOT_FOUND",
        "c=y",
    ),
];

#[test]
fn tags() {
    let service = Service::new();
    let guid = service.register(1, "INFRA", "KAFKATOPIC", "t");
    // Somebody else's is not found.
    service.register(3, "INFRA", "KAFKATOPIC", "t");
    for (mutation, kind, expected) in TAGS {
        let query = format!(
            "mutation($g: EntityGuid!) {{ done: {mutation} {{ errors {{ type message }} }} \
             {} }}",
            // Every variable is used in every document.
            "again: taggingAddTagsToEntity(guid: $g, tags: []) { errors { type } }",
        );
        let data = service.data_with(&query, json!({"g": guid}));
        let told = data["done"]["errors"][0]["type"].as_str().unwrap_or_default();
        assert_eq!(told, *kind, "{mutation}");
        let state = service.newrelic.state();
        let entity = state.entities.get(&guid, service.now).expect("there");
        let tags: Vec<_> =
            entity.user_tags.iter().map(|(k, v)| format!("{k}={}", v.join(","))).collect();
        assert_eq!(tags.join(" "), *expected, "{mutation}");
    }
}

#[test]
fn too_many_tags() {
    let service = Service::new();
    let guid = service.register(1, "INFRA", "KAFKATOPIC", "t");
    let query = "mutation($g: EntityGuid!, $t: [TaggingTagInput!]!) { \
                 taggingReplaceTagsOnEntity(guid: $g, tags: $t) { errors { type } } }";
    let values: Vec<_> = (0..101).map(|n| n.to_string()).collect();
    let keys: Vec<_> = values.iter().map(|k| json!({"key": k, "values": ["v"]})).collect();
    let cases = [
        (json!([{"key": "k", "values": values[..100]}]), Json::Null),
        (json!([{"key": "k", "values": values}]), json!("TOO_MANY_TAG_VALUES")),
        (json!(keys), json!("TOO_MANY_TAG_KEYS")),
    ];
    for (tags, expected) in cases {
        let data = service.data_with(query, json!({"g": guid, "t": tags}));
        assert_eq!(data["taggingReplaceTagsOnEntity"]["errors"][0]["type"], expected);
    }
}

#[test]
fn relationships_of_users() {
    let service = Service::new();
    let [a, b] = ["a", "b"].map(|name| service.register(1, "INFRA", "KAFKATOPIC", name));
    let theirs = service.register(3, "INFRA", "KAFKATOPIC", "t");
    let define = |source: &str, target: &str| {
        let query = "mutation($s: EntityGuid!, $t: EntityGuid!) { \
            entityRelationshipUserDefinedCreateOrReplace(sourceEntityGuid: $s, \
            targetEntityGuid: $t, type: PRODUCES) { errors { type } } }";
        let data = service.data_with(query, json!({"s": source, "t": target}));
        data["entityRelationshipUserDefinedCreateOrReplace"]["errors"].clone()
    };
    assert_eq!(define(&a, &b), json!([]));
    assert_eq!(define(&a, &b), json!([]));
    assert_eq!(define(&a, &theirs), json!([{"type": "NOT_AUTHORIZED"}]));
    assert_eq!(define(&a, &a), json!([{"type": "NOT_ALLOWED"}]));
    let edges = || {
        let query = "query($g: EntityGuid!) { actor { entity(guid: $g) { relatedEntities { \
                     results { __typename type target { guid } } } } } }";
        let data = service.data_with(query, json!({"g": b}));
        data["actor"]["entity"]["relatedEntities"]["results"].clone()
    };
    let edge = json!([{"__typename": "EntityRelationshipUserDefinedEdge", "type": "PRODUCES",
        "target": {"guid": b}}]);
    assert_eq!(edges(), edge);
    let undefine = |kind: &str| {
        let query = format!(
            "mutation($s: EntityGuid!, $t: EntityGuid!) {{ entityRelationshipUserDefinedDelete(\
             sourceEntityGuid: $s, targetEntityGuid: $t{kind}) {{ errors {{ type }} }} }}"
        );
        service.data_with(&query, json!({"s": a, "t": b}))
    };
    undefine(", type: CALLS");
    assert_eq!(edges(), edge);
    undefine("");
    assert_eq!(edges(), json!([]));
}

#[test]
fn entities_are_deleted() {
    let service = Service::new();
    let silent = service.register(1, "INFRA", "KAFKATOPIC", "silent");
    let theirs = service.register(3, "INFRA", "KAFKATOPIC", "theirs");
    let reporting = service.observe(
        "MessageQueue",
        &[
            ("entityType", "MESSAGE_QUEUE_BROKER"),
            ("entityIdentifier", "0123456789abcdef0123456789abcdef"),
            ("displayName", "b1"),
        ],
    );
    let delete = |force: bool| {
        let query = format!(
            "mutation($g: [EntityGuid!]!) {{ entityDelete(guids: $g, forceDelete: {force}) {{ \
             deletedEntities failures {{ guid type }} }} }}"
        );
        let guids = json!({"g": [silent, theirs, reporting]});
        service.data_with(&query, guids)["entityDelete"].clone()
    };
    let missing = |guid: &str| json!({"guid": guid, "type": "INVALID_INPUT"});
    let expected = json!({"deletedEntities": [silent], "failures": [missing(&theirs),
        {"guid": reporting, "type": "FORBIDDEN"}]});
    assert_eq!(delete(false), expected);
    let expected = json!({"deletedEntities": [reporting],
        "failures": [missing(&silent), missing(&theirs)]});
    assert_eq!(delete(true), expected);
    let count = service.data("{ actor { entitySearch(query: \"\") { count } } }");
    assert_eq!(count["actor"]["entitySearch"]["count"], 0);
}

/// Arguments of the override, error type.
const OVERRIDES: &[(&str, &str)] = &[
    (
        r#"context: {account: 1}, domainType: {domain: "INFRA", type: "NONE"}"#,
        "INVALID_DOMAIN_TYPE",
    ),
    (
        r#"context: {}, domainType: {domain: "INFRA", type: "MESSAGE_QUEUE_BROKER"}"#,
        "INVALID_CONTEXT",
    ),
    (
        r#"context: {account: 3}, domainType: {domain: "INFRA", type: "MESSAGE_QUEUE_BROKER"}"#,
        "NOT_AUTHORIZED",
    ),
    (
        r#"context: {guid: "x"}, domainType: {domain: "INFRA", type: "MESSAGE_QUEUE_BROKER"}"#,
        "INVALID_CONTEXT",
    ),
];

#[test]
fn golden_metrics_of_users() {
    let service = Service::new();
    let guid = service.register(1, "INFRA", "MESSAGE_QUEUE_BROKER", "b");
    let metric = r#"metrics: [{name: "mine", title: "Mine", select: "count(*)", from: "A"}]"#;
    let change = |arguments: &str| {
        let query = format!(
            "mutation {{ entityGoldenMetricsOverride({arguments}) {{ errors {{ type }} \
             metrics {{ context {{ account guid }} metrics {{ name query }} }} }} }}"
        );
        service.data(&query)["entityGoldenMetricsOverride"].clone()
    };
    for (arguments, expected) in OVERRIDES {
        let answer = change(&format!("{arguments}, {metric}"));
        let expected = json!({"errors": [{"type": expected}], "metrics": null});
        assert_eq!(answer, expected, "{arguments}");
    }
    let of =
        r#"context: {account: 1}, domainType: {domain: "INFRA", type: "MESSAGE_QUEUE_BROKER"}"#;
    let bad = change(&format!(r#"{of}, metrics: [{{name: "x", title: "x", select: "count("}}]"#));
    assert_eq!(bad["errors"][0]["type"], "INVALID_QUERY_PARAMS");
    let ten: String =
        (0..10).map(|n| format!(r#"{{name: "m{n}", title: "x", select: "count(*)"}} "#)).collect();
    let many = change(&format!("{of}, metrics: [{ten}]"));
    assert_eq!(many["errors"][0]["type"], "LIMIT_EXCEEDED");
    let names = || {
        let query = "query($g: EntityGuid!) { actor { entity(guid: $g) { goldenMetrics { \
                     metrics { name query } } } } }";
        let data = service.data_with(query, json!({"g": guid}));
        data["actor"]["entity"]["goldenMetrics"]["metrics"].clone()
    };
    let before = names();
    let done = change(&format!("{of}, {metric}"));
    assert_eq!(done["errors"], Json::Null);
    let query = format!("SELECT count(*) FROM A WHERE `entity.guid` IN ('{guid}') TIMESERIES");
    assert_eq!(names(), json!([{"name": "mine", "query": query}]));
    service.data(&format!("mutation {{ entityGoldenMetricsReset({of}) {{ errors {{ type }} }} }}"));
    assert_eq!(names(), before);
    let tags = |mutation: &str| {
        service.data(&format!("mutation {{ {mutation} {{ tags {{ tags {{ key }} }} }} }}"));
        let query = "query($g: EntityGuid!) { actor { entity(guid: $g) { goldenTags { \
                     tags { key } } } } }";
        let data = service.data_with(query, json!({"g": guid}));
        data["actor"]["entity"]["goldenTags"]["tags"].as_array().expect("a list").len()
    };
    assert_eq!(tags(&format!(r#"entityGoldenTagsOverride({of}, tags: [{{key: "z"}}])"#)), 1);
    assert_eq!(tags(&format!("entityGoldenTagsReset({of})")), 3);
}
