//! Dashboards over what a run stored.

use serde_json::json;

use super::{Stage, Step, given, then};
use crate::bdd::pattern::Args;
use crate::bdd::story::{StepError, StepResult, Story};
use crate::dashboards::catalogue::{Parameters, template};
use crate::dashboards::trial::{Trial, try_out};
use crate::dashboards::{Dashboard, check, read};
use crate::sim::scenario;

pub(super) const STEPS: &[Step] = &[
    given(
        "a fleet in which everything goes wrong once",
        "The built-in run that dashboards are tried on: lag, errors, lost brokers, an outage.",
        everything,
    ),
    given("a dashboard whose widget asks {string}", "One page with one widget.", asks),
    then(
        "every widget of template {string} shows data",
        "No query of the template comes back empty.",
        shows,
    ),
    then("its widget shows data", "The query comes back with something.", own_shows),
    then(
        "its widget shows nothing, because {string}",
        "The query comes back empty, and the words are among the reasons.",
        because,
    ),
    then("it is refused, because {string}", "The static checks say so.", refused).at(Stage::Paper),
];

fn everything(story: &mut Story, _: &Args) -> StepResult {
    let built_in = include_str!("../../../scenarios/dashboards.toml");
    let loaded = scenario::load("scenarios/dashboards.toml", built_in)
        .map_err(|problems| StepError::Impossible(problems.render(false)))?;
    let seed = story.scenario.seed;
    story.scenario = scenario::Scenario { seed, ..loaded };
    Ok(())
}

fn asks(story: &mut Story, args: &Args) -> StepResult {
    let query = args.text(0)?;
    let json = json!({
        "name": "Tried",
        "permissions": "PUBLIC_READ_ONLY",
        "pages": [{
            "name": "One",
            "widgets": [{
                "title": "Tried",
                "layout": { "column": 1, "row": 1, "width": 6, "height": 3 },
                "visualization": { "id": "viz.billboard" },
                "rawConfiguration": { "nrqlQueries": [{ "accountIds": [0], "query": query }] },
            }],
        }],
    });
    let reading = read(&json);
    if !reading.faults.is_empty() {
        return Err(StepError::Broken(format!("{:?}", reading.faults)));
    }
    story.dashboard = Some(reading.dashboard);
    Ok(())
}

/// Faults in words, one a line.
fn faults(trial: &Trial) -> Vec<String> {
    let words = trial.faults.iter().map(|fault| format!("{}: {}", fault.widget, fault.cause));
    words.collect()
}

fn tried(story: &Story, dashboard: &Dashboard) -> Result<Trial, StepError> {
    let ran = story.ran()?;
    let trial = try_out(dashboard, &|query| ran.nrql(query));
    if trial.queries == 0 {
        return Err(StepError::Broken("the dashboard asks nothing".to_owned()));
    }
    Ok(trial)
}

fn shows(story: &mut Story, args: &Args) -> StepResult {
    let name = args.text(0)?;
    let found = template(&name);
    let found = found.ok_or_else(|| StepError::Broken(format!("there is no template {name}")))?;
    let dashboard = found.build(&Parameters::default());
    let dashboard = dashboard.map_err(|error| StepError::Broken(error.to_string()))?;
    let faults = faults(&tried(story, &dashboard)?);
    if faults.is_empty() { Ok(()) } else { Err(StepError::Broken(faults.join("\n"))) }
}

fn own(story: &Story) -> Result<&Dashboard, StepError> {
    story.dashboard.as_ref().ok_or(StepError::Premature("describe a dashboard first"))
}

fn own_shows(story: &mut Story, _: &Args) -> StepResult {
    let faults = faults(&tried(story, own(story)?)?);
    if faults.is_empty() { Ok(()) } else { Err(StepError::Broken(faults.join("\n"))) }
}

fn because(story: &mut Story, args: &Args) -> StepResult {
    let words = args.text(0)?;
    let faults = faults(&tried(story, own(story)?)?);
    if faults.iter().any(|fault| fault.contains(&words)) {
        return Ok(());
    }
    Err(StepError::Broken(format!("the reasons are {faults:?}, and none says `{words}`")))
}

fn refused(story: &mut Story, args: &Args) -> StepResult {
    let words = args.text(0)?;
    let found = check::check(own(story)?);
    let found: Vec<&str> = found.iter().map(|problem| problem.message.as_str()).collect();
    if found.iter().any(|finding| finding.contains(&words)) {
        return Ok(());
    }
    Err(StepError::Broken(format!("it is refused for {found:?}, and none says `{words}`")))
}
