//! What New Relic asks of a dashboard.
//!
//! The sentence about account ids is the live one; the others are made after it.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Refusal;
use super::input::{DashboardInput, LayoutInput, PageInput, WidgetInput};
use super::place::{COLUMNS, HEIGHT_MAX};
use super::raw::{KINDS, queries};
use crate::nrql;

const PAGES_MAX: usize = 20;
const WIDGETS_MAX: usize = 100;
const QUERIES_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 1_024;
const TITLE_CHARS_MAX: usize = 255;
const LINKED_MAX: usize = 1;
const VARIABLES_MAX: usize = 100;
/// Longest raw configuration, as JSON. A guard of our own.
const RAW_BYTES_MAX: usize = 256 * 1024;

/// Checks a whole dashboard.
pub(super) fn dashboard(input: &DashboardInput) -> Result<(), Refusal> {
    name("dashboard", &input.name)?;
    description("dashboard", input.description.as_deref())?;
    if input.pages.is_empty() || input.pages.len() > PAGES_MAX {
        let message = format!("Invalid dashboard input: must have between 1 and {PAGES_MAX} pages");
        return Err(Refusal::input(message));
    }
    for page in &input.pages {
        let PageInput { name, description, widgets, .. } = page;
        self::page(name, description.as_deref(), widgets)?;
    }
    variables(input.variables.as_deref().unwrap_or_default())
}

/// Checks a page.
pub(super) fn page(
    page_name: &str,
    page_description: Option<&str>,
    widgets: &[WidgetInput],
) -> Result<(), Refusal> {
    name("page", page_name)?;
    description("page", page_description)?;
    widget_count(widgets.len())?;
    widgets.iter().try_for_each(widget)
}

/// Checks how many widgets a page would have.
pub(super) fn widget_count(count: usize) -> Result<(), Refusal> {
    if count <= WIDGETS_MAX {
        return Ok(());
    }
    let message = format!("Invalid page input: cannot have more than {WIDGETS_MAX} widgets");
    Err(Refusal::input(message))
}

fn name(what: &str, name: &str) -> Result<(), Refusal> {
    if name.trim().is_empty() {
        return Err(Refusal::input(format!("Invalid {what} input: name cannot be blank")));
    }
    length(what, "name", name, NAME_CHARS_MAX)
}

fn description(what: &str, description: Option<&str>) -> Result<(), Refusal> {
    length(what, "description", description.unwrap_or_default(), DESCRIPTION_CHARS_MAX)
}

fn length(what: &str, field: &str, text: &str, chars_max: usize) -> Result<(), Refusal> {
    if text.chars().count() <= chars_max {
        return Ok(());
    }
    let message =
        format!("Invalid {what} input: {field} cannot be longer than {chars_max} characters");
    Err(Refusal::input(message))
}

fn variables(variables: &[Json]) -> Result<(), Refusal> {
    if variables.len() > VARIABLES_MAX {
        let message =
            format!("Invalid dashboard input: cannot have more than {VARIABLES_MAX} variables");
        return Err(Refusal::input(message));
    }
    let mut names = BTreeSet::new();
    for variable in variables {
        let name = variable.get("name").and_then(Json::as_str).unwrap_or_default();
        if name.trim().is_empty() {
            return Err(Refusal::input("Invalid variable input: name cannot be blank"));
        }
        if !names.insert(name) {
            let message = format!("Invalid variable input: name '{name}' is used twice");
            return Err(Refusal::input(message));
        }
        let asks = variable.get("nrqlQuery").filter(|query| !query.is_null());
        let kind = variable.get("type").and_then(Json::as_str).unwrap_or_default();
        if kind == "NRQL" && asks.is_none() {
            let message = "Invalid variable input: a variable of type NRQL needs an nrqlQuery";
            return Err(Refusal::input(message));
        }
        if let Some(text) = asks.and_then(|query| query.get("query")).and_then(Json::as_str) {
            check_nrql("variable", text)?;
        }
    }
    Ok(())
}

/// Checks a widget.
pub(super) fn widget(widget: &WidgetInput) -> Result<(), Refusal> {
    parts(widget, false)
}

/// Checks a change of a widget, which may leave its configuration as it is.
pub(super) fn widget_change(widget: &WidgetInput) -> Result<(), Refusal> {
    parts(widget, true)
}

fn parts(widget: &WidgetInput, change: bool) -> Result<(), Refusal> {
    let bad = |message: String| Err(Refusal::input(format!("Invalid widget input: {message}")));
    length("widget", "title", widget.title.as_deref().unwrap_or_default(), TITLE_CHARS_MAX)?;
    if let Some(layout) = widget.layout {
        self::layout(layout)?;
    }
    if widget.linked_entity_guids.as_ref().is_some_and(|guids| guids.len() > LINKED_MAX) {
        return bad(format!("cannot have more than {LINKED_MAX} linked entity"));
    }
    match (&widget.configuration, &widget.raw_configuration) {
        (Some(_), Some(_)) => {
            bad("cannot provide both 'configuration' and 'rawConfiguration'".to_owned())
        }
        (None, None) if change => Ok(()),
        (None, None) => bad("must provide either 'configuration' or 'rawConfiguration'".to_owned()),
        (Some(typed), None) => self::typed(typed),
        (None, Some(raw)) => {
            let visualization = widget.visualization.as_ref().and_then(|v| v.id.as_deref());
            if visualization.is_none_or(|id| id.trim().is_empty()) {
                return bad("'rawConfiguration' needs a 'visualization' with an 'id'".to_owned());
            }
            self::raw(raw)
        }
    }
}

fn layout(layout: LayoutInput) -> Result<(), Refusal> {
    let within = |value: Option<i64>, max: i64| value.is_none_or(|v| (1..=max).contains(&v));
    let bad = |message: String| Err(Refusal::input(format!("Invalid widget input: {message}")));
    if !within(layout.column, COLUMNS) {
        return bad(format!("layout column must be between 1 and {COLUMNS}"));
    }
    if !within(layout.width, COLUMNS) {
        return bad(format!("layout width must be between 1 and {COLUMNS}"));
    }
    if !within(layout.height, HEIGHT_MAX) {
        return bad(format!("layout height must be between 1 and {HEIGHT_MAX}"));
    }
    if !within(layout.row, i64::from(i32::MAX)) {
        return bad("layout row must be at least 1".to_owned());
    }
    if let (Some(column), Some(width)) = (layout.column, layout.width)
        && column + width > COLUMNS + 1
    {
        return bad(format!("layout column and width go beyond column {COLUMNS}"));
    }
    Ok(())
}

fn query_count(count: usize) -> Result<(), Refusal> {
    if count <= QUERIES_MAX {
        return Ok(());
    }
    let message = format!("Invalid widget input: cannot have more than {QUERIES_MAX} nrql queries");
    Err(Refusal::input(message))
}

/// The kind and the members of a typed configuration, which has exactly one member.
pub(super) fn kind_of(typed: &Json) -> Option<(&'static str, &Json)> {
    let mut given = KINDS
        .iter()
        .filter_map(|kind| Some((*kind, typed.get(*kind).filter(|members| !members.is_null())?)));
    match (given.next(), given.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

fn typed(typed: &Json) -> Result<(), Refusal> {
    let Some((_, members)) = kind_of(typed) else {
        let message = "Invalid widget input: 'configuration' must have exactly one kind of widget";
        return Err(Refusal::input(message));
    };
    query_count(queries(members).count())?;
    for query in queries(members) {
        account(query)?;
        check_nrql("widget", query.get("query").and_then(Json::as_str).unwrap_or_default())?;
    }
    Ok(())
}

fn check_nrql(what: &str, text: &str) -> Result<(), Refusal> {
    // Placeholders of dashboard variables stand for anything.
    let text = without_placeholders(text);
    nrql::parse(&text).map(drop).map_err(|error| {
        Refusal::input(format!("Invalid {what} input: invalid nrql query: {}", error.message))
    })
}

/// `{{name}}` of dashboard variables, replaced by a text.
fn without_placeholders(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((_, behind)) = after.split_once("}}") else { break };
        plain.push_str(before);
        plain.push_str("'x'");
        rest = behind;
    }
    plain.push_str(rest);
    plain
}

fn account(query: &Json) -> Result<(), Refusal> {
    let number = |json: &Json| json.as_i64().is_some_and(|number| number > 0);
    let one = query.get("accountId").is_some_and(number);
    let several = query
        .get("accountIds")
        .and_then(Json::as_array)
        .is_some_and(|ids| !ids.is_empty() && ids.iter().all(number));
    if one || several {
        return Ok(());
    }
    let message = "Invalid widget input: nrql queries must provide either a valid 'accountId' or \
                   a list of 'accountIds'";
    Err(Refusal::input(message))
}

fn raw(raw: &Json) -> Result<(), Refusal> {
    if !raw.is_object() {
        return Err(Refusal::input("Invalid widget input: 'rawConfiguration' must be an object"));
    }
    if raw.to_string().len() > RAW_BYTES_MAX {
        let message = format!(
            "Invalid widget input: 'rawConfiguration' cannot be longer than {RAW_BYTES_MAX} bytes"
        );
        return Err(Refusal::input(message));
    }
    query_count(queries(raw).count())?;
    queries(raw).try_for_each(account)
}
