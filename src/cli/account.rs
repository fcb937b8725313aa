//! The account of New Relic that a verb works on: its number, its user key, its address.
//!
//! Invariants:
//! - Options win over the environment's variables, whose names are those of New Relic's own tools.
//! - The key comes from the environment alone: what stands on a command line is seen by everybody
//!   of the machine. It is never printed.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use super::{Exit, complain};
use crate::adapters::RealPorts;
use crate::domain::account::AccountId;
use crate::newrelic::nerdgraph::{ChangeError, Refusal};
use crate::newrelic::{ApiKey, NerdGraph, NerdGraphConfig, NerdGraphError, Region};
use crate::ports::Ports;
use crate::rt::with_causes;

/// Which account.
#[derive(Debug, Clone, clap::Args)]
pub struct AccountIdArgs {
    /// Account number (environment: NEW_RELIC_ACCOUNT_ID).
    #[arg(long, visible_alias = "account-id", value_name = "ID")]
    account: Option<String>,
}

impl AccountIdArgs {
    /// Its number.
    ///
    /// # Errors
    /// [`Exit::Usage`], after a complaint.
    pub fn id(&self) -> Result<AccountId, Exit> {
        self.read().map_err(usage)
    }

    /// Its number, if one is named.
    ///
    /// # Errors
    /// [`Exit::Usage`], after a complaint about what is no number of an account.
    pub fn id_if_named(&self) -> Result<Option<AccountId>, Exit> {
        match setting(self.account.as_ref(), "NEW_RELIC_ACCOUNT_ID") {
            Some(_) => self.id().map(Some),
            None => Ok(None),
        }
    }

    fn read(&self) -> Result<AccountId, String> {
        self.named()?.ok_or_else(|| {
            "no account is named\nhelp: give --account, or set NEW_RELIC_ACCOUNT_ID".to_owned()
        })
    }

    /// Its number, if one is named.
    fn named(&self) -> Result<Option<AccountId>, String> {
        let text = setting(self.account.as_ref(), "NEW_RELIC_ACCOUNT_ID");
        text.map(|text| text.parse().map_err(|error| format!("{error}"))).transpose()
    }
}

/// Which account, and where New Relic is.
#[derive(Debug, Clone, clap::Args)]
pub struct AccountArgs {
    #[command(flatten)]
    account: AccountIdArgs,
    /// US, EU, JP, GOV, Staging or Local (environment: NEW_RELIC_REGION).
    #[arg(long)]
    region: Option<String>,
    /// NerdGraph, up to and including /graphql (environment: NEW_RELIC_NERDGRAPH_BASE_URL).
    #[arg(long, value_name = "URL")]
    nerdgraph_url: Option<String>,
}

/// The way to one account.
pub struct Account<P: Ports = RealPorts> {
    /// The client.
    pub client: NerdGraph<P>,
    id: Result<AccountId, String>,
}

impl<P: Ports> Account<P> {
    /// Its number, for what cannot be asked without.
    ///
    /// # Errors
    /// [`Exit::Usage`], after a complaint.
    pub fn id(&self) -> Result<AccountId, Exit> {
        self.read_id().map_err(usage)
    }

    /// The same, for callers that tell problems in their own way.
    ///
    /// # Errors
    /// What is wrong, and what helps.
    pub fn read_id(&self) -> Result<AccountId, String> {
        self.id.clone()
    }
}

/// An option, else a variable; an empty variable is as good as none.
fn setting(option: Option<&String>, variable: &str) -> Option<String> {
    let given = || std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned());
    option.cloned().or_else(given).filter(|text| !text.is_empty())
}

fn usage(problem: impl Into<String>) -> Exit {
    complain(&problem.into());
    Exit::Usage
}

impl AccountArgs {
    /// Its number, if one is named.
    ///
    /// # Errors
    /// [`Exit::Usage`], after a complaint, when what is named is no account.
    pub fn named_id(&self) -> Result<Option<AccountId>, Exit> {
        self.account.named().map_err(usage)
    }

    /// The account's number.
    ///
    /// # Errors
    /// [`Exit::Usage`], after a complaint.
    pub fn id(&self) -> Result<AccountId, Exit> {
        self.account.id()
    }

    /// A client with the user key of the environment.
    ///
    /// # Errors
    /// The exit code, after a complaint.
    pub fn connect(&self) -> Result<Account, Exit> {
        // Nothing is kept on the ports' disk; it needs a folder that exists.
        let ports = RealPorts::new(Path::new(&std::env::temp_dir())).map_err(|error| {
            complain(&format!("cannot start: {}", with_causes(&error)));
            Exit::Unreachable
        })?;
        self.connect_over(ports).map_err(usage)
    }

    /// The same over `ports`, for callers that have some.
    ///
    /// # Errors
    /// What is wrong with the options and the environment, and what helps.
    pub fn connect_over<P: Ports>(&self, ports: P) -> Result<Account<P>, String> {
        let client = NerdGraph::new(ports, self.config()?).map_err(|error| error.to_string())?;
        Ok(Account { client, id: self.account.read() })
    }

    fn config(&self) -> Result<NerdGraphConfig, String> {
        let key = setting(None, "NEW_RELIC_API_KEY")
            .ok_or("there is no user key\nhelp: set NEW_RELIC_API_KEY (NRAK-…)")?;
        let key =
            ApiKey::new(&key).map_err(|error| format!("NEW_RELIC_API_KEY is no key: {error}"))?;
        let region = setting(self.region.as_ref(), "NEW_RELIC_REGION");
        let region = region.map(|text| text.parse::<Region>()).transpose();
        let region = region.map_err(|error| error.to_string())?.unwrap_or_default();
        let url = setting(self.nerdgraph_url.as_ref(), "NEW_RELIC_NERDGRAPH_BASE_URL");
        let url = url.unwrap_or_else(|| region.addresses().nerdgraph);
        let uri = url.parse::<http::Uri>().ok();
        let is_web = |uri: &http::Uri| matches!(uri.scheme_str(), Some("http" | "https"));
        let uri = uri.filter(is_web).ok_or_else(|| {
            format!(
                "`{url}` is no address of NerdGraph\nhelp: write for example \
                 http://localhost:3000/graphql"
            )
        })?;
        Ok(NerdGraphConfig::new(uri, key))
    }
}

/// Carries out what talks with New Relic, in a runtime of its own.
pub fn block_on(work: impl Future<Output = Result<Exit, Exit>>) -> Exit {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let done = tokio::task::LocalSet::new().block_on(&runtime, work);
            done.unwrap_or_else(|exit| exit)
        }
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            Exit::Unreachable
        }
    }
}

/// Asks on the terminal; `None` when nobody can be asked, because standard input is none.
pub fn ask(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    complain(question);
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned())
}

/// Shows what would change, and waits for a yes unless it was given before.
///
/// # Errors
/// The exit code, after a complaint, when nobody agrees.
pub fn agree(plan: &str, yes: bool) -> Result<(), Exit> {
    complain(plan);
    if yes {
        return Ok(());
    }
    match ask("Do it? [y/N]").as_deref() {
        Some("y" | "Y" | "yes") => Ok(()),
        Some(_) => {
            complain("nothing was changed");
            Err(Exit::Failed)
        }
        None => Err(usage("nobody can be asked\nhelp: give --yes, or --dry-run to look only")),
    }
}

/// Tells why NerdGraph gave nothing; the exit code.
pub fn complain_of(error: &NerdGraphError) -> Exit {
    let (exit, help) = match error {
        NerdGraphError::Key(_) => (
            Exit::Unreachable,
            "NEW_RELIC_API_KEY must be a user key (NRAK-…) that opens the account; --region must \
             be the account's",
        ),
        NerdGraphError::NoAnswer { .. } => (Exit::Unreachable, "see --region and --nerdgraph-url"),
        NerdGraphError::TooMany { .. } => (Exit::Unreachable, "try again in a minute"),
        NerdGraphError::Invalid(_) | NerdGraphError::Nrql(_) | NerdGraphError::Refused(_) => {
            (Exit::Failed, "")
        }
        _ => (Exit::Unreachable, ""),
    };
    let help = if help.is_empty() { String::new() } else { format!("\nhelp: {help}") };
    complain(&format!("{error}{help}"));
    exit
}

/// Tells why a change was not made; the exit code.
pub fn complain_of_change(error: &ChangeError) -> Exit {
    match error {
        ChangeError::NerdGraph(error) => complain_of(error),
        ChangeError::Refused { kind, .. } => {
            complain(&error.to_string());
            if *kind == Refusal::InvalidInput { Exit::InvalidFile } else { Exit::Failed }
        }
        ChangeError::ChangedMeanwhile => {
            complain(&format!("{error}\nhelp: run again"));
            Exit::Failed
        }
        ChangeError::Unlinked { .. } => {
            complain(&format!("{error}\nhelp: run again; what is there is found, and linked"));
            Exit::Unreachable
        }
        ChangeError::Unknown { .. } => {
            complain(&format!("{error}\nhelp: look at the account before you try again"));
            Exit::Unreachable
        }
    }
}
