//! Which entities a data point makes.
//!
//! Source: docs/entities/synthesis.md. Values that are not text are compared as their text
//! (`true`, `5`); the empty text counts as absent; case matters.

use std::borrow::Cow;
use std::time::Duration;

use super::guid::{GuidError, entity_guid};
use super::load::Definitions;
use super::model::{Condition, EntityDefinition, Identifier, NameFragment, NamePattern, Rule};

/// A value of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// Text.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// An integer beyond 2⁵³.
    Integer(i64),
    /// A boolean.
    Bool(bool),
}

impl<'a> Scalar<'a> {
    /// As conditions and tags see it.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            // `f64` prints whole numbers without a fraction: 5, not 5.0.
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
        }
    }
}

/// The attributes of a point; of two with one name the first counts.
pub type Attributes<'a> = &'a [(&'a str, Scalar<'a>)];

/// A data point.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// The kind of event; an attribute `eventType` of the point's own wins over it.
    pub event_type: &'a str,
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

impl<'a> Point<'a> {
    /// The value of `name`; the empty text is no value.
    pub fn get(&self, name: &str) -> Option<Scalar<'a>> {
        let own = self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let value = match own {
            None if name == "eventType" => Some(Scalar::Text(self.event_type)),
            own => own,
        };
        value.filter(|value| *value != Scalar::Text(""))
    }
}

/// One entity that a point makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Match<'a> {
    /// Its type.
    pub definition: &'a EntityDefinition,
    /// The rule that matched.
    pub rule: &'a Rule,
    /// The identifier before any encoding.
    pub identifier: Cow<'a, str>,
    /// The entity's name.
    pub name: Cow<'a, str>,
    /// Tags that the point gives it.
    pub tags: Vec<Tag<'a>>,
}

/// One value of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Key.
    pub key: Cow<'a, str>,
    /// Value.
    pub value: Cow<'a, str>,
    /// Whether other values of the key stay.
    pub multi_value: bool,
    /// How long it lives unseen; `None` as long as the entity.
    pub ttl: Option<Duration>,
}

impl Match<'_> {
    /// The entity's GUID in wire form.
    ///
    /// # Errors
    /// When the identifier does not fit a GUID; then there is no entity.
    pub fn guid(&self, account: impl std::fmt::Display) -> Result<String, GuidError> {
        let kind = if self.rule.override_guid_type { "NA" } else { &self.definition.entity_type };
        let encode = self.rule.encode_identifier;
        entity_guid(account, &self.definition.domain, kind, &self.identifier, encode)
    }
}

impl Definitions {
    /// The entities that `point` makes: one for each rule that matches, in the order of loading.
    ///
    /// A point with an `entity.guid` of its own makes none: it counts as synthesized already.
    pub fn match_point<'a>(&'a self, point: Point<'a>) -> Vec<Match<'a>> {
        if point.get("entity.guid").is_some() {
            return Vec::new();
        }
        let event_type = point.get("eventType").map(Scalar::text).unwrap_or_default();
        let mut candidates: Vec<(usize, usize)> =
            self.by_event_type.get(&*event_type).cloned().unwrap_or_default();
        if !self.any_event_type.is_empty() {
            candidates.extend_from_slice(&self.any_event_type);
            candidates.sort_unstable();
        }
        let matched = |(definition, rule): (usize, usize)| {
            let definition = &self.definitions()[definition];
            match_rule(definition, &definition.rules[rule], point)
        };
        candidates.into_iter().filter_map(matched).collect()
    }
}

fn match_rule<'a>(
    definition: &'a EntityDefinition,
    rule: &'a Rule,
    point: Point<'a>,
) -> Option<Match<'a>> {
    if !rule.conditions.iter().all(|condition| holds(condition, point)) {
        return None;
    }
    let identifier = match &rule.identifier {
        Identifier::Attribute(attribute) => point.get(attribute)?.text(),
        Identifier::Composite { separator, attributes } => {
            let values: Option<Vec<_>> =
                attributes.iter().map(|name| point.get(name).map(Scalar::text)).collect();
            Cow::Owned(values?.join(separator.as_str()))
        }
    };
    let name = match &rule.display {
        NamePattern::Attribute(attribute) => point.get(attribute)?.text(),
        NamePattern::Composite(fragments) => {
            let mut name = String::new();
            for fragment in fragments {
                match fragment {
                    NameFragment::Value(value) => name.push_str(value),
                    NameFragment::Attribute(attribute) => {
                        name.push_str(&point.get(attribute)?.text());
                    }
                }
            }
            Cow::Owned(name)
        }
    };
    Some(Match { definition, rule, identifier, name, tags: tags(rule, point) })
}

/// Whether one condition holds.
fn holds(condition: &Condition, point: Point<'_>) -> bool {
    match (condition, point.get(condition.attribute())) {
        (Condition::Present(_, wanted), value) => value.is_some() == *wanted,
        (Condition::Value(_, wanted), Some(value)) => value.text() == *wanted,
        (Condition::Prefix(_, prefix), Some(value)) => value.text().starts_with(prefix.as_str()),
        (Condition::Value(..) | Condition::Prefix(..), None) => false,
    }
}

/// Attributes that become tags of themselves when a point carries them.
const ALWAYS: [&str; 2] = ["instrumentation.provider", "instrumentation.name"];

fn tags<'a>(rule: &'a Rule, point: Point<'a>) -> Vec<Tag<'a>> {
    let mut tags = Vec::new();
    for tag in &rule.tags {
        let (multi_value, ttl) = (tag.multi_value, tag.ttl);
        let mut add = |key: &'a str, value: Scalar<'a>| {
            tags.push(Tag { key: Cow::Borrowed(key), value: value.text(), multi_value, ttl });
        };
        if tag.is_prefix {
            for (name, value) in point.attributes {
                match name.strip_prefix(tag.attribute.as_str()) {
                    Some(key) if !key.is_empty() && *value != Scalar::Text("") => add(key, *value),
                    _ => {}
                }
            }
        } else if let Some(value) = point.get(&tag.attribute) {
            if tag.names.is_empty() {
                add(&tag.attribute, value);
            }
            for name in &tag.names {
                add(name, value);
            }
        }
    }
    for (name, value) in point.attributes {
        let own = name.strip_prefix("tags.").filter(|key| !key.is_empty());
        let key = own.or_else(|| ALWAYS.contains(name).then_some(*name));
        if let Some(key) = key
            && *value != Scalar::Text("")
            && !tags.iter().any(|tag| tag.key == key)
        {
            let value = value.text();
            tags.push(Tag { key: Cow::Borrowed(key), value, multi_value: true, ttl: None });
        }
    }
    tags
}
