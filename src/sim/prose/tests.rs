//! Features are read back by the parser of cucumber: every step is there, and nothing is swallowed.

use gherkin::{Feature, GherkinEnv, StepType};
use proptest::prelude::*;

use super::*;
use crate::sim::minimize::differing;
use crate::sim::scenario;

fn load(text: &str) -> Scenario {
    scenario::load("test", text).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn noisy() -> Scenario {
    load(include_str!("../../../fixtures/scenarios/noisy.toml"))
}

fn parse(text: &str) -> Feature {
    Feature::parse(text, GherkinEnv::default()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The only scenario of a feature, after a look that nothing became a description.
fn only(text: &str) -> gherkin::Scenario {
    let feature = parse(text);
    assert_eq!(feature.description, None, "{text}");
    assert!(feature.scenarios.is_empty() && feature.background.is_none(), "{text}");
    let [rule] = &feature.rules[..] else { panic!("not one rule\n{text}") };
    assert_eq!(rule.description, None, "{text}");
    let [scenario] = &rule.scenarios[..] else { panic!("not one scenario\n{text}") };
    assert_eq!(scenario.description, None, "{text}");
    assert!(scenario.examples.is_empty(), "{text}");
    scenario.clone()
}

/// Steps of one kind.
fn of(scenario: &gherkin::Scenario, ty: StepType) -> Vec<&str> {
    scenario.steps.iter().filter(|step| step.ty == ty).map(|step| step.value.as_str()).collect()
}

fn feature(scenario: &Scenario, promise: &str) -> String {
    let comments = ["one".to_owned(), "two\nthree".to_owned()];
    Story { name: "noisy-plan", scenario, promise, comments: &comments }.feature()
}

/// As many steps of each kind as the scenario has something to say.
fn counts(scenario: &Scenario) -> [usize; 3] {
    let limits = differing(scenario).iter().filter(|(path, _)| path[0] == "expect").count();
    let settings = differing(scenario).iter().filter(|(path, _)| path[0] != "sometimes").count();
    [scenario.kafka.len() + settings - limits, scenario.fault.len() + 1, 1 + limits]
}

fn complete(scenario: &Scenario, promise: &str) -> gherkin::Scenario {
    let parsed = only(&feature(scenario, promise));
    let found = [StepType::Given, StepType::When, StepType::Then].map(|ty| of(&parsed, ty).len());
    assert_eq!(found, counts(scenario), "{}", feature(scenario, promise));
    assert!(parsed.steps.iter().all(|step| step.docstring.is_none() && step.table.is_none()));
    parsed
}

#[test]
fn a_feature_reads_like_prose() {
    let text = include_str!("../../../fixtures/scenarios/noisy.toml");
    let scenario = load(&format!("{text}\n[expect]\nloss = 7\n"));
    insta::with_settings!({ snapshot_path => "../../../snapshots/prose", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("noisy", feature(&scenario, "no event is lost"));
    });
    complete(&scenario, "no event is lost");
}

#[test]
fn every_scenario_has_a_feature() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let scenario = load(&std::fs::read_to_string(&path).expect("readable"));
        // What is left to the seed has no feature: promoted runs have everything decided.
        if scenario.swarm.is_some() {
            continue;
        }
        let parsed = complete(&scenario, &scenario.promise);
        let faults = of(&parsed, StepType::When);
        for fault in &scenario.fault {
            let prose = fault.prose();
            let said = faults.iter().any(|step| step.starts_with(&prose));
            assert!(said && !prose.is_empty(), "{path:?}: {prose} of {faults:?}");
        }
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

/// Every setting of the schema, each away from its default, has words of its own.
#[test]
fn settings_have_words() {
    let mut scenario = noisy();
    scenario.fault.clear();
    scenario.kafka.retain(|name, _| name == "orders");
    let usual = serde_json::to_value(scenario.plain()).expect("JSON");
    let mut without_words = Vec::new();
    for table in ["network", "newrelic", "pipeline", "expect", "kafka"] {
        let at = if table == "kafka" { "/kafka/orders".to_owned() } else { format!("/{table}") };
        for (key, value) in usual.pointer(&at).and_then(|table| table.as_object()).expect("a table")
        {
            let Some(other) = other_value(value) else { continue };
            let mut whole = usual.clone();
            whole.pointer_mut(&at).expect("a table")[key] = other;
            let changed: Scenario = serde_json::from_value(whole).expect("a scenario");
            let said = [setting::settings(&changed), setting::limits(&changed)].concat();
            let sizes = ["brokers", "topics", "partitions", "replication", "groups"];
            if table == "kafka" && sizes.contains(&key.as_str()) {
                assert!(said.is_empty(), "{said:?}");
                continue;
            }
            assert_eq!(said.len(), 1, "{table}.{key}: {said:?}");
            if said[0].starts_with("the setting") {
                without_words.push(said[0].clone());
            }
        }
    }
    assert!(without_words.is_empty(), "{without_words:?}");
}

fn other_value(value: &serde_json::Value) -> Option<serde_json::Value> {
    let text = value.as_str().unwrap_or_default();
    if let Some(number) = value.as_u64() {
        return Some((number + 1).into());
    }
    if let Some(number) = value.as_f64() {
        return Some((number * 2.0).into());
    }
    match value {
        serde_json::Value::Bool(is) => Some((!is).into()),
        _ if text.ends_with("ms") => Some("7ms".into()),
        _ if text.parse::<DurationText>().is_ok() => Some("7min".into()),
        _ if text.ends_with('B') => Some("7MiB".into()),
        _ => None,
    }
}

#[test]
fn times_are_words() {
    let check = |millis: u64, expected: &str| {
        assert_eq!(time(DurationText::from_millis(millis)), expected);
    };
    check(250, "250 ms");
    check(1_000, "1 s");
    check(75_010, "75.01 s");
    check(90_000, "90 s");
    check(120_000, "2 min");
    check(3_600_000, "1 h");
}

#[test]
fn titles_name_the_faults() {
    let mut scenario = noisy();
    let title_of = |scenario: &Scenario, count: usize| {
        let mut scenario = scenario.clone();
        scenario.fault.truncate(count);
        title(&scenario)
    };
    assert_eq!(title_of(&scenario, 0), "nothing goes wrong");
    assert_eq!(title_of(&scenario, 1), "latency of pipeline–orders-broker-1");
    assert!(title_of(&scenario, 2).contains(", then New Relic: 429"));
    assert!(title_of(&scenario, 4).ends_with("and one more fault"));
    scenario.fault.truncate(13);
    assert!(title(&scenario).ends_with("and 10 more faults"));
}

/// Texts that a parser may take for something else.
fn texts() -> impl Strategy<Value = String> {
    let keywords = [
        "Given",
        "When ",
        "Then x",
        "* ",
        "Feature:",
        "Scenario:",
        "Rule: a",
        "Examples:",
        "# x",
        "@tag",
        "| a |",
        "\"\"\"",
        "```",
        "Background:",
        "<a>",
        "And",
        "But ",
        "\\",
        "",
    ];
    let keyword = proptest::sample::select(keywords.to_vec());
    (keyword, "\\PC{0,12}", "[\\n\\r\\t ]{0,3}", "\\PC{0,12}")
        .prop_map(|(keyword, one, gap, other)| format!("{one}{gap}{keyword}{other}"))
}

proptest! {
    #[test]
    fn no_text_is_swallowed(promise in texts(), environment in texts(), comment in texts()) {
        let mut scenario = noisy();
        scenario.fault.truncate(3);
        scenario.pipeline.environment.clone_from(&environment);
        let is_said = !one_line(&promise).is_empty();
        let promise = if is_said { promise } else { "nothing breaks".to_owned() };
        let comments = [comment];
        let story = Story { name: "a-b", scenario: &scenario, promise: &promise, comments: &comments };
        let text = story.feature();
        let parsed = only(&text);
        let [given, whens, thens] = [StepType::Given, StepType::When, StepType::Then]
            .map(|ty| of(&parsed, ty));
        prop_assert_eq!([given.len(), whens.len(), thens.len()], counts(&scenario), "{}", text);
        prop_assert_eq!(thens[0], "every check passes");
        prop_assert_eq!(&parse(&text).rules[0].name, &sentence(&promise));
    }
}
