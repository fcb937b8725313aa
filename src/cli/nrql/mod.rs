//! `shakedown nrql`: works with queries.

use clap::{Args, Subcommand};

use super::Exit;

mod check;
mod eval;
mod events;
mod repl;
mod table;

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
    /// Answers a query over events from a file.
    Eval(eval::EvalArgs),
    /// Answers queries that are typed, over events from a file.
    Repl(repl::ReplArgs),
}

impl NrqlArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            NrqlVerb::Check(args) => args.run(),
            NrqlVerb::Eval(args) => args.run(),
            NrqlVerb::Repl(args) => args.run(),
        }
    }
}
