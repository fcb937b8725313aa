//! Entities and relationships: made from data, edited by users.
//!
//! Invariants:
//! - An entity has one GUID for life; its name and tags follow its newest data.
//! - It becomes visible a drawn lag after its first point and stays at least the lifetime that its
//!   definition guarantees after the last one; seen again later, it is made anew.
//! - What users gave survives synthesis; what data gave no user can change.
//! - What has expired makes room when there is no other; until then its place is kept.
//!
//! Not modelled: an upper bound of life (expired means gone here), limits of entities per account.

mod glance;
#[cfg(test)]
mod handle;
mod lookup;
mod relations;
mod stored;
mod tags;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

pub(super) use glance::Glance;
pub(super) use lookup::Living;
pub use stored::{
    AlertSeverity, RelationshipOrigin, StoredEntity, StoredRelationship, entity_kind,
};

use crate::definitions::Match;
use crate::definitions::relationship::RelationshipRules;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::hashing::FixedState;
use lookup::Index;
use relations::Relationships;
use tags::Tags;

/// What has expired is looked for again after one in so many of what there is found no room:
/// looking reads everything.
const PURGE_SHARE: usize = 16;

/// Why a user's edit of tags was refused; nothing of it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum TagFault {
    /// No such entity now.
    #[error("no entity has this guid")]
    NotFound,
    /// Empty, longer than 128 characters, or a key that only New Relic sets.
    #[error("a tag key has 1 to 128 characters, and is none of New Relic's own")]
    InvalidKey,
    /// Empty or longer than 256 characters.
    #[error("a tag value has 1 to 256 characters")]
    InvalidValue,
    /// More than 100 keys of users.
    #[error("an entity takes at most 100 tag keys")]
    TooManyKeys,
    /// More than 100 values of users.
    #[error("an entity takes at most 100 tag values")]
    TooManyValues,
}

/// Tags as a user writes them: keys with their values.
pub type TagEdits = [(String, Vec<String>)];

/// An entity that no point makes: a dashboard, or the uninstrumented end of a relationship.
#[derive(Debug, Clone, Copy)]
pub struct NewEntity<'a> {
    /// Its account.
    pub account: AccountId,
    /// Wire form.
    pub guid: &'a str,
    /// For example `VIZ`.
    pub domain: &'a str,
    /// For example `DASHBOARD`.
    pub entity_type: &'a str,
    /// Its name.
    pub name: &'a str,
    /// How long it lives unconfirmed; `None` until it is deleted.
    pub lifetime: Option<Duration>,
}

#[derive(Debug)]
struct Entity {
    account: AccountId,
    domain: Arc<str>,
    entity_type: Arc<str>,
    name: String,
    first_seen: UnixMillis,
    visible_at: UnixMillis,
    last_seen: UnixMillis,
    expires_at: Option<UnixMillis>,
    /// Since when data have come without a silence.
    reporting_since: UnixMillis,
    events: u64,
    lifetime: Option<Duration>,
    alertable: bool,
    /// Nothing is expected to report it.
    silent: bool,
    tags: Tags,
}

impl Entity {
    fn lives(&self, now: UnixMillis) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    fn is_visible(&self, now: UnixMillis) -> bool {
        self.visible_at <= now && self.lives(now)
    }
}

/// What alert conditions say of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct AlertCounts {
    /// Signals of conditions that are about it.
    pub(super) conditions: i64,
    /// Warnings that are open.
    pub(super) warning: i64,
    /// Critical incidents that are open.
    pub(super) critical: i64,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Entities {
    max: usize,
    silence: Duration,
    account_names: BTreeMap<AccountId, String>,
    entities: IndexMap<Arc<str>, Entity, FixedState>,
    relationships: Relationships,
    /// How often there may be no room before what has expired is looked for again.
    patience: usize,
    index: Index,
    /// Domains and types, once each.
    words: BTreeMap<String, Arc<str>>,
    /// By GUID, of those that conditions watch, whether they live or not.
    alerts: BTreeMap<String, AlertCounts>,
}

impl Entities {
    /// Room for `max` entities and as many relationships; after `silence` without data an entity
    /// no longer reports.
    pub(super) fn new(
        max: usize,
        silence: Duration,
        account_names: BTreeMap<AccountId, String>,
        rules: &RelationshipRules,
    ) -> Self {
        Self {
            max,
            silence,
            account_names,
            entities: IndexMap::default(),
            relationships: Relationships::default(),
            patience: 0,
            index: Index::of(rules),
            words: BTreeMap::new(),
            alerts: BTreeMap::new(),
        }
    }

    /// Changes what alert conditions say of the entity `guid`; nothing when it is not known which
    /// entity a signal is about.
    pub(super) fn count_alerts(
        &mut self,
        guid: Option<&str>,
        change: impl FnOnce(&mut AlertCounts),
    ) {
        let Some(guid) = guid else { return };
        let counts = self.alerts.entry(guid.to_owned()).or_default();
        change(counts);
        if *counts == AlertCounts::default() {
            self.alerts.remove(guid);
        }
    }

    fn word(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.words.get(word) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(word);
        self.words.insert(word.to_owned(), Arc::clone(&new));
        new
    }

    /// Forgets what has expired by `at`, unless that was done lately.
    fn purge(&mut self, at: UnixMillis) {
        if self.patience > 0 {
            self.patience -= 1;
            return;
        }
        self.relationships.purge(at);
        self.entities.retain(|_, entity| entity.lives(at));
        self.index.rebuild(self.entities.values());
        self.patience = (self.entities.len() + self.relationships.len()) / PURGE_SHARE;
    }

    /// Notes that a point stored at `at` made or confirmed an entity; `false` when there is no
    /// room. `lag` is drawn only when the entity is new.
    pub(super) fn observe(
        &mut self,
        account: AccountId,
        guid: &str,
        found: &Match<'_>,
        at: UnixMillis,
        lag: impl FnOnce() -> Duration,
    ) -> bool {
        let definition = found.definition;
        let new = NewEntity {
            account,
            guid,
            domain: &definition.domain,
            entity_type: &definition.entity_type,
            name: &found.name,
            lifetime: definition.expiration.lifetime(),
        };
        let Some(place) = self.confirm(new, at, lag) else { return false };
        let entity = &mut self.entities[place];
        entity.alertable = definition.alertable;
        entity.silent = false;
        for tag in &found.tags {
            if entity.tags.observe(&tag.key, &tag.value, at, tag.multi_value, tag.ttl) {
                self.index.add(&definition.entity_type, &tag.key, &tag.value, place);
            }
        }
        true
    }

    /// Makes or confirms an entity that a part of New Relic reports without a synthesis rule;
    /// `false` when there is no room.
    pub(super) fn report<'t>(
        &mut self,
        new: NewEntity<'_>,
        alertable: bool,
        tags: impl Iterator<Item = (&'t str, Cow<'t, str>)>,
        at: UnixMillis,
        lag: impl FnOnce() -> Duration,
    ) -> bool {
        let Some(place) = self.confirm(new, at, lag) else { return false };
        let entity = &mut self.entities[place];
        entity.alertable = alertable;
        entity.silent = false;
        self.tag(place, tags, at);
        true
    }

    /// Makes or confirms an entity that no point reports; `false` when there is no room.
    pub(super) fn register(
        &mut self,
        new: NewEntity<'_>,
        at: UnixMillis,
        lag: impl FnOnce() -> Duration,
    ) -> bool {
        let Some(place) = self.confirm(new, at, lag) else { return false };
        self.entities[place].silent = true;
        true
    }

    /// Gives the entity `guid` tags that data stored at `at` tell of.
    pub(super) fn observe_tags<'t>(
        &mut self,
        guid: &str,
        tags: impl Iterator<Item = (&'t str, Cow<'t, str>)>,
        at: UnixMillis,
    ) {
        if let Some(place) = self.entities.get_index_of(guid) {
            self.tag(place, tags, at);
        }
    }

    fn tag<'t>(
        &mut self,
        place: usize,
        tags: impl Iterator<Item = (&'t str, Cow<'t, str>)>,
        at: UnixMillis,
    ) {
        let entity = &mut self.entities[place];
        for (key, value) in tags {
            if entity.tags.observe(key, &value, at, true, None) {
                self.index.add(&entity.entity_type, key, &value, place);
            }
        }
    }

    fn confirm(
        &mut self,
        new: NewEntity<'_>,
        at: UnixMillis,
        lag: impl FnOnce() -> Duration,
    ) -> Option<usize> {
        let index = match self.entities.get_index_of(new.guid) {
            Some(index) => index,
            None => {
                if self.entities.len() >= self.max || self.index.is_full() {
                    self.purge(at);
                }
                if self.entities.len() >= self.max {
                    return None;
                }
                let (domain, kind) = (self.word(new.domain), self.word(new.entity_type));
                let entity = blank(new, domain, kind);
                self.entities.insert_full(Arc::from(new.guid), entity).0
            }
        };
        let silence = self.silence;
        let entity = &mut self.entities[index];
        if entity.events == 0 || !entity.lives(at) {
            entity.first_seen = at;
            entity.visible_at = at.plus(lag());
            entity.reporting_since = at;
            entity.events = 0;
            entity.tags.clear();
        } else if at >= entity.last_seen.plus(silence) {
            entity.reporting_since = at;
        }
        entity.events += 1;
        entity.last_seen = at;
        entity.expires_at = entity.lifetime.map(|lifetime| at.plus(lifetime));
        if entity.name != new.name {
            entity.name.clear();
            entity.name.push_str(new.name);
            self.index.add_name(&entity.entity_type, new.name, index);
        }
        Some(index)
    }

    /// Notes a relationship that data stored at `at` tell of; `false` when there is no room.
    pub(super) fn relate(
        &mut self,
        account: AccountId,
        ends: (&str, &str, &str),
        at: UnixMillis,
        lifetime: Duration,
        lag: impl FnOnce() -> Duration,
    ) -> bool {
        if self.relationships.len() >= self.max {
            self.purge(at);
        }
        self.relationships.observe(account, ends, (at, lifetime), self.max, lag)
    }

    /// Every entity ever made, in the order of their making, as it is at `now`.
    pub(super) fn all(&self, now: UnixMillis) -> impl Iterator<Item = Glance<'_>> {
        self.entities.iter().map(move |entry| Glance::new(self, entry, now))
    }

    /// What a query at `now` finds, in the order of their making.
    pub(super) fn visible(&self, now: UnixMillis) -> impl Iterator<Item = Glance<'_>> {
        let visible = self.entities.iter().filter(move |(_, entity)| entity.is_visible(now));
        visible.map(move |entry| Glance::new(self, entry, now))
    }

    /// The entity that a query at `now` finds under `guid`.
    pub(super) fn glance(&self, guid: &str, now: UnixMillis) -> Option<Glance<'_>> {
        let (_, guid, entity) = self.entities.get_full(guid)?;
        entity.is_visible(now).then(|| Glance::new(self, (guid, entity), now))
    }

    /// A copy of the entity that a query at `now` finds under `guid`.
    pub(super) fn get(&self, guid: &str, now: UnixMillis) -> Option<StoredEntity> {
        self.glance(guid, now).map(|found| found.copied())
    }

    /// Every relationship ever made, in the order of their making.
    pub(super) fn relationships(&self) -> impl Iterator<Item = &StoredRelationship> {
        self.relationships.iter()
    }

    /// The relationships that a query at `now` finds with `guid` at either end.
    pub(super) fn relationships_of(
        &self,
        guid: &str,
        now: UnixMillis,
    ) -> impl Iterator<Item = &StoredRelationship> {
        self.relationships.of(guid).filter(move |known| known.is_visible(now))
    }

    fn edit(&mut self, guid: &str, now: UnixMillis) -> Result<&mut Entity, TagFault> {
        let entity = self.entities.get_mut(guid).filter(|entity| entity.is_visible(now));
        entity.ok_or(TagFault::NotFound)
    }

    fn index_user_tags(&mut self, guid: &str, tags: &TagEdits) {
        let Some((place, _, entity)) = self.entities.get_full(guid) else { return };
        for (key, values) in tags {
            for value in values {
                self.index.add(&entity.entity_type, key, value, place);
            }
        }
    }

    /// A user adds values of tags.
    pub(super) fn add_tags(
        &mut self,
        guid: &str,
        tags: &TagEdits,
        now: UnixMillis,
    ) -> Result<(), TagFault> {
        self.edit(guid, now)?.tags.add(tags)?;
        self.index_user_tags(guid, tags);
        Ok(())
    }

    /// A user replaces all values that users gave.
    pub(super) fn replace_tags(
        &mut self,
        guid: &str,
        tags: &TagEdits,
        now: UnixMillis,
    ) -> Result<(), TagFault> {
        self.edit(guid, now)?.tags.replace(tags)?;
        self.index_user_tags(guid, tags);
        Ok(())
    }

    /// A user deletes a key with all the values that users gave it, or one value of it.
    pub(super) fn delete_tag(
        &mut self,
        guid: &str,
        key: &str,
        value: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), TagFault> {
        self.edit(guid, now)?.tags.delete(key, value);
        Ok(())
    }

    /// A user deletes an entity; data may make it anew. `false` when there was none.
    pub(super) fn delete(&mut self, guid: &str, now: UnixMillis) -> bool {
        match self.edit(guid, now) {
            Ok(entity) => {
                entity.expires_at = Some(now);
                true
            }
            Err(_) => false,
        }
    }

    /// A user says that a relationship exists.
    pub(super) fn define_relationship(
        &mut self,
        account: AccountId,
        ends: (&str, &str, &str),
        now: UnixMillis,
    ) {
        self.relationships.define(account, ends, now);
    }

    /// A user takes relationships of users back, of one kind or all between the two; how many.
    pub(super) fn undefine_relationship(
        &mut self,
        source: &str,
        kind: Option<&str>,
        target: &str,
    ) -> usize {
        self.relationships.undefine(source, kind, target)
    }
}

fn blank(new: NewEntity<'_>, domain: Arc<str>, entity_type: Arc<str>) -> Entity {
    let never = UnixMillis(0);
    Entity {
        account: new.account,
        domain,
        entity_type,
        name: String::new(),
        first_seen: never,
        visible_at: never,
        last_seen: never,
        expires_at: None,
        reporting_since: never,
        events: 0,
        lifetime: new.lifetime,
        alertable: false,
        silent: true,
        tags: Tags::default(),
    }
}
