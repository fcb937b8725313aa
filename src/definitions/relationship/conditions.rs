//! What a rule sees of a point, and whether its conditions hold.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::engine::PointEntity;
use super::model::{RelationshipCondition, RelationshipTest};
use super::pattern::PatternError;
use crate::definitions::index::Need;
use crate::definitions::matching::{Point, Scalar};
use crate::definitions::text::fold;

/// `metricName__4` is the fourth part of `metricName` between slashes.
const SEGMENT: &str = "metricName__";

/// A point with what is known about it.
pub(super) struct Facts<'a> {
    pub point: Point<'a>,
    /// Attributes that it has when it has none of that name.
    pub virtuals: SmallVec<[(&'a str, Scalar<'a>); 16]>,
}

impl<'a> Facts<'a> {
    /// `segments` are the attributes `metricName__N` that rules use.
    pub(super) fn new(
        point: Point<'a>,
        entity: Option<PointEntity<'a>>,
        account: &'a str,
        segments: &'a [String],
    ) -> Self {
        let mut virtuals: SmallVec<[_; 16]> = SmallVec::new();
        virtuals.push(("eventType", Scalar::Text(point.event_type)));
        virtuals.push(("accountId", Scalar::Text(account)));
        if let Some(entity) = entity {
            let (guid, name) = match entity.non_standard {
                true => ("entityGuid", "entityName"),
                false => ("entity.guid", "entity.name"),
            };
            virtuals.push((guid, Scalar::Text(entity.guid)));
            virtuals.push((name, Scalar::Text(entity.name)));
            virtuals.push(("entity.type", Scalar::Text(entity.entity_type)));
        }
        if let Some(Scalar::Text(metric)) = point.get("metricName") {
            for name in segments {
                let text = segment(metric, name).filter(|text| !text.is_empty());
                virtuals.extend(text.map(|text| (name.as_str(), Scalar::Text(text))));
            }
        }
        Self { point, virtuals }
    }

    /// The attribute, where it is there.
    pub(super) fn get(&self, name: &str) -> Option<Scalar<'a>> {
        let all = self.point.attributes.iter().chain(&self.virtuals);
        let first = all.into_iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        first.filter(|value| *value != Scalar::Text(""))
    }

    /// Its text, where it has one.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(Scalar::some_text)
    }

    /// Whether `condition` holds.
    pub(super) fn holds(&self, condition: &RelationshipCondition) -> Result<bool, PatternError> {
        let name = &condition.attribute;
        match &condition.test {
            RelationshipTest::Present(wanted) => Ok(self.get(name).is_some() == *wanted),
            RelationshipTest::AnyOf { values, case_sensitive } => {
                Ok(self.text(name).is_some_and(|text| match case_sensitive {
                    true => values.iter().any(|value| *value == *text),
                    false => values.iter().any(|value| *fold(value) == *fold(&text)),
                }))
            }
            RelationshipTest::StartsWith { prefix, case_sensitive } => {
                Ok(self.text(name).is_some_and(|text| match case_sensitive {
                    true => text.starts_with(prefix.as_str()),
                    false => fold(&text).starts_with(&*fold(prefix)),
                }))
            }
            RelationshipTest::Regex(pattern) => match self.text(name) {
                Some(text) => pattern.matches(&text),
                None => Ok(false),
            },
        }
    }
}

/// Whether `attribute` is a part of the metric's name.
pub(super) fn is_segment(attribute: &str) -> bool {
    attribute.strip_prefix(SEGMENT).is_some_and(|number| {
        !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The part of `metric` that the attribute `name` means.
fn segment<'m>(metric: &'m str, name: &str) -> Option<&'m str> {
    let number: usize = name.strip_prefix(SEGMENT)?.parse().ok()?;
    metric.split('/').nth(number.checked_sub(1)?)
}

/// What must hold, as far as the index can tell: all of most conditions, the necessary part of
/// regular expressions and of those that respect case.
pub(super) fn need(condition: &RelationshipCondition) -> Need {
    let name = condition.attribute.clone();
    match &condition.test {
        RelationshipTest::Present(true) => Need::Present(name),
        RelationshipTest::Present(false) => Need::Absent(name),
        RelationshipTest::AnyOf { values, .. } => Need::AnyOf(name, values.clone()),
        RelationshipTest::StartsWith { prefix, .. } => Need::Prefix(name, prefix.clone()),
        RelationshipTest::Regex(pattern) => {
            Need::Prefix(name, literal_prefix(pattern.text()).unwrap_or_default())
        }
    }
}

/// Whether the index tells all about `condition`.
pub(super) fn is_indexed(condition: &RelationshipCondition) -> bool {
    match &condition.test {
        RelationshipTest::Present(_) => true,
        RelationshipTest::AnyOf { case_sensitive, .. } => !case_sensitive,
        RelationshipTest::StartsWith { prefix, case_sensitive } => {
            // The empty beginning asks for a text; the index takes presence for it.
            !case_sensitive && !prefix.is_empty()
        }
        RelationshipTest::Regex(_) => false,
    }
}

/// What every text that `regex` matches whole begins with. `None` when it cannot be told easily.
pub(super) fn literal_prefix(regex: &str) -> Option<String> {
    let body = regex.strip_prefix('^').unwrap_or(regex);
    if has_top_level_choice(body)? {
        return None;
    }
    let mut prefix = String::new();
    let mut rest = body.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => prefix.push(escaped),
                _ => break,
            },
            // A repetition that may be none takes its letter back.
            '*' | '?' | '{' => {
                prefix.pop();
                break;
            }
            '^' | '$' | '.' | '|' | '(' | ')' | '[' | ']' | '+' | '}' => break,
            c if c.is_ascii_graphic() || c == ' ' => prefix.push(c),
            _ => break,
        }
    }
    // `ab+` begins with `ab`; `ab*` was cut above, also behind an escape.
    Some(prefix)
}

/// Whether a `|` stands outside of all parentheses; `None` when parentheses do not match.
fn has_top_level_choice(regex: &str) -> Option<bool> {
    let (mut depth, mut in_class) = (0_i32, false);
    let mut rest = regex.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                rest.next()?;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth -= 1,
            '|' if !in_class && depth == 0 => return Some(true),
            _ => {}
        }
    }
    (depth == 0).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_beginnings() {
        let check = |regex: &str, expected: Option<&str>| {
            assert_eq!(literal_prefix(regex).as_deref(), expected, "{regex}");
        };
        check("^MessageBroker/Kafka/Nodes/[^/]*", Some("MessageBroker/Kafka/Nodes/"));
        check(r"a\.b\.c+d", Some("a.b.c"));
        check(r"a\.*b", Some("a"));
        check("ab?c", Some("a"));
        check("ab{0,2}", Some("a"));
        check("a|b", None);
        check("a(b|c)", Some("a"));
        check("a[|]b", Some("a"));
        check(r"a\|b", Some("a|b"));
        check(r"\d+", Some(""));
        check("(?i)abc", Some(""));
        check("aé", Some("a"));
        check("a(b", None);
        check("", Some(""));
    }

    #[test]
    fn segments_count_from_one() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(segment("A/b//d", name), expected, "{name}");
        };
        check("metricName__1", Some("A"));
        check("metricName__3", Some(""));
        check("metricName__4", Some("d"));
        check("metricName__5", None);
        check("metricName__0", None);
        check("metricName__x", None);
        assert!(is_segment("metricName__12"));
        assert!(!is_segment("metricName__"));
        assert!(!is_segment("metricName"));
    }
}
