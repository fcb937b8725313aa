//! A validated relationship rule.

use std::time::Duration;

use super::pattern::Pattern;
use crate::definitions::Place;

/// One rule of `relationships/synthesis`.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationshipRule {
    /// Unique among all relationship rules.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Telemetry that it reads, for example `OpenTelemetry`.
    pub origins: Vec<String>,
    /// Entitlements of an account, one of which the rule asks for; empty when none.
    pub entitlements: Vec<String>,
    /// All must hold.
    pub conditions: Vec<RelationshipCondition>,
    /// For example `PRODUCES`.
    pub relationship_type: String,
    /// How long the relationship lives unseen: 10 minutes to 72 hours.
    pub expires: Duration,
    /// Where the source's GUID comes from.
    pub source: Resolver,
    /// Where the target's GUID comes from.
    pub target: Resolver,
}

/// A condition on one attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationshipCondition {
    /// The attribute, `metricName__N` included.
    pub attribute: String,
    /// What it tests.
    pub test: RelationshipTest,
}

/// What a condition tests.
#[derive(Debug, Clone, PartialEq)]
pub enum RelationshipTest {
    /// Is there, or is not.
    Present(bool),
    /// Is one of these texts.
    AnyOf {
        /// The texts.
        values: Vec<String>,
        /// Whether case matters; by default it does not.
        case_sensitive: bool,
    },
    /// Begins with.
    StartsWith {
        /// The beginning.
        prefix: String,
        /// Whether case matters; by default it does not.
        case_sensitive: bool,
    },
    /// Matches whole.
    Regex(Pattern),
}

/// Where a GUID comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolver {
    /// An attribute holds it in wire form.
    Extract {
        /// The attribute.
        attribute: String,
        /// The entity's type where the GUID says `NA`.
        entity_type: Option<TypeHint>,
    },
    /// Its parts are in the point.
    Build(Box<BuildGuid>),
    /// Entities are searched.
    Lookup {
        /// Category of `relationships/candidates`.
        category: String,
        /// What is known about the entity.
        fields: Vec<LookupField>,
    },
}

/// The type of an entity whose GUID says `NA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeHint {
    /// This one.
    Value(String),
    /// The one that an attribute names.
    Attribute(String),
}

/// A text that the rule writes or an attribute holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// This one.
    Value(String),
    /// An attribute's.
    Attribute(String),
}

/// The parts of a GUID.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildGuid {
    /// The account.
    pub account: AccountOf,
    /// For example `INFRA`.
    pub domain: FieldValue,
    /// For example `KAFKATOPIC`.
    pub entity_type: FieldValue,
    /// Stands in the GUID instead of the type: `NA`.
    pub type_in_guid: Option<String>,
    /// Joined in order.
    pub fragments: Vec<Fragment>,
    /// Whether the GUID holds the FarmHash of the identifier (`FARM_HASH`) or itself (`IDENTITY`).
    pub hashed: bool,
}

/// Whose entity it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountOf {
    /// The account that an attribute names; `accountId` is the point's own.
    Attribute(String),
    /// One of the accounts that trust each other: the one where the entity exists.
    Lookup,
}

/// A part of an identifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Fragment {
    /// Its text.
    pub source: FragmentSource,
    /// Done to the text in order.
    pub operations: Vec<TextOperation>,
}

/// Where a fragment's text comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum FragmentSource {
    /// The rule.
    Value(String),
    /// An attribute.
    Attribute(String),
    /// A part of an attribute.
    Capture(Capture),
}

/// What is done to a fragment's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextOperation {
    /// `toUpperCase`.
    Upper,
    /// `toLowerCase`.
    Lower,
}

/// A part of an attribute's value.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// The attribute.
    pub attribute: String,
    /// Its first group is the part.
    pub pattern: Pattern,
}

/// What is known about an entity that is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupField {
    /// Name that the candidates' predicates use.
    pub field: String,
    /// Its value.
    pub source: FragmentSource,
    /// Done to the value in order.
    pub operations: Vec<TextOperation>,
}
