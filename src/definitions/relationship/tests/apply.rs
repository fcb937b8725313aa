//! What points prove, and why they prove nothing.

use super::*;
use crate::definitions::{Point, Scalar};

/// `source → target` of every relationship that the point proves, GUIDs in readable form.
fn proved(rules: &RelationshipRules, event_type: &str, texts: &[(&str, &str)]) -> Vec<String> {
    proved_of(rules, event_type, texts, &[])
}

fn proved_of(
    rules: &RelationshipRules,
    event_type: &str,
    texts: &[(&str, &str)],
    entities: &[PointEntity<'_>],
) -> Vec<String> {
    let attributes: Vec<_> = texts.iter().map(|(k, v)| (*k, Scalar::Text(v))).collect();
    let point = Point { event_type, attributes: &attributes };
    let applied = rules.apply(point, entities, 1, &NoEntities);
    let readable = |guid: &str| {
        let parts = crate::definitions::GuidParts::parse(guid).expect("a guid");
        format!("{}|{}|{}|{}", parts.account, parts.domain, parts.entity_type, parts.identifier)
    };
    let text = |found: &RelationshipMatch<'_>| {
        let (source, target) = (readable(&found.source), readable(&found.target));
        format!("{source} {} {target}", found.relationship_type)
    };
    applied.iter().map(text).collect()
}

/// Whether a rule of these conditions holds for the point.
fn holds(conditions: &str, event_type: &str, texts: &[(&str, &str)]) -> bool {
    let rules = sound(&rule("r", conditions, SOURCE, TARGET));
    let (from, to) = (guid("X", "1"), guid("Y", "2"));
    let texts: Vec<_> = texts.iter().copied().chain([("from", &*from), ("to", &*to)]).collect();
    !proved(&rules, event_type, &texts).is_empty()
}

#[test]
fn conditions_hold_as_documented() {
    let check = |conditions: &str, value: &str, expected: bool| {
        assert_eq!(holds(conditions, "Metric", &[("a", value)]), expected, "{conditions} {value}");
    };
    check("[{attribute: a}]", "x", true);
    check("[{attribute: a, present: true}]", "", false);
    check("[{attribute: a, present: false}]", "x", false);
    check("[{attribute: b, present: false}]", "x", true);
    check("[{attribute: a, anyOf: [x, y]}]", "y", true);
    check("[{attribute: a, anyOf: [x, y]}]", "Y", true);
    check("[{attribute: a, anyOf: [x, y]}]", "z", false);
    check("[{attribute: a, anyOf: [x, y], caseSensitive: true}]", "Y", false);
    check("[{attribute: a, anyOf: [x, y], caseSensitive: true}]", "y", true);
    check("[{attribute: a, startsWith: Video}]", "VIDEOSample", true);
    check("[{attribute: a, startsWith: Video}]", "aVideo", false);
    check("[{attribute: a, startsWith: Video, caseSensitive: true}]", "VIDEOSample", false);
    check("[{attribute: a, startsWith: Video, caseSensitive: true}]", "VideoSample", true);
    check("[{attribute: a, regex: 'x.z'}]", "XyZ", true);
    check("[{attribute: a, regex: 'x.z'}]", "XyZ1", false);
    check("[{attribute: a, regex: '(?!EXT)[A-Z]+'}]", "INFRA", true);
    check("[{attribute: a, regex: '(?!EXT)[A-Z]+'}]", "EXTRA", false);
    check("[{attribute: a, anyOf: [x]}, {attribute: b, present: true}]", "x", false);
}

#[test]
fn the_kind_of_event_and_the_account_are_attributes() {
    assert!(holds("[{attribute: eventType, anyOf: [metric]}]", "Metric", &[]));
    assert!(!holds("[{attribute: eventType, anyOf: [Span]}]", "Metric", &[]));
    let own = [("eventType", "Span")];
    assert!(holds("[{attribute: eventType, anyOf: [Span]}]", "Metric", &own), "its own wins");
    assert!(holds("[{attribute: accountId, anyOf: ['1']}]", "Metric", &[]));
}

#[test]
fn parts_of_the_metric_name_are_attributes() {
    let conditions = "[{attribute: metricName__2, anyOf: [kafka]}, \
                      {attribute: metricName__5, present: false}]";
    let name = |metric| holds(conditions, "Metric", &[("metricName", metric)]);
    assert!(name("MessageBroker/Kafka/Nodes/x"));
    assert!(!name("MessageBroker/Kafka/Nodes/x/Produce"));
    assert!(name("MessageBroker/Kafka/Nodes/x//Produce"), "an empty part is absent");
    assert!(!name("kafka"));
}

#[test]
fn guids_are_extracted_only_where_there_is_one() {
    let rules = sound(&rule("r", "[{attribute: from}]", SOURCE, TARGET));
    let (from, to) = (guid("X", "1"), guid("Y", "2"));
    assert_eq!(
        proved(&rules, "Metric", &[("from", &from), ("to", &to)]),
        ["1|INFRA|X|1 CONTAINS 1|INFRA|Y|2"]
    );
    assert_eq!(proved(&rules, "Metric", &[("from", &from)]), [""; 0]);
    assert_eq!(proved(&rules, "Metric", &[("from", &from), ("to", "nothing")]), [""; 0]);
    assert_eq!(proved(&rules, "Metric", &[("from", &from), ("to", &from)]), [""; 0], "itself");
}

#[test]
fn reasons_are_reported() {
    let build = "{buildGuid: {account: {attribute: acc}, domain: {value: INFRA}, \
                 type: {value: THING}, identifier: {fragments: [{capture: \
                 {attribute: id, regex: 'x-(.*)'}}], hashAlgorithm: IDENTITY}}}";
    let rules = sound(&rule("r", "[{attribute: from}]", SOURCE, build));
    let from = guid("X", "1");
    let check = |texts: &[(&str, &str)], expected: &str| {
        let mut attributes = vec![("from", Scalar::Text(&from))];
        attributes.extend(texts.iter().map(|(k, v)| (*k, Scalar::Text(v))));
        let point = Point { event_type: "Metric", attributes: &attributes };
        let applied = rules.apply_reported(point, &[], 1, &NoEntities);
        let reasons: Vec<_> = applied.unresolved.iter().map(|u| u.reason.to_string()).collect();
        assert!(applied.matches.is_empty(), "{:?}", applied.matches);
        assert_eq!(reasons, [expected]);
        assert_eq!(applied.unresolved[0].end, Some(End::Target));
    };
    check(&[("acc", "1")], "attribute `id` is missing");
    check(&[("id", "x-1")], "attribute `acc` is missing");
    check(&[("acc", "1"), ("id", "y-1")], "the capture on `id` found nothing");
    check(&[("acc", "1"), ("id", "x-")], "the capture on `id` found nothing");
    check(&[("acc", "one"), ("id", "x-1")], "`one` is no account id of 1 to 10 digits");
    let long = format!("x-{}", "a".repeat(51));
    let problem = format!(
        "identifier `{}` is 51 characters long, a GUID takes 1 to 50: set encodeIdentifierInGUID",
        "a".repeat(51)
    );
    check(&[("acc", "1"), ("id", &long)], &problem);
}

/// The shape of the public rules from Kafka clusters to their brokers: the source is built from
/// the point, and the point is the target.
const CLUSTER_TO_BROKER: &str = "
  - name: kafkaClusterContainsKafkaBroker
    version: \"1\"
    origins: [OpenTelemetry]
    conditions:
      - {attribute: eventType, anyOf: [Metric]}
      - {attribute: instrumentation.provider, anyOf: [opentelemetry]}
      - {attribute: entity.type, anyOf: [KAFKABROKER]}
      - {attribute: kafka.cluster.name, present: true}
    relationship:
      expires: PT75M
      relationshipType: CONTAINS
      source:
        buildGuid:
          account: {attribute: accountId}
          domain: {value: INFRA}
          type: {value: KAFKACLUSTER}
          identifier:
            fragments: [{attribute: kafka.cluster.name}]
            hashAlgorithm: FARM_HASH
      target: {extractGuid: {attribute: entity.guid}}
";

/// And from brokers to topics: a composite identifier with a separator of its own.
const BROKER_TO_TOPIC: &str = "
  - name: kafkaBrokerManagesKafkaTopic
    version: \"1\"
    origins: [OpenTelemetry]
    conditions:
      - {attribute: metricName, startsWith: kafka.}
      - {attribute: topic, present: true}
    relationship:
      expires: PT75M
      relationshipType: MANAGES
      source: {extractGuid: {attribute: entity.guid}}
      target:
        buildGuid:
          account: {attribute: accountId}
          domain: {value: INFRA}
          type: {value: KAFKATOPIC}
          identifier:
            fragments:
              - attribute: topic
              - value: \":\"
              - attribute: kafka.cluster.name
                operations: [{operation: toLowerCase}]
            hashAlgorithm: FARM_HASH
";

#[test]
fn rules_of_message_queues_build_the_guids_that_synthesis_makes() {
    let rules = sound(&format!("{CLUSTER_TO_BROKER}{BROKER_TO_TOPIC}"));
    let broker = guid("KAFKABROKER", "1:prod");
    let entity = PointEntity {
        guid: &broker,
        name: "BrokerId:1 (prod)",
        entity_type: "KAFKABROKER",
        non_standard: false,
    };
    let texts = [
        ("metricName", "kafka.messages"),
        ("instrumentation.provider", "opentelemetry"),
        ("kafka.cluster.name", "PROD"),
        ("topic", "orders"),
    ];
    let hash = crate::definitions::farmhash::identifier_hash;
    // `orders:prod` is one of the known vectors of the hash.
    assert_eq!(hash("orders:prod"), -8600275142680829050);
    assert_eq!(
        proved_of(&rules, "Metric", &texts, &[entity]),
        [
            format!("1|INFRA|KAFKACLUSTER|{} CONTAINS 1|INFRA|KAFKABROKER|1:prod", hash("PROD")),
            format!(
                "1|INFRA|KAFKABROKER|1:prod MANAGES 1|INFRA|KAFKATOPIC|{}",
                hash("orders:prod")
            ),
        ]
    );
    assert_eq!(proved(&rules, "Metric", &texts), [""; 0], "no entity, no GUID");
    let other = PointEntity { entity_type: "HOST", ..entity };
    let of_other = proved_of(&rules, "Metric", &texts, &[other]);
    assert_eq!(of_other.len(), 1, "{of_other:?}");
    // A point of two entities is read for each; what both prove counts once.
    let twice = proved_of(&rules, "Metric", &texts, &[entity, entity]);
    assert_eq!(twice.len(), 2, "{twice:?}");
}

#[test]
fn types_that_a_guid_does_not_say_are_hinted() {
    let target = "{buildGuid: {account: {attribute: accountId}, domain: {value: INFRA}, \
                  type: {value: KAFKABROKER, valueInGuid: NA}, identifier: {fragments: \
                  [{attribute: key}], hashAlgorithm: FARM_HASH}}}";
    let source = "{extractGuid: {attribute: host.guid, entityType: {value: HOST}}}";
    let by_name = "{extractGuid: {attribute: host.guid, entityType: {attribute: kind}}}";
    let text = rule("value", "[{attribute: key}]", source, target)
        + &rule("attribute", "[{attribute: kind}]", target, by_name);
    let rules = sound(&text);
    let host = guid("NA", "42");
    let attributes = [
        ("host.guid", Scalar::Text(&host)),
        ("key", Scalar::Text("ka-cluster:kafka:cluster")),
        ("kind", Scalar::Text("VM")),
    ];
    let point = Point { event_type: "KafkaBrokerSample", attributes: &attributes };
    let found = rules.apply(point, &[], 1, &NoEntities);
    let hints: Vec<_> =
        found.iter().map(|m| (m.source_type.as_deref(), m.target_type.as_deref())).collect();
    assert_eq!(hints, [(Some("HOST"), Some("KAFKABROKER")), (Some("KAFKABROKER"), Some("VM"))]);
    let parts = crate::definitions::GuidParts::parse(&found[0].target).expect("a guid");
    assert_eq!((&*parts.entity_type, &*parts.identifier), ("NA", "5406665865585790582"));
    // Where the GUID says the type, no hint is needed.
    let typed = guid("HOST", "42");
    let attributes = [("host.guid", Scalar::Text(&typed)), ("key", Scalar::Text("k"))];
    let point = Point { event_type: "KafkaBrokerSample", attributes: &attributes };
    assert_eq!(rules.apply(point, &[], 1, &NoEntities)[0].source_type, None);
}

#[test]
fn entities_with_other_attribute_names_are_read_by_those() {
    let rules =
        sound(&rule("r", "[{attribute: to}]", "{extractGuid: {attribute: entityGuid}}", TARGET));
    let (own, to) = (guid("NA", "1"), guid("Y", "2"));
    let entity = PointEntity { guid: &own, name: "n", entity_type: "T", non_standard: true };
    assert_eq!(proved_of(&rules, "X", &[("to", &to)], &[entity]).len(), 1);
    let standard = PointEntity { non_standard: false, ..entity };
    assert_eq!(proved_of(&rules, "X", &[("to", &to)], &[standard]).len(), 0);
}
