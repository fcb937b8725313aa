//! Dashboards of New Relic: their model and JSON, queries that are made of the metric catalogue,
//! layout, templates, static checks, and a trial of every widget over stored events. Pure.
//!
//! Source: "NerdGraph tutorial: create dashboards" and the `DashboardInput` of NerdGraph's schema;
//! limits from "Dashboard limits".
//!
//! Invariants:
//! - The JSON of a dashboard is a function of the model alone; reading it gives the model again.
//! - What is shipped names metrics by [`crate::domain::metric::MetricId`], so it cannot ask for one
//!   that nobody sends, add up samples of a level, or mix units on one axis.
//! - Nothing here reads a clock or asks anybody: answers to queries come from the caller.
//!
//! Not modelled: live URLs, owners, the options of single visualizations beyond those named in
//! [`Chart`]; whatever else a widget carries is kept as it is.

pub mod catalogue;
pub mod check;
#[cfg(test)]
mod document;
pub mod draft;
mod json;
pub mod layout;
mod model;
pub mod preview;
pub mod query;
mod tree;
pub mod trial;

pub use json::{Links, PAGE_LINK, ReadFault, Reading, read, write};
pub use model::{
    Account, Band, Chart, Content, Dashboard, DisplayUnit, Layout, Level, Link, Page, Permissions,
    Query, Replacement, Severity, Thresholds, Variable, VariableItem, VariableKind, Visualization,
    Widget, YAxis,
};

/// Columns of New Relic's grid.
pub const COLUMNS: u32 = 12;
/// Rows that one widget may take.
pub const HEIGHT_MAX: u32 = 32;
/// Pages of a dashboard.
pub const PAGES_MAX: usize = 20;
/// Widgets that New Relic takes on one page.
pub const WIDGETS_MAX: usize = 100;
/// Widgets that people can take in on one page, and that load in a reasonable time.
pub const WIDGETS_ADVISED_MAX: usize = 30;
/// Queries of one widget.
pub const QUERIES_MAX: usize = 20;
/// Characters of names and titles.
pub const NAME_CHARS_MAX: usize = 255;
/// Characters of descriptions.
pub const DESCRIPTION_CHARS_MAX: usize = 1_024;
