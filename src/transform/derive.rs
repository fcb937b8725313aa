//! Metrics that follow from other metrics of the same entity.
//!
//! Invariants:
//! - A formula whose parts are known sets its metric, whatever was there before, so that the
//!   formula holds between the values of one entity; where parts are missing the metric stays.
//! - A result outside the metric's range is not set.
//! - Deriving twice changes nothing.

use crate::domain::entity::EntityKind;
use crate::domain::health::{BrokerHealthInputs, broker_health};
use crate::domain::metric::{MetricBoard, MetricId, MetricSet};

/// Sets the derived metrics of a broker, topic or group. A cluster's follow from its members, and a
/// group's health needs its state: both are the aggregator's.
pub fn derive(metrics: &mut MetricSet) {
    let mut board = MetricBoard::from(&*metrics);
    derive_on(&mut board);
    *metrics = board.to_set();
}

/// [`derive()`] while the metrics are gathered.
pub(super) fn derive_on(metrics: &mut MetricBoard) {
    match metrics.kind() {
        EntityKind::Broker => broker(metrics),
        EntityKind::Topic => topic(metrics),
        EntityKind::ConsumerGroup => group(metrics),
        EntityKind::Cluster | EntityKind::Queue => {}
    }
}

fn set(metrics: &mut MetricBoard, id: MetricId, value: Option<f64>) {
    if let Some(value) = value.filter(|value| id.def().range.contains(*value)) {
        metrics.set(id, value);
    }
}

fn broker(metrics: &mut MetricBoard) {
    memory(metrics);
    let get = |metrics: &MetricBoard, id| metrics.get(id);

    let total = get(metrics, MetricId::BROKER_DISK_TOTAL);
    let disk = total.zip(get(metrics, MetricId::BROKER_DISK_FREE));
    set(metrics, MetricId::BROKER_DISK_USED, disk.map(|(total, free)| total - free));
    let disk = disk.filter(|(total, _)| *total > 0.0);
    let usage = disk.map(|(total, free)| (total - free) / total * 100.0);
    set(metrics, MetricId::BROKER_DISK_USAGE, usage);

    let traffic = get(metrics, MetricId::BROKER_NETWORK_IN)
        .zip(get(metrics, MetricId::BROKER_NETWORK_OUT))
        .map(|(bytes_in, bytes_out)| bytes_in + bytes_out);
    set(metrics, MetricId::BROKER_NETWORK_THROUGHPUT, traffic);

    let latencies = [MetricId::BROKER_PRODUCE_LATENCY, MetricId::BROKER_FETCH_LATENCY];
    let latency = latencies.into_iter().filter_map(|id| metrics.get(id)).reduce(f64::max);
    set(metrics, MetricId::BROKER_REQUEST_LATENCY, latency);

    let rates = [
        MetricId::BROKER_PRODUCE_RATE,
        MetricId::BROKER_FETCH_CONSUMER_RATE,
        MetricId::BROKER_FETCH_FOLLOWER_RATE,
        MetricId::BROKER_METADATA_RATE,
        MetricId::BROKER_OFFSET_COMMIT_RATE,
        MetricId::BROKER_LIST_GROUPS_RATE,
    ];
    let requests = rates.into_iter().filter_map(|id| metrics.get(id)).reduce(|a, b| a + b);
    set(metrics, MetricId::BROKER_REQUEST_RATE, requests);

    let errors = outcome(metrics.kind(), |id| metrics.get(id)).map(RequestOutcome::error_percent);
    set(metrics, MetricId::BROKER_ERROR_RATE, errors);

    let load = get(metrics, MetricId::BROKER_CPU_USAGE)
        .zip(get(metrics, MetricId::BROKER_MEMORY_USAGE))
        .map(|(cpu, memory)| 0.6 * cpu + 0.4 * memory);
    set(metrics, MetricId::BROKER_LOAD_SCORE, load);

    let health = broker_health(&BrokerHealthInputs {
        under_replicated_partitions: metrics.get(MetricId::BROKER_UNDER_REPLICATED),
        cpu_percent: metrics.get(MetricId::BROKER_CPU_USAGE),
        memory_used_bytes: metrics.get(MetricId::BROKER_MEMORY_USED),
        handler_idle_percent: metrics.get(MetricId::BROKER_HANDLER_IDLE),
    });
    set(metrics, MetricId::BROKER_HEALTH_SCORE, health.map(f64::from));
}

/// Of total, free and used memory a source gives two; the third follows, and is then left alone,
/// because computing one of the two back from it would round.
fn memory(metrics: &mut MetricBoard) {
    let free = metrics.get(MetricId::BROKER_MEMORY_FREE);
    let used = metrics.get(MetricId::BROKER_MEMORY_USED);
    let total = metrics.get(MetricId::BROKER_MEMORY_TOTAL);
    match (total, free, used) {
        (Some(total), Some(free), None) => {
            set(metrics, MetricId::BROKER_MEMORY_USED, Some(total - free));
        }
        (None, Some(free), Some(used)) => {
            set(metrics, MetricId::BROKER_MEMORY_TOTAL, Some(used + free));
        }
        _ => {}
    }
    let used = metrics.get(MetricId::BROKER_MEMORY_USED);
    let total = metrics.get(MetricId::BROKER_MEMORY_TOTAL).filter(|total| *total > 0.0);
    let usage = used.zip(total).map(|(used, total)| used / total * 100.0);
    set(metrics, MetricId::BROKER_MEMORY_USAGE, usage);
}

/// Produce and fetch requests per second whose outcome is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestOutcome {
    /// Failed ones.
    pub failed: f64,
    /// All of them.
    pub handled: f64,
}

impl RequestOutcome {
    /// Share of failed ones in percent; 0 when there was no request, at most 100.
    pub fn error_percent(self) -> f64 {
        if self.handled > 0.0 {
            (self.failed / self.handled * 100.0).min(100.0)
        } else if self.failed > 0.0 {
            100.0
        } else {
            0.0
        }
    }
}

/// Requests of a broker or topic by outcome, over the types (produce, fetch) whose failed and
/// handled rates are both known. A source that counts no handled requests (nri-kafka) lends its
/// request rates instead.
pub fn request_outcome(metrics: &MetricSet) -> Option<RequestOutcome> {
    outcome(metrics.kind(), |id| metrics.get(id))
}

fn outcome(kind: EntityKind, get: impl Fn(MetricId) -> Option<f64>) -> Option<RequestOutcome> {
    let sum = |a: MetricId, b: MetricId| match (get(a), get(b)) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    };
    let types = match kind {
        EntityKind::Broker => [
            (
                get(MetricId::BROKER_PRODUCE_FAILED),
                get(MetricId::BROKER_PRODUCE_HANDLED).or(get(MetricId::BROKER_PRODUCE_RATE)),
            ),
            (
                get(MetricId::BROKER_FETCH_FAILED),
                get(MetricId::BROKER_FETCH_HANDLED).or_else(|| {
                    let consumers = MetricId::BROKER_FETCH_CONSUMER_RATE;
                    sum(consumers, MetricId::BROKER_FETCH_FOLLOWER_RATE)
                }),
            ),
        ],
        EntityKind::Topic => [
            (get(MetricId::TOPIC_PRODUCE_FAILED), get(MetricId::TOPIC_PRODUCE_HANDLED)),
            (get(MetricId::TOPIC_FETCH_FAILED), get(MetricId::TOPIC_FETCH_HANDLED)),
        ],
        _ => return None,
    };
    let known = types.into_iter().filter_map(|(failed, handled)| failed.zip(handled));
    known.map(|(failed, handled)| RequestOutcome { failed, handled }).reduce(|a, b| {
        RequestOutcome { failed: a.failed + b.failed, handled: a.handled + b.handled }
    })
}

fn topic(metrics: &mut MetricBoard) {
    let errors = outcome(metrics.kind(), |id| metrics.get(id)).map(RequestOutcome::error_percent);
    set(metrics, MetricId::TOPIC_ERROR_RATE, errors);

    let messages_in = metrics.get(MetricId::TOPIC_MESSAGES_IN).filter(|rate| *rate > 0.0);
    let size = metrics.get(MetricId::TOPIC_BYTES_IN).zip(messages_in);
    set(metrics, MetricId::TOPIC_MESSAGE_SIZE, size.map(|(bytes, messages)| bytes / messages));

    let flow = metrics.get(MetricId::TOPIC_MESSAGES_OUT).zip(messages_in);
    let efficiency = flow.zip(metrics.get(MetricId::TOPIC_ERROR_RATE));
    let efficiency = efficiency.map(|((out, messages_in), errors)| {
        let kept_up = (out / messages_in * 100.0).min(100.0);
        0.7 * kept_up + 0.3 * (100.0 - 10.0 * errors).max(0.0)
    });
    set(metrics, MetricId::TOPIC_EFFICIENCY, efficiency);
}

fn group(metrics: &mut MetricBoard) {
    let rate = metrics.get(MetricId::GROUP_CONSUMPTION).filter(|rate| *rate > 0.0);
    let catch_up = metrics.get(MetricId::GROUP_LAG_TOTAL).zip(rate);
    set(metrics, MetricId::GROUP_CATCH_UP, catch_up.map(|(lag, rate)| (lag / rate).round()));

    if !metrics.contains(MetricId::GROUP_MEMBERS_ACTIVE) {
        let members = metrics.get(MetricId::GROUP_MEMBERS_TOTAL);
        set(metrics, MetricId::GROUP_MEMBERS_ACTIVE, members);
    }
}
