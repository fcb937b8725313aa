//! `shakedown alerts`: conditions of New Relic, and what they say of simulated events.
//!
//! Invariant: what is rendered, listed and judged is one plan, made of one file of settings.

mod apply;
pub mod history;
pub mod settings;
mod validate;

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::account::AccountIdArgs;
use super::{Exit, ReportFormat, print, print_json};
use crate::alerts::{Basis, Condition, conditions_text, mutations};
use settings::SettingsArgs;

/// Arguments of `shakedown alerts`.
#[derive(Debug, Args)]
pub struct AlertsArgs {
    #[command(subcommand)]
    verb: AlertsVerb,
}

#[derive(Debug, Subcommand)]
enum AlertsVerb {
    /// Lists the rules with their thresholds.
    List(ListArgs),
    /// Prints the policy and its conditions for NerdGraph or Terraform.
    Render(RenderArgs),
    /// Checks every condition, and with --simulate tells which would have fired when.
    Validate(validate::ValidateArgs),
    /// Makes an account's policy and conditions what the settings say.
    Apply(apply::ApplyArgs),
}

/// Lists the rules with their thresholds.
#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// What a plan is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RenderFormat {
    /// A list of mutations with their variables; `${policyId}` is what the first one answers.
    Nerdgraph,
    /// A file for the provider newrelic/newrelic.
    Terraform,
    /// The plan itself.
    Json,
}

/// Prints the policy and its conditions for NerdGraph or Terraform.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 ok, 2 usage, 3 the file is not valid.\n\
    Example: shakedown alerts render --format terraform --account 1 > alerts.tf")]
struct RenderArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    account: AccountIdArgs,
    /// For what.
    #[arg(long, value_enum, default_value_t = RenderFormat::Terraform)]
    format: RenderFormat,
}

impl AlertsArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let done = match self.verb {
            AlertsVerb::List(args) => args.list(),
            AlertsVerb::Render(args) => args.render(),
            AlertsVerb::Validate(args) => args.validate(),
            AlertsVerb::Apply(args) => return args.run(),
        };
        done.unwrap_or_else(|exit| exit)
    }
}

/// Thresholds in words: `> 10000 messages warning, > 100000 messages critical, for 300 s`.
pub fn thresholds(condition: &Condition) -> String {
    let sign = match condition.basis {
        Basis::Static(operator) => operator.sign(),
        Basis::Baseline => "expected +",
        Basis::Silence => {
            return format!("no event for {} s", condition.signal.silent_after_seconds);
        }
    };
    let unit = if condition.basis == Basis::Baseline { "σ" } else { condition.unit.as_str() };
    let mut text = String::new();
    for term in &condition.terms {
        let priority = term.priority.as_str().to_lowercase();
        let _ = write!(text, "{sign} {} {unit} {priority}, ", term.threshold);
    }
    let lasts = condition.terms.first().map_or(0, |term| term.duration_seconds);
    let _ = write!(text, "for {lasts} s");
    text
}

impl ListArgs {
    fn list(&self) -> Result<Exit, Exit> {
        let plan = self.settings.plan()?;
        if self.format == ReportFormat::Json {
            return Ok(print_json(&plan));
        }
        let mut text = String::new();
        for condition in &plan.conditions {
            let (id, kind) = (&condition.id, condition.kind.prefix());
            let _ = writeln!(text, "{id:<27} {kind:<14} {}", thresholds(condition));
        }
        for left in &plan.left_out {
            let _ = writeln!(text, "{:<27} left out: {}", left.id, left.reason);
        }
        Ok(print(&text))
    }
}

impl RenderArgs {
    fn render(&self) -> Result<Exit, Exit> {
        let plan = self.settings.plan()?;
        Ok(match self.format {
            RenderFormat::Json => print_json(&plan),
            RenderFormat::Terraform => print(&conditions_text(&plan, self.account.id()?)),
            RenderFormat::Nerdgraph => print_json(&json!(mutations(&plan, self.account.id()?))),
        })
    }
}
