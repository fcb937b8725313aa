//! Relationship and candidate files as they are written (relationship-synthesis-schema-v1,
//! relationship-candidates-schema-v1 and what the documents add). An unknown key is an error.

use serde::Deserialize;
use serde_saphyr::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub relationships: Vec<RawRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawRule {
    pub name: Spanned<String>,
    pub version: Spanned<String>,
    pub origins: Spanned<Vec<Spanned<String>>>,
    pub entitlements: Option<RawEntitlements>,
    pub conditions: Spanned<Vec<Spanned<RawCondition>>>,
    pub relationship: RawRelationship,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEntitlements {
    pub matching: Spanned<String>,
    pub values: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawCondition {
    pub attribute: String,
    pub any_of: Option<Vec<String>>,
    pub present: Option<bool>,
    pub starts_with: Option<String>,
    pub regex: Option<Spanned<String>>,
    pub case_sensitive: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawRelationship {
    pub expires: Spanned<String>,
    pub relationship_type: Spanned<String>,
    pub source: Spanned<RawResolver>,
    pub target: Spanned<RawResolver>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawResolver {
    pub extract_guid: Option<RawExtract>,
    pub build_guid: Option<RawBuild>,
    pub lookup_guid: Option<RawLookup>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawExtract {
    pub attribute: String,
    pub entity_type: Option<Spanned<RawValue>>,
}

/// A text, or the attribute that holds it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawValue {
    pub value: Option<String>,
    pub attribute: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawBuild {
    pub account: Spanned<RawAccount>,
    pub domain: Spanned<RawValue>,
    #[serde(rename = "type")]
    pub entity_type: Spanned<RawType>,
    pub identifier: RawIdentifier,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    pub attribute: Option<String>,
    pub lookup: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawType {
    pub value: Option<String>,
    pub attribute: Option<String>,
    pub value_in_guid: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawIdentifier {
    pub fragments: Spanned<Vec<Spanned<RawFragment>>>,
    pub hash_algorithm: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFragment {
    pub value: Option<String>,
    pub attribute: Option<String>,
    pub capture: Option<RawCapture>,
    #[serde(default)]
    pub operations: Vec<RawOperation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCapture {
    pub attribute: String,
    pub regex: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOperation {
    pub operation: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawLookup {
    pub candidate_category: Spanned<String>,
    pub fields: Spanned<Vec<Spanned<RawField>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawField {
    pub field: String,
    pub value: Option<String>,
    pub attribute: Option<String>,
    pub capture: Option<RawCapture>,
    #[serde(default)]
    pub operations: Vec<RawOperation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCandidates {
    pub category: Spanned<String>,
    pub lookups: Spanned<Vec<Spanned<RawCandidateLookup>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawCandidateLookup {
    pub entity_types: Vec<RawKind>,
    pub tags: Option<RawTags>,
    pub attributes: Option<RawAttributes>,
    pub on_match: RawOnMatch,
    pub on_miss: RawOnMiss,
}

/// `INFRA-KAFKATOPIC`, or in the older files `{domain: INFRA, type: KAFKATOPIC}`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawKind {
    Text(String),
    Parts(RawKindParts),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKindParts {
    pub domain: Option<String>,
    #[serde(rename = "type")]
    pub entity_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawTags {
    pub matching_mode: Spanned<String>,
    pub predicates: Vec<RawTagPredicate>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawTagPredicate {
    pub tag_keys: Vec<String>,
    pub field: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawAttributes {
    pub matching_mode: Spanned<String>,
    pub predicates: Vec<RawAttributePredicate>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawAttributePredicate {
    pub attribute_keys: Vec<String>,
    pub field: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawOnMatch {
    pub on_multiple_matches: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOnMiss {
    pub action: Spanned<String>,
    pub uninstrumented: Option<RawUninstrumented>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUninstrumented {
    #[serde(rename = "type")]
    pub entity_type: String,
}
