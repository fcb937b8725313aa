//! Entities and relationships as queries see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// How an entity is doing, by its alert conditions; the worse the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertSeverity {
    /// No condition watches it.
    NotConfigured,
    /// Nothing is open.
    NotAlerting,
    /// A warning is open.
    Warning,
    /// A critical incident is open.
    Critical,
}

impl AlertSeverity {
    /// As NerdGraph writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotConfigured => "NOT_CONFIGURED",
            Self::NotAlerting => "NOT_ALERTING",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }
}

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
    /// Living tag values by key, oldest first; those of users come last.
    pub tags: BTreeMap<String, Vec<String>>,
    /// The values among them that users gave and may change.
    pub user_tags: BTreeMap<String, Vec<String>>,
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
    /// How it is doing; `None` when alert conditions cannot target it.
    pub alert_severity: Option<AlertSeverity>,
    /// Whether data of it came lately.
    pub reporting: bool,
    /// When [`StoredEntity::reporting`] changed last.
    pub reporting_changed_at: UnixMillis,
}

impl StoredEntity {
    /// Whether a query at `now` finds it.
    pub fn is_visible(&self, now: UnixMillis) -> bool {
        self.visible_at <= now && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether alert conditions may target it.
    pub fn is_alertable(&self) -> bool {
        self.alert_severity.is_some()
    }

    /// NerdGraph's `entityType`.
    pub fn kind(&self) -> &'static str {
        entity_kind(&self.domain, &self.entity_type)
    }

    /// Whether a user may change this value of a tag.
    pub fn is_mutable(&self, key: &str, value: &str) -> bool {
        self.user_tags.get(key).is_some_and(|values| values.iter().any(|known| known == value))
    }
}

/// NerdGraph's `entityType` of a domain and type.
pub fn entity_kind(domain: &str, entity_type: &str) -> &'static str {
    match (domain, entity_type) {
        ("INFRA", "HOST") => "INFRASTRUCTURE_HOST_ENTITY",
        ("INFRA", _) => "GENERIC_INFRASTRUCTURE_ENTITY",
        ("APM", "APPLICATION") => "APM_APPLICATION_ENTITY",
        ("APM", "DATABASE") => "APM_DATABASE_INSTANCE_ENTITY",
        ("APM", "EXTERNAL") => "APM_EXTERNAL_SERVICE_ENTITY",
        ("BROWSER", _) => "BROWSER_APPLICATION_ENTITY",
        ("MOBILE", _) => "MOBILE_APPLICATION_ENTITY",
        ("SYNTH", "MONITOR") => "SYNTHETIC_MONITOR_ENTITY",
        ("SYNTH", "SECURE_CRED") => "SECURE_CREDENTIAL_ENTITY",
        ("VIZ" | "NR1", "DASHBOARD") => "DASHBOARD_ENTITY",
        ("NR1" | "NGEP", "WORKLOAD") => "WORKLOAD_ENTITY",
        ("EXT", "SERVICE") => "THIRD_PARTY_SERVICE_ENTITY",
        ("EXT", _) => "EXTERNAL_ENTITY",
        ("UNINSTRUMENTED", _) => "UNAVAILABLE_ENTITY",
        _ => "GENERIC_ENTITY",
    }
}

/// Who says that a relationship exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationshipOrigin {
    /// Data do: an event of ours or a rule of the definitions.
    Detected,
    /// A user does; it stays until a user deletes it.
    UserDefined,
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
    /// Who says so.
    pub origin: RelationshipOrigin,
    /// When its first event was stored.
    pub first_seen: UnixMillis,
    /// From when on queries find it.
    pub visible_at: UnixMillis,
    /// When its newest event was stored.
    pub last_seen: UnixMillis,
    /// From when on it is gone; `None` when only a user can delete it.
    pub expires_at: Option<UnixMillis>,
}

impl StoredRelationship {
    /// Whether a query at `now` finds it.
    pub fn is_visible(&self, now: UnixMillis) -> bool {
        self.visible_at <= now && self.expires_at.is_none_or(|end| now < end)
    }
}
