//! Relationships by their two ends.

use std::time::Duration;

use indexmap::{IndexMap, IndexSet};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::stored::{RelationshipOrigin, StoredRelationship};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::hashing::FixedState;

/// Account, source, kind, target and origin as one number: nearly every event confirms a
/// relationship, and 128 bits do not collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u64, u64);

impl Key {
    fn of(account: AccountId, ends: (&str, &str, &str), origin: RelationshipOrigin) -> Self {
        let (source, kind, target) = ends;
        let mut hasher = Xxh3::new();
        hasher.update(&account.get().to_le_bytes());
        hasher.update(&[u8::from(origin == RelationshipOrigin::Detected)]);
        for part in [source, kind, target] {
            hasher.update(part.as_bytes());
            hasher.update(b"\n");
        }
        Self::halves(hasher.digest128())
    }

    /// The key of one end.
    fn of_end(guid: &str) -> Self {
        Self::halves(xxh3_128(guid.as_bytes()))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves of one number")]
    const fn halves(hash: u128) -> Self {
        Self((hash >> 64) as u64, hash as u64)
    }
}

/// All relationships, in the order of their making.
#[derive(Debug, Default)]
pub(super) struct Relationships {
    all: IndexMap<Key, StoredRelationship, FixedState>,
    /// Relationships by either end.
    by_end: IndexMap<Key, IndexSet<Key, FixedState>, FixedState>,
}

impl Relationships {
    /// Notes that data stored at `at` tell of a relationship; `false` when there is no room for
    /// it beside `max` others. `lag` is drawn only when it is new.
    pub(super) fn observe(
        &mut self,
        account: AccountId,
        ends: (&str, &str, &str),
        (at, lifetime): (UnixMillis, Duration),
        max: usize,
        lag: impl FnOnce() -> Duration,
    ) -> bool {
        let key = Key::of(account, ends, RelationshipOrigin::Detected);
        let expires_at = at.plus(lifetime);
        if let Some(known) = self.all.get_mut(&key)
            && known.expires_at.is_some_and(|end| at < end)
        {
            known.last_seen = at;
            known.expires_at = known.expires_at.max(Some(expires_at));
            return true;
        }
        if self.all.len() >= max && !self.all.contains_key(&key) {
            return false;
        }
        let origin = RelationshipOrigin::Detected;
        let new = fresh(account, ends, origin, at, at.plus(lag()), Some(expires_at));
        self.insert(key, new);
        true
    }

    /// A user says that a relationship exists; it is visible at once.
    pub(super) fn define(&mut self, account: AccountId, ends: (&str, &str, &str), at: UnixMillis) {
        let origin = RelationshipOrigin::UserDefined;
        self.insert(Key::of(account, ends, origin), fresh(account, ends, origin, at, at, None));
    }

    /// A user takes relationships of users back: of one kind, or all between the two. How many.
    pub(super) fn undefine(&mut self, source: &str, kind: Option<&str>, target: &str) -> usize {
        let Some(keys) = self.by_end.get(&Key::of_end(source)) else { return 0 };
        let meant = |key: &Key| {
            self.all.get(key).is_some_and(|known| {
                known.origin == RelationshipOrigin::UserDefined
                    && (known.source == source && known.target == target)
                    && kind.is_none_or(|kind| kind == known.kind)
            })
        };
        let keys: Vec<Key> = keys.iter().copied().filter(meant).collect();
        for key in &keys {
            self.remove(*key);
        }
        keys.len()
    }

    /// Forgets those that have expired by `now`.
    pub(super) fn purge(&mut self, now: UnixMillis) {
        self.all.retain(|_, known| known.expires_at.is_none_or(|end| now < end));
        let Self { all, by_end } = self;
        by_end.retain(|_, keys| {
            keys.retain(|key| all.contains_key(key));
            !keys.is_empty()
        });
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn insert(&mut self, key: Key, relationship: StoredRelationship) {
        for end in [&relationship.source, &relationship.target] {
            self.by_end.entry(Key::of_end(end)).or_default().insert(key);
        }
        self.all.insert(key, relationship);
    }

    fn remove(&mut self, key: Key) {
        let Some(gone) = self.all.shift_remove(&key) else { return };
        for end in [&gone.source, &gone.target].map(|end| Key::of_end(end)) {
            if let Some(keys) = self.by_end.get_mut(&end) {
                keys.shift_remove(&key);
                if keys.is_empty() {
                    self.by_end.swap_remove(&end);
                }
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &StoredRelationship> {
        self.all.values()
    }

    /// Those with `guid` at either end.
    pub(super) fn of<'a>(&'a self, guid: &str) -> impl Iterator<Item = &'a StoredRelationship> {
        let keys = self.by_end.get(&Key::of_end(guid)).into_iter().flatten();
        keys.filter_map(|key| self.all.get(key))
    }
}

fn fresh(
    account: AccountId,
    (source, kind, target): (&str, &str, &str),
    origin: RelationshipOrigin,
    at: UnixMillis,
    visible_at: UnixMillis,
    expires_at: Option<UnixMillis>,
) -> StoredRelationship {
    StoredRelationship {
        account,
        source: source.to_owned(),
        kind: kind.to_owned(),
        target: target.to_owned(),
        origin,
        first_seen: at,
        visible_at,
        last_seen: at,
        expires_at,
    }
}
