//! A dashboard as a file holds it: New Relic's `DashboardInput`, which is also what its pages copy
//! to the clipboard as JSON.
//!
//! Invariants:
//! - A read document is normal: widgets are in their raw form, default values of variables in the
//!   plural one, what is empty is absent. Two documents that New Relic would show alike are equal
//!   up to GUIDs and ids.
//! - GUIDs of pages and ids of widgets say which stored part is meant; they are never content.
//!
//! Not modelled: whether New Relic accepts the document. It says so itself.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// A whole dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DashboardDocument {
    /// Shown in lists; several dashboards of an account may share one.
    pub name: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who sees and changes it.
    #[serde(default)]
    pub permissions: Permissions,
    /// In the order of their tabs.
    pub pages: Vec<PageDocument>,
    /// Template variables.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Map<String, Value>>,
}

/// Who sees and changes a dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Permissions {
    /// Its owner alone.
    Private,
    /// Everybody of the account sees it, its owner changes it.
    PublicReadOnly,
    /// Everybody of the account.
    #[default]
    PublicReadWrite,
}

/// One tab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PageDocument {
    /// The stored page that it is; a new one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    /// On its tab.
    pub name: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// In any order: places say where they are.
    pub widgets: Vec<WidgetDocument>,
}

/// One tile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WidgetDocument {
    /// The stored widget that it is; a new one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its place; New Relic finds one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// `{"id": "viz.line"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visualization: Option<Visualization>,
    /// The form by kind: `{"line": {"nrqlQueries": […]}}`; gone in a normal document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configuration: Option<Map<String, Value>>,
    /// Queries, thresholds and options.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Map::is_empty")]
    pub raw_configuration: Map<String, Value>,
    /// Entities or dashboards that a click leads to, one at most; `page:NAME` is a page of this
    /// dashboard.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub linked_entity_guids: Vec<String>,
    /// `{"url": …}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Map<String, Value>>,
}

/// A place on the grid, which is twelve columns wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// From 1.
    pub column: u32,
    /// From 1.
    pub row: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// What draws a widget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visualization {
    /// `viz.line`, or that of a visualization somebody published.
    pub id: String,
}

/// A text that is no dashboard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// No JSON, or another shape.
    #[error("line {line}, column {column}: {message}")]
    Shape {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// Right in shape and of no use; every problem with its place.
    #[error("{}", .0.join("\n"))]
    Content(Vec<String>),
}

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Whether a member of an input says nothing: null and empty lists are as good as absent.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// Takes what says nothing out of an object and of the objects in it.
fn prune(object: &mut Map<String, Value>) {
    object.values_mut().for_each(prune_value);
    object.retain(|_, value| !is_nothing(value));
}

fn prune_value(value: &mut Value) {
    match value {
        Value::Object(object) => prune(object),
        Value::Array(items) => items.iter_mut().for_each(prune_value),
        _ => {}
    }
}

fn without_blank(text: &mut Option<String>) {
    if text.as_ref().is_some_and(String::is_empty) {
        *text = None;
    }
}

impl DashboardDocument {
    /// Reads a document and makes it normal.
    ///
    /// # Errors
    /// [`InvalidDocument`]
    pub fn parse(text: &str) -> Result<Self, InvalidDocument> {
        let read: Result<Self, _> = serde_json::from_str(text);
        let mut document = read.map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let said = error.to_string();
            let place = format!(" at line {line} column {column}");
            let message = said.strip_suffix(&place).unwrap_or(&said).to_owned();
            InvalidDocument::Shape { line, column, message }
        })?;
        document.normalize();
        let problems = document.problems();
        if problems.is_empty() { Ok(document) } else { Err(InvalidDocument::Content(problems)) }
    }

    /// As a file holds it.
    pub fn to_json(&self) -> String {
        // Texts, numbers and maps with text keys only.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    pub(super) fn normalize(&mut self) {
        without_blank(&mut self.description);
        for page in &mut self.pages {
            without_blank(&mut page.description);
            page.widgets.iter_mut().for_each(WidgetDocument::normalize);
        }
        self.variables.iter_mut().for_each(normalize_variable);
    }

    /// What no dashboard is without.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.name.trim().is_empty() {
            problems.push("name: is blank".to_owned());
        }
        if self.pages.is_empty() {
            problems.push("pages: a dashboard has one page at least".to_owned());
        }
        for (at, page) in self.pages.iter().enumerate() {
            if page.name.trim().is_empty() {
                problems.push(format!("pages[{at}].name: is blank"));
            }
            for (number, widget) in page.widgets.iter().enumerate() {
                let place = format!("pages[{at}].widgets[{number}]");
                problems.extend(widget.problem().map(|problem| format!("{place}: {problem}")));
            }
        }
        problems.extend(self.dead_links());
        problems
    }

    /// The same content without GUIDs and ids: what another account could take. Links between its
    /// pages are by name.
    #[must_use]
    pub fn without_ids(&self) -> Self {
        let mut document = self.with_named_links();
        for page in &mut document.pages {
            page.guid = None;
            page.widgets.iter_mut().for_each(|widget| widget.id = None);
        }
        document
    }
}

/// A single default value becomes a list of one, as New Relic shows it.
fn normalize_variable(variable: &mut Map<String, Value>) {
    prune(variable);
    if let Some(single) = variable.remove("defaultValue") {
        let list = json!([{"value": single}]);
        variable.entry("defaultValues").or_insert(list);
    }
}

impl WidgetDocument {
    /// One that New Relic has, with nothing in it yet.
    pub(super) fn stored(id: String) -> Self {
        Self {
            id: Some(id),
            title: None,
            description: None,
            layout: None,
            visualization: None,
            configuration: None,
            raw_configuration: Map::new(),
            linked_entity_guids: Vec::new(),
            link: None,
        }
    }

    fn normalize(&mut self) {
        without_blank(&mut self.title);
        without_blank(&mut self.description);
        let typed = self.configuration.take().unwrap_or_default();
        let mut kinds = typed.into_iter().filter(|(_, members)| !members.is_null());
        if let Some((kind, Value::Object(members))) = kinds.next()
            && self.raw_configuration.is_empty()
        {
            let id = format!("viz.{kind}");
            self.visualization.get_or_insert(Visualization { id });
            self.raw_configuration = members;
        }
        prune(&mut self.raw_configuration);
    }

    fn problem(&self) -> Option<&'static str> {
        if self.visualization.is_none() {
            return Some("has neither `visualization` nor a `configuration` of one kind");
        }
        self.raw_configuration
            .is_empty()
            .then_some("has neither `rawConfiguration` nor `configuration`")
    }

    /// What it is called in reports: its title, or what draws it.
    pub fn label(&self) -> String {
        let drawn = self.visualization.as_ref().map_or("widget", |drawn| drawn.id.as_str());
        self.title.clone().unwrap_or_else(|| format!("untitled {drawn}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> DashboardDocument {
        DashboardDocument::parse(text).expect("a document")
    }

    #[test]
    fn what_looks_alike_is_equal() {
        let typed = document(
            r#"{"name": "D", "description": "", "permissions": "PUBLIC_READ_WRITE",
            "variables": [{"name": "v", "type": "STRING", "title": null,
                           "defaultValue": {"string": "x"}}],
            "pages": [{"name": "P", "description": null, "widgets": [{"title": "T",
            "linkedEntityGuids": null, "configuration":
                {"area": null, "line": {"nrqlQueries": [{"accountId": 1, "query": "q"}]}}}]}]}"#,
        );
        let raw = document(
            r#"{"name": "D", "variables": [{"name": "v", "type": "STRING", "items": [],
            "defaultValues": [{"value": {"string": "x"}}]}],
            "pages": [{"name": "P", "widgets": [{"title": "T", "visualization": {"id": "viz.line"},
            "linkedEntityGuids": [], "rawConfiguration": {"thresholds": [], "legend": null,
            "nrqlQueries": [{"accountId": 1, "query": "q"}]}}]}]}"#,
        );
        assert_eq!(typed, raw);
        assert_eq!(document(&typed.to_json()), typed);
    }

    #[test]
    fn a_text_that_is_no_dashboard_is_told_with_its_place() {
        let check = |text: &str, expected: &str| {
            let error = DashboardDocument::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("{\n\"nam\": 1}", "line 2, column 5: unknown field `nam`, expected one of `name`");
        check("[", "line 1, column 1: ");
        check(r#"{"name": "D", "pages": [], "permissions": "ALL"}"#, "unknown variant `ALL`");
        let text = r#"{"name": " ", "pages": [{"name": "", "widgets": [
            {"visualization": {"id": "viz.line"}}, {"rawConfiguration": {"a": 1}}]}]}"#;
        let all = [
            "name: is blank\npages[0].name: is blank\npages[0].widgets[0]: has neither \
             `rawConfiguration` nor",
            "\npages[0].widgets[1]: has neither `visualization`",
        ];
        all.iter().for_each(|part| check(text, part));
        check(r#"{"name": "D", "pages": []}"#, "one page at least");
    }

    #[test]
    fn ids_are_not_content() {
        let text = r#"{"name": "D", "pages": [{"guid": "g", "name": "P", "widgets": [{"id": "1",
            "visualization": {"id": "viz.line"}, "rawConfiguration": {"a": 1}}]}]}"#;
        let stripped = document(text).without_ids();
        assert!(!stripped.to_json().contains("guid"), "{}", stripped.to_json());
        assert_eq!(stripped.pages[0].widgets[0].id, None);
        assert_eq!(stripped.pages[0].widgets[0].label(), "untitled viz.line");
    }
}
