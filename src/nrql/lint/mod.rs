//! What is right as NRQL and wrong as a query.

use std::collections::BTreeMap;

use super::ast::Statement;
use super::error::Span;

/// What is known about an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeKind {
    /// A level: adding up samples of one means nothing.
    Gauge,
    /// An amount per report, which adds up.
    Count,
    /// Text.
    Text,
    /// A truth value.
    Bool,
    /// Nothing.
    Unknown,
}

/// The event types and attributes that there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Attributes and their kinds by event type.
    pub event_types: BTreeMap<String, BTreeMap<String, AttributeKind>>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The query fails or answers something else than it seems to ask.
    Error,
    /// Probably not what is meant.
    Warning,
    /// Works, and could be said better.
    Advice,
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
    let _ = (statement, catalogue);
    Vec::new()
}
