//! Which dashboard is meant: by GUID or by name; what a file or a template wants of it.

use std::path::{Path, PathBuf};

use base64::Engine as _;

use super::SettingsArgs;
use crate::cli::account::{Account, AccountArgs, complain_of};
use crate::cli::{Exit, complain, input};
use crate::dashboards::catalogue::{template, templates};
use crate::dashboards::{Links, write};
use crate::newrelic::nerdgraph::dashboards::{DashboardDocument, StoredDashboard};

/// The page that shows a dashboard, in whatever region.
pub fn link(guid: &str) -> String {
    format!("https://one.newrelic.com/redirect/entity/{guid}")
}

/// Whether `text` is the GUID of a dashboard: base64 of `account|VIZ|DASHBOARD|id`.
fn is_guid(text: &str) -> bool {
    let plain = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    let plain = plain.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    plain.is_some_and(|plain| plain.contains("|VIZ|DASHBOARD|"))
}

/// What an account's dashboard is to be.
#[derive(Debug, Clone, clap::Args)]
pub struct WantedArgs {
    /// A dashboard as JSON, `-` for standard input; or a template that `shakedown dashboards list`
    /// names, whose queries then read the account.
    #[arg(value_name = "FILE|TEMPLATE")]
    target: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl WantedArgs {
    /// The dashboard. A file of a template's name is taken for a file.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    pub fn document(&self, account: &AccountArgs) -> Result<DashboardDocument, Exit> {
        if self.is_template() {
            let name = self.target.to_string_lossy();
            let (_, dashboard) = self.settings.dashboard_in(&name, account.id()?)?;
            let text = write(&dashboard, Links::Named).to_string();
            return parsed(&name, &text);
        }
        if self.settings.any() {
            complain("--set is for templates\nhelp: render the file with --set, or edit it");
            return Err(Exit::Usage);
        }
        document(&self.target)
    }

    /// What the dashboard is compared with, in a sentence.
    pub fn source(&self) -> &'static str {
        if self.is_template() { "the template" } else { "the file" }
    }

    fn is_template(&self) -> bool {
        template(&self.target.to_string_lossy()).is_some() && !self.target.exists()
    }
}

/// The document in the file at `path`.
fn document(path: &Path) -> Result<DashboardDocument, Exit> {
    let (name, text) = input::text_or_stdin(path).map_err(|error| {
        let mut help = String::new();
        let written = path.to_string_lossy();
        let all = templates();
        let near = crate::config::toml_file::nearest(&written, all.iter().map(|known| known.name));
        if let Some(near) = near {
            help = format!("\nhelp: did you mean the template `{near}`?");
        }
        complain(&format!("{error}{help}"));
        Exit::InvalidFile
    })?;
    parsed(&name, &text)
}

fn parsed(name: &str, text: &str) -> Result<DashboardDocument, Exit> {
    DashboardDocument::parse(text).map_err(|error| {
        let problems = error.to_string();
        let lines: Vec<String> = problems.lines().map(|line| format!("{name}: {line}")).collect();
        complain(&format!(
            "{}\nhelp: a dashboard is an object with `name` and `pages`, as `shakedown dashboards \
             export` writes it",
            lines.join("\n")
        ));
        Exit::InvalidFile
    })
}

/// The dashboard called `name`, if there is one.
///
/// # Errors
/// The exit code, after a complaint; also when several have this name.
pub async fn by_name(account: &Account, name: &str) -> Result<Option<StoredDashboard>, Exit> {
    let id = account.id()?;
    let found = account.client.dashboards_called(id, name).await;
    let found = found.map_err(|error| complain_of(&error))?;
    match found.as_slice() {
        [] => Ok(None),
        [one] => by_guid(account, &one.guid).await.map(Some),
        several => {
            let guids: Vec<String> =
                several.iter().map(|outline| format!("  {}", outline.guid)).collect();
            complain(&format!(
                "account {id} has {} dashboards called `{name}`:\n{}\nhelp: name one by its GUID",
                several.len(),
                guids.join("\n")
            ));
            Err(Exit::Failed)
        }
    }
}

/// The dashboard `guid`.
///
/// # Errors
/// The exit code, after a complaint.
pub async fn by_guid(account: &Account, guid: &str) -> Result<StoredDashboard, Exit> {
    let found = account.client.dashboard(guid).await.map_err(|error| complain_of(&error))?;
    match found {
        None => {
            complain(&format!(
                "there is no dashboard {guid}\nhelp: `shakedown dashboards list` shows all"
            ));
            Err(Exit::Failed)
        }
        Some(StoredDashboard { parent: Some(parent), .. }) => {
            complain(&format!("{guid} is a page of dashboard {parent}\nhelp: name that one"));
            Err(Exit::Failed)
        }
        Some(stored) => Ok(stored),
    }
}

/// The dashboard that somebody named.
///
/// # Errors
/// The exit code, after a complaint.
pub async fn named(account: &Account, text: &str) -> Result<StoredDashboard, Exit> {
    if is_guid(text) {
        return by_guid(account, text).await;
    }
    match by_name(account, text).await? {
        Some(stored) => Ok(stored),
        None => {
            complain(&format!(
                "account {} has no dashboard called `{text}`\nhelp: `shakedown dashboards list` \
                 shows all",
                account.id()?
            ));
            Err(Exit::Failed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_are_told_from_names() {
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let check = |text: &str, expected: bool| assert_eq!(is_guid(text), expected, "{text}");
        check(&encode("1|VIZ|DASHBOARD|da:1000001"), true);
        check(&format!("{}==", encode("1|VIZ|DASHBOARD|1")), true);
        check(&encode("1|INFRA|HOST|1"), false);
        check("Kafka", false);
        check("Kafka overview", false);
        check("", false);
    }
}
