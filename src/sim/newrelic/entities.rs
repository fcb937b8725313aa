//! Entities and relationships made from events.
//!
//! Invariants:
//! - An entity has one GUID for life; its name and tags follow its newest events.
//! - It becomes visible a drawn lag after its first event and stays at least the lifetime that its
//!   definition guarantees after the last one; seen again later, it is made anew.
//!
//! Not modelled: an upper bound of life (expired means gone here), tag edits by users, limits of
//! entities per account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::definitions::Match;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// Values per tag key ("≤ 100 values per entity"); the one unseen for longest goes first.
const TAG_VALUES_MAX: usize = 100;
/// Tag keys per entity; further ones are left out. Our own guard.
const TAG_KEYS_MAX: usize = 250;

/// An entity as queries see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntity {
    /// Wire form.
    pub guid: Arc<str>,
    /// Its account.
    pub account: AccountId,
    /// For example `INFRA`.
    pub domain: String,
    /// For example `MESSAGE_QUEUE_BROKER`.
    pub entity_type: String,
    /// Its name.
    pub name: String,
    /// Living tag values by key, oldest first.
    pub tags: BTreeMap<String, Vec<String>>,
    /// When its first event was stored.
    pub first_seen: UnixMillis,
    /// From when on queries find it.
    pub visible_at: UnixMillis,
    /// When its newest event was stored.
    pub last_seen: UnixMillis,
    /// From when on it is gone; `None` when only a user can delete it.
    pub expires_at: Option<UnixMillis>,
    /// Events that it was seen in.
    pub events: u64,
}

impl StoredEntity {
    /// Whether a query at `now` finds it.
    pub fn is_visible(&self, now: UnixMillis) -> bool {
        self.visible_at <= now && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A relationship as queries see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRelationship {
    /// Its account.
    pub account: AccountId,
    /// Wire form of the source's GUID.
    pub source: String,
    /// For example `CONTAINS`.
    pub kind: String,
    /// Wire form of the target's GUID.
    pub target: String,
    /// When its first event was stored.
    pub first_seen: UnixMillis,
    /// From when on queries find it.
    pub visible_at: UnixMillis,
    /// When its newest event was stored.
    pub last_seen: UnixMillis,
    /// From when on it is gone.
    pub expires_at: UnixMillis,
}

#[derive(Debug)]
struct TagValue {
    value: String,
    last_seen: UnixMillis,
    ttl: Option<Duration>,
}

#[derive(Debug)]
struct Entity {
    /// What queries see, but for its tags.
    seen: StoredEntity,
    lifetime: Option<Duration>,
    tags: BTreeMap<String, Vec<TagValue>>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Entities {
    max: usize,
    entities: IndexMap<Arc<str>, Entity>,
    relationships: IndexMap<String, StoredRelationship>,
}

impl Entities {
    /// Room for `max` entities and as many relationships.
    pub(super) fn new(max: usize) -> Self {
        Self { max, entities: IndexMap::new(), relationships: IndexMap::new() }
    }

    /// Notes that an event stored at `at` made or confirmed an entity; its index, or `None` when
    /// there is no room. `lag` is drawn only when the entity is new.
    pub(super) fn observe(
        &mut self,
        account: AccountId,
        guid: &str,
        found: &Match<'_>,
        at: UnixMillis,
        lag: impl FnOnce() -> Duration,
    ) -> Option<u32> {
        let index = match self.entities.get_index_of(guid) {
            Some(index) => index,
            None if self.entities.len() >= self.max => return None,
            None => {
                let guid: Arc<str> = Arc::from(guid);
                self.entities.insert_full(Arc::clone(&guid), new_entity(account, guid, found)).0
            }
        };
        let entity = &mut self.entities[index];
        if entity.seen.events == 0 || entity.seen.expires_at.is_some_and(|end| end <= at) {
            entity.seen.first_seen = at;
            entity.seen.visible_at = at.plus(lag());
            entity.seen.events = 0;
            entity.tags.clear();
        }
        entity.seen.events += 1;
        entity.seen.last_seen = at;
        entity.seen.expires_at = entity.lifetime.map(|lifetime| at.plus(lifetime));
        if entity.seen.name != found.name {
            entity.seen.name.clear();
            entity.seen.name.push_str(&found.name);
        }
        for tag in &found.tags {
            let value = TagValue { value: String::new(), last_seen: at, ttl: tag.ttl };
            add_tag(&mut entity.tags, &tag.key, &tag.value, tag.multi_value, value);
        }
        u32::try_from(index).ok()
    }

    /// Notes a relationship that an event stored at `at` tells of; `false` when there is no room.
    pub(super) fn relate(
        &mut self,
        account: AccountId,
        (source, kind, target): (&str, &str, &str),
        at: UnixMillis,
        lifetime: Duration,
        lag: impl FnOnce() -> Duration,
    ) -> bool {
        let key = format!("{account}\n{source}\n{kind}\n{target}");
        let expires_at = at.plus(lifetime);
        if let Some(known) = self.relationships.get_mut(&key)
            && at < known.expires_at
        {
            known.last_seen = at;
            known.expires_at = expires_at;
            return true;
        }
        if self.relationships.len() >= self.max {
            return false;
        }
        let relationship = StoredRelationship {
            account,
            source: source.to_owned(),
            kind: kind.to_owned(),
            target: target.to_owned(),
            first_seen: at,
            visible_at: at.plus(lag()),
            last_seen: at,
            expires_at,
        };
        self.relationships.insert(key, relationship);
        true
    }

    /// Every entity ever made, in the order of their making, with the tags that live at `now`.
    pub(super) fn entities(
        &self,
        now: UnixMillis,
        accounts: &BTreeMap<AccountId, String>,
    ) -> Vec<StoredEntity> {
        self.entities
            .values()
            .map(|entity| {
                let mut seen = entity.seen.clone();
                seen.tags = living_tags(entity, now);
                let account = seen.account.to_string();
                let name = accounts.get(&seen.account).cloned().unwrap_or_default();
                seen.tags.insert("account".to_owned(), vec![name]);
                seen.tags.insert("accountId".to_owned(), vec![account.clone()]);
                seen.tags.insert("trustedAccountId".to_owned(), vec![account]);
                seen
            })
            .collect()
    }

    pub(super) fn guid(&self, index: u32) -> Option<&Arc<str>> {
        self.entities.get_index(index as usize).map(|(guid, _)| guid)
    }

    pub(super) fn relationships(&self) -> Vec<StoredRelationship> {
        self.relationships.values().cloned().collect()
    }
}

fn new_entity(account: AccountId, guid: Arc<str>, found: &Match<'_>) -> Entity {
    let never = UnixMillis(0);
    Entity {
        seen: StoredEntity {
            guid,
            account,
            domain: found.definition.domain.clone(),
            entity_type: found.definition.entity_type.clone(),
            name: String::new(),
            tags: BTreeMap::new(),
            first_seen: never,
            visible_at: never,
            last_seen: never,
            expires_at: None,
            events: 0,
        },
        lifetime: found.definition.expiration.lifetime(),
        tags: BTreeMap::new(),
    }
}

/// Adds `text` under `key`, or confirms it. Allocates only for what is new.
fn add_tag(
    tags: &mut BTreeMap<String, Vec<TagValue>>,
    key: &str,
    text: &str,
    multi_value: bool,
    fresh: TagValue,
) {
    let Some(values) = tags.get_mut(key) else {
        if tags.len() < TAG_KEYS_MAX {
            let value = TagValue { value: text.to_owned(), ..fresh };
            tags.insert(key.to_owned(), vec![value]);
        }
        return;
    };
    if let Some(known) = values.iter_mut().find(|known| known.value == text) {
        known.last_seen = fresh.last_seen;
        known.ttl = fresh.ttl;
        return;
    }
    if !multi_value {
        values.clear();
    } else if values.len() >= TAG_VALUES_MAX {
        let oldest = (0..values.len()).min_by_key(|at| values[*at].last_seen).unwrap_or(0);
        values.remove(oldest);
    }
    values.push(TagValue { value: text.to_owned(), ..fresh });
}

fn living_tags(entity: &Entity, now: UnixMillis) -> BTreeMap<String, Vec<String>> {
    let lives = |value: &&TagValue| value.ttl.is_none_or(|ttl| now < value.last_seen.plus(ttl));
    entity
        .tags
        .iter()
        .map(|(key, values)| {
            let values = values.iter().filter(lives).map(|value| value.value.clone()).collect();
            (key.clone(), values)
        })
        .filter(|(_, values): &(_, Vec<_>)| !values.is_empty())
        .collect()
}
