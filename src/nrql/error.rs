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
