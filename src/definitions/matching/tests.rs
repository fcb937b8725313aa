use proptest::prelude::*;

use super::*;
use crate::definitions::{DashboardTemplate, Expiration, Place, TagRule};
use indexmap::IndexMap;

fn definition(name: &str, rules: Vec<Rule>) -> EntityDefinition {
    EntityDefinition {
        place: Place::default(),
        domain: "INFRA".into(),
        entity_type: name.into(),
        golden_tags: Vec::new(),
        expiration: Expiration::Daily,
        alertable: true,
        owner: "T".into(),
        synthesis_disabled: false,
        rules,
        dashboards: IndexMap::<String, DashboardTemplate>::new(),
        golden_metrics: Default::default(),
        summary_metrics: Default::default(),
        tests: Vec::new(),
    }
}

const NAMES: [&str; 9] = [
    "eventType",
    "metricName",
    "topic",
    "tags.team",
    "instrumentation.provider",
    "label.a",
    "label.",
    "id",
    "entity.guid",
];
const TEXTS: [&str; 7] = ["", "x", "kafka.broker", "kafka", "5", "true", "MessageQueue"];

fn name() -> impl Strategy<Value = String> {
    // `entity.guid` stops everything, so points and rules seldom have it.
    prop_oneof![30 => prop::sample::select(&NAMES[..8]), 1 => Just(NAMES[8])]
        .prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(&TEXTS[..]).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        (name(), text()).prop_map(|(n, t)| Condition::Value(n, t)),
        (name(), text()).prop_map(|(n, t)| Condition::Prefix(n, t)),
        (name(), any::<bool>()).prop_map(|(n, p)| Condition::Present(n, p)),
    ]
}

fn tag() -> impl Strategy<Value = TagRule> {
    let names = prop::collection::vec("[a-c]", 0..3);
    (name(), any::<bool>(), names, any::<bool>()).prop_map(|(attribute, prefix, names, multi)| {
        TagRule {
            attribute,
            is_prefix: prefix,
            names: if prefix { Vec::new() } else { names },
            multi_value: multi,
            ttl: None,
        }
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let identifier = prop_oneof![
        name().prop_map(Identifier::Attribute),
        prop::collection::vec(name(), 0..3)
            .prop_map(|attributes| Identifier::Composite { separator: ":".into(), attributes }),
    ];
    let fragment =
        prop_oneof![name().prop_map(NameFragment::Attribute), text().prop_map(NameFragment::Value)];
    let display = prop_oneof![
        name().prop_map(NamePattern::Attribute),
        prop::collection::vec(fragment, 0..3).prop_map(NamePattern::Composite),
    ];
    let conditions = prop::collection::vec(condition(), 0..4);
    let tags = prop::collection::vec(tag(), 0..4);
    (identifier, display, conditions, tags).prop_map(|(identifier, display, conditions, tags)| {
        Rule {
            name: "r".into(),
            place: Place::default(),
            condition_places: Vec::new(),
            identifier,
            display,
            encode_identifier: true,
            override_guid_type: false,
            debug: false,
            non_standard_attributes: false,
            conditions,
            tags,
        }
    })
}

fn scalar() -> impl Strategy<Value = Scalar<'static>> {
    prop_oneof![
        8 => prop::sample::select(&TEXTS[..]).prop_map(Scalar::Text),
        2 => Just(Scalar::Number(5.0)),
        1 => any::<bool>().prop_map(Scalar::Bool),
        1 => Just(Scalar::Metric),
    ]
}

proptest! {
    /// Matches with their identifiers, names, tags and order.
    #[test]
    fn points_match_what_a_scan_over_all_rules_matches(
        types in prop::collection::vec(prop::collection::vec(rule(), 0..6), 0..6),
        attributes in prop::collection::vec((name(), scalar()), 0..14),
        event_type in prop::sample::select(&TEXTS[..]),
    ) {
        let types = types.into_iter().enumerate();
        let types = types.map(|(n, rules)| definition(&format!("T{n}"), rules)).collect();
        let definitions = Definitions::of(types);
        let attributes: Vec<_> = attributes.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        let point = Point { event_type, attributes: &attributes };
        prop_assert_eq!(definitions.match_point(point), definitions.match_point_by_scan(point));
    }
}

#[test]
fn a_metric_object_is_there_and_has_no_text() {
    let attributes = [
        ("kafka.lag", Scalar::Metric),
        ("metricName", Scalar::Text("kafka.lag")),
        ("id", Scalar::Text("1")),
    ];
    let point = Point { event_type: "Metric", attributes: &attributes };
    let check = |condition: Condition, expected: bool| {
        assert_eq!(holds(&condition, point), expected, "{condition:?}");
    };
    let lag = || "kafka.lag".to_owned();
    check(Condition::Present(lag(), true), true);
    check(Condition::Present(lag(), false), false);
    check(Condition::Value(lag(), String::new()), false);
    check(Condition::Prefix(lag(), "k".into()), false);
}

#[test]
fn a_point_that_matches_nothing_allocates_nothing() {
    let rule = |n: usize| {
        let mut conditions = vec![Condition::Value("eventType".into(), "Metric".into())];
        conditions.push(Condition::Value("provider".into(), format!("p{n}")));
        conditions.push(Condition::Prefix("metricName".into(), format!("m{n}.")));
        Rule {
            name: format!("r{n}"),
            place: Place::default(),
            condition_places: Vec::new(),
            identifier: Identifier::Attribute("id".into()),
            display: NamePattern::Attribute("id".into()),
            encode_identifier: true,
            override_guid_type: false,
            debug: false,
            non_standard_attributes: false,
            conditions,
            tags: Vec::new(),
        }
    };
    let definitions = Definitions::of(vec![definition("T", (0..700).map(rule).collect())]);
    let names: Vec<String> = (0..30).map(|n| format!("attribute.{n}")).collect();
    let mut attributes: Vec<_> =
        names.iter().map(|n| (n.as_str(), Scalar::Text("some text"))).collect();
    attributes.push(("provider", Scalar::Number(1.5)));
    attributes.push(("metricName", Scalar::Text("m12.x")));
    attributes.push(("id", Scalar::Text("x")));
    let point = Point { event_type: "Metric", attributes: &attributes };
    let counted = allocation_counter::measure(|| {
        assert!(definitions.match_point(point).is_empty());
    });
    assert_eq!(counted.count_total, 0);
}
