//! How relationship rules search entities.
//!
//! Source: docs/relationships of newrelic/entity-definitions. All accounts of the service share one
//! trust (assumed: they belong to one organization).

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use xxhash_rust::xxh3::xxh3_64;

use super::{Entities, Entity};
use crate::definitions::relationship::{
    Clause, EntityKind, EntityLookup, Property, RelationshipRules,
};
use crate::domain::units::UnixMillis;
use crate::nrql::hashing::FixedState;

/// Most pairs of key and value that are indexed; entities with further ones are not found by them.
/// Our own guard.
const PLACES_MAX: usize = 4_000_000;
/// Key under which names are found.
const NAME: &str = "\nname";
/// The field that needs no index.
const GUID: &str = "guid";

/// Entities by what rules look for: type, key and value together, so that a search meets no entity
/// of another type however many share the value.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Hashes of the types and keys that some candidate looks at; no others are indexed.
    keys: IndexSet<u64, FixedState>,
    /// Places of entities by hash; what no longer holds is sorted out by looking.
    places: IndexMap<u64, IndexSet<u32, FixedState>, FixedState>,
}

/// A hash of two texts, which are told apart by their order.
fn hash(first: &str, second: &str) -> u64 {
    with(xxh3_64(first.as_bytes()), second)
}

fn with(hash: u64, text: &str) -> u64 {
    hash.rotate_left(17) ^ xxh3_64(text.as_bytes())
}

/// The key under which a property is indexed.
fn key_of(property: &Property) -> &str {
    match property {
        Property::Tag(key) => key,
        Property::Attribute(_) => NAME,
    }
}

impl Index {
    /// An index of what these rules look for.
    pub(super) fn of(rules: &RelationshipRules) -> Self {
        let mut keys = IndexSet::default();
        for lookup in rules.candidates().flat_map(|candidates| &candidates.lookups) {
            let properties = lookup.predicates.iter().flat_map(|predicate| &predicate.properties);
            for key in properties.map(key_of) {
                keys.extend(lookup.kinds.iter().map(|kind| hash(&kind.entity_type, key)));
            }
        }
        Self { keys, places: IndexMap::default() }
    }

    pub(super) fn add_name(&mut self, kind: &str, name: &str, place: usize) {
        self.add(kind, NAME, name, place);
    }

    /// The entity in `place` is of the type `kind` and has `value` under `key`.
    pub(super) fn add(&mut self, kind: &str, key: &str, value: &str, place: usize) {
        let Ok(place) = u32::try_from(place) else { return };
        let key = hash(kind, key);
        if !self.keys.contains(&key) {
            return;
        }
        let hash = with(key, value);
        if self.places.len() < PLACES_MAX || self.places.contains_key(&hash) {
            self.places.entry(hash).or_default().insert(place);
        }
    }

    /// Begins anew, with these entities in these places.
    pub(super) fn rebuild<'e>(&mut self, entities: impl Iterator<Item = &'e Entity>) {
        self.places.clear();
        for (place, entity) in entities.enumerate() {
            self.add_name(&entity.entity_type, &entity.name, place);
            entity.tags.visit(|key, value| self.add(&entity.entity_type, key, value, place));
        }
    }

    /// Whether there is no room for further pairs.
    pub(super) fn is_full(&self) -> bool {
        self.places.len() >= PLACES_MAX
    }

    fn find(&self, kind: &str, key: &str, value: &str) -> impl ExactSizeIterator<Item = &u32> {
        let places = self.places.get(&with(hash(kind, key), value));
        places.map(IndexSet::as_slice).unwrap_or_default().iter()
    }
}

/// The entities that live at an instant.
pub(in crate::sim::newrelic) struct Living<'e> {
    pub(in crate::sim::newrelic) entities: &'e Entities,
    pub(in crate::sim::newrelic) at: UnixMillis,
}

impl Living<'_> {
    fn has(&self, place: usize, property: &Property, value: &str) -> bool {
        let Some((guid, entity)) = self.entities.entities.get_index(place) else { return false };
        match property {
            Property::Tag(key) => entity.tags.has(key, value, self.at),
            Property::Attribute(name) => match name.as_str() {
                "name" => entity.name == value,
                GUID => **guid == *value,
                _ => false,
            },
        }
    }

    fn satisfies(&self, place: usize, clause: &Clause<'_>) -> bool {
        clause.properties.iter().any(|property| self.has(place, property, clause.value))
    }

    /// Whether the entity lives and is of one of `kinds`.
    fn counts(&self, place: usize, kinds: &[EntityKind]) -> bool {
        let Some((_, entity)) = self.entities.entities.get_index(place) else { return false };
        let is = |kind: &EntityKind| {
            *kind.entity_type == *entity.entity_type
                && kind.domain.as_ref().is_none_or(|domain| **domain == *entity.domain)
        };
        entity.lives(self.at) && kinds.iter().any(is)
    }

    /// Where entities of `kinds` may lie that satisfy `clause`.
    fn places(&self, kinds: &[EntityKind], clause: &Clause<'_>) -> Vec<usize> {
        let mut places = Vec::new();
        for property in clause.properties {
            if matches!(property, Property::Attribute(name) if name == GUID) {
                places.extend(self.entities.entities.get_index_of(clause.value));
                continue;
            }
            for kind in kinds {
                let index = &self.entities.index;
                let found = index.find(&kind.entity_type, key_of(property), clause.value);
                places.extend(found.map(|place| *place as usize));
            }
        }
        places
    }
}

impl EntityLookup for Living<'_> {
    fn find(
        &self,
        account: u64,
        kinds: &[EntityKind],
        properties: &[Property],
        value: &str,
    ) -> Vec<Arc<str>> {
        self.find_all(account, kinds, &[Clause { properties, value }])
    }

    /// In the order of their making, those of `account` first.
    fn find_all(
        &self,
        account: u64,
        kinds: &[EntityKind],
        clauses: &[Clause<'_>],
    ) -> Vec<Arc<str>> {
        // The rarest value leaves the fewest entities to look at.
        let places = clauses.iter().map(|clause| self.places(kinds, clause));
        let mut places = places.min_by_key(Vec::len).unwrap_or_default();
        places.sort_unstable();
        places.dedup();
        places.retain(|place| {
            self.counts(*place, kinds) && clauses.iter().all(|c| self.satisfies(*place, c))
        });
        let found = places.into_iter().filter_map(|place| self.entities.entities.get_index(place));
        let (own, others): (Vec<_>, Vec<_>) =
            found.partition(|(_, entity)| entity.account.get() == account);
        own.into_iter().chain(others).map(|(guid, _)| Arc::clone(guid)).collect()
    }

    fn trusted(&self, account: u64) -> Vec<u64> {
        let others = self.entities.account_names.keys().map(|account| account.get());
        std::iter::once(account).chain(others.filter(|other| *other != account)).collect()
    }

    fn exists(&self, guid: &str) -> bool {
        self.entities.entities.get(guid).is_some_and(|entity| entity.lives(self.at))
    }
}
