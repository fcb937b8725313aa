//! What the fields of a condition ask of its judge.
//!
//! Not modelled: `evaluationDelay`, the deprecated `valueFunction`, and that the timer of
//! EVENT_TIMER begins with the last event of a window; here it begins with the window's end.

use serde_json::{Map, Value as Json};

use super::shelf::Kind;
use crate::alerts::{Criteria, Criterion, Expiration, Fill, Occurrences, Operator, Priority};

/// What a window without one is: New Relic's default.
const WINDOW_SECONDS: u32 = 60;
/// Default of both delay and timer.
const DELAY_SECONDS: u32 = 120;
/// Default of the time limit.
const CLOSES_AFTER_SECONDS: u32 = 259_200;

/// Members that change nothing of an evaluation that is under way.
const WORDS: &[&str] = &["name", "description", "enabled", "runbookUrl", "titleTemplate"];

fn seconds(fields: Option<&Json>, name: &str) -> Option<u32> {
    fields?.get(name)?.as_u64().and_then(|seconds| u32::try_from(seconds).ok())
}

fn text<'a>(fields: &'a Json, name: &str) -> &'a str {
    fields.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn criterion(term: &Json) -> Criterion {
    let is_warning = text(term, "priority") == Priority::Warning.as_str();
    let operator = Operator::ALL.into_iter().find(|known| known.as_str() == text(term, "operator"));
    let once = text(term, "thresholdOccurrences") == "AT_LEAST_ONCE";
    Criterion {
        priority: if is_warning { Priority::Warning } else { Priority::Critical },
        operator: operator.unwrap_or(Operator::Above),
        threshold: term.get("threshold").and_then(Json::as_f64).unwrap_or_default(),
        duration_seconds: seconds(Some(term), "thresholdDuration").unwrap_or_default(),
        occurrences: if once { Occurrences::AtLeastOnce } else { Occurrences::All },
    }
}

/// The criteria of a condition whose fields have passed every check.
pub(super) fn criteria(kind: Kind, fields: &Map<String, Json>) -> Criteria {
    let signal = fields.get("signal");
    let window_seconds = seconds(signal, "aggregationWindow").unwrap_or(WINDOW_SECONDS);
    let is_timer = signal.is_some_and(|s| text(s, "aggregationMethod") == "EVENT_TIMER");
    let delay = if is_timer { "aggregationTimer" } else { "aggregationDelay" };
    let fill = match signal.map_or("", |signal| text(signal, "fillOption")) {
        "LAST_VALUE" => Fill::Last,
        "STATIC" => {
            let value = signal.and_then(|signal| signal.get("fillValue")).and_then(Json::as_f64);
            Fill::Value(value.unwrap_or_default())
        }
        _ => Fill::None,
    };
    let terms = fields.get("terms").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let expiration = fields.get("expiration");
    let asks = |name| expiration.and_then(|given| given.get(name)) == Some(&Json::Bool(true));
    let expiration = seconds(expiration, "expirationDuration").map(|after_seconds| Expiration {
        after_seconds,
        opens: asks("openViolationOnExpiration"),
        closes: asks("closeViolationsOnExpiration"),
    });
    let limit = fields.get("violationTimeLimitSeconds").and_then(Json::as_u64);
    Criteria {
        window_seconds,
        slide_seconds: seconds(signal, "slideBy").unwrap_or(window_seconds).max(1),
        delay_seconds: seconds(signal, delay).unwrap_or(DELAY_SECONDS),
        fill,
        terms: terms.iter().filter(|_| kind == Kind::Static).map(criterion).collect(),
        expiration,
        closes_after_seconds: limit
            .and_then(|limit| u32::try_from(limit).ok())
            .unwrap_or(CLOSES_AFTER_SECONDS),
    }
}

/// What an edit must leave alone for the evaluation to go on. Source: "Create NRQL alert
/// conditions", "Evaluation resets".
pub(super) fn essence(fields: &Map<String, Json>) -> Map<String, Json> {
    let mut essence = fields.clone();
    essence.retain(|name, _| !WORDS.contains(&name.as_str()));
    essence.remove("violationTimeLimitSeconds");
    if let Some(expiration) = essence.get_mut("expiration").and_then(Json::as_object_mut) {
        expiration.retain(|name, _| name == "closeViolationsOnExpiration");
    }
    let terms = essence.get_mut("terms").and_then(Json::as_array_mut);
    for term in terms.into_iter().flatten().filter_map(Json::as_object_mut) {
        term.remove("thresholdOccurrences");
    }
    essence
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::validate;
    use super::*;
    use crate::alerts::{AlertsFile, Basis, condition_input, plan};

    #[test]
    fn what_is_rendered_for_nerdgraph_is_judged_as_the_plan_says() {
        let capacity = "[capacity]\ncluster_bytes_per_second = 1e9\nbroker_bytes_per_second = 1e8\n\
                        [signal]\naggregation_delay_seconds = 30\nsilent_after_seconds = 300";
        let file: AlertsFile = toml::from_str(capacity).expect("a file");
        let plan = plan(&file).expect("a plan");
        assert!(plan.conditions.len() > 10);
        for condition in &plan.conditions {
            let baseline = condition.basis == Basis::Baseline;
            let kind = if baseline { Kind::Baseline } else { Kind::Static };
            let mut fields = validate::defaults();
            let input = condition_input(condition);
            fields.extend(input.as_object().expect("an object").clone());
            assert_eq!(criteria(kind, &fields), Criteria::of(condition), "{}", condition.id);
        }
    }

    #[test]
    fn every_field_that_a_judge_knows_is_read() {
        let fields = json!({
            "signal": {"aggregationWindow": 300, "aggregationMethod": "EVENT_TIMER",
                "aggregationTimer": 5, "aggregationDelay": 9, "slideBy": 60,
                "fillOption": "STATIC", "fillValue": 7},
            "terms": [{"priority": "WARNING", "operator": "BELOW_OR_EQUALS", "threshold": 1.5,
                "thresholdDuration": 600, "thresholdOccurrences": "AT_LEAST_ONCE"}],
            "expiration": {"expirationDuration": 90, "closeViolationsOnExpiration": true},
            "violationTimeLimitSeconds": 300,
        });
        let Json::Object(fields) = fields else { panic!("an object") };
        let expected = Criteria {
            window_seconds: 300,
            slide_seconds: 60,
            delay_seconds: 5,
            fill: Fill::Value(7.0),
            terms: vec![Criterion {
                priority: Priority::Warning,
                operator: Operator::BelowOrEquals,
                threshold: 1.5,
                duration_seconds: 600,
                occurrences: Occurrences::AtLeastOnce,
            }],
            expiration: Some(Expiration { after_seconds: 90, opens: false, closes: true }),
            closes_after_seconds: 300,
        };
        assert_eq!(criteria(Kind::Static, &fields), expected);
        assert_eq!(criteria(Kind::Baseline, &fields).terms, []);
    }

    #[test]
    fn edits_of_words_and_patience_reset_nothing() {
        let check = |change: Json, resets: bool| {
            let before = json!({"name": "n", "nrql": {"query": "q"},
                "expiration": {"expirationDuration": 90, "closeViolationsOnExpiration": false},
                "terms": [{"threshold": 1, "thresholdOccurrences": "ALL"}]});
            let Json::Object(before) = before else { panic!("an object") };
            let mut after = before.clone();
            after.extend(change.as_object().expect("an object").clone());
            assert_eq!(essence(&before) != essence(&after), resets, "{change}");
        };
        check(json!({"name": "m", "description": "d", "runbookUrl": "u"}), false);
        check(json!({"violationTimeLimitSeconds": 300}), false);
        let expiration = |seconds: u32, closes: bool| {
            json!({"expiration": {"expirationDuration": seconds, "openViolationOnExpiration": true,
                "closeViolationsOnExpiration": closes}})
        };
        check(expiration(60, false), false);
        check(expiration(90, true), true);
        check(json!({"nrql": {"query": "r"}}), true);
        let term = |threshold: u32, occurrences: &str| {
            let term = json!({"threshold": threshold, "thresholdOccurrences": occurrences});
            json!({"terms": [term]})
        };
        check(term(1, "AT_LEAST_ONCE"), false);
        check(term(2, "ALL"), true);
    }
}
