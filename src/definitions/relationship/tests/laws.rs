//! Properties: the index changes nothing, damaged files do no harm.

use proptest::prelude::*;

use super::super::conditions::Facts;
use super::super::model::RelationshipTest;
use super::*;
use crate::definitions::{Place, Point, Scalar};

const NAMES: [&str; 6] = ["a", "b", "eventType", "metricName", "metricName__2", "accountId"];
const TEXTS: [&str; 11] =
    ["x", "X", "kafka/Nodes", "Kafka/nodes/é", "Kaſka", "1", "", "İ", "K", "\u{212A}x", "kx"];
const REGEXES: [&str; 9] =
    ["x", "kafka/.*", "^k.*$", "a|x", "(?!x).*", "kx?", r"kaska", r"\d", "(?i)x|1"];

fn condition() -> impl Strategy<Value = RelationshipCondition> {
    let text = || prop::sample::select(&TEXTS[..]).prop_map(str::to_owned);
    let test = prop_oneof![
        any::<bool>().prop_map(RelationshipTest::Present),
        (prop::collection::vec(text(), 1..3), any::<bool>()).prop_map(|(values, case)| {
            RelationshipTest::AnyOf { values, case_sensitive: case }
        }),
        (text(), any::<bool>()).prop_map(|(prefix, case)| {
            RelationshipTest::StartsWith { prefix, case_sensitive: case }
        }),
        (prop::sample::select(&REGEXES[..]), any::<bool>()).prop_map(|(regex, case)| {
            RelationshipTest::Regex(Pattern::new(regex, case).expect("compiles"))
        }),
    ];
    (prop::sample::select(&NAMES[..]), test)
        .prop_map(|(name, test)| RelationshipCondition { attribute: name.to_owned(), test })
}

fn rule_of(number: usize, conditions: Vec<RelationshipCondition>) -> RelationshipRule {
    let end =
        |attribute: &str| Resolver::Extract { attribute: attribute.to_owned(), entity_type: None };
    RelationshipRule {
        name: format!("r{number}"),
        place: Place::default(),
        origins: Vec::new(),
        entitlements: Vec::new(),
        conditions,
        // A type of its own, so that no rule's relationship hides another's.
        relationship_type: format!("T{number}"),
        expires: std::time::Duration::from_secs(600),
        source: end("from"),
        target: end("to"),
    }
}

fn scalar() -> impl Strategy<Value = Scalar<'static>> {
    prop_oneof![
        6 => prop::sample::select(&TEXTS[..]).prop_map(Scalar::Text),
        1 => Just(Scalar::Number(1.0)),
        1 => Just(Scalar::Metric),
    ]
}

proptest! {
    /// The index, folded texts and literal beginnings of expressions change nothing.
    #[test]
    fn rules_apply_exactly_when_every_condition_holds(
        rules in prop::collection::vec(prop::collection::vec(condition(), 0..4), 1..16),
        attributes in prop::collection::vec((prop::sample::select(&NAMES[..]), scalar()), 0..7),
    ) {
        let rules: Vec<_> =
            rules.into_iter().enumerate().map(|(n, conditions)| rule_of(n, conditions)).collect();
        let rules = RelationshipRules::new(rules, Default::default());
        let (from, to) = (guid("X", "1"), guid("Y", "2"));
        let mut attributes = attributes;
        attributes.push(("from", Scalar::Text(&from)));
        attributes.push(("to", Scalar::Text(&to)));
        let point = Point { event_type: "Metric", attributes: &attributes };
        let segments = ["metricName__2".to_owned()];
        let facts = Facts::new(point, None, "1", &segments);
        let expected: Vec<&str> = rules
            .rules()
            .iter()
            .filter(|rule| rule.conditions.iter().all(|c| facts.holds(c) == Ok(true)))
            .map(|rule| rule.name.as_str())
            .collect();
        let found = rules.apply(point, &[], 1, &NoEntities);
        let found: Vec<&str> = found.iter().map(|m| m.rule.name.as_str()).collect();
        prop_assert_eq!(found, expected);
    }

    /// Damaged files are refused or read, never a crash.
    #[test]
    fn damaged_files_never_panic(cut in 0usize..2_000, byte in any::<u8>(), at in 0usize..2_000) {
        let rule = rule(
            "r",
            "[{attribute: a, regex: '(?!x)a'}, {attribute: metricName__2, anyOf: [x]}]",
            "{lookupGuid: {candidateCategory: T, fields: [{field: f, attribute: a}]}}",
            "{buildGuid: {account: {lookup: true}, domain: {value: INFRA}, type: {value: HOST}, \
             identifier: {fragments: [{attribute: id}]}}}",
        );
        let mut text = format!("relationships:\n{rule}").into_bytes();
        text.truncate(cut.max(1));
        let at = at % text.len();
        text[at] = byte;
        let text = String::from_utf8_lossy(&text);
        let files = [(FILE, &*text), ("relationships/candidates/T.yml", &*text)];
        let (rules, _) = load_files(&files, View::Production);
        let point = Point { event_type: "M", attributes: &[("a", Scalar::Text("a"))] };
        rules.apply(point, &[], 1, &NoEntities);
    }
}
