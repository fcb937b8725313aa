//! What users send, as the schema shapes it.

use serde::Deserialize;
use serde_json::Value as Json;

/// A whole dashboard.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sim::newrelic) struct DashboardInput {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    /// `PRIVATE`, `PUBLIC_READ_ONLY` or `PUBLIC_READ_WRITE`.
    pub(super) permissions: String,
    pub(super) pages: Vec<PageInput>,
    #[serde(default)]
    pub(super) variables: Option<Vec<Json>>,
}

/// A page of a whole dashboard; with `guid` it is one that the dashboard has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(in crate::sim::newrelic) struct PageInput {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) guid: Option<String>,
    pub(super) widgets: Vec<WidgetInput>,
}

/// A page on its own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(in crate::sim::newrelic) struct PageUpdateInput {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    pub(super) widgets: Vec<WidgetInput>,
}

/// Column, row, width and height on a grid twelve columns wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(in crate::sim::newrelic) struct LayoutInput {
    #[serde(default)]
    pub(super) column: Option<i64>,
    #[serde(default)]
    pub(super) row: Option<i64>,
    #[serde(default)]
    pub(super) width: Option<i64>,
    #[serde(default)]
    pub(super) height: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(in crate::sim::newrelic) struct VisualizationInput {
    #[serde(default)]
    pub(super) id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(in crate::sim::newrelic) struct LinkInput {
    pub(super) url: String,
}

/// A widget; with `id` it is one that the page has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sim::newrelic) struct WidgetInput {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) layout: Option<LayoutInput>,
    #[serde(default)]
    pub(super) visualization: Option<VisualizationInput>,
    /// One member: the kind of widget.
    #[serde(default)]
    pub(super) configuration: Option<Json>,
    #[serde(default)]
    pub(super) raw_configuration: Option<Json>,
    #[serde(default)]
    pub(super) linked_entity_guids: Option<Vec<String>>,
    #[serde(default)]
    pub(super) link: Option<LinkInput>,
}

/// A change of a widget: what is left out stays.
pub(in crate::sim::newrelic) type WidgetUpdateInput = WidgetInput;
