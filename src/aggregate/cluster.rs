//! Cluster roll-up: sums, means over reporting brokers, maxima of what the controller counts for
//! the whole cluster, availability, health.

use super::EntityState;
use super::merge::Merged;
use crate::domain::attribute::Attributes;
use crate::domain::data_source::DataSource;
use crate::domain::entity::{EntityKey, EntityKind};
use crate::domain::extra::Extras;
use crate::domain::health::{HealthInputs, health_score};
use crate::domain::metric::{MetricId, MetricSet};
use crate::domain::units::{UnixMillis, Window};
use crate::sometimes;
use crate::transform::{RequestOutcome, request_outcome};

/// How many brokers there are, and should be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brokers {
    /// Reporting in this cycle.
    pub(super) reporting: usize,
    /// Wanted by the roster, or seen in the last minutes.
    pub(super) expected: usize,
}

/// State of a cluster of which nothing is known but its `members`, all of whose brokers are up;
/// `brokers_expected` of them should be there.
pub fn roll_up_members(
    key: EntityKey,
    members: &[EntityState],
    brokers_expected: usize,
) -> EntityState {
    let brokers = members.iter().filter(|member| member.key.kind() == EntityKind::Broker);
    let brokers = Brokers { reporting: brokers.count(), expected: brokers_expected };
    roll_up(key, None, members, brokers)
}

/// State of the cluster whose brokers, topics and groups are `members`.
pub(super) fn roll_up(
    key: EntityKey,
    own: Option<Merged<'_>>,
    members: &[EntityState],
    brokers: Brokers,
) -> EntityState {
    let own_at = own.as_ref().map_or(UnixMillis::default(), |own| own.at);
    let (mut metrics, attributes) = match own {
        Some(own) => (own.metrics, own.attributes.into_owned()),
        None => (MetricSet::new(EntityKind::Cluster), Attributes::default()),
    };
    let members = Members(members);
    for (id, sum_of) in SUMS {
        metrics.set_known(*id, members.sum(*sum_of));
    }
    for (id, mean_of) in MEANS {
        metrics.set_known(*id, members.mean(*mean_of));
    }
    metrics.set_known(MetricId::CLUSTER_DISK_MAX, members.max(MetricId::BROKER_DISK_USAGE));
    let errors = members.outcome().map(RequestOutcome::error_percent);
    metrics.set_known(MetricId::CLUSTER_ERROR_RATE, errors);
    members.counts(&mut metrics);
    availability(&mut metrics, brokers);
    health(&mut metrics);
    let observed_at = members.0.iter().map(|member| member.observed_at).fold(own_at, Ord::max);
    let of_brokers = members.0.iter().filter(|member| member.key.kind() == EntityKind::Broker);
    let window = of_brokers.fold(None, |all, broker| Window::union(all, broker.window));
    EntityState {
        key,
        data_source: DataSource::Infrastructure,
        observed_at,
        metrics,
        window,
        attributes,
        topics: Vec::new(),
        serving_brokers: Vec::new(),
        extras: Extras::default(),
    }
}

const SUMS: &[(MetricId, MetricId)] = &[
    (MetricId::CLUSTER_THROUGHPUT_TOTAL, MetricId::BROKER_MESSAGES_IN),
    (MetricId::CLUSTER_THROUGHPUT_IN, MetricId::BROKER_NETWORK_IN),
    (MetricId::CLUSTER_THROUGHPUT_OUT, MetricId::BROKER_NETWORK_OUT),
    (MetricId::CLUSTER_REQUEST_RATE, MetricId::BROKER_REQUEST_RATE),
    (MetricId::CLUSTER_CONTROLLERS_ACTIVE, MetricId::BROKER_IS_CONTROLLER),
];

const MEANS: &[(MetricId, MetricId)] = &[
    (MetricId::CLUSTER_CPU_MEAN, MetricId::BROKER_CPU_USAGE),
    (MetricId::CLUSTER_MEMORY_MEAN, MetricId::BROKER_MEMORY_USAGE),
    (MetricId::CLUSTER_DISK_MEAN, MetricId::BROKER_DISK_USAGE),
    (MetricId::CLUSTER_HANDLER_IDLE_MEAN, MetricId::BROKER_HANDLER_IDLE),
];

/// A cluster's entities; a metric is known of those whose kind has it.
struct Members<'s>(&'s [EntityState]);

impl Members<'_> {
    fn values(&self, id: MetricId) -> impl Iterator<Item = f64> {
        self.0.iter().filter_map(move |member| member.metrics.get(id))
    }

    fn sum(&self, id: MetricId) -> Option<f64> {
        self.values(id).reduce(|a, b| a + b)
    }

    fn max(&self, id: MetricId) -> Option<f64> {
        self.values(id).reduce(f64::max)
    }

    fn mean(&self, id: MetricId) -> Option<f64> {
        let count = self.values(id).count();
        self.sum(id).map(|sum| sum / count as f64)
    }

    fn count(&self, kind: EntityKind) -> usize {
        self.0.iter().filter(|member| member.key.kind() == kind).count()
    }

    /// Requests of all brokers by outcome.
    fn outcome(&self) -> Option<RequestOutcome> {
        let brokers = self.0.iter().filter(|member| member.key.kind() == EntityKind::Broker);
        let outcomes = brokers.filter_map(|broker| request_outcome(&broker.metrics));
        outcomes.reduce(|a, b| RequestOutcome {
            failed: a.failed + b.failed,
            handled: a.handled + b.handled,
        })
    }

    /// Counts that the cluster's own sample lacks.
    fn counts(&self, metrics: &mut MetricSet) {
        let mut otherwise = |id, value: Option<f64>| {
            if !metrics.contains(id) {
                metrics.set_known(id, value);
            }
        };
        let some = |count: usize| (count > 0).then_some(count as f64);
        let topics = self.count(EntityKind::Topic);
        otherwise(MetricId::CLUSTER_TOPIC_COUNT, some(topics));
        otherwise(MetricId::CLUSTER_GROUP_COUNT, some(self.count(EntityKind::ConsumerGroup)));
        // A sum over some of the topics would pass for the whole.
        let every_topic = self.values(MetricId::TOPIC_PARTITIONS).count() == topics;
        let by_topic = self.sum(MetricId::TOPIC_PARTITIONS).filter(|_| every_topic);
        let by_leader = || self.sum(MetricId::BROKER_LEADER_PARTITIONS);
        otherwise(MetricId::CLUSTER_PARTITIONS_TOTAL, by_topic.or_else(by_leader));
        otherwise(
            MetricId::CLUSTER_PARTITIONS_UNDER_REPLICATED,
            self.sum(MetricId::BROKER_UNDER_REPLICATED),
        );
        otherwise(
            MetricId::CLUSTER_PARTITIONS_OFFLINE,
            self.max(MetricId::BROKER_PARTITIONS_OFFLINE),
        );
    }
}

/// Broker counts and availability; nothing when neither metadata nor brokers said anything in this
/// cycle (offsets alone tell nothing of brokers).
fn availability(metrics: &mut MetricSet, brokers: Brokers) {
    let reporting = (brokers.reporting > 0).then_some(brokers.reporting as f64);
    let Some(online) = metrics.get(MetricId::CLUSTER_BROKERS_ONLINE).or(reporting) else { return };
    let expected = online.max(brokers.expected as f64);
    metrics.set(MetricId::CLUSTER_BROKERS_ONLINE, online);
    metrics.set(MetricId::CLUSTER_BROKER_COUNT, expected);
    metrics.set(MetricId::CLUSTER_BROKERS_OFFLINE, expected - online);
    let total = metrics.get(MetricId::CLUSTER_PARTITIONS_TOTAL).filter(|total| *total > 0.0);
    let offline = metrics.get(MetricId::CLUSTER_PARTITIONS_OFFLINE);
    let serving = total
        .zip(offline)
        .map_or(100.0, |(total, offline)| ((total - offline) / total * 100.0).max(0.0));
    let up = if expected > 0.0 { online / expected * 100.0 } else { 0.0 };
    metrics.set(MetricId::CLUSTER_AVAILABILITY, up.min(serving));
}

fn health(metrics: &mut MetricSet) {
    let inputs = HealthInputs {
        offline_partitions: metrics.get(MetricId::CLUSTER_PARTITIONS_OFFLINE),
        under_replicated_partitions: metrics.get(MetricId::CLUSTER_PARTITIONS_UNDER_REPLICATED),
        cpu_mean_percent: metrics.get(MetricId::CLUSTER_CPU_MEAN),
        memory_mean_percent: metrics.get(MetricId::CLUSTER_MEMORY_MEAN),
        disk_max_percent: metrics.get(MetricId::CLUSTER_DISK_MAX),
        error_rate_percent: metrics.get(MetricId::CLUSTER_ERROR_RATE),
        handler_idle_mean_percent: metrics.get(MetricId::CLUSTER_HANDLER_IDLE_MEAN),
        brokers_offline: metrics.get(MetricId::CLUSTER_BROKERS_OFFLINE),
        brokers_total: metrics.get(MetricId::CLUSTER_BROKER_COUNT),
    };
    let health = health_score(&inputs);
    sometimes!(CLUSTER_UNHEALTHY, health.score < 70);
    sometimes!(BROKER_MISSED, inputs.brokers_offline.is_some_and(|count| count > 0.0));
    sometimes!(DISK_NEARLY_FULL, inputs.disk_max_percent.is_some_and(|disk| disk > 90.0));
    let no_broker = inputs.brokers_total == Some(0.0);
    if health.confidence > 0.0 || no_broker {
        metrics.set(MetricId::CLUSTER_HEALTH_SCORE, f64::from(health.score));
        metrics.set(MetricId::CLUSTER_HEALTH_CONFIDENCE, health.confidence);
    }
}
