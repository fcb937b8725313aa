//! `shakedown dashboards`: templates, files, and the dashboards of an account.
//!
//! Invariants:
//! - Nothing of an account is changed before it was shown and agreed to, on a terminal or with
//!   `--yes`.
//! - A name stands for a dashboard only when one dashboard of the account has it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, ReportFormat, complain, output, print, print_json};
use crate::dashboards::catalogue::{
    Awaited, PARAMETERS, Parameters, Template, template, templates,
};
use crate::dashboards::{Content, Dashboard, Links, preview, write};
use crate::domain::account::AccountId;

mod apply;
mod choice;
mod delete;
mod diff;
mod export;
mod list;
mod place;
mod trial;
mod validate;

/// Arguments of `shakedown dashboards`.
#[derive(Debug, Args)]
pub struct DashboardsArgs {
    #[command(subcommand)]
    verb: DashboardsVerb,
}

#[derive(Debug, Subcommand)]
enum DashboardsVerb {
    /// Lists the templates and the parameters that they take; with --deployed the dashboards of
    /// the account.
    List(list::ListArgs),
    /// Prints a dashboard made of a template, as NerdGraph's dashboardCreate takes it.
    Render(RenderArgs),
    /// Checks dashboards: structure, places, queries, thresholds, variables, links; with --simulate
    /// also that every widget shows something.
    Validate(validate::ValidateArgs),
    /// Makes an account's dashboard what a file or a template says, after showing what would
    /// change.
    Apply(apply::ApplyArgs),
    /// Shows how a dashboard of the account differs from a file or a template.
    Diff(diff::DiffArgs),
    /// Deletes a dashboard.
    Delete(delete::DeleteArgs),
    /// Writes a dashboard of the account as a file that `apply` takes.
    Export(export::ExportArgs),
}

/// Arguments of `shakedown dashboards render`.
#[derive(Debug, Args)]
struct RenderArgs {
    /// The template; `shakedown dashboards list` names them.
    name: String,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Keeps links between pages as page:NAME; without it they are left out, as pages have GUIDs
    /// only once New Relic made them.
    #[arg(long)]
    named_links: bool,
    /// How the dashboard is printed: json for New Relic, text for people.
    #[arg(long, value_enum, default_value_t = ReportFormat::Json)]
    format: ReportFormat,
    /// Writes a page that shows the dashboard, drawn from a simulated run.
    #[arg(long, value_name = "FILE", requires = "simulate")]
    html: Option<PathBuf>,
    /// Runs a simulated fleet whose data the page shows.
    #[arg(long, requires = "html")]
    simulate: bool,
    #[command(flatten)]
    trial: trial::TrialArgs,
}

/// What users decide about a template.
#[derive(Debug, Clone, Args)]
pub(super) struct SettingsArgs {
    /// Sets a parameter; `shakedown dashboards list` names them.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl SettingsArgs {
    /// The parameters, or what is wrong with them.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    fn parameters(&self) -> Result<Parameters, Exit> {
        let mut parameters = Parameters::default();
        for given in &self.set {
            let (name, value) = given.split_once('=').unwrap_or((given, ""));
            if let Err(error) = parameters.set(name.trim(), value.trim()) {
                let near =
                    crate::config::toml_file::nearest(name, PARAMETERS.iter().map(|p| p.name));
                let help = near.map_or_else(
                    || "`shakedown dashboards list` names the parameters".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                let known = PARAMETERS.iter().any(|p| p.name == name.trim());
                let help = if known { String::new() } else { format!("\nhelp: {help}") };
                complain(&format!("--set {given}: {error}{help}"));
                return Err(Exit::Usage);
            }
        }
        Ok(parameters)
    }

    /// Whether anything is set.
    fn any(&self) -> bool {
        !self.set.is_empty()
    }

    /// The dashboard of the template called `name`.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    fn dashboard(&self, name: &str) -> Result<(Template, Dashboard), Exit> {
        self.build(name, self.parameters()?)
    }

    /// As [`Self::dashboard`]; its queries read `account` unless another one is set.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    fn dashboard_in(&self, name: &str, account: AccountId) -> Result<(Template, Dashboard), Exit> {
        let mut parameters = self.parameters()?;
        parameters.read_from(account);
        self.build(name, parameters)
    }

    fn build(&self, name: &str, parameters: Parameters) -> Result<(Template, Dashboard), Exit> {
        let Some(found) = template(name) else {
            let all = templates();
            let near = crate::config::toml_file::nearest(name, all.iter().map(|t| t.name));
            let help = near.map_or_else(
                || "`shakedown dashboards list` names the templates".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            complain(&format!("there is no template `{name}`\nhelp: {help}"));
            return Err(Exit::Usage);
        };
        let dashboard = found.build(&parameters).map_err(|error| {
            complain(&format!("{name}: {error}"));
            Exit::Usage
        })?;
        Ok((found, dashboard))
    }
}

impl DashboardsArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            DashboardsVerb::List(args) => args.run(),
            DashboardsVerb::Render(args) => args.run(),
            DashboardsVerb::Validate(args) => args.run(),
            DashboardsVerb::Apply(args) => args.run(),
            DashboardsVerb::Diff(args) => args.run(),
            DashboardsVerb::Delete(args) => args.run(),
            DashboardsVerb::Export(args) => args.run(),
        }
    }
}

impl RenderArgs {
    fn run(self) -> Exit {
        let (template, dashboard) = match self.settings.dashboard(&self.name) {
            Ok(made) => made,
            Err(exit) => return exit,
        };
        if let Some(file) = &self.html {
            return self.preview(&template, &dashboard, file);
        }
        let none = std::collections::BTreeMap::new();
        let links = if self.named_links { Links::Named } else { Links::Resolved(&none) };
        match self.format {
            ReportFormat::Json => print_json(&write(&dashboard, links)),
            ReportFormat::Text => print(&outline(&dashboard)),
        }
    }
}

impl RenderArgs {
    fn preview(&self, template: &Template, dashboard: &Dashboard, file: &Path) -> Exit {
        let ran = match self.trial.run() {
            Ok(ran) => ran,
            Err(exit) => return exit,
        };
        let awaits = template.awaits.map(Awaited::sentence);
        let origin = preview::Origin {
            template: template.name,
            caption: &format!("{}, run {}", ran.scenario, ran.id),
            span: &ran.span(),
            awaits: awaits.as_deref(),
        };
        let html = preview::html(dashboard, &origin, &|text| ran.filled.nrql(text));
        match output::write(file, &html) {
            Ok(()) => print(&format!("{}\n", file.display())),
            Err(error) => {
                complain(&format!("cannot write {}: {error}", file.display()));
                Exit::Failed
            }
        }
    }
}

/// A dashboard for people: pages, widgets with their places, queries.
fn outline(dashboard: &Dashboard) -> String {
    let mut text = format!("{}\n", dashboard.name);
    if let Some(description) = &dashboard.description {
        text.push_str(&format!("{description}\n"));
    }
    for page in &dashboard.pages {
        text.push_str(&format!("\n{}\n", page.name));
        for widget in &page.widgets {
            let at = widget.layout.map(|at| at.to_string()).unwrap_or_default();
            let kind = widget.visualization.id().trim_start_matches("viz.");
            match &widget.content {
                Content::Markdown(words) => text.push_str(&format!("  {kind} ({at}): {words}\n")),
                Content::Chart(chart) => {
                    text.push_str(&format!("  {} ({kind}, {at})\n", widget.title));
                    for query in &chart.queries {
                        text.push_str(&format!("    {}\n", query.text));
                    }
                }
            }
        }
    }
    text
}
