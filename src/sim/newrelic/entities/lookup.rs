//! How relationship rules search entities.
//!
//! Source: docs/relationships of newrelic/entity-definitions. All accounts of the service share one
//! trust (assumed: they belong to one organization).

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use xxhash_rust::xxh3::xxh3_64;

use super::{Entities, Entity};
use crate::definitions::relationship::{EntityKind, EntityLookup, Property, RelationshipRules};
use crate::domain::units::UnixMillis;
use crate::nrql::hashing::FixedState;

/// Most pairs of key and value that are indexed; entities with further ones are not found by them.
/// Our own guard.
const PLACES_MAX: usize = 4_000_000;
/// Key under which names are found.
const NAME: &str = "\nname";

/// Entities by what rules look for.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Keys that some candidate looks at; no other is indexed.
    keys: IndexSet<String, FixedState>,
    /// Places of entities by hash of key and value; what no longer holds is sorted out by looking.
    places: IndexMap<u64, IndexSet<u32, FixedState>, FixedState>,
}

fn hash(key: &str, value: &str) -> u64 {
    xxh3_64(key.as_bytes()).rotate_left(17) ^ xxh3_64(value.as_bytes())
}

impl Index {
    /// An index of what these rules look for.
    pub(super) fn of(rules: &RelationshipRules) -> Self {
        let predicates = rules.candidates().flat_map(|candidates| &candidates.lookups);
        let properties = predicates.flat_map(|lookup| &lookup.predicates);
        let keys = properties.flat_map(|predicate| &predicate.properties);
        let keys = keys.map(|property| match property {
            Property::Tag(key) => key.clone(),
            Property::Attribute(_) => NAME.to_owned(),
        });
        Self { keys: keys.collect(), places: IndexMap::default() }
    }

    pub(super) fn add_name(&mut self, name: &str, place: usize) {
        self.add(NAME, name, place);
    }

    pub(super) fn add(&mut self, key: &str, value: &str, place: usize) {
        let Ok(place) = u32::try_from(place) else { return };
        if !self.keys.contains(key) {
            return;
        }
        let hash = hash(key, value);
        if self.places.len() < PLACES_MAX || self.places.contains_key(&hash) {
            self.places.entry(hash).or_default().insert(place);
        }
    }

    /// Begins anew, with these entities in these places.
    pub(super) fn rebuild<'e>(&mut self, entities: impl Iterator<Item = &'e Entity>) {
        self.places.clear();
        for (place, entity) in entities.enumerate() {
            self.add_name(&entity.name, place);
            entity.tags.visit(|key, value| self.add(key, value, place));
        }
    }

    /// Whether there is no room for further pairs.
    pub(super) fn is_full(&self) -> bool {
        self.places.len() >= PLACES_MAX
    }

    fn find(&self, key: &str, value: &str) -> impl Iterator<Item = usize> {
        let places = self.places.get(&hash(key, value));
        places.into_iter().flatten().map(|place| *place as usize)
    }
}

/// The entities that live at an instant.
pub(in crate::sim::newrelic) struct Living<'e> {
    pub(in crate::sim::newrelic) entities: &'e Entities,
    pub(in crate::sim::newrelic) at: UnixMillis,
}

impl Living<'_> {
    fn has(&self, place: usize, kinds: &[EntityKind], property: &Property, value: &str) -> bool {
        let Some((guid, entity)) = self.entities.entities.get_index(place) else { return false };
        let of_kind = |kind: &EntityKind| {
            *kind.entity_type == *entity.entity_type
                && kind.domain.as_ref().is_none_or(|domain| **domain == *entity.domain)
        };
        let has = match property {
            Property::Tag(key) => entity.tags.has(key, value, self.at),
            Property::Attribute(name) => match name.as_str() {
                "name" => entity.name == value,
                "guid" => **guid == *value,
                _ => false,
            },
        };
        has && entity.lives(self.at) && kinds.iter().any(of_kind)
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
        let mut places: IndexSet<usize, FixedState> = IndexSet::default();
        for property in properties {
            let key = match property {
                Property::Tag(key) => key,
                Property::Attribute(_) => NAME,
            };
            let found = self.entities.index.find(key, value);
            places.extend(found.filter(|place| self.has(*place, kinds, property, value)));
        }
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
