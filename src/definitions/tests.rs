//! Loading, its complaints, and matching.

use proptest::prelude::*;

use super::*;

const OWNER: &str = "ownership: {primaryOwner: {teamName: T}}\n";

fn load(definition: &str) -> Result<Definitions, Vec<DefinitionError>> {
    let text = format!("domain: INFRA\ntype: THING\n{OWNER}{definition}");
    Definitions::load([Source { path: "types/infra-thing/definition.yml", text: &text }])
}

/// A definition of one rule; `body` is indented by four spaces in the rule.
fn rule(body: &str) -> String {
    format!("synthesis:\n  rules:\n  - ruleName: r\n{body}")
}

const RULE: &str = "    identifier: id\n    name: name\n    conditions: [{attribute: a}]\n";

#[test]
fn a_dashboard_of_two_providers_is_read_once() {
    let definition = format!(
        "domain: INFRA\ntype: THING\n{OWNER}dashboardTemplates:\n  a: {{template: d-dashboard.json}}\n  \
         b/c: {{template: d-dashboard.json}}\n"
    );
    let sources = |dashboard: &'static str| {
        Definitions::load([
            Source { path: "types/infra-thing/definition.yml", text: &definition },
            Source { path: "types/infra-thing/d-dashboard.json", text: dashboard },
        ])
    };
    let sound = sources(r#"{"name": "d", "pages": [{"name": "p", "widgets": []}]}"#);
    assert!(sound.is_ok(), "{sound:?}");
    let errors = sources(r#"{"name": "d", "pages": []}"#).expect_err("no page");
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn units_of_public_files_are_known() {
    let definition = format!("domain: INFRA\ntype: THING\n{OWNER}");
    let errors = |unit: &str| {
        let golden = format!("a:\n  title: A\n  unit: {unit}\n  query: {{select: max(a)}}\n");
        let loaded = Definitions::load([
            Source { path: "types/infra-thing/definition.yml", text: &definition },
            Source { path: "types/infra-thing/golden_metrics.yml", text: &golden },
        ]);
        loaded.err().unwrap_or_default().len()
    };
    assert_eq!(["NUMBER", "COUNT", "MS"].map(errors), [0; 3]);
    assert_eq!(errors("NUMBERS"), 1);
}

#[test]
fn errors_name_place_problem_and_fix() {
    let check = |definition: &str, expected: &str| {
        let errors = load(definition).expect_err(definition);
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(texts.join("\n"), expected, "{definition}");
    };
    let file = "types/infra-thing/definition.yml";
    check(
        &rule(&RULE.replace("conditions", "condition")),
        &format!(
            "{file}:6:5: key `conditions` is missing; add `conditions:`\n\
             {file}:9:5: unknown key `condition`; did you mean `conditions`?"
        ),
    );
    check(
        &rule("    identifier: id\n    name: name\n"),
        &format!("{file}:6:5: key `conditions` is missing; add `conditions:`"),
    );
    check(
        &rule(&RULE.replace("identifier: id", "encodeIdentifierInGUID: true")),
        &format!(
            "{file}:6:15: a rule takes exactly one of identifier and compositeIdentifier; \
             give one of them"
        ),
    );
    check(
        &rule(&RULE.replace("name: name", "name: name\n    compositeName: {fragments: []}")),
        &format!(
            "{file}:6:15: a rule takes exactly one of name and compositeName; give one of them"
        ),
    );
    check(
        &rule(&RULE.replace("{attribute: a}", "{attribute: a, value: x, prefix: y}")),
        &format!(
            "{file}:9:18: condition on `a` tests several things; \
             give one of value, prefix, present"
        ),
    );
    check(
        &rule(&RULE.replace("[{attribute: a}]", "[]")),
        &format!("{file}:6:15: rule `r` has 0 conditions; give 1 to 10"),
    );
    check(
        &rule(&format!("{RULE}    tags:\n      x: {{ttl: PT3H}}\n")),
        &format!(
            "{file}:11:16: ttl `PT3H` of tag `x`; write an ISO-8601 duration of at least PT4H"
        ),
    );
    check(
        &rule(&format!("{RULE}  - ruleName: r\n{RULE}")),
        &format!("{file}:10:15: rule name `r` is used at {file}:6:15 already; choose another name"),
    );
    check(
        "configuration: {entityExpirationTime: WEEKLY}\n",
        &format!(
            "{file}:4:39: unknown expiration time `WEEKLY`; \
             use one of FOUR_HOURS, DAILY, EIGHT_DAYS, QUARTERLY, MANUAL"
        ),
    );
    check("alertable: true\n", &{
        let known = "domain, type, goldenTags, configuration, ownership, synthesis, \
                     dashboardTemplates";
        format!("{file}:4:1: unknown key `alertable`; known here: {known}")
    });
}

#[test]
fn names_and_folders_are_checked() {
    let check = |path: &str, domain: &str, kind: &str, expected: &[&str]| {
        let text = format!("domain: {domain}\ntype: {kind}\n{OWNER}");
        let errors = match Definitions::load([Source { path, text: &text }]) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|e| e.problem).collect(),
        };
        assert_eq!(errors, expected, "{path}");
    };
    check("x/infra-thing/definition.yml", "INFRA", "THING", &[]);
    check("infra-na/definition.yml", "INFRA", "NA", &[]);
    check(
        "x/infra-other/definition.yml",
        "INFRA",
        "THING",
        &["folder `infra-other` does not belong to INFRA-THING"],
    );
    check("infra-thing/definition.yml", "infra", "THING", &["domain `infra`"]);
    check("infra-th/definition.yml", "INFRA", "TH", &["type `TH`"]);
}

#[test]
fn broken_yaml_and_json_have_a_place() {
    let errors = load("synthesis: [\n").expect_err("unclosed");
    assert!(errors[0].place.line >= 4, "{:?}", errors[0]);
    let definition = format!("domain: INFRA\ntype: THING\n{OWNER}");
    let sources = [
        Source { path: "infra-thing/definition.yml", text: &definition },
        Source { path: "infra-thing/tests/X.json", text: "[\n{]" },
    ];
    let errors = Definitions::load(sources).expect_err("broken JSON");
    assert_eq!(
        (errors[0].place.line, errors[0].place.file.as_str()),
        (2, "infra-thing/tests/X.json")
    );
}

#[test]
fn golden_and_summary_metrics_are_checked_together() {
    let definition = format!("domain: INFRA\ntype: THING\n{OWNER}");
    let check = |golden: &str, summary: &str, expected: &[&str]| {
        let sources = [
            Source { path: "infra-thing/definition.yml", text: &definition },
            Source { path: "infra-thing/golden_metrics.yml", text: golden },
            Source { path: "infra-thing/summary_metrics.yml", text: summary },
        ];
        let errors = match Definitions::load(sources) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|e| e.problem).collect(),
        };
        assert_eq!(errors, expected);
    };
    let golden = "cpu:\n  title: CPU\t\n  unit: PERCENTAGE\n  queries:\n    newRelic:\n      \
                  select: average(cpu)\t\n";
    let summary = "cpu: {goldenMetric: cpu, title: CPU, unit: PERCENTAGE}\n\
                   env: {tag: {key: environment}, title: Environment, unit: STRING}\n";
    check(golden, summary, &[]);
    check(
        golden,
        &summary.replace("goldenMetric: cpu", "goldenMetric: mem"),
        &["`cpu` names the unknown golden metric `mem`"],
    );
    check(
        golden,
        &summary.replace("STRING", "TEXT"),
        &["metric `env` has the unknown unit `TEXT`"],
    );
    check(
        golden,
        "cpu: {title: CPU, unit: COUNT}",
        &["`cpu` takes exactly one of goldenMetric and tag"],
    );
    let many: String = (0..11)
        .map(|n| format!("m{n}: {{title: T, queries: {{newRelic: {{select: count(*)}}}}}}\n"))
        .collect();
    check(&many, summary, &["11 golden metrics", "`cpu` names the unknown golden metric `cpu`"]);
    check(golden, "{}", &["no summary metric"]);
}

#[test]
fn a_golden_query_is_the_one_that_new_relic_runs() {
    let query = MetricQuery {
        select: "average(`broker.cpu.usage`)".into(),
        from: "MessageQueue".into(),
        filter: Some("a = 1 OR b = 2".into()),
        event_id: "entityGuid".into(),
        event_name: "displayName".into(),
        facet: None,
    };
    assert_eq!(
        query.nrql("G"),
        "SELECT average(`broker.cpu.usage`) FROM MessageQueue WHERE entityGuid IN ('G') \
         AND (a = 1 OR b = 2) TIMESERIES"
    );
    let default = MetricQuery { event_id: "entity.guid".into(), filter: None, ..query };
    let expected = "WHERE `entity.guid` IN ('G') TIMESERIES";
    assert!(default.nrql("G").ends_with(expected));
}

/// Matches as `identifier|name`.
fn matches(definition: &str, attributes: Attributes<'_>) -> Vec<String> {
    let definitions = load(definition).expect("valid");
    let point = Point { event_type: "Sample", attributes };
    let matches = definitions.match_point(point);
    matches.iter().map(|m| format!("{}|{}", m.identifier, m.name)).collect()
}

#[test]
fn conditions_follow_the_documented_semantics() {
    use Scalar::{Bool, Number, Text};
    let check = |condition: &str, value: Option<Scalar<'_>>, expected: bool| {
        let definition = rule(&RULE.replace("{attribute: a}", condition));
        let mut attributes = vec![("id", Text("i")), ("name", Text("n"))];
        attributes.extend(value.map(|value| ("a", value)));
        let got = !matches(&definition, &attributes).is_empty();
        assert_eq!(got, expected, "{condition} {value:?}");
    };
    check("{attribute: a}", Some(Text("x")), true);
    check("{attribute: a}", None, false);
    check("{attribute: a, present: true}", Some(Text("x")), true);
    check("{attribute: a, present: true}", Some(Text("")), false);
    check("{attribute: a, present: false}", None, true);
    check("{attribute: a, present: false}", Some(Number(0.0)), false);
    check("{attribute: a, value: Kafka}", Some(Text("Kafka")), true);
    check("{attribute: a, value: Kafka}", Some(Text("kafka")), false);
    check("{attribute: a, value: Kafka}", None, false);
    check("{attribute: a, value: '5'}", Some(Number(5.0)), true);
    check("{attribute: a, value: '5'}", Some(Number(5.5)), false);
    check("{attribute: a, value: 'true'}", Some(Bool(true)), true);
    check("{attribute: a, prefix: kafka.}", Some(Text("kafka.broker")), true);
    check("{attribute: a, prefix: kafka.}", Some(Text("a.kafka.broker")), false);
    check("{attribute: eventType, value: Sample}", None, true);
    check("{attribute: eventType, value: Other}", None, false);
}

#[test]
fn own_event_type_wins_and_synthesized_points_are_left_alone() {
    use Scalar::Text;
    let definition = rule(&RULE.replace("{attribute: a}", "{attribute: eventType, value: Sample}"));
    let base = [("id", Text("i")), ("name", Text("n"))];
    assert_eq!(matches(&definition, &base), ["i|n"]);
    let own = [base[0], base[1], ("eventType", Text("CloudTrail"))];
    assert!(matches(&definition, &own).is_empty());
    let done = [base[0], base[1], ("entity.guid", Text("x"))];
    assert!(matches(&definition, &done).is_empty());
}

#[test]
fn identifier_and_name_must_be_there() {
    use Scalar::{Number, Text};
    let single = rule(RULE);
    let a = ("a", Text("x"));
    assert_eq!(matches(&single, &[a, ("id", Number(7.0)), ("name", Text("n"))]), ["7|n"]);
    assert!(matches(&single, &[a, ("id", Text("")), ("name", Text("n"))]).is_empty());
    assert!(matches(&single, &[a, ("id", Text("i"))]).is_empty());

    let composite = rule(
        "    compositeIdentifier: {separator: ':', attributes: [x, y]}\n    compositeName:\n      \
         fragments: [{value: 'B '}, {attribute: x}, {value: '!'}]\n    \
         conditions: [{attribute: a}]\n",
    );
    let (x, y) = (("x", Number(1.0)), ("y", Text("c")));
    assert_eq!(matches(&composite, &[a, y, x]), ["1:c|B 1!"]);
    assert!(matches(&composite, &[a, x]).is_empty());
}

#[test]
fn tags_are_renamed_prefixed_and_completed() {
    use Scalar::Text;
    let definition = format!(
        "{}  tags:\n    common:\n    x: {{entityTagName: shadowed}}\n",
        rule(&format!(
            "{RULE}    tags:\n      plain:\n      x: {{entityTagNames: [y, z], multiValue: false, \
             ttl: P1D}}\n      absent:\n    prefixedTags:\n      label.: {{ttl: PT4H}}\n"
        ))
    );
    let definitions = load(&definition).expect("valid");
    let attributes = [
        ("a", Text("1")),
        ("id", Text("i")),
        ("name", Text("n")),
        ("plain", Text("p")),
        ("x", Text("v")),
        ("common", Text("c")),
        ("label.env", Text("prod")),
        ("label.", Text("nameless")),
        ("tags.team", Text("pay")),
        ("instrumentation.provider", Text("kafka")),
    ];
    let found = definitions.match_point(Point { event_type: "S", attributes: &attributes });
    let tags: Vec<String> = found[0]
        .tags
        .iter()
        .map(|tag| {
            let hours = tag.ttl.map_or(0, |ttl| ttl.as_secs() / 3_600);
            format!("{}={} {} {hours}", tag.key, tag.value, tag.multi_value)
        })
        .collect();
    assert_eq!(
        tags,
        [
            "plain=p true 0",
            "y=v false 24",
            "z=v false 24",
            "env=prod true 4",
            "common=c true 0",
            "team=pay true 0",
            "instrumentation.provider=kafka true 0",
        ]
    );
}

#[test]
fn a_point_may_match_several_rules() {
    let second = RULE.replace("identifier: id", "identifier: a");
    let definition = rule(&format!("{RULE}  - ruleName: s\n{second}"));
    let attributes =
        [("a", Scalar::Text("1")), ("id", Scalar::Text("i")), ("name", Scalar::Text("n"))];
    assert_eq!(matches(&definition, &attributes), ["i|n", "1|n"]);
}

/// Every test point of our own definitions makes exactly one entity, of the folder's own type,
/// whose GUID is the one that the sender wrote into the point.
#[test]
fn our_definitions_pass_their_own_test_data() {
    let definitions = builtin();
    assert_eq!(definitions.definitions().len(), 5);
    let mut points = 0;
    for definition in definitions.definitions() {
        assert!(!definition.golden_metrics.is_empty() && !definition.summary_metrics.is_empty());
        for test in &definition.tests {
            for point in &test.points {
                points += 1;
                let attributes: Vec<(&str, Scalar<'_>)> = point
                    .iter()
                    .map(|(name, value)| match value {
                        serde_json::Value::String(text) => (name.as_str(), Scalar::Text(text)),
                        value => {
                            let number = value.as_f64().expect("flat text and numbers");
                            (name.as_str(), Scalar::Number(number))
                        }
                    })
                    .collect();
                let event = Point { event_type: &test.event_type, attributes: &attributes };
                let found = definitions.match_point(event);
                assert_eq!(found.len(), 1, "{}: {point:?}", test.file);
                assert_eq!(found[0].definition.entity_type, definition.entity_type);
                let guid = found[0].guid(1_234_567u64).expect("32 hexadecimal digits");
                assert_eq!(Some(guid.as_str()), point["entityGuid"].as_str());
            }
        }
    }
    assert!(points >= 7, "{points} points");
}

#[test]
fn problems_of_metrics_have_a_line() {
    let definition = format!("domain: INFRA\ntype: THING\n{OWNER}");
    let sources = [
        Source { path: "infra-thing/definition.yml", text: &definition },
        Source {
            path: "infra-thing/golden_metrics.yml",
            text: "\n\ncpu:\n  title: CPU\n  unit: FURLONGS\n  queries: {}\n",
        },
    ];
    let errors = Definitions::load(sources).expect_err("two problems");
    let places: Vec<_> = errors.iter().map(|error| error.place.to_string()).collect();
    let file = "infra-thing/golden_metrics.yml";
    assert_eq!(places, [format!("{file}:4:3"), format!("{file}:5:9")]);
}

#[test]
fn an_alias_bomb_is_an_error() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let previous = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", previous.trim_end_matches(", ")));
    }
    assert!(load(&format!("goldenTags: *a11\n{text}")).is_err());
    assert!(load(&format!("{text}goldenTags: *a11\n")).is_err());
}

/// Every kind of problem that a set of files can have has its example in fixtures/definitions_bad.
#[test]
fn every_kind_of_problem_is_found() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/definitions_bad");
    let (mut folders, mut files) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).expect("text");
                files.push((path.display().to_string(), text));
            }
        }
    }
    let sources = || files.iter().map(|(path, text)| Source { path, text });
    let (set, problems) = Definitions::check(sources(), View::Production);
    let mut codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let expected = "condition-count condition-empty condition-kinds condition-twice \
        dashboard-pages dashboard-permissions definition-missing disabled-rules domain-name \
        expiration file-unknown file-unused folder-name fragment golden-tag golden-tag-twice \
        golden-unknown identifier-long identifier-parts json key-twice layout layout-overlap \
        metric-count metric-name missing-key missing-value owner query-empty query-form \
        query-missing rule-broad rule-choice rule-conflict rule-form rule-name rule-name-twice \
        rule-never rule-overlap rules-missing summary-choice tag-ttl template-missing \
        template-name test-empty test-file-name test-nested test-null tests-missing \
        tests-useless type type-name type-twice uninstrumented uninstrumented-missing unit \
        unknown-key visualization widget-account widget-linked widget-query widget-source yaml";
    assert_eq!(codes.join(" "), expected);
    // What is bad is left out, the rest serves.
    assert!(set.get("EXT", "METRICS").is_some_and(|one| one.golden_metrics.len() == 6));
    assert!(set.get("EXT", "RULE_NAMELESS").is_some_and(|one| one.rules.len() == 1));
    assert!(set.get("EXT", "CONDITIONS").is_some_and(|one| one.rules.is_empty()));
    let (_, errors) = Definitions::load_lenient(sources(), View::Production);
    let is_error = |problem: &&DefinitionError| problem.severity == Severity::Error;
    assert_eq!(errors.len(), problems.iter().filter(is_error).count());
}

proptest! {
    /// Whatever a file holds, loading it ends with definitions or with complaints.
    #[test]
    fn damaged_files_never_panic(
        file in 0..BUILTIN.len(),
        cut in any::<prop::sample::Index>(),
        insert in ".{0,8}",
        remove in 0usize..20,
    ) {
        let (path, text) = BUILTIN[file];
        let mut characters: Vec<char> = text.chars().collect();
        let at = cut.index(characters.len());
        let end = (at + remove).min(characters.len());
        characters.splice(at..end, insert.chars());
        let damaged: String = characters.into_iter().collect();
        let sources = BUILTIN.iter().map(|(known, whole)| Source {
            path: known,
            text: if *known == path { &damaged } else { whole },
        });
        if let Err(errors) = Definitions::load(sources) {
            prop_assert!(!errors.is_empty());
            prop_assert!(errors.iter().all(|e| !e.problem.is_empty() && !e.fix.is_empty()));
        }
    }
}
