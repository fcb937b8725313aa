//! Metrics of brokers.

use super::Scale::{FractionToPercent, IdleToPercent};
use super::{
    MetricDef, MetricId, MetricKind, Range, Unit, formula, kafka, kafka_as, named, nri, nri_as,
};
use crate::domain::entity::EntityKind;
use crate::domain::sample::SubjectKind::Broker;

metrics! { Broker;
    BROKER_CPU_USAGE = "broker.cpu.usage", Percent, Gauge, PERCENT,
        "Processor load of the broker's host.",
        [
            kafka_as(Broker, "java_lang_operatingsystem_cpuload", FractionToPercent),
            nri(Broker, "system.cpuPercent"),
            nri(Broker, "broker.cpuPercent"),
            nri(Broker, "cpuPercent"),
            nri(Broker, "kafka.broker.cpuPercent"),
        ];
    BROKER_MEMORY_USAGE = "broker.memory.usage", Percent, Derived, PERCENT,
        "Memory use of the broker's host.",
        [formula("memory.used.bytes ÷ memory.total.bytes × 100")];
    BROKER_DISK_USAGE = "broker.disk.usage", Percent, Derived, PERCENT,
        "Disk use of the broker's log directories.",
        [
            formula("disk.used.bytes ÷ disk.total.bytes × 100"),
            nri(Broker, "broker.diskUsedPercent"),
            nri(Broker, "diskUsedPercent"),
            nri(Broker, "broker.diskUsage"),
        ];
    BROKER_MEMORY_TOTAL = "memory.total.bytes", Bytes, Gauge, POSITIVE,
        "Memory of the broker's host.",
        [
            kafka(Broker, "java_lang_operatingsystem_totalmemorysize"),
            formula("memory.used.bytes + memory.free.bytes"),
        ];
    BROKER_MEMORY_FREE = "memory.free.bytes", Bytes, Gauge, POSITIVE,
        "Unused memory of the broker's host.",
        [
            kafka(Broker, "java_lang_operatingsystem_freememorysize"),
            nri(Broker, "system.memoryFreeBytes"),
            nri(Broker, "broker.memoryFree"),
            nri(Broker, "memoryFreeBytes"),
        ];
    BROKER_MEMORY_USED = "memory.used.bytes", Bytes, Gauge, POSITIVE,
        "Used memory of the broker's host.",
        [
            nri(Broker, "system.memoryUsedBytes"),
            nri(Broker, "broker.memoryUsed"),
            nri(Broker, "jvm.heapMemoryUsed"),
            formula("memory.total.bytes − memory.free.bytes"),
        ];
    BROKER_HEAP_USED = "jvm.heap.used.bytes", Bytes, Gauge, POSITIVE,
        "Used heap of the broker's Java machine.",
        [kafka(Broker, "jvm_memory_used_bytes{area=\"heap\"}")];
    BROKER_HEAP_MAX = "jvm.heap.max.bytes", Bytes, Gauge, POSITIVE,
        "Largest heap of the broker's Java machine.",
        [kafka(Broker, "jvm_memory_max_bytes{area=\"heap\"}")];
    BROKER_DISK_TOTAL = "disk.total.bytes", Bytes, Gauge, POSITIVE,
        "Size of the volumes that hold the log directories.",
        [kafka(Broker, "logdirs.total_bytes")];
    BROKER_DISK_FREE = "disk.free.bytes", Bytes, Gauge, POSITIVE,
        "Bytes that the broker can still write to them.",
        [kafka(Broker, "logdirs.usable_bytes"), nri(Broker, "diskFreeBytes")];
    BROKER_DISK_USED = "disk.used.bytes", Bytes, Derived, POSITIVE,
        "Bytes in use on them, by Kafka or others.",
        [formula("disk.total.bytes − disk.free.bytes")];
    BROKER_LOG_SIZE = "log.size.bytes", Bytes, Gauge, POSITIVE,
        "Bytes of all replicas on the broker.",
        [kafka(Broker, "logdirs.size_bytes")];

    BROKER_NETWORK_IN = "broker.network.in.bytesPerSecond", BytesPerSecond, Rate, POSITIVE,
        "Bytes that producers wrote to it.",
        [
            kafka(Broker, "kafka_server_brokertopicmetrics_bytesin_total"),
            nri(Broker, "broker.IOInPerSecond"),
            nri(Broker, "broker.bytesInPerSecond"),
            nri(Broker, "broker_bytesInPerSecond"),
            nri(Broker, "bytesInPerSecond"),
            nri(Broker, "broker.bytesInRate"),
        ];
    BROKER_NETWORK_OUT = "broker.network.out.bytesPerSecond", BytesPerSecond, Rate, POSITIVE,
        "Bytes that consumers read from it.",
        [
            kafka(Broker, "kafka_server_brokertopicmetrics_bytesout_total"),
            nri(Broker, "broker.IOOutPerSecond"),
            nri(Broker, "broker.bytesOutPerSecond"),
            nri(Broker, "broker_bytesOutPerSecond"),
            nri(Broker, "bytesOutPerSecond"),
            nri(Broker, "broker.bytesOutRate"),
        ];
    BROKER_NETWORK_THROUGHPUT = "broker.network.throughput", BytesPerSecond, Derived, POSITIVE,
        "Bytes in and out.",
        [formula("broker.network.in.bytesPerSecond + broker.network.out.bytesPerSecond")];
    BROKER_BYTES_REJECTED = "broker.network.rejected.bytesPerSecond", BytesPerSecond, Rate,
        POSITIVE, "Bytes refused, for example as too large.",
        [
            kafka(Broker, "kafka_server_brokertopicmetrics_bytesrejected_total"),
            nri(Broker, "net.bytesRejectedPerSecond"),
        ];
    BROKER_MESSAGES_IN = "broker.messages.in.rate", MessagesPerSecond, Rate, POSITIVE,
        "Messages that producers wrote to it.",
        [
            kafka(Broker, "kafka_server_brokertopicmetrics_messagesin_total"),
            nri(Broker, "broker.messagesInPerSecond"),
            nri(Broker, "broker_messagesInPerSecond"),
            nri(Broker, "messagesInPerSecond"),
            nri(Broker, "broker.messageInRate"),
        ];

    BROKER_REQUEST_LATENCY = "broker.request.latency", Milliseconds, Derived, POSITIVE,
        "99th percentile of the time a request takes.",
        [formula("the larger of request.produce.latency and request.fetch.latency known")];
    BROKER_PRODUCE_LATENCY = "request.produce.latency", Milliseconds, Gauge, POSITIVE,
        "99th percentile for produce requests.",
        [
            kafka(
                Broker,
                "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"Produce\"}",
            ),
            nri(Broker, "request.produceTime99Percentile"),
        ];
    BROKER_FETCH_LATENCY = "request.fetch.latency", Milliseconds, Gauge, POSITIVE,
        "99th percentile for consumers' fetch requests.",
        [
            kafka(
                Broker,
                "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"FetchConsumer\"}",
            ),
            nri(Broker, "request.fetchTime99Percentile"),
        ];
    BROKER_REQUEST_RATE = "request.rate", PerSecond, Derived, POSITIVE,
        "Requests of the types below.",
        [
            formula("Σ of the per-type rates request.{produce, fetchConsumer, …}.perSecond known"),
            nri(Broker, "broker.requestsPerSecond"),
            nri(Broker, "kafka.network.requestsPerSecond"),
        ];
    BROKER_PRODUCE_RATE = "request.produce.perSecond", PerSecond, Rate, POSITIVE,
        "Produce requests.",
        [
            kafka(Broker, "kafka_network_requestmetrics_requests_total{request=\"Produce\"}"),
            nri(Broker, "request.produceRequestsPerSecond"),
            nri(Broker, "broker.produceRequestsPerSecond"),
        ];
    BROKER_FETCH_CONSUMER_RATE = "request.fetchConsumer.perSecond", PerSecond, Rate, POSITIVE,
        "Fetch requests of consumers.",
        [
            kafka(Broker, "kafka_network_requestmetrics_requests_total{request=\"FetchConsumer\"}"),
            nri(Broker, "request.fetchConsumerRequestsPerSecond"),
            nri(Broker, "broker.fetchConsumerRequestsPerSecond"),
        ];
    BROKER_FETCH_FOLLOWER_RATE = "request.fetchFollower.perSecond", PerSecond, Rate, POSITIVE,
        "Fetch requests of other brokers.",
        [
            kafka(Broker, "kafka_network_requestmetrics_requests_total{request=\"FetchFollower\"}"),
            nri(Broker, "request.fetchFollowerRequestsPerSecond"),
            nri(Broker, "broker.fetchFollowerRequestsPerSecond"),
        ];
    BROKER_METADATA_RATE = "request.metadata.perSecond", PerSecond, Rate, POSITIVE,
        "Metadata requests.",
        [nri(Broker, "request.metadataRequestsPerSecond")];
    BROKER_OFFSET_COMMIT_RATE = "request.offsetCommit.perSecond", PerSecond, Rate, POSITIVE,
        "Offset commits.",
        [nri(Broker, "request.offsetCommitRequestsPerSecond")];
    BROKER_LIST_GROUPS_RATE = "request.listGroups.perSecond", PerSecond, Rate, POSITIVE,
        "Requests for the list of groups.",
        [nri(Broker, "request.listGroupsRequestsPerSecond")];
    BROKER_PRODUCE_HANDLED = "request.produce.handled.perSecond", PerSecond, Rate, POSITIVE,
        "Produce requests by partition, failed ones included.",
        [kafka(Broker, "kafka_server_brokertopicmetrics_totalproducerequests_total")];
    BROKER_FETCH_HANDLED = "request.fetch.handled.perSecond", PerSecond, Rate, POSITIVE,
        "Fetch requests by partition, failed ones included.",
        [kafka(Broker, "kafka_server_brokertopicmetrics_totalfetchrequests_total")];
    BROKER_PRODUCE_FAILED = "request.produce.failed.perSecond", PerSecond, Rate, POSITIVE,
        "Produce requests that failed.",
        [
            kafka(Broker, "kafka_server_brokertopicmetrics_failedproducerequests_total"),
            nri(Broker, "request.produceRequestsFailedPerSecond"),
            nri(Broker, "broker.failedProduceRequestsPerSecond"),
        ];
    BROKER_FETCH_FAILED = "request.fetch.failed.perSecond", PerSecond, Rate, POSITIVE,
        "Fetch requests that failed.",
        [
            kafka(Broker, "kafka_server_brokertopicmetrics_failedfetchrequests_total"),
            nri(Broker, "request.clientFetchesFailedPerSecond"),
            nri(Broker, "broker.failedFetchRequestsPerSecond"),
        ];
    BROKER_HANDLER_IDLE = "request.handlerIdle.percent", Percent, Gauge, PERCENT,
        "Idle share of the request handlers.",
        [
            kafka_as(
                Broker,
                "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
                IdleToPercent,
            ),
            nri_as(Broker, "request.handlerIdle", IdleToPercent),
            nri(Broker, "broker.requestHandlerIdlePercent"),
            nri_as(Broker, "kafka.network.requestHandlerAvgIdlePercent", IdleToPercent),
        ];
    BROKER_ERROR_RATE = "broker.error.rate", Percent, Derived, PERCENT,
        "Failed produce and fetch requests of all of them.",
        [formula(
            "(failed produce + failed fetch) ÷ (produce + fetch handled) × 100, over the types whose \
             failed and handled rates are both known; without handled rates, request rates by type \
             stand in; 0 when there was no request"
        )];
    BROKER_HEALTH_SCORE = "broker.health.score", Score, Derived, PERCENT,
        "Health of the broker.",
        [formula(
            "100 − min(30, 10·under-replicated) − min(20, cpu − 80) if > 80 − 10 if memory used > 30 \
             GiB − 15 if handler idle < 20; unknown terms deduct nothing; absent when all are unknown"
        )];
    BROKER_LOAD_SCORE = "loadScore", Score, Derived, PERCENT,
        "How busy the broker is.",
        [formula("0.6·broker.cpu.usage + 0.4·broker.memory.usage")];

    BROKER_PARTITIONS = "partitionCount", Count, Gauge, POSITIVE,
        "Replicas on the broker.",
        [
            kafka(Broker, "kafka_server_replicamanager_partitioncount"),
            kafka(Broker, "metadata.partition_count"),
            nri(Broker, "broker.partitionCount"),
            nri(Broker, "broker_partitionCount"),
            nri(Broker, "partitionCount"),
            nri(Broker, "broker.totalPartitions"),
        ];
    BROKER_LEADER_PARTITIONS = "leaderPartitions", Count, Gauge, POSITIVE,
        "Partitions it leads.",
        [
            kafka(Broker, "kafka_server_replicamanager_leadercount"),
            kafka(Broker, "metadata.leader_count"),
            nri(Broker, "broker.leaderPartitionCount"),
            nri(Broker, "broker_leaderPartitionCount"),
            nri(Broker, "leaderPartitionCount"),
            nri(Broker, "broker.leaderCount"),
        ];
    BROKER_UNDER_REPLICATED = "partitions.underReplicated", Count, Gauge, POSITIVE,
        "Partitions it leads with fewer in-sync replicas than replicas.",
        [
            kafka(Broker, "kafka_server_replicamanager_underreplicatedpartitions"),
            kafka(Broker, "metadata.under_replicated"),
            nri(Broker, "replication.unreplicatedPartitions"),
            nri(Broker, "broker.underReplicatedPartitionCount"),
            nri(Broker, "kafka.broker.underReplicatedPartitions"),
        ];
    BROKER_PARTITIONS_OFFLINE = "partitions.offline", Count, Gauge, POSITIVE,
        "Partitions of the whole cluster without a leader, as the active controller counts them.",
        [
            kafka(Broker, "kafka_controller_kafkacontroller_offlinepartitionscount"),
            nri(Broker, "broker.offlinePartitionCount"),
            nri(Broker, "kafka.controller.offlinePartitionsCount"),
        ];
    BROKER_REPLICAS_OFFLINE = "replicas.offline", Count, Gauge, POSITIVE,
        "Its replicas on failed log directories.",
        [kafka(Broker, "kafka_server_replicamanager_offlinereplicacount")];
    BROKER_ISR_SHRINKS = "replication.isrShrinks.perSecond", PerSecond, Rate, POSITIVE,
        "Replicas that fell out of sync.",
        [
            kafka(Broker, "kafka_server_replicamanager_isrshrinks_total"),
            nri(Broker, "replication.isrShrinksPerSecond"),
        ];
    BROKER_ISR_EXPANDS = "replication.isrExpands.perSecond", PerSecond, Rate, POSITIVE,
        "Replicas that came back in sync.",
        [
            kafka(Broker, "kafka_server_replicamanager_isrexpands_total"),
            nri(Broker, "replication.isrExpandsPerSecond"),
        ];
    BROKER_ELECTIONS = "controller.leaderElections.perSecond", PerSecond, Rate, POSITIVE,
        "Leader elections that the controller held.",
        [nri(Broker, "replication.leaderElectionPerSecond")];
    BROKER_UNCLEAN_ELECTIONS = "controller.uncleanLeaderElections.perSecond", PerSecond, Rate,
        POSITIVE, "Elections of a leader that was not in sync: acknowledged messages are lost.",
        [
            kafka(Broker, "kafka_controller_controllerstats_uncleanleaderelections_total"),
            nri(Broker, "replication.uncleanLeaderElectionPerSecond"),
        ];
    BROKER_LOG_FLUSHES = "disk.logFlushRate", PerSecond, Rate, POSITIVE,
        "Flushes of logs to disk.",
        [
            kafka(Broker, "kafka_log_logflushstats_logflushrateandtimems_count"),
            nri(Broker, "broker.logFlushPerSecond"),
            nri(Broker, "broker.logFlushRate"),
            nri(Broker, "kafka.broker.logFlushRate"),
        ];
    BROKER_IS_CONTROLLER = "controller.isActive", Flag, Gauge, SHARE,
        "Whether it is the active controller.",
        [
            kafka(Broker, "kafka_controller_kafkacontroller_activecontrollercount"),
            kafka(Broker, "metadata.is_controller"),
            nri(Broker, "kafka.controller.activeControllerCount"),
            nri(Broker, "broker.activeControllerCount"),
            nri(Broker, "controller.activeCount"),
        ];
}
