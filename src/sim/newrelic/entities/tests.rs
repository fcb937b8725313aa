//! Entities and relationships through the service.

use std::time::Duration;

use crate::definitions::{Definitions, Source, entity_guid};
use crate::domain::units::UnixMillis;
use crate::ports::Clock;
use crate::ports::testing::EPOCH;
use crate::sim::newrelic::tests::{Service, account, broker_event, config};
use crate::sim::newrelic::{NewEntity, NewRelicConfig, RelationshipOrigin, StoredEntity, TagFault};

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

fn now(service: &Service) -> UnixMillis {
    service.clock.wall()
}

fn after(service: &Service, seconds: u64) -> UnixMillis {
    service.clock.advance(Duration::from_secs(seconds));
    now(service)
}

/// Posts an event and gives its entity time to appear.
fn report(service: &Service, event: &str) {
    assert_eq!(service.post(event).0, 200);
    service.settle();
}

fn only(service: &Service) -> StoredEntity {
    let mut visible = service.newrelic.visible_entities(now(service));
    assert_eq!(visible.len(), 1);
    visible.remove(0)
}

fn tags(pairs: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    pairs.iter().map(|(key, values)| ((*key).to_owned(), owned(values))).collect()
}

#[test]
fn silence_ends_reporting_and_a_lifetime_ends_the_entity() {
    let service = Service::new(config());
    let event = broker_event(1).replace("1700000000000", "0");
    report(&service, &event);
    let made = only(&service);
    assert!(made.reporting && made.is_alertable());
    assert_eq!(
        (made.reporting_changed_at, made.kind()),
        (made.first_seen, "GENERIC_INFRASTRUCTURE_ENTITY")
    );
    after(&service, 10 * MINUTE);
    let silent = only(&service);
    assert!(!silent.reporting);
    assert_eq!(silent.reporting_changed_at, made.last_seen.plus(Duration::from_secs(600)));
    report(&service, &event);
    let back = only(&service);
    assert!(back.reporting);
    assert_eq!(back.reporting_changed_at, back.last_seen);
    assert_eq!((back.first_seen, back.events), (made.first_seen, 2));
    after(&service, 8 * DAY);
    assert!(service.newrelic.visible_entities(now(&service)).is_empty());
    assert_eq!(service.newrelic.entity(&made.guid, now(&service)), None);
    report(&service, &event);
    assert_eq!(only(&service).events, 1, "made anew");
}

#[test]
fn users_edit_their_own_tags_only() {
    let service = Service::new(config());
    report(&service, &broker_event(7));
    let guid = only(&service).guid;
    let newrelic = &service.newrelic;
    let at = now(&service);
    newrelic
        .add_tags(&guid, &tags(&[("team", &["ship", "pay"]), ("owner", &["ann"])]), at)
        .expect("valid");
    let entity = only(&service);
    assert_eq!(entity.tags["team"], ["pay", "ship"], "the data's value comes first, once");
    assert!(entity.is_mutable("team", "ship") && entity.is_mutable("owner", "ann"));
    assert!(!entity.is_mutable("hostname", "host-7"));
    // Synthesis replaces its own values and leaves those of users.
    report(&service, &broker_event(7).replace("host-7", "host-8"));
    let at = now(&service);
    let entity = only(&service);
    assert_eq!(
        (&*entity.tags["hostname"], &*entity.tags["owner"]),
        (&["host-8".to_owned()][..], &["ann".to_owned()][..])
    );
    // Users cannot delete what data gave.
    newrelic.delete_tag(&guid, "hostname", None, at).expect("known");
    newrelic.delete_tag(&guid, "team", Some("ship"), at).expect("known");
    let entity = only(&service);
    assert_eq!(
        (entity.tags["hostname"].len(), &*entity.tags["team"]),
        (1, &["pay".to_owned()][..])
    );
    newrelic.replace_tags(&guid, &tags(&[("tier", &["1"])]), at).expect("valid");
    let entity = only(&service);
    assert_eq!(entity.user_tags.keys().collect::<Vec<_>>(), ["tier"]);
    assert!(!entity.tags.contains_key("owner"));
    newrelic.delete_tag(&guid, "tier", None, at).expect("known");
    assert!(only(&service).user_tags.is_empty());
}

#[test]
fn bad_edits_of_tags_change_nothing() {
    let service = Service::new(config());
    report(&service, &broker_event(7));
    let guid = only(&service).guid;
    let check = |edit: Vec<(String, Vec<String>)>, expected: Result<(), TagFault>| {
        let at = now(&service);
        assert_eq!(service.newrelic.add_tags(&guid, &edit, at), expected, "{edit:?}");
        let kept = only(&service).user_tags;
        assert_eq!(kept.is_empty(), expected.is_err(), "{edit:?}");
        assert_eq!(service.newrelic.replace_tags(&guid, &[], at), Ok(()));
    };
    let long = |count: usize| "x".repeat(count);
    check(tags(&[("a", &["b"])]), Ok(()));
    check(tags(&[("good", &["b"]), ("", &["b"])]), Err(TagFault::InvalidKey));
    check(tags(&[(&long(128), &["b"])]), Ok(()));
    check(tags(&[(&long(129), &["b"])]), Err(TagFault::InvalidKey));
    check(tags(&[("accountId", &["1"])]), Err(TagFault::InvalidKey));
    check(tags(&[("a", &[&long(256)])]), Ok(()));
    check(tags(&[("a", &[&long(257)])]), Err(TagFault::InvalidValue));
    check(tags(&[("a", &[" "])]), Err(TagFault::InvalidValue));
    let values = |count: usize| vec![("a".to_owned(), (0..count).map(|n| n.to_string()).collect())];
    check(values(100), Ok(()));
    check(values(101), Err(TagFault::TooManyValues));
    let keys = |count: usize| (0..count).map(|n| (format!("k{n}"), vec!["v".to_owned()])).collect();
    check(keys(101), Err(TagFault::TooManyKeys));
    let at = now(&service);
    let unknown = service.newrelic.add_tags("nobody", &tags(&[("a", &["b"])]), at);
    assert_eq!(unknown, Err(TagFault::NotFound));
}

#[test]
fn a_deleted_entity_comes_back_with_data_and_without_its_tags() {
    let service = Service::new(config());
    report(&service, &broker_event(1));
    let guid = only(&service).guid;
    let at = now(&service);
    service.newrelic.add_tags(&guid, &tags(&[("a", &["b"])]), at).expect("valid");
    assert!(service.newrelic.delete_entity(&guid, at));
    assert!(!service.newrelic.delete_entity(&guid, at));
    assert_eq!(service.newrelic.entity(&guid, at), None);
    report(&service, &broker_event(1));
    assert!(only(&service).user_tags.is_empty());
}

#[test]
fn registered_entities_stay_until_they_are_deleted() {
    let service = Service::new(config());
    let new = |name| NewEntity {
        account: account(),
        guid: "dashboard",
        domain: "VIZ",
        entity_type: "DASHBOARD",
        name,
        lifetime: None,
    };
    assert!(service.newrelic.register_entity(new("one"), now(&service)));
    let at = after(&service, 400 * DAY);
    let found = service.newrelic.entity("dashboard", at).expect("there");
    assert!(found.reporting);
    assert_eq!(
        (found.kind(), found.expires_at, found.name.as_str()),
        ("DASHBOARD_ENTITY", None, "one")
    );
    service.newrelic.add_tags("dashboard", &tags(&[("a", &["b"])]), at).expect("valid");
    service.newrelic.register_entity(new("two"), at);
    let found = service.newrelic.entity("dashboard", at).expect("there");
    assert_eq!((found.name.as_str(), found.user_tags.len()), ("two", 1));
    assert!(service.newrelic.delete_entity("dashboard", at));
    assert_eq!(service.newrelic.entity("dashboard", at), None);
    service.newrelic.register_entity(new("three"), at);
    assert!(service.newrelic.entity("dashboard", at).is_some_and(|e| e.user_tags.is_empty()));
}

#[test]
fn relationships_of_users_stand_beside_those_of_data() {
    let service = Service::new(config());
    let guid = |kind: &str| entity_guid(account(), "INFRA", kind, "1", false).expect("a GUID");
    let (a, b) = (&*guid("MESSAGE_QUEUE_CLUSTER"), &*guid("MESSAGE_QUEUE_TOPIC"));
    let event = format!(
        r#"{{"eventType":"MessageQueueRelationship","sourceEntityGuid":"{a}",
        "sourceEntityType":"MESSAGE_QUEUE_CLUSTER","relationshipType":"CONTAINS",
        "targetEntityType":"MESSAGE_QUEUE_TOPIC","targetEntityGuid":"{b}"}}"#
    );
    report(&service, &event);
    let at = now(&service);
    service.newrelic.define_relationship(account(), (a, "CONTAINS", b), at);
    service.newrelic.define_relationship(account(), (a, "CALLS", b), at);
    service.newrelic.define_relationship(account(), ("C", "CALLS", a), at);
    let of = |guid: &str, at: UnixMillis| {
        let found = service.newrelic.relationships_of(guid, at);
        let mut texts: Vec<_> = found
            .iter()
            .map(|r| format!("{} {} {} {:?}", r.source, r.kind, r.target, r.origin))
            .map(|text| text.replace(a, "A").replace(b, "B"))
            .collect();
        texts.sort_unstable();
        texts
    };
    let detected = "A CONTAINS B Detected";
    let defined = "A CONTAINS B UserDefined";
    assert_eq!(of(a, at), ["A CALLS B UserDefined", detected, defined, "C CALLS A UserDefined"]);
    assert_eq!(of(b, at), ["A CALLS B UserDefined", detected, defined]);
    assert_eq!(service.newrelic.undefine_relationship(a, Some("CALLS"), b), 1);
    assert_eq!(of(b, at), [detected, defined]);
    // That of data ends with its lifetime, that of the user stays.
    let at = after(&service, 75 * MINUTE);
    assert_eq!(of(b, at), [defined]);
    assert_eq!(service.newrelic.undefine_relationship(a, None, b), 1);
    assert_eq!(of(b, at), [""; 0]);
    assert_eq!(service.newrelic.undefine_relationship(a, None, b), 0);
    let all = service.newrelic.relationships();
    let detected = all.iter().filter(|known| known.origin == RelationshipOrigin::Detected);
    assert_eq!((all.len(), detected.count()), (2, 1), "every one ever made but those taken back");
}

/// A queue names the application that fills it by its city; nobody instrumented some of them.
fn shop(on_miss: &str) -> Definitions {
    shop_by("tags.city", on_miss)
}

/// A queue names the application that fills it by a property of it.
fn shop_by(property: &str, on_miss: &str) -> Definitions {
    let definition = |kind: &str, event: &str| {
        format!(
            "domain: EXT\ntype: {kind}\nownership:\n  primaryOwner:\n    teamName: \"us\"\n\
             configuration:\n  entityExpirationTime: FOUR_HOURS\nsynthesis:\n  rules:\n  \
             - ruleName: \
             {event}\n    identifier: id\n    name: id\n    encodeIdentifierInGUID: true\n    \
             conditions:\n    - attribute: eventType\n      value: {event}\n    tags:\n      city:\n"
        )
    };
    let candidates = format!(
        "category: SELLER\nlookups:\n- entityTypes: [EXT-SELLER]\n  attributes:\n    matchingMode: \
         ALL\n    predicates:\n    - attributeKeys: [{property}]\n      field: city\n  onMatch: \
         {{onMultipleMatches: RELATE_ALL}}\n  onMiss: {on_miss}\n"
    );
    let rule = r#"relationships:
  - name: sellerFillsQueue
    version: "1"
    origins: [APM Metrics]
    conditions:
      - attribute: eventType
        anyOf: [Queue]
      - attribute: from
        present: true
    relationship:
      expires: PT10M
      relationshipType: PRODUCES
      source:
        lookupGuid:
          candidateCategory: SELLER
          fields:
            - field: city
              attribute: from
      target: {extractGuid: {attribute: entity.guid}}
"#;
    let uninstrumented = "domain: UNINSTRUMENTED\ntype: SELLER\nownership:\n  primaryOwner:\n    \
                          teamName: \"us\"\nconfiguration:\n  entityExpirationTime: FOUR_HOURS\n  \
                          alertable: false\n";
    let files = [
        ("entity-types/uninstrumented-seller/definition.yml", uninstrumented.to_owned()),
        ("entity-types/ext-seller/definition.yml", definition("SELLER", "Seller")),
        ("entity-types/ext-queue/definition.yml", definition("QUEUE", "Queue")),
        ("relationships/candidates/SELLER.yml", candidates),
        ("relationships/synthesis/EXT-SELLER-to-EXT-QUEUE.yml", rule.to_owned()),
    ];
    let sources = files.iter().map(|(path, text)| Source { path, text });
    match Definitions::load(sources) {
        Ok(definitions) => definitions,
        Err(problems) => panic!("{problems:?}"),
    }
}

/// Relationships after a seller in each of `cities` and one queue from Rome have reported.
fn related(definitions: Definitions, cities: &[&str]) -> (Service, Vec<String>) {
    let service = Service::with(config(), definitions);
    for (n, city) in cities.iter().enumerate() {
        report(&service, &format!(r#"{{"eventType":"Seller","id":"s{n}","city":"{city}"}}"#));
    }
    report(&service, r#"{"eventType":"Queue","id":"q","from":"Rome"}"#);
    let at = now(&service);
    let name = |guid: &str| service.newrelic.entity(guid, at).map(|e| e.name).unwrap_or_default();
    let found = service.newrelic.relationships();
    let texts = found.iter().map(|r| format!("{} {} {}", name(&r.source), r.kind, name(&r.target)));
    let texts = texts.collect();
    (service, texts)
}

#[test]
fn rules_of_the_definitions_relate_entities() {
    let nothing = "{action: NO_OP}";
    let (_, texts) = related(shop(nothing), &["Rome", "Oslo", "Rome"]);
    assert_eq!(texts, ["s0 PRODUCES q", "s2 PRODUCES q"]);
    let (service, texts) = related(shop(nothing), &["Oslo"]);
    assert_eq!(texts, [""; 0]);
    // A tag that a user gives is found as well.
    let seller = service.newrelic.visible_entities(now(&service)).remove(0).guid;
    let edit = tags(&[("city", &["Rome"])]);
    service.newrelic.add_tags(&seller, &edit, now(&service)).expect("valid");
    report(&service, r#"{"eventType":"Queue","id":"q","from":"Rome"}"#);
    let found = service.newrelic.relationships_of(&seller, now(&service));
    assert_eq!(found.len(), 1);
    let at = after(&service, 10 * MINUTE);
    assert!(service.newrelic.relationships_of(&seller, at).is_empty(), "it lives ten minutes");
    // An entity whose life is over is not found.
    let (service, texts) = related(shop(nothing), &["Rome"]);
    assert_eq!(texts.len(), 1);
    after(&service, 4 * 3_600);
    report(&service, r#"{"eventType":"Queue","id":"other","from":"Rome"}"#);
    assert_eq!(service.newrelic.relationships().len(), 1);
}

#[test]
fn a_missing_end_is_made_where_the_definitions_say_so() {
    let create = "{action: CREATE_UNINSTRUMENTED, uninstrumented: {type: SELLER}}";
    let (service, texts) = related(shop(create), &["Oslo"]);
    let entities = service.newrelic.visible_entities(now(&service));
    let missing = entities.iter().find(|entity| entity.domain == "UNINSTRUMENTED");
    let missing = missing.expect("made");
    assert_eq!(missing.entity_type, "SELLER");
    assert_eq!(missing.tags["city"], ["Rome"]);
    assert!(!missing.is_alertable());
    assert_eq!(texts, [format!("{} PRODUCES q", missing.name)]);
    let (_, texts) = related(shop(create), &["Rome"]);
    assert_eq!(texts, ["s0 PRODUCES q"]);
}

#[test]
fn what_is_stamped_follows_the_rule() {
    let service = Service::new(NewRelicConfig { ..config() });
    let event = broker_event(3).replace(
        r#""provider":"kafka""#,
        r#""provider":"kafka","entity.name":"mine","entity.type":"mine""#,
    );
    report(&service, &event);
    let stored = service.newrelic.events("MessageQueue").remove(0);
    let guid = only(&service).guid;
    let text = |name: &str| stored.get(name).and_then(|v| v.as_str().map(str::to_owned));
    assert_eq!(text("entity.guid").as_deref(), Some(&*guid));
    assert_eq!(text("entity.name").as_deref(), Some("orders-broker-3"));
    assert_eq!(text("entity.type").as_deref(), Some("MESSAGE_QUEUE_BROKER"));
    let names = stored.attributes.iter().filter(|(name, _)| name.starts_with("entity."));
    assert_eq!(names.count(), 3);
    // A point that names its entity is taken for synthesized already.
    report(&service, &event.replace(r#""provider":"kafka""#, r#""entity.guid":"x""#));
    assert_eq!(only(&service).events, 1);
    assert!(EPOCH < now(&service));
}

#[test]
fn what_has_expired_makes_room() {
    let service = Service::new(NewRelicConfig { entities_max: 2, ..config() });
    let names = |service: &Service| {
        let visible = service.newrelic.visible_entities(now(service));
        visible.into_iter().map(|entity| entity.name).collect::<Vec<_>>()
    };
    let event = |broker: u32| broker_event(broker).replace("1700000000000", "0");
    for broker in [1, 2, 3] {
        report(&service, &event(broker));
    }
    assert_eq!(names(&service), ["orders-broker-1", "orders-broker-2"]);
    assert_eq!(service.newrelic.counters().entities_refused, 1);
    after(&service, 8 * DAY - MINUTE);
    report(&service, &event(2));
    after(&service, MINUTE);
    report(&service, &event(3));
    assert_eq!(names(&service), ["orders-broker-2", "orders-broker-3"], "1 is over");
    assert_eq!(service.newrelic.entities().len(), 2);
}

#[test]
fn relationships_that_have_expired_make_room_and_lookups_still_find() {
    let definitions = shop("{action: NO_OP}");
    let config = NewRelicConfig { entities_max: 4, ..config() };
    let service = Service::with(config, definitions);
    let seller = |id: &str| format!(r#"{{"eventType":"Seller","id":"{id}","city":"Rome"}}"#);
    let queue = |id: &str| format!(r#"{{"eventType":"Queue","id":"{id}","from":"Rome"}}"#);
    let edges = |service: &Service| {
        let known = service.newrelic.relationships();
        let source = |guid: &str| service.newrelic.entity(guid, now(service)).map(|e| e.name);
        known.iter().map(|edge| (source(&edge.source), source(&edge.target))).collect::<Vec<_>>()
    };
    let pair = |from: &str, to: &str| (Some(from.to_owned()), Some(to.to_owned()));
    report(&service, &seller("old"));
    report(&service, &queue("q"));
    assert_eq!(edges(&service), [pair("old", "q")]);
    after(&service, 4 * 3_600);
    // The first one is over: its place is given away, and those behind it move up.
    for event in [seller("a"), seller("b"), seller("c"), queue("q")] {
        report(&service, &event);
    }
    assert_eq!(service.newrelic.entities().len(), 4);
    assert_eq!(edges(&service), [pair("a", "q"), pair("b", "q"), pair("c", "q")]);
}

#[test]
fn dead_tags_make_room_for_others() {
    let mut tags = super::tags::Tags::default();
    let hour = Some(Duration::from_secs(3_600));
    let at = |hours: u64| EPOCH.plus(Duration::from_secs(3_600 * hours));
    for key in 0..300 {
        tags.observe(&format!("k{key}"), "v", at(0), true, hour.filter(|_| key > 0));
    }
    assert_eq!(tags.living(at(0)).len(), 250);
    assert!(!tags.observe("late", "v", at(0), true, None), "all of them live");
    assert!(tags.observe("late", "v", at(2), true, None));
    assert_eq!(tags.living(at(2)).into_keys().collect::<Vec<_>>(), ["k0", "late"]);
}

#[test]
fn rules_find_entities_of_their_type_by_every_property() {
    let seller =
        |n: u32, city: &str| format!(r#"{{"eventType":"Seller","id":"s{n}","city":"{city}"}}"#);
    let check = |property: &str, value: &str, expected: &[&str]| {
        let service = Service::with(config(), shop_by(property, "{action: NO_OP}"));
        for (n, city) in [(0, "Rome"), (1, "Oslo"), (2, "Rome")] {
            report(&service, &seller(n, city));
        }
        // Of another type, with every property that a seller may be looked for by.
        report(&service, r#"{"eventType":"Queue","id":"Rome","city":"Rome"}"#);
        report(&service, r#"{"eventType":"Queue","id":"s1","city":"Rome"}"#);
        let seen = service.newrelic.visible_entities(now(&service));
        let name = |guid: &str| seen.iter().find(|e| *e.guid == *guid).map(|e| e.name.clone());
        let guid = seen.iter().find(|entity| entity.name == "s1").map(|e| e.guid.to_string());
        let value = if value == "guid of s1" { guid.expect("made") } else { value.to_owned() };
        report(&service, &format!(r#"{{"eventType":"Queue","id":"q","from":"{value}"}}"#));
        let found = service.newrelic.relationships();
        let found: Vec<_> = found.iter().filter_map(|edge| name(&edge.source)).collect();
        assert_eq!(found, expected, "{property}");
    };
    check("tags.city", "Rome", &["s0", "s2"]);
    check("tags.city", "rome", &[]);
    check("name", "s1", &["s1"]);
    check("guid", "guid of s1", &["s1"]);
    check("colour", "s1", &[]);
}
