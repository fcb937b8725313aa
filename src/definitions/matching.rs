//! Which entities a data point makes.
//!
//! Source: docs/entities/synthesis.md. Values that are not text are compared as their text
//! (`true`, `5`); the empty text counts as absent; case matters.

use std::borrow::Cow;
use std::time::Duration;

use smallvec::SmallVec;

use super::guid::{GuidError, entity_guid};
use super::index::{Index, Need, Pass};
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
    /// A metric object (`{type, count, sum, …}`): it is there, and has no text.
    Metric,
}

impl<'a> Scalar<'a> {
    /// As conditions and tags see it; a metric object has the empty text.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            // `f64` prints whole numbers without a fraction: 5, not 5.0.
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Metric => Cow::Borrowed(""),
        }
    }

    /// Its text, unless it has none.
    pub(super) fn some_text(self) -> Option<Cow<'a, str>> {
        (self != Self::Metric && self != Self::Text("")).then(|| self.text())
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

/// All rules of a set, filed by what they need.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct RuleIndex {
    index: Index,
    /// By the index's number.
    rules: Vec<FiledRule>,
    /// The index's number of `entity.guid`.
    stamp: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
struct FiledRule {
    definition: u32,
    rule: u32,
    /// The index's numbers of the attributes that [`build`] asks for, in its order.
    attributes: Box<[u32]>,
}

impl RuleIndex {
    /// Files the rules of `definitions`.
    pub(super) fn new(definitions: &[EntityDefinition]) -> Self {
        let every = || definitions.iter().flat_map(|definition| &definition.rules);
        let needs: Vec<Vec<Need>> = every().map(needs).collect();
        let named = every().flat_map(attributes_of).chain([STAMP]);
        let index = Index::new(&needs, named, false);
        let mut rules = Vec::with_capacity(needs.len());
        for (at, definition) in definitions.iter().enumerate() {
            for (number, rule) in definition.rules.iter().enumerate() {
                let numbers = attributes_of(rule).filter_map(|name| index.attribute(name));
                let (definition, rule) = (at as u32, number as u32);
                rules.push(FiledRule { definition, rule, attributes: numbers.collect() });
            }
        }
        Self { stamp: index.attribute(STAMP), index, rules }
    }
}

/// A point that has this attribute counts as synthesized already.
pub(super) const STAMP: &str = "entity.guid";

/// What must hold for `rule` to match.
fn needs(rule: &Rule) -> Vec<Need> {
    let mut needs: Vec<Need> = rule
        .conditions
        .iter()
        .map(|condition| match condition {
            Condition::Value(name, value) => Need::AnyOf(name.clone(), vec![value.clone()]),
            Condition::Prefix(name, prefix) => Need::Prefix(name.clone(), prefix.clone()),
            Condition::Present(name, true) => Need::Present(name.clone()),
            Condition::Present(name, false) => Need::Absent(name.clone()),
        })
        .collect();
    let required = identifier_attributes(rule).chain(name_attributes(rule));
    needs.extend(required.map(|name| Need::Present(name.to_owned())));
    needs
}

/// Attributes without which a rule finds no identifier.
pub(super) fn identifier_attributes(rule: &Rule) -> impl Iterator<Item = &str> {
    let names = match &rule.identifier {
        Identifier::Attribute(attribute) => std::slice::from_ref(attribute),
        Identifier::Composite { attributes, .. } => attributes,
    };
    names.iter().map(String::as_str)
}

/// Attributes without which a rule finds no name.
pub(super) fn name_attributes(rule: &Rule) -> impl Iterator<Item = &str> {
    let (single, fragments) = match &rule.display {
        NamePattern::Attribute(attribute) => (Some(attribute.as_str()), &[] as &[_]),
        NamePattern::Composite(fragments) => (None, fragments.as_slice()),
    };
    single.into_iter().chain(fragments.iter().filter_map(|fragment| match fragment {
        NameFragment::Attribute(attribute) => Some(attribute.as_str()),
        NameFragment::Value(_) => None,
    }))
}

/// What [`build`] reads, in its order.
fn attributes_of(rule: &Rule) -> impl Iterator<Item = &str> {
    let tags = rule.tags.iter().filter(|tag| !tag.is_prefix).map(|tag| tag.attribute.as_str());
    identifier_attributes(rule).chain(name_attributes(rule)).chain(tags)
}

impl Definitions {
    /// The entities that `point` makes: one for each rule that matches, in the order of loading.
    ///
    /// A point with an `entity.guid` of its own makes none: it counts as synthesized already.
    /// Costs no allocation when nothing matches.
    pub fn match_point<'a>(&'a self, point: Point<'a>) -> Vec<Match<'a>> {
        let rules = &self.rule_index;
        let mut found = SmallVec::new();
        let virtuals = [("eventType", Scalar::Text(point.event_type))];
        let pass = rules.index.read(point.attributes, &virtuals, &mut found);
        if found.is_empty() || rules.stamp.is_some_and(|stamp| pass.position(stamp).is_some()) {
            return Vec::new();
        }
        let mut matches = Vec::with_capacity(found.len());
        for filed in found.iter().map(|number| &rules.rules[*number as usize]) {
            let definition = &self.definitions()[filed.definition as usize];
            let rule = &definition.rules[filed.rule as usize];
            let mut reader = Reader { point, filed: Some((&pass, filed.attributes.iter())) };
            matches.extend(build(definition, rule, point, &mut reader));
        }
        matches
    }

    /// What [`Self::match_point`] finds, found by trying every rule: what the index must equal and
    /// is measured against.
    pub fn match_point_by_scan<'a>(&'a self, point: Point<'a>) -> Vec<Match<'a>> {
        if point.get(STAMP).is_some() { Vec::new() } else { self.scan(point) }
    }

    /// Every rule that matches, whether the point is stamped or not.
    pub(super) fn scan<'a>(&'a self, point: Point<'a>) -> Vec<Match<'a>> {
        let mut matches = Vec::new();
        for definition in self.definitions() {
            for rule in &definition.rules {
                if rule.conditions.iter().all(|condition| holds(condition, point)) {
                    let mut reader = Reader { point, filed: None };
                    matches.extend(build(definition, rule, point, &mut reader));
                }
            }
        }
        matches
    }
}

/// Finds a rule's attributes, by number where they were numbered.
struct Reader<'a, 'p> {
    point: Point<'a>,
    filed: Option<(&'p Pass, std::slice::Iter<'p, u32>)>,
}

impl<'a> Reader<'a, '_> {
    /// The next attribute of [`attributes_of`], which is `name`.
    fn next(&mut self, name: &str) -> Option<Scalar<'a>> {
        let Some((pass, numbers)) = &mut self.filed else { return self.point.get(name) };
        let at = pass.position(*numbers.next()?)?;
        let own = self.point.attributes.get(at).map(|(_, value)| *value);
        Some(own.unwrap_or(Scalar::Text(self.point.event_type)))
    }
}

fn build<'a>(
    definition: &'a EntityDefinition,
    rule: &'a Rule,
    point: Point<'a>,
    reader: &mut Reader<'a, '_>,
) -> Option<Match<'a>> {
    let identifier = match &rule.identifier {
        Identifier::Attribute(attribute) => reader.next(attribute)?.some_text()?,
        Identifier::Composite { separator, attributes } => {
            let mut joined = String::new();
            for (at, attribute) in attributes.iter().enumerate() {
                if at > 0 {
                    joined.push_str(separator);
                }
                joined.push_str(&reader.next(attribute)?.some_text()?);
            }
            Cow::Owned(joined)
        }
    };
    let name = match &rule.display {
        NamePattern::Attribute(attribute) => reader.next(attribute)?.some_text()?,
        NamePattern::Composite(fragments) => {
            let mut name = String::new();
            for fragment in fragments {
                match fragment {
                    NameFragment::Value(value) => name.push_str(value),
                    NameFragment::Attribute(attribute) => {
                        name.push_str(&reader.next(attribute)?.some_text()?);
                    }
                }
            }
            Cow::Owned(name)
        }
    };
    let tags = tags(rule, point, reader);
    Some(Match { definition, rule, identifier, name, tags })
}

/// Whether one condition holds.
pub(super) fn holds(condition: &Condition, point: Point<'_>) -> bool {
    match (condition, point.get(condition.attribute())) {
        (Condition::Present(_, wanted), value) => value.is_some() == *wanted,
        (Condition::Prefix(_, prefix), Some(_)) if prefix.is_empty() => true,
        (_, Some(Scalar::Metric)) => false,
        (Condition::Value(_, wanted), Some(value)) => value.text() == *wanted,
        (Condition::Prefix(_, prefix), Some(value)) => value.text().starts_with(prefix.as_str()),
        (Condition::Value(..) | Condition::Prefix(..), None) => false,
    }
}

/// Attributes that become tags of themselves when a point carries them.
const ALWAYS: [&str; 2] = ["instrumentation.provider", "instrumentation.name"];

fn tags<'a>(rule: &'a Rule, point: Point<'a>, reader: &mut Reader<'a, '_>) -> Vec<Tag<'a>> {
    let mut tags = Vec::with_capacity(rule.tags.len() + ALWAYS.len());
    for tag in &rule.tags {
        let (multi_value, ttl) = (tag.multi_value, tag.ttl);
        let mut add = |key: &'a str, value: Cow<'a, str>| {
            tags.push(Tag { key: Cow::Borrowed(key), value, multi_value, ttl });
        };
        if tag.is_prefix {
            for (name, value) in point.attributes {
                if let Some(key) = name.strip_prefix(tag.attribute.as_str())
                    && !key.is_empty()
                    && let Some(text) = value.some_text()
                {
                    add(key, text);
                }
            }
        } else if let Some(text) = reader.next(&tag.attribute).and_then(Scalar::some_text) {
            if tag.names.is_empty() {
                add(&tag.attribute, text.clone());
            }
            for name in &tag.names {
                add(name, text.clone());
            }
        }
    }
    for (name, value) in point.attributes {
        let own = name.strip_prefix("tags.").filter(|key| !key.is_empty());
        if let Some(key) = own.or_else(|| ALWAYS.contains(name).then_some(*name))
            && !tags.iter().any(|tag| tag.key == key)
            && let Some(value) = value.some_text()
        {
            tags.push(Tag { key: Cow::Borrowed(key), value, multi_value: true, ttl: None });
        }
    }
    tags
}

#[cfg(test)]
mod tests;
