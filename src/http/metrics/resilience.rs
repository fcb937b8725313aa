//! Breakers, recovery, pool, spool, limiters, alerts.
//!
//! Invariant: a room that the pipeline runs without has no samples.

use std::fmt::Error;

use prometheus_client::encoding::DescriptorEncoder;

use super::write::{Head, Labels, counter, counters, gauge, gauges, samples};
use crate::pipeline::{AlertStats, ResilienceSnapshot, Snapshot};
use crate::resilience::breaker::BreakerStats;
use crate::resilience::limiter::LimiterStats;
use crate::resilience::pool::PoolStats;
use crate::resilience::recovery::{ComponentStats, RecoveryStats, SystemState};
use crate::stream::spool::SpoolStats;

/// All of them.
pub(super) fn encode(snapshot: &Snapshot, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let ResilienceSnapshot { breakers, recovery, pool, spool, limiters, alerts, .. } =
        &snapshot.resilience;
    if !breakers.is_empty() {
        encode_breakers(breakers, to)?;
    }
    if !recovery.components.is_empty() {
        encode_recovery(recovery, to)?;
    }
    if let Some(pool) = pool {
        encode_pool(pool, to)?;
    }
    if let Some(spool) = spool {
        encode_spool(spool, to)?;
    }
    if !limiters.is_empty() {
        encode_limiters(limiters, to)?;
    }
    if let Some(alerts) = alerts {
        encode_alerts(alerts, to)?;
    }
    Ok(())
}

/// A family with one sample per item, labelled with the item's name.
struct Each<'a, T> {
    label: &'static str,
    items: Vec<(&'a str, &'a T)>,
}

impl<T> Each<'_, T> {
    fn counter(
        &self,
        to: &mut DescriptorEncoder<'_>,
        head: Head,
        value: impl Fn(&T) -> u64,
    ) -> Result<(), Error> {
        let labels = self.labels();
        let values = self.items.iter().map(|(_, item)| value(item));
        let samples: Vec<(Labels<'_>, u64)> =
            labels.iter().map(|label| label.as_slice()).zip(values).collect();
        counters(to, head, &samples)
    }

    fn seconds(
        &self,
        to: &mut DescriptorEncoder<'_>,
        head: Head,
        value: impl Fn(&T) -> std::time::Duration,
    ) -> Result<(), Error> {
        let labels = self.labels();
        let values = self.items.iter().map(|(_, item)| value(item).as_secs_f64());
        let samples: Vec<(Labels<'_>, f64)> =
            labels.iter().map(|label| label.as_slice()).zip(values).collect();
        counters(to, head, &samples)
    }

    fn gauge(
        &self,
        to: &mut DescriptorEncoder<'_>,
        head: Head,
        value: impl Fn(&T) -> f64,
    ) -> Result<(), Error> {
        let labels = self.labels();
        let values = self.items.iter().map(|(_, item)| value(item));
        let samples: Vec<(Labels<'_>, f64)> =
            labels.iter().map(|label| label.as_slice()).zip(values).collect();
        gauges(to, head, &samples)
    }

    fn labels(&self) -> Vec<[(&str, &str); 1]> {
        self.items.iter().map(|(name, _)| [(self.label, *name)]).collect()
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn encode_breakers(all: &[BreakerStats], to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let items = all.iter().map(|one| (one.name.as_str(), one)).collect();
    let each = Each { label: "breaker", items };
    let head = ("breaker_state", "0 closed, 1 half-open, 2 open");
    each.gauge(to, head, |one| f64::from(one.state.numeric()))?;
    each.counter(to, ("breaker_calls", "Calls admitted"), |one| one.total_calls)?;
    each.counter(to, ("breaker_successes", "Calls that succeeded"), |one| one.total_successes)?;
    let head = ("breaker_failures", "Calls that failed, timeouts and panics included");
    each.counter(to, head, |one| one.total_failures)?;
    each.counter(to, ("breaker_timeouts", "Calls that timed out"), |one| one.total_timeouts)?;
    each.counter(to, ("breaker_rejections", "Calls not admitted"), |one| one.total_rejected)?;
    let head = ("breaker_ignored", "Calls whose error says nothing about the dependency");
    each.counter(to, head, |one| one.total_ignored)?;
    let head = ("breaker_unknown", "Calls that nobody knows the fate of");
    each.counter(to, head, |one| one.total_unknown)?;
    each.counter(to, ("breaker_opens", "Transitions to open"), |one| one.opens)?;
    each.counter(to, ("breaker_closes", "Transitions to closed"), |one| one.closes)?;
    each.seconds(to, ("breaker_open_seconds", "Time spent open"), |one| one.open_time)?;
    let head = ("breaker_failure_rate_percent", "Failures by calls in the window");
    each.gauge(to, head, |one| one.failure_rate_percent)?;
    let head = ("breaker_response_seconds", "Durations of measured calls, added up");
    each.seconds(to, head, |one| one.response_time_total)?;
    let head = ("breaker_measured_calls", "Calls whose duration was measured");
    each.counter(to, head, |one| one.measured_calls)
}

fn encode_recovery(stats: &RecoveryStats, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    use crate::resilience::recovery::ComponentState as State;
    let system = [SystemState::Healthy, SystemState::Degraded, SystemState::Unhealthy];
    let system = system.map(|one| ([("state", one.as_str())], flag(one == stats.system)));
    let head = ("system_state", "1 for the present state of all components");
    gauges(to, head, &samples(&system))?;
    let states =
        [State::Healthy, State::Unknown, State::Degraded, State::CircuitOpen, State::Unhealthy];
    let labels: Vec<([(&str, &str); 2], f64)> = stats
        .components
        .iter()
        .flat_map(|one| {
            states.map(|state| {
                let labels = [("component", one.name.as_str()), ("state", state.as_str())];
                (labels, flag(one.state == state))
            })
        })
        .collect();
    let head = ("component_state", "1 for the present state of the component");
    gauges(to, head, &samples(&labels))?;
    encode_components(&stats.components, to)?;
    if let Some(mttr) = stats.mttr {
        let head = ("recovery_mttr_seconds", "Mean time from leaving HEALTHY to coming back");
        gauge(to, head, mttr.as_secs_f64())?;
    }
    if let Some(rate) = stats.recovery_rate {
        gauge(to, ("recovery_ratio", "Recovered incidents by all incidents"), rate)?;
    }
    let outcomes = stats.outcomes;
    let outcomes = [
        ([("outcome", "succeeded")], outcomes.succeeded),
        ([("outcome", "recovered")], outcomes.recovered),
        ([("outcome", "failed")], outcomes.failed),
        ([("outcome", "fallback_success")], outcomes.fallback_success),
        ([("outcome", "fallback_failed")], outcomes.fallback_failed),
        ([("outcome", "cached")], outcomes.cached),
        ([("outcome", "skipped")], outcomes.skipped),
    ];
    let head = ("executions", "Executions under recovery, by their end");
    counters(to, head, &samples(&outcomes))?;
    let head = ("recoveries_active", "Recovery attempts under way");
    gauge(to, head, stats.active_recoveries as f64)?;
    let head = ("recoveries_queued", "Components that wait for a recovery attempt");
    gauge(to, head, stats.queued_recoveries as f64)
}

fn encode_components(all: &[ComponentStats], to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let items = all.iter().map(|one| (one.name.as_str(), one)).collect();
    let each = Each { label: "component", items };
    let head = ("component_successes", "Executions that succeeded");
    each.counter(to, head, |one| one.successes)?;
    let head = ("component_failures", "Executions whose tries all failed or were rejected");
    each.counter(to, head, |one| one.failures)?;
    each.counter(to, ("component_retries", "Tries beyond the first"), |one| one.retries)?;
    let head = ("component_fallbacks", "Executions that a fallback or a cached result answered");
    each.counter(to, head, |one| one.fallbacks)?;
    each.counter(to, ("component_incidents", "Times it left HEALTHY"), |one| one.incidents)?;
    each.counter(to, ("component_recovered", "Times it came back"), |one| one.recovered)?;
    let head = ("component_recovery_seconds", "Times away from HEALTHY, added up");
    each.seconds(to, head, |one| one.recovery_time_total)?;
    let head = ("recovery_attempts_succeeded", "Recovery attempts that brought it back");
    each.counter(to, head, |one| one.recoveries_succeeded)?;
    let head = ("recovery_attempts_failed", "Recovery attempts that did not");
    each.counter(to, head, |one| one.recoveries_failed)
}

fn encode_pool(pool: &PoolStats, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let tasks = [
        ([("state", "active")], pool.active as f64),
        ([("state", "queued")], pool.queued as f64),
        ([("state", "retry_waiting")], pool.retry_waiting as f64),
    ];
    gauges(to, ("pool_tasks", "Tasks that have not ended, by state"), &samples(&tasks))?;
    for (head, value) in [
        (("pool_workers", "Tasks that may run at once"), pool.workers as f64),
        (("pool_utilisation_ratio", "Time that workers were busy"), pool.utilisation),
        (("pool_queue_high_water", "Longest queue so far"), pool.queue_high_water as f64),
        (("pool_submitters_waiting", "Callers without a place"), pool.submitters_waiting as f64),
    ] {
        gauge(to, head, value)?;
    }
    let ended = [
        ([("outcome", "completed")], pool.completed),
        ([("outcome", "failed")], pool.failed),
        ([("outcome", "timed_out")], pool.timed_out),
        ([("outcome", "cancelled")], pool.cancelled),
    ];
    counters(to, ("pool_tasks_ended", "Tasks that ended, by outcome"), &samples(&ended))?;
    for (head, value) in [
        (("pool_submitted", "Tasks accepted"), pool.submitted),
        (("pool_refused", "Tasks not accepted"), pool.refused),
        (("pool_retries", "Tries beyond a task's first"), pool.retried),
        (("pool_panics", "Tasks that panicked"), pool.panicked),
    ] {
        counter(to, head, value)?;
    }
    for (head, times) in [
        (("pool_wait_quantile_seconds", "Time in the queue"), pool.wait),
        (("pool_run_quantile_seconds", "Time of a try"), pool.run),
    ] {
        let quantiles = [
            ([("quantile", "0.5")], times.p50.as_secs_f64()),
            ([("quantile", "0.95")], times.p95.as_secs_f64()),
            ([("quantile", "0.99")], times.p99.as_secs_f64()),
            ([("quantile", "1")], times.max.as_secs_f64()),
        ];
        gauges(to, head, &samples(&quantiles))?;
    }
    Ok(())
}

fn encode_spool(spool: &SpoolStats, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    for (head, value) in [
        (("spool_chunks", "Chunks that wait on disk"), spool.chunks),
        (("spool_chunk_bytes", "Bytes of their events"), spool.chunk_bytes),
        (("spool_file_bytes", "Length of the data file"), spool.file_bytes),
        (("spool_dead_letters", "Dead letters kept"), spool.dead_letters),
        (("spool_dead_letter_bytes", "Bytes of their events"), spool.dead_letter_bytes),
    ] {
        gauge(to, head, value as f64)?;
    }
    for (head, value) in [
        (("spool_appended", "Chunks appended"), spool.appended),
        (("spool_removed", "Chunks removed or replaced"), spool.removed),
        (("spool_dead_letters_dropped", "Dead letters dropped"), spool.dead_letters_dropped),
        (("spool_commits", "Transactions committed"), spool.commits),
        (("spool_syncs", "Syncs of the data file"), spool.sync_count),
        (("spool_written_bytes", "Bytes written to the data file"), spool.written_bytes),
        (("spool_errors", "Calls that failed"), spool.errors),
        (("spool_reopened", "Times the data file was opened anew"), spool.reopened),
        (("spool_lost_bytes", "Bytes that a repair could not save"), spool.repaired.lost_bytes),
    ] {
        counter(to, head, value)?;
    }
    Ok(())
}

fn encode_limiters(
    all: &[(String, LimiterStats)],
    to: &mut DescriptorEncoder<'_>,
) -> Result<(), Error> {
    let items = all.iter().map(|(name, stats)| (name.as_str(), stats)).collect();
    let each = Each { label: "limiter", items };
    each.gauge(to, ("limiter_available", "Tokens in it"), |one| f64::from(one.available))?;
    each.gauge(to, ("limiter_waiting", "Callers waiting"), |one| one.waiting as f64)?;
    each.counter(to, ("limiter_tokens", "Tokens given"), |one| one.tokens_total)?;
    each.counter(to, ("limiter_admitted", "Calls admitted"), |one| one.admitted_total)?;
    each.counter(to, ("limiter_waited", "Calls admitted after a wait"), |one| one.waited_total)?;
    let head = ("limiter_wait_seconds", "Their waits, added up");
    each.seconds(to, head, |one| one.wait_time_total)?;
    each.counter(to, ("limiter_refused", "Calls refused"), |one| one.refused_total)?;
    let head = ("limiter_cancelled", "Callers that left before their turn");
    each.counter(to, head, |one| one.cancelled_total)
}

fn encode_alerts(alerts: &AlertStats, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let outcomes = [
        ([("outcome", "delivered")], alerts.delivered),
        ([("outcome", "failed")], alerts.failed),
        ([("outcome", "dropped")], alerts.dropped),
    ];
    counters(to, ("alerts", "Alerts by their end"), &samples(&outcomes))?;
    counter(to, ("alert_retries", "Tries beyond an alert's first"), alerts.retries)?;
    gauge(to, ("alerts_waiting", "Alerts on their way"), alerts.waiting as f64)
}
