//! Metrics of topics.

use super::Scale::BytesToMebibytes;
use super::{
    MetricDef, MetricId, MetricKind, Range, Unit, formula, kafka, kafka_as, named, nri, nri_as,
};
use crate::domain::entity::EntityKind;
use crate::domain::sample::SubjectKind::{Topic, TopicOnBroker};

metrics! { Topic;
    TOPIC_MESSAGES_IN = "topic.throughput.in.messagesPerSecond", MessagesPerSecond, Rate, POSITIVE,
        "Messages that producers wrote.",
        [
            kafka(TopicOnBroker, "kafka_server_brokertopicmetrics_messagesin_total"),
            kafka(Topic, "offsets.log_end_total"),
            nri(Topic, "topic.messagesInRate"),
            nri(Topic, "topic.messagesInPerSecond"),
            nri(Topic, "topic.messageInRate"),
        ];
    TOPIC_MESSAGES_OUT = "topic.throughput.out.messagesPerSecond", MessagesPerSecond, Derived,
        POSITIVE, "Messages that consumer groups read.",
        [formula(
            "Σ over groups and partitions of the growth of committed offsets per second; each rate \
             has its own group's window"
        )];
    TOPIC_BYTES_IN = "topic.throughput.in.bytesPerSecond", BytesPerSecond, Rate, POSITIVE,
        "Bytes that producers wrote.",
        [
            kafka(TopicOnBroker, "kafka_server_brokertopicmetrics_bytesin_total"),
            nri(TopicOnBroker, "broker.bytesWrittenToTopicPerSecond"),
            nri(Topic, "topic.bytesInRate"),
            nri(Topic, "topic_bytesInRate"),
            nri(Topic, "topic.bytesInPerSec"),
            nri(Topic, "topic.bytesInPerSecond"),
        ];
    TOPIC_BYTES_OUT = "topic.throughput.out.bytesPerSecond", BytesPerSecond, Rate, POSITIVE,
        "Bytes that consumers read.",
        [
            kafka(TopicOnBroker, "kafka_server_brokertopicmetrics_bytesout_total"),
            nri(Topic, "topic.bytesOutRate"),
            nri(Topic, "topic_bytesOutRate"),
            nri(Topic, "topic.bytesOutPerSec"),
            nri(Topic, "topic.bytesOutPerSecond"),
        ];
    TOPIC_LAG = "topic.lag", Messages, Derived, POSITIVE,
        "Lag of the group that is furthest behind.",
        [formula("max over groups of the group's lag on this topic")];
    TOPIC_CONSUMER_LAG = "topic.consumer.lag.sum", Messages, Derived, POSITIVE,
        "Lag of all groups.",
        [formula("Σ over groups of the group's lag on this topic")];
    TOPIC_ERROR_RATE = "topic.error.rate", Percent, Derived, PERCENT,
        "Failed produce and fetch requests of all of them.",
        [formula(
            "(failed produce + failed fetch) ÷ (produce + fetch handled) × 100, over the types whose \
             failed and handled rates are both known; 0 when there was no request"
        )];
    TOPIC_SIZE = "topic.sizeOnDisk.mb", Mebibytes, Gauge, POSITIVE,
        "Size on disk of the leaders' replicas (nri-kafka: of all replicas), not rounded.",
        [
            kafka_as(Topic, "logdirs.size_bytes", BytesToMebibytes),
            nri_as(TopicOnBroker, "topic.diskSize", BytesToMebibytes),
            nri_as(Topic, "topic.diskSize", BytesToMebibytes),
            nri_as(Topic, "topic.logSize", BytesToMebibytes),
            nri_as(Topic, "topic.sizeBytes", BytesToMebibytes),
            nri_as(Topic, "topic.totalBytes", BytesToMebibytes),
        ];
    TOPIC_EFFICIENCY = "efficiencyScore", Score, Derived, PERCENT,
        "How well readers keep up, and how rarely requests fail.",
        [formula(
            "0.7·min(100, out ÷ in × 100) + 0.3·max(0, 100 − 10·topic.error.rate); absent when \
             nothing comes in or a part is unknown"
        )];
    TOPIC_PARTITIONS = "kafka.partition.count", Count, Gauge, POSITIVE,
        "Partitions.",
        [
            kafka(Topic, "metadata.partition_count"),
            nri(Topic, "topic.partitionCount"),
            nri(Topic, "topic.partitions"),
            nri(Topic, "partitions"),
        ];
    TOPIC_REPLICATION = "kafka.replication.factor", Count, Gauge, POSITIVE,
        "Replicas of each partition.",
        [
            kafka(Topic, "metadata.replication_factor"),
            nri(Topic, "topic.replicationFactor"),
            nri(Topic, "topic.replicas"),
            nri(Topic, "replication"),
        ];
    TOPIC_UNDER_REPLICATED = "partitions.underReplicated", Count, Gauge, POSITIVE,
        "Partitions with fewer in-sync replicas than replicas.",
        [
            kafka(Topic, "metadata.under_replicated"),
            nri(Topic, "topic.underReplicatedPartitions"),
        ];
    TOPIC_OFFLINE = "partitions.offline", Count, Gauge, POSITIVE,
        "Partitions without a leader.",
        [kafka(Topic, "metadata.offline")];
    TOPIC_NON_PREFERRED = "partitions.nonPreferredLeader", Count, Gauge, POSITIVE,
        "Partitions whose leader is not their first replica.",
        [nri(Topic, "topic.partitionsWithNonPreferredLeader")];
    TOPIC_RESPONDS = "topic.respondsToMetadata", Flag, Gauge, SHARE,
        "Whether brokers answer metadata requests for it.",
        [nri(Topic, "topic.respondsToMetadataRequests")];
    TOPIC_MESSAGE_SIZE = "topic.message.size.bytes", Bytes, Derived, POSITIVE,
        "Mean size of the messages that producers wrote.",
        [formula("bytes in ÷ messages in; absent when nothing came in")];
    TOPIC_BROKERS_REPORTING = "topic.brokers.reporting", Count, Derived, POSITIVE,
        "Brokers whose figures for this topic were added up.",
        [formula("distinct brokers with a sample about this topic in this cycle")];
    TOPIC_PRODUCE_HANDLED = "request.produce.handled.perSecond", PerSecond, Rate, POSITIVE,
        "Produce requests by partition, failed ones included.",
        [
            kafka(TopicOnBroker, "kafka_server_brokertopicmetrics_totalproducerequests_total"),
            nri(Topic, "topic.produceRequestRate"),
        ];
    TOPIC_FETCH_HANDLED = "request.fetch.handled.perSecond", PerSecond, Rate, POSITIVE,
        "Fetch requests by partition, failed ones included.",
        [
            kafka(TopicOnBroker, "kafka_server_brokertopicmetrics_totalfetchrequests_total"),
            nri(Topic, "topic.fetchRequestRate"),
        ];
    TOPIC_PRODUCE_FAILED = "request.produce.failed.perSecond", PerSecond, Rate, POSITIVE,
        "Produce requests that failed.",
        [
            kafka(TopicOnBroker, "kafka_server_brokertopicmetrics_failedproducerequests_total"),
            nri(Topic, "topic.failedProduceRequestRate"),
        ];
    TOPIC_FETCH_FAILED = "request.fetch.failed.perSecond", PerSecond, Rate, POSITIVE,
        "Fetch requests that failed.",
        [
            kafka(TopicOnBroker, "kafka_server_brokertopicmetrics_failedfetchrequests_total"),
            nri(Topic, "topic.failedFetchRequestRate"),
        ];
}
