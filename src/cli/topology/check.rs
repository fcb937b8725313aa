//! `shakedown topology check`: what is wrong with how entities are related.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::super::{Exit, ReportFormat, print, print_json};
use super::source::SourceArgs;
use crate::domain::words::counted;
use crate::graph::{Issue, Severity, Stats};

/// Arguments of `shakedown topology check`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 if there is an error; warnings alone are exit code 0. \
    docs/RELATIONSHIPS.md explains every issue.")]
pub struct CheckArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

#[derive(Debug, Serialize)]
struct CheckReport<'a> {
    errors: usize,
    warnings: usize,
    issues: &'a [Issue],
    stats: Stats,
}

impl CheckArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        let loaded = match self.source.load() {
            Ok(loaded) => loaded,
            Err(exit) => return exit,
        };
        let issues = loaded.graph.validate();
        let errors = issues.iter().filter(|issue| issue.severity == Severity::Error).count();
        let report = CheckReport {
            errors,
            warnings: issues.len() - errors,
            issues: &issues,
            stats: loaded.graph.stats(),
        };
        let printed = match self.format {
            ReportFormat::Json => print_json(&report),
            ReportFormat::Text => print(&text(&report)),
        };
        if errors > 0 { Exit::Failed } else { printed }
    }
}

fn text(report: &CheckReport<'_>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for issue in report.issues {
        let severity = match issue.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(
            out,
            "{severity} {}: {}\n  help: {}",
            issue.kind.as_str(),
            issue.message,
            issue.help
        );
    }
    let _ = writeln!(
        out,
        "{} and {} among {} entities and {}",
        counted(report.errors as u64, "error"),
        counted(report.warnings as u64, "warning"),
        report.stats.total_entities,
        counted(report.stats.total_relationships as u64, "relationship")
    );
    out
}
