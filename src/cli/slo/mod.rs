//! `shakedown slo`: service levels of clusters and their error budgets.
//!
//! Invariant: a budget counts what its service level would count in New Relic, by the same
//! conditions on the same events.

mod apply;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::account::{AccountArgs, AccountIdArgs, block_on, complain_of};
use super::alerts::RenderFormat;
use super::alerts::history::History;
use super::alerts::settings::SettingsArgs;
use super::{Exit, ReportFormat, complain, input, print, print_json};
use crate::adapters::SystemClock;
use crate::alerts::{
    Budget, Indicator, SERVICE_LEVELS, Tally, service_level_mutations, service_levels,
    service_levels_text,
};
use crate::domain::account::AccountId;
use crate::ports::Clock as _;

const DAY_MS: i64 = 86_400_000;

/// Arguments of `shakedown slo`.
#[derive(Debug, Args)]
pub struct SloArgs {
    #[command(subcommand)]
    verb: SloVerb,
}

#[derive(Debug, Subcommand)]
enum SloVerb {
    /// Lists the service levels.
    List(ListArgs),
    /// Prints the service levels of clusters for NerdGraph or Terraform.
    Render(RenderArgs),
    /// Makes the service levels of an account's clusters what the settings say.
    Apply(apply::ApplyArgs),
    /// Counts how much of each error budget is left.
    Budget(BudgetArgs),
}

/// Lists the service levels.
#[derive(Debug, Args)]
struct ListArgs {
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// Prints the service levels of clusters for NerdGraph or Terraform.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 ok, 2 usage, 3 the file is not valid.\n\
    Example: shakedown slo render --cluster orders --account 1 > slo.tf")]
struct RenderArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    account: AccountIdArgs,
    /// The clusters.
    #[arg(long, value_name = "NAME", required = true)]
    cluster: Vec<String>,
    /// For what.
    #[arg(long, value_enum, default_value_t = RenderFormat::Terraform)]
    format: RenderFormat,
}

/// Counts how much of each error budget is left.
///
/// The events are those of the account of New Relic, over the window of each service level, or with
/// --simulate those of a simulated run, over its whole length.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every budget holds; 1 one is spent, or nothing was counted; \
    2 usage; 3 a file is not valid;\n4 New Relic cannot be reached, or does not take the key.\n\
    Example: shakedown slo budget --simulate --scenario scenarios/broker-loss.toml"
)]
struct BudgetArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// The clusters [default with --simulate: all of the run].
    #[arg(long, value_name = "NAME")]
    cluster: Vec<String>,
    /// Run a scenario and count its events.
    #[arg(long)]
    simulate: bool,
    /// The scenario [default: the built-in one].
    #[arg(long, value_name = "FILE", requires = "simulate")]
    scenario: Option<PathBuf>,
    /// Seed of every random choice; without one the scenario's own.
    #[arg(long, requires = "simulate", value_parser = input::number::<u64>)]
    seed: Option<u64>,
    #[command(flatten)]
    account: AccountArgs,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// One budget.
#[derive(Debug, Serialize)]
struct Counted {
    cluster: String,
    id: &'static str,
    window_days: u32,
    #[serde(flatten)]
    budget: Budget,
}

impl SloArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            SloVerb::List(args) => args.list(),
            SloVerb::Render(args) => args.render().unwrap_or_else(|exit| exit),
            SloVerb::Apply(args) => args.run(),
            SloVerb::Budget(args) => args.budget().unwrap_or_else(|exit| exit),
        }
    }
}

impl ListArgs {
    fn list(&self) -> Exit {
        if self.format == ReportFormat::Json {
            let level = |level: &crate::alerts::ServiceLevel| {
                json!({
                    "id": level.id, "title": level.title, "kind": level.kind.type_name(),
                    "limit": level.limit, "target_percent": level.target_percent,
                    "window_days": level.window_days,
                })
            };
            return print_json(&SERVICE_LEVELS.iter().map(level).collect::<Vec<_>>());
        }
        let mut text = String::new();
        for level in SERVICE_LEVELS {
            let (target, days) = (level.target_percent, level.window_days);
            let _ = writeln!(text, "{:<13} {target} % over {days} days: {}", level.id, level.title);
        }
        print(&text)
    }
}

fn indicators(
    settings: &SettingsArgs,
    account: AccountId,
    clusters: &[String],
) -> Result<Vec<Indicator>, Exit> {
    let settings = settings.load()?;
    service_levels(&settings.file, account, clusters).map_err(|faults| settings.refuse(&faults))
}

impl RenderArgs {
    fn render(&self) -> Result<Exit, Exit> {
        let indicators = indicators(&self.settings, self.account.id()?, &self.cluster)?;
        Ok(match self.format {
            RenderFormat::Terraform => print(&service_levels_text(&indicators)),
            RenderFormat::Nerdgraph => print_json(&service_level_mutations(&indicators)),
            RenderFormat::Json => print_json(&indicators),
        })
    }
}

impl BudgetArgs {
    fn budget(&self) -> Result<Exit, Exit> {
        if self.simulate {
            return self.simulated().map(|counted| self.report(&counted));
        }
        Ok(block_on(async { self.live().await.map(|counted| self.report(&counted)) }))
    }

    /// Of a simulated run.
    fn simulated(&self) -> Result<Vec<Counted>, Exit> {
        let history = History::simulate(self.scenario.as_deref(), self.seed)?;
        let clusters =
            if self.cluster.is_empty() { history.clusters() } else { self.cluster.clone() };
        let (begin, end) = history.span;
        let indicators = indicators(&self.settings, history.account(), &clusters)?;
        let mut replay = history.replay();
        let mut count = |indicator: &Indicator| {
            let answer = replay.ask(end, &indicator.nrql(begin.0, end.0)).map_err(|error| {
                complain(&format!("{}: its query failed: {error}", indicator.id));
                Exit::Failed
            })?;
            Ok(counted(indicator, Tally::of(&answer)))
        };
        indicators.iter().map(&mut count).collect()
    }

    /// Of the account of New Relic.
    async fn live(&self) -> Result<Vec<Counted>, Exit> {
        if self.cluster.is_empty() {
            complain("no cluster is named\nhelp: give --cluster, or --simulate");
            return Err(Exit::Usage);
        }
        let account = self.account.connect()?;
        let id = account.id()?;
        let now = SystemClock::new().wall();
        let mut all = Vec::new();
        for indicator in indicators(&self.settings, id, &self.cluster)? {
            let begin = now.plus_millis(-DAY_MS * i64::from(indicator.window_days));
            let answer = account.client.nrql(id, &indicator.nrql(begin.0, now.0)).await;
            let answer = answer.map_err(|error| complain_of(&error))?;
            let tally = answer.results.first().map(Tally::of_row).unwrap_or_default();
            all.push(counted(&indicator, tally));
        }
        Ok(all)
    }

    fn report(&self, all: &[Counted]) -> Exit {
        let printed = match self.format {
            ReportFormat::Json => print_json(&all),
            ReportFormat::Text => print(&text(all)),
        };
        if all.iter().all(|counted| counted.budget.burn_rate.is_none()) {
            complain("nothing was counted: there are no such events");
            return Exit::Failed;
        }
        let kept = all.iter().all(|counted| counted.budget.is_kept());
        printed.or(if kept { Exit::Ok } else { Exit::Failed })
    }
}

fn counted(indicator: &Indicator, tally: Tally) -> Counted {
    Counted {
        cluster: indicator.cluster.clone(),
        id: indicator.id,
        window_days: indicator.window_days,
        budget: Budget::of(tally, indicator.target_percent),
    }
}

fn text(all: &[Counted]) -> String {
    let mut text = String::new();
    for Counted { cluster, id, budget, .. } in all {
        let target = budget.target_percent;
        let said = match (budget.attained_percent, budget.left_percent, budget.burn_rate) {
            (Some(attained), Some(left), Some(rate)) => format!(
                "{attained:.3} % of {target} %, {left:.1} % of the budget left, burn rate {rate:.2}"
            ),
            _ => format!("no data; the target is {target} %"),
        };
        let _ = writeln!(text, "{cluster:<20} {id:<13} {said}");
    }
    text
}
