//! `shakedown dashboards export`: a dashboard of an account as a file.

use std::path::PathBuf;

use super::choice::named;
use crate::cli::account::{AccountArgs, block_on};
use crate::cli::{Exit, complain, output, print};

/// Writes a dashboard of the account as a file that `apply` and `diff` take.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 written; 1 not there, or the file cannot be written; \
    2 usage;\n4 New Relic cannot be reached, or does not take the key.")]
pub struct ExportArgs {
    /// Its GUID, or its name if no other one has it.
    #[arg(value_name = "DASHBOARD")]
    dashboard: String,
    /// The file [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Keep the GUIDs of pages and the ids of widgets: renamed ones stay the same ones when the
    /// file comes back to this dashboard.
    #[arg(long)]
    ids: bool,
    #[command(flatten)]
    account: AccountArgs,
}

impl ExportArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        block_on(self.export())
    }

    async fn export(self) -> Result<Exit, Exit> {
        let account = self.account.connect()?;
        let stored = named(&account, &self.dashboard).await?;
        let document = if self.ids { stored.document } else { stored.document.without_ids() };
        let text = document.to_json();
        let Some(path) = &self.out else { return Ok(print(&text)) };
        match output::write(path, &text) {
            Ok(()) => Ok(print(&format!("{}\n", path.display()))),
            Err(error) => {
                complain(&format!("{} cannot be written: {error}", path.display()));
                Err(Exit::Failed)
            }
        }
    }
}
