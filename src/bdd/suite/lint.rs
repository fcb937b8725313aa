//! What is wrong with a feature whose every line can be read.

use std::collections::BTreeMap;

use super::Tags;
use crate::bdd::document::{Feature, Scenario, Text, problem};
use crate::bdd::steps::Phase;
use crate::config::toml_file::Problem;
use crate::domain::words::nearest;

/// Everything that needs no catalogue of steps.
pub(super) fn lint(feature: &Feature, tags: &Tags) -> Vec<Problem> {
    let mut problems = Vec::new();
    let all = feature.tags.iter().chain(feature.rules.iter().flat_map(|rule| &rule.tags));
    for tag in all {
        problems.extend(unknown(tag, tags));
    }
    let mut rules: BTreeMap<&str, &Text> = BTreeMap::new();
    for rule in &feature.rules {
        same(&mut rules, &rule.name, "rule", &mut problems);
    }
    let mut scenarios: BTreeMap<(Option<&str>, &str), ()> = BTreeMap::new();
    for (rule, scenario) in feature.scenarios() {
        let key = (rule.map(|rule| rule.name.value.as_str()), scenario.name.value.as_str());
        if !scenario.name.value.is_empty() && scenarios.insert(key, ()).is_some() {
            let message = "another scenario of this rule has the same name";
            let help = "say in the name what is different: reports tell scenarios apart by it";
            problems.push(problem("same_name", scenario.name.span.clone(), message, help));
        }
        for tag in scenario.tags.iter().chain(scenario.examples.iter().flat_map(|all| &all.tags)) {
            problems.extend(unknown(tag, tags));
        }
        problems.extend(promiseless(scenario));
    }
    problems
}

fn same<'f>(
    known: &mut BTreeMap<&'f str, &'f Text>,
    name: &'f Text,
    kind: &str,
    problems: &mut Vec<Problem>,
) {
    if !name.value.is_empty() && known.insert(&name.value, name).is_some() {
        let message = format!("another {kind} has the same name");
        let help = "say in the name what is different, or join the two";
        problems.push(problem("same_name", name.span.clone(), message, help));
    }
}

fn unknown(tag: &Text, tags: &Tags) -> Option<Problem> {
    let name = tag.value.trim_start_matches('@');
    if name == "retry" || name.starts_with("retry(") {
        let message = "a simulated scenario is not tried again: its seed decides how it ends";
        let help = "remove the tag, and look at the failure with the command that it prints";
        return Some(problem("retry", tag.span.clone(), message, help));
    }
    if tags.knows(&tag.value) {
        return None;
    }
    let message = format!("nobody knows the tag `{}`", tag.value);
    let help = match nearest(name, tags.names()) {
        Some(known) => format!("did you mean `@{known}`?"),
        None => format!("write it down in tags.toml: `[tags]`, then `{name} = \"what it means\"`"),
    };
    Some(problem("unknown_tag", tag.span.clone(), message, help))
}

/// A scenario with steps and without a `Then` proves nothing.
fn promiseless(scenario: &Scenario) -> Option<Problem> {
    let has_then = scenario.steps.iter().any(|step| step.phase == Phase::Then);
    (!scenario.steps.is_empty() && !has_then).then(|| {
        let help = "say what must hold: `Then …`, for example `Then every check passes`";
        let message = "this scenario has no `Then`, so it cannot fail";
        problem("no_then", scenario.name.span.clone(), message, help)
    })
}
