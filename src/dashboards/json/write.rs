//! From the model to JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::PAGE_LINK;
use crate::dashboards::model::{
    Account, Band, Chart, Content, Dashboard, Link, Page, Query, Replacement, Thresholds, Variable,
    VariableKind, Widget, YAxis,
};

/// What links to pages of the same dashboard become.
#[derive(Debug, Clone, Copy)]
pub enum Links<'a> {
    /// `page:NAME`: for files that are read here again.
    Named,
    /// The GUIDs of pages by name, as New Relic gave them; a page that is not among them yet is not
    /// linked. With an empty map: a dashboard that is sent for the first time.
    Resolved(&'a BTreeMap<String, String>),
}

/// The `DashboardInput` of `dashboard`.
pub fn write(dashboard: &Dashboard, links: Links<'_>) -> Json {
    let Dashboard { name, description, permissions, pages, variables } = dashboard;
    let mut object = Map::new();
    object.insert("name".to_owned(), json!(name));
    put(&mut object, "description", description.as_ref().map(|text| json!(text)));
    object.insert("permissions".to_owned(), json!(permissions.as_str()));
    let pages = pages.iter().map(|page| self::page(page, links)).collect();
    object.insert("pages".to_owned(), Json::Array(pages));
    let variables = variables.iter().map(variable).collect();
    object.insert("variables".to_owned(), Json::Array(variables));
    Json::Object(object)
}

fn put(object: &mut Map<String, Json>, key: &str, value: Option<Json>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value);
    }
}

fn page(page: &Page, links: Links<'_>) -> Json {
    let mut object = Map::new();
    put(&mut object, "guid", page.guid.as_ref().map(|guid| json!(guid)));
    object.insert("name".to_owned(), json!(page.name));
    put(&mut object, "description", page.description.as_ref().map(|text| json!(text)));
    let widgets = page.widgets.iter().map(|widget| self::widget(widget, links)).collect();
    object.insert("widgets".to_owned(), Json::Array(widgets));
    Json::Object(object)
}

fn widget(widget: &Widget, links: Links<'_>) -> Json {
    let mut object = Map::new();
    put(&mut object, "id", widget.id.as_ref().map(|id| json!(id)));
    object.insert("title".to_owned(), json!(widget.title));
    let layout = widget.layout.map(
        |at| json!({"column": at.column, "row": at.row, "width": at.width, "height": at.height}),
    );
    put(&mut object, "layout", layout);
    object.insert("visualization".to_owned(), json!({"id": widget.visualization.id()}));
    let raw = match &widget.content {
        Content::Markdown(text) => json!({"text": text}),
        Content::Chart(chart) => self::chart(chart),
    };
    object.insert("rawConfiguration".to_owned(), raw);
    match &widget.link {
        None => {}
        Some(Link::Url(url)) => put(&mut object, "link", Some(json!({"url": url}))),
        Some(Link::Entity(guid)) => put(&mut object, "linkedEntityGuids", Some(json!([guid]))),
        Some(Link::Page(name)) => {
            let guid = match links {
                Links::Named => Some(format!("{PAGE_LINK}{name}")),
                Links::Resolved(guids) => guids.get(name).cloned(),
            };
            put(&mut object, "linkedEntityGuids", guid.map(|guid| json!([guid])));
        }
    }
    Json::Object(object)
}

fn chart(chart: &Chart) -> Json {
    let mut object = chart.rest.clone();
    let queries = chart.queries.iter().map(query).collect();
    object.insert("nrqlQueries".to_owned(), Json::Array(queries));
    put(&mut object, "thresholds", thresholds(&chart.thresholds));
    put(&mut object, "yAxisLeft", chart.y_axis.as_ref().map(y_axis));
    put(&mut object, "units", chart.unit.as_ref().map(|unit| json!({"unit": unit.id()})));
    put(&mut object, "legend", chart.legend.map(|enabled| json!({"enabled": enabled})));
    put(&mut object, "facet", chart.other_series.map(|shown| json!({"showOtherSeries": shown})));
    if chart.ignores_time_range {
        object.insert("platformOptions".to_owned(), json!({"ignoreTimeRange": true}));
    }
    Json::Object(object)
}

/// One account goes into `accountId`, for which typed configurations have a place; several, or
/// none, into `accountIds`.
fn query(query: &Query) -> Json {
    match query.accounts.as_slice() {
        [one] => json!({"accountId": one.number(), "query": query.text}),
        accounts => json!({"accountIds": numbers(accounts), "query": query.text}),
    }
}

fn numbers(accounts: &[Account]) -> Vec<u64> {
    accounts.iter().map(|account| account.number()).collect()
}

fn thresholds(thresholds: &Thresholds) -> Option<Json> {
    match thresholds {
        Thresholds::None => None,
        Thresholds::Levels(levels) => Some(Json::Array(
            levels
                .iter()
                .map(|level| json!({"alertSeverity": level.severity.upper(), "value": level.value}))
                .collect(),
        )),
        Thresholds::Bands(bands) => {
            let bands: Vec<Json> =
                bands.iter().map(|band| Json::Object(self::band(band))).collect();
            Some(json!({"isLabelVisible": true, "thresholds": bands}))
        }
        Thresholds::Columns(columns) => Some(Json::Array(
            columns
                .iter()
                .map(|(column, band)| {
                    let mut object = self::band(band);
                    object.insert("columnName".to_owned(), json!(column));
                    Json::Object(object)
                })
                .collect(),
        )),
    }
}

fn band(band: &Band) -> Map<String, Json> {
    let mut object = Map::new();
    put(&mut object, "from", band.from.map(|from| json!(from)));
    put(&mut object, "to", band.to.map(|to| json!(to)));
    object.insert("severity".to_owned(), json!(band.severity.lower()));
    object
}

fn y_axis(axis: &YAxis) -> Json {
    let mut object = Map::new();
    put(&mut object, "min", axis.min.map(|min| json!(min)));
    put(&mut object, "max", axis.max.map(|max| json!(max)));
    put(&mut object, "zero", axis.zero.map(|zero| json!(zero)));
    Json::Object(object)
}

fn variable(variable: &Variable) -> Json {
    let mut object = Map::new();
    object.insert("name".to_owned(), json!(variable.name));
    put(&mut object, "title", variable.title.as_ref().map(|title| json!(title)));
    let kind = match &variable.kind {
        VariableKind::Nrql(query) => {
            let accounts = numbers(&query.accounts);
            let query = json!({"accountIds": accounts, "query": query.text});
            object.insert("nrqlQuery".to_owned(), query);
            "NRQL"
        }
        VariableKind::Enum(items) => {
            let item = |item: &crate::dashboards::model::VariableItem| match &item.title {
                Some(title) => json!({"title": title, "value": item.value}),
                None => json!({"value": item.value}),
            };
            object.insert("items".to_owned(), Json::Array(items.iter().map(item).collect()));
            "ENUM"
        }
        VariableKind::Text => "STRING",
    };
    object.insert("type".to_owned(), json!(kind));
    object.insert("isMultiSelection".to_owned(), json!(variable.multiple));
    if variable.replacement != Replacement::Default {
        let word = json!(variable.replacement.as_str());
        object.insert("replacementStrategy".to_owned(), word);
    }
    let default = |value: &String| json!({"value": {"string": value}});
    let defaults = variable.defaults.iter().map(default).collect();
    object.insert("defaultValues".to_owned(), Json::Array(defaults));
    if variable.ignores_time_range {
        object.insert("options".to_owned(), json!({"ignoreTimeRange": true}));
    }
    Json::Object(object)
}
