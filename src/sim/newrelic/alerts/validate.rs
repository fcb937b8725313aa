//! What New Relic asks of a policy and of a condition.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::Refusal;
use super::shelf::Kind;
use crate::nrql::ast::Statement;
use crate::nrql::{self};

const NAME_CHARS_MAX: usize = 128;
const WINDOW_SECONDS: (i64, i64) = (30, 21_600);
const STATIC_SECONDS: (i64, i64) = (60, 86_400);
const BASELINE_SECONDS: (i64, i64) = (120, 86_400);
const DELAY_SECONDS: (i64, i64) = (0, 1_200);
const CADENCE_DELAY_SECONDS: (i64, i64) = (0, 3_600);
const EXPIRATION_SECONDS: (i64, i64) = (30, 172_800);
const LIMIT_SECONDS: (i64, i64) = (300, 2_592_000);
const DEVIATIONS: (f64, f64) = (1.0, 1_000.0);

fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(message.into()))
}

/// What a condition has when nobody says otherwise.
pub(super) fn defaults() -> Map<String, Json> {
    let defaults = json!({
        "violationTimeLimitSeconds": 259_200,
        "signal": {
            "aggregationWindow": 60, "aggregationMethod": "EVENT_FLOW", "aggregationDelay": 120,
            "fillOption": "NONE",
        },
    });
    match defaults {
        Json::Object(defaults) => defaults,
        _ => Map::new(),
    }
}

fn name(fields: &Map<String, Json>) -> Result<(), Refusal> {
    let name = fields.get("name").and_then(Json::as_str).unwrap_or_default();
    if name.trim().is_empty() {
        return invalid("name can't be blank");
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return invalid(format!("name is too long (maximum is {NAME_CHARS_MAX} characters)"));
    }
    Ok(())
}

/// Checks a policy.
pub(super) fn policy(fields: &Map<String, Json>) -> Result<(), Refusal> {
    name(fields)
}

/// Checks a condition.
pub(super) fn condition(kind: Kind, fields: &Map<String, Json>) -> Result<(), Refusal> {
    name(fields)?;
    let nrql = fields.get("nrql").and_then(|nrql| nrql.get("query")).and_then(Json::as_str);
    query(nrql.unwrap_or_default())?;
    let signal = fields.get("signal").and_then(Json::as_object).cloned().unwrap_or_default();
    let window = within(&signal, "aggregationWindow", WINDOW_SECONDS)?.unwrap_or(60);
    let cadence = signal.get("aggregationMethod").and_then(Json::as_str) == Some("CADENCE");
    let delays = if cadence { CADENCE_DELAY_SECONDS } else { DELAY_SECONDS };
    within(&signal, "aggregationDelay", delays)?;
    within(&signal, "aggregationTimer", DELAY_SECONDS)?;
    if let Some(slide) = number(&signal, "slideBy")
        && (slide <= 0 || slide >= window || window % slide != 0)
    {
        return invalid("slideBy must be smaller than and a factor of aggregationWindow");
    }
    let fills = signal.get("fillOption").and_then(Json::as_str) == Some("STATIC");
    if fills && signal.get("fillValue").is_none_or(Json::is_null) {
        return invalid("fillValue is required when fillOption is STATIC");
    }
    within(fields, "violationTimeLimitSeconds", LIMIT_SECONDS)?;
    if let Some(expiration) = fields.get("expiration").and_then(Json::as_object) {
        within(expiration, "expirationDuration", EXPIRATION_SECONDS)?;
        let asks = |name| expiration.get(name) == Some(&Json::Bool(true));
        let acts = asks("openViolationOnExpiration") || asks("closeViolationsOnExpiration");
        if acts && number(expiration, "expirationDuration").is_none() {
            return invalid("expirationDuration is required to act on expiration");
        }
    }
    terms(kind, window, fields.get("terms").and_then(Json::as_array).map_or(&[], Vec::as_slice))
}

fn number(fields: &Map<String, Json>, name: &str) -> Option<i64> {
    fields.get(name).and_then(Json::as_i64)
}

fn within(
    fields: &Map<String, Json>,
    name: &str,
    (least, most): (i64, i64),
) -> Result<Option<i64>, Refusal> {
    match number(fields, name) {
        Some(given) if !(least..=most).contains(&given) => {
            invalid(format!("{name} must be between {least} and {most} seconds"))
        }
        given => Ok(given),
    }
}

fn query(text: &str) -> Result<(), Refusal> {
    let statement = match nrql::parse(text) {
        Ok(statement) => statement,
        Err(error) => return invalid(format!("nrql.query is invalid: {}", error.message)),
    };
    let Statement::Select(query) = statement else {
        return invalid("nrql.query must be a SELECT statement");
    };
    for (given, clause) in [
        (query.since.is_some(), "SINCE"),
        (query.until.is_some(), "UNTIL"),
        (query.timeseries.is_some(), "TIMESERIES"),
        (query.compare_with.is_some(), "COMPARE WITH"),
        (query.limit.is_some(), "LIMIT"),
        (query.select.len() != 1, "several values in SELECT"),
    ] {
        if given {
            return invalid(format!("nrql.query must not have {clause}"));
        }
    }
    Ok(())
}

fn terms(kind: Kind, window: i64, terms: &[Json]) -> Result<(), Refusal> {
    if terms.is_empty() {
        return invalid("terms must have one critical or warning term at least");
    }
    let mut priorities = BTreeSet::new();
    for term in terms {
        let text = |name: &str| term.get(name).and_then(Json::as_str).unwrap_or_default();
        if !priorities.insert(text("priority").to_owned()) {
            return invalid(format!("terms has {} twice", text("priority")));
        }
        let (least, most) = if kind == Kind::Baseline { BASELINE_SECONDS } else { STATIC_SECONDS };
        let lasts = term.get("thresholdDuration").and_then(Json::as_i64).unwrap_or_default();
        if !(least..=most).contains(&lasts) {
            return invalid(format!(
                "thresholdDuration must be between {least} and {most} seconds"
            ));
        }
        if lasts % window != 0 {
            return invalid("thresholdDuration must be a multiple of aggregationWindow");
        }
        let threshold = term.get("threshold").and_then(Json::as_f64).unwrap_or_default();
        let sane = (DEVIATIONS.0..=DEVIATIONS.1).contains(&threshold);
        if kind == Kind::Baseline && !sane {
            return invalid("threshold of a baseline must be between 1 and 1000");
        }
        if kind == Kind::Baseline && !["", "ABOVE"].contains(&text("operator")) {
            return invalid("operator of a baseline must be ABOVE");
        }
    }
    Ok(())
}
