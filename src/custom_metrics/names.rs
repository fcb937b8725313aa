//! Names: which ones a custom metric may have, and what those in expressions stand for.

use std::sync::Arc;

use super::Surroundings;
use crate::domain::attribute::{ATTRIBUTES, AttributeForm, AttributeId};
use crate::domain::entity::EntityKind;
use crate::domain::metric::{ALIASES, MetricId, needs_back_quotes};
use crate::domain::words::nearest_few;

/// Longest name of an attribute.
const NAME_CHARS_MAX: usize = 255;

/// Attributes of events that no table of metrics or attributes names.
const EVENT_NAMES: &[&str] = &[
    "eventType",
    "timestamp",
    "entityType",
    "entityGuid",
    "entityIdentifier",
    "displayName",
    "provider",
    "clusterName",
    "brokerId",
    "topicName",
    "queueName",
    "vhost",
    "consumerGroup",
    "environment",
    "collectionWindowMs",
    "collectionWindowMinMs",
    "collectionWindowMaxMs",
    "accountId",
    "appId",
];

/// Beginnings that belong to New Relic or to tables of ours.
const RESERVED_BEGINNINGS: &[&str] = &["entity.", "tags.", "window.", "nr."];

/// The word for `kind` in configuration files.
pub const fn kind_word(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Cluster => "cluster",
        EntityKind::Broker => "broker",
        EntityKind::Topic => "topic",
        EntityKind::Queue => "queue",
        EntityKind::ConsumerGroup => "group",
    }
}

/// Whether events of `kind` have an attribute `name` already.
pub fn is_event_name(kind: EntityKind, name: &str) -> bool {
    EVENT_NAMES.contains(&name)
        || RESERVED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || MetricId::lookup(kind, name).is_some()
        || ATTRIBUTES.iter().any(|def| def.entity == kind && def.name == name)
}

/// Checks the form of a new attribute's name for entities of `kind`.
///
/// # Errors
/// What is wrong, and what to do about it.
pub fn check_name(kind: EntityKind, name: &str) -> Result<(), (String, String)> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !begins || !name.chars().all(plain) || name.len() > NAME_CHARS_MAX {
        let help = "begin with a letter; letters, digits, `.`, `_` and `-` may follow, 255 in all";
        return Err((format!("`{name}` is no name for an attribute"), help.to_owned()));
    }
    if needs_back_quotes(name) {
        let help = "rename it: a dotted part is a keyword of NRQL, and every query would have to \
                    put the name in back-quotes";
        return Err((format!("`{name}` holds a keyword"), help.to_owned()));
    }
    if is_event_name(kind, name) {
        let message = format!("events of a {} have `{name}` already", kind_word(kind));
        return Err((message, "choose a name of its own, for example with a prefix".to_owned()));
    }
    Ok(())
}

/// What a name in an expression stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    /// A metric.
    Metric(MetricId),
    /// A whole number that describes the entity.
    Number(AttributeId),
    /// A text that describes the entity.
    Text(AttributeId),
    /// A custom metric, or what a mapping brings in.
    Extra(Arc<str>),
    /// `clusterName`.
    ClusterName,
    /// `provider`.
    Provider,
    /// The entity's own name within its cluster, e.g. `topicName`.
    Name,
    /// A tag's value.
    Tag(Arc<str>),
    /// The same of the entity's cluster.
    OfCluster(Box<Input>),
}

/// The names that expressions about entities of one kind may use.
pub(super) struct Names<'a> {
    pub(super) kind: EntityKind,
    pub(super) surroundings: &'a Surroundings,
    /// Custom metrics, by kind and name.
    pub(super) custom: &'a [(EntityKind, &'a str)],
}

const fn own_name(kind: EntityKind) -> Option<&'static str> {
    match kind {
        EntityKind::Cluster => None,
        EntityKind::Broker => Some("brokerId"),
        EntityKind::Topic => Some("topicName"),
        EntityKind::Queue => Some("queueName"),
        EntityKind::ConsumerGroup => Some("consumerGroup"),
    }
}

impl Names<'_> {
    /// What `name` stands for.
    pub(super) fn find(&self, name: &str) -> Option<Input> {
        if let Some(own) = self.of_kind(self.kind, name) {
            return Some(own);
        }
        if name == "clusterName" {
            return Some(Input::ClusterName);
        }
        if name == "provider" {
            return Some(Input::Provider);
        }
        if own_name(self.kind) == Some(name) {
            return Some(Input::Name);
        }
        if let Some(key) = name.strip_prefix("tags.") {
            return self.surroundings.tags.get(key).map(|value| Input::Tag(value.as_str().into()));
        }
        if self.kind == EntityKind::Cluster {
            return None;
        }
        let rest = name.strip_prefix("cluster.")?;
        let of_cluster = self
            .of_kind(EntityKind::Cluster, name)
            .or_else(|| self.of_kind(EntityKind::Cluster, rest))?;
        Some(Input::OfCluster(Box::new(of_cluster)))
    }

    fn of_kind(&self, kind: EntityKind, name: &str) -> Option<Input> {
        if let Some(id) = MetricId::lookup(kind, name) {
            return Some(Input::Metric(id));
        }
        if let Some(def) = ATTRIBUTES.iter().find(|def| def.entity == kind && def.name == name) {
            return Some(match def.form {
                AttributeForm::Text => Input::Text(def.id),
                AttributeForm::Integer => Input::Number(def.id),
            });
        }
        let mapped = self.surroundings.mapped.iter();
        let mapped = mapped.map(|(kind, name)| (*kind, name.as_str()));
        let known = mapped.chain(self.custom.iter().copied()).any(|known| known == (kind, name));
        known.then(|| Input::Extra(name.into()))
    }

    /// The names that one which is not known most probably means, at most three.
    pub(super) fn suggestions(&self, written: &str) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let of_kind = |kind: EntityKind| {
            let metrics = MetricId::of_kind(kind).map(|id| id.name());
            let attributes = ATTRIBUTES.iter().filter(move |def| def.entity == kind);
            let mapped = self.surroundings.mapped.iter().map(|(kind, name)| (*kind, name.as_str()));
            let extras = mapped.chain(self.custom.iter().copied());
            let extras = extras.filter(move |known| known.0 == kind).map(|known| known.1);
            metrics.chain(attributes.map(|def| def.name)).chain(extras)
        };
        all.extend(of_kind(self.kind).map(str::to_owned));
        all.extend(ALIASES.iter().map(|(alias, _)| (*alias).to_owned()));
        all.extend(self.surroundings.tags.keys().map(|key| format!("tags.{key}")));
        all.extend(own_name(self.kind).map(str::to_owned));
        all.extend(["clusterName".to_owned(), "provider".to_owned()]);
        if self.kind != EntityKind::Cluster {
            all.extend(of_kind(EntityKind::Cluster).map(|name| match name {
                name if name.starts_with("cluster.") => name.to_owned(),
                name => format!("cluster.{name}"),
            }));
        }
        all.retain(|name| self.find(name).is_some());
        all.sort_unstable();
        all.dedup();
        let near = nearest_few(written, all.iter().map(String::as_str), 3);
        near.into_iter().map(str::to_owned).collect()
    }
}
