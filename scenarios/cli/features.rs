//! Feature files at the command line.

use std::path::Path;

use libtest_mimic::{Failed, Trial};

use super::{Case, check, command, contains, expect};

const NEWCOMER: &str = "fixtures/features/newcomer";

const CASES: &[Case] = &[
    (
        "features_list",
        &["features", "features/guids.feature", "--list"],
        0,
        &["features/guids.feature:", "GUIDs: A GUID never changes :: The pipeline is killed"],
    ),
    ("features_check", &["features", "features", "--check"], 0, &["scenarios: all right"]),
    (
        "features_of_no_such_tag",
        &["features", "features", "--tags", "@slow and not @slow"],
        2,
        &["no scenario is left to run", "features --list"],
    ),
    (
        "features_of_no_expression",
        &["features", "features", "--tags", "@slow und @regression"],
        2,
        &["is no tag expression", "@a and (@b or @c)"],
    ),
    ("features_of_nothing", &["features", "nowhere"], 3, &["nowhere cannot be read"]),
    (
        "features_run_by_line",
        &["features", "features/entities.feature:23", "--seed", "7"],
        0,
        &["✓ Nothing is counted twice, nothing is left out", "1 scenario passed"],
    ),
    (
        "features_json",
        &["features", "features/entities.feature", "--name", "nothing is", "--format", "json"],
        0,
        &["\"passed\": true", "\"place\": \"features/entities.feature:"],
    ),
    (
        "steps_search",
        &["steps", "broker", "down"],
        0,
        &["When broker {count} of {string} is down from {duration} for {duration}"],
    ),
    ("steps_json", &["steps", "--format", "json"], 0, &["\"keyword\": \"Given\""]),
    ("steps_of_no_such_word", &["steps", "zebra"], 1, &["no step has zebra"]),
];

/// Where the newcomer's files are wrong, and how that is called.
const MISTAKES: [(&str, &str); 26] = [
    ("orders.feature:1:1", "unknown_tag"),
    ("orders.feature:6:5", "misspelt_keyword"),
    ("orders.feature:9:53", "unknown_value"),
    ("orders.feature:13:3", "misspelt_keyword"),
    ("orders.feature:16:10", "unknown_step"),
    ("orders.feature:18:13", "no_then"),
    ("orders.feature:21:13", "same_name"),
    ("orders.feature:23:26", "unknown_value"),
    ("orders.feature:25:3", "empty_scenario"),
    ("orders.feature:28:5", "too_early"),
    ("orders.feature:32:5", "impossible"),
    ("reports.feature:1:1", "language"),
    ("reports.feature:5:10", "unknown_step"),
    ("reports.feature:7:13", "no_then"),
    ("reports.feature:9:5", "open_quotes"),
    ("reports.feature:9:5", "stray_argument"),
    ("traffic.feature:1:10", "same_name"),
    ("traffic.feature:7:74", "unfilled_hole"),
    ("traffic.feature:12:17", "unused_column"),
    ("traffic.feature:18:7", "stray_argument"),
    ("traffic.feature:19:7", "ragged_table"),
    ("traffic.feature:21:3", "retry"),
    ("traffic.feature:23:11", "unknown_step"),
    ("traffic.feature:25:5", "stray_words"),
    ("traffic.feature:33:1", "empty_examples"),
    ("traffic.feature:34:5", "unused_column"),
];

pub fn trials() -> Vec<Trial> {
    let cases =
        CASES.iter().map(|case| Trial::test(format!("cli/{}", case.0), move || check(case)));
    let more = [
        Trial::test("cli/features_of_a_newcomer", newcomer),
        Trial::test("cli/features_that_fail", failing),
    ];
    cases.chain(more).collect()
}

/// Every mistake of a newcomer is told with its place, and nothing else is.
fn newcomer() -> Result<(), Failed> {
    let output = command(&["features", NEWCOMER]).output()?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut found = Vec::new();
    let mut rule = "";
    for line in told.lines() {
        if let Some(code) = line.trim().strip_prefix("shakedown::feature::") {
            rule = code;
        } else if let Some((_, place)) = line.split_once("─[fixtures/features/newcomer/") {
            found.push((place.trim_end_matches(']').to_owned(), rule.to_owned()));
        }
    }
    let expected = MISTAKES.map(|(place, rule)| (place.to_owned(), rule.to_owned()));
    if found != expected {
        return Err(format!("{found:#?}\n{told}").into());
    }
    expect(&output, 3, &["nothing was run", "did you mean `@smoke`?", "write `Scenario: …`"])
}

/// A promise that is not kept: steps, reason, seed, command and card.
fn failing() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("broken.feature");
    std::fs::write(
        &file,
        "Feature: Broken\n  Scenario: Too much is promised\n    Given a Kafka cluster \"a\" with 3 \
         brokers, 1 topics and 1 consumer groups\n    When the simulation runs for 2min\n    Then \
         New Relic holds 99 entities of \"a\"\n    And every check passes\n",
    )?;
    let (name, junit) = (file.display().to_string(), folder.path().join("junit.xml"));
    let (out, junit_name) = (folder.path().display().to_string(), junit.display().to_string());
    let output = command(&["features", &name, "--out", &out, "--junit", &junit_name]).output()?;
    let place = format!("{name}:5:5");
    let again = format!("shakedown features {name}:2 --seed 1");
    let texts = [
        "✗ Then New Relic holds 99 entities",
        "it holds ",
        "· And every",
        &place,
        &again,
        "card: ",
    ];
    expect(&output, 1, &texts)?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let card = told.lines().find_map(|line| line.strip_prefix("card:")).ok_or("no card")?;
    let html = std::fs::read_to_string(Path::new(card.trim()))?;
    contains(&html, &[&again, "Too much is promised"])?;
    contains(&std::fs::read_to_string(junit)?, &["<failure", "holds 99 entities", &again])
}
