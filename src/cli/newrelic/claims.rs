//! `shakedown newrelic claims`: every behaviour of the simulated New Relic and its foundation.

use clap::{Args, ValueEnum};

use crate::cli::{Exit, print};
use crate::sim::newrelic::claims::{Claim, claims, to_markdown};

/// How the table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ClaimsFormat {
    /// For people.
    #[default]
    Text,
    /// For documents.
    Markdown,
    /// For programs.
    Json,
}

/// Every format.
#[cfg(test)]
pub const FORMATS: [ClaimsFormat; 3] =
    [ClaimsFormat::Text, ClaimsFormat::Markdown, ClaimsFormat::Json];

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
        print(&text(self.format))
    }
}

/// The table.
pub fn text(format: ClaimsFormat) -> String {
    match format {
        // Rows of texts always serialise.
        ClaimsFormat::Json => serde_json::to_string_pretty(&claims().collect::<Vec<_>>())
            .map(|text| format!("{text}\n"))
            .unwrap_or_default(),
        ClaimsFormat::Markdown => to_markdown(),
        ClaimsFormat::Text => {
            let line = |claim: &Claim| {
                let (level, area) = (claim.level.as_str(), claim.area);
                format!("{level:<11} {area:<14} {} ({})\n", claim.behaviour, claim.source)
            };
            claims().map(line).collect()
        }
    }
}
