//! `shakedown slo apply`: the service levels of clusters become what the settings say.
//!
//! Invariants:
//! - Nothing is changed before it was shown and agreed to.
//! - Service levels are told by the names that they have among those of their cluster's entity;
//!   what the settings do not know stays unless `--prune` asks for its end.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::indicators;
use crate::alerts::{Indicator, indicator_create_input, indicator_input};
use crate::cli::account::{Account, AccountArgs, agree, block_on, complain_of, complain_of_change};
use crate::cli::alerts::settings::SettingsArgs;
use crate::cli::{Exit, ReportFormat, complain, print, print_json};
use crate::domain::words::counted;
use crate::newrelic::nerdgraph::alerts::holds;
use crate::newrelic::nerdgraph::service_levels::StoredIndicator;

/// Makes the service levels of clusters what the settings say, after showing what would change.
///
/// A service level belongs to the entity of its cluster, so New Relic must have seen the cluster.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done, or nothing to do; 1 not agreed to, or refused; 2 usage; \
    3 the file is not valid;\n4 New Relic cannot be reached, or does not take the key.\n\
    Example: shakedown slo apply --cluster orders --config fixtures/alerts/shop.toml --dry-run"
)]
pub struct ApplyArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// The clusters.
    #[arg(long, value_name = "NAME", required = true)]
    cluster: Vec<String>,
    /// Delete service levels of these clusters that the settings do not know.
    #[arg(long)]
    prune: bool,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    account: AccountArgs,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// One thing to do with a service level of an entity.
#[derive(Debug)]
struct Step {
    entity: String,
    name: String,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Create(Value),
    Update { id: String, input: Value },
    Delete { id: String },
}

impl Step {
    /// `+`, `~` or `-` and what it is about.
    fn words(&self) -> String {
        let sign = match self.action {
            Action::Create(_) => '+',
            Action::Update { .. } => '~',
            Action::Delete { .. } => '-',
        };
        format!("{sign} service level \"{}\"", self.name)
    }
}

impl ApplyArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        block_on(self.apply())
    }

    async fn apply(self) -> Result<Exit, Exit> {
        let account = self.account.connect()?;
        let wanted = indicators(&self.settings, account.id()?, &self.cluster)?;
        let steps = self.steps(&account, &wanted).await?;
        let words: Vec<String> = steps.iter().map(Step::words).collect();
        if !steps.is_empty() && !self.dry_run {
            agree(&words.join("\n"), self.yes)?;
            carry_out(&account, &steps).await?;
        }
        let done = if self.dry_run { "to do" } else { "done" };
        Ok(match self.format {
            ReportFormat::Json => print_json(
                &json!({"clusters": self.cluster, "changes": words, "dry_run": self.dry_run}),
            ),
            ReportFormat::Text if words.is_empty() => print(&format!(
                "the service levels of {} are what the settings say; nothing was changed\n",
                self.cluster.join(", ")
            )),
            ReportFormat::Text => {
                let mut text = if self.dry_run { words.join("\n") + "\n" } else { String::new() };
                let _ = writeln!(text, "{} {done}", counted(words.len(), "change"));
                print(&text)
            }
        })
    }

    /// What there is to do, cluster by cluster.
    async fn steps(&self, account: &Account, wanted: &[Indicator]) -> Result<Vec<Step>, Exit> {
        let mut steps = Vec::new();
        for wanted in wanted.chunk_by(|left, right| left.entity_guid == right.entity_guid) {
            let Some(Indicator { entity_guid, cluster, .. }) = wanted.first() else { continue };
            let found = account.client.indicators(entity_guid).await;
            let stored = found.map_err(|error| complain_of(&error))?.ok_or_else(|| {
                complain(&format!(
                    "New Relic has no entity of the cluster \"{cluster}\" ({entity_guid})\n\
                     help: a service level belongs to an entity; let the pipeline send the \
                     cluster's events first"
                ));
                Exit::Failed
            })?;
            steps.extend(steps_of(entity_guid, wanted, &stored, self.prune));
        }
        Ok(steps)
    }
}

/// What there is to do for one entity.
fn steps_of(
    entity: &str,
    wanted: &[Indicator],
    stored: &[StoredIndicator],
    prune: bool,
) -> Vec<Step> {
    let step =
        |name: &str, action| Step { entity: entity.to_owned(), name: name.to_owned(), action };
    let mut steps = Vec::new();
    for indicator in wanted {
        let input = indicator_input(indicator);
        match stored.iter().find(|stored| stored.name == indicator.name) {
            None => {
                let input = indicator_create_input(indicator);
                steps.push(step(&indicator.name, Action::Create(input)));
            }
            Some(old) if !holds(&old.fields, &input) => {
                let id = old.id.clone();
                steps.push(step(&indicator.name, Action::Update { id, input }));
            }
            Some(_) => {}
        }
    }
    if prune {
        let known = |name: &str| wanted.iter().any(|indicator| indicator.name == name);
        let strange = stored.iter().filter(|stored| !known(&stored.name));
        steps.extend(strange.map(|old| step(&old.name, Action::Delete { id: old.id.clone() })));
    }
    steps
}

/// Carries the steps out, one after the other.
async fn carry_out(account: &Account, steps: &[Step]) -> Result<(), Exit> {
    let client = &account.client;
    for (number, step) in steps.iter().enumerate() {
        let entity = step.entity.as_str();
        let done = match &step.action {
            Action::Create(input) => client.create_indicator(entity, input).await,
            Action::Update { id, input } => client.update_indicator((entity, id), input).await,
            Action::Delete { id } => client.delete_indicator((entity, id)).await,
        };
        done.map_err(|error| {
            let what = step.words();
            complain(&format!("{number} of {} changes are done; not {what}:", steps.len()));
            complain_of_change(&error)
        })?;
    }
    Ok(())
}
