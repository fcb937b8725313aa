//! From a resolver and a point to a GUID.

use super::model::RelationshipRule;
use super::pattern::PatternError;
use crate::definitions::GuidError;

/// An end of a relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where it begins.
    Source,
    /// Where it ends.
    Target,
}

/// A rule that held and gave no relationship.
#[derive(Debug, Clone, PartialEq)]
pub struct Unresolved<'a> {
    /// The rule.
    pub rule: &'a RelationshipRule,
    /// Which end is missing; `None` when a condition could not be decided.
    pub end: Option<End>,
    /// Why.
    pub reason: UnresolvedReason,
}

/// Why an end is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnresolvedReason {
    /// The point lacks an attribute.
    #[error("attribute `{0}` is missing")]
    Missing(String),
    /// A capture found nothing.
    #[error("the capture on `{0}` found nothing")]
    NoCapture(String),
    /// An attribute does not hold a GUID.
    #[error("`{attribute}` is `{value}`, which is no entity GUID")]
    NotAGuid {
        /// The attribute.
        attribute: String,
        /// Its value.
        value: String,
    },
    /// An attribute does not hold an account's number.
    #[error("`{0}` is no account id of 1 to 10 digits")]
    NotAnAccount(String),
    /// The parts make no GUID.
    #[error(transparent)]
    Guid(#[from] GuidError),
    /// A regular expression gave no answer.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// No account that is trusted has the entity.
    #[error("no trusted account has an entity {0}")]
    NoAccount(String),
    /// No entity has the fields.
    #[error("no candidate of {0} matches")]
    NoCandidate(String),
    /// Several have, and the candidates say to take none.
    #[error("{1} candidates of {0} match and are discarded")]
    Discarded(String, usize),
    /// There is no such category.
    #[error("there are no candidates for {0}")]
    NoCategory(String),
}
