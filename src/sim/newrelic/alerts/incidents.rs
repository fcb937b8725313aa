//! Incidents: what the judges of conditions find becomes events of `NrAiIncident` and the
//! `alertSeverity` of entities.
//!
//! Source: "Alert event attributes", "How alert condition incidents are closed".
//!
//! Invariants:
//! - Each incident has one event that opens it and at most one that closes it, of the same
//!   `incidentId`, in the account of its condition.
//! - A window sees what was stored when it was judged, whenever somebody asks for it.
//!
//! Not modelled: issues, notifications, muting, tags of incidents, titles in New Relic's own words.

use serde_json::{Map, Value as Json, json};

use super::watch::{EndCause, Ended, Watch};
use crate::alerts::{Cause, Closing, Occurrences, Priority, Trigger, Violation};
use crate::definitions::Scalar;
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::state::{NO_REQUEST, State};

/// The type of events that tell of incidents.
const INCIDENT_EVENT: &str = "NrAiIncident";

/// Why an incident is over, as its event says it.
const fn close_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Recovered | Cause::SignalCame => "EVALUATOR",
        Cause::SignalLost => "LOSS_OF_SIGNAL",
        Cause::TimeLimit => "EXPIRED",
    }
}

/// The end of an incident: when it was known, when it is dated, why.
struct End {
    at: UnixMillis,
    dated: UnixMillis,
    recovered_at: Option<UnixMillis>,
    cause: &'static str,
}

impl End {
    fn of(closing: Closing) -> Self {
        let Closing { at, recovered_at, cause } = closing;
        // New Relic dates a recovery back to its begin.
        Self { at, dated: recovered_at.unwrap_or(at), recovered_at, cause: close_cause(cause) }
    }

    const fn forced(at: UnixMillis, cause: EndCause) -> Self {
        Self { at, dated: at, recovered_at: None, cause: cause.as_str() }
    }
}

/// A UUID of an incident's number, the same in every run.
fn incident_id(number: u64) -> String {
    let hash = xxhash_rust::xxh3::xxh3_128(&number.to_be_bytes());
    uuid::Builder::from_random_bytes(hash.to_be_bytes()).into_uuid().to_string()
}

/// A value of a row; what is neither text nor number has none.
fn scalar(value: &Json) -> Option<Scalar<'_>> {
    Some(match value {
        Json::String(text) => Scalar::Text(text),
        Json::Bool(value) => Scalar::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Scalar::Integer(integer),
            None => Scalar::Number(number.as_f64()?),
        },
        _ => return None,
    })
}

/// Adds the members of `more` that are there.
fn put(row: &mut Map<String, Json>, more: Json) {
    if let Json::Object(more) = more {
        row.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
}

/// What the condition and its policy give to every row.
fn condition_row(watch: &Watch) -> Json {
    let about = &watch.about;
    let criteria = watch.judge().criteria();
    json!({
        "accountId": about.account.get(),
        "aggregationDuration": criteria.window_seconds,
        "conditionId": about.condition,
        "conditionName": about.fields.get("name"),
        "description": about.fields.get("description"),
        "evaluationOffsetSeconds": criteria.delay_seconds,
        "closeViolationsOnExpiration": criteria.expiration.map(|expiration| expiration.closes),
        "expirationDuration": criteria.expiration.map(|expiration| expiration.after_seconds),
        "muted": false,
        "nrqlEventType": watch.query().event_types().join(","),
        "nrqlQuery": watch.query().text(),
        "policyId": about.policy,
        "policyName": about.policy_name,
        "runbookUrl": about.fields.get("runbookUrl"),
        "type": "Incident",
        "violationTimeLimitSeconds": criteria.closes_after_seconds,
    })
}

/// What opened the incident.
fn trigger_row(trigger: Trigger) -> Json {
    match trigger {
        Trigger::Expiration => json!({"evaluationType": "Expiration", "operator": ""}),
        Trigger::Threshold(term) => json!({
            "evaluationType": "Threshold",
            "operator": term.operator.sign(),
            "threshold": term.threshold,
            "thresholdDuration": term.duration_seconds,
            "thresholdOccurrences":
                if term.occurrences == Occurrences::All { "all" } else { "any" },
        }),
    }
}

impl State {
    /// Judges the windows of conditions that are due by `at`.
    pub(in crate::sim::newrelic) fn judge_due(&mut self, at: UnixMillis) {
        let mut alerts = std::mem::take(&mut self.graph.alerts);
        let present = self.now;
        while let Some((findings, watch)) = alerts.watches.judge_next(&self.store, at, present) {
            for facets in &findings.appeared {
                self.entities.count_alerts(watch.guid(facets), |alerts| alerts.conditions += 1);
            }
            for violation in &findings.changed {
                self.tell_incident(watch, violation, violation.closing.map(End::of));
            }
            for facets in &findings.forgotten {
                self.entities.count_alerts(watch.guid(facets), |alerts| alerts.conditions -= 1);
            }
            watch.forget_closed(&findings.changed);
        }
        self.graph.alerts = alerts;
    }

    /// Heeds what was changed about policies and conditions.
    pub(in crate::sim::newrelic) fn settle_alerts(&mut self) {
        let now = self.now;
        for Ended { watch, cause } in self.graph.alerts.settle(now) {
            for violation in watch.judge().open() {
                self.tell_incident(&watch, violation, Some(End::forced(now, cause)));
            }
            for facets in watch.judge().signals() {
                self.entities.count_alerts(watch.guid(facets), |alerts| alerts.conditions -= 1);
            }
        }
    }

    /// Writes the event of an incident that opened, or ended, and marks its entity.
    fn tell_incident(&mut self, watch: &Watch, violation: &Violation, end: Option<End>) {
        let (priority, change) = (violation.priority(), if end.is_some() { -1 } else { 1 });
        let guid = watch.guid(&violation.facets);
        self.entities.count_alerts(guid, |alerts| match priority {
            Priority::Warning => alerts.warning += change,
            Priority::Critical => alerts.critical += change,
        });
        let at = end.as_ref().map_or(violation.opened_at, |end| end.at);
        let entity = guid.and_then(|guid| self.entities.glance(guid, at));
        let name = entity.map(|entity| entity.name().to_owned());
        let facets = Some(violation.facets.join(", ")).filter(|facets| !facets.is_empty());
        let target = name.clone().or(facets).unwrap_or_else(|| watch.query().text().to_owned());
        let mut row = Map::new();
        put(&mut row, condition_row(watch));
        put(&mut row, trigger_row(violation.trigger));
        let word = match violation.trigger {
            Trigger::Expiration => "lost its signal".to_owned(),
            Trigger::Threshold(term) => {
                let (sign, minutes) = (term.operator.sign(), term.duration_seconds / 60);
                format!("was {sign} {} for {minutes} minutes", term.threshold)
            }
        };
        let condition = watch.about.fields.get("name").and_then(Json::as_str).unwrap_or_default();
        put(
            &mut row,
            json!({
                "incidentId": incident_id(watch.number(violation)),
                "event": if end.is_some() { "close" } else { "open" },
                "priority": priority.as_str().to_lowercase(),
                "title": format!("{target} {word} on '{condition}'"),
                "targetName": target,
                "entity.guid": guid,
                "entity.name": name,
                "entity.type": entity.map(|entity| entity.entity_type()),
                "degradationTime": violation.degraded_at.0,
                "openTime": violation.opened_at.0,
                "recoveryTime": end.as_ref().and_then(|end| end.recovered_at).map(|at| at.0),
                "closeTime": end.as_ref().map(|end| end.dated.0),
                "durationSeconds":
                    end.as_ref().map(|end| end.at.millis_since(violation.opened_at) / 1_000),
                "closeCause": end.as_ref().map(|end| end.cause),
            }),
        );
        let cells: Vec<(&str, Scalar<'_>)> =
            row.iter().filter_map(|(name, value)| Some((name.as_str(), scalar(value)?))).collect();
        self.put(watch.about.account, INCIDENT_EVENT, (at, at), NO_REQUEST, &cells, None);
    }
}
