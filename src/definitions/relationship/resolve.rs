//! From a resolver and a point to GUIDs.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::candidates::Found;
use super::conditions::Facts;
use super::engine::{EntityLookup, RelationshipRules, Uninstrumented};
use super::model::{
    AccountOf, BuildGuid, FieldValue, Fragment, FragmentSource, LookupField, RelationshipRule,
    Resolver, TextOperation, TypeHint,
};
use super::pattern::PatternError;
use crate::definitions::{GuidError, GuidParts, entity_guid};

/// An end of a relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where it begins.
    Source,
    /// Where it ends.
    Target,
}

impl End {
    /// As rules name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// A rule that held and gave no relationship.
#[derive(Debug, Clone, PartialEq)]
pub struct Unresolved<'a> {
    /// The rule.
    pub rule: &'a RelationshipRule,
    /// Which end is missing; `None` when a condition could not be decided.
    pub end: Option<End>,
    /// Why.
    pub reason: UnresolvedReason,
}

/// Why an end is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnresolvedReason {
    /// The point lacks an attribute.
    #[error("attribute `{0}` is missing")]
    Missing(String),
    /// A capture found nothing.
    #[error("the capture on `{0}` found nothing")]
    NoCapture(String),
    /// An attribute does not hold a GUID.
    #[error("`{attribute}` is `{value}`, which is no entity GUID")]
    NotAGuid {
        /// The attribute.
        attribute: String,
        /// Its value.
        value: String,
    },
    /// An attribute does not hold an account's number.
    #[error("`{0}` is no account id of 1 to 10 digits")]
    NotAnAccount(String),
    /// The parts make no GUID.
    #[error(transparent)]
    Guid(#[from] GuidError),
    /// A regular expression gave no answer.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// No account that is trusted has the entity.
    #[error("no trusted account has the entity `{0}`")]
    NoAccount(String),
    /// No entity has the fields.
    #[error("no candidate of {0} matches")]
    NoCandidate(String),
    /// Several have, and the candidates say to take none.
    #[error("{1} candidates of {0} match and are discarded")]
    Discarded(String, usize),
    /// There is no such category.
    #[error("there are no candidates for {0}")]
    NoCategory(String),
}

/// The entities of one end.
pub(super) struct Ends {
    pub guids: SmallVec<[Arc<str>; 1]>,
    /// The type where the GUID says `NA`.
    pub entity_type: Option<String>,
    /// The one that must be made.
    pub uninstrumented: Option<Uninstrumented>,
}

impl Ends {
    fn one(guid: impl Into<Arc<str>>, entity_type: Option<String>) -> Self {
        Self { guids: smallvec![guid.into()], entity_type, uninstrumented: None }
    }
}

/// What resolvers work with.
pub(super) struct World<'w, 'a> {
    pub rules: &'w RelationshipRules,
    pub facts: &'w Facts<'a>,
    pub account: u64,
    pub lookup: &'w dyn EntityLookup,
}

impl World<'_, '_> {
    pub(super) fn resolve(&self, resolver: &Resolver, end: End) -> Result<Ends, UnresolvedReason> {
        match resolver {
            Resolver::Extract { attribute, entity_type } => {
                self.extract(attribute, entity_type.as_ref())
            }
            Resolver::Build(build) => self.build(build),
            Resolver::Lookup { category, fields } => self.search(category, fields, end),
        }
    }

    fn required(&self, attribute: &str) -> Result<Cow<'_, str>, UnresolvedReason> {
        self.facts.text(attribute).ok_or_else(|| UnresolvedReason::Missing(attribute.to_owned()))
    }

    fn extract(&self, attribute: &str, hint: Option<&TypeHint>) -> Result<Ends, UnresolvedReason> {
        let text = self.required(attribute)?;
        let Some(parts) = GuidParts::parse(&text) else {
            let (attribute, value) = (attribute.to_owned(), text.into_owned());
            return Err(UnresolvedReason::NotAGuid { attribute, value });
        };
        // The hint is an improvement: without it the relationship stands all the same.
        let entity_type = match hint.filter(|_| parts.entity_type == "NA") {
            Some(TypeHint::Value(value)) => Some(value.clone()),
            Some(TypeHint::Attribute(name)) => self.facts.text(name).map(Cow::into_owned),
            None => None,
        };
        Ok(Ends::one(&*text, entity_type))
    }

    fn value<'v>(&'v self, value: &'v FieldValue) -> Result<Cow<'v, str>, UnresolvedReason> {
        match value {
            FieldValue::Value(value) => Ok(Cow::Borrowed(value)),
            FieldValue::Attribute(attribute) => self.required(attribute),
        }
    }

    fn build(&self, build: &BuildGuid) -> Result<Ends, UnresolvedReason> {
        let domain = self.value(&build.domain)?;
        let entity_type = self.value(&build.entity_type)?;
        let in_guid = build.type_in_guid.as_deref().unwrap_or(&entity_type);
        let mut identifier = String::new();
        for fragment in &build.fragments {
            identifier.push_str(&self.fragment(fragment)?);
        }
        let guid = |account: u64| entity_guid(account, &domain, in_guid, &identifier, build.hashed);
        let guid = match &build.account {
            AccountOf::Attribute(attribute) => {
                let text = self.required(attribute)?;
                let digits = (1..=10).contains(&text.len());
                let account = text.parse().ok().filter(|_| digits);
                guid(account.ok_or_else(|| UnresolvedReason::NotAnAccount(text.into_owned()))?)?
            }
            AccountOf::Lookup => {
                let mut found = None;
                for account in self.lookup.trusted(self.account) {
                    let guid = guid(account)?;
                    if self.lookup.exists(&guid) {
                        found = Some(guid);
                        break;
                    }
                }
                found.ok_or_else(|| {
                    UnresolvedReason::NoAccount(format!("{domain}|{in_guid}|{identifier}"))
                })?
            }
        };
        let hint = (in_guid == "NA" && entity_type != "NA").then(|| entity_type.to_string());
        Ok(Ends::one(guid, hint))
    }

    fn fragment<'v>(&'v self, fragment: &'v Fragment) -> Result<Cow<'v, str>, UnresolvedReason> {
        self.text(&fragment.source, &fragment.operations)
    }

    fn text<'v>(
        &'v self,
        source: &'v FragmentSource,
        operations: &[TextOperation],
    ) -> Result<Cow<'v, str>, UnresolvedReason> {
        let mut text = match source {
            FragmentSource::Value(value) => Cow::Borrowed(value.as_str()),
            FragmentSource::Attribute(attribute) => self.required(attribute)?,
            FragmentSource::Capture(capture) => {
                let value = self.required(&capture.attribute)?;
                let found = capture.pattern.capture(&value)?;
                let found = found.filter(|part| !part.is_empty());
                let part = found.map(Cow::into_owned);
                Cow::Owned(
                    part.ok_or_else(|| UnresolvedReason::NoCapture(capture.attribute.clone()))?,
                )
            }
        };
        for operation in operations {
            text = Cow::Owned(match operation {
                TextOperation::Upper => text.to_uppercase(),
                TextOperation::Lower => text.to_lowercase(),
            });
        }
        Ok(text)
    }

    fn search(
        &self,
        category: &str,
        fields: &[LookupField],
        end: End,
    ) -> Result<Ends, UnresolvedReason> {
        let candidates = self
            .rules
            .category(category)
            .ok_or_else(|| UnresolvedReason::NoCategory(category.to_owned()))?;
        let mut known: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(fields.len());
        let mut missing = None;
        for field in fields {
            match self.text(&field.source, &field.operations) {
                Ok(text) => known.push((&field.field, text)),
                // An expression that ran away is a fault; a missing attribute leaves the other
                // fields to search by.
                Err(UnresolvedReason::Pattern(error)) => return Err(error.into()),
                Err(reason) => missing = missing.or(Some(reason)),
            }
        }
        match candidates.search(&known, self.account, self.lookup, category)? {
            Found::Entities(guids) => Ok(Ends { guids, entity_type: None, uninstrumented: None }),
            Found::NotAsked => {
                Err(missing.unwrap_or_else(|| UnresolvedReason::NoCandidate(category.to_owned())))
            }
            Found::Create(entity_type) => self.uninstrumented(entity_type, &known, end),
        }
    }

    /// How New Relic names and identifies such an entity is documented nowhere: here the values of
    /// the known fields, joined.
    fn uninstrumented(
        &self,
        entity_type: &str,
        known: &[(&str, Cow<'_, str>)],
        end: End,
    ) -> Result<Ends, UnresolvedReason> {
        let values: Vec<&str> = known.iter().map(|(_, value)| &**value).collect();
        let name = values.join(":");
        let guid: Arc<str> =
            entity_guid(self.account, "UNINSTRUMENTED", entity_type, &name, true)?.into();
        let tags = known.iter().map(|(field, value)| ((*field).to_owned(), value.to_string()));
        let made = Uninstrumented {
            end,
            guid: Arc::clone(&guid),
            account: self.account,
            entity_type: entity_type.to_owned(),
            name,
            tags: tags.collect(),
        };
        Ok(Ends { guids: smallvec![guid], entity_type: None, uninstrumented: Some(made) })
    }
}
