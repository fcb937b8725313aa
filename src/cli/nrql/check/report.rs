//! How the outcome of a check is shown.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use serde_json::{Value, json};

use super::super::super::{Exit, complain, print, print_json};
use super::{Checked, Outcome, Remark};
use crate::domain::words::counted_as;
use crate::nrql::lint::{CODES, Severity};
use crate::nrql::{Span, line_column};

/// Lines longer than this are not shown whole.
const SNIPPET_LINE_MAX: usize = 400;

/// Whether findings can have this code.
pub(super) fn is_code(code: &str) -> bool {
    code == "syntax" || CODES.iter().any(|(known, ..)| *known == code)
}

/// For people: one report for each remark, then a count.
pub(super) fn text(outcome: &Outcome) -> Exit {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stdout());
    let text = rendered(outcome, colour);
    for reason in &outcome.invalid {
        complain(reason);
    }
    print(&text)
}

pub(super) fn rendered(outcome: &Outcome, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    let mut text = String::new();
    for checked in &outcome.checked {
        for remark in &checked.remarks {
            let shown = Shown::new(outcome, checked, remark);
            if handler.render_report(&mut text, &shown).is_err() {
                text.push_str(&shown.to_string());
            }
            text.push('\n');
        }
    }
    text.push_str(&summary(outcome));
    text
}

fn count(outcome: &Outcome, severity: Severity) -> usize {
    let remarks = outcome.checked.iter().flat_map(|checked| &checked.remarks);
    remarks.filter(|remark| remark.severity == severity).count()
}

fn summary(outcome: &Outcome) -> String {
    format!(
        "{} in {}: {}, {}, {}\n",
        counted_as(outcome.checked.len(), "query", "queries"),
        counted_as(outcome.documents.len(), "file", "files"),
        counted_as(count(outcome, Severity::Error), "error", "errors"),
        counted_as(count(outcome, Severity::Warning), "warning", "warnings"),
        counted_as(count(outcome, Severity::Advice), "piece of advice", "pieces of advice"),
    )
}

/// Line and column of a remark in its file, from 1.
fn place(outcome: &Outcome, checked: &Checked, span: Span) -> (usize, usize) {
    let at = checked.query.place(span.start);
    let text = outcome.documents.get(checked.document).map_or("", |d| d.text.as_str());
    line_column(text, &Span { start: at, end: at })
}

/// For programs.
pub(super) fn json(outcome: &Outcome) -> Exit {
    print_json(&value(outcome))
}

pub(super) fn value(outcome: &Outcome) -> Value {
    let mut findings = Vec::new();
    for checked in &outcome.checked {
        for remark in &checked.remarks {
            let (line, column) = place(outcome, checked, remark.span);
            let name = outcome.documents.get(checked.document).map(|d| d.name.as_str());
            findings.push(json!({
                "file": name,
                "line": line,
                "column": column,
                "code": remark.code,
                "severity": remark.severity.as_str(),
                "message": remark.message,
                "help": remark.help,
                "query": checked.query.text,
                "owner": checked.query.owner,
                "span": [remark.span.start, remark.span.end],
            }));
        }
    }
    json!({
        "files": outcome.documents.len(),
        "queries": outcome.checked.len(),
        "errors": count(outcome, Severity::Error),
        "warnings": count(outcome, Severity::Warning),
        "advice": count(outcome, Severity::Advice),
        "invalid": outcome.invalid,
        "findings": findings,
    })
}

/// A remark as miette shows it.
#[derive(Debug)]
struct Shown {
    code: String,
    severity: miette::Severity,
    message: String,
    help: Option<String>,
    source: NamedSource<String>,
    span: std::ops::Range<usize>,
    label: Option<String>,
}

impl Shown {
    fn new(outcome: &Outcome, checked: &Checked, remark: &Remark) -> Self {
        let document = outcome.documents.get(checked.document);
        let (name, text) = document.map_or(("", ""), |d| (d.name.as_str(), d.text.as_str()));
        let query = &checked.query;
        let (start, end) = (query.place(remark.span.start), query.place(remark.span.end));
        let (start, end) = (start.min(text.len()), end.clamp(start.min(text.len()), text.len()));
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let spans_lines = text.get(start..end).is_none_or(|shown| shown.contains('\n'));
        let (source, span) = if line.len() > SNIPPET_LINE_MAX || spans_lines {
            let (line, column) = place(outcome, checked, remark.span);
            let name = format!("{name}:{line}:{column}, query");
            (NamedSource::new(name, query.text.clone()), remark.span.start..remark.span.end)
        } else {
            (NamedSource::new(name, text.to_owned()), start..end)
        };
        Self {
            code: format!("shakedown::nrql::{}", remark.code),
            severity: match remark.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
                Severity::Advice => miette::Severity::Advice,
            },
            message: remark.message.clone(),
            help: remark.help.clone(),
            source,
            span,
            label: query.owner.clone(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = LabeledSpan::new_with_span(self.label.clone(), self.span.clone());
        Some(Box::new(std::iter::once(span)))
    }
}
