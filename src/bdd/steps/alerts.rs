//! Alert conditions and the incidents that they open.

use super::{Step, given, then};
use crate::alerts::{AlertsFile, Rule, RuleTable};
use crate::bdd::pattern::{Args, Named};
use crate::bdd::story::{StepError, StepResult, Story};

pub(super) const STEPS: &[Step] = &[
    given(
        "New Relic watches the built-in alert conditions",
        "They are there from the start, as `shakedown alerts apply` makes them.",
        |story, _| {
            alerts(story);
            Ok(())
        },
    ),
    given(
        "alert conditions wait {duration} for late data",
        "Time from the end of a window to its judgement.",
        delay,
    ),
    given(
        "rule {string} needs bad values for {duration}",
        "How long before it opens an incident, and as long before it closes it.",
        lasts,
    ),
    then("rule {string} opens an incident of {entity}", "At some time of the run.", opens),
    then("rule {string} opens no incident of {entity}", "At no time of the run.", is_quiet),
    then("no incident of {entity} is open in the end", "Each that opened has closed.", is_over),
];

/// The settings of the conditions; a step that speaks of them makes them.
fn alerts(story: &mut Story) -> &mut AlertsFile {
    story.scenario.newrelic.alerts.get_or_insert_default()
}

fn seconds(args: &Args, hole: usize) -> Result<u32, StepError> {
    let seconds = args.duration(hole)?.as_secs();
    u32::try_from(seconds).map_err(|_| StepError::Impossible(format!("{seconds} s is too long")))
}

fn delay(story: &mut Story, args: &Args) -> StepResult {
    alerts(story).signal.aggregation_delay_seconds = seconds(args, 0)?;
    Ok(())
}

/// A rule that there is.
fn rule(args: &Args) -> Result<&'static Rule, StepError> {
    let id = args.text(0)?;
    let missing = || StepError::Impossible(format!("`shakedown alerts list` knows no rule `{id}`"));
    Rule::find(&id).ok_or_else(missing)
}

fn lasts(story: &mut Story, args: &Args) -> StepResult {
    let table = RuleTable {
        id: rule(args)?.id.to_owned(),
        enabled: true,
        warning: None,
        critical: None,
        lasts_seconds: Some(seconds(args, 1)?),
        runbook_url: None,
    };
    alerts(story).rule.push(table);
    Ok(())
}

/// How many incidents' events of `event` there are of the entity in `hole`.
fn count(story: &Story, args: &Args, hole: usize, filter: &str) -> Result<f64, StepError> {
    let guid = story.guid(&args.entity(hole)?)?;
    story.ran()?.count(&format!(
        "SELECT count(*) FROM NrAiIncident WHERE entity.guid = '{guid}' AND {filter} \
         SINCE 1 day ago"
    ))
}

fn of_rule(story: &Story, args: &Args) -> Result<f64, StepError> {
    let filter = format!("event = 'open' AND conditionName LIKE '%({})'", rule(args)?.id);
    count(story, args, 1, &filter)
}

fn opens(story: &mut Story, args: &Args) -> StepResult {
    if of_rule(story, args)? > 0.0 {
        return Ok(());
    }
    let (id, entity) = (rule(args)?.id, args.entity(1)?);
    Err(StepError::Broken(format!("{id} opened no incident of {}", Named(&entity))))
}

fn is_quiet(story: &mut Story, args: &Args) -> StepResult {
    let opened = of_rule(story, args)?;
    if opened == 0.0 {
        return Ok(());
    }
    let (id, entity) = (rule(args)?.id, args.entity(1)?);
    Err(StepError::Broken(format!("{id} opened {opened} incidents of {}", Named(&entity))))
}

fn is_over(story: &mut Story, args: &Args) -> StepResult {
    let opened = count(story, args, 0, "event = 'open'")?;
    let closed = count(story, args, 0, "event = 'close'")?;
    if opened == closed {
        return Ok(());
    }
    let entity = args.entity(0)?;
    let words = format!("of {opened} incidents of {} {closed} are closed", Named(&entity));
    Err(StepError::Broken(words))
}
