//! Figures of what users add: hooks, windows of time, custom metrics. Without any of them there is
//! nothing to show.

use std::fmt::Error;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::write::{by_label, counter, gauge};
use crate::hooks::HookStats;
use crate::pipeline::{Counts, Snapshot};

/// Writes the figures of `snapshot`.
pub(super) fn encode(snapshot: &Snapshot, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    if !snapshot.hooks.is_empty() {
        hooks(&snapshot.hooks, to)?;
    }
    if let Some(stats) = &snapshot.windows {
        let readings = [
            ("counted", stats.counted),
            ("duplicate", stats.duplicate),
            ("late", stats.late),
            ("ahead", stats.ahead),
        ];
        let head = ("window_readings", "Readings offered to windows of time, by outcome");
        by_label(to, head, "outcome", &counts(&readings))?;
        let head = ("window_amendments", "Readings that came after their window's end");
        counter(to, head, stats.amended)?;
        let told =
            [("time", stats.closed), ("eviction", stats.evicted), ("shutdown", stats.shut_down)];
        let head = ("windows", "Windows of time that were told, by why");
        by_label(to, head, "reason", &counts(&told))?;
        let head =
            ("windows_incomplete", "Windows of time that were told and lack a part of their span");
        counter(to, head, stats.incomplete)?;
        let head = ("window_entities", "Entities with open windows");
        gauge(to, head, stats.groups as f64)?;
    }
    if !snapshot.ledger.metrics_absent.is_empty() {
        let head =
            ("custom_metrics_absent", "Custom metrics without a value, by metric and reason");
        by_label(to, head, "metric_reason", &snapshot.ledger.metrics_absent)?;
    }
    Ok(())
}

fn counts(pairs: &[(&str, u64)]) -> Counts {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn hooks(hooks: &[HookStats], to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let head = ("hook_items", "Items that a hook has seen, by outcome and reason");
    let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Counter)?;
    for hook in hooks {
        let dropped = hook.dropped.iter().map(|(reason, n)| ("dropped", reason.as_str(), *n));
        let others = [("passed", "", hook.passed), ("changed", "", hook.changed)];
        for (outcome, reason, count) in others.into_iter().chain(dropped) {
            let labels = [("hook", hook.name.as_str()), ("outcome", outcome), ("reason", reason)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    let head = ("hook_failures", "Times that a hook failed");
    let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Counter)?;
    for hook in hooks {
        let labels = [("hook", hook.name.as_str())];
        ConstCounter::new(hook.failed).encode(family.encode_family(&labels)?)?;
    }
    let head = ("hook_seconds", "Time that a hook took");
    let mut family = to.encode_descriptor(head.0, head.1, None, MetricType::Counter)?;
    for hook in hooks {
        let seconds = Duration::from_nanos(hook.took_ns).as_secs_f64();
        let labels = [("hook", hook.name.as_str())];
        ConstCounter::new(seconds).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
