//! What is kept.

use serde_json::Value as Json;

use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// A dashboard.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sim::newrelic) struct Dashboard {
    pub(in crate::sim::newrelic) guid: String,
    pub(in crate::sim::newrelic) account: AccountId,
    pub(in crate::sim::newrelic) name: String,
    pub(in crate::sim::newrelic) description: Option<String>,
    pub(in crate::sim::newrelic) permissions: String,
    /// Id of the user who made it.
    pub(in crate::sim::newrelic) owner: u32,
    pub(in crate::sim::newrelic) created_at: UnixMillis,
    pub(in crate::sim::newrelic) updated_at: UnixMillis,
    pub(in crate::sim::newrelic) pages: Vec<Page>,
    pub(in crate::sim::newrelic) variables: Vec<Json>,
    /// Deleted, and kept for whoever undeletes it.
    pub(in crate::sim::newrelic) deleted: bool,
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sim::newrelic) struct Page {
    pub(in crate::sim::newrelic) guid: String,
    pub(in crate::sim::newrelic) name: String,
    pub(in crate::sim::newrelic) description: Option<String>,
    pub(in crate::sim::newrelic) created_at: UnixMillis,
    pub(in crate::sim::newrelic) updated_at: UnixMillis,
    pub(in crate::sim::newrelic) widgets: Vec<Widget>,
}

/// A place on the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::newrelic) struct Layout {
    pub(in crate::sim::newrelic) column: i64,
    pub(in crate::sim::newrelic) row: i64,
    pub(in crate::sim::newrelic) width: i64,
    pub(in crate::sim::newrelic) height: i64,
}

/// A widget.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sim::newrelic) struct Widget {
    pub(in crate::sim::newrelic) id: String,
    pub(in crate::sim::newrelic) title: Option<String>,
    pub(in crate::sim::newrelic) description: Option<String>,
    pub(in crate::sim::newrelic) layout: Layout,
    /// `viz.line`.
    pub(in crate::sim::newrelic) visualization: String,
    /// Also for widgets that were sent with a typed configuration.
    pub(in crate::sim::newrelic) raw: Json,
    pub(in crate::sim::newrelic) linked: Vec<String>,
    pub(in crate::sim::newrelic) link: Option<String>,
}

impl Page {
    /// The name of its entity.
    pub(in crate::sim::newrelic) fn entity_name(&self, dashboard: &Dashboard) -> String {
        format!("{} / {}", dashboard.name, self.name)
    }
}
