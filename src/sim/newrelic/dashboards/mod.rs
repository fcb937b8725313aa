//! Dashboards: what users send, what is kept, what is shown.
//!
//! Source: "NerdGraph tutorial: create dashboards" and its siblings; limits from "Dashboard
//! limits"; error types from the schema.
//!
//! Invariants:
//! - A dashboard and each of its pages are entities of type DASHBOARD with GUIDs of their own;
//!   pages and widgets keep theirs as long as updates name them.
//! - Deleting is logical: undeleting brings the same dashboard back, without the tags of users,
//!   unless its room was needed for another one.
//! - NRQL of typed configurations is checked; that of raw ones is not, as in the live service: its
//!   widgets then fail when they are looked at.
//!
//! Not modelled: live URLs, cross-account permissions beyond the user's accounts.

mod input;
mod model;
mod place;
mod raw;
mod shelf;
#[cfg(test)]
mod tests;
mod validate;
mod widget;

pub(super) use input::{DashboardInput, PageUpdateInput, WidgetInput, WidgetUpdateInput};
pub(super) use model::{Dashboard, Page, Widget};
pub(super) use raw::configuration_of;
pub(super) use shelf::{Dashboards, Editor, Found};

/// Why a change was refused: the type and the description of the error in the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub(super) struct Refusal {
    pub(super) kind: RefusalKind,
    pub(super) description: String,
}

/// Types of errors; which of them a mutation knows, its schema says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RefusalKind {
    InvalidInput,
    Forbidden,
    DashboardNotFound,
    PageNotFound,
    WidgetNotFound,
}

impl RefusalKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "INVALID_INPUT",
            Self::Forbidden => "FORBIDDEN_OPERATION",
            Self::DashboardNotFound => "DASHBOARD_NOT_FOUND",
            Self::PageNotFound => "PAGE_NOT_FOUND",
            Self::WidgetNotFound => "WIDGET_NOT_FOUND",
        }
    }
}

impl Refusal {
    fn new(kind: RefusalKind, description: impl Into<String>) -> Self {
        Self { kind, description: description.into() }
    }

    fn input(description: impl Into<String>) -> Self {
        Self::new(RefusalKind::InvalidInput, description)
    }
}
