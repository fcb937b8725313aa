//! The bodies under `/api/health`, each wrapped in `data`.
//!
//! Invariant: they tell the same as `/health`, in the words of their own vocabulary: `healthy`,
//! `degraded`, `unhealthy`; `/api/health` itself says `ok`, `degraded` or `error`.

use serde_json::{Map, Value, json};

use super::Look;
use super::bodies::{iso, last_check, share_failed, share_up, throughput};
use crate::pipeline::health::{ComponentHealth, HealthCheck, HealthStatus};
use crate::resilience::breaker::{RegistrySummary, StateKind};

/// Bytes of one megabyte as people write it.
const MEGABYTE: u64 = 1024 * 1024;

/// Body of `/api/health`.
pub(super) fn health(look: &Look) -> Value {
    let word = match look.health.status {
        HealthStatus::Healthy => "ok",
        HealthStatus::Degraded => "degraded",
        HealthStatus::Unhealthy => "error",
    };
    let services: Map<String, Value> = look
        .health
        .components
        .iter()
        .map(|one| (one.name.clone(), json!(one.status.lowercase())))
        .collect();
    data(
        look,
        json!({
            "status": word,
            "services": services,
            "circuitBreakers": breaker_summary(look),
            "performance": performance(look),
        }),
    )
}

/// Body of `/api/health/detailed`.
pub(super) fn detailed(look: &Look) -> Value {
    let mut services: Map<String, Value> =
        look.health.components.iter().map(|one| (one.name.clone(), service(look, one))).collect();
    services.insert("config".to_owned(), config(look));
    services.insert("memory".to_owned(), memory(look));
    services.insert("newrelic".to_owned(), newrelic(look));
    data(
        look,
        json!({
            "health": { "overall": look.health.status.lowercase(), "services": services },
            "circuitBreakers": breaker_summary(look),
            "dependencies": dependencies(look),
            "performance": performance(look),
        }),
    )
}

/// Body of `/api/health/circuit-breakers`.
pub(super) fn breakers(look: &Look) -> Value {
    let resilience = &look.snapshot.resilience;
    let history = |name: &str| -> Vec<Value> {
        let changes = resilience.breaker_history.get(name).into_iter().flatten();
        changes
            .map(|change| {
                json!({
                    "at": iso(look.now.wall_of(change.at)),
                    "from": change.from.as_str(),
                    "to": change.to.as_str(),
                    "failureCount": change.failure_count,
                    "reason": change.reason,
                })
            })
            .collect()
    };
    let one = |stats: &crate::resilience::breaker::BreakerStats| {
        let mut body = json!(stats.json(look.now.monotonic, look.now.wall));
        if let Value::Object(body) = &mut body {
            body.insert("history".to_owned(), json!(history(&stats.name)));
        }
        (stats.name.clone(), body)
    };
    let all: Map<String, Value> = resilience.breakers.iter().map(one).collect();
    data(
        look,
        json!({
            "summary": RegistrySummary::of(&resilience.breakers),
            "circuitBreakers": all,
        }),
    )
}

/// Wraps `body` and adds what every answer has.
fn data(look: &Look, mut body: Value) -> Value {
    if let Value::Object(body) = &mut body {
        let up = look.now.monotonic.saturating_sub(look.snapshot.made.monotonic);
        body.insert("timestamp".to_owned(), json!(iso(look.now.wall)));
        body.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        body.insert("phase".to_owned(), json!(look.snapshot.phase.as_str()));
        body.insert("uptimeSeconds".to_owned(), json!(up.as_secs_f64()));
    }
    json!({ "data": body })
}

fn breaker_summary(look: &Look) -> Value {
    let breakers = &look.snapshot.resilience.breakers;
    let count = |state| breakers.iter().filter(|breaker| breaker.state == state).count();
    json!({
        "total": breakers.len(),
        "closed": count(StateKind::Closed),
        "halfOpen": count(StateKind::HalfOpen),
        "open": count(StateKind::Open),
        "healthy": count(StateKind::Open) == 0,
    })
}

/// Durations, throughput and errors, as far as they are known.
fn performance(look: &Look) -> Value {
    let snapshot = &look.snapshot;
    let figures = &look.health.figures;
    let last = snapshot.last_report.as_ref();
    let known = [
        ("lastCycleMs", last.map(|report| json!(report.duration_ms))),
        (
            "averageCycleMs",
            snapshot.durations.mean_seconds().map(|seconds| json!(seconds * 1_000.0)),
        ),
        ("uptime", figures.uptime.map(|share| json!(share_up(share)))),
        ("throughput", figures.entities_per_second.map(|rate| json!(throughput(rate)))),
        ("errorRate", figures.error_rate.map(|share| json!(share_failed(share)))),
        ("heldBytes", Some(json!(snapshot.memory.held_bytes))),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn service(look: &Look, component: &ComponentHealth) -> Value {
    let mut body = json!({
        "status": component.status.lowercase(),
        "detail": component.detail,
        "activeRecoveries": component.active_recoveries,
    });
    if let Some(at) = last_check(component, look.now) {
        body["lastCheck"] = json!(at);
    }
    if let Some((breaker, state)) = &component.breaker {
        body["breaker"] = json!(breaker);
        body["circuitBreaker"] = json!(state.as_str());
    }
    body
}

/// The configuration was valid when the pipeline was made; it does not change while it runs.
fn config(look: &Look) -> Value {
    json!({
        "status": HealthStatus::Healthy.lowercase(),
        "validatedAt": iso(look.snapshot.made.wall),
        "sources": look.snapshot.sources.len(),
        "intervalMs": look.snapshot.interval.as_millis().try_into().unwrap_or(u64::MAX),
    })
}

fn memory(look: &Look) -> Value {
    let memory = look.snapshot.memory;
    json!({
        "status": check(look, "memory").map_or("healthy", |check| check.status.lowercase()),
        "heldBytes": memory.held_bytes,
        "limitBytes": memory.limit_bytes,
        "held": format!("{}MB", memory.held_bytes.div_ceil(MEGABYTE)),
    })
}

fn newrelic(look: &Look) -> Value {
    let mut body = dependency(check(look, "newrelic"));
    if let Some(last) = look.snapshot.last_accepted {
        body["lastSuccess"] = json!(iso(last.wall));
    }
    body
}

/// Whom the pipeline talks to: its sources, New Relic, the receiver of alerts if there is one.
fn dependencies(look: &Look) -> Value {
    let checks = look.health.checks.iter();
    let outside = checks.filter(|one| one.name == "newrelic" || one.name.starts_with("source/"));
    let mut all: Map<String, Value> =
        outside.map(|one| (one.name.clone(), dependency(Some(one)))).collect();
    if let Some(alerts) = &look.snapshot.resilience.alerts {
        let (status, detail) = match &alerts.last_error {
            None => (HealthStatus::Healthy, "no failure since its last success"),
            Some(error) => (HealthStatus::Degraded, error.as_str()),
        };
        let webhook = json!({ "status": status.lowercase(), "detail": detail });
        all.insert("webhook".to_owned(), webhook);
    }
    Value::Object(all)
}

fn dependency(check: Option<&HealthCheck>) -> Value {
    match check {
        Some(check) => json!({ "status": check.status.lowercase(), "detail": check.detail }),
        None => json!({ "status": HealthStatus::Unhealthy.lowercase(), "detail": "unknown" }),
    }
}

fn check<'a>(look: &'a Look, name: &str) -> Option<&'a HealthCheck> {
    look.health.checks.iter().find(|check| check.name == name)
}
