//! Searches: modes, several matches, misses, accounts.

use super::*;
use crate::definitions::{Point, Scalar};

/// Our own candidates, shaped as those of topics are: managed clusters by tags, then others.
fn candidates(mode: &str, on_match: &str, on_miss: &str) -> String {
    format!(
        "category: KAFKATOPIC
lookups:
  - entityTypes: [INFRA-AWSMSKTOPIC]
    attributes:
      matchingMode: {mode}
      predicates:
        - attributeKeys: [tags.aws.clusterName, tags.aws.kafka.ClusterName]
          field: clusterName
        - attributeKeys: [tags.aws.topic, name]
          field: topic
    onMatch: {{onMultipleMatches: {on_match}}}
    onMiss: {on_miss}
  - entityTypes: [KAFKATOPIC]
    tags:
      matchingMode: ALL
      predicates:
        - tagKeys: [kafka.cluster.id]
          field: clusterId
        - tagKeys: [topic]
          field: topic
    onMatch: {{onMultipleMatches: RELATE_ALL}}
    onMiss: {{action: NO_OP}}
"
    )
}

const CREATE: &str = "{action: CREATE_UNINSTRUMENTED, uninstrumented: {type: KAFKATOPIC}}";
const NOTHING: &str = "{action: NO_OP}";

/// Our own rule of an application's metric that names a managed broker and a topic.
const PRODUCES: &str = r#"relationships:
  - name: applicationProducesToTopic
    version: "1"
    origins: [APM Metrics]
    conditions:
      - attribute: metricName
        regex: '^MessageBroker/Kafka/Nodes/[^/]*\.amazonaws\.com:9[0-9]+/Produce/.*'
    relationship:
      expires: PT75M
      relationshipType: PRODUCES
      source: {extractGuid: {attribute: entity.guid}}
      target:
        lookupGuid:
          candidateCategory: KAFKATOPIC
          fields:
            - field: clusterName
              capture: {attribute: metricName__4, regex: '^[^\.]+\.([^\.]+)\..*\.kafka\..*:9[0-9]+'}
            - field: topic
              attribute: metricName__6
            - field: clusterId
              attribute: cluster.id
"#;

const METRIC: &str = "MessageBroker/Kafka/Nodes/b-1.shop.x1.c2.kafka.us-east-1.amazonaws.com:9092\
                      /Produce/orders";

fn shop() -> World {
    World::default()
        .with("AWSMSKTOPIC", "a", &[("aws.clusterName", "shop"), ("aws.topic", "orders")])
        .with("AWSMSKTOPIC", "b", &[("aws.clusterName", "shop"), ("aws.topic", "other")])
        .with("AWSMSKTOPIC", "c", &[("aws.kafka.ClusterName", "shop"), ("#name", "orders")])
        .with("HOST", "d", &[("aws.clusterName", "shop"), ("aws.topic", "orders")])
        .with("KAFKATOPIC", "e", &[("kafka.cluster.id", "u1"), ("topic", "orders")])
}

/// Identifiers of the targets, and why there are none.
fn targets(candidates: &str, extra: &[(&str, &str)], world: &World) -> (Vec<String>, Vec<String>) {
    let files = [(FILE, PRODUCES), ("relationships/candidates/KAFKATOPIC.yml", candidates)];
    let (rules, errors) = load_files(&files, View::Production);
    assert!(errors.is_empty(), "{errors:?}");
    let application = guid("APPLICATION", "1");
    let mut attributes = vec![("entity.guid", Scalar::Text(&application))];
    attributes.extend(extra.iter().map(|(k, v)| (*k, Scalar::Text(v))));
    let point = Point { event_type: "Metric", attributes: &attributes };
    let applied = rules.apply_reported(point, &[], 1, world);
    let id = |found: &RelationshipMatch<'_>| {
        assert_eq!(*found.source, *application);
        assert_eq!(found.relationship_type, "PRODUCES");
        crate::definitions::GuidParts::parse(&found.target).expect("a guid").identifier
    };
    let reasons = applied.unresolved.iter().map(|u| u.reason.to_string()).collect();
    (applied.matches.iter().map(id).collect(), reasons)
}

#[test]
fn predicates_combine_by_mode() {
    let check = |mode: &str, expected: &[&str]| {
        let (found, reasons) =
            targets(&candidates(mode, "RELATE_ALL", NOTHING), &[("metricName", METRIC)], &shop());
        assert_eq!(found, expected, "{mode}");
        assert_eq!(reasons, [""; 0]);
    };
    check("ALL", &["a", "c"]);
    check("ANY", &["a", "b", "c"]);
    check("FIRST", &["a", "b", "c"]);
    // FIRST takes the first predicate that anybody satisfies.
    let world = World::default().with("AWSMSKTOPIC", "x", &[("aws.topic", "orders")]).with(
        "AWSMSKTOPIC",
        "y",
        &[("aws.topic", "other")],
    );
    let text = candidates("FIRST", "RELATE_ALL", NOTHING);
    assert_eq!(targets(&text, &[("metricName", METRIC)], &world).0, ["x"]);
    let text = candidates("ALL", "RELATE_ALL", NOTHING);
    assert_eq!(targets(&text, &[("metricName", METRIC)], &world).0, [""; 0]);
}

#[test]
fn several_matches_are_related_or_not() {
    let check = |on_match: &str, expected: &[&str], reason: &[&str]| {
        let text = candidates("ALL", on_match, NOTHING);
        let (found, reasons) = targets(&text, &[("metricName", METRIC)], &shop());
        assert_eq!(
            (found.as_slice(), reasons.as_slice()),
            (
                expected.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>().as_slice(),
                reason.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>().as_slice(),
            )
        );
    };
    check("RELATE_ALL", &["a", "c"], &[]);
    check("ONLY_ONE", &["a"], &[]);
    check("DISCARD_ALL", &[], &["2 candidates of KAFKATOPIC match and are discarded"]);
}

#[test]
fn lookups_are_tried_in_order_as_far_as_their_fields_are_known() {
    let text = candidates("ALL", "RELATE_ALL", NOTHING);
    let id = ("cluster.id", "u1");
    let (found, _) = targets(&text, &[("metricName", METRIC), id], &shop());
    assert_eq!(found, ["a", "c"], "the first lookup that answers decides");
    let metric = METRIC.replace("shop", "else");
    let (found, _) = targets(&text, &[("metricName", &metric), id], &shop());
    assert_eq!(found, ["e"], "the second answers where the first does not");
    let (found, reasons) = targets(&text, &[("metricName", &metric)], &shop());
    assert_eq!(found, [""; 0]);
    assert_eq!(reasons, ["no candidate of KAFKATOPIC matches"]);
}

#[test]
fn a_miss_makes_an_uninstrumented_entity_or_nothing() {
    let files = |on_miss: &str| candidates("ALL", "RELATE_ALL", on_miss);
    let point = [("metricName", METRIC)];
    let (found, reasons) = targets(&files(NOTHING), &point, &World::default());
    assert_eq!((found.len(), reasons.len()), (0, 1));

    let files = files(CREATE);
    let files = [(FILE, PRODUCES), ("relationships/candidates/KAFKATOPIC.yml", files.as_str())];
    let (rules, _) = load_files(&files, View::Production);
    let application = guid("APPLICATION", "1");
    let attributes =
        [("entity.guid", Scalar::Text(&application)), ("metricName", Scalar::Text(METRIC))];
    let point = Point { event_type: "Metric", attributes: &attributes };
    let found = rules.apply(point, &[], 1, &World::default());
    let [found] = &*found else { panic!("{found:?}") };
    let made = found.uninstrumented.as_ref().expect("made");
    assert_eq!((made.end, &*made.guid), (End::Target, &*found.target));
    assert_eq!((made.account, made.entity_type.as_str()), (1, "KAFKATOPIC"));
    assert_eq!(made.name, "shop:orders");
    let tags: Vec<_> = made.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(tags, [("clusterName", "shop"), ("topic", "orders")]);
    let parts = crate::definitions::GuidParts::parse(&made.guid).expect("a guid");
    assert_eq!((&*parts.domain, &*parts.entity_type), ("UNINSTRUMENTED", "KAFKATOPIC"));
}

#[test]
fn a_point_that_knows_no_field_says_which() {
    let metric = METRIC.replace("b-1.shop.x1.c2.kafka", "b-1");
    let text = candidates("ALL", "RELATE_ALL", CREATE);
    let (found, reasons) = targets(&text, &[("metricName", &metric)], &shop());
    assert_eq!(found, [""; 0], "{metric}");
    assert_eq!(reasons, ["the capture on `metricName__4` found nothing"]);
}

#[test]
fn an_account_is_found_by_where_the_entity_is() {
    let target = "{buildGuid: {account: {lookup: true}, domain: {value: INFRA}, \
                  type: {value: HOST}, identifier: {fragments: [{attribute: id}]}}}";
    let rules = sound(&rule("r", "[{attribute: id}]", SOURCE, target));
    let from = guid("X", "1");
    let attributes = [("from", Scalar::Text(&from)), ("id", Scalar::Text("h"))];
    let point = Point { event_type: "Metric", attributes: &attributes };
    let elsewhere = crate::definitions::entity_guid(7u64, "INFRA", "HOST", "h", false)
        .expect("a good identifier");
    let kind = EntityKind { domain: None, entity_type: "HOST".into() };
    let world =
        World { entities: vec![(elsewhere.clone(), kind, Vec::new())], trusted: vec![5, 7] };
    let found = rules.apply(point, &[], 1, &world);
    assert_eq!(found.iter().map(|m| &*m.target).collect::<Vec<_>>(), [elsewhere.as_str()]);
    let applied = rules.apply_reported(point, &[], 1, &NoEntities);
    assert_eq!(
        applied.unresolved[0].reason.to_string(),
        "no trusted account has the entity `INFRA|HOST|h`"
    );
}

#[test]
fn the_source_may_be_the_one_that_is_looked_up() {
    let source = "{lookupGuid: {candidateCategory: KAFKATOPIC, fields: [{field: clusterId, \
                  attribute: c}, {field: topic, value: orders}]}}";
    let text = format!("relationships:\n{}", rule("r", "[{attribute: c}]", source, TARGET));
    let candidates = candidates("ALL", "RELATE_ALL", NOTHING);
    let files = [(FILE, &*text), ("relationships/candidates/KAFKATOPIC.yml", &*candidates)];
    let (rules, errors) = load_files(&files, View::Production);
    assert!(errors.is_empty(), "{errors:?}");
    let to = guid("Y", "2");
    let attributes = [("c", Scalar::Text("u1")), ("to", Scalar::Text(&to))];
    let point = Point { event_type: "Metric", attributes: &attributes };
    let found = rules.apply(point, &[], 1, &shop());
    assert_eq!(found.len(), 1);
    assert_eq!((&*found[0].source, &*found[0].target), (&*guid("KAFKATOPIC", "e"), &*to));
    // Without the other end nothing is searched, and that is what is said.
    let point = Point { event_type: "Metric", attributes: &attributes[..1] };
    let applied = rules.apply_reported(point, &[], 1, &shop());
    assert_eq!(applied.unresolved[0].end, Some(End::Target));
}

#[test]
fn a_search_that_finds_a_crowd_is_cut() {
    struct Crowd;
    impl EntityLookup for Crowd {
        fn find(&self, _: u64, _: &[EntityKind], _: &[Property], _: &str) -> Vec<Arc<str>> {
            (0..5_000).map(|n| Arc::from(guid("KAFKATOPIC", &n.to_string()))).collect()
        }
        fn exists(&self, _: &str) -> bool {
            true
        }
    }
    let files = candidates("ANY", "RELATE_ALL", NOTHING);
    let files = [(FILE, PRODUCES), ("relationships/candidates/KAFKATOPIC.yml", files.as_str())];
    let (rules, _) = load_files(&files, View::Production);
    let application = guid("APPLICATION", "1");
    let attributes =
        [("entity.guid", Scalar::Text(&application)), ("metricName", Scalar::Text(METRIC))];
    let point = Point { event_type: "Metric", attributes: &attributes };
    assert_eq!(rules.apply(point, &[], 1, &Crowd).len(), 1_000);
}
