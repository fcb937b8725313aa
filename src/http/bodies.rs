//! The bodies of `/health` and of the probes.
//!
//! Invariants:
//! - The whole is as well as its worst component and check.
//! - Figures that are not known are absent. A share of time up is rounded down and a share of
//!   errors up, so that neither looks better than it is.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Look;
use crate::domain::units::UnixMillis;
use crate::pipeline::Moment;
use crate::pipeline::health::{
    ComponentHealth, HealthCheck, HealthFigures, HealthStatus, LastCheck,
};

/// Recovery attempts and incidents that `/health` shows.
const RECENT_MAX: usize = 5;

/// Body of a probe.
#[derive(Serialize)]
pub(super) struct ProbeBody<'a> {
    status: &'a str,
    timestamp: String,
    version: &'a str,
    phase: &'a str,
    checks: &'a [HealthCheck],
}

/// The answer of a probe whose verdict is `status`.
pub(super) fn probe<'a>(look: &'a Look, status: &'a str) -> ProbeBody<'a> {
    ProbeBody {
        status,
        timestamp: iso(look.now.wall),
        version: env!("CARGO_PKG_VERSION"),
        phase: look.snapshot.phase.as_str(),
        checks: &look.health.checks,
    }
}

/// Body of `/health`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HealthBody<'a> {
    status: HealthStatus,
    timestamp: String,
    version: &'a str,
    phase: &'a str,
    uptime_seconds: f64,
    components: Map<String, Value>,
    metrics: Metrics,
    checks: &'a [HealthCheck],
    recovery: Recovery<'a>,
}

/// The figures as people read them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throughput: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_rate: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Recovery<'a> {
    system: &'a str,
    active_recoveries: u64,
    queued_recoveries: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mttr_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_rate: Option<String>,
    incidents: u64,
    recovered: u64,
    recent_attempts: Vec<Value>,
    recent_incidents: Vec<Value>,
    outcomes: Value,
}

/// The whole.
pub(super) fn health(look: &Look) -> HealthBody<'_> {
    let snapshot = &look.snapshot;
    let up = look.now.monotonic.saturating_sub(snapshot.made.monotonic);
    let components = look.health.components.iter();
    HealthBody {
        status: look.health.status,
        timestamp: iso(look.now.wall),
        version: env!("CARGO_PKG_VERSION"),
        phase: snapshot.phase.as_str(),
        uptime_seconds: up.as_secs_f64(),
        components: components.map(|one| (one.name.clone(), component(look, one))).collect(),
        metrics: metrics(&look.health.figures),
        checks: &look.health.checks,
        recovery: recovery(look),
    }
}

fn metrics(figures: &HealthFigures) -> Metrics {
    Metrics {
        uptime: figures.uptime.map(share_up),
        throughput: figures.entities_per_second.map(throughput),
        error_rate: figures.error_rate.map(share_failed),
    }
}

/// `99.95%`, rounded down.
pub(super) fn share_up(share: f64) -> String {
    format!("{:.2}%", (share * 10_000.0).floor() / 100.0)
}

/// `0.05%`, rounded up.
pub(super) fn share_failed(share: f64) -> String {
    format!("{:.2}%", (share * 10_000.0).ceil() / 100.0)
}

/// `1000 entities/sec`; below ten with one decimal.
pub(super) fn throughput(entities_per_second: f64) -> String {
    let decimals = usize::from(entities_per_second < 10.0);
    format!("{entities_per_second:.decimals$} entities/sec")
}

/// One component with what is particular to it.
pub(super) fn component(look: &Look, component: &ComponentHealth) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("status", json!(component.status));
    put("detail", json!(component.detail));
    put("activeRecoveries", json!(component.active_recoveries));
    if let Some(at) = last_check(component, look.now) {
        put("lastCheck", json!(at));
    }
    if let Some(state) = component.state {
        put("state", json!(state.as_str()));
    }
    if let Some((breaker, state)) = &component.breaker {
        put("breaker", json!(breaker));
        put("circuitBreaker", json!(state.as_str()));
    }
    particulars(look, &component.name, &mut put);
    Value::Object(body)
}

/// When `component` was last seen at work, as a text.
pub(super) fn last_check(component: &ComponentHealth, now: Moment) -> Option<String> {
    match component.last_check {
        LastCheck::Never => None,
        LastCheck::Wall(wall) => Some(iso(wall)),
        LastCheck::Monotonic(at) => Some(iso(now.wall_of(at))),
    }
}

fn particulars(look: &Look, name: &str, put: &mut impl FnMut(&str, Value)) {
    let snapshot = &look.snapshot;
    match name {
        "collector" => {
            put("sources", json!(snapshot.sources.len()));
            if let Some(last) = snapshot.last_collected {
                put("lastSuccess", json!(iso(last.wall)));
            }
        }
        "streamer" => {
            let stream = &snapshot.stream;
            put("queueSize", json!(stream.in_flight));
            put("queueLimit", json!(snapshot.buffer_events_max));
            put("sent", json!(stream.acknowledged));
            put("failed", json!(stream.rejected_total() + stream.dropped_total()));
            if let Some(last) = snapshot.last_accepted {
                put("lastSuccess", json!(iso(last.wall)));
            }
        }
        "spool" => {
            if let Some(spool) = &snapshot.resilience.spool {
                put("chunks", json!(spool.chunks));
                put("chunkBytes", json!(spool.chunk_bytes));
                put("fileBytes", json!(spool.file_bytes));
                put("deadLetters", json!(spool.dead_letters));
            }
        }
        _ => {}
    }
}

fn recovery(look: &Look) -> Recovery<'_> {
    let resilience = &look.snapshot.resilience;
    let stats = &resilience.recovery;
    let count = |of: fn(&crate::resilience::recovery::ComponentStats) -> u64| {
        stats.components.iter().map(of).sum()
    };
    let attempts = resilience.recent_attempts.iter().take(RECENT_MAX);
    let incidents = resilience.incidents.iter().take(RECENT_MAX);
    let at = |at: Duration| iso(look.now.wall_of(at));
    let outcomes = stats.outcomes;
    Recovery {
        system: stats.system.as_str(),
        active_recoveries: stats.active_recoveries,
        queued_recoveries: stats.queued_recoveries,
        mttr_seconds: stats.mttr.map(|mttr| mttr.as_secs_f64()),
        recovery_rate: stats.recovery_rate.map(share_up),
        incidents: count(|component| component.incidents),
        recovered: count(|component| component.recovered),
        recent_attempts: attempts
            .map(|one| {
                json!({
                    "component": &*one.component,
                    "began": at(one.began_at),
                    "ended": at(one.ended_at),
                    "probes": one.probes,
                    "result": result(&one.result),
                })
            })
            .collect(),
        recent_incidents: incidents
            .map(|one| {
                json!({
                    "component": &*one.component,
                    "began": at(one.began_at),
                    "ended": one.ended_at.map(at),
                    "worst": one.worst.as_str(),
                    "cause": one.cause,
                })
            })
            .collect(),
        outcomes: json!({
            "succeeded": outcomes.succeeded,
            "recovered": outcomes.recovered,
            "failed": outcomes.failed,
            "fallback_success": outcomes.fallback_success,
            "fallback_failed": outcomes.fallback_failed,
            "cached": outcomes.cached,
            "skipped": outcomes.skipped,
        }),
    }
}

fn result(result: &crate::resilience::recovery::AttemptResult) -> String {
    use crate::resilience::recovery::AttemptResult;
    match result {
        AttemptResult::Recovered => "recovered".to_owned(),
        AttemptResult::Failed(why) => format!("failed: {why}"),
        AttemptResult::Inconclusive => "inconclusive".to_owned(),
    }
}

/// RFC 3339 in UTC; the number itself where no calendar reaches.
pub(super) fn iso(at: UnixMillis) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_look_better_than_they_are() {
        // Share, as time up, as errors.
        let cases = [
            (1.0, "100.00%", "100.00%"),
            (0.999_999, "99.99%", "100.00%"),
            (0.999_5, "99.95%", "99.95%"),
            (0.000_001, "0.00%", "0.01%"),
            (0.0, "0.00%", "0.00%"),
        ];
        for (share, up, failed) in cases {
            assert_eq!((share_up(share).as_str(), share_failed(share).as_str()), (up, failed));
        }
    }

    #[test]
    fn throughput_is_short() {
        for (rate, text) in [
            (1_000.2, "1000 entities/sec"),
            (10.0, "10 entities/sec"),
            (9.94, "9.9 entities/sec"),
            (0.0, "0.0 entities/sec"),
        ] {
            assert_eq!(throughput(rate), text);
        }
    }

    #[test]
    fn monotonic_instants_have_wall_times() {
        let now = Moment { monotonic: Duration::from_secs(10), wall: UnixMillis(1_000_000) };
        for (at_secs, wall) in [(10, 1_000_000), (4, 994_000), (11, 1_001_000)] {
            assert_eq!(now.wall_of(Duration::from_secs(at_secs)), UnixMillis(wall));
        }
        assert_eq!(iso(UnixMillis(1_700_000_000_250)), "2023-11-14T22:13:20.25Z");
        assert_eq!(iso(UnixMillis(i64::MAX)), i64::MAX.to_string());
    }
}
