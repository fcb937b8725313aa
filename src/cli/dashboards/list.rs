//! `shakedown dashboards list`: what dashboards an account has.

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::account::{AccountArgs, block_on, complain_of};
use crate::cli::{Exit, ReportFormat, print, print_json};

/// Lists the dashboards of the account by name.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 listed; 2 usage; 4 New Relic cannot be reached, or does not \
    take the key."
)]
pub struct ListArgs {
    #[command(flatten)]
    account: AccountArgs,
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

impl ListArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        block_on(self.list())
    }

    async fn list(self) -> Result<Exit, Exit> {
        let account = self.account.connect()?;
        let id = account.id()?;
        let found = account.client.dashboards(id).await.map_err(|error| complain_of(&error))?;
        if self.format == ReportFormat::Json {
            return Ok(print_json(&json!({"account": id, "dashboards": found})));
        }
        if found.is_empty() {
            return Ok(print(&format!("account {id} has no dashboards\n")));
        }
        let mut text = String::new();
        for outline in &found {
            let updated = outline.updated_at.as_deref().unwrap_or("?");
            let _ = writeln!(text, "{}  {updated}  {}", outline.guid, outline.name);
        }
        Ok(print(&text))
    }
}
