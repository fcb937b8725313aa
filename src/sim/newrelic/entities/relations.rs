//! Relationships by their two ends.

use std::time::Duration;

use indexmap::{IndexMap, IndexSet};

use super::stored::{RelationshipOrigin, StoredRelationship};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// Account, source, kind, target, origin as one text.
fn key(account: AccountId, ends: (&str, &str, &str), origin: RelationshipOrigin) -> String {
    let (source, kind, target) = ends;
    let mark = if origin == RelationshipOrigin::Detected { "" } else { "\nuser" };
    format!("{account}\n{source}\n{kind}\n{target}{mark}")
}

/// All relationships, in the order of their making.
#[derive(Debug, Default)]
pub(super) struct Relationships {
    all: IndexMap<String, StoredRelationship>,
    /// Keys of relationships by the GUID of either end.
    by_end: IndexMap<String, IndexSet<String>>,
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
        let key = key(account, ends, RelationshipOrigin::Detected);
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
        self.insert(key(account, ends, origin), fresh(account, ends, origin, at, at, None));
    }

    /// A user takes relationships of users back: of one kind, or all between the two. How many.
    pub(super) fn undefine(&mut self, source: &str, kind: Option<&str>, target: &str) -> usize {
        let Some(keys) = self.by_end.get(source) else { return 0 };
        let meant = |key: &&String| {
            self.all.get(*key).is_some_and(|known| {
                known.origin == RelationshipOrigin::UserDefined
                    && (known.source == source && known.target == target)
                    && kind.is_none_or(|kind| kind == known.kind)
            })
        };
        let keys: Vec<String> = keys.iter().filter(meant).cloned().collect();
        for key in &keys {
            self.remove(key);
        }
        keys.len()
    }

    fn insert(&mut self, key: String, relationship: StoredRelationship) {
        for end in [&relationship.source, &relationship.target] {
            self.by_end.entry(end.clone()).or_default().insert(key.clone());
        }
        self.all.insert(key, relationship);
    }

    fn remove(&mut self, key: &str) {
        let Some(gone) = self.all.shift_remove(key) else { return };
        for end in [&gone.source, &gone.target] {
            if let Some(keys) = self.by_end.get_mut(end) {
                keys.shift_remove(key);
                if keys.is_empty() {
                    self.by_end.swap_remove(end);
                }
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &StoredRelationship> {
        self.all.values()
    }

    /// Those with `guid` at either end.
    pub(super) fn of<'a>(&'a self, guid: &str) -> impl Iterator<Item = &'a StoredRelationship> {
        let keys = self.by_end.get(guid).into_iter().flatten();
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
