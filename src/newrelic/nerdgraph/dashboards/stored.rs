//! Reading dashboards: outlines by search, whole ones by GUID.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::document::{
    DashboardDocument, Layout, PageDocument, Permissions, Visualization, WidgetDocument,
};
use crate::domain::account::AccountId;
use crate::newrelic::nerdgraph::answer::NerdGraphError;
use crate::newrelic::nerdgraph::client::{NerdGraph, Operation};
use crate::ports::Ports;

/// Most pages read of one list: 200 dashboards each.
const PAGES_MAX: usize = 500;

/// A dashboard as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct DashboardOutline {
    /// Wire form.
    pub guid: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    #[serde(rename = "account_id", alias = "accountId")]
    pub account: u64,
    /// Who sees and changes it.
    #[serde(default)]
    pub permissions: Option<Permissions>,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub updated_at: Option<String>,
    #[serde(default, skip_serializing)]
    dashboard_parent_guid: Option<String>,
}

/// A dashboard with all that is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDashboard {
    /// Wire form.
    pub guid: String,
    /// Whose it is.
    pub account: u64,
    /// The dashboard that it is a page of, if it is one.
    pub parent: Option<String>,
    /// RFC 3339.
    pub updated_at: Option<String>,
    /// Its content, GUIDs and ids included.
    pub document: DashboardDocument,
}

const LIST: &str = "query($query: String!, $cursor: String) { actor { \
    entitySearch(query: $query, options: {limit: 200}, sortBy: [NAME]) { \
    results(cursor: $cursor) { nextCursor entities { guid name accountId \
    ... on DashboardEntityOutline { permissions createdAt updatedAt dashboardParentGuid } \
    } } } } }";

const FETCH: &str = "query($guid: EntityGuid!) { actor { entity(guid: $guid) { \
    guid name accountId ... on DashboardEntity { \
    dashboardParentGuid description permissions updatedAt \
    pages { guid name description widgets { id title description \
    layout { column row width height } visualization { id } rawConfiguration \
    linkedEntities { guid } link { url } } } \
    variables { name title type isMultiSelection replacementStrategy \
    items { title value } defaultValues { value { string } } \
    nrqlQuery { accountIds query } \
    options { excluded hiddenOnVariablesBar ignoreTimeRange showApplyAction } } } } } }";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListPage {
    next_cursor: Option<String>,
    entities: Vec<DashboardOutline>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDashboard {
    guid: String,
    name: String,
    account_id: u64,
    #[serde(default)]
    dashboard_parent_guid: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    permissions: Option<Permissions>,
    #[serde(default)]
    updated_at: Option<String>,
    /// Absent when the entity is no dashboard.
    #[serde(default)]
    pages: Option<Vec<RawPage>>,
    #[serde(default)]
    variables: Option<Vec<Map<String, Value>>>,
}

#[derive(Deserialize)]
struct RawPage {
    guid: String,
    name: String,
    description: Option<String>,
    #[serde(default)]
    widgets: Option<Vec<RawWidget>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawWidget {
    id: String,
    title: Option<String>,
    description: Option<String>,
    layout: Option<RawLayout>,
    visualization: RawVisualization,
    #[serde(default)]
    raw_configuration: Option<Map<String, Value>>,
    #[serde(default)]
    linked_entities: Option<Vec<RawLinked>>,
    #[serde(default)]
    link: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct RawLayout {
    column: Option<u32>,
    row: Option<u32>,
    width: Option<u32>,
    height: Option<u32>,
}

#[derive(Deserialize)]
struct RawVisualization {
    id: Option<String>,
}

#[derive(Deserialize)]
struct RawLinked {
    guid: String,
}

impl RawLayout {
    fn whole(self) -> Option<Layout> {
        Some(Layout {
            column: self.column?,
            row: self.row?,
            width: self.width?,
            height: self.height?,
        })
    }
}

impl RawWidget {
    /// As an input names the same fields, so that one type reads both.
    fn document(self) -> WidgetDocument {
        let mut widget = WidgetDocument::stored(self.id);
        widget.title = self.title;
        widget.description = self.description;
        widget.layout = self.layout.and_then(RawLayout::whole);
        widget.visualization = self.visualization.id.map(|id| Visualization { id });
        widget.raw_configuration = self.raw_configuration.unwrap_or_default();
        let linked = self.linked_entities.unwrap_or_default();
        widget.linked_entity_guids = linked.into_iter().map(|linked| linked.guid).collect();
        widget.link = self.link;
        widget
    }
}

impl From<RawPage> for PageDocument {
    fn from(raw: RawPage) -> Self {
        let widgets = raw.widgets.unwrap_or_default();
        Self {
            guid: Some(raw.guid),
            name: raw.name,
            description: raw.description,
            widgets: widgets.into_iter().map(RawWidget::document).collect(),
        }
    }
}

impl RawDashboard {
    /// `None` when it is another entity.
    fn stored(self) -> Option<StoredDashboard> {
        let mut document = DashboardDocument {
            name: self.name,
            description: self.description,
            permissions: self.permissions.unwrap_or_default(),
            pages: self.pages?.into_iter().map(PageDocument::from).collect(),
            variables: self.variables.unwrap_or_default(),
        };
        document.normalize();
        Some(StoredDashboard {
            guid: self.guid,
            account: self.account_id,
            parent: self.dashboard_parent_guid,
            updated_at: self.updated_at,
            document,
        })
    }
}

fn shaped<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, NerdGraphError> {
    T::deserialize(value).map_err(|error| NerdGraphError::Unreadable(error.to_string()))
}

impl<P: Ports> NerdGraph<P> {
    /// The dashboards of `account` by name, pages of dashboards left out.
    ///
    /// # Errors
    /// The class; [`NerdGraphError::Unreadable`] when the list has no end.
    pub async fn dashboards(
        &self,
        account: AccountId,
    ) -> Result<Vec<DashboardOutline>, NerdGraphError> {
        self.search_dashboards(&format!("type = 'DASHBOARD' AND accountId = {account}")).await
    }

    /// Those of them that are called `name`.
    ///
    /// # Errors
    /// As [`NerdGraph::dashboards`].
    pub async fn dashboards_called(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Vec<DashboardOutline>, NerdGraphError> {
        let all = format!("type = 'DASHBOARD' AND accountId = {account}");
        // The language of searches documents no escapes: such names are looked for here.
        let plain = !name.contains(['\'', '"', '\\', '%']);
        let search = if plain { format!("{all} AND name = '{name}'") } else { all };
        let mut found = self.search_dashboards(&search).await?;
        found.retain(|outline| outline.name == name);
        Ok(found)
    }

    async fn search_dashboards(
        &self,
        search: &str,
    ) -> Result<Vec<DashboardOutline>, NerdGraphError> {
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let variables = json!({"query": search, "cursor": cursor});
            let data = self.ask(&Operation::query(LIST, variables)).await?;
            let page: ListPage = shaped(&data["actor"]["entitySearch"]["results"])?;
            let whole = |outline: &DashboardOutline| outline.dashboard_parent_guid.is_none();
            found.extend(page.entities.into_iter().filter(whole));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(found);
            }
        }
        Err(NerdGraphError::Unreadable("the list of dashboards has no end".to_owned()))
    }

    /// The dashboard `guid`; `None` when there is none of it, or it is no dashboard.
    ///
    /// # Errors
    /// The class.
    pub async fn dashboard(&self, guid: &str) -> Result<Option<StoredDashboard>, NerdGraphError> {
        let data = self.ask(&Operation::query(FETCH, json!({"guid": guid}))).await?;
        let raw: Option<RawDashboard> = shaped(&data["actor"]["entity"])?;
        Ok(raw.and_then(RawDashboard::stored))
    }
}
