//! Dashboards of an account: list, fetch, create, replace, delete.
//!
//! Source: "NerdGraph tutorial: create dashboards" and the dashboards package of
//! newrelic-client-go.
//!
//! Invariants:
//! - What New Relic refuses inside a payload (status 200) is an error of its own class.
//! - NerdGraph has no idempotency keys. When the outcome of a change is not known, New Relic is
//!   asked what became of it before the change is sent again; if that cannot be told either, the
//!   error says so.
//! - A page of a dashboard is an entity of type DASHBOARD too; it is never taken for one.
//!
//! Not modelled: undeleting, changes of single pages, live URLs.

mod difference;
mod document;
mod stored;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Value, json};

pub use difference::{Difference, FieldChange, PageChange, WidgetChange};
pub use document::{
    DashboardDocument, InvalidDocument, Layout, PageDocument, Permissions, Visualization,
    WidgetDocument,
};
pub use stored::{DashboardOutline, StoredDashboard};

use super::answer::NerdGraphError;
use super::client::{NerdGraph, Operation};
use crate::domain::account::AccountId;
use crate::ports::{Clock, Ports};

/// How often one change is sent at most when its outcome is not known.
const SENDS_MAX: u32 = 3;
/// Waits before each look at what became of a change: New Relic's search knows of a new dashboard
/// some seconds after its making.
const LOOKS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Why something is not done to a dashboard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DashboardError {
    /// NerdGraph gave no answer to the question.
    #[error(transparent)]
    NerdGraph(#[from] NerdGraphError),
    /// New Relic refused the change, for a reason that the payload tells.
    #[error("New Relic refuses it ({kind}): {description}")]
    Refused {
        /// Its class.
        kind: Refusal,
        /// In New Relic's words.
        description: String,
    },
    /// It may have been done or not.
    #[error("whether it was done is not known ({reason}), and New Relic does not show it")]
    Unknown {
        /// How the last try ended.
        reason: String,
    },
}

/// Types of errors in the payload of a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// `INVALID_INPUT`.
    InvalidInput,
    /// `FORBIDDEN_OPERATION`.
    Forbidden,
    /// `DASHBOARD_NOT_FOUND`.
    NotFound,
    /// One that was not known when this was written.
    Other(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InvalidInput => "INVALID_INPUT",
            Self::Forbidden => "FORBIDDEN_OPERATION",
            Self::NotFound => "DASHBOARD_NOT_FOUND",
            Self::Other(text) => text,
        })
    }
}

impl From<&str> for Refusal {
    fn from(text: &str) -> Self {
        match text {
            "INVALID_INPUT" => Self::InvalidInput,
            "FORBIDDEN_OPERATION" => Self::Forbidden,
            "DASHBOARD_NOT_FOUND" => Self::NotFound,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A change that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The dashboard's GUID.
    pub guid: String,
    /// Whether an answer was lost and New Relic's state told of the success.
    pub found_out: bool,
}

const CREATE: &str = "mutation($account: Int!, $dashboard: DashboardInput!) { \
    dashboardCreate(accountId: $account, dashboard: $dashboard) { \
    entityResult { guid } errors { description type } } }";
const UPDATE: &str = "mutation($guid: EntityGuid!, $dashboard: DashboardInput!) { \
    dashboardUpdate(guid: $guid, dashboard: $dashboard) { \
    entityResult { guid } errors { description type } } }";
const DELETE: &str = "mutation($guid: EntityGuid!) { dashboardDelete(guid: $guid) { \
    status errors { description type } } }";

/// The payload of a mutation, unless New Relic refused it there.
fn accepted(payload: &Value) -> Result<&Value, DashboardError> {
    let first = payload["errors"].as_array().and_then(|errors| errors.first());
    match first {
        None => Ok(payload),
        Some(error) => Err(DashboardError::Refused {
            kind: error["type"].as_str().unwrap_or("an error without type").into(),
            description: error["description"].as_str().unwrap_or("no reason given").to_owned(),
        }),
    }
}

fn unreadable(payload: &Value) -> NerdGraphError {
    NerdGraphError::Unreadable(payload.to_string().chars().take(200).collect())
}

/// Whether an error leaves open if the change was carried out.
fn is_open(error: &NerdGraphError) -> bool {
    matches!(
        error,
        NerdGraphError::NoAnswer { sent: true, .. }
            | NerdGraphError::Server(_)
            | NerdGraphError::Unreadable(_)
    )
}

impl<P: Ports> NerdGraph<P> {
    /// Makes a dashboard in `account`, whatever others of its name there are; GUIDs and ids of
    /// `document` are left out.
    ///
    /// # Errors
    /// [`DashboardError`]
    pub async fn create_dashboard(
        &self,
        account: AccountId,
        document: &DashboardDocument,
    ) -> Result<Done, DashboardError> {
        let document = document.without_ids();
        let before: Vec<String> = self.guids_of(account, &document.name).await?;
        let variables = json!({"account": account.get(), "dashboard": document});
        let operation = Operation::mutation(CREATE, variables);
        let look = async || self.made_since(account, &document, &before).await;
        self.change(&operation, "dashboardCreate", look).await
    }

    /// Replaces the dashboard `guid`; parts of `document` with a GUID or an id must be its own.
    ///
    /// # Errors
    /// [`DashboardError`]
    pub async fn update_dashboard(
        &self,
        guid: &str,
        document: &DashboardDocument,
    ) -> Result<Done, DashboardError> {
        let variables = json!({"guid": guid, "dashboard": document});
        let operation = Operation::mutation(UPDATE, variables);
        let look = async || {
            let stored = self.dashboard(guid).await?;
            let is_done = |stored: &StoredDashboard| {
                Difference::between(&stored.document, document).is_empty()
            };
            Ok(stored.filter(is_done).map(|_| guid.to_owned()))
        };
        self.change(&operation, "dashboardUpdate", look).await
    }

    /// Deletes the dashboard `guid`.
    ///
    /// # Errors
    /// [`DashboardError`]
    pub async fn delete_dashboard(&self, guid: &str) -> Result<Done, DashboardError> {
        let operation = Operation::mutation(DELETE, json!({"guid": guid}));
        let look = async || {
            let stored = self.dashboard(guid).await?;
            Ok(stored.is_none().then(|| guid.to_owned()))
        };
        let deleted = self.change(&operation, "dashboardDelete", look).await?;
        Ok(Done { guid: guid.to_owned(), ..deleted })
    }

    /// Sends a change, and again if `look` says that it was not carried out; `look` gives the GUID
    /// of the dashboard when it was.
    async fn change(
        &self,
        operation: &Operation,
        field: &str,
        look: impl AsyncFn() -> Result<Option<String>, NerdGraphError>,
    ) -> Result<Done, DashboardError> {
        let mut sent = 0;
        loop {
            let answer = self.ask(operation).await;
            sent += 1;
            let error = match answer {
                Ok(data) => {
                    let payload = accepted(&data[field])?;
                    let guid = payload["entityResult"]["guid"].as_str();
                    return match (guid, payload["status"].as_str()) {
                        (Some(guid), _) => Ok(Done { guid: guid.to_owned(), found_out: false }),
                        (None, Some("SUCCESS")) => {
                            Ok(Done { guid: String::new(), found_out: false })
                        }
                        _ => Err(unreadable(payload).into()),
                    };
                }
                Err(error) if is_open(&error) => error,
                Err(error) => return Err(error.into()),
            };
            let unknown = || DashboardError::Unknown { reason: error.to_string() };
            match self.watch(&look).await {
                Ok(Some(guid)) => return Ok(Done { guid, found_out: true }),
                Ok(None) if sent < SENDS_MAX => {}
                Ok(None) | Err(_) => return Err(unknown()),
            }
        }
    }

    /// Looks several times, because New Relic shows late what it has done.
    async fn watch(
        &self,
        look: &impl AsyncFn() -> Result<Option<String>, NerdGraphError>,
    ) -> Result<Option<String>, NerdGraphError> {
        let mut last = Ok(None);
        for wait in LOOKS {
            self.clock().sleep(wait).await;
            last = look().await;
            if let Ok(Some(guid)) = last {
                return Ok(Some(guid));
            }
        }
        last
    }

    async fn guids_of(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Vec<String>, NerdGraphError> {
        let found = self.dashboards_called(account, name).await?;
        Ok(found.into_iter().map(|outline| outline.guid).collect())
    }

    /// A dashboard of this content that was not there `before`.
    async fn made_since(
        &self,
        account: AccountId,
        document: &DashboardDocument,
        before: &[String],
    ) -> Result<Option<String>, NerdGraphError> {
        for guid in self.guids_of(account, &document.name).await? {
            if before.contains(&guid) {
                continue;
            }
            let stored = self.dashboard(&guid).await?;
            let is_it = |stored: &StoredDashboard| {
                Difference::between(&stored.document, document).is_empty()
            };
            if stored.as_ref().is_some_and(is_it) {
                return Ok(Some(guid));
            }
        }
        Ok(None)
    }
}
