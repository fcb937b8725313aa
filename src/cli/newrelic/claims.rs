//! `shakedown newrelic claims`: every behaviour of the simulated New Relic and its foundation.

use clap::{Args, ValueEnum};

use crate::cli::{Exit, print, print_json};
use crate::sim::newrelic::claims::{claims, to_markdown};

/// How the table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum ClaimsFormat {
    /// For people.
    #[default]
    Text,
    /// For documents.
    Markdown,
    /// For programs.
    Json,
}

/// Arguments of `shakedown newrelic claims`.
#[derive(Debug, Args)]
pub struct ClaimsArgs {
    /// How the table is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ClaimsFormat,
}

impl ClaimsArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        match self.format {
            ClaimsFormat::Json => print_json(&claims().collect::<Vec<_>>()),
            ClaimsFormat::Markdown => print(&to_markdown()),
            ClaimsFormat::Text => {
                let line = |claim: &crate::sim::newrelic::claims::Claim| {
                    let (level, area) = (claim.level.as_str(), claim.area);
                    format!("{level:<11} {area:<14} {} ({})\n", claim.behaviour, claim.source)
                };
                print(&claims().map(line).collect::<String>())
            }
        }
    }
}
