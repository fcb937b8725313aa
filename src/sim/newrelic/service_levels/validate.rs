//! What New Relic asks of an indicator.

use serde_json::{Map, Value as Json};

use super::Refusal;
use crate::nrql;

/// Days that an objective may roll over.
const WINDOW_DAYS: [i64; 3] = [1, 7, 28];
/// Objectives of one indicator.
const OBJECTIVES_MAX: usize = 1;

fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(message.into()))
}

/// Checks an indicator.
pub(super) fn indicator(fields: &Map<String, Json>) -> Result<(), Refusal> {
    let name = fields.get("name").and_then(Json::as_str).unwrap_or_default();
    if name.trim().is_empty() {
        return invalid("name can't be blank");
    }
    let given = |name: &str| {
        let events = fields.get("events").and_then(|events| events.get(name));
        events.filter(|events| !events.is_null())
    };
    let Some(valid) = given("validEvents") else { return invalid("validEvents is required") };
    events("validEvents", valid)?;
    match (given("goodEvents"), given("badEvents")) {
        (Some(good), None) => events("goodEvents", good)?,
        (None, Some(bad)) => events("badEvents", bad)?,
        _ => return invalid("either goodEvents or badEvents is required, and not both"),
    }
    let objectives = fields.get("objectives").and_then(Json::as_array);
    let objectives = objectives.map_or(&[][..], Vec::as_slice);
    if objectives.len() > OBJECTIVES_MAX {
        return invalid("an indicator takes one objective");
    }
    objectives.iter().try_for_each(objective)
}

/// Checks which events are counted, and how, by the query that they make.
fn events(name: &str, events: &Json) -> Result<(), Refusal> {
    let text = |name: &str| events.get(name).and_then(Json::as_str).unwrap_or_default();
    let select = events.get("select").filter(|select| !select.is_null());
    let part = |name: &str| select.and_then(|select| select.get(name)).and_then(Json::as_str);
    let attribute = part("attribute").unwrap_or_default();
    let counted = match (part("function"), attribute) {
        (None | Some("COUNT"), _) => "count(*)".to_owned(),
        (Some(_), "") => return invalid(format!("{name}: SUM needs an attribute")),
        (Some(_), attribute) => format!("sum({attribute})"),
    };
    let filter = match text("where").trim() {
        "" => String::new(),
        filter => format!(" WHERE {filter}"),
    };
    let query = format!("SELECT {counted} FROM {}{filter}", text("from"));
    match nrql::parse(&query) {
        Ok(_) => Ok(()),
        Err(error) => invalid(format!("{name} is invalid: {}", error.message)),
    }
}

fn objective(objective: &Json) -> Result<(), Refusal> {
    let target = objective.get("target").and_then(Json::as_f64).unwrap_or_default();
    if !(target > 0.0 && target <= 100.0) {
        return invalid("target must be greater than 0 and at most 100");
    }
    let rolling = objective.get("timeWindow").and_then(|window| window.get("rolling"));
    let count = rolling.and_then(|rolling| rolling.get("count")).and_then(Json::as_i64);
    if count.is_some_and(|count| WINDOW_DAYS.contains(&count)) {
        Ok(())
    } else {
        invalid("timeWindow must roll over 1, 7 or 28 days")
    }
}
