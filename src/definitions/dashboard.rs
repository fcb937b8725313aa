//! Dashboard templates: the JSON documents that `dashboardTemplates` names.
//!
//! Source: validator/schemas/dashboard-schema-v1.json of newrelic/entity-definitions, and the grid
//! of New Relic's dashboards. Not modelled: the options of single visualizations.

use super::error::Place;

/// A template as `definition.yml` names it.
#[derive(Debug, Clone, PartialEq)]
pub struct DashboardTemplate {
    /// File beside `definition.yml`.
    pub file: String,
    /// `filterNRQLByEntityID`: New Relic adds the entity's GUID to every query.
    pub filter_by_entity: bool,
    /// What the file holds; `None` when it is missing or damaged.
    pub dashboard: Option<Dashboard>,
}

/// A dashboard of one page.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// Its name.
    pub name: String,
    /// The name of its page.
    pub page: String,
    /// In the order of the file.
    pub widgets: Vec<Widget>,
}

/// A widget of a dashboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Widget {
    /// What users see above it.
    pub title: String,
    /// For example `viz.line`.
    pub visualization: String,
    /// Where it stands.
    pub layout: Layout,
    /// Its queries, as written (they may hold template variables).
    pub queries: Vec<String>,
    /// Text of a markdown widget.
    pub text: Option<String>,
    /// Where it begins.
    pub place: Place,
    /// Where each query begins, in the order of `queries`.
    pub query_places: Vec<Place>,
}

/// A rectangle of the page's grid, 12 columns wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// 1 to 12.
    pub column: i64,
    /// From 1.
    pub row: i64,
    /// In columns.
    pub width: i64,
    /// In rows.
    pub height: i64,
}
