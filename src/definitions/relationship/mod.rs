//! New Relic's relationship rules: which points relate which entities.
//!
//! Source: docs/relationships and the schemas of newrelic/entity-definitions (files under
//! `relationships/synthesis` and `relationships/candidates`).
//!
//! Invariants:
//! - A rule is tried only when its rarest condition may hold, so cost does not grow with the number
//!   of rules; results come in the order of loading.
//! - A regular expression runs in bounded time: plain ones in linear time, those with look-around
//!   with a limit of steps, past which the rule is reported and does not match.
//!
//! Not modelled: which origin a point came from (every rule is tried on every point), entitlements
//! (read and checked, never enforced).

mod candidates;
mod conditions;
mod engine;
mod load;
mod model;
mod pattern;
mod resolve;
mod schema;
#[cfg(test)]
mod tests;

pub use candidates::{Candidates, Lookup, LookupMode, OnMiss, OnMultiple, Predicate, Property};
pub use engine::{
    Applied, Clause, EntityKind, EntityLookup, NoEntities, PointEntity, RelationshipMatch,
    RelationshipRules, Uninstrumented,
};
pub use load::{is_relationship_file, load};
pub use model::{
    AccountOf, BuildGuid, Capture, FieldValue, Fragment, FragmentSource, LookupField,
    RelationshipCondition, RelationshipRule, RelationshipTest, Resolver, TextOperation, TypeHint,
};
pub use pattern::{Pattern, PatternError};
pub use resolve::{End, Unresolved, UnresolvedReason};
