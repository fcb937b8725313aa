//! `shakedown alerts apply`: a policy of an account becomes what the settings say.
//!
//! Invariants:
//! - Nothing is changed before it was shown and agreed to.
//! - Policies and conditions are told by their names; conditions that the settings do not know stay
//!   unless `--prune` asks for their end.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::settings::SettingsArgs;
use crate::alerts::{Basis, Plan, condition_input};
use crate::cli::account::{Account, AccountArgs, agree, block_on, complain_of, complain_of_change};
use crate::cli::{Exit, ReportFormat, complain, print, print_json};
use crate::domain::account::AccountId;
use crate::domain::words::counted;
use crate::newrelic::nerdgraph::alerts::{ConditionKind, StoredPolicy, holds};

/// Makes an account's policy and conditions what the settings say, after showing what would change.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done, or nothing to do; 1 not agreed to, or refused; 2 usage; \
    3 the file is not valid;\n4 New Relic cannot be reached, or does not take the key.\n\
    Example: shakedown alerts apply --config fixtures/alerts/shop.toml --dry-run"
)]
pub struct ApplyArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Delete conditions of the policy that the settings do not know.
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

/// One thing to do.
#[derive(Debug)]
enum Step {
    CreatePolicy,
    UpdatePolicy,
    Create { name: String, kind: ConditionKind, input: Value },
    Update { id: String, name: String, kind: ConditionKind, input: Value },
    Delete { id: String, name: String },
}

impl Step {
    /// `+`, `~` or `-` and what it is about.
    fn words(&self, policy: &str) -> String {
        match self {
            Self::CreatePolicy => format!("+ policy \"{policy}\""),
            Self::UpdatePolicy => format!("~ policy \"{policy}\""),
            Self::Create { name, .. } => format!("+ condition \"{name}\""),
            Self::Update { name, .. } => format!("~ condition \"{name}\""),
            Self::Delete { name, .. } => format!("- condition \"{name}\""),
        }
    }
}

impl ApplyArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        block_on(self.apply())
    }

    async fn apply(self) -> Result<Exit, Exit> {
        let plan = self.settings.plan()?;
        let account = self.account.connect()?;
        let id = account.id()?;
        let stored = self.stored_policy(&account, id, &plan).await?;
        let steps = self.steps(&account, id, &plan, stored.as_ref()).await?;
        let words: Vec<String> = steps.iter().map(|step| step.words(&plan.policy.name)).collect();
        if !steps.is_empty() && !self.dry_run {
            agree(&words.join("\n"), self.yes)?;
            carry_out(&account, id, &plan, stored.map(|policy| policy.id), &steps).await?;
        }
        let done = if self.dry_run { "to do" } else { "done" };
        Ok(match self.format {
            ReportFormat::Json => print_json(
                &json!({"policy": plan.policy.name, "changes": words, "dry_run": self.dry_run}),
            ),
            ReportFormat::Text if words.is_empty() => print(&format!(
                "policy \"{}\" is what the settings say; nothing was changed\n",
                plan.policy.name
            )),
            ReportFormat::Text => {
                let mut text = if self.dry_run { words.join("\n") + "\n" } else { String::new() };
                let _ = writeln!(text, "{} {done}", counted(words.len(), "change"));
                print(&text)
            }
        })
    }

    async fn stored_policy(
        &self,
        account: &Account,
        id: AccountId,
        plan: &Plan,
    ) -> Result<Option<StoredPolicy>, Exit> {
        let all = account.client.policies(id).await.map_err(|error| complain_of(&error))?;
        let mut found: Vec<StoredPolicy> =
            all.into_iter().filter(|stored| stored.name == plan.policy.name).collect();
        if found.len() > 1 {
            complain(&format!(
                "account {id} has {} policies called \"{}\"\nhelp: rename all but one",
                found.len(),
                plan.policy.name
            ));
            return Err(Exit::Failed);
        }
        Ok(found.pop())
    }

    async fn steps(
        &self,
        account: &Account,
        id: AccountId,
        plan: &Plan,
        policy: Option<&StoredPolicy>,
    ) -> Result<Vec<Step>, Exit> {
        let mut steps = Vec::new();
        let preference = plan.policy.incident_preference.as_str();
        let stored = match policy {
            None => {
                steps.push(Step::CreatePolicy);
                Vec::new()
            }
            Some(policy) => {
                if policy.incident_preference != preference {
                    steps.push(Step::UpdatePolicy);
                }
                let found = account.client.conditions(id, &policy.id).await;
                found.map_err(|error| complain_of(&error))?
            }
        };
        for condition in &plan.conditions {
            let (name, input) = (condition.name.clone(), condition_input(condition));
            let baseline = condition.basis == Basis::Baseline;
            let kind = if baseline { ConditionKind::Baseline } else { ConditionKind::Static };
            let old = stored.iter().find(|stored| stored.name == name);
            match old {
                None => steps.push(Step::Create { name, kind, input }),
                // New Relic changes no condition's kind.
                Some(old) if old.kind != Some(kind) => {
                    steps.push(Step::Delete { id: old.id.clone(), name: name.clone() });
                    steps.push(Step::Create { name, kind, input });
                }
                Some(old) if !holds(&old.fields, &input) => {
                    steps.push(Step::Update { id: old.id.clone(), name, kind, input });
                }
                Some(_) => {}
            }
        }
        if self.prune {
            let known = |name: &str| plan.conditions.iter().any(|c| c.name == name);
            let strange = stored.iter().filter(|stored| !known(&stored.name));
            steps.extend(
                strange.map(|stored| Step::Delete {
                    id: stored.id.clone(),
                    name: stored.name.clone(),
                }),
            );
        }
        Ok(steps)
    }
}

/// Carries the steps out, one after the other; the policy comes first.
async fn carry_out(
    account: &Account,
    id: AccountId,
    plan: &Plan,
    policy: Option<String>,
    steps: &[Step],
) -> Result<(), Exit> {
    let client = &account.client;
    let fields = json!({
        "name": plan.policy.name,
        "incidentPreference": plan.policy.incident_preference.as_str(),
    });
    let mut policy = policy.unwrap_or_default();
    for (number, step) in steps.iter().enumerate() {
        let done = match step {
            Step::CreatePolicy => client.create_policy(id, &fields).await,
            Step::UpdatePolicy => client.update_policy(id, &policy, &fields).await,
            Step::Create { kind, input, .. } => {
                client.create_condition(id, &policy, *kind, input).await
            }
            Step::Update { id: condition, kind, input, .. } => {
                client.update_condition(id, (&policy, condition), *kind, input).await
            }
            Step::Delete { id: condition, .. } => {
                client.delete_condition(id, (&policy, condition)).await
            }
        };
        let done = done.map_err(|error| {
            let what = step.words(&plan.policy.name);
            complain(&format!("{number} of {} changes are done; not {what}:", steps.len()));
            complain_of_change(&error)
        })?;
        if matches!(step, Step::CreatePolicy) {
            policy = done.id;
        }
    }
    Ok(())
}
