//! Metrics of clusters.

use super::{MetricDef, MetricId, MetricKind, Range, Unit, formula, kafka, named};
use crate::domain::entity::EntityKind;
use crate::domain::sample::SubjectKind::Cluster;

metrics! { Cluster;
    CLUSTER_HEALTH_SCORE = "cluster.health.score", Score, Derived, PERCENT,
        "Health of the whole cluster; 0 when no broker is there.",
        [formula(
            "100 − 30 if offline partitions > 0 − min(20, 2·under-replicated) − min(15, 0.75·(mean \
             cpu − 80)) if > 80 − min(15, 0.75·(mean memory − 85)) if > 85 − min(20, 2·(max disk − \
             90)) if > 90 − min(20, 2·error rate) if > 5 − 10 if mean handler idle < 20 − min(30, \
             100·offline brokers ÷ brokers); unknown terms deduct nothing; rounded half up, 0 to 100"
        )];
    CLUSTER_HEALTH_CONFIDENCE = "cluster.health.confidence", Share, Derived, SHARE,
        "Share of the score's eight terms whose input was known.",
        [formula("known terms ÷ 8; 0 when no broker is there")];
    CLUSTER_AVAILABILITY = "cluster.availability.percentage", Percent, Derived, PERCENT,
        "Share of brokers and of partitions that serve, the smaller of the two.",
        [formula(
            "min(online ÷ expected brokers, (partitions − offline) ÷ partitions) × 100; 0 when no \
             broker is there; the second term only when both counts are known and partitions > 0"
        )];
    CLUSTER_THROUGHPUT_TOTAL = "cluster.throughput.total", MessagesPerSecond, Derived, POSITIVE,
        "Messages that producers wrote.",
        [formula("Σ broker.messages.in.rate over reporting brokers")];
    CLUSTER_THROUGHPUT_IN = "cluster.throughput.in.bytesPerSecond", BytesPerSecond, Derived,
        POSITIVE, "Bytes that producers wrote.",
        [formula("Σ broker.network.in.bytesPerSecond over reporting brokers")];
    CLUSTER_THROUGHPUT_OUT = "cluster.throughput.out.bytesPerSecond", BytesPerSecond, Derived,
        POSITIVE, "Bytes that consumers read.",
        [formula("Σ broker.network.out.bytesPerSecond over reporting brokers")];
    CLUSTER_REQUEST_RATE = "cluster.request.rate", PerSecond, Derived, POSITIVE,
        "Requests.",
        [formula("Σ request.rate over reporting brokers")];
    CLUSTER_ERROR_RATE = "cluster.error.rate", Percent, Derived, PERCENT,
        "Failed produce and fetch requests, weighted by requests.",
        [formula("Σ failed ÷ Σ requests × 100 over the brokers with a broker.error.rate")];
    CLUSTER_BROKER_COUNT = "brokerCount", Count, Derived, POSITIVE,
        "Expected brokers: those that the topology wants (without one: those seen in the last ten \
         minutes), and all online ones.",
        [formula("max(brokers of the topology, or else seen in the last ten minutes; online)")];
    CLUSTER_BROKERS_ONLINE = "cluster.brokers.online", Count, Gauge, POSITIVE,
        "Brokers that the cluster's metadata lists.",
        [kafka(Cluster, "metadata.broker_count"), formula("brokers reporting in this cycle")];
    CLUSTER_BROKERS_OFFLINE = "cluster.brokers.offline", Count, Derived, POSITIVE,
        "Expected brokers that are not online.",
        [formula("brokerCount − cluster.brokers.online")];
    CLUSTER_TOPIC_COUNT = "topicCount", Count, Gauge, POSITIVE,
        "Topics, internal ones left out.",
        [kafka(Cluster, "metadata.topic_count"), formula("topics seen in this cycle, if any")];
    CLUSTER_GROUP_COUNT = "consumerGroupCount", Count, Derived, POSITIVE,
        "Consumer groups.",
        [formula("groups seen in this cycle, if any")];
    CLUSTER_PARTITIONS_TOTAL = "cluster.partitions.total", Count, Gauge, POSITIVE,
        "Partitions (not replicas).",
        [
            kafka(Cluster, "metadata.partition_count"),
            formula("Σ kafka.partition.count over topics"),
            formula("Σ leaderPartitions over brokers"),
        ];
    CLUSTER_PARTITIONS_UNDER_REPLICATED = "cluster.partitions.underReplicated", Count, Gauge,
        POSITIVE, "Partitions with fewer in-sync replicas than replicas.",
        [
            kafka(Cluster, "metadata.under_replicated"),
            formula("Σ partitions.underReplicated over brokers (each counts those it leads)"),
        ];
    CLUSTER_PARTITIONS_OFFLINE = "cluster.partitions.offline", Count, Gauge, POSITIVE,
        "Partitions without a leader.",
        [
            kafka(Cluster, "metadata.offline"),
            formula("max of partitions.offline over brokers (the controller's count)"),
        ];
    CLUSTER_CONTROLLERS_ACTIVE = "cluster.controllers.active", Count, Derived, POSITIVE,
        "Brokers that say they are the active controller; 1 in a sound cluster.",
        [formula("Σ controller.isActive over reporting brokers")];
    CLUSTER_CPU_MEAN = "cluster.cpu.usage.average", Percent, Derived, PERCENT,
        "Mean processor load.",
        [formula("mean of broker.cpu.usage over the brokers that report it")];
    CLUSTER_MEMORY_MEAN = "cluster.memory.usage.average", Percent, Derived, PERCENT,
        "Mean memory use.",
        [formula("mean of broker.memory.usage over the brokers that report it")];
    CLUSTER_DISK_MEAN = "cluster.disk.usage.average", Percent, Derived, PERCENT,
        "Mean disk use.",
        [formula("mean of broker.disk.usage over the brokers that report it")];
    CLUSTER_DISK_MAX = "cluster.disk.usage.max", Percent, Derived, PERCENT,
        "Disk use of the fullest broker.",
        [formula("max of broker.disk.usage")];
    CLUSTER_HANDLER_IDLE_MEAN = "cluster.request.handlerIdle.percent", Percent, Derived, PERCENT,
        "Mean idle share of the request handlers.",
        [formula("mean of request.handlerIdle.percent over the brokers that report it")];
}
