//! `shakedown nrql check`: says what is wrong with queries, wherever they are written.
//!
//! Invariants: a finding names file, line and column of the text that somebody wrote, also when it
//! stands in JSON with escapes or is put together from the parts of a golden metric; the exit code
//! says whether anything is to be mended.

mod json;
mod queries;
mod report;
#[cfg(test)]
mod tests;
mod yaml;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::super::{Exit, ReportFormat, complain, input};
use crate::nrql::lint::{Catalogue, Finding, Severity, lint};
use crate::nrql::{NrqlError, Span, parse};
use queries::{Document, FoundQuery};

/// Arguments of `shakedown nrql check`.
#[derive(Debug, Args)]
#[command(after_help = "Files: one query a line, JSON with queries, dashboard JSON (also New \
    Relic's export), a folder of entity definitions, or - for standard input.\n\
    Exit codes: 0 ok, 1 findings, 2 usage, 3 a file is not valid.")]
pub struct CheckArgs {
    /// Files and folders; - is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Event types and attributes that there are, as JSON: {"Type": {"attribute": "gauge"}}. Kinds
    /// are gauge, count, number, text, boolean and unknown. Without it the pipeline's own events
    /// are known.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// From which severity on a finding fails the check, beside errors.
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    /// Leaves out findings of a code; may be repeated.
    #[arg(long, value_name = "CODE")]
    allow: Vec<String>,
}

/// What fails the check beside errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Warnings.
    Warnings,
    /// Warnings and advice.
    Advice,
}

impl Deny {
    const fn from(self) -> Severity {
        match self {
            Self::Warnings => Severity::Warning,
            Self::Advice => Severity::Advice,
        }
    }
}

/// One thing to say about one query.
struct Remark {
    code: &'static str,
    severity: Severity,
    /// In the text of the query.
    span: Span,
    message: String,
    help: Option<String>,
}

impl From<NrqlError> for Remark {
    fn from(error: NrqlError) -> Self {
        Self {
            code: "syntax",
            severity: Severity::Error,
            span: error.span.unwrap_or_default(),
            message: error.message,
            help: error.help,
        }
    }
}

impl From<Finding> for Remark {
    fn from(finding: Finding) -> Self {
        let Finding { code, severity, span, message, help } = finding;
        Self { code, severity, span, message, help }
    }
}

/// A query and all that is to be said about it.
struct Checked {
    /// Which document it stands in.
    document: usize,
    query: FoundQuery,
    remarks: Vec<Remark>,
}

/// All documents and what is to be said about them.
#[derive(Default)]
struct Outcome {
    documents: Vec<Document>,
    checked: Vec<Checked>,
    /// Files that hold no queries, or nothing readable.
    invalid: Vec<String>,
}

impl CheckArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let catalogue = match catalogue(self.catalogue.as_deref()) {
            Ok(catalogue) => catalogue,
            Err(reason) => {
                complain(&reason);
                return Exit::InvalidFile;
            }
        };
        let unknown = self.allow.iter().find(|code| !report::is_code(code));
        if let Some(code) = unknown {
            complain(&format!("--allow {code}: no finding has this code"));
            return Exit::Usage;
        }
        let mut outcome = Outcome::default();
        for file in &self.files {
            match queries::read(file) {
                Ok(documents) => {
                    documents.into_iter().for_each(|d| outcome.take(d, &catalogue, &self.allow));
                }
                Err(reasons) => outcome.invalid.extend(reasons),
            }
        }
        let printed = match self.format {
            ReportFormat::Text => report::text(&outcome),
            ReportFormat::Json => report::json(&outcome),
        };
        outcome.exit(self.deny).or(printed)
    }
}

impl Outcome {
    fn take(&mut self, mut document: Document, catalogue: &Catalogue, allow: &[String]) {
        let at = self.documents.len();
        for query in std::mem::take(&mut document.queries) {
            let mut remarks: Vec<Remark> = match parse(&query.text) {
                Ok(tree) => lint(&tree, Some(catalogue)).into_iter().map(Remark::from).collect(),
                Err(error) => vec![error.into()],
            };
            remarks.retain(|remark| !allow.iter().any(|code| code == remark.code));
            self.checked.push(Checked { document: at, query, remarks });
        }
        self.invalid.append(&mut document.problems);
        self.documents.push(document);
    }

    fn exit(&self, deny: Option<Deny>) -> Exit {
        let least = deny.map_or(Severity::Error, Deny::from);
        let fails = |checked: &Checked| checked.remarks.iter().any(|r| r.severity >= least);
        if !self.invalid.is_empty() {
            Exit::InvalidFile
        } else if self.checked.iter().any(fails) {
            Exit::Failed
        } else {
            Exit::Ok
        }
    }
}

fn catalogue(path: Option<&Path>) -> Result<Catalogue, String> {
    let Some(path) = path else { return Ok(Catalogue::message_queue()) };
    let text = input::text(path).map_err(|error| error.to_string())?;
    Catalogue::from_json(&text)
        .map_err(|error| format!("{} is no catalogue: {error}", path.display()))
}
