//! An overview and a detail dashboard for each kind of entity.

use super::operations::unhealthy_brokers;
use super::parts::{
    Column, bars, distribution, entities, entities_by, entities_with, grades, greatest, least,
    mean, shares, states, table, table_of, top, total, total_trend, total_trend_by, totals_by,
    trend, trend_by_entity,
};
use super::{Awaited, Parameters, Template};
use crate::dashboards::draft::DraftPage;
use crate::dashboards::query::Condition;
use crate::domain::entity::EntityKind::{self, Broker, Cluster, ConsumerGroup, Queue, Topic};
use crate::domain::metric::MetricId as M;

const fn queues(template: Template) -> Template {
    Template { awaits: Some(Awaited::Kind(EntityKind::Queue)), ..template }
}

/// Overview and detail of the five kinds.
pub(super) const ENTITIES: [Template; 10] = [
    Template::new("cluster-overview", "Clusters", "How all clusters are.", cluster_overview),
    Template::new("cluster-detail", "Cluster Detail", "Why a cluster is as it is.", cluster_detail),
    Template::new("broker-overview", "Brokers", "How all brokers are.", broker_overview),
    Template::new(
        "broker-detail",
        "Broker Detail",
        "What brokers do with their time.",
        broker_detail,
    ),
    Template::new("topic-overview", "Topics", "What flows through all topics.", topic_overview),
    Template::new("topic-detail", "Topic Detail", "Why a topic is as it is.", topic_detail),
    queues(Template::new("queue-overview", "Queues", "How full all queues are.", queue_overview)),
    queues(Template::new("queue-detail", "Queue Detail", "Why a queue fills up.", queue_detail)),
    Template::new("consumer-group-overview", "Consumer Groups", "Who is behind.", group_overview),
    Template::new(
        "consumer-group-detail",
        "Consumer Group Detail",
        "Why a group lags.",
        group_detail,
    ),
];

fn cluster_overview(_: &Parameters) -> Vec<DraftPage> {
    let columns: [Column; 7] = [
        (M::CLUSTER_HEALTH_SCORE, "Health").into(),
        (M::CLUSTER_AVAILABILITY, "Availability %").into(),
        (M::CLUSTER_BROKERS_ONLINE, "Online").into(),
        (M::CLUSTER_BROKER_COUNT, "Brokers").into(),
        (M::CLUSTER_TOPIC_COUNT, "Topics").into(),
        (M::CLUSTER_GROUP_COUNT, "Groups").into(),
        (M::CLUSTER_THROUGHPUT_TOTAL, "Messages/s").into(),
    ];
    vec![DraftPage::new(
        "Overview",
        "All clusters",
        vec![
            entities("Clusters", Cluster).key(),
            least("Least health score", M::CLUSTER_HEALTH_SCORE),
            least("Least availability", M::CLUSTER_AVAILABILITY),
            total("Offline brokers", M::CLUSTER_BROKERS_OFFLINE),
            trend_by_entity("Health score", M::CLUSTER_HEALTH_SCORE),
            trend_by_entity("Availability", M::CLUSTER_AVAILABILITY),
            total_trend_by("Messages", M::CLUSTER_THROUGHPUT_TOTAL, "clusterName"),
            trend_by_entity("Error rate", M::CLUSTER_ERROR_RATE),
            grades("Health", M::CLUSTER_HEALTH_SCORE, 80.0, 60.0),
            top("Under-replicated partitions", M::CLUSTER_PARTITIONS_UNDER_REPLICATED, 10)
                .size(8, 3),
            table("Clusters", M::CLUSTER_THROUGHPUT_TOTAL, &columns),
        ],
    )]
}

fn cluster_detail(_: &Parameters) -> Vec<DraftPage> {
    vec![
        DraftPage::new(
            "Health",
            "What the health score is made of",
            vec![
                mean("Health score", M::CLUSTER_HEALTH_SCORE).key(),
                mean("Confidence", M::CLUSTER_HEALTH_CONFIDENCE),
                total("Under-replicated", M::CLUSTER_PARTITIONS_UNDER_REPLICATED),
                total("Offline partitions", M::CLUSTER_PARTITIONS_OFFLINE),
                trend(
                    "Load",
                    &[
                        (M::CLUSTER_CPU_MEAN, "CPU"),
                        (M::CLUSTER_MEMORY_MEAN, "Memory"),
                        (M::CLUSTER_DISK_MAX, "Fullest disk"),
                    ],
                ),
                trend("Handlers idle", &[(M::CLUSTER_HANDLER_IDLE_MEAN, "Idle")]),
                total_trend(
                    "Partitions in trouble",
                    &[
                        (M::CLUSTER_PARTITIONS_UNDER_REPLICATED, "Under-replicated"),
                        (M::CLUSTER_PARTITIONS_OFFLINE, "Offline"),
                    ],
                ),
                trend_by_entity("Active controllers", M::CLUSTER_CONTROLLERS_ACTIVE),
            ],
        ),
        DraftPage::new(
            "Traffic",
            "What the cluster carries",
            vec![
                total("Messages per second", M::CLUSTER_THROUGHPUT_TOTAL).key(),
                total("Bytes in per second", M::CLUSTER_THROUGHPUT_IN),
                total("Bytes out per second", M::CLUSTER_THROUGHPUT_OUT),
                total("Requests per second", M::CLUSTER_REQUEST_RATE),
                total_trend(
                    "Bytes",
                    &[(M::CLUSTER_THROUGHPUT_IN, "In"), (M::CLUSTER_THROUGHPUT_OUT, "Out")],
                ),
                total_trend("Requests", &[(M::CLUSTER_REQUEST_RATE, "Requests")]),
            ],
        ),
    ]
}

fn broker_overview(_: &Parameters) -> Vec<DraftPage> {
    let columns: [Column; 7] = [
        (M::BROKER_HEALTH_SCORE, "Health").into(),
        (M::BROKER_CPU_USAGE, "CPU %").into(),
        (M::BROKER_MEMORY_USAGE, "Memory %").into(),
        (M::BROKER_DISK_USAGE, "Disk %").into(),
        (M::BROKER_MESSAGES_IN, "Messages/s").into(),
        (M::BROKER_REQUEST_LATENCY, "p99 ms").into(),
        ("hostname", "Host").into(),
    ];
    vec![DraftPage::new(
        "Overview",
        "All brokers",
        vec![
            entities("Brokers", Broker).key(),
            greatest("Greatest CPU", M::BROKER_CPU_USAGE),
            greatest("Fullest disk", M::BROKER_DISK_USAGE),
            greatest("Slowest requests", M::BROKER_REQUEST_LATENCY),
            trend_by_entity("CPU", M::BROKER_CPU_USAGE),
            trend_by_entity("Memory", M::BROKER_MEMORY_USAGE),
            trend_by_entity("Request latency", M::BROKER_REQUEST_LATENCY),
            trend_by_entity("Messages in", M::BROKER_MESSAGES_IN),
            top("Load", M::BROKER_LOAD_SCORE, 20),
            grades("Health", M::BROKER_HEALTH_SCORE, 80.0, 60.0),
            table("Brokers", M::BROKER_CPU_USAGE, &columns),
        ],
    )]
}

fn broker_detail(_: &Parameters) -> Vec<DraftPage> {
    vec![
        DraftPage::new(
            "Resources",
            "Processor, memory, disks",
            vec![
                trend_by_entity("CPU", M::BROKER_CPU_USAGE).key(),
                trend_by_entity("Disk", M::BROKER_DISK_USAGE),
                bars(
                    "Memory",
                    &[(M::BROKER_MEMORY_TOTAL, "Total"), (M::BROKER_MEMORY_USED, "Used")],
                    20,
                ),
                bars("Heap", &[(M::BROKER_HEAP_MAX, "Limit"), (M::BROKER_HEAP_USED, "Used")], 20),
                bars(
                    "Disks",
                    &[(M::BROKER_DISK_TOTAL, "Total"), (M::BROKER_DISK_USED, "Used")],
                    20,
                ),
                trend_by_entity("Log flushes", M::BROKER_LOG_FLUSHES),
            ],
        ),
        DraftPage::new(
            "Requests",
            "What brokers are asked, and how fast they answer",
            vec![
                greatest("Slowest requests", M::BROKER_REQUEST_LATENCY).key(),
                mean("Error rate", M::BROKER_ERROR_RATE),
                least("Handlers idle", M::BROKER_HANDLER_IDLE),
                total("Requests per second", M::BROKER_REQUEST_RATE),
                trend(
                    "Latency (p99)",
                    &[(M::BROKER_PRODUCE_LATENCY, "Produce"), (M::BROKER_FETCH_LATENCY, "Fetch")],
                ),
                total_trend(
                    "Requests",
                    &[
                        (M::BROKER_PRODUCE_RATE, "Produce"),
                        (M::BROKER_FETCH_CONSUMER_RATE, "Fetch (consumers)"),
                        (M::BROKER_FETCH_FOLLOWER_RATE, "Fetch (followers)"),
                    ],
                ),
                total_trend(
                    "Failed requests",
                    &[(M::BROKER_PRODUCE_FAILED, "Produce"), (M::BROKER_FETCH_FAILED, "Fetch")],
                ),
                distribution("Latency distribution", M::BROKER_REQUEST_LATENCY, 10.0, 50),
            ],
        ),
        broker_replication(),
    ]
}

fn broker_replication() -> DraftPage {
    DraftPage::new(
        "Replication",
        "Whether replicas keep up",
        vec![
            total("Under-replicated", M::BROKER_UNDER_REPLICATED).key(),
            total("Offline replicas", M::BROKER_REPLICAS_OFFLINE),
            entities_with("Controllers", Broker, Condition::AtLeast(M::BROKER_IS_CONTROLLER, 1.0)),
            total_trend(
                "In-sync replicas",
                &[(M::BROKER_ISR_SHRINKS, "Fell out"), (M::BROKER_ISR_EXPANDS, "Came back")],
            ),
            trend_by_entity("Under-replicated partitions", M::BROKER_UNDER_REPLICATED),
            shares("Leaders", M::BROKER_LEADER_PARTITIONS, 20),
            unhealthy_brokers(90.0).size(8, 4),
        ],
    )
}

fn topic_overview(_: &Parameters) -> Vec<DraftPage> {
    let columns: [Column; 6] = [
        (M::TOPIC_MESSAGES_IN, "In msg/s").into(),
        (M::TOPIC_MESSAGES_OUT, "Out msg/s").into(),
        (M::TOPIC_CONSUMER_LAG, "Lag").into(),
        (M::TOPIC_PARTITIONS, "Partitions").into(),
        (M::TOPIC_SIZE, "MiB").into(),
        (M::TOPIC_EFFICIENCY, "Efficiency").into(),
    ];
    vec![DraftPage::new(
        "Overview",
        "All topics",
        vec![
            entities("Topics", Topic).key(),
            total("Messages in per second", M::TOPIC_MESSAGES_IN),
            total("Lag of all groups", M::TOPIC_CONSUMER_LAG),
            total("Under-replicated", M::TOPIC_UNDER_REPLICATED),
            total_trend(
                "Messages",
                &[(M::TOPIC_MESSAGES_IN, "In"), (M::TOPIC_MESSAGES_OUT, "Out")],
            ),
            total_trend_by("Lag", M::TOPIC_CONSUMER_LAG, "topicName"),
            top("Busiest topics", M::TOPIC_MESSAGES_IN, 15),
            shares("Storage", M::TOPIC_SIZE, 10),
            table("Topics", M::TOPIC_MESSAGES_IN, &columns),
        ],
    )]
}

fn topic_detail(_: &Parameters) -> Vec<DraftPage> {
    let configuration: [Column; 6] = [
        (M::TOPIC_PARTITIONS, "Partitions").into(),
        (M::TOPIC_REPLICATION, "Replication").into(),
        ("minInSyncReplicas", "Min in sync").into(),
        ("retentionMs", "Retention ms").into(),
        ("segmentMs", "Segment ms").into(),
        ("compressionType", "Compression").into(),
    ];
    vec![
        DraftPage::new(
            "Traffic",
            "What goes in and out",
            vec![
                trend_by_entity("Messages in", M::TOPIC_MESSAGES_IN).key(),
                trend_by_entity("Messages out", M::TOPIC_MESSAGES_OUT),
                total_trend("Bytes", &[(M::TOPIC_BYTES_IN, "In"), (M::TOPIC_BYTES_OUT, "Out")]),
                top("Message size", M::TOPIC_MESSAGE_SIZE, 15),
                trend_by_entity("Efficiency", M::TOPIC_EFFICIENCY),
            ],
        ),
        DraftPage::new(
            "Consumers and errors",
            "Who is behind, and what fails",
            vec![
                greatest("Greatest lag", M::TOPIC_LAG).key(),
                mean("Error rate", M::TOPIC_ERROR_RATE),
                trend_by_entity("Lag", M::TOPIC_CONSUMER_LAG),
                total_trend(
                    "Requests by partition",
                    &[(M::TOPIC_PRODUCE_HANDLED, "Produce"), (M::TOPIC_FETCH_HANDLED, "Fetch")],
                ),
                total_trend(
                    "Failed requests",
                    &[(M::TOPIC_PRODUCE_FAILED, "Produce"), (M::TOPIC_FETCH_FAILED, "Fetch")],
                ),
            ],
        ),
        DraftPage::new(
            "Configuration",
            "Partitions, replicas, retention",
            vec![
                total("Partitions", M::TOPIC_PARTITIONS),
                total("Offline partitions", M::TOPIC_OFFLINE),
                top("Partitions by topic", M::TOPIC_PARTITIONS, 15),
                entities_by("Clean-up policies", Topic, "cleanupPolicy"),
                table("Configuration", M::TOPIC_PARTITIONS, &configuration),
            ],
        ),
    ]
}

fn queue_overview(_: &Parameters) -> Vec<DraftPage> {
    let columns: [Column; 5] = [
        (M::QUEUE_DEPTH, "Depth").into(),
        (M::QUEUE_MESSAGES_IN, "In msg/s").into(),
        (M::QUEUE_MESSAGES_OUT, "Out msg/s").into(),
        (M::QUEUE_CONSUMERS, "Consumers").into(),
        (M::QUEUE_OLDEST_AGE, "Oldest, s").into(),
    ];
    vec![DraftPage::new(
        "Overview",
        "All queues; no data until a queue source runs",
        vec![
            entities("Queues", Queue).key(),
            total("Messages", M::QUEUE_DEPTH).alarm(100_000.0, 1_000_000.0),
            total("Unacknowledged", M::QUEUE_UNACKED),
            greatest("Oldest message", M::QUEUE_OLDEST_AGE),
            total_trend(
                "Depth",
                &[(M::QUEUE_READY, "Ready"), (M::QUEUE_UNACKED, "Unacknowledged")],
            ),
            total_trend(
                "Messages",
                &[(M::QUEUE_MESSAGES_IN, "In"), (M::QUEUE_MESSAGES_OUT, "Out")],
            ),
            top("Fullest queues", M::QUEUE_DEPTH, 15),
            table("Queues", M::QUEUE_DEPTH, &columns),
        ],
    )]
}

fn queue_detail(_: &Parameters) -> Vec<DraftPage> {
    vec![DraftPage::new(
        "Queues",
        "Why queues fill up; no data until a queue source runs",
        vec![
            greatest("Slowest processing", M::QUEUE_PROCESSING_TIME).key(),
            least("Fewest consumers", M::QUEUE_CONSUMERS),
            total("Memory", M::QUEUE_MEMORY),
            trend_by_entity("Depth", M::QUEUE_DEPTH),
            trend_by_entity("Processing time", M::QUEUE_PROCESSING_TIME),
            trend_by_entity("Oldest message", M::QUEUE_OLDEST_AGE),
            bars("Rates", &[(M::QUEUE_MESSAGES_IN, "In"), (M::QUEUE_MESSAGES_OUT, "Out")], 15),
            totals_by("Messages by cluster", M::QUEUE_DEPTH, "clusterName"),
        ],
    )]
}

fn group_overview(parameters: &Parameters) -> Vec<DraftPage> {
    let (warning, critical) = (parameters.lag_warning, parameters.lag_critical);
    let columns: [Column; 5] = [
        (M::GROUP_LAG_TOTAL, "Lag").into(),
        (M::GROUP_CONSUMPTION, "Messages/s").into(),
        (M::GROUP_MEMBERS_ACTIVE, "Members").into(),
        (M::GROUP_HEALTH_SCORE, "Health").into(),
        ("state", "State").into(),
    ];
    vec![DraftPage::new(
        "Overview",
        "All consumer groups",
        vec![
            entities("Groups", ConsumerGroup).key(),
            total("Total lag", M::GROUP_LAG_TOTAL).alarm(warning, critical),
            greatest("Greatest lag", M::GROUP_LAG_TOTAL).alarm(warning, critical),
            total("Messages per second", M::GROUP_CONSUMPTION),
            total_trend_by("Lag", M::GROUP_LAG_TOTAL, "consumerGroup"),
            trend_by_entity("Consumption", M::GROUP_CONSUMPTION),
            grades("Health", M::GROUP_HEALTH_SCORE, 80.0, 60.0),
            entities_by("States", ConsumerGroup, "state"),
            top("Top lagging groups", M::GROUP_LAG_TOTAL, 15).size(4, 3),
            table("Consumer groups", M::GROUP_LAG_TOTAL, &columns),
        ],
    )]
}

fn group_detail(parameters: &Parameters) -> Vec<DraftPage> {
    let columns: [Column; 5] = [
        (M::GROUP_LAG_TOTAL, "Lag").into(),
        (M::GROUP_LAG_MAX, "Furthest partition").into(),
        (M::GROUP_CATCH_UP, "Seconds to catch up").into(),
        (M::GROUP_TOPICS, "Topics").into(),
        ("assignmentStrategy", "Assignment").into(),
    ];
    let behind = Condition::Above(M::GROUP_LAG_TOTAL, parameters.lag_warning);
    vec![
        DraftPage::new(
            "Lag",
            "How far behind, and how long it takes to catch up",
            vec![
                trend_by_entity("Lag", M::GROUP_LAG_TOTAL).key(),
                trend_by_entity("Furthest partition", M::GROUP_LAG_MAX),
                trend_by_entity("Time to catch up", M::GROUP_CATCH_UP),
                table_of("Groups behind", M::GROUP_LAG_TOTAL, behind, &columns),
            ],
        ),
        DraftPage::new(
            "Members",
            "Who reads",
            vec![
                total("Members", M::GROUP_MEMBERS_TOTAL).key(),
                total("Active members", M::GROUP_MEMBERS_ACTIVE),
                least("Least health", M::GROUP_HEALTH_SCORE),
                trend_by_entity("Active members", M::GROUP_MEMBERS_ACTIVE),
                trend_by_entity("Health score", M::GROUP_HEALTH_SCORE),
                states(
                    "Members at work",
                    ConsumerGroup,
                    vec![
                        (Condition::AtLeast(M::GROUP_MEMBERS_ACTIVE, 1.0), "Some"),
                        (Condition::Below(M::GROUP_MEMBERS_ACTIVE, 1.0), "None"),
                    ],
                ),
            ],
        ),
    ]
}
