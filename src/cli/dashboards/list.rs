//! `shakedown dashboards list`: what templates there are, and what dashboards an account has.

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::account::{AccountArgs, block_on, complain_of};
use crate::cli::{Exit, ReportFormat, print, print_json};
use crate::dashboards::catalogue::{PARAMETERS, Parameters, templates};

/// Lists the templates and the parameters that they take; with --deployed the dashboards of the
/// account, by name.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 listed; 2 usage; 4 New Relic cannot be reached, or does not \
    take the key."
)]
pub struct ListArgs {
    /// Lists the dashboards of the account instead.
    #[arg(long)]
    deployed: bool,
    #[command(flatten)]
    account: AccountArgs,
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

impl ListArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match (self.deployed, self.format) {
            (true, _) => block_on(self.list()),
            (false, ReportFormat::Text) => print(&templates_text()),
            (false, ReportFormat::Json) => templates_json(),
        }
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

/// The templates, for people.
fn templates_text() -> String {
    let mut text = String::new();
    let all = templates();
    let width = all.iter().map(|template| template.name.len()).max().unwrap_or_default();
    for template in &all {
        let awaits = template.awaits.map(|awaited| format!(" ({})", awaited.sentence()));
        let awaits = awaits.unwrap_or_default();
        text.push_str(&format!("{:width$}  {}{awaits}\n", template.name, template.summary));
    }
    text.push_str("\nParameters (--set NAME=VALUE):\n");
    let width = PARAMETERS.iter().map(|one| one.name.len()).max().unwrap_or_default();
    for one in PARAMETERS {
        let default = if one.default.is_empty() { "none" } else { one.default };
        text.push_str(&format!("  {:width$}  {} [{default}]\n", one.name, one.meaning));
    }
    text
}

fn templates_json() -> Exit {
    let templates: Vec<_> = templates()
        .iter()
        .map(|template| {
            let built = template.build(&Parameters::default()).ok();
            let pages = built.iter().flat_map(|dashboard| &dashboard.pages);
            let pages: Vec<_> = pages
                .map(|page| json!({"name": page.name, "widgets": page.widgets.len()}))
                .collect();
            json!({
                "name": template.name,
                "title": template.title,
                "summary": template.summary,
                "awaits": template.awaits.map(|awaited| awaited.sentence()),
                "notes": template.notes,
                "pages": pages,
            })
        })
        .collect();
    let parameters: Vec<_> = PARAMETERS
        .iter()
        .map(|p| json!({"name": p.name, "default": p.default, "meaning": p.meaning}))
        .collect();
    print_json(&json!({"templates": templates, "parameters": parameters}))
}
