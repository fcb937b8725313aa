//! `relationships/candidates`: how an entity is searched by what a point knows about it.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

use super::engine::{Clause, EntityKind, EntityLookup};
use super::resolve::UnresolvedReason;
use crate::definitions::Place;

/// Entities that one point may relate to another by one rule; further ones are left out.
pub(super) const FOUND_MAX: usize = 1_000;

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

/// What a search gives.
pub(super) enum Found<'a> {
    /// At least one entity.
    Entities(SmallVec<[Arc<str>; 1]>),
    /// None; one of this type is to be made.
    Create(&'a str),
    /// The fields that are known answer no lookup.
    NotAsked,
}

impl Candidates {
    /// Tries the lookups in order, those whose fields are known: the first that any entity answers
    /// decides, and when none does, the first of them says what becomes of the miss.
    pub(super) fn search(
        &self,
        known: &[(&str, Cow<'_, str>)],
        account: u64,
        entities: &dyn EntityLookup,
        category: &str,
    ) -> Result<Found<'_>, UnresolvedReason> {
        let mut on_miss = None;
        for lookup in &self.lookups {
            let Some(clauses) = lookup.clauses(known) else { continue };
            let mut guids = lookup.find(&clauses, account, entities);
            match (guids.len(), lookup.on_multiple) {
                (0, _) => on_miss = on_miss.or(Some(&lookup.on_miss)),
                (2.., OnMultiple::DiscardAll) => {
                    return Err(UnresolvedReason::Discarded(category.to_owned(), guids.len()));
                }
                (2.., OnMultiple::OnlyOne) => {
                    guids.truncate(1);
                    return Ok(Found::Entities(guids));
                }
                _ => {
                    guids.truncate(FOUND_MAX);
                    return Ok(Found::Entities(guids));
                }
            }
        }
        match on_miss {
            None => Ok(Found::NotAsked),
            Some(OnMiss::NoOp) => Err(UnresolvedReason::NoCandidate(category.to_owned())),
            Some(OnMiss::CreateUninstrumented(entity_type)) => Ok(Found::Create(entity_type)),
        }
    }
}

impl Lookup {
    /// The predicates whose fields are known; `None` when they are too few to search by.
    fn clauses<'a>(&'a self, known: &'a [(&str, Cow<'_, str>)]) -> Option<Vec<Clause<'a>>> {
        let clause = |predicate: &'a Predicate| {
            let (_, value) = known.iter().find(|(field, _)| *field == predicate.field)?;
            Some(Clause { properties: &predicate.properties, value })
        };
        let clauses: Vec<_> = self.predicates.iter().filter_map(clause).collect();
        let enough = match self.mode {
            LookupMode::All => clauses.len() == self.predicates.len(),
            LookupMode::Any | LookupMode::First => !clauses.is_empty(),
        };
        enough.then_some(clauses)
    }

    fn find(
        &self,
        clauses: &[Clause<'_>],
        account: u64,
        entities: &dyn EntityLookup,
    ) -> SmallVec<[Arc<str>; 1]> {
        match self.mode {
            LookupMode::All => entities.find_all(account, &self.kinds, clauses).into(),
            LookupMode::First => {
                let found = clauses.iter().map(|clause| {
                    entities.find(account, &self.kinds, clause.properties, clause.value)
                });
                found.into_iter().find(|guids| !guids.is_empty()).unwrap_or_default().into()
            }
            LookupMode::Any => {
                let mut seen = indexmap::IndexSet::new();
                for clause in clauses {
                    seen.extend(entities.find(
                        account,
                        &self.kinds,
                        clause.properties,
                        clause.value,
                    ));
                }
                seen.into_iter().collect()
            }
        }
    }
}
