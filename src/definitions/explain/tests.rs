use super::*;
use crate::definitions::Source;

const OWNER: &str = "ownership: {primaryOwner: {teamName: T}}\n";

/// Two types of brokers and topics of our own, shaped as public ones are.
fn definitions() -> Definitions {
    let broker = format!(
        "domain: INFRA\ntype: BROKER\n{OWNER}synthesis:\n  rules:\n  - ruleName: broker_otel\n    \
         compositeIdentifier: {{separator: ':', attributes: [broker.id, cluster]}}\n    \
         name: broker.name\n    encodeIdentifierInGUID: true\n    conditions:\n    \
         - {{attribute: eventType, value: Metric}}\n    \
         - {{attribute: instrumentation.provider, value: opentelemetry}}\n    \
         - {{attribute: metricName, prefix: kafka.}}\n    \
         - {{attribute: topic, present: false}}\n"
    );
    let topic = format!(
        "domain: INFRA\ntype: TOPIC\n{OWNER}synthesis:\n  rules:\n  - ruleName: topic_sample\n    \
         identifier: entityKey\n    name: displayName\n    conditions:\n    \
         - {{attribute: eventType, value: TopicSample}}\n  - ruleName: unrelated\n    \
         identifier: serialNumber\n    name: serialNumber\n    conditions:\n    \
         - {{attribute: vendor, value: acme}}\n"
    );
    let files = [
        ("entity-types/infra-broker/definition.yml", &*broker),
        ("entity-types/infra-topic/definition.yml", &*topic),
    ];
    Definitions::load(files.map(|(path, text)| Source { path, text })).expect("sound")
}

const BROKER: [(&str, Scalar<'_>); 5] = [
    ("instrumentation.provider", Scalar::Text("opentelemetry")),
    ("metricName", Scalar::Text("kafka.messages")),
    ("broker.id", Scalar::Number(1.0)),
    ("cluster", Scalar::Text("prod")),
    ("broker.name", Scalar::Text("b1")),
];

/// The nearest miss of a broker's point with one attribute changed, `-` for removed.
fn nearest(name: &str, value: &str) -> String {
    nearest_of("Metric", name, value)
}

fn nearest_of(event_type: &str, name: &str, value: &str) -> String {
    let definitions = definitions();
    let mut attributes: Vec<_> = BROKER.into_iter().filter(|(key, _)| *key != name).collect();
    if value != "-" {
        attributes.push((name, Scalar::Text(value)));
    }
    let point = Point { event_type, attributes: &attributes };
    let explained = explain(&definitions, point, &ExplainOptions::default());
    let Some(miss) = explained.near.first() else { return "no near miss".into() };
    let failed = miss.steps.iter().filter(|step| !step.holds).map(|step| {
        let actual = step.actual.as_deref().unwrap_or("-");
        let hint = step.hint.as_deref().unwrap_or("no hint");
        format!("{}: {} ({actual}); {hint}", miss.rule.name, step.need)
    });
    failed.collect::<Vec<_>>().join(" | ")
}

#[test]
fn every_failure_is_named_with_its_value_and_a_hint() {
    let check = |name: &str, value: &str, expected: &str| {
        assert_eq!(nearest(name, value), format!("broker_otel: {expected}"), "{name}={value}");
    };
    let provider = "instrumentation.provider is `opentelemetry`";
    check(
        "instrumentation.provider",
        "OpenTelemetry",
        &format!("{provider} (OpenTelemetry); only the case differs, and case matters"),
    );
    check(
        "instrumentation.provider",
        "opentelemetry ",
        &format!("{provider} (opentelemetry ); only spaces around it differ"),
    );
    check(
        "instrumentation.provider",
        "opentelemetri",
        &format!("{provider} (opentelemetri); nearly: is `opentelemetry` meant?"),
    );
    check("instrumentation.provider", "prometheus", &format!("{provider} (prometheus); no hint"));
    check(
        "instrumentation.provider",
        "",
        &format!("{provider} (-); it is the empty text, which counts as absent"),
    );
    check(
        "metricName",
        "jvm.kafka.messages",
        "metricName begins with `kafka.` \
           (jvm.kafka.messages); it contains that after 4 characters, but must begin with it",
    );
    check(
        "metricName",
        "Kafka.messages",
        "metricName begins with `kafka.` (Kafka.messages); \
           it begins so in another case, and case matters",
    );
    check(
        "metricName",
        "kafkb.messages",
        "metricName begins with `kafka.` (kafkb.messages); \
           it begins with `kafkb.`, which is near",
    );
    check("topic", "orders", "topic is not there (orders); no hint");
    check("broker.name", "-", "broker.name, for the name, is there (-); no hint");
    check("broker.id", "-", "broker.id, for the identifier, is there (-); no hint");
}

#[test]
fn names_of_attributes_are_compared_too() {
    let with = |own: &'static str| {
        let definitions = definitions();
        let mut attributes: Vec<_> =
            BROKER.into_iter().filter(|(key, _)| *key != "broker.name").collect();
        attributes.push((own, Scalar::Text("b1")));
        let point = Point { event_type: "Metric", attributes: &attributes };
        let explained = explain(&definitions, point, &ExplainOptions::default());
        let steps = explained.near[0].steps.clone();
        steps.into_iter().find(|step| !step.holds).expect("one fails").hint
    };
    assert_eq!(with("Broker.Name").as_deref(), Some("the point has `Broker.Name`: case matters"));
    assert_eq!(
        with("broker_name").as_deref(),
        Some("the point has `broker_name`: punctuation matters")
    );
    assert_eq!(with("brokr.name").as_deref(), Some("the point has `brokr.name`, which is near"));
    assert_eq!(with("x"), None);
}

#[test]
fn a_value_in_another_attribute_and_a_hidden_event_type_are_told() {
    let moved = {
        let definitions = definitions();
        let mut attributes = BROKER.to_vec();
        attributes[0].0 = "provider.of.it";
        let point = Point { event_type: "Metric", attributes: &attributes };
        let explained = explain(&definitions, point, &ExplainOptions::default());
        explained.near[0].steps[1].hint.clone()
    };
    assert_eq!(moved.as_deref(), Some("`provider.of.it` has that value"));
    let hidden = nearest("eventType", "Something");
    assert!(hidden.contains("the point's own eventType hides the event type `Metric`"), "{hidden}");
    let unknown = nearest_of("", "x", "-");
    assert!(unknown.contains("the event type of the point is not known"), "{unknown}");
}

#[test]
fn rules_that_have_nothing_in_common_are_left_out_unless_named() {
    let definitions = definitions();
    let point = Point { event_type: "Metric", attributes: &BROKER };
    let names = |options: &ExplainOptions| {
        let explained = explain(&definitions, point, options);
        let near = explained.near.iter().map(|miss| miss.rule.name.as_str());
        (explained.matches.len(), near.collect::<Vec<_>>(), explained.near_more)
    };
    assert_eq!(names(&ExplainOptions::default()), (1, vec![], 0));
    for types in ["topic", "INFRA-TOPIC"] {
        let options = ExplainOptions { types: vec![types.into()], ..Default::default() };
        assert_eq!(names(&options), (0, vec!["unrelated", "topic_sample"], 0));
    }
}

#[test]
fn nearest_come_first_and_the_rest_is_counted() {
    let definitions = definitions();
    let attributes = [
        ("entityKey", Scalar::Text("k")),
        ("vendor", Scalar::Text("Acme")),
        ("serialNumber", Scalar::Text("1")),
    ];
    let point = Point { event_type: "TopicSample", attributes: &attributes };
    let all = explain(&definitions, point, &ExplainOptions { near_max: 9, ..Default::default() });
    let names: Vec<_> = all.near.iter().map(|miss| miss.rule.name.as_str()).collect();
    assert_eq!(names, ["topic_sample", "unrelated"]);
    assert_eq!(all.near.iter().map(NearMiss::failed).collect::<Vec<_>>(), [1, 1]);
    let one = explain(&definitions, point, &ExplainOptions { near_max: 1, ..Default::default() });
    assert_eq!((one.near.len(), one.near_more), (1, 1));
}

#[test]
fn an_identifier_that_fits_no_guid_is_a_near_miss() {
    let definitions = definitions();
    let long = "k".repeat(51);
    let attributes = [("entityKey", Scalar::Text(&long)), ("displayName", Scalar::Text("n"))];
    let point = Point { event_type: "TopicSample", attributes: &attributes };
    let explained = explain(&definitions, point, &ExplainOptions::default());
    assert!(explained.matches.is_empty());
    let last = explained.near[0].steps.last().expect("steps");
    assert_eq!(last.need, Need::Guid(long.clone()));
    let hint = last.hint.as_deref().expect("why");
    assert!(hint.contains("is 51 characters long, a GUID takes 1 to 50"), "{hint}");
}

#[test]
fn a_stamped_point_is_explained_as_if_it_were_not() {
    let definitions = definitions();
    let mut attributes = BROKER.to_vec();
    attributes.push(("entity.guid", Scalar::Text("MXxJTkZSQXxYfDE")));
    let point = Point { event_type: "Metric", attributes: &attributes };
    assert!(definitions.match_point(point).is_empty());
    let explained = explain(&definitions, point, &ExplainOptions::default());
    assert_eq!(explained.stamped.as_deref(), Some("MXxJTkZSQXxYfDE"));
    assert_eq!(explained.matches.len(), 1);
}

#[test]
fn golden_queries_follow_the_provider() {
    let definition = format!(
        "domain: INFRA\ntype: BROKER\n{OWNER}synthesis:\n  rules:\n  \
         - ruleName: r\n    identifier: id\n    name: id\n    encodeIdentifierInGUID: true\n    \
         conditions: [{{attribute: id}}]\n"
    );
    let golden = "rate:\n  title: Rate\n  queries:\n    first: {select: a}\n    \
                  otel: {select: b}\n    otel/kafka: {select: c}\n";
    let files = [
        ("entity-types/infra-broker/definition.yml", &*definition),
        ("entity-types/infra-broker/golden_metrics.yml", golden),
    ];
    let (definitions, problems) = Definitions::load_lenient(
        files.map(|(path, text)| Source { path, text }),
        crate::definitions::View::Production,
    );
    let check = |texts: &[(&str, &str)], expected: &str| {
        let mut attributes = vec![("id", Scalar::Text("1"))];
        attributes.extend(texts.iter().map(|(k, v)| (*k, Scalar::Text(v))));
        let point = Point { event_type: "Metric", attributes: &attributes };
        let matches = definitions.match_point(point);
        let queries = golden_queries(&matches[0], "G");
        let query =
            format!("SELECT {expected} FROM Metric WHERE `entity.guid` IN ('G') TIMESERIES");
        assert_eq!(queries, [("Rate", query)], "{problems:?}");
    };
    check(&[], "a");
    check(&[("instrumentation.provider", "otel")], "b");
    check(&[("instrumentation.provider", "otel"), ("instrumentation.name", "kafka")], "c");
    check(&[("instrumentation.provider", "otel"), ("instrumentation.name", "x")], "b");
    check(&[("instrumentation.provider", "else")], "a");
}
