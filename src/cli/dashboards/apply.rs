//! `shakedown dashboards apply`: an account's dashboard becomes what a file or a template says.
//!
//! Invariants:
//! - What is replaced is what was shown: when somebody changes the dashboard in between, nothing
//!   is done.
//! - Pages and widgets keep their GUIDs and ids as far as the file has them under their ids, names
//!   or titles.
//! - Links between pages lead to the pages as they are stored, also to those that are new.

use serde_json::json;

use super::choice::{WantedArgs, by_guid, by_name, link};
use crate::cli::account::{Account, AccountArgs, agree, block_on, complain_of_change};
use crate::cli::{Exit, ReportFormat, complain, print, print_json};
use crate::domain::words::counted;
use crate::newrelic::nerdgraph::dashboards::{DashboardDocument, Difference, StoredDashboard};

/// Makes an account's dashboard what a file or a template says, after showing what would change.
///
/// The dashboard is the one of that name, or the one that --guid names; without either a new one is
/// made. The user key comes from NEW_RELIC_API_KEY.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done, or nothing to do; 1 not agreed to, or refused; 2 usage; \
    3 the file is not valid;\n4 New Relic cannot be reached, or does not take the key.\n\
    Examples:\n  shakedown dashboards apply standard --dry-run\n  \
    shakedown dashboards apply consumer-groups --set cluster=orders --set name=Orders\n  \
    shakedown dashboards apply kafka.json --yes"
)]
pub struct ApplyArgs {
    #[command(flatten)]
    wanted: WantedArgs,
    /// The dashboard to replace, whatever it is called.
    #[arg(long, value_name = "GUID")]
    guid: Option<String>,
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

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Unchanged,
    WouldCreate,
    WouldUpdate,
    Created,
    Updated,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::WouldCreate => "would_create",
            Self::WouldUpdate => "would_update",
            Self::Created => "created",
            Self::Updated => "updated",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Unchanged => "is as wanted; nothing was changed",
            Self::WouldCreate => "would be created",
            Self::WouldUpdate => "would be changed",
            Self::Created => "was created",
            Self::Updated => "was changed",
        }
    }
}

impl ApplyArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        block_on(self.apply())
    }

    async fn apply(self) -> Result<Exit, Exit> {
        let wanted = self.wanted.document(&self.account)?;
        let account = self.account.connect()?;
        let stored = match &self.guid {
            Some(guid) => Some(by_guid(&account, guid).await?),
            None => by_name(&account, &wanted.name).await?,
        };
        match stored {
            None => self.create(&account, &wanted).await,
            Some(stored) => self.update(&account, &stored, &wanted).await,
        }
    }

    async fn create(&self, account: &Account, wanted: &DashboardDocument) -> Result<Exit, Exit> {
        let id = account.id()?;
        let widgets: usize = wanted.pages.iter().map(|page| page.widgets.len()).sum();
        let (pages, widgets) = (counted(wanted.pages.len(), "page"), counted(widgets, "widget"));
        let plan = format!("+ dashboard \"{}\" in account {id}: {pages}, {widgets}", wanted.name);
        if self.dry_run {
            return Ok(self.report(Action::WouldCreate, None, &wanted.name, None, &plan));
        }
        agree(&plan, self.yes)?;
        let done = account.client.create_dashboard(id, wanted).await;
        let done = done.map_err(|error| complain_of_change(&error))?;
        remark(done.found_out);
        Ok(self.report(Action::Created, Some(&done.id), &wanted.name, None, ""))
    }

    async fn update(
        &self,
        account: &Account,
        stored: &StoredDashboard,
        wanted: &DashboardDocument,
    ) -> Result<Exit, Exit> {
        let guid = stored.guid.as_str();
        let wanted = &wanted.linked_within(&stored.document);
        let difference = Difference::between(&stored.document, wanted);
        let report = |action, plan: &str| {
            Ok(self.report(action, Some(guid), &wanted.name, Some(&difference), plan))
        };
        if difference.is_empty() {
            return report(Action::Unchanged, "");
        }
        let plan = format!("~ dashboard \"{}\"\n{}", stored.document.name, difference.text());
        if self.dry_run {
            return report(Action::WouldUpdate, plan.trim_end());
        }
        agree(plan.trim_end(), self.yes)?;
        if by_guid(account, guid).await?.document != stored.document {
            complain("somebody changed the dashboard meanwhile; nothing was done\nhelp: run again");
            return Err(Exit::Failed);
        }
        let adopted = wanted.adopting(&stored.document);
        let done = account.client.update_dashboard(guid, &adopted).await;
        remark(done.map_err(|error| complain_of_change(&error))?.found_out);
        report(Action::Updated, "")
    }

    fn report(
        &self,
        action: Action,
        guid: Option<&str>,
        name: &str,
        difference: Option<&Difference>,
        plan: &str,
    ) -> Exit {
        let link = guid.map(link);
        if self.format == ReportFormat::Json {
            return print_json(&json!({
                "action": action.as_str(), "guid": guid, "name": name, "link": link,
                "difference": difference,
            }));
        }
        let mut text = if plan.is_empty() { String::new() } else { format!("{plan}\n") };
        text += &format!("dashboard \"{name}\" {}\n", action.sentence());
        if let (Some(guid), Some(link)) = (guid, link) {
            text += &format!("{guid}\n{link}\n");
        }
        print(&text)
    }
}

/// Says that the outcome was not told but looked up.
fn remark(found_out: bool) {
    if found_out {
        complain("New Relic's answer was lost; the dashboard is as wanted, so the change was made");
    }
}
