//! `shakedown alerts validate`: whether conditions are right, and what they would have said.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;

use super::history::History;
use super::settings::SettingsArgs;
use super::thresholds;
use crate::alerts::{Basis, Condition, Evaluation, Incident, Plan, Rule, evaluate};
use crate::cli::{Exit, ReportFormat, complain, input, print, print_json};
use crate::domain::words::counted;

/// Checks every condition, and with --simulate tells which would have fired when.
///
/// Queries are parsed and linted against the pipeline's own metrics, thresholds held to their units
/// and to New Relic's limits. With --simulate a scenario runs, and every condition judges the
/// events that the simulated New Relic stored, minute by minute, as they were known then.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 ok; 1 a rule did not do what --fires or --quiet say, or no \
    condition had data; 2 usage;\n3 a file is not valid.\n\
    Example: shakedown alerts validate --simulate --scenario scenarios/lag-spike.toml \
    --fires group-lag")]
pub struct ValidateArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Run a scenario and judge its events.
    #[arg(long)]
    simulate: bool,
    /// The scenario [default: the built-in one].
    #[arg(long, value_name = "FILE", requires = "simulate")]
    scenario: Option<PathBuf>,
    /// Seed of every random choice; without one the scenario's own.
    #[arg(long, requires = "simulate", value_parser = input::number::<u64>)]
    seed: Option<u64>,
    /// A rule that must fire.
    #[arg(long, value_name = "RULE", requires = "simulate")]
    fires: Vec<String>,
    /// A rule that must have data and must not fire.
    #[arg(long, value_name = "RULE", requires = "simulate")]
    quiet: Vec<String>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// A condition and what it said.
#[derive(Debug, Serialize)]
struct Judged<'a> {
    id: &'a str,
    has_data: bool,
    /// Whether it was judged; baselines are New Relic's own.
    judged: bool,
    #[serde(flatten)]
    evaluation: Evaluation,
}

impl ValidateArgs {
    /// Carries the verb out.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    pub fn validate(&self) -> Result<Exit, Exit> {
        let plan = self.settings.plan()?;
        self.known_rules()?;
        if !self.simulate {
            return Ok(self.told(&plan));
        }
        let history = History::simulate(self.scenario.as_deref(), self.seed)?;
        let judged: Vec<Judged<'_>> =
            plan.conditions.iter().map(|c| judge(c, &history)).collect::<Result<_, Exit>>()?;
        let failures = self.failures(&judged);
        let printed = match self.format {
            ReportFormat::Text => print(&text(&plan, &judged, &history)),
            ReportFormat::Json => print_json(&json!({
                "scenario": history.name, "events": history.count(),
                "begin": history.span.0, "end": history.span.1,
                "conditions": judged, "failures": failures,
            })),
        };
        failures.iter().for_each(|failure| complain(failure));
        Ok(printed.or(if failures.is_empty() { Exit::Ok } else { Exit::Failed }))
    }

    /// Refuses rules that nobody knows.
    fn known_rules(&self) -> Result<(), Exit> {
        let mut named = self.fires.iter().chain(&self.quiet);
        let Some(unknown) = named.find(|id| Rule::find(id).is_none()) else { return Ok(()) };
        complain(&format!("there is no rule `{unknown}`\nhelp: `shakedown alerts list` shows all"));
        Err(Exit::Usage)
    }

    fn told(&self, plan: &Plan) -> Exit {
        let (conditions, left) = (plan.conditions.len(), plan.left_out.len());
        match self.format {
            ReportFormat::Json => print_json(&json!({"conditions": conditions, "left_out": left})),
            ReportFormat::Text => print(&format!(
                "policy \"{}\": {} are valid, {} left out\n",
                plan.policy.name,
                counted(conditions, "condition"),
                counted(left, "rule")
            )),
        }
    }

    /// What was expected and is not so.
    fn failures(&self, judged: &[Judged<'_>]) -> Vec<String> {
        let mut failures = Vec::new();
        if judged.iter().all(|judged| !judged.has_data) {
            failures.push("no condition had data: nothing was judged".to_owned());
        }
        let find = |id: &String| judged.iter().find(|judged| judged.id == id);
        for (ids, wanted) in [(&self.fires, true), (&self.quiet, false)] {
            for id in ids {
                match find(id) {
                    None => failures.push(format!("{id}: the configuration leaves it out")),
                    Some(judged) if !judged.has_data => failures.push(format!("{id}: no data")),
                    Some(judged) if !judged.judged => {
                        failures.push(format!("{id}: a baseline is not judged here"));
                    }
                    Some(judged) if judged.evaluation.incidents.is_empty() == wanted => {
                        let did = if wanted { "did not fire" } else { "fired" };
                        failures.push(format!("{id}: it {did}"));
                    }
                    Some(_) => {}
                }
            }
        }
        failures
    }
}

fn judge<'a>(condition: &'a Condition, history: &History) -> Result<Judged<'a>, Exit> {
    let mut replay = history.replay();
    let evaluation =
        evaluate(condition, history.span, |now, text, over| replay.run(now, text, over));
    let evaluation = evaluation.map_err(|error| {
        complain(&format!("{}: its query failed: {error}", condition.id));
        Exit::Failed
    })?;
    Ok(Judged {
        id: &condition.id,
        has_data: evaluation.entities > 0,
        judged: condition.basis != Basis::Baseline,
        evaluation,
    })
}

fn text(plan: &Plan, judged: &[Judged<'_>], history: &History) -> String {
    let mut text = format!(
        "{}: {} over {}\n",
        history.name,
        counted(history.count(), "event"),
        history.clock(history.span.1)
    );
    for (condition, judged) in plan.conditions.iter().zip(judged) {
        let Evaluation { entities, incidents, .. } = &judged.evaluation;
        let said = match (judged.has_data, judged.judged, incidents.len()) {
            (false, ..) => "no data".to_owned(),
            (true, false, _) => "has data; New Relic alone knows its baseline".to_owned(),
            (true, true, 0) => format!("quiet ({entities} watched)"),
            (true, true, count) => {
                format!("fired: {} ({})", counted(count, "incident"), thresholds(condition))
            }
        };
        let _ = writeln!(text, "{:<27} {said}", judged.id);
        incidents.iter().for_each(|incident| text.push_str(&line(incident, history)));
    }
    for left in &plan.left_out {
        let _ = writeln!(text, "{:<27} left out: {}", left.id, left.reason);
    }
    text
}

fn line(incident: &Incident, history: &History) -> String {
    let Incident { entity, priority, opened_at, closed_at, worst, .. } = incident;
    let closed = closed_at.map_or("still open".to_owned(), |at| history.clock(at));
    let worst = worst.map_or(String::new(), |worst| format!(", worst {worst}"));
    format!(
        "  {:<8} {} – {closed}  {entity}{worst}\n",
        priority.as_str().to_lowercase(),
        history.clock(*opened_at)
    )
}
