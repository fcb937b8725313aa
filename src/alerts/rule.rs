//! The rules: one per figure and kind of entity.
//!
//! The levels are those of the entity definitions (`warning`, `critical`); where a definition says
//! "degraded" and "unhealthy", these are the two.
//!
//! Left out, because no metric tells: the imbalance of a topic's partitions, errors of consumer
//! groups, and depths by the type of a queue.

use crate::domain::entity::EntityKind::{self, Broker, Cluster, ConsumerGroup, Queue, Topic};
use crate::domain::metric::{MetricId, Unit};

use super::condition::{Level, Operator};
use Operator::{Above, Below};

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// In kebab case; never changes.
    pub id: &'static str,
    /// What is wrong when it fires.
    pub title: &'static str,
    /// The kind of entity that it watches.
    pub kind: EntityKind,
    /// The figure.
    pub measure: Measure,
    /// Of which events alone, as NRQL.
    pub only: Option<&'static str>,
    /// Which values are bad.
    pub limit: Limit,
    /// How long they must last, in seconds.
    pub lasts_seconds: u32,
}

/// A figure of one entity in one window.
#[derive(Debug, Clone, Copy)]
pub enum Measure {
    /// The newest value.
    Latest(MetricId),
    /// The mean.
    Average(MetricId),
    /// The greatest.
    Max(MetricId),
    /// What 99 of 100 samples do not exceed.
    Percentile99(MetricId),
    /// The mean of a sum.
    AverageSum(MetricId, MetricId),
    /// How many events there were.
    Events,
}

/// Which values are bad.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// Beyond fixed levels.
    Static(Operator, Level),
    /// Above a share of what the configuration says is possible.
    OfCapacity(Capacity, Level),
    /// So many standard deviations above what New Relic expects.
    Baseline(Level),
    /// None at all.
    Silence,
}

/// What only the configuration can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// Bytes per second that all brokers of a cluster together can move.
    Cluster,
    /// Bytes per second of a broker's network card.
    Broker,
}

const fn both(warning: f64, critical: f64) -> Level {
    Level { warning: Some(warning), critical: Some(critical) }
}

const fn warning(warning: f64) -> Level {
    Level { warning: Some(warning), critical: None }
}

const fn critical(critical: f64) -> Level {
    Level { warning: None, critical: Some(critical) }
}

const fn rule(
    id: &'static str,
    title: &'static str,
    kind: EntityKind,
    measure: Measure,
    limit: Limit,
) -> Rule {
    Rule { id, title, kind, measure, only: None, limit, lasts_seconds: 300 }
}

const fn fixed(
    id: &'static str,
    title: &'static str,
    kind: EntityKind,
    measure: Measure,
    operator: Operator,
    level: Level,
) -> Rule {
    rule(id, title, kind, measure, Limit::Static(operator, level))
}

use Measure::{Average, AverageSum, Events, Latest, Max, Percentile99};
use MetricId as M;

/// Every rule, by kind of entity.
pub const RULES: &[Rule] = &[
    fixed(
        "cluster-health",
        "Cluster is unwell",
        Cluster,
        Latest(M::CLUSTER_HEALTH_SCORE),
        Below,
        both(80.0, 60.0),
    ),
    fixed(
        "cluster-availability",
        "Brokers or partitions of the cluster do not serve",
        Cluster,
        Latest(M::CLUSTER_AVAILABILITY),
        Below,
        both(99.0, 95.0),
    ),
    fixed(
        "cluster-errors",
        "Requests to the cluster fail",
        Cluster,
        Average(M::CLUSTER_ERROR_RATE),
        Above,
        both(1.0, 5.0),
    ),
    fixed(
        "cluster-offline-partitions",
        "Partitions have no leader",
        Cluster,
        Max(M::CLUSTER_PARTITIONS_OFFLINE),
        Above,
        critical(0.0),
    ),
    fixed(
        "cluster-under-replicated",
        "Partitions lack replicas",
        Cluster,
        Max(M::CLUSTER_PARTITIONS_UNDER_REPLICATED),
        Above,
        warning(0.0),
    ),
    fixed(
        "cluster-cpu",
        "The cluster's brokers are busy",
        Cluster,
        Average(M::CLUSTER_CPU_MEAN),
        Above,
        warning(85.0),
    ),
    rule(
        "cluster-capacity",
        "The cluster's throughput nears what it can carry",
        Cluster,
        AverageSum(M::CLUSTER_THROUGHPUT_IN, M::CLUSTER_THROUGHPUT_OUT),
        Limit::OfCapacity(Capacity::Cluster, warning(0.8)),
    ),
    rule(
        "cluster-message-rate",
        "Many more messages than usual",
        Cluster,
        Average(M::CLUSTER_THROUGHPUT_TOTAL),
        Limit::Baseline(warning(3.0)),
    ),
    rule("cluster-silent", "Nothing is heard of the cluster", Cluster, Events, Limit::Silence),
    fixed(
        "broker-cpu",
        "Broker is busy",
        Broker,
        Average(M::BROKER_CPU_USAGE),
        Above,
        both(70.0, 85.0),
    ),
    fixed(
        "broker-memory",
        "Broker runs out of memory",
        Broker,
        Average(M::BROKER_MEMORY_USAGE),
        Above,
        both(80.0, 90.0),
    ),
    fixed(
        "broker-disk",
        "Broker runs out of disk",
        Broker,
        Latest(M::BROKER_DISK_USAGE),
        Above,
        both(80.0, 90.0),
    ),
    fixed(
        "broker-partitions",
        "Broker has very many partitions",
        Broker,
        Latest(M::BROKER_PARTITIONS),
        Above,
        warning(1_000.0),
    ),
    fixed(
        "broker-latency",
        "Broker answers slowly",
        Broker,
        Percentile99(M::BROKER_REQUEST_LATENCY),
        Above,
        both(100.0, 1_000.0),
    ),
    rule(
        "broker-network",
        "Broker's network nears what it can carry",
        Broker,
        Average(M::BROKER_NETWORK_THROUGHPUT),
        Limit::OfCapacity(Capacity::Broker, warning(0.8)),
    ),
    fixed(
        "broker-errors",
        "Requests to the broker fail",
        Broker,
        Average(M::BROKER_ERROR_RATE),
        Above,
        critical(5.0),
    ),
    rule("broker-silent", "Nothing is heard of the broker", Broker, Events, Limit::Silence),
    fixed(
        "topic-lag",
        "Readers of the topic are behind",
        Topic,
        Max(M::TOPIC_CONSUMER_LAG),
        Above,
        both(10_000.0, 100_000.0),
    ),
    fixed(
        "topic-errors",
        "Requests for the topic fail",
        Topic,
        Average(M::TOPIC_ERROR_RATE),
        Above,
        both(1.0, 5.0),
    ),
    fixed(
        "topic-under-replicated",
        "Partitions of the topic lack replicas",
        Topic,
        Max(M::TOPIC_UNDER_REPLICATED),
        Above,
        critical(0.0),
    ),
    fixed(
        "queue-depth",
        "Very many messages wait",
        Queue,
        Max(M::QUEUE_DEPTH),
        Above,
        both(100_000.0, 1_000_000.0),
    ),
    fixed(
        "queue-ready",
        "Messages wait to be delivered",
        Queue,
        Max(M::QUEUE_READY),
        Above,
        warning(5_000.0),
    ),
    Rule {
        only: Some("queue.consumers = 0"),
        ..fixed(
            "queue-abandoned",
            "Messages wait and nobody reads them",
            Queue,
            Max(M::QUEUE_READY),
            Above,
            critical(10_000.0),
        )
    },
    fixed(
        "queue-memory",
        "Queue takes much memory",
        Queue,
        Max(M::QUEUE_MEMORY),
        Above,
        warning(1_073_741_824.0),
    ),
    fixed(
        "queue-processing",
        "Messages take long to process",
        Queue,
        Average(M::QUEUE_PROCESSING_TIME),
        Above,
        both(5_000.0, 10_000.0),
    ),
    fixed(
        "group-lag",
        "Consumer group is behind",
        ConsumerGroup,
        Max(M::GROUP_LAG_TOTAL),
        Above,
        both(10_000.0, 100_000.0),
    ),
    fixed(
        "group-inactive",
        "Consumer group has no members",
        ConsumerGroup,
        Max(M::GROUP_MEMBERS_ACTIVE),
        Below,
        warning(1.0),
    ),
];

impl Rule {
    /// The rule called `id`.
    pub fn find(id: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.id == id)
    }

    /// The unit of its levels.
    pub fn unit(&self) -> Unit {
        match self.measure {
            Latest(metric)
            | Average(metric)
            | Max(metric)
            | Percentile99(metric)
            | AverageSum(metric, _) => metric.def().unit,
            Events => Unit::Count,
        }
    }

    /// Its metrics.
    pub fn metrics(&self) -> impl Iterator<Item = MetricId> + use<> {
        let (first, second) = match self.measure {
            Latest(metric) | Average(metric) | Max(metric) | Percentile99(metric) => {
                (Some(metric), None)
            }
            AverageSum(first, second) => (Some(first), Some(second)),
            Events => (None, None),
        };
        first.into_iter().chain(second)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rules_are_told_apart_and_levels_are_possible() {
        let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), RULES.len());
        for rule in RULES {
            for metric in rule.metrics() {
                assert_eq!(metric.entity(), rule.kind, "{}", rule.id);
                assert_eq!(metric.def().unit, rule.unit(), "{}: one unit", rule.id);
            }
            let (Limit::Static(_, level) | Limit::OfCapacity(_, level) | Limit::Baseline(level)) =
                rule.limit
            else {
                continue;
            };
            assert!(level.warning.or(level.critical).is_some(), "{} never fires", rule.id);
            if let (Limit::Static(operator, _), Some(warning), Some(critical)) =
                (rule.limit, level.warning, level.critical)
            {
                assert!(operator.is_worse(critical, warning), "{}", rule.id);
            }
        }
        let kinds: BTreeSet<EntityKind> = RULES.iter().map(|rule| rule.kind).collect();
        assert_eq!(kinds.len(), EntityKind::ALL.len(), "a kind that nobody watches");
    }
}
