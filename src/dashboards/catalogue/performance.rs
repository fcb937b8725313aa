//! Dashboards about capacity and speed: infrastructure, performance, topics.

use super::operations::unhealthy_brokers;
use super::parts::{
    Column, bars, distribution, entities, greatest, least, mean, shares, states, table, table_of,
    top, total, total_trend, total_trend_by, trend, trend_by_entity,
};
use super::{Parameters, Template};
use crate::dashboards::draft::DraftPage;
use crate::dashboards::query::Condition;
use crate::domain::entity::EntityKind::{Broker, Topic};
use crate::domain::metric::MetricId as M;

/// Three dashboards.
pub(super) const PERFORMANCE: [Template; 3] = [
    Template::new(
        "infrastructure-overview",
        "Infrastructure Overview",
        "Processors, memory, disks and network of all brokers.",
        infrastructure,
    ),
    Template::new(
        "performance-optimization",
        "Performance Optimization",
        "Where time goes, and which topics and groups waste it.",
        performance,
    ),
    Template::new(
        "topic-analysis",
        "Topic Analysis",
        "Throughput, storage, replication and readers of topics.",
        topics,
    ),
];

fn infrastructure(_: &Parameters) -> Vec<DraftPage> {
    let columns: [Column; 5] = [
        (M::BROKER_CPU_USAGE, "CPU %").into(),
        (M::BROKER_MEMORY_USAGE, "Memory %").into(),
        (M::BROKER_DISK_USAGE, "Disk %").into(),
        (M::BROKER_LOAD_SCORE, "Load").into(),
        ("hostname", "Host").into(),
    ];
    vec![
        DraftPage::new(
            "Overview",
            "How loaded everything is",
            vec![
                entities("Brokers", Broker).key(),
                mean("Mean CPU", M::BROKER_CPU_USAGE),
                mean("Mean memory", M::BROKER_MEMORY_USAGE),
                greatest("Fullest disk", M::BROKER_DISK_USAGE),
                trend_by_entity("CPU", M::BROKER_CPU_USAGE),
                top("Load", M::BROKER_LOAD_SCORE, 20),
                table("Brokers", M::BROKER_LOAD_SCORE, &columns),
            ],
        ),
        DraftPage::new(
            "Memory and processors",
            "Where they go",
            vec![
                least("Least free memory", M::BROKER_MEMORY_FREE).key(),
                greatest("Greatest CPU", M::BROKER_CPU_USAGE),
                trend_by_entity("Memory", M::BROKER_MEMORY_USAGE),
                trend_by_entity("Heap", M::BROKER_HEAP_USED),
                bars(
                    "Memory",
                    &[(M::BROKER_MEMORY_USED, "Used"), (M::BROKER_MEMORY_FREE, "Free")],
                    20,
                ),
                distribution("CPU", M::BROKER_CPU_USAGE, 5.0, 20),
            ],
        ),
        DraftPage::new(
            "Network",
            "What goes in and out",
            vec![
                total("Bytes per second", M::BROKER_NETWORK_THROUGHPUT).key(),
                total("Refused bytes per second", M::BROKER_BYTES_REJECTED),
                total_trend(
                    "Network",
                    &[(M::BROKER_NETWORK_IN, "In"), (M::BROKER_NETWORK_OUT, "Out")],
                ),
                trend_by_entity("In", M::BROKER_NETWORK_IN),
                trend_by_entity("Out", M::BROKER_NETWORK_OUT),
            ],
        ),
        DraftPage::new(
            "Disks",
            "How full they are",
            vec![
                total("Bytes on disk", M::BROKER_LOG_SIZE).key(),
                least("Least free", M::BROKER_DISK_FREE),
                trend_by_entity("Disk", M::BROKER_DISK_USAGE),
                bars("Disks", &[(M::BROKER_DISK_USED, "Used"), (M::BROKER_DISK_FREE, "Free")], 20),
                trend_by_entity("Logs", M::BROKER_LOG_SIZE),
            ],
        ),
    ]
}

fn performance(parameters: &Parameters) -> Vec<DraftPage> {
    let topics: [Column; 4] = [
        (M::TOPIC_EFFICIENCY, "Efficiency").into(),
        (M::TOPIC_MESSAGES_IN, "In msg/s").into(),
        (M::TOPIC_MESSAGES_OUT, "Out msg/s").into(),
        (M::TOPIC_CONSUMER_LAG, "Lag").into(),
    ];
    let inefficient = Condition::Below(M::TOPIC_EFFICIENCY, 100.0);
    vec![
        DraftPage::new(
            "Latency",
            "How long requests take",
            vec![
                greatest("Slowest requests", M::BROKER_REQUEST_LATENCY).key(),
                mean("Produce (p99)", M::BROKER_PRODUCE_LATENCY),
                mean("Fetch (p99)", M::BROKER_FETCH_LATENCY),
                trend(
                    "Latency",
                    &[(M::BROKER_PRODUCE_LATENCY, "Produce"), (M::BROKER_FETCH_LATENCY, "Fetch")],
                ),
                trend_by_entity("Latency by broker", M::BROKER_REQUEST_LATENCY),
                distribution("Distribution", M::BROKER_REQUEST_LATENCY, 10.0, 50),
            ],
        ),
        DraftPage::new(
            "Brokers",
            "Whether load is shared",
            vec![
                least("Handlers idle", M::BROKER_HANDLER_IDLE).key(),
                top("Load", M::BROKER_LOAD_SCORE, 20),
                shares("Leaders", M::BROKER_LEADER_PARTITIONS, 20),
                unhealthy_brokers(90.0),
            ],
        ),
        DraftPage::new(
            "Topics",
            "Which topics waste effort",
            vec![
                least("Least efficiency", M::TOPIC_EFFICIENCY).key(),
                top("Message size", M::TOPIC_MESSAGE_SIZE, 15),
                trend_by_entity("Efficiency", M::TOPIC_EFFICIENCY),
                table_of("Inefficient topics", M::TOPIC_CONSUMER_LAG, inefficient, &topics),
            ],
        ),
        DraftPage::new(
            "Consumers",
            "Which groups hold others up",
            vec![
                greatest("Greatest lag", M::GROUP_LAG_TOTAL)
                    .alarm(parameters.lag_warning, parameters.lag_critical)
                    .key(),
                trend_by_entity("Time to catch up", M::GROUP_CATCH_UP),
                bars(
                    "Lag and furthest partition",
                    &[(M::GROUP_LAG_TOTAL, "Lag"), (M::GROUP_LAG_MAX, "Furthest")],
                    15,
                ),
            ],
        ),
    ]
}

fn topics(_: &Parameters) -> Vec<DraftPage> {
    let readers: [Column; 4] = [
        (M::TOPIC_CONSUMER_LAG, "Lag of all").into(),
        (M::TOPIC_LAG, "Lag of the last").into(),
        (M::TOPIC_MESSAGES_OUT, "Out msg/s").into(),
        (M::TOPIC_EFFICIENCY, "Efficiency").into(),
    ];
    vec![
        DraftPage::new(
            "Throughput",
            "What flows",
            vec![
                total("Messages in per second", M::TOPIC_MESSAGES_IN).key(),
                total_trend_by("Messages in", M::TOPIC_MESSAGES_IN, "topicName"),
                bars("Bytes", &[(M::TOPIC_BYTES_IN, "In"), (M::TOPIC_BYTES_OUT, "Out")], 15),
            ],
        ),
        DraftPage::new(
            "Storage",
            "What is kept",
            vec![
                total("MiB on disk", M::TOPIC_SIZE).key(),
                shares("Storage", M::TOPIC_SIZE, 10),
                trend_by_entity("MiB", M::TOPIC_SIZE),
                top("Message size", M::TOPIC_MESSAGE_SIZE, 15),
            ],
        ),
        DraftPage::new(
            "Replication",
            "Whether it is safe",
            vec![
                total("Under-replicated", M::TOPIC_UNDER_REPLICATED).key(),
                trend_by_entity("Under-replicated", M::TOPIC_UNDER_REPLICATED),
                states(
                    "Topics by replicas",
                    Topic,
                    vec![
                        (Condition::AtLeast(M::TOPIC_REPLICATION, 3.0), "3 or more"),
                        (Condition::AtLeast(M::TOPIC_REPLICATION, 2.0), "2"),
                        (Condition::Below(M::TOPIC_REPLICATION, 2.0), "1"),
                    ],
                ),
            ],
        ),
        DraftPage::new(
            "Readers",
            "Who keeps up",
            vec![
                trend_by_entity("Lag", M::TOPIC_LAG).key(),
                table("Readers", M::TOPIC_CONSUMER_LAG, &readers),
            ],
        ),
    ]
}
