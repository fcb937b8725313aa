//! Entities as users of the service see and edit them, for tests: programs ask NerdGraph.

use super::{NewEntity, StoredEntity, StoredRelationship, TagEdits, TagFault};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::NewRelic;

impl NewRelic {
    /// The entities that a query at `now` finds, in the order of their making.
    pub fn visible_entities(&self, now: UnixMillis) -> Vec<StoredEntity> {
        let mut state = self.state();
        state.advance(now);
        state.entities.visible(now).map(|found| found.copied()).collect()
    }

    /// The entity that a query at `now` finds under `guid`.
    pub fn entity(&self, guid: &str, now: UnixMillis) -> Option<StoredEntity> {
        let mut state = self.state();
        state.advance(now);
        state.entities.get(guid, now)
    }

    /// The relationships that a query at `now` finds with `guid` at either end.
    pub fn relationships_of(&self, guid: &str, now: UnixMillis) -> Vec<StoredRelationship> {
        let mut state = self.state();
        state.advance(now);
        state.entities.relationships_of(guid, now).cloned().collect()
    }

    /// Makes an entity that no data report, visible at once; it stays until it is deleted. `false`
    /// when there is no room.
    pub fn register_entity(&self, new: NewEntity<'_>, now: UnixMillis) -> bool {
        let mut state = self.state();
        state.advance(now);
        state.entities.register(new, now, || std::time::Duration::ZERO)
    }

    /// A user adds values of tags.
    ///
    /// # Errors
    /// [`TagFault`]; then nothing changed.
    pub fn add_tags(&self, guid: &str, tags: &TagEdits, now: UnixMillis) -> Result<(), TagFault> {
        let mut state = self.state();
        state.advance(now);
        state.entities.add_tags(guid, tags, now)
    }

    /// A user replaces all values that users gave.
    ///
    /// # Errors
    /// [`TagFault`]; then nothing changed.
    pub fn replace_tags(
        &self,
        guid: &str,
        tags: &TagEdits,
        now: UnixMillis,
    ) -> Result<(), TagFault> {
        let mut state = self.state();
        state.advance(now);
        state.entities.replace_tags(guid, tags, now)
    }

    /// A user deletes the values that users gave to a key, or one of them.
    ///
    /// # Errors
    /// [`TagFault::NotFound`].
    pub fn delete_tag(
        &self,
        guid: &str,
        key: &str,
        value: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), TagFault> {
        let mut state = self.state();
        state.advance(now);
        state.entities.delete_tag(guid, key, value, now)
    }

    /// A user deletes an entity; data may make it anew. `false` when there is none.
    pub fn delete_entity(&self, guid: &str, now: UnixMillis) -> bool {
        let mut state = self.state();
        state.advance(now);
        state.entities.delete(guid, now)
    }

    /// A user says that a relationship exists: source, type, target.
    pub fn define_relationship(
        &self,
        account: AccountId,
        ends: (&str, &str, &str),
        now: UnixMillis,
    ) {
        let mut state = self.state();
        state.advance(now);
        state.entities.define_relationship(account, ends, now);
    }

    /// A user takes relationships of users back, of one type or all between the two; how many.
    pub fn undefine_relationship(&self, source: &str, kind: Option<&str>, target: &str) -> usize {
        self.state().entities.undefine_relationship(source, kind, target)
    }

    /// Accounts that a user key opens, in the order of the configuration.
    pub fn accounts_of_user(&self, key: &str) -> Vec<AccountId> {
        self.state().accounts_of_user(key)
    }
}
