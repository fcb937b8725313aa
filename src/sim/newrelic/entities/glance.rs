//! An entity where it lies: what searches look at without copying it.

use std::borrow::Cow;
use std::sync::Arc;

use super::stored::{AlertSeverity, StoredEntity, entity_kind};
use super::tags::FIXED_KEYS;
use super::{Entities, Entity};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// An entity at an instant.
#[derive(Clone, Copy)]
pub(in crate::sim::newrelic) struct Glance<'e> {
    entities: &'e Entities,
    guid: &'e Arc<str>,
    entity: &'e Entity,
    now: UnixMillis,
}

impl<'e> Glance<'e> {
    pub(super) fn new(
        entities: &'e Entities,
        (guid, entity): (&'e Arc<str>, &'e Entity),
        now: UnixMillis,
    ) -> Self {
        Self { entities, guid, entity, now }
    }

    pub(in crate::sim::newrelic) fn guid(&self) -> &'e Arc<str> {
        self.guid
    }

    pub(in crate::sim::newrelic) fn account(&self) -> AccountId {
        self.entity.account
    }

    pub(in crate::sim::newrelic) fn domain(&self) -> &'e str {
        &self.entity.domain
    }

    pub(in crate::sim::newrelic) fn entity_type(&self) -> &'e str {
        &self.entity.entity_type
    }

    /// NerdGraph's `entityType`.
    pub(in crate::sim::newrelic) fn kind(&self) -> &'static str {
        entity_kind(self.domain(), self.entity_type())
    }

    pub(in crate::sim::newrelic) fn name(&self) -> &'e str {
        &self.entity.name
    }

    pub(in crate::sim::newrelic) fn is_alertable(&self) -> bool {
        self.entity.alertable
    }

    /// How it is doing; `None` when alert conditions cannot target it.
    pub(in crate::sim::newrelic) fn alert_severity(&self) -> Option<AlertSeverity> {
        let severity = match self.entities.alerts.get(&**self.guid) {
            None => AlertSeverity::NotConfigured,
            Some(counts) if counts.critical > 0 => AlertSeverity::Critical,
            Some(counts) if counts.warning > 0 => AlertSeverity::Warning,
            Some(_) => AlertSeverity::NotAlerting,
        };
        self.is_alertable().then_some(severity)
    }

    /// Whether data of it came lately.
    pub(in crate::sim::newrelic) fn is_reporting(&self) -> bool {
        self.entity.silent || self.now < self.silent_at()
    }

    fn silent_at(&self) -> UnixMillis {
        self.entity.last_seen.plus(self.entities.silence)
    }

    fn account_name(&self) -> &'e str {
        let name = self.entities.account_names.get(&self.entity.account);
        name.map(String::as_str).unwrap_or_default()
    }

    /// Shows every living value of every tag; those of one key come together.
    pub(in crate::sim::newrelic) fn visit_tags(&self, visit: &mut dyn FnMut(&str, &str)) {
        let account = self.entity.account.to_string();
        let fixed = [self.account_name(), &account, &account];
        FIXED_KEYS.iter().zip(fixed).for_each(|(key, value)| visit(key, value));
        self.entity.tags.visit_living(self.now, |key, value| {
            if !FIXED_KEYS.contains(&key) {
                visit(key, value);
            }
        });
    }

    /// The first value of a tag.
    pub(in crate::sim::newrelic) fn first_tag(&self, wanted: &str) -> Option<Cow<'e, str>> {
        match FIXED_KEYS.iter().position(|key| *key == wanted) {
            None => self.entity.tags.first(wanted, self.now).map(Cow::Borrowed),
            Some(0) => Some(Cow::Borrowed(self.account_name())),
            Some(_) => Some(Cow::Owned(self.entity.account.to_string())),
        }
    }

    /// A copy.
    pub(in crate::sim::newrelic) fn copied(&self) -> StoredEntity {
        let entity = self.entity;
        let mut tags = entity.tags.living(self.now);
        let account = entity.account.to_string();
        let fixed = [self.account_name().to_owned(), account.clone(), account];
        for (key, value) in FIXED_KEYS.iter().zip(fixed) {
            tags.insert((*key).to_owned(), vec![value]);
        }
        let reporting = self.is_reporting();
        let changed_at = if reporting { entity.reporting_since } else { self.silent_at() };
        StoredEntity {
            guid: Arc::clone(self.guid),
            account: entity.account,
            domain: entity.domain.to_string(),
            entity_type: entity.entity_type.to_string(),
            name: entity.name.clone(),
            tags,
            user_tags: entity.tags.of_users().clone(),
            first_seen: entity.first_seen,
            visible_at: entity.visible_at,
            last_seen: entity.last_seen,
            expires_at: entity.expires_at,
            events: entity.events,
            alert_severity: self.alert_severity(),
            reporting,
            reporting_changed_at: changed_at,
        }
    }
}
