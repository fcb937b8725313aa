//! `relationships/candidates`: how an entity is searched by what a point knows about it.

use crate::definitions::Place;

use super::engine::EntityKind;

/// One category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// For example `KAFKATOPIC`.
    pub category: String,
    /// Where it stands.
    pub place: Place,
    /// Ways to search, in order.
    pub lookups: Vec<Lookup>,
}

/// One way to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Entities of these kinds only.
    pub kinds: Vec<EntityKind>,
    /// How predicates combine.
    pub mode: LookupMode,
    /// What an entity must have.
    pub predicates: Vec<Predicate>,
    /// When several entities match.
    pub on_multiple: OnMultiple,
    /// When none does.
    pub on_miss: OnMiss,
}

/// How predicates combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupMode {
    /// Every predicate holds.
    All,
    /// At least one does.
    Any,
    /// Those that match the first predicate that any entity matches.
    First,
}

/// What an entity must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    /// One of these properties is the field's value.
    pub properties: Vec<Property>,
    /// The rule's field.
    pub field: String,
}

/// A property of an entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// A value of the tag with this key.
    Tag(String),
    /// A field of the entity itself, for example `name`.
    Attribute(String),
}

/// When several entities match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMultiple {
    /// `RELATE_ALL`: all are related.
    RelateAll,
    /// `ONLY_ONE`: the first is related.
    OnlyOne,
    /// `DISCARD_ALL`: none is.
    DiscardAll,
}

/// When no entity matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnMiss {
    /// `NO_OP`: nothing.
    NoOp,
    /// `CREATE_UNINSTRUMENTED`: an entity of domain `UNINSTRUMENTED` and this type is made.
    CreateUninstrumented(String),
}
