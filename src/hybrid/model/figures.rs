//! The figures of one entity of the model.

use std::borrow::Cow;

use super::estate::{Estate, Flow};
use super::wave::Wave;
use crate::aggregate::group_health_of;
use crate::domain::attribute::{AttributeId, AttributeValue, Attributes};
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::metric::{MetricId, MetricSet};
use crate::domain::units::UnixMillis;
use crate::transform::derive;
use crate::workload::gauge::{Gauges, Noise, load};

/// What noise is for; the gauges' own numbers are below 16.
mod what {
    pub(super) const RATE: u64 = 16;
    pub(super) const DISK: u64 = 17;
    pub(super) const SIZE: u64 = 18;
    pub(super) const LAG: u64 = 19;
    pub(super) const LAG_MAX: u64 = 20;
    pub(super) const COMMIT_AGE: u64 = 21;
    pub(super) const DEPTH: u64 = 22;
    pub(super) const UNACKED: u64 = 23;
    pub(super) const PROCESSING: u64 = 24;
}

/// Share of its rate by which a flow swings.
const SWING: f64 = 0.05;
/// Disk of a broker, bytes.
const DISK_BYTES: f64 = 1e12;
/// Messages that a producer sends in one request, and a consumer gets.
const MESSAGES_PER_REQUEST: f64 = 50.0;
/// Polls per second of one follower.
const FOLLOWER_POLLS: f64 = 2.0;
/// Members of a group; a group has no plan for them.
const MEMBERS: f64 = 3.0;

fn set(metrics: &mut MetricSet, values: &[(MetricId, f64)]) {
    for (id, value) in values {
        if id.def().range.contains(*value) {
            metrics.set(*id, *value);
        }
    }
}

/// A broker that carries its share of the cluster's topics.
pub(super) fn broker(
    estate: &Estate,
    key: &EntityKey,
    load_share: f64,
    wave: &Wave,
) -> (MetricSet, Attributes<'static>) {
    let share = estate.share(key);
    let busy = load_share * wave.around_one(what::RATE, SWING);
    let messages = share.messages_per_second * busy;
    let (bytes_in, bytes_out) =
        (share.bytes_in_per_second * busy, share.bytes_out_per_second * busy);
    let noise = |gauge: Noise| wave.around_one(gauge as u64, gauge.amplitude());
    let gauges = Gauges::under(load(messages, bytes_in, bytes_out), false, noise);
    let (produce, fetch) = (
        messages / MESSAGES_PER_REQUEST,
        bytes_out / bytes_in.max(1.0) * messages / MESSAGES_PER_REQUEST,
    );
    let followers =
        FOLLOWER_POLLS * f64::from(share.partitions.saturating_sub(share.leaders).min(1));
    let disk_used = DISK_BYTES * (0.2 + 0.4 * wave.base(what::DISK));
    let mut metrics = MetricSet::new(EntityKind::Broker);
    set(
        &mut metrics,
        &[
            (MetricId::BROKER_CPU_USAGE, gauges.cpu_load * 100.0),
            (MetricId::BROKER_MEMORY_TOTAL, gauges.memory_total_bytes as f64),
            (MetricId::BROKER_MEMORY_FREE, gauges.memory_free_bytes as f64),
            (MetricId::BROKER_HEAP_USED, gauges.heap_used_bytes as f64),
            (MetricId::BROKER_HEAP_MAX, gauges.heap_max_bytes as f64),
            (MetricId::BROKER_DISK_TOTAL, DISK_BYTES),
            (MetricId::BROKER_DISK_FREE, DISK_BYTES - disk_used),
            (MetricId::BROKER_NETWORK_IN, bytes_in),
            (MetricId::BROKER_NETWORK_OUT, bytes_out),
            (MetricId::BROKER_MESSAGES_IN, messages),
            (MetricId::BROKER_PRODUCE_LATENCY, gauges.produce_p99_ms),
            (MetricId::BROKER_FETCH_LATENCY, gauges.fetch_consumer_p99_ms),
            (MetricId::BROKER_PRODUCE_RATE, produce),
            (MetricId::BROKER_FETCH_CONSUMER_RATE, fetch),
            (MetricId::BROKER_FETCH_FOLLOWER_RATE, followers),
            (MetricId::BROKER_PRODUCE_HANDLED, produce),
            (MetricId::BROKER_FETCH_HANDLED, fetch + followers),
            (MetricId::BROKER_PRODUCE_FAILED, 0.0),
            (MetricId::BROKER_FETCH_FAILED, 0.0),
            (MetricId::BROKER_HANDLER_IDLE, gauges.handler_idle * 100.0),
            (MetricId::BROKER_PARTITIONS, f64::from(share.partitions)),
            (MetricId::BROKER_LEADER_PARTITIONS, f64::from(share.leaders)),
            (MetricId::BROKER_UNDER_REPLICATED, 0.0),
            (MetricId::BROKER_PARTITIONS_OFFLINE, 0.0),
            (MetricId::BROKER_IS_CONTROLLER, f64::from(u8::from(share.is_controller))),
        ],
    );
    derive(&mut metrics);
    let mut attributes = Attributes::default();
    let host = format!("{}-broker-{}", key.cluster(), key.name());
    attributes.set(AttributeId::Hostname, AttributeValue::Text(Cow::Owned(host)));
    (metrics, attributes)
}

/// A topic whose producers follow the load and whose readers keep up, give or take their lag.
pub(super) fn topic(
    estate: &Estate,
    key: &EntityKey,
    load_share: f64,
    wave: &Wave,
    at: UnixMillis,
) -> MetricSet {
    let mut metrics = MetricSet::new(EntityKind::Topic);
    let Some(flow) = estate.flow(key, key.name()) else { return metrics };
    let busy = load_share * wave.around_one(what::RATE, SWING);
    let (messages, bytes) = (flow.messages_per_second * busy, flow.bytes_per_second * busy);
    let requests = messages / MESSAGES_PER_REQUEST;
    let readers = flow.readers.len() as f64;
    set(
        &mut metrics,
        &[
            (MetricId::TOPIC_MESSAGES_IN, messages),
            (MetricId::TOPIC_BYTES_IN, bytes),
            (MetricId::TOPIC_BYTES_OUT, bytes * readers),
            (MetricId::TOPIC_SIZE, wave.between(what::SIZE, 1.0, 10_240.0)),
            (MetricId::TOPIC_PARTITIONS, f64::from(flow.partitions)),
            (MetricId::TOPIC_REPLICATION, f64::from(flow.replicas)),
            (MetricId::TOPIC_UNDER_REPLICATED, 0.0),
            (MetricId::TOPIC_OFFLINE, 0.0),
            (MetricId::TOPIC_PRODUCE_HANDLED, requests),
            (MetricId::TOPIC_FETCH_HANDLED, requests * readers),
            (MetricId::TOPIC_PRODUCE_FAILED, 0.0),
            (MetricId::TOPIC_FETCH_FAILED, 0.0),
        ],
    );
    let lags = flow.readers.iter().map(|group| lag(estate, group, key.name(), at).total);
    if let Some(worst) = lags.clone().reduce(f64::max) {
        let sum = lags.sum();
        set(
            &mut metrics,
            &[
                (MetricId::TOPIC_LAG, worst),
                (MetricId::TOPIC_CONSUMER_LAG, sum),
                (MetricId::TOPIC_MESSAGES_OUT, messages * readers),
            ],
        );
    }
    derive(&mut metrics);
    metrics
}

/// A group that keeps up with its topics.
pub(super) fn group(
    estate: &Estate,
    key: &EntityKey,
    topics: &[String],
    load_share: f64,
    wave: &Wave,
    at: UnixMillis,
) -> (MetricSet, Attributes<'static>) {
    let mut metrics = MetricSet::new(EntityKind::ConsumerGroup);
    let flows: Vec<&Flow> = topics.iter().filter_map(|topic| estate.flow(key, topic)).collect();
    let base: f64 = flows.iter().map(|flow| flow.messages_per_second).sum();
    let lags = topics.iter().map(|topic| lag(estate, key, topic, at));
    let whole = lags.reduce(|sum, lag| Lag {
        total: sum.total + lag.total,
        largest: sum.largest.max(lag.largest),
    });
    if let Some(whole) = whole {
        set(
            &mut metrics,
            &[
                (MetricId::GROUP_LAG_TOTAL, whole.total),
                (MetricId::GROUP_LAG_MAX, whole.largest),
                (
                    MetricId::GROUP_CONSUMPTION,
                    base * load_share * wave.around_one(what::RATE, SWING),
                ),
                (MetricId::GROUP_TOPICS, topics.len() as f64),
            ],
        );
    }
    set(
        &mut metrics,
        &[
            (MetricId::GROUP_MEMBERS_TOTAL, MEMBERS),
            (MetricId::GROUP_MEMBERS_ACTIVE, MEMBERS),
            (MetricId::GROUP_LAST_COMMIT_AGE, (5.0 * wave.swing(what::COMMIT_AGE)).round()),
        ],
    );
    derive(&mut metrics);
    let mut attributes = Attributes::default();
    attributes.set(AttributeId::State, AttributeValue::Text(Cow::Borrowed("Stable")));
    if let Some(broker) = estate.coordinator(key) {
        attributes.set(AttributeId::CoordinatorId, AttributeValue::Integer(broker.into()));
    }
    metrics.set_known(MetricId::GROUP_HEALTH_SCORE, group_health_of(&metrics, &attributes));
    (metrics, attributes)
}

/// Messages that a group has still to read.
#[derive(Debug, Clone, Copy)]
struct Lag {
    /// Of all partitions.
    total: f64,
    /// Of the worst one.
    largest: f64,
}

/// The lag of `group` on `topic`, the same whether topic or group is asked for.
fn lag(estate: &Estate, group: &EntityKey, topic: &str, at: UnixMillis) -> Lag {
    let wave = estate.reader_wave(group, topic, at);
    let total = (wave.between(what::LAG, 50.0, 1_000.0) * wave.swing(what::LAG)).round();
    let partitions = estate.flow(group, topic).map_or(1, |flow| flow.partitions.max(1));
    // At least the mean, at most all of it.
    let least = 1.0 / f64::from(partitions);
    let share = least + (1.0 - least) * 0.3 * wave.swing(what::LAG_MAX);
    Lag { total, largest: (total * share).ceil().min(total) }
}

/// A queue that its consumers empty as fast as it fills.
pub(super) fn queue(load_share: f64, wave: &Wave) -> MetricSet {
    let mut metrics = MetricSet::new(EntityKind::Queue);
    let rate =
        wave.between(what::RATE, 20.0, 500.0) * load_share * wave.around_one(what::RATE, SWING);
    let ready = (500.0 * wave.swing(what::DEPTH)).round();
    let unacked = (50.0 * wave.swing(what::UNACKED)).round();
    set(
        &mut metrics,
        &[
            (MetricId::QUEUE_DEPTH, ready + unacked),
            (MetricId::QUEUE_READY, ready),
            (MetricId::QUEUE_UNACKED, unacked),
            (MetricId::QUEUE_MESSAGES_IN, rate),
            (MetricId::QUEUE_MESSAGES_OUT, rate),
            (MetricId::QUEUE_PROCESSING_TIME, 200.0 * wave.around_one(what::PROCESSING, 0.25)),
            (MetricId::QUEUE_CONSUMERS, MEMBERS),
        ],
    );
    metrics
}
