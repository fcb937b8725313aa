//! The reading of whole files: against another reader, and of files full of mistakes.

use std::path::Path;

use gherkin::GherkinEnv;
use proptest::prelude::*;

use super::lines::{Kind, lines};
use super::{Argument, Feature, Scenario, Step, read};

fn never(_: &str) -> bool {
    false
}

fn codes(text: &str) -> Vec<(usize, &'static str)> {
    let (_, problems) = read(text, &|words| words.contains("cluster"));
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    problems.iter().map(|problem| (line(problem.span.start), problem.rule)).collect()
}

#[test]
fn mistakes_are_told_with_their_lines() {
    let check =
        |text: &str, expected: &[(usize, &str)]| assert_eq!(codes(text), expected, "{text}");
    check("", &[(1, "no_feature")]);
    check("Scenario: a\n", &[(1, "no_feature")]);
    check("Featre: a\n", &[(1, "misspelt_keyword"), (1, "empty_feature")]);
    check("# language: de\nFeature: a\n", &[(1, "language"), (2, "empty_feature")]);
    check("Feature: a\nRule: b\n", &[(2, "empty_rule")]);
    check("Feature:\nScenario:\nGiven a\n", &[(1, "no_name"), (2, "no_name")]);
    let feature = |rest: &str| format!("Feature: f\n{rest}");
    let check = |rest: &str, expected: &[(usize, &str)]| check(&feature(rest), expected);
    check("Scenario: a\n", &[(2, "empty_scenario")]);
    check("Scenario: a\nGivn a cluster\n", &[(3, "misspelt_keyword")]);
    check("Scenario: a\na cluster\nThen b\n", &[(3, "no_keyword")]);
    check("Scenario: a\nThe lag grows.\nThen b\n", &[]);
    check("Scenario: a\nGiven b\nThne c\n", &[(4, "misspelt_keyword")]);
    check("Scenario: a\nGiven b\nmore words\n", &[(4, "stray_words")]);
    check("Senario: a\nGiven b\n", &[(2, "misspelt_keyword")]);
    check("Given b\nScenario: a\nThen c\n", &[(2, "stray_step")]);
    check("Scenario: a\nAnd b\n", &[(3, "leading_and")]);
    check("Scenario: a\nGiven\n", &[(3, "empty_step")]);
    check(
        "Scenario: a\nGiven b\n|c|d|\n|1|\n|1|2|3|\n",
        &[(5, "ragged_table"), (6, "ragged_table")],
    );
    check("Scenario: a\nGiven b\n|c|d\n", &[(4, "open_row")]);
    check("Scenario: a\nGiven b\n\"\"\"\nThen c\n", &[(4, "open_quotes")]);
    check("Scenario: a\nGiven b\n@c\n", &[(4, "stray_tag")]);
    check("@c d\nScenario: a\nGiven b\n", &[(2, "no_tag")]);
    check("Scenario Outline: a\nGiven <b>\nExamples:\n|b|\n", &[(4, "empty_examples")]);
    check("Examples:\nScenario: a\nGiven b\n", &[(2, "stray_examples")]);
    check(
        "Scenario: a\nGiven b\nBackground:\nGiven c\n",
        &[(4, "late_background"), (5, "stray_step")],
    );
    check("Background:\nScenario: a\nGiven b\n", &[(2, "empty_scenario")]);
    check("Scenario: a\nGiven b\nFeature: g\n", &[(4, "second_feature")]);
}

/// What both readers know of a step.
fn told(step: &Step) -> (String, String, Option<Vec<Vec<String>>>) {
    let table = match &step.argument {
        Some(Argument::Table(table)) => Some(
            table
                .rows
                .iter()
                .map(|row| row.cells.iter().map(|cell| cell.value.clone()).collect())
                .collect(),
        ),
        _ => None,
    };
    (step.keyword.written().to_owned(), step.text.value.clone(), table)
}

fn other(step: &gherkin::Step) -> (String, String, Option<Vec<Vec<String>>>) {
    let table = step.table.as_ref().map(|table| table.rows.clone());
    (step.keyword.trim().to_owned(), step.value.clone(), table)
}

fn same_scenarios(own: &[Scenario], others: &[gherkin::Scenario]) {
    assert_eq!(own.len(), others.len());
    for (own, theirs) in own.iter().zip(others) {
        assert_eq!(own.name.value, theirs.name);
        let tags: Vec<&str> = own.tags.iter().map(|tag| &tag.value[1..]).collect();
        assert_eq!(tags, theirs.tags);
        let steps: Vec<_> = own.steps.iter().map(told).collect();
        assert_eq!(steps, theirs.steps.iter().map(other).collect::<Vec<_>>());
        let rows: Vec<usize> = own.examples.iter().map(|all| all.table.rows.len()).collect();
        let their_rows = theirs
            .examples
            .iter()
            .map(|all| all.table.as_ref().map_or(0, |table| table.rows.len()));
        assert_eq!(rows, their_rows.collect::<Vec<_>>());
    }
}

/// The tree of a text without mistakes is that of the gherkin crate.
fn same(text: &str) -> Feature {
    let (feature, problems) = read(text, &never);
    assert_eq!(problems, [], "{text}");
    let feature = feature.expect("a feature");
    let theirs = gherkin::Feature::parse(text, GherkinEnv::default()).expect("parses");
    assert_eq!(feature.name.value, theirs.name);
    same_scenarios(&feature.scenarios, &theirs.scenarios);
    assert_eq!(feature.rules.len(), theirs.rules.len());
    for (own, theirs) in feature.rules.iter().zip(&theirs.rules) {
        assert_eq!(own.name.value, theirs.name);
        same_scenarios(&own.scenarios, &theirs.scenarios);
        let background = theirs.background.as_ref().map_or(0, |background| background.steps.len());
        assert_eq!(own.background.len(), background);
    }
    feature
}

#[test]
fn shipped_features_read_the_same_elsewhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("features");
    let files = crate::bdd::suite::files(&folder).expect("readable");
    let scenarios: usize = files
        .iter()
        .map(|file| same(&std::fs::read_to_string(file).expect("readable")).scenarios().count())
        .sum();
    assert!(scenarios > 20, "{scenarios}");
}

fn step_text() -> impl Strategy<Value = String> {
    let keyword = prop::sample::select(vec!["Given", "When", "Then", "And", "But"]);
    let table = prop::option::of((1..4_usize, 1..3_usize));
    (keyword, "[a-z]{1,8}( [a-z\"]{1,6}){0,3}", table).prop_map(|(keyword, words, table)| {
        let rows = table
            .map(|(width, height)| format!("      |{}\n", " x |".repeat(width)).repeat(height));
        format!("    {keyword} {words}\n{}", rows.unwrap_or_default())
    })
}

fn scenario_text() -> impl Strategy<Value = String> {
    (prop::bool::ANY, "[A-Z][a-z ]{1,10}[a-z]", prop::collection::vec(step_text(), 1..5)).prop_map(
        |(is_tagged, name, steps)| {
            let tag = if is_tagged { "  @slow @a-b\n" } else { "" };
            format!("{tag}  Scenario: {name}\n    Given zz\n{}\n", steps.concat())
        },
    )
}

/// Lines of keywords and scraps, in any order.
fn file_text() -> impl Strategy<Value = String> {
    let word = r#"(Feature:|Scenario:|Rule:|Given|Then|\||@|"""|[a-z:<>|]|\x{a0}|\\| )"#;
    prop::string::string_regex(&format!("({word}*\r?\n){{0,20}}")).expect("a pattern")
}

proptest! {
    #[test]
    fn generated_features_read_the_same_elsewhere(
        scenarios in prop::collection::vec(scenario_text(), 1..4),
        rules in prop::collection::vec(prop::collection::vec(scenario_text(), 1..3), 0..3),
    ) {
        let rules = rules.iter().enumerate();
        let rules: String = rules.map(|(n, all)| format!("  Rule: r{n}\n\n{}", all.concat())).collect();
        same(&format!("Feature: f\n\n{}{rules}", scenarios.concat()));
    }

    #[test]
    fn nothing_is_swallowed_and_nothing_breaks(text in file_text()) {
        let (feature, problems) = read(&text, &never);
        prop_assert!(feature.is_some() || !problems.is_empty());
        for problem in &problems {
            prop_assert!(text.get(problem.span.clone()).is_some(), "{:?}", problem);
        }
        if let Some(feature) = feature.filter(|_| problems.is_empty()) {
            let kept: usize = feature.scenarios().map(|(_, scenario)| scenario.steps.len()).sum();
            let rules = feature.rules.iter().map(|rule| rule.background.len());
            let backgrounds = feature.background.len() + rules.sum::<usize>();
            let lines = lines(&text);
            let written = lines.iter().filter(|line| matches!(line.kind, Kind::Step(_))).count();
            prop_assert_eq!(kept + backgrounds, written);
        }
    }
}
