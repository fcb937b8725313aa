//! Files full of mistakes, outlines, and what becomes of trials.

use std::path::Path;

use super::{Catalogue, SEED, StepStatus, Suite, Tags};
use crate::sim::prose::Story;
use crate::sim::scenario::{self, Scenario};
use crate::sim::seed::Seed;
use crate::sim::swarm;

fn suite(text: &str) -> Suite {
    let mut suite = Suite::default();
    suite.add(&Catalogue::new().unwrap(), &Tags::default(), "f.feature", text);
    suite
}

/// Rules of the problems of a feature that has a cluster and these lines, which count from the
/// second one, and all that is said.
fn problems(lines: &str) -> (Vec<String>, String) {
    let cluster = "Given a Kafka cluster \"a\" with 3 brokers, 1 topics and 1 consumer groups";
    let suite = suite(&format!("Feature: F\nBackground:\n{cluster}\n{lines}"));
    let found = suite.problems.iter().flat_map(|file| file.problems());
    let codes = found.map(|problem| {
        let code = problem.code().trim_start_matches("shakedown::feature::");
        let (line, column) = problem.line_and_column();
        format!("{}:{column} {code}", line - 2)
    });
    let said = suite.problems.iter().map(|file| file.render(false)).collect();
    (codes.collect(), said)
}

const RUN: &str = "When the simulation runs for 2min";
const CHECKS: &str = "Then every check passes";

/// A feature with these lines has these problems, and its report these words.
fn told(lines: &[&str], expected: &[&str], words: &str) {
    let (codes, said) = problems(&format!("{}\n", lines.join("\n")));
    assert_eq!(codes, expected, "{said}");
    assert!(said.contains(words), "{said} lacks {words}");
}

#[test]
fn a_file_that_would_prove_nothing_is_an_error() {
    const NAME: &str = "Scenario: S";
    told(&[NAME, RUN], &["2:11 no_then"], "cannot fail");
    told(&[NAME, CHECKS], &["3:1 too_early"], "nothing has run");
    let late = "And the mode becomes hybrid after 1min";
    told(&[NAME, RUN, late, CHECKS], &["4:1 too_late"], "changes nothing");
    told(&[NAME, RUN, RUN, CHECKS], &["4:1 second_run"], "once");
    let short = "When the simulation runs for 1min";
    told(&[NAME, short, CHECKS], &["3:1 impossible"], "set duration to 105s or more");
    told(&["@slwo", NAME, RUN, CHECKS], &["2:1 unknown_tag"], "did you mean `@slow`?");
    told(&["@retry(2)", NAME, RUN, CHECKS], &["2:1 retry"], "seed");
    let twice = [NAME, RUN, CHECKS, NAME, RUN, CHECKS];
    told(&twice, &["5:11 same_name"], "reports tell scenarios apart");
    told(&[NAME, RUN, "|a|", CHECKS], &["4:1 stray_argument"], "takes no table");
}

#[test]
fn a_step_that_is_none_is_answered_with_what_was_meant() {
    let check = |step: &str, expected: &str, words: &str| {
        told(&["Scenario: S", step, RUN, CHECKS], &[expected], words);
    };
    check(
        "Given a Kafka clutser \"a\" with 3 brokers, 1 topics and 0 consumer groups",
        "3:7 unknown_step",
        "Given a Kafka cluster {string} with {count} broker(s)",
    );
    check(
        "Then the pipeline collects every 5s",
        "3:6 unknown_step",
        "this is a step of `Given`, not of `Then`",
    );
    check(
        "Given the pipeline collects every 99999999999999999999d",
        "3:7 impossible_value",
        "is no duration",
    );
    check("Given the pipeline collects every day", "3:35 unknown_value", "`day` is no duration");
    check(
        "When broker 1 of \"a\" chrashes, from 1min to 70s",
        "3:6 unknown_value",
        "<host> crashes",
    );
}

#[test]
fn holes_and_columns_of_an_outline_must_meet() {
    let (step, outline) = ("Given the pipeline collects every <time>", "Scenario Outline: S");
    let lines = [outline, step, RUN, CHECKS, "Examples:", "| tmie |", "| 5s |"];
    told(&lines, &["3:35 unfilled_hole", "7:3 unused_column"], "fills `<time>`");
}

#[test]
fn outlines_make_a_trial_for_each_row() {
    let suite = suite(
        "@slow\nFeature: F\n  Rule: R\n    Scenario Outline: Every <time>\n      Given a Kafka \
         cluster \"a\" with 3 brokers, 1 topics and 1 consumer groups\n      \
         Given the pipeline collects every <time>\n      When the simulation runs for 2min\n      \
         Then every check passes\n\n      @regression\n      Examples:\n        | time |\n        \
         | 5s |\n        | 10 s |\n",
    );
    let trials: Vec<_> = suite.trials.iter().map(|trial| (trial.name(), trial.place())).collect();
    let expected = [("F: R :: Every 5s", "f.feature:13"), ("F: R :: Every 10 s", "f.feature:14")];
    assert_eq!(trials, expected.map(|(name, place)| (name.to_owned(), place.to_owned())));
    assert_eq!(suite.trials[0].tags, ["@slow", "@regression"]);
}

#[test]
fn what_follows_a_failure_is_skipped() {
    let suite = suite(
        "Feature: F\n  Scenario: S\n    Given a Kafka cluster \"a\" with 1 brokers, 1 topics and 0 \
         consumer groups\n    When the simulation runs for 2min\n    Then coverage is 7 %\n    And \
         every check passes\n",
    );
    let outcome = suite.trials[0].run(SEED);
    let status: Vec<StepStatus> = outcome.steps.iter().map(|step| step.status).collect();
    use StepStatus::{Failed, Passed, Skipped};
    assert_eq!(status, [Passed, Passed, Failed, Skipped]);
    assert_eq!(outcome.failed_step().map(|step| (step.line, step.column)), Some((5, 5)));
    assert!(outcome.failure.is_some_and(|why| why.contains("coverage is")));
}

/// The scenario that the feature of `scenario` describes.
fn read_back(catalogue: &Catalogue, scenario: &Scenario) -> Scenario {
    let story = Story { name: "x", scenario, promise: "no event is lost", comments: &[] };
    let text = story.feature();
    let mut suite = Suite::default();
    suite.add(catalogue, &Tags::default(), "x.feature", &text);
    let problems: String = suite.problems.iter().map(|file| file.render(false)).collect();
    assert!(problems.is_empty(), "{problems}");
    suite.trials[0].describe().expect("can be described")
}

/// Without what a feature has no need to say.
fn essence(scenario: &Scenario) -> Scenario {
    let mut essence = scenario.clone();
    essence.title.clear();
    essence.promise.clear();
    (essence.seed, essence.minimized_from) = (0, None);
    essence.sometimes.clear();
    essence.swarm = None;
    essence.fault.sort_by_key(|fault| fault.at);
    essence
}

#[test]
fn a_scenario_and_its_feature_say_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let catalogue = Catalogue::new().unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let name = path.display().to_string();
        let scenario = scenario::load(&name, &text).expect("loads");
        if scenario.swarm.is_none() {
            assert_eq!(essence(&read_back(&catalogue, &scenario)), essence(&scenario), "{name}");
            seen += 1;
        }
    }
    for text in [
        include_str!("../../../scenarios/swarm.toml"),
        include_str!("../../../scenarios/topology-swarm.toml"),
    ] {
        let swarm = scenario::load("swarm", text).unwrap();
        for seed in 0..50 {
            let drawn = swarm::draw(&swarm, Seed(seed));
            assert_eq!(essence(&read_back(&catalogue, &drawn)), essence(&drawn), "seed {seed}");
        }
    }
    assert!(seen > 20, "{seen}");
}
