//! `shakedown steps`: the steps that feature files are written in.

use clap::Args;
use serde::Serialize;

use super::{Exit, ReportFormat, complain, print, print_json};
use crate::bdd::reference::{self, search};
use crate::bdd::steps::Step;

/// Arguments of `shakedown steps`.
#[derive(Debug, Args)]
pub struct StepsArgs {
    /// Lists steps with all these words in pattern, meaning or subject alone.
    words: Vec<String>,
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// A step in JSON.
#[derive(Serialize)]
struct StepReport {
    subject: &'static str,
    keyword: &'static str,
    pattern: &'static str,
    meaning: &'static str,
}

impl StepsArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let found = search(&self.words);
        if found.is_empty() {
            complain(&format!(
                "no step has {}\nhelp: give fewer words, or none to see all",
                self.words.join(" and ")
            ));
            return Exit::Failed;
        }
        match self.format {
            ReportFormat::Text => print(&reference::text(&found)),
            ReportFormat::Json => print_json(&found.iter().map(told).collect::<Vec<_>>()),
        }
    }
}

fn told((subject, step): &(&'static str, &'static Step)) -> StepReport {
    let (keyword, pattern) = (step.phase.keyword(), step.pattern);
    StepReport { subject, keyword, pattern, meaning: step.meaning }
}
