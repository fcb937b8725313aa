//! `definition.yml` as it is written (entity-schema-v1). An unknown key is an error.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_saphyr::Spanned;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawDefinition {
    pub domain: Spanned<String>,
    #[serde(rename = "type")]
    pub entity_type: Spanned<String>,
    #[serde(default)]
    pub golden_tags: Vec<String>,
    #[serde(default)]
    pub configuration: RawConfiguration,
    pub ownership: RawOwnership,
    pub synthesis: Option<RawSynthesis>,
    #[serde(default)]
    pub dashboard_templates: IndexMap<String, RawDashboard>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawConfiguration {
    pub entity_expiration_time: Option<Spanned<String>>,
    pub alertable: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawOwnership {
    pub primary_owner: RawOwner,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawOwner {
    pub team_name: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawDashboard {
    pub template: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawSynthesis {
    pub rules: Vec<RawRule>,
    #[serde(default)]
    pub tags: RawTags,
}

pub(super) type RawTags = IndexMap<String, Option<Spanned<RawTag>>>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawRule {
    pub rule_name: Spanned<String>,
    pub identifier: Option<Spanned<String>>,
    pub composite_identifier: Option<RawCompositeIdentifier>,
    pub name: Option<Spanned<String>>,
    pub composite_name: Option<RawCompositeName>,
    #[serde(default, rename = "encodeIdentifierInGUID")]
    pub encode_identifier: bool,
    #[serde(default)]
    pub legacy_features: RawLegacy,
    pub conditions: Vec<Spanned<RawCondition>>,
    #[serde(default)]
    pub tags: RawTags,
    #[serde(default)]
    pub prefixed_tags: RawTags,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawCompositeIdentifier {
    pub separator: String,
    pub attributes: Spanned<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawCompositeName {
    pub fragments: Spanned<Vec<RawFragment>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawFragment {
    pub value: Option<String>,
    pub attribute: Option<String>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawLegacy {
    #[serde(default)]
    pub override_guid_type: bool,
    #[serde(default)]
    pub use_non_standard_attributes: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawCondition {
    pub attribute: String,
    pub value: Option<String>,
    pub prefix: Option<String>,
    pub present: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawTag {
    pub entity_tag_name: Option<String>,
    #[serde(default)]
    pub entity_tag_names: Vec<String>,
    pub multi_value: Option<bool>,
    pub ttl: Option<Spanned<String>>,
}
