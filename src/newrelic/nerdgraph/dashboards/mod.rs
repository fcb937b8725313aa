//! Dashboards of an account: list, fetch, create, replace, delete.
//!
//! Source: "NerdGraph tutorial: create dashboards" and the dashboards package of
//! newrelic-client-go.
//!
//! Invariants:
//! - What New Relic refuses inside a payload (status 200) is an error of its own class.
//! - A page of a dashboard is an entity of type DASHBOARD too; it is never taken for one.
//! - Links between pages by name become GUIDs of pages (`links`).
//!
//! Not modelled: undeleting, changes of single pages, live URLs.

mod difference;
mod document;
mod links;
mod stored;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

pub use difference::{Difference, FieldChange, PageChange, WidgetChange};
pub use document::{
    DashboardDocument, InvalidDocument, Layout, PageDocument, Permissions, Visualization,
    WidgetDocument,
};
pub use stored::{DashboardOutline, StoredDashboard};

use super::answer::NerdGraphError;
use super::change::{ChangeError, Done, unreadable};
use super::client::{NerdGraph, Operation};
use crate::domain::account::AccountId;
use crate::ports::Ports;

const CREATE: &str = "mutation($account: Int!, $dashboard: DashboardInput!) { \
    dashboardCreate(accountId: $account, dashboard: $dashboard) { \
    entityResult { guid } errors { description type } } }";
const UPDATE: &str = "mutation($guid: EntityGuid!, $dashboard: DashboardInput!) { \
    dashboardUpdate(guid: $guid, dashboard: $dashboard) { \
    entityResult { guid } errors { description type } } }";
const DELETE: &str = "mutation($guid: EntityGuid!) { dashboardDelete(guid: $guid) { \
    status errors { description type } } }";

/// The payload of a mutation, unless New Relic refused it there.
fn accepted<'a>(data: &'a Value, field: &str) -> Result<&'a Value, ChangeError> {
    let payload = &data[field];
    let first = payload["errors"].as_array().and_then(|errors| errors.first());
    match first {
        None => Ok(payload),
        Some(error) => Err(ChangeError::Refused {
            kind: error["type"].as_str().unwrap_or("an error without type").into(),
            description: error["description"].as_str().unwrap_or("no reason given").to_owned(),
        }),
    }
}

/// GUID of the dashboard that a mutation answers with.
fn guid_of(data: &Value, field: &str) -> Result<String, ChangeError> {
    let payload = accepted(data, field)?;
    let guid = payload["entityResult"]["guid"].as_str();
    guid.map(str::to_owned).ok_or_else(|| unreadable(payload))
}

impl<P: Ports> NerdGraph<P> {
    /// Makes a dashboard in `account`, whatever others of its name there are; GUIDs and ids of
    /// `document` are left out. Links between its pages are set once New Relic has given GUIDs.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn create_dashboard(
        &self,
        account: AccountId,
        document: &DashboardDocument,
    ) -> Result<Done, ChangeError> {
        let named = document.without_ids();
        let document = named.without_page_links();
        let before: Vec<String> = self.guids_of(account, &document.name).await?;
        let variables = json!({"account": account.get(), "dashboard": document});
        let operation = Operation::mutation(CREATE, variables);
        let look = async || self.made_since(account, &document, &before).await;
        let done = self.change(&operation, |data| guid_of(data, "dashboardCreate"), look).await?;
        self.link_pages(done, &named).await
    }

    /// Replaces the dashboard `guid`; parts of `document` with a GUID or an id must be its own.
    /// Links to pages that are new are set once New Relic has given GUIDs.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn update_dashboard(
        &self,
        guid: &str,
        document: &DashboardDocument,
    ) -> Result<Done, ChangeError> {
        // Pages with GUIDs are there already.
        let named = document.linked_within(document);
        let done = self.replace(guid, &named.without_page_links()).await?;
        self.link_pages(done, &named).await
    }

    /// Sends `document`, whose links are GUIDs alone, in the place of the dashboard `guid`.
    async fn replace(&self, guid: &str, document: &DashboardDocument) -> Result<Done, ChangeError> {
        let variables = json!({"guid": guid, "dashboard": document});
        let operation = Operation::mutation(UPDATE, variables);
        let look = async || {
            let stored = self.dashboard(guid).await?;
            let is_done = |stored: &StoredDashboard| {
                Difference::between(&stored.document, document).is_empty()
            };
            Ok(stored.filter(is_done).map(|_| guid.to_owned()))
        };
        self.change(&operation, |data| guid_of(data, "dashboardUpdate"), look).await
    }

    /// Deletes the dashboard `guid`.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn delete_dashboard(&self, guid: &str) -> Result<Done, ChangeError> {
        let operation = Operation::mutation(DELETE, json!({"guid": guid}));
        let look = async || {
            let stored = self.dashboard(guid).await?;
            Ok(stored.is_none().then(|| guid.to_owned()))
        };
        let read = |data: &Value| {
            let payload = accepted(data, "dashboardDelete")?;
            let done = payload["status"] == "SUCCESS";
            done.then(|| guid.to_owned()).ok_or_else(|| unreadable(payload))
        };
        self.change(&operation, read, look).await
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
