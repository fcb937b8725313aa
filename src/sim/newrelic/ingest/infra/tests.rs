//! Integrations through the agent to New Relic.

use serde_json::{Value as Json, json};

use super::{AgentHost, ForwardError, Forwarded, Forwarder};
use crate::definitions::{Definitions, Source};
use crate::nrql::Value;
use crate::ports::testing::EPOCH;
use crate::sim::newrelic::tests::{KEY, Service, account, config};

const EVENTS: &str = "/infra/v2/metrics/events/bulk";
const METRICS: &str = "/metric/v1/infra";

/// Of a published sample, whose GUID is known.
const BROKER: &str = "kafka-broker-1.kafka-broker-headless.can-kafka.svc.cluster.local:9092";

fn host() -> AgentHost {
    AgentHost { labels: [("env".to_owned(), "test".to_owned())].into(), ..AgentHost::default() }
}

fn forward(payload: &Json) -> Forwarded {
    Forwarder::new(host()).forward(&payload.to_string(), EPOCH).expect("a payload")
}

fn kafka(entity: Json, metric: Json) -> Json {
    json!({
        "name": "com.newrelic.kafka", "protocol_version": "3", "integration_version": "3.21.0",
        "data": [{
            "entity": entity, "metrics": [metric],
            "inventory": {"broker/log.dirs": {"value": "/kafka"}, "broker/id": {"value": 1}},
            "events": [{"summary": "broker restarted", "category": "kafka",
                "attributes": {"brokerId": 101, "summary": "mine"}}, {"category": "no words"}],
        }],
    })
}

fn broker() -> Json {
    kafka(
        json!({"name": BROKER, "type": "ka-broker", "id_attributes": [
            {"Key": "clusterName", "Value": "coreint-canary-aws-arm"},
            {"Key": "brokerID", "Value": "101"}]}),
        json!({"event_type": "KafkaBrokerSample", "clusterName": "coreint-canary-aws-arm",
            "broker.messagesInPerSecond": 2.9, "hostname": "the integration's own",
            "entityName": format!("broker:{BROKER}"), "reportingEndpoint": "localhost:9092"}),
    )
}

#[test]
fn samples_are_decorated_as_the_agent_does() {
    let forwarded = forward(&broker());
    assert_eq!(forwarded.inventory_items, 2);
    let post = &forwarded.events[0];
    let key = format!("ka-broker:{BROKER}:brokerid=101:clustername=coreint-canary-aws-arm");
    assert_eq!(post["IsAgent"], false);
    assert_eq!(post["ExternalKeys"], json!([key]));
    let sample = &post["Events"][0];
    let check = |name: &str, expected: Json| assert_eq!(sample[name], expected, "{name}");
    check("entityKey", json!(key));
    check("eventType", json!("KafkaBrokerSample"));
    check("event_type", json!("KafkaBrokerSample"));
    check("displayName", json!(key));
    check("entityName", json!(format!("broker:{BROKER}")));
    check("reportingAgent", json!("shakedown-host"));
    check("reportingEndpoint", json!("shakedown-host:9092"));
    check("hostname", json!("shakedown-host"));
    check("integrationName", json!("com.newrelic.kafka"));
    check("integrationVersion", json!("3.21.0"));
    check("label.env", json!("test"));
    check("agentName", json!("Infrastructure"));
    check("timestamp", json!(EPOCH.0 / 1_000));
    let event = &post["Events"][1];
    assert_eq!(event["eventType"], "InfrastructureEvent");
    assert_eq!(
        (&event["summary"], &event["category"]),
        (&json!("broker restarted"), &json!("kafka"))
    );
    assert_eq!((&event["brokerId"], &event["attr.summary"]), (&json!(101), &json!("mine")));
    assert_eq!(forwarded.problems, [format!("an event of `{key}` has no summary")]);
}

#[test]
fn entity_keys_follow_the_agent() {
    let check = |entity: Json, expected: Result<&str, &str>| {
        let got = host().entity_key(&entity);
        match (got, expected) {
            (Ok((key, _)), Ok(wanted)) => assert_eq!(key, wanted, "{entity}"),
            (Err(problem), Err(wanted)) => assert_eq!(problem, wanted, "{entity}"),
            (got, _) => panic!("{entity}: {got:?}"),
        }
    };
    check(json!(null), Ok("shakedown-host"));
    check(json!({"name": ""}), Ok("shakedown-host"));
    check(json!({"name": "a"}), Err("missing `type` field for entity name `a`"));
    check(json!({"name": "A", "type": "T"}), Ok("T:A"));
    let ids = |list: Json| json!({"name": "a", "type": "t", "id_attributes": list});
    check(ids(json!([{"Key": "Z", "Value": "Q"}, {"Key": "B", "Value": "x"}])), Ok("t:a:b=x:z=q"));
    check(ids(json!([{"key": "b", "value": "x"}])), Ok("t:a:b=x"));
    check(ids(json!([{"Key": "", "Value": "x"}])), Ok("t:a"));
    check(ids(json!([{"Key": "b", "Value": "1"}, {"Key": "b", "Value": "2"}])), Ok("t:a:b=2"));
    let named = |name: &str| json!({"name": name, "type": "t"});
    check(named("localhost:9092"), Ok("t:shakedown-host:9092"));
    check(named("LOCALHOST"), Ok("t:shakedown-host"));
    check(named("127.0.0.1:9092"), Ok("t:shakedown-host:9092"));
    check(named("127.1.2.3"), Ok("t:shakedown-host"));
    check(named("[::1]:9092"), Ok("t:shakedown-host:9092"));
    check(named("http://localhost/x"), Ok("t:http://shakedown-host/x"));
    for kept in ["localhost.example.org", "my-localhost", "127.0.0.1.example", "1127.0.0.1", "é"] {
        check(named(kept), Ok(&format!("t:{kept}")));
    }
}

/// Two definitions of the public form: one that a rule makes, one that the pipeline does.
fn definitions() -> Definitions {
    let files = [
        (
            "entity-types/infra-kafkatopic/definition.yml",
            "domain: INFRA\ntype: KAFKATOPIC\ngoldenTags: [clusterName]\nconfiguration:\n  \
             entityExpirationTime: DAILY\n  alertable: true\nownership:\n  primaryOwner:\n    \
             teamName: \"us\"\nsynthesis:\n  rules:\n  - ruleName: infra_kafkatopic_samples\n    \
             identifier: entityId\n    name: entityKey\n    legacyFeatures:\n      \
             overrideGuidType: true\n      useNonStandardAttributes: true\n    conditions:\n    \
             - attribute: eventType\n      value: KafkaTopicSample\n    tags:\n      clusterName:\n",
        ),
        (
            "entity-types/infra-kafkabroker/definition.yml",
            "domain: INFRA\ntype: KAFKABROKER\ngoldenTags: [clusterName]\nconfiguration:\n  \
             entityExpirationTime: DAILY\n  alertable: true\nownership:\n  primaryOwner:\n    \
             teamName: \"us\"\n",
        ),
    ];
    let sources = files.into_iter().map(|(path, text)| Source { path, text });
    match Definitions::load(sources) {
        Ok(definitions) => definitions,
        Err(problems) => panic!("{problems:?}"),
    }
}

#[test]
fn integrations_make_the_entities_of_public_definitions() {
    let service = Service::with(config(), definitions());
    let topic = kafka(
        json!({"name": "topicB", "type": "ka-topic",
            "id_attributes": [{"Key": "clusterName", "Value": "coreint-canary-aws-arm"}]}),
        json!({"event_type": "KafkaTopicSample", "clusterName": "coreint-canary-aws-arm",
            "topic.respondsToMetadataRequests": 1}),
    );
    for payload in [broker(), topic] {
        let body = Json::from(forward(&payload).events).to_string();
        let (status, answer) = service.send(EVENTS, &body);
        assert_eq!(status, 202, "{answer}");
    }
    service.settle();
    let guid = |id: &str| {
        use base64::Engine as _;
        let text = format!("{}|INFRA|NA|{id}", account());
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    // The hashes of published samples.
    let check = |event_type: &str, kind: &str, id: &str| {
        let sample = service.newrelic.events(event_type).remove(0);
        let text = |name: &str| sample.get(name).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(text("entityId").as_deref(), Some(id));
        assert_eq!(text("entityGuid"), Some(guid(id)));
        assert_eq!(text("externalKey"), text("entityKey"));
        assert_eq!(text("nr.entityType").map(|kind| kind.to_uppercase()).as_deref(), Some(kind));
        assert_eq!(text("entity.guid"), None);
        let now = EPOCH.plus_millis(20_000);
        let entity = service.newrelic.entity(&guid(id), now).expect("an entity");
        assert_eq!((entity.entity_type.as_str(), entity.domain.as_str()), (kind, "INFRA"));
        assert!(entity.is_alertable() && entity.reporting);
        assert_eq!(Some(entity.name), text("entityKey"));
        assert_eq!(entity.tags["clusterName"], ["coreint-canary-aws-arm"]);
    };
    check("KafkaBrokerSample", "KAFKABROKER", "-2193231843140704166");
    check("KafkaTopicSample", "KAFKATOPIC", "-7531641730395459137");
    assert_eq!(service.newrelic.entities().len(), 2);
    assert_eq!(service.newrelic.events("InfrastructureEvent").len(), 2);
    assert_eq!(service.newrelic.counters().events_stored, 4);
}

#[test]
fn the_sender_cannot_name_the_entity() {
    let service = Service::with(config(), definitions());
    let event = r#"{"eventType":"KafkaBrokerSample","entityGuid":"x","entityId":"5","externalKey":"y",
        "nr.entityType":"Z","nr.ingestTimeMs":1,"a":1}"#;
    let post = |head: &str| format!(r#"[{{{head}"Events":[{event}]}}]"#);
    service.send(EVENTS, &post(r#""ExternalKeys":["key"],"#));
    service.settle();
    let sample = service.newrelic.events("KafkaBrokerSample").remove(0);
    assert_eq!(sample.get("externalKey"), Some(&Value::text("key")));
    assert_eq!(sample.get("nr.entityType"), Some(&Value::text("KafkaBroker")));
    assert_ne!(sample.get("entityGuid"), Some(&Value::text("x")));
    assert_eq!(sample.get("nr.ingestTimeMs"), Some(&Value::Number(EPOCH.0 as f64)));
    // Without a key there is no entity to name.
    service.send(EVENTS, &post(""));
    service.settle();
    let samples = service.newrelic.events("KafkaBrokerSample");
    assert_eq!(samples[1].get("entityGuid"), None);
    assert_eq!(service.newrelic.entities().len(), 1);
}

#[test]
fn posts_are_judged_like_events() {
    let check = |body: &str, stored: usize, message: Option<&str>| {
        let service = Service::new(config());
        assert_eq!(service.send(EVENTS, body).0, 202, "{body}");
        service.settle();
        assert_eq!(service.newrelic.events("A").len(), stored, "{body}");
        let errors = service.newrelic.integration_errors();
        assert_eq!(errors.first().map(|e| e.message.as_str()), message, "{body}");
    };
    check(
        r#"[{"Events":[{"eventType":"A"}]},{"IsAgent":true,"Events":[{"eventType":"A"}]}]"#,
        2,
        None,
    );
    check("[]", 0, None);
    check("[{}]", 0, None);
    let missing = "1 event(s) rejected because event is missing required attributes `eventType`";
    check(r#"[{"Events":[{"eventType":"A"},{"a":1}]}]"#, 1, Some(missing));
    let lost = Some("Error parsing JSON payload");
    for body in ["{}", "[1]", r#"[{"Events":{}}]"#, r#"[{"Events":[1]}]"#, r#"[{"IsAgent":"x"}]"#] {
        check(body, 0, lost);
    }
    let service = Service::new(config());
    let headers = [("x-license-key", KEY), ("content-length", "2")];
    assert_eq!(service.raw(EVENTS, &headers, "[]").0, 202);
    assert_eq!(service.raw(EVENTS, &[("content-length", "2")], "[]").0, 403);
}

#[test]
fn agents_connect_and_send_inventory() {
    let service = Service::new(config());
    let connect = |body: &str| {
        let (status, text) = service.send("/identity/v1/connect", body);
        assert_eq!(status, 200, "{text}");
        let answer: Json = serde_json::from_str(&text).expect("JSON");
        answer["identity"]["entityId"].as_u64().expect("a positive id")
    };
    let one = connect(r#"{"fingerprint":{"hostname":"a"},"type":"host"}"#);
    assert_eq!(one, connect(r#"{"fingerprint":{"hostname":"a"}}"#));
    assert_ne!(one, connect(r#"{"fingerprint":{"hostname":"b"}}"#));
    connect("not JSON");
    assert_eq!(service.send("/inventory/deltas", "{}").0, 200);
    assert_eq!(service.send("/inventory/deltas/bulk", "[]").0, 200);
    assert_eq!(service.newrelic.counters().inventories, 2);
}

fn v4(metrics: Json) -> String {
    json!({
        "protocol_version": "4", "integration": {"name": "my.integration", "version": "1.2"},
        "data": [{
            "common": {"timestamp": EPOCH.0 / 1_000, "interval.ms": 2_000,
                "attributes": {"region": "eu"}},
            "entity": {"name": "unique", "type": "SHOP", "displayName": "x",
                "metadata": {"team": "pay"}},
            "metrics": metrics, "inventory": {"a/b": {"value": 1}}, "events": [],
        }],
    })
    .to_string()
}

#[test]
fn dimensional_metrics_become_data_points() {
    let service = Service::new(config());
    let mut forwarder = Forwarder::new(host());
    let metrics = |total: f64, seconds: i64| {
        let at = EPOCH.0 / 1_000 + seconds;
        json!([
            {"name": "g", "type": "gauge", "value": 1.5, "attributes": {"k": "v"}},
            {"name": "c", "type": "count", "value": 4},
            {"name": "s", "type": "summary", "value": {"count": 1, "sum": 2, "min": 2, "max": 2}},
            {"name": "r", "type": "rate", "value": 10},
            {"name": "cc", "type": "cumulative-count", "value": total, "timestamp": at},
            {"name": "cr", "type": "cumulative-rate", "value": total, "timestamp": at},
            {"name": "h", "type": "prometheus-histogram", "value": {}},
            {"type": "gauge", "value": 1},
        ])
    };
    let first = forwarder.forward(&v4(metrics(100.0, 0)), EPOCH).expect("a payload");
    assert_eq!(first.problems.len(), 2, "{:?}", first.problems);
    let second = forwarder.forward(&v4(metrics(130.0, 10)), EPOCH).expect("a payload");
    for forwarded in [&first, &second] {
        let body = Json::from(forwarded.metrics.clone()).to_string();
        let (status, answer) = service.send(METRICS, &body);
        assert_eq!(status, 202, "{answer}");
        service.settle();
    }
    assert!(service.newrelic.integration_errors().is_empty());
    let points = service.newrelic.events("Metric");
    let of = |name: &str| {
        let own = points.iter().filter(|point| point.get(name).is_some());
        own.map(|point| point.get(name).and_then(Value::as_f64)).collect::<Vec<_>>()
    };
    assert_eq!(of("g"), [Some(1.5), Some(1.5)]);
    assert_eq!(of("r"), [Some(5.0), Some(5.0)]);
    assert_eq!(of("cc"), [Some(30.0)], "the first run has no delta");
    assert_eq!(of("cr"), [Some(3.0)]);
    let check = |name: &str, expected: &str| {
        assert_eq!(points[0].get(name), Some(&Value::text(expected)), "{name}");
    };
    check("region", "eu");
    check("team", "pay");
    check("entityKey", "SHOP:unique");
    check("integrationName", "my.integration");
    check("label.env", "test");
    // A counter that fell began anew.
    let third = forwarder.forward(&v4(metrics(5.0, 20)), EPOCH).expect("a payload");
    let names = third.metrics[0]["metrics"].as_array().expect("a list").iter();
    assert!(names.clone().all(|point| point["name"] != "cc" && point["name"] != "cr"));
}

#[test]
fn output_that_is_no_payload_is_refused() {
    let check = |stdout: &str, expected: ForwardError| {
        let got = Forwarder::new(host()).forward(stdout, EPOCH);
        assert_eq!(got.expect_err(stdout), expected, "{stdout:.40}");
    };
    check("", ForwardError::Empty);
    check(" \n", ForwardError::Empty);
    check(r#"{"protocol_version":"9"}"#, ForwardError::Version("9".into()));
    check("{}", ForwardError::Version("null".into()));
    let error = Forwarder::new(host()).forward("{}x", EPOCH).expect_err("no JSON");
    assert!(matches!(error, ForwardError::Version(_)), "{error}");
    let error = Forwarder::new(host()).forward("{\n \"a\" 1}", EPOCH).expect_err("no JSON");
    assert!(matches!(error, ForwardError::Json { line: 2, .. }), "{error}");
    let deep = "[".repeat(100_000);
    let error = Forwarder::new(host()).forward(&deep, EPOCH).expect_err("too deep");
    assert!(matches!(error, ForwardError::Json { .. }), "{error}");
    // Protocol 1 knows the host only; several payloads may follow each other.
    let v1 = r#"{"name":"n","protocol_version":"1","metrics":[{"event_type":"S","a":1},{"b":1}]}"#;
    let forwarded = Forwarder::new(host()).forward(&format!("{v1}\n{v1}"), EPOCH).expect("two");
    assert_eq!(forwarded.events.len(), 2);
    assert_eq!(forwarded.events[0]["IsAgent"], true);
    assert_eq!(forwarded.events[0]["Events"][0]["entityKey"], "shakedown-host");
    assert_eq!(forwarded.problems.len(), 2);
}
