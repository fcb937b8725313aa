//! Whether an entity matches a search.

use super::{Condition, Field, Piece, Search, Test};

/// An entity, as far as a search looks at it.
pub(in crate::sim::newrelic) trait Subject {
    fn name(&self) -> &str;
    fn domain(&self) -> &str;
    fn entity_type(&self) -> &str;
    fn guid(&self) -> &str;
    fn account_id(&self) -> String;
    /// The identifier within the GUID.
    fn domain_id(&self) -> Option<String>;
    fn alert_severity(&self) -> Option<&str>;
    fn is_alertable(&self) -> bool;
    fn is_reporting(&self) -> bool;
    fn integration_type(&self) -> Option<&str>;
    /// Shows every value of every tag.
    fn visit_tags(&self, visit: &mut dyn FnMut(&str, &str));
}

/// How tags are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::newrelic) struct Options {
    /// Whether keys and values of tags differ by case.
    pub(in crate::sim::newrelic) case_sensitive_tags: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { case_sensitive_tags: true }
    }
}

impl Search {
    /// Whether every condition holds.
    pub(in crate::sim::newrelic) fn matches(
        &self,
        subject: &dyn Subject,
        options: Options,
    ) -> bool {
        self.conditions.iter().all(|condition| condition.holds(subject, options))
    }
}

impl Condition {
    fn holds(&self, subject: &dyn Subject, options: Options) -> bool {
        self.negated != self.some_value_passes(subject, options)
    }

    /// Whether one of the field's values passes; a field without value passes nothing.
    fn some_value_passes(&self, subject: &dyn Subject, options: Options) -> bool {
        let truth = |truth| if truth { "true" } else { "false" };
        let exact = |value: &str| self.test.passes(value, true);
        match &self.field {
            Field::Name => exact(subject.name()),
            Field::Domain => self.test.passes(subject.domain(), false),
            Field::Type => self.test.passes(subject.entity_type(), false),
            Field::DomainType => {
                let joined = format!("{}-{}", subject.domain(), subject.entity_type());
                self.test.passes(&joined, false)
            }
            Field::Guid => exact(subject.guid()),
            Field::AccountId => exact(&subject.account_id()),
            Field::DomainId => subject.domain_id().is_some_and(|id| exact(&id)),
            Field::AlertSeverity => {
                subject.alert_severity().is_some_and(|s| self.test.passes(s, false))
            }
            Field::Alertable => self.test.passes(truth(subject.is_alertable()), false),
            Field::Reporting => self.test.passes(truth(subject.is_reporting()), false),
            Field::IntegrationType => {
                subject.integration_type().is_some_and(|kind| self.test.passes(kind, false))
            }
            Field::Tag(key) => self.some_tag_passes(key, subject, options),
        }
    }

    fn some_tag_passes(&self, key: &str, subject: &dyn Subject, options: Options) -> bool {
        let sensitive = options.case_sensitive_tags;
        let mut passes = false;
        subject.visit_tags(&mut |known, value| {
            let same = known == key || !sensitive && same_but_for_case(known, key);
            passes |= same && self.test.passes(value, sensitive);
        });
        passes
    }
}

impl Test {
    fn passes(&self, value: &str, case_sensitive: bool) -> bool {
        match self {
            Self::OneOf(values) if case_sensitive => values.iter().any(|v| v == value),
            Self::OneOf(values) => values.iter().any(|v| same_but_for_case(v, value)),
            Self::Like(pieces) => like(&value.to_lowercase(), pieces),
            Self::Present => true,
        }
    }
}

fn same_but_for_case(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    left.to_lowercase() == right.to_lowercase()
}

/// Whether lower-cased `value` fits the pattern; every piece takes its first fitting place, and
/// the last one the end.
fn like(value: &str, pieces: &[Piece]) -> bool {
    let mut rest = value;
    let mut free = false;
    for (number, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Any => free = true,
            Piece::Text(text) if number + 1 == pieces.len() => {
                return if free { rest.ends_with(text.as_str()) } else { rest == text };
            }
            Piece::Text(text) => {
                let Some(found) = rest.find(text.as_str()) else { return false };
                if found > 0 && !free {
                    return false;
                }
                rest = &rest[found + text.len()..];
                free = false;
            }
        }
    }
    free || rest.is_empty()
}
