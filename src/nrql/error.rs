//! What is wrong with a query, and where.

/// A range of bytes in the text of a query.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

/// Positions never make two trees different.
impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

/// Classes of errors, as NerdGraph tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The text is not NRQL.
    Syntax,
    /// It is NRQL that means nothing: an unknown function, a clause in the wrong company.
    Semantic,
    /// It would do or hold more than a query may.
    Limit,
    /// It ran longer than it may.
    Timeout,
}

/// One error of a query.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct NrqlError {
    /// Its class.
    pub kind: ErrorKind,
    /// In New Relic's wording: `NRQL Syntax Error: Error at line 1 position 8, unexpected 'FORM'`.
    pub message: String,
    /// The text it is about; `None` for the whole query.
    pub span: Option<Span>,
    /// What to write instead.
    pub help: Option<String>,
}

impl NrqlError {
    /// The text is no NRQL; `what` is `unexpected 'FORM'` or the like.
    pub(super) fn syntax(text: &str, span: Span, what: &str) -> Self {
        let (line, position) = line_column(text, &span);
        Self {
            kind: ErrorKind::Syntax,
            message: format!("NRQL Syntax Error: Error at line {line} position {position}, {what}"),
            span: Some(span),
            help: None,
        }
    }

    /// The text is NRQL and means nothing.
    pub fn semantic(message: impl Into<String>, span: Span) -> Self {
        Self { kind: ErrorKind::Semantic, message: message.into(), span: Some(span), help: None }
    }

    /// A query may not do so much.
    pub fn limit(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Limit, message: message.into(), span: None, help: None }
    }

    /// The same error with what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Line and position of the beginning of `span`, both from 1; positions count characters.
pub fn line_column(text: &str, span: &Span) -> (usize, usize) {
    let mut at = span.start.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    (line, 1 + before.get(line_start..).unwrap_or_default().chars().count())
}
