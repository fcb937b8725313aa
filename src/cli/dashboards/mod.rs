//! `shakedown dashboards`: the dashboards of an account of New Relic, and files of them.
//!
//! Invariants:
//! - Nothing is changed before it was shown and agreed to, on a terminal or with `--yes`.
//! - A name stands for a dashboard only when one dashboard of the account has it.

mod apply;
mod choice;
mod delete;
mod diff;
mod export;
mod list;

use clap::{Args, Subcommand};

use super::Exit;

/// Arguments of `shakedown dashboards`.
#[derive(Debug, Args)]
pub struct DashboardsArgs {
    #[command(subcommand)]
    verb: DashboardsVerb,
}

#[derive(Debug, Subcommand)]
enum DashboardsVerb {
    /// Makes an account's dashboard what a file says, after showing what would change.
    Apply(apply::ApplyArgs),
    /// Shows how a dashboard of the account differs from a file.
    Diff(diff::DiffArgs),
    /// Deletes a dashboard.
    Delete(delete::DeleteArgs),
    /// Writes a dashboard of the account as a file that `apply` takes.
    Export(export::ExportArgs),
    /// Lists the dashboards of the account.
    List(list::ListArgs),
}

impl DashboardsArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            DashboardsVerb::Apply(args) => args.run(),
            DashboardsVerb::Diff(args) => args.run(),
            DashboardsVerb::Delete(args) => args.run(),
            DashboardsVerb::Export(args) => args.run(),
            DashboardsVerb::List(args) => args.run(),
        }
    }
}
