//! Settings and limits that are not the defaults, in words.
//!
//! Invariant: what has no words of its own is told by its key and value, never left out.

use serde_json::Value;

use crate::config::quantity::DurationText;
use crate::sim::minimize::differing;
use crate::sim::scenario::Scenario;

/// Keys and how features say them; `<c>` is the cluster, `<v>` the value.
const WORDS: &[(&str, &str)] = &[
    ("start", "the clock shows <v> at the start"),
    ("network.latency", "every link takes <v> each way"),
    ("network.jitter", "deliveries take up to <v> more"),
    ("kafka.*.messages_per_second", "each topic of \"<c>\" gets <v> messages per second"),
    ("kafka.*.disk", "each broker of \"<c>\" has a log volume of <v>"),
    ("kafka.*.load.pattern", "producers of \"<c>\" follow the pattern <v>"),
    ("newrelic.synthesis_lag_min", "entities become visible after <v> at the earliest"),
    ("newrelic.synthesis_lag_max", "entities become visible after <v> at the latest"),
    ("pipeline.interval", "the pipeline collects every <v>"),
    ("pipeline.account_id", "the pipeline reports to account <v>"),
    ("pipeline.environment", "the pipeline's environment is <v>"),
    ("pipeline.batch_events", "the pipeline sends up to <v> events per request"),
    ("pipeline.batch_bytes", "the pipeline sends up to <v> per request"),
    ("pipeline.buffer_events", "the pipeline holds up to <v> events in memory alone"),
    ("pipeline.memory_max", "the pipeline holds up to <v> of events in memory"),
    ("pipeline.request_timeout", "the pipeline waits for a broker's answer for up to <v>"),
    ("pipeline.spool_size_max", "the spool holds up to <v>"),
    ("pipeline.spool_age_max", "the spool keeps events for up to <v>"),
    ("pipeline.event_api.failure_threshold", "the breaker opens after <v> failures in a row"),
    ("pipeline.event_api.success_threshold", "the breaker closes after <v> successes in a row"),
    ("pipeline.event_api.retry_delay", "the breaker stays open for <v>"),
    ("expect.synthesis_lag_max", "entities are visible within <v>"),
    ("expect.freshness_max", "no sample is older than <v> in the end"),
    ("expect.relative_error_max", "figures are off by a share of <v> at most"),
    ("expect.recovery_max", "sending resumes within <v>"),
    ("expect.loss", "at most <v> events are given up"),
    ("expect.breaker_opens_min", "the breaker opens at least <v> times"),
];

/// Switches in both positions.
const SWITCHES: &[(&str, bool, &str)] = &[
    ("kafka.*.jmx", false, "the brokers of \"<c>\" expose no JMX figures"),
    ("pipeline.spool", false, "the pipeline has no spool"),
    ("pipeline.serves", true, "the pipeline tells which brokers serve each topic"),
];

/// Settings, one sentence each.
pub fn settings(scenario: &Scenario) -> Vec<String> {
    sentences(scenario, |key| !key.starts_with("expect.") && key != "sometimes")
}

/// Limits, one sentence each.
pub fn limits(scenario: &Scenario) -> Vec<String> {
    sentences(scenario, |key| key.starts_with("expect."))
}

fn sentences(scenario: &Scenario, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let all = differing(scenario).into_iter();
    let wanted = all.filter(|(path, _)| is_wanted(&path.join(".")));
    wanted.map(|(path, value)| words(&path, &value)).collect()
}

fn words(path: &[String], value: &Value) -> String {
    let is_cluster = path.first().is_some_and(|key| key == "kafka");
    let cluster = path.get(1).filter(|_| is_cluster).map_or("", String::as_str);
    let any: Vec<&str> = path
        .iter()
        .enumerate()
        .map(|(at, key)| if is_cluster && at == 1 { "*" } else { key.as_str() })
        .collect();
    let key = any.join(".");
    let pattern = WORDS.iter().find(|(known, _)| *known == key).map(|(_, words)| *words);
    let switch = SWITCHES.iter().find(|(known, on, _)| *known == key && *value == Value::Bool(*on));
    match pattern.or(switch.map(|(.., words)| *words)) {
        Some(pattern) => pattern.replace("<c>", cluster).replace("<v>", &spoken(value)),
        None => format!("the setting {} is {}", path.join("."), spoken(value)),
    }
}

/// A value as people say it.
fn spoken(value: &Value) -> String {
    let Some(text) = value.as_str() else {
        return if value.is_null() { "not set".to_owned() } else { value.to_string() };
    };
    match text.parse::<DurationText>() {
        Ok(duration) => super::time(duration),
        Err(_) if text.chars().next().is_some_and(|c| c.is_ascii_digit()) => text.to_owned(),
        Err(_) => format!("\"{text}\""),
    }
}
