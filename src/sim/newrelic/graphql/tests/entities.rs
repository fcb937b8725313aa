//! One entity and what hangs on it.

use super::*;
use crate::definitions::{GoldenMetric, MetricQuery};
use crate::sim::newrelic::graphql::golden;

/// A broker of ours, made from data, with tags of data and of users.
fn broker(service: &Service) -> String {
    let guid = service.observe(
        "MessageQueue",
        &[
            ("entityType", "MESSAGE_QUEUE_BROKER"),
            ("entityIdentifier", "0123456789abcdef0123456789abcdef"),
            ("displayName", "b1"),
            ("clusterName", "c"),
        ],
    );
    let tags = [("team".to_owned(), vec!["red".to_owned()])];
    let mut state = service.newrelic.state();
    state.entities.add_tags(&guid, &tags, service.now).expect("few");
    guid
}

#[test]
fn all_of_an_entity() {
    let service = Service::new();
    let guid = broker(&service);
    let data = service.data_with(
        "query($guid: EntityGuid!) { actor { entity(guid: $guid) { __typename guid name domain type \
         entityType reporting firstIndexedAt indexedAt lastReportingChangeAt permalink accountId \
         tags { key values } tagsWithMetadata { key values { mutable value } } \
         goldenTags { context { account guid } tags { key } } \
         ... on AlertableEntity { alertSeverity } \
         ... on ApmApplicationEntity { language } } } }",
        json!({"guid": guid}),
    );
    let now = service.now.0;
    let expected = json!({
        "__typename": "GenericInfrastructureEntity",
        "guid": guid,
        "name": "b1",
        "domain": "INFRA",
        "type": "MESSAGE_QUEUE_BROKER",
        "entityType": "GENERIC_INFRASTRUCTURE_ENTITY",
        "reporting": true,
        "firstIndexedAt": now,
        "indexedAt": now,
        "lastReportingChangeAt": now,
        "permalink": format!("https://one.newrelic.com/redirect/entity/{guid}"),
        "accountId": 1,
        "tags": [
            {"key": "account", "values": ["Shop 1"]},
            {"key": "accountId", "values": ["1"]},
            {"key": "clusterName", "values": ["c"]},
            {"key": "team", "values": ["red"]},
            {"key": "trustedAccountId", "values": ["1"]},
        ],
        "tagsWithMetadata": [
            {"key": "account", "values": [{"mutable": false, "value": "Shop 1"}]},
            {"key": "accountId", "values": [{"mutable": false, "value": "1"}]},
            {"key": "clusterName", "values": [{"mutable": false, "value": "c"}]},
            {"key": "team", "values": [{"mutable": true, "value": "red"}]},
            {"key": "trustedAccountId", "values": [{"mutable": false, "value": "1"}]},
        ],
        "goldenTags": {"context": {"account": 1, "guid": guid},
            "tags": [{"key": "clusterName"}, {"key": "brokerId"}, {"key": "hostname"}]},
        "alertSeverity": "NOT_CONFIGURED",
    });
    assert_eq!(data["actor"]["entity"], expected);
}

#[test]
fn golden_metrics_are_queries_that_run() {
    let service = Service::new();
    let guid = broker(&service);
    let data = service.data_with(
        "query($guid: EntityGuid!) { actor { entity(guid: $guid) { \
         goldenMetrics(timeWindow: {since: \"30 minutes ago\"}) { context { account guid } \
         metrics { metricName name title unit query definition { eventId eventObjectId facet from \
         select where } originalQueries { query selectorValue } } } } } }",
        json!({"guid": guid}),
    );
    let golden = &data["actor"]["entity"]["goldenMetrics"];
    assert_eq!(golden["context"], json!({"account": 1, "guid": guid}));
    let query = format!(
        "SELECT average(`broker.cpu.usage`) FROM MessageQueue WHERE entityGuid IN ('{guid}') AND \
         (entityType = 'MESSAGE_QUEUE_BROKER') TIMESERIES"
    );
    let expected = json!({
        "metricName": "newrelic.goldenmetrics.infra.message_queue_broker.cpuUsage",
        "name": "cpuUsage",
        "title": "CPU usage",
        "unit": "PERCENTAGE",
        "query": format!("{query} SINCE 30 minutes ago"),
        "definition": {
            "eventId": "entityGuid",
            "eventObjectId": "ENTITY_GUIDS",
            "facet": "displayName",
            "from": "MessageQueue",
            "select": "average(`broker.cpu.usage`)",
            "where": "entityType = 'MESSAGE_QUEUE_BROKER'",
        },
        "originalQueries": [{"query": query, "selectorValue": "newRelic"}],
    });
    assert_eq!(golden["metrics"][0], expected);
    let metrics = golden["metrics"].as_array().expect("a list");
    assert!(metrics.len() >= 5, "{}", metrics.len());
    for metric in metrics {
        let text = metric["query"].as_str().expect("a text");
        assert!(crate::nrql::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn entities_of_types_without_a_definition_have_no_golden_metrics() {
    let service = Service::new();
    let guid = service.register(1, "INFRA", "KAFKATOPIC", "t");
    let query = "query($g: [EntityGuid]!) { actor { entities(guids: $g) { \
                 goldenMetrics { metrics { name } } goldenTags { tags { key } } } } }";
    let data = service.data_with(query, json!({"g": [guid]}));
    let expected = json!([{"goldenMetrics": {"metrics": []}, "goldenTags": {"tags": []}}]);
    assert_eq!(data["actor"]["entities"], expected);
}

#[test]
fn what_belongs_to_others_does_not_exist() {
    let service = Service::new();
    let theirs = service.register(3, "INFRA", "KAFKATOPIC", "t");
    let mine = service.register(2, "INFRA", "KAFKATOPIC", "t");
    let query = "query($g: [EntityGuid]!, $one: EntityGuid!) { actor { \
                 entities(guids: $g) { guid } entity(guid: $one) { guid } } }";
    let variables = json!({"g": [theirs, "none", mine], "one": theirs});
    let data = service.data_with(query, variables);
    assert_eq!(data["actor"], json!({"entities": [{"guid": mine}], "entity": null}));
    let many: Vec<_> = (0..26).map(|_| mine.clone()).collect();
    let answer = service.ask_with(query, json!({"g": many, "one": mine}));
    assert_eq!(answer.body["data"]["actor"]["entities"], Json::Null);
    assert_eq!(answer.body["data"]["actor"]["entity"]["guid"], json!(mine));
    assert_eq!(answer.body["errors"][0]["extensions"]["errorClass"], "INVALID_INPUT");
}

/// A cluster that contains two brokers, one of which calls it; GUIDs.
fn related(service: &Service) -> [String; 3] {
    let cluster = service.register(1, "INFRA", "KAFKACLUSTER", "c");
    let brokers = ["b1", "b2"].map(|name| service.register(1, "INFRA", "KAFKABROKER", name));
    let lifetime = Duration::from_secs(75 * 60);
    let mut state = service.newrelic.state();
    for (source, kind, target) in [
        (&cluster, "CONTAINS", &brokers[0]),
        (&cluster, "CONTAINS", &brokers[1]),
        (&brokers[0], "CALLS", &cluster),
        (&cluster, "MANAGES", &cluster),
    ] {
        let ends = (source.as_str(), kind, target.as_str());
        let lag = || Duration::ZERO;
        assert!(state.entities.relate(account(1), ends, service.now, lifetime, lag));
    }
    let [first, second] = brokers;
    [cluster, first, second]
}

/// Filter of `relatedEntities` of the cluster, types and other ends.
const FILTERS: &[(&str, &[&str])] = &[
    ("", &["CONTAINS c b1", "CONTAINS c b2", "CALLS b1 c", "MANAGES c c"]),
    ("(filter: {direction: OUTBOUND})", &["CONTAINS c b1", "CONTAINS c b2", "MANAGES c c"]),
    ("(filter: {direction: INBOUND})", &["CALLS b1 c", "MANAGES c c"]),
    (
        "(filter: {direction: BOTH, relationshipTypes: {include: [CALLS, MANAGES]}})",
        &["CALLS b1 c", "MANAGES c c"],
    ),
    ("(filter: {relationshipTypes: {exclude: [CONTAINS]}})", &["CALLS b1 c", "MANAGES c c"]),
    (
        "(filter: {entityDomainTypes: {include: [{domain: \"INFRA\", type: \"KAFKABROKER\"}]}})",
        &["CONTAINS c b1", "CONTAINS c b2", "CALLS b1 c"],
    ),
    (
        "(filter: {entityDomainTypes: {exclude: [{domain: \"INFRA\", type: \"KAFKABROKER\"}]}})",
        &["MANAGES c c"],
    ),
    ("(limit: 3)", &["CONTAINS c b1", "CONTAINS c b2", "CALLS b1 c"]),
];

#[test]
fn related_entities() {
    let service = Service::new();
    let [cluster, ..] = related(&service);
    for (filter, expected) in FILTERS {
        let query = format!(
            "query($g: EntityGuid!) {{ actor {{ entity(guid: $g) {{ relatedEntities{filter} {{ \
             count nextCursor results {{ __typename createdAt type source {{ accountId guid \
             entity {{ name }} }} target {{ entity {{ guid name }} }} }} }} }} }} }}"
        );
        let data = service.data_with(&query, json!({"g": cluster}));
        let related = &data["actor"]["entity"]["relatedEntities"];
        let edges = related["results"].as_array().expect("a list");
        let shown: Vec<String> = edges
            .iter()
            .map(|edge| {
                let name = |end: &str| edge[end]["entity"]["name"].as_str().expect("a name");
                assert_eq!(edge["__typename"], "EntityRelationshipDetectedEdge");
                assert_eq!(edge["createdAt"], service.now.0);
                let kind = edge["type"].as_str().expect("a type");
                format!("{kind} {} {}", name("source"), name("target"))
            })
            .collect();
        assert_eq!(shown, *expected, "{filter}");
        assert_eq!(related["nextCursor"].is_null(), *filter != "(limit: 3)", "{filter}");
    }
    let next = "query($g: EntityGuid!) { actor { entity(guid: $g) { \
                relatedEntities(limit: 3, cursor: \"r1-3\") { nextCursor results { type } } } } }";
    let data = service.data_with(next, json!({"g": cluster}));
    let expected = json!({"nextCursor": null, "results": [{"type": "MANAGES"}]});
    assert_eq!(data["actor"]["entity"]["relatedEntities"], expected);
}

#[test]
fn a_deprecated_field_gives_its_data_and_a_remark() {
    let service = Service::new();
    let [_, first, _] = related(&service);
    let query = "query($g: EntityGuid!) { actor { entity(guid: $g) { \
                 relationships { type source { entity { name } entityType } } } } }";
    let answer = service.ask_with(query, json!({"g": first}));
    let shown = &answer.body["data"]["actor"]["entity"]["relationships"];
    let kind = "GENERIC_INFRASTRUCTURE_ENTITY";
    let expected = json!([
        {"type": "CONTAINS", "source": {"entity": {"name": "c"}, "entityType": kind}},
        {"type": "CALLS", "source": {"entity": {"name": "b1"}, "entityType": kind}},
    ]);
    assert_eq!(*shown, expected);
    let errors = json!([{
        "message": "This field is deprecated! Please use `relatedEntities` instead.",
        "locations": [{"line": 1, "column": 53}],
        "path": ["actor", "entity", "relationships"],
    }]);
    assert_eq!(answer.body["errors"], errors);
}

#[test]
fn who_asks() {
    let service = Service::new();
    let data = service.data(
        "{ requestContext { userId } actor { user { id name email } accounts { id name } \
         account(id: 2) { id name } } }",
    );
    let id = data["actor"]["user"]["id"].as_u64().expect("a number");
    let expected = json!({
        "requestContext": {"userId": id.to_string()},
        "actor": {
            "user": {"id": id, "name": format!("User {id}"),
                "email": format!("user-{id}@example.com")},
            "accounts": [{"id": 1, "name": "Shop 1"}, {"id": 2, "name": "Shop 2"}],
            "account": {"id": 2, "name": "Shop 2"},
        },
    });
    assert_eq!(data, expected);
}

#[test]
fn the_provider_of_an_entity_chooses_its_golden_queries() {
    let query = |select: &str| MetricQuery {
        select: select.to_owned(),
        from: "A".to_owned(),
        filter: None,
        event_id: "entity.guid".to_owned(),
        event_name: "entity.name".to_owned(),
        facet: None,
    };
    let keys = ["newRelic", "kafka", "kafka/otel"];
    let metric = GoldenMetric {
        title: "t".to_owned(),
        display_as_value: false,
        unit: None,
        places: Vec::new(),
        queries: keys.iter().map(|key| ((*key).to_owned(), query(key))).collect(),
    };
    // instrumentation.provider, instrumentation.name, the key that serves.
    let cases = [
        ("kafka", "otel", "kafka/otel"),
        ("kafka", "other", "kafka"),
        ("other", "otel", "newRelic"),
        ("newRelic", "otel", "newRelic"),
    ];
    for (provider, name, expected) in cases {
        let service = Service::new();
        let guid = service.register(1, "INFRA", "KAFKATOPIC", "t");
        let tags = [("instrumentation.provider", provider), ("instrumentation.name", name)]
            .map(|(key, value)| (key.to_owned(), vec![value.to_owned()]));
        let mut state = service.newrelic.state();
        state.entities.add_tags(&guid, &tags, service.now).expect("few");
        let entity = state.entities.get(&guid, service.now).expect("there");
        let chosen = golden::query_for(&metric, &entity).map(|query| query.select.as_str());
        assert_eq!(chosen, Some(expected), "{provider} {name}");
    }
}
