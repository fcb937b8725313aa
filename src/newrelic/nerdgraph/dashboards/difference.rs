//! What a change would make of a stored dashboard, page by page and widget by widget.
//!
//! A page is the one with its GUID, else the first of its name that nobody else is; a widget the
//! one with its id, else the first of its title, an untitled one the first of its place.
//!
//! Invariants:
//! - A difference is empty exactly when applying the document would change nothing that is seen.
//! - What a document leaves to New Relic, the place of a widget, is no difference.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::document::{DashboardDocument, Layout, PageDocument, WidgetDocument};

/// The field of a widget that says where a click leads.
const LINKED: &str = "linkedEntityGuids";

/// All that differs.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Difference {
    /// Of the dashboard itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Of its pages, in their order; those that go come last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<PageChange>,
}

/// One value that differs; `null` where there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// `rawConfiguration.nrqlQueries[0].query`.
    pub field: String,
    /// As stored.
    pub before: Value,
    /// As wanted.
    pub after: Value,
}

/// What becomes of a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum PageChange {
    /// It is new.
    Added {
        /// Its name.
        name: String,
        /// Labels of its widgets.
        widgets: Vec<String>,
    },
    /// It goes.
    Removed {
        /// Its name.
        name: String,
        /// Labels of its widgets.
        widgets: Vec<String>,
    },
    /// It stays, and something of it differs.
    Changed {
        /// Its name as stored.
        name: String,
        /// Of the page itself.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<FieldChange>,
        /// Of its widgets.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        widgets: Vec<WidgetChange>,
    },
}

/// What becomes of a widget.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum WidgetChange {
    /// It is new.
    Added {
        /// Its label.
        widget: String,
    },
    /// It goes.
    Removed {
        /// Its label.
        widget: String,
    },
    /// It stays, and something of it differs.
    Changed {
        /// Its label as stored.
        widget: String,
        /// What.
        fields: Vec<FieldChange>,
    },
}

/// For each of `wanted` the place of its partner among `stored`: the first that nobody has yet
/// and that `keys`, the most telling first, find equal.
fn partners<T>(stored: &[T], wanted: &[T], keys: &[fn(&T, &T) -> bool]) -> Vec<Option<usize>> {
    let mut found = vec![None; wanted.len()];
    for key in keys {
        for (at, item) in wanted.iter().enumerate() {
            let free = |place: &usize| !found.contains(&Some(*place));
            if found[at].is_none() {
                found[at] = (0..stored.len()).filter(free).find(|place| key(&stored[*place], item));
            }
        }
    }
    found
}

pub(super) fn page_partners(
    stored: &[PageDocument],
    wanted: &[PageDocument],
) -> Vec<Option<usize>> {
    let same_guid = |a: &PageDocument, b: &PageDocument| b.guid.is_some() && a.guid == b.guid;
    partners(stored, wanted, &[same_guid, |a, b| a.name == b.name])
}

fn widget_partners(stored: &[WidgetDocument], wanted: &[WidgetDocument]) -> Vec<Option<usize>> {
    let same_id = |a: &WidgetDocument, b: &WidgetDocument| b.id.is_some() && a.id == b.id;
    let same_title = |a: &WidgetDocument, b: &WidgetDocument| a.title == b.title;
    partners(
        stored,
        wanted,
        &[
            same_id,
            |a, b| a.title == b.title && a.visualization == b.visualization && a.layout == b.layout,
            |a, b| a.title.is_some() && a.title == b.title && a.visualization == b.visualization,
            |a, b| a.title.is_some() && a.title == b.title,
            |a, b| b.layout.is_some() && a.layout == b.layout && a.visualization == b.visualization,
            same_title,
        ],
    )
}

impl DashboardDocument {
    /// This document with the GUIDs and ids of the parts of `stored` that it stands for, and with
    /// no others.
    #[must_use]
    pub fn adopting(&self, stored: &Self) -> Self {
        let mut adopted = self.clone();
        let pages = page_partners(&stored.pages, &self.pages);
        for (page, partner) in adopted.pages.iter_mut().zip(pages) {
            let partner = partner.map(|place| &stored.pages[place]);
            page.guid = partner.and_then(|partner| partner.guid.clone());
            let known = partner.map_or(&[][..], |partner| &partner.widgets);
            let widgets = widget_partners(known, &page.widgets);
            for (widget, partner) in page.widgets.iter_mut().zip(widgets) {
                widget.id = partner.and_then(|place| known[place].id.clone());
            }
        }
        adopted
    }
}

impl Difference {
    /// From `stored` to `wanted`.
    pub fn between(stored: &DashboardDocument, wanted: &DashboardDocument) -> Self {
        let mut fields = Vec::new();
        scalar("name", &json!(stored.name), &json!(wanted.name), &mut fields);
        scalar("description", &json!(stored.description), &json!(wanted.description), &mut fields);
        scalar("permissions", &json!(stored.permissions), &json!(wanted.permissions), &mut fields);
        values("variables", &json!(stored.variables), &json!(wanted.variables), &mut fields);
        let partners = page_partners(&stored.pages, &wanted.pages);
        order(stored, wanted, &partners, &mut fields);
        let mut pages = Vec::new();
        for (page, partner) in wanted.pages.iter().zip(&partners) {
            match partner {
                None => pages.push(PageChange::Added {
                    name: page.name.clone(),
                    widgets: page.widgets.iter().map(WidgetDocument::label).collect(),
                }),
                Some(place) => pages.extend(page_change(&stored.pages[*place], page)),
            }
        }
        let gone = |(place, _): &(usize, &PageDocument)| !partners.contains(&Some(*place));
        pages.extend(stored.pages.iter().enumerate().filter(gone).map(|(_, page)| {
            let widgets = page.widgets.iter().map(WidgetDocument::label).collect();
            PageChange::Removed { name: page.name.clone(), widgets }
        }));
        Self { fields, pages }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.pages.is_empty()
    }

    /// Whether nothing differs but where clicks on widgets lead.
    pub fn is_of_links_alone(&self) -> bool {
        let of_links = |widget: &WidgetChange| match widget {
            WidgetChange::Changed { fields, .. } => {
                fields.iter().all(|change| change.field.starts_with(LINKED))
            }
            WidgetChange::Added { .. } | WidgetChange::Removed { .. } => false,
        };
        let page = |page: &PageChange| match page {
            PageChange::Changed { fields, widgets, .. } => {
                fields.is_empty() && widgets.iter().all(of_links)
            }
            PageChange::Added { .. } | PageChange::Removed { .. } => false,
        };
        self.fields.is_empty() && self.pages.iter().all(page)
    }

    /// For people: one line per change, `+` for what comes, `-` for what goes, `~` for the rest.
    pub fn text(&self) -> String {
        let mut text = String::new();
        write_fields(&mut text, "  ", &self.fields);
        for page in &self.pages {
            match page {
                PageChange::Added { name, widgets } => {
                    write_page(&mut text, '+', name, widgets);
                }
                PageChange::Removed { name, widgets } => {
                    write_page(&mut text, '-', name, widgets);
                }
                PageChange::Changed { name, fields, widgets } => {
                    let _ = writeln!(text, "  ~ page \"{name}\"");
                    write_fields(&mut text, "      ", fields);
                    widgets.iter().for_each(|widget| write_widget(&mut text, widget));
                }
            }
        }
        text
    }
}

/// The order of the pages that stay, if it changes.
fn order(
    stored: &DashboardDocument,
    wanted: &DashboardDocument,
    partners: &[Option<usize>],
    fields: &mut Vec<FieldChange>,
) {
    let kept: Vec<usize> = partners.iter().flatten().copied().collect();
    if kept.is_sorted() {
        return;
    }
    let names = |pages: &[PageDocument]| -> Value {
        pages.iter().map(|page| Value::from(page.name.clone())).collect()
    };
    let field = "order of pages".to_owned();
    let (before, after) = (names(&stored.pages), names(&wanted.pages));
    fields.push(FieldChange { field, before, after });
}

fn page_change(stored: &PageDocument, wanted: &PageDocument) -> Option<PageChange> {
    let mut fields = Vec::new();
    scalar("name", &json!(stored.name), &json!(wanted.name), &mut fields);
    scalar("description", &json!(stored.description), &json!(wanted.description), &mut fields);
    let partners = widget_partners(&stored.widgets, &wanted.widgets);
    let mut widgets = Vec::new();
    for (widget, partner) in wanted.widgets.iter().zip(&partners) {
        match partner {
            None => widgets.push(WidgetChange::Added { widget: widget.label() }),
            Some(place) => {
                let before = &stored.widgets[*place];
                let fields = widget_fields(before, widget);
                if !fields.is_empty() {
                    widgets.push(WidgetChange::Changed { widget: before.label(), fields });
                }
            }
        }
    }
    let gone = |(place, _): &(usize, &WidgetDocument)| !partners.contains(&Some(*place));
    let gone = stored.widgets.iter().enumerate().filter(gone);
    widgets.extend(gone.map(|(_, widget)| WidgetChange::Removed { widget: widget.label() }));
    let same = fields.is_empty() && widgets.is_empty();
    (!same).then(|| PageChange::Changed { name: stored.name.clone(), fields, widgets })
}

fn widget_fields(stored: &WidgetDocument, wanted: &WidgetDocument) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    scalar("title", &json!(stored.title), &json!(wanted.title), &mut fields);
    scalar("description", &json!(stored.description), &json!(wanted.description), &mut fields);
    if let Some(layout) = wanted.layout {
        let before = stored.layout.map(place);
        scalar("place", &json!(before), &json!(place(layout)), &mut fields);
    }
    let drawn = |widget: &WidgetDocument| json!(widget.visualization.as_ref().map(|v| &v.id));
    scalar("visualization", &drawn(stored), &drawn(wanted), &mut fields);
    let raw = |widget: &WidgetDocument| Value::Object(widget.raw_configuration.clone());
    values("rawConfiguration", &raw(stored), &raw(wanted), &mut fields);
    let linked = |widget: &WidgetDocument| json!(widget.linked_entity_guids);
    values(LINKED, &linked(stored), &linked(wanted), &mut fields);
    scalar("link", &json!(stored.link), &json!(wanted.link), &mut fields);
    fields
}

/// `6×3 at column 1, row 4`.
fn place(layout: Layout) -> String {
    let Layout { column, row, width, height } = layout;
    format!("{width}×{height} at column {column}, row {row}")
}

fn scalar(field: &str, before: &Value, after: &Value, fields: &mut Vec<FieldChange>) {
    if !same(before, after) {
        let (field, before, after) = (field.to_owned(), before.clone(), after.clone());
        fields.push(FieldChange { field, before, after });
    }
}

/// Whether two values mean the same: 1 and 1.0 do.
fn same(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let has = |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(has)
        }
        _ => before == after,
    }
}

/// The innermost values that differ.
fn values(field: &str, before: &Value, after: &Value, fields: &mut Vec<FieldChange>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let new = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(new) {
                let part =
                    |of: &serde_json::Map<String, Value>| of.get(key).cloned().unwrap_or_default();
                values(&format!("{field}.{key}"), &part(a), &part(b), fields);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for at in 0..a.len().max(b.len()) {
                let part = |of: &[Value]| of.get(at).cloned().unwrap_or_default();
                values(&format!("{field}[{at}]"), &part(a), &part(b), fields);
            }
        }
        _ => scalar(field, before, after, fields),
    }
}

fn write_page(text: &mut String, sign: char, name: &str, widgets: &[String]) {
    let _ = writeln!(text, "  {sign} page \"{name}\"");
    for widget in widgets {
        let _ = writeln!(text, "      {sign} widget \"{widget}\"");
    }
}

fn write_widget(text: &mut String, change: &WidgetChange) {
    let _ = match change {
        WidgetChange::Added { widget } => writeln!(text, "      + widget \"{widget}\""),
        WidgetChange::Removed { widget } => writeln!(text, "      - widget \"{widget}\""),
        WidgetChange::Changed { widget, .. } => writeln!(text, "      ~ widget \"{widget}\""),
    };
    if let WidgetChange::Changed { fields, .. } = change {
        write_fields(text, "          ", fields);
    }
}

fn write_fields(text: &mut String, indent: &str, fields: &[FieldChange]) {
    for FieldChange { field, before, after } in fields {
        let _ = writeln!(text, "{indent}~ {field}");
        for (sign, value) in [('-', before), ('+', after)] {
            match value {
                Value::Null => {}
                Value::String(value) => {
                    for line in value.lines() {
                        let _ = writeln!(text, "{indent}    {sign} {line}");
                    }
                }
                value => {
                    let _ = writeln!(text, "{indent}    {sign} {value}");
                }
            }
        }
    }
}
