//! What is right as NRQL and wrong as a query: what a reviewer of dashboards would say.
//!
//! Invariants: pure; the findings of a query stand in the order of its text; a code never changes
//! its meaning ([`CODES`] lists all). Names are judged only where a [`Catalogue`] knows all that
//! could be meant.

mod catalogue;
mod clauses;
mod columns;
mod conditions;
mod expressions;
mod function_table;
mod functions;
#[cfg(test)]
mod tests;
mod walk;

pub use catalogue::{AttributeKind, Catalogue, CatalogueError};
pub(super) use functions::nearest;
pub use functions::{Basis, Function, FunctionKind, all as functions, function};

use super::ast::{Query, Statement};
use super::error::Span;

/// Every code and what it says; findings carry no other.
pub const CODES: &[(&str, Severity, &str)] = &[
    ("aggregate-in-where", Severity::Error, "WHERE looks at single rows"),
    ("aggregate-in-with", Severity::Error, "WITH names values of single rows"),
    ("ambiguous-time", Severity::Warning, "an epoch in seconds where milliseconds are documented"),
    ("anchored-pattern", Severity::Advice, "RLIKE matches the whole value anyway"),
    ("boolean-comparison", Severity::Warning, "= with a truth value instead of IS"),
    ("clause-in-inner-query", Severity::Error, "SINCE, UNTIL or COMPARE WITH inside FROM ( )"),
    ("compare-without-window", Severity::Warning, "COMPARE WITH without SINCE or UNTIL"),
    ("contradiction", Severity::Warning, "conditions that never hold together"),
    ("division-by-zero", Severity::Error, "a division by the number 0"),
    ("duplicate-label", Severity::Warning, "two results of the same name"),
    ("facet-frequency", Severity::Advice, "facets chosen by how often they occur"),
    ("facet-on-rows", Severity::Error, "FACET or TIMESERIES without an aggregate"),
    ("facet-order-direction", Severity::Warning, "ASC or DESC of FACET … ORDER BY has no effect"),
    ("facet-order-of-text", Severity::Warning, "the first item is a text, so facets are unordered"),
    ("identical-series", Severity::Warning, "the same expression selected twice"),
    ("inner-facet-limit", Severity::Warning, "an inner FACET keeps ten facets"),
    ("invalid-pattern", Severity::Error, "a regular expression that RE2 does not take"),
    ("invalid-time", Severity::Error, "a text that is no time, or an unknown time zone"),
    ("join-star", Severity::Error, "SELECT * in a joined query"),
    ("limit-above-maximum", Severity::Error, "LIMIT above 5,000"),
    ("limit-without-effect", Severity::Advice, "LIMIT where there is one row"),
    ("missing-alias", Severity::Advice, "arithmetic without a label"),
    ("mixed-select", Severity::Error, "aggregates beside single attributes"),
    ("nested-aggregate", Severity::Error, "an aggregate of an aggregate"),
    ("null-comparison", Severity::Warning, "= NULL instead of IS NULL"),
    ("order-with-timeseries", Severity::Error, "ORDER BY beside TIMESERIES or FACET"),
    ("reserved-word", Severity::Warning, "a reserved word in a name without back-quotes"),
    ("slide-by-width", Severity::Error, "SLIDE BY behind TIMESERIES AUTO or MAX"),
    ("slide-gap", Severity::Warning, "steps wider than their window"),
    ("sub-query-clause", Severity::Error, "TIMESERIES or COMPARE WITH in a sub-query"),
    ("sum-of-gauge", Severity::Warning, "samples of a level added up"),
    ("timestamp-filter", Severity::Advice, "a window in WHERE instead of SINCE"),
    ("too-many-buckets", Severity::Error, "more than 366 buckets"),
    ("too-many-sub-queries", Severity::Error, "more than three sub-queries"),
    ("type-mismatch", Severity::Warning, "texts compared with numbers"),
    ("undocumented-operator", Severity::Warning, "^ and ** are not documented"),
    ("unknown-attribute", Severity::Warning, "an attribute that no event has"),
    ("unknown-event-type", Severity::Warning, "an event type that nobody sends"),
    ("unknown-function", Severity::Error, "a function that NRQL does not have"),
    ("unused-binding", Severity::Warning, "a name of WITH that nothing reads"),
    ("wildcard-in-equality", Severity::Warning, "% where = compares literally"),
    ("window-backwards", Severity::Error, "UNTIL before SINCE"),
    ("wrong-arguments", Severity::Error, "too few or too many arguments"),
];

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, and could be said better.
    Advice,
    /// Probably not what is meant.
    Warning,
    /// The query fails, or answers something else than it asks.
    Error,
}

impl Severity {
    /// In lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that a reviewer would say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable, in kebab case: `sum-of-gauge`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The text that it is about.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// All findings about `statement`, in order of their place; unknown names only with a catalogue.
pub fn lint(statement: &Statement, catalogue: Option<&Catalogue>) -> Vec<Finding> {
    let mut report = Report::default();
    match statement {
        Statement::ShowEventTypes { since, until, timezone } => {
            clauses::times(since.as_ref(), until.as_ref(), timezone.as_deref(), &mut report);
        }
        Statement::Select(outer) => {
            walk::queries(outer, &mut |query, role| {
                clauses::check(query, role, catalogue, &mut report);
                expressions::check(query, &mut report);
                conditions::check(query, &mut report);
                columns::check(query, catalogue, &mut report);
            });
            clauses::sub_queries(outer, &mut report);
        }
    }
    let mut findings = report.findings;
    findings.sort_by_key(|finding| (finding.span.start, finding.span.end, finding.code));
    findings.dedup_by(|a, b| {
        a.code == b.code && a.span.start == b.span.start && a.message == b.message
    });
    findings
}

/// Most findings about one text; a text that earns more has one fault that says enough.
pub const FINDINGS_MAX: usize = 200;

/// Findings on their way.
#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Whether no more findings are taken: then looking for help is not worth its time.
    fn is_full(&self) -> bool {
        self.findings.len() >= FINDINGS_MAX
    }

    fn add(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.is_full() {
            return;
        }
        let known = CODES.iter().find(|(known, ..)| *known == code);
        let severity = known.map_or(Severity::Error, |(_, severity, _)| *severity);
        let help = Some(help.into()).filter(|help| !help.is_empty());
        self.findings.push(Finding { code, severity, span, message: message.into(), help });
    }
}

/// Whether `query` answers with aggregates and not with rows.
fn aggregates(query: &Query) -> bool {
    query.select.iter().any(|item| walk::has_aggregate(&item.expr))
}
