//! The query language of entity search, pure: text, tree, and whether an entity matches.
//!
//! Source: "Tutorial: search for entities" and the schema's own words about
//! `entitySearch(query:)`. Conditions are joined by AND; alternatives of one field go into IN.
//!
//! Invariants:
//! - A search never changes the order of what it filters.
//! - Bounded text, values and depth: whatever the text, the answer is a search or one error with
//!   its position.

mod builder;
mod lex;
mod matching;
mod parse;
#[cfg(test)]
mod tests;

pub(super) use builder::text_of_builder;
pub(super) use matching::{Options, Subject};
pub(super) use parse::parse;

/// Longest search, in bytes.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most values of one IN.
const VALUES_MAX: usize = 1_000;
/// Most conditions.
const CONDITIONS_MAX: usize = 500;
/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 32;

/// What is wrong with a search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid entity search query: {message} (position {position})")]
pub(super) struct SearchError {
    message: String,
    /// Character, 1-based; behind the last one when the text ends too early.
    position: usize,
}

/// A property of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Name,
    Domain,
    Type,
    /// `INFRA-KAFKABROKER`.
    DomainType,
    Guid,
    AccountId,
    /// The identifier within the GUID.
    DomainId,
    AlertSeverity,
    Alertable,
    Reporting,
    IntegrationType,
    Tag(String),
}

/// What a condition asks of its field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// `=`, and IN with several.
    OneOf(Vec<String>),
    /// `LIKE`.
    Like(Vec<Piece>),
    /// `IS NOT NULL`.
    Present,
}

/// A part of a LIKE pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Lower-cased text.
    Text(String),
    /// `%`.
    Any,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    field: Field,
    /// `!=`, NOT LIKE, NOT IN, IS NULL.
    negated: bool,
    test: Test,
}

/// A whole search: every condition holds. Without conditions everything matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    conditions: Vec<Condition>,
}
