//! `shakedown nrql`: works with queries.

use clap::{Args, Subcommand};

use super::Exit;

mod check;

/// Arguments of `shakedown nrql`.
#[derive(Debug, Args)]
pub struct NrqlArgs {
    #[command(subcommand)]
    verb: NrqlVerb,
}

#[derive(Debug, Subcommand)]
enum NrqlVerb {
    /// Checks queries: syntax, names, and what a reviewer would say.
    Check(check::CheckArgs),
}

impl NrqlArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            NrqlVerb::Check(args) => args.run(),
        }
    }
}
