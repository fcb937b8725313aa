//! `shakedown dashboards diff`: how a dashboard of an account differs from a file or a template.

use serde_json::json;

use super::choice::{WantedArgs, by_guid, by_name};
use crate::cli::account::{AccountArgs, block_on};
use crate::cli::{Exit, ReportFormat, print, print_json};
use crate::newrelic::nerdgraph::dashboards::Difference;

/// Shows how a dashboard of the account differs from a file or a template: what `apply` would
/// change.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the same; 1 different, or the account has no such dashboard; \
    2 usage;\n3 the file is not valid; 4 New Relic cannot be reached, or does not take the key."
)]
pub struct DiffArgs {
    #[command(flatten)]
    wanted: WantedArgs,
    /// The dashboard to compare with, whatever it is called [default: the one of that name].
    #[arg(long, value_name = "GUID")]
    guid: Option<String>,
    #[command(flatten)]
    account: AccountArgs,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

impl DiffArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        block_on(self.diff())
    }

    async fn diff(self) -> Result<Exit, Exit> {
        let wanted = self.wanted.document(&self.account)?;
        let account = self.account.connect()?;
        let stored = match &self.guid {
            Some(guid) => Some(by_guid(&account, guid).await?),
            None => by_name(&account, &wanted.name).await?,
        };
        let difference = stored.as_ref().map(|stored| {
            Difference::between(&stored.document, &wanted.linked_within(&stored.document))
        });
        let same = difference.as_ref().is_some_and(Difference::is_empty);
        let guid = stored.as_ref().map(|stored| stored.guid.as_str());
        let text = match &difference {
            None => format!("+ dashboard \"{}\": the account has none of this name\n", wanted.name),
            Some(_) if same => {
                format!("dashboard \"{}\" is what {} says\n", wanted.name, self.wanted.source())
            }
            Some(difference) => format!("~ dashboard \"{}\"\n{}", wanted.name, difference.text()),
        };
        let printed = match self.format {
            ReportFormat::Text => print(&text),
            ReportFormat::Json => print_json(&json!({
                "same": same, "guid": guid, "name": wanted.name, "difference": difference,
            })),
        };
        Ok(printed.or(if same { Exit::Ok } else { Exit::Failed }))
    }
}
