//! `shakedown dashboards delete`: deletes a dashboard whose name was said twice.

use serde_json::json;

use super::choice::named;
use crate::cli::account::{AccountArgs, ask, block_on, complain_of_change};
use crate::cli::{Exit, ReportFormat, complain, print, print_json};

/// Deletes a dashboard. Its name has to be confirmed, on the terminal or with --confirm.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 deleted; 1 not confirmed, not there, or refused; 2 usage;\n\
    4 New Relic cannot be reached, or does not take the key.")]
pub struct DeleteArgs {
    /// Its GUID, or its name if no other one has it.
    #[arg(value_name = "DASHBOARD")]
    dashboard: String,
    /// Its name, so that nobody is asked.
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    account: AccountArgs,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

impl DeleteArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        block_on(self.delete())
    }

    async fn delete(self) -> Result<Exit, Exit> {
        let account = self.account.connect()?;
        let stored = named(&account, &self.dashboard).await?;
        let name = &stored.document.name;
        let question =
            format!("Type the name of the dashboard to delete {} ({name}):", stored.guid);
        match self.confirm.clone().or_else(|| ask(&question)) {
            None => {
                complain("nobody can be asked\nhelp: give the dashboard's name with --confirm");
                return Err(Exit::Usage);
            }
            Some(said) if said != *name => {
                complain(&format!(
                    "the dashboard is called `{name}`, not `{said}`; nothing was deleted"
                ));
                return Err(Exit::Failed);
            }
            Some(_) => {}
        }
        let done = account.client.delete_dashboard(&stored.guid).await;
        let done = done.map_err(|error| complain_of_change(&error))?;
        Ok(match self.format {
            ReportFormat::Text => print(&format!("dashboard \"{name}\" was deleted\n")),
            ReportFormat::Json => {
                print_json(&json!({"action": "deleted", "guid": done.id, "name": name}))
            }
        })
    }
}
