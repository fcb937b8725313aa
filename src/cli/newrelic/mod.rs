//! `shakedown newrelic`: the simulated New Relic outside of a run.

use super::Exit;

mod claims;
mod definitions;
mod report;
mod serve;

/// Arguments of `shakedown newrelic`.
#[derive(Debug, clap::Args)]
pub struct NewRelicArgs {
    #[command(subcommand)]
    verb: NewRelicVerb,
}

#[derive(Debug, clap::Subcommand)]
enum NewRelicVerb {
    /// Serves a simulated New Relic on this machine until interrupted.
    Serve(Box<serve::ServeArgs>),
    /// Lists what it does and how well founded each behaviour is.
    Claims(claims::ClaimsArgs),
}

impl NewRelicArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.verb {
            NewRelicVerb::Serve(args) => args.run(),
            NewRelicVerb::Claims(args) => args.run(),
        }
    }
}
