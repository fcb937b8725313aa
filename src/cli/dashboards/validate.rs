//! `shakedown dashboards validate`.
//!
//! Invariants: all problems of all dashboards are told at once; a validation that looked at no
//! widget has failed; a widget that waits for data of a source that did not run is named as
//! waiting, and counts neither as shown nor as empty.

use std::path::Path;

use clap::Args;
use serde_json::{Value as Json, json};

use super::super::{Exit, ReportFormat, complain, input, print, print_json};
use super::trial::{Ran, TrialArgs};
use super::{SettingsArgs, place};
use crate::dashboards::catalogue::{Awaited, template, templates};
use crate::dashboards::check::{Problem, check};
use crate::dashboards::trial::{Fault, Trial, try_out};
use crate::dashboards::{Dashboard, Reading, read};
use crate::domain::words::{counted, counted_as};
use crate::nrql::lint::Severity;

/// Arguments of `shakedown dashboards validate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is well, 1 a widget shows nothing (with --strict also: waits), \
    2 usage,\n3 a dashboard is not valid.\nExample: shakedown dashboards validate --all --simulate"
)]
pub struct ValidateArgs {
    /// Files (JSON as New Relic exports it, `-` for standard input) or names of templates.
    #[arg(value_name = "FILE|NAME", required_unless_present = "all")]
    targets: Vec<String>,
    /// All templates.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Runs a simulated fleet, and asks every query of what New Relic holds at the run's end.
    #[arg(long)]
    simulate: bool,
    #[command(flatten)]
    trial: TrialArgs,
    /// Fails also for widgets that wait for a source which the run does not have.
    #[arg(long, requires = "simulate")]
    strict: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// What became of the widgets that were tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    /// Widgets with queries.
    widgets: usize,
    /// Show something, 0 included.
    shown: usize,
    /// Show nothing.
    empty: usize,
    /// Wait for a source that the run does not have.
    waiting: usize,
}

impl Tally {
    fn of(targets: &[Target]) -> Self {
        targets.iter().map(Target::tally).fold(Self::default(), |sum, one| Self {
            widgets: sum.widgets + one.widgets,
            shown: sum.shown + one.shown,
            empty: sum.empty + one.empty,
            waiting: sum.waiting + one.waiting,
        })
    }
}

impl Tally {
    fn json(self) -> Json {
        json!({
            "widgets": self.widgets,
            "shown": self.shown,
            "empty": self.empty,
            "waiting": self.waiting,
        })
    }
}

/// One dashboard to look at.
struct Target {
    /// File or template.
    name: String,
    dashboard: Dashboard,
    /// Of a file: its text, and where the dashboard stands in it.
    text: Option<(String, String)>,
    awaits: Option<Awaited>,
    problems: Vec<Problem>,
    trial: Option<Trial>,
}

impl ValidateArgs {
    pub(super) fn run(self) -> Exit {
        let mut names = self.targets.clone();
        if self.all {
            names.extend(templates().iter().map(|template| template.name.to_owned()));
        }
        let mut targets = Vec::new();
        let mut exit = Exit::Ok;
        for name in &names {
            match self.target(name) {
                Ok(target) => targets.push(target),
                Err(failed) => exit = exit.or(failed),
            }
        }
        let ran = match self.simulate.then(|| self.trial.run()).transpose() {
            Ok(ran) => ran,
            Err(exit) => return exit,
        };
        if let Some(ran) = &ran {
            for target in &mut targets {
                target.trial = Some(try_out(&target.dashboard, &|text| ran.filled.nrql(text)));
            }
        }
        let printed = match self.format {
            ReportFormat::Text => print(&text(&targets, ran.as_ref())),
            ReportFormat::Json => print_json(&report(&targets, ran.as_ref())),
        };
        exit.or(verdict(&targets, self.strict)).or(printed)
    }

    fn target(&self, name: &str) -> Result<Target, Exit> {
        if template(name).is_some() && !Path::new(name).exists() {
            let (found, dashboard) = self.settings.dashboard(name)?;
            let problems = check(&dashboard);
            let awaits = found.awaits;
            let name = name.to_owned();
            return Ok(Target { name, dashboard, text: None, awaits, problems, trial: None });
        }
        let (name, text) = input::text_or_stdin(Path::new(name)).map_err(|error| {
            complain(&error.to_string());
            complain("help: give a file, or a name of `shakedown dashboards list`");
            Exit::InvalidFile
        })?;
        let json: Json = serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            complain(&format!("{name}:{line}:{column}: not JSON: {error}"));
            Exit::InvalidFile
        })?;
        let Reading { dashboard, root, faults } = read(&json);
        let shape = faults.into_iter().map(|fault| Problem {
            code: "shape",
            severity: Severity::Error,
            page: None,
            widget: None,
            // Those of the checks are from the dashboard.
            pointer: fault.pointer.strip_prefix(root.as_str()).unwrap_or_default().to_owned(),
            message: fault.message,
            help: fault.help,
        });
        let problems = shape.chain(check(&dashboard)).collect();
        Ok(Target {
            name,
            dashboard,
            text: Some((text, root)),
            awaits: None,
            problems,
            trial: None,
        })
    }
}

impl Target {
    /// `file:line:column` of a place in it, or its name.
    fn at(&self, pointer: &str) -> String {
        match self.line(pointer) {
            Some((line, column)) => format!("{}:{line}:{column}", self.name),
            None => self.name.clone(),
        }
    }

    fn line(&self, pointer: &str) -> Option<(usize, usize)> {
        let (text, root) = self.text.as_ref()?;
        Some(place::of(text, &format!("{root}{pointer}")))
    }

    /// Whether a widget is empty for the reason that the template names.
    fn is_awaited(&self, fault: &Fault) -> bool {
        self.awaits.is_some_and(|Awaited::Kind(kind)| fault.cause.is_about(kind.type_name()))
    }

    fn faults(&self) -> impl Iterator<Item = &Fault> {
        let faults = self.trial.iter().flat_map(|trial| &trial.faults);
        faults.filter(|fault| !self.is_awaited(fault))
    }

    /// Widgets that show nothing because a source does not run, each once.
    fn waiting(&self) -> Vec<&Fault> {
        let faults = self.trial.iter().flat_map(|trial| &trial.faults);
        once(faults.filter(|fault| self.is_awaited(fault)))
    }

    fn tally(&self) -> Tally {
        let widgets = self.trial.as_ref().map_or(0, |trial| trial.widgets);
        // Variables are no widgets.
        let empty = once(self.faults().filter(|fault| fault.page.is_some()));
        let failed = |fault: &&Fault| empty.iter().any(|other| is_same_widget(fault, other));
        let waiting = self.waiting();
        let waiting = waiting.iter().filter(|fault| fault.page.is_some() && !failed(fault)).count();
        let empty = empty.len();
        Tally { widgets, shown: widgets - empty - waiting, empty, waiting }
    }

    fn widgets(&self) -> usize {
        self.dashboard.pages.iter().map(|page| page.widgets.len()).sum()
    }

    fn is_invalid(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Whether two faults are of one widget: `/pages/0/widgets/1`.
fn is_same_widget(one: &Fault, other: &Fault) -> bool {
    let widget = |fault: &'_ Fault| -> Vec<String> {
        fault.pointer.split('/').take(5).map(str::to_owned).collect()
    };
    widget(one) == widget(other)
}

/// The first fault of each widget.
fn once<'a>(faults: impl Iterator<Item = &'a Fault>) -> Vec<&'a Fault> {
    let mut found: Vec<&Fault> = Vec::new();
    for fault in faults {
        if !found.iter().any(|known| is_same_widget(known, fault)) {
            found.push(fault);
        }
    }
    found
}

fn verdict(targets: &[Target], strict: bool) -> Exit {
    let shows_nothing = targets.iter().any(|target| target.faults().next().is_some());
    let waits = strict && Tally::of(targets).waiting > 0;
    if targets.iter().any(Target::is_invalid) {
        Exit::InvalidFile
    } else if shows_nothing || waits {
        Exit::Failed
    } else if targets.iter().map(Target::widgets).sum::<usize>() == 0 {
        complain("no widget was looked at");
        Exit::Failed
    } else {
        Exit::Ok
    }
}

fn whose(page: Option<&str>, widget: Option<&str>) -> String {
    match (page, widget) {
        (Some(page), Some(widget)) => format!("page “{page}”, “{widget}”: "),
        (Some(page), None) => format!("page “{page}”: "),
        (None, Some(widget)) => format!("{widget}: "),
        (None, None) => String::new(),
    }
}

fn text(targets: &[Target], ran: Option<&Ran>) -> String {
    let mut text = String::new();
    for target in targets {
        for problem in &target.problems {
            let Problem { code, severity, page, widget, message, help, .. } = problem;
            let (at, severity) = (target.at(&problem.pointer), severity.as_str());
            let whose = whose(page.as_deref(), widget.as_deref());
            text.push_str(&format!("{at}: {severity}[{code}] {whose}{message}\n"));
            if !help.is_empty() {
                text.push_str(&format!("  help: {help}\n"));
            }
        }
        for fault in target.faults() {
            let at = target.at(&fault.pointer);
            let whose = whose(fault.page.as_deref(), Some(&fault.widget));
            let (code, cause, help) = (fault.cause.code(), &fault.cause, fault.cause.help());
            text.push_str(&format!("{at}: empty[{code}] {whose}{cause}\n"));
            text.push_str(&format!("  query: {}\n  help: {help}\n", fault.query));
        }
        let waits = target.awaits.map(Awaited::sentence).unwrap_or_default();
        for fault in target.waiting() {
            let whose = whose(fault.page.as_deref(), Some(&fault.widget));
            text.push_str(&format!("{}: waits: {whose}{waits}\n", target.name));
        }
        for (page, widget) in target.trial.iter().flat_map(|trial| &trial.zeros) {
            let whose = whose(Some(page), Some(widget));
            text.push_str(&format!("{}: note: {whose}0, as the data are\n", target.name));
        }
        text.push_str(&summary(target));
    }
    if let Some(ran) = ran {
        let Tally { widgets, shown, empty, waiting } = Tally::of(targets);
        let dashboards = counted(targets.len(), "dashboard");
        text.push_str(&format!(
            "{dashboards}, {}: {shown} show data, {empty} show nothing, {waiting} wait for a \
             source\n",
            counted_as(widgets, "widget with a query", "widgets with queries"),
        ));
        text.push_str(&format!("tried on {} (run {})\n", ran.scenario, ran.id));
    }
    text
}

fn summary(target: &Target) -> String {
    let errors =
        target.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let warnings = target.problems.len() - errors;
    let pages = target.dashboard.pages.len();
    let mut parts =
        vec![format!("{}, {}", counted(pages, "page"), counted(target.widgets(), "widget"))];
    parts.push(format!("{errors} errors, {warnings} warnings"));
    if let Some(trial) = &target.trial {
        let Tally { shown, empty, waiting, .. } = target.tally();
        parts.push(format!(
            "{} tried, {shown} show data",
            counted_as(trial.queries, "query", "queries")
        ));
        if empty > 0 {
            parts.push(format!("{empty} show nothing"));
        }
        if let Some(sentence) = target.awaits.filter(|_| waiting > 0).map(Awaited::sentence) {
            parts.push(format!("{waiting} wait: {sentence}"));
        }
    }
    format!("{}: {}\n", target.name, parts.join("; "))
}

fn report(targets: &[Target], ran: Option<&Ran>) -> Json {
    let problem = |target: &Target, problem: &Problem| {
        let line = target.line(&problem.pointer);
        json!({
            "code": problem.code,
            "severity": problem.severity.as_str(),
            "page": problem.page,
            "widget": problem.widget,
            "pointer": problem.pointer,
            "line": line.map(|(line, _)| line),
            "column": line.map(|(_, column)| column),
            "message": problem.message,
            "help": problem.help,
        })
    };
    let fault = |target: &Target, fault: &Fault| {
        json!({
            "code": fault.cause.code(),
            "page": fault.page,
            "widget": fault.widget,
            "pointer": fault.pointer,
            "message": fault.cause.to_string(),
            "help": fault.cause.help(),
            "query": fault.query,
            "awaited": target.is_awaited(fault),
        })
    };
    let dashboards: Vec<Json> = targets
        .iter()
        .map(|target| {
            let problems: Vec<Json> =
                target.problems.iter().map(|one| problem(target, one)).collect();
            let trial = target.trial.as_ref().map(|trial| {
                let faults: Vec<Json> = trial.faults.iter().map(|one| fault(target, one)).collect();
                let zero =
                    |(page, widget): &(String, String)| json!({"page": page, "widget": widget});
                let zeros: Vec<Json> = trial.zeros.iter().map(zero).collect();
                json!({
                    "widgets": trial.widgets,
                    "queries": trial.queries,
                    "faults": faults,
                    "zeros": zeros,
                    "tally": target.tally().json(),
                })
            });
            json!({
                "name": target.name,
                "pages": target.dashboard.pages.len(),
                "widgets": target.widgets(),
                "problems": problems,
                "trial": trial,
            })
        })
        .collect();
    json!({
        "dashboards": dashboards,
        "tally": ran.map(|_| Tally::of(targets).json()),
        "run": ran.map(|ran| json!({"scenario": ran.scenario, "id": ran.id})),
    })
}
