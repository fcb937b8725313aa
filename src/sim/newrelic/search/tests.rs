//! The search language: tables, and the naive filter as its mirror.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[derive(Debug, Clone)]
struct Thing {
    name: String,
    domain: String,
    kind: String,
    account: u64,
    reporting: bool,
    severity: Option<&'static str>,
    tags: BTreeMap<String, Vec<String>>,
}

impl Subject for Thing {
    fn name(&self) -> &str {
        &self.name
    }
    fn domain(&self) -> &str {
        &self.domain
    }
    fn entity_type(&self) -> &str {
        &self.kind
    }
    fn guid(&self) -> &str {
        "Z3VpZA"
    }
    fn account_id(&self) -> String {
        self.account.to_string()
    }
    fn domain_id(&self) -> Option<String> {
        Some("42".to_owned())
    }
    fn alert_severity(&self) -> Option<&str> {
        self.severity
    }
    fn is_alertable(&self) -> bool {
        self.severity.is_some()
    }
    fn is_reporting(&self) -> bool {
        self.reporting
    }
    fn integration_type(&self) -> Option<&str> {
        Some("KAFKA_BROKER")
    }
    fn visit_tags(&self, visit: &mut dyn FnMut(&str, &str)) {
        for (key, values) in &self.tags {
            values.iter().for_each(|value| visit(key, value));
        }
    }
}

fn thing() -> Thing {
    let tag = |key: &str, values: &[&str]| {
        (key.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
    };
    Thing {
        name: "Broker 1 (kafka's)".to_owned(),
        domain: "INFRA".to_owned(),
        kind: "KAFKABROKER".to_owned(),
        account: 1,
        reporting: true,
        severity: None,
        tags: BTreeMap::from([tag("k8s.cluster", &["Eu", "us"]), tag("team", &["a b"])]),
    }
}

/// Search, whether it finds the thing.
const MATCHES: &[(&str, bool)] = &[
    ("", true),
    ("  ", true),
    ("name = 'Broker 1 (kafka\\'s)'", true),
    ("name = \"Broker 1 (kafka's)\"", true),
    ("name = 'broker 1 (kafka\\'s)'", false),
    ("NAME like 'BROKER'", true),
    ("name LIKE 'roker%'", false),
    ("name LIKE '%roker%'", true),
    ("name LIKE 'b%1%)'", true),
    ("name LIKE 'b%1'", false),
    ("name LIKE '%'", true),
    ("name LIKE ''", true),
    ("name LIKE '%s)'", true),
    ("name LIKE 'broker_1%'", false),
    ("name NOT LIKE 'kafka'", false),
    ("name != 'x'", true),
    ("name <> 'x'", true),
    ("domain = 'INFRA' AND type = 'KAFKABROKER'", true),
    ("domain = 'infra'", true),
    ("domain = 'INFRA' AND type = 'KAFKATOPIC'", false),
    ("domainType IN ('APM-APPLICATION', 'INFRA-KAFKABROKER')", true),
    ("domainType in ('a' or 'INFRA-KAFKABROKER')", true),
    ("domainType NOT IN ('INFRA-KAFKABROKER')", false),
    ("type IN ('x')", false),
    ("id = 'Z3VpZA' and guid = 'Z3VpZA'", true),
    ("accountId = 1", true),
    ("accountId IN (2, 1)", true),
    ("accountId = '2'", false),
    ("domainId = '42'", true),
    ("reporting = 'true'", true),
    ("reporting = true", true),
    ("reporting IS TRUE", true),
    ("reporting IS NOT TRUE", false),
    ("reporting = 'false'", false),
    ("alertSeverity IS NULL", true),
    ("alertSeverity IS NOT NULL", false),
    ("alertSeverity = 'CRITICAL'", false),
    ("alertSeverity != 'CRITICAL'", true),
    ("alertable = 'false'", true),
    ("infrastructureIntegrationType = 'KAFKA_BROKER'", true),
    ("tags.team = 'a b'", true),
    ("tags.`k8s.cluster` = 'us'", true),
    ("tags.k8s.cluster = 'us'", true),
    ("`tags.k8s.cluster` = 'us'", true),
    ("tags.'k8s.cluster' = 'us'", true),
    ("tags.`k8s.cluster` IN ('x', 'Eu')", true),
    ("tags.`k8s.cluster` = 'eu'", false),
    ("tags.`k8s.cluster` LIKE 'EU'", true),
    ("tags.`K8s.cluster` = 'us'", false),
    ("tags.none IS NULL", true),
    ("tags.team IS NULL", false),
    ("tags.team IS NOT NULL", true),
    ("tags.none != 'x'", true),
    ("tags.`k8s.cluster` != 'us'", false),
    ("(domain = 'INFRA') AND (type = 'KAFKABROKER' AND (accountId = 1))", true),
    ("(domain = 'INFRA' AND type = 'x')", false),
];

#[test]
fn matches() {
    for (text, expected) in MATCHES {
        let search = parse(text).expect(text);
        assert_eq!(search.matches(&thing(), Options::default()), *expected, "{text}");
    }
}

#[test]
fn tags_match_by_case_unless_told_otherwise() {
    let options = Options { case_sensitive_tags: false };
    for text in ["tags.TEAM = 'A B'", "tags.`K8S.cluster` IN ('EU')", "tags.Team IS NOT NULL"] {
        let search = parse(text).expect(text);
        assert!(search.matches(&thing(), options), "{text}");
        assert!(!search.matches(&thing(), Options::default()), "{text}");
    }
}

/// Text, what is wrong with it.
const ERRORS: &[(&str, &str)] = &[
    ("name", "unexpected the end, expected =, !=, LIKE, IN or IS (position 5)"),
    ("name =", "unexpected the end, expected a text in single quotes (position 7)"),
    ("name = 'x", "no closing ' (position 8)"),
    ("nam = 'x'", "unknown field 'nam' (position 1)"),
    ("= 'x'", "unexpected '=', expected a field (position 1)"),
    (
        "name = 'x' OR name = 'y'",
        "unexpected 'OR', expected AND; alternatives of a field are written IN ('a', 'b') \
         (position 12)",
    ),
    ("name = 'x' AND", "unexpected the end, expected a field (position 15)"),
    ("name IN 'x'", "unexpected text 'x', expected '(' (position 9)"),
    ("name IN ()", "unexpected ')', expected a text in single quotes (position 10)"),
    ("name IN ('x' 'y')", "unexpected text 'y', expected ',' or ')' (position 14)"),
    ("name NOT = 'x'", "unexpected '=', expected LIKE or IN (position 10)"),
    ("name IS 'x'", "unexpected text 'x', expected NULL (position 9)"),
    ("tags. = 'x'", "unexpected '=', expected a tag key in back-quotes (position 7)"),
    ("tags.`a", "no closing ` (position 6)"),
    ("(name = 'x'", "unexpected the end, expected AND or ')' (position 12)"),
    ("name = 'x')", "unexpected ')', expected AND (position 11)"),
    ("name > 'x'", "unexpected character '>' (position 6)"),
    ("né = 'x' ; ", "unexpected character ';' (position 10)"),
];

#[test]
fn errors() {
    for (text, message) in ERRORS {
        let error = parse(text).expect_err(text);
        let expected = format!("Invalid entity search query: {message}");
        assert_eq!(error.to_string(), expected, "{text}");
    }
}

#[test]
fn bounded() {
    let deep = format!("{}name = 'x'{}", "(".repeat(33), ")".repeat(33));
    let fits = format!("{}name = 'x'{}", "(".repeat(32), ")".repeat(32));
    let list = |count: usize| format!("name IN ({})", vec!["'x'"; count].join(","));
    let conditions = |count: usize| vec!["name = 'x'"; count].join(" AND ");
    let long = format!("name = '{}'", "x".repeat(16 * 1024));
    for (text, passes) in [
        (fits, true),
        (deep, false),
        (list(1_000), true),
        (list(1_001), false),
        (conditions(500), true),
        (conditions(501), false),
        (long, false),
    ] {
        assert_eq!(parse(&text).is_ok(), passes, "{}", &text[..40]);
    }
    let unclosed = "(".repeat(10_000);
    assert!(parse(&unclosed).is_err());
}

#[test]
fn builders() {
    let cases = [
        (json!({}), ""),
        (json!({"name": "it's"}), "name LIKE 'it\\'s'"),
        (
            json!({"domain": "INFRA", "type": "HOST", "reporting": false, "alertable": true,
                "alertSeverity": "CRITICAL", "infrastructureIntegrationType": "KAFKA_TOPIC",
                "tags": [{"key": "a`b", "value": "c"}]}),
            "domain = 'INFRA' AND type = 'HOST' AND infrastructureIntegrationType = 'KAFKA_TOPIC' \
             AND alertSeverity = 'CRITICAL' AND reporting = 'false' AND alertable = 'true' AND \
             tags.`ab` = 'c'",
        ),
    ];
    for (builder, expected) in cases {
        let text = text_of_builder(&builder);
        assert_eq!(text, expected);
        assert!(parse(&text).is_ok(), "{text}");
    }
}

/// A condition and what it means, written twice.
#[derive(Debug, Clone)]
enum Wish {
    Name(String),
    NameLike(String),
    Type(Vec<String>, bool),
    Tag(String, String, bool),
    NoTag(String),
    Reporting(bool),
}

impl Wish {
    fn text(&self) -> String {
        match self {
            Self::Name(name) => format!("name = '{name}'"),
            Self::NameLike(part) => format!("name LIKE '%{part}%'"),
            Self::Type(types, yes) => {
                let list: Vec<_> = types.iter().map(|t| format!("'{t}'")).collect();
                let not = if *yes { "" } else { "NOT " };
                format!("type {not}IN ({})", list.join(", "))
            }
            Self::Tag(key, value, yes) => {
                format!("tags.`{key}` {} '{value}'", if *yes { "=" } else { "!=" })
            }
            Self::NoTag(key) => format!("tags.{key} IS NULL"),
            Self::Reporting(yes) => format!("reporting = '{yes}'"),
        }
    }

    fn holds(&self, thing: &Thing) -> bool {
        match self {
            Self::Name(name) => thing.name == *name,
            Self::NameLike(part) => thing.name.contains(part),
            Self::Type(types, yes) => types.contains(&thing.kind) == *yes,
            Self::Tag(key, value, yes) => {
                thing.tags.get(key).is_some_and(|values| values.contains(value)) == *yes
            }
            Self::NoTag(key) => !thing.tags.contains_key(key),
            Self::Reporting(yes) => thing.reporting == *yes,
        }
    }
}

fn wishes() -> impl Strategy<Value = Wish> {
    let word = "[ab]{1,2}";
    prop_oneof![
        word.prop_map(Wish::Name),
        word.prop_map(Wish::NameLike),
        (prop::collection::vec("[XY]", 1..3), any::<bool>()).prop_map(|(t, y)| Wish::Type(t, y)),
        ("[kl]", word, any::<bool>()).prop_map(|(k, v, y)| Wish::Tag(k, v, y)),
        "[kl]".prop_map(Wish::NoTag),
        any::<bool>().prop_map(Wish::Reporting),
    ]
}

fn things() -> impl Strategy<Value = Thing> {
    let tags = prop::collection::btree_map("[kl]", prop::collection::vec("[ab]{1,2}", 1..3), 0..3);
    ("[ab]{1,3}", "[XY]", any::<bool>(), tags).prop_map(|(name, kind, reporting, tags)| Thing {
        name,
        kind,
        reporting,
        tags,
        ..thing()
    })
}

proptest! {
    /// A search finds what the naive filter finds.
    #[test]
    fn a_search_is_a_filter(
        things in prop::collection::vec(things(), 0..20),
        wishes in prop::collection::vec(wishes(), 0..4),
    ) {
        let text: Vec<_> = wishes.iter().map(Wish::text).collect();
        let search = parse(&text.join(" AND ")).expect("well formed");
        for thing in &things {
            let naive = wishes.iter().all(|wish| wish.holds(thing));
            prop_assert_eq!(search.matches(thing, Options::default()), naive);
        }
    }

    /// Whatever the text, there is an answer.
    #[test]
    fn any_text_is_answered(text in ".{0,60}") {
        let _ = parse(&text);
    }

    /// Whatever the words, there is an answer whose position lies in the text or behind it.
    #[test]
    fn any_words_are_answered(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "name", "tags.", "`k`", "'v'", "=", "!=", "IN", "(", ")", ",", "AND", "OR", "NOT",
                "LIKE", "IS", "NULL", "5",
            ]),
            0..12,
        ),
    ) {
        let text = words.join(" ");
        if let Err(error) = parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.position), "{}", error);
        }
    }
}
